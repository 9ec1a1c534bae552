"""Claims about posteriors: where they start."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import posteriors

FAN_IN = 900
SPECS = bc.KernelBias(
    bc.WeightSpec((3, 3, 100, 60), tf.float64, FAN_IN, name="kernel", seed=1),
    bc.WeightSpec((60,), tf.float64, FAN_IN, initializer=bc.initializers.zeros(), name="bias", seed=2),
)


def test_location_and_scale_together_have_the_variance_2_over_fan_in():
    for ratio in (0.25, 0.9):
        q = posteriors.mean_field_normal(SPECS, initial_scale_ratio=ratio).kernel
        np.testing.assert_allclose(q.stddev(), ratio * np.sqrt(2 / FAN_IN), rtol=1e-6)
        np.testing.assert_allclose(np.var(q.mean()) + np.mean(q.variance()), 2 / FAN_IN, rtol=0.02)


def test_an_absolute_scale_takes_precedence_and_may_leave_no_room_for_the_location():
    q = posteriors.mean_field_normal(SPECS, initial_scale=0.02).kernel
    np.testing.assert_allclose(q.stddev(), 0.02, rtol=1e-6)
    np.testing.assert_allclose(np.var(q.mean()), 2 / FAN_IN - 0.02**2, rtol=0.02)
    wide = posteriors.mean_field_normal(SPECS, initial_scale=1.0).kernel
    np.testing.assert_array_equal(wide.mean(), np.zeros((3, 3, 100, 60)))


def test_the_bias_starts_at_its_initializer_with_the_kernels_scale():
    q = posteriors.mean_field_normal(SPECS).bias
    np.testing.assert_array_equal(q.mean(), np.zeros(60))
    np.testing.assert_allclose(q.stddev(), 0.25 * np.sqrt(2 / FAN_IN), rtol=1e-6)


def test_the_seed_of_the_spec_determines_the_location():
    first, second = (posteriors.mean_field_normal(SPECS).kernel.mean() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_without_a_bias_there_is_no_posterior_of_one():
    assert posteriors.mean_field_normal(bc.KernelBias(SPECS.kernel)).bias is None


@pytest.mark.parametrize(
    "options",
    [{"initial_scale": 0.0}, {"initial_scale": -1.0}, {"initial_scale_ratio": 0.0}, {"initial_scale": float("nan")}],
)
def test_a_scale_that_is_not_positive_is_refused(options):
    with pytest.raises(ValueError, match=r"starts with a positive scale. Received initial_scale="):
        posteriors.mean_field_normal(SPECS, **options)
