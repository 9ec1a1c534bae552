import csv
import errno
import importlib
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import bayesconv
import bayesconv as bc
from bayesconv import cli, config, data, evaluation, experiment, files, runs
from bayesconv import report as reports

CONFIG = """\
data: digits
model: {name: {name: digits_cnn, filters: [2]}, estimator: reparameterization}
training: {epochs: 1, batch_size: 512}
evaluation: {num_samples: 2, ood: [inverted], bootstrap: 20}
"""


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(CONFIG)
    return "tiny.yaml"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yaml").write_text(CONFIG)
    assert cli.main(["train", str(folder / "tiny.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


class TestWithoutTensorFlow:
    def test_help_names_the_commands(self):
        answer = python("-m", "bayesconv", "--help")
        assert answer.returncode == 0
        assert all(
            command in answer.stdout
            for command in ("train", "evaluate", "diagnose", "predict", "plot", "list", "schema")
        )

    def test_help_imports_nothing_heavy(self):
        code = (
            "import sys, bayesconv.cli as cli\n"
            "try: cli.main(['train', '--help'])\n"
            "except SystemExit: pass\n"
            "assert not {'tensorflow', 'numpy', 'pydantic', 'ruamel.yaml', 'matplotlib'} & set(sys.modules)"
        )
        assert python("-c", code).returncode == 0

    def test_a_mistake_in_the_file_shows_before_tensorflow_is_imported(self, written):
        code = (
            "import sys, bayesconv.cli as cli\n"
            "code = cli.main(['train', 'tiny.yaml', '--set', 'model.priro=laplace'])\n"
            "assert 'tensorflow' not in sys.modules\n"
            "sys.exit(code)"
        )
        answer = python("-c", code)
        assert answer.returncode == 2
        assert answer.stdout == ""
        assert answer.stderr == (
            "bayesconv: error: --set model.priro: unknown key; choose one of "
            "['divergence', 'estimator', 'name', 'overrides', 'posterior', 'prior']. Did you mean 'prior'?\n"
        )

    def test_no_command_prints_the_help(self, capsys):
        assert cli.main([]) == 0
        assert "usage: bayesconv" in capsys.readouterr().out

    def test_the_version_is_that_of_the_package(self, capsys):
        with pytest.raises(SystemExit, match="0"):
            cli.main(["--version"])
        assert capsys.readouterr().out == f"bayesconv {bayesconv.__version__}\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["trian"],
            ["train"],
            ["list", "colours"],
            ["evaluate", "x", "--num-samples", "many"],
            ["evaluate", "x", "--seed", "-1"],
            ["evaluate", "x", "--seed", "2147483648"],
        ],
    )
    def test_a_bad_command_line_ends_with_2(self, arguments, capsys):
        with pytest.raises(SystemExit, match="2"):
            cli.main(arguments)
        assert "error: " in capsys.readouterr().err

    def test_the_kinds_are_those_of_the_configuration(self):
        assert cli.KINDS == config.KINDS


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["train", "none.yaml"], "none.yaml: No such file or directory. Check the path."),
            (["train", "tiny.yaml", "--set", "training.epochs=many"], "must be a valid integer. Received 'many'."),
            (["train", "tiny.yaml", "--set", "model.prior=nrmal"], "Unknown prior 'nrmal'.*Did you mean 'normal'?"),
            (["train", "tiny.yaml", "--set", "model.prior.sclae=1"], "unknown option 'sclae'.*Did you mean 'scale'?"),
            (
                ["train", "tiny.yaml", "--set", "model.prior.scale=-1"],
                r"--set model.prior.scale: .*must be positive. Received -1",
            ),
            (
                ["train", "tiny.yaml", "--set", "model.overrides=[{match: head, prior: {name: normal, scale: -2}}]"],
                r"--set model.overrides.0.prior: .*must be positive. Received -2",
            ),
            (
                ["train", "tiny.yaml", "--set", "model.overrides=[{match: dense, prior: laplace}]"],
                r"--set model.overrides.0.match: .*Received 'dense'; its layers are conv1 \(Convolution\), head",
            ),
            (
                ["train", "tiny.yaml", "--set", "model.overrides=[{match: head, prior: laplas}]"],
                "model.overrides.0.prior: Unknown prior 'laplas'",
            ),
            (
                ["train", "tiny.yaml", "--set", "objective.bound=renyi"],
                "objective.bound: .*num_samples >= 2. Received 1",
            ),
            (["train", "tiny.yaml", "--set", "data={name: npz, path: no.npz}"], "No file .*/no.npz"),
            (["train", "tiny.yaml", "--set", "data={name: npz, path: tiny.yaml}"], "must be an .npz archive"),
            (["train", "tiny.yaml", "--resume"], "runs/tiny is no run folder"),
            (["train", "tiny.yaml", "--set", "data.seed=-4"], "from 0 to 4294967295. Received -4"),
            (["train", "tiny.yaml", "--set", f"training.epochs={10**20}"], r"training\.epochs: .*equal to 2147483647"),
            (["train", "tiny.yaml", "--set", f"objective.num_samples={10**9}"], r"objective\.num_samples: .*10000"),
            (
                ["train", "tiny.yaml", "--set", "objective.kl_schedule={name: linear, warm_up: 2}"],
                r"objective\.kl_schedule: `warm_up` is a share, from 0 to 1. Received 2",
            ),
            (
                ["train", "tiny.yaml", "--set", "model.overrides=[{match: '*', penalty_weight: 0.001}]"],
                r"model\.overrides\.0\.penalty_weight: must be at least 0\.1.*0\.001; .*objective\.temperature",
            ),
            (
                ["train", "tiny.yaml", "--set", "model.name={name: lenet5, dropout_rate: 2}"],
                r"--set model\.name: .*0 <= rate < 1\. Received 2",
            ),
            (["evaluate", "runs/none"], "is no run folder"),
            (["plot", "runs/none"], "is no run folder"),
            (["diagnose", "runs/none"], "is no run folder"),
            (["predict", "runs/none", "x.npy"], "is no run folder"),
            (["predict", "runs/none", "x.npy", "--out", "x.txt"], r"written as \.csv, \.npz or"),
            (["train", "tiny.yaml", "--out", "/dev/null/run"], "/dev/null/run.*: Not a directory. Check the path"),
            (["list", "priors", "--plugin", "no_such_module"], "--plugin: cannot import 'no_such_module'"),
        ],
    )
    def test_bad_input_is_one_message_and_exit_code_2(self, written, capfd, arguments, expected):
        assert cli.main(arguments) == 2
        captured = capfd.readouterr()
        assert re.fullmatch(f"bayesconv: error: .*{expected}.*\n", captured.err, re.DOTALL)
        assert "Traceback" not in captured.err
        assert os.listdir() == ["tiny.yaml"]

    @pytest.mark.slow
    def test_a_failing_process_has_no_traceback_and_leaves_nothing(self, written):
        answer = python("-m", "bayesconv", "train", written, "--set", "model.prior.scale=-1")
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr.startswith("bayesconv: error: ")
        assert len(answer.stderr.splitlines()) == 1
        assert os.listdir() == ["tiny.yaml"]

    @pytest.mark.slow
    def test_a_full_disk_is_an_error_and_leaves_no_half_file(self, run_dir, capfd, monkeypatch):
        before = sorted(path for path in run_dir.rglob("*"))

        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
        assert cli.main(["evaluate", str(run_dir)]) == 2
        assert capfd.readouterr().err == (
            f"bayesconv: error: {run_dir / 'evaluation.json'}: No space left on device. "
            "Check the path, its permissions and the space on its disk.\n"
        )
        assert sorted(path for path in run_dir.rglob("*")) == before

    @pytest.mark.parametrize("command", ["train", "plot", "predict"])
    def test_a_disk_that_is_full_leaves_nothing_half_written(
        self, command, run_dir, written, tmp_path, capfd, monkeypatch
    ):
        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        np.save(tmp_path / "x.npy", data.digits().test.x[:2])
        arguments = {
            "train": ["train", written, "--out", "new"],
            "plot": ["plot", str(run_dir), "--only", "reliability"],
            "predict": ["predict", str(run_dir), str(tmp_path / "x.npy"), "--out", str(tmp_path / "y.csv")],
        }[command]
        before = {folder: _files(folder) for folder in (run_dir, tmp_path)}
        monkeypatch.setattr(files.os, "fsync", full)
        assert cli.main(arguments) == 2
        assert "No space left on device. Check the path" in capfd.readouterr().err
        assert {folder: _files(folder) for folder in before} == before

    @pytest.mark.parametrize("arguments", [["--level", "0.9"], ["--no-guarantee"]])
    def test_a_guarantee_without_a_risk_is_refused(self, run_dir, capfd, arguments):
        assert cli.main(["select", str(run_dir), "--coverage", "0.5", *arguments]) == 2
        assert f"Received {' '.join(arguments)} with --coverage; leave it out" in capfd.readouterr().err
        assert not (run_dir / "selection.json").exists()

    @pytest.mark.parametrize("command", ["evaluate", "report", "predict"])
    @pytest.mark.parametrize(
        ("target", "expected"), [("folder.csv", "It is a folder; give the name"), ("f/y.csv", "is a file; choose")]
    )
    def test_a_target_that_cannot_be_is_refused_before_the_work(
        self, run_dir, tmp_path, capfd, monkeypatch, command, target, expected
    ):
        def work(*_, **__):
            raise AssertionError("work was done")

        (tmp_path / "folder.csv").mkdir()
        (tmp_path / "f").write_text("")
        np.save(tmp_path / "x.npy", np.zeros([1, 8, 8]))
        monkeypatch.setattr(evaluation, "predict", work)
        monkeypatch.setattr(evaluation, "report", work)
        monkeypatch.setattr(reports, "write", work)
        source = [str(tmp_path / "x.npy")] if command == "predict" else []
        assert cli.main([command, str(run_dir), *source, "--out", str(tmp_path / target)]) == 2
        assert expected in capfd.readouterr().err

    def test_a_folder_in_place_of_a_file_is_said_to_be_one(self, run_dir, tmp_path, capfd):
        assert cli.main(["predict", str(run_dir), str(tmp_path)]) == 2
        assert capfd.readouterr().err == f"bayesconv: error: {tmp_path} is a folder. Give a file in it.\n"

    def test_a_warning_is_one_plain_line(self, run_dir, tmp_path, capfd):
        np.save(tmp_path / "x.npy", np.full([1, 8, 8], 16, np.uint8))
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy")]) == 0
        (line,) = [line for line in capfd.readouterr().err.splitlines() if "warn" in line.lower()]
        assert line.startswith(f"bayesconv: warning: {tmp_path / 'x.npy'} is uint8, which is divided by 255")

    def test_an_interrupted_training_says_how_to_go_on(self, written, capfd, monkeypatch):
        def interrupt(*_, **__):
            files.write_text("runs/tiny/checkpoints/last.npz", "")
            raise KeyboardInterrupt

        monkeypatch.setattr(experiment, "train", interrupt)
        assert cli.main(["train", written]) == 130
        assert (
            "interrupted. Go on with the same command and --resume; the run is in runs/tiny." in capfd.readouterr().err
        )

    @pytest.mark.parametrize("arguments", [[], ["--overwrite"]])
    def test_without_a_checkpoint_of_its_own_there_is_nothing_to_go_on_with(
        self, written, capfd, monkeypatch, arguments
    ):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        if arguments:
            files.write_text("runs/tiny/checkpoints/last.npz", "of an earlier run")
        monkeypatch.setattr(experiment, "train", interrupt)
        assert cli.main(["train", written, *arguments]) == 130
        assert capfd.readouterr().err == "bayesconv: error: interrupted.\n"

    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full"])
    def test_closed_or_full_streams_show_no_traceback(self, closed):
        code = f"{sys.executable} -m bayesconv list datasets {closed}"
        answer = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=False)
        assert answer.returncode == (2 if "full" in closed else 0)
        assert "Traceback" not in answer.stderr
        assert "Exception ignored" not in answer.stderr

    @pytest.mark.parametrize("arguments", [["--debug", "plot", "x"], ["plot", "x", "--debug"]])
    def test_a_bug_shows_its_traceback_on_demand(self, capfd, monkeypatch, arguments):
        def fail(folder, **options):
            raise KeyError("bug")

        monkeypatch.setattr(experiment, "plot", fail)
        assert cli.main(["plot", "x"]) == 1
        assert capfd.readouterr().err == (
            "bayesconv: error: KeyError: 'bug' This is probably a bug; run again with --debug to see where.\n"
        )
        assert cli.main(arguments) == 1
        assert "Traceback (most recent call last)" in capfd.readouterr().err

    def test_a_loss_that_is_not_finite_is_bad_input(self, written, capfd):
        edits = [
            "--set",
            "training.learning_rate=1e30",
            "--set",
            "training.optimizer=sgd",
            "--set",
            "training.epochs=3",
        ]
        assert cli.main(["train", written, *edits]) == 2
        assert "not finite" in capfd.readouterr().err


