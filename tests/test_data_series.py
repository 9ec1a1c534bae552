"""Series: read from files, made strange, and all the way from a file to the report."""

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import cli, data, experiment, image_files, runs
from bayesconv.config import ConfigError

RANGE = (-3.0, 3.0)


def archive(path, *, channels=3, length=16, num=60, **changes):
    """Sines of three frequencies, one a class, on every channel in a phase of its own."""
    rng = np.random.default_rng(0)
    y = np.arange(num) % 3
    steps = np.linspace(0, 2 * np.pi, length, endpoint=False)
    phases = rng.uniform(0, 2 * np.pi, (num, 1, channels))
    x = np.sin((1 + y)[:, np.newaxis, np.newaxis] * steps[:, np.newaxis] + phases).astype(np.float32)
    x = x[..., 0] if channels == 1 else x
    half = num // 2
    arrays = {"x_train": x[:half], "y_train": y[:half], "x_test": x[half:], "y_test": y[half:]}
    np.savez(path / "series.npz", **(arrays | changes))
    return str(path / "series.npz")


class TestArchives:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_they_have_steps_and_channels(self, tmp_path, channels):
        found = data.npz(path=archive(tmp_path, channels=channels), series=True)
        assert found.input_shape == (16, channels)
        with np.load(tmp_path / "series.npz") as stored:
            np.testing.assert_array_equal(found.test.x, stored["x_test"].reshape(30, 16, channels))

    def test_without_the_word_they_would_be_grey_images(self, tmp_path):
        assert data.npz(path=archive(tmp_path)).input_shape == (16, 3, 1)

    def test_real_numbers_can_be_their_targets(self, tmp_path):
        y = np.linspace(0, 1, 30)
        found = data.npz(path=archive(tmp_path, y_train=y, y_test=y), series=True)
        assert (found.task, found.input_shape, found.train.y.shape) == ("regression", (16, 3), (27, 1))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"x_train": np.zeros([30, 4, 4, 3])}, r"series \[N, T\] or \[N, T, C\] and not empty\. Received shape"),
            ({"x_train": np.full([30, 16, 3], np.nan)}, r"NaN or infinite ones in 30 series"),
            ({"y_train": np.zeros([30, 16, 3], int)}, r"labels of every step; cut windows"),
            ({"y_train": np.zeros([30, 16], int)}, r"labels of every step; cut windows"),
            ({"x_test": np.zeros([30, 15, 3])}, r"must have one shape"),
        ],
    )
    def test_what_is_no_series_is_refused(self, tmp_path, changes, message):
        with pytest.raises(ValueError, match=message):
            data.npz(path=archive(tmp_path, **changes), series=True)


class TestFiles:
    @pytest.mark.parametrize("shape", [(5, 16, 3), (16, 3)])
    def test_one_or_several_are_read(self, tmp_path, shape):
        x = np.random.default_rng(0).normal(size=shape)
        np.save(tmp_path / "x.npy", x)
        read = image_files.read_images(tmp_path / "x.npy", (16, 3), RANGE)
        np.testing.assert_array_equal(read, x.reshape(-1, 16, 3).astype(np.float32))

    @pytest.mark.parametrize("shape", [(5, 16), (16,), (5, 16, 1), (16, 1)])
    def test_a_single_channel_need_not_be_written(self, tmp_path, shape):
        x = np.random.default_rng(0).normal(size=shape)
        np.save(tmp_path / "x.npy", x)
        read = image_files.read_images(tmp_path / "x.npy", (16, 1), RANGE)
        np.testing.assert_array_equal(read, x.reshape(-1, 16, 1).astype(np.float32))

    def test_another_length_and_a_picture_are_refused(self, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros([2, 15, 3]))
        with pytest.raises(ValueError, match=r"must hold series \[N, 16, 3\].*cut them to that length"):
            image_files.read_images(tmp_path / "x.npy", (16, 3), RANGE)
        (tmp_path / "x.png").touch()
        with pytest.raises(ValueError, match=r"must be series, a \.npy array"):
            image_files.read_images(tmp_path / "x.png", (16, 3), RANGE)


