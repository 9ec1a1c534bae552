"""Where a figure stands in a report, and how to read it."""

from __future__ import annotations

# By the name of the figure; a new one stands among the results until it is listed here.
_SECTIONS = {
    "results": (
        "reliability", "risk_coverage", "sample_convergence", "certainty", "ranked_images", "predicted_against_true",
        "quantile_calibration", "error_coverage", "predictive_bands", "segmentation_maps", "pixel_reliability",
    ),
    "strange": ("histograms", "roc", "out_of_distribution"),
    "shift": ("shift",),
    "decisions": ("temperature_scaling", "conformal_sets"),
    "training": ("learning_curves",),
    "weights": (
        "signal_to_noise", "pruning", "weight_histograms", "weight_densities", "kernels", "kl_by_layer",
        "prior_predictive",
    ),
}  # fmt: skip
_READINGS = {
    "reliability": "On the diagonal a model is right as often as it says.",
    "temperature_scaling": "The nearer to the diagonal, the better calibrated.",
    "risk_coverage": "The lower a curve, the better its uncertainty finds the errors.",
    "sample_convergence": "Where the curve is flat, more draws change nothing.",
    "conformal_sets": "Smaller sets of the same coverage say more.",
    "certainty": "Bars are probabilities, their ends one standard deviation over the draws.",
    "ranked_images": "High uncertainty should go with images that are hard to tell.",
    "histograms": "The less the two overlap, the better the strange images are found.",
    "roc": "The nearer to the upper left corner, the better the strange images are found.",
    "out_of_distribution": "0.5 is guessing, 1 is perfect.",
    "shift": "Uncertain models get worse slowly, and calibrated ones know that they do.",
    "learning_curves": "The data term should have settled once the KL has its full weight.",
    "predicted_against_true": "On the diagonal a prediction is exact; bars are two standard deviations either way.",
    "quantile_calibration": "On the diagonal as many targets lie below a quantile as it says.",
    "error_coverage": "The lower a curve, the better its uncertainty finds large errors.",
    "predictive_bands": "The band should hold most of the data, and widen where there are none.",
    "segmentation_maps": "Uncertainty should be high where the errors are.",
    "pixel_reliability": "On the diagonal pixels are right as often as the model says.",
    "signal_to_noise": "Weights far below 1 are mostly noise.",
    "pruning": "The share of weights that a threshold would set to zero.",
    "weight_histograms": "A peak at the prior's scale is of weights that learnt nothing.",
    "weight_densities": "A posterior as wide as its prior has learnt nothing.",
    "kernels": "Means show what a filter looks for, standard deviations how sure it is.",
    "kl_by_layer": "What each layer has learnt, in nats.",
    "prior_predictive": "Before training no class should be favoured by all draws.",
    "diagnosis": "KL by layer, and posterior scales in units of the prior's.",
}


def section_of(figure: str) -> str:
    """The section that a figure belongs to: results, strange, shift, decisions, training or weights.

    Args:
      figure: Its name, see `figures.names`.

    Example:
      >>> section_of("roc"), section_of("unheard_of")
      ('strange', 'results')
    """
    return next((section for section, known in _SECTIONS.items() if figure in known), "results")


def caption_of(figure: str, about: str | None) -> str:
    """What a figure shows, and how to read it.

    Args:
      figure: Its name.
      about: What it shows, from its own documentation.
    """
    shown = (about or "").strip().partition("\n")[0]
    return " ".join(part for part in (shown, _READINGS.get(figure, "")) if part)


def title_of(name: str) -> str:
    """The title of a drawn figure, from the name of its file.

    Example:
      >>> title_of("roc_photo_patches"), title_of("kl_by_layer"), title_of("shift_nll")
      ('ROC photo patches', 'KL by layer', 'Shift NLL')
    """
    words = [_CAPITALS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


_CAPITALS = {"roc": "ROC", "kl": "KL", "nll": "NLL", "ece": "ECE"}
