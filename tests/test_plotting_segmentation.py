"""Claims about maps of pixels: what is in the pictures, the texts and the scales."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from bayesconv import metrics, plotting
from bayesconv.plotting.pixel_calibration import curve_of_pixels
from bayesconv.plotting.theme import VERMILION

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.uniform(size=(3, 8, 6, 1))
LABELS = GENERATOR.integers(0, 4, size=(3, 8, 6))
PROBS = GENERATOR.dirichlet(np.ones(4), size=(3, 8, 6))
WRONG = PROBS.argmax(axis=-1) != LABELS
ALEATORIC, EPISTEMIC = GENERATOR.uniform(0, 1.2, size=(3, 8, 6)), GENERATOR.uniform(0, 0.05, size=(3, 8, 6))
PARTS = {"expected_entropy": ALEATORIC, "mutual_information": EPISTEMIC}


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


def _shown(ax):
    """The picture as colours `[H, W, 4]`, and as numbers."""
    image = ax.get_images()[0]
    return image.to_rgba(image.get_array()), image.get_array()


def _names(axes):
    return [row[0].get_ylabel() for row in axes]


def test_rows_are_what_was_given():
    plain = plotting.segmentation_maps(IMAGES, PROBS)
    assert _names(plain) == ["image", "prediction", "total"]
    axes = plotting.segmentation_maps(IMAGES, PROBS, LABELS, **PARTS)
    assert _names(axes) == ["image", "true class", "prediction", "error", "aleatoric", "epistemic"]
    assert axes.shape == (6, 3)
    for column in range(3):
        for row, expected in enumerate(
            [IMAGES[..., 0], LABELS, PROBS.argmax(-1), WRONG, ALEATORIC, EPISTEMIC],
        ):
            np.testing.assert_array_equal(_shown(axes[row, column])[1], expected[column])


def test_without_uncertainties_the_predictive_entropy_is_drawn():
    axes = plotting.segmentation_maps(IMAGES, PROBS)
    expected = -(PROBS * np.log(PROBS)).sum(axis=-1)
    np.testing.assert_allclose(_shown(axes[2, 1])[1], expected[1], rtol=1e-12)


def test_images_share_the_scale_of_a_row_and_its_bar_is_in_nats():
    axes = plotting.segmentation_maps(IMAGES, PROBS, LABELS, **PARTS)
    for row, values in ((4, ALEATORIC), (5, EPISTEMIC)):
        assert {ax.get_images()[0].get_clim() for ax in axes[row]} == {(0.0, values.max())}
    assert len({ax.get_images()[0].get_clim() for ax in axes[0]}) == 1
    bars = [ax for ax in axes[0, 0].figure.axes if ax not in list(axes.flat)]
    assert [bar.get_ylabel() for bar in bars] == ["nats", "nats"]
    np.testing.assert_allclose([bar.get_ylim()[1] for bar in bars], [ALEATORIC.max(), EPISTEMIC.max()])


def test_a_class_has_one_colour_in_truth_prediction_and_legend():
    names = ["nothing", "cat", "dog", "bird"]
    axes = plotting.segmentation_maps(IMAGES, PROBS, LABELS, class_names=names)
    legend = axes[0, 0].figure.legends[0]
    colors = {
        text.get_text(): patch.get_facecolor() for text, patch in zip(legend.texts, legend.get_patches(), strict=True)
    }
    assert list(colors) == names
    assert len(set(colors.values())) == 4
    for row, classes in ((1, LABELS), (2, PROBS.argmax(-1))):
        drawn = _shown(axes[row, 0])[0]
        for k, name in enumerate(names):
            np.testing.assert_allclose(
                drawn[classes[0] == k], np.broadcast_to(colors[name], drawn[classes[0] == k].shape)
            )


def test_wrong_pixels_stand_out_and_their_share_is_written():
    axes = plotting.segmentation_maps(IMAGES, PROBS, LABELS)
    drawn = _shown(axes[3, 2])[0]
    assert {to_hex(color) for color in drawn[WRONG[2]]} == {VERMILION.lower()}
    assert VERMILION.lower() not in {to_hex(color) for color in drawn[~WRONG[2]]}
    assert axes[3, 2].get_xlabel() == f"{WRONG[2].mean():.1%}"


def test_ignored_pixels_stay_white_and_do_not_count():
    labels = LABELS.copy()
    labels[0, :4] = 255
    labels[1] = 255
    axes = plotting.segmentation_maps(IMAGES, PROBS, labels, ignored_label=255)
    for row in (1, 3):
        drawn = _shown(axes[row, 0])[0]
        assert {to_hex(color) for color in drawn[:4].reshape(-1, 4)} == {"#ffffff"}
        assert "#ffffff" not in {to_hex(color) for color in drawn[4:].reshape(-1, 4)}
    assert [ax.get_xlabel() for ax in axes[3]] == [f"{WRONG[0, 4:].mean():.1%}", "", f"{WRONG[2].mean():.1%}"]


def test_the_first_images_are_drawn_in_colour_too():
    colored = GENERATOR.uniform(size=(3, 8, 6, 3))
    axes = plotting.segmentation_maps(colored, PROBS, num_images=2)
    assert axes.shape == (3, 2)
    np.testing.assert_allclose(_shown(axes[0, 1])[1], colored[1])
    assert plotting.segmentation_maps(colored, PROBS, num_images=9).shape == (3, 3)


def test_a_given_figure_is_used_and_settings_are_as_before():
    before, figure = dict(mpl.rcParams), plt.figure(layout="constrained")
    axes = plotting.segmentation_maps(IMAGES, PROBS, LABELS, figure=figure, **PARTS)
    figure.canvas.draw()
    assert {ax.figure for ax in axes.flat} == {figure}
    assert plt.get_fignums() == [1]
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [2, 4, 11, 30])
def test_no_two_texts_overlap(num_classes):
    probs = np.random.default_rng(1).dirichlet(np.ones(num_classes), size=(3, 8, 6))
    labels = np.random.default_rng(2).integers(0, num_classes, size=(3, 8, 6))
    axes = plotting.segmentation_maps(IMAGES, probs, labels, **PARTS)
    figure = axes[0, 0].figure
    figure.canvas.draw()
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    boxes = {text: text.get_window_extent() for text in texts}
    inside = figure.bbox
    for text, box in boxes.items():
        assert inside.x0 - 1 <= box.x0
        assert box.x1 <= inside.x1 + 1, text.get_text()
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one.get_text(), other.get_text())


def test_thirty_classes_have_thirty_colours():
    probs = np.broadcast_to(np.eye(30)[:, np.newaxis, np.newaxis], (30, 1, 1, 30))
    axes = plotting.segmentation_maps(np.zeros([30, 1, 1]), probs, num_images=30)
    assert len({to_hex(_shown(ax)[0][0, 0]) for ax in axes[1]}) == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probs": PROBS[0]}, r"`probs` must be \[N, H, W, K\], of every pixel\. Received shape \[8, 6, 4\]"),
        ({"probs": 2 * PROBS}, "must sum to one"),
        ({"labels": LABELS[:, :5]}, r"same pixels.*probs of shape \[3, 8, 6, 4\] and .*labels \[3, 5, 6\]"),
        ({"images": IMAGES[:2]}, r"images \[2, 8, 6\]"),
        ({"mutual_information": EPISTEMIC[:, 0]}, r"mutual_information \[3, 6\]"),
        ({"expected_entropy": np.full([3, 8, 6], np.nan)}, "`expected_entropy` must be finite. Received 144"),
        ({"labels": LABELS + 1}, r"integers in \[0, 4\), or `ignored_label`, here None\. Received int64 from 1 to 4"),
        ({"labels": LABELS.astype(float)}, "Received float64"),
        ({"class_names": ["a"]}, "`class_names` must be 4, one a class. Received 1"),
        ({"num_images": 0}, "`num_images` must be at least 1. Received 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    arguments = {"images": IMAGES, "probs": PROBS, "labels": LABELS} | changes
    with pytest.raises(ValueError, match=message):
        plotting.segmentation_maps(**arguments)


# Reliability of pixels.


def _points(ax):
    lines = [line for line in ax.get_lines() if line.get_label().startswith("measured")]
    points = np.concatenate([line.get_xydata() for line in lines])
    return points[np.isfinite(points).all(axis=1)]  # empty bins have none


def test_points_are_those_of_all_pixels_together():
    ax = plotting.pixel_reliability_diagram(PROBS, LABELS, label="net", num_bins=10)
    curve = metrics.reliability_curve(PROBS.reshape(-1, 4), LABELS.ravel(), num_bins=10)
    expected = np.column_stack([curve.confidence, curve.accuracy])[curve.count > 0]
    found = _points(ax)
    np.testing.assert_allclose(found[found[:, 0].argsort()], expected)
    ece = metrics.expected_calibration_error(PROBS.reshape(-1, 4), LABELS.ravel(), num_bins=10)
    assert ax.get_title(loc="left") == f"net\nECE {ece:.3f}"
    assert "144 pixels" in [text.get_text() for text in ax.child_axes[-1].texts]


def test_ignored_pixels_are_left_out():
    labels = np.where(WRONG, 255, LABELS)
    ax = plotting.pixel_reliability_diagram(PROBS, labels, ignored_label=255)
    np.testing.assert_array_equal(_points(ax)[:, 1], 1.0)
    assert f"{(~WRONG).sum()} pixels" in [text.get_text() for text in ax.child_axes[-1].texts]


def _band(ax):
    return np.array([[bar.get_y(), bar.get_y() + bar.get_height()] for bar in ax.containers[0]])


def _calibrated(seed, num_images, pixels, *, alike):
    """A model that is right with its probability of 0.7; all pixels of an image are alike, or each by itself."""
    right = np.random.default_rng(seed).random([num_images, 1 if alike else pixels]) < 0.7
    labels = np.broadcast_to(~right, [num_images, pixels]).astype(int).reshape(num_images, 1, pixels)
    return np.broadcast_to([0.7, 0.3], [*labels.shape, 2]), labels


def test_the_band_is_that_of_as_many_images_as_there_are_not_of_pixels():
    width = {}
    for alike in (False, True):
        ax = plotting.pixel_reliability_diagram(*_calibrated(0, 400, 25, alike=alike), num_bins=1)
        low, high = _band(ax)[0]
        width[alike] = high - low
        np.testing.assert_allclose((low + high) / 2, 0.7, atol=1e-3)
    # 1.96 standard errors of a mean of 10,000 pixels or of 400 images, whose estimates are within a tenth or so
    np.testing.assert_allclose(width[False], 2 * 1.96 * np.sqrt(0.21 / 10_000), rtol=0.15)
    np.testing.assert_allclose(width[True], 2 * 1.96 * np.sqrt(0.21 / 400), rtol=0.15)


def test_a_few_pixels_have_the_band_of_independent_ones_at_least():
    probs, labels = np.tile([0.28, 0.24, 0.24, 0.24], (4, 1)), np.ones(4, int)  # all are wrong, by about 0.28
    curve = curve_of_pixels(probs, labels, np.arange(4), num_bins=1)
    independent = metrics.reliability_curve(probs, labels, num_bins=1)
    assert curve.lower[0] == independent.lower[0] == 0.0
    assert curve.upper[0] == independent.upper[0] > 0.28 * (1 + 1.96 / 2)


def test_nineteen_of_twenty_calibrated_models_are_inside_of_their_band():
    image, inside = np.repeat(np.arange(200), 9), 0
    for seed in range(400):
        probs, labels = _calibrated(seed, 200, 9, alike=True)
        curve = curve_of_pixels(probs.reshape(-1, 2), labels.ravel(), image, num_bins=1)
        inside += curve.lower[0] <= curve.accuracy[0] <= curve.upper[0]
    assert 366 <= inside <= 394  # by chance alone otherwise about once in 1000


def test_pixels_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"`probs` must be \[N, H, W, K\] for `labels` \[N, H, W\]\. Received shapes \[3"
    ):
        plotting.pixel_reliability_diagram(PROBS, LABELS[:2])
