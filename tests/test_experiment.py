import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib import image, pyplot
from matplotlib.figure import Figure
from PIL import Image

import bayesconv as bc
from bayesconv import (
    augmentations,
    data,
    evaluation,
    experiment,
    figures,
    image_files,
    loop,
    models,
    plotting,
    runs,
)
from bayesconv.config import ConfigError, RunConfig, dump, load_config
from bayesconv.sections import Part

SETTINGS = {
    "data": {"name": "digits"},
    "model": {"name": {"name": "digits_cnn", "filters": [2]}, "estimator": "reparameterization"},
    "objective": {"temperature": 0.03},
    "training": {"epochs": 1, "batch_size": 512, "learning_rate": 5e-3},
    "evaluation": {"num_samples": 4, "ood": ["inverted", {"name": "photo_patches", "count": 40}], "bootstrap": 20},
}


def settings(**changes):
    """SETTINGS with other values of some keys, section by section."""
    sections = {key: {**SETTINGS.get(key, {}), **value} for key, value in changes.items() if isinstance(value, dict)}
    return RunConfig(**{**SETTINGS, **changes, **sections})


POINT = {"posterior": "deterministic"}  # a fourth of the time, where any run will do
ONE_LAYER = {"overrides": [{"match": "head", **POINT}]}


AMOUNTS = [0.1, 0.2, 0.3, 0.4, 0.5]
CORRUPTIONS = {"contrast": "contrast", f"occlusion(amounts={AMOUNTS})": {"name": "occlusion", "amounts": AMOUNTS}}


def with_corruptions(run, **options):
    parts = (Part(name="contrast"), Part(name="occlusion", amounts=AMOUNTS))
    settings = run.config.evaluation.model_copy(update={"corruptions": parts, **options})
    return run._replace(config=run.config.model_copy(update={"evaluation": settings}))


def train(config, folder, **options):
    (history,) = experiment.train(config, folder, progress=False, **options)
    return history


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "bayesian"
    train(settings(training={"epochs": 2}), folder)
    return folder


@pytest.fixture(scope="module")
def report(run_dir):
    return experiment.evaluate(run_dir)


@pytest.fixture(scope="module")
def point_run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "point"
    train(settings(model=POINT), folder)
    return folder


