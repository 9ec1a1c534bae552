"""Who takes part: weights by name, as factories for the layers of a model, with the type that they compute in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

import bayesconv as bc
from benchmarks.architectures import NETS, NUM_CLASSES
from benchmarks.plain import PlainNet, copy_weights

DETERMINISTIC = "plain TensorFlow"
FEW_PASSES = "plain TensorFlow, normalized in few passes"


class Contender(NamedTuple):
    """Weights and a type to compute in.

    Attributes:
      factory: What makes the weights of a layer.
      dtype: For `bayesconv.compute_dtype`.
    """

    factory: Callable[..., Any]
    dtype: str = "float32"

    def model(self, net: str) -> bc.Layer:
        """A model of that net."""
        return bc.models.get(net)(NETS[net].image, NUM_CLASSES, self.factory)


def _variational(estimator: Any) -> Callable[..., Any]:
    return functools.partial(bc.make_kernel_bias_variational, estimator=estimator)


CONTENDERS = {
    "point weights": Contender(bc.make_kernel_bias),
    "reparameterization": Contender(_variational("reparameterization")),
    "antithetic": Contender(_variational("antithetic")),
    "sliced, G = 8": Contender(_variational({"name": "sliced", "num_slices": 8})),
    "automatic": Contender(_variational("automatic")),
    "flipout": Contender(_variational("flipout")),
    "local reparameterization": Contender(_variational({"name": "local_reparameterization", "approximate": True})),
    "reparameterization, bfloat16": Contender(_variational("reparameterization"), "bfloat16"),
    "sliced, G = 8, bfloat16": Contender(_variational({"name": "sliced", "num_slices": 8}), "bfloat16"),
    "flipout, bfloat16": Contender(_variational("flipout"), "bfloat16"),
}


def check_same_work(net: str, tolerance: float = 1e-5) -> float:
    """Compares the logits of a model with point weights and of the plain net with the same weights.

    Args:
      net: Name of the net.
      tolerance: Largest difference, relative to the largest logit.

    Returns:
      The difference.

    Raises:
      ArithmeticError: If they differ by more: then their times say nothing.
    """
    model, plain = CONTENDERS["point weights"].model(net), PlainNet(net)
    _perturb_normalizations(model)
    copy_weights(model.named_variables, plain)
    x = tf.random.stateless_uniform([4, *NETS[net].image], (0, 1))
    expected = plain.forward(x)
    difference = tf.reduce_max(tf.abs(model(x, is_training=True) - expected)) / tf.reduce_max(tf.abs(expected))
    if not difference <= tolerance:
        raise ArithmeticError(f"{net}: the model and the plain net with the same weights differ by {difference:.1e}.")
    return float(difference)


def _perturb_normalizations(model: bc.Layer) -> None:
    # At first all scales are 1 and all offsets 0: left so, a net without them would pass.
    for index, (path, variable) in enumerate(model.named_variables.items()):
        if path.endswith(("/scale", "/offset", "/bias")):
            variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, (index, 2)))
