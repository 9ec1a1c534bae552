"""Claims about the benchmark on Fashion-MNIST: what it takes from reports, and what its table says of several seeds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import fashion_mnist, seed_summary

REPORT = {
    "accuracy": 0.9, "nll": 0.3, "brier": 0.1, "ece": 0.02, "num_samples": 5, "members": 5, "temperature": None,
    "ece_null": {"mean": 0.01, "lower": 0.005, "upper": 0.015},
    "selection": {"max_probability": {"aurc": 0.011}, "predictive_entropy": {"aurc": 0.5}},
    "shift": {"blur": [{"nll": 1.0}, {"nll": 2.0}], "contrast": [{"nll": 3.0}, {"nll": 5.0}]},
    "ood": {
        "rotated": {"auroc": {"predictive_entropy": 0.8, "mutual_information": 0.7}},
        "inverted": {"auroc": {"predictive_entropy": 0.9, "mutual_information": None}},
    },
}  # fmt: skip


def summary(**changes):
    return {**seed_summary.summary_of(REPORT), "best_epochs": [3], **changes}


def test_a_summary_has_means_over_corruptions_and_sets():
    found = seed_summary.summary_of(REPORT)
    assert found["corrupted_nll"] == pytest.approx((1.5 + 4.0) / 2)
    assert found["ood_auroc"] == pytest.approx(0.85)
    assert found["aurc"] == 0.011
    assert found["ece_null"] == [0.005, 0.015]
    bare = seed_summary.summary_of({**REPORT, "shift": {}, "ood": {}})
    assert (bare["corrupted_nll"], bare["ood_auroc"]) == (None, None)


def test_errors_are_those_of_means():
    values = np.array([0.2, 0.5, 0.9, 0.4])
    mean, error = seed_summary.mean_and_error(values.tolist())
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(4))
    assert seed_summary.mean_and_error([0.3]) == (0.3, 0.0)


def test_the_table_counts_the_seeds_whose_ece_is_that_of_a_calibrated_model():
    several = [summary(ece=0.01), summary(ece=0.02), summary(ece=0.001, best_epochs=[7, 9], accuracy=0.93)]
    header, _, row = seed_summary.markdown({"fashion_mnist_vi": several}).splitlines()
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert cells["accuracy"] == "91.00% ± 1.00"
    assert cells["NLL"] == "0.3000 ± 0.0000"
    assert cells["not above"] == "2 of 3"
    assert cells["best epoch |"] == "3 to 9 |"
    assert cells["ECE if calibrated"] == "0.0050 to 0.0150"


def test_what_was_not_measured_is_a_dash_and_has_no_panel(tmp_path):
    rows = {"one": [summary(corrupted_nll=None)], "two": [summary()]}
    assert "| - |" in seed_summary.markdown(rows)
    with Image.open(seed_summary.draw(rows, tmp_path / "figure.png")) as picture:
        assert min(picture.size) > 300


def test_everything_is_written_and_done_work_is_not_repeated(tmp_path, monkeypatch):
    calls = []

    def train(config, folder, **options):
        calls.append((config.seed, config.training.epochs, options["resume"]))
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("begun")

    def evaluate(folder):
        (folder / "evaluation.json").write_text("{}")

    monkeypatch.setattr(fashion_mnist.experiment, "train", train)
    monkeypatch.setattr(fashion_mnist.experiment, "evaluate", evaluate)
    edits = ["training.epochs=1", "evaluation.ood=[inverted]"]
    for _ in range(2):
        folder = fashion_mnist.evaluated("fashion_mnist_ensemble", 4, tmp_path, edits)
    assert calls == [(4, 1, False)]
    assert folder.parent == tmp_path
    paths = fashion_mnist.write({"fashion_mnist_vi": [summary()]}, tmp_path / "out" / "table.json")
    assert [path.suffix for path in paths] == [".json", ".md", ".png"]
    assert all(path.stat().st_size for path in paths)


def test_what_is_written_already_is_not_measured_again(tmp_path, monkeypatch):
    calls = []

    def measured(name, seed, root, edits):
        calls.append((name, seed))
        return {name: summary(seed=seed), f"{name}, temperature-scaled": summary(seed=seed)}

    monkeypatch.setattr(fashion_mnist, "measured", measured)
    out = tmp_path / "f.json"
    fashion_mnist.collect(["fashion_mnist_vi"], [1], tmp_path, out)
    fashion_mnist.collect(["fashion_mnist_ensemble", "fashion_mnist_vi"], [0, 1], tmp_path, out)
    assert calls[:1] == [("fashion_mnist_vi", 1)]
    assert calls[1:] == [("fashion_mnist_ensemble", 0), ("fashion_mnist_ensemble", 1), ("fashion_mnist_vi", 0)]
    rows = json.loads(out.read_text())["rows"]
    assert [row["seed"] for row in rows["fashion_mnist_vi, temperature-scaled"]] == [0, 1]
    edited = fashion_mnist.collect(["fashion_mnist_vi"], [1], tmp_path, out, ["training.epochs=1"])
    assert calls[-1] == ("fashion_mnist_vi", 1)  # another configuration, beside whose seeds the old ones do not stay
    assert [row["seed"] for row in edited["fashion_mnist_vi"]] == [1]
    assert len(edited["fashion_mnist_ensemble"]) == 2
