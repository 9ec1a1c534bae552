"""Claims about what a report says: the numbers of its files, what they mean, and what is missing."""

from __future__ import annotations

import re

import numpy as np
import pytest
import report_examples as examples

from bayesconv import figures, metrics, report
from bayesconv.metrics import calibration
from bayesconv.report import captions, readings, wording
from bayesconv.report.document import Listing, Paragraph, Picture, Table
from bayesconv.report.training import Trained


def _text(document):
    """All that a report says, a line each cell or sentence."""
    said = [document.title, document.subtitle, *document.readings, document.footer]
    said += [part for headline in document.headlines for part in headline]
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                said += [block.caption, block.note, *block.header, *(cell for row in block.rows for cell in row)]
            elif isinstance(block, Listing):
                said += block.items
            elif not isinstance(block, Picture):
                said.append(block.text)
    return "\n".join(said).replace(wording.SPACE, " ")


def _tables(document, section):
    found = next(part for part in document.sections if part.name == section)
    return {block.caption: block for block in found.blocks if isinstance(block, Table)}


def _row(table, name):
    row = next(row for row in table.rows if row[0] == name)
    cells = [cell.replace(wording.SPACE, " ") for cell in row]
    return dict(zip(table.header, cells, strict=True))


class TestNumbers:
    def test_scores_of_a_classifier_with_their_intervals_and_the_null_band(self):
        scores = _tables(report.document(examples.material()), "results")["Scores of the test images"]
        assert _row(scores, "accuracy")["as trained"] == "91.2 %"
        assert _row(scores, "accuracy")["95 % interval"] == "87.1 to 93.5 %"
        assert _row(scores, "NLL")["at softmax temperature 1.31"] == "0.2222"
        assert _row(scores, "NLL")["95 % interval"] == "0.2011 to 0.2999"
        assert _row(scores, "ECE")["calibrated models"] == "0.0113 to 0.0307"
        assert _row(scores, "smooth calibration error")["as trained"] == "0.0188"
        assert _row(scores, "top-5 accuracy")["as trained"] == "98.8 %"

    def test_strange_images_and_shift_of_a_classifier(self):
        document = report.document(examples.material())
        strange = _tables(document, "strange")["Test images against 64 of photo patches"]
        assert _row(strange, "mutual information") == {
            **{"told apart by": "mutual information", "AUROC": "0.954\n0.941 to 0.967"},
            **{"FPR95": "0.954", "AUPR in": "0.954", "AUPR out": "0.954"},
        }
        assert [row[0] for row in strange.rows] == ["predictive entropy", "mutual information"]  # energy is unknown
        shift = _tables(document, "shift")
        values = [
            [cell.split("\n")[0] for cell in shift[f"{name} by severity"].rows[0]] for name in ("Accuracy", "NLL")
        ]
        assert values[0] == ["contrast", "91.2\xa0%", *["90.0\xa0%"] * 4, "76.5\xa0%"]
        assert values[1] == ["contrast", "0.2468", *["0.3000"] * 4, "0.8765"]

    def test_uncertainties_of_each_set_with_those_of_draws(self):
        found = _tables(report.document(examples.material()), "results")["Mean uncertainty"]
        assert found.header == ("", "test images", "photo patches")
        shown = {row[0]: row[1] for row in found.rows}
        assert shown["the same, corrected [nats]"] == "0.1147"
        assert shown["pairs of draws that disagree"] == "0.2121"
        assert shown["draws not with the most (variation ratio)"] == "0.1818"

    @pytest.mark.parametrize("task", examples.EVALUATIONS)
    def test_severity_0_is_of_the_images_that_are_corrupted(self, task):
        found = examples.EVALUATIONS[task]()
        some = {**found, "nll": 0.5152, "intervals": {}}
        document = report.document(examples.material(task, evaluation={**found, "uncorrupted": some}))
        assert _tables(document, "shift")["NLL by severity"].rows[0][1] == "0.5152"

    def test_fpr95_is_said_to_be_what_it_is(self):
        rng = np.random.default_rng(0)
        familiar, strange = rng.normal(size=200), rng.normal(1.0, 3.0, size=300)
        passing = np.sort(familiar)[189]  # lets 190 of 200 pass
        share = metrics.ood_report(familiar, strange).fpr95
        assert share == np.mean(strange <= passing)
        flagged = np.mean(familiar >= np.sort(strange)[15])  # of the test images, where 95 % of the strange are found
        assert abs(flagged - share) > 0.1
        text = _text(report.document(examples.material()))
        assert "FPR95: the share of the strange set that passes as familiar where 95 % of the test set do." in text

    def test_scores_of_a_regression(self):
        document = report.document(examples.material("regression"))
        tables = _tables(document, "results")
        assert _row(tables["Scores of the test examples"], "RMSE")["95 % interval"] == "2.9151 to 3.3777"
        assert "pinball loss" not in [row[0] for row in tables["Scores of the test examples"].rows]
        assert tables["Central intervals"].rows == (
            ("90\xa0%", "88.3\xa0%", "81.2\xa0to\xa093.5\xa0%", "9.8696", "12.3450"),
        )
        strange = _tables(document, "strange")
        assert strange["Mean spread of strange sets"].rows == (("inverted", "3.3000", "4.4321"),)
        found = strange["Test examples against inverted"]
        assert found.header == ("told apart by", "AUROC", "FPR95", "AUPR in", "AUPR out")
        assert found.rows == (("epistemic spread", *["0.432"] * 4), ("total spread", *["0.600"] * 4))
        shifted = _tables(document, "shift")["RMSE by severity"].rows[0][:3]
        assert shifted == ("blur", "3.1416\n2.9151\xa0to\xa03.3777", "4.6692")
        intervals = _tables(document, "decisions")["Conformal intervals of coverage 0.9"]
        assert _row(intervals, "conformal, -0.3457 at both ends")["coverage"] == "90.1 %"

    def test_scores_of_pixels(self):
        document = report.document(examples.material("segmentation"))
        tables = _tables(document, "results")
        assert _row(tables["Scores of the pixels of test images"], "mean IoU")["95 % interval"] == "0.6501 to 0.7002"
        adaptive = _row(tables["Scores of the pixels of test images"], "adaptive calibration error")
        assert (adaptive["value"], adaptive["95 % interval"]) == ("0.0171", "0.0141 to 0.0222")
        overlap = ("background", "0.975"), ("seven", "0.358"), ("absent", "-")
        assert tables["Overlap"].rows == overlap
        assert tables["Wrong pixels against right ones"].rows[0] == ("Mutual information", "0.802")
        shifted = _tables(document, "shift")["Mean IoU by severity"].rows[0][:3]
        assert shifted == ("blur", "0.6789\n0.6501\xa0to\xa00.7002", "0.4567")

    def test_decisions(self):
        tables = _tables(report.document(examples.material()), "decisions")
        gain = _row(tables["Calibration: softmax temperature 0.8195 of the logits"], "NLL")
        assert (gain["before"], gain["after"]) == ("0.2468", "0.2357")
        assert gain["falls by"] == "0.0111, 95 % interval 0.0021 to 0.0201"
        abstained = tables["Abstention where predictive_entropy > 0.869505, for a risk of 0.05 at a confidence of 0.95"]
        assert _row(abstained, "wrong among them")["test"] == "2.7 %"
        assert _row(abstained, "answered")["95 % interval"] == "90.6 to 95.9 %"
        sets = tables["Conformal sets by thr"]
        assert [row[:2] for row in sets.rows[-2:]] == [("sets of 0 classes", "43"), ("sets of 1 class", "317")]

    def test_training_and_diagnosis(self):
        document = report.document(examples.material())
        trained = _tables(document, "training")["Training"]
        assert _row(trained, "NLL of training data [nats per example]")["last epoch"] == "0.7531"
        assert _row(trained, "time in training steps")["last epoch"] == "45 s"  # 1500 / 50 + 1500 / 100
        layers = _tables(document, "diagnosis")["Layers"]
        assert _row(layers, "conv1")["|mean| / scale"] == "2.94"
        assert "KL is 29.9x the data term: lower it." in _text(document)

    def test_a_table_speaks_of_intervals_only_where_there_are_some(self):
        said = [
            wording.table("t", ["a", "b"], [["x", value]], f"Words. {wording.BELOW}").note
            for value in ("0.1", "0.1\n0.0 to 0.2")
        ]
        assert said == ["Words.", f"Words. {wording.BELOW}"]

    def test_each_member_of_an_ensemble_has_a_table(self):
        two = [Trained(examples.ROWS, 2, 100), Trained(examples.ROWS, 1, 100)]
        tables = _tables(report.document(examples.material(trained=two)), "training")
        assert [table.rows[0] for table in tables.values()] == [("epoch", "2", "2"), ("epoch", "2", "1")]

    def test_seeds_and_versions(self):
        tables = _tables(report.document(examples.material()), "environment")
        assert [row[1] for row in tables["Seeds"].rows[:3]] == ["11", "5", "17"]
        assert _row(tables["Versions and machine"], "bayesconv, of the training")["version"] == "0.0.9"

    @pytest.mark.parametrize("task", examples.EVALUATIONS)
    def test_every_interval_is_shown(self, task):
        found, intervals = examples.with_every_interval(examples.EVALUATIONS[task]())
        text = _text(report.document(examples.material(task, evaluation=found)))
        missing = {path for path, interval in intervals.items() if not examples.is_shown(interval, text)}
        exact = {("credible", "0.9", "picp")}  # the coverage, whose interval is Clopper and Pearson's
        assert missing - exact == {path for path in intervals if examples.is_left_out(path, task)}
        assert "Below a number stands its 95 % interval." in text

    @pytest.mark.parametrize("task", ["regression", "segmentation"])
    def test_sentences_on_strange_sets_have_the_interval(self, task):
        found, intervals = examples.with_every_interval(examples.EVALUATIONS[task]())
        score = {"regression": "epistemic_std", "segmentation": "mutual_information"}[task]
        ends = wording.ends(intervals["ood", "inverted", "auroc", score], ".2f").replace(wording.SPACE, " ")
        assert f"95 % interval {ends}" in _text(report.document(examples.material(task, evaluation=found)))


