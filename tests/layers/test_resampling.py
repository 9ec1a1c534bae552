"""Claims about upsampling."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import ways

import bayesconv as bc

SPATIAL = (3, 4, 2)


def _input(rank):
    return np.random.default_rng(0).normal(size=(2, *SPATIAL[:rank], 3))


@pytest.mark.parametrize("factor", [1, 2, 3, (4, 1), (2, 5)])
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_in_a_plane_it_is_what_tensorflow_resizes_to(factor, method):
    x = _input(2).astype(np.float32)
    pair = (factor, factor) if isinstance(factor, int) else factor
    expected = tf.image.resize(x, [3 * pair[0], 4 * pair[1]], method)
    np.testing.assert_allclose(bc.Upsample(factor, method)(x), expected, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("factor", [2, 3])
def test_nearest_repeats_and_linear_interpolates_along_every_axis(rank, factor):
    x = repeated = interpolated = _input(rank)
    for axis in range(1, rank + 1):
        size = x.shape[axis]
        repeated = np.repeat(repeated, factor, axis)
        positions = (np.arange(size * factor) + 0.5) / factor - 0.5
        interpolated = np.apply_along_axis(
            lambda v, p=positions: np.interp(p, np.arange(len(v)), v), axis, interpolated
        )
    np.testing.assert_array_equal(bc.Upsample(factor, rank=rank)(x), repeated)
    np.testing.assert_allclose(bc.Upsample(factor, "linear", rank)(x), interpolated, atol=1e-12)
    assert np.abs(repeated - interpolated).max() > 0.1


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_every_way_of_running_it_agrees(rank, method):
    ways.check_every_way(lambda dtype: bc.Upsample(2, method, rank), (*SPATIAL[:rank], 3))


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_leading_axes_and_sizes_that_are_not_known(method):
    x, layer = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 1)), bc.Upsample((2, 3), method)
    expected = np.stack([layer(part) for part in x])
    np.testing.assert_array_equal(layer(x), expected)
    compiled = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 5, None], tf.float64)])
    np.testing.assert_allclose(compiled(x), expected, atol=1e-12)
    assert compiled.get_concrete_function().structured_outputs.shape[3] == 15


def test_a_single_position_is_repeated_by_both():
    x = tf.ones([1, 1, 1, 2])
    for method in ("nearest", "linear"):
        np.testing.assert_array_equal(bc.Upsample(3, method)(x), np.ones([1, 3, 3, 2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bc.Upsample(0), r"`factor` is a positive int or one per spatial axis, 2 in all\. Received 0"),
        (lambda: bc.Upsample(1.5), "`factor` .*Received 1.5"),
        (lambda: bc.Upsample(2, "linaer"), r"Unknown value of `method` 'linaer'.*Did you mean 'linear'\?"),
        (lambda: bc.Upsample(2, rank=0), r"`rank`, the number of spatial axes"),
        (lambda: bc.Upsample(2)(tf.zeros([3, 4, 1])), r"`upsample` takes inputs of shape \[N\.\., H, W, C\]"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
