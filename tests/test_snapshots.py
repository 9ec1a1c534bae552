"""Claims about ensembles of snapshots: members after the first go on from the one before, and training is resumable."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import cli, experiment, loop, members, runs
from bayesconv.config import ConfigError, RunConfig, load_config

pytestmark = pytest.mark.slow

SETTINGS = {
    "data": {"name": "digits"},
    "model": {"name": {"name": "mlp", "hidden": [4]}, "estimator": "reparameterization"},
    "objective": {"kl_schedule": {"name": "linear", "warm_up": 1.0}},
    "training": {"epochs": 3, "batch_size": 512, "learning_rate": 1e-2, "members": 3, "snapshot_epochs": 2},
    "evaluation": {"num_samples": 3, "bootstrap": 0},
}


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "snapshots"
    experiment.train(RunConfig(**SETTINGS), folder, progress=False)
    return folder


def weights(folder):
    with np.load(folder / "checkpoints" / "best.npz") as archive:
        return dict(archive)


def test_a_later_member_is_the_one_before_trained_further(snapshots):
    """The same by hand, with `fit` alone."""
    earlier, config = runs.load_run(snapshots / "members" / "1"), members.configurations(RunConfig(**SETTINGS))[2]
    dataset = earlier.dataset()
    bc.fit(
        earlier.model,
        dataset.train,
        validation=dataset.validation,
        kl_schedule="constant",
        epochs=2,
        batch_size=512,
        learning_rate=1e-2,
        seed=config.seed,
        progress=False,
    )
    later = runs.load_run(snapshots / "members" / "2").model
    for ours, theirs in zip(earlier.model.variables, later.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_first_alone_warms_up(snapshots):
    histories = [runs.read_history(snapshots / "members" / str(index)) for index in range(3)]
    assert [len(rows) for rows in histories] == [3, 2, 2]
    assert histories[0][0]["kl_weight"] < 0.5
    assert all(row["kl_weight"] == 1.0 for rows in histories[1:] for row in rows)


def test_a_later_member_begins_better_than_the_first(snapshots):
    first, second = (runs.read_history(snapshots / "members" / str(index)) for index in range(2))
    assert second[0]["nll"] < first[0]["nll"]


def test_they_predict_as_an_ensemble(snapshots):
    report = experiment.evaluate(snapshots)
    assert (report["members"], report["num_samples"]) == (3, 9)


@pytest.mark.parametrize("at", [2, 5, 7])  # within the first, the second and the third
def test_an_interrupted_run_ends_with_the_same_weights(at, snapshots, tmp_path, monkeypatch):
    begun, original = [], loop.TrainingLoop._train_epoch

    def epoch(training, *arguments):
        begun.append(None)
        if len(begun) == at:
            raise KeyboardInterrupt
        return original(training, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.TrainingLoop, "_train_epoch", epoch)
        with pytest.raises(KeyboardInterrupt):
            experiment.train(RunConfig(**SETTINGS), tmp_path / "run", progress=False)
    experiment.train(RunConfig(**SETTINGS), tmp_path / "run", resume=True, progress=False)
    for index in range(3):
        expected = weights(snapshots / "members" / str(index))
        found = weights(tmp_path / "run" / "members" / str(index))
        assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_a_single_network_has_no_snapshots(tmp_path, capsys):
    (tmp_path / "run.yaml").write_text(json.dumps({**SETTINGS, "training": {"members": 1, "snapshot_epochs": 2}}))
    with pytest.raises(ConfigError, match=r"snapshot_epochs: .*Received 2 with members 1; set members"):
        load_config(tmp_path / "run.yaml")
    assert cli.main(["train", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
