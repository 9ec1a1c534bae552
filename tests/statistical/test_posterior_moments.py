"""Draws of every posterior have the mean and covariance that NumPy computes of its variables, kernel by kernel.

With 20,000 draws and 78 covariances of 12 elements a test finds, 19 times in 20, a mean that is off by 0.05 standard
deviations and a covariance that is off by 8 % of the standard deviations' product; a false alarm has probability 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import bounds
import numpy as np
import posterior_oracles
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import distributions, posteriors, random
from bayesconv.distributions.mixture_of_means import one_of

NUM_DRAWS = 20_000
OPTIONS = [
    *((name, {}) for name in posteriors.names()),
    ("mean_field_normal", {"share_scale": "filter"}),
    ("mean_field_normal", {"share_scale": "layer"}),
    ("k_tied_normal", {"rank": 1}),
    ("low_rank_normal", {"rank": 5}),
    ("mixture_of_means", {"num_components": 3}),
    ("rank_1", {"num_components": 3, "random_signs": True}),
    ("variational_dropout", {"share_scale": "layer"}),
]
SHAPES = {"kernel": ((2, 1, 2, 3), 0), "batch": ((2, 3, 2), 1), "bias": ((4,), 0)}
LEADING = {
    "factors",
    "input_factors",
    "output_factors",
    "input_loc",
    "untransformed_input_scale",
    "output_loc",
    "untransformed_output_scale",
}


def randomized(pieces: Any, name: str, options: dict[str, Any], shape: str, dtype: tf.DType = tf.float64) -> Any:
    """The distribution of a weight, with locations of N(0, 0.5^2) and scales of 0.2 to 0.8."""
    sizes, batch_ndims = SHAPES[shape]
    spec = bc.WeightSpec(sizes, dtype, 4, batch_ndims, name="bias" if shape == "bias" else "kernel", seed=3)
    pair = bc.KernelBias(spec._replace(shape=(1, 4)), spec) if shape == "bias" else bc.KernelBias(spec)
    made = pieces.resolve({"name": name, **options})(pair)
    q, rng = made.bias if shape == "bias" else made.kernel, np.random.default_rng(5)
    for key, variable in sorted(values_of(q).items()):
        value = np.log(rng.uniform(0.2, 0.8, variable.shape)) if "scale" in key else rng.normal(0, 0.5, variable.shape)
        next(v for v in q.variables if v.name.endswith(f"/{key}:0")).assign(value)
    return q


def values_of(q: Any) -> dict[str, np.ndarray]:
    """Variables by their own names."""
    return {v.name.partition("/")[2].removesuffix(":0"): v.numpy().astype(np.float64) for v in q.variables}


def moments_of(q: Any, name: str, num_kernels: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean `[D]` and covariance `[D, D]` of every kernel of a batch, or of the one that there is."""
    found = []
    for index in range(num_kernels):
        part = {k: np.broadcast_to(v, _full(k, v, q)) for k, v in values_of(q).items()}
        if num_kernels > 1:
            part = {k: np.take(v, index, axis=_batch_axis(k, name)) for k, v in part.items()}
        mean, spread = posterior_oracles.MEMBERS[name](part)
        found.append((mean, np.diag(spread) if spread.ndim == 1 else spread))
    return found


def _full(key: str, value: np.ndarray, q: Any) -> tuple[int, ...]:
    is_shared = key in ("untransformed_scale", "untransformed_noise_scale")  # the ones of an element, or broadcast
    return tuple(q.event_shape) if is_shared else value.shape


def _batch_axis(key: str, name: str) -> int:
    return int(key in LEADING or (key == "loc" and name == "mixture_of_means"))


def comparisons_of(q: Any, moments: list[tuple[np.ndarray, np.ndarray]], seed: int = 1) -> dict[str, Any]:
    draws = q.sample(NUM_DRAWS, seed=tf.constant([seed, 0])).numpy().astype(np.float64)
    draws = draws.reshape([NUM_DRAWS, len(moments), -1])
    means, covariances = (np.stack(part) for part in zip(*moments, strict=True))
    size = means.shape[1]
    exact = np.zeros([len(moments), size, len(moments), size])
    for index, covariance in enumerate(covariances):  # kernels of a batch are independent
        exact[index, :, index] = covariance
    flat, exact = draws.reshape([NUM_DRAWS, -1]), exact.reshape([means.size, means.size])
    return {
        "mean": bounds.compare_means(flat, means.ravel()),
        "variance": bounds.compare_variances(flat, np.diag(exact)),
        "covariance": bounds.compare_covariances(flat, exact),
    }


def _id(value: Any) -> str:
    return "-".join(f"{key}={option}" for key, option in value.items()) if isinstance(value, Mapping) else str(value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=_id)
def test_draws_have_the_moments_of_the_variables_and_so_say_mean_and_variance(name, options, shape):
    q = randomized(posteriors, name, options, shape)
    moments = moments_of(q, name, 2 if shape == "batch" else 1)
    means, variances = (np.concatenate(part) for part in zip(*((m, np.diag(c)) for m, c in moments), strict=True))
    floor = 1e-4 * np.sqrt(2 / 4) if "dropout" in name else 0.0  # what a weight of zero keeps
    np.testing.assert_allclose(q.mean().numpy().ravel(), means, rtol=1e-10)
    np.testing.assert_allclose(q.variance().numpy().ravel(), variances, rtol=1e-10, atol=floor**2)
    np.testing.assert_allclose(q.stddev().numpy().ravel(), np.sqrt(variances), rtol=1e-10, atol=floor)
    if np.any(variances > 0):
        comparisons = comparisons_of(q, moments)
        assert all(comparison.agrees for comparison in comparisons.values()), comparisons


