"""Comparing runs whose evaluations are written by hand."""

import csv
import json

import numpy as np
import pytest
from overlaps import overlapping_texts
from scipy import stats

from bayesconv import cli, comparison
from bayesconv.comparison import comparing, directions, per_image, reading, writing
from bayesconv.comparison.grouping import choose, group
from bayesconv.comparison.per_image import image_losses
from bayesconv.config import dump
from bayesconv.sections import RunConfig

# Settings of three usual configurations, which have little in common.
MANY = [
    {"training": {"optimizer": "adam", "epochs": 40, "learning_rate": 0.003}, "evaluation": {"bootstrap": 50}},
    {
        "training": {"optimizer": {"name": "adamw", "weight_decay": 0.5}, "epochs": 20, "batch_size": 64},
        "evaluation": {"corruptions": ["contrast"]},
    },
    {"training": {"optimizer": {"name": "sgd", "momentum": 0.9}, "members": 5}, "estimator": "reparameterization"},
]


def run(folder, *, seed=0, prior="normal", data="digits", report=None, **figures):
    model = {"name": "digits_cnn", "prior": prior, "estimator": figures.pop("estimator", "flipout")}
    parts = {key: figures.pop(key) for key in ("training", "evaluation") if key in figures}
    config = {"seed": seed, "data": data, "model": model, **parts}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump(RunConfig.model_validate(config)))
    base = {
        "dataset": "digits",
        "num_images": 5,
        "method": "sampling",
        "num_samples": 8,
        "seed": seed,
        "task": "classification",
    }
    if report is not False:
        (folder / "evaluation.json").write_text(json.dumps({**base, **figures, **(report or {})}))
    return folder


@pytest.fixture
def runs(tmp_path):
    """Three seeds of two priors, and two of a third."""
    table = {
        "normal": [(0.90, 0.30), (0.91, 0.28), (0.92, 0.29)],
        "laplace": [(0.93, 0.24), (0.92, 0.25), (0.95, 0.22)],
        "horseshoe": [(0.90, 0.31), (0.90, 0.33)],
    }
    return [
        run(tmp_path / f"{prior}{seed}", seed=seed, prior=prior, accuracy=accuracy, nll=nll)
        for prior, rows in table.items()
        for seed, (accuracy, nll) in enumerate(rows)
    ]


@pytest.fixture
def many_settings(tmp_path):
    """Three seeds of the usual configurations, with the usual figures."""
    auroc = {"photo_patches": {"auroc": {"predictive_entropy": 0.8}}}
    aurc = {"predictive_entropy": {"aurc": 0.02}}
    return [
        run(tmp_path / f"{name}_seed{seed}", seed=seed, nll=0.3 + 0.1 * i + 0.01 * seed**2, accuracy=0.9 - 0.01 * seed,
            ece=0.02, report={"ood": auroc, "selection": aurc}, **chosen)
        for i, (name, chosen) in enumerate(zip(("flipout", "mc_dropout", "ensemble"), MANY, strict=True))
        for seed in range(3)
    ]  # fmt: skip


def compare(paths, **options):
    return comparison.compare(paths, per_image=False, **options)