class TestRun:
    def test_train_evaluate_plot_and_predict(self, written, capsys):
        assert cli.main(["train", written, "--set", "model.prior=laplace", "--set", "seed=4"]) == 0
        out = capsys.readouterr().out
        assert "Laplace" in out
        assert "Training into runs/tiny" in out
        assert "Next: bayesconv evaluate runs/tiny" in out
        assert config.load_config("runs/tiny/config.yaml").seed == 4
        assert cli.main(["evaluate", "runs/tiny", "--num-samples", "3", "--seed", "1"]) == 0
        out = capsys.readouterr().out
        assert "digits: 360 test images, 3 draws, KL temperature 1, seed 1" in out
        assert json.loads(Path("runs/tiny/evaluation.json").read_text())["num_samples"] == 3

    def test_training_twice_into_one_folder_is_refused(self, run_dir, written, capsys):
        assert cli.main(["train", written, "--out", str(run_dir)]) == 2
        assert "--resume" in capsys.readouterr().err

    def test_resuming_a_finished_run_changes_nothing(self, run_dir, written, capsys):
        before = (run_dir / "checkpoints" / "best.npz").read_bytes()
        assert cli.main(["train", written, "--out", str(run_dir), "--resume"]) == 0
        assert (run_dir / "checkpoints" / "best.npz").read_bytes() == before

    def test_plot_prints_the_paths_of_the_figures(self, run_dir, capsys):
        assert cli.main(["plot", str(run_dir), "--only", "learning_curves", "reliability"]) == 0
        paths = capsys.readouterr().out.splitlines()
        assert len(paths) == 2
        assert paths[0].endswith("run/figures/learning_curves.png")
        assert all(Path(path).is_file() for path in paths)

    def test_diagnose_prints_the_table_and_writes_json_and_a_figure(self, run_dir, capsys):
        assert cli.main(["diagnose", str(run_dir)]) == 0
        out = capsys.readouterr().out
        assert "conv1" in out
        assert "temperature 1, " in out
        assert "for 1,150 examples" in out
        assert f"Written to {run_dir / 'diagnosis.json'} and {run_dir / 'figures' / 'diagnosis.png'}" in out
        written = json.loads((run_dir / "diagnosis.json").read_text())
        assert [layer["name"] for layer in written["layers"]] == ["conv1", "head"]
        assert written["num_data"] == 1150
        assert (run_dir / "figures" / "diagnosis.png").stat().st_size > 10_000

    def test_predict_prints_csv_or_writes_a_file(self, run_dir, tmp_path, capsys):
        np.save(tmp_path / "x.npy", data.digits().test.x[:2])
        assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy")]) == 0
        printed = capsys.readouterr().out
        assert len(printed.splitlines()) == 3
        assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), "--out", str(tmp_path / "y.csv")]) == 0
        assert (tmp_path / "y.csv").read_text() == printed
        assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), "--out", str(tmp_path / "z.CSV")]) == 0
        assert (tmp_path / "z.CSV").read_text() == printed

    def test_predict_writes_parquet_or_says_what_is_missing(self, run_dir, tmp_path, capsys):
        np.save(tmp_path / "x.npy", data.digits().test.x[:2])
        path = tmp_path / "y.parquet"
        code = cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), "--out", str(path)])
        if code == 2:  # without the extra `tables`
            assert "pip install 'bayesconv[tables]'" in capsys.readouterr().err
            assert not path.exists()
        else:
            found = importlib.import_module("pandas").read_parquet(path)
            assert {"class_name", "p_0", "std_0", "variation_ratio", "mutual_information"} <= set(found.columns)
            assert len(found) == 2

    @pytest.mark.slow
    def test_predict_takes_draws_and_a_seed(self, run_dir, tmp_path, capsys):
        np.save(tmp_path / "x.npy", data.digits().test.x[:2])
        printed = []
        for options in ([], ["--num-samples", "3"], ["--num-samples", "3", "--seed", "5"]):
            assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), *options]) == 0
            printed.append(capsys.readouterr().out)
        assert len(set(printed)) == 3
        run = runs.load_run(run_dir)
        expected = bc.predict(run.model, data.digits().test.x[:2], num_samples=3, seed=5).mean
        rows = list(csv.DictReader(io.StringIO(printed[-1])))
        found = [[float(row[f"p_{k}"]) for k in range(10)] for row in rows]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)

    def test_predicting_images_of_another_shape_names_both(self, run_dir, tmp_path, capsys):
        np.save(tmp_path / "x.npy", np.zeros([2, 28, 28]))
        assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), "--out", str(tmp_path / "y.csv")]) == 2
        assert (
            "must hold images [N, 8, 8, 1], like those of training. Received shape (2, 28, 28, 1)"
            in capsys.readouterr().err
        )
        assert not (tmp_path / "y.csv").exists()

    def test_overwrite_and_resume_exclude_each_other(self, written, capsys):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["train", written, "--resume", "--overwrite"])
        assert "not allowed with" in capsys.readouterr().err


