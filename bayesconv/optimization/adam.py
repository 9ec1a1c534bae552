"""Adam by TensorFlow's fused kernel."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam by TensorFlow's fused kernel: the same formula, several times as fast on a CPU."""

    _shared: dict[tf.DType, dict[str, tf.Tensor]] | None = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """One step."""
        self._shared = {}
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._shared = None

    def update_step(self, gradient: tf.Tensor, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        value = variable.value if isinstance(variable, keras.Variable) else variable
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=value.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            grad=gradient,
            **self._rates(value.dtype, learning_rate),
        )

    def _rates(self, dtype: tf.DType, learning_rate: Any) -> dict[str, tf.Tensor]:
        # What all variables of a step share, made once for it.
        shared = {} if self._shared is None else self._shared
        if dtype not in shared:
            step = tf.cast(self.iterations + 1, dtype)
            beta1, beta2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
            shared[dtype] = {
                "beta1_power": tf.pow(beta1, step),
                "beta2_power": tf.pow(beta2, step),
                "lr": tf.cast(learning_rate, dtype),
                "beta1": beta1,
                "beta2": beta2,
                "epsilon": tf.constant(self.epsilon, dtype),
            }
        return shared[dtype]
