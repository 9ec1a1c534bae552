"""Claims about the ways to answer a batch: as many draws as it takes, mirrored pairs, a single pass of moments."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

import bayesconv as bc
from bayesconv import evaluators, moments, prediction, sampling

X = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
# Three inputs on which draws agree, then three on which they do not.
MIXED = np.concatenate([0.01 * X[:3], 3.0 * X[3:6]])


def dense(factory=bc.make_kernel_bias_flipout, **options):
    return bc.Affine(6, 3, make_kernel_bias_fn=factory, **options)


@pytest.fixture(scope="module")
def model():
    """For what leaves it as it is."""
    bc.set_seed(0)
    factory = bc.make_kernel_bias_flipout
    return bc.Sequential(
        [bc.Affine(6, 8, make_kernel_bias_fn=factory), tf.nn.relu, bc.Affine(8, 3, make_kernel_bias_fn=factory)]
    )


# As many draws as it takes


def standard_errors(logits):
    probs = softmax(logits.astype(np.float64), axis=-1)
    return (probs.std(axis=0, ddof=1) / np.sqrt(len(probs))).max()


def test_draws_stop_as_soon_as_every_average_of_a_batch_is_known_well_enough(model):
    predictive = bc.predict(model, X, num_samples="auto", tolerance=0.02)
    (count,) = set(predictive.num_samples)
    assert count > evaluators.LEAST
    assert standard_errors(predictive.logits) <= 0.02
    assert standard_errors(predictive.logits[: -evaluators.PORTION]) > 0.02
    fixed = bc.predict(model, X, num_samples=int(count))
    np.testing.assert_array_equal(predictive.logits, fixed.logits)
    np.testing.assert_allclose(predictive.mean, fixed.mean, rtol=1e-12)
    np.testing.assert_allclose(predictive.mutual_information_corrected, fixed.mutual_information_corrected, rtol=1e-9)


def test_every_batch_takes_the_draws_that_it_needs(model):
    predictive = bc.predict(model, MIXED, num_samples="auto", tolerance=0.02, batch_size=3)
    first, second = predictive.num_samples[:3], predictive.num_samples[3:]
    assert set(first) == {evaluators.LEAST}
    assert len(set(second)) == 1
    assert second[0] > evaluators.LEAST
    for part, count in ((slice(0, 3), first[0]), (slice(3, 6), second[0])):
        alone = bc.predict(model, MIXED[part], num_samples=int(count))
        np.testing.assert_allclose(predictive.mean[part], alone.mean, rtol=1e-6)
    with pytest.raises(ValueError, match="the number of draws differs between batches"):
        _ = predictive.logits


def test_more_draws_than_allowed_are_not_made(model):
    predictive = bc.predict(model, X, num_samples="auto", tolerance=1e-6, max_samples=40)
    assert set(predictive.num_samples) == {40}
    np.testing.assert_array_equal(predictive.logits, bc.predict(model, X, num_samples=40).logits)


def test_a_small_memory_budget_makes_portions_smaller_and_changes_no_draw(model, monkeypatch):
    expected = bc.predict(model, X, num_samples="auto", tolerance=0.02, batch_size=4)
    size = 4 * (6 * 8 + 8 + 8 * 3 + 3)
    monkeypatch.setattr(prediction._Batches, "fit_to", lambda self, num_draws: None)  # batches stay as they are
    for num_draws in (1, 7, 40):
        monkeypatch.setattr(sampling, "MEMORY_BUDGET", size * num_draws)
        found = bc.predict(model, X, num_samples="auto", tolerance=0.02, batch_size=4, keep_samples=False)
        # Smaller portions may stop sooner, or where the last one happens to be just past the others' end.
        assert (found.num_samples <= expected.num_samples + num_draws).all()
        for start in (0, 4, 8):
            part, count = slice(start, start + 4), int(found.num_samples[start])
            np.testing.assert_allclose(found.mean[part], bc.predict(model, X[part], num_samples=count).mean, rtol=1e-5)
        fixed = bc.predict(model, X, num_samples=48, batch_size=4, keep_samples=True)
        np.testing.assert_allclose(fixed.mean, bc.predict(model, X, num_samples=48).mean, rtol=1e-6)


def test_a_model_without_draws_takes_one():
    assert set(bc.predict(bc.Affine(6, 3), X, num_samples="auto").num_samples) == {1}


# Mirrored pairs


@pytest.mark.slow
def test_mirrored_draws_of_a_linear_model_average_to_the_mean_weights_exactly():
    for posterior in ("mean_field_normal", "laplace", "k_tied_normal", "radial"):
        factory = functools.partial(
            bc.make_kernel_bias_variational, estimator="reparameterization", posterior=posterior
        )
        model = dense(factory, dtype=tf.float64)
        pairs = bc.predict(model, X, num_samples=6, antithetic=True).logits
        center = model(X.astype(np.float64), weights="mean").numpy()
        for first, second in zip(pairs[::2], pairs[1::2], strict=True):
            np.testing.assert_allclose(first + second, 2.0 * center, rtol=1e-12, atol=1e-12)
        assert np.abs(pairs[0] - pairs[2]).min() > 1e-6  # pairs differ
        plain = bc.predict(model, X, num_samples=6).logits
        assert np.abs(plain.mean(axis=0) - center).max() > 1e-3  # and without mirroring it is not so


def test_the_first_of_a_pair_is_a_draw_as_any_other(model):
    pairs = bc.predict(model, X, num_samples=8, antithetic=True).logits
    plain = bc.predict(model, X, num_samples=4).logits
    np.testing.assert_allclose(pairs[::2], plain, rtol=1e-5, atol=1e-5)


def test_pairs_do_not_depend_on_the_memory(model, monkeypatch):
    whole = bc.predict(model, X, num_samples=8, antithetic=True).logits
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", 3 * 4 * (6 * 8 + 8 + 8 * 3 + 3))
    np.testing.assert_allclose(bc.predict(model, X, num_samples=8, antithetic=True).logits, whole, rtol=1e-5, atol=1e-6)


def test_pairs_share_the_masks_of_dropout():
    model = bc.Sequential([bc.Dropout(0.5, mc=True), dense(dtype=tf.float64)])
    first, second, third, _ = bc.predict(model, np.eye(6, dtype=np.float32), num_samples=4, antithetic=True).logits
    loc, bias = (model[1].named_variables[name].numpy() for name in ("kernel/loc", "bias/loc"))
    mask = np.abs(first + second - 2 * bias).sum(axis=1) > 1e-9
    np.testing.assert_allclose((first + second)[mask], (2 * (2 * loc + bias))[mask], rtol=1e-9)
    assert np.abs(first - third).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 5}, "`num_samples` must be even. Received 5"),
        ({"num_samples": "auto", "max_samples": 33}, "must be even. Received 33"),
        ({"num_samples": "many", "antithetic": False}, "a positive int or \"auto\". Received 'many'"),
        ({"num_samples": "auto", "tolerance": 0.0}, "`tolerance` must be positive. Received 0.0"),
        ({"method": "moments"}, 'method="moments" is a single pass without draws. Received antithetic=True too'),
        ({"method": "moments", "antithetic": False, "num_samples": "auto"}, 'Received num_samples="auto" too'),
        ({"method": "moments", "antithetic": False, "weights": "mean"}, 'Received weights="mean" too'),
        ({"weights": "mean"}, 'weights="mean" is a single pass without draws. Received antithetic=True too'),
    ],
)
def test_arguments_out_of_range_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        bc.predict(model, X, **{"antithetic": True, **options})


def test_what_cannot_be_mirrored_is_refused_with_the_reason():
    factory = functools.partial(
        bc.make_kernel_bias_variational, estimator="reparameterization", posterior="mixture_of_means"
    )
    with pytest.raises(ValueError, match=r"mirrors draws at the posterior mean.*of `affine`: leave antithetic out"):
        bc.predict(dense(factory), X, antithetic=True)
    model = bc.Sequential([dense(), bc.BatchNorm(3, policy="recalibrated")])
    for options in ({"antithetic": True}, {"method": "moments"}):  # each alone
        with pytest.raises(ValueError, match="measure the moments of every draw"):
            bc.predict(model, X, calibration=X, **options)


# A single pass


def test_moments_of_a_linear_model_are_those_of_its_posterior():
    model = dense(dtype=tf.float64)
    predictive = bc.predict(model, X, method="moments", likelihood={"name": "normal", "scale": 0.5})
    x = X.astype(np.float64)
    values = {name: variable.numpy() for name, variable in model.named_variables.items()}
    scale = {name: np.exp(values[f"{name}/untransformed_scale"]) for name in ("kernel", "bias")}
    variance = np.square(x) @ np.square(scale["kernel"]) + np.square(scale["bias"])
    np.testing.assert_allclose(predictive.mean, x @ values["kernel/loc"] + values["bias/loc"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(predictive.std, np.sqrt(variance), rtol=1e-9)
    gained = 0.5 * np.log1p(variance / 0.25).sum(axis=1)
    np.testing.assert_allclose(predictive.mutual_information, gained, rtol=1e-6)
    assert predictive.num_samples == 0
    with pytest.raises(ValueError, match='method="moments" made none'):
        _ = predictive.logits


def test_moments_are_the_limit_of_many_draws_for_one_layer():
    # 4,000 draws: standard errors below 0.008 of a probability; the pass' own error is 0.002.
    model = dense()
    many, single = bc.predict(model, X, num_samples=4_000), bc.predict(model, X, method="moments", batch_size=4)
    np.testing.assert_allclose(single.mean, many.mean, atol=0.02)
    np.testing.assert_allclose(single.std, many.std, atol=0.03)
    np.testing.assert_allclose(single.mutual_information, many.mutual_information, atol=0.03)
    assert np.abs(bc.predict(model, X, weights="mean").mean - many.mean).max() > 0.02  # which it would be without them


def test_members_of_an_ensemble_count_equally_in_a_single_pass(model):
    other = dense()
    both = bc.predict([model, other], X, method="moments")
    alone = [bc.predict(member, X, method="moments") for member in (model, other)]
    np.testing.assert_allclose(both.mean, (alone[0].mean + alone[1].mean) / 2, rtol=1e-12)
    square = sum(np.square(each.std) + np.square(each.mean) for each in alone) / 2 - np.square(both.mean)
    np.testing.assert_allclose(both.std, np.sqrt(square), rtol=1e-9)


@pytest.mark.parametrize("options", [{"covariance": "ignored"}, {"max_pool": "clark"}])
def test_the_pass_is_made_with_the_options_given(options):
    factory = bc.make_kernel_bias_flipout
    layers = [bc.Convolution(1, 3, 3, make_kernel_bias_fn=factory), bc.MaxPool(2), bc.GlobalAveragePool()]
    net = bc.Sequential([*layers, bc.Affine(3, 2, make_kernel_bias_fn=factory)])
    images = np.random.default_rng(0).normal(size=[5, 8, 8, 1]).astype(np.float32)
    default = bc.predict(net, images, method={"name": "moments"})
    chosen = bc.predict(net, images, method={"name": "moments", **options})
    outputs = moments.propagate(net, tf.constant(images), **options)
    expected = moments.predictive(outputs, bc.likelihoods.categorical())
    np.testing.assert_allclose(chosen.std, expected[1], rtol=1e-5)
    assert np.abs(chosen.std / default.std - 1.0).max() > 1e-3
    np.testing.assert_array_equal(default.std, bc.predict(net, images, method="moments").std)


def test_the_pass_is_traced_once_and_sees_what_training_changed(model, monkeypatch):
    calls = []
    original = moments.propagate
    monkeypatch.setattr(moments, "propagate", lambda *args, **options: calls.append(0) or original(*args, **options))
    trained = dense()
    before = bc.predict(trained, X, method="moments")
    bc.predict(trained, X[:2], method="moments")
    trained.named_variables["bias/loc"].assign([5.0, 0.0, 0.0])
    after = bc.predict(trained, X, method="moments")
    assert len(calls) == 1
    assert (after.mean[:, 0] > before.mean[:, 0]).all()
