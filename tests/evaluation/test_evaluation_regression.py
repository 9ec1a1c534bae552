"""Claims about the scores of predicted real numbers and of pixels, by hand and against scikit-learn."""

from __future__ import annotations

import dataclasses
import functools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, jaccard_score, log_loss, root_mean_squared_error

import bayesconv as bc
from bayesconv import evaluation
from bayesconv.evaluation import pixel_calibration, pixel_intervals, regression, segmentation, sets
from bayesconv.metrics import resampling
from bayesconv.metrics.bins import equal_mass_bins
from bayesconv.sections import Part

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = RNG.normal(size=(40, 1))


def _predictive(outputs, likelihood, **options):
    bc.set_seed(0)
    model = bc.Affine(3, outputs, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    return bc.predict(model, X, num_samples=8, likelihood=likelihood, **options)


def test_scores_of_a_density_are_those_of_its_mixture():
    found = _predictive(2, "heteroscedastic_normal")
    scores = regression.scores(found, Y, num_resamples=50)
    outputs = found.logits.astype(float)
    parts = scipy.stats.norm(outputs[..., 0], np.exp(outputs[..., 1]) + 1e-4)
    np.testing.assert_allclose(scores["rmse"], root_mean_squared_error(Y, found.mean), rtol=1e-9)
    np.testing.assert_allclose(scores["nll"], -np.log(parts.pdf(Y[:, 0]).mean(axis=0)).mean(), rtol=1e-6)
    # CRPS = integral of (F - 1{y <= .})^2 over a fine grid; 1,024 draws an example estimate it to a few per cent.
    grid = np.linspace(-30, 30, 6001)
    cdf = np.mean([scipy.stats.norm.cdf((grid[:, None] - m) / s) for m, s in zip(*parts.args, strict=True)], axis=0)
    crps = np.trapezoid((cdf - (grid[:, None] >= Y[:, 0])) ** 2, grid, axis=0).mean()
    np.testing.assert_allclose(scores["crps"], crps, rtol=0.05)
    lower, upper = found.interval(0.9)
    assert scores["credible"]["0.9"]["picp"] == np.mean((lower <= Y) & (upper >= Y))
    assert scores["intervals"]["rmse"]["lower"] < scores["rmse"] < scores["intervals"]["rmse"]["upper"]


def test_quantiles_have_a_pinball_loss_and_no_density():
    likelihood = {"name": "quantiles", "levels": [0.25, 0.5, 0.75]}
    found = _predictive(3, likelihood)
    scores = regression.scores(found, Y)
    losses = [np.maximum(p * (Y - found.quantile(p)), (p - 1) * (Y - found.quantile(p))) for p in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(scores["pinball"], np.mean(losses), rtol=1e-9)
    assert scores["nll"] is scores["crps"] is scores["total_std"] is scores["predictive_entropy"] is None
    assert list(scores["credible"]) == ["0.5"]
    assert scores["calibration"]["null"]["lower"] < scores["calibration"]["null"]["upper"]
    assert scores["calibration"]["below"] == [float(np.mean(found.quantile(p) > Y)) for p in (0.25, 0.5, 0.75)]


def test_without_draws_and_variance_there_is_no_density_and_no_score_of_it():
    found = _predictive(2, {"name": "student_t", "df": 2.0}, keep_samples=False)
    assert np.isinf(found.total_std).all()
    scores = regression.scores(found, Y, num_resamples=5)
    assert scores["nll"] is scores["crps"] is scores["calibration"] is scores["ause"] is scores["total_std"] is None
    assert scores["credible"] == {}
    assert scores["intervals"]["crps"] is None
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(Y, found.mean))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_intervals_are_those_of_the_general_bootstrap():
    found = _predictive(1, "normal")
    scores = regression.scores(found, Y, num_resamples=2000)
    options = {"num_resamples": 500, "seed": 1}
    ends = found.interval(0.9)
    score = functools.partial(bc.metrics.interval_score, miscoverage=0.1)
    of = scores["credible"]["0.9"]
    pairs = [
        (scores["intervals"]["rmse"], bc.metrics.bootstrap(root_mean_squared_error, found.mean, Y, **options)),
        (scores["intervals"]["epistemic_std"], bc.metrics.bootstrap(np.mean, found.std, **options)),
        (of["intervals"]["picp"], bc.metrics.bootstrap(bc.metrics.interval_coverage, *ends, Y, **options)),
        (of["intervals"]["mpiw"], bc.metrics.bootstrap(bc.metrics.mean_interval_width, *ends, **options)),
        (of["intervals"]["interval_score"], bc.metrics.bootstrap(score, *ends, Y, **options)),
    ]
    error = bc.metrics.quantile_calibration_error
    slow = bc.metrics.bootstrap(error, found.cdf(Y), method="basic", **options)
    pairs.append((scores["calibration"]["intervals"]["value"], slow._replace(lower=max(slow.lower, 0.0))))
    ause = functools.partial(bc.metrics.bootstrap, bc.metrics.sparsification_error, **options)
    pairs.append((scores["intervals"]["ause"], ause(found.total_std[:, 0], np.abs(found.mean - Y)[:, 0])))
    for quick, interval in pairs:  # ends of two bootstraps differ by chance: 6 standard errors and more
        atol = 0.25 * (interval.upper - interval.lower)
        np.testing.assert_allclose([quick["lower"], quick["upper"]], interval[1:], atol=atol)
    assert scores["calibration"]["value"] == pytest.approx(error(found.cdf(Y)), abs=1e-12)
    assert of["interval_score"] == pytest.approx(score(*ends, Y))
    assert of["mpiw"] == pytest.approx(bc.metrics.mean_interval_width(*ends))


def test_a_strange_set_is_told_apart_with_an_interval():
    found = _predictive(2, "heteroscedastic_normal")
    strange = dataclasses.replace(found, std=found.std + 1.0)
    entry = regression._against(found, strange, 50)
    assert entry["auroc"]["epistemic_std"] == bc.metrics.ood_auroc(found.std[:, 0], found.std[:, 0] + 1.0)
    expected = bc.metrics.ood_report(found.std[:, 0], found.std[:, 0] + 1.0)._asdict()
    for figure, value in expected.items():
        assert entry[figure]["epistemic_std"] == value
        ends = entry["intervals"][figure]["spread"]
        assert ends["lower"] <= entry[figure]["spread"] <= ends["upper"]
    mean = entry["intervals"]["epistemic_std"]
    assert mean["lower"] < entry["epistemic_std"] < mean["upper"]
    assert regression._against(found, strange, 0)["intervals"] == {figure: {} for figure in expected}


def test_without_draws_a_single_pass_is_a_normal_of_its_moments():
    found = _predictive_moments()
    normal = scipy.stats.norm(found.mean, found.total_std)
    np.testing.assert_allclose(regression.scores(found, Y)["nll"], -normal.logpdf(Y).mean(), rtol=1e-6)


def _predictive_moments():
    bc.set_seed(0)
    model = bc.Affine(3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    return bc.predict(model, X, method="moments", likelihood="normal")


@pytest.mark.parametrize("ignored", [None, 255])
def test_scores_of_pixels_are_those_of_scikit_learn_without_the_ignored(ignored):
    bc.set_seed(0)
    images = RNG.normal(size=(4, 5, 6, 1)).astype(np.float32)
    labels = RNG.integers(0, 3, size=(4, 5, 6))
    if ignored is not None:
        labels[:, 0] = ignored
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    likelihood = {"name": "categorical_per_pixel", "ignored_label": ignored}
    found = bc.predict(model, images, num_samples=6, likelihood=likelihood)
    scores = segmentation.scores(found, labels, class_names=list("abc"), ignored_label=ignored, num_resamples=20)
    counted = labels != ignored if ignored is not None else np.ones(labels.shape, bool)
    probs, true = found.mean[counted], labels[counted]
    top = probs.argmax(axis=-1)
    np.testing.assert_allclose(scores["accuracy"], accuracy_score(true, top))
    np.testing.assert_allclose(scores["nll"], log_loss(true, probs, labels=[0, 1, 2]), rtol=1e-5)
    np.testing.assert_allclose(list(scores["iou"].values()), jaccard_score(true, top, average=None))
    np.testing.assert_allclose(scores["mean_iou"], jaccard_score(true, top, average="macro"))
    np.testing.assert_allclose(scores["mutual_information"], found.mutual_information[counted].mean())


def _reported(task, corrupted_images, ood=()):
    """The report on a net of twelve small images, how it predicts, and the run and data that it reads."""
    bc.set_seed(0)
    x, shape = RNG.random((12, 5, 4, 1)).astype(np.float32), (12, 5, 4) if task is segmentation else 12
    y = RNG.integers(0, 3, size=shape)
    options = {"make_kernel_bias_fn": bc.make_kernel_bias_reparameterization}
    if task is segmentation:
        model, likelihood = bc.Convolution(1, 3, 1, **options), "categorical_per_pixel"
    else:
        model, likelihood = bc.Sequential([bc.Flatten(), bc.Affine(20, 2, **options)]), "heteroscedastic_normal"
    evaluated = SimpleNamespace(
        bootstrap=20, ood=ood, corruptions=(Part(name="contrast"),), corrupted_images=corrupted_images
    )
    config = SimpleNamespace(evaluation=evaluated, seed=0, objective=SimpleNamespace(temperature=1.0))
    run = SimpleNamespace(config=config, models=[model], is_random=True, is_bayesian=True, has_several_functions=True)
    data = {"name": "small", "class_names": list("abc"), "ignored_label": None, "value_range": (0.0, 1.0)}
    dataset = SimpleNamespace(test=SimpleNamespace(x=x, y=y), **data)

    def predicted(x, name, **options):
        return bc.predict(model, x, num_samples=4, likelihood=likelihood, **options)

    return task.report(run, dataset, predicted), predicted, run, dataset


@pytest.mark.parametrize("task", [regression, segmentation])
def test_corruptions_are_held_against_the_same_images_as_they_are(task):
    report, predicted, run, dataset = _reported(task, corrupted_images=5)
    chosen = sets.uncorrupted(run, dataset)
    assert len(chosen) == 5
    names = {"class_names": list("abc")} if task is segmentation else {}
    alone = task.scores(predicted(dataset.test.x[chosen], "test"), dataset.test.y[chosen], num_resamples=20, **names)
    for name in ("nll", "intervals"):
        assert report["uncorrupted"][name] == alone[name]
    assert report["uncorrupted"]["nll"] != report["nll"]
    assert _reported(task, corrupted_images=None)[0]["uncorrupted"] is None


@pytest.mark.parametrize("task", [regression, segmentation])
def test_the_table_of_a_report_has_its_numbers_and_fits(task):
    report, *_ = _reported(task, corrupted_images=5, ood=(Part(name="inverted"),))
    text = evaluation.tables({"task": task.__name__.rpartition(".")[2], **report})
    assert max(map(len, text.splitlines())) <= 120
    for figure in ("auroc", "aupr_in", "aupr_out", "fpr95"):
        assert all(f"{value:.3f}" in text for value in report["ood"]["inverted"][figure].values())
    (row,) = (line.split()[2:] for line in text.splitlines() if line.startswith("contrast, NLL"))
    assert row == [f"{entry['nll']:.4f}" for entry in (report["uncorrupted"], *report["shift"]["contrast"])]


@pytest.mark.parametrize("task", [regression, segmentation])
def test_scores_under_corruptions_have_intervals(task):
    report, *_ = _reported(task, corrupted_images=None)
    for entry in report["shift"]["contrast"]:
        assert entry["intervals"].keys() == report["intervals"].keys()
        assert entry["intervals"]["nll"]["lower"] < entry["nll"] < entry["intervals"]["nll"]["upper"]


@pytest.fixture(scope="module")
def pixels():
    """A prediction of six images, and labels of which one image has none that counts."""
    bc.set_seed(0)
    images = RNG.normal(size=(6, 5, 4, 1)).astype(np.float32)
    labels = RNG.choice([0, 1, 2, 255], size=(6, 5, 4)).astype(np.uint8)
    labels[2] = 255
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    return bc.predict(model, images, num_samples=6, likelihood="categorical_per_pixel"), labels


def _of_images(predictive, index):
    names = ("mean", "predictive_entropy", "expected_entropy", "mutual_information")
    return dataclasses.replace(predictive, **{name: getattr(predictive, name)[index] for name in names})


def test_figures_of_resampled_pixels_are_those_of_the_images_repeated(pixels, monkeypatch):
    found, labels = pixels
    made = []

    def spy(figures, *args, resampled=pixel_intervals.resampled, **options):
        made.append(figures)
        return resampled(figures, *args, **options)

    monkeypatch.setattr(pixel_intervals, "resampled", spy)
    segmentation.scores(found, labels, class_names=list("abc"), ignored_label=255, num_resamples=1)
    counts = resampling.draw_counts(np.random.default_rng(0), 6, 6)
    figures = made[0](counts)
    for i, row in enumerate(counts):
        index = np.repeat(np.arange(6), row.astype(int))
        scores = segmentation.scores(
            _of_images(found, index), labels[index], class_names=list("abc"), ignored_label=255
        )
        scores |= {f"iou of class {k}": scores["iou"][name] for k, name in enumerate("abc")}
        scores |= {f"error_auroc by {name}": auroc for name, auroc in scores["error_auroc"].items()}
        assert set(figures) <= set(scores)
        for name, values in figures.items():
            assert values[i] == pytest.approx(scores[name], rel=1e-5, abs=1e-9), name
    nothing = made[0](np.array([[0.0, 0, 1, 0, 0, 0]]))  # the image without a label
    assert np.isnan(list(nothing.values())).all()


@pytest.fixture(scope="module")
def counted(pixels):
    """Probabilities, classes and images of the pixels that count."""
    found, labels = pixels
    return found.mean[labels != 255], labels[labels != 255], np.nonzero(labels != 255)[0]


def test_resampled_calibration_errors_of_pixels_are_those_of_the_images_repeated(counted, monkeypatch):
    probs, true, images = counted
    monkeypatch.setattr(pixel_calibration, "_CELLS", 2**13)  # as the value has it
    counts = resampling.draw_counts(np.random.default_rng(0), 8, 6)
    figures = pixel_calibration._figures(probs.astype(np.float64), true, images, 6)(counts)
    bins = equal_mass_bins(probs.max(axis=1).astype(np.float64), 15)
    for i, row in enumerate(counts):
        index = np.repeat(np.arange(len(images)), row[images].astype(int))
        p, y = probs[index], true[index]
        for name in ("maximum", "classwise", "smooth"):
            expected = getattr(bc.metrics, f"{name}_calibration_error")(p, y)
            assert figures[name][i] == pytest.approx(expected, rel=1e-5, abs=1e-7), name
        gaps = np.bincount(bins[index], weights=(p.argmax(axis=1) == y) - p.max(axis=1))
        assert figures["adaptive"][i] == pytest.approx(np.abs(gaps).sum() / len(y), rel=1e-5)
    nothing = pixel_calibration._figures(probs, true, images, 6)(np.array([[0.0, 0, 1, 0, 0, 0]]))
    assert np.isnan(list(nothing.values())).all()


def test_calibration_errors_of_pixels_are_those_of_the_metrics_with_basic_intervals(counted):
    probs, true, images = counted
    found = pixel_calibration.calibration_errors(probs, true, images, 6, 400)
    assert list(found) == ["maximum", "adaptive", "classwise", "smooth"]
    counts = resampling.draw_counts(np.random.default_rng(0), 400, 6)
    drawn = pixel_calibration._figures(probs.astype(np.float64), true, images, 6)(counts)
    for name, entry in found.items():
        assert entry["value"] == getattr(bc.metrics, f"{name}_calibration_error")(probs, true)
        low, high = np.nanquantile(drawn[name], [0.025, 0.975])
        mirrored = {"lower": max(0, 2 * entry["value"] - high), "upper": 2 * entry["value"] - low}
        assert entry["intervals"]["value"] == pytest.approx(mirrored, abs=1e-4)  # the smooth one has coarser cells
    alone = pixel_calibration.calibration_errors(probs, true, images, 6, 0)
    assert alone == {name: {**entry, "intervals": {}} for name, entry in found.items()}


def test_every_figure_of_pixels_has_an_interval_that_holds_it(pixels):
    found, labels = pixels
    scores = segmentation.scores(found, labels, class_names=list("abc"), ignored_label=255, num_resamples=200)
    flat = {**scores["intervals"], **scores["intervals"]["iou"]}
    assert set(scores["intervals"]) == set(scores) - {"intervals"}
    for name, auroc in scores["error_auroc"].items():
        ends = scores["intervals"]["error_auroc"][name]
        assert ends["lower"] < auroc < ends["upper"]
    for name, value in {**scores, **scores["iou"]}.items():
        if isinstance(value, float) and name != "ece":  # which has a basic interval
            assert flat[name]["lower"] <= value <= flat[name]["upper"], name
    assert flat["ece"]["lower"] >= 0


def test_ranks_of_many_pixels_are_counted_in_bins(monkeypatch):
    values, is_wrong = RNG.normal(size=5000), RNG.random(5000) < 0.3
    values[is_wrong] += 1
    images, counts = RNG.integers(0, 7, size=5000), resampling.draw_counts(np.random.default_rng(0), 3, 7)
    expected = []
    for row in counts:
        index = np.repeat(np.arange(5000), row[images].astype(int))
        expected.append(bc.metrics.ood_auroc(values[index][~is_wrong[index]], values[index][is_wrong[index]]))
    found = pixel_intervals._auroc(values, is_wrong, images, 7)(counts)
    np.testing.assert_allclose(found, expected, atol=1 / 2000)
    monkeypatch.setattr(pixel_intervals, "_RANKS", 5000)
    exact = pixel_intervals._auroc(values, is_wrong, images, 7)(counts)
    np.testing.assert_allclose(exact, expected, rtol=1e-9)
    assert (found != exact).any()


def test_targets_of_an_example_are_drawn_together_for_the_ause():
    found = _predictive(2, "normal")
    y = RNG.normal(size=(40, 2))
    uncertainty, error = found.total_std, np.abs(found.mean - y)

    def ause(u, e):
        return bc.metrics.sparsification_error(u.ravel(), e.ravel())

    slow = bc.metrics.bootstrap(ause, uncertainty, error, num_resamples=500, seed=1)
    ends = regression.scores(found, y, num_resamples=2000)["intervals"]["ause"]
    atol = 0.25 * (slow.upper - slow.lower)
    np.testing.assert_allclose([ends["lower"], ends["upper"]], slow[1:], atol=atol)


def test_strange_images_are_compared_with_the_pixels_that_count(pixels):
    found, labels = pixels
    means = segmentation.uncertainty_of_images(found, labels != 255, has_several=True)
    expected = [found.predictive_entropy[i][labels[i] != 255].mean() for i in (0, 1, 3, 4, 5)]
    np.testing.assert_allclose(means["predictive_entropy"], expected, rtol=1e-6)
    entry = segmentation._against(means, found, True, 20)
    assert entry["auroc"]["predictive_entropy"] == bc.metrics.ood_auroc(
        expected, found.predictive_entropy.mean(axis=(1, 2))
    )
    outside = found.predictive_entropy.mean(axis=(1, 2))
    for figure, value in bc.metrics.ood_report(expected, outside)._asdict().items():
        assert entry[figure]["predictive_entropy"] == pytest.approx(value)
        assert set(entry["intervals"][figure]) == {"predictive_entropy", "mutual_information"}
    ends = entry["intervals"]["expected_entropy"]
    assert ends["lower"] < entry["expected_entropy"] < ends["upper"]
    alone = segmentation.uncertainty_of_images(found, labels != 255, has_several=False)
    assert segmentation._against(alone, found, False, 20)["auroc"]["mutual_information"] is None
