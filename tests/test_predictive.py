"""Claims about what a prediction says of targets: total variance, intervals, sets of classes, votes, and its files."""

from __future__ import annotations

import itertools
import pickle
import sys

import numpy as np
import pandas
import pytest
import scipy.stats
import tensorflow as tf

import bayesconv as bc
from bayesconv.predictive import Predictive

X = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
NORMAL = {"name": "heteroscedastic_normal"}


def _affine(outputs, seed=1):
    bc.set_seed(seed)
    factory = bc.make_kernel_bias_reparameterization
    return bc.Affine(3, outputs, make_kernel_bias_fn=factory)


MODEL = _affine(2)
REAL = bc.predict(MODEL, X, num_samples=20, seed=3, likelihood=NORMAL)
CLASSES = bc.predict(_affine(4), X, num_samples=20, seed=3)


def _parts():
    outputs = REAL.logits.astype(np.float64)
    return scipy.stats.norm(outputs[..., 0], np.exp(outputs[..., 1]) + 1e-4)


def test_the_variances_of_noise_and_weights_add_up_to_that_of_the_target():
    parts = _parts()
    np.testing.assert_allclose(REAL.aleatoric_std[:, 0] ** 2, parts.var().mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(REAL.epistemic_std[:, 0], parts.mean().std(axis=0), rtol=1e-5)
    assert REAL.epistemic_std is REAL.std
    # 400,000 draws an input: the variance of bounded-kurtosis mixtures to 1 %, five of its standard errors or more.
    drawn = parts.rvs(size=(20_000, *parts.mean().shape), random_state=np.random.default_rng(5)).reshape(-1, 9)
    np.testing.assert_allclose(REAL.total_std[:, 0], drawn.std(axis=0), rtol=0.02)


def test_the_ends_of_an_interval_are_quantiles_of_the_mixture():
    lower, upper = REAL.interval(0.9)
    parts = _parts()
    np.testing.assert_allclose(parts.cdf(lower[:, 0]).mean(axis=0), 0.05, rtol=1e-6)
    np.testing.assert_allclose(parts.cdf(upper[:, 0]).mean(axis=0), 0.95, rtol=1e-6)
    np.testing.assert_allclose(REAL.cdf(upper), 0.95, rtol=1e-6)


def test_the_interval_of_the_mean_is_that_of_the_draws():
    lower, upper = REAL.interval(0.8, of="mean")
    means = REAL.logits[..., :1].astype(np.float64)
    np.testing.assert_allclose(lower, np.quantile(means, 0.1, axis=0), rtol=1e-6)
    np.testing.assert_allclose(upper, np.quantile(means, 0.9, axis=0), rtol=1e-6)
    probs = tf.nn.softmax(CLASSES.logits.astype(np.float64)).numpy()
    np.testing.assert_allclose(CLASSES.interval(0.8, of="mean")[1], np.quantile(probs, 0.9, axis=0), rtol=1e-6)


def test_the_density_is_that_of_the_mixture_and_labels_have_their_mean_probability():
    targets = REAL.mean + 0.3
    expected = np.log(_parts().pdf(targets[:, 0]).mean(axis=0))
    np.testing.assert_allclose(REAL.log_prob(targets), expected, rtol=1e-6)
    labels = np.arange(9) % 4
    np.testing.assert_allclose(CLASSES.log_prob(labels), np.log(CLASSES.probs[np.arange(9), labels]), rtol=1e-6)


def test_the_entropies_of_a_real_target_are_known_and_their_difference_is_the_mutual_information():
    parts = _parts()
    np.testing.assert_allclose(REAL.expected_entropy, parts.entropy().mean(axis=0), rtol=1e-6)
    assert (REAL.predictive_entropy > REAL.expected_entropy).all()
    # The entropy of a mixture is below that of a normal of its variance.
    assert (REAL.predictive_entropy < scipy.stats.norm(0, REAL.total_std[:, 0]).entropy() + 1e-4).all()
    np.testing.assert_allclose(REAL.mutual_information, REAL.predictive_entropy - REAL.expected_entropy)


def test_members_of_an_ensemble_count_equally_in_everything():
    both = bc.predict([bc.Affine(3, 2), MODEL], X, num_samples=10, likelihood=NORMAL)
    assert both.draws_by_member == (1, 10)
    variances = np.square(np.exp(both.logits[..., 1:].astype(np.float64)) + 1e-4)
    np.testing.assert_allclose(both.aleatoric_std**2, 0.5 * variances[0] + 0.5 * variances[1:].mean(axis=0), rtol=1e-6)
    ends = both.quantile(0.3)
    outputs = both.logits.astype(np.float64)
    cdf = scipy.stats.norm(outputs[..., 0], np.exp(outputs[..., 1]) + 1e-4).cdf(ends[:, 0])
    np.testing.assert_allclose(0.5 * cdf[0] + 0.5 * cdf[1:].mean(axis=0), 0.3, rtol=1e-6)


def test_a_single_pass_of_moments_has_intervals_where_its_prediction_is_normal():
    model = _affine(1)
    found = bc.predict(model, X, method="moments", likelihood={"name": "normal", "scale": 0.5})
    lower, upper = found.interval(0.9)
    expected = scipy.stats.norm(found.mean, np.hypot(0.5, found.std)).interval(0.9)
    np.testing.assert_allclose((lower, upper), expected, rtol=1e-5)
    noisy = bc.predict(MODEL, X, method="moments", likelihood=NORMAL)
    many = bc.predict(MODEL, X, num_samples=4000, likelihood=NORMAL)
    np.testing.assert_allclose(noisy.total_std, many.total_std, rtol=0.1)  # 4,000 draws against 128 quasi-random ones
    with pytest.raises(ValueError, match="The samples were not kept"):
        noisy.interval(0.9)


def test_quantiles_are_averages_over_draws_and_know_their_levels_only():
    likelihood = {"name": "quantiles", "levels": [0.1, 0.5, 0.9]}
    found = bc.predict(_affine(3), X, num_samples=6, likelihood=likelihood)
    outputs = found.logits.astype(np.float64)
    expected = (outputs[..., 1] + np.log1p(np.exp(outputs[..., 2]))).mean(axis=0)
    np.testing.assert_allclose(found.interval(0.8)[1][:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(found.mean[:, 0], outputs[..., 1].mean(axis=0), rtol=1e-5)
    assert np.isnan(found.predictive_entropy).all()
    with pytest.raises(ValueError, match=r"knows the levels \[0.1, 0.5, 0.9\]"):
        found.interval(0.9)
    with pytest.raises(AttributeError, match="quantiles likelihood has no variance"):
        _ = found.total_std
    with pytest.raises(AttributeError, match="quantiles likelihood has no density"):
        found.cdf(0.0)


def test_credible_sets_are_the_smallest_that_reach_the_level():
    sets, probs = CLASSES.credible_set(0.7), CLASSES.probs
    for chosen, row in zip(sets, probs, strict=True):
        assert row[chosen].sum() >= 0.7
        assert row[chosen].sum() - row[chosen].min() < 0.7
        assert row[chosen].min() >= row[~chosen].max(initial=0.0)


def test_votes_are_those_of_the_draws():
    votes = CLASSES.logits.argmax(axis=-1)  # [S, N]
    counts = np.stack([(votes == k).sum(axis=0) for k in range(4)])
    np.testing.assert_allclose(CLASSES.variation_ratio, 1 - counts.max(axis=0) / 20)
    pairs = [votes[i] != votes[j] for i, j in itertools.combinations(range(20), 2)]
    np.testing.assert_allclose(CLASSES.disagreement, np.mean(pairs, axis=0), atol=1e-12)
    assert CLASSES.disagreement.max() > 0
    not_kept = bc.predict(_affine(4), X, num_samples=20, seed=3, keep_samples=False)
    np.testing.assert_array_equal(not_kept.disagreement, CLASSES.disagreement)


def test_what_a_likelihood_does_not_have_is_refused_with_what_it_has():
    with pytest.raises(AttributeError, match="categorical likelihood is not one of real numbers; read `probs`"):
        CLASSES.interval(0.9)
    with pytest.raises(AttributeError, match="Votes are those of draws for one class of several"):
        _ = REAL.disagreement
    with pytest.raises(AttributeError, match="has no class probabilities"):
        REAL.credible_set()
    with pytest.raises(ValueError, match=r"A level is a probability in \(0, 1\). Received 90"):
        REAL.interval(90)
    with pytest.raises(ValueError, match="`of` is 'target' or 'mean'"):
        REAL.interval(0.9, of="weights")


@pytest.mark.parametrize("predictive", [REAL, CLASSES])
def test_a_file_gives_the_same_prediction_back(predictive, tmp_path):
    found = Predictive.from_npz(predictive.to_npz(tmp_path / "p.npz"))
    for name in ("mean", "std", "predictive_entropy", "samples", "noise_variance", "votes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(predictive, name))
    assert (found.seed, found.num_samples, found.likelihood) == (3, 20, predictive.likelihood)
    np.testing.assert_array_equal(found.interval(0.9, of="mean"), predictive.interval(0.9, of="mean"))
    assert pickle.loads(pickle.dumps(predictive)).num_samples == 20


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    with pytest.raises(ValueError, match=r"other.npz must be a file that Predictive.to_npz wrote"):
        Predictive.from_npz(tmp_path / "other.npz")


def test_without_pandas_the_error_says_what_to_install(tmp_path, monkeypatch):
    for module in ("pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"pandas is missing; install both by pip install 'bayesconv\[tables\]'"):
        REAL.to_pandas()
    with pytest.raises(ValueError, match="pyarrow is missing"):
        REAL.to_parquet(tmp_path / "p.parquet")


def test_tables_hold_one_row_an_input_and_survive_a_file(tmp_path):
    frame = REAL.to_pandas(["angle"])
    np.testing.assert_array_equal(frame["mean_angle"], REAL.mean[:, 0])
    np.testing.assert_array_equal(frame["lower_angle"], REAL.interval(0.9)[0][:, 0])
    back = pandas.read_parquet(CLASSES.to_parquet(tmp_path / "p.parquet", list("abcd")))
    np.testing.assert_array_equal(back["p_c"], CLASSES.probs[:, 2])
    assert list(back["class_name"]) == [list("abcd")[k] for k in CLASSES.probs.argmax(axis=-1)]


def test_a_table_of_pixels_says_where_each_is():
    factory = bc.make_kernel_bias_reparameterization
    images = np.random.default_rng(1).normal(size=(2, 3, 4, 1)).astype(np.float32)
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=factory)
    found = bc.predict(model, images, num_samples=5, likelihood="categorical_per_pixel")
    assert found.probs.shape == (2, 3, 4, 3)
    assert found.mutual_information_corrected.shape == found.disagreement.shape == (2, 3, 4)
    from bayesconv import tabulation

    table = tabulation.columns(found)
    place = (table["image"] == 1) & (table["row"] == 2) & (table["column"] == 3)
    np.testing.assert_array_equal(table["p_1"][place], [found.probs[1, 2, 3, 1]])
    with pytest.raises(ValueError, match="There must be 3 `class_names`"):
        tabulation.columns(found, ["a"])


@pytest.mark.parametrize("likelihood", ["categorical_per_pixel"])
def test_batches_of_any_size_and_frozen_ensembles_predict_pixels_alike(likelihood):
    factory = bc.make_kernel_bias_reparameterization
    images = np.random.default_rng(1).normal(size=(5, 3, 4, 1)).astype(np.float32)
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=factory)
    options = {"num_samples": 5, "likelihood": likelihood}
    whole, parts = (bc.predict(model, images, batch_size=size, **options) for size in (256, 2))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-5)
    frozen = bc.freeze(model, num_samples=5, input_shape=[3, 4, 1], likelihood=likelihood).predict(images)
    np.testing.assert_allclose(frozen.predictive_entropy, whole.predictive_entropy, rtol=1e-5)
    np.testing.assert_allclose(frozen.disagreement, whole.disagreement)


def test_frozen_ensembles_know_their_likelihood():
    found = bc.freeze(MODEL, num_samples=20, seed=3, input_shape=[3], likelihood=NORMAL).predict(X)
    np.testing.assert_allclose(found.interval(0.9), REAL.interval(0.9), rtol=1e-5)
    np.testing.assert_allclose(found.predictive_entropy, REAL.predictive_entropy, rtol=1e-5)


def test_as_many_draws_as_it_takes_have_the_variances_too():
    found = bc.predict(MODEL, X, num_samples="auto", tolerance=0.2, likelihood=NORMAL)
    assert found.total_std.shape == (9, 1)
    assert np.isfinite(found.predictive_entropy).all()
