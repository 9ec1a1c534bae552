"""What is kept of predictions that are forgotten: sums, of which every figure of a stream is made."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bayesconv.metrics.checks import Floats
from bayesconv.prediction import Predictive

NUM_BINS = 2000  # of uncertainties whose ranks are counted


class Accumulator(abc.ABC):
    """Figures of a stream: `update` for a chunk, `result` for all so far."""

    @abc.abstractmethod
    def update(self, predictive: Predictive, labels: Any) -> None:
        """Adds a chunk and its labels."""

    @abc.abstractmethod
    def result(self) -> dict[str, Any]:
        """The figures, ready for JSON.

        Raises:
          ValueError: If there were no examples.
        """


def edges_of(uncertainty: Any) -> Any:
    """What separates the bins of an uncertainty: quantiles of a first chunk."""
    return np.quantile(np.asarray(uncertainty, np.float64), np.linspace(0, 1, NUM_BINS + 1)[1:-1])


def values_of(rows: Mapping[str, Floats | None], names: Iterable[str]) -> dict[str, float | None]:
    """The figures themselves, the first of their rows, as `PoissonSums` has them; None where a chunk had none."""
    found = {name: rows.get(name) for name in names}
    return {name: None if row is None else float(row[0]) for name, row in found.items()}
