"""Every number of the report on a classifier, against scikit-learn or a computation of its own."""

import itertools
import json

import numpy as np
import pytest
from scipy.special import entr, logsumexp, softmax
from sklearn import metrics as sk

import bayesconv as bc
from bayesconv import evaluation
from bayesconv.evaluation import class_scores, intervals, sets, strangeness, uncertainties
from bayesconv.sections import Part


def configured(run, **changes):
    """The run with other settings of its evaluation."""
    settings = run.config.evaluation.model_copy(update=changes)
    return run._replace(config=run.config.model_copy(update={"evaluation": settings}))


@pytest.fixture(scope="module")
def report(loaded, digits):
    return evaluation.report(configured(loaded, corruptions=(Part(name="contrast"),)), digits)


def independent_scores(predictive):
    """The seven scores in float64, from the logits alone."""
    logits = predictive.logits.astype(np.float64)
    probs = softmax(logits, axis=-1)
    mean, top = probs.mean(axis=0), probs.mean(axis=0).argmax(axis=1)
    expected = entr(probs).sum(axis=-1).mean(axis=0)
    votes = np.stack([(probs.argmax(axis=-1) == k).mean(axis=0) for k in range(10)], axis=1)
    return {
        "max_probability": 1 - mean.max(axis=1),
        "predictive_entropy": entr(mean).sum(axis=-1),
        "expected_entropy": expected,
        "mutual_information": entr(mean).sum(axis=-1) - expected,
        "energy": -logsumexp(logits.mean(axis=0), axis=-1),
        "variation_ratio": 1 - votes.max(axis=1),
        "top_class_stddev": probs[:, np.arange(len(top)), top].std(axis=0),
    }


class TestScores:
    def test_it_is_json_with_the_task(self, report):
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert report["task"] == "classification"

    def test_top_k_and_the_parts_of_the_brier_score(self, report, predicted, digits):
        test = predicted[0]
        assert report["top_k"]["k"] == 5
        assert report["top_k"]["accuracy"] == pytest.approx(sk.top_k_accuracy_score(digits.test.y, test.mean, k=5))
        parts = report["brier_decomposition"]
        whole = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
        assert whole == pytest.approx(report["brier"]) == pytest.approx(_brier(test.mean, digits.test.y))
        assert "intervals" not in parts  # a bootstrap moves them by more than their spread

    def test_each_calibration_error_with_the_band_of_a_calibrated_model(self, report, predicted, digits):
        for name, entry in report["calibration"].items():
            metric = getattr(bc.metrics, f"{name}_calibration_error")
            assert entry["value"] == metric(predicted[0].mean, digits.test.y)
            assert entry["null"]["lower"] < entry["null"]["mean"] < entry["null"]["upper"]
        assert set(report["calibration"]) == {"maximum", "adaptive", "classwise", "debiased_squared", "smooth"}

    def test_mean_uncertainties_with_the_correction_for_few_draws(self, report, predicted):
        scores, votes = independent_scores(predicted[0]), _votes(predicted[0])
        assert report["mutual_information"] == pytest.approx(scores["mutual_information"].mean(), rel=1e-4)
        assert report["mutual_information_corrected"] == pytest.approx(report["mutual_information"] * 6 / 5)
        pairs = [(votes[i] != votes[j]).mean() for i, j in itertools.combinations(range(len(votes)), 2)]
        assert report["disagreement"] == pytest.approx(np.mean(pairs))
        assert report["variation_ratio"] == pytest.approx(scores["variation_ratio"].mean())
        for entry in (report, report["ood"]["inverted"], report["shift"]["contrast"][0]):
            assert set(uncertainties.UNCERTAINTIES) | set(uncertainties._OF_VOTES) <= set(entry)

    def test_every_figure_lies_in_its_interval(self, report):
        for name in ("accuracy", "nll", "brier"):
            ends = report["intervals"][name]
            assert ends["lower"] < report[name] < ends["upper"]
        assert report["top_k"]["intervals"]["accuracy"]["lower"] < report["top_k"]["accuracy"]
        assert report["bootstrap"] == {"num_resamples": 60, "level": 0.95, "seed": 0}

    def test_an_interval_is_as_wide_as_the_spread_of_a_mean(self, report, digits):
        accuracy, ends = report["accuracy"], report["intervals"]["accuracy"]
        stderr = np.sqrt(accuracy * (1 - accuracy) / len(digits.test.y))
        # 60 resamples know the width of 3.92 standard errors to some 15 %.
        assert ends["upper"] - ends["lower"] == pytest.approx(3.92 * stderr, rel=0.5)

    def test_each_severity_has_the_main_scores_with_intervals(self, report):
        first, *_, last = report["shift"]["contrast"]
        names = {"accuracy", "nll", "brier", "ece", "mutual_information_corrected", "disagreement", "variation_ratio"}
        assert first["intervals"].keys() == names | set(uncertainties.UNCERTAINTIES)
        assert first["intervals"].keys() <= first.keys()
        assert last["accuracy"] < report["accuracy"]

    def test_severity_0_is_of_the_images_that_are_corrupted(self, loaded, digits, predicted, report):
        run = configured(loaded, corruptions=(Part(name="contrast"),), corrupted_images=90, ood=())
        some, entry = sets.uncorrupted(run, digits), evaluation.report(run, digits)
        nll = sk.log_loss(digits.test.y[some], predicted[0].mean[some], labels=range(10))
        assert entry["uncorrupted"]["nll"] == pytest.approx(nll, rel=1e-4)
        assert entry["uncorrupted"].keys() == entry["shift"]["contrast"][0].keys()
        assert len(some) == 90
        (row,) = (line.split() for line in evaluation.tables(entry).splitlines() if line.startswith("contrast, NLL"))
        assert row[2] == f"{nll:.4f}" != f"{entry['nll']:.4f}"
        assert report["uncorrupted"] is None  # where all are corrupted
        assert sets.uncorrupted(configured(run, corruptions=()), digits) is None

    def test_no_resamples_no_intervals(self, loaded, digits):
        report = evaluation.report(configured(loaded, bootstrap=0), digits)
        assert report["intervals"] == report["temperature_scaled"]["intervals"] == {}
        assert report["selection"]["predictive_entropy"]["intervals"] == {}
        assert report["ood"]["inverted"]["intervals"]["auroc"] == {}
        assert "95 % interval" not in evaluation.tables(report)

    def test_a_single_image_has_no_intervals(self, loaded, digits, predicted):
        one = bc.predict(loaded.model, digits.test.x[:1], num_samples=6, seed=0)
        found = class_scores.complete(one, digits.test.y[:1], num_resamples=20, has_several=True)
        found["scaled"] = class_scores.of_probs(one.mean, digits.test.y[:1], num_resamples=20)
        assert [entry for entry in _all_intervals(found) if entry] == []
        scores = uncertainties.uncertainty_scores(predicted[0])
        found = strangeness.against(scores, one, num_resamples=20, has_several=True)
        assert found["intervals"] == {figure: {} for figure in ("auroc", "aupr_in", "aupr_out", "fpr95")}
        two = bc.predict(loaded.model, digits.test.x[:2], num_samples=6, seed=0)
        assert strangeness.against(scores, two, num_resamples=20, has_several=True)["intervals"]["auroc"]


