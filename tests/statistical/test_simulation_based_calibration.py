"""Simulation-based calibration: weights from the prior, data from them, the rank of the truth among posterior draws.

If prior, likelihood, objective, training and draws fit together, every quantity of the true weights is ranked uniformly
among that of L draws from the posterior. A batch of 1,000 kernels is 1,000 simulations in one layer, trained at once
with `bc.fit`; draws are made as a user makes them, with `bc.predict` and by calling the layer.

Images with orthogonal pixels give a factorized posterior, so that a mean-field normal is exact; else it has
standard deviations L_ii^-1/2 for a posterior of precision L, and the truth's standardized distance from its mean has
the variance (L^-1)_ii L_ii instead of 1, which ranks must show as well.

Ranks among 63 draws are compared with their expected frequencies in 8 bins by a chi-square test with a false alarm rate
of 1e-6; there are about 45 in this file. What is found 19 times in 20, by `power`:

    ranks   scale too wide by   too narrow by   mean off by
    1,000   1.34                0.78            0.28 standard deviations
    4,000   1.15                0.88            0.14 standard deviations

Ranks of the weights alone are blind to a posterior that ignores its prior, and to one that is the prior: over all
simulations the truth lies as it should among the draws of either. Quantities that depend on the data are not, such as a
weight counted in the direction in which the data point.

References:
  Talts et al., Validating Bayesian Inference Algorithms with Simulation-Based Calibration, 2018. arXiv:1804.06788
  Modrak et al., Simulation-Based Calibration Checking for Bayesian Computation: The Choice of Test Quantities Shapes
  Sensitivity, Bayesian Analysis 2023. arXiv:2211.02383
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import bounds
import numpy as np
import pytest
import tensorflow as tf
from sampling import draws
from scipy import stats
from test_linear_regression import choices

import bayesconv as bc

pytestmark = pytest.mark.slow

NUM_SIMULATIONS, NUM_DRAWS, NUM_BINS = 1_000, 63, 8
NUM_IMAGES, NOISE, PRIOR_SCALE = 10, 0.5, 0.8
LIKELIHOOD = {"name": "normal", "scale": NOISE}
TAPS = [(0, 0), (0, 1), (1, 0), (1, 1)]  # of a 2 x 2 kernel, which meets an image of 3 x 3 at 4 positions
Posterior = tuple[np.ndarray, np.ndarray]


# Ranks


def bin_probabilities(shift: float = 0.0, ratio: float = 1.0) -> np.ndarray:
    """Of the rank of a truth N(shift, ratio^2) among draws of N(0, 1); uniform by default."""
    z = np.linspace(-8.0, 8.0, 4_001)
    below = stats.norm.cdf(shift + ratio * z)
    ranks = stats.binom.pmf(np.arange(NUM_DRAWS + 1)[:, np.newaxis], NUM_DRAWS, below) @ stats.norm.pdf(z)
    return (ranks / ranks.sum()).reshape([NUM_BINS, -1]).sum(axis=1)


def ranked(drawn: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Number of draws, along the first axis, below the truth."""
    assert len(drawn) == NUM_DRAWS
    return (drawn < truth).sum(axis=0)


