"""Claims about how runs are evaluated: by draws, by as many as it takes, or in one pass; chosen in file and command."""

import json
import shutil
import subprocess
import sys
from typing import get_args

import jsonschema
import numpy as np
import pytest

import bayesconv as bc
from bayesconv import (
    cli,
    config,
    data,
    evaluation,
    experiment,
    figures,
    loop,
    methods,
    models,
    runs,
    sections,
)
from bayesconv.config import ConfigError, load_config
from bayesconv.evaluation import classification_tables

pytestmark = pytest.mark.slow

CONFIG = """\
data: digits
model: {name: {name: digits_cnn, filters: [2]}, estimator: reparameterization}
objective: {temperature: 0.03}
training: {epochs: 1, batch_size: 512, learning_rate: 5e-3}
evaluation: {num_samples: 4, ood: [inverted], bootstrap: 20}
"""
TEST = data.digits().test


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("method")
    (folder / "tiny.yaml").write_text(CONFIG)
    assert cli.main(["train", str(folder / "tiny.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def copied(run_dir, tmp_path):
    """Makes a copy of the run with other settings of its evaluation."""

    def copy(**settings):
        folder = shutil.copytree(run_dir, tmp_path / "copy")
        edits = [f"evaluation.{key}={value}" for key, value in settings.items()]
        (folder / "config.yaml").write_text(config.dump(load_config(folder / "config.yaml", edits)))
        return folder

    return copy


@pytest.fixture
def write(tmp_path):
    def written(evaluation):
        (tmp_path / "run.yaml").write_text(f"data: digits\nmodel: {{name: digits_cnn}}\nevaluation: {evaluation}\n")
        return tmp_path / "run.yaml"

    return written


@pytest.fixture(scope="module")
def single(run_dir):
    return bc.predict(runs.load_run(run_dir).model, TEST.x, method="moments")


@pytest.fixture(scope="module")
def report(run_dir):
    run = runs.load_run(run_dir)
    return evaluation.report(run, run.dataset(), method="moments")


class TestSettings:
    def test_the_methods_are_those_of_predict(self):
        annotation = sections.Evaluation.model_fields["method"].annotation
        assert get_args(annotation) == cli.METHODS == methods.METHODS

    def test_a_file_that_does_not_choose_samples(self, write):
        chosen = load_config(write("{ood: []}")).evaluation
        assert (chosen.method, chosen.num_samples, chosen.tolerance) == ("sampling", 64, None)

    @pytest.mark.parametrize(
        "text", ["{method: moments}", "{num_samples: auto}", "{num_samples: auto, tolerance: 1e-3}"]
    )
    def test_what_is_dumped_loads_again(self, write, text, tmp_path):
        run = load_config(write(text))
        (tmp_path / "again.yaml").write_text(config.dump(run))
        assert load_config(tmp_path / "again.yaml") == run

    def test_it_is_set_on_the_command_line(self, write):
        edits = ["evaluation.num_samples=auto", "evaluation.tolerance=0.02"]
        assert load_config(write("{}"), edits).evaluation.tolerance == 0.02
        assert load_config(write("{}"), ["evaluation.method=moments"]).evaluation.method == "moments"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{method: moment}", "evaluation.method: must be 'sampling' or 'moments'. Received 'moment'."),
            ("{method: null}", "evaluation.method: must be 'sampling' or 'moments'. Received None."),
            ("{num_samples: many}", "evaluation.num_samples: must be a positive integer or auto. Received 'many'."),
            ("{num_samples: 0}", "evaluation.num_samples: must be a positive integer or auto. Received 0."),
            ("{num_samples: true}", "evaluation.num_samples: must be a positive integer or auto. Received True."),
            (
                "{num_samples: auto, method: moments}",
                "evaluation.num_samples: must be a number or be left out with method moments, "
                "a single pass without draws. Received 'auto'.",
            ),
            ("{num_samples: auto, tolerance: 0}", "evaluation.tolerance: must be greater than 0. Received 0."),
            (
                "{tolerance: 0.1}",
                "evaluation.tolerance: is what num_samples auto draws to. Received 0.1 with num_samples 64; "
                "set that to auto, or leave it out.",
            ),
            (
                "{method: moments, tolerance: 0.1}",
                "evaluation.tolerance: is what num_samples auto draws to. Received 0.1 with num_samples 64; "
                "set that to auto, or leave it out.",
            ),
        ],
    )
    def test_what_is_wrong_is_said_in_its_place(self, write, text, expected):
        path = write(text)
        column = f"evaluation: {text}".find(expected.split(":")[0].removeprefix("evaluation.")) + 1
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(caught.value) == f"{path}:3:{column}: {expected}"

    def test_it_is_said_before_tensorflow_is_imported_and_ends_with_2(self, write):
        edit = "evaluation={method: moments, num_samples: auto}"
        code = (
            "import sys, bayesconv.cli as cli\n"
            f"code = cli.main(['train', {str(write('{}'))!r}, '--set', {edit!r}])\n"
            "assert 'tensorflow' not in sys.modules\n"
            "sys.exit(code)"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert "evaluation.num_samples: must be a number" in answer.stderr

    def test_the_schema_has_it(self):
        validator = jsonschema.Draft202012Validator(json.loads(json.dumps(config.schema())))

        def is_valid(**settings):
            return validator.is_valid({"data": "digits", "model": {"name": "lenet5"}, "evaluation": settings})

        assert is_valid(method="moments")
        assert is_valid(method="sampling", num_samples=3)
        assert is_valid(num_samples="auto", tolerance=0.1)
        assert is_valid(tolerance=None)
        assert not is_valid(method="moment")
        assert not is_valid(num_samples="many")
        assert not is_valid(num_samples=0)
        assert not is_valid(num_samples="auto", tolerance=0)


class TestMoments:
    def test_the_scores_are_those_of_a_single_pass(self, report, single):
        assert (report["method"], report["num_samples"], report["seed"]) == ("moments", 0, None)
        assert report["nll"] == pytest.approx(-np.log(single.mean[np.arange(360), TEST.y]).mean(), rel=1e-6)
        assert report["mutual_information"] == pytest.approx(single.mutual_information.mean(), rel=1e-6)
        assert report["mutual_information"] > 0
        assert report["ood"]["inverted"]["auroc"]["mutual_information"] is not None

    def test_draws_give_others(self, run_dir, report):
        drawn = experiment.evaluate(run_dir)
        assert (drawn["method"], drawn["num_samples"]) == ("sampling", 4)
        assert drawn["nll"] != report["nll"]

    def test_the_softmax_temperature_is_the_best_power_of_the_probabilities(self, run_dir, report, single):
        validation = data.digits().validation
        held_out = bc.predict(runs.load_run(run_dir).model, validation.x, method="moments").mean

        def nll(probs, y, temperature):
            powers = probs ** (1 / temperature)
            return -np.log((powers / powers.sum(axis=1, keepdims=True))[np.arange(len(y)), y]).mean()

        scaled = report["temperature_scaled"]
        best = min(np.geomspace(0.05, 20, 2000), key=lambda temperature: nll(held_out, validation.y, temperature))
        assert scaled["softmax_temperature"] == pytest.approx(best, rel=5e-3)
        assert scaled["nll"] == pytest.approx(nll(single.mean, TEST.y, scaled["softmax_temperature"]), rel=1e-6)
        assert scaled["scaled"] == "log probabilities"

    def test_the_table_says_so_and_fits_a_terminal(self, report):
        text = evaluation.tables(report)
        assert text.startswith("digits: 360 test images, single pass of moments, KL temperature 0.03\n")
        assert "draws" not in text
        assert "pairs" not in text
        assert "The softmax temperature divides the logarithms of the probabilities." in text
        assert max(map(len, text.splitlines())) <= 120

    def test_a_configured_run_is_evaluated_predicted_and_drawn_by_it(self, copied, single, tmp_path, monkeypatch):
        folder, made = copied(method="moments"), []
        assert experiment.evaluate(folder)["method"] == "moments"
        np.save(tmp_path / "x.npy", TEST.x[:5])
        experiment.predict_file(folder, tmp_path / "x.npy", tmp_path / "p.npz")
        with np.load(tmp_path / "p.npz") as written:
            np.testing.assert_allclose(written["probs"], single.mean[:5], atol=1e-6)
            np.testing.assert_allclose(written["std"], single.std[:5], atol=1e-6)

        def spy(*args, predict=evaluation.predict, **options):
            made.append(predict(*args, **options).num_samples)
            raise StopIteration

        monkeypatch.setattr(evaluation, "predict", spy)
        run = runs.load_run(folder)
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(figures.drawn(figures.Subject(run, run.dataset()), ["reliability"]))
        assert made == [0]

    @pytest.mark.parametrize("given", [{"num_samples": 5}, {"seed": 1}, {"num_samples": "auto", "seed": 0}])
    def test_options_of_draws_are_refused_with_it(self, run_dir, given):
        received = " and ".join(f"{key}={value}" for key, value in given.items())
        with pytest.raises(ValueError, match=f"single pass without draws. Received {received} too: leave that out"):
            experiment.evaluate(run_dir, method="moments", **given)

    def test_an_unknown_method_is_refused(self, run_dir):
        with pytest.raises(ValueError, match=r"Unknown method of prediction 'moment'.*Did you mean 'moments'"):
            experiment.evaluate(run_dir, method="moment")

    def test_a_model_without_rules_is_refused_before_it_is_trained(self, write, tmp_path, monkeypatch):
        class Unruly(bc.Layer):
            def forward(self, inputs, *, is_training, seed):
                return inputs[:, 0, 0, :1] * np.ones(10, np.float32)

        def unruly(input_shape, output_size, make_kernel_bias_fn=None, dtype=None):
            first = bc.Convolution(1, 1, 3, make_kernel_bias_fn=make_kernel_bias_fn)
            return bc.Sequential([first, Unruly(name="unruly")])

        models.register("unruly")(unruly)
        monkeypatch.setattr(loop.TrainingLoop, "run", lambda *_: pytest.fail("it was trained"))
        run = load_config(write("{method: moments}"), ["model.name=unruly"])
        with pytest.raises(ConfigError, match=r"evaluation\.method: There is no rule for the moments of `unruly`"):
            experiment.train(run, tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()

    def test_point_weights_are_one_pass_in_any_case(self, tmp_path, write):
        edits = ["model.name.filters=[2]", "model.posterior=deterministic", "training={epochs: 1, batch_size: 512}"]
        experiment.train(load_config(write("{method: moments, bootstrap: 0}"), edits), tmp_path / "run", progress=False)
        report = experiment.evaluate(tmp_path / "run")
        assert (report["num_samples"], report["mutual_information"], report["temperature"]) == (1, 0.0, None)
        assert report == experiment.evaluate(tmp_path / "run", method="sampling")


class TestAuto:
    def test_the_tolerance_is_that_of_the_configuration(self, copied):
        run = runs.load_run(copied(num_samples="auto", tolerance=0.006))
        report = evaluation.report(run, run.dataset())
        expected = bc.predict(run.model, TEST.x, num_samples="auto", tolerance=0.006)
        assert report["num_samples"] == [expected.num_samples.min(), expected.num_samples.max()]
        assert report["nll"] == pytest.approx(-np.log(expected.mean[np.arange(360), TEST.y]).mean(), rel=1e-6)
        coarse = evaluation.predict(run, TEST.x, method="sampling", num_samples=32)
        assert expected.num_samples.max() > coarse.num_samples  # more than the fewest that are ever made
        assert json.loads(json.dumps(report)) == report

    @pytest.mark.parametrize(("draws", "said"), [([32, 96], "32 to 96 draws"), ([48, 48], "48 draws"), (4, "4 draws")])
    def test_the_heading_says_how_many_it_took(self, draws, said):
        report = {"dataset": "a", "num_images": 3, "temperature": 1.0, "method": "sampling", "seed": 7}
        assert classification_tables._heading({**report, "num_samples": draws}) == (
            f"a: 3 test images, {said}, KL temperature 1, seed 7"
        )


class TestCommandLine:
    def test_evaluate_takes_a_method(self, run_dir, capsys):
        assert cli.main(["evaluate", str(run_dir), "--method", "moments"]) == 0
        assert "digits: 360 test images, single pass of moments, KL temperature 0.03" in capsys.readouterr().out
        assert json.loads((run_dir / "evaluation.json").read_text())["method"] == "moments"

    def test_evaluate_overrides_a_configured_pass_by_draws(self, copied, capsys):
        folder = copied(method="moments")
        assert cli.main(["evaluate", str(folder), "--method", "sampling", "--num-samples", "3", "--seed", "2"]) == 0
        assert "3 draws, KL temperature 0.03, seed 2" in capsys.readouterr().out

    def test_predict_takes_a_method(self, run_dir, single, tmp_path, capsys):
        np.save(tmp_path / "x.npy", TEST.x[:2])
        assert cli.main(["predict", str(run_dir), str(tmp_path / "x.npy"), "--method", "moments"]) == 0
        rows = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
        np.testing.assert_allclose(np.array(rows)[:, 3:13].astype(float), single.mean[:2], atol=1e-5)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--method", "moment"], "invalid choice: 'moment'"),
            (["--num-samples", "many"], "must be a positive integer or auto. Received 'many'."),
            (["--num-samples", "0"], "must be a positive integer or auto. Received '0'."),
        ],
    )
    def test_a_bad_option_ends_with_2(self, options, expected, capsys):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["evaluate", "run", *options])
        assert expected in capsys.readouterr().err

    def test_draws_of_a_single_pass_end_with_2(self, run_dir, capsys):
        assert cli.main(["evaluate", str(run_dir), "--method", "moments", "--num-samples", "auto"]) == 2
        assert "Received num_samples=auto too: leave that out, or choose the method sampling" in capsys.readouterr().err


def test_a_run_with_recalibrated_normalization_takes_its_moments_from_training_images(run_dir):
    run = runs.load_run(run_dir)
    bc.set_seed(0)
    layers = [bc.Flatten(), bc.Affine(64, 4, make_kernel_bias_fn=bc.make_kernel_bias_flipout)]
    model = bc.Sequential([*layers, bc.BatchNorm(4, policy="recalibrated"), bc.Affine(4, 10)])
    model(run.dataset().train.x[:64])
    found = evaluation.predict(run._replace(model=model), TEST.x[:5], num_samples=3, seed=2)
    calibrated = [
        bc.predict(model, TEST.x[:5], num_samples=3, seed=2, calibration=x)
        for x in (run.dataset().train.x[:256], TEST.x[:256])
    ]
    np.testing.assert_allclose(found.mean, calibrated[0].mean, rtol=1e-5)
    assert np.abs(found.mean - calibrated[1].mean).max() > 1e-3
