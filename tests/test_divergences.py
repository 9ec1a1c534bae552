"""Claims about divergences: which way is taken, on which draws, and that exact means exact."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import divergences, random

tfd = tfp.distributions
RNG = np.random.default_rng(0)
LOC, SCALE = RNG.normal(size=(3, 2)), RNG.uniform(0.1, 2.0, size=(3, 2))
Q = bc.KernelBias(tfd.Independent(tfd.Normal(LOC, SCALE), 2), tfd.Independent(tfd.Normal(LOC[0], SCALE[0]), 1))
ZERO, ONE = np.float64(0.0), np.float64(1.3)


def _prior(element):
    return bc.KernelBias(tfd.Sample(element, [3, 2]), tfd.Sample(element, [2]))


NORMAL, STUDENT = _prior(tfd.Normal(ZERO, ONE)), _prior(tfd.StudentT(np.float64(4.0), ZERO, ONE))


def _no_draw():
    raise AssertionError("must not draw")


def test_exact_is_the_closed_form_summed_over_kernel_and_bias():
    expected = reference.normal_kl(LOC, SCALE, 0.0, 1.3) + reference.normal_kl(LOC[0], SCALE[0], 0.0, 1.3)
    np.testing.assert_allclose(divergences.exact(Q, NORMAL).penalty(_no_draw, None), expected, rtol=1e-12)
    only = bc.KernelBias(Q.kernel), bc.KernelBias(NORMAL.kernel)
    expected = reference.normal_kl(LOC, SCALE, 0.0, 1.3)
    np.testing.assert_allclose(divergences.exact(*only).penalty(_no_draw, None), expected, rtol=1e-12)


def test_a_distribution_has_no_divergence_from_itself():
    np.testing.assert_allclose(divergences.exact(Q, Q).penalty(_no_draw, None), 0.0, atol=1e-12)


def test_a_joint_prior_with_a_closed_form_is_exact_too():
    flat = bc.KernelBias(tfd.MultivariateNormalDiag(LOC[:, 0], SCALE[:, 0]))
    prior = bc.KernelBias(tfd.MultivariateNormalDiag(np.zeros(3), np.ones(3)))
    expected = reference.normal_kl(LOC[:, 0], SCALE[:, 0], 0.0, 1.0)
    np.testing.assert_allclose(divergences.exact(flat, prior).penalty(_no_draw, None), expected, rtol=1e-12)


def _log_ratio(weights, prior):
    q = Q.kernel.log_prob(weights.kernel) + Q.bias.log_prob(weights.bias)
    return q - prior.kernel.log_prob(weights.kernel) - prior.bias.log_prob(weights.bias)


def test_monte_carlo_is_the_log_ratio_at_the_layers_draw():
    draws = []

    def draw():
        draws.append(divergences.sample(Q, tf.constant([1, 2])))
        return draws[-1]

    value = divergences.monte_carlo(Q, STUDENT).penalty(draw, tf.constant([3, 4]))
    assert len(draws) == 1
    np.testing.assert_allclose(value, _log_ratio(draws[0], STUDENT), rtol=1e-12)


def test_more_samples_average_the_layers_draw_with_others():
    drawn, seed = divergences.sample(Q, tf.constant([1, 2])), tf.constant([3, 4])
    value = divergences.monte_carlo(Q, STUDENT, num_samples=3).penalty(lambda: drawn, seed)
    others = [divergences.sample(Q, s) for s in random.split(seed, 3)[1:]]
    np.testing.assert_allclose(value, np.mean([_log_ratio(w, STUDENT) for w in (drawn, *others)]), rtol=1e-12)


def test_the_penalty_is_computed_on_the_draw_that_extra_result_shows():
    def factory(*args, **options):
        return bc.make_kernel_bias_flipout(*args, prior="student_t", **options)

    layer = bc.Convolution(2, 3, 2, make_kernel_bias_fn=factory, dtype=tf.float64)
    layer(np.ones([2, 4, 4, 2]))
    w, q, p = layer.extra_result, layer.posterior, layer.prior
    expected = (
        q.kernel.log_prob(w.kernel) + q.bias.log_prob(w.bias) - p.kernel.log_prob(w.kernel) - p.bias.log_prob(w.bias)
    )
    np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-12)


def test_best_effort_is_exact_only_if_kernel_and_bias_both_are_and_says_so():
    assert divergences.best_effort(Q, NORMAL).name == "exact"
    assert divergences.best_effort(Q, STUDENT).name == "monte_carlo(num_samples=1)"
    mixed = bc.KernelBias(NORMAL.kernel, STUDENT.bias)
    assert divergences.best_effort(Q, mixed, num_samples=4).name == "monte_carlo(num_samples=4)"


def test_exact_without_a_closed_form_is_refused_with_the_alternatives():
    with pytest.raises(
        ValueError, match=r"no closed form of KL\(Normal \|\| StudentT\)\. Use divergence='monte_carlo'"
    ):
        divergences.exact(Q, STUDENT)


@pytest.mark.parametrize("num_samples", [0, -1, 1.5])
def test_a_number_of_samples_that_is_none_is_refused(num_samples):
    with pytest.raises(ValueError, match=r"needs num_samples >= 1. Received"):
        divergences.monte_carlo(Q, NORMAL, num_samples=num_samples)


def test_a_draw_depends_on_the_seed_alone_and_kernel_and_bias_are_independent():
    first, again = (divergences.sample(Q, tf.constant([1, 2])) for _ in range(2))
    np.testing.assert_array_equal(first.kernel, again.kernel)
    noise = (first.kernel[0] - LOC[0]) / SCALE[0], (first.bias - LOC[0]) / SCALE[0]
    assert np.abs(noise[0] - noise[1]).max() > 1e-3
