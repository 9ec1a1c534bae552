"""Moments of the weights under every posterior, from the values of its variables and without TensorFlow's help.

An oracle of a member maps the member's variables, by their own names, to the mean `[D]` of its elements and their
variance `[D]` if they are independent, else their covariance `[D, D]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow_probability as tfp
from scipy import linalg

Variables = Mapping[str, np.ndarray]
Moments = tuple[np.ndarray, np.ndarray]

# Priors of posteriors that have no density; any other takes any prior.
OWN_PRIORS = {"rank_1": "rank_1", "filterwise_dropout": "flat", "batch_ensemble": "flat"}


def of_layer(member: Callable[[Variables], Moments]) -> Callable[[Variables], Moments]:
    """The oracle of a kernel and its bias, independent of one another, from that of one of them."""

    def oracle(variables: Variables) -> Moments:
        means, spreads = zip(*(member(part) for part in parts_of(variables)), strict=True)
        if all(spread.ndim == 1 for spread in spreads):
            return np.concatenate(means), np.concatenate(spreads)
        matrices = [np.diag(spread) if spread.ndim == 1 else spread for spread in spreads]
        return np.concatenate(means), linalg.block_diag(*matrices)

    return oracle


def parts_of(variables: Variables) -> list[dict[str, np.ndarray]]:
    """The variables of the kernel, and those of the bias if there is one."""
    parts = [
        {name.partition("/")[2]: value for name, value in variables.items() if name.startswith(f"{member}/")}
        for member in ("kernel", "bias")
    ]
    return [part for part in parts if part]


def mean_field_normal(v: Variables) -> Moments:
    return v["loc"].ravel(), np.exp(2 * v["untransformed_scale"]).ravel()


def laplace(v: Variables) -> Moments:
    return v["loc"].ravel(), 2 * np.exp(2 * v["untransformed_scale"]).ravel()


def student_t(v: Variables) -> Moments:
    return v["loc"].ravel(), 8 / 6 * np.exp(2 * v["untransformed_scale"]).ravel()


def k_tied_normal(v: Variables) -> Moments:
    scale = np.exp(v["untransformed_row_scale"]).T @ np.exp(v["untransformed_column_scale"])
    return v["loc"].ravel(), np.square(scale).ravel()


def low_rank_normal(v: Variables) -> Moments:
    factors = v["factors"].reshape([len(v["factors"]), -1])
    return v["loc"].ravel(), np.diag(np.exp(2 * v["untransformed_scale"]).ravel()) + factors.T @ factors


def covariance_of(v: Variables, axis: str) -> np.ndarray:
    """Of the rows or the columns of a matrix normal."""
    scale = np.exp(v[f"untransformed_{axis}_scale"])
    cholesky = np.eye(len(scale))
    if len(scale) > 1:
        cholesky[1:, :-1] += tfp.math.fill_triangular(v[f"{axis}_entries"]).numpy()
    cholesky = scale[:, np.newaxis] * cholesky
    return cholesky @ cholesky.T


def matrix_normal(v: Variables) -> Moments:
    return v["loc"].ravel(), np.kron(covariance_of(v, "row"), covariance_of(v, "column"))


def radial(v: Variables) -> Moments:
    # Uncorrelated, but not independent: E[g_i g_j / |g|^2] = delta_ij / D.
    return v["loc"].ravel(), np.diag(np.exp(2 * v["untransformed_scale"]).ravel() / v["loc"].size)


def mixture_of_means(v: Variables) -> Moments:
    locs = v["loc"].reshape([len(v["loc"]), -1])
    between = np.cov(locs.T, bias=True).reshape([locs.shape[1]] * 2)
    return locs.mean(axis=0), between + np.diag(np.exp(2 * v["untransformed_scale"]).ravel())


def rank_1(v: Variables) -> Moments:
    if "input_loc" not in v:  # the bias is a point
        return v["loc"].ravel(), np.zeros(v["loc"].size)
    means, seconds = 0.0, 0.0
    for k in range(len(v["input_loc"])):
        mean_r, mean_s = v["input_loc"][k], v["output_loc"][k]
        second_r = np.outer(mean_r, mean_r) + np.diag(np.exp(2 * v["untransformed_input_scale"][k]))
        second_s = np.outer(mean_s, mean_s) + np.diag(np.exp(2 * v["untransformed_output_scale"][k]))
        means += np.kron(mean_r, mean_s) / len(v["input_loc"])
        seconds += np.kron(second_r, second_s) / len(v["input_loc"])
    num_taps = v["loc"].size // len(means)
    w, means = v["loc"].ravel(), np.tile(means, num_taps)
    return w * means, np.outer(w, w) * (np.tile(seconds, (num_taps, num_taps)) - np.outer(means, means))


def gaussian_dropout(v: Variables) -> Moments:
    return v["loc"].ravel(), 0.1 / 0.9 * np.square(v["loc"]).ravel()


def variational_dropout(v: Variables) -> Moments:
    return v["loc"].ravel(), (np.exp(2 * v["untransformed_noise_scale"]) * np.square(v["loc"])).ravel()


def batch_ensemble(v: Variables) -> Moments:
    if "input_factors" not in v:  # the bias is a point
        return v["loc"].ravel(), np.zeros(v["loc"].size)
    pairs = zip(v["input_factors"], v["output_factors"], strict=True)
    members = np.stack([(v["loc"] * np.outer(r, s)).ravel() for r, s in pairs])
    return members.mean(axis=0), np.cov(members, rowvar=False, ddof=0)


def filterwise_dropout(v: Variables) -> Moments:
    w = v["loc"]
    if w.ndim == 1:  # the bias is a point
        return w, np.zeros(w.size)
    channel = np.broadcast_to(np.arange(w.shape[-2])[:, np.newaxis], w.shape).ravel()
    return w.ravel(), 0.1 / 0.9 * np.outer(w, w) * np.equal.outer(channel, channel)


MEMBERS: dict[str, Callable[[Variables], Moments]] = {
    "batch_ensemble": batch_ensemble,
    "filterwise_dropout": filterwise_dropout,
    "gaussian_dropout": gaussian_dropout,
    "k_tied_normal": k_tied_normal,
    "laplace": laplace,
    "low_rank_normal": low_rank_normal,
    "matrix_normal": matrix_normal,
    "mean_field_normal": mean_field_normal,
    "mixture_of_means": mixture_of_means,
    "radial": radial,
    "rank_1": rank_1,
    "student_t": student_t,
    "variational_dropout": variational_dropout,
}
ORACLES = {name: of_layer(member) for name, member in MEMBERS.items()}
