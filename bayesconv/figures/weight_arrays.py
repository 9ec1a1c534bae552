"""What figures show of posteriors, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesconv import distributions, random
from bayesconv.layers import Layer, Linear
from bayesconv.measurements import kl_of, statistic

_PLACES, _DRAWS, _DRAWS_AT_ONCE, _KL_DRAWS = 161, 400, 20, 8
_NUMBERS_AT_ONCE = 2_000_000
Array = np.ndarray[Any, Any]


def layers_of(model: Layer) -> list[Linear]:
    """The layers that have a posterior whose means and standard deviations are known."""
    found = [m for m in (model, *model.submodules) if isinstance(m, Linear) and m.posterior is not None]
    return [layer for layer in found if _has_moments(layer.posterior.kernel)]


def _has_moments(posterior: Any) -> bool:
    return all(statistic(posterior, name) is not None for name in ("mean", "stddev"))


def moments(posterior: Any) -> tuple[Array, Array]:
    """Mean and standard deviation of every element of a weight, of its shape."""
    shape = posterior.event_shape.as_list()
    known: list[Any] = [statistic(posterior, name) for name in ("mean", "stddev")]
    mean, std = (np.reshape(values, shape) for values in known)
    return mean, std


def signal_to_noise(model: Layer) -> dict[str, Array]:
    """|mean| / standard deviation of every kernel element, by the name of its layer; a point has a standard deviation.

    Args:
      model: A model; layers of point weights are left out.
    """
    pairs = {layer.name: moments(layer.posterior.kernel) for layer in layers_of(model)}
    tiny = np.finfo(np.float32).tiny
    return {name: np.abs(mean / np.maximum(std, tiny)).ravel() for name, (mean, std) in pairs.items()}


def means_and_scales(model: Layer) -> tuple[dict[str, Array], dict[str, Array]]:
    """Posterior means, and standard deviations, of every kernel element by the name of its layer."""
    pairs = {layer.name: moments(layer.posterior.kernel) for layer in layers_of(model)}
    return {name: mean.ravel() for name, (mean, _) in pairs.items()}, {n: std.ravel() for n, (_, std) in pairs.items()}


def divergences(model: Layer, seed: int = 0) -> tuple[dict[str, float], dict[str, int]]:
    """KL from the prior in nats, and the number of weights, by the name of the layer.

    Args:
      model: A model.
      seed: Of the draws behind a KL without a closed form.
    """
    seeds = [random.fold_in(random.as_seed(seed), i) for i in range(_KL_DRAWS)]
    layers = [m for m in (model, *model.submodules) if isinstance(m, Linear) and m.posterior is not None]
    sizes = {m.name: sum(math.prod(q.event_shape.as_list()) for q in m.posterior if q is not None) for m in layers}
    return {layer.name: kl_of(layer, seeds) for layer in layers}, sizes


def densities(model: Layer, *, most_layers: int, seed: int = 0) -> dict[str, Any]:
    """Arguments of `plotting.weight_densities`: in each layer the weights of most and of median signal to noise.

    Args:
      model: A model.
      most_layers: How many layers to take, the first and the last among them.
      seed: Of the draws, where a posterior has no densities of single weights.
    """
    layers = layers_of(model)
    chosen = sorted({round(i) for i in np.linspace(0, len(layers) - 1, min(most_layers, len(layers)))})
    rows = [row for i in chosen for row in _rows(layers[i], seed)]
    found = {key: np.array([row[key] for row in rows]) for key in ("x", "posterior", "prior")}
    samples = np.array([row["samples"] for row in rows])
    return {**found, "names": [row["name"] for row in rows], "samples": None if np.isnan(samples).all() else samples}


def _rows(layer: Linear, seed: int) -> Iterator[dict[str, Any]]:
    q, p = layer.posterior.kernel, layer.prior.kernel
    mean, std = (values.ravel() for values in moments(q))
    order = np.argsort(np.abs(mean) / np.maximum(std, np.finfo(np.float32).tiny), kind="stable")
    chosen = order[[-1, len(order) // 2]]
    prior_std = statistic(p, "stddev", q)
    places = [_places(mean[i], std[i], None if prior_std is None else prior_std[i]) for i in chosen]
    posterior = _density(q, places, chosen)
    samples = np.full([len(chosen), _DRAWS], np.nan) if posterior is not None else _draws(q, chosen, seed)
    prior, unknown = _density(p, places, chosen), np.full(_PLACES, np.nan)
    for row, i in enumerate(chosen):
        index = ", ".join(map(str, np.unravel_index(i, q.event_shape.as_list())))
        yield {
            "name": f"{layer.name}[{index}]",
            "x": places[row],
            "posterior": unknown if posterior is None else posterior[row],
            "prior": unknown if prior is None else prior[row],
            "samples": samples[row],
        }


def _places(mean: float, std: float, prior_std: float | None) -> Array:
    """Where both distributions are, or, if the prior's scale is not known, the posterior and zero."""
    reach = 2.5 * prior_std if prior_std is not None else 0.0
    width = max(4 * std, 1e-6)
    wide = np.linspace(min(mean - width, -reach), max(mean + width, reach), _PLACES // 2)
    close = np.linspace(mean - width, mean + width, _PLACES - len(wide))  # a narrow peak has places enough
    places = np.sort(np.concatenate([wide, close]))
    return places + np.arange(_PLACES) * 1e-9 * width  # none twice


def _density(distribution: Any, places: list[Array], chosen: Array) -> Array | None:
    """Densities of the chosen elements, `[W, P]`; None if the elements are not independent."""
    element = distributions.elementwise(distribution)
    if element is None or not distributions.has_density(element):
        return None
    shape = distribution.event_shape.as_list()
    step = max(1, _NUMBERS_AT_ONCE // math.prod(shape))  # the density of every element at every place is too much

    def at(values: Array, i: int) -> Array:
        placed = np.reshape(values, [-1, *[1] * len(shape)]).astype(element.dtype.as_numpy_dtype)
        logs = np.asarray(element.log_prob(placed), np.float64)
        return np.exp(np.broadcast_to(logs, [len(values), *shape]).reshape(len(values), -1)[:, i])

    return np.array(
        [
            np.concatenate([at(where[k : k + step], i) for k in range(0, len(where), step)])
            for where, i in zip(places, chosen, strict=True)
        ]
    )


def _draws(distribution: Any, chosen: Array, seed: int) -> Array:
    seeds = [random.fold_in(random.as_seed(seed), i) for i in range(_DRAWS // _DRAWS_AT_ONCE)]
    parts = [np.reshape(distribution.sample(_DRAWS_AT_ONCE, seed=s), [_DRAWS_AT_ONCE, -1])[:, chosen] for s in seeds]
    return np.concatenate(parts).T
