"""Claims about one pass for several draws: it is the loop over them, for every operator that takes batches."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from geometries import geometries, searched
from hypothesis import Phase, given

import bayesconv as bc
from bayesconv.layers import stacked
from bayesconv.layers.operator import Operator, SpatialOperator

KINDS = ("Convolution", "ConvolutionTranspose", "DepthwiseConvolution")
NUM = 3


def _draws(layer):
    rng = np.random.default_rng(2)
    shapes = (tuple(layer.kernel.shape), None if layer.bias is None else tuple(layer.bias.shape))
    return bc.KernelBias(*(s if s is None else tf.constant(rng.normal(size=(NUM, *s))) for s in shapes))


def _check_equals_the_loop(layer, x):
    """A stack of examples for every draw, in one pass and one by one."""
    draws = _draws(layer)
    stacks = np.stack([x * (1.0 + 0.5 * i) + 0.1 * i for i in range(NUM)])
    expected = [
        layer.linear_op(tf.constant(stack), bc.KernelBias(*(None if d is None else d[i] for d in draws)))
        for i, stack in enumerate(stacks)
    ]
    joined = stacks.reshape(-1, *x.shape[1:])
    found = stacked.apply_to_stacks(layer.linear_op, tf.constant(joined), draws, NUM)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-9, atol=1e-9)
    spec = tf.TensorSpec([None, *x.shape[1:]], tf.float64)
    compiled = tf.function(lambda y: stacked.apply_to_stacks(layer.linear_op, y, draws, NUM), [spec], autograph=False)
    np.testing.assert_allclose(compiled(joined), found, rtol=1e-9, atol=1e-9)


def _check_geometries(kind, num, **options):
    @searched(num, **options)
    @given(geometries(kind))
    def check(geometry):
        layer = geometry.make()
        if len(geometry.input_shape) > layer.linear_op.event_ndims:  # an example alone belongs to no stack
            _check_equals_the_loop(layer, geometry.inputs())

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_operators_over_space(kind):
    _check_geometries(kind, 12)


@pytest.mark.parametrize("batch_shape", [(), (2,), (2, 3)])
@pytest.mark.parametrize("leading", [(2,), (1,), (2, 4)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_layers(batch_shape, leading, use_bias):
    layer = bc.Affine(4, 5, batch_shape=batch_shape, dtype=tf.float64, use_bias=use_bias)
    _check_equals_the_loop(layer, np.random.default_rng(0).normal(size=(*leading, *batch_shape, 4)))


def test_every_operator_of_the_library_says_whether_it_takes_batches():
    known = {op for op in _subclasses(Operator) if op.__module__.startswith("bayesconv.")}
    taking = {op.__name__ for op in known if op.takes_batches}
    assert taking == {SpatialOperator.__name__, "AffineOp", *(f"{kind}Op" for kind in KINDS)}
    assert {op.__name__ for op in known} - taking == {"FunctionOperator"}


def _subclasses(of):
    return {made for one in of.__subclasses__() for made in (one, *_subclasses(one))}


def _kernels_in_another_order(tensor, source, target):
    moved = _MOVED(tensor, source, target)
    return tf.reverse(moved, axis=[target]) if source == 0 else moved


_MOVED = stacked._moved


def test_mutants_are_found(monkeypatch):
    monkeypatch.setattr(stacked, "_moved", _kernels_in_another_order)
    for kind in KINDS:
        with pytest.raises(Exception):  # noqa: B017, PT011 - an ExceptionGroup, if it fails in several ways
            _check_geometries(kind, 10, phases=(Phase.generate,))
