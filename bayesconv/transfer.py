"""What a model knows before it sees its data: another model's posterior, or an ordinary network's weights."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import util as tfp_util

from bayesconv import distributions
from bayesconv.layers import Layer, variables
from bayesconv.layers.linear import Linear
from bayesconv.saving import load_model

Source = Layer | str | os.PathLike[str]
_PRIOR = "prior/"
_SMALLEST_WEIGHT = 1e-3
_CLOSE = 1e-3  # relative error of a moment that single precision may leave


class _Moments(NamedTuple):
    """Mean and standard deviation that a posterior of `layer` is to have."""

    layer: Linear
    posterior: Any
    mean: np.ndarray
    stddev: np.ndarray


def continue_from(source: Source, target: Layer) -> Layer:
    """Makes one model's posterior the prior of another, and the posterior it starts from: continual learning.

    The target is built as the source was, but with `prior="anchored_normal"`; its scales may be another
    function of their variables. A posterior that is not an independent normal anchors by its means and standard
    deviations. The priors are copies that are saved with the target: training changes neither them nor the source.

    Args:
      source: A model, or the path of one that `save_model` wrote.
      target: The model that goes on.

    Returns:
      The target.

    Raises:
      TypeError: If `source` or `target` is no model.
      ValueError: If the models or the families of their posteriors differ, the target has no Bayesian layer, or one
        with another prior, or a posterior has no finite moments; nothing has changed then.

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
    source, layers = _model("source", source), _required_bayesian(_model("target", target))
    for layer in layers:
        if not _is_anchored(layer):
            raise ValueError(
                "A model that goes on from another has prior='anchored_normal' in all its Bayesian layers. "
                f"Received the layer `{layer.name}` with another prior."
            )
    moments = list(_moments_to_take(_bayesian(source), layers))
    _assign(target, _in_terms_of(target, source), moments, "the source model")
    for prior, (*_, loc, scale) in zip(_priors(layers), moments, strict=True):
        prior.loc.assign(loc)
        prior.scale.assign(scale)
    return target


def start_from_weights(source: Source, target: Layer, *, delta: float = 0.1, prior_scale: float | None = None) -> Layer:
    """Starts a Bayesian model from an ordinary network that has been trained: MOPED.

    Every weight's posterior gets the mean `w` and the standard deviation `delta |w|`; its prior, if it is
    "anchored_normal", the mean `w` and the scale `prior_scale`. A prior that has seen the training data counts them
    twice, so that the posterior is surer of itself than they allow; with any other prior the weights are a good start
    and no more.

    Args:
      source: The ordinary network, or the path of one that `save_model` wrote.
      target: The same network with posteriors that have a location and a scale for every weight: mean-field normal,
        Laplace, Student's t or radial.
      delta: Standard deviation of a weight's posterior relative to its size, which counts as 0.001 at least.
      prior_scale: Standard deviation of anchored priors; by default they keep theirs.

    Returns:
      The target.

    Raises:
      TypeError: If `source` or `target` is no model.
      ValueError: If the models differ, the source has a posterior or the target none, or one that has not a scale
        for every weight, or an option is not positive and finite; nothing has changed then.

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
    if not (0 < delta < math.inf and (prior_scale is None or 0 < prior_scale < math.inf)):
        raise ValueError(f"`delta` and `prior_scale` are positive and finite. Received {delta} and {prior_scale}.")
    source, layers = _model("source", source), _required_bayesian(_model("target", target))
    for layer in _bayesian(source):
        raise ValueError(
            f"An ordinary network has point weights. Received the layer `{layer.name}` with a posterior; "
            "bayesconv.continue_from goes on from one."
        )
    arrays = variables.values(source.named_variables)
    moments = [m for layer in layers for m in _moments_around(arrays, target, layer, delta)]
    _assign(target, arrays, moments, "the ordinary network")
    for layer in filter(_is_anchored, layers):
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


def _required_bayesian(target: Layer) -> list[Linear]:
    layers = _bayesian(target)
    if not layers:
        raise ValueError(
            f"The target is a model with posteriors. Received `{target.name}` with none; build it with "
            "make_kernel_bias_fn=bc.make_kernel_bias_flipout."
        )
    return layers


def _is_anchored(layer: Linear) -> bool:
    return any(variable.name.startswith(_PRIOR) and not variable.trainable for variable in layer.variables)


def _priors(layers: list[Linear]) -> list[Any]:
    return [distributions.elementwise(p) for layer in layers for p in layer.prior if p is not None]


def _without_priors(model: Layer) -> dict[str, tf.Variable]:
    return {path: v for path, v in model.named_variables.items() if not v.name.startswith(_PRIOR)}


def _moments_to_take(source: Sequence[Linear], target: Sequence[Linear]) -> Iterator[_Moments]:
    """Those of the source's posteriors, which must be of the families of the target's."""
    for old, new in zip(source, target, strict=False):  # a model of another size is refused with its variables
        for q, own in zip(old.posterior, new.posterior, strict=True):
            if _family(q) != _family(own):
                raise ValueError(
                    "A model that goes on from another has posteriors of the same families. Received "
                    f"{_family(own)} in `{new.name}` and {_family(q)} in the source; build the target as the source "
                    "was, with prior='anchored_normal'."
                )
            if q is not None:
                yield _Moments(new, own, *_finite_moments(old, q))


def _family(posterior: Any) -> str:
    return type(_parameters_of(posterior)).__name__


def _parameters_of(posterior: Any) -> Any:
    """The distribution that has the parameters: that of the elements, if they are independent."""
    elements = None if posterior is None else distributions.elementwise(posterior)
    return posterior if elements is None else elements


def _finite_moments(layer: Linear, q: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        mean, stddev = (np.broadcast_to(m, q.event_shape) for m in (q.mean(), q.stddev()))
    except NotImplementedError as error:  # how TFP answers for what a distribution does not define
        raise ValueError(f"A prior is anchored by means and standard deviations. `{layer.name}`: {error}") from error
    if not (np.isfinite(mean).all() and np.isfinite(stddev).all() and (stddev > 0).all()):
        raise ValueError(
            "A prior is anchored at finite means, with positive and finite standard deviations. The posterior of "
            f"`{layer.name}` in the source has others: it has diverged, or come down to a point."
        )
    return mean, stddev


def _in_terms_of(target: Layer, source: Layer) -> dict[str, np.ndarray]:
    """The source's variables, as the target has to store them: its scales may be another function of theirs."""
    arrays = variables.values(_without_priors(source))
    theirs, own = _positive_variables(source), _positive_variables(target)
    for path in theirs.keys() & own.keys():
        value, bijector = theirs[path], own[path].bijector
        if not np.array_equal(bijector.forward(arrays[path]), value, equal_nan=True):
            arrays[path] = bijector.inverse(tf.convert_to_tensor(value)).numpy()
    return arrays