@pytest.fixture
def untraced():
    """Trains step by step, for tests of what is trained and where it goes: a trace takes longer than a few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def weights(folder):
    with np.load(folder / "checkpoints" / "best.npz") as archive:
        return {name: archive[name] for name in archive.files}


def leftovers(folder, epochs):
    """A folder as a run leaves it that wrote some epochs of history and no last checkpoint."""
    (folder / "checkpoints").mkdir(parents=True)
    record = {"config_folder": ".", "class_names": [*"0123456789"], "value_range": [0.0, 1.0]}
    (folder / "run.json").write_text(json.dumps({**record, "input_shape": [8, 8, 1], "num_classes": 10}))
    (folder / "config.yaml").write_text(dump(settings()))
    if epochs:
        (folder / "history.jsonl").write_text('{"epoch": 1}\n' * epochs)
        (folder / "checkpoints" / "best.npz").write_bytes(b"")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


class TestTraining:
    def test_a_run_folder_holds_all_that_it_takes(self, run_dir):
        assert {path.name for path in run_dir.iterdir()} >= {"config.yaml", "run.json", "history.jsonl", "checkpoints"}
        assert load_config(run_dir / "config.yaml") == settings(training={"epochs": 2})
        assert [row["epoch"] for row in runs.read_history(run_dir)] == [1, 2]

    # Of draws of the weights too, which a resumed run shows.
    def test_the_seed_determines_the_run(self, untraced, tmp_path):
        for name, seed in (("first", 0), ("again", 0), ("other", 1)):
            train(settings(seed=seed, model=POINT), tmp_path / name)
        first, again, other = (weights(tmp_path / name) for name in ("first", "again", "other"))
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert not any(np.array_equal(first[name], other[name]) for name in first if "kernel" in name)

    def test_the_choices_reach_the_model(self, untraced, tmp_path):
        said = []
        choices = {"prior": {"name": "laplace", "scale": 0.1}, "estimator": "flipout"}
        train(settings(model=choices), tmp_path / "run", announce=said.append)
        assert "Laplace" in said[0]
        assert "flipout" in said[0]
        prior = runs.load_run(tmp_path / "run").model.layers[0].prior.kernel
        assert float(prior.log_prob(np.zeros([3, 3, 1, 2], np.float32))) == pytest.approx(18 * np.log(5), rel=1e-4)

    def test_overrides_reach_the_layers_and_come_back_with_the_run(self, untraced, tmp_path):
        entries = [
            {"match": "head", "posterior": "deterministic"},
            {"match": {"kind": "Convolution"}, "prior": "laplace"},
        ]
        said = []
        train(settings(model={"overrides": entries}), tmp_path / "run", announce=said.append)
        assert [line.split()[4] for line in said[0].splitlines()[2:4]] == ["Normal", "point"]
        model = runs.load_run(tmp_path / "run").model
        assert model[0].prior.kernel.distribution.name == "Laplace"
        assert model[-1].posterior is None
        with pytest.raises(ConfigError, match=r"model.overrides was .* and is now"):
            train(settings(), tmp_path / "run", resume=True)

    def test_a_bound_is_what_is_trained_by(self, untraced, tmp_path):
        objective = {"bound": {"name": "renyi", "alpha": 0.5}, "num_samples": 2}
        for name, other in (("elbo", {"num_samples": 2}), ("renyi", objective)):
            train(settings(objective=other, model=ONE_LAYER), tmp_path / name)
        first, second = (runs.read_history(tmp_path / name)[0] for name in ("elbo", "renyi"))
        assert second["loss"] != first["loss"]

    def test_an_optimizer_has_its_options(self, untraced, tmp_path):
        decaying = settings(training={"optimizer": {"name": "sgd", "weight_decay": 90.0}}, model=ONE_LAYER)
        train(decaying, tmp_path / "run")
        start = runs.build_model(decaying, (8, 8, 1), 10).layers[0].posterior.kernel.mean()
        assert (
            np.linalg.norm(runs.load_run(tmp_path / "run").model.layers[0].posterior.kernel.mean())
            < np.linalg.norm(start) / 2
        )

    def test_an_earlier_run_is_not_touched_unasked(self, run_dir):
        before = weights(run_dir)
        with pytest.raises(FileExistsError, match=r"already holds a run.*--resume.*--overwrite.*--out"):
            train(settings(), run_dir)
        assert all(np.array_equal(before[name], array) for name, array in weights(run_dir).items())

    def test_overwriting_replaces_the_run_and_nothing_else(self, untraced, tmp_path):
        train(settings(model=POINT), tmp_path)
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / "evaluation.json").write_text("{}")
        train(settings(seed=1, model=POINT), tmp_path, overwrite=True)
        assert load_config(tmp_path / "config.yaml").seed == 1
        assert (tmp_path / "notes.txt").read_text() == "mine"
        assert not (tmp_path / "evaluation.json").exists()

    def test_a_folder_with_other_files_is_not_written_to(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("")
        with pytest.raises(FileExistsError, match=r"must be new or empty.*choose another --out"):
            train(settings(), tmp_path)
        with pytest.raises(FileExistsError, match="It is a file"):
            train(settings(), tmp_path / "thesis.tex")

    def test_an_interrupted_run_is_resumed_as_if_nothing_had_happened(self, run_dir, tmp_path, monkeypatch):
        def interrupt_after(self, improved, write=loop.TrainingLoop._write):
            write(self, improved)
            raise KeyboardInterrupt

        config = settings(training={"epochs": 2})
        monkeypatch.setattr(loop.TrainingLoop, "_write", interrupt_after)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "run")
        monkeypatch.undo()
        assert len(runs.read_history(tmp_path / "run")) == 1
        train(config, tmp_path / "run", resume=True)
        first, resumed = weights(run_dir), weights(tmp_path / "run")
        assert all(np.array_equal(first[name], resumed[name]) for name in first)

    def test_a_run_that_never_finished_an_epoch_can_be_resumed(self, untraced, tmp_path, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(loop.TrainingLoop, "_train_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(settings(model=POINT), tmp_path / "run")
        monkeypatch.undo()
        assert len(train(settings(model=POINT), tmp_path / "run", resume=True).rows) == 1

    @pytest.mark.parametrize("epochs", [0, 1])
    def test_what_a_failed_first_epoch_left_is_no_run(self, untraced, tmp_path, epochs):
        folder = tmp_path / "run"
        leftovers(folder, epochs)
        train(settings(model=POINT), folder)
        assert len(runs.read_history(folder)) == 1
        assert weights(folder)

    def test_leftovers_need_a_record_to_be_deleted(self, tmp_path):
        (tmp_path / "checkpoints").mkdir()
        with pytest.raises(FileExistsError, match="must be new or empty"):
            train(settings(), tmp_path)
        assert (tmp_path / "checkpoints").is_dir()

    def test_without_its_last_checkpoint_a_trained_run_is_neither_resumed_nor_deleted(self, tmp_path):
        leftovers(tmp_path, 2)
        with pytest.raises(FileNotFoundError, match=r"last\.npz is missing, though .* 2 epochs.*--overwrite"):
            train(settings(), tmp_path, resume=True)
        with pytest.raises(FileExistsError, match="already holds a run"):
            train(settings(), tmp_path)
        assert len(runs.read_history(tmp_path)) == 2

    @pytest.mark.parametrize("damage", ["{\n", "3\n", "", None])
    def test_a_history_that_was_lost_comes_back_from_the_checkpoint(self, damage, run_dir, tmp_path):
        copy = shutil.copytree(run_dir, tmp_path / "copy")
        (copy / "history.jsonl").unlink()
        if damage is not None:
            (copy / "history.jsonl").write_text(damage)
        train(settings(training={"epochs": 2}), copy, resume=True)
        assert runs.read_history(copy) == runs.read_history(run_dir)

    def test_a_run_that_stopped_while_it_wrote_its_first_checkpoint_begins_again(self, untraced, tmp_path):
        leftovers(tmp_path / "run", 1)
        train(settings(), tmp_path / "run", resume=True)
        assert len(runs.read_history(tmp_path / "run")) == 1
        assert weights(tmp_path / "run")

    @pytest.mark.parametrize("error", [FloatingPointError, KeyboardInterrupt])
    def test_an_earlier_run_comes_back_if_the_new_one_fails_at_once(self, run_dir, tmp_path, monkeypatch, error):
        def fail(*_):
            raise error

        copy = shutil.copytree(run_dir, tmp_path / "copy")
        before = contents(tmp_path)
        monkeypatch.setattr(loop.TrainingLoop, "_train_epoch", fail)
        with pytest.raises(error):
            train(settings(seed=1), copy, overwrite=True)
        assert contents(tmp_path) == before

    def test_an_earlier_run_is_gone_once_the_new_one_has_a_checkpoint(self, untraced, tmp_path, monkeypatch):
        def interrupt_after(self, improved, write=loop.TrainingLoop._write):
            write(self, improved)
            raise KeyboardInterrupt

        leftovers(tmp_path / "run", 2)
        monkeypatch.setattr(loop.TrainingLoop, "_write", interrupt_after)
        with pytest.raises(KeyboardInterrupt):
            train(settings(seed=1, model=POINT), tmp_path / "run", overwrite=True)
        assert load_config(tmp_path / "run" / "config.yaml").seed == 1
        assert [path.name for path in tmp_path.iterdir()] == ["run"]

    def test_a_model_that_is_no_layer_is_refused(self, tmp_path):
        models.register("no_layer")(lambda input_shape, output_size, make_kernel_bias_fn=None: "text")
        with pytest.raises(ConfigError, match=r"model: a model must return a bayesconv Layer.*returned str; build"):
            train(settings(model={"name": "no_layer"}), tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_another_configuration_is_not_resumed(self, run_dir):
        changed = settings(training={"epochs": 3}, model={"prior": "laplace"})
        with pytest.raises(
            ConfigError, match=r"model.prior was 'normal' and is now 'laplace'; training.epochs was 2 and is now 3"
        ):
            train(changed, run_dir, resume=True)

    def test_there_must_be_something_to_resume(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="is no run folder"):
            train(settings(), tmp_path / "none", resume=True)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"model": {"prior": {"name": "normal", "scale": -1.0}}}, "must be positive"),
            ({"data": {"name": "digits", "test_size": 1790}}, "stratified split"),
            ({"objective": {"likelihood": "normal"}}, r"objective.likelihood: .* classes.*use categorical"),
            (
                {"data": {"name": "digits", "refit": True}, "training": {"patience": 3}},
                "training.patience: early stopping",
            ),
            (
                {"training": {"augmentation": ["horizontal_flip", {"name": "shift", "pixels": 8}]}},
                "training.augmentation.1: `pixels` is .* less than the images' height and width, 8 and 8. Received 8",
            ),
            ({"evaluation": {"ood": [{"name": "photo_patches", "count": 0}]}}, "count >= 1"),
            (
                {"evaluation": {"ood": ["misshapen"]}},
                r"evaluation.ood.0: misshapen must make .*Received shape \[3, 2\]",
            ),
            (
                {"evaluation": {"corruptions": ["blur", {"name": "contrast", "amounts": [0.5]}]}},
                r"evaluation.corruptions.1: `amounts` are five numbers",
            ),
            ({"model": {"estimator": "local_reparameterization"}}, "covariances"),
            (
                {"model": {"overrides": [{"match": "dense*", "prior": "laplace"}]}},
                r"model.overrides.0.match: .* 'dense\*'; its layers are conv1 \(Convolution\), head \(Affine\)",
            ),
            ({"objective": {"bound": "importance_weighted"}}, r"objective.bound: .*num_samples >= 2. Received 1"),
            (
                {"objective": {"bound": "renyi", "num_samples": 2}, "model": {"estimator": "flipout"}},
                "objective.bound: .*Received the estimator flipout",
            ),
            ({"data": {"name": "npz", "path": "/no/such/file.npz"}}, "No file /no/such/file.npz"),
        ],
    )
    def test_what_is_refused_leaves_no_folder(self, tmp_path, changes, expected, monkeypatch):
        data.ood.register("misshapen")(lambda dataset: np.zeros([3, 2]))
        monkeypatch.setattr(loop.TrainingLoop, "run", lambda *_: pytest.fail("it was trained"))
        with pytest.raises((ValueError, FileNotFoundError), match=expected):
            train(settings(**changes), tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_training_images_are_augmented_as_configured(self, untraced, tmp_path, monkeypatch):
        seen = []
        shift = augmentations.get("shift")
        monkeypatch.setitem(
            augmentations.REGISTRY._pieces,
            "shift",
            lambda images, rng, *, pixels=2: seen.append((len(images), pixels)) or shift(images, rng, pixels=pixels),
        )
        train(settings(training={"augmentation": [{"name": "shift", "pixels": 1}]}, model=POINT), tmp_path / "run")
        assert seen == [(1, 1), (512, 1), (512, 1), (126, 1)]  # once to see that it fits, then the 1150 images
        assert load_config(tmp_path / "run" / "config.yaml").training.augmentation[0].options == {"pixels": 1}

    def test_refit_ends_with_the_last_epoch_and_scales_no_temperature(self, untraced, tmp_path):
        train(settings(data={"name": "digits", "refit": True}, model=POINT), tmp_path / "run")
        assert "validation_nll" not in runs.read_history(tmp_path / "run")[0]
        report = experiment.evaluate(tmp_path / "run")
        assert report["temperature_scaled"] is None
        assert "No temperature scaling" in evaluation.tables(report)
        with pytest.raises(ValueError, match=r"train with --set data\.refit=false"):
            experiment.evaluate(tmp_path / "run", split="validation")
        assert not (tmp_path / "run" / "evaluation_validation.json").exists()


class TestOwnImages:
    @pytest.fixture
    def archive(self, tmp_path):
        generator = np.random.default_rng(0)
        images = {"x_train": generator.integers(0, 256, [60, 12, 9, 3], np.uint8), "y_train": np.arange(60) % 4}
        np.savez(tmp_path / "images.npz", **images, x_test=images["x_train"][:12], y_test=images["y_train"][:12])
        return str(tmp_path / "images.npz")

    def test_any_size_and_channels_and_classes_will_do(self, untraced, archive, tmp_path):
        config = settings(data={"name": "npz", "path": archive}, model={"name": "lenet5", **POINT})
        train(config, tmp_path / "run")
        report = experiment.evaluate(tmp_path / "run")
        assert (report["dataset"], report["num_images"]) == ("npz", 12)

    def test_weights_of_its_examples_count_in_the_loss(self, untraced, archive, tmp_path):
        with np.load(archive) as stored:
            arrays = dict(stored)
        np.savez(archive, **arrays, weights_train=np.full(60, 3.0))
        history = train(settings(data={"name": "npz", "path": archive}, model=POINT), tmp_path / "run")
        assert history.rows[0]["loss"] == pytest.approx(3 * history.rows[0]["nll"], rel=1e-5)

    def test_other_data_than_those_of_training_are_refused(self, untraced, archive, tmp_path):
        config = settings(data={"name": "npz", "path": archive}, model=POINT)
        train(config, tmp_path / "run")
        images = np.zeros([60, 8, 8], np.uint8)
        np.savez(archive, x_train=images, y_train=np.arange(60) % 3, x_test=images, y_test=np.arange(60) % 3)
        with pytest.raises(
            ValueError, match=r"trained on: images \[12, 9, 3\] of 4 classes. Received \[8, 8, 1\] of 3"
        ):
            experiment.evaluate(tmp_path / "run")


class TestEvaluation:
    def test_the_report_is_complete_and_written(self, run_dir, report):
        assert json.loads((run_dir / "evaluation.json").read_text()) == report
        assert set(report) >= {"accuracy", "nll", "brier", "ece", "ece_null", *evaluation.UNCERTAINTIES}
        assert (report["num_samples"], report["seed"], report["temperature"]) == (4, 0, 0.03)
        assert set(report["ood"]) == {"inverted", "photo_patches(count=40)"}
        assert report["ood"]["photo_patches(count=40)"]["num_images"] == 40
        for entry in (report, *report["ood"].values()):
            total = entry["expected_entropy"] + entry["mutual_information"]
            assert entry["predictive_entropy"] == pytest.approx(total, abs=1e-5)

    def test_the_scores_are_those_of_the_predictions(self, run_dir, report):
        test = data.digits().test
        probs = bc.predict(runs.load_run(run_dir).model, test.x, num_samples=4, seed=0).probs
        assert report["accuracy"] == pytest.approx(np.mean(probs.argmax(-1) == test.y))
        assert report["nll"] == pytest.approx(-np.log(probs[np.arange(360), test.y]).mean(), rel=1e-5)

    def test_the_validation_images_are_scored_in_place_of_the_test_images(self, run_dir, report):
        chosen = experiment.evaluate(run_dir, split="validation")
        assert json.loads((run_dir / "evaluation_validation.json").read_text()) == chosen
        assert json.loads((run_dir / "evaluation.json").read_text()) == report
        held_out = data.digits().validation
        probs = bc.predict(runs.load_run(run_dir).model, held_out.x, num_samples=4, seed=0).probs
        assert chosen["nll"] == pytest.approx(-np.log(probs[np.arange(287), held_out.y]).mean(), rel=1e-5)
        assert (chosen["num_images"], chosen["split"], report["split"]) == (287, "validation", "test")
        assert chosen["ood"]["inverted"]["auroc"] != report["ood"]["inverted"]["auroc"]  # told from these images
        assert chosen["temperature_scaled"] is None
        assert "these are the validation images" in evaluation.tables(chosen)

    @pytest.mark.parametrize("other", [{"calibrated": True}, {"labelled": "images.npz"}])
    def test_validation_images_are_scored_alone(self, run_dir, other):
        with pytest.raises(ValueError, match=r"in place of all others\. Received the split validation and"):
            experiment.evaluate(run_dir, split="validation", **other)

    def test_an_unknown_split_is_refused(self, run_dir):
        with pytest.raises(ValueError, match=r"Unknown split 'train'"):
            experiment.evaluate(run_dir, split="train")

    def test_the_number_of_draws_and_their_seed_can_be_chosen(self, run_dir, report):
        run = runs.load_run(run_dir)
        other = evaluation.report(run, run.dataset(), num_samples=3, seed=5)
        assert (other["num_samples"], other["seed"]) == (3, 5)
        assert other["nll"] != report["nll"]

    def test_point_weights_have_one_draw_and_nothing_epistemic(self, point_run_dir):
        report = experiment.evaluate(point_run_dir)
        assert (report["num_samples"], report["mutual_information"], report["temperature"]) == (1, 0.0, None)
        assert report["ood"]["inverted"]["auroc"]["mutual_information"] is None
        assert "point weights" in evaluation.tables(report)
        scaled = report["temperature_scaled"]
        assert scaled["accuracy"] == report["accuracy"]  # one temperature for all leaves the order of classes
        assert scaled["nll"] < report["nll"]

    def test_the_table_fits_a_terminal_and_has_every_number(self, report):
        text = evaluation.tables(report)
        assert max(map(len, text.splitlines())) <= 120
        assert "KL temperature 0.03" in text
        assert all(
            f"{report[key]:.4f}" in text for key in ("nll", "brier", "ece", "mutual_information", "expected_entropy")
        )
        assert all(f"{entry['auroc']['predictive_entropy']:.3f}" in text for entry in report["ood"].values())

    def test_corruptions_are_scored_at_each_severity(self, point_run_dir):
        run = with_corruptions(runs.load_run(point_run_dir))
        dataset = run.dataset()
        report = evaluation.report(run, dataset)
        assert list(report["shift"]) == list(CORRUPTIONS)
        for name, entries in report["shift"].items():
            part = CORRUPTIONS[name]
            for severity, entry in enumerate(entries, 1):
                x = bc.corruptions.corrupt(dataset.test.x, part, severity=severity)
                probs = bc.predict(run.model, x, weights="mean").mean
                assert entry["accuracy"] == pytest.approx(np.mean(probs.argmax(-1) == dataset.test.y))
                assert entry["nll"] == pytest.approx(-np.log(probs[np.arange(360), dataset.test.y]).mean(), rel=1e-4)
            assert entries[4]["nll"] > report["nll"]
        lines = evaluation.tables(report).splitlines()
        (row,) = (line for line in lines if line.startswith("contrast, NLL"))
        assert row.split()[2:] == [f"{entry['nll']:.4f}" for entry in (report, *report["shift"]["contrast"])]
        drawn = dict(figures.drawn(figures.Subject(run, dataset), ["shift"]))
        assert list(drawn) == ["shift_accuracy", "shift_nll", "shift_ece"]
        np.testing.assert_allclose(
            drawn["shift_nll"].get_lines()[0].get_ydata(),
            [entry["nll"] for entry in (report, *report["shift"]["contrast"])],
            rtol=1e-5,
        )

    def test_a_share_of_the_images_may_be_corrupted(self, point_run_dir):
        run = with_corruptions(runs.load_run(point_run_dir), corrupted_images=50)
        dataset = run.dataset()
        for name, chosen, sets in evaluation.corrupted(run, dataset):
            assert len(set(chosen)) == 50
            wanted = next(iter(sets))
            np.testing.assert_array_equal(
                wanted, bc.corruptions.corrupt(dataset.test.x[chosen], CORRUPTIONS[name], severity=1)
            )
        entry = evaluation.report(run, dataset)["shift"]["contrast"][0]
        x = bc.corruptions.corrupt(dataset.test.x[chosen], "contrast", severity=1)
        probs = bc.predict(run.model, x, weights="mean").mean
        assert entry["nll"] == pytest.approx(-np.log(probs[np.arange(50), dataset.test.y[chosen]]).mean(), rel=1e-4)

    def test_a_bad_number_of_draws_is_refused_and_nothing_is_written(self, run_dir, report):
        before = (run_dir / "evaluation.json").read_bytes()
        with pytest.raises(ValueError, match="num_samples"):
            experiment.evaluate(run_dir, num_samples=0)
        assert (run_dir / "evaluation.json").read_bytes() == before


class TestDiagnosis:
    def test_is_that_of_the_runs_objective(self, run_dir):
        diagnosis, paths = experiment.diagnose(run_dir)
        assert (diagnosis.num_data, diagnosis.temperature) == (1150, 0.03)
        assert [path.name for path in paths] == ["diagnosis.json", "diagnosis.png"]
        model = runs.load_run(run_dir).model
        assert diagnosis.kl == pytest.approx(
            float(sum(m.divergence.penalty(None, None) for m in (model[0], model[-1])))
        )
        assert "num_data_is_batch_size" not in [finding.name for finding in diagnosis.findings]

    def test_point_weights_have_none(self, point_run_dir):
        diagnosis, paths = experiment.diagnose(point_run_dir)
        assert [finding.name for finding in diagnosis.findings] == ["nothing_bayesian"]
        assert [path.name for path in paths] == ["diagnosis.json"]

    def test_overwriting_a_run_removes_it(self, untraced, tmp_path):
        train(settings(model=POINT), tmp_path)
        experiment.diagnose(tmp_path)
        assert (tmp_path / "diagnosis.json").exists()
        train(settings(seed=1, model=POINT), tmp_path, overwrite=True)
        assert not (tmp_path / "diagnosis.json").exists()


class TestFigures:
    @pytest.fixture(autouse=True)
    def _saved_small(self, monkeypatch):
        """Renders each figure once; a tight box takes a second time, and is tested with the plots."""

        def small(figure, file, *, format, save=Figure.savefig, **_):
            save(figure, file, format=format, dpi=30)

        monkeypatch.setattr(Figure, "savefig", small)

    @pytest.mark.slow
    def test_a_bayesian_run_has_all(self, run_dir):
        paths = experiment.plot(run_dir)
        assert {path.stem for path in paths} == {
            "learning_curves",
            "reliability",
            "temperature_scaling",
            "risk_coverage",
            "sample_convergence",
            "conformal_sets",
            "certainty",
            "ranked_images",
            "mutual_information_inverted",
            "mutual_information_photo_patches(count=40)",
            "predictive_entropy_inverted",
            "predictive_entropy_photo_patches(count=40)",
            "roc_inverted",
            "roc_photo_patches(count=40)",
            "out_of_distribution",
            "signal_to_noise",
            "pruning",
            "weight_histograms",
            "weight_densities",
            "kernels_conv1",
            "kl_by_layer",
            "prior_predictive",
        }
        assert all(image.imread(path).std() > 0.01 for path in paths)

    @pytest.mark.slow
    def test_point_weights_have_those_that_mean_something_and_none_stays_open(self, point_run_dir, monkeypatch):
        monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)  # those of a Bayesian run are all rendered
        pyplot.close("all")
        names = {path.stem for path in experiment.plot(point_run_dir)}
        assert "signal_to_noise" not in names
        assert {"predictive_entropy_inverted", "out_of_distribution", "certainty"} <= names
        assert pyplot.get_fignums() == []

    def test_one_that_fails_leaves_none(self, point_run_dir, tmp_path, monkeypatch):
        def fail(*_, **__):
            raise ValueError("no figure")

        copy = shutil.copytree(point_run_dir, tmp_path / "copy", ignore=shutil.ignore_patterns("figures"))
        monkeypatch.setattr(plotting, "ood_scores", fail)
        pyplot.close("all")
        with pytest.raises(ValueError, match="no figure"):
            experiment.plot(copy)
        assert not (copy / "figures").exists()
        assert pyplot.get_fignums() == []

    def test_images_of_one_value_have_a_figure(self, monkeypatch):
        shown = []
        monkeypatch.setattr(plotting, "most_and_least_certain", lambda images, *_, **__: shown.append(images))
        digits = data.digits()
        flat = digits._replace(train=data.Split(np.ones([10, 8, 8, 1], np.float32), np.arange(10)))
        subject = SimpleNamespace(test=SimpleNamespace(mean=0, std=0, predictive_entropy=0), dataset=flat)
        list(figures.classification.certainty(subject))
        assert np.isfinite(shown[0]).all()


class TestDamagedRuns:
    @pytest.fixture
    def copy(self, run_dir, tmp_path):
        return shutil.copytree(run_dir, tmp_path / "copy")

    def test_a_folder_without_a_run_is_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"is no run folder, it has no config.yaml and run.json"):
            experiment.evaluate(tmp_path)

    def test_missing_weights_are_named(self, copy):
        (copy / "checkpoints" / "best.npz").unlink()
        with pytest.raises(
            FileNotFoundError, match=r"best\.npz is missing.*bring it back, or train anew by --overwrite"
        ):
            experiment.evaluate(copy)

    @pytest.mark.slow
    def test_a_way_out_that_is_named_works(self, copy, untraced):
        shutil.rmtree(copy / "checkpoints")
        (copy / "history.jsonl").unlink()
        with pytest.raises(FileNotFoundError, match=r"best\.npz is missing.*--resume"):
            experiment.evaluate(copy)
        train(settings(training={"epochs": 2}), copy, resume=True)
        (copy / "checkpoints" / "best.npz").unlink()
        with pytest.raises(FileNotFoundError, match=r"best\.npz is missing.*--overwrite"):
            train(settings(training={"epochs": 2}), copy, resume=True)
        train(settings(training={"epochs": 2}), copy, overwrite=True)
        assert runs.load_run(copy).is_bayesian

    def test_a_damaged_checkpoint_is_named(self, copy):
        path = copy / "checkpoints" / "best.npz"
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(ValueError, match=r"best\.npz is damaged"):
            experiment.evaluate(copy)

    def test_weights_of_another_network_are_refused(self, copy):
        text = (copy / "config.yaml").read_text().replace("- 2\n", "- 3\n", 1)
        (copy / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match="do not fit this model"):
            experiment.evaluate(copy)

    @pytest.mark.parametrize(
        "changes",
        [
            {"input_shape": "x"},
            {"input_shape": [8, 8, -1]},
            {"input_shape": []},
            {"num_classes": None},
            {"class_names": []},
            {"class_names": 3},
            {"value_range": [1]},
            {"value_range": ["a", "b"]},
            {"config_folder": 5},
        ],
    )
    def test_a_record_of_another_shape_is_named(self, copy, changes):
        path = copy / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        with pytest.raises(ValueError, match=r"run\.json must be what training wrote there.*damaged: .*Received"):
            experiment.evaluate(copy)

    @pytest.mark.parametrize("content", ["{", "[]", '{"input_shape": [8, 8, 1]}'])
    def test_a_damaged_record_is_named(self, copy, content):
        (copy / "run.json").write_text(content)
        with pytest.raises(ValueError, match=r"run\.json must"):
            experiment.evaluate(copy)

    def test_a_damaged_last_checkpoint_is_named_before_anything_is_said(self, copy):
        (copy / "checkpoints" / "last.npz").write_text("no archive")
        said = []
        with pytest.raises(ValueError, match=r"last\.npz is damaged .*: it is no archive"):
            train(settings(training={"epochs": 2}), copy, resume=True, announce=said.append)
        assert said == []

    def test_a_damaged_history_is_named(self, copy):
        (copy / "history.jsonl").write_text("{\n")
        with pytest.raises(ValueError, match=r"history\.jsonl must hold one JSON object a line"):
            experiment.plot(copy)


SHAPE, RANGE = (8, 8, 1), (0.0, 1.0)


class TestPredictingFiles:
    @pytest.fixture
    def images(self):
        return data.digits().test.x[:3]

    def test_csv_and_npz_agree_with_the_prediction(self, run_dir, images, tmp_path):
        np.save(tmp_path / "x.npy", images)
        text = experiment.predict_file(run_dir, tmp_path / "x.npy", tmp_path / "out.csv")
        experiment.predict_file(run_dir, tmp_path / "x.npy", tmp_path / "out.npz")
        expected = bc.predict(runs.load_run(run_dir).model, images, num_samples=4, seed=0)
        assert (tmp_path / "out.csv").read_text() == text
        header, *rows = [line.split(",") for line in text.splitlines()]
        assert header[:4] == ["image", "class", "class_name", "p_0"]
        assert header[-4:] == [*evaluation.UNCERTAINTIES, "mutual_information_corrected"]
        np.testing.assert_allclose(np.array([row[3:13] for row in rows], float), expected.probs, atol=1e-5)
        assert [int(row[1]) for row in rows] == expected.probs.argmax(-1).tolist()
        with np.load(tmp_path / "out.npz") as archive:
            np.testing.assert_allclose(archive["probs"], expected.probs, atol=1e-6)
            np.testing.assert_allclose(archive["mutual_information"], expected.mutual_information, atol=1e-6)

    def test_another_kind_of_output_is_refused_before_anything_is_read(self, tmp_path):
        with pytest.raises(ValueError, match=r"\.csv, \.npz or \.parquet. Received .*out.txt"):
            experiment.predict_file(tmp_path, tmp_path / "x.npy", tmp_path / "out.txt")

    @pytest.mark.parametrize("index", [slice(None), (slice(None), ..., 0), 0, (0, ..., 0)])
    def test_one_image_or_many_with_or_without_channel(self, images, tmp_path, index):
        np.save(tmp_path / "x.npy", images[index])
        read = image_files.read_images(tmp_path / "x.npy", SHAPE, RANGE)
        np.testing.assert_array_equal(read, images[: len(read)])

    @pytest.mark.parametrize("key", ["x", "images"])
    def test_an_archive_with_either_key(self, images, tmp_path, key):
        np.savez(tmp_path / "x.npz", **{key: images})
        np.testing.assert_array_equal(image_files.read_images(tmp_path / "x.npz", SHAPE, RANGE), images)

    def test_uint8_is_divided_by_255(self, tmp_path):
        np.save(tmp_path / "x.npy", np.full([1, 8, 8], 51, np.uint8))
        np.testing.assert_allclose(image_files.read_images(tmp_path / "x.npy", SHAPE, RANGE), 0.2)

    @pytest.mark.parametrize("ending", ["png", "jpg"])
    def test_a_picture_becomes_grey_or_colourful_as_the_model_needs_it(self, tmp_path, ending):
        picture = np.full([8, 8, 3], [255, 0, 0], np.uint8)
        image.imsave(tmp_path / f"red.{ending}", picture)
        grey = image_files.read_images(tmp_path / f"red.{ending}", SHAPE, RANGE)
        colour = image_files.read_images(tmp_path / f"red.{ending}", (8, 8, 3), RANGE)
        np.testing.assert_allclose(grey, np.full([1, 8, 8, 1], 0.299), atol=0.01)
        np.testing.assert_allclose(colour[0, 3, 3], [1, 0, 0], atol=0.01)

    def test_sixteen_bits_are_scaled_by_their_largest_value(self, tmp_path):
        Image.fromarray(np.full([8, 8], 13107, np.uint16)).save(tmp_path / "x.tiff")
        np.testing.assert_allclose(image_files.read_images(tmp_path / "x.tiff", SHAPE, RANGE), 0.2, atol=1e-6)

    def test_a_picture_of_floats_lies_between_0_and_1(self, tmp_path):
        Image.fromarray(np.full([8, 8], 0.2, np.float32)).save(tmp_path / "x.tiff")
        np.testing.assert_allclose(image_files.read_images(tmp_path / "x.tiff", SHAPE, RANGE), 0.2, atol=1e-6)
        for value in (1.5, np.nan):
            Image.fromarray(np.full([8, 8], value, np.float32)).save(tmp_path / "x.tiff")
            with pytest.raises(ValueError, match=r"floats from 0 to 1. Received float32 from .*scale them"):
                image_files.read_images(tmp_path / "x.tiff", SHAPE, RANGE)

    @pytest.mark.parametrize("mode", ["CMYK", "I", "LAB"])
    def test_a_picture_that_cannot_be_read_as_it_is_is_refused(self, tmp_path, mode):
        Image.new(mode, (8, 8)).save(tmp_path / "x.tiff")
        with pytest.raises(ValueError, match=f"x.tiff must be .* Received the mode '{mode}'.*convert it to PNG"):
            image_files.read_images(tmp_path / "x.tiff", SHAPE, RANGE)

    @pytest.mark.parametrize(
        ("array", "expected"),
        [
            (np.zeros([2, 9, 8, 1]), r"must hold images \[N, 8, 8, 1\].*Received shape \(2, 9, 8, 1\); crop"),
            (np.zeros([2, 8, 8, 3]), r"Received shape \(2, 8, 8, 3\)"),
            (np.zeros([0, 8, 8, 1]), "not empty"),
            (np.zeros([2, 8, 8], int), "must be uint8 .*Received int64"),
            (np.full([2, 8, 8], np.nan), "finite"),
            (np.full([2, 8, 8], 16.0), "on the scale of the training images, 0 to 1. Received values from 16 to 16"),
            (np.array([{}], object), "must be a plain numeric array"),
        ],
    )
    def test_an_array_that_does_not_fit_is_refused(self, tmp_path, array, expected):
        np.save(tmp_path / "x.npy", array)
        with pytest.raises(ValueError, match=expected):
            image_files.read_images(tmp_path / "x.npy", SHAPE, RANGE)

    def test_uint8_does_not_fit_a_run_of_another_scale(self, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros([1, 8, 8], np.uint8))
        with pytest.raises(ValueError, match="must be float, on the scale of the training images, -2 to 2"):
            image_files.read_images(tmp_path / "x.npy", SHAPE, (-2.0, 2.0))

    @pytest.mark.parametrize(
        ("name", "content"),
        [("x.npy", b""), ("x.npy", b"abc"), ("x.npz", b"abc"), ("x.png", b"\x89PNG\r\n\x1a\n"), ("x.txt", b"abc")],
    )
    def test_a_damaged_file_is_refused(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} must be"):
            image_files.read_images(tmp_path / name, SHAPE, RANGE)

    def test_an_archive_without_images_says_what_it_has(self, tmp_path):
        np.savez(tmp_path / "x.npz", y=np.zeros(3))
        with pytest.raises(ValueError, match=r"`x` or `images`. It has \['y'\]"):
            image_files.read_images(tmp_path / "x.npz", SHAPE, RANGE)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"No file .*none\.npy"):
            image_files.read_images(tmp_path / "none.npy", SHAPE, RANGE)
