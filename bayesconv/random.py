"""Stateless seeds and our own normals, the same eagerly, in a graph and under XLA.

Every seed is an int or a pair of ints. `tf.random.stateless_normal` gives other numbers when XLA compiles it, so
draws here are made of Philox bits, which do not, and of a fixed transform. The sequence belongs to the interface:
`ALGORITHM` changes when it does.
"""

from __future__ import annotations

import contextlib
import functools
import math
import numbers
import operator
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv.tracing import as_one_operation, traced

ALGORITHM = "philox/lattice-box-muller/2"
Seed = int | tuple[int, int] | tf.Tensor | None

_PHILOX = 1
_DRAW, _FOLD, _SPLIT = 0, 1, 2
_ONE = int(np.float32(1).view(np.int32))
_default_generator: tf.random.Generator | None = None


def set_seed(seed: int) -> None:
    """Makes the seeds of unseeded calls, and so initial weights too, a sequence that `seed` determines.

    Example:
      >>> import bayesconv as bc
      >>> bc.set_seed(1); a = bc.Affine(2, 3).kernel
      >>> bc.set_seed(1); b = bc.Affine(2, 3).kernel
      >>> bool((a.numpy() == b.numpy()).all())
      True
    """
    _generator().reset_from_seed(seed)


@contextlib.contextmanager
def temporary_seed(seed: int) -> Iterator[None]:
    """As `set_seed` for the block, after which unseeded calls go on as if nothing had happened.

    Example:
      >>> with temporary_seed(1):
      ...     a = as_seed(None)
      >>> with temporary_seed(1):
      ...     b = as_seed(None)
      >>> bool((a == b).numpy().all())
      True
    """
    before = tf.identity(_generator().state)
    set_seed(seed)
    try:
        yield
    finally:
        _generator().state.assign(before)


def as_seed(seed: Seed) -> tf.Tensor:
    """The seed as a `[2]` int32 tensor; None draws one from the module's generator.

    Raises:
      ValueError: If it is neither an int nor a pair of ints.
    """
    if seed is None:
        return _generator().uniform_full_int([2], tf.int32)
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        return tf.constant([_wrap(seed), _wrap(seed >> 32)], tf.int32)
    seed = tf.convert_to_tensor(seed)
    if tuple(seed.shape) != (2,) or not seed.dtype.is_integer:
        raise ValueError(
            f"A seed is an int or a pair of ints. Received shape {seed.shape} and dtype {seed.dtype.name}."
        )
    return tf.cast(seed, tf.int32)


def fold_in(seed: tf.Tensor, data: Any) -> tf.Tensor:
    """A new seed that depends on a seed and on an integer."""
    return _folding()(as_seed(seed), _counter(data, _FOLD))


def fold_in_and_on(seed: tf.Tensor, data: Any, num: int) -> list[tf.Tensor]:
    """`folded = fold_in(seed, data)`, and `fold_in(folded, i)` for the i below `num`, in one operation."""
    return list(_folding_on(operator.index(num))(as_seed(seed), _counter(data, _FOLD)))


def split(seed: tf.Tensor, num: int = 2) -> list[tf.Tensor]:
    """`num` independent seeds from one."""
    return list(_splitting(operator.index(num))(as_seed(seed)))


def normal(shape: Any, seed: Seed, dtype: Any = tf.float32) -> tf.Tensor:
    """Standard normal numbers by the Box-Muller transform of random points of a lattice.

    A random word w of b bits makes two numbers: it picks a point `(w / 2^b, frac(w a / 2^b))` of the unit square, whose
    sides become radius and angle. With `a / 2^b` next to the golden section, whose continued fraction has small terms
    only, every rectangle holds its area's share of these points to 1e-7, so one word does what takes two otherwise:
    bits are what drawing costs most.

    Args:
      shape: Shape of the result; may be a tensor.
      seed: Int or pair of ints.
      dtype: float32 or float64; narrower types are drawn in float32 and cast.

    Returns:
      A tensor of `shape`. With float32 the largest magnitude is 6.8 (32-bit words), with float64 9.5.

    References:
      Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011 (Philox).
      Niederreiter, Random Number Generation and Quasi-Monte Carlo Methods, SIAM 1992, chapter 5 (lattices).

    Example:
      >>> normal([2], seed=3).shape
      TensorShape([2])
    """
    dtype = tf.as_dtype(dtype)
    if dtype not in (tf.float32, tf.float64):
        return tf.cast(normal(shape, seed), dtype)
    shape, size = _static_if_known(shape)
    return tf.reshape(_normals(dtype)(as_seed(seed), tf.convert_to_tensor(size, tf.int32)), shape)


@functools.cache
def _normals(dtype: tf.DType) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    return as_one_operation(lambda seed, size: _box_muller(seed, size, dtype))


@functools.cache
def _folding() -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    return traced(lambda seed, counter: _bits([2], seed, tf.int32, counter), [_SEED, tf.TensorSpec([2], tf.uint64)])