class TestCompare:
    def test_means_and_intervals_are_over_the_seeds(self, runs):
        found = compare(runs, level=0.9)
        assert [(row.name, len(row.folders)) for row in found.rows] == [
            ("prior=normal", 3),
            ("prior=laplace", 3),
            ("prior=horseshoe", 2),
        ]
        values = [0.24, 0.25, 0.22]
        half = stats.t.ppf(0.95, 2) * np.std(values, ddof=1) / np.sqrt(3)
        score = found.rows[1].scores["nll"]
        assert (score.mean, score.lower, score.upper) == pytest.approx(
            (np.mean(values), np.mean(values) - half, np.mean(values) + half)
        )
        assert score.by_seed == {0: 0.24, 1: 0.25, 2: 0.22}
        assert found.best == {"accuracy": ("prior=laplace",), "nll": ("prior=laplace",)}

    def test_differences_are_paired_by_seed_and_adjusted_by_holm(self, runs):
        found = compare(runs[::-1], baseline="normal")  # whatever the order of the folders
        rows = {row.name: row for row in found.rows}
        p = [
            stats.ttest_rel([0.24, 0.25, 0.22], [0.30, 0.28, 0.29]).pvalue,
            stats.ttest_rel([0.31, 0.33], [0.30, 0.28]).pvalue,
        ]
        tests = [rows["prior=laplace"].by_seeds["nll"], rows["prior=horseshoe"].by_seeds["nll"]]
        assert [test.p_value for test in tests] == pytest.approx(p)
        assert [test.num_pairs for test in tests] == [3, 2]
        assert min(p) == p[0]
        assert [test.p_adjusted for test in tests] == pytest.approx([2 * p[0], max(2 * p[0], p[1])])
        assert rows["prior=normal"].by_seeds == {}
        assert found.baseline == "prior=normal"

    def test_without_common_seeds_there_is_no_test(self, tmp_path):
        paths = [
            run(tmp_path / f"{p}{s}", seed=s, prior=p, nll=0.1 * s)
            for p, s in [("normal", 0), ("normal", 1), ("laplace", 2), ("laplace", 3)]
        ]
        assert compare(paths).rows[1].by_seeds == {}

    def test_ties_are_all_the_best(self, tmp_path):
        paths = [
            run(tmp_path / prior, prior=prior, accuracy=0.9, nll=nll)
            for prior, nll in [("normal", 0.2), ("laplace", 0.1)]
        ]
        assert compare(paths).best == {"accuracy": ("prior=normal", "prior=laplace"), "nll": ("prior=laplace",)}

    def test_one_configuration_is_a_table_without_tests(self, runs):
        found = compare(runs[:3])
        assert [row.name for row in found.rows] == ["digits_cnn"]
        assert found.best == {}
        assert "Differences" not in comparison.table(found)

    def test_metrics_are_chosen_by_name_or_pattern(self, tmp_path):
        report = {"ood": {"a": {"auroc": {"x": 0.8, "y": 0.7}}, "b": {"auroc": {"x": 0.6, "y": 0.5}}}}
        paths = [run(tmp_path / prior, prior=prior, nll=0.1, report=report) for prior in ("normal", "laplace")]
        found = compare(paths, metrics=["ood.?.auroc.x", "nll"])
        assert found.metrics == ("ood.a.auroc.x", "ood.b.auroc.x", "nll")
        with pytest.raises(ValueError, match=r"must be a figure .* of all runs have\. Received 'nnl'; .* nll"):
            compare(paths, metrics=["nnl"])

    @pytest.mark.parametrize(
        ("second", "message"),
        [
            ({"data": {"name": "digits", "test_size": 100}}, r"on the same data\. .*'digits'.*test_size"),
            ({"report": {"num_images": 6}}, r"on the same data\. .* has 5 and .* has 6"),
            ({"report": {"dataset": "mnist"}}, "on the same data"),
            ({"report": {"num_examples": 6}}, r"on the same data\. .* has None and .* has 6"),
        ],
    )
    def test_runs_on_other_data_are_refused(self, tmp_path, second, message):
        paths = [run(tmp_path / "a", nll=0.1), run(tmp_path / "b", nll=0.1, prior="laplace", **second)]
        with pytest.raises(ValueError, match=message):
            compare(paths)

    def test_what_is_left_out_is_said(self, tmp_path, runs):
        unevaluated = run(tmp_path / "new", prior="flat", report=False)
        found = compare([*runs[:4], unevaluated])
        assert found.notes == (
            f"{unevaluated} is left out: it was not evaluated. Run bayesconv evaluate {unevaluated}",
            "No interval over seeds for a single run: prior=laplace.",
        )
        with pytest.raises(FileNotFoundError, match=r"There is nothing to compare:\n.*was not evaluated"):
            compare([unevaluated])

    def test_other_numbers_of_draws_are_said(self, tmp_path):
        paths = [
            run(tmp_path / "a", nll=0.1),
            run(tmp_path / "b", nll=0.1, prior="laplace", report={"num_samples": 99}),
        ]
        assert "The evaluations differ in num_samples: 8, 99." in compare(paths).notes

    def test_a_single_run_has_no_interval(self, runs):
        score = compare([runs[0], runs[3]]).rows[0].scores["nll"]
        assert (score.mean, score.lower, score.upper) == (0.30, None, None)