class TestLists:
    @pytest.mark.parametrize("kind", cli.KINDS)
    def test_every_kind_lists_names_and_first_lines(self, kind, capsys):
        assert cli.main(["list", kind]) == 0
        out = capsys.readouterr().out
        registry = config.registry(kind)
        assert all(f"{name}\n    {registry.describe(name)}\n" in out for name in registry.names())

    def test_options_come_with_their_defaults(self, capsys):
        assert cli.main(["list", "datasets"]) == 0
        out = capsys.readouterr().out
        assert "      test_size: 360\n" in out
        assert "      path: required\n" in out

    def test_a_plugin_is_listed(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "own_set.py").write_text(
            "from bayesconv import data\n"
            "@data.ood.register('own_noise', force=True)\n"
            "def own_noise(dataset, *, level=0.5):\n    'Noise of my own.'\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(data.ood, "_pieces", dict(data.ood._pieces))
        assert cli.main(["list", "ood", "--plugin", "own_set"]) == 0
        assert "own_noise\n    Noise of my own.\n      level: 0.5\n" in capsys.readouterr().out

    def test_the_schema_is_printed_or_written(self, tmp_path, capsys):
        assert cli.main(["schema"]) == 0
        printed = capsys.readouterr().out
        assert json.loads(printed) == config.schema()
        assert cli.main(["schema", "--out", str(tmp_path / "schema.json")]) == 0
        assert (tmp_path / "schema.json").read_text() == printed
        assert capsys.readouterr().out == f"Written to {tmp_path / 'schema.json'}\n"


def test_a_table_is_trained_on_evaluated_and_predicted(tmp_path, capsys):
    generator = np.random.default_rng(0)
    x = generator.normal(size=[60, 3]).astype(np.float32)
    y = x[:, 0] + 0.1 * generator.normal(size=60)
    np.savez(tmp_path / "t.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    np.savez(tmp_path / "new.npz", x=x[:10], y=y[:10])
    np.save(tmp_path / "new.npy", x[:4])
    (tmp_path / "table.yaml").write_text(
        f"data: {{name: npz, path: {tmp_path / 't.npz'}}}\n"
        "model: {name: {name: mlp, hidden: [2]}, posterior: deterministic}\nobjective: {likelihood: normal}\n"
        "training: {epochs: 1, batch_size: 64}\nevaluation: {bootstrap: 0}\n"
    )
    folder = tmp_path / "run"
    assert cli.main(["train", str(tmp_path / "table.yaml"), "--out", str(folder)]) == 0
    assert cli.main(["evaluate", str(folder), "--data", str(tmp_path / "new.npz"), "--no-cache"]) == 0
    mean = bayesconv.predict(runs.load_run(folder).model, x[:10], likelihood="normal").mean
    report = json.loads((folder / "evaluations" / "new.json").read_text())
    assert list(report["ood"]) == ["inverted"]
    assert report["rmse"] == pytest.approx(np.sqrt(np.mean((mean[:, 0] - y[:10]) ** 2)), rel=1e-5)
    capsys.readouterr()
    assert cli.main(["predict", str(folder), str(tmp_path / "new.npy")]) == 0
    header, *rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose([float(row[header.index("mean_target")]) for row in rows], mean[:4, 0], rtol=1e-4)
    assert cli.main(["conformal", str(folder), "--coverage", "0.6"]) == 0
    assert "intervals of coverage 0.6" in capsys.readouterr().out
    (margin,) = json.loads((folder / "conformal.json").read_text())["margins"]
    assert cli.main(["predict", str(folder), str(tmp_path / "new.npy")]) == 0
    header, *rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    ends = bayesconv.predict(runs.load_run(folder).model, x[:4], likelihood="normal").interval(0.6)
    for name, end, sign in zip(("lower", "upper"), ends, (-1, 1), strict=True):
        found = [float(row[header.index(f"conformal_{name}_target")]) for row in rows]
        np.testing.assert_allclose(found, end[:, 0] + sign * margin, rtol=1e-4)
    for command in (["evaluate", str(folder)], ["predict", str(folder), str(tmp_path / "new.npy")]):
        assert cli.main([*command, "--calibrated"]) == 2
        assert "Received a run whose task is regression; leave --calibrated out." in capsys.readouterr().err
    assert cli.main(["calibrate", str(folder)]) == 2
    assert "Received one of regression; its intervals are what bayesconv conformal moves" in capsys.readouterr().err
    np.save(tmp_path / "image.npy", np.zeros([2, 8, 8]))
    assert cli.main(["predict", str(folder), str(tmp_path / "image.npy")]) == 2
    assert "must hold rows [N, 3], like those of training. Received shape (2, 8, 8)" in capsys.readouterr().err


def test_what_takes_too_much_memory_is_bad_input(written, capfd):
    edit = "model.name={name: digits_cnn, filters: [99999999999999]}"
    assert cli.main(["train", str(written), "--set", edit]) == 2
    assert "bayesconv: error: This takes more memory than there is: " in capfd.readouterr().err
    assert os.listdir() == ["tiny.yaml"]


def test_a_header_that_claims_too_much_is_a_damaged_file(run_dir, tmp_path, capfd):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 8, 8), }".ljust(117) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy")]) == 2
    assert "must be a plain numeric array" in capfd.readouterr().err
