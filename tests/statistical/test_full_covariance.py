"""A posterior of one's own with a full covariance reaches the evidence, in layers that share weights between positions.

A linear layer's outputs are `A w` with its unit responses A, so with normal noise and a normal prior the posterior of
all weights is N(m, L^-1) and the evidence is known. Claims, for `full_covariance` below, which a user would write:

    at the exact posterior every draw of the bound is the evidence, to 1e-9, in every geometry of the bench;
    there, sticking the landing, every draw's gradient is zero, to 1e-8 nats per unit of a variable;
    training from a random start ends within 0.01 nats of the evidence, as it does for a low-rank normal of full rank
    and for a matrix normal; a factorized normal ends within 0.1 nats of the gap 1/2 (sum_i log L_ii - log |L|);
    if kernel and bias have a covariance each, but none in common, the gap is 1/2 (log |L_kk| + log |L_bb| - log |L|).

The first three are no z-tests: they have no false alarms, and find what is as large as their tolerance. The z-tests,
six in this file, have a false alarm rate of 1e-6 each. With 1,000 draws they find, 19 times in 20, a bias of 0.21
standard deviations of one draw's bound, and with 8,000 predictions a variance that is 12 % off.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from sampling import draws, seeds
from test_linear_regression import NOISE, PRIOR_SCALE, Optimum, optimum

import bayesconv as bc
from bayesconv import random

pytestmark = pytest.mark.slow

tfb, tfd = tfp.bijectors, tfp.distributions
LIKELIHOOD = {"name": "normal", "scale": NOISE}
NUM_DRAWS = 1_000
TOLERANCE, NOISY_TOLERANCE = 0.01, 0.1  # nats for all the data; the latter where the gradient's noise does not vanish


def full_covariance(specs: bc.KernelBias, *, initial_scale: float = 0.3) -> bc.KernelBias:
    """A normal for the kernel and one for the bias, whose elements covary in any way."""

    def one(spec: bc.WeightSpec) -> Any:
        size = math.prod(spec.shape)
        loc = tf.Variable(0.5 * random.normal([size], spec.seed, spec.dtype), name=f"{spec.name}/loc")
        factor = tfp.util.TransformedVariable(
            initial_scale * tf.eye(size, dtype=spec.dtype),
            tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None),
            name=f"{spec.name}/untransformed_factor",
        )
        return tfd.TransformedDistribution(tfd.MultivariateNormalTriL(loc, factor), tfb.Reshape(spec.shape))

    return bc.map_kernel_bias(one, specs)


class Regression(NamedTuple):
    """Inputs of a layer, the unit responses `[outputs, weights]`, and a target for every output."""

    case: oracles.Case
    images: np.ndarray
    patches: np.ndarray
    targets: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The targets as the model's outputs, `[N, K]`."""
        return self.targets.reshape([len(self.images), -1])


def regression(case: oracles.Case, images: np.ndarray | None = None) -> Regression:
    images = oracles.inputs_of(case) if images is None else images
    responses = oracles.unit_responses(case, images)
    patches, rng = responses.reshape([len(responses), -1]).T, np.random.default_rng(3)
    means = patches @ (PRIOR_SCALE * rng.normal(size=patches.shape[1]))
    return Regression(case, images, patches, (means + NOISE * rng.normal(size=means.shape))[:, np.newaxis])


def without_bias(name: str) -> oracles.Case:
    case = oracles.CASES[name]
    return case._replace(arguments={**case.arguments, "use_bias": False})


def shared_weights(kernel_size: int) -> Regression:
    """2-D convolutions of 24 images, at 4 positions each; what is common to an image makes the weights covary."""
    channels, width, common, own = (3, 2, 0.5, 0.2) if kernel_size == 1 else (1, 4, 0.2, 0.3)
    arguments = {"filter_shape": kernel_size, "rank": 2, "input_size": channels, "output_size": 1, "use_bias": False}
    rng = np.random.default_rng(kernel_size)
    images = common * rng.normal(size=(24, 1, 1, 1)) + own * rng.normal(size=(24, width, width, channels))
    return regression(oracles.Case(arguments, images.shape), images)


