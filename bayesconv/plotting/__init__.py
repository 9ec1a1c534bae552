"""Figures of a run, from numbers that were computed elsewhere.

Every function draws on the axes or figure that it is given, or makes its own if it is given none, and returns the
axes; none calls `show()` and none leaves a trace in `matplotlib.rcParams`. Colours are Okabe and Ito's, told apart by
all eyes.
"""

from bayesconv.plotting.calibration import reliability_diagram
from bayesconv.plotting.diagnostics import posterior_diagnosis
from bayesconv.plotting.images import most_and_least_certain
from bayesconv.plotting.prior_predictive import prior_predictive, prior_predictive_classes
from bayesconv.plotting.shift import shift_curves
from bayesconv.plotting.theme import save, save_all, style
from bayesconv.plotting.training import learning_curves
from bayesconv.plotting.uncertainty import ood_scores, uncertainty_histograms
from bayesconv.plotting.weights import signal_to_noise

__all__ = [
    "learning_curves",
    "most_and_least_certain",
    "ood_scores",
    "posterior_diagnosis",
    "prior_predictive",
    "prior_predictive_classes",
    "reliability_diagram",
    "save",
    "save_all",
    "shift_curves",
    "signal_to_noise",
    "style",
    "uncertainty_histograms",
]