class TestFiles:
    def test_json_csv_and_figure_say_the_same(self, runs, tmp_path):
        found = compare(runs)
        paths = comparison.write(found, tmp_path / "out")
        assert [path.name for path in paths] == ["comparison.json", "comparison.csv", "comparison.png"]
        content = json.loads(paths[0].read_text())
        rows = list(csv.DictReader(paths[1].read_text().splitlines()))
        assert len(rows) == 6
        for row, (configuration, metric) in zip(
            rows, [(c, m) for c in content["rows"] for m in content["metrics"]], strict=True
        ):
            assert (row["configuration"], row["prior"]) == (configuration["name"], configuration["settings"]["prior"])
            assert float(row["mean"]) == configuration["scores"][metric]["mean"]
            test = configuration["by_seeds"].get(metric)
            assert row["seeds_p_adjusted"] == (
                "" if test is None or test["p_adjusted"] is None else str(test["p_adjusted"])
            )
            assert row["images_p_value"] == ""
            assert row["best"] == str(int(configuration["name"] in content["best"][metric]))

    def test_the_table_marks_the_best_and_is_not_too_wide(self, runs):
        text = comparison.table(compare(runs))
        lines = text.splitlines()
        assert lines[0].split() == ["prior", "runs", "accuracy", "(+)", "nll", "(-)"]
        assert lines[2].endswith("0.2367 +-0.0379 *")
        assert not lines[1].endswith("*")
        many = {f"metric{i}": 0.5 for i in range(30)}
        folders = [run(runs[0].parent / f"wide{p}", prior=p, **many) for p in ("normal", "laplace")]
        wide = comparison.table(compare(folders, metrics=["metric*"]))
        assert max(map(len, wide.splitlines())) < 125
        assert all(f" {name}" in wide for name in many)

    def test_one_run_has_no_settings_that_differ(self, runs):
        assert "Settings that differ" not in comparison.table(compare(runs[:1]))

    def test_configurations_that_differ_in_much_are_named_by_their_folders(self, many_settings):
        found = compare(many_settings)
        assert [row.name for row in found.rows] == ["flipout", "mc_dropout", "ensemble"]
        lines = comparison.table(found).splitlines()
        assert max(map(len, lines)) <= 120
        assert lines[0].split()[:2] == ["configuration", "runs"]
        after = lines[lines.index("Settings that differ:") :]
        assert after[2].split() == ["flipout", "mc_dropout", "ensemble"]
        assert ["optimizer", "adam", "adamw(weight_decay=0.5)", "sgd(momentum=0.9)"] in [line.split() for line in after]
        assert not any(line.startswith(("seed", "corruptions", "bootstrap")) for line in after)

    def test_its_figure_is_not_wider_than_others_and_has_no_words_on_others(self, many_settings, recwarn):
        figure = writing.draw(compare(many_settings))[0].figure
        assert overlapping_texts(figure) == []
        assert figure.get_tightbbox().width < 15  # inches
        assert [str(one.message) for one in recwarn if "constrained_layout" in str(one.message)] == []

    def test_long_names_of_settings_stand_above_their_differences(self, tmp_path):
        priors = [{"name": "normal", "scale": scale, "loc": 0.123456} for scale in (0.1234567, 0.7654321)]
        many = {f"a_metric_with_a_name_that_is_long_indeed{i}": 0.5 for i in range(2)}
        paths = [
            run(tmp_path / f"{i}{seed}", seed=seed, prior=prior, estimator=kind, **many)
            for i, (prior, kind) in enumerate(zip(priors, ("flipout", "reparameterization"), strict=True))
            for seed in (0, 1)
        ]
        lines = comparison.table(compare(paths, metrics=["a_metric*"])).splitlines()
        assert max(map(len, lines)) <= 120
        assert "Differences from estimator=flipout, scale=0.1234567:" in lines
        assert "estimator=reparameterization, scale=0.7654321:" in lines

    def test_zeros_have_no_sign(self, tmp_path):
        paths = [run(tmp_path / p, prior=p, r2=r2) for p, r2 in (("normal", -0.00001), ("laplace", -0.00002))]
        text = comparison.table(compare(paths, metrics=["r2"]))
        assert "0.0000" in text
        assert "-0.0000" not in text

    @pytest.mark.parametrize("level", [95, 0, 1.0, float("nan")])
    def test_a_level_is_a_share(self, runs, level):
        with pytest.raises(ValueError, match=r"`level` must lie strictly between 0 and 1, .*Received"):
            compare(runs, level=level)

    def test_a_level_is_a_share_on_the_command_line_too(self, runs, tmp_path, capsys):
        out = tmp_path / "out"
        with pytest.raises(SystemExit, match="2"):
            cli.main(["compare", *map(str, runs), "--level", "95", "--out", str(out)])
        assert "must be a share between 0 and 1. Received '95'" in capsys.readouterr().err
        assert not out.exists()

    def test_means_over_different_sets_are_pointed_out(self, tmp_path):
        corrupted = [{"blur": [{"nll": 1.0}]}, {"noise": [{"nll": 3.0}]}]
        paths = [
            run(tmp_path / p, prior=p, report={"shift": shift})
            for p, shift in zip(("normal", "laplace"), corrupted, strict=True)
        ]
        assert "over different sets, and not comparable: blur; noise." in comparison.table(compare(paths))
        assert "different sets" not in comparison.table(compare(paths[:1]))


