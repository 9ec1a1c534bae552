"""Gradients with respect to loc and scale: no bias, and the variance that each estimator's formula gives.

For one linear output, w_i ~ N(m_i, s_i^2) and the loss (1/N) sum_n 1/2 (x_n' w - y_n)^2, write e_n = x_n' m - y_n and
G = X diag(s^2) X'. All estimators have E dL/dm_i = (1/N) sum_n x_ni e_n and E dL/ds_i = s_i (1/N) sum_n x_ni^2.
Each is (1/N) sum_n of a gradient that example n gives by the kernel m + d_n that it meets,

    g_n = x_ni (e_n + x_n' d_n)  for m_i,    h_n = (d_ni / s_i) x_ni (e_n + x_n' d_n)  for s_i,

so the variances are (1/N^2) sum_nm of covariances. Let two examples share |d|, and c be the expected product of a
weight's signs in them, those of different weights being independent: 1 with one kernel, as n = m has, -1 if mirrored,
0 under flipout and between two slices, -1 / (G - 1) between two balanced slices. E g_n g_m has d_nj d_mj, so one
factor of c. E h_n h_m is, with E d_i^4 = 3 s_i^4, and two different weights j, k having c^2 s_j^2 s_k^2,

    x_ni x_mi (c e_n e_m + c^2 sum_{j != i} x_nj x_mj s_j^2 + 3 x_ni x_mi s_i^2),

from which the product of the means, s_i^2 x_ni^2 x_mi^2, is taken away:

    Cov(g_n, g_m) = c x_ni x_mi G_nm
    Cov(h_n, h_m) = x_ni x_mi (c e_n e_m + c^2 (G_nm - x_ni x_mi s_i^2) + 2 x_ni x_mi s_i^2).

With independent kernels both are 0, whatever is shared within a slice.

An estimator is thus described by the matrix of c, and by who shares |d|: both are in `oracles.ESTIMATOR_ORACLES`.
Local reparameterization has sum_n x_ni^2 G_nn and sum_n x_ni^4 s_i^2 (e_n^2 / G_nn + 2).

The draws are those of many kernels at once, whose noise is their own.

With 20,000 draws and D = 4 a bias of 0.046 standard deviations is found, and a variance that is off by 9 to 20 %,
depending on the gradient's kurtosis; the formulas differ by factors of 2 to 60 at N = 64.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import bounds
import numpy as np
import oracles
import pytest
import tensorflow as tf
from covering import diagonal
from sampling import draws, seeds
from test_decorrelation import SLICES as SLICED
from test_output_moments import signs_shared_by_the_batch

import bayesconv as bc
from bayesconv import estimators

pytestmark = pytest.mark.slow

NUM_DRAWS = 20_000
NUM_KERNELS = 2_000  # of a layer, each with noise of its own: ten calls give all draws
BATCH_SIZES = (1, 8, 64, 512)
SIZE = 4


class Regression(NamedTuple):
    """Data and posterior of the linear layer."""

    x: np.ndarray
    y: np.ndarray
    loc: np.ndarray
    scale: np.ndarray


def regression(num: int) -> Regression:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=[num, SIZE]) + 0.5, rng.normal(size=[num])
    return Regression(x, y, 0.5 * rng.normal(size=[SIZE]), np.linspace(0.2, 0.8, SIZE))


def exact_means(data: Regression) -> tuple[np.ndarray, np.ndarray]:
    errors = data.x @ data.loc - data.y
    return data.x.T @ errors / len(errors), data.scale * np.square(data.x).mean(axis=0)


def exact_variances(data: Regression, oracle: oracles.EstimatorOracle) -> tuple[np.ndarray, np.ndarray]:
    """Of the gradients with respect to loc and scale, `[D]` each."""
    num, e, s2 = len(data.y), data.x @ data.loc - data.y, np.square(data.scale)
    g = data.x * s2 @ data.x.T
    outer = data.x.T[:, :, np.newaxis] * data.x.T[:, np.newaxis, :]  # [D, N, N]: x_ni x_mi
    s2 = s2[:, np.newaxis, np.newaxis]
    c = oracle.correlation(num)
    per_loc = c * outer * g
    per_scale = outer * (c * np.outer(e, e) + c**2 * (g - outer * s2) + 2 * outer * s2) * oracle.magnitudes(num)
    return per_loc.sum(axis=(1, 2)) / num**2, per_scale.sum(axis=(1, 2)) / num**2


def exact_local_variances(data: Regression) -> tuple[np.ndarray, np.ndarray]:
    """Of local reparameterization, whose noise is that of the outputs."""
    num, e, s2 = len(data.y), data.x @ data.loc - data.y, np.square(data.scale)
    g, squares = np.square(data.x) @ s2, np.square(data.x)
    return squares.T @ g / num**2, s2 * (np.square(squares).T @ (np.square(e) / g + 2)) / num**2


SLICES = {
    "three slices": SLICED["flipped"],
    "balanced slices": SLICED["balanced"],
    "independent slices": SLICED["independent"],
}


def exact_variances_of(name: str, data: Regression) -> tuple[np.ndarray, np.ndarray]:
    if name in ("local_reparameterization", "automatic"):
        return exact_local_variances(data)
    oracle = SLICES[name][1] if name in SLICES else oracles.oracle_of(oracles.ESTIMATOR_ORACLES, "estimator", name)
    return exact_variances(data, oracle)


def gradients_of(layer: bc.Layer, loss: Any, num: int, salt: int = 0) -> dict[str, np.ndarray]:
    """Draws `[R, ..]` of the gradients by path; those of scales with respect to the scale, not to its variable.

    Args:
      layer: With a batch of kernels, each of which gives a draw in every call, or with one kernel.
      loss: Of a seed, the sum of the kernels' losses.
      num: Number of draws.
      salt: For seeds of its own.
    """
    variables = layer.named_variables

    def one(seed: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            value = loss(seed)
        return tape.gradient(value, list(variables.values()))

    if is_batch(layer):
        calls = [one(seed) for seed in seeds(num // NUM_KERNELS, salt)]
        stacked = [np.concatenate([np.asarray(gradient) for gradient in member]) for member in zip(*calls, strict=True)]
    else:
        stacked = draws(one, num, salt, jit_compile=True)
    found = {path: values.reshape([num, -1]) for path, values in zip(variables, stacked, strict=True)}
    for path, variable in variables.items():
        if path.endswith("untransformed_scale"):  # d exp(r) / dr = exp(r)
            found[path] = found[path] * np.exp(-(variable.numpy()[0] if is_batch(layer) else variable.numpy())).ravel()
    return found


def is_batch(layer: Any) -> bool:
    return layer.kernel_shape[0] == NUM_KERNELS


def linear_layer(estimator: Any, data: Regression, batch_shape: tuple[int, ...]) -> bc.Affine:
    choice = SLICES[estimator][0] if estimator in SLICES else estimator
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=choice)
    layer = bc.Affine(SIZE, 1, make_kernel_bias_fn=factory, use_bias=False, dtype=tf.float64, batch_shape=batch_shape)
    for path, values in (("kernel/loc", data.loc), ("kernel/untransformed_scale", np.log(data.scale))):
        variable = layer.named_variables[path]
        variable.assign(np.broadcast_to(values[:, np.newaxis], variable.shape))
    return layer


def half_squared_error(layer: bc.Layer, x: np.ndarray, y: np.ndarray, seed: Any) -> tf.Tensor:
    outputs = layer(tf.constant(x), seed=seed, is_training=False)[..., 0]
    return tf.reduce_sum(tf.square(outputs - y)) / (2 * len(x))


@functools.cache
def sampled(estimator: Any, num_examples: int) -> dict[str, np.ndarray]:
    data = regression(num_examples)
    layer = linear_layer(estimator, data, (NUM_KERNELS,))

    def loss(seed: tf.Tensor) -> tf.Tensor:
        return half_squared_error(layer, data.x[:, np.newaxis], data.y[:, np.newaxis], seed)

    found = gradients_of(layer, loss, num_draws(estimator, num_examples), salt=num_examples)
    return {"loc": found["kernel/loc"], "scale": found["kernel/untransformed_scale"]}


def num_draws(estimator: Any, num_examples: int) -> int:
    """Fewer where each draw takes hundreds of kernels, one after the other."""
    return NUM_DRAWS // 10 if estimator == "per_example" and num_examples > 64 else NUM_DRAWS


NOISY = [name for name, oracle in oracles.ESTIMATOR_ORACLES.items() if oracle.is_noisy]


def test_every_estimator_has_an_oracle_for_its_gradients():
    assert set(estimators.names()) == set(oracles.ESTIMATOR_ORACLES)


@pytest.mark.parametrize(("estimator", "num_examples"), diagonal([*NOISY, *SLICES], BATCH_SIZES))
def test_gradients_have_the_mean_and_the_variance_of_their_formulas(estimator, num_examples):
    data, found = regression(num_examples), sampled(estimator, num_examples)
    variances = exact_variances_of(estimator, data)
    for member, mean, variance in zip(("loc", "scale"), exact_means(data), variances, strict=True):
        comparison = bounds.compare_means(found[member], mean)
        assert comparison.agrees, (member, comparison)
        comparison = bounds.compare_variances(found[member], variance)
        assert comparison.agrees, (member, comparison)


@pytest.mark.parametrize("estimator", [*NOISY, *SLICES])
def test_a_kernel_alone_has_the_gradients_of_a_kernel_of_a_batch(estimator):
    # With the same seed, so what many kernels at once prove of the gradients holds for layers with one.
    data, found = regression(8), []
    for batch_shape in ((), (1,)):
        layer = linear_layer(estimator, data, batch_shape)
        x, y = (values.reshape([8, *batch_shape, *values.shape[1:]]) for values in (data.x, data.y))
        with tf.GradientTape() as tape:
            loss = half_squared_error(layer, x, y, seed=7)
        found.append([np.ravel(g) for g in tape.gradient(loss, list(layer.named_variables.values()))])
    np.testing.assert_allclose(*found, rtol=1e-9)
    assert np.abs(found[0]).min() > 0


def test_the_mean_has_no_noise_and_leaves_the_scales_alone():
    data, layer = regression(8), bc.Affine(SIZE, 1, make_kernel_bias_fn=MEAN, use_bias=False, dtype=tf.float64)
    layer.named_variables["kernel/loc"].assign(data.loc[:, np.newaxis])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(0.5 * tf.square(layer(tf.constant(data.x), is_training=False)[:, 0] - data.y))
    loc, scale = tape.gradient(loss, list(layer.named_variables.values()))
    np.testing.assert_allclose(loc[:, 0], exact_means(data)[0], rtol=1e-12)
    assert scale is None or np.abs(scale).max() == 0


MEAN = functools.partial(bc.make_kernel_bias_variational, estimator="mean")


def test_with_one_example_flipout_is_reparameterization_and_local_reparameterization_has_less_noise():
    shared, local = exact_variances_of("reparameterization", regression(1)), exact_local_variances(regression(1))
    for name in ("flipout", "sliced", "grouped_flipout", "antithetic", "per_example"):
        np.testing.assert_allclose(shared, exact_variances_of(name, regression(1)), rtol=1e-12)
        for member, variance in zip(("loc", "scale"), shared, strict=True):
            assert bounds.compare_variances(sampled(name, 1)[member], variance).agrees
    np.testing.assert_allclose(shared[0], local[0], rtol=1e-12)
    assert not bounds.compare_variances(sampled("local_reparameterization", 1)["scale"], shared[1]).agrees


@pytest.mark.slow
def test_a_larger_batch_lowers_the_variance_of_flipout_and_not_that_of_a_shared_kernel():
    def gain(estimator: str) -> float:
        """How many times less variance dL/dloc has with 64 examples than with 8."""
        return float(np.mean(sampled(estimator, 8)["loc"].var(axis=0) / sampled(estimator, 64)["loc"].var(axis=0)))

    assert gain("reparameterization") < 2.5 < 4.0 < gain("flipout")
    assert gain("sliced") < gain("flipout")
    # For the scale flipout has a floor, since the examples share |eps|; local reparameterization has none.
    found = {name: np.mean(sampled(name, 64)["scale"].var(axis=0)) for name in NOISY}
    assert found["local_reparameterization"] < 0.5 * found["flipout"] < 0.5 * found["reparameterization"]
    assert found["grouped_flipout"] < 0.5 * found["flipout"]  # eight draws lower the floor
    assert found["flipout"] < found["sliced"] < 0.8 * found["reparameterization"]


@pytest.mark.parametrize(
    ("estimator", "wrong"),
    [
        ("flipout", "reparameterization"),
        ("flipout", "per_example"),
        ("sliced", "reparameterization"),
        ("sliced", "flipout"),
        ("sliced", "three slices"),
        ("antithetic", "reparameterization"),
        ("grouped_flipout", "flipout"),
        ("balanced slices", "three slices"),
        ("three slices", "independent slices"),
        ("per_example", "local_reparameterization"),
    ],
)
def test_the_variances_tell_the_estimators_apart(estimator, wrong):
    variances = exact_variances_of(wrong, regression(64))
    found = [sampled(estimator, 64)[member] for member in ("loc", "scale")]
    assert not all(bounds.compare_variances(*pair).agrees for pair in zip(found, variances, strict=True))


def test_signs_shared_by_the_batch_have_the_variance_of_a_shared_kernel():
    found = sampled(signs_shared_by_the_batch, 8)["loc"]
    assert bounds.compare_variances(found, exact_variances_of("reparameterization", regression(8))[0]).agrees
    assert not bounds.compare_variances(found, exact_variances_of("flipout", regression(8))[0]).agrees


# A nonlinear net, where no formula holds: estimators are compared with a kernel for every example.

APPROXIMATE = (("name", "local_reparameterization"), ("approximate", True))


@functools.cache
def sampled_net(estimator: Any, image_size: int) -> np.ndarray:
    """Gradients `[R, coordinates]` of a convolution with ReLU, global average pooling and a squared loss."""
    choice = dict(estimator) if isinstance(estimator, tuple) else estimator
    factory = functools.partial(bc.make_kernel_bias_variational, estimator=choice)
    layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu, dtype=tf.float64)
    oracles.randomized(layer)
    rng = np.random.default_rng(4)
    x = tf.constant(1.0 + 0.3 * rng.normal(size=[3, image_size, image_size, 1]))
    targets = tf.constant(rng.normal(size=[3, 2]))
    if estimator not in ("flipout", "grouped_flipout"):  # whose kernels meet inputs of their own: slow in a batch
        layer, x, targets = many_kernels(layer, factory), x[:, :, :, tf.newaxis], targets[:, tf.newaxis]

    def loss(seed: tf.Tensor) -> tf.Tensor:
        pooled = tf.reduce_mean(layer(x, seed=seed, is_training=False), axis=[1, 2])
        return tf.reduce_sum(tf.square(pooled - targets)) / len(x)

    found = gradients_of(layer, loss, NUM_DRAWS, salt=hash_of(estimator))
    return np.concatenate([found[path] for path in sorted(found)], axis=1)


def many_kernels(layer: bc.Convolution, factory: Any) -> bc.Convolution:
    """A batch of kernels, each with the variables of the layer's one."""
    batch = bc.Convolution(
        1, 2, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu, dtype=tf.float64, batch_shape=NUM_KERNELS
    )
    for path, variable in batch.named_variables.items():
        variable.assign(np.broadcast_to(layer.named_variables[path].numpy(), variable.shape))
    return batch