@functools.lru_cache(maxsize=128)
def _folding_on(num: int) -> Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]:
    def of(seed: tf.Tensor, counter: tf.Tensor) -> list[tf.Tensor]:
        folded = _bits([2], seed, tf.int32, counter)
        return [folded, *(_bits([2], folded, tf.int32, _counter(i, _FOLD)) for i in range(num))]

    return traced(of, [_SEED, tf.TensorSpec([2], tf.uint64)])


@functools.lru_cache(maxsize=128)
def _splitting(num: int) -> Callable[[tf.Tensor], Sequence[tf.Tensor]]:
    return traced(lambda seed: tf.unstack(_bits([num, 2], seed, tf.int32, _counter(0, _SPLIT))), [_SEED])


_SEED = tf.TensorSpec([2], tf.int32)
_GOLDEN = {32: 0x9E3778C1, 64: 0x9E3779B97F4A5C13}


def _box_muller(seed: tf.Tensor, size: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    words, signed, digits = (tf.uint32, tf.int32, 32) if dtype == tf.float32 else (tf.uint64, tf.int64, 64)
    bits = _bits([(size + 1) // 2], seed, words)
    radius = tf.sqrt(-2.0 * tf.math.log((tf.cast(bits, dtype) + 0.5) * 2.0**-digits))
    turned = tf.bitcast(bits * tf.constant(_GOLDEN[digits], words), signed)
    angle = tf.cast(turned, dtype) * (2.0 * math.pi * 2.0**-digits)
    return tf.slice(tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0), [0], [size])


def uniform(shape: Any, seed: Seed, dtype: Any = tf.float32) -> tf.Tensor:
    """Uniform numbers in the open interval (-1, 1)."""
    dtype = tf.as_dtype(dtype)
    below_one = np.nextafter(dtype.as_numpy_dtype(1), dtype.as_numpy_dtype(0))  # the last middle rounds to 1 in float32
    return tf.minimum(2.0 * _unit_interval(shape, seed, dtype) - 1.0, below_one)


def signs(shape: Any, seed: Seed, dtype: Any = tf.float32) -> tf.Tensor:
    """Independent random signs, -1 or 1 with equal probability."""
    shape, _ = _static_if_known(shape)
    found = _signs(tf.as_dtype(dtype))(as_seed(seed), tf.convert_to_tensor(shape, tf.int32))
    if not tf.is_tensor(shape):
        found.set_shape(shape)
    return found


@functools.cache
def _signs(dtype: tf.DType) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    def of(seed: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
        # The lowest bit becomes the sign of a 1.0: fewer passes than arithmetic takes.
        sign = tf.bitwise.left_shift(_bits(shape, seed, tf.int32), 31)
        return tf.cast(tf.bitcast(tf.bitwise.bitwise_or(sign, _ONE), tf.float32), dtype)

    return as_one_operation(of)


def _unit_interval(shape: Any, seed: Seed, dtype: tf.DType) -> tf.Tensor:
    # The middles of 2^24 or 2^52 equal cells: never 0, so the logarithm is finite. In float32 the last is rounded to 1.
    word, kept, drawn = (tf.uint32, 24, 32) if dtype == tf.float32 else (tf.uint64, 52, 64)
    bits = tf.bitwise.right_shift(_bits(shape, seed, word), tf.constant(drawn - kept, word))
    return (tf.cast(bits, dtype) + 0.5) * 2.0**-kept


def _static_if_known(shape: Any) -> tuple[Any, Any]:
    # Numbers instead of tensors where they can be: a network traces in less time.
    if isinstance(shape, (list, tuple)) and any(tf.is_tensor(size) for size in shape):
        shape = tf.stack(shape)
    known = tf.get_static_value(shape)
    if known is not None:
        return known, math.prod(map(int, known))
    shape = tf.convert_to_tensor(shape, tf.int32)
    return shape, tf.reduce_prod(shape)


def _counter(low: Any, high: int) -> tf.Tensor:
    # The generator hashes (key, counter): the upper half of the counter tells apart draws, folds and splits of a seed.
    if isinstance(low, numbers.Integral):
        return tf.constant([int(low) % 2**64, high], tf.uint64)
    return tf.stack([tf.cast(low, tf.uint64), tf.constant(high, tf.uint64)])


def _bits(shape: Any, seed: Seed, dtype: tf.DType, counter: tf.Tensor | None = None) -> tf.Tensor:
    key = tf.bitcast(tf.reshape(as_seed(seed), [1, 2]), tf.uint64)
    counter = _counter(0, _DRAW) if counter is None else counter
    return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype)


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _generator() -> tf.random.Generator:
    global _default_generator
    if _default_generator is None:
        with tf.init_scope():
            _default_generator = tf.random.Generator.from_seed(secrets.randbits(62), alg="philox")
    return _default_generator