def _positive_variables(model: Layer) -> dict[str, Any]:
    """Variables that stand for a function of themselves, by the path of what is stored."""
    paths = {id(v): path for path, v in model.named_variables.items()}
    parts = [m for layer in _bayesian(model) for q in layer.posterior if q is not None for m in q.submodules]
    found = [m for m in parts if isinstance(m, tfp_util.TransformedVariable)]
    return {paths[id(m.pretransformed_input)]: m for m in found}


def _moments_around(arrays: dict[str, np.ndarray], target: Layer, layer: Linear, delta: float) -> Iterator[_Moments]:
    """Replaces a layer's trained weights by the location and the scale of their posteriors."""
    paths = {id(v): path for path, v in target.named_variables.items()}
    for q in layer.posterior:
        if q is None:
            continue
        loc, scale = _loc_and_scale(layer, q)
        weight = arrays.pop(paths[id(loc)].removesuffix("/loc"), None)
        if weight is None:  # which is said with everything else that does not fit
            continue
        stddev = delta * np.maximum(np.abs(weight), _SMALLEST_WEIGHT)
        # Some families have a scale that is not their standard deviation, but a multiple of it.
        per_scale = float(np.median(q.stddev() / scale))
        arrays[paths[id(loc)]] = weight
        stored = scale.bijector.inverse(tf.cast(stddev / per_scale, scale.dtype)).numpy()
        arrays[paths[id(scale.pretransformed_input)]] = stored
        yield _Moments(layer, q, weight, stddev)


def _loc_and_scale(layer: Linear, posterior: Any) -> tuple[tf.Variable, Any]:
    """The variables of a posterior that has these two for every weight, and no others."""
    q = _parameters_of(posterior)
    loc: Any = getattr(q, "loc", None)
    scale: Any = getattr(q, "scale", None)
    is_pair = isinstance(loc, tf.Variable) and isinstance(scale, tfp_util.TransformedVariable)
    if not (is_pair and len(q.variables) == 2 and loc.shape == scale.shape == posterior.event_shape):
        raise ValueError(
            "A posterior that starts from weights has a location and a scale of its own for every weight, as "
            "'mean_field_normal', 'laplace', 'student_t' and 'radial' have; share_scale takes the scales away. "
            f"Received {_family(posterior)} in `{layer.name}`."
        )
    return loc, scale


def _assign(target: Layer, arrays: Mapping[str, np.ndarray], moments: Sequence[_Moments], source: str) -> None:
    """Assigns all but the priors, and takes it back if the posteriors do not mean then what they should."""
    wanted = _without_priors(target)
    before = variables.values(wanted)
    variables.assign(wanted, arrays, source=source)
    for layer, q, mean, stddev in moments:
        if not (np.allclose(q.mean(), mean, rtol=_CLOSE) and np.allclose(q.stddev(), stddev, rtol=_CLOSE, atol=0.0)):
            variables.assign(wanted, before, source="the target")
            raise ValueError(
                f"The posterior of `{layer.name}` cannot have the means and standard deviations of {source}: options "
                "that are not learned, as degrees of freedom or a rate are, must be the same, and numbers finite."
            )
