"""What the README says was measured is what the result files hold, and meets what the project set itself."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from benchmarks import digits_seeds, scenes_seeds, seed_summary

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def digits():
    return json.loads((ROOT / "benchmarks/results/digits.json").read_text())["reports"]


def _mean(reports, read):
    return statistics.mean(read(report) for report in reports)


@pytest.mark.parametrize("table", [digits_seeds.scores_table, digits_seeds.ood_table])
def test_the_tables_of_the_digits_are_those_of_the_file(digits, table):
    assert table(digits) in README


def test_flipout_on_the_digits_is_as_good_as_it_has_to_be(digits):
    bayesian, point = digits["digits_flipout"], digits["digits_deterministic"]
    assert len(bayesian) == len(point) == 5
    assert _mean(bayesian, lambda r: r["accuracy"]) >= 0.98
    nll = _mean(bayesian, lambda r: r["nll"])
    assert nll <= min(0.06, 0.8 * _mean(point, lambda r: r["nll"]))
    differences = np.array([b["ece"] - p["ece"] for b, p in zip(bayesian, point, strict=True)])
    assert differences.mean() <= differences.std(ddof=1) / len(differences) ** 0.5
    auroc = lambda name: lambda r: r["ood"]["photo_patches"]["auroc"][name]  # noqa: E731
    assert _mean(bayesian, auroc("mutual_information")) >= 0.94
    assert _mean(bayesian, auroc("predictive_entropy")) > _mean(point, auroc("predictive_entropy"))


def test_the_tables_of_fashion_mnist_are_those_of_the_file():
    rows = json.loads((ROOT / "benchmarks/results/fashion_mnist.json").read_text())["rows"]
    page, written = (ROOT / "docs/fashion_mnist.md").read_text(), seed_summary.markdown(rows)
    assert (ROOT / "benchmarks/results/fashion_mnist.md").read_text() == written
    for line in written.splitlines():
        assert line in page


@pytest.mark.parametrize("name", ["fashion_mnist_vi", "fashion_mnist_vi_snapshots"])
def test_the_bayesian_nets_on_fashion_mnist_are_as_good_as_they_have_to_be(name):
    rows = json.loads((ROOT / "benchmarks/results/fashion_mnist.json").read_text())["rows"][name]
    assert len(rows) >= 3
    assert {row["num_samples"] for row in rows} == {32}
    assert _mean(rows, lambda r: r["accuracy"]) >= 0.916
    assert _mean(rows, lambda r: r["nll"]) <= 0.228
    assert all(row["ece"] <= row["ece_null"][1] for row in rows)


def test_snapshots_are_better_than_point_weights_in_every_mean():
    rows = json.loads((ROOT / "benchmarks/results/fashion_mnist.json").read_text())["rows"]
    bayesian, points = rows["fashion_mnist_vi_snapshots"], rows["fashion_mnist_deterministic"]
    assert len(bayesian) == len(points) == 3
    for score in ("nll", "ece", "aurc", "corrupted_nll"):
        assert _mean(bayesian, lambda r, s=score: r[s]) < _mean(points, lambda r, s=score: r[s])
    assert _mean(bayesian, lambda r: r["ood_auroc"]) > _mean(points, lambda r: r["ood_auroc"])
    assert max(row["minutes"] for row in bayesian) <= 40


def test_the_table_of_scenes_is_that_of_the_file():
    reports = json.loads((ROOT / "benchmarks/results/scenes.json").read_text())["reports"]
    assert {len(several) for several in reports.values()} == {3}
    assert scenes_seeds.table(reports) in (ROOT / "docs/segmentation.md").read_text()
