"""Claims about building from descriptions, above all from those that a stranger wrote."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import compat as tfn
from bayesconv.descriptions import describe
from bayesconv.reconstruction import build

AFFINE = {"$layer": "Affine", "arguments": {"input_size": 2, "output_size": 3}}


def _holding(value):
    return {"$layer": "Lambda", "arguments": {"eval_fn": value}}


def _sequential(*members):
    return {"$layer": "Sequential", "arguments": {"layers": list(members)}}


def test_it_gives_what_was_described():
    shared = bc.Affine(2, 2, name="shared", use_bias=False)
    model = bc.Sequential([shared, tf.nn.relu, bc.Parallel([shared, bc.Flatten()], merge="sum")], name="net")
    again = build(describe(model), 100)
    assert describe(again) == describe(model)
    assert again[0] is again[2].branches[0]
    assert (again.name, again[0].name, again[1]) == ("net", "shared", tf.nn.relu)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), (1, (2.5, "a")), {"a": (True, None)}])
def test_values_come_back(value):
    class Holder(bc.Layer):
        def __init__(self, value):
            super().__init__()
            self.__dict__["value"] = value  # untouched by tf.Module

    bc.register_layer("holder")(Holder)
    assert build(describe(Holder(value)), 0).value == value
    assert build(describe(Holder(tf.float64)), 0).value is tf.float64
    array = np.array([[0.1, 0.2]], np.float32)
    np.testing.assert_array_equal(build(describe(Holder(array)), 0).value, array)
    assert build(describe(Holder(array)), 0).value.dtype == np.float32


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, r"description of a model is that of a layer\. Received None"),
        ([], "is that of a layer"),
        ("Affine", "is that of a layer"),
        ({}, "is that of a layer"),
        ({"$dtype": "float32"}, "is that of a layer"),
        ({"$function": "tf.nn.relu"}, "is that of a layer"),
        ({"$layer": "os.system", "arguments": {}}, r"Unknown layer 'os\.system'.*at its top.*import the module"),
        ({"$layer": "Afine", "arguments": {}}, "Did you mean 'Affine'"),
        ({"$layer": ["Affine"], "arguments": {}}, "A layer has a name"),
        ({"$layer": "Affine"}, "with its own keys"),
        ({**AFFINE, "more": 1}, "with its own keys"),
        ({"$layer": "Affine", "$function": "tf.nn.relu"}, "with its own keys"),
        ({"$import": "os"}, r"\$import.* at its top"),
        ({"$layer": "Affine", "arguments": []}, r"are a mapping\. Received \[\]"),
        (
            {"$layer": "Affine", "arguments": {"unit": 3}},
            r"No Affine can be built at its top.*no parameters \['unit'\]",
        ),
        ({"$layer": "Affine", "arguments": {"self": 3}}, r"no parameters \['self'\]"),
        ({"$layer": "Affine", "arguments": {}}, "No Affine can be built.*missing"),
        ({"$layer": "Affine", "arguments": {"input_size": "2", "output_size": 3}}, "must be positive ints"),
        (_sequential({"$layer": "Affine", "arguments": {"input_size": -1, "output_size": 3}}), "at `layers/0`"),
        (_sequential(), "needs at least one member"),
        (_sequential(3), "must be callable"),
        ({"$layer": "Sequential", "arguments": {"layers": 3}}, "No Sequential can be built"),
        ({"$layer": "Linear", "arguments": {}}, "No Linear can be built"),
        (_holding({"$function": "os.system"}), r"Unknown function 'os\.system'.* at `eval_fn`"),
        (_holding({"$function": {"$function": "tf.nn.relu"}}), "A function has a name"),
        (_holding({"$partial": {"$function": "eval"}, "options": {}}), "Unknown function 'eval'"),
        (_holding({"$partial": "tf.nn.relu", "options": {}}), "has a function and options"),
        (_holding({"$partial": {"$function": "tf.nn.relu"}, "options": [1]}), "has a function and options"),
        (_holding({"$partial": {"$dtype": "float32"}, "options": {}}), "has a function and options"),
        (_holding({"$dtype": "object_"}), "There is no dtype"),
        (_holding({"$dtype": 10**6}), "There is no dtype"),
        (_holding({"$float": "1e5"}), r"\$float is one of"),
        (_holding({"$float": ["inf"]}), r"\$float is one of"),
        (_holding({"$array": [[1], [1, 2]], "dtype": "float32"}), "There is no array of float32 at `eval_fn`"),
        (_holding({"$array": ["a"], "dtype": "float32"}), "There is no array of float32"),
        (_holding({"$array": [1], "dtype": "string"}), "An array holds numbers"),
        (_sequential(AFFINE, {"$same_as": "layers/1"}), r"same as an earlier one only\. Received 'layers/1'"),
        (_sequential({"$same_as": ""}), "same as an earlier one only"),
        (_sequential({"$same_as": []}), "same as an earlier one only"),
    ],
)
def test_what_is_no_description_is_refused(description, message):
    with pytest.raises(ValueError, match=message):
        build(description, 6)


@pytest.mark.parametrize(
    "description",
    [
        {"$layer": "Affine", "arguments": {"input_size": 10**12, "output_size": 1}},
        {"$layer": "Affine", "arguments": {"input_size": 10**6, "output_size": 10**6}},
        {"$layer": "Affine", "arguments": {"input_size": 2, "output_size": 2, "batch_shape": [4096, 4096]}},
        {"$layer": "Convolution", "arguments": {"input_size": 64, "output_size": 64, "filter_shape": [4096, 4096]}},
        {
            "$layer": "Affine",
            "arguments": {
                "input_size": 10**6,
                "output_size": 10**6,
                "make_kernel_bias_fn": {"$function": "make_kernel_bias_flipout"},
            },
        },
        {"$layer": "BatchNorm", "arguments": {"size": 10**9}},
        _sequential(*[{"$layer": "BatchNorm", "arguments": {"size": 10**7}}] * 3),
        {"$layer": "Reshape", "arguments": {"shape": [10**30]}},
    ],
)
def test_sizes_that_the_file_does_not_back_are_refused_before_any_memory_is_taken(description):
    with pytest.raises(ValueError, match="elements, and its file holds far fewer"):
        build(description, 1000)


def test_a_file_with_many_weights_may_ask_for_many():
    description = {"$layer": "Affine", "arguments": {"input_size": 2**13, "output_size": 2**12}}
    assert build(description, 2**25 + 2**12).kernel_shape == (2**13, 2**12)
    with pytest.raises(ValueError, match="holds far fewer"):
        build(description, 2**25 - 1)


def test_a_users_own_layer_may_have_large_numbers_and_so_may_seeds():
    @bc.register_layer("counting")
    class Counting(bc.Layer):
        def __init__(self, num_data):
            super().__init__()
            self.num_data = num_data

    assert build(describe(Counting(10**12)), 0).num_data == 10**12
    layer = tfn.AffineVariationalFlipout(2, 3, seed=2**40)
    assert describe(build(describe(layer), 0)) == describe(layer)


def test_nesting_without_end_is_refused():
    description = AFFINE
    for _ in range(100_000):
        description = _sequential(description)
    with pytest.raises(ValueError, match="nested too deeply"):
        build(description, 0)


def test_nothing_is_imported_or_run_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "system", lambda command: (tmp_path / "boom").touch())
    for name in ("os.system", "posix.system", "builtins.eval", "bayesconv.files.write_text", "tf.io.write_file"):
        with pytest.raises(ValueError, match="Unknown function"):
            build(_holding({"$partial": {"$function": name}, "options": {"command": "true"}}), 0)
    assert not (tmp_path / "boom").exists()
