"""What a model believes before it has seen data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bayesconv.plotting.theme import BLUE, INK, PALETTE, SKY, own_axes, styled

_MOST_CLASSES_BY_NAME = 10


@styled
def prior_predictive(x: npt.ArrayLike, functions: npt.ArrayLike, ax: Axes | None = None) -> Axes:
    """Functions of one input drawn from the priors, over the band of their mean and two standard deviations.

    Args:
      x: `[N]` inputs.
      functions: `[S, N]` outputs of S functions, such as `bayesconv.sample_prior(model, x)[..., 0]`.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If the shapes do not fit, or a number is not finite.

    Example:
      >>> ax = prior_predictive([0.0, 1.0], [[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]])
      >>> len(ax.get_lines())  # the mean and the functions
      4
    """
    places, drawn = np.asarray(x, np.float64), np.asarray(functions, np.float64)
    if places.ndim != 1 or drawn.shape[1:] != places.shape or not len(drawn) or not np.isfinite(drawn).all():
        raise ValueError(
            "`functions` must be [S, N] finite outputs for `x` [N]. "
            f"Received shapes {list(drawn.shape)} and {list(places.shape)}."
        )
    order = np.argsort(places)
    places, drawn = places[order], drawn[:, order]
    ax = own_axes(ax, (8, 4.8))
    mean, spread = drawn.mean(axis=0), 2.0 * drawn.std(axis=0)
    ax.fill_between(places, mean - spread, mean + spread, color=SKY, alpha=0.3, linewidth=0, label="± 2 std")
    for index, function in enumerate(drawn):
        ax.plot(places, function, color=BLUE, linewidth=1.0, alpha=0.6, label="_" if index else "a draw")
    ax.plot(places, mean, color=INK, linewidth=2.2, label="mean")
    ax.set(xlabel="input", ylabel="output under the prior")
    ax.margins(x=0.01)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    return ax


@styled
def prior_predictive_classes(probs: npt.ArrayLike, ax: Axes | None = None) -> Axes:
    """Which classes each function drawn from the priors assigns to the inputs, on average: a stacked bar per draw.

    A belief worth having is undecided: bars of nearly one colour show a prior that gives all images the same class.

    Args:
      probs: `[S, N, K]` class probabilities, such as the softmax of `bayesconv.sample_prior(model, x)`.
      ax: Axes to draw on, or None for a new figure.

    Returns:
      The axes.

    Raises:
      ValueError: If they are not probabilities of that shape.

    References:
      Wenzel et al., How Good is the Bayes Posterior in Deep Neural Networks Really?, ICML 2020. arXiv:2002.02405

    Example:
      >>> ax = prior_predictive_classes(np.full([4, 5, 3], 1 / 3))
      >>> len(ax.patches)  # 4 draws of 3 classes
      12
    """
    shares = _check_probs(probs).mean(axis=1)
    ax = own_axes(ax, (8, 4.8))
    starts = np.cumsum(shares, axis=1) - shares
    for k in range(shares.shape[1]):
        lightness = 0.45 if (k // len(PALETTE)) % 2 else 1.0
        ax.bar(
            range(1, len(shares) + 1),
            shares[:, k],
            0.88,
            bottom=starts[:, k],
            color=(PALETTE[k % len(PALETTE)], lightness),
            edgecolor="white",
            label=f"class {k}",
        )
    ax.set(xlabel="draw from the prior", ylabel="mean probability", ylim=(0, 1), xlim=(0.4, len(shares) + 0.6))
    ax.grid(False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if shares.shape[1] <= _MOST_CLASSES_BY_NAME:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True, handlelength=1.2)
    return ax


def _check_probs(probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    p = np.asarray(probs, np.float64)
    if p.ndim != 3 or not p.size or not (p >= 0).all() or not np.allclose(p.sum(axis=-1), 1.0, atol=1e-4):
        raise ValueError(
            f"`probs` must be [S, N, K] probabilities that sum to one. Received shape {list(p.shape)}; "
            "take the softmax of logits."
        )
    return p
