"""Claims about the arguments that layers keep of their construction."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.layers.construction import arguments_of, construct


class Base(bc.Layer):
    def __init__(self, sizes, *, name=None):
        super().__init__(name=name)
        self.members = [bc.Affine(size, size) for size in sizes]


class Derived(Base):
    """A subclass that calls its base with other arguments."""

    def __init__(self, count: int = 2, *rest, scale=1.0, **options):
        super().__init__([3] * count)
        self.scale = scale


class Inheriting(Derived):
    pass


def test_the_outermost_constructor_counts():
    assert arguments_of(Derived(1, scale=2.0)) == {"count": 1, "scale": 2.0}
    assert arguments_of(Inheriting(1)) == {"count": 1}
    assert arguments_of(Derived(1, 5, 6, other=7)) == {"count": 1, "rest": (5, 6), "options": {"other": 7}}
    assert arguments_of(bc.Flatten()) == {}


@pytest.mark.parametrize("layer", [Derived(1, 5, 6, scale=2.0, other=7), Inheriting(3), bc.Affine(2, output_size=3)])
def test_construction_repeats_itself(layer):
    assert arguments_of(construct(type(layer), arguments_of(layer))) == arguments_of(layer)


def test_an_argument_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match=r"no parameters \['units'\]; it has \['input_size', 'output_size'"):
        construct(bc.Affine, {"units": 3})


def test_an_iterator_is_not_used_up_and_a_list_is_kept_as_it_was():
    model = bc.Sequential(bc.Affine(2, 2, name=name) for name in "ab")
    assert arguments_of(model)["layers"] == model.layers
    assert len(model) == 2
    members = [bc.Affine(2, 2)]
    model = bc.Sequential(members)
    members.append(bc.Affine(2, 2))
    assert arguments_of(model)["layers"] == model.layers


def test_signatures_and_docstrings_are_those_of_the_class():
    assert list(inspect.signature(Derived).parameters) == ["count", "rest", "scale", "options"]
    assert list(inspect.signature(bc.Affine).parameters)[:2] == ["input_size", "output_size"]
    assert inspect.signature(bc.Flatten).parameters.keys() == inspect.signature(
        bc.Flatten.__init__
    ).parameters.keys() - {"self"}
    assert inspect.getsource(Derived.__init__).lstrip().startswith("def __init__(self, count: int = 2")


def test_tensorflow_sees_every_variable_once_and_under_its_own_path():
    model = bc.Sequential([bc.Affine(2, 3), bc.Sequential([bc.Affine(3, 1)])])
    assert list(model.named_variables) == [f"layers/{at}/{w}" for at in ("0", "1/layers/0") for w in ("kernel", "bias")]
    paths = model._flatten(predicate=lambda value: isinstance(value, tf.Variable), with_path=True)
    assert len(list(paths)) == len(model.variables) == 4
    names = [name for name, _ in tf.train.list_variables(tf.train.Checkpoint(model=model).write("checkpoint"))]
    assert not [name for name in names if "arguments" in name]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_copies_and_slices_can_be_described():
    model = bc.Sequential([bc.Affine(2, 3), tf.nn.relu, bc.Affine(3, 1)], name="net")
    copied = copy.deepcopy(model)
    assert arguments_of(copied)["layers"][0] is copied[0]
    assert copied[0] is not model[0]
    np.testing.assert_array_equal(copied(tf.ones([1, 2])), model(tf.ones([1, 2])))
    part = model[1:3]
    assert arguments_of(part)["layers"] == model.layers[1:3]
    assert part.name == "net"
    assert {id(v) for v in part.variables} == {id(v) for v in model[2].variables}
