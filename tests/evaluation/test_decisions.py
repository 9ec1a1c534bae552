"""Calibrators, thresholds and sets on runs: fitted to held-out images, checked on test images, applied to new ones."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import entr, softmax
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

import bayesconv as bc
from bayesconv import cli, config, decisions, evaluation, experiment, prediction_rows, runs
from bayesconv.config import load_config
from bayesconv.decisions import held_out, sets

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _predictions_are_made_once():
    with evaluation.manner(keeps=True):
        yield


def nll(probs, labels):
    return -np.log(probs[np.arange(len(labels)), labels]).mean()


def clopper_pearson(k, n):
    """The interval by beta quantiles."""
    return (beta.ppf(0.025, k, n - k + 1) if k else 0.0), (beta.ppf(0.975, k + 1, n - k) if k < n else 1.0)


@pytest.fixture
def copied_run(predicted_run, tmp_path):
    return shutil.copytree(predicted_run, tmp_path / "run")


@pytest.fixture
def validation(predicted, digits):
    return predicted[2], digits.validation.y


@pytest.fixture
def refit_run(copied_run):
    """The run as if it had been trained on its validation images too."""
    changed = load_config(copied_run / "config.yaml", ["data.refit=true"])
    (copied_run / "config.yaml").write_text(config.dump(changed))
    return copied_run


@pytest.fixture
def own_images(digits, tmp_path):
    np.savez(tmp_path / "own.npz", x=digits.validation.x[:200], y=digits.validation.y[:200])
    return tmp_path / "own.npz"


class TestCalibrations:
    def test_the_temperature_is_the_best_one(self, validation):
        found = decisions.fit_calibration("temperature", *validation).parameters["temperature"]
        logits = validation[0].logits.astype(np.float64)
        grid = np.geomspace(0.05, 20, 800)
        best = min(grid, key=lambda t: nll(softmax(logits / t, axis=-1).mean(axis=0), validation[1]))
        assert found == pytest.approx(best, rel=0.01)

    @pytest.mark.parametrize("method", ["temperature", "vector"])
    def test_draws_are_scaled_and_keep_both_parts_of_the_uncertainty(self, validation, predicted, method):
        calibration = decisions.fit_calibration(method, *validation)
        after = decisions.calibrated(calibration, predicted[0])
        numbers = calibration.parameters
        scale, bias = numbers.get("scale", [1 / numbers.get("temperature", 1)] * 10), numbers.get("bias", [0] * 10)
        probs = softmax(predicted[0].logits * np.array(scale) + np.array(bias), axis=-1)
        np.testing.assert_allclose(after.mean, probs.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(after.std, probs.std(axis=0), atol=1e-5)
        np.testing.assert_allclose(after.expected_entropy, entr(probs).sum(axis=-1).mean(axis=0), rtol=1e-4, atol=1e-6)
        total = after.expected_entropy + after.mutual_information
        np.testing.assert_allclose(after.predictive_entropy, total, atol=1e-9)
        np.testing.assert_allclose(after.disagreement, bc.metrics.disagreement(probs), atol=1e-9)
        again = decisions.calibrated(decisions.Calibration("temperature", "logits", {"temperature": 1.0}), after)
        np.testing.assert_allclose(again.mean, after.mean, rtol=1e-4)

    def test_isotonic_functions_are_those_of_scikit_learn_after_a_file(self, validation, predicted):
        calibration = decisions.fit_calibration("isotonic", *validation)
        restored = decisions.Calibration(*json.loads(json.dumps(calibration)))
        found = decisions.calibrated(restored, predicted[0])
        steps = np.stack(
            [
                IsotonicRegression(out_of_bounds="clip")
                .fit(validation[0].mean[:, k].astype(np.float64), validation[1] == k)
                .predict(predicted[0].mean[:, k].astype(np.float64))
                for k in range(10)
            ],
            axis=1,
        )
        total = steps.sum(axis=1, keepdims=True)
        expected = np.where(total > 0, steps / np.maximum(total, 1e-300), 0.1)
        np.testing.assert_allclose(found.mean, expected, atol=1e-6)
        parts = found.expected_entropy + found.mutual_information
        np.testing.assert_allclose(parts, found.predictive_entropy, atol=1e-9)
        assert found.expected_entropy.min() >= 0

    def test_without_draws_the_probabilities_get_powers(self, validation, predicted):
        dry = [dataclasses.replace(p, samples=None) for p in (validation[0], predicted[0])]
        calibration = decisions.fit_calibration("temperature", dry[0], validation[1])
        assert calibration.on == "log probabilities"
        powers = predicted[0].mean.astype(np.float64) ** (1 / calibration.parameters["temperature"])
        expected = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(decisions.calibrated(calibration, dry[1]).mean, expected, rtol=1e-6)

    def test_logits_that_were_not_kept_are_missed(self, validation, predicted):
        calibration = decisions.fit_calibration("temperature", *validation)
        with pytest.raises(ValueError, match="samples were not kept"):
            decisions.calibrated(calibration, dataclasses.replace(predicted[0], samples=None))

    def test_an_unknown_method_is_refused(self, validation, copied_run):
        with pytest.raises(ValueError, match=r"must be temperature, vector or isotonic. Received 'platt'"):
            decisions.fit_calibration("platt", *validation)
        with pytest.raises(ValueError, match="Did you mean 'vector'"):
            decisions.calibrate(copied_run, method="vektor")


class TestCalibrate:
    def test_before_and_after_on_the_test_images(self, copied_run, predicted, validation, digits):
        result = decisions.calibrate(copied_run)
        assert json.loads((copied_run / "calibration.json").read_text()) == result
        after = decisions.calibrated(decisions.fit_calibration("temperature", *validation), predicted[0])
        before_nll, after_nll = (nll(p.mean.astype(np.float64), digits.test.y) for p in (predicted[0], after))
        assert result["before"]["nll"] == pytest.approx(before_nll, rel=1e-4)
        assert result["after"]["nll"] == pytest.approx(after_nll, rel=1e-3)
        gain = result["gain"]["nll"]
        assert gain["value"] == pytest.approx(before_nll - after_nll, rel=1e-2)
        assert gain["lower"] < gain["value"] < gain["upper"]
        # Image by image the difference is known better than either score.
        ends = result["before"]["intervals"]["nll"], result["after"]["intervals"]["nll"]
        assert gain["upper"] - gain["lower"] < sum(entry["upper"] - entry["lower"] for entry in ends)
        assert result["held_out"] == {"source": "validation", "num_images": 287}
        assert "softmax temperature" in decisions.calibration_table(result)

    def test_it_reaches_predictions_and_evaluations(self, copied_run, digits, tmp_path):
        decisions.calibrate(copied_run, method="vector")
        np.save(tmp_path / "x.npy", digits.test.x)
        experiment.predict_file(copied_run, tmp_path / "x.npy", tmp_path / "p.npz", calibrated=True)
        report = experiment.evaluate(copied_run, calibrated=True)
        with np.load(tmp_path / "p.npz") as written:
            assert report["nll"] == pytest.approx(nll(written["probs"].astype(np.float64), digits.test.y), rel=1e-4)
        assert report["calibrated"]
        assert not (copied_run / "evaluation.json").exists()
        assert json.loads((copied_run / "evaluations" / "test_calibrated.json").read_text()) == report
        assert report["ood"]["inverted"]["auroc"]["energy"] is not None
        plain = experiment.evaluate(copied_run)
        assert (plain["calibrated"], plain["nll"] != report["nll"]) == (False, True)

    def test_what_was_not_fitted_is_not_applied(self, copied_run):
        with pytest.raises(FileNotFoundError, match=r"calibration\.json is missing. Fit it first: bayesconv calibrate"):
            experiment.evaluate(copied_run, calibrated=True)

    def test_other_weights_are_refused(self, copied_run, digits, tmp_path):
        decisions.calibrate(copied_run)
        decisions.select(copied_run, coverage=0.8)
        run = runs.load_run(copied_run)
        run.model.trainable_variables[0].assign_add(0.1 * np.ones(run.model.trainable_variables[0].shape))
        with pytest.raises(ValueError, match=r"calibration\.json must be of the run's weights.*calibrate .* again"):
            decisions.read_calibration(run)
        with pytest.raises(ValueError, match=r"selection\.json must be of the run's weights"):
            decisions.decision_columns(run, evaluation.predict(run, digits.test.x[:2]), list("0123456789"))

    def test_another_way_of_predicting_is_refused(self, copied_run, digits, tmp_path):
        decisions.select(copied_run, coverage=0.8)
        np.save(tmp_path / "x.npy", digits.test.x[:2])
        with pytest.raises(ValueError, match=r"made for predictions by sampling. Received one by moments"):
            experiment.predict_file(copied_run, tmp_path / "x.npy", method="moments")

    def test_a_damaged_file_is_named(self, copied_run):
        (copied_run / "calibration.json").write_text("{}")
        with pytest.raises(
            ValueError, match=r"calibration\.json must be as bayesconv calibrate writes it. It is damaged"
        ):
            decisions.read_calibration(runs.load_run(copied_run))


class TestHeldOut:
    @pytest.mark.parametrize(
        "decide", [decisions.calibrate, lambda run: decisions.select(run, risk=0.2), decisions.conformal]
    )
    def test_validation_images_that_were_trained_on_are_refused(self, refit_run, decide):
        with pytest.raises(ValueError, match=r"must not have been trained on.*--held-out FILE\.npz, or train without"):
            decide(refit_run)

    def test_a_file_takes_their_place(self, refit_run, own_images, loaded):
        result = decisions.conformal(refit_run, held_out=own_images)
        assert result["held_out"] == {"source": str(own_images), "num_images": 200}
        x, y = (np.load(own_images)[name] for name in "xy")
        probs = bc.predict(loaded.model, x, num_samples=6, seed=0).mean
        expected = np.sort(1 - probs[np.arange(200), y])[int(np.ceil(201 * 0.9)) - 1]
        assert result["threshold"] == pytest.approx(expected, abs=1e-5)


class TestSelect:
    def test_a_coverage_is_a_quantile(self, copied_run, predicted, digits):
        result = decisions.select(copied_run, coverage=0.7, score="max_probability")
        unsure = 1 - predicted[2].mean.max(axis=1)
        assert result["threshold"] == pytest.approx(np.sort(unsure)[int(np.ceil(0.7 * 287)) - 1], abs=1e-5)
        kept = 1 - predicted[0].mean.max(axis=1) <= result["threshold"]
        wrong = (predicted[0].mean.argmax(axis=1) != digits.test.y)[kept]
        test = result["test"]
        assert test["num_kept"] == kept.sum()
        assert test["coverage"]["value"] == pytest.approx(kept.mean())
        assert test["risk"]["value"] == pytest.approx(wrong.mean())
        for share, (k, n) in (("coverage", (kept.sum(), 360)), ("risk", (wrong.sum(), kept.sum()))):
            ends = clopper_pearson(k, n)
            assert (test[share]["lower"], test[share]["upper"]) == pytest.approx(ends)

    def test_the_image_that_the_threshold_is_of_is_answered(self, copied_run, digits, tmp_path):
        result = decisions.select(copied_run, coverage=0.8)
        np.savez(tmp_path / "x.npz", x=digits.validation.x)
        experiment.predict_file(copied_run, tmp_path / "x.npz", tmp_path / "p.npz")
        with np.load(tmp_path / "p.npz") as written:
            assert (written["abstain"] == 0).sum() == int(np.ceil(0.8 * 287))
            assert (written["predictive_entropy"][written["abstain"] == 0] <= result["threshold"]).all()

    def test_a_guarantee_answers_less(self, copied_run):
        sure = decisions.select(copied_run, risk=0.3, confidence_level=0.8)
        plain = decisions.select(copied_run, risk=0.3, confidence_level=None)
        assert sure["validation"]["coverage"] < plain["validation"]["coverage"]
        assert sure["validation"]["risk_bound"] <= 0.3
        assert plain["validation"]["risk_bound"] is None
        assert json.loads((copied_run / "selection.json").read_text()) == plain

    def test_what_cannot_be_kept_is_said(self, copied_run, digits, tmp_path):
        result = decisions.select(copied_run, risk=0.001)
        assert result["threshold"] is None
        assert (result["test"]["coverage"]["value"], result["test"]["risk"]["value"]) == (0, None)
        assert "all is abstained from" in decisions.selection_table(result)
        np.save(tmp_path / "x.npy", digits.test.x[:3])
        lines = experiment.predict_file(copied_run, tmp_path / "x.npy").splitlines()
        assert [line.rpartition(",")[2] for line in lines] == ["abstain", "1", "1", "1"]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, "Choose a risk or a coverage. Received neither"),
            ({"risk": 0.1, "coverage": 0.5}, "Received both"),
            ({"coverage": 0.0}, "`coverage` must lie strictly between 0 and 1"),
            ({"risk": 1.5}, "`risk` must lie strictly between 0 and 1"),
            ({"coverage": 0.5, "score": "entropy"}, "Unknown uncertainty 'entropy'"),
        ],
    )
    def test_bad_targets_are_refused(self, copied_run, options, expected):
        with pytest.raises(ValueError, match=expected):
            decisions.select(copied_run, **options)
        assert not (copied_run / "selection.json").exists()


@pytest.fixture(scope="module")
def regression_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "regression"
    config = load_config("configs/diabetes_student_t.yaml", ["training.epochs=5", "evaluation.num_samples=6"])
    experiment.train(config, folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def pixel_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "pixels"
    sizes = ["data.train_size=64", "data.validation_size=40", "data.test_size=30"]
    config = load_config("configs/scenes_unet.yaml", ["training.epochs=1", "evaluation.num_samples=2", *sizes])
    experiment.train(config, folder, progress=False)
    return folder


def check_selection(result, scores, wrong):
    """Against what the numbers are by definition, with scores and losses of the validation and the test part."""
    (known, tested), (known_wrong, test_wrong) = scores, wrong
    kept, test_kept = known <= result["threshold"] * (1 + 1e-5), tested <= result["threshold"] * (1 + 1e-5)
    assert result["validation"]["coverage"] == pytest.approx(kept.mean())
    assert result["validation"]["risk"] == pytest.approx(known_wrong[kept].mean())
    assert result["test"]["num_kept"] == test_kept.sum()
    assert result["test"]["risk"]["value"] == pytest.approx(test_wrong[test_kept].mean())
    assert result["test"]["risk_of_all"]["value"] == pytest.approx(test_wrong.mean())


class TestSelectOfOtherTasks:
    @pytest.mark.parametrize("target", [{"coverage": 0.6}, {"risk": 0.5, "confidence_level": None}])
    def test_real_numbers_are_wrong_if_they_are_off_by_more_than_the_tolerance(self, regression_run, target):
        result = decisions.select(regression_run, tolerance=0.8, **target)
        run = runs.load_run(regression_run)
        dataset = run.dataset()
        parts = [dataset.validation, dataset.test]
        predicted = [evaluation.predict(run, part.x) for part in parts]
        scores = [one.total_std[:, 0] for one in predicted]
        wrong = [(np.abs(one.mean - part.y) > 0.8)[:, 0] for one, part in zip(predicted, parts, strict=True)]
        assert (result["score"], result["tolerance"]) == ("spread", 0.8)
        assert 0 < wrong[1].mean() < 1
        check_selection(result, scores, wrong)

    def test_the_epistemic_part_alone_abstains_too_and_reaches_predictions(self, regression_run, tmp_path, capsys):
        arguments = ["--coverage", "0.5", "--tolerance", "1", "--score", "epistemic_std"]
        assert cli.main(["select", str(regression_run), *arguments]) == 0
        assert "An answer is wrong if it is off by more than 1.\n" in capsys.readouterr().out
        run = runs.load_run(regression_run)
        x = run.dataset().test.x
        np.save(tmp_path / "x.npy", x)
        experiment.predict_file(regression_run, tmp_path / "x.npy", tmp_path / "p.npz")
        threshold = json.loads((regression_run / "selection.json").read_text())["threshold"]
        expected = evaluation.predict(run, x).std[:, 0] > threshold * (1 + 1e-5)
        with np.load(tmp_path / "p.npz") as found:
            np.testing.assert_array_equal(found["abstain"], expected)
        assert cli.main(["report", str(regression_run)]) == 0
        assert "An answer is wrong if it is off by more than 1." in (regression_run / "report.html").read_text()

    @pytest.mark.parametrize("score", ["predictive_entropy", "max_probability"])
    def test_images_are_wrong_if_too_many_of_their_pixels_are(self, pixel_run, score, tmp_path):
        run = runs.load_run(pixel_run)
        dataset = run.dataset()
        parts = [dataset.validation, dataset.test]
        predicted = [evaluation.predict(run, part.x) for part in parts]
        shares = [(one.mean.argmax(-1) != part.y).mean(axis=(1, 2)) for one, part in zip(predicted, parts, strict=True)]
        tolerance = float(np.median(shares[0]))
        result = decisions.select(pixel_run, coverage=0.5, score=score, tolerance=tolerance)
        maps = {"predictive_entropy": lambda p: p.predictive_entropy, "max_probability": lambda p: 1 - p.mean.max(-1)}
        scores = [maps[score](one).mean(axis=(1, 2)) for one in predicted]
        check_selection(result, scores, [share > tolerance for share in shares])
        np.save(tmp_path / "x.npy", dataset.test.x[:7])
        lines = experiment.predict_file(pixel_run, tmp_path / "x.npy", tmp_path / "p.npz").splitlines()
        abstained = (scores[1][:7] > result["threshold"] * (1 + 1e-5)).astype(int)
        assert [int(line.rpartition(",")[2]) for line in lines[1:]] == abstained.tolist()
        with np.load(tmp_path / "p.npz") as found:
            np.testing.assert_array_equal(found["abstain"], abstained)
        table = prediction_rows.as_table(predicted[1], dataset.class_names, {"abstain": np.arange(30)})
        np.testing.assert_array_equal(table["abstain"], table["image"])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "wrong if it is off by more than a tolerance, in the unit of the targets. Received None"),
            ({"tolerance": -1.0}, "Received -1.0; give --tolerance, a number that is not negative"),
            ({"tolerance": float("nan")}, "Received nan"),
            ({"tolerance": 1.0, "score": "predictive_entropy"}, "Unknown uncertainty 'predictive_entropy'"),
        ],
    )
    def test_what_does_not_suit_real_numbers_is_refused(self, regression_run, options, message):
        with pytest.raises(ValueError, match=message):
            decisions.select(regression_run, coverage=0.5, **options)

    def test_images_none_of_whose_pixels_count_are_left_out(self, pixel_run, monkeypatch):
        dataset = runs.load_run(pixel_run).dataset()
        masks = dataset.test.y.copy()
        masks[:10] = 255
        labelled = dataset._replace(test=dataset.test._replace(y=masks), ignored_label=255)
        monkeypatch.setattr(runs.Run, "dataset", lambda run: labelled)
        result = decisions.select(pixel_run, coverage=0.9, tolerance=0.0)
        assert result["test"]["num_images"] == 20
        assert result["test"]["risk_of_all"]["value"] == 1.0

    def test_what_is_equally_unsure_everywhere_parts_nothing(self, tmp_path):
        edits = [
            "training.epochs=1",
            "model.posterior=deterministic",
            "objective.likelihood={name: normal, scale: 1.0}",
        ]
        experiment.train(load_config("configs/diabetes_student_t.yaml", edits), tmp_path / "run", progress=False)
        with pytest.raises(ValueError, match=r"Received 71 to choose on, which are equally unsure by spread"):
            decisions.select(tmp_path / "run", coverage=0.5, tolerance=1.0)

    def test_a_class_is_right_or_wrong(self, copied_run):
        with pytest.raises(ValueError, match=r"class is right or wrong\. Received the tolerance 0\.1"):
            decisions.select(copied_run, coverage=0.5, tolerance=0.1)


class TestConformal:
    @pytest.mark.parametrize("method", ["thr", "aps", "raps"])
    def test_sets_are_those_of_the_metrics_and_reach_predictions(self, copied_run, predicted, digits, tmp_path, method):
        score = {"thr": "threshold", "aps": "adaptive", "raps": "regularized_adaptive"}[method]
        fitted = bc.metrics.conformal_sets(
            predicted[2].mean,
            digits.validation.y,
            miscoverage=0.2,
            class_scores=getattr(bc.metrics, f"{score}_scores"),
        )
        sets = fitted(predicted[0].mean)
        result = decisions.conformal(copied_run, coverage=0.8, method=method)
        assert result["test"]["coverage"]["value"] == pytest.approx(
            sets[np.arange(360), digits.test.y].mean(), abs=3e-3
        )
        assert result["test"]["mean_set_size"] == pytest.approx(sets.sum(axis=1).mean(), abs=0.02)
        assert sum(result["test"]["num_of_size"]) == 360
        np.save(tmp_path / "x.npy", digits.test.x[:30])
        rows = [line.split(",") for line in experiment.predict_file(copied_run, tmp_path / "x.npy").splitlines()]
        assert rows[0][-1] == "set"
        found = [{int(name) for name in row[-1].split("|") if name} for row in rows[1:]]
        assert found == [set(np.flatnonzero(row)) for row in sets[:30]]
        assert f"{method} sets of coverage 0.8" in decisions.conformal_table(result)

    def test_new_images_are_covered_as_often_as_promised(self, copied_run):
        # Beta(259, 29) coverage of 287 images and 360 tests of it: 0.9 +- 0.024, so that 0.8 is 4 standard errors away.
        coverage = decisions.conformal(copied_run, coverage=0.9)["test"]["coverage"]
        assert 0.8 < coverage["value"] <= 1
        assert (coverage["lower"], coverage["upper"]) == pytest.approx(
            clopper_pearson(round(coverage["value"] * 360), 360)
        )

    def test_bad_requests_are_refused(self, copied_run):
        with pytest.raises(ValueError, match=r"takes a run whose task is regression. Received one of classification"):
            decisions.conformal(copied_run, method="cqr")
        with pytest.raises(ValueError, match="Did you mean 'raps'"):
            decisions.conformal(copied_run, method="rap")
        with pytest.raises(ValueError, match="`coverage` must lie strictly between 0 and 1"):
            decisions.conformal(copied_run, coverage=90)


@pytest.mark.parametrize(("coverage", "fewest"), [(0.9, 9), (0.95, 19), (0.8, 4), (2 / 3, 2), (0.9999, 9999)])
def test_too_few_images_are_said_to_be(coverage, fewest):
    probs, labels = np.full([fewest, 2], 0.5), np.zeros(fewest, int)
    for num, is_enough in ((fewest, True), (fewest - 1, False)):
        fitted = bc.metrics.conformal_sets(probs[:num], labels[:num], miscoverage=1 - coverage)
        assert np.isfinite(fitted.threshold) == is_enough
    test = {"num_images": 5, "coverage": held_out.binomial(5, 5), "mean_set_size": 2.0, "num_of_size": [0, 0, 5]}
    result = {"method": "thr", "coverage": coverage, "threshold": None, "test": test}
    text = decisions.conformal_table({**result, "held_out": {"source": "validation", "num_images": 1}})
    assert "fitted to 1 validation image" in text
    assert f"too few, so that everything is held: a coverage of {coverage:g} takes {fewest}.\n" in text


def test_ends_that_crossed_have_no_width():
    low, high = np.array([[0.5, 0.0], [-1.0, 0.0]]), np.array([[-0.5, 1.0], [1.0, 3.0]])
    found = sets._width_and_coverage((low, high), np.zeros([2, 2]))
    assert [entry["mean_width"] for entry in found] == [1.0, 2.0]  # and not (2 - 1) / 2
    assert [entry["coverage"]["value"] for entry in found] == [0.5, 1.0]


class TestCommandLine:
    def test_decisions_are_printed_and_end_in_the_predictions(self, copied_run, digits, tmp_path, capsys):
        folder = str(copied_run)
        assert cli.main(["calibrate", folder, "--method", "vector"]) == 0
        assert "calibration.json; bayesconv predict --calibrated applies it" in capsys.readouterr().out
        assert cli.main(["select", folder, "--coverage", "0.8"]) == 0
        assert "abstain where predictive_entropy >" in capsys.readouterr().out
        assert cli.main(["conformal", folder, "--coverage", "0.8", "--method", "aps"]) == 0
        assert "aps sets of coverage 0.8, fitted to 287 validation images" in capsys.readouterr().out
        np.save(tmp_path / "x.npy", digits.test.x[:3])
        assert cli.main(["predict", folder, str(tmp_path / "x.npy"), "--calibrated"]) == 0
        assert (
            capsys.readouterr()
            .out.splitlines()[0]
            .endswith(",mutual_information,mutual_information_corrected,abstain,set")
        )

    def test_a_score_of_draws_takes_draws_that_were_kept(self, copied_run, digits):
        decisions.select(copied_run, coverage=0.8, score="energy")
        run = runs.load_run(copied_run)
        kept, lost = (evaluation.predict(run, digits.test.x[:9], keep_samples=is_kept) for is_kept in (True, False))
        stored = json.loads((copied_run / "selection.json").read_text())
        energy = evaluation.uncertainty_scores(kept)["energy"]
        columns = decisions.decision_columns(run, kept, digits.class_names)
        assert columns["abstain"] == (energy > stored["threshold"]).astype(int).tolist()
        with pytest.raises(ValueError, match=r"abstains by energy, which takes draws that are kept.*another --score"):
            decisions.decision_columns(run, lost, digits.class_names)

    def test_overwriting_a_run_removes_what_was_decided(self, copied_run):
        decisions.select(copied_run, coverage=0.8)
        (copied_run / "evaluations").mkdir()
        (copied_run / "evaluations" / "a.json").write_text("{}")
        runs.clear(copied_run)
        assert not copied_run.exists()

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["--risk", "2"], "must be a share between 0 and 1. Received '2'"),
            (["--risk", "0.1", "--coverage", "0.1"], "not allowed with argument --risk"),
            ([], "one of the arguments --risk --coverage is required"),
            (["--risk", "0.1", "--score", "entropy"], "invalid choice: 'entropy'"),
        ],
    )
    def test_a_bad_option_ends_with_2(self, copied_run, arguments, expected, capsys):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["select", str(copied_run), *arguments])
        assert expected in capsys.readouterr().err

    def test_what_is_spelled_out_is_what_there_is(self):
        from bayesconv.cli import calibrate, conformal, select

        assert calibrate.METHODS == decisions.CALIBRATIONS
        assert conformal.METHODS == decisions.CONFORMAL_METHODS
        assert select.SCORES == decisions.SCORES


def test_an_interval_of_nothing_has_no_ends():
    assert held_out.binomial(0, 0) == {"value": None, "lower": None, "upper": None}


def test_intervals_of_a_run_are_moved_and_new_predictions_have_them(tmp_path, capsys):
    config = load_config("configs/diabetes_student_t.yaml", ["training.epochs=2", "evaluation.num_samples=4"])
    folder = str(tmp_path / "run")
    experiment.train(config, folder, progress=False)
    assert cli.main(["conformal", folder, "--coverage", "0.8"]) == 0
    assert "intervals of coverage 0.8, fitted to 71 validation rows, KL temperature 1\n" in capsys.readouterr().out
    (margin,) = json.loads((tmp_path / "run" / "conformal.json").read_text())["margins"]
    x = runs.load_run(folder).dataset().test.x[:5]
    np.save(tmp_path / "x.npy", x)
    experiment.predict_file(folder, tmp_path / "x.npy", tmp_path / "p.npz")
    lower, upper = evaluation.predict(runs.load_run(folder), x).interval(0.8)
    (name,) = runs.load_run(folder).record["class_names"]
    with np.load(tmp_path / "p.npz") as found:
        np.testing.assert_allclose(found[f"conformal_lower_{name}"], (lower - margin)[:, 0], rtol=1e-5)
        np.testing.assert_allclose(found[f"conformal_upper_{name}"], (upper + margin)[:, 0], rtol=1e-5)


def test_intervals_of_a_regression_are_moved_to_hold_what_they_promise():
    rng = np.random.default_rng(0)
    spread = 0.4  # predicted far too narrow, for a noise of 1

    def predictive(num):
        mean = np.zeros([num, 2])
        return SimpleNamespace(interval=lambda level: (mean - spread, mean + 2 * spread), num_samples=4)

    y, test = rng.normal(size=[150, 2]), rng.normal(size=[2000, 2])
    made = held_out.Basis(
        run=None,
        dataset=SimpleNamespace(test=SimpleNamespace(y=test)),
        held_out=SimpleNamespace(y=y),
        record={"held_out": {"source": "validation", "num_images": 150}},
        fitted=predictive(150),
        test=predictive(2000),
    )
    result = sets._intervals(made, 0.8)
    needed = np.maximum(-spread - y, y - 2 * spread)  # by how much each target lies outside
    expected = np.sort(needed, axis=0)[int(np.ceil(151 * 0.8)) - 1]
    np.testing.assert_allclose(result["margins"], expected)
    for t, entry in enumerate(result["test"]["after"]):
        inside = (test[:, t] >= -spread - expected[t]) & (test[:, t] <= 2 * spread + expected[t])
        assert entry["coverage"]["value"] == pytest.approx(inside.mean())
        assert entry["mean_width"] == pytest.approx(3 * spread + 2 * expected[t])
        assert abs(entry["coverage"]["value"] - 0.8) < 0.15  # 4.5 standard deviations of Beta(121, 30)
        assert result["test"]["before"][t]["coverage"]["value"] < 0.5
    text = decisions.conformal_table(result)
    assert "as predicted, target 0" in text
    assert f"conformal, target 1, {expected[1]:+.4g} at both ends" in text
