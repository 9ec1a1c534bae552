"""How good a trained run is: its predictions, its scores, and how well it knows what is strange to it."""

from bayesconv.evaluation.manner import manner
from bayesconv.evaluation.predicting import predict
from bayesconv.evaluation.reports import report, tables, task_of
from bayesconv.evaluation.sets import corrupted, out_of_distribution
from bayesconv.evaluation.uncertainties import ALL_SCORES, SCORES, UNCERTAINTIES, uncertainty_scores

__all__ = [
    "ALL_SCORES",
    "SCORES",
    "UNCERTAINTIES",
    "corrupted",
    "manner",
    "out_of_distribution",
    "predict",
    "report",
    "tables",
    "task_of",
    "uncertainty_scores",
]
