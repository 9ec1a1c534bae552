"""Where the divergence from the prior sits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import EngFormatter

from bayesconv.plotting.rows import draw_bars, name_rows
from bayesconv.plotting.theme import ORANGE, AxesArray, axes_row, styled


@styled
def kl_by_layer(kl: Mapping[str, float], num_weights: Mapping[str, int], axes: AxesArray | None = None) -> AxesArray:
    """KL of every layer from its prior, in total and per weight, a row a layer from the top.

    A layer of few nats per weight has hardly left its prior; one of many is where the network stores what it learnt.

    Args:
      kl: Layer name to KL in nats.
      num_weights: The same names to the number of weights.
      axes: Two axes to draw on, or None for a new figure.

    Returns:
      The axes, `[2]`: total, per weight.

    Raises:
      ValueError: If there is no layer, names differ, a KL is not finite, a number of weights is not positive, or `axes`
        are not two.

    Example:
      >>> axes = kl_by_layer({"conv1": 20.0, "head": 300.0}, {"conv1": 10, "head": 1000})
      >>> [float(bar.get_width()) for bar in axes[1].patches]
      [2.0, 0.3]
    """
    if not kl or list(kl) != list(num_weights):
        raise ValueError(
            "`kl` and `num_weights` must name the same layers in the same order, one at least. Received "
            f"{list(kl)} and {list(num_weights)}."
        )
    if not np.isfinite(list(kl.values())).all():
        raise ValueError(f"KLs must be finite. Received {dict(kl)}.")
    if min(num_weights.values()) < 1:
        raise ValueError(f"A layer has one weight at least. Received {dict(num_weights)}.")
    left, right = axes_row(axes, ("the total", "the KL per weight"), (13, 1.6 + 0.5 * len(kl)))
    draw_bars(list(kl.values()), left)
    draw_bars([value / num_weights[name] for name, value in kl.items()], right, digits="#,.3g", color=ORANGE)
    left.xaxis.set_major_formatter(EngFormatter(sep=""))
    left.set_xlabel("KL(q || p) [nats]")
    right.set_xlabel("KL(q || p) per weight [nats]")
    for ax in (left, right):
        name_rows(list(kl), ax)
    return np.array([left, right])
