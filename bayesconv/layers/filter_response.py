"""Filter response normalization: by mean squares of each example, with an activation of its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bayesconv.layers.arguments import check_rank
from bayesconv.layers.normalization import Normalization
from bayesconv.layers.pooling import check_axes
from bayesconv.rows import mean_square


class FilterResponseNorm(Normalization):
    """Each channel of each example by its mean square over all positions, and a learned threshold for an activation.

    ```
    z = max(scale * x / sqrt(mean(x^2) + epsilon) + offset, threshold)
    ```

    It needs no other examples and takes no mean away, so it suits layers whose weights are drawn at random; use no
    activation after it.

    Args:
      size: Number of channels `C`.
      rank: Number of spatial axes: 1, 2 or 3.
      epsilon: Added to mean squares; with a single position choose it larger.
      use_scale: Whether there is a scale per channel, at first 1.
      use_offset: Whether there is an offset per channel, at first 0.
      use_threshold: Whether there is a threshold per channel, at first 0: the thresholded linear unit.
      dtype: float32 or float64.
      name: Name.

    Input shape:
      `[N.., spatial.., C]`, with one batch axis or more.

    Output shape:
      That of the inputs.

    Raises:
      ValueError: If an argument is out of range, or the inputs do not fit.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> bc.FilterResponseNorm(1, rank=1)(tf.constant([[[3.0], [-3.0]]])).numpy().round(3).ravel().tolist()
      [1.0, 0.0]

    References:
      Singh and Krishnan, Filter Response Normalization Layer, CVPR 2020. arXiv:1911.09737
    """

    def __init__(
        self,
        size: int,
        rank: int = 2,
        *,
        epsilon: float = 1e-6,
        use_scale: bool = True,
        use_offset: bool = True,
        use_threshold: bool = True,
        dtype: Any = tf.float32,
        name: str | None = None,
    ) -> None:
        check_rank(rank)
        super().__init__(size, epsilon=epsilon, use_scale=use_scale, use_offset=use_offset, dtype=dtype, name=name)
        self._rank = rank
        self._threshold = self._variable(0.0, "threshold") if use_threshold else None

    @property
    def threshold(self) -> tf.Variable | None:
        """The smallest output of each channel."""
        return self._threshold

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self._rank

    _has_few_factors = True

    def _statistics(self, inputs: tf.Tensor) -> tuple[None, tf.Tensor]:
        check_axes(self.name, inputs, self._rank)
        axes = list(range(-self._rank - 1, -1))
        return None, tf.math.rsqrt(mean_square(inputs, axes) + self._epsilon)

    def _least(self) -> tf.Variable | None:
        return self._threshold