class TestReading:
    def test_figures_have_the_paths_of_the_report(self, tmp_path):
        report = {
            "nll": 0.5,
            "num_examples": 7,
            "ece_null": {"lower": 0.1},
            "intervals": {"nll": {"lower": 0.4}},
            "calibration": {"smooth": {"value": 0.02, "null": {"upper": 1.0}}},
            "ood": {"a": {"auroc": {"h": 0.8, "i": None}}, "b": {"auroc": {"h": 0.6, "i": 0.3}}},
            "shift": {"blur": [{"nll": 1.0}, {"nll": 2.0}], "noise": [{"nll": 3.0}, {"nll": 6.0}]},
            "temperature_scaled": None,
            "finite": float("inf"),
        }
        assert reading.read_run(run(tmp_path / "a", report=report)).figures == {
            "nll": 0.5,
            "calibration.smooth": 0.02,
            "ood.a.auroc.h": 0.8,
            "ood.b.auroc.h": 0.6,
            "ood.b.auroc.i": 0.3,
            "shift.blur.nll": 1.5,
            "shift.noise.nll": 4.5,
            "ood.mean.auroc.h": pytest.approx(0.7),
            "shift.mean.nll": 3.0,
        }

    def test_folders_of_runs_and_sweeps_are_looked_into(self, runs, tmp_path):
        by_folder, _ = reading.read_runs([tmp_path])
        assert {result.folder for result in by_folder} == set(runs)
        cells = [{"name": path.name, "choices": {}, "config": {}, "status": "finished"} for path in runs[:2]]
        cells.append({"name": "lost", "choices": {}, "config": {}, "status": "failed"})
        (tmp_path / "sweep.json").write_text(json.dumps({"config_folder": "", "evaluate": True, "cells": cells}))
        found, notes = reading.read_runs([tmp_path, runs[0]])
        assert [result.folder for result in found] == runs[:2]
        again = "Give the command of the sweep again, with --retry-failed."
        assert notes == [f"{tmp_path / 'lost'} is left out: it is failed. {again}"]

    @pytest.mark.parametrize("status", ["pending", "interrupted"])
    def test_runs_that_are_not_done_say_how_to_go_on(self, runs, tmp_path, status):
        names = [(runs[0].name, "finished"), ("lost", status)]
        cells = [{"name": name, "choices": {}, "config": {}, "status": found} for name, found in names]
        (tmp_path / "sweep.json").write_text(json.dumps({"config_folder": "", "evaluate": True, "cells": cells}))
        notes = reading.read_runs([tmp_path])[1]
        assert notes[0].endswith(f"it is {status}. Give the command of the sweep again, unless it is still at work.")

    def test_no_run_and_a_damaged_report_are_errors(self, tmp_path, runs):
        with pytest.raises(FileNotFoundError, match="is no run folder, no sweep and no folder of runs"):
            reading.read_runs([tmp_path / "nowhere"])
        (runs[0] / "evaluation.json").write_text("[")
        with pytest.raises(ValueError, match=r"evaluation.json must be a report\. It is damaged"):
            reading.read_runs(runs)


