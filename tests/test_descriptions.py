"""Claims about descriptions: names and plain values only, complete, and refused with the place where there is none."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from partials import nested

import bayesconv as bc
from bayesconv.descriptions import describe


class Holder(bc.Layer):
    """A layer that takes anything."""

    def __init__(self, value=None, name=None):
        super().__init__(name=name)

    def forward(self, inputs, *, is_training, seed):
        return inputs


@pytest.fixture(autouse=True)
def _registered(_what_a_test_registers_goes_with_it):
    bc.register_layer("holder")(Holder)


def _described(value):
    return describe(Holder(value))["arguments"]["value"]


def test_a_model_is_described_by_what_its_layers_were_built_with():
    factory = functools.partial(bc.make_kernel_bias_flipout, prior={"name": "laplace", "scale": 0.5})
    model = bc.Sequential([bc.Convolution(1, 2, (3, 3), "SAME" and 2, make_kernel_bias_fn=factory), tf.nn.relu])
    assert describe(model) == {
        "$layer": "Sequential",
        "arguments": {
            "layers": [
                {
                    "$layer": "Convolution",
                    "arguments": {
                        "input_size": 1,
                        "output_size": 2,
                        "filter_shape": [3, 3],
                        "rank": 2,
                        "make_kernel_bias_fn": {
                            "$partial": {"$function": "make_kernel_bias_variational"},
                            "options": {"estimator": "flipout", "prior": {"name": "laplace", "scale": 0.5}},
                        },
                    },
                },
                {"$function": "tf.nn.relu"},
            ]
        },
    }


def test_partial_applications_of_one_another_are_described_as_one():
    flat = functools.partial(bc.make_kernel_bias_variational, estimator="flipout", penalty_weight=0.5)
    inner = nested(bc.make_kernel_bias_variational, estimator="flipout")
    assert _described(functools.partial(inner, penalty_weight=0.5)) == _described(flat)
    vars(bc.make_kernel_bias_flipout)  # which has a name of its own
    assert _described(functools.partial(bc.make_kernel_bias_flipout, penalty_weight=0.5)) == _described(flat)


def test_a_partial_application_with_a_name_of_its_own_keeps_it_inside_of_another():
    wide = nested(_halved, gain=2.0)
    bc.register_function("wide")(wide)
    expected = {"$partial": {"$function": "wide"}, "options": {"offset": 1.0}}
    assert _described(functools.partial(wide, offset=1.0)) == expected


def _halved(x, *, gain=1.0, offset=0.0):
    return gain * x / 2 + offset


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (np.int32(3), 3),
        (0.1, 0.1),
        (np.float64(0.25), 0.25),
        (float("-inf"), {"$float": "-inf"}),
        ("text", "text"),
        ((1, [2, 3]), [1, [2, 3]]),
        ({"a": (1,)}, {"a": [1]}),
        (tf.float64, {"$dtype": "float64"}),
        (np.dtype("f4"), {"$dtype": "float32"}),
        (np.float32, {"$dtype": "float32"}),
        (np.array([[1.0, 2.0]], np.float32), {"$array": [[1.0, 2.0]], "dtype": "float32"}),
        (tf.constant([1, 2]), {"$array": [1, 2], "dtype": "int32"}),
        (bc.priors.laplace, {"$prior": "laplace"}),
        (bc.posteriors.mean_field_normal, {"$posterior": "mean_field_normal"}),
        (bc.estimators.flipout, {"$estimator": "flipout"}),
        (bc.divergences.exact, {"$divergence": "exact"}),
        (bc.make_kernel_bias_flipout, {"$function": "make_kernel_bias_flipout"}),
        (
            functools.partial(tf.nn.leaky_relu, alpha=0.1),
            {"$partial": {"$function": "tf.nn.leaky_relu"}, "options": {"alpha": 0.1}},
        ),
    ],
)
def test_values(value, described):
    assert _described(value) == described
    json.dumps(_described(value), allow_nan=False)


def test_a_shared_layer_is_described_once():
    shared = bc.Affine(2, 2)
    description = describe(bc.Sequential([shared, bc.Residual(shared)]))
    first, second = description["arguments"]["layers"]
    assert first["$layer"] == "Affine"
    assert second["arguments"]["block"] == {"$same_as": "layers/0"}


def test_initializers_are_left_out():
    factory = functools.partial(bc.make_kernel_bias, init_kernel_fn=lambda shape, dtype: tf.ones(shape, dtype))
    layer = bc.Affine(2, 2, init_kernel_fn=bc.initializers.he_normal(seed=3), make_kernel_bias_fn=factory)
    arguments = describe(layer)["arguments"]
    assert "init_kernel_fn" not in arguments
    assert arguments["make_kernel_bias_fn"] == {"$partial": {"$function": "make_kernel_bias"}, "options": {}}
    assert _described({"init_kernel_fn": 3}) == {"init_kernel_fn": 3}  # only where it is a parameter


def _unregistered(x):
    return x


class Unregistered(bc.Layer):
    pass


@pytest.mark.parametrize(
    ("model", "what", "place", "way_out"),
    [
        (
            lambda: bc.Affine(2, 2, activation_fn=lambda x: x),
            "the function <lambda>",
            "activation_fn",
            "a lambda needs",
        ),
        (
            lambda: bc.Sequential([tf.nn.relu, bc.Sequential([bc.Affine(2, 2), _unregistered])]),
            "the function _unregistered",
            "layers/1/layers/1",
            r"@bayesconv\.register_function\('a_name'\)",
        ),
        (
            lambda: bc.Sequential([bc.Residual(Unregistered(name="odd"))]),
            "the layer `odd` of the class Unregistered",
            "layers/0/block",
            r"@bayesconv\.register_layer\('a_name'\)",
        ),
        (
            lambda: bc.Affine(2, 2, make_kernel_bias_fn=functools.partial(bc.make_kernel_bias_flipout, prior=_prior)),
            "the function _prior",
            "make_kernel_bias_fn/prior",
            "register_function",
        ),
        (lambda: Holder(tfp.distributions.Normal(0.0, 1.0)), r"tfp\.distributions\.Normal", "value", "registered name"),
        (lambda: Holder(tf.Variable(1.0)), "of type ResourceVariable", "value", "a bayesconv.Layer of your own"),
        (lambda: Holder(functools.partial(tf.nn.leaky_relu, 0.1)), "positional options", "value", "by keyword"),
        (lambda: Holder({1: 2}), "a mapping with the key 1", "value", "Use strings"),
        (lambda: Holder({"$layer": 2}), r"a mapping with the key '\$layer'", "value", "Use strings"),
        (lambda: Holder(3j), "3j of type complex", "value", "registered name"),
    ],
)
def test_what_has_no_name_is_refused_with_its_place_and_a_way_out(model, what, place, way_out):
    with pytest.raises(
        ValueError, match=rf"names and never code\. Received a model with .*{what}.* at `{place}`.*{way_out}"
    ):
        describe(model())


def _prior(specs):
    return bc.priors.normal(specs)


def test_a_registered_function_stands_by_its_name():
    bc.register_function("unregistered")(_unregistered)
    assert describe(bc.Sequential([_unregistered]))["arguments"]["layers"] == [{"$function": "unregistered"}]
