"""Claims about deep ensembles: what their members are, how they predict together, and that training is resumable."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import cli, evaluation, experiment, figures, loop, members, random, runs
from bayesconv.checkpoints import RunFolder
from bayesconv.comparison import per_image
from bayesconv.comparison.reading import read_run
from bayesconv.config import ConfigError, RunConfig, load_config
from bayesconv.evaluation.predicting import provenance
from bayesconv.evaluation.text import manner_of
from bayesconv.sweeps import manifest, running

pytestmark = pytest.mark.slow

SETTINGS = {
    "data": {"name": "digits"},
    "model": {"name": {"name": "digits_cnn", "filters": [2]}, "posterior": "deterministic"},
    "training": {"epochs": 2, "batch_size": 512, "learning_rate": 1e-2, "members": 2},
    "evaluation": {"num_samples": 3, "ood": ["inverted"], "bootstrap": 20},
}
BAYESIAN = {"name": {"name": "mlp", "hidden": [4]}, "estimator": "reparameterization"}


def settings(**changes):
    sections = {key: {**SETTINGS.get(key, {}), **value} for key, value in changes.items() if isinstance(value, dict)}
    return RunConfig(**{**SETTINGS, **changes, **sections})


def train(folder, config=None, **options):
    return experiment.train(config or settings(), folder, progress=False, **options)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ensemble"
    train(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(ensemble):
    return runs.load_run(ensemble)


@pytest.fixture(scope="module")
def bayesian(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "bayesian"
    train(folder, RunConfig(**{**SETTINGS, "model": BAYESIAN, "training": {**SETTINGS["training"], "epochs": 1}}))
    return runs.load_run(folder)


def weights(folder):
    """All arrays of the best epoch of every member."""
    found = {}
    for path in sorted(folder.glob("members/*/checkpoints/best.npz")):
        with np.load(path) as archive:
            found |= {(path.parts[-3], name): archive[name] for name in archive.files}
    return found


class TestSeeds:
    def test_neighbouring_ensembles_have_no_member_in_common(self):
        seeds = [members.seed_of(seed, index) for seed in range(50) for index in range(20)]
        assert len(set(seeds)) == len(seeds)
        assert all(RunConfig(**{**SETTINGS, "seed": seed}).seed == seed for seed in seeds[:3])  # each one is allowed

    def test_they_stay_what_they_are(self):
        assert [members.seed_of(0, index) for index in range(2)] == [
            int(np.random.SeedSequence([0, index]).generate_state(1)[0] % 2**31) for index in range(2)
        ]

    def test_a_single_network_is_its_own_member(self, tmp_path):
        config = settings(training={"members": 1})
        assert members.configurations(config) == [config]
        assert members.folders(tmp_path, 1) == [tmp_path]


class TestMembers:
    def test_each_is_a_run_of_its_own(self, ensemble, loaded):
        for index, model in enumerate(loaded.models):
            alone = runs.load_run(ensemble / "members" / str(index))
            assert alone.config.seed == members.seed_of(0, index)
            assert alone.config.training.members == 1
            for ours, theirs in zip(model.variables, alone.model.variables, strict=True):
                np.testing.assert_array_equal(ours, theirs)

    def test_a_member_is_what_its_configuration_alone_gives(self, ensemble, tmp_path):
        train(tmp_path / "alone", load_config(ensemble / "members" / "1" / "config.yaml"))
        with np.load(tmp_path / "alone" / "checkpoints" / "best.npz") as archive:
            assert all(np.array_equal(archive[name], weights(ensemble)["1", name]) for name in archive.files)

    def test_they_differ(self, loaded):
        first, second = (model.trainable_variables for model in loaded.models)
        assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

    def test_histories_are_those_of_the_members(self, ensemble):
        histories = train(ensemble, resume=True)  # all are finished
        for index, history in enumerate(histories):
            assert history.rows == runs.read_history(ensemble / "members" / str(index))
        assert len({history.rows[0]["loss"] for history in histories}) == 2


class TestPredictions:
    def test_losses_of_single_images_are_of_what_was_evaluated(self, bayesian):
        report = experiment.evaluate(bayesian.folder)
        losses = per_image.predicted_losses(read_run(bayesian.folder))
        assert report["num_samples"] == 6  # three of each member
        assert losses.losses["nll"].mean() == pytest.approx(report["nll"], rel=1e-5)

    def test_the_mean_is_that_of_the_members(self, loaded):
        x = loaded.dataset().test.x[:20]
        alone = [bc.predict(model, x, num_samples=1) for model in loaded.models]
        together = evaluation.predict(loaded, x)
        np.testing.assert_array_equal(together.mean, (alone[0].mean + alone[1].mean) / 2)
        np.testing.assert_array_equal(together.logits, np.concatenate([one.logits for one in alone]))
        assert together.num_samples == 2  # one of each, whatever the configuration says of draws
        assert together.mutual_information.min() >= 0
        assert together.mutual_information.max() > 1e-4

    def test_bayesian_members_have_draws_of_their_own(self, bayesian):
        x = bayesian.dataset().test.x[:20]
        seeds = [0, random.fold_in(random.as_seed(0), 1).numpy()]
        pairs = zip(bayesian.models, seeds, strict=True)
        alone = [bc.predict(model, x, num_samples=3, seed=seed) for model, seed in pairs]
        together = evaluation.predict(bayesian, x)
        assert together.num_samples == 6
        np.testing.assert_array_equal(together.mean, (alone[0].mean + alone[1].mean) / 2)

    def test_a_single_pass_is_one_of_each_member(self, bayesian, loaded):
        x = bayesian.dataset().test.x[:20]
        alone = [bc.predict(model, x, method="moments") for model in bayesian.models]
        together = evaluation.predict(bayesian, x, method="moments")
        np.testing.assert_allclose(together.mean, (alone[0].mean + alone[1].mean) / 2, rtol=1e-12)
        point = evaluation.predict(loaded, x, method="moments")
        np.testing.assert_array_equal(point.mean, evaluation.predict(loaded, x).mean)

    def test_what_is_kept_belongs_to_all_members(self, ensemble, loaded):
        from bayesconv.evaluation.kept import variables_hash

        assert variables_hash(loaded) != variables_hash(loaded._replace(others=()))


class TestReports:
    def test_point_members_have_a_mutual_information(self, ensemble):
        report = experiment.evaluate(ensemble)
        assert (report["members"], report["num_samples"], report["temperature"]) == (2, 2, None)
        assert report["mutual_information"] > 0
        assert report["ood"]["inverted"]["auroc"]["mutual_information"] is not None
        assert "mutual_information" in report["selection"]
        assert "test images, 2 members, point weights, seed 0" in evaluation.tables(report)

    def test_bayesian_members_are_said_to_be_drawn_from(self, bayesian):
        predictive = evaluation.predict(bayesian, bayesian.dataset().test.x[:20])
        entries = provenance(bayesian, predictive)
        assert entries["num_samples"] == 6
        assert manner_of(entries) == "2 members, 6 draws in all, KL temperature 1, seed 0"

    def test_a_single_network_has_none(self, ensemble):
        report = experiment.evaluate(ensemble / "members" / "0")
        assert report["ood"]["inverted"]["auroc"]["mutual_information"] is None
        assert "test images, point weights, seed" in evaluation.tables(report)

    def test_figures_know_of_the_members(self, ensemble, loaded):
        paths = experiment.plot(ensemble, only=["learning_curves", "histograms"])
        names = {path.stem for path in paths}
        assert names >= {"learning_curves_member0", "learning_curves_member1", "mutual_information_inverted"}
        assert figures.Subject(loaded, loaded.dataset()).has_draws
        assert not figures.Subject(loaded._replace(others=()), loaded.dataset()).has_draws

    def test_the_commands_take_an_ensemble(self, ensemble, tmp_path, capsys):
        run = str(shutil.copytree(ensemble, tmp_path / "run"))
        np.save(tmp_path / "x.npy", np.zeros([2, 8, 8, 1], np.float32))
        assert cli.main(["predict", run, str(tmp_path / "x.npy")]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 3
        for command in (["calibrate"], ["select", "--coverage", "0.9", "--score", "mutual_information"], ["conformal"]):
            assert cli.main([command[0], run, *command[1:]]) == 0
        capsys.readouterr()
        assert cli.main(["diagnose", run]) == 0
        said = capsys.readouterr().out
        assert "Member 1 of 2" in said
        assert "Member 2 of 2" in said
        assert len(list(tmp_path.glob("run/members/*/diagnosis.json"))) == 2


class Interrupt:
    """Stops training when so many epochs were begun, and counts them."""

    def __init__(self, monkeypatch, at=None):
        self.begun, original = 0, loop.TrainingLoop._train_epoch

        def epoch(training, *arguments):
            self.begun += 1
            if self.begun == at:
                raise KeyboardInterrupt
            return original(training, *arguments)

        monkeypatch.setattr(loop.TrainingLoop, "_train_epoch", epoch)


class TestResuming:
    @pytest.mark.parametrize(("at", "left"), [(2, 3), (3, 2)])  # within the first, and between the two
    def test_gives_the_weights_of_a_run_that_was_not_interrupted(self, at, left, ensemble, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            Interrupt(patch, at)
            with pytest.raises(KeyboardInterrupt):
                train(tmp_path / "run")
        assert runs.has_started(tmp_path / "run")
        counted = Interrupt(monkeypatch)
        train(tmp_path / "run", resume=True)
        assert counted.begun == left  # what was finished is not trained again
        expected, found = weights(ensemble), weights(tmp_path / "run")
        assert expected.keys() == found.keys()
        assert all(np.array_equal(expected[key], found[key]) for key in expected)

    def test_a_run_with_a_member_missing_is_not_read(self, ensemble, tmp_path):
        shutil.copytree(ensemble, tmp_path / "run")
        (tmp_path / "run" / "members" / "1" / "checkpoints" / "best.npz").unlink()
        with pytest.raises(FileNotFoundError, match=r"members/1 holds no trained weights.*--resume"):
            runs.load_run(tmp_path / "run")
        with pytest.raises(FileNotFoundError, match=r"this member alone: delete .*members/1, then train with --resume"):
            train(tmp_path / "run", resume=True)
        shutil.rmtree(tmp_path / "run" / "members" / "1")
        runs.check_folder(tmp_path / "run", settings(), resume=True, overwrite=False)

    def test_takes_the_same_number_of_members(self, ensemble):
        with pytest.raises(ConfigError, match=r"training\.members was 2 and is now 3"):
            train(ensemble, settings(training={"members": 3}), resume=True)

    def test_the_last_command_line_says_how(self, ensemble, tmp_path, monkeypatch, capsys):
        (tmp_path / "run.yaml").write_text(json.dumps(SETTINGS))
        Interrupt(monkeypatch, 3)
        assert cli.main(["train", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run")]) == 130
        assert "Go on with the same command and --resume" in capsys.readouterr().err

    def test_an_ensemble_gives_way_to_another_run_whole(self, ensemble, tmp_path):
        folder = tmp_path / "run"
        shutil.copytree(ensemble, folder)
        with pytest.raises(FileExistsError, match="already holds a run"):
            train(folder)
        train(folder, settings(training={"members": 1, "epochs": 1}), overwrite=True)
        assert not (folder / "members").exists()
        assert runs.load_run(folder).others == ()


class TestRefusals:
    @pytest.mark.parametrize("count", [0, -1, 1.5, "many"])
    def test_a_number_of_members_is_a_positive_int(self, count, tmp_path):
        (tmp_path / "run.yaml").write_text("{data: digits, model: digits_cnn}")
        with pytest.raises(ConfigError, match=r"training\.members: .*Received"):
            load_config(tmp_path / "run.yaml", [f"training.members={count}", "model={name: digits_cnn}"])

    def test_a_diagnosis_is_of_one_network(self, ensemble):
        with pytest.raises(ValueError, match=r"Received an ensemble of 2: take a member, such as .*members/0"):
            experiment.diagnose(ensemble)


def test_a_sweep_knows_when_an_ensemble_has_lost_a_member(ensemble, tmp_path):
    experiment_folder = tmp_path / "members=2"
    shutil.copytree(ensemble, experiment_folder)
    cell = manifest.CellRecord("members=2", {}, settings().model_dump(mode="json"), manifest.FINISHED)
    found = manifest.Manifest(tmp_path, str(tmp_path), False, [cell])
    assert running.prepare(found, retry_failed=False) == []
    (experiment_folder / "members" / "1" / "checkpoints" / "best.npz").unlink()
    assert running.prepare(found, retry_failed=False) == [cell]


@pytest.mark.parametrize("saved", [1, 3])  # the first checkpoint of the first member, and of the second
def test_a_run_that_stopped_while_it_wrote_a_first_checkpoint_goes_on(saved, ensemble, tmp_path, monkeypatch):
    count, original = [], RunFolder.save_last

    def save(folder, *arguments):
        count.append(None)
        if len(count) == saved:
            raise OSError(28, "No space left on device")
        original(folder, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_last", save)
        with pytest.raises(OSError, match="No space left"):
            train(tmp_path / "run")
    assert (tmp_path / "run").exists() == (saved > 1)  # what is refused at once leaves nothing behind
    train(tmp_path / "run", resume=saved > 1)
    expected, found = weights(ensemble), weights(tmp_path / "run")
    assert all(np.array_equal(expected[key], found[key]) for key in expected)
