"""What a model knows before it sees its data: another model's posterior, or an ordinary network's weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import distributions
from bayesconv.layers import Layer, variables
from bayesconv.layers.linear import Linear
from bayesconv.saving import load_model

Source = Layer | str | os.PathLike[str]
_PRIOR = "prior/"
_SMALLEST_WEIGHT = 1e-3


def continue_from(source: Source, target: Layer) -> Layer:
    """Makes one model's posterior the prior of another, and the posterior it starts from: continual learning.

    The target is built as the source was, but with `prior="anchored_normal"`. A posterior that is not an independent
    normal anchors by its means and standard deviations. The priors are copies that are saved with the target: training
    changes neither them nor the source.

    Args:
      source: A model, or the path of one that `save_model` wrote.
      target: The model that goes on.

    Returns:
      The target.

    Raises:
      TypeError: If `source` or `target` is no model.
      ValueError: If the models differ, or a Bayesian layer of the target has another prior; nothing has changed then.

    References:
      Nguyen et al., Variational Continual Learning, ICLR 2018. arXiv:1710.10628

    Example:
      >>> import functools
      >>> import bayesconv as bc
      >>> anchored = functools.partial(bc.make_kernel_bias_flipout, prior="anchored_normal")
      >>> first = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> second = bc.continue_from(first, bc.Affine(4, 3, make_kernel_bias_fn=anchored))
      >>> outputs = second(tf.ones([1, 4]))
      >>> abs(float(second.extra_loss)) < 1e-5  # the posterior has not left the prior yet
      True
    """
    source = _model("source", source)
    layers = _bayesian(_model("target", target))
    for layer in layers:
        if not _is_anchored(layer):
            raise ValueError(
                "A model that goes on from another has prior='anchored_normal' in all its Bayesian layers. "
                f"Received the layer `{layer.name}` with another prior."
            )
    moments = [(q.mean(), q.stddev()) for layer in _bayesian(source) for q in layer.posterior if q is not None]
    arrays = variables.values(_without_priors(source))
    variables.assign(_without_priors(target), arrays, source="the source model")
    for prior, (loc, scale) in zip(_priors(layers), moments, strict=True):
        prior.loc.assign(loc)
        prior.scale.assign(scale)
    return target


def start_from_weights(source: Source, target: Layer, *, delta: float = 0.1, prior_scale: float | None = None) -> Layer:
    """Starts a Bayesian model from an ordinary network that has been trained: MOPED.

    Every weight's posterior gets the location `w` and the scale `delta |w|`; its prior, if it is "anchored_normal", the
    mean `w` and the scale `prior_scale`. A prior that has seen the training data counts them twice, so that the
    posterior is surer of itself than they allow; with any other prior the weights are a good start and no more.

    Args:
      source: The ordinary network, or the path of one that `save_model` wrote.
      target: The same network with mean-field normal posteriors.
      delta: Scale of a weight's posterior relative to its size, which counts as 0.001 at least.
      prior_scale: Standard deviation of anchored priors; by default they keep theirs.

    Returns:
      The target.

    Raises:
      TypeError: If `source` or `target` is no model.
      ValueError: If the models differ, or an option is not positive; nothing has changed then.

    References:
      Krishnan, Subedar and Tickoo, Specifying Weight Priors in Bayesian Deep Neural Networks with Empirical Bayes,
      AAAI 2020. arXiv:1906.05323

    Example:
      >>> import bayesconv as bc
      >>> trained = bc.Affine(4, 3)
      >>> model = bc.start_from_weights(trained, bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout))
      >>> bool(tf.reduce_all(model.posterior.kernel.mean() == trained.kernel))
      True
    """
    if not (delta > 0 and (prior_scale is None or prior_scale > 0)):
        raise ValueError(f"`delta` and `prior_scale` are positive. Received {delta} and {prior_scale}.")
    wanted = _without_priors(_model("target", target))
    trained = variables.values(_model("source", source).named_variables)
    variables.assign(wanted, _as_posterior(trained, wanted, delta), source="the ordinary network")
    for layer in filter(_is_anchored, _bayesian(target)):
        for prior, posterior in zip(_priors([layer]), layer.posterior, strict=False):
            prior.loc.assign(posterior.mean())
            prior.scale.assign(prior.scale if prior_scale is None else np.full(prior.scale.shape, prior_scale))
    return target


def _model(name: str, value: Any) -> Layer:
    model = load_model(value) if isinstance(value, (str, os.PathLike)) and name == "source" else value
    if not isinstance(model, Layer):
        raise TypeError(f"`{name}` must be a bayesconv layer. Received {value!r} of type {type(value).__name__}.")
    return model


def _bayesian(model: Layer) -> list[Linear]:
    layers = [layer for layer in (model, *model.submodules) if isinstance(layer, Linear)]
    return [layer for layer in layers if layer.posterior is not None]


def _is_anchored(layer: Linear) -> bool:
    return any(variable.name.startswith(_PRIOR) and not variable.trainable for variable in layer.variables)


def _priors(layers: list[Linear]) -> list[Any]:
    return [distributions.elementwise(p) for layer in layers for p in layer.prior if p is not None]


def _without_priors(model: Layer) -> dict[str, tf.Variable]:
    return {path: v for path, v in model.named_variables.items() if not v.name.startswith(_PRIOR)}


def _as_posterior(
    trained: Mapping[str, np.ndarray], wanted: Mapping[str, tf.Variable], delta: float
) -> dict[str, np.ndarray]:
    """Location and scale for every weight of which `wanted` has them; all else as it is."""
    arrays = dict(trained)
    for path in [path for path in trained if f"{path}/loc" in wanted and f"{path}/untransformed_scale" in wanted]:
        weight = arrays.pop(path)
        arrays[f"{path}/loc"] = weight
        arrays[f"{path}/untransformed_scale"] = np.log(delta * np.maximum(np.abs(weight), _SMALLEST_WEIGHT))
    return arrays
