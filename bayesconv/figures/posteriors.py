"""Figures of what a run has learnt about its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import softmax

from bayesconv import plotting
from bayesconv.figures import weight_arrays
from bayesconv.figures.subject import Subject
from bayesconv.layers import Convolution
from bayesconv.objectives import as_likelihood
from bayesconv.prior_predictive import sample_prior

Drawn = Iterator[tuple[str, Any]]
_MOST_KERNELS, _MOST_DENSITIES = 2, 4  # layers of which they are shown
_PRIOR_DRAWS, _PRIOR_IMAGES, _PRIOR_PLACES = 12, 200, 201


def signal_to_noise(subject: Subject) -> Drawn:
    """|mean| / standard deviation of the weights of every layer."""
    yield "signal_to_noise", plotting.signal_to_noise(weight_arrays.signal_to_noise(subject.run.model))


def pruning(subject: Subject) -> Drawn:
    """Share of the weights below every such ratio."""
    yield "pruning", plotting.pruning_curve(weight_arrays.signal_to_noise(subject.run.model))


def weight_histograms(subject: Subject) -> Drawn:
    """Posterior means and standard deviations of every layer."""
    yield "weight_histograms", plotting.weight_histograms(*weight_arrays.means_and_scales(subject.run.model))


def weight_densities(subject: Subject) -> Drawn:
    """Posterior and prior of a few weights: in each layer the one of most and the one of median signal to noise."""
    found = weight_arrays.densities(subject.run.model, most_layers=_MOST_DENSITIES, seed=subject.run.config.seed)
    yield "weight_densities", plotting.weight_densities(**found)


def kernels(subject: Subject) -> Drawn:
    """Filters of the first convolutions."""
    layers = [layer for layer in weight_arrays.layers_of(subject.run.model) if isinstance(layer, Convolution)]
    for layer in layers[:_MOST_KERNELS]:
        mean, std = weight_arrays.moments(layer.posterior.kernel)
        if mean.ndim in (3, 4):
            yield f"kernels_{layer.name}", plotting.kernel_images(mean, std, name=layer.name)


def kl_by_layer(subject: Subject) -> Drawn:
    """KL of every layer from its prior."""
    yield "kl_by_layer", plotting.kl_by_layer(*weight_arrays.divergences(subject.run.model, subject.run.config.seed))


def prior_predictive(subject: Subject) -> Drawn:
    """Functions drawn from the priors: the classes they give to test images, or their values along the only input."""
    is_regression = subject.task == "regression"
    inputs = _along_the_only_input(subject) if is_regression else subject.dataset.test.x[:_PRIOR_IMAGES]
    try:
        outputs = sample_prior(subject.run.model, inputs, num_samples=_PRIOR_DRAWS, seed=subject.run.config.seed)
    except ValueError:  # an improper prior has no draws, and so no such figure
        return
    if is_regression:
        yield from _prior_functions(subject, inputs.ravel(), outputs)
    else:
        yield "prior_predictive", plotting.prior_predictive_classes(softmax(outputs, axis=-1))


def _along_the_only_input(subject: Subject) -> Any:
    x = subject.dataset.train.x
    return np.linspace(x.min(), x.max(), _PRIOR_PLACES, dtype=np.float32).reshape(-1, *x.shape[1:])


def _prior_functions(subject: Subject, places: Any, outputs: Any) -> Drawn:
    expected = np.asarray(as_likelihood(subject.run.config.objective.likelihood.identifier).mean(outputs))
    names = subject.dataset.class_names
    for t, name in enumerate(names):
        ax = plotting.prior_predictive(places, expected[..., t])
        ax.set_ylabel(f"{name} under the prior")
        yield "prior_predictive" if len(names) == 1 else f"prior_predictive_{t}", ax
