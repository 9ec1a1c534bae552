"""Bounds on the evidence of Bayesian linear regression, where evidence and Renyi divergences have closed forms.

With a posterior N(m, S) of precision L and q = N(a, diag(s^2)), the bound of order alpha is, from many draws,

    L_alpha = log p(y) - D_alpha(q || N(m, S)),
    D_alpha = alpha / 2 (a - m)' M^-1 (a - m) - 1 / (2 (alpha - 1)) log(|M| / (|diag s^2|^(1-alpha) |S|^alpha)),
    M = alpha S + (1 - alpha) diag(s^2).

In this file `log_weights` are of single draws: what the objective gives with `num_samples=1`, times -num_data.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import bounds
import numpy as np
import pytest
import tensorflow as tf
from sampling import draws
from test_linear_regression import NOISE, Optimum, Problem, model_of, optimum, parameters_of, problem, put_at

import bayesconv as bc
from bayesconv import random

pytestmark = pytest.mark.slow

LIKELIHOOD = {"name": "normal", "scale": NOISE}
BOUNDS = ["importance_weighted", *({"name": "renyi", "alpha": alpha} for alpha in (-1.0, 0.5, 0.999, 1.0, 3.0))]


def objective(model: Any, data: Problem, bound: Any, *, num_samples: int = 1, num_data: float | None = None) -> Any:
    """The bound in nats for all data, as a function of the seed."""
    num_data = len(data.images) if num_data is None else num_data
    images, targets = tf.constant(data.images), tf.constant(data.targets)

    def one(seed: tf.Tensor) -> tf.Tensor:
        options = {"num_data": num_data, "likelihood": LIKELIHOOD, "num_samples": num_samples, "seed": seed}
        return -num_data * bc.elbo(model, images, targets, bound=bound, **options).loss

    return one


def wide(data: Problem) -> tuple[bc.Sequential, np.ndarray, np.ndarray]:
    """A model whose posterior is off and a little too wide, so that importance weights have a variance."""
    best, model = optimum(data), model_of(data, "reparameterization")
    scale = 1.2 * np.sqrt(np.diag(np.linalg.inv(best.precision)))
    loc = best.mean + 0.3 * scale
    put_at(model, loc, scale)
    return model, loc, scale


def renyi_divergence(best: Optimum, loc: np.ndarray, scale: np.ndarray, alpha: float) -> float:
    covariance = np.linalg.inv(best.precision)
    mixed = alpha * covariance + (1 - alpha) * np.diag(scale**2)
    deviation = loc - best.mean
    logs = [np.linalg.slogdet(m)[1] for m in (mixed, np.diag(scale**2), covariance)]
    volume = logs[0] - (1 - alpha) * logs[1] - alpha * logs[2]
    return 0.5 * alpha * deviation @ np.linalg.solve(mixed, deviation) - volume / (2 * (alpha - 1))


@functools.cache
def log_weights_of_single_draws() -> np.ndarray:
    """For the wide posterior of the first problem, `[64 * 600]`."""
    data = problem(1)
    return draws(objective(wide(data)[0], data, "importance_weighted"), 64 * 600)


def test_the_closed_form_tends_to_the_kl_and_vanishes_at_order_zero():
    data = problem(1)
    best, (_, loc, scale) = optimum(data), wide(data)
    near = [renyi_divergence(best, loc, scale, alpha) for alpha in (0.9999, 1.0001)]
    difference = loc - best.mean
    kl = 0.5 * (
        np.diag(best.precision) @ scale**2
        + difference @ best.precision @ difference
        - len(loc)
        - np.linalg.slogdet(best.precision)[1]
        - 2 * np.log(scale).sum()
    )
    assert near[1] > kl > near[0] > 0.9 * kl
    assert renyi_divergence(best, loc, scale, 0.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_at_the_exact_posterior_every_bound_of_every_draw_is_the_evidence(bound):
    data = problem(3, orthogonal=True)
    best, model = optimum(data), model_of(data, "reparameterization")
    put_at(model, best.mean, best.scale)
    values = draws(objective(model, data, bound, num_samples=3), 20)
    np.testing.assert_allclose(values, best.evidence, rtol=1e-10)


def test_without_the_log_ratio_of_every_draw_bounds_would_vary_at_the_exact_posterior():
    data = problem(3, orthogonal=True)
    best, model = optimum(data), model_of(data, "reparameterization")
    put_at(model, best.mean, best.scale)
    # Mutants: the exact KL in place of the draw's log ratio; the KL left out.
    assert np.ptp(draws(objective(model, data, "elbo", num_samples=3), 20)) > 1.0
    assert float(model[0].divergence.penalty(None, None)) > 5.0


def test_the_log_weights_have_the_moments_of_the_closed_forms():
    # At order 0, where the power is 1, this says that the mean weight is the evidence. The posterior is not factorized.
    data = problem(1)
    best, (_, loc, scale), log_weights = optimum(data), wide(data), log_weights_of_single_draws()
    for alpha in (0.0, 0.3, 0.5, 0.9):
        exact = best.evidence - renyi_divergence(best, loc, scale, alpha)
        powers = np.exp((1 - alpha) * (log_weights - exact))
        comparison = bounds.compare_means(powers[:, np.newaxis], 1.0)
        assert comparison.agrees, (alpha, comparison)
        # Mutant: another constant, as half a unit of the KL's would be.
        assert not bounds.compare_means(powers[:, np.newaxis] * math.exp(0.1 * (1 - alpha)), 1.0).agrees or alpha == 0.9
    elbo = best.evidence - renyi_divergence(best, loc, scale, 1 - 1e-7)
    assert bounds.compare_means(log_weights[:, np.newaxis], elbo).agrees


def test_more_draws_raise_the_bound_to_its_limit_and_not_above():
    data = problem(1)
    best, (_, loc, scale), log_weights = optimum(data), wide(data), log_weights_of_single_draws()
    for alpha in (0.0, 0.5):
        limit = best.evidence - renyi_divergence(best, loc, scale, alpha)
        combine = functools.partial(bc.bounds.renyi, alpha=alpha)
        values = {  # the same draws in groups of 1, 2, 8 and 64: a row for every 64
            num: tf.vectorized_map(combine, log_weights.reshape([-1, num])).numpy().reshape([600, -1]).mean(axis=1)
            for num in (1, 2, 8, 64)
        }
        for fewer, more in itertools.pairwise(values.values()):
            rise = more - fewer
            assert rise.mean() > bounds.z_star(3) * rise.std() / math.sqrt(600)
        error = values[64].std() / math.sqrt(600)
        assert values[64].mean() < limit + bounds.z_star(1) * error
        assert values[64].mean() == pytest.approx(limit, abs=0.03)
        assert values[1].mean() < limit - 0.1


def test_next_to_order_one_the_bound_is_the_evidence_lower_bound_in_single_precision_too():
    data = problem(1)
    for dtype, tolerance in ((tf.float64, 1e-9), (tf.float32, 1e-5)):
        factory = {"divergence": "monte_carlo", "estimator": "reparameterization"}
        layer = bc.Affine(
            3, 1, make_kernel_bias_fn=functools.partial(bc.make_kernel_bias_variational, **factory), dtype=dtype
        )
        typed = Problem(data.patches.astype(dtype.as_numpy_dtype), data.targets.astype(dtype.as_numpy_dtype))
        values = [
            float(objective(layer, typed, bound, num_samples=4)(random.as_seed(1)))
            for bound in ("elbo", {"name": "renyi", "alpha": 1.0}, {"name": "renyi", "alpha": 1 - 1e-12})
        ]
        np.testing.assert_allclose(values, values[0], rtol=tolerance)
        far = float(objective(layer, typed, {"name": "renyi", "alpha": 0.0}, num_samples=4)(random.as_seed(1)))
        assert far > values[0] + 1.0


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_a_batch_stands_for_the_rest_of_the_data_by_its_mean_log_likelihood(bound):
    data = problem(1)
    model, _, _ = wide(data)
    twice = Problem(np.tile(data.images, [2, 1, 1, 1]), np.tile(data.targets, [2, 1]))
    seed = random.as_seed(3)
    whole = objective(model, twice, bound, num_samples=3)(seed)
    half = objective(model, data, bound, num_samples=3, num_data=len(twice.images))(seed)
    np.testing.assert_allclose(half, whole, rtol=1e-12)
    unscaled = objective(model, data, bound, num_samples=3)(seed)  # mutant: without N / B
    assert abs(unscaled - whole) > 1.0


def test_with_minibatches_the_elbo_is_right_on_average_and_the_others_lie_above_their_bound():
    data = problem(1)
    model, _, _ = wide(data)
    batches = [Problem(data.images[i::4], data.targets[i::4]) for i in range(4)]
    for bound, excess in (("elbo", 0.0), ({"name": "renyi", "alpha": 0.5}, 0.1), ("importance_weighted", 0.1)):
        for seed in (1, 2):
            options = {"num_samples": 8, "num_data": len(data.images)}
            whole = objective(model, data, bound, **options)(random.as_seed(seed))
            parts = [objective(model, batch, bound, **options)(random.as_seed(seed)) for batch in batches]
            difference = float(tf.reduce_mean(parts) - whole)
            assert difference == pytest.approx(0.0, abs=1e-9) if bound == "elbo" else difference > excess


def test_training_by_an_importance_weighted_bound_covers_the_posterior():
    # The factorized normal of the ELBO has the conditional scales; one that covers has nearly the marginal ones.
    data = problem(1)
    best, scales = optimum(data), {}
    for name in ("elbo", "importance_weighted"):
        bc.set_seed(1)
        model = model_of(data, "reparameterization")
        options = {"epochs": 400, "batch_size": len(data.images), "learning_rate": 0.08, "num_samples": 16}
        bc.fit(
            model,
            (data.images, data.targets),
            likelihood=LIKELIHOOD,
            kl_schedule="constant",
            bound=name,
            seed=0,
            progress=False,
            **options,
        )
        scales[name] = parameters_of(model)[1] / best.scale
    marginal = np.sqrt(np.diag(np.linalg.inv(best.precision))) / best.scale
    np.testing.assert_allclose(scales["elbo"], 1.0, atol=0.1)
    assert (scales["importance_weighted"] > 1.0 + 0.4 * (marginal - 1.0)).all()
    assert marginal.min() > 1.2
