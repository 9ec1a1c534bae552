"""Natural gradients for normal posteriors of independent weights: IVON, with any prior and any estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from bayesconv import distributions
from bayesconv.inputs import check_model
from bayesconv.layers import Layer, Linear
from bayesconv.optimization.ranges import check_numbers


class Ivon:
    r"""Improved variational online Newton: what a posterior is unsure of moves further.

    With precision `p = 1 / scale^2` and effective number of data `n = num_data / temperature`, for the gradients `g` of
    a loss per example with its KL, a step is

        p <- p (1 + u + u^2 / 2),                              u = (1 - beta_2) n g_log_scale
        loc <- loc - learning_rate (scale / scale_0)^2 m / (1 - beta_1^t),    m <- beta_1 m + (1 - beta_1) g_loc

    with the root mean square `scale_0` of all scales at the start, so that `learning_rate` is about one of plain
    gradient descent there, less for the surer weights and more for the others. That is descent in the metric of the
    Fisher information; `u^2 / 2`, from the curvature of that space, keeps the precision positive.

    With a normal prior and draws by reparameterization the first line is the published one, which speaks of the Hessian
    `p / n - 1 / (n prior_scale^2)`. Written in gradients it takes those of any estimator, of less variance too, and of
    any prior. The moving average is of the whole gradient, in the paper of the data's alone, which with `beta_1=0` is
    the same. Scales that weights share move by the mean over them.

    Args:
      model: A layer with mean-field normal posteriors, whose scales are the exponential or the softplus of variables.
      num_data: Number of training examples.
      temperature: Multiplier of the KL in the loss.
      learning_rate: Of the locations at the start: a number or a Keras schedule.
      beta_1: Memory of the locations' gradients.
      beta_2: Memory of the precisions; it is about `1 / (1 - beta_2)` steps long.
      point_optimizer: Keras optimizer of all variables that belong to no such posterior; None is Adam.

    Raises:
      TypeError: If the model is not made of layers, or the optimizer is none of Keras.
      ValueError: If no posterior is normal with independent weights, or a number is out of its range.

    References:
      Shen et al., Variational Learning is Effective for Large Deep Networks, ICML 2024. arXiv:2402.17641
      Lin, Schmidt and Khan, Handling the Positive-Definite Constraint in the Bayesian Learning Rule, ICML 2020.
      arXiv:2002.10060

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Affine(2, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
      >>> optimizer = bc.Ivon(layer, num_data=8, learning_rate=0.01)
      >>> with tf.GradientTape() as tape:
      ...     terms = bc.elbo(layer, tf.ones([8, 2]), tf.zeros([8, 1]), num_data=8, likelihood="normal", seed=0)
      >>> optimizer.apply(tape.gradient(terms.loss, layer.trainable_variables))
    """

    def __init__(
        self,
        model: Layer,
        *,
        num_data: float,
        temperature: float = 1.0,
        learning_rate: Any = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        point_optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        check_model(model, "Ivon")
        check_numbers(num_data=num_data, temperature=temperature, beta_1=beta_1, beta_2=beta_2)
        if not callable(learning_rate) and not tf.is_tensor(learning_rate):
            check_numbers(learning_rate=learning_rate)
        self._variables, self._normals = model.trainable_variables, _normals_of(model)
        if not self._normals:
            raise ValueError(
                "Ivon trains normal posteriors of independent weights. Received a model without any, "
                f"`{model.name}`; give its layers the posterior mean_field_normal, or choose another optimizer."
            )
        self._num_effective, self._rate, self._betas = num_data / temperature, learning_rate, (beta_1, beta_2)
        self._iterations = _state(tf.constant(0, tf.int64))
        self._momenta = [_state(tf.zeros_like(normal.loc)) for normal in self._normals]
        self._variance_at_start = _state(tf.constant(_mean_variance(self._normals), tf.float64))
        moved = {id(part) for normal in self._normals for part in normal.trainable_variables}
        self._points = [variable for variable in self._variables if id(variable) not in moved]
        self._point_optimizer = _built(point_optimizer or keras.optimizers.Adam(), self._points)

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """One step.

        Args:
          gradients: One for each of the model's trainable variables, in their order.

        Raises:
          ValueError: If they are not as many, or one is None.
        """
        of = self._by_variable(gradients)
        rate = self._rate(self._iterations) if callable(self._rate) else self._rate
        step = self._iterations.assign_add(1)
        pace = (tf.cast(rate, tf.float64) if tf.is_tensor(rate) else rate) / self._variance_at_start
        for normal, momentum in zip(self._normals, self._momenta, strict=True):
            self._move_scale(normal, of)
            if id(normal.loc) in of:
                self._move_loc(normal, momentum, of[id(normal.loc)], tf.cast(pace, normal.dtype), step)
        if self._points:
            self._point_optimizer.apply([of[id(variable)] for variable in self._points], self._points)

    def _by_variable(self, gradients: Sequence[tf.Tensor]) -> dict[int, tf.Tensor]:
        gradients = list(gradients)
        if len(gradients) != len(self._variables) or not all(map(tf.is_tensor, gradients)):
            received = [type(gradient).__name__ for gradient in gradients]
            raise ValueError(
                "`apply` takes a gradient for each of the model's trainable variables, in their order: "
                f"{[variable.name for variable in self._variables]}. Received {received}."
            )
        return {id(variable): gradient for variable, gradient in zip(self._variables, gradients, strict=True)}

    def _move_scale(self, normal: tfd.Normal, of: dict[int, tf.Tensor]) -> None:
        raw = normal.scale.pretransformed_input
        if id(raw) not in of:  # not trained
            return
        scale = tf.convert_to_tensor(normal.scale)
        slope = tf.exp(normal.scale.bijector.forward_log_det_jacobian(raw, event_ndims=0))
        sharing = normal.loc.shape.num_elements() / scale.shape.num_elements()
        pace = (1.0 - self._betas[1]) * self._num_effective / sharing
        u = pace * of[id(raw)] * scale / slope
        normal.scale.assign(scale * tf.math.rsqrt(1.0 + u + 0.5 * tf.square(u)))

    def _move_loc(
        self, normal: tfd.Normal, momentum: tf.Variable, gradient: tf.Tensor, pace: tf.Tensor, step: tf.Tensor
    ) -> None:
        beta = self._betas[0]
        mean = momentum.assign(beta * momentum + (1.0 - beta) * gradient)
        unbiased = mean / (1.0 - tf.constant(beta, mean.dtype) ** tf.cast(step, mean.dtype))
        normal.loc.assign_sub(pace * tf.square(normal.scale) * unbiased)

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """The optimizer's own variables, by path."""
        points = [variable.value for variable in self._point_optimizer.variables]
        lists = {"momentum": self._momenta, "point": points}
        numbered = {f"optimizer/{key}/{i}": v for key, several in lists.items() for i, v in enumerate(several)}
        scalars = {"iterations": self._iterations, "variance_at_start": self._variance_at_start}
        return {**{f"optimizer/{key}": v for key, v in scalars.items()}, **numbered}


def _normals_of(model: Layer) -> list[tfd.Normal]:
    """The posteriors that are normal with independent weights, each once."""
    layers = (part for part in (model, *model.submodules) if isinstance(part, Linear) and part.posterior is not None)
    elements = (distributions.elementwise(q) for layer in layers for q in layer.posterior if q is not None)
    normals = (e for e in elements if isinstance(e, tfd.Normal))
    return list({id(e.loc): e for e in normals if _moves_freely(e.scale)}.values())


def _mean_variance(normals: Sequence[tfd.Normal]) -> float:
    sums = [float(tf.reduce_mean(tf.square(normal.scale))) * normal.loc.shape.num_elements() for normal in normals]
    return sum(sums) / sum(normal.loc.shape.num_elements() for normal in normals)


def _moves_freely(scale: Any) -> bool:
    # A scale that is derived from other variables does not move by itself; one with a floor cannot go where it must.
    return isinstance(scale, tfp_util.TransformedVariable) and isinstance(scale.bijector, (tfb.Exp, tfb.Softplus))


def _built(optimizer: Any, points: list[tf.Variable]) -> keras.optimizers.Optimizer:
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"`point_optimizer` is a Keras optimizer. Received {optimizer!r}.")
    optimizer.build(points)
    return optimizer


def _state(value: tf.Tensor) -> tf.Variable:
    return tf.Variable(value, trainable=False)
