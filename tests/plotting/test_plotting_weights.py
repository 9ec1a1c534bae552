"""Claims about figures of weights: densities, histograms, pruning, kernels, KL."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesconv import plotting


def _meshes(ax):
    return [collection for collection in ax.collections if hasattr(collection, "get_coordinates")]


def test_densities_are_drawn_as_given_and_axes_are_as_high_as_the_posterior():
    x = np.stack([np.linspace(-1, 1, 21), np.linspace(0, 4, 21)])
    posterior, prior = stats.norm.pdf(x, 0.2, 0.3), 50 * stats.norm.pdf(x, 0, 1)
    axes = plotting.weight_densities(x, posterior, prior, names=["a", "b"])
    for ax, places, q, p in zip(axes, x, posterior, prior, strict=True):
        first, second = ax.get_lines()
        np.testing.assert_allclose(first.get_xydata(), np.stack([places, q], axis=1))
        np.testing.assert_allclose(second.get_ydata(), p)
        assert ax.get_ylim() == pytest.approx((0, 1.15 * q.max()))


def test_draws_stand_in_where_there_is_no_density(rng):
    x, unknown = np.tile(np.linspace(-3, 3, 9), (2, 1)), np.full([2, 9], np.nan)
    samples = np.stack([rng.normal(size=300), np.full(300, np.nan)])
    unknown[1] = stats.norm.pdf(x[1])
    with_draws, with_density = plotting.weight_densities(x, unknown, samples=samples)
    heights, edges = np.histogram(samples[0], bins=30, density=True)
    np.testing.assert_allclose([bar.get_height() for bar in with_draws.patches], heights)
    np.testing.assert_allclose([bar.get_x() for bar in with_draws.patches], edges[:-1])
    assert not with_density.patches
    assert with_draws.get_ylim()[1] > 0.9 * heights.max()


def test_histograms_have_a_row_a_layer_whose_cells_sum_to_one():
    means = {"conv": np.array([-0.5, 0.5, 0.5, 0.1]), "head": np.zeros(3)}
    scales = {"conv": np.array([0.01, 0.01, 0.1, 1.0]), "head": np.array([0.0, 0.1, 0.1])}
    left, right = plotting.weight_histograms(means, scales)
    for ax, values in ((left, means), (right, scales)):
        assert [text.get_text() for text in ax.get_yticklabels()] == ["conv", "head"]
        for mesh, v in zip(_meshes(ax), values.values(), strict=True):
            edges, shares = mesh.get_coordinates()[0, :, 0], np.ravel(mesh.get_array())
            np.testing.assert_allclose(shares, np.histogram(np.maximum(v, edges[0]), edges)[0] / len(v))
            assert shares.sum() == pytest.approx(1)
    assert left.get_xlim() == (-0.5, 0.5)  # symmetrical
    assert right.get_xscale() == "log"


def test_pruned_shares_are_counts_at_every_threshold(rng):
    layers = {"conv": rng.lognormal(0, 1, 41), "head": np.r_[1.0, rng.lognormal(-1, 1, 99)]}
    ax = plotting.pruning_curve(layers)
    conv, head, everything = (line for line in ax.get_lines() if len(line.get_xdata()) > 2)
    both = np.concatenate(list(layers.values()))
    for line, values in ((conv, layers["conv"]), (head, layers["head"]), (everything, both)):
        for threshold, share in line.get_xydata()[::40]:
            assert share == pytest.approx(np.mean(values <= threshold))
    assert ax.get_legend().get_texts()[2].get_text() == f"all: {100 * np.mean(both < 1):.0f} %"


def test_filters_lie_side_by_side_on_one_symmetrical_scale(rng):
    mean, std = rng.normal(size=(3, 2, 4, 5)), rng.uniform(0, 2, (3, 2, 4, 5))
    mean[0, 0, 0, 0] = 5.0  # further from zero than the least is
    left, right = plotting.kernel_images(mean, std, max_inputs=3, max_outputs=4, name="conv1")
    for ax, kernel in ((left, mean), (right, std)):
        picture = ax.get_images()[0].get_array().filled(np.nan)
        assert picture.shape == (3 * 4 - 1, 4 * 3 - 1)
        for i in range(3):
            for j in range(4):
                np.testing.assert_allclose(picture[4 * i : 4 * i + 3, 3 * j : 3 * j + 2], kernel[:, :, i, j])
        assert np.isnan(picture[3::4]).all()
        assert np.isnan(picture[:, 2::3]).all()
    low, high = left.get_images()[0].get_clim()
    assert (-low, high) == pytest.approx((np.abs(mean[:, :, :3, :4]).max(),) * 2)
    assert right.get_images()[0].get_clim() == pytest.approx((0, std[:, :, :3, :4].max()))
    assert left.get_title(loc="left") == "conv1: mean"
    assert left.get_ylabel() == "input channels (3 of 4)"


def test_filters_of_one_input_channel_fill_a_square_and_those_of_rank_one_a_line(rng):
    mean = rng.normal(size=(2, 2, 1, 5))
    picture = plotting.kernel_images(mean, np.abs(mean))[0].get_images()[0].get_array()
    assert picture.shape == (2 * 3 - 1, 3 * 3 - 1)
    np.testing.assert_allclose(picture[3:5, 3:5], mean[:, :, 0, 4])
    line = plotting.kernel_images(mean[0], np.abs(mean[0]))[0].get_images()[0].get_array()
    np.testing.assert_allclose(line[0, :2], mean[0, :, 0, 0])


def test_kl_is_shown_in_total_and_per_weight():
    left, right = plotting.kl_by_layer({"conv": 30.0, "head": 1500.0}, {"conv": 10, "head": 1000})
    assert [bar.get_width() for bar in left.patches] == [30, 1500]
    assert [bar.get_width() for bar in right.patches] == [3, 1.5]
    assert [text.get_text() for text in [*left.texts, *right.texts]] == ["30", "1,500", "3.00", "1.50"]
    assert left.get_ylim()[0] > left.get_ylim()[1]
