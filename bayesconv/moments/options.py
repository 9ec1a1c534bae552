"""What a user may choose about the approximations, for the rules to read."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from contextvars import ContextVar

from bayesconv.registry import unknown_name_message

COVARIANCES = ("tracked", "ignored")
MAX_POOLS = ("larger_mean", "clark")


@dataclasses.dataclass(frozen=True)
class Options:
    """The choices of one propagation.

    Attributes:
      covariance: Of activations: `"tracked"` or `"ignored"`.
      max_pool: `"larger_mean"` or `"clark"`.
    """

    covariance: str = "tracked"
    max_pool: str = "larger_mean"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("covariance", self.covariance, COVARIANCES),
            ("max_pool", self.max_pool, MAX_POOLS),
        ):
            if value not in choices:
                raise ValueError(unknown_name_message(f"value of `{name}`", value, choices))


_DEFAULT = Options()
_current: ContextVar[Options] = ContextVar("bayesconv_moments_options", default=_DEFAULT)


def current_options() -> Options:
    """The choices of the propagation in progress."""
    return _current.get()


@contextlib.contextmanager
def chosen(options: Options) -> Iterator[None]:
    """Makes these the choices for the block."""
    token = _current.set(options)
    try:
        yield
    finally:
        _current.reset(token)