class TestGrouping:
    def test_options_of_one_piece_are_told_apart_by_the_options(self, tmp_path):
        priors = [
            {"name": "normal", "scale": 0.1, "loc": 0.0},
            {"name": "normal", "scale": 0.2, "loc": 0.0},
            {"name": "normal", "loc": 0.0},
        ]
        results = [reading.read_run(run(tmp_path / str(i), prior=prior)) for i, prior in enumerate(priors)]
        assert [dict(one.settings) for one in group(results)] == [
            {"scale": "0.1"},
            {"scale": "0.2"},
            {"scale": "default"},
        ]

    def test_different_pieces_are_shown_whole(self, tmp_path):
        priors = [{"name": "normal", "scale": 0.1}, "laplace"]
        results = [reading.read_run(run(tmp_path / str(i), prior=prior)) for i, prior in enumerate(priors)]
        assert [one.name for one in group(results)] == ["prior=normal(scale=0.1)", "prior=laplace"]

    def test_options_that_all_have_alike_are_not_shown(self, tmp_path):
        priors = [{"name": "normal", "scale": 2}, {"name": "student_t", "scale": 2, "df": 3}]
        results = [reading.read_run(run(tmp_path / str(i), prior=prior)) for i, prior in enumerate(priors)]
        assert [one.settings["prior"] for one in group(results)] == ["normal", "student_t(df=3)"]

    def test_a_seed_twice_is_refused(self, tmp_path):
        results = [reading.read_run(run(tmp_path / name, seed=4)) for name in ("a", "b")]
        with pytest.raises(ValueError, match=r"must have different seeds\. .*a and .*b both have 4"):
            group(results)

    def test_how_much_was_evaluated_is_no_part_of_a_configuration(self, tmp_path):
        evaluations = [{"bootstrap": 50}, {"corruptions": ["contrast"]}, {}]
        results = [
            reading.read_run(run(tmp_path / f"a{seed}", seed=seed, evaluation=evaluation))
            for seed, evaluation in enumerate(evaluations)
        ]
        assert [one.seeds for one in group(results)] == [(0, 1, 2)]

    @pytest.mark.parametrize(
        ("folders", "names"),
        [
            (["flip_seed0", "ens,seed=12"], ["flip", "ens"]),
            (["flip/seed0", "ens/seed0"], ["flip", "ens"]),
            (["flip/run", "ens/run"], ["flip/run", "ens/run"]),
            (["a" * 50, "b" * 50], ["digits_cnn 1", "digits_cnn 2"]),
        ],
    )
    def test_names_of_folders(self, tmp_path, folders, names):
        results = [
            reading.read_run(run(tmp_path / name, **chosen)) for name, chosen in zip(folders, MANY[:2], strict=True)
        ]
        groups = group(results)
        assert [one.name for one in groups] == names
        assert choose(groups, names[1]) is groups[1]

    def test_a_group_is_chosen_by_name_setting_value_or_folder(self, runs):
        groups = group([reading.read_run(path) for path in runs])
        laplace = groups[1]
        for wanted in ("prior=laplace", "laplace", str(runs[4]), "laplace1", f"{runs[4]}/"):
            assert choose(groups, wanted) is laplace
        assert choose(groups, None) is groups[0]
        with pytest.raises(
            ValueError, match=r"'laplas' must be one of the configurations: prior=normal; prior=laplace"
        ):
            choose(groups, "laplas")


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("accuracy", "higher"),
        ("nll", "lower"),
        ("ood.mean.auroc.predictive_entropy", "higher"),
        ("ood.a.fpr95.mutual_information", "lower"),
        ("shift.contrast.accuracy", "higher"),
        ("selection.predictive_entropy.coverage_at_risk_0.01", "higher"),
        ("selection.predictive_entropy.risk_at_coverage_0.8", "lower"),
        ("calibration.adaptive", "lower"),
        ("calibration.debiased_squared", None),
        ("calibration", "lower"),
        ("top_k.accuracy", "higher"),
        ("pinball", "lower"),
        ("error_auroc.predictive_entropy", "higher"),
        ("credible.0.9.interval_score", "lower"),
        ("mutual_information", None),
        ("temperature_scaled.softmax_temperature", None),
    ],
)
def test_directions(figure, expected):
    assert directions.direction(figure) == expected


