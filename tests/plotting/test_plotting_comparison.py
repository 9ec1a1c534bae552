"""The dot plot of a comparison."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from overlaps import overlapping_texts

from bayesconv import plotting

NAMES = ["prior=normal, estimator=flipout", "prior=laplace, estimator=flipout", "prior=scale_mixture, estimator=sliced"]


def table(metrics, runs=3, names=NAMES):
    rng = np.random.default_rng(0)
    values = {m: {name: list(0.9 + 0.02 * rng.normal(size=runs)) for name in names} for m in metrics}
    intervals = {
        m: {name: (np.mean(v), min(v), max(v)) if runs > 1 else (v[0], None, None) for name, v in row.items()}
        for m, row in values.items()
    }
    return values, intervals


def test_a_panel_shows_means_intervals_runs_and_the_baseline():
    values, intervals = table(["nll"])
    ax = plotting.comparison_dots(values, intervals, baseline=NAMES[0], best={"nll": [NAMES[1]]})[0]
    drawn = [(line.get_xdata(), line.get_ydata()) for line in ax.lines]
    for row, name in enumerate(NAMES):
        mean, lower, upper = intervals["nll"][name]
        for x, y in [([mean], [row]), ([lower, upper], [row] * 2), (values["nll"][name], [row] * 3)]:
            assert any(list(x) == list(a) and list(y) == list(b) for a, b in drawn)
    assert any(list(a) == [intervals["nll"][NAMES[0]][0]] * 2 for a, _ in drawn)  # from top to bottom
    diamonds = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert diamonds == [1]
    assert ax.yaxis_inverted()


def test_single_runs_have_no_interval():
    ax = plotting.comparison_dots(*table(["nll"], runs=1))[0]
    assert [len(line.get_xdata()) for line in ax.lines] == [1, 1, 1]


@pytest.mark.parametrize("count", range(1, 9))
def test_no_words_lie_on_others(count):
    metrics = ["accuracy", "nll", *(f"ood.mean.auroc.score{i}" for i in range(6))][:count]
    better = {m: "lower" for m in metrics}
    best = {m: NAMES[:1] for m in metrics}
    axes = plotting.comparison_dots(*table(metrics), better=better, best=best, baseline=NAMES[0])
    assert len(axes) == count
    assert overlapping_texts(axes[0].figure) == []


@pytest.mark.parametrize("count", [1, 5])
def test_long_names_have_room_and_are_not_broken_inside_of_brackets(count):
    names = ["prior=scale_mixture(a=[1, 2], b=3), epochs=3, estimator=flipout", NAMES[0], "a" * 50]
    metrics = [f"m{i}" for i in range(count)]
    axes = plotting.comparison_dots(*table(metrics, names=names), baseline=names[0], best={"m0": names[:1]})
    label = axes[0].get_yticklabels()[0].get_text()
    assert label == "prior=scale_mixture(a=[1, 2], b=3)\nepochs=3\nestimator=flipout"
    assert overlapping_texts(axes[0].figure) == []
    assert axes[0].figure.get_tightbbox().width < 2.5 + 3.9 * min(count, 3)  # inches: not wider than the panels


def test_given_axes_are_used():
    axes = plt.subplots(1, 2)[1]
    found = plotting.comparison_dots(*table(["nll", "ece"]), axes, labels={"nll": "NLL"}, better={"nll": "lower"})
    assert list(found) == list(axes)
    assert [ax.get_xlabel() for ax in axes] == ["NLL\nlower is better", "ece"]
    assert plt.get_fignums() == [1]


def test_what_does_not_fit_is_refused():
    values, intervals = table(["nll", "ece"])
    with pytest.raises(ValueError, match=r"`axes` must be one for each of 2 metrics\. Received 3"):
        plotting.comparison_dots(values, intervals, plt.subplots(1, 3)[1])
    with pytest.raises(ValueError, match="must be of the same metrics"):
        plotting.comparison_dots(values, {"nll": intervals["nll"]})
    with pytest.raises(ValueError, match="must be of the same metrics"):
        plotting.comparison_dots({}, {})
    with pytest.raises(ValueError, match=r"Every metric must have the configurations .* 'ece' has"):
        plotting.comparison_dots({**values, "ece": {}}, intervals)
