"""Claims about the bars of one image: lengths, error bars, quantiles, colours."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from bayesconv import plotting
from bayesconv.plotting.theme import BLUE, GREEN, GREY, VERMILION

MEAN, STD = np.array([0.7, 0.2, 0.1]), np.array([0.4, 0.05, 0.3])


def _colors(patches):
    return [to_hex(patch.get_facecolor()).upper() for patch in patches]


def test_bars_are_the_means_and_error_bars_end_at_zero_and_one():
    ax = plotting.class_bars(MEAN, STD)
    np.testing.assert_allclose([bar.get_width() for bar in ax.containers[0]], MEAN)
    segments = ax.containers[1].lines[2][0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in segments], [[0.3, 1.0], [0.15, 0.25], [0.0, 0.4]])
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first class on top
    assert len(plotting.class_bars(MEAN).containers) == 1


@pytest.mark.parametrize(
    ("label", "expected"),
    [(None, [BLUE, GREY, GREY]), (0, [GREEN, GREY, GREY]), (2, [VERMILION, GREY, GREEN])],
)
def test_colours_tell_right_from_wrong(label, expected):
    assert _colors(plotting.class_bars(MEAN, label=label).containers[0]) == expected


def test_boxes_are_the_quantiles_of_the_draws(rng):
    draws = rng.dirichlet([3, 2, 1], 101)
    ax = plotting.class_draws(draws)
    for k, box in enumerate(ax.patches):
        places = box.get_path().vertices[:, 0]
        np.testing.assert_allclose([places.min(), places.max()], np.quantile(draws[:, k], [0.25, 0.75]))
    ends = {round(float(x), 9) for line in ax.get_lines() for x in line.get_xdata()}
    for k in range(3):
        assert round(float(np.median(draws[:, k])), 9) in ends
        low, high = np.quantile(draws[:, k], [0.05, 0.95])  # whiskers end at the last draws inside
        inside = np.sort(draws[(draws[:, k] >= low) & (draws[:, k] <= high), k])
        assert {round(float(inside[0]), 9), round(float(inside[-1]), 9)} <= ends


def test_violins_have_the_range_and_the_median_of_the_draws(rng):
    draws = np.column_stack([rng.uniform(0.2, 0.6, 50), np.zeros(50)])
    draws = np.column_stack([draws, 1 - draws.sum(axis=1)])
    ax = plotting.class_draws(draws, kind="violin")
    assert len(ax.collections) == 2  # equal draws have no density
    places = ax.collections[0].get_paths()[0].vertices[:, 0]
    assert (places.min(), places.max()) == pytest.approx((draws[:, 0].min(), draws[:, 0].max()))
    np.testing.assert_allclose([line.get_xdata()[0] for line in ax.get_lines()], np.median(draws, axis=0))


def test_of_many_classes_the_ten_most_probable_and_the_true_one_are_shown():
    probs = np.linspace(1, 30, 30) / np.linspace(1, 30, 30).sum()
    for ax in (plotting.class_bars(probs, label=3), plotting.class_draws([probs, probs], label=3)):
        assert [text.get_text() for text in ax.get_yticklabels()] == [str(k) for k in [3, *range(20, 30)]]
