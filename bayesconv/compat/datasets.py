"""TFP's way of preparing a data set and of decaying a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def tune_dataset(
    dataset: tf.data.Dataset,
    batch_size: int | None = None,
    shuffle_size: int | None = None,
    preprocess_fn: Callable[..., Any] | None = None,
    repeat_count: int | None = -1,
) -> tf.data.Dataset:
    """Caches, shuffles, repeats, preprocesses and batches a data set.

    The cache comes before `preprocess_fn`, so that what is random in it is drawn anew in every epoch; TFP's froze the
    first epoch's.

    Args:
      dataset: Of single examples.
      batch_size: Number of examples in a batch, all of that size; None for no batches.
      shuffle_size: Size of the buffer that is shuffled; None leaves the order.
      preprocess_fn: Function of an example.
      repeat_count: Number of passes; -1 for no end, None for one.

    Example:
      >>> dataset = tune_dataset(tf.data.Dataset.range(4), batch_size=2, preprocess_fn=lambda x: 10 * x)
      >>> next(iter(dataset)).numpy().tolist()
      [0, 10]
    """
    dataset = dataset.cache()
    if shuffle_size is not None:
        dataset = dataset.shuffle(shuffle_size)
    if repeat_count is not None:
        dataset = dataset.repeat(repeat_count)  # after the shuffling: an epoch is complete before the next begins
    if preprocess_fn is not None:
        dataset = dataset.map(preprocess_fn, num_parallel_calls=tf.data.AUTOTUNE)
    if batch_size is not None:
        dataset = dataset.batch(batch_size, drop_remainder=True)
    return dataset.prefetch(tf.data.AUTOTUNE)


def halflife_decay(
    time_step: Any, half_life: Any, initial: Any, final: Any = 0.0, dtype: Any = tf.float32, name: str | None = None
) -> tf.Tensor:
    """A number that approaches another, half of the way in every half-life.

    Args:
      time_step: Time that has passed.
      half_life: Time in which the distance halves.
      initial: The number at time 0.
      final: The number approached.
      dtype: Floating-point type of the result.
      name: Name of the scope.

    Example:
      >>> float(halflife_decay(20, half_life=10, initial=1.0))
      0.25
    """
    with tf.name_scope(name or "halflife_decay"):
        time_step, half_life, initial, final = (tf.cast(x, dtype) for x in (time_step, half_life, initial, final))
        return final + (initial - final) * 0.5 ** (time_step / half_life)
