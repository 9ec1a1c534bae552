"""The report on a single pass finds the errors that are there, and none where the pass is exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.moments import LayerError, comparison
from bayesconv.moments.comparison import compare_with_sampling

SAMPLES = 400


def _linear(num=64):
    return bc.Sequential([bc.Affine(8, num, make_kernel_bias_fn=bc.make_kernel_bias_flipout, name="linear")])


def _inputs(num=16):
    return np.random.default_rng(0).normal(size=(num, 8)).astype(np.float32)


def test_a_linear_layer_is_exact_within_the_noise_of_the_draws():
    (error,) = compare_with_sampling(_linear(), _inputs(), num_samples=SAMPLES)
    # 64 channels are independent: the mean of their squared z has deviation sqrt(2 / 64), the variance ratio
    # sqrt(2 / (64 S)) but for the 16 examples, which add nothing in the worst case. Beyond 5 deviations: 1e-6.
    assert error.name == "linear"
    assert abs(error.mean_error**2 * SAMPLES - 1) < 5 * math.sqrt(2 / 64)
    assert abs(error.variance_ratio - 1) < 5 * math.sqrt(2 / (64 * SAMPLES))
    assert error.variance_correlation > 0.9


@pytest.mark.parametrize(("factor", "shift"), [(1.1, 0.0), (1.0, 0.3)])
def test_a_wrong_variance_and_a_wrong_mean_are_seen(monkeypatch, factor, shift):
    def wrong(model, x, **options):
        mean, variance, *_ = bc.moments.propagate(model, x, **options)
        return bc.moments.Moments(mean + shift * tf.sqrt(variance), factor * variance)

    monkeypatch.setattr(comparison, "propagate", wrong)
    (error,) = compare_with_sampling(_linear(), _inputs(), num_samples=SAMPLES)
    if shift:
        assert abs(error.mean_error - shift) < 5 / math.sqrt(64 * SAMPLES) + 1 / math.sqrt(SAMPLES)
        assert abs(error.mean_error**2 * SAMPLES - 1) > 5 * math.sqrt(2 / 64)
    else:
        assert abs(error.variance_ratio - 1) > 5 * math.sqrt(2 / (64 * SAMPLES))


def test_every_member_has_its_line_and_the_draws_are_those_of_the_seed():
    model = bc.Sequential([*_linear(4), tf.nn.relu, bc.Affine(4, 3, name="point")], name="net")
    first, again, other = (compare_with_sampling(model, _inputs(3), num_samples=5, seed=s) for s in (1, 1, 2))
    assert [error.name for error in first] == ["linear", "relu", "point"]
    assert first == again != other


def test_where_nothing_varies_there_is_no_ratio():
    model = bc.Sequential([bc.Affine(8, 2, name="point")])
    (error,) = compare_with_sampling(model, _inputs(), num_samples=2)
    assert isinstance(error, LayerError)
    assert error.mean_error < 1e-6
    assert math.isnan(error.variance_ratio)
    assert math.isnan(error.variance_correlation)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(TypeError, match=r"members of a bc\.Sequential.*Affine"):
        compare_with_sampling(bc.Affine(8, 2), _inputs())
    with pytest.raises(ValueError, match=r"at least 2.*Received 1"):
        compare_with_sampling(_linear(), _inputs(), num_samples=1)
