"""`bayesconv sweep` and `bayesconv compare`, from the command line to the figure."""

import json
import os
import re
import sys
import types
from pathlib import Path

import pytest

from bayesconv import cli
from bayesconv.sweeps import manifest, running, worker
from bayesconv.sweeps.processes import Outcome

pytestmark = pytest.mark.slow

CONFIG = """\
data: digits
model: {name: {name: digits_cnn, filters: [2]}, estimator: reparameterization}
training: {epochs: 1, batch_size: 512}
evaluation: {num_samples: 2, ood: [], bootstrap: 0}
"""
POOL = running._pool


class InThisProcess:
    """Runs cells here and now, which spares the import of TensorFlow."""

    def __init__(self, engine, folder, jobs):
        self.folder, self.outcomes = folder, []

    def start(self, name):
        try:
            worker.run(self.folder, name)
            self.outcomes.append((name, Outcome("finished")))
        except ValueError as error:
            self.outcomes.append((name, Outcome("failed", str(error))))

    def ended(self):
        while self.outcomes:
            yield self.outcomes.pop()

    def stop(self, *, at_once=False):
        pass

    def close(self):
        pass


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "_pool", InThisProcess)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return "tiny.yaml"


def test_a_real_sweep_and_its_comparison(config, capsys, tmp_path):
    priors = "model.prior=normal,{name: normal, scale: -1},{name: laplace, scale: 0.1}"
    command = ["sweep", config, "--vary", priors]
    assert cli.main(command) == 3  # a scale of -1 is refused when the model is built, and the rest goes on
    said = capsys.readouterr()
    assert "2 of 3 runs finished, in sweeps/tiny. Next: bayesconv compare sweeps/tiny\n" in said.out
    wanted = (
        r"error: 1 of 3 runs failed:\n  prior=normal-scale--1: .*model\.prior: The scale of a prior must be positive"
    )
    assert re.search(wanted, said.err), said.err
    assert "prior=normal: finished (1 of 3)" in said.err

    assert cli.main(["compare", "sweeps/tiny", "--metric", "nll", "--metric", "accuracy"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"laplace\(scale=0.1\) +1 +\d", out)
    assert "Differences from prior=normal:" in out
    assert "sweeps/tiny/prior=normal-scale--1 is left out: it is failed." in out
    found = json.loads((tmp_path / "sweeps" / "tiny" / "comparison.json").read_text())
    folders = [tmp_path / row["folders"][0] for row in found["rows"]]
    scores = [json.loads((folder / "evaluation.json").read_text()) for folder in folders]
    assert [row["scores"]["nll"]["mean"] for row in found["rows"]] == [score["nll"] for score in scores]
    by_images = found["rows"][1]["by_images"]["nll"]
    assert by_images["num_pairs"] == 360
    # The mean loss of the images is the loss that the evaluation reports.
    assert by_images["difference"] == pytest.approx(scores[1]["nll"] - scores[0]["nll"], rel=1e-4)
    assert (tmp_path / "sweeps" / "tiny" / "comparison.png").stat().st_size > 10_000

    before = os.stat("sweeps/tiny/prior=normal/evaluation.json").st_mtime_ns
    assert cli.main(command) == 3  # again: the finished are left, and so are the failed
    assert os.stat("sweeps/tiny/prior=normal/evaluation.json").st_mtime_ns == before
    assert [cell.attempts for cell in manifest.read("sweeps/tiny").cells] == [1, 1, 1]


def test_settings_are_chosen_by_validation_images(config, capsys, tmp_path):
    command = ["sweep", config, "--vary", "model.prior=normal,laplace"]
    assert cli.main([*command, "--split", "validation"]) == 0
    assert "Next: bayesconv compare sweeps/tiny --split validation\n" in capsys.readouterr().out
    folders = [tmp_path / "sweeps" / "tiny" / f"prior={prior}" for prior in ("normal", "laplace")]
    assert not any((folder / "evaluation.json").exists() for folder in folders)
    assert cli.main(["compare", "sweeps/tiny"]) == 2
    assert "it was not evaluated. Run bayesconv evaluate" in capsys.readouterr().err

    assert cli.main(["compare", "sweeps/tiny", "--split", "validation", "--metric", "nll"]) == 0
    assert "These are scores of validation images" in capsys.readouterr().out
    assert not (tmp_path / "sweeps" / "tiny" / "comparison.json").exists()
    found = json.loads((tmp_path / "sweeps" / "tiny" / "comparison_validation.json").read_text())
    assert found["split"] == "validation"
    scores = [json.loads((folder / "evaluation_validation.json").read_text()) for folder in folders]
    assert [row["scores"]["nll"]["mean"] for row in found["rows"]] == [score["nll"] for score in scores]
    by_images = found["rows"][1]["by_images"]["nll"]
    assert by_images["num_pairs"] == 287
    assert by_images["difference"] == pytest.approx(scores[1]["nll"] - scores[0]["nll"], rel=1e-4)

    assert cli.main(command) == 0  # without training anew, the test images are scored too
    assert [cell.attempts for cell in manifest.read("sweeps/tiny").cells] == [2, 2]
    assert all((folder / "evaluation.json").exists() for folder in folders)
    assert all(len((folder / "history.jsonl").read_text().splitlines()) == 1 for folder in folders)


def test_runs_are_not_scored_on_images_that_they_train_on(config, capsys):
    refitted = ["--set", "data={name: digits, refit: true}", "--seeds", "2"]
    for how in ([], ["--list"]):
        assert cli.main(["sweep", config, *refitted, "--split", "validation", *how]) == 2
        assert "data.refit: runs that are scored on validation images must not train on them" in capsys.readouterr().err
    assert os.listdir() == [config]


def test_a_cell_runs_in_a_process_of_its_own(config, monkeypatch, capsys):
    monkeypatch.setattr(running, "_pool", POOL)
    assert cli.main(["sweep", config, "--vary", "training.epochs=1"]) == 0, capsys.readouterr().err
    (cell,) = manifest.read("sweeps/tiny").cells
    assert cell.status == manifest.FINISHED
    assert json.loads(Path("sweeps/tiny", cell.name, "evaluation.json").read_text())["num_images"] == 360


def test_list_shows_the_grid_and_runs_nothing(config, capsys):
    assert cli.main(["sweep", config, "--vary", "training.epochs=1,2", "--seeds", "3,5", "--list"]) == 0
    assert capsys.readouterr().out == (
        "epochs=1,seed=3  pending\nepochs=2,seed=3  pending\nepochs=1,seed=5  pending\nepochs=2,seed=5  pending\n"
        "4 runs for sweeps/tiny\n"
    )
    assert os.listdir() == [config]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "A sweep needs something that varies"),
        (["--vary", "model.prior"], "--vary takes key.path=value,value"),
        (["--vary", "model.prior=normal,laplas"], "--vary model.prior: Unknown prior 'laplas'"),
        (
            ["--vary", "training.epochs=1", "--vary", "training.epochs=2"],
            "A setting varies once. Received --vary training.epochs twice",
        ),
        (["--seeds", "many"], "--seeds takes how many, 5, or which"),
        (["--seeds", "2", "--set", "training.epochs=x"], "--set training.epochs: must be a valid integer"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_made(config, capsys, arguments, message):
    assert cli.main(["sweep", config, *arguments]) == 2
    assert f"bayesconv: error: {message}" in capsys.readouterr().err
    assert os.listdir() == [config]


def test_an_interrupt_says_how_to_go_on(config, capsys, monkeypatch):
    def asked(found, waiting, pool, jobs, stop, progress):
        stop.ask()

    monkeypatch.setattr(running, "drive", asked)
    assert cli.main(["sweep", config, "--seeds", "2"]) == 130
    assert capsys.readouterr().err == "bayesconv: error: interrupted. Go on with the same command.\n"


def test_the_engines_are_those_of_sweeps():
    assert cli.sweep.ENGINES == running.ENGINES


@pytest.mark.parametrize("paths", [["nowhere"], ["."]])
def test_comparing_nothing_is_an_error(config, capsys, paths):
    assert cli.main(["compare", *paths]) == 2
    assert "is no run folder, no sweep and no folder of runs" in capsys.readouterr().err


class TestRay:
    @pytest.mark.full
    def test_cells_run_on_a_cluster(self, config, monkeypatch, capsys):
        pytest.importorskip("ray")
        monkeypatch.setattr(running, "_pool", POOL)
        priors = "model.prior=normal,{name: normal, scale: -1}"
        assert cli.main(["sweep", config, "--vary", priors, "--engine", "ray"]) == 3
        assert "1 of 2 runs finished" in capsys.readouterr().out
        finished, failed = manifest.read("sweeps/tiny").cells
        assert finished.status == manifest.FINISHED
        assert json.loads(Path("sweeps/tiny", finished.name, "evaluation.json").read_text())["num_images"] == 360
        assert "The scale of a prior must be positive" in failed.error

    def test_without_ray_there_is_one_message(self, config, monkeypatch, capsys):
        monkeypatch.setattr(running, "_pool", POOL)
        monkeypatch.setitem(sys.modules, "ray", None)
        assert cli.main(["sweep", config, "--seeds", "2", "--engine", "ray"]) == 2
        assert "error: The engine ray needs Ray, which is not installed. Install it, " in capsys.readouterr().err

    def test_its_tasks_are_started_ended_cancelled_and_lost_as_processes_are(self, tmp_path, monkeypatch):
        fake = fake_ray()
        monkeypatch.setitem(sys.modules, "ray", fake)
        from bayesconv.sweeps.ray_engine import RayPool

        pool = RayPool(tmp_path, 2)
        assert fake.options == {"num_cpus": 4, "max_retries": 0}
        for name in ("good", "bad", "lost", "slow"):
            pool.start(name)
        outcomes = dict(pool.ended())
        assert outcomes["good"] == Outcome("finished")
        assert outcomes["bad"] == Outcome("failed", "not finite")
        assert outcomes["lost"] == Outcome("failed", "Ray: RuntimeError: node died")
        assert "slow" not in outcomes
        pool.stop()
        assert dict(pool.ended()) == {"slow": Outcome("interrupted")}
        pool.close()
        assert not fake.is_initialized()


def fake_ray():
    """As much of Ray as the engine uses; a reference is the name of its cell."""
    ray = types.ModuleType("ray")
    state = {"on": False, "cancelled": set()}

    class TaskCancelledError(Exception):
        pass

    def get(name):
        if name in state["cancelled"]:
            raise TaskCancelledError
        if name == "lost":
            raise RuntimeError("node died")
        return ("finished",) if name == "good" else ("failed", "not finite")

    def wait(names, *, num_returns, timeout):
        assert (num_returns, timeout) == (len(names), 0)
        done = [name for name in names if name != "slow" or name in state["cancelled"]]
        return done, [name for name in names if name not in done]

    def remote(**options):
        ray.options = options
        return lambda function: types.SimpleNamespace(remote=lambda sweep, name, folder, cores: name)

    ray.exceptions = types.SimpleNamespace(TaskCancelledError=TaskCancelledError)
    ray.is_initialized = lambda: state["on"]
    ray.init = lambda **_: state.update(on=True)
    ray.shutdown = lambda: state.update(on=False)
    ray.cluster_resources = lambda: {"CPU": 8.0}
    ray.cancel = lambda name, *, force: state["cancelled"].add(name)
    ray.get, ray.wait, ray.remote = get, wait, remote
    return ray
