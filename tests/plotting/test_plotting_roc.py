"""Claims about ROC curves: scikit-learn's points and areas."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import auc, roc_curve

from bayesconv import plotting


def test_points_and_areas_are_those_of_scikit_learn(rng):
    familiar = {"entropy": rng.normal(size=80), "energy": rng.integers(0, 4, 80)}
    strange = {"entropy": rng.normal(1, 1, 50), "energy": rng.integers(1, 6, 50)}
    ax = plotting.roc_curves(familiar, strange)
    for line, name, text in zip(ax.get_lines(), familiar, ax.get_legend().get_texts(), strict=False):
        values = np.concatenate([familiar[name], strange[name]])
        false, true, _ = roc_curve([0] * 80 + [1] * 50, values)
        np.testing.assert_allclose(line.get_xydata(), np.stack([false, true], axis=1))
        assert text.get_text() == f"{name} {auc(false, true):.3f}"
    assert ax.get_lines()[-1].get_xydata().tolist() == [[0, 0], [1, 1]]


def test_a_perfect_score_goes_through_the_corner_and_a_reversed_one_through_the_other():
    ax = plotting.roc_curves({"good": [0, 1], "bad": [2, 3]}, {"good": [2, 3], "bad": [0, 1]})
    good, bad, _ = (line.get_xydata().tolist() for line in ax.get_lines())
    assert [0, 1] in good
    assert [1, 0] in bad


def test_eight_scores_can_be_told_apart(rng):
    scores = {f"score {i}": rng.random(9) for i in range(8)}
    looks = [(line.get_color(), line.get_linestyle()) for line in plotting.roc_curves(scores, scores).get_lines()]
    assert len(set(looks[:8])) == 8
