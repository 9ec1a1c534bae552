"""Claims about the report on a run's folder: what of it is current, what is made again, what is said to be missing."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import browser
import numpy as np
import pytest

from bayesconv import cli, evaluation, experiment, figures, files, report, runs
from bayesconv.evaluation.kept import variables_hash
from bayesconv.report import drawing, evaluating

pytestmark = pytest.mark.slow

CONFIG = """\
data: {name: digits, refit: false}
model: {name: {name: digits_cnn, filters: [2]}, estimator: reparameterization}
training: {epochs: 1, batch_size: 512}
evaluation: {num_samples: 2, ood: [inverted], bootstrap: 20}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "tiny.yaml").write_text(CONFIG)
    assert cli.main(["train", str(folder / "tiny.yaml"), "--out", str(folder / "run")]) == 0
    experiment.evaluate(folder / "run")
    experiment.diagnose(folder / "run")
    return folder / "run"


@pytest.fixture
def run_dir(trained, tmp_path, monkeypatch):
    """A copy whose name needs care, of which few figures are drawn."""
    few = [one for one in figures.FIGURES if one.draw.__name__ in ("learning_curves", "reliability")]
    monkeypatch.setattr(figures, "FIGURES", tuple(few))
    return Path(shutil.copytree(trained, tmp_path / 'it\'s <b>"bold" & more'))


def _evaluation(folder):
    return json.loads((folder / "evaluation.json").read_text())


def _text(page):
    return re.sub(r"<[^>]+>", "\n", page).replace("\xa0", " ")


@browser.needed
class TestInABrowser:
    def test_a_phone_shows_the_whole_report_of_a_run(self, run_dir, tmp_path):
        page = report.write(run_dir).read_text()
        found = browser.layout(tmp_path, page, 390)
        assert (found["overflow"], found["out"]) == (0, [])
        assert len(found["pictures"]) == page.count("<img ") == 3
        assert min(found["pictures"]) > 300

    def test_its_screenshot_has_words_and_pictures(self, run_dir, tmp_path):
        path = report.write(run_dir)
        picture = browser.screenshot(tmp_path, path, 1000, 6000)
        ground = picture[-1, -1]
        is_ink = np.abs(picture - ground).max(axis=-1) > 0.3
        assert 0.01 < is_ink.mean() < 0.5
        blue = np.array([0x00, 0x72, 0xB2]) / 255  # of the curves in both figures
        assert (np.abs(picture - blue).max(axis=-1) < 0.02).sum() > 1000


