"""Whether the predictions of an evaluation are kept in the run's folder, and whether progress is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

from bayesconv.predictive import Predictive


class Manner(NamedTuple):
    """How predictions are made, besides what they are.

    Attributes:
      keeps: Whether they are written to the run's `predictions` folder, and read from there if they are in it.
      progress: Whether a bar is shown.
      then: What is made of each prediction, such as a recalibrated one; None leaves it as it is.
    """

    keeps: bool = False
    progress: bool = False
    then: Callable[[Predictive], Predictive] | None = None


_MANNER: ContextVar[Manner] = ContextVar("manner")


def current() -> Manner:
    """What holds here; outside of `manner`, nothing is kept or shown."""
    return _MANNER.get(Manner())


@contextlib.contextmanager
def manner(
    *,
    keeps: bool | None = None,
    progress: bool | None = None,
    then: Callable[[Predictive], Predictive] | None = None,
) -> Iterator[None]:
    """Sets it for all predictions of runs that are made inside; what is None stays as it is outside.

    Args:
      keeps: Whether predictions are written to the run's folder, and read from there. See `bayesconv.evaluation.kept`.
      progress: Whether a bar is shown for each set.
      then: What is made of each prediction.
    """
    changes: dict[str, Any] = {"keeps": keeps, "progress": progress, "then": then}
    token = _MANNER.set(current()._replace(**{name: value for name, value in changes.items() if value is not None}))
    try:
        yield
    finally:
        _MANNER.reset(token)
