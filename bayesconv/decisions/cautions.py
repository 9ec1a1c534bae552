"""What speaks against a calibration: too few images to fit it to, or scores that it makes worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Held-out images that a remedy wants; those of vector scaling are for each class.
_WANTED = {"temperature": 100, "vector": 200, "isotonic": 1000}
_SCORES = {"nll": "NLL", "brier": "Brier score"}


def cautions(result: Mapping[str, Any]) -> list[str]:
    """What a user should know before a calibration is applied; nothing for one that is in order.

    Args:
      result: What `calibrate` returns.
    """
    return [*_too_few(result), *_worse(result)]


def _too_few(result: Mapping[str, Any]) -> Iterator[str]:
    method, received = result["method"], result["held_out"]["num_images"]
    num_classes = len(result["parameters"]["bias"]) if method == "vector" else 1
    wanted = _WANTED[method] * num_classes
    if received < wanted:
        way_out = "give more by --held-out" + ("" if method == "temperature" else ", or take --method temperature")
        images = "image" if received == 1 else "images"
        yield f"{method} wants {wanted:,} images to be fitted to. It was fitted to {received:,} {images}; {way_out}."


def _worse(result: Mapping[str, Any]) -> Iterator[str]:
    worse = [_SCORES[name] for name in _SCORES if _is_worse(result["gain"][name])]
    if worse:
        yield (
            f"it makes the {' and the '.join(worse)} of the test images worse, more than chance would. Do not apply "
            "it: delete the file, or fit another one."
        )


def _is_worse(gain: Mapping[str, float]) -> bool:
    # A number without an interval, bootstrap 0, gives no ground for a judgement but its sign.
    return gain.get("upper", gain["value"]) < 0
