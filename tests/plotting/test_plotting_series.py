"""Claims about series beside what a model believes of them."""

from __future__ import annotations

import numpy as np
import pytest

from bayesconv import plotting

PROBS = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2]])


def certain(series, **options):
    return plotting.most_and_least_certain(series, PROBS, 0.1 * PROBS, num_images=1, series=True, **options)


@pytest.mark.parametrize("shape", [(4, 10), (4, 10, 1), (4, 10, 4)])
def test_a_few_channels_are_lines_on_one_scale(shape):
    series = np.random.default_rng(0).normal(size=shape)
    axes = certain(series)
    for ax, i in zip(axes[:, 0], (0, 2), strict=True):  # the surest, the least sure
        lines = np.stack([line.get_ydata() for line in ax.lines], axis=-1)
        np.testing.assert_array_equal(lines, series[i].reshape(10, -1))
    assert axes[0, 0].get_ylim() == axes[1, 0].get_ylim()
    assert axes[0, 0].get_ylim()[0] < series.min() < series.max() < axes[0, 0].get_ylim()[1]


def test_a_single_step_is_a_point_that_is_seen():
    assert [line.get_marker() for line in certain(np.ones([4, 1, 2]))[0, 0].lines] == ["o", "o"]
    assert certain(np.ones([4, 9, 1]))[0, 0].lines[0].get_marker() == "None"


def test_many_channels_are_rows_of_a_picture():
    series = np.random.default_rng(0).normal(size=(4, 10, 5))
    axes = plotting.ranked_images(series, {"entropy": [0.1, 0.4, 0.3, 0.2]}, num_images=1, series=True)
    (image,) = axes[0, 0, 0].get_images()
    np.testing.assert_array_equal(image.get_array(), series[1].T)
    assert image.get_clim() == (series.min(), series.max())


def test_a_constant_has_a_scale_too():
    low, high = certain(np.ones([4, 10]))[0, 0].get_ylim()
    assert low < 1 < high


@pytest.mark.parametrize("shape", [(4,), (4, 10, 2, 3), (4, 0, 2)])
def test_what_is_no_series_is_refused(shape):
    with pytest.raises(ValueError, match=r"Series are \[N, T\] or \[N, T, C\]\. Received shape"):
        certain(np.zeros(shape))
