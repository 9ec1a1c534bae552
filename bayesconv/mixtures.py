"""Mixtures over draws of the weights of densities of single real targets. NumPy arrays in and out.

`outputs` are those of all draws, `[S, N, P]`, and `weights` what each draw counts, `[S]`, adding up to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from bayesconv.likelihoods import Noise

_HALVINGS = 60  # of the bracket of a quantile: to the last bits of float64
_REACH = 7.0  # standard normals beyond it have a probability of 3e-12, which every family is cut at
_NODES = 513  # of the quadrature of an entropy
_AT_A_TIME = 2**22  # numbers of an intermediate result


def cdf(noise: Noise, outputs: Any, weights: Any, values: Any) -> Any:
    """Probability of a target of at most `values` `[N, T]`, each by itself."""
    location, scale = noise.parameters(outputs)
    return np.tensordot(weights, noise.cdf((values - location) / scale), axes=1)


def quantile(noise: Noise, outputs: Any, weights: Any, level: float) -> Any:
    """The value that a target `[N, T]` stays below with probability `level`, by bisection of the mixture's CDF.

    The quantile of a mixture lies between the smallest and the largest of its parts'.
    """
    location, scale = noise.parameters(outputs)
    parts = location + scale * noise.quantile(level)
    low, high = parts.min(axis=0), parts.max(axis=0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_below = np.tensordot(weights, noise.cdf((middle - location) / scale), axes=1) < level
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return 0.5 * (low + high)


def entropy(noise: Noise, outputs: Any, weights: Any) -> Any:
    """Entropy of the mixture, `[N]` nats, by quadrature; NaN for several targets at once, whose mixture is joint.

    The trapezoidal rule over nodes that lie as densely as the parts' quantiles, so that narrow and wide parts are both
    resolved: right to 1e-3, with heavy tails and scales that differ by a factor of 100 as well.
    """
    location, scale = noise.parameters(outputs)
    if location.shape[-1] != 1:
        return np.full(location.shape[1], np.nan)
    location, scale = location[..., 0].T, scale[..., 0].T  # [N, S]
    portion = max(1, _AT_A_TIME // (_NODES * location.shape[1]))
    starts = range(0, len(location), portion)
    return np.concatenate([_entropy(noise, location[i : i + portion], scale[i : i + portion], weights) for i in starts])


def _entropy(noise: Noise, location: Any, scale: Any, weights: Any) -> Any:
    nodes = _nodes(noise, location, scale)  # [N, J]
    z = (nodes[:, :, np.newaxis] - location[:, np.newaxis]) / scale[:, np.newaxis]
    terms = noise.log_density(z) - np.log(scale)[:, np.newaxis] + np.log(weights)
    top = terms.max(axis=-1, keepdims=True)
    log_density = top[..., 0] + np.log(np.exp(terms - top).sum(axis=-1))
    return np.trapezoid(-np.exp(log_density) * log_density, nodes, axis=-1)


def _nodes(noise: Noise, location: Any, scale: Any) -> Any:
    num_parts = location.shape[1]
    each = max(65, 4 * _NODES // num_parts)
    spread = noise.quantile(special.ndtr(np.linspace(-_REACH, _REACH, each)))
    nodes = np.sort((location[..., np.newaxis] + scale[..., np.newaxis] * spread).reshape(len(location), -1), axis=-1)
    return nodes[:, np.linspace(0, nodes.shape[1] - 1, _NODES).round().astype(int)]


def sample(noise: Noise, outputs: Any, count: int, seed: int) -> Any:
    """`count` targets of every draw, `[count * S, N, T]`; members of an ensemble count by their numbers of draws."""
    location, scale = noise.parameters(outputs)
    uniform = np.random.default_rng(seed).random((count, *location.shape))
    uniform = np.clip(uniform, np.finfo(float).tiny, None)
    return (location + scale * noise.quantile(uniform)).reshape(-1, *location.shape[1:])


def weighted_quantile(values: Any, weights: Any, level: float) -> Any:
    """Quantile over the first axis of `[S, ..]`: interpolated between draws that count equally, else one of them."""
    if np.ptp(weights) == 0.0:
        return np.quantile(values, level, axis=0)
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0) >= level - 1e-12
    chosen = np.take_along_axis(order, reached.argmax(axis=0)[np.newaxis], axis=0)
    return np.take_along_axis(values, chosen, axis=0)[0]
