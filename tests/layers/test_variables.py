"""Claims about the paths of variables."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.layers import variables


def _paths(module):
    return list(module.named_variables)


def test_a_layers_own_variables_have_their_own_names():
    assert set(_paths(bc.Affine(2, 3))) == {"kernel", "bias"}
    bayesian = bc.Affine(2, 3, use_bias=False, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    assert set(_paths(bayesian)) == {"kernel/loc", "kernel/untransformed_scale"}


def test_members_are_numbered_by_their_place_at_every_depth():
    model = bc.Sequential([tf.nn.relu, bc.Affine(2, 3), bc.Sequential([bc.Affine(3, 1, use_bias=False)])])
    assert set(_paths(model)) == {"layers/1/kernel", "layers/1/bias", "layers/2/layers/0/kernel"}


def test_a_shared_layer_stands_under_its_first_path():
    shared = bc.Affine(2, 2)
    model = bc.Sequential([shared, bc.Sequential([shared]), shared])
    assert set(_paths(model)) == {"layers/0/kernel", "layers/0/bias"}


def test_attributes_and_tracked_variables_have_paths_and_equal_names_are_told_apart():
    class Pair(bc.Layer):
        def __init__(self):
            first, second = tf.Variable(1.0, name="scale"), tf.Variable(2.0, name="scale")
            super().__init__(also_track=[first, second])
            self.inner = bc.Affine(2, 2, use_bias=False)

    pair = Pair()
    assert set(_paths(pair)) == {"scale", "scale_1", "inner/kernel"}
    assert len({id(v) for v in pair.named_variables.values()}) == len(pair.variables) == 3


def test_paths_do_not_depend_on_names_of_layers():
    named, unnamed = (bc.Sequential([bc.Affine(2, 3, name=name)]) for name in ("head", None))
    assert _paths(named) == _paths(unnamed)


def test_assigning_lists_all_problems_and_then_only_their_number():
    layers = [bc.Affine(2, 2) for _ in range(4)]
    model = bc.Sequential(layers)
    with pytest.raises(ValueError, match=r"fit this model: missing .*; missing .*; and 4 more\. Build the model with"):
        variables.assign(model.named_variables, {"other": np.zeros(1)}, source="here")
    before = variables.values(model.named_variables)
    variables.assign(model.named_variables, {path: value + 1 for path, value in before.items()}, source="here")
    for path, variable in model.named_variables.items():
        np.testing.assert_array_equal(variable, before[path] + 1)


@pytest.mark.parametrize("wrong", [np.nan, -np.inf])
def test_numbers_that_are_not_finite_are_refused_and_nothing_is_assigned(wrong):
    layer = bc.Affine(2, 2)
    before = variables.values(layer.named_variables)
    arrays = {path: value + 1 for path, value in before.items()}
    arrays["kernel"][1, 0] = wrong
    with pytest.raises(ValueError, match=r"weights in here must be finite\. kernel holds NaN or infinite numbers"):
        variables.assign(layer.named_variables, arrays, source="here")
    for path, variable in layer.named_variables.items():
        np.testing.assert_array_equal(variable, before[path])


def test_layers_that_share_layers_are_visited_once():
    model = bc.Sequential([bc.Affine(2, 2)])
    for _ in range(30):  # 2^30 paths to the layer
        model = bc.Sequential([model, model])
    assert list(model.named_variables) == ["layers/0/" * 31 + "kernel", "layers/0/" * 31 + "bias"]
