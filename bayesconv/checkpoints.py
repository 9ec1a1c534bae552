"""The state of a training run on disk: enough to go on as if nothing had happened."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bayesconv import files
from bayesconv.layers import variables as by_path

_STATE = "state"


class RunFolder:
    """The files of a run: `history.jsonl`, `checkpoints/best.npz` (weights) and `checkpoints/last.npz` (everything).

    Args:
      path: The folder; made when the first file is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.history = self.path / "history.jsonl"
        self.best = self.path / "checkpoints" / "best.npz"
        self.last = self.path / "checkpoints" / "last.npz"

    def save_last(self, variables: Mapping[str, tf.Variable], state: Mapping[str, Any]) -> None:
        """Writes all variables, and what else determines the rest of the run, in one file."""
        arrays = {**by_path.values(variables), _STATE: np.array(json.dumps(state))}
        files.save_arrays(self.last, arrays)

    def read_state(self) -> dict[str, Any]:
        """What `save_last` wrote besides the variables.

        Raises:
          ValueError: If the file is damaged, or was not written by a run.
        """
        try:
            state = json.loads(str(files.load_arrays(self.last).get(_STATE, "null")))
        except json.JSONDecodeError:
            state = None
        if not isinstance(state, dict) or not {"rows", "settings", "best_nll", "best_epoch"} <= set(state):
            raise ValueError(
                f"{self.last} holds no state of a run, so it cannot be resumed. Train again in a new folder."
            )
        return state

    def load_last(self, variables: Mapping[str, tf.Variable]) -> None:
        """Assigns the variables that `save_last` wrote.

        Raises:
          ValueError: If the file is damaged or belongs to another model; no variable has changed then.
        """
        arrays = files.load_arrays(self.last)
        del arrays[_STATE]
        by_path.assign(variables, arrays, source=self.last)

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Writes one JSON object a line."""
        files.write_text(self.history, "".join(json.dumps(row) + "\n" for row in rows))


def read_history(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a `history.jsonl`."""
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line]
