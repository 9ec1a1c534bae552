"""Bayesian linear regression as a convolution, where evidence, optimum and posterior have closed forms.

With patches X, y = X w + N(0, sn^2) and w ~ N(0, s0^2 I): the posterior's precision is L = I / s0^2 + X'X / sn^2, its
mean m = L^-1 X'y / sn^2, and the best factorized normal has mean m and scales L_ii^-1/2, with

    ELBO* = log p(y) - 1/2 (sum_i log L_ii - log |L|).

Losses are nats per example: -ELBO / n.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import bounds
import numpy as np
import oracles
import pytest
import reference
import tensorflow as tf
from covering import diagonal
from sampling import draws
from scipy import stats

import bayesconv as bc
from bayesconv import estimators

NOISE, PRIOR_SCALE = 0.5, 0.8
ELBO_TOLERANCE = 0.1  # nats for all the data, of a trained posterior


class Problem(NamedTuple):
    """Images whose convolution has one output position, and their targets."""

    images: np.ndarray
    targets: np.ndarray

    @property
    def patches(self) -> np.ndarray:
        return self.images.reshape([len(self.images), -1])


def problem(kernel_size: int, orthogonal: bool = False, num: int = 24) -> Problem:
    rng = np.random.default_rng(kernel_size)
    shape = (num, kernel_size, kernel_size, 3 if kernel_size == 1 else 1)
    x = rng.normal(size=[num, math.prod(shape[1:])]) @ (np.eye(math.prod(shape[1:])) + 0.3)
    if orthogonal:
        x = np.linalg.qr(x)[0] * np.linspace(2.0, 5.0, x.shape[1])
    weights = PRIOR_SCALE * rng.normal(size=[x.shape[1]])
    return Problem(x.reshape(shape), (x @ weights + NOISE * rng.normal(size=[num]))[:, np.newaxis])


class Optimum(NamedTuple):
    """Closed forms; evidence and ELBO in nats for all the data."""

    mean: np.ndarray
    precision: np.ndarray
    evidence: float

    @property
    def scale(self) -> np.ndarray:
        return 1.0 / np.sqrt(np.diag(self.precision))

    @property
    def gap(self) -> float:
        return 0.5 * (np.log(np.diag(self.precision)).sum() - np.linalg.slogdet(self.precision)[1])

    @property
    def elbo(self) -> float:
        return self.evidence - self.gap


def optimum(data: Problem) -> Optimum:
    x, y = data.patches, data.targets[:, 0]
    precision = np.eye(x.shape[1]) / PRIOR_SCALE**2 + x.T @ x / NOISE**2
    covariance = NOISE**2 * np.eye(len(x)) + PRIOR_SCALE**2 * x @ x.T
    evidence = stats.multivariate_normal(np.zeros(len(x)), covariance).logpdf(y)
    return Optimum(np.linalg.solve(precision, x.T @ y) / NOISE**2, precision, float(evidence))


def elbo_of(data: Problem, loc: np.ndarray, scale: np.ndarray) -> float:
    """The bound of a factorized normal, from expected squared errors."""
    x, y = data.patches, data.targets[:, 0]
    squares = np.square(y - x @ loc).sum() + np.square(x).sum(axis=0) @ np.square(scale)
    kl = reference.normal_kl(loc, scale, np.array(0.0), np.array(PRIOR_SCALE))
    return -0.5 * len(y) * math.log(2 * math.pi * NOISE**2) - squares / (2 * NOISE**2) - kl


def model_of(
    data: Problem, estimator: Any = "flipout", dtype: Any = tf.float64, *, is_transposed: bool = False
) -> bc.Sequential:
    """A convolution, or a transposed one with the kernel turned over and all but the central output cut off."""
    factory = functools.partial(
        bc.make_kernel_bias_variational, estimator=estimator, prior={"name": "normal", "scale": PRIOR_SCALE}
    )
    size, channels = data.images.shape[2:]
    kind, options = (bc.ConvolutionTranspose, {"padding": "FULL"}) if is_transposed else (bc.Convolution, {})
    layer = kind(channels, 1, size, make_kernel_bias_fn=factory, use_bias=False, dtype=dtype, **options)
    return bc.Sequential([layer, bc.Flatten()])


def put_at(model: bc.Sequential, loc: np.ndarray, scale: np.ndarray) -> None:
    kernel = {path.rpartition("/")[2]: variable for path, variable in model.named_variables.items()}
    for name, value in (("loc", loc), ("untransformed_scale", np.log(scale))):
        value = value.reshape(kernel[name].shape)
        is_transposed = isinstance(model[0], bc.ConvolutionTranspose)
        kernel[name].assign(value[::-1, ::-1] if is_transposed else value)


def parameters_of(model: bc.Sequential) -> tuple[np.ndarray, np.ndarray]:
    mean, variance = oracles.moments_of(model[0])
    return mean, np.sqrt(variance)


def choices() -> list[Any]:
    """Every estimator; one that is exact on dense layers alone is exact here too, where the output is one position."""
    names = {}
    for name in estimators.names():
        oracle = oracles.ESTIMATOR_ORACLES.get(name)
        if oracle is not None and not oracle.is_noisy:
            continue  # its scales learn nothing from the data
        approximate = oracle is not None and not oracle.is_exact(oracles.CASES["conv2d"])
        names[name] = {"name": name, "approximate": True} if approximate else name
    return list(names.values())


def test_the_closed_forms_agree_with_each_other():
    for data in (problem(1), problem(3), problem(3, orthogonal=True)):
        best = optimum(data)
        assert elbo_of(data, best.mean, best.scale) == pytest.approx(best.elbo, rel=1e-10)
        for factor in (0.9, 1.1):  # and it is the best
            assert elbo_of(data, best.mean * factor, best.scale) < best.elbo
            assert elbo_of(data, best.mean, best.scale * factor) < best.elbo


def test_a_posterior_of_another_temperature_is_further_from_the_optimum_than_training_may_end():
    # A KL that counts T times gives scales of about sqrt(T).
    for data in (problem(1), problem(3), problem(3, orthogonal=True)):
        best = optimum(data)
        for temperature in (0.5, 2.0):
            wrong = elbo_of(data, best.mean, best.scale * math.sqrt(temperature))
            assert wrong < best.elbo - 2 * ELBO_TOLERANCE


def test_an_orthogonal_design_has_no_gap():
    assert optimum(problem(3, orthogonal=True)).gap == pytest.approx(0.0, abs=1e-10)
    assert optimum(problem(3)).gap > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "geometry"), diagonal(choices(), [(1, False), (3, False), (3, True)], always=["flipout"])
)
def test_the_objective_at_the_optimum_is_the_closed_form_and_its_gradient_is_zero(estimator, geometry):
    kernel_size, is_transposed = geometry
    # 2,500 draws; a KL divided twice or not at all, or one that is a mean, is off by hundreds of standard errors.
    data = problem(kernel_size, num=8 if estimator == "per_example" else 24)  # it applies a kernel for each
    best, model = optimum(data), model_of(data, estimator, is_transposed=is_transposed)
    put_at(model, best.mean, best.scale)

    def one(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            terms = bc.elbo(
                model,
                tf.constant(data.images),
                tf.constant(data.targets),
                num_data=len(data.images),
                likelihood={"name": "normal", "scale": NOISE},
                seed=seed,
            )
        return terms.loss, terms.kl, *tape.gradient(terms.loss, model.trainable_variables)

    loss, kl, *gradients = draws(one, 2_500)
    comparison = bounds.compare_means(loss[:, np.newaxis], -best.elbo / len(data.images))
    assert comparison.agrees, comparison
    expected_kl = reference.normal_kl(best.mean, best.scale, np.array(0.0), np.array(PRIOR_SCALE))
    np.testing.assert_allclose(kl, expected_kl, rtol=1e-10)
    comparison = bounds.compare_means(np.concatenate([g.reshape([len(g), -1]) for g in gradients], axis=1), 0.0)
    assert comparison.agrees, comparison
    # Mutants of the scaling of the KL, in the same units.
    for factor in (0.0, 1.0 / len(best.mean), len(data.images)):
        mutant = loss + (factor - 1.0) * kl / len(data.images)
        assert not bounds.compare_means(mutant[:, np.newaxis], -best.elbo / len(data.images)).agrees


def test_the_gradient_away_from_the_optimum_is_not_zero():
    data = problem(3)
    best, model = optimum(data), model_of(data)
    put_at(model, best.mean, 1.2 * best.scale)
    layer = model[0]

    def one(seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = bc.elbo(
                model,
                tf.constant(data.images),
                data.targets,
                num_data=24,
                likelihood={"name": "normal", "scale": NOISE},
                seed=seed,
            ).loss
        return tape.gradient(loss, layer.trainable_variables[-1])

    names = [variable.name for variable in layer.trainable_variables]
    assert "untransformed_scale" in names[-1]
    assert not bounds.compare_means(draws(one, 2_500).reshape([2_500, -1]), 0.0).agrees


@pytest.mark.slow
@pytest.mark.parametrize(("kernel_size", "orthogonal"), [(1, False), (3, False), (3, True)])
def test_training_from_random_weights_reaches_the_optimum(kernel_size, orthogonal):
    data = problem(kernel_size, orthogonal)
    best = optimum(data)
    bc.set_seed(1)
    model = model_of(data)
    assert elbo_of(data, *parameters_of(model)) < best.elbo - 5.0  # nats: it has to move
    bc.fit(
        model,
        (data.images, data.targets),
        epochs=1200,  # from some first weights 300 leave the locations a posterior deviation or three away
        batch_size=len(data.images),
        likelihood={"name": "normal", "scale": NOISE},
        learning_rate=0.05,
        kl_schedule="constant",
        num_samples=4,
        seed=0,
        progress=False,
    )
    loc, scale = parameters_of(model)
    reached = elbo_of(data, loc, scale)
    assert best.elbo - ELBO_TOLERANCE < reached <= best.elbo + 1e-9
    np.testing.assert_allclose((loc - best.mean) / best.scale, 0.0, atol=0.2)  # posterior standard deviations
    np.testing.assert_allclose(scale / best.scale, 1.0, atol=0.2)
    if orthogonal:  # the factorized posterior is the posterior, and the bound is the evidence
        assert reached == pytest.approx(best.evidence, abs=ELBO_TOLERANCE)
