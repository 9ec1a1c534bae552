"""Which setting a model could not be built for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bayesconv import kernel_bias
from bayesconv.config import RunConfig
from bayesconv.layers import Affine
from bayesconv.settings import KeyPath

_CHOICES = ("prior", "posterior", "divergence", "estimator")


def located(config: RunConfig, error: ValueError, build: Callable[[Callable[..., Any]], Any]) -> ValueError:
    """The error of a model that could not be built, with the place of the setting that it is about.

    Each choice is tried on a small layer, by itself: the one that fails in the same words is it. If none is, and the
    network with point weights fails in these words, its own options are.

    Args:
      config: The configuration.
      error: What building the model raised.
      build: Builds the network with weights from a factory.

    Returns:
      A `ConfigError`, or the error itself if nothing fails by itself.
    """
    path = next((path for path, choice in _choices(config) if _complaint(_affine(choice)) == str(error)), None)
    if path is None and _complaint(lambda: build(kernel_bias.make_kernel_bias)) == str(error):
        path = ("model", "name")
    return error if path is None else config.settings.error([(path, str(error))])


def _choices(config: RunConfig) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, override in enumerate(config.model.overrides):
        for key in _CHOICES:
            if (part := getattr(override, key)) is not None:
                yield ("model", "overrides", i, key), {key: part.identifier}
    for key in _CHOICES:
        yield ("model", key), {key: getattr(config.model, key).identifier}


def _affine(choice: dict[str, Any]) -> Callable[[], Any]:
    return lambda: Affine(2, 2, make_kernel_bias_fn=kernel_bias.factory(**choice))


def _complaint(build: Callable[[], Any]) -> str:
    try:
        build()
    except (ValueError, TypeError) as error:
        return str(error)
    return ""
