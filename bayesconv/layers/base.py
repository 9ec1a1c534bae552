"""What every layer is: a pure `forward` behind one final call, and layers made of layers."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import tensorflow as tf

from bayesconv import calls, files, random
from bayesconv.examples import batches_within, maybe_empty
from bayesconv.extras import Extra, LastCall, collect_extras
from bayesconv.layers import members, variables
from bayesconv.layers.construction import recording
from bayesconv.layers.members import check_member as check_member  # layers made of layers import it from here


class LayerOutput(NamedTuple):
    """What `forward` returns.

    Attributes:
      outputs: The layer's output.
      extra_loss: Scalar penalty in nats, or None.
      extra_result: The weights used, or None.
    """

    outputs: Any
    extra_loss: tf.Tensor | None = None
    extra_result: Any = None


class Layer(tf.Module):
    """Base of all layers; a subclass overrides `forward` and assigns nothing to itself there.

    Args:
      also_track: Anything whose variables count as this layer's.
      name: Name; characters that no Python identifier has become underscores.
    """

    # What a layer without weights has none of.
    kernel: Any = None
    bias: Any = None
    dtype: Any = None
    activation_fn: Any = None
    posterior: Any = None
    prior: Any = None
    estimator: Any = None
    divergence: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = recording(cls.__init__)  # type: ignore[method-assign, misc]

    @recording
    def __init__(self, *, also_track: Any = None, name: str | None = None) -> None:
        super().__init__(name=members.as_identifier(name))
        self._also_track, self._tracked = also_track, members.trackable(also_track)
        self._last_call = LastCall()

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> Any:
        """Computes the outputs.

        Args:
          inputs: What the layer was called with.
          is_training: Whether a penalty is wanted.
          seed: Hand it on to the layers called here; it is theirs together with their identity.

        Returns:
          The outputs, or a `LayerOutput` that brings a penalty and a result along.
        """
        raise TypeError(f"{type(self).__name__} must override forward(inputs, *, is_training, seed).")

    @final
    @tf.autograph.experimental.do_not_convert
    def __call__(
        self, inputs: Any, *, is_training: bool = True, seed: random.Seed = None, weights: str = "sample"
    ) -> Any:
        """Applies the layer.

        Args:
          inputs: A tensor, or an array, which is cast to the layer's dtype. A function or a layer instead is composed
            with this one: `layer(before)` is `Sequential([before, layer])`.
          is_training: Without it no penalty is emitted; weights are still drawn.
          seed: Int or pair of ints; the same seed gives the same draw. None takes the next of the generator that
            `bayesconv.set_seed` resets; under `tf.recompute_grad`, which calls twice, pass one.
            An inner layer inherits the seed and the mode of the call it is part of.
          weights: `"sample"`, by the layer's own estimator; `"coherent"`, one draw of the weights for all examples;
            `"mean"`, the posterior mean.

        Returns:
          The outputs. Side results go to `collect_extras`, and to `extra_loss` and `extra_result`.
        """
        if callable(inputs):
            return Sequential([inputs, self])
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f":
            inputs = inputs.astype(_dtype_of(self) or inputs.dtype, copy=False)
        with calls.enter(seed, is_training, weights) as call, collect_extras() as extras, batches_within(self):
            output = _as_output(self.name, self.forward(inputs, is_training=call.is_training, seed=call.given_seed))
            if output.extra_loss is not None or output.extra_result is not None:
                extras.add(self, Extra(output.extra_loss, output.extra_result))
        if call.observer is not None:
            call.observer(self, inputs, output)
        self._last_call.set(Extra(extras.loss if call.is_training else None, output.extra_result), inputs)
        return output.outputs

    def eval(self, x: Any, is_training: bool = True) -> Any:
        """The call, on anything that can become a tensor."""
        return self(x if tf.is_tensor(x) else np.asarray(x), is_training=is_training)

    @property
    def extra_loss(self) -> tf.Tensor | None:
        """The penalty of the last call that Python made in this thread, in nats, each layer inside counted once.

        None before any call and after one with `is_training=False`; zero for a layer of point weights. A compiled
        function that runs again from its cache does not update it: return `extras.loss` from the function.

        Raises:
          RuntimeError: If that call was made in another graph than the one that reads it.
        """
        return self._last_call.read(self.name, "loss")

    @property
    def extra_result(self) -> Any:
        """The weights that the last call used, as a `KernelBias`; None for a layer that drew none.

        Raises:
          RuntimeError: If that call was made in another graph than the one that reads it.
        """
        return self._last_call.read(self.name, "result")

    @property
    def also_track(self) -> Any:
        """What was given to be tracked."""
        return self._also_track

    @property
    def named_variables(self) -> dict[str, tf.Variable]:
        """The variables by their paths, as `save` writes them."""
        return variables.named_variables(self, Layer)

    def save(self, filename: str | os.PathLike[str]) -> Path:
        """Writes the variables to an `.npz` file, atomically, and returns its path.

        Raises:
          OSError: If the file cannot be written; nothing is left behind.
        """
        return files.save_arrays(filename, variables.values(self.named_variables))

    def load(self, filename: str | os.PathLike[str]) -> Layer:
        """Reads what `save` wrote, all of it or nothing, and returns the layer.

        Raises:
          FileNotFoundError: If there is no such file.
          ValueError: If it is damaged, or its names, shapes or dtypes are not this layer's.
        """
        variables.assign(self.named_variables, files.load_arrays(filename), source=filename)
        return self

    def summary(self) -> str:
        """A table of the layers with weights: shapes, counts, and the four choices."""
        from bayesconv.layers.summary import summarize

        return summarize(self)


def _dtype_of(layer: Layer) -> Any:
    """The type of the first layer inside that has one, as NumPy's; None if there is none."""
    types = (getattr(module, "dtype", None) for module in (layer, *layer.submodules) if isinstance(module, Layer))
    return next((dtype.as_numpy_dtype for dtype in types if isinstance(dtype, tf.DType)), None)


