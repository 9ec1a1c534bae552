"""A few kernels that share most of their numbers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv import distributions, random
from bayesconv.posteriors.rank_1 import point
from bayesconv.posteriors.registry import batch_shape, check_count, initial_location, register
from bayesconv.weights import KernelBias, WeightSpec


@register("batch_ensemble")
def batch_ensemble(specs: KernelBias, *, num_members: int = 4) -> KernelBias:
    """BatchEnsemble: `w = loc o (r_k s_k^T)` with k uniform over K members, whose factors are learned.

    An ensemble of K kernels at the price of one and `K (C_in + C_out)` numbers. With the estimator
    `{"name": "sliced", "num_slices": G, "draws": "independent"}` every slice of a batch picks a member of its own, as
    in the paper; here layers pick theirs independently of one another, and share the bias. The factors begin at random
    signs. The posterior has no density, so its prior is `"flat"`, with a penalty of zero. Weight decay is the
    optimizer's, `"adamw"`.

    Args:
      specs: What is known of the kernel and the bias.
      num_members: Number K of members.

    Returns:
      A pair of distributions whose events are the kernel and the bias.

    Raises:
      ValueError: If the number of members is not a positive integer.

    References:
      Wen et al., BatchEnsemble: An Alternative Approach to Efficient Ensemble and Lifelong Learning, ICLR 2020.
      arXiv:2002.06715

    Example:
      >>> import bayesconv as bc
      >>> factory = bc.kernel_bias.factory("reparameterization", posterior="batch_ensemble", prior="flat")
      >>> layer = bc.Convolution(16, 32, 3, make_kernel_bias_fn=factory)
      >>> layer.posterior.kernel.inputs.shape, layer.posterior.kernel.outputs.shape
      (TensorShape([4, 16]), TensorShape([4, 32]))
    """
    check_count("The number of members of a batch ensemble", num_members)
    spec = specs.kernel
    loc = tf.Variable(initial_location(spec, 0.0), name=f"{spec.name}/loc")
    seeds = random.split(random.fold_in(random.as_seed(spec.seed), 1))
    sides = zip(("input", "output"), spec.shape[-2:], seeds, strict=True)
    inputs, outputs = (_factors(spec, num_members, *side) for side in sides)
    kernel = distributions.BatchEnsembleKernel(loc, inputs, outputs, spec.batch_ndims)
    return KernelBias(kernel, None if specs.bias is None else point(specs.bias))


def _factors(spec: WeightSpec, num_members: int, side: str, size: int, seed: Any) -> tf.Variable:
    signs = random.signs((num_members, *batch_shape(spec), size), seed, spec.dtype)
    return tf.Variable(signs, name=f"{spec.name}/{side}_factors")