class TestWriting:
    def test_the_numbers_are_those_of_the_evaluation_and_nothing_is_written_but_the_report(self, run_dir):
        before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*.json*")}
        path = report.write(run_dir)
        found, text = _evaluation(run_dir), _text(path.read_text())
        for key in ("nll", "brier", "ece"):
            interval = found["intervals"][key]
            assert f"\n{found[key]:.4f}\n" in text
            assert f"\n{interval['lower']:.4f} to {interval['upper']:.4f}\n" in text
        assert f"\n{100 * found['accuracy']:.1f} %\n" in text
        assert f"{found['ood']['inverted']['auroc']['energy']:.3f}" in text
        assert "made again" not in text
        assert {path: path.stat().st_mtime_ns for path in run_dir.rglob("*.json*")} == before
        assert path == run_dir / "report.html"
        assert "<h1>it&#x27;s &lt;b&gt;&quot;bold&quot; &amp; more</h1>" in path.read_text()
        assert path.read_text().count("data:image/png;base64,") == 3  # two figures, and that of the diagnosis
        size = re.search(r"one file of (\d+) kB", text)
        assert abs(int(size[1]) - path.stat().st_size / 1e3) < 1

    def test_by_the_command(self, run_dir, tmp_path, capfd):
        assert cli.main(["report", str(run_dir), "--out", str(tmp_path / "new" / "r.html"), "--dpi", "40"]) == 0
        assert capfd.readouterr().out.startswith(f"Written to {tmp_path / 'new' / 'r.html'}, 0.")
        assert not (run_dir / "report.html").exists()

    def test_bad_requests_are_one_message(self, run_dir, tmp_path, capfd):
        assert cli.main(["report", str(run_dir), "--out", str(tmp_path)]) == 2
        assert "must be a file. It is a folder; give the name" in capfd.readouterr().err
        assert cli.main(["report", str(tmp_path)]) == 2
        assert "is no run folder" in capfd.readouterr().err
        with pytest.raises(ValueError, match=r"`dpi` must be positive\. Received 0"):
            report.write(run_dir, dpi=0)

    def test_a_report_that_fails_leaves_the_earlier_one(self, run_dir, monkeypatch):
        (run_dir / "report.html").write_text("earlier")

        def full(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files.os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            report.write(run_dir)
        assert (run_dir / "report.html").read_text() == "earlier"
        assert not list(run_dir.glob(".report*"))


class TestWhatIsCurrent:
    def _change_weights(self, run_dir):
        weights = files.load_arrays(run_dir / "checkpoints" / "best.npz")
        changed = {name: value * np.float32(1.5) for name, value in weights.items()}
        files.save_arrays(run_dir / "checkpoints" / "best.npz", changed)

    @pytest.mark.parametrize("key", ["uncorrupted", "method", "ood"])
    def test_what_lacks_an_entry_is_made_again(self, run_dir, key):
        run = runs.load_run(run_dir)
        subject = figures.Subject(run, run.dataset())
        whole = _evaluation(run_dir)
        assert evaluating.is_current(whole, subject)
        assert not evaluating.is_current({name: part for name, part in whole.items() if name != key}, subject)

    def test_what_is_of_other_weights_is_made_again_however_new_its_evaluation_is(self, run_dir):
        stale, diagnosed = _evaluation(run_dir), json.loads((run_dir / "diagnosis.json").read_text())
        self._change_weights(run_dir)
        os.utime(run_dir / "evaluation.json")
        text = _text(report.write(run_dir, dpi=30).read_text())
        assert "evaluation.json was of other weights, data or draws, of an earlier version, or recalibrated" in text
        assert _evaluation(run_dir)["nll"] != stale["nll"]
        assert f"\n{stale['nll']:.4f}\n" not in text
        assert f"\n{_evaluation(run_dir)['nll']:.4f}\n" in text
        again = json.loads((run_dir / "diagnosis.json").read_text())
        assert again["kl"] != diagnosed["kl"]
        assert f"KL {again['kl']:,.1f} nats" in text

    def test_an_evaluation_with_other_draws_is_current_but_not_a_recalibrated_one(self, run_dir):
        run = runs.load_run(run_dir)
        subject = figures.Subject(run, run.dataset())
        images, labels = subject.dataset.test
        probs = evaluation.predict(run, images, num_samples=3, seed=8).mean
        stored = {**_evaluation(run_dir), "num_samples": 3, "seed": 8}
        stored["nll"] = float(-np.log(probs[range(len(labels)), labels]).mean())
        assert evaluating.is_current(_evaluation(run_dir), subject)
        assert evaluating.is_current(stored, subject)
        assert not evaluating.is_current({**stored, "seed": 9}, subject)
        assert not evaluating.is_current({**stored, "num_samples": [2, 4]}, subject)
        assert not evaluating.is_current({**stored, "calibrated": True}, subject)
        assert not evaluating.is_current({**stored, "task": "regression"}, subject)

    @pytest.mark.parametrize(("written", "note"), [(None, ""), ("{", "evaluation.json is damaged, and is left out: ")])
    def test_a_missing_one_is_made_in_silence_and_a_damaged_one_is_mentioned(self, run_dir, monkeypatch, written, note):
        monkeypatch.setattr(evaluation, "report", lambda run, dataset: {"nll": 1.25})
        (run_dir / "evaluation.json").unlink()
        if written is not None:
            (run_dir / "evaluation.json").write_text(written)
        run = runs.load_run(run_dir)
        found = evaluating.evaluation_of(run, figures.Subject(run, run.dataset()))
        assert found.content == _evaluation(run_dir) == {"nll": 1.25, "calibrated": False, "split": "test"}
        assert found.note.startswith(note)
        assert bool(found.note) == bool(note)

    def test_what_cannot_be_evaluated_is_told(self, run_dir, monkeypatch):
        def impossible(run, dataset):
            raise ValueError("no such set")

        monkeypatch.setattr(evaluation, "report", impossible)
        (run_dir / "evaluation.json").unlink()
        run = runs.load_run(run_dir)
        found = evaluating.evaluation_of(run, figures.Subject(run, run.dataset()))
        assert found == (None, "There is no evaluation, for none can be made: no such set")

    def test_decisions_of_other_weights_are_left_out(self, run_dir):
        run = runs.load_run(run_dir)
        for weights, is_current in ((variables_hash(run), True), ("others", False)):
            (run_dir / "conformal.json").write_text(json.dumps({"weights": weights}))
            content, note = evaluating.decided_of(run, "conformal.json", "conformal")
            assert (content is not None) == is_current
        assert note == "conformal.json was made for other weights, and is left out: run bayesconv conformal again."


class TestWhatIsMissing:
    def test_data_that_are_gone(self, run_dir, monkeypatch):
        def gone(run):
            raise FileNotFoundError("No file digits.npz")

        monkeypatch.setattr(runs.Run, "dataset", gone)
        text = _text(report.write(run_dir, dpi=30).read_text())
        assert "Whether the evaluation is of these weights was not checked. The data cannot be read: No file" in text
        assert "There are no figures of predictions. The data cannot be read: No file digits.npz" in text
        assert f"\n{_evaluation(run_dir)['nll']:.4f}\n" in text
        os.utime(run_dir / "evaluation.json", (0, 0))
        text = _text(report.write(run_dir, dpi=30).read_text())
        assert "evaluation.json is older than the weights, and is left out." in text
        assert f"\n{_evaluation(run_dir)['nll']:.4f}\n" not in text

    def test_a_figure_that_cannot_be_drawn_and_a_history_that_is_gone(self, run_dir):
        (run_dir / "history.jsonl").unlink()
        text = _text(report.write(run_dir, dpi=30).read_text())
        assert "The figure Learning curves could not be drawn: " in text
        assert "There is no history.jsonl any more." in text

    def test_a_bug_in_a_figure_is_not_hidden(self, run_dir, monkeypatch):
        def wrong(subject):
            raise KeyError("a bug")

        monkeypatch.setattr(figures, "FIGURES", (figures.Figure(wrong, "", lambda subject: True),))
        with pytest.raises(KeyError, match="a bug"):
            drawing.pictures(figures.Subject(runs.load_run(run_dir), None))

    def test_a_file_that_holds_no_object(self, run_dir):
        (run_dir / "x.json").write_text("[]")
        assert "holds no object" in evaluating.read(run_dir / "x.json").note
