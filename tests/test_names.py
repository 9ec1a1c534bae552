"""Claims about what a saved model may name."""

from __future__ import annotations

import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import layers, names


def test_every_public_layer_and_factory_has_its_own_name():
    for name in layers.__all__:
        member = getattr(layers, name)
        if isinstance(member, type) and issubclass(member, bc.Layer):
            assert names.name_in("layer", member) == name
    for name in bc.__all__:
        if name.startswith("make_kernel_bias"):
            assert names.name_in("function", getattr(bc, name)) == name


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (tf.nn.relu, "tf.nn.relu"),
        (tf.nn.softplus, "tf.math.softplus"),
        (tf.tanh, "tf.math.tanh"),
        (tf.nn.silu, "tf.nn.silu"),
        (tf.nn.swish, "tf.nn.silu"),
        (tf.reduce_sum, "tf.reduce_sum"),
        (tf.sigmoid, "tf.math.sigmoid"),
    ],
)
def test_functions_of_tensorflow_have_names_whatever_module_they_are_taken_from(function, name):
    assert names.name_in("function", function) == name
    assert names.functions.get(name) is function


def test_what_was_not_registered_has_no_name():
    assert names.name_in("function", tf.io.read_file) is None
    assert names.name_in("layer", tf.Module) is None


def test_the_choices_are_found_under_their_kind():
    assert names.name_in("prior", bc.priors.laplace) == "laplace"
    assert names.name_in("estimator", bc.estimators.flipout) == "flipout"
    assert names.name_in("posterior", bc.priors.laplace) is None


def test_a_decorator_returns_what_it_decorates():
    @bc.register_function("double")
    def double(x):
        return 2 * x

    @bc.register_layer("mine")
    class Mine(bc.Layer):
        pass

    assert double(2) == 4
    assert names.name_in("function", double) == "double"
    assert names.name_in("layer", Mine) == "mine"


def test_a_name_that_is_taken_is_refused_unless_forced():
    with pytest.raises(ValueError, match=r"function named 'tf\.nn\.relu' is already registered.*force=True"):
        bc.register_function("tf.nn.relu")(tf.nn.elu)

    class Affine(bc.Layer):
        pass

    with pytest.raises(ValueError, match="layer named 'Affine' is already registered"):
        bc.register_layer("Affine")(Affine)
    assert names.name_in("layer", bc.register_layer("Affine", force=True)(Affine)) == "Affine"


@pytest.mark.parametrize("value", [tf.nn.relu, tf.Module, 3])
def test_only_layers_are_registered_as_layers(value):
    with pytest.raises(TypeError, match=r"register_layer registers subclasses of bayesconv\.Layer\. Received"):
        bc.register_layer("x")(value)