class TestImages:
    def losses(self, seed, shift=0.0, count=60):
        rng = np.random.default_rng(seed)
        labels = np.random.default_rng(0).integers(0, 3, count)
        logits = rng.normal(size=[count, 3])
        logits[np.arange(count), labels] += 1.0 + shift
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return image_losses(probs, labels), probs, labels

    def test_their_means_are_the_metrics(self):
        from bayesconv import metrics

        found, probs, labels = self.losses(1)
        means = {name: loss.mean() for name, loss in found.losses.items()}
        assert means == pytest.approx(
            {
                "accuracy": metrics.accuracy(probs, labels),
                "nll": metrics.negative_log_likelihood(probs, labels),
                "brier": metrics.brier_score(probs, labels),
            }
        )

    def test_images_are_averaged_over_the_runs_of_each_side(self, runs, monkeypatch):
        losses = {path: self.losses(i, shift=0.8 * ("laplace" in path.name))[0] for i, path in enumerate(runs)}
        monkeypatch.setattr(comparing, "predicted_losses", lambda result: losses[result.folder])
        found = comparison.compare(runs)
        nll = [np.mean([losses[path].losses["nll"] for path in chosen], axis=0) for chosen in (runs[3:6], runs[:3])]
        test = found.rows[1].by_images["nll"]
        assert test.difference == pytest.approx(np.mean(nll[0] - nll[1]))
        assert test.num_pairs == 60
        assert test.p_value == per_image.paired_permutation_test(*nll).p_value < 0.01
        others = found.rows[2].by_images["nll"]
        assert test.p_adjusted == pytest.approx(min(1, 2 * test.p_value))
        assert others.p_adjusted >= others.p_value

    def test_single_runs_are_compared_by_mcnemar(self, runs, monkeypatch):
        losses = {path: self.losses(i)[0] for i, path in enumerate(runs)}
        monkeypatch.setattr(comparing, "predicted_losses", lambda result: losses[result.folder])
        row = comparison.compare([runs[0], runs[3]]).rows[1]
        wide = comparison.compare([runs[0], runs[3]], level=0.999).rows[1]
        assert wide.by_images["accuracy"].upper > row.by_images["accuracy"].upper
        assert wide.by_images["nll"].upper > row.by_images["nll"].upper
        found = row.by_images["accuracy"]
        right = [losses[runs[i]].losses["accuracy"] for i in (3, 0)]
        assert found.p_value == per_image.mcnemar_test(*right).p_value

    def test_other_labels_are_refused(self, runs, monkeypatch):
        losses = [image_losses([[0.5, 0.5]], [0]), image_losses([[0.5, 0.5]], [1])]
        monkeypatch.setattr(comparing, "predicted_losses", lambda result: losses["laplace" in result.folder.name])
        with pytest.raises(ValueError, match=r"on the same test images\. .* have other labels"):
            comparison.compare([runs[0], runs[3]])