class TestSelection:
    def test_areas_and_points_by_brute_force(self, report, predicted, digits):
        uncertainty = predicted[0].predictive_entropy.astype(np.float64)
        losses = (predicted[0].mean.argmax(axis=1) != digits.test.y)[np.argsort(uncertainty, kind="stable")]
        risks = losses.cumsum() / np.arange(1, len(losses) + 1)
        best = np.sort(losses).cumsum() / np.arange(1, len(losses) + 1)
        entry = report["selection"]["predictive_entropy"]
        assert entry["aurc"] == pytest.approx(risks.mean(), rel=1e-3)
        assert entry["e_aurc"] == pytest.approx((risks - best).mean(), rel=1e-3)
        assert entry["risk_at_coverage_0.8"] == pytest.approx(risks[int(0.8 * 360) - 1], abs=1e-3)
        below = np.flatnonzero(risks <= 0.05)
        assert entry["coverage_at_risk_0.05"] == pytest.approx((below[-1] + 1) / 360 if len(below) else 0.0, abs=5e-3)
        ends = entry["intervals"]["aurc"]
        assert ends["lower"] < entry["aurc"] < ends["upper"]

    def test_by_three_uncertainties(self, report):
        assert set(report["selection"]) == {"predictive_entropy", "mutual_information", "max_probability"}