class TestReadings:
    @pytest.mark.parametrize(("ece", "place"), [(0.0307, "inside"), (0.0308, "above"), (0.0112, "below")])
    def test_a_calibration_error_is_held_against_the_band(self, ece, place):
        evaluation = examples.classification(ece=ece)
        text = _text(report.document(examples.material(evaluation=evaluation)))
        assert f"The ECE of {ece:.4f} lies {place} the band of a calibrated model (0.0113 to 0.0307)" in text
        assert ("The best softmax temperature is 1.31: the model is too sure." in text) == (place == "above")

    def test_an_error_below_the_band_is_as_rare_as_its_lower_end_says(self):
        rarely = round(1 / calibration._CENTRAL[0])
        sentence = readings.calibration("ECE", 0.0112, examples.NULL, "")
        assert f"smaller than chance alone makes it {rarely - 1} times in {rarely}," in sentence

    @pytest.mark.parametrize(
        ("auroc", "verb"),
        [(0.95, "tells “"), (0.75, "in part tells “"), (0.6, "hardly tells “"), (0.4, "takes “")],
    )
    def test_how_well_strange_images_are_found(self, auroc, verb):
        sentence = readings.tells_apart("Energy", "photo_patches", auroc, None)
        assert sentence.startswith(f"Energy {verb}photo patches”")
        assert f"AUROC {auroc:.3f}" in sentence

    def test_the_sentences_have_the_numbers(self):
        text = _text(report.document(examples.material()))
        assert "91.2 % of 250 test images are classified right, 95 % interval 87.1 to 93.5 %." in text
        assert "2.5 % of the rest are wrong, in place of 8.8 %." in text
        assert "27 % of its uncertainty on test images is epistemic" in text  # 0.1111 / 0.4141
        assert "Mutual information tells “photo patches” apart from the test set (AUROC 0.954, 95 % interval" in text
        assert "highest severity is contrast: 76.5 % are classified right." in text

    def test_point_weights_have_no_mutual_information_to_speak_of(self):
        evaluation = examples.classification(mutual_information=0.0, temperature=None, num_samples=1)
        evaluation["ood"]["photo_patches"]["auroc"]["mutual_information"] = None
        text = _text(report.document(examples.material(evaluation=evaluation)))
        assert "point weights" in text
        assert "epistemic:" not in text
        assert "Predictive entropy tells “photo patches” apart" in text

    @pytest.mark.parametrize("task", examples.EVALUATIONS)
    def test_headlines_are_the_numbers_of_the_evaluation(self, task):
        found = examples.EVALUATIONS[task]()
        values = {headline.value for headline in report.document(examples.material(task)).headlines}
        key = {"classification": "nll", "regression": "rmse", "segmentation": "mean_iou"}[task]
        assert f"{found[key]:.4f}" in values


