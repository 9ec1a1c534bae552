"""Claims about figures of real targets: limits of bands, colours of misses, quantiles of binomials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesconv import metrics, plotting


def _limits(collection, x):
    """Lowest and highest place of a band at each x."""
    points = collection.get_paths()[0].vertices
    return np.array([[f(points[np.isclose(points[:, 0], place), 1]) for f in (np.min, np.max)] for place in x])


def test_bands_are_the_stated_number_of_standard_deviations_whatever_the_order_of_inputs(rng):
    x = rng.permutation(np.linspace(-2, 2, 9))
    mean, std, noise = np.sin(x), 0.5 + x**2 / 10, np.full(9, 0.3)
    functions = mean + rng.normal(size=(3, 9))
    ax = plotting.predictive_bands(
        x, mean, std, aleatoric=noise, data=([0.0, 1.0], [2.0, 3.0]), functions=functions, num_std=1.5
    )
    total, inner = ax.collections
    np.testing.assert_allclose(_limits(total, x), np.stack([mean - 1.5 * std, mean + 1.5 * std], axis=1))
    np.testing.assert_allclose(_limits(inner, x), np.stack([mean - 1.5 * noise, mean + 1.5 * noise], axis=1))
    *draws, line, data = ax.get_lines()
    order = np.argsort(x)
    np.testing.assert_allclose([draw.get_ydata() for draw in draws], functions[:, order])
    np.testing.assert_allclose(line.get_xydata(), np.stack([x, mean], axis=1)[order])
    assert data.get_xydata().tolist() == [[0, 2], [1, 3]]


def test_columns_of_a_net_of_one_output_are_vectors():
    column = np.ones([4, 1])
    ax = plotting.predictive_bands(np.arange(4.0)[:, None], column, column)
    assert ax.get_lines()[0].get_ydata().tolist() == [1, 1, 1, 1]


def test_error_bars_that_miss_the_truth_are_told_apart():
    y, mean, std = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.1, 2.0, 2.0, 0.0]), np.array([0.1, 0.4, 0.0, 2.0])
    ax = plotting.predicted_against_true(y, mean, std, num_std=2)
    inside, outside = ax.containers
    assert inside.lines[0].get_xydata().tolist() == [[0, 0.1], [2, 2], [3, 0]]
    assert outside.lines[0].get_xydata().tolist() == [[1, 2]]
    np.testing.assert_allclose(outside.lines[2][0].get_segments()[0][:, 1], [1.2, 2.8])
    assert ax.get_lines()[0].get_xydata().tolist() == [[0, 0], [3, 3]]


@pytest.mark.parametrize("intervals", [False, True])
def test_calibration_lines_count_targets(rng, intervals):
    mean, std, y = rng.normal(size=70), rng.uniform(0.5, 1, 70), rng.normal(size=70)
    ax = plotting.quantile_calibration({"net": metrics.gaussian_pit(mean, std, y)}, intervals=intervals)
    line = ax.get_lines()[0]
    for level, share in line.get_xydata():
        low = stats.norm.ppf((1 - level) / 2, mean, std) if intervals else -np.inf
        high = stats.norm.ppf((1 + level) / 2 if intervals else level, mean, std)
        assert share == pytest.approx(np.mean((low <= y) & (y <= high)))
    text = ax.get_legend().get_texts()[0].get_text()
    picp = metrics.interval_coverage(*(stats.norm.ppf(q, mean, std) for q in (0.05, 0.95)), y)
    assert text == (f"net: {100 * picp:.1f} % in 90 % intervals" if intervals else text)


def test_the_band_holds_a_perfect_model_with_the_stated_probability():
    """Exactly: a binomial's tails outside of it are at most 5 % each, and one step further in they would be more."""
    ax = plotting.quantile_calibration({"small": np.full(40, 0.5), "large": np.full(90, 0.5)}, level=0.9)
    levels = np.arange(1, 100) / 100
    low, high = np.round(40 * _limits(ax.collections[0], levels)).T
    assert (stats.binom.cdf(low - 1, 40, levels) <= 0.05).all()
    assert (stats.binom.sf(high, 40, levels) <= 0.05).all()
    assert (stats.binom.cdf(low, 40, levels) >= 0.05).all()
    assert (stats.binom.sf(high - 1, 40, levels) >= 0.05).all()


def test_shares_of_a_few_quantiles_and_the_range_of_a_perfect_model():
    rng = np.random.default_rng(0)
    levels, y = np.array([0.1, 0.5, 0.9]), rng.normal(size=300)
    below = y[:, np.newaxis] < stats.norm.ppf(levels, scale=0.5)  # predicted too narrow
    ax = plotting.quantile_shares({"net": below}, levels, level=0.95)
    line = ax.get_lines()[0].get_xydata()
    np.testing.assert_allclose(line, np.stack([levels, below.mean(axis=0)], axis=1))
    bars = np.array(ax.collections[0].get_segments())
    np.testing.assert_allclose(bars[:, 0, 1] * 300, stats.binom.ppf(0.025, 300, levels))
    np.testing.assert_allclose(bars[:, 1, 1] * 300, stats.binom.ppf(0.975, 300, levels))
    assert line[0, 1] > bars[0, 1, 1]
    assert line[2, 1] < bars[2, 0, 1]
    assert ax.get_legend().get_texts()[0].get_text() == f"net: error {np.abs(line[:, 1] - levels).mean():.3f}"
