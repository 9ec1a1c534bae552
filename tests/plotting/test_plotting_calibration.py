"""Claims about error bars of reliability diagrams, and about two of them in one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesconv import metrics, plotting
from bayesconv.plotting.theme import PALETTE

COUNT, RIGHT = np.array([0, 10, 20, 40, 5]), np.array([0, 0, 9, 37, 5])
with np.errstate(invalid="ignore"):
    ACCURACY = RIGHT / COUNT
CURVE = metrics.ReliabilityCurve(
    bin_edges=np.linspace(0, 1, 6),
    confidence=np.array([np.nan, 0.3, 0.5, 0.7, 0.95]),
    accuracy=ACCURACY,
    count=COUNT,
    lower=np.array([np.nan, 0.1, 0.3, 0.55, 0.8]),
    upper=np.array([np.nan, 0.5, 0.7, 0.8, 1.0]),
)


def _bars(ax, index=0):
    """The ends `[B, 2]` of error bars."""
    containers = [c for c in ax.containers if hasattr(c, "has_yerr")]
    return np.array([segment[:, 1] for segment in containers[index].lines[2][0].get_segments()])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_error_bars_are_the_exact_interval_of_a_share(level):
    ends = _bars(plotting.reliability_diagram(CURVE, error_bars=level))
    assert len(ends) == 4  # an empty bin has none
    for (low, high), right, count in zip(ends, RIGHT[1:], COUNT[1:], strict=True):
        exact = stats.binomtest(int(right), int(count)).proportion_ci(level, method="exact")
        np.testing.assert_allclose((low, high), (exact.low, exact.high), atol=1e-9)


def test_there_are_none_unless_asked_for():
    ax = plotting.reliability_diagram(CURVE)
    assert not [c for c in ax.containers if hasattr(c, "has_yerr")]
    assert "90 % interval" not in [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_band_of_a_calibrated_model_leaves_out_at_most_a_twentieth_of_its_bins():
    """Of 300 sets of 10 bins each; a share above 6.5 % has a chance of 1e-4 if the true one is at most 5 %."""
    rng, outside, total = np.random.default_rng(1), 0, 0
    for _ in range(300):
        top = rng.uniform(0.5, 1.0, 400)
        probs = np.stack([top, 1 - top], axis=1)
        curve = metrics.reliability_curve(probs, (rng.random(400) > top).astype(int), num_bins=20)
        full = curve.count > 0
        outside += np.sum((curve.accuracy < curve.lower)[full] | (curve.accuracy > curve.upper)[full])
        total += full.sum()
    assert 0.015 < outside / total < 0.065


def test_an_overlay_draws_each_model_in_its_colour_with_its_error():
    other = CURVE._replace(accuracy=CURVE.accuracy[::-1], confidence=CURVE.confidence[::-1], count=COUNT[::-1])
    ax = plotting.calibration_overlay({"before": CURVE, "after": other}, ece={"before": 0.1234, "after": 0.05})
    before, after = [line for line in ax.get_lines() if line.get_label().startswith(("before", "after"))]
    np.testing.assert_allclose(before.get_xydata(), np.stack([CURVE.confidence, CURVE.accuracy], axis=1)[1:])
    np.testing.assert_allclose(after.get_xydata(), before.get_xydata()[::-1])
    assert (before.get_color(), after.get_color()) == PALETTE[:2]
    assert before.get_label() == "before, ECE 0.123"
    np.testing.assert_allclose(_bars(ax, 1), _bars(ax, 0)[::-1])
    assert len(plotting.calibration_overlay({"a": CURVE}, error_bars=None).containers) == 0
