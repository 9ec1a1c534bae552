"""TFP's transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bayesconv import layers, random
from bayesconv.compat.base import Layer
from bayesconv.compat.initializers import chosen
from bayesconv.compat.losses import PenaltyFn, kl_divergence_monte_carlo
from bayesconv.compat.variational import VariationalLinear, unpack_kernel_and_bias, variational_factory
from bayesconv.kernel_bias import (
    make_kernel_bias,
    make_kernel_bias_posterior_mvn_diag,
    make_kernel_bias_prior_spike_and_slab,
)
from bayesconv.weights import Initializer

tfd = tfp.distributions


class ConvolutionTranspose(Layer, layers.ConvolutionTranspose):
    """Transposed convolution; the arguments are those of `bayesconv.ConvolutionTranspose`, and TFP's `method`.

    `kernel_initializer` and `bias_initializer` are other names of `init_kernel_fn` and `init_bias_fn`; `method`, which
    chose between ways of computing the same, has no effect.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        filter_shape: int | Sequence[int],
        rank: int = 2,
        strides: int | Sequence[int] = 1,
        padding: str = "VALID",
        dilations: int | Sequence[int] = 1,
        output_padding: int | Sequence[int] | None = None,
        method: str = "auto",
        init_kernel_fn: Initializer | None = None,
        init_bias_fn: Initializer | None = None,
        make_kernel_bias_fn: Callable[..., Any] = make_kernel_bias,
        dtype: Any = tf.float32,
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        name: str | None = None,
        *,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        layers.ConvolutionTranspose.__init__(
            self,
            input_size,
            output_size,
            filter_shape,
            rank,
            strides,
            padding,
            dilations,
            output_padding,
            chosen(init_kernel_fn, kernel_initializer, "kernel"),
            chosen(init_bias_fn, bias_initializer, "bias"),
            make_kernel_bias_fn,
            dtype,
            activation_fn=activation_fn,
            name=name,
        )


class _ConvolutionTransposeVariational(VariationalLinear, layers.ConvolutionTranspose):
    """Base of the Bayesian transposed convolutions, which differ in the estimator."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        filter_shape: int | Sequence[int],
        rank: int = 2,
        strides: int | Sequence[int] = 1,
        padding: str = "VALID",
        dilations: int | Sequence[int] = 1,
        output_padding: int | Sequence[int] | None = None,
        method: str = "auto",
        init_kernel_fn: Initializer | None = None,
        init_bias_fn: Initializer | None = None,
        make_posterior_fn: Callable[..., Any] = make_kernel_bias_posterior_mvn_diag,
        make_prior_fn: Callable[..., Any] = make_kernel_bias_prior_spike_and_slab,
        posterior_value_fn: Callable[..., Any] = tfd.Distribution.sample,
        unpack_weights_fn: Callable[[Any], Any] = unpack_kernel_and_bias,
        dtype: Any = tf.float32,
        penalty_weight: Any = None,
        posterior_penalty_fn: PenaltyFn = kl_divergence_monte_carlo,
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        seed: random.Seed = None,
        name: str | None = None,
        *,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer | None = None,
    ) -> None:
        layers.ConvolutionTranspose.__init__(
            self,
            input_size,
            output_size,
            filter_shape,
            rank,
            strides,
            padding,
            dilations,
            output_padding,
            chosen(init_kernel_fn, kernel_initializer, "kernel"),
            chosen(init_bias_fn, bias_initializer, "bias"),
            variational_factory(
                self._estimator, make_posterior_fn, make_prior_fn, posterior_penalty_fn, penalty_weight
            ),
            dtype,
            activation_fn=activation_fn,
            name=name,
        )
        self._finish(posterior_penalty_fn, posterior_value_fn, unpack_weights_fn, seed)


class ConvolutionTransposeVariationalReparameterization(_ConvolutionTransposeVariational):
    """Bayesian transposed convolution: one draw of the weights for all examples.

    Args:
      input_size: Number of input channels.
      output_size: Number of output channels.
      filter_shape: Size of the filters, an int or one per spatial axis.
      rank: Number of spatial axes: 1, 2 or 3.
      strides: How far apart the filters of neighbouring inputs lie; int or one per axis.
      padding: `"VALID"` or `"SAME"`, in any case.
      dilations: Int or one per axis.
      output_padding: Positions added after each axis; see `bayesconv.ConvolutionTranspose`.
      method: Without effect: TFP chose here between ways of computing the same.
      init_kernel_fn: Initial location of the kernel's posterior.
      init_bias_fn: The same for the bias.
      make_posterior_fn: Makes the joint distribution of kernel and bias; in any order of arguments that TFP had.
      make_prior_fn: The same for the prior.
      posterior_value_fn: Gives the weights of a call; see `VariationalLayer`.
      unpack_weights_fn: Takes them apart into kernel and bias.
      dtype: float32 or float64.
      penalty_weight: Factor of the penalty; None is 1.
      posterior_penalty_fn: Function of posterior, prior and weights that gives the penalty.
      activation_fn: Function of the result.
      seed: Seed of the draws of unseeded calls.
      name: Name.
      kernel_initializer: Another name of `init_kernel_fn`.
      bias_initializer: Another name of `init_bias_fn`.

    Example:
      >>> layer = ConvolutionTransposeVariationalReparameterization(8, 1, 5, strides=2, padding="same")
      >>> layer(tf.ones([2, 4, 4, 8])).shape
      TensorShape([2, 8, 8, 1])
    """

    _estimator = "reparameterization"


class ConvolutionTransposeVariationalFlipout(_ConvolutionTransposeVariational):
    """Bayesian transposed convolution with flipout: the draw's deviation gets signs of its own for every example.

    The arguments are those of `ConvolutionTransposeVariationalReparameterization`.
    """

    _estimator = "flipout"
