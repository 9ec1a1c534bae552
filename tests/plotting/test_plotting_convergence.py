"""Claims about scores against the number of draws, and about sizes of conformal sets."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from bayesconv import metrics, plotting


def _logits(rng, num_draws=4):
    labels = rng.integers(0, 3, 40)
    return rng.normal(size=(num_draws, 40, 3)) + 2 * np.eye(3)[labels], labels


def test_with_one_draw_the_line_is_the_mean_over_the_draws_and_the_dashes_are_all_together(rng):
    """Mean of 400 resamples of one draw: 5 standard errors, a false alarm in two million."""
    logits, labels = _logits(rng)
    axes = plotting.sample_convergence(logits, labels, counts=[1], num_resamples=400)
    probs = metrics.apply_temperature(logits, 1.0)
    scores = [
        lambda p: log_loss(labels, p),
        lambda p: np.mean(p.argmax(1) == labels),
        lambda p: metrics.expected_calibration_error(p, labels),
    ]
    for ax, score in zip(axes, scores, strict=True):
        single = [score(p) for p in probs]
        assert ax.get_lines()[0].get_ydata()[0] == pytest.approx(np.mean(single), abs=5 * np.std(single) / 20)
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert (band.min(), band.max()) == pytest.approx((min(single), max(single)))
        assert ax.get_lines()[1].get_ydata()[0] == pytest.approx(score(probs.mean(axis=0)))


def test_draws_that_agree_have_no_band(rng):
    logits, labels = _logits(rng, 1)
    axes = plotting.sample_convergence(np.repeat(logits, 5, axis=0), labels, num_resamples=6)
    for ax in axes:
        line, whole = ax.get_lines()[:2]
        assert line.get_xdata().tolist() == [1, 2, 4, 5]
        np.testing.assert_allclose(line.get_ydata(), whole.get_ydata()[0])
        np.testing.assert_allclose(ax.collections[0].get_paths()[0].vertices[:, 1], whole.get_ydata()[0])


def test_the_band_narrows_with_the_number_of_draws(rng):
    logits, labels = _logits(rng, 64)
    band = plotting.sample_convergence(logits, labels, counts=[1, 64])[0].collections[0].get_paths()[0].vertices
    widths = [np.ptp(band[band[:, 0] == count, 1]) for count in (1, 64)]
    assert widths[1] < widths[0] / 3


def test_the_same_seed_gives_the_same_figure(rng):
    logits, labels = _logits(rng)
    one, same, other = (
        plotting.sample_convergence(logits, labels, num_resamples=5, seed=seed)[0].get_lines()[0].get_ydata()
        for seed in (0, 0, 1)
    )
    assert one.tolist() == same.tolist() != other.tolist()


def test_bars_are_the_shares_of_sets_of_each_size():
    sets = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]], bool)
    ax = plotting.conformal_set_sizes({"THR": sets, "all": np.ones([4, 3], bool)}, [0, 0, 1, 2])
    first, second = ax.containers
    assert [bar.get_height() for bar in first] == [0.25, 0.5, 0, 0.25]
    assert [bar.get_height() for bar in second] == [0, 0, 0, 1]
    centres = [round(bar.get_x() + bar.get_width() / 2) for bar in first]
    assert centres == [0, 1, 2, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "THR: 1.25 classes, 50.0 % hold the label",
        "all: 3.00 classes, 100.0 % hold the label",
    ]
    assert plotting.conformal_set_sizes({"THR": sets}).get_legend().get_texts()[0].get_text() == "THR: 1.25 classes"
