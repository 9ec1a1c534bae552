"""TFP's variational layers: the base for a user's own, and the one body of those with a kernel and a bias."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import calls, random
from bayesconv.compat.base import Layer
from bayesconv.compat.evaluation import takes
from bayesconv.compat.joint import as_joint
from bayesconv.compat.losses import PenaltyFn, divergence_of, kl_divergence_monte_carlo
from bayesconv.kernel_bias import make_kernel_bias_variational
from bayesconv.layers import LayerOutput, Linear
from bayesconv.weights import KernelBias, as_kernel_bias

tfd = tfp.distributions


def unpack_kernel_and_bias(weights: Any) -> KernelBias:
    """Kernel and bias from what holds them; a single kernel has no bias.

    Example:
      >>> unpack_kernel_and_bias(["kernel"])
      KernelBias(kernel='kernel', bias=None)
    """
    return as_kernel_bias(weights)


class VariationalLayer(Layer):
    """A layer with a posterior and a prior; a subclass computes `_eval(inputs, weights)`.

    Every call draws the weights, and its penalty is `penalty_weight * posterior_penalty_fn(posterior, prior, weights)`.

    Args:
      posterior: Distribution of the weights, joint or not.
      prior: Distribution of the same structure.
      activation_fn: For `_eval` to apply.
      penalty_weight: Factor of the penalty; None is 1.
      posterior_penalty_fn: Function of posterior, prior and weights that gives the penalty.
      posterior_value_fn: Function of the posterior, and of `seed` if it takes one, that gives the weights.
      seed: Seed of the draws of unseeded calls; the same seed and name give the same sequence.
      dtype: Type that the inputs are converted to.
      name: Name.

    Example:
      >>> from bayesconv import compat as tfn
      >>> class Scale(tfn.VariationalLayer):
      ...     def _eval(self, inputs, weights):
      ...         return inputs * weights
      >>> layer = Scale(tfd.Normal(tf.Variable(1.0), 0.1), tfd.Normal(0.0, 1.0), penalty_weight=0.5)
      >>> y = layer(tf.ones([2, 3]))
      >>> bool(y[0, 0] == layer.extra_result), layer.extra_loss.shape
      (True, TensorShape([]))
    """

    def __init__(
        self,
        posterior: Any,
        prior: Any,
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        penalty_weight: Any = None,
        posterior_penalty_fn: PenaltyFn = kl_divergence_monte_carlo,
        posterior_value_fn: Callable[..., Any] = tfd.Distribution.sample,
        seed: random.Seed = None,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.posterior, self.prior = posterior, prior
        self._activation_fn, self._dtype = activation_fn, tf.as_dtype(dtype)
        self.penalty_weight = as_penalty_weight(penalty_weight)
        self._set_variational(posterior_penalty_fn, posterior_value_fn, seed)

    penalty_weight: Any = 1.0

    def _set_variational(self, penalty_fn: PenaltyFn, value_fn: Callable[..., Any], seed: random.Seed) -> None:
        self._posterior_penalty_fn, self._posterior_value_fn = penalty_fn, value_fn
        self._seeds = None if seed is None else _generator(seed, self.name)

    @property
    def dtype(self) -> tf.DType:
        """Type of weights, inputs and outputs."""
        return self._dtype

    @property
    def activation_fn(self) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """The activation."""
        return self._activation_fn

    @property
    def posterior_penalty_fn(self) -> PenaltyFn:
        """The function that gives the penalty."""
        return self._posterior_penalty_fn

    @property
    def posterior_value_fn(self) -> Callable[..., Any]:
        """The function that gives the weights."""
        return self._posterior_value_fn

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> LayerOutput:
        """Runs `eval`, with the layer's own seeds if it has them and the call has none."""
        if self._seeds is None or seed is not None:
            return super().forward(inputs, is_training=is_training, seed=seed)
        own = self._seeds.uniform_full_int([2], tf.int32)
        with calls.enter(own, is_training, "sample"):
            return super().forward(inputs, is_training=is_training, seed=own)

    def eval(self, x: Any, is_training: bool = True, **kwargs: Any) -> Any:
        """Draws, computes `_eval` and states the penalty."""
        call = calls.current()
        weights = self._weights_of(call)
        outputs = self._eval(tf.convert_to_tensor(x, self._dtype), weights, **kwargs)
        if is_training:  # of the mean weights it would be no divergence: a draw stands for them
            drawn = self._value(call.use_seed(self)) if call.weights == "mean" else weights
            self._set_extra_loss(self._penalty_of(drawn))
        self._set_extra_result(weights)
        return outputs

    def _eval(self, inputs: tf.Tensor, weights: Any) -> Any:
        raise TypeError(f"{type(self).__name__} must override _eval(inputs, weights).")

    def _seed(self) -> tf.Tensor:
        """A new seed, for what `_eval` draws besides the weights."""
        return calls.current().use_seed(self)

    def _weights_of(self, call: calls.Call) -> Any:
        if call.weights == "mean":
            return self.posterior.mean()
        # Once in a call, as everywhere; the draw is kept flat, for a bank of draws to hold.
        make: Any = lambda seed: tuple(tf.nest.flatten(self._value(seed)))  # noqa: E731
        draw = [part for part in call.draw(self, make) if part is not None]
        return tf.nest.pack_sequence_as(self.posterior.dtype, draw)

    def _value(self, seed: tf.Tensor) -> Any:
        function = self._posterior_value_fn
        if function in (tfd.Distribution.mean, tfd.Distribution.mode) or not takes(function, "seed"):
            return function(self.posterior)
        return function(self.posterior, seed=seed)

    def _penalty_of(self, weights: Any) -> Any:
        penalty = self._posterior_penalty_fn(self.posterior, self.prior, weights)
        return None if penalty is None else tf.cast(self.penalty_weight, penalty.dtype) * penalty


