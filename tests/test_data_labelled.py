"""Files of a user's own images: labelled ones to score, and ones that are meant to be strange."""

import json

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import cli, data, runs
from bayesconv.data.registry import Split

DIGITS = data.digits()


@pytest.fixture
def write(tmp_path):
    def written(**arrays):
        np.savez(tmp_path / "images.npz", **arrays)
        return tmp_path / "images.npz"

    return written


X, Y = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8), np.array([0, 9, 3])


class TestLabelled:
    @pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("x_test", "y_test")])
    def test_bytes_are_divided_by_255_under_any_of_three_names(self, write, names):
        found = data.read_labelled(write(**dict(zip(names, (X, Y), strict=True))), DIGITS)
        assert isinstance(found, Split)
        np.testing.assert_allclose(found.x, X[..., None] / 255, rtol=1e-6)
        np.testing.assert_array_equal(found.y, Y)

    @pytest.mark.parametrize(
        ("arrays", "expected"),
        [
            ({"x": X}, r"must hold images and their labels: `x` and `y`.* It has \['x'\]"),
            ({"x": X, "y": Y + 1}, "of the 10 classes that the model knows, from 0 to 9. Received 1 to 10"),
            ({"x": X, "y": Y[:2]}, "one label an image. Received 2 labels for 3 images"),
            ({"x": X[:, :7], "y": Y}, r"must hold images \[N, 8, 8, 1\]"),
            ({"x": 100.0 * X, "y": Y}, "on the scale of the training images"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, write, arrays, expected):
        with pytest.raises(ValueError, match=expected):
            data.read_labelled(write(**arrays), DIGITS)

    def test_a_missing_file_is_named(self):
        with pytest.raises(FileNotFoundError, match="No file /no/such"):
            data.read_labelled("/no/such.npz", DIGITS)

    def test_classes_of_pixels(self, write):
        labels = np.arange(3 * 64).reshape(3, 8, 8) % 10
        like = DIGITS._replace(task="segmentation", ignored_label=255)
        labels[0, 0, 0] = 255
        np.testing.assert_array_equal(data.read_labelled(write(x=X, y=labels), like).y, labels)
        with pytest.raises(ValueError, match=r"must be integers \[3, 8, 8\], one a pixel. Received int64 \[3\]"):
            data.read_labelled(write(x=X, y=Y), like)

    def test_real_numbers(self, write):
        like = DIGITS._replace(task="regression", num_classes=1)
        np.testing.assert_allclose(data.read_labelled(write(x=X, y=Y / 2), like).y, Y[:, None] / 2)
        with pytest.raises(ValueError, match=r"finite numbers \[3, 1\], as in training. Received shape \[3, 2\]"):
            data.read_labelled(write(x=X, y=np.zeros([3, 2])), like)
        with pytest.raises(ValueError, match=r"y must be finite float32 numbers.*in 1 of 3 rows; remove or fill"):
            data.read_labelled(write(x=X, y=np.array([1, np.nan, 2])), like)

    def test_rows_of_a_table(self, write):
        table = data.diabetes()
        found = data.read_labelled(write(x=table.test.x[:4], y=table.test.y[:4, 0]), table)
        np.testing.assert_array_equal(found.x, table.test.x[:4])
        np.testing.assert_array_equal(found.y, table.test.y[:4])
        with pytest.raises(ValueError, match=r"rows \[N, 10\].*Received shape \(3, 8, 8\); take the same columns"):
            data.read_labelled(write(x=X, y=Y), table)


def test_a_labelled_file_is_scored_in_place_of_the_test_images(tmp_path, capsys):
    config = tmp_path / "point.yaml"
    config.write_text(
        "data: digits\nmodel: {name: {name: digits_cnn, filters: [2]}, posterior: deterministic}\n"
        "training: {epochs: 1, batch_size: 512}\nevaluation: {bootstrap: 0, ood: []}\n"
    )
    assert cli.main(["train", str(config), "--out", str(tmp_path / "run")]) == 0
    np.savez(tmp_path / "mine.npz", x=DIGITS.test.x[:40], y=DIGITS.test.y[:40])
    assert cli.main(["evaluate", str(tmp_path / "run"), "--data", str(tmp_path / "mine.npz")]) == 0
    path = tmp_path / "run" / "evaluations" / "mine.json"
    assert f"Written to {path}" in capsys.readouterr().out
    report = json.loads(path.read_text())
    probs = bc.predict(runs.load_run(tmp_path / "run").model, DIGITS.test.x[:40]).mean
    assert (report["dataset"], report["num_images"]) == ("mine.npz", 40)
    assert report["accuracy"] == pytest.approx(np.mean(probs.argmax(axis=1) == DIGITS.test.y[:40]))
    assert not (tmp_path / "run" / "evaluation.json").exists()
    assert (tmp_path / "run" / "predictions").is_dir()
    assert cli.main(["evaluate", str(tmp_path / "run"), "--out", str(tmp_path / "e.json"), "--no-cache"]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["num_images"] == 360


class TestStrange:
    def test_a_set_of_a_file(self, write):
        found = data.ood.resolve({"name": "npz", "path": str(write(x=X))})(data.digits())
        np.testing.assert_allclose(found, X[..., None] / 255, rtol=1e-6)

    def test_images_of_another_size_are_refused(self, write):
        with pytest.raises(ValueError, match=r"must hold images \[N, 8, 8, 1\]"):
            bc.data.ood.resolve({"name": "npz", "path": str(write(x=X[:, :7]))})(data.digits())

    def test_it_is_listed_with_its_option(self):
        assert "npz" in data.ood.names()
        assert json.dumps(list(data.ood.options("npz"))) == '["path"]'
