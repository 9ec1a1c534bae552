"""Claims about seeds and random numbers: their law, and that they are the same in every way of running.

Statistical claims hold with probability 1 - 1e-6 for a random choice of seed; the seeds are fixed.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import bayesconv as bc
from bayesconv import random

ALPHA = 1e-6
NUM = 200_000
DTYPES = [tf.float32, tf.float64]


def _z_star(num_comparisons: int) -> float:
    return float(stats.norm.isf(ALPHA / (2 * num_comparisons)))


# The law of the numbers


@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_pass_a_kolmogorov_smirnov_test(dtype):
    for seed in (0, 1, (7, -3)):
        assert stats.kstest(random.normal([NUM], seed, dtype).numpy(), "norm").pvalue > ALPHA
    # Cosines and sines of the same angles each have the law on their own, too.
    first, second = np.split(random.normal([NUM], 5, dtype).numpy(), 2)
    assert min(stats.kstest(first, "norm").pvalue, stats.kstest(second, "norm").pvalue) > ALPHA


def test_a_normal_of_the_wrong_scale_fails_the_same_test():
    assert stats.kstest(1.03 * random.normal([NUM], 0).numpy(), "norm").pvalue < ALPHA


def _joint_pvalue(z: np.ndarray) -> float:
    """Of independence and uniformity of radius and angle of the pairs, on a grid of 64 by 64 cells."""
    first, second = np.split(z.astype(np.float64), 2)
    radius = np.exp(-0.5 * (np.square(first) + np.square(second)))
    angle = np.arctan2(second, first) / (2.0 * np.pi) % 1.0
    counts, _, _ = np.histogram2d(radius, angle, bins=64, range=[[0, 1], [0, 1]])
    return float(stats.chisquare(counts.ravel()).pvalue)


@pytest.mark.parametrize("dtype", DTYPES)
def test_radius_and_angle_of_a_pair_are_independent_though_one_word_makes_both(dtype):
    # 10^6 pairs: a cell that deviates by a third is found.
    assert _joint_pvalue(random.normal([2_000_000], 6, dtype).numpy()) > ALPHA


def test_without_the_golden_section_they_are_not(monkeypatch):
    monkeypatch.setitem(random._GOLDEN, 32, 1)
    assert _joint_pvalue(random._box_muller(random.as_seed(6), 20_000, tf.float32).numpy()) < ALPHA


@pytest.mark.parametrize("digits", [32, 64])
def test_the_lattice_is_even_to_one_in_ten_millions(digits):
    # N D* <= 1 + the sum of the terms of the continued fraction of a / N (Niederreiter 1992, theorem 5.17 and before);
    # any rectangle is four of those at the origin, added and subtracted.
    terms, (a, n) = [], (random._GOLDEN[digits], 2**digits)
    while a:
        terms.append(n // a)
        a, n = n % a, a
    assert a == 0
    assert n == 1  # so that all points differ on both sides
    assert 4 * (1 + sum(terms)) / 2**digits < 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_have_the_first_four_moments_of_a_standard_normal(dtype):
    # Var[z^k] = E z^2k - (E z^k)^2: 1, 2, 15, 96. SE = sqrt(Var / R); a shift of 0.013 in the mean is found.
    z = random.normal([NUM], 2, dtype).numpy().astype(np.float64)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) / np.sqrt(variance / NUM) < _z_star(8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_have_the_tails_of_a_normal(dtype):
    z = random.normal([5 * NUM], 3, dtype).numpy()
    for limit in (2.0, 3.0, 4.0):
        for tail in ((z > limit).sum(), (z < -limit).sum()):
            low, high = stats.binom.interval(1 - ALPHA / 6, len(z), stats.norm.sf(limit))
            assert low <= tail <= high
    assert np.isfinite(z).all()


def test_numbers_of_one_seed_are_uncorrelated_at_every_lag():
    # Box-Muller makes pairs (i, i + R / 2) of one radius: lag R / 2 is the one to watch, squares included.
    z = random.normal([NUM], 4, tf.float64).numpy()
    lags = [*range(1, 20), NUM // 4, NUM // 2]
    for values in (z, (np.square(z) - 1.0) / np.sqrt(2.0)):
        correlations = [np.mean(values[lag:] * values[:-lag]) * np.sqrt(NUM - lag) for lag in lags]
        assert np.abs(correlations).max() < _z_star(2 * len(lags))


def test_numbers_of_different_seeds_are_uncorrelated():
    base = [0, 1, 2, -1, 2**32, (0, 1), (1, 1), 2**31]
    folded = [random.fold_in(random.as_seed(0), i) for i in range(4)]
    z = np.stack([random.normal([NUM], s, tf.float64) for s in (*base, *folded, *random.split(random.as_seed(0), 4))])
    correlations = (z @ z.T / NUM - np.diag(np.square(z).mean(axis=1)))[np.triu_indices(len(z), 1)]
    # (0, 1) is 2**32 and so must give the same numbers; all other pairs differ.
    same = np.isclose(correlations, 1.0, atol=0.05)
    assert same.sum() == 1
    assert np.abs(correlations[~same]).max() * np.sqrt(NUM) < _z_star(correlations.size)


def test_numbers_of_one_place_are_normal_over_seeds():
    seeds = tf.stack([tf.range(4_000), tf.zeros([4_000], tf.int32)], axis=1)
    draw = tf.function(lambda: tf.map_fn(lambda seed: random.normal([3], seed), seeds, fn_output_signature=tf.float32))
    first = draw().numpy()
    assert min(stats.kstest(column, "norm").pvalue for column in first.T) > ALPHA
    assert np.abs(np.corrcoef(first[:-1, 0], first[1:, 0])[0, 1]) * np.sqrt(len(first)) < _z_star(1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniforms_fill_the_open_interval_from_minus_one_to_one(dtype):
    u = random.uniform([NUM], 0, dtype).numpy()
    assert u.dtype == dtype.as_numpy_dtype
    assert -1.0 < u.min() < -0.9999
    assert 0.9999 < u.max() < 1.0
    assert stats.kstest(u, stats.uniform(-1, 2).cdf).pvalue > ALPHA


def test_signs_are_balanced_and_independent():
    signs = random.signs([NUM], 0).numpy()
    assert set(signs.tolist()) == {-1.0, 1.0}
    lags = [np.mean(signs[lag:] * signs[:-lag]) for lag in (1, 2, 3, 32)]
    assert np.abs([signs.mean(), *lags]).max() * np.sqrt(NUM) < _z_star(5)


def test_signs_have_the_dtype_that_is_asked_for():
    assert random.signs([2, 1, 3], 0, tf.float64).dtype == tf.float64
    np.testing.assert_array_equal(random.signs([64], 3, tf.float64), random.signs([64], 3))


# The same numbers in every way of running


@pytest.mark.parametrize(("dtype", "tolerance"), [(tf.float32, 1e-5), (tf.float64, 1e-12)])
def test_normals_are_the_same_eagerly_in_a_graph_and_compiled(dtype, tolerance):
    def draw(seed: tf.Tensor) -> tf.Tensor:
        return random.normal([3, 1001], seed, dtype)

    eager = draw(random.as_seed(12))
    for jit_compile in (False, True):
        compiled = tf.function(draw, jit_compile=jit_compile)(random.as_seed(12))
        np.testing.assert_allclose(compiled, eager, rtol=tolerance, atol=tolerance)


def test_signs_seeds_and_uniforms_are_the_same_eagerly_in_a_graph_and_compiled():
    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        first, second = random.split(seed)
        return random.signs([100], first), random.uniform([100], second), random.fold_in(seed, 3), first, second

    eager = draw(random.as_seed(12))
    for jit_compile in (False, True):
        for a, b in zip(eager, tf.function(draw, jit_compile=jit_compile)(random.as_seed(12)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_change_of_the_sequence_needs_a_new_algorithm_string():
    # If this fails on purpose, change random.ALGORITHM as well: saved runs refuse to go on with another sequence.
    golden = {
        "philox/lattice-box-muller/2": {
            "float32": [0.361855060, 0.502747238, 0.781074226, 1.30629849, -0.0415935852],
            "float64": [
                0.25881812710416685,
                -0.6022366574817573,
                -1.2381798505106771,
                0.43301039418829995,
                0.8004825912534914,
            ],
            "signs": [-1, -1, 1, 1, 1, -1, -1, -1],
            "fold_in": [-897780066, -641237523],
            "split": [[107075191, -1232967847], [639715526, 2000445424]],
        }
    }
    assert random.ALGORITHM in golden, "Add the first numbers of the new sequence here, and drop the old ones."
    expected = golden[random.ALGORITHM]
    np.testing.assert_allclose(random.normal([5], 0), expected["float32"], rtol=1e-5)
    np.testing.assert_allclose(random.normal([5], 0, tf.float64), expected["float64"], rtol=1e-12)
    np.testing.assert_array_equal(random.signs([8], 0), expected["signs"])
    np.testing.assert_array_equal(random.fold_in(random.as_seed(0), 1), expected["fold_in"])
    np.testing.assert_array_equal(random.split(random.as_seed(0)), expected["split"])


@pytest.mark.parametrize("shape", [[], [0], [1], [2, 3], [3, 0, 2]])
def test_every_shape_is_filled(shape):
    for draw in (random.normal, random.uniform, random.signs):
        assert draw(shape, 0).shape == shape
        assert draw(tf.constant(shape, tf.int32), 0).shape == shape


def test_an_unknown_batch_size_is_fine():
    shapes = (tf.shape, lambda x: [tf.shape(x)[0], 2], lambda x: (tf.shape(x)[0], tf.constant(2)))
    for shape in shapes:
        draw = tf.function(
            lambda x, shape=shape: random.normal(shape(x), 0), [tf.TensorSpec([None, 2])], autograph=False
        )
        np.testing.assert_array_equal(draw(tf.zeros([3, 2])), random.normal([3, 2], 0))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_narrow_types_are_the_float32_numbers_cast(dtype):
    np.testing.assert_array_equal(
        random.normal([9], 1, dtype).numpy().astype(np.float32),
        tf.cast(random.normal([9], 1), dtype).numpy().astype(np.float32),
    )


# Seeds


@pytest.mark.parametrize("seed", [0, 7, -1, -(2**40), 2**31, 2**32, 2**32 + 7, 2**63 + 1, 2**70, True])
def test_every_int_is_a_seed(seed):
    first, second = random.as_seed(seed), random.as_seed(seed)
    assert first.dtype == tf.int32
    assert first.shape == (2,)
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(random.normal([3], seed)).all()


def test_ints_of_64_bits_are_different_seeds():
    ints = [0, 1, -1, 2, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, -(2**31), -(2**63), 2**63 - 1]
    seeds = {tuple(random.as_seed(i).numpy().tolist()) for i in ints}
    assert len(seeds) == len(ints)
    draws = {float(random.normal([], i)) for i in ints}
    assert len(draws) == len(ints)


@pytest.mark.parametrize("pair", [(1, 2), [1, 2], np.array([1, 2]), np.array([1, 2], np.int32), np.uint8([1, 2])])
def test_pairs_arrays_and_tensors_of_the_same_numbers_are_the_same_seed(pair):
    expected = random.normal([4], (1, 2))
    np.testing.assert_array_equal(random.normal([4], pair), expected)
    np.testing.assert_array_equal(random.normal([4], tf.convert_to_tensor(pair)), expected)


def test_numpy_ints_are_ints():
    np.testing.assert_array_equal(random.as_seed(np.int64(-5)), random.as_seed(-5))


@pytest.mark.parametrize("seed", [1.5, (1.0, 2.0), (1, 2, 3), [1], [[1, 2]], np.zeros([2]), tf.constant(3)])
def test_other_things_are_no_seeds(seed):
    with pytest.raises(ValueError, match=r"A seed is an int or a pair of ints\. Received shape"):
        random.as_seed(seed)


def test_set_seed_determines_the_unseeded_draws_that_follow():
    def some() -> list[np.ndarray]:
        return [random.normal([3], None).numpy() for _ in range(3)]

    random.set_seed(1)
    first, second = some(), some()
    bc.set_seed(1)
    again = some()
    bc.set_seed(2)
    other = some()
    np.testing.assert_array_equal(first, again)
    for a, b in itertools.combinations([*first, *second, *other], 2):
        assert (a != b).all()


def test_unseeded_draws_differ_in_a_compiled_function_too():
    draw = tf.function(lambda: random.normal([3], None))
    assert (draw().numpy() != draw().numpy()).all()


def test_folding_on_is_folding_in_one_after_the_other():
    seed = random.as_seed((3, -4))
    folded = random.fold_in(seed, 5)
    expected = [folded, *(random.fold_in(folded, i) for i in range(3))]
    np.testing.assert_array_equal(random.fold_in_and_on(seed, 5, 3), expected)


def test_split_and_fold_in_give_seeds_that_all_differ():
    seed = random.as_seed(0)
    made = [*random.split(seed, 50), *(random.fold_in(seed, i) for i in range(50)), seed]
    assert len({tuple(s.numpy().tolist()) for s in made}) == len(made)


def test_uniform_numbers_stay_inside_where_the_last_cell_would_round_to_one(monkeypatch):
    last = tf.constant([0, 2**32 - 1], tf.uint32)
    monkeypatch.setattr(random, "_bits", lambda shape, seed, dtype, counter=None: last)
    low, high = random.uniform([2], 0).numpy()
    assert -1 < low < -0.9999999
    assert 0.9999999 < high < 1