class VariationalLinear(VariationalLayer, Linear):
    """Body of the variational layers with a kernel and a bias: a layer of this library under TFP's arguments."""

    _estimator: str

    def _finish(
        self,
        posterior_penalty_fn: PenaltyFn,
        posterior_value_fn: Callable[..., Any],
        unpack_weights_fn: Callable[[Any], Any],
        seed: random.Seed,
    ) -> None:
        """What is left to do once the layer has its weights."""
        self._set_variational(posterior_penalty_fn, posterior_value_fn, seed)
        self._unpack_weights_fn = unpack_weights_fn
        self._is_native = posterior_value_fn is tfd.Distribution.sample and unpack_weights_fn is unpack_kernel_and_bias
        if not self._is_native and self._estimator != "reparameterization":
            raise ValueError(
                f"{type(self).__name__} needs to know how its weights are distributed, so `posterior_value_fn` is "
                "tfd.Distribution.sample and `unpack_weights_fn` is left out. Received "
                f"posterior_value_fn={posterior_value_fn!r}, unpack_weights_fn={unpack_weights_fn!r}. The layer of the "
                "reparameterization estimator takes both; layer(x, weights='mean') uses the posterior mean."
            )

    # Joint distributions are kept in functions, for TensorFlow cannot save what holds one; the parts are tracked.

    @property
    def posterior(self) -> Any:
        """Joint distribution of kernel and bias under the posterior."""
        return self._posterior()

    @posterior.setter
    def posterior(self, value: KernelBias) -> None:
        joint = as_joint(value)
        self._posterior = lambda: joint

    @property
    def prior(self) -> Any:
        """Joint distribution of kernel and bias under the prior."""
        return self._prior()

    @prior.setter
    def prior(self, value: KernelBias) -> None:
        joint, self._weights_prior = as_joint(value), value
        self._prior = lambda: joint

    @property
    def unpack_weights_fn(self) -> Callable[[Any], Any]:
        """The function that takes a draw apart."""
        return self._unpack_weights_fn

    def eval(self, x: Any, is_training: bool = True, **kwargs: Any) -> Any:
        """One stochastic pass."""
        if self._is_native:
            return Layer.eval(self, x, is_training, **kwargs)
        return VariationalLayer.eval(self, x, is_training, **kwargs)

    def _eval(self, inputs: tf.Tensor, weights: Any) -> tf.Tensor:
        outputs = self.linear_op(inputs, as_kernel_bias(self._unpack_weights_fn(weights)))
        return outputs if self._activation_fn is None else self._activation_fn(outputs)


def variational_factory(
    estimator: str, make_posterior_fn: Any, make_prior_fn: Any, posterior_penalty_fn: PenaltyFn, penalty_weight: Any
) -> Callable[..., Any]:
    """The factory of weights that TFP's four arguments and the layer's estimator describe."""
    return functools.partial(
        make_kernel_bias_variational,
        estimator=estimator,
        posterior=make_posterior_fn,
        prior=make_prior_fn,
        divergence=divergence_of(posterior_penalty_fn),
        penalty_weight=as_penalty_weight(penalty_weight),
    )


def as_penalty_weight(penalty_weight: Any) -> Any:
    """The factor of a penalty: 1 for None, a variable as it is, so that it can be changed later, and a float else."""
    if penalty_weight is None:
        return 1.0
    return penalty_weight if isinstance(penalty_weight, tf.Variable) else float(penalty_weight)


def _generator(seed: random.Seed, name: str) -> tf.random.Generator:
    # TFP salts its seeds with the name too.
    words = np.asarray(random.as_seed(seed), np.int64) % 2**32
    return tf.random.Generator.from_seed(int(words[0]) + (int(words[1]) << 32) + (zlib.crc32(name.encode()) << 64))