class TestWhatIsMissing:
    def test_without_an_evaluation_the_reason_is_said_and_the_rest_is_there(self):
        missing = {"evaluation": "There is no evaluation, for none can be made: no disk."}
        document = report.document(examples.material(evaluation=None, missing=missing))
        assert document.headlines == ()
        assert document.readings == (missing["evaluation"],)
        results = next(section for section in document.sections if section.name == "results")
        assert Paragraph(missing["evaluation"], is_warning=True) in results.blocks
        assert {"training", "diagnosis", "configuration"} <= {section.name for section in document.sections}
        assert "91.2 %" not in _text(document).partition("Calibration")[0]

    def test_each_other_part_says_so(self):
        missing = {"selection": "selection.json was made for other weights", "diagnosis": "There is no diagnosis: x"}
        changes = {"decided": {}, "diagnosis": None, "trained": [Trained([], None, None)], "missing": missing}
        text = _text(report.document(examples.material(**changes)))
        assert "selection.json was made for other weights" in text
        assert "Not decided yet: calibration, conformal." in text
        assert "There is no diagnosis: x" in text
        assert "There is no history.jsonl any more." in text

    def test_nothing_strange_and_no_corruption(self):
        text = _text(report.document(examples.material(evaluation=examples.classification(ood={}, shift={}))))
        assert "no strange sets" in text
        assert "no corruptions" in text

    def test_without_resamples_there_are_no_intervals(self):
        evaluation = examples.classification(intervals={}, temperature_scaled=None)
        document = report.document(examples.material(evaluation=evaluation))
        assert "95 % interval" not in document.headlines[0].about
        assert "250 test images are classified right." in _text(document)
        assert "the validation images were trained on" in _text(document)

    def test_no_threshold(self):
        decided = {"selection": {**examples.SELECTION, "threshold": None}}
        text = _text(report.document(examples.material(decided=decided)))
        assert "everything is abstained from" in text


class TestCaptions:
    @pytest.mark.parametrize("name", figures.names())
    def test_every_figure_says_what_it_shows(self, name):
        figure = next(one for one in figures.FIGURES if one.draw.__name__ == name)
        assert re.fullmatch(r"\S.*\.", captions.caption_of(name, figure.draw.__doc__))

    def test_an_unknown_figure_stands_among_the_results(self):
        assert captions.section_of("unheard_of") == "results"
        assert captions.caption_of("unheard_of", "What it shows.\n\nMore.") == "What it shows."

    def test_columns_without_numbers_are_left_out(self):
        table = wording.table("t", ["a", "b", "c"], [["x", "-", "1"], ["y", "", "2"]])
        assert (table.header, table.rows) == (("a", "c"), (("x", "1"), ("y", "2")))
