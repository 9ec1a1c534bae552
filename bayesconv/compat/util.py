"""The names of `tfp.experimental.nn.util`; the module has TFP's name so that `tfn.util.make_fit_op` goes on working."""

from __future__ import annotations

from typing import Any

from bayesconv.compat.datasets import halflife_decay, tune_dataset
from bayesconv.compat.factories import (
    make_kernel_bias,
    make_kernel_bias_posterior_mvn_diag,
    make_kernel_bias_prior_spike_and_slab,
)
from bayesconv.compat.fitting import make_fit_op, tfcompile
from bayesconv.compat.random_variable import CallOnce, RandomVariable
from bayesconv.compat.saving import variables_load, variables_save, variables_summary
from bayesconv.compat.shapes import batchify_op, expand_dims, flatten_rightmost, trace

__all__ = [
    "CallOnce",
    "RandomVariable",
    "batchify_op",
    "display_imgs",
    "expand_dims",
    "flatten_rightmost",
    "halflife_decay",
    "make_fit_op",
    "make_kernel_bias",
    "make_kernel_bias_posterior_mvn_diag",
    "make_kernel_bias_prior_spike_and_slab",
    "tfcompile",
    "trace",
    "tune_dataset",
    "variables_load",
    "variables_save",
    "variables_summary",
]


def display_imgs(x: Any, title: Any = None, fignum: int | str | None = None) -> tuple[Any, Any]:
    """Draws images side by side.

    Args:
      x: `[.., N, H, W, C]`, a row of N images for every index before.
      title: Title, or None.
      fignum: Number or name of the figure.

    Returns:
      Figure and axes. Unlike TFP's it does not call `plt.show()`; a notebook shows the figure by itself.
    """
    from bayesconv.plotting.grid import image_grid

    ax = image_grid(x, title=None if title is None else str(title), figure_id=fignum)
    return ax.figure, ax
