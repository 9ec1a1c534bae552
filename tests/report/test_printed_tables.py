"""Claims about what `bayesconv evaluate` prints, on the evaluations that the reports are made of."""

from __future__ import annotations

import report_examples as examples

from bayesconv import evaluation
from bayesconv.metrics import calibration


def _flat(text):
    """The text with single spaces, whatever its columns and lines."""
    return " ".join(text.split())


def test_notes_name_the_share_that_the_bands_hold():
    low, high = calibration._CENTRAL
    share = f"{20 * (high - low):.0f} times in 20"
    tables = evaluation.tables(examples.regression(shift={}))
    assert f"Quantile calibration error 0.0444; 0.0113 to 0.0307 if calibrated, {share}." in _flat(tables)
    tables = evaluation.tables(examples.classification(shift={}, ood={}))
    assert f'A calibrated model\'s error falls into the range "if calibrated" {share}.' in _flat(tables)
