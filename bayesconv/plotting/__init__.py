"""Figures of a run, from numbers that were computed elsewhere.

Every function draws on the axes or figure that it is given, or makes its own if it is given none, and returns the
axes; none calls `show()` and none leaves a trace in `matplotlib.rcParams`. Colours are Okabe and Ito's, told apart by
all eyes.
"""

from bayesconv.plotting.calibration import reliability_diagram
from bayesconv.plotting.calibration_overlay import calibration_overlay
from bayesconv.plotting.classes import class_bars, class_draws
from bayesconv.plotting.comparison import comparison_dots
from bayesconv.plotting.conformal import conformal_set_sizes
from bayesconv.plotting.convergence import sample_convergence
from bayesconv.plotting.densities import weight_densities, weight_histograms
from bayesconv.plotting.diagnostics import posterior_diagnosis
from bayesconv.plotting.grid import image_grid
from bayesconv.plotting.images import most_and_least_certain
from bayesconv.plotting.kernels import kernel_images
from bayesconv.plotting.kl import kl_by_layer
from bayesconv.plotting.pixel_calibration import pixel_reliability_diagram
from bayesconv.plotting.prior_predictive import prior_predictive, prior_predictive_classes
from bayesconv.plotting.pruning import pruning_curve
from bayesconv.plotting.quantile_calibration import quantile_calibration, quantile_shares
from bayesconv.plotting.ranked_images import ranked_images
from bayesconv.plotting.regression import predicted_against_true, predictive_bands
from bayesconv.plotting.roc import roc_curves
from bayesconv.plotting.segmentation import segmentation_maps
from bayesconv.plotting.selective import risk_coverage
from bayesconv.plotting.shift import shift_curves
from bayesconv.plotting.theme import save, save_all, style
from bayesconv.plotting.training import learning_curves
from bayesconv.plotting.uncertainty import ood_scores, uncertainty_histograms
from bayesconv.plotting.weights import signal_to_noise

__all__ = [
    "calibration_overlay",
    "class_bars",
    "class_draws",
    "comparison_dots",
    "conformal_set_sizes",
    "image_grid",
    "kernel_images",
    "kl_by_layer",
    "learning_curves",
    "most_and_least_certain",
    "ood_scores",
    "pixel_reliability_diagram",
    "posterior_diagnosis",
    "predicted_against_true",
    "predictive_bands",
    "prior_predictive",
    "prior_predictive_classes",
    "pruning_curve",
    "quantile_calibration",
    "quantile_shares",
    "ranked_images",
    "reliability_diagram",
    "risk_coverage",
    "roc_curves",
    "sample_convergence",
    "save",
    "save_all",
    "segmentation_maps",
    "shift_curves",
    "signal_to_noise",
    "style",
    "uncertainty_histograms",
    "weight_densities",
    "weight_histograms",
]