class TestStrangeSets:
    def test_seven_scores_against_scikit_learn(self, report, predicted):
        inside, outside = (independent_scores(predictive) for predictive in predicted[:2])
        entry = report["ood"]["inverted"]
        labels = np.repeat([0, 1], 360)
        assert list(entry["auroc"]) == list(evaluation.ALL_SCORES)
        for name in evaluation.ALL_SCORES:
            a, b = inside[name], outside[name]
            both = np.concatenate([a, b])
            assert entry["auroc"][name] == pytest.approx(sk.roc_auc_score(labels, both), abs=2e-3), name
            assert entry["aupr_out"][name] == pytest.approx(sk.average_precision_score(labels, both), abs=4e-3)
            assert entry["aupr_in"][name] == pytest.approx(sk.average_precision_score(1 - labels, -both), abs=4e-3)
            passing = np.sort(a)[int(np.ceil(0.95 * len(a))) - 1]
            assert entry["fpr95"][name] == pytest.approx(np.mean(b <= passing + 1e-6), abs=0.01), name
            for figure in ("auroc", "aupr_in", "aupr_out", "fpr95"):
                ends = entry["intervals"][figure][name]
                assert ends["lower"] - 1e-9 <= entry[figure][name] <= ends["upper"] + 1e-9

    def test_mean_uncertainties_have_the_intervals_of_means(self, report, predicted):
        entry, values = report["ood"]["inverted"], predicted[1].predictive_entropy
        ends = entry["intervals"]["predictive_entropy"]
        assert ends["lower"] < entry["predictive_entropy"] < ends["upper"]
        # 60 resamples know the width of 3.92 standard errors to some 15 %.
        width = 3.92 * values.std() / np.sqrt(len(values))
        assert ends["upper"] - ends["lower"] == pytest.approx(width, rel=0.5)
        assert entry["intervals"].keys() >= {*uncertainties.UNCERTAINTIES, *uncertainties._OF_VOTES}

    def test_a_single_pass_has_no_votes_and_no_energy(self, loaded, digits):
        report = evaluation.report(loaded, digits, method="moments")
        auroc = report["ood"]["inverted"]["auroc"]
        assert auroc["energy"] is None
        assert auroc["variation_ratio"] is None
        assert auroc["mutual_information"] is not None
        assert report["disagreement"] is None
        assert max(map(len, evaluation.tables(report).splitlines())) <= 120

    def test_what_lists_none_gets_those_that_suit_any_images(self, loaded, digits):
        assert [name for name, _ in evaluation.out_of_distribution(configured(loaded, ood=None), digits)] == [
            "inverted",
            "photo_patches",
        ]
        assert not [*evaluation.out_of_distribution(configured(loaded, ood=()), digits)]
        large = digits._replace(train=digits.train._replace(x=np.zeros([1, 428, 10, 1], np.float32)))
        assert [part.name for part in sets._default(large)] == ["inverted"]
        table = digits._replace(train=digits.train._replace(x=np.zeros([1, 3], np.float32)))
        assert [part.name for part in sets._default(table)] == ["inverted"]

    def test_logits_are_averaged_in_portions(self, predicted, monkeypatch):
        whole = uncertainties.uncertainty_scores(predicted[0])["energy"]
        monkeypatch.setattr(uncertainties, "_NUMBERS_AT_ONCE", 6 * 10 * 7)
        np.testing.assert_allclose(uncertainties.uncertainty_scores(predicted[0])["energy"], whole, rtol=1e-14)


class TestTables:
    def test_a_recalibrated_report_says_so_and_has_one_row_of_scores(self, report):
        text = evaluation.tables({**report, "calibrated": True})
        assert "recalibrated" in text
        assert "softmax temperature" not in text

    def test_it_fits_and_has_what_is_new(self, report):
        text = evaluation.tables(report)
        assert max(map(len, text.splitlines())) <= 120
        assert f"{report['selection']['max_probability']['augrc']:.4f}" in text
        assert f"{report['ood']['inverted']['fpr95']['energy']:.3f}" in text
        assert f"{report['calibration']['smooth']['value']:.4f}" in text
        (row,) = (line.split()[2:] for line in text.splitlines() if line.startswith("test images"))
        names = ("mutual_information", "mutual_information_corrected", "expected_entropy", "predictive_entropy")
        assert row == [f"{report[name]:.4f}" for name in (*names, "disagreement", "variation_ratio")]

    def test_another_task_is_refused(self):
        with pytest.raises(ValueError, match="task of a likelihood must be one of classification, regression"):
            evaluation.tables({"task": "multilabel"})


def test_numbers_that_json_has_none_for_are_none():
    assert intervals.or_none(float("nan")) is None
    assert intervals.or_none(np.float32(0.5)) == 0.5


def _brier(probs, labels):
    return np.mean([sk.brier_score_loss(labels == k, probs[:, k]) for k in range(10)]) * 10


def _all_intervals(entry):
    """Whatever stands under `intervals` anywhere inside."""
    for key, value in entry.items():
        if key == "intervals":
            yield value
        elif isinstance(value, dict):
            yield from _all_intervals(value)


def _votes(predictive):
    return predictive.logits.argmax(axis=-1)