def agrees(ranks: np.ndarray, probabilities: Any = None, num_comparisons: int = 1) -> bool:
    """Whether independent ranks have these frequencies in the bins, uniform by default."""
    probabilities = np.full(NUM_BINS, 1 / NUM_BINS) if probabilities is None else probabilities
    counts = np.bincount(ranks.ravel() * NUM_BINS // (NUM_DRAWS + 1), minlength=NUM_BINS)
    return stats.chisquare(counts, ranks.size * probabilities).pvalue > bounds.ALPHA / num_comparisons


def power(num: int, **truth: float) -> float:
    """Probability that `num` ranks of such truths are found not to be uniform."""
    distance = num * NUM_BINS * np.square(bin_probabilities(**truth) - 1 / NUM_BINS).sum()
    return stats.ncx2.sf(stats.chi2.isf(bounds.ALPHA, NUM_BINS - 1), NUM_BINS - 1, distance)


def test_the_smallest_defects_that_are_found_are_as_stated():
    np.testing.assert_allclose(bin_probabilities(), 1 / NUM_BINS, rtol=1e-6)
    for num, wide, narrow, shift in ((1_000, 1.34, 0.78, 0.28), (4_000, 1.15, 0.88, 0.14)):
        for truth in ({"ratio": 1 / wide}, {"ratio": 1 / narrow}, {"shift": shift}):
            assert power(num, **truth) >= 0.95


def test_ranks_of_normals_have_the_stated_frequencies():
    rng = np.random.default_rng(0)
    for truth in ({}, {"shift": 0.3}, {"ratio": 1.3}):
        values = truth.get("shift", 0.0) + truth.get("ratio", 1.0) * rng.normal(size=4_000)
        ranks = ranked(rng.normal(size=(NUM_DRAWS, 4_000)), values)
        assert agrees(ranks, bin_probabilities(**truth))
        assert agrees(ranks) == (not truth)


# Simulations


class Simulations(NamedTuple):
    """Many regressions with the same images; weights are `[S, 4]`.

    Attributes:
      images: `[N, 3, 3, 1, 1]`, where an axis of one stands for all simulations.
      patches: `[4 N, 4]`, what the four weights meet at the positions of all images.
      truth: `[S, 4]`, drawn from the layer's prior.
      outputs: `[4 N, S]`, with noise.
    """

    images: np.ndarray
    patches: np.ndarray
    truth: np.ndarray
    outputs: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        return np.eye(4) / PRIOR_SCALE**2 + self.patches.T @ self.patches / NOISE**2

    @property
    def scores(self) -> np.ndarray:
        """`[S, 4]`, the weights that the data speak for, times their precision."""
        return self.outputs.T @ self.patches / NOISE**2

    @property
    def mean_field(self) -> Posterior:
        """Means and standard deviations of the best factorized normal."""
        mean = np.linalg.solve(self.precision, self.scores.T).T
        return mean, np.broadcast_to(np.diag(self.precision) ** -0.5, mean.shape)


def patches_of(images: np.ndarray) -> np.ndarray:
    """`[4 N, 4]`: rows are the positions of every image, columns the taps."""
    positions = [images[:, i : i + 2, j : j + 2].reshape([-1, 4]) for i, j in TAPS]
    return np.stack(positions, axis=1).reshape([-1, 4])


def model_of(estimator: Any = "reparameterization", posterior: Any = "mean_field_normal") -> bc.Sequential:
    factory = functools.partial(
        bc.make_kernel_bias_variational,
        estimator=estimator,
        posterior=posterior,
        prior={"name": "normal", "scale": PRIOR_SCALE},
        divergence={"name": "monte_carlo", "stick_the_landing": True},
    )
    options = {"batch_shape": (NUM_SIMULATIONS,), "use_bias": False, "dtype": tf.float64}
    return bc.Sequential([bc.Convolution(1, 1, 2, make_kernel_bias_fn=factory, **options), bc.Flatten()])


@functools.cache
def simulations(is_orthogonal: bool = True) -> Simulations:
    rng = np.random.default_rng(6)
    images = np.linalg.qr(rng.normal(size=(NUM_IMAGES, 9)))[0] * np.linspace(0.35, 0.7, 9)
    if not is_orthogonal:
        images += 0.25 * rng.normal(size=(NUM_IMAGES, 1))
    images = images.reshape([NUM_IMAGES, 3, 3])
    truth = model_of()[0].prior.kernel.sample(seed=(1, 2)).numpy().reshape([NUM_SIMULATIONS, 4])
    means = patches_of(images) @ truth.T
    outputs = means + NOISE * rng.normal(size=means.shape)
    return Simulations(images[..., np.newaxis, np.newaxis], patches_of(images), truth, outputs)


def fitted(data: Simulations, posterior: Any = "mean_field_normal", **options: Any) -> bc.Sequential:
    bc.set_seed(1)
    model, targets = model_of(posterior=posterior), data.outputs.reshape([NUM_IMAGES, -1])
    fixed = {"epochs": 300, "batch_size": NUM_IMAGES, "learning_rate": 0.1, "seed": 0, "progress": False}
    options = {"likelihood": LIKELIHOOD, "kl_schedule": "constant", **options}
    bc.fit(model, (data.images, targets), **fixed, **options)
    return model


def put_at(model: bc.Sequential, mean: np.ndarray, scale: np.ndarray) -> bc.Sequential:
    normal = model[0].kernel.distribution
    normal.loc.assign(mean.reshape(normal.loc.shape))
    normal.scale.assign(np.reshape(scale, normal.loc.shape))
    return model


def posterior_of(model: bc.Sequential) -> Posterior:
    kernel = model[0].kernel
    return tuple(values.numpy().reshape([NUM_SIMULATIONS, 4]) for values in (kernel.mean(), kernel.stddev()))


# Draws, as a user has them


PROBE = np.random.default_rng(8).normal(size=(1, 3, 3, 1, 1))
IMPULSES = np.eye(9)[[0, 1, 3, 4]].reshape([4, 3, 3, 1, 1])  # whose output at the first position is one weight
EXAMPLES = np.concatenate([IMPULSES, PROBE])


def at_first_position(outputs: np.ndarray) -> np.ndarray:
    """`[.., N, S]` of a model's outputs `[.., N, 4 S]`."""
    return outputs[..., :NUM_SIMULATIONS]


def predicted(model: bc.Sequential, data: Simulations) -> np.ndarray:
    """`[L, N, 4, S]`: outputs for the training images, the impulses and the probe."""
    images = np.concatenate([data.images, EXAMPLES])
    made = bc.predict(model, images, num_samples=NUM_DRAWS, seed=3, likelihood=LIKELIHOOD, keep_samples=True)
    return made.logits.reshape([NUM_DRAWS, len(images), 4, NUM_SIMULATIONS])


def log_likelihood(means: np.ndarray, data: Simulations) -> np.ndarray:
    return -np.square(data.outputs - means).sum(axis=-2)


def ranks_of(model: bc.Sequential, data: Simulations) -> dict[str, np.ndarray]:
    """Ranks of quantities of the true weights among those of coherent draws."""
    outputs = predicted(model, data)
    weights = outputs[:, NUM_IMAGES : NUM_IMAGES + 4, 0].swapaxes(1, 2)
    direction = np.sign(data.scores)
    fit = outputs[:, :NUM_IMAGES].reshape([NUM_DRAWS, -1, NUM_SIMULATIONS])
    return {
        "weights": ranked(weights, data.truth),
        "weights towards the data": ranked(direction * weights, direction * data.truth),
        "function": ranked(outputs[:, -1, 0], patches_of(PROBE)[0] @ data.truth.T),
        "log likelihood": ranked(log_likelihood(fit, data), log_likelihood(data.patches @ data.truth.T, data)),
    }


@functools.cache
def trained() -> bc.Sequential:
    return fitted(simulations())


@functools.cache
def at_hand() -> bc.Sequential:
    """A model to put values into."""
    return model_of()


# The whole chain


def test_training_finds_the_exact_posterior_of_every_simulation():
    data = simulations()
    np.testing.assert_allclose(data.precision, np.diag(np.diag(data.precision)), atol=1e-9)
    (mean, scale), (exact_mean, exact_scale) = posterior_of(trained()), data.mean_field
    deviations = np.stack([(mean - exact_mean) / exact_scale, np.log(scale / exact_scale)])
    assert np.sqrt(np.square(deviations).mean(axis=(1, 2))).max() < 0.01
    assert np.abs(deviations).max() < 0.3
    assert exact_scale.max() < 0.7 * PRIOR_SCALE  # the data say something, and the prior still does
    assert exact_scale.min() > 0.4 * PRIOR_SCALE


def test_the_truth_is_ranked_uniformly_among_the_draws_of_a_trained_posterior():
    for quantity, ranks in ranks_of(trained(), simulations()).items():
        assert agrees(ranks), quantity


def without_prior(data: Simulations) -> Posterior:
    precision = np.diag(data.precision) - 1 / PRIOR_SCALE**2
    return data.scores / precision, np.broadcast_to(precision**-0.5, data.truth.shape)


WEIGHTS, TOWARDS = "weights", "weights towards the data"
DEFECTS: Mapping[str, tuple[Callable[..., Posterior], set[str]]] = {
    "wide": (lambda data, mean, scale: (mean, 1.3 * scale), {WEIGHTS, TOWARDS}),
    "narrow": (lambda data, mean, scale: (mean, 0.75 * scale), {WEIGHTS, TOWARDS}),
    "shifted": (lambda data, mean, scale: (mean + 0.3 * scale, scale), {WEIGHTS}),
    "ignores the prior": (lambda data, mean, scale: without_prior(data), {TOWARDS}),
    "ignores the data": (lambda data, mean, scale: (0.0 * mean, PRIOR_SCALE + 0.0 * scale), {TOWARDS}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defective_posterior_is_found_by_the_quantities_that_show_it(name):
    data = simulations()
    defect, shown_by = DEFECTS[name]
    ranks = ranks_of(put_at(at_hand(), *defect(data, *data.mean_field)), data)
    assert {quantity for quantity in (WEIGHTS, TOWARDS) if not agrees(ranks[quantity])} == shown_by


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"temperature": 0.5}, id="temperature"),
        pytest.param({"likelihood": {"name": "normal", "scale": 0.35}}, id="noise", marks=pytest.mark.full),
    ],
)
def test_training_for_something_else_is_found(options):
    data = simulations()
    assert not agrees(ranks_of(fitted(data, **options), data)[WEIGHTS])


