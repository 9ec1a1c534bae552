"""TFP's training step, for today's Keras optimizers, and its way of compiling."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def tfcompile(
    func: Callable[..., Any] | None = None,
    tf_function: bool = True,
    xla_best_effort: bool = True,
    xla_compile_all: bool = False,
) -> Callable[..., Any]:
    """Compiles a function, or gives the decorator that does.

    Args:
      func: The function.
      tf_function: Whether to make a `tf.function` of it.
      xla_best_effort: Accepted and without effect: on a CPU automatic clustering leaves a training step no faster.
      xla_compile_all: Whether XLA compiles all of it, whatever `tf_function` says.

    Example:
      >>> @tfcompile
      ... def double(x):
      ...     return 2 * x
      >>> int(double(tf.constant(3)))
      6
    """
    if func is None:
        return functools.partial(
            tfcompile, tf_function=tf_function, xla_best_effort=xla_best_effort, xla_compile_all=xla_compile_all
        )
    if not (tf_function or xla_compile_all):
        return func
    # A partial: TensorFlow counts traces by a function's code, and would warn of many models in one process.
    return tf.function(functools.partial(func), autograph=False, jit_compile=xla_compile_all)


def make_fit_op(
    loss_fn: Callable[..., Any],
    optimizer: Any,
    trainable_variables: Any,
    grad_summary_fn: Callable[[Any], Any] | None = None,
    tf_function: bool = True,
    xla_compile: bool = True,
) -> Callable[..., Any]:
    """A function that makes one step of training.

    Args:
      loss_fn: Gives the loss and anything else; `model.extra_loss` may be read in it after the model's call.
      optimizer: Keras optimizer, or a sequence of them, one for each member of `trainable_variables`.
      trainable_variables: Structure of variables.
      grad_summary_fn: Function of the gradients, in the structure of the variables, or None.
      tf_function: Whether the step is compiled.
      xla_compile: Accepted and without effect, as `xla_best_effort` of `tfcompile`.

    Returns:
      A function whose arguments go to `loss_fn`. It returns the loss and the second result of `loss_fn`, and what
      `grad_summary_fn` made of the gradients if there is one.

    Raises:
      ValueError: If there is not one optimizer for every member of `trainable_variables`.

    Example:
      >>> v = tf.Variable(1.0)
      >>> fit_op = make_fit_op(lambda: (v**2, {}), tf.optimizers.SGD(0.25), [v])
      >>> loss, other = fit_op()
      >>> float(loss), float(v)
      (1.0, 0.5)
    """
    flat = tf.nest.flatten(trainable_variables)
    members = _members(optimizer, trainable_variables)
    for member, variables in members:
        _build(member, variables)

    @functools.partial(tfcompile, tf_function=tf_function, xla_best_effort=xla_compile)
    def fit_op(*args: Any, **kwargs: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(flat)
            loss, other = loss_fn(*args, **kwargs)
        gradients = tape.gradient(loss, flat)
        by_variable = dict(zip([id(v) for v in flat], gradients, strict=True))
        for member, variables in members:
            _apply(member, [(by_variable[id(v)], v) for v in variables])
        if grad_summary_fn is None:
            return loss, other
        return loss, other, grad_summary_fn(tf.nest.pack_sequence_as(trainable_variables, gradients))

    return fit_op


def _members(optimizer: Any, trainable_variables: Any) -> list[tuple[Any, list[tf.Variable]]]:
    if not isinstance(optimizer, Sequence):
        return [(optimizer, tf.nest.flatten(trainable_variables))]
    if len(optimizer) != len(trainable_variables):
        raise ValueError(
            "A sequence of optimizers has one for every member of `trainable_variables`. Received "
            f"{len(optimizer)} optimizers and {len(trainable_variables)} members."
        )
    return [(one, tf.nest.flatten(group)) for one, group in zip(optimizer, trainable_variables, strict=True)]


def _build(optimizer: Any, variables: list[tf.Variable]) -> None:
    # A Keras optimizer makes its variables when it is built, which a compiled function cannot do after its first trace.
    if hasattr(optimizer, "build") and not getattr(optimizer, "built", False):
        optimizer.build(variables)


def _apply(optimizer: Any, pairs: list[tuple[Any, tf.Variable]]) -> None:
    missing = [variable.name for gradient, variable in pairs if gradient is None]
    if missing:
        warnings.warn(
            f"The loss does not depend on the variables {missing}, which keep their values. Leave them out of "
            "`trainable_variables`, or check that the loss uses them.",
            stacklevel=2,
        )
    if len(missing) < len(pairs):
        optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
