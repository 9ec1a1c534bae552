"""The registry of likelihoods, and what a likelihood is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bayesconv.registry import Registry

REGISTRY = Registry("likelihood")
register = REGISTRY.register


class Noise(NamedTuple):
    """What is spread around a location by a scale: a family of densities of single real numbers, in NumPy.

    Attributes:
      parameters: `parameters(outputs [.., P]) -> location [.., T], scale [.., T]`.
      log_density: Of the standard member, at any array, in nats.
      cdf: Its distribution function.
      quantile: The inverse of that, of levels in (0, 1).
    """

    parameters: Callable[[Any], tuple[Any, Any]]
    log_density: Callable[[Any], Any]
    cdf: Callable[[Any], Any]
    quantile: Callable[[Any], Any]


def _itself(size: int) -> int:
    return size


class Likelihood(NamedTuple):
    """A family of distributions of the targets given a model's outputs.

    K counts classes, T real targets and P the outputs that tell of one example, or of one pixel. A likelihood of your
    own needs the first four; what it leaves out is not computed, or is refused with that reason.

    Attributes:
      name: Registered name.
      log_prob: `log_prob(outputs [N, P], targets) -> [N]`, in nats: a sum over all that belongs to an example.
      mean: `mean(outputs [.., P]) -> [.., K]`, the expected target: class probabilities for the discrete families.
      entropy: `entropy(outputs [.., P]) -> [..]` of the target given the outputs, in nats.
      entropy_of_mean: `entropy_of_mean(mean [.., K]) -> [..]`, the entropy of a mixture from its mean, or None where
        the mean does not determine it.
      task: `"classification"`, `"regression"`, `"segmentation"` or `"multilabel"`: the data sets that it is for.
      num_outputs: `num_outputs(K or T) -> P`, how many outputs a model needs.
      output_rank: Number of axes of the outputs of one example; 3 for one class a pixel, `[H, W, K]`.
      check_targets: `check_targets(targets, output_shape)` raises a ValueError if targets of some examples do not fit
        outputs of this shape an example.
      log_prob_of_labels: `(outputs, labels) -> [N]` or `[N, H, W]`, the terms that `log_prob` adds up, one for every
        label; None for targets that are no classes. An ignored label has the term 0.
      training_log_prob: What training maximizes in place of `log_prob`, which is reported nevertheless.
      variance: `variance(outputs [.., P]) -> [.., T]` of the target given the outputs, where it is defined.
      noise: The density of each real target, for intervals and entropies of mixtures.
      quantile: `quantile(outputs [.., P], level) -> [.., T]`, in NumPy, of targets without a density.
      options: Names and values of the options that it was made with.
    """

    name: str
    log_prob: Callable[[Any, Any], tf.Tensor]
    mean: Callable[[Any], tf.Tensor]
    entropy: Callable[[Any], tf.Tensor]
    entropy_of_mean: Callable[[Any], tf.Tensor] | None = None
    task: str = "classification"
    num_outputs: Callable[[int], int] = _itself
    output_rank: int = 1
    check_targets: Callable[[np.ndarray, tuple[int, ...]], None] | None = None
    log_prob_of_labels: Callable[[Any, Any], tf.Tensor] | None = None
    training_log_prob: Callable[[Any, Any], tf.Tensor] | None = None
    variance: Callable[[Any], tf.Tensor] | None = None
    noise: Noise | None = None
    quantile: Callable[[Any, float], Any] | None = None
    options: tuple[tuple[str, Any], ...] = ()
