"""Claims about the data sets with real targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_diabetes

from bayesconv import data


def test_images_are_the_scans_turned_by_their_angles():
    turned, scans = data.digit_rotation(copies=2), data.digits()
    assert (turned.task, turned.num_classes, turned.class_names) == ("regression", 1, ("angle [rad]",))
    assert len(turned.train.y) == 2 * len(scans.train.y)
    for n in (0, 7, len(scans.train.y) + 7):  # the last is another copy of the one before
        scan = scans.train.x[n % len(scans.train.y), ..., 0]
        degrees = float(np.degrees(turned.train.y[n, 0]))
        expected = ndimage.rotate(scan, degrees, reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(turned.train.x[n, ..., 0], expected, atol=1e-5)
    # Uniform within 45 degrees: 2,300 draws have a mean within five standard errors but in 6e-7 of the seeds.
    assert np.abs(turned.train.y).max() <= np.pi / 4
    assert abs(turned.train.y.mean()) < 5 * (np.pi / 4) / np.sqrt(3 * 2300)


def test_positive_angles_turn_anticlockwise():
    upright = np.zeros([1, 9, 9, 1], np.float32)
    upright[0, :5, 4] = 1.0  # from the centre to the top
    turned = data.rotation._turned(np.repeat(upright, 50, axis=0), 90.0, np.random.default_rng(0))
    columns = (turned.x[..., 0] * np.arange(9)).sum(axis=(1, 2)) / turned.x.sum(axis=(1, 2, 3))
    assert ((columns < 4) == (turned.y[:, 0] > 0)).all()  # the top goes to the left


@pytest.mark.parametrize("options", [{"max_degrees": 0}, {"max_degrees": 181}, {"copies": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="Received"):
        data.digit_rotation(**options)


def test_tables_are_standardized_by_their_training_rows_and_split_without_overlap():
    found = data.diabetes()
    np.testing.assert_allclose(found.train.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.train.y.std(), 1, rtol=1e-5)
    assert np.abs(found.test.y.mean()) > 1e-4
    rows = np.concatenate([part.x for part in found[1:4]])
    inputs, scores = load_diabetes(return_X_y=True)
    assert len(np.unique(rows, axis=0)) == len(inputs) == len(rows)
    every = np.concatenate([part.y for part in found[1:4]])[:, 0]
    np.testing.assert_allclose(np.argsort(np.sort(every)), np.arange(442))
    np.testing.assert_allclose(np.ptp(every) * scores.std(), np.ptp(scores), rtol=0.1)
    with pytest.raises(ValueError, match="leave 2 of 442 rows"):
        data.diabetes(test_size=400)
