"""Runs compared: means over seeds with intervals, paired tests against a baseline, a table and a figure."""

from bayesconv.comparison.comparing import Comparison, Row, Score, compare
from bayesconv.comparison.directions import direction
from bayesconv.comparison.paired import (
    PairedTest,
    holm,
    mcnemar_test,
    paired_permutation_test,
    paired_t_test,
)
from bayesconv.comparison.table import as_csv, table
from bayesconv.comparison.writing import write

__all__ = [
    "Comparison",
    "PairedTest",
    "Row",
    "Score",
    "as_csv",
    "compare",
    "direction",
    "holm",
    "mcnemar_test",
    "paired_permutation_test",
    "paired_t_test",
    "table",
    "write",
]
