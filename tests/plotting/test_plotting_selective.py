"""Claims about risk-coverage lines: brute force over thresholds and orders."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bayesconv import metrics, plotting


def _lines(ax):
    return [line for line in ax.get_lines() if len(line.get_xdata()) > 2]


def test_a_line_is_the_mean_loss_of_the_surest_examples(rng):
    uncertainty, wrong = rng.permutation(50) / 50, rng.random(50) < 0.3
    line, best = _lines(plotting.risk_coverage({"net": uncertainty}, wrong))
    for coverage, risk in line.get_xydata():
        kept = uncertainty <= np.sort(uncertainty)[round(coverage * 50) - 1]
        assert kept.sum() == round(coverage * 50)
        assert risk == pytest.approx(wrong[kept].mean())
    for coverage, risk in best.get_xydata():
        assert risk == pytest.approx(max(0, round(coverage * 50) - (~wrong).sum()) / round(coverage * 50))


def test_ties_are_the_average_over_their_orders():
    uncertainty, losses = [0.1, 0.2, 0.2, 0.2, 0.9], np.array([0, 1, 0, 0, 1.0])
    line, _ = _lines(plotting.risk_coverage({"net": uncertainty}, losses))
    orders = [[0, *order, 4] for order in itertools.permutations((1, 2, 3))]
    expected = np.mean([np.cumsum(losses[order]) / np.arange(1, 6) for order in orders], axis=0)
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_the_mean_height_is_the_aurc_of_the_legend(rng):
    uncertainty, losses = rng.random(200), rng.random(200) ** 2
    ax = plotting.risk_coverage({"net": uncertainty}, losses, name="squared error")
    mean = _lines(ax)[0].get_ydata().mean()
    assert mean == pytest.approx(metrics.area_under_risk_coverage(uncertainty, losses))
    assert ax.get_legend().get_texts()[0].get_text() == f"net: AURC {mean:.3g}"
    assert ax.get_ylabel() == "squared error"
    flat = [line for line in ax.get_lines() if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(flat[0].get_ydata(), losses.mean())


def test_several_scores_of_one_model_share_its_best_order_and_several_models_do_not(rng):
    one, two = rng.random(30), rng.random(30)
    wrong, other = rng.random(30) < 0.4, rng.random(30) < 0.2
    assert len(plotting.risk_coverage({"a": one, "b": two}, wrong).get_lines()) == 2 + 2
    ax = plotting.risk_coverage({"a": one, "b": two}, {"a": wrong, "b": other})
    assert len(ax.get_lines()) == 2 + 4
    solid = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    np.testing.assert_allclose(solid[1].get_ydata()[-1], other.mean())
