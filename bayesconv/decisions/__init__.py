"""What to do with uncertainties: recalibrated probabilities, a threshold to abstain from, sets with a guarantee.

Each is fitted to held-out images, checked on the test images, and written to the run's folder as JSON, from where
`bayesconv predict` takes it.
"""

from bayesconv.decisions.answers import SCORES
from bayesconv.decisions.calibrating import METHODS as CALIBRATIONS
from bayesconv.decisions.calibrating import calibrate
from bayesconv.decisions.calibration import Calibration, calibrated, fit_calibration
from bayesconv.decisions.selection import select
from bayesconv.decisions.sets import METHODS as CONFORMAL_METHODS
from bayesconv.decisions.sets import conformal
from bayesconv.decisions.stored import calibration_of, decision_columns, read_calibration
from bayesconv.decisions.tables import calibration_table, conformal_table, selection_table

__all__ = [
    "CALIBRATIONS",
    "CONFORMAL_METHODS",
    "SCORES",
    "Calibration",
    "calibrate",
    "calibrated",
    "calibration_of",
    "calibration_table",
    "conformal",
    "conformal_table",
    "decision_columns",
    "fit_calibration",
    "read_calibration",
    "select",
    "selection_table",
]