# Estimators


def estimators_to_try() -> list[Any]:
    """All that are noisy; three of them without being asked for."""
    quick = ("reparameterization", "flipout", "sliced")
    return [pytest.param(c, id=name_of(c), marks=() if c in quick else pytest.mark.full) for c in choices()]


def name_of(choice: Any) -> str:
    return choice if isinstance(choice, str) else choice["name"]


@pytest.mark.parametrize("estimator", estimators_to_try())
def test_draws_do_not_depend_on_the_estimator(estimator):
    data = simulations()
    model = put_at(model_of(estimator), *data.mean_field)
    reference = predicted(put_at(at_hand(), *data.mean_field), data)
    np.testing.assert_array_equal(predicted(model, data), reference)


@pytest.mark.parametrize("estimator", estimators_to_try())
def test_the_truth_is_ranked_uniformly_among_the_passes_of_an_estimator(estimator):
    # Each output is a draw of its own posterior; what examples have in common is another matter.
    data = simulations()
    model = put_at(model_of(estimator), *data.mean_field)
    outputs = at_first_position(draws(lambda seed: model(EXAMPLES, seed=seed), NUM_DRAWS))
    weights, function = outputs[:, :4].swapaxes(1, 2), outputs[:, 4]
    assert agrees(ranked(weights, data.truth))
    assert agrees(ranked(function, patches_of(PROBE)[0] @ data.truth.T))
    mutant = 1.3 * weights - 0.3 * data.mean_field[0]
    assert not agrees(ranked(mutant, data.truth))


