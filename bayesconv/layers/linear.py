"""The one body of every linear layer: it obtains the weights, draws, applies the operator and states the penalty."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import calls, divergences, initializers, precision, random
from bayesconv.estimators import Draw, Estimate, LinearOp, without_mean
from bayesconv.examples import at_least
from bayesconv.kernel_bias import VariationalKernelBias
from bayesconv.layers.base import Layer, LayerOutput
from bayesconv.layers.stacked import apply_to_stacks
from bayesconv.registry import innermost, name_of
from bayesconv.signatures import call_factory
from bayesconv.weights import KernelBias, as_kernel_bias, map_kernel_bias

tfd = tfp.distributions


class Linear(Layer):
    """A linear operator, the weights it is applied with, and an activation.

    Args:
      linear_op: The operator.
      shapes: Shapes of kernel and bias.
      fan_in: Inputs per output.
      input_size: Size of the last axis of the inputs.
      init_fns: Initializers of kernel and bias, or None for the factory's own.
      make_kernel_bias_fn: Factory of the weights.
      dtype: Floating-point type of weights and inputs.
      activation_fn: Function of the result, or None.
      name: Name.

    Raises:
      ValueError: If the factory's weights have another shape or dtype, or the choices do not fit together.
    """

    def __init__(
        self,
        linear_op: LinearOp,
        shapes: KernelBias,
        *,
        fan_in: int,
        input_size: int,
        init_fns: KernelBias,
        make_kernel_bias_fn: Callable[..., Any],
        dtype: Any,
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        _check_types(dtype, activation_fn, make_kernel_bias_fn)
        self._linear_op, self._shapes, self._input_size = linear_op, shapes, input_size
        self._dtype, self._activation_fn = tf.as_dtype(dtype), activation_fn
        own = {"fan_in": fan_in, "layer_name": self.name, "layer_kind": type(self).__name__}
        made = _make(make_kernel_bias_fn, shapes, init_fns, linear_op.batch_ndims, self._dtype, own)
        self._weights = as_kernel_bias(made)
        if isinstance(made, VariationalKernelBias):
            self.posterior, self.prior = made.posterior, made.prior
            self.estimator, self.divergence = made.estimator, made.divergence
            self.penalty_weight = made.penalty_weight
            self._stochastic_pass = made.estimator(linear_op, made.posterior)
            self._without_mean = ", ".join(without_mean(made.posterior))

    penalty_weight: float = 1.0

    def __deepcopy__(self, memo: dict[int, Any]) -> Linear:
        if self.posterior is not None:
            raise TypeError(
                f"`{self.name}` cannot be copied, since TensorFlow Probability's distributions cannot. Build the layer "
                "again and load what this one saves."
            )
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    @property
    def kernel(self) -> Any:
        """The kernel's variable, or its posterior distribution."""
        return self._weights.kernel

    @property
    def bias(self) -> Any:
        """The bias' variable, or its posterior distribution; None without a bias."""
        return self._weights.bias

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Shape of the kernel, batch dimensions first."""
        return tuple(self._shapes.kernel)

    @property
    def dtype(self) -> tf.DType:
        """Type of weights, inputs and outputs."""
        return self._dtype

    @property
    def activation_fn(self) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """The activation."""
        return self._activation_fn

    @property
    def linear_op(self) -> LinearOp:
        """The operator, `linear_op(inputs, weights)`."""
        return self._linear_op

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> LayerOutput:
        """Draws as the call in progress says, and applies the operator and the activation."""
        inputs = self.checked(inputs)
        if inputs.shape.rank == self._linear_op.event_ndims:  # one example, without a batch axis
            output = self._applied(inputs[tf.newaxis])
            return output._replace(outputs=output.outputs[0])
        # TensorFlow's convolutions give an empty batch the shape of its inputs. The example that stands in for none is
        # cut off last: a slice between a convolution and its bias or activation would keep these from being fused.
        examples, restored = at_least(inputs, 1)
        output = self._applied(examples)
        return output._replace(outputs=restored(output.outputs))

    def _applied(self, inputs: tf.Tensor) -> LayerOutput:
        call = calls.current()
        if self.posterior is None:
            return LayerOutput(self._activated(self._linear_op(inputs, self._weights)))

        def draw(num: Any = None) -> KernelBias:
            return call.draw(self, lambda seed: divergences.sample(self.posterior, seed, num))

        outputs, weights = self._passed(inputs, draw, call)
        return LayerOutput(self._activated(outputs), self._penalty(draw, call), weights)

    def _passed(self, inputs: tf.Tensor, draw: Draw, call: calls.Call) -> Estimate:
        if call.weights == "sample":
            return self._stochastic_pass(inputs, draw, call.use_seed(self))
        weights = draw() if call.weights == "coherent" else self._mean()
        if call.num_stacks is not None:
            return Estimate(apply_to_stacks(self._linear_op, inputs, weights, call.num_stacks), weights)
        return Estimate(self._linear_op(inputs, weights), weights)

    def _mean(self) -> KernelBias:
        if self._without_mean:
            raise ValueError(
                "weights='mean' needs a posterior with a finite mean. "
                f"`{self.name}` has one of {self._without_mean}, without: use weights='sample' or 'coherent'."
            )
        return map_kernel_bias(lambda distribution: distribution.mean(), self.posterior)

    def _penalty(self, draw: Draw, call: calls.Call) -> tf.Tensor | None:
        if not call.is_training:
            return None
        penalty = self.divergence.penalty(draw, call.layer_seed(self))
        is_plain = not tf.is_tensor(self.penalty_weight) and self.penalty_weight == 1.0
        return penalty if is_plain else self.penalty_weight * penalty

    def _activated(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs if self._activation_fn is None else self._activation_fn(outputs)

    def checked(self, inputs: Any) -> tf.Tensor:
        """The inputs as a tensor of the type that the layer computes in; an error if they do not fit it."""
        if not tf.is_tensor(inputs):
            inputs = tf.convert_to_tensor(np.asarray(inputs), dtype_hint=self._dtype)
            inputs = tf.cast(inputs, self._dtype)
        compute_dtype = precision.narrowed(self._dtype)
        if inputs.dtype not in (self._dtype, compute_dtype):
            way_out = f"cast them, tf.cast(x, tf.{self._dtype.name})"
            if inputs.dtype.is_floating:
                way_out += f", or build the layer with dtype=tf.{inputs.dtype.name}"
            raise TypeError(
                f"`{self.name}` computes in {self._dtype.name}. Received inputs of {inputs.dtype.name}: {way_out}."
            )
        self._linear_op.check_inputs(self.name, inputs, self._input_size)
        if inputs.shape[-1] is None:
            inputs = tf.ensure_shape(inputs, [*inputs.shape[:-1], self._input_size])
        return tf.cast(inputs, compute_dtype)


def _check_types(dtype: Any, activation_fn: Any, make_kernel_bias_fn: Any) -> None:
    if not tf.as_dtype(dtype).is_floating:
        raise ValueError(f"`dtype` is a floating-point type. Received {tf.as_dtype(dtype).name}.")
    if tf.as_dtype(dtype).size < 4:
        raise ValueError(
            "Weights and their divergences need 32 bits, since sums over many weights overflow in 16. "
            f"Received dtype={tf.as_dtype(dtype).name}: leave out `dtype`, and call the layer in the block `with "
            f'bc.compute_dtype("{tf.as_dtype(dtype).name}"):`.'
        )
    if not callable(make_kernel_bias_fn):
        raise TypeError(
            "`make_kernel_bias_fn` must be a factory of weights, such as bayesconv.make_kernel_bias_flipout. "
            f"Received {make_kernel_bias_fn!r}."
        )
    if not (activation_fn is None or callable(activation_fn)):
        raise TypeError(f"`activation_fn` must be callable, such as tf.nn.relu. Received {activation_fn!r}.")


def _make(
    factory: Callable[..., Any],
    shapes: KernelBias,
    init_fns: KernelBias,
    batch_ndims: int,
    dtype: tf.DType,
    own: dict[str, Any],
) -> Any:
    native = innermost(factory).__module__.startswith("bayesconv.")
    defaults = KernelBias(None, None) if native else KernelBias(initializers.glorot_uniform(), initializers.zeros())
    options = {
        "init_kernel_fn": init_fns.kernel or defaults.kernel,
        "init_bias_fn": init_fns.bias or defaults.bias,
        "kernel_batch_ndims": batch_ndims,
        "bias_batch_ndims": batch_ndims,
        "dtype": dtype,
        "kernel_name": "kernel",
        "bias_name": "bias",
        **own,
    }
    made = call_factory(factory, tuple(shapes), options)
    source = f"{name_of(factory)}, for `{own['layer_name']}`"
    pair = _as_pair(made, source)
    if not isinstance(made, VariationalKernelBias) and isinstance(pair.kernel, tfd.Distribution):
        raise TypeError(
            "make_kernel_bias_fn gives weights, or what make_kernel_bias_variational gives. Received distributions "
            f"from {name_of(factory)}: hand it over as functools.partial(make_kernel_bias_flipout, posterior=...)."
        )
    for member, shape, weight in zip(shapes._fields, shapes, pair, strict=True):
        _check_weight(source, member, shape, weight, dtype)
    return made


def _as_pair(made: Any, source: str) -> KernelBias:
    try:
        return as_kernel_bias(made)
    except TypeError as error:
        raise TypeError(
            f"{error} It is from {source}: return a kernel and a bias of the shapes that the factory is called with."
        ) from error


def _check_weight(source: str, member: str, shape: Any, weight: Any, dtype: tf.DType) -> None:
    if weight is None and shape is None:
        return
    is_distribution = isinstance(weight, tfd.Distribution)
    received = getattr(weight, "event_shape" if is_distribution else "shape", None)
    wanted = None if shape is None else (tuple(shape), dtype)
    if received is None or (tuple(received), tf.as_dtype(weight.dtype)) != wanted:
        expected = "None" if wanted is None else f"shape {wanted[0]} and dtype {dtype.name}"
        found = (
            repr(weight) if received is None else f"shape {tuple(received)} and dtype {tf.as_dtype(weight.dtype).name}"
        )
        raise ValueError(
            f"make_kernel_bias_fn must give the {member} that the layer asks for: {expected}. "
            f"Received {found} from {source}; use the shapes and the dtype that the factory is called with."
        )