def model_of(data: Regression, posterior: Any = full_covariance, **choices: Any) -> bc.Sequential:
    factory = functools.partial(
        bc.make_kernel_bias_variational,
        **{
            "posterior": posterior,
            "prior": {"name": "normal", "scale": PRIOR_SCALE},
            "estimator": "reparameterization",
            "divergence": {"name": "monte_carlo", "stick_the_landing": True},
            **choices,
        },
    )
    layer = data.case.layer_type(**data.case.arguments, make_kernel_bias_fn=factory, dtype=tf.float64)
    return bc.Sequential([layer, bc.Flatten()])


def put_at(normal: Any, mean: np.ndarray, cholesky: np.ndarray) -> None:
    """Assigns the variables of one weight's `full_covariance`."""
    normal.distribution.loc.assign(mean)
    normal.distribution.scale_tril.assign(cholesky)


def at_optimum(data: Regression, **choices: Any) -> tuple[bc.Sequential, Optimum]:
    best, model = optimum(data), model_of(data, **choices)
    put_at(model[0].kernel, best.mean, np.linalg.cholesky(np.linalg.inv(best.precision)))
    return model, best


def bound(model: bc.Sequential, data: Regression) -> Any:
    """The bound in nats for all the data, as a function of the seed."""
    images, rows, num_data = tf.constant(data.images), tf.constant(data.rows), len(data.images)

    def one(seed: tf.Tensor) -> tf.Tensor:
        return -num_data * bc.elbo(model, images, rows, num_data=num_data, likelihood=LIKELIHOOD, seed=seed).loss

    return tf.function(one, autograph=False)


def few(function: Any) -> np.ndarray:
    """Of five seeds."""
    return np.array([function(seed) for seed in seeds(5)])


def divergence_from(best: Optimum, mean: np.ndarray, covariance: np.ndarray) -> float:
    """KL(N(mean, covariance) || posterior): what its bound is below the evidence."""
    covariance = np.diag(covariance) if covariance.ndim == 1 else covariance
    product, deviation = best.precision @ covariance, mean - best.mean
    distance = np.trace(product) + deviation @ best.precision @ deviation - len(mean)
    return 0.5 * float(distance - np.linalg.slogdet(product)[1])


# At the exact posterior


def with_one_sign_flipped(cholesky: np.ndarray) -> np.ndarray:
    """The factor with its largest element below the diagonal negated, which is the factor of another covariance."""
    below = np.tril(cholesky, -1)
    mutant = cholesky.copy()
    mutant.flat[np.argmax(np.abs(below))] *= -1
    return mutant


QUICK = (
    "conv2d_groups",
    "conv2d_batch_of_kernels",
    "conv3d",
    "transposed2d_groups",
    "depthwise",
)


def geometries() -> list[Any]:
    """All of the bench; the quick ones without being asked for."""
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in oracles.CASES]


@pytest.mark.parametrize("case_name", geometries())
def test_every_draw_of_the_bound_is_the_evidence_and_with_one_sign_flipped_none_is(case_name):
    data = regression(without_bias(case_name))
    model, best = at_optimum(data)
    normal, of_seed = model[0].kernel, bound(model, data)
    np.testing.assert_allclose(few(of_seed), best.evidence, rtol=1e-9)
    put_at(normal, best.mean, with_one_sign_flipped(normal.distribution.scale_tril.numpy()))
    assert np.abs(few(of_seed) - best.evidence).min() > 1e-5
    put_at(normal, best.mean, np.diag(best.scale))  # the best factorized normal
    assert np.ptp(few(of_seed)) > 0.1


@pytest.mark.parametrize("posterior", ["low_rank_normal", "matrix_normal"])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_named_posteriors_that_contain_the_exact_one_give_the_evidence_as_well(kernel_size, posterior):
    data = shared_weights(kernel_size)
    best, rank = optimum(data), {"rank": kernel_size**2 + 2} if posterior == "low_rank_normal" else {}
    model = model_of(data, {"name": posterior, **rank})
    put, of_seed = {"low_rank_normal": put_low_rank_at, "matrix_normal": put_matrix_at}[posterior], bound(model, data)
    covariance = np.linalg.inv(best.precision)
    put(model[0].kernel, best.mean, covariance)
    np.testing.assert_allclose(few(of_seed), best.evidence, rtol=1e-9)
    put(model[0].kernel, best.mean, np.diag(np.diag(covariance)))  # mutant: the marginal scales alone
    assert np.ptp(few(of_seed)) > 0.1


