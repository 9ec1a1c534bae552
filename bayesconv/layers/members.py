"""Members of layers that are made of layers: which are accepted, and a line about each for `set_trace`."""

from __future__ import annotations

import re
import sys
from typing import Any

import tensorflow as tf

from bayesconv.examples import maybe_empty
from bayesconv.registry import name_of


def as_identifier(name: str | None) -> str | None:
    """A layer's name with underscores for what no Python identifier has; a TypeError if it is no string."""
    if not (name is None or isinstance(name, str)):
        raise TypeError(f"`name` is a string. Received {name!r}.")
    return re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII) if name else None


def check_member(member: Any) -> Any:
    """The member of a layer made of layers; a TypeError if it cannot be called, or has variables that get lost."""
    if not callable(member) or isinstance(member, type):
        hint = f" Make one of it: {member.__name__}(..)." if isinstance(member, type) else ""
        raise TypeError(f"A member of a layer must be callable, a layer or a function. Received {member!r}.{hint}")
    wrapped = getattr(member, "python_function", None)  # of a tf.function
    if isinstance(getattr(wrapped, "__self__", wrapped), tf.Module):
        raise TypeError(
            f"A compiled module hides its variables and its draws. Received a tf.function of {wrapped!r}: make the "
            "module itself the member, and compile the whole model."
        )
    if not isinstance(member, tf.Module) and (getattr(member, "variables", None) or _is_to_be_built(member)):
        raise TypeError(
            f"{type(member).__name__} owns variables but is no tf.Module, so they would never be trained. Use "
            "bayesconv.Affine or bayesconv.Convolution, or wrap its function in a tf.Module."
        )
    return member


def trackable(value: Any) -> Any:
    """What is to be tracked, with TensorFlow's variables in the place of Keras' layers and variables.

    Raises:
      TypeError: If it holds a Keras layer that has not made its variables yet.
    """
    return tf.nest.map_structure(_trackable, value)


def _trackable(value: Any) -> Any:
    if isinstance(value, tf.Module) or not type(value).__module__.startswith("keras."):
        return value
    if _is_to_be_built(value):
        raise TypeError(
            f"`also_track` takes what has its variables already. Received {type(value).__name__}, which makes them "
            "when it is first called: call its build(input_shape) before."
        )
    inner = getattr(value, "variables", None)
    return getattr(value, "value", value) if inner is None else [variable.value for variable in inner]


def _is_to_be_built(member: Any) -> bool:
    """Whether a Keras layer will make variables when it is first called."""
    builders = [cls for cls in type(member).__mro__ if "build" in vars(cls)]
    return getattr(member, "built", True) is False and len(builders) > 1  # one is that of Keras' base class


def show(index: int, member: Any, outputs: Any) -> None:
    """Writes a member's index, name and type, and the shapes and types of what it gave, to the standard output."""
    is_module = isinstance(member, tf.Module)
    name = member.name if is_module else name_of(member)
    kind = type(member).__name__ if is_module else "function"
    sys.stdout.write(f"{index:>3}  {name:<20} {kind:<16} {_form(outputs)}\n")


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_form(member)}" for key, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(_form(member) for member in value) + ")"
    if hasattr(value, "event_shape"):  # a distribution, which may not be converted to a tensor: that would draw
        return f"{type(value).__name__} {value.batch_shape} {value.event_shape} {_dtype(value)}"
    return f"{value.shape} {_dtype(value)}" if hasattr(value, "shape") else type(value).__name__


def _dtype(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return str(getattr(dtype, "name", dtype))


def outputs_of(function: Any, inputs: Any) -> Any:
    """What a member that is a plain function makes of the inputs; layers that it calls may be given no example."""
    with maybe_empty():
        outputs = function(inputs)
    check_member(function)  # again: what is no Keras layer may make variables when it is first called
    return outputs
