"""Densities and divergences of the priors, in NumPy and SciPy.

`ELEMENTS` are priors of independent weights, as entries of `oracles.PRIOR_ORACLES`: log-density, points where it
bends, options. Priors of whole weights are tested in `test_whole_weight_priors.py`, with what is written here.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from scipy import optimize, special, stats

CAUCHY_PER_STDDEV = stats.norm.ppf(0.75)
HORSESHOE_PER_STDDEV = 1.1495332240367049  # see test_priors_without_a_variance_have_the_quartiles_of_the_normal
WITHOUT_A_DENSITY = frozenset({"flat", "rank_1", "tied_mean"})
WHOLE_WEIGHTS = frozenset({"empirical_bayes", "group_horseshoe"}) | WITHOUT_A_DENSITY
IMPROPER = frozenset({"log_uniform", "flat"})


def _at_zero(he: float, **_: Any) -> tuple[float, ...]:
    return (0.0, -1e-3, 1e-3, -0.1, 0.1)


def _at_loc(he: float, *, loc: float = 0.0, **_: Any) -> tuple[float, ...]:
    return (loc, loc - he, loc + he)


def _zero_mean_normal(w: np.ndarray, he: float, *, initial_scale: float | None = None, **_: Any) -> np.ndarray:
    return stats.norm.logpdf(w, 0.0, he if initial_scale is None else initial_scale)


def _correlated_without_taps(w: np.ndarray, he: float, *, scale: float | None = None, **_: Any) -> np.ndarray:
    return stats.norm.logpdf(w, 0.0, he if scale is None else scale)


def _cauchy(w: np.ndarray, he: float, *, loc: float = 0.0, scale: float | None = None) -> np.ndarray:
    return stats.cauchy.logpdf(w, loc, CAUCHY_PER_STDDEV * he if scale is None else scale)


def _horseshoe(w: np.ndarray, he: float, *, scale: float | None = None) -> np.ndarray:
    scale = HORSESHOE_PER_STDDEV * he if scale is None else scale
    z = np.square(np.asarray(w) / scale) / 2.0
    # exp(z) E1(z) = U(1, 1, z), which does not overflow
    return np.log(special.hyperu(1.0, 1.0, np.maximum(z, 1e-300))) - 0.5 * np.log(2.0 * np.pi**3) - np.log(scale)


def _log_uniform(w: np.ndarray, he: float) -> np.ndarray:
    return -np.log(np.maximum(np.abs(w), 1e-37))


ELEMENTS = {
    "cauchy": (_cauchy, _at_loc, ({}, {"loc": 0.3, "scale": 0.4})),
    "horseshoe": (_horseshoe, _at_zero, ({}, {"scale": 0.2})),
    "log_uniform": (_log_uniform, _at_zero, ({},)),
    "learnable_normal": (_zero_mean_normal, _at_loc, ({}, {"initial_scale": 0.7})),
    "anchored_normal": (_zero_mean_normal, _at_loc, ({}, {"initial_scale": 0.7})),
    "correlated_normal": (_correlated_without_taps, _at_loc, ({}, {"scale": 0.7, "length_scale": 3.0})),
}


# Whole weights


def tap_covariance(taps: tuple[int, ...], length_scale: float, scale: float, jitter: float = 1e-6) -> np.ndarray:
    """`scale^2 exp(-d / length_scale)`, tap by tap, in row-major order."""
    places = list(itertools.product(*map(range, taps)))
    return np.array([[scale**2 * (math.exp(-math.dist(p, q) / length_scale) + jitter * (p == q)) for q in places]
                     for p in places])  # fmt: skip


def dense_covariance(shape: tuple[int, ...], batch_ndims: int, over_taps: np.ndarray) -> np.ndarray:
    """The covariance of a whole kernel, flattened: that of taps between equal channels and kernels, else zero."""
    indices = list(itertools.product(*map(range, shape)))
    taps = list(itertools.product(*map(range, shape[batch_ndims:-2])))
    place = {tap: i for i, tap in enumerate(taps)}
    result = np.zeros([len(indices)] * 2)
    for (a, i), (b, j) in itertools.product(enumerate(indices), repeat=2):
        if i[:batch_ndims] == j[:batch_ndims] and i[-2:] == j[-2:]:
            result[a, b] = over_taps[place[i[batch_ndims:-2]], place[j[batch_ndims:-2]]]
    return result


def dense_kl(mean: np.ndarray, covariance: np.ndarray, prior_covariance: np.ndarray) -> float:
    """KL(N(mean, covariance) || N(0, prior_covariance))."""
    precision = np.linalg.inv(prior_covariance)
    log_ratio = np.linalg.slogdet(prior_covariance)[1] - np.linalg.slogdet(covariance)[1]
    return 0.5 * (np.trace(precision @ covariance) + mean @ precision @ mean - len(mean) + log_ratio)


def empirical_bayes_objective(v: float, mean: np.ndarray, scale: np.ndarray, a: float, b: float) -> float:
    """KL(q || N(0, v I)) - log InverseGamma(v; a, b)."""
    kl = np.sum(0.5 * np.log(v) - np.log(scale) + (scale**2 + mean**2) / (2.0 * v) - 0.5)
    return float(kl - stats.invgamma.logpdf(v, a, scale=b))


def empirical_bayes_minimum(mean: np.ndarray, scale: np.ndarray, a: float, b: float) -> tuple[float, float]:
    """Where the objective is smallest, by golden section over `log v`, and its value there."""
    found = optimize.minimize_scalar(
        lambda u: empirical_bayes_objective(math.exp(u), mean, scale, a, b),
        bounds=(-20.0, 10.0), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    return math.exp(found.x), float(found.fun)