@pytest.mark.parametrize("estimator", ["reparameterization", "flipout", "sliced"])
def test_the_weights_that_a_coherent_call_reports_are_those_of_all_its_examples(estimator):
    data = simulations()
    model = put_at(model_of(estimator), *data.mean_field)
    pair = np.concatenate([PROBE, PROBE + 0.3 * IMPULSES[:1]])

    def one(seed: tf.Tensor, weights: str) -> tuple[tf.Tensor, tf.Tensor]:
        first, second = tf.unstack(model(pair, seed=seed, weights=weights))
        return (second - first)[:NUM_SIMULATIONS] / 0.3, model[0].extra_result.kernel

    for way in ("coherent", "sample"):
        difference, kernels = draws(functools.partial(one, weights=way), NUM_DRAWS)
        kernels = kernels.reshape([NUM_DRAWS, NUM_SIMULATIONS, 4])
        assert agrees(ranked(kernels, data.truth))
        is_coherent = way == "coherent" or estimator == "reparameterization"
        assert agrees(ranked(difference, data.truth[:, 0])) == is_coherent
        assert np.allclose(difference, kernels[..., 0]) == is_coherent


# Posteriors whose weights covary


def spread_over_scale(data: Simulations) -> np.ndarray:
    """Standard deviation of every weight over the scale of the best factorized normal."""
    return np.sqrt(np.diag(np.linalg.inv(data.precision)) * np.diag(data.precision))


COVARYING = {"matrix_normal": {}, "low_rank_normal": {"rank": 4}}


@pytest.mark.parametrize("name", ["matrix_normal", pytest.param("low_rank_normal", marks=pytest.mark.full)])
def test_a_trained_posterior_with_covariances_is_calibrated_where_weights_covary(name):
    data = simulations(is_orthogonal=False)
    model = fitted(data, {"name": name, **COVARYING[name]})
    for of_weight in ranks_of(model, data)[WEIGHTS].T:  # those of one simulation are not independent
        assert agrees(of_weight, num_comparisons=4)
    _, scale = posterior_of(model)
    np.testing.assert_allclose((scale / data.mean_field[1]).mean(axis=0), spread_over_scale(data), rtol=0.03)


def test_a_factorized_one_is_overconfident_there_by_as_much_as_theory_says():
    data = simulations(is_orthogonal=False)
    ranks, ratios = ranks_of(put_at(at_hand(), *data.mean_field), data)[WEIGHTS], spread_over_scale(data)
    assert ratios.min() > 1 / 0.78
    for of_weight, ratio in zip(ranks.T, ratios, strict=True):
        assert agrees(of_weight, bin_probabilities(ratio=ratio), num_comparisons=4)
        assert not agrees(of_weight, num_comparisons=4)
