"""TFP's initializers: `glorot_uniform()(shape, dtype, batch_ndims)`."""

from __future__ import annotations

from typing import Any

from bayesconv import initializers, random
from bayesconv.weights import Initializer


def glorot_uniform(seed: random.Seed = None) -> Initializer:
    """Uniform with variance `2 / (fan_in + fan_out)`; the batch dimensions count for neither."""
    return initializers.glorot_uniform(seed=seed)


def glorot_normal(seed: random.Seed = None) -> Initializer:
    """Normal with variance `2 / (fan_in + fan_out)`, which TFP cuts off at two standard deviations."""
    return initializers.glorot_normal(seed=seed)


def he_uniform(seed: random.Seed = None) -> Initializer:
    """Uniform with variance `2 / fan_in`."""
    return initializers.he_uniform(seed=seed)


def he_normal(seed: random.Seed = None) -> Initializer:
    """Normal with variance `2 / fan_in`, which TFP cuts off at two standard deviations."""
    return initializers.he_normal(seed=seed)


def chosen(new: Any, old: Any, name: str) -> Any:
    """The initializer given under either of TFP's names, of which each layer gets values of its own.

    An unseeded initializer of Keras gives every layer the same values, unlike in TFP's day; it is renewed.

    Args:
      new: Given as `init_kernel_fn` or `init_bias_fn`.
      old: Given as `kernel_initializer` or `bias_initializer`.
      name: `"kernel"` or `"bias"`.

    Raises:
      TypeError: If both are given.
    """
    if new is not None and old is not None:
        raise TypeError(
            f"`init_{name}_fn` and `{name}_initializer` are two names of one argument. Received both; give one."
        )
    initializer = old if new is None else new
    config = initializer.get_config() if hasattr(initializer, "get_config") else {}
    if "seed" not in config or config["seed"] is not None:
        return initializer
    seed = int(random.as_seed(None)[0]) % 2**31
    return type(initializer).from_config({**config, "seed": seed})
