"""TFP's base layers: a layer characterized by `eval`, and layers made of layers and functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from bayesconv import calls, layers, random
from bayesconv.compat.evaluation import record_of, recorded, takes


class Layer(layers.Layer):
    """A layer that overrides `eval(inputs, is_training=True, **kwargs)`, as those of TFP 0.10 to 0.12 did.

    In `eval` it may call `self._set_extra_loss(value)` and `self._set_extra_result(value)`. As in TFP, what it sets is
    its whole penalty, that of the layers inside included; if it sets none, theirs are summed.

    Args:
      also_track: Anything whose variables count as this layer's.
      name: Name.

    Example:
      >>> import tensorflow as tf
      >>> from bayesconv import compat as tfn
      >>> class Shrink(tfn.Layer):
      ...     def eval(self, inputs, is_training=True, **kwargs):
      ...         self._set_extra_loss(tf.reduce_sum(inputs**2))
      ...         return 0.5 * inputs
      >>> model = tfn.Sequential([Shrink(), tf.nn.relu])
      >>> model(tf.constant([2.0, -2.0])).numpy().tolist(), float(model.extra_loss)
      ([1.0, 0.0], 8.0)
    """

    def __init__(self, also_track: Any = None, name: str | None = None) -> None:
        super().__init__(also_track=also_track, name=name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "eval" in vars(cls):
            cls.eval = _as_call(cls.eval)  # type: ignore[method-assign]

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> layers.LayerOutput:
        """Runs `eval`, and returns what it set."""
        options = {"is_training": is_training} if takes(self.eval, "is_training") else {}
        with recorded(self) as record:
            outputs = self.eval(inputs, **options)
        return layers.LayerOutput(outputs, record.own_loss() if is_training else None, record.result)

    def eval(self, x: Any, is_training: bool = True, **kwargs: Any) -> Any:
        """Computes the outputs; a subclass overrides it. Called from outside, it is the call of the layer."""
        record = record_of(self)
        if record is None:
            return self(x, is_training=is_training, **kwargs)
        if super().forward.__func__ is layers.Layer.forward:  # type: ignore[attr-defined]
            return x  # TFP's base layer is the identity
        output = super().forward(x, is_training=is_training, seed=calls.current().given_seed)
        if not isinstance(output, layers.LayerOutput):
            return output
        record.set_loss(output.extra_loss)
        record.result = output.extra_result
        return output.outputs

    @property
    def extra_loss(self) -> Any:
        """The penalty of the last call, as `bayesconv.Layer.extra_loss`; inside of `eval`, what is known so far."""
        record = record_of(self)
        return super().extra_loss if record is None else record.loss

    @property
    def extra_result(self) -> Any:
        """The result of the last call, as `bayesconv.Layer.extra_result`; inside of `eval`, what was set."""
        record = record_of(self)
        return super().extra_result if record is None else record.result

    def _set_extra_loss(self, value: Any) -> None:
        record = record_of(self)
        if record is not None:
            record.set_loss(value)
        elif value is not None:
            raise _outside(self.name, "_set_extra_loss")

    def _set_extra_result(self, value: Any) -> None:
        record = record_of(self)
        if record is not None:
            record.result = value
        elif value is not None:
            raise _outside(self.name, "_set_extra_result")


def _as_call(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """An `eval` that begins a call of the layer unless it is part of one, so that its side results have a place."""

    @functools.wraps(evaluate)
    def eval(self: Layer, x: Any, *args: Any, **kwargs: Any) -> Any:
        if record_of(self) is not None:
            return evaluate(self, x, *args, **kwargs)
        options = {"is_training": args[0], **kwargs} if args else kwargs
        return self(x, **options)

    return eval


def _outside(name: str, method: str) -> RuntimeError:
    return RuntimeError(
        f"`{name}.{method}` belongs inside of `eval`, where it is part of a call. Received a value outside of every "
        "call, which nothing could collect. Set it in eval(inputs, is_training=True, **kwargs)."
    )


class Lambda(Layer, layers.Lambda):
    """A layer defined inline; see `bayesconv.Lambda`.

    Args:
      eval_fn: Function of the input, and of `is_training` if it has such a parameter.
      extra_loss_fn: Function of the output that gives a penalty, called in training.
      also_track: Anything whose variables count as this layer's, such as those that the functions use.
      name: Name.
    """

    def __init__(
        self,
        eval_fn: Callable[..., Any] | None = None,
        extra_loss_fn: Callable[[Any], Any] | None = None,
        also_track: Any = None,
        name: str | None = None,
    ) -> None:
        layers.Lambda.__init__(self, eval_fn, extra_loss_fn, also_track, name)


class Sequential(Layer, layers.Sequential):
    """Layers and functions applied one after the other; see `bayesconv.Sequential`.

    Args:
      layers: Layers, or functions of one input. What comes out of them may be a distribution.
      also_track: Anything whose variables count as this layer's.
      name: Name.
    """

    def __init__(self, layers: Iterable[Callable[..., Any]], also_track: Any = None, name: str | None = None) -> None:
        _Sequential.__init__(self, layers, also_track, name)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(self.layers[index], also_track=self.also_track, name=self.name)
        return self.layers[index]


_Sequential = layers.Sequential


class KernelBiasLayer(Layer):
    """A linear function of a kernel and a bias that the caller made, and an activation.

    Args:
      kernel: The kernel, or None.
      bias: The bias, or None.
      apply_kernel_fn: Function of the inputs and the kernel.
      activation_fn: Function of the result, or None.
      dtype: Type of inputs that are not tensors.
      name: Name.

    Example:
      >>> layer = KernelBiasLayer(tf.eye(2), tf.ones([2]), tf.matmul, tf.nn.relu)
      >>> layer([[1.0, -3.0]]).numpy().tolist()
      [[2.0, 0.0]]
    """

    def __init__(
        self,
        kernel: Any,
        bias: Any,
        apply_kernel_fn: Callable[[Any, Any], Any],
        activation_fn: Callable[[Any], Any] | None = None,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.kernel, self.bias, self.dtype = kernel, bias, tf.as_dtype(dtype)
        self.activation_fn, self._apply_kernel_fn = activation_fn, apply_kernel_fn

    def eval(self, x: Any, is_training: bool = True, **kwargs: Any) -> Any:
        """Applies the kernel, the bias and the activation."""
        outputs = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        if self.kernel is not None:
            outputs = self._apply_kernel_fn(outputs, self.kernel)
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs if self.activation_fn is None else self.activation_fn(outputs)