def _as_output(name: str, value: Any) -> LayerOutput:
    output = value if isinstance(value, LayerOutput) else LayerOutput(value)
    if output.extra_loss is None:
        return output
    loss = tf.convert_to_tensor(output.extra_loss, dtype_hint=tf.float32)
    if loss.shape.rank not in (0, None):
        raise ValueError(
            f"The extra_loss of a layer is a scalar in nats. Received shape {loss.shape} from `{name}`: sum it, for "
            "example with tf.reduce_sum."
        )
    return output._replace(extra_loss=loss)


class Sequential(Layer):
    """Layers and functions applied one after the other.

    Args:
      layers: Layers, or functions of one tensor.
      also_track: Anything whose variables count as this layer's.
      name: Name.

    Raises:
      TypeError: If a member is not callable, or owns variables that `tf.Module` does not see.
      ValueError: If there are no members.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> model = bc.Sequential([bc.Convolution(1, 4, 3), tf.nn.relu, bc.Flatten(), bc.Affine(144, 10)])
      >>> model(tf.zeros([2, 8, 8, 1])).shape
      TensorShape([2, 10])
      >>> len(model[:2])
      2
    """

    _is_traced = False

    def __init__(self, layers: Iterable[Callable[..., Any]], also_track: Any = None, name: str | None = None) -> None:
        super().__init__(also_track=also_track, name=name)
        self._layers = tuple(check_member(layer) for layer in layers)
        if not self._layers:
            raise ValueError("A Sequential needs at least one member. Received none.")

    @property
    def layers(self) -> tuple[Callable[..., Any], ...]:
        """The members."""
        return self._layers

    def set_trace(self, trace: bool) -> Sequential:
        """Switches on or off a line for every member on the standard output, and returns the layer.

        A line has the member's index, name and type, and the shape and type of what it gave. A compiled function
        writes while it is traced.
        """
        self._is_traced = bool(trace)
        return self

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> Any:
        """Applies the members in turn; plain functions receive the tensor alone."""
        for index, layer in enumerate(self._layers):
            if isinstance(layer, Layer):
                inputs = layer(inputs, is_training=is_training, seed=seed)
            else:
                inputs = members.outputs_of(layer, inputs)
            if self._is_traced:
                members.show(index, layer, inputs)
        return inputs

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(self._layers[index], also_track=self._also_track, name=self.name)
        return self._layers[index]


class Lambda(Layer):
    """A layer defined inline.

    Args:
      eval_fn: Function of the input, and of `is_training` if it has such a parameter; None passes the input on.
      extra_loss_fn: Function of the output that gives a penalty in nats.
      also_track: Anything whose variables count as this layer's, such as those that the functions use.
      name: Name.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Lambda(tf.nn.relu, extra_loss_fn=tf.reduce_sum)
      >>> layer(tf.constant([-1.0, 2.0])).numpy().tolist(), float(layer.extra_loss)
      ([0.0, 2.0], 2.0)
    """

    def __init__(
        self,
        eval_fn: Callable[..., Any] | None = None,
        extra_loss_fn: Callable[[Any], Any] | None = None,
        also_track: Any = None,
        name: str | None = None,
    ) -> None:
        if not (eval_fn is None or callable(eval_fn)):
            raise TypeError(f"`eval_fn` must be callable. Received {eval_fn!r}.")
        super().__init__(also_track=also_track, name=name)
        self.eval_fn, self._extra_loss_fn = eval_fn, extra_loss_fn
        self._takes_is_training = eval_fn is not None and _takes(eval_fn, "is_training")

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> LayerOutput:
        """Applies the function, and the penalty's function to its output."""
        outputs = self._apply(inputs, is_training)
        penalty = self._extra_loss_fn(outputs) if self._extra_loss_fn is not None and is_training else None
        return LayerOutput(outputs, penalty)

    def _apply(self, inputs: Any, is_training: bool) -> Any:
        if self.eval_fn is None:
            return inputs
        with maybe_empty():
            return self.eval_fn(inputs, is_training=is_training) if self._takes_is_training else self.eval_fn(inputs)


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except ValueError:  # some built-in functions have no signature
        return False
