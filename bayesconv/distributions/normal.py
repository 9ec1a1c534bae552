"""Normals of single weights, and whole weights of independent elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from bayesconv import random
from bayesconv.registry import unknown_name_message

# Both, and the bases that TFP makes instances of where the elements' class is no composite tensor, as one of your own.
SPREAD = tuple(
    base for kind in (tfd.Independent, tfd.Sample) for base in kind.__mro__ if base.__name__.endswith(kind.__name__)
)


class Normal(tfd.Normal):
    """`tfd.Normal` that draws by `bayesconv.random`, so that a seed means the same numbers eagerly and under XLA."""

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        return loc + scale * random.normal(self._shape_of(n, loc, scale), seed, loc.dtype)

    def draw(self, seed: Any) -> tf.Tensor:
        """One draw of all elements: the numbers of `sample(seed=seed)` in a quarter of its operations."""
        loc, scale = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.scale)
        return loc + scale * random.normal(self._shape_of(1, loc, scale)[1:], seed, loc.dtype)

    def _shape_of(self, n: Any, loc: tf.Tensor, scale: tf.Tensor) -> Any:
        num, shape = tf.get_static_value(n), tf.broadcast_static_shape(loc.shape, scale.shape)
        if num is not None and shape.is_fully_defined():
            return [int(num), *shape.as_list()]
        return tf.concat([[n], self._batch_shape_tensor(loc=loc, scale=scale)], axis=0)


def independent(distribution: tfd.Distribution) -> tfd.Distribution:
    """One distribution whose event is the whole weight, from a batch of scalar ones."""
    return tfd.Independent(distribution, reinterpreted_batch_ndims=distribution.batch_shape.rank)


def mean_field_normal(
    loc: tf.Tensor, scale: tf.Tensor, name: str, *, parameterization: str = "exp", trainable_scale: bool = True
) -> tfd.Distribution:
    """An independent normal for every weight, with variables `name/loc` and `name/untransformed_scale`.

    The scale is the exponential of its variable: positive wherever an optimizer takes it, and a step of the optimizer
    changes it by the same share whether it is large or small.

    Args:
      loc: Initial location, of the weight's shape.
      scale: Initial scale, of the weight's shape or of one that broadcasts to it.
      name: Prefix of the variables' names.
      parameterization: `"exp"` as above, or `"softplus"` of the variable.
      trainable_scale: Whether training changes the scale.

    Raises:
      ValueError: If the parameterization is another.
    """
    scale_variable = positive_variable(scale, f"{name}/untransformed_scale", parameterization, trainable_scale)
    return independent(Normal(tf.Variable(loc, name=f"{name}/loc"), scale_variable))


def positive_variable(
    initial_value: tf.Tensor, name: str, parameterization: str = "exp", trainable: bool = True
) -> tfp_util.TransformedVariable:
    """A positive variable: the exponential or the softplus of the one that training adjusts.

    Args:
      initial_value: Its initial value, positive.
      name: Name of the variable that is stored; its last part begins with `untransformed_` if it is of a scale.
      parameterization: `"exp"` or `"softplus"`.
      trainable: Whether training changes it.

    Raises:
      ValueError: If the parameterization is another.

    Example:
      >>> positive_variable(tf.constant(2.0), "untransformed_scale", "softplus").numpy().round(3).tolist()
      2.0
    """
    if parameterization not in _POSITIVE:
        raise ValueError(unknown_name_message("parameterization of a scale", parameterization, _POSITIVE))
    bijector = _without_memory(_POSITIVE[parameterization]())
    return tfp_util.TransformedVariable(initial_value, bijector, name=name, trainable=trainable)


_POSITIVE = {"exp": tfb.Exp, "softplus": tfb.Softplus}


def _without_memory(bijector: tfb.Bijector) -> tfb.Bijector:
    # Bijectors share a memory of what they mapped, which keeps every graph that a variable was read in for good.
    bijector._cache = _NoMemory(bijector)
    return bijector


class _NoMemory:
    """What a bijector asks for values it has mapped before; here it maps them again."""

    def __init__(self, bijector: tfb.Bijector) -> None:
        self.forward, self.inverse = bijector._forward, bijector._inverse

    def forward_attributes(self, value: tf.Tensor, **options: Any) -> dict[str, Any]:
        """Nothing is known of a value."""
        return {}

    inverse_attributes = forward_attributes


def identically_distributed(distribution: tfd.Distribution, shape: Sequence[int]) -> tfd.Distribution:
    """One distribution whose event is the whole weight, from that of a single element."""
    return tfd.Sample(distribution, tuple(shape))


def normal_mixture(scales: Sequence[float], probs: Sequence[float], dtype: tf.DType) -> tfd.Distribution:
    """A zero-mean mixture of normals for a single element."""
    kind = dtype.as_numpy_dtype
    components = Normal(np.zeros(len(scales), kind), np.asarray(scales, kind))
    return tfd.MixtureSameFamily(tfd.Categorical(probs=np.asarray(probs, kind)), components)


def draw(distribution: tfd.Distribution, seed: Any, num: Any = None) -> tf.Tensor:
    """One draw of a whole weight, or `num` of them along a first axis."""
    inner = elementwise(distribution)
    is_one = distribution.batch_shape.rank == 0
    if num is None and is_one and type(inner) is Normal and inner.batch_shape == distribution.event_shape:
        return inner.draw(seed)
    return distribution.sample(() if num is None else num, seed=seed)


def elementwise(distribution: tfd.Distribution) -> tfd.Distribution | None:
    """The distribution of single elements if they are independent, with a batch shape that broadcasts to the weight's.

    Example:
      >>> import tensorflow_probability as tfp
      >>> elementwise(tfp.distributions.Sample(tfp.distributions.Laplace(0., 1.), [3, 3])).name
      'Laplace'
    """
    if isinstance(distribution, SPREAD):
        inner = distribution.distribution
        return inner if inner.event_shape.rank == 0 else None
    return distribution if distribution.event_shape.rank == 0 else None
