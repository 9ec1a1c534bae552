"""When a loss is not finite: which layer went wrong first, and in what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bayesconv import calls, random
from bayesconv.layers import Layer, LayerOutput
from bayesconv.likelihoods import Likelihood


def first_non_finite(
    model: Layer, inputs: tf.Tensor, targets: tf.Tensor, likelihood: Likelihood, seeds: Sequence[tf.Tensor]
) -> str:
    """Repeats a step eagerly and names the first quantity that is NaN or infinite, in the order of computation.

    Args:
      model: The model.
      inputs: Of the step.
      targets: Of the step.
      likelihood: What the outputs mean.
      seeds: Of the draws of the step, which are looked at one after the other.

    Returns:
      A phrase such as ``the output of `conv2` ``.
    """
    for name, values in (("the inputs", inputs), ("the targets", targets)):
        if not _finite(values):
            return name
    for path, variable in model.named_variables.items():
        if not _finite(variable):
            return f"the variable {path} of `{_owner(model, variable)}`"
    found = (_problem_of_draw(model, inputs, targets, likelihood, seed) for seed in seeds)
    nowhere = "the sum of the terms, each of which is finite: the numbers are too large for the dtype"
    return next(filter(None, found), nowhere)


def _problem_of_draw(
    model: Layer, inputs: tf.Tensor, targets: tf.Tensor, likelihood: Likelihood, seed: tf.Tensor
) -> str | None:
    found: list[str] = []
    with calls.entered(calls.Call(seed, observer=lambda *event: found.extend(_problems(*event)))):
        outputs = model(inputs)
    if found:
        return found[0]
    if not _finite(likelihood.log_prob(outputs, targets)):
        return "the log-likelihood of the targets, though the model's outputs are finite"
    return _gradient_problem(model, inputs, targets, likelihood, seed)


def _problems(layer: Layer, inputs: Any, output: LayerOutput) -> list[str]:
    quantities = {"weight draw": output.extra_result, "output": output.outputs, "KL": output.extra_loss}
    return [f"the {name} of `{layer.name}`" for name, value in quantities.items() if not _finite(value)]


def _gradient_problem(model: Layer, inputs: Any, targets: Any, likelihood: Likelihood, seed: tf.Tensor) -> str | None:
    with tf.GradientTape() as tape:
        model_loss = -tf.reduce_mean(likelihood.log_prob(model(inputs, seed=random.as_seed(seed)), targets))
        loss = model_loss + (model.extra_loss or 0.0)
    named = {path: variable for path, variable in model.named_variables.items() if variable.trainable}
    gradients = tape.gradient(loss, list(named.values()))
    for (path, variable), gradient in zip(named.items(), gradients, strict=True):
        if not _finite(gradient):
            return f"the gradient of the variable {path} of `{_owner(model, variable)}`"
    return None


def _owner(model: Layer, variable: tf.Variable) -> str:
    owners = [
        layer
        for layer in (model, *model.submodules)
        if isinstance(layer, Layer) and any(v is variable for v in layer.variables)
    ]
    return min(reversed(owners), key=lambda layer: len(layer.variables)).name  # inner ones come last


def _finite(value: Any) -> bool:
    tensors = [t for t in tf.nest.flatten(value) if t is not None]
    return all(bool(tf.reduce_all(tf.math.is_finite(tf.cast(t, t.dtype)))) for t in tensors if t.dtype.is_floating)
