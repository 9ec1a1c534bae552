"""Claims about what `bayesconv evaluate` prints, on the evaluations that the reports are made of."""

from __future__ import annotations

import pytest
import report_examples as examples

from bayesconv import evaluation
from bayesconv.metrics import calibration

_UNPRINTED = ("top_k", "brier_decomposition")


def _flat(text):
    """The text with single spaces, whatever its columns and lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("task", examples.EVALUATIONS)
def test_every_interval_stands_in_the_tables_and_they_fit(task):
    found, intervals = examples.with_every_interval(examples.EVALUATIONS[task]())
    text = evaluation.tables(found)
    missing = {path for path, interval in intervals.items() if not examples.is_shown(interval, text)}
    assert missing == {path for path in intervals if path[0] in _UNPRINTED or examples.is_left_out(path, task)}
    assert max(map(len, text.splitlines())) <= 120


def test_notes_name_the_share_that_the_bands_hold():
    low, high = calibration._CENTRAL
    share = f"{20 * (high - low):.0f} times in 20"
    tables = evaluation.tables(examples.regression(shift={}))
    assert f"Quantile calibration error 0.0444; 0.0113-0.0307 if calibrated, {share}." in _flat(tables)
    tables = evaluation.tables(examples.classification(shift={}, ood={}))
    assert f'A calibrated model\'s error falls into the range "if calibrated" {share}.' in _flat(tables)
