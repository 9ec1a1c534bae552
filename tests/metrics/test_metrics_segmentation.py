"""Claims about the classes of pixels, against loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import jaccard_score

from bayesconv import metrics


@pytest.fixture
def images(rng):
    """Probabilities of four classes, and labels of which some are to be ignored."""
    probs, labels = softmax(2 * rng.normal(size=(3, 5, 6, 4)), axis=-1), rng.integers(0, 4, (3, 5, 6))
    labels[0, :2] = 255
    return probs, labels


def test_confusion_and_iou_equal_loops_over_pixels(images):
    probs, labels = images
    found = probs.argmax(axis=-1)
    expected = np.zeros([4, 4], int)
    for at in np.ndindex(labels.shape):
        if labels[at] != 255:
            expected[labels[at], found[at]] += 1
    confusion = metrics.confusion_matrix(found, labels, num_classes=4, ignored_label=255)
    np.testing.assert_array_equal(confusion, expected)
    kept = labels != 255
    per_class = jaccard_score(labels[kept], found[kept], average=None)
    np.testing.assert_allclose(metrics.intersection_over_union(confusion), per_class)
    assert metrics.mean_intersection_over_union(confusion) == pytest.approx(per_class.mean())


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64])
def test_small_integers_hold_labels_and_not_the_cells_of_many_classes(rng, dtype):
    """20 classes make 400 cells; files of labels are of uint8."""
    found, labels = rng.integers(0, 20, (2, 500))
    expected = metrics.confusion_matrix(found, labels, num_classes=20)
    np.testing.assert_array_equal(
        metrics.confusion_matrix(found.astype(dtype), labels.astype(dtype), num_classes=20), expected
    )
    perfect = metrics.confusion_matrix(labels.astype(dtype), labels.astype(dtype), num_classes=20)
    assert metrics.mean_intersection_over_union(perfect) == 1.0


def test_a_class_that_never_occurs_has_no_iou_and_no_weight():
    confusion = metrics.confusion_matrix([0, 1, 1], [0, 0, 1], num_classes=3)
    assert np.isnan(metrics.intersection_over_union(confusion)).tolist() == [False, False, True]
    assert metrics.mean_intersection_over_union(confusion) == 0.5


def test_iou_of_all_pixels_is_not_the_mean_of_the_images():
    found, labels = np.array([[0, 0, 0, 1], [1, 1, 1, 1]]), np.array([[0, 0, 1, 1], [1, 1, 1, 1]])
    together = metrics.intersection_over_union(metrics.confusion_matrix(found, labels, num_classes=2))
    assert together[1] == 5 / 6
    each = [metrics.intersection_over_union(metrics.confusion_matrix(*pair, num_classes=2))[1]
            for pair in zip(found, labels, strict=True)]  # fmt: skip
    assert np.mean(each) == 0.75


@pytest.mark.parametrize("name", metrics.metrics_of("classification"))
def test_a_metric_of_pixels_is_that_of_the_pixels_one_by_one(images, name):
    probs, labels = images
    metric = metrics.metrics_of("classification")[name]
    pixels = [(probs[at], labels[at]) for at in np.ndindex(labels.shape) if labels[at] != 255]
    expected = metric(np.array([p for p, _ in pixels]), np.array([y for _, y in pixels]))
    assert metrics.pixelwise(metric, ignored_label=255)(probs, labels) == pytest.approx(expected, abs=1e-12)


def test_the_bootstrap_draws_images_and_not_pixels():
    """Images that are right or wrong as a whole: 8 of them are 8 observations, not 800."""
    labels = np.zeros((8, 10, 10), int)
    probs = np.where(np.arange(8)[:, None, None, None] < 4, [0.9, 0.1], [0.1, 0.9]) * np.ones((8, 10, 10, 1))
    of_images = metrics.bootstrap(metrics.pixelwise(metrics.accuracy), probs, labels)
    assert (of_images.lower, of_images.upper) == (0.125, 0.875)  # the 2.5 % quantiles of Binomial(8, 1/2) / 8
    pixels = metrics.bootstrap(metrics.accuracy, probs.reshape(-1, 2), labels.ravel())
    assert pixels.upper - pixels.lower < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.confusion_matrix([0], [[0]], num_classes=2), r"one shape.*\[1\] and \[1, 1\].*argmax"),
        (lambda: metrics.confusion_matrix([0], [255], num_classes=2), r"`labels` must lie in \[0, 2\).*ignore"),
        (lambda: metrics.confusion_matrix([2], [0], num_classes=2), r"`predictions` must lie in \[0, 2\)"),
        (lambda: metrics.confusion_matrix([0.5], [0], num_classes=2), "`predictions` must be integers.*float64"),
        (lambda: metrics.confusion_matrix([0], [0], num_classes=1), "`num_classes` must be at least 2"),
        (lambda: metrics.intersection_over_union([1, 2]), r"`confusion` must be counts \[K, K\].*\[2\]"),
        (lambda: metrics.mean_intersection_over_union([[0, 0], [0, 0]]), "one pixel or more.*ignored"),
        (lambda: metrics.pixelwise(metrics.accuracy)([[0.5, 0.5]], [[0]]), r"\[N, H, W, K\].*\[1, 2\] and \[1, 1\]"),
    ],
)
def test_bad_input_is_an_error_that_says_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()