def test_one_of_several_is_each_as_often():
    counts = one_of(3, [30_000], tf.constant([1, 2]), tf.float64).numpy()
    np.testing.assert_array_equal(counts.sum(axis=1), 1.0)
    assert bounds.compare_means(counts, 1 / 3).agrees


@pytest.mark.parametrize("name", ["mixture_of_means", "filterwise_dropout", "rank_1", "radial", "student_t"])
def test_gradients_of_draws_are_those_of_the_expectation(name):
    # E sum w^2 = sum E[w]^2 + Var w, whose slopes TensorFlow knows from the formulas of mean and variance.
    q = randomized(posteriors, name, {}, "kernel")

    def slopes(function: Any) -> Any:
        with tf.GradientTape() as tape:
            value = function()
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(value, q.trainable_variables)], axis=0)

    exact = slopes(lambda: tf.reduce_sum(tf.square(q.mean()) + q.variance()))
    at = tf.function(lambda seed: slopes(lambda: tf.reduce_sum(tf.square(q.sample(200, seed=seed))) / 200))
    estimates = np.stack([at(tf.constant([i, 0])) for i in range(200)])
    assert bounds.compare_means(estimates, exact).agrees


# Mutants: each is one line away from correct code, and must be found


class RadialWithoutLength(distributions.Radial):
    """Whose noise has the length of a normal's."""

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        g = random.normal([n, self.num_kernels, self.size], seed, self.dtype)
        return self.rows_of(self.loc) + self.rows_of(self.scale) * g


class LowRankWithSharesOfItsOwn(distributions.LowRankNormal):
    """Whose elements each draw their own coordinate along the directions."""

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        noise = random.normal([n, self.num_kernels, self.size], seed, self.dtype)
        return self.rows_of(self.loc) + self.rows_of(self.stddev()) * noise


class MatrixWithTheFactorTransposed(distributions.MatrixNormal):
    """Whose columns are mixed by the transpose."""

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        noise = random.normal([n, self.num_kernels, *self.matrix_shape], seed, self.dtype)
        mixed = self.rows.cholesky() @ noise @ self.columns.cholesky()
        return self.rows_of(self.loc) + tf.reshape(mixed, [n, self.num_kernels, self.size])


class MixtureOfElements(distributions.MixtureOfMeans):
    """Whose elements each choose a component."""

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        chosen = one_of(self.loc.shape[0], [n, self.num_kernels, self.size], seed, self.dtype)
        noise = random.normal([n, self.num_kernels, self.size], (9, 9), self.dtype)
        return tf.einsum("nbdk,kbd->nbd", chosen, self.rows_of(self.loc)) + self.rows_of(self.scale) * noise


class DropoutOfOutputs(distributions.FilterwiseDropout):
    """Which drops output channels."""

    def _draw_rows(self, n: Any, seed: Any) -> tf.Tensor:
        kept = random.uniform([n, self.num_kernels, 1, self.loc.shape[-1]], seed, self.dtype) > 2 * self.rate - 1
        mask = tf.cast(kept, self.dtype) / (1 - self.rate)
        return self.rows_of(self.loc) * tf.reshape(tf.tile(mask, [1, 1, self.size // mask.shape[-1], 1]), [n, 1, -1])


class StudentOfHalfThePower(distributions.StudentT):
    """With `u^(-1 / df)`."""

    def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
        u = 0.5 + 0.5 * random.uniform([n, *self.batch_shape], seed, self.dtype)
        angle = math.pi * random.uniform([n, *self.batch_shape], (7, 7), self.dtype)
        return self.loc + self.scale * tf.sqrt(self.df * (u ** (-1 / self.df) - 1)) * tf.cos(angle)


def _mutant(kind: Any, q: Any) -> Any:
    if isinstance(q, distributions.Radial):
        return kind(q.loc, q.scale)
    if isinstance(q, distributions.LowRankNormal):
        return kind(q.loc, q.scale, q.factors)
    if isinstance(q, distributions.MatrixNormal):
        return kind(q.loc, q.rows, q.columns)
    if isinstance(q, distributions.MixtureOfMeans):
        return kind(q.loc, q.scale)
    if isinstance(q, distributions.FilterwiseDropout):
        return kind(q.loc, q.rate)
    return distributions.independent(kind(q.distribution.df, q.distribution.loc, q.distribution.scale))


@pytest.mark.parametrize(
    ("kind", "name", "fails"),
    [
        (RadialWithoutLength, "radial", {"variance", "covariance"}),
        (LowRankWithSharesOfItsOwn, "low_rank_normal", {"covariance"}),
        (MatrixWithTheFactorTransposed, "matrix_normal", {"variance", "covariance"}),
        (MixtureOfElements, "mixture_of_means", {"covariance"}),
        (DropoutOfOutputs, "filterwise_dropout", {"covariance"}),
        (StudentOfHalfThePower, "student_t", {"variance", "covariance"}),
    ],
)
def test_mutants_are_found(kind, name, fails):
    q = randomized(posteriors, name, {}, "kernel")
    comparisons = comparisons_of(_mutant(kind, q), moments_of(q, name))
    assert {key for key, comparison in comparisons.items() if not comparison.agrees} == fails
