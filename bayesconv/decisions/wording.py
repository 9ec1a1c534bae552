"""How decisions are put into words: what they were fitted to, and when an answer is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesconv.evaluation.text import counted


def kind_of(result: Mapping[str, Any]) -> str:
    """Images, series or rows; a decision of an earlier version does not say it, and is of images."""
    return str(result.get("kind", "images"))


def source_of(result: Mapping[str, Any]) -> str:
    """What a decision was fitted to.

    Example:
      >>> source_of({"held_out": {"source": "validation", "num_images": 287}})
      '287 validation images'
    """
    count, source, kind = result["held_out"]["num_images"], result["held_out"]["source"], kind_of(result)
    return counted(count, f"validation {kind}") if source == "validation" else f"{counted(count, kind)} of {source}"


def wrong_beyond(result: Mapping[str, Any]) -> str:
    """When an answer is wrong, for answers that may be nearly right; empty for classes.

    Example:
      >>> wrong_beyond({"tolerance": 0.1, "task": "segmentation"})
      'An answer is wrong if more than 10 % of its pixels are.'
    """
    tolerance = result.get("tolerance")
    if tolerance is None:
        return ""
    if result.get("task") == "segmentation":
        return f"An answer is wrong if more than {100 * tolerance:g} % of its pixels are."
    return f"An answer is wrong if it is off by more than {tolerance:g}."
