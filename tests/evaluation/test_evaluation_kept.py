"""Predictions are made once, and never out of date."""

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import evaluation, models, runs
from bayesconv.evaluation import kept
from bayesconv.models import get

pytestmark = pytest.mark.slow

IMAGES = bc.data.digits().test.x[:20]


@pytest.fixture
def run(copied_run):
    return runs.load_run(copied_run)


@pytest.fixture
def made(monkeypatch):
    """How often something was predicted."""
    calls = []

    def spy(*args, predict=bc.predict, **options):
        calls.append(options)
        return predict(*args, **options)

    monkeypatch.setattr(bc, "predict", spy)
    return calls


def predict(run, images=IMAGES, **options):
    with evaluation.manner(keeps=True):
        return evaluation.predict(run, images, **options)


def files(run):
    return sorted((run.folder / "predictions").glob("*"))


def test_a_second_prediction_is_read_and_is_the_same(run, made):
    first, second = predict(run), predict(runs.load_run(run.folder))
    assert len(made) == 1
    for name in ("mean", "std", "samples", "votes", "mutual_information"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.num_samples, first.seed, first.likelihood) == (second.num_samples, second.seed, second.likelihood)
    assert first.draws_by_member == second.draws_by_member


def test_a_report_predicts_once_and_does_not_change(run, digits, made):
    with evaluation.manner(keeps=True):
        first = evaluation.report(run, digits)
        count = len(made)
        assert evaluation.report(run, digits) == first
    assert count == len(made) == 3
    assert evaluation.report(run, digits) == first  # as it would be without
    assert len(made) == 6


def test_whatever_changes_the_prediction_is_predicted_anew(run, made):
    predict(run)
    images = [{"images": IMAGES[:19]}, {"images": IMAGES / 2}]
    for count, options in enumerate([{"seed": 1}, {"num_samples": 3}, {"method": "moments"}, *images], start=2):
        predict(run, **options)
        assert len(made) == len(files(run)) == count, options


def test_other_weights_are_predicted_anew_and_the_old_files_go(run, made):
    before = predict(run)
    variable = run.model.trainable_variables[0]
    variable.assign(variable + 0.1)
    after = predict(run)
    assert len(made) == 2
    assert np.abs(after.mean - before.mean).max() > 1e-4
    assert len(files(run)) == 1


def test_a_damaged_file_is_made_again(run, made):
    expected = predict(run)
    (path,) = files(run)
    path.write_bytes(path.read_bytes()[:300])
    np.testing.assert_array_equal(predict(run).mean, expected.mean)
    assert len(made) == 2
    np.testing.assert_array_equal(predict(run).mean, expected.mean)
    assert len(made) == 2


def test_nothing_is_kept_unasked(run, made):
    evaluation.predict(run, IMAGES)
    with evaluation.manner(keeps=False):
        evaluation.predict(run, IMAGES)
    assert len(made) == 2
    assert not files(run)


def test_parts_from_elsewhere_keep_nothing(run, made):
    def elsewhere(*args, **options):
        return get("digits_cnn")(*args, **options)

    models.register("elsewhere")(elsewhere)
    part = run.config.model.name.model_copy(update={"name": "elsewhere"})
    config = run.config.model_copy(update={"model": run.config.model.model_copy(update={"name": part})})
    for _ in range(2):
        predict(run._replace(config=config))
    assert len(made) == 2
    assert not files(run)


def test_other_code_is_another_name(run, made, monkeypatch):
    predict(run)
    monkeypatch.setattr(kept, "_code", lambda: "another version")
    predict(run)
    assert len(made) == 2


def test_a_prediction_that_is_too_large_is_not_kept(run, monkeypatch):
    monkeypatch.setattr(kept, "_LARGEST", 1000)
    predict(run)
    assert not files(run)


def test_the_oldest_go_when_there_is_too_much(run, monkeypatch):
    predict(run)
    size = files(run)[0].stat().st_size
    monkeypatch.setattr(kept, "_MOST", int(2.5 * size))
    for seed in (1, 2, 3):
        predict(run, seed=seed)
    assert len(files(run)) == 2


def test_a_folder_that_cannot_be_written_does_no_harm(run, made):
    (run.folder / "predictions").write_text("a file in its place")
    predict(run)
    assert len(predict(run).mean) == 20
    assert len(made) == 2


def test_a_bar_is_shown_on_request(run, capsys):
    with evaluation.manner(progress=True):
        evaluation.predict(run, IMAGES, name="my images")
    assert "my images" in capsys.readouterr().err
    evaluation.predict(run, IMAGES, name="my images")
    assert capsys.readouterr().err == ""