class TestStrangeOnes:
    def test_time_runs_backwards(self):
        rows = data.digit_rows()
        np.testing.assert_array_equal(data.time_reversed(rows)[:, 2], rows.test.x[:, 5])

    def test_rows_of_digits_are_the_digits(self):
        rows, digits = data.digit_rows(), data.digits()
        assert (rows.name, rows.input_shape) == ("digit_rows", (8, 8))
        np.testing.assert_array_equal(rows.test.x[..., np.newaxis], digits.test.x)
        np.testing.assert_array_equal(rows.train.y, digits.train.y)

    def test_sets_of_other_kinds_are_refused(self):
        with pytest.raises(ValueError, match=r"is made of images\. Received the series of 'digit_rows'"):
            data.photo_patches(data.digit_rows())
        with pytest.raises(ValueError, match=r"'time_reversed' is made of series\. Received the images of 'digits'"):
            data.time_reversed(data.digits())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("series")
    (path / "series.yaml").write_text(
        f"data: {{name: npz, path: {archive(path)}, series: true}}\n"
        "model: {name: {name: cnn1d, filters: [8, 8], kernel_size: 3}, estimator: flipout}\n"
        "objective: {temperature: 0.001}\n"
        "training: {epochs: 150, batch_size: 27, learning_rate: 0.02, augmentation: [{name: shift, pixels: 1}]}\n"
        "evaluation: {num_samples: 8, bootstrap: 0, ood: [time_reversed], corruptions: [translation]}\n"
    )
    assert cli.main(["train", str(path / "series.yaml"), "--out", str(path / "run")]) == 0
    return path


@pytest.mark.slow
class TestFromFileToReport:
    def test_it_learns_and_says_what_it_was_scored_on(self, folder, capsys):
        assert cli.main(["evaluate", str(folder / "run")]) == 0
        said = capsys.readouterr().out
        assert "npz: 30 test series, 8 draws" in said
        assert "\ntest series " in said
        assert experiment.evaluate(folder / "run")["accuracy"] > 0.8  # a third by chance

    def test_moments_agree_with_draws(self, folder):
        run = runs.load_run(folder / "run")
        x = run.dataset().test.x
        drawn = bc.predict(run.model, x, num_samples=512, seed=0)
        single = bc.predict(run.model, x, method="moments")
        np.testing.assert_allclose(single.mean, drawn.mean, atol=0.08)

    def test_its_figures_show_them(self, folder):
        drawn = {path.stem for path in experiment.plot(folder / "run")}
        assert {"certainty", "ranked_images", "kernels_conv1", "shift_nll", "roc_time_reversed"} <= drawn

    def test_new_ones_are_predicted_and_the_report_is_made(self, folder, capsys):
        with np.load(folder / "series.npz") as stored:
            np.save(folder / "new.npy", stored["x_test"][:4])
        assert cli.main(["predict", str(folder / "run"), str(folder / "new.npy")]) == 0
        assert len(capsys.readouterr().out.strip().splitlines()) == 5
        assert cli.main(["report", str(folder / "run")]) == 0
        assert "Scores of the test series" in (folder / "run" / "report.html").read_text()

    def test_what_does_not_suit_series_ends_with_one_message(self, folder, tmp_path, capsys):
        config = str(folder / "series.yaml")
        for setting, message in (
            ("model.name=lenet5", "This model takes images [H, W, C]"),
            ("evaluation.ood=[photo_patches]", "'photo_patches' is made of images"),
            ("evaluation.corruptions=[rotation]", "A rotation turns images"),
            ("training.augmentation=[horizontal_flip]", "Augmentations change images"),
        ):
            assert cli.main(["train", config, "--set", setting, "--out", str(tmp_path / "run")]) == 2, setting
            assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_a_model_for_series_says_so_for_images(tmp_path):
    from bayesconv.sections import RunConfig

    config = RunConfig.model_validate({"data": "digits", "model": {"name": "cnn1d"}})
    with pytest.raises(
        (ConfigError, ValueError), match=r"takes series \[T, C\]\. Received \[8, 8, 1\]; of an npz file data\.series"
    ):
        experiment.train(config, tmp_path / "run", progress=False)
