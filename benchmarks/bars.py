"""What the project has set itself: the ratios that are not to be exceeded."""

from __future__ import annotations

_BARS: dict[tuple[str, str], float | dict[str, float]] = {
    ("training", "point weights"): 1.05,
    ("training", "reparameterization"): {"small_cnn": 1.15, "resnet20": 1.10},
    ("training", "sliced, G = 8"): {"resnet20": 1.35},
    ("training", "flipout"): {"small_cnn": 2.2, "resnet20": 2.0},
    ("bfloat16, training", "reparameterization, bfloat16"): 0.8,
    ("bfloat16, training", "flipout, bfloat16"): 1.5,
    ("prediction", "a pass over a bank"): 1.05,
    ("prediction", "predict, draws included"): 1.05,
    ("bfloat16, prediction", "a pass over a bank, bfloat16"): 0.62,
    ("bfloat16, prediction", "predict, draws included, bfloat16"): 0.62,
    ("one image", "one image, frozen"): 0.5,
    ("one image", "one image, frozen.predict"): 0.5,
    ("prediction", 'predict, method="moments"'): 5.0,
    ("prediction", "predict, moments without covariance"): 5.0,
    **{
        ("tracing", name): {"resnet20": 1.5}
        for name in ("point weights", "reparameterization", "sliced, G = 8", "flipout")
    },
}


def bar(section: str, net: str, name: str) -> float | None:
    """The bar of a row, or None."""
    found = _BARS.get((section, name))
    return found.get(net) if isinstance(found, dict) else found