def hash_of(estimator: Any) -> int:
    """Seeds of their own for every estimator, so that the draws that are compared are independent."""
    return sum(map(ord, str(estimator)))


TWO_SLICES = (("name", "sliced"), ("num_slices", 2))


@pytest.mark.parametrize(
    "estimator",
    [
        "flipout",
        "grouped_flipout",
        "antithetic",
        "sliced",
        "automatic",
        TWO_SLICES,
        (*TWO_SLICES, ("draws", "balanced")),
        (*TWO_SLICES, ("draws", "independent")),
    ],
)
def test_gradients_are_those_of_independent_kernels_through_relu_and_pooling(estimator):
    # 40 coordinates, two means of 20,000 draws: a bias of 0.073 standard deviations is found.
    comparison = bounds.compare_two_means(sampled_net(estimator, 5), sampled_net("per_example", 5))
    assert comparison.agrees, comparison


def test_independent_kernels_have_the_gradients_of_reparameterization_through_relu_and_pooling():
    comparison = bounds.compare_two_means(sampled_net("per_example", 5), sampled_net("reparameterization", 5))
    assert comparison.agrees, comparison


def test_approximate_local_reparameterization_has_biased_gradients_where_positions_are_pooled():
    assert not bounds.compare_two_means(sampled_net(APPROXIMATE, 5), sampled_net("reparameterization", 5)).agrees


def test_approximate_local_reparameterization_has_unbiased_gradients_where_the_output_is_one_position():
    comparison = bounds.compare_two_means(sampled_net(APPROXIMATE, 3), sampled_net("reparameterization", 3))
    assert comparison.agrees, comparison
