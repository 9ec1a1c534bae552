"""Claims about the state of a run on disk."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bayesconv import files
from bayesconv.checkpoints import RunFolder, read_history


def _variables(offset=0.0):
    return {"model/kernel": tf.Variable([1.0 + offset, 2.0]), "step": tf.Variable(tf.constant(3, tf.int64))}


def test_a_round_trip_restores_variables_and_state(tmp_path):
    folder = RunFolder(tmp_path / "run")
    state = {"rows": [], "best_epoch": 4, "best_nll": float("-inf"), "settings": {"seed": 1, "name": "µ"}}
    folder.save_last(_variables(), state)
    other = _variables(offset=5.0)
    assert folder.read_state() == state
    np.testing.assert_array_equal(other["model/kernel"], [6.0, 2.0])  # reading the state assigns nothing
    folder.load_last(other)
    np.testing.assert_array_equal(other["model/kernel"], [1.0, 2.0])
    assert int(other["step"]) == 3


def test_the_folder_is_made_when_something_is_written(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert not folder.path.exists()
    folder.write_history([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert read_history(folder.history) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    assert folder.history.read_text().count("\n") == 2


def test_a_checkpoint_of_another_model_changes_nothing(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save_last(_variables(), {"epoch": 1})
    other = {**_variables(offset=5.0), "model/bias": tf.Variable(1.0)}
    with pytest.raises(ValueError, match=r"last\.npz do not fit this model: missing model/bias"):
        folder.load_last(other)
    np.testing.assert_array_equal(other["model/kernel"], [6.0, 2.0])


def test_weights_alone_are_no_run(tmp_path):
    folder = RunFolder(tmp_path)
    files.save_arrays(folder.last, {"kernel": np.zeros(2)})
    with pytest.raises(ValueError, match="holds no state of a run, so it cannot be resumed"):
        folder.read_state()


def test_a_damaged_checkpoint_is_said_to_be_damaged(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save_last(_variables(), {"epoch": 1})
    folder.last.write_bytes(folder.last.read_bytes()[:100])
    with pytest.raises(ValueError, match="is damaged"):
        folder.read_state()


def test_a_state_that_is_no_json_names_the_file(tmp_path):
    folder = RunFolder(tmp_path)
    files.save_arrays(folder.last, {"state": np.array("{")})
    with pytest.raises(ValueError, match=r"last\.npz holds no state of a run.*Train again"):
        folder.read_state()