def put_low_rank_at(normal: Any, mean: np.ndarray, covariance: np.ndarray) -> None:
    values, vectors = np.linalg.eigh(covariance)
    own = 0.5 * values[0]
    normal.loc.assign(mean.reshape(normal.loc.shape))
    normal.scale.assign(np.full(normal.loc.shape, math.sqrt(own)))
    normal.factors.assign((vectors * np.sqrt(values - own)).T.reshape(normal.factors.shape))


def put_matrix_at(normal: Any, mean: np.ndarray, covariance: np.ndarray) -> None:
    cholesky = np.linalg.cholesky(covariance)
    scale = np.diag(cholesky)
    below = np.tril((cholesky / scale[:, np.newaxis])[1:, :-1])
    normal.loc.assign(mean.reshape(normal.loc.shape))
    normal.rows.scale.assign(scale)
    normal.rows.entries.assign(tfp.math.fill_triangular_inverse(tf.constant(below)))
    normal.columns.scale.assign(np.ones(1))


@pytest.mark.parametrize("sticks", [True, False])
def test_sticking_the_landing_the_gradient_of_every_draw_is_zero_and_else_on_average(sticks):
    data = shared_weights(3)
    model, best = at_optimum(data, divergence={"name": "monte_carlo", "stick_the_landing": sticks})
    of_seed = bound(model, data)

    def one(seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = of_seed(seed)
        return tf.concat(tape.gradient(value, model.trainable_variables), axis=0)

    gradients = draws(one, 20 if sticks else NUM_DRAWS)
    assert gradients.shape[1] == 9 + 45
    if sticks:
        np.testing.assert_allclose(gradients, 0.0, atol=1e-8)
        put_at(model[0].kernel, best.mean + 0.01 * best.scale, model[0].kernel.distribution.scale_tril.numpy())
        assert np.abs(few(one)).max(axis=1).min() > 1e-2
    else:
        assert gradients.std(axis=0).min() > 0.1
        assert bounds.compare_means(gradients, 0.0).agrees


@pytest.mark.parametrize("estimator", ["per_example", {"name": "sliced", "draws": "independent"}], ids=str)
def test_with_several_kernels_in_a_batch_the_evidence_is_the_mean_of_the_bound(estimator):
    data = shared_weights(3)
    model, best = at_optimum(data, estimator=estimator)
    values = draws(bound(model, data), NUM_DRAWS)[:, np.newaxis]
    assert values.std() > 1.0
    assert bounds.compare_means(values, best.evidence).agrees
    for mutant in (-0.4, 0.4):
        assert not bounds.compare_means(values + mutant * values.std(), best.evidence).agrees


FLIP_SIGNS_OR_ADD_VARIANCES = ["flipout", "grouped_flipout", "antithetic", "sliced", "local_reparameterization"]


@pytest.mark.parametrize("estimator", FLIP_SIGNS_OR_ADD_VARIANCES)
def test_estimators_that_need_independent_weights_refuse_it(estimator):
    data = regression(without_bias("affine"))
    with pytest.raises(ValueError, match="needs a posterior of independent"):
        model_of(data, estimator=estimator)


# With a bias, which has a distribution of its own


@pytest.mark.parametrize("is_centred", [True, False])
def test_a_kernel_and_a_bias_that_covary_leave_the_gap_between_the_two(is_centred):
    arguments = {"filter_shape": 1, "rank": 2, "input_size": 3, "output_size": 1}
    images = np.random.default_rng(4).normal(size=(24, 1, 1, 3)) + 0.4
    images -= images.mean(axis=0) * is_centred
    data = regression(oracles.Case(arguments, images.shape), images)
    best, model = optimum(data), model_of(data)
    blocks = [best.precision[:3, :3], best.precision[3:, 3:]]
    for normal, mean, block in zip(model[0].posterior, np.split(best.mean, [3]), blocks, strict=True):
        put_at(normal, mean, np.linalg.cholesky(np.linalg.inv(block)))
    gap = 0.5 * (sum(np.linalg.slogdet(block)[1] for block in blocks) - np.linalg.slogdet(best.precision)[1])
    if is_centred:
        assert gap == pytest.approx(0.0, abs=1e-10)
        np.testing.assert_allclose(few(bound(model, data)), best.evidence, rtol=1e-9)
    else:
        values = draws(bound(model, data), NUM_DRAWS)[:, np.newaxis]
        assert bounds.compare_means(values, best.evidence - gap).agrees
        assert not bounds.compare_means(values, best.evidence).agrees


# By training


def trained(data: Regression, posterior: Any) -> bc.Sequential:
    bc.set_seed(1)
    model = model_of(data, posterior)
    pace = (
        {"epochs": 400, "learning_rate": 0.1} if data.patches.shape[1] < 9 else {"epochs": 800, "learning_rate": 0.05}
    )
    options = {"batch_size": len(data.images), "kl_schedule": "constant", "seed": 0, "progress": False, **pace}
    bc.fit(model, (data.images, data.rows), likelihood=LIKELIHOOD, **options)
    return model


def moments_of(model: bc.Sequential, posterior: Any) -> tuple[np.ndarray, np.ndarray]:
    if posterior is full_covariance:
        normal = model[0].kernel.distribution
        return normal.mean().numpy(), normal.covariance().numpy()
    return oracles.moments_of(model[0], posterior["name"])


FULL_RANK, ONE_DIRECTION = ({"name": "low_rank_normal", "rank": rank} for rank in (3, 1))
MEAN_FIELD = {"name": "mean_field_normal"}


def test_the_closed_form_of_what_is_lacking_is_zero_at_the_posterior_and_the_gap_at_the_best_factorized_normal():
    for size in (1, 3):
        best = optimum(shared_weights(size))
        covariance = np.linalg.inv(best.precision)
        assert divergence_from(best, best.mean, covariance) == pytest.approx(0.0, abs=1e-10)
        assert divergence_from(best, best.mean, best.scale**2) == pytest.approx(best.gap, rel=1e-9)
        assert best.gap > 5 * NOISY_TOLERANCE
        cholesky = with_one_sign_flipped(np.linalg.cholesky(covariance))
        assert divergence_from(best, best.mean, cholesky @ cholesky.T) > 10 * TOLERANCE


@pytest.mark.parametrize(
    ("posterior", "kernel_size"),
    [
        pytest.param(full_covariance, 1, id="full_covariance-1x1"),
        pytest.param(full_covariance, 3, id="full_covariance-3x3"),
        pytest.param(FULL_RANK, 1, id="low_rank_normal-1x1", marks=pytest.mark.full),
        pytest.param({"name": "matrix_normal"}, 1, id="matrix_normal-1x1", marks=pytest.mark.full),
    ],
)
def test_training_reaches_the_evidence(posterior, kernel_size):
    data = shared_weights(kernel_size)
    model, best = trained(data, posterior), optimum(data)
    assert divergence_from(best, *moments_of(model_of(data, posterior), posterior)) > 5.0  # nats: it has to move
    assert divergence_from(best, *moments_of(model, posterior)) < TOLERANCE
    np.testing.assert_allclose(few(bound(model, data)), best.evidence, atol=0.5)  # as single draws say


def test_trained_factorized_normals_stay_below_by_the_gap_and_one_direction_takes_a_part_of_it():
    data = shared_weights(1)
    best = optimum(data)
    factorized, directed = (
        divergence_from(best, *moments_of(trained(data, posterior), posterior))
        for posterior in (MEAN_FIELD, ONE_DIRECTION)
    )
    assert best.gap - 1e-9 <= factorized < best.gap + NOISY_TOLERANCE
    assert NOISY_TOLERANCE < directed < best.gap - NOISY_TOLERANCE


# Predictions


def test_predictions_covary_as_the_exact_posterior_says():
    data = shared_weights(3)
    model, best = at_optimum(data)
    images = data.images[:3]
    logits = bc.predict(model, images, num_samples=8_000, likelihood=LIKELIHOOD, keep_samples=True).logits
    outputs, patches = logits.reshape([8_000, -1]), data.patches[:12]
    exact = patches @ np.linalg.inv(best.precision) @ patches.T
    assert bounds.compare_means(outputs, patches @ best.mean).agrees
    assert bounds.compare_covariances(outputs, exact).agrees
    factorized = patches * np.diag(np.linalg.inv(best.precision)) @ patches.T
    assert not bounds.compare_covariances(outputs, factorized).agrees
