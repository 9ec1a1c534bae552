"""Claims about the figures of a run: which are drawn, in which order, from which numbers, and how to ask for them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from scipy import stats

import bayesconv as bc
from bayesconv import cli, config, data, evaluation, figures, metrics, plotting, runs
from bayesconv.data import Split
from bayesconv.figures import weight_arrays
from bayesconv.figures.subject import Subject

pytestmark = pytest.mark.slow

EDITS = [
    "evaluation.num_samples=4",
    "evaluation.ood=[inverted]",
    "evaluation.corruptions=[contrast]",
    "data.refit=false",
]
OF_WEIGHTS = [
    "signal_to_noise", "pruning", "weight_histograms", "weight_densities", "kernels_conv1", "kl_by_layer",
    "prior_predictive",
]  # fmt: skip
REAL = {
    "predicted_against_true", "quantile_calibration", "error_coverage", "predictive_bands", "segmentation_maps",
    "pixel_reliability",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def _small(dataset, num=40):
    return dataset._replace(test=Split(dataset.test.x[:num], dataset.test.y[:num]), validation=dataset.validation)


def _model(make_kernel_bias_fn, num_outputs=10):
    bc.set_seed(0)
    return bc.Sequential(
        [
            bc.Convolution(1, 4, 3, strides=2, make_kernel_bias_fn=make_kernel_bias_fn, name="conv1"),
            bc.Flatten(),
            bc.Affine(36, num_outputs, make_kernel_bias_fn=make_kernel_bias_fn, name="head"),
        ]
    )


def _run(folder, make_kernel_bias_fn=bc.make_kernel_bias_flipout, *, edits=()):
    """A run that was not trained, which its figures do not mind."""
    configuration = config.load_config(Path("configs/digits_flipout.yaml").resolve(), [*EDITS, *edits])
    rows = [{"epoch": 1, "nll": 2.0, "kl": 9.0}, {"epoch": 2, "nll": 1.0, "kl": 8.0}]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return runs.Run(folder, configuration, {}, _model(make_kernel_bias_fn))


@pytest.fixture(scope="module")
def digits():
    return _small(data.digits())


@pytest.fixture(scope="module")
def subject(tmp_path_factory, digits):
    return Subject(_run(tmp_path_factory.mktemp("run")), digits)


def _drawn(subject, *only):
    with pyplot.rc_context({"figure.max_open_warning": 0}):
        return dict(figures.drawn(subject, only or None))


def _as_predicted(subject):
    """The data set with labels that the model mostly finds, so that some temperature suits it best."""
    dataset, rng = subject.dataset, np.random.default_rng(0)
    y = dataset.validation.y
    y = np.where(rng.random(len(y)) < 0.7, subject.validation.mean.argmax(axis=1), y)
    return dataset._replace(validation=dataset.validation._replace(y=y))


class TestWhatIsDrawn:
    def test_a_bayesian_classifier_has_all_in_order(self, subject):
        assert list(_drawn(subject)) == [
            "learning_curves", "reliability", "temperature_scaling", "risk_coverage", "sample_convergence",
            "conformal_sets", "certainty", "ranked_images", "predictive_entropy_inverted",
            "mutual_information_inverted", "roc_inverted", "out_of_distribution", "shift_accuracy", "shift_nll",
            "shift_ece", *OF_WEIGHTS,
        ]  # fmt: skip

    def test_point_weights_have_what_means_something(self, tmp_path, digits):
        names = list(_drawn(Subject(_run(tmp_path, bc.make_kernel_bias), digits)))
        assert not {"sample_convergence", "mutual_information_inverted", *OF_WEIGHTS} & set(names)
        assert {"reliability", "risk_coverage", "roc_inverted", "conformal_sets"} <= set(names)

    def test_validation_images_that_were_trained_on_calibrate_nothing(self, subject, digits):
        trained_on = Subject(subject.run, digits._replace(validation_held_out=False))
        for name in ("temperature_scaling", "conformal_sets"):
            with pytest.raises(ValueError, match=f"'{name}' takes a run with: .* that were not trained on"):
                _drawn(trained_on, name)

    def test_a_prediction_is_made_once(self, tmp_path, digits, monkeypatch):
        made, predict = [], evaluation.predict
        monkeypatch.setattr(evaluation, "predict", lambda *a, name, **k: made.append(name) or predict(*a, **k))
        others = {"learning_curves", "certainty", "ranked_images", "sample_convergence", *OF_WEIGHTS, "kernels"}
        _drawn(Subject(_run(tmp_path), digits), *(name for name in figures.names() if name not in others | REAL))
        assert sorted(made) == sorted(["test", "validation", "inverted", *["contrast"] * 5])

    def test_names_choose(self, subject):
        assert list(_drawn(subject, "kl_by_layer", "reliability")) == ["reliability", "kl_by_layer"]
        assert list(_drawn(subject, "shift")) == ["shift_accuracy", "shift_nll", "shift_ece"]

    def test_unknown_and_unsuitable_names_are_refused(self, subject):
        with pytest.raises(ValueError, match=r"Unknown figure 'reliabilty'.*Did you mean 'reliability'"):
            _drawn(subject, "reliabilty")
        with pytest.raises(ValueError, match="'predicted_against_true' takes a run with: real targets"):
            _drawn(subject, "predicted_against_true")

    def test_files_are_of_the_format_and_no_figure_stays_open(self, subject):
        before = pyplot.get_fignums()
        paths = figures.draw(subject.run, subject.dataset, only=["learning_curves"], file_format="svg", dpi=50)
        assert paths == [subject.run.folder / "figures" / "learning_curves.svg"]
        assert pyplot.get_fignums() == before


class TestNumbers:
    def test_a_temperature_is_applied_to_what_it_was_fitted_to(self, subject):
        # Draws that one of the two sets did not keep are of no use for the other.
        subject = Subject(subject.run, _as_predicted(subject))
        whole = _drawn(subject, "temperature_scaling")["temperature_scaling"].get_legend_handles_labels()[1]
        labels = []
        for lost in ("test", "validation"):
            other = Subject(subject.run, subject.dataset)
            vars(other).update(test=subject.test, validation=subject.validation)
            vars(other)[lost] = dataclasses.replace(getattr(subject, lost), samples=None)
            labels.append(_drawn(other, "temperature_scaling")["temperature_scaling"].get_legend_handles_labels()[1])
        assert labels[0] == labels[1] != whole

    def test_temperature_scaling_lowers_the_loss_that_it_shows(self, subject):
        ax = _drawn(subject, "temperature_scaling")["temperature_scaling"]
        before = ax.get_lines()[0].get_xydata()
        curve = metrics.reliability_curve(subject.test.mean, subject.dataset.test.y)
        full = curve.count > 0
        np.testing.assert_allclose(before, np.stack([curve.confidence, curve.accuracy], axis=1)[full])
        temperature = metrics.temperature_scale(subject.validation.logits, subject.dataset.validation.y)
        assert f"softmax temperature {temperature:.2f}, ECE" in ax.get_legend().get_texts()[1].get_text()

    def test_the_areas_of_roc_curves_are_the_bars(self, subject):
        drawn = _drawn(subject, "roc", "out_of_distribution")
        legend = [text.get_text() for text in drawn["roc_inverted"].get_legend().get_texts()]
        bars = [text.get_text() for text in drawn["out_of_distribution"].texts]
        assert len(legend) == 8  # seven scores and chance
        assert [f"predictive entropy {bars[0]}", f"mutual information {bars[1]}"] == [legend[1], legend[3]] or all(
            any(text.endswith(bar) for text in legend) for bar in bars
        )

    def test_sets_hold_nine_labels_in_ten_of_the_data_they_were_calibrated_on(self, subject, digits):
        same = Subject(subject.run, digits._replace(test=digits.validation))
        texts = _drawn(same, "conformal_sets")["conformal_sets"].get_legend().get_texts()
        shares = [float(text.get_text().split(", ")[1].split(" %")[0]) for text in texts]
        assert len(shares) == 3
        assert all(90 <= share < 92 for share in shares[:1])

    def test_densities_are_those_of_the_posterior_and_the_prior(self, subject):
        found = weight_arrays.densities(subject.run.model, most_layers=4)
        assert [name.partition("[")[0] for name in found["names"]] == ["conv1", "conv1", "head", "head"]
        for name, x, q, p in zip(found["names"], found["x"], found["posterior"], found["prior"], strict=True):
            layer = {m.name: m for m in subject.run.model.submodules}[name.partition("[")[0]]
            index = tuple(int(i) for i in name.partition("[")[2].rstrip("]").split(", "))
            mean, std = (np.asarray(v)[index] for v in (layer.posterior.kernel.mean(), layer.posterior.kernel.stddev()))
            np.testing.assert_allclose(q, stats.norm.pdf(x, mean, std), rtol=2e-3, atol=1e-6)
            prior_std = np.broadcast_to(layer.prior.kernel.stddev(), layer.kernel_shape)[index]
            np.testing.assert_allclose(p, stats.norm.pdf(x, 0, prior_std), rtol=2e-3)
            assert np.trapezoid(q, x) == pytest.approx(1.0, abs=5e-3)  # all of it is on the axis
            assert (np.diff(x) > 0).all()

    def test_kl_is_that_of_the_penalty(self, subject):
        kl, sizes = weight_arrays.divergences(subject.run.model)
        with bc.collect_extras() as extras:
            subject.run.model(subject.dataset.test.x[:1])
        assert sum(kl.values()) == pytest.approx(float(extras.loss), rel=1e-5)
        assert sizes == {"conv1": 40, "head": 370}

    def test_a_posterior_without_densities_of_single_weights_has_draws(self):
        bound = lambda *a, **k: bc.make_kernel_bias_variational(*a, posterior="low_rank_normal", **k)  # noqa: E731
        found = weight_arrays.densities(_model(bound), most_layers=1)
        assert np.isnan(found["posterior"]).all()
        assert found["samples"].shape == (2, 400)
        mean = np.ravel(_model(bound)[0].posterior.kernel.mean())
        assert np.abs(found["samples"].mean(axis=1)[:, None] - mean).min(axis=1).max() < 0.1
        assert len(plotting.weight_densities(**found)) == 2

    def test_signal_to_noise_is_mean_over_standard_deviation(self, subject):
        layer = subject.run.model[0]
        expected = np.abs(layer.posterior.kernel.mean() / layer.posterior.kernel.stddev())
        np.testing.assert_allclose(figures.signal_to_noise(subject.run.model)["conv1"], np.ravel(expected), rtol=1e-5)


def _line(folder, likelihood, outputs):
    """A line of unit noise over one input, which stands in for a net."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (50, 1, 1, 1)).astype(np.float32)
    split = Split(x, (2 * x[:, 0, 0] + rng.normal(size=(50, 1))).astype(np.float32))
    dataset = data.Dataset("line", split, split, split, 1, ("y [m]",), task="regression")
    bc.set_seed(0)
    net = bc.Affine(1, outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout, name="line")
    model = bc.Sequential([bc.Flatten(), net])
    run = _run(folder, edits=[f"objective.likelihood={likelihood}"])._replace(model=model)
    return Subject(run, dataset)


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """A known line."""
    return _line(tmp_path_factory.mktemp("line"), "{name: normal, scale: 1.0}", 1)


class TestRealTargets:
    def test_have_figures_of_their_own(self, regression):
        assert list(_drawn(regression)) == [
            "learning_curves", "epistemic_std_inverted", "spread_inverted", "roc_inverted", "out_of_distribution",
            "shift_rmse", "shift_nll", "predicted_against_true", "quantile_calibration", "interval_coverage",
            "error_coverage", "predictive_bands", "signal_to_noise", "pruning", "weight_histograms",
            "weight_densities", "kl_by_layer", "prior_predictive",
        ]  # fmt: skip

    def test_functions_of_the_priors_are_drawn_along_the_input(self, regression):
        ax = _drawn(regression, "prior_predictive")["prior_predictive"]
        lines = [line.get_xydata() for line in ax.get_lines()]
        assert len(lines) == 12 + 1  # and their mean
        np.testing.assert_allclose(lines[-1][:, 1], np.mean([line[:, 1] for line in lines[:-1]], axis=0), rtol=1e-5)
        low, high = regression.dataset.train.x.min(), regression.dataset.train.x.max()
        assert (lines[0][0, 0], lines[0][-1, 0]) == pytest.approx((low, high))
        outputs = bc.sample_prior(regression.run.model, np.array([[low]], np.float32), num_samples=12, seed=0)
        np.testing.assert_allclose([line[0, 1] for line in lines[:-1]], outputs[:, 0, 0], rtol=1e-4, atol=1e-5)

    def test_quantiles_are_held_to_their_levels(self, tmp_path):
        subject = _line(tmp_path, "{name: quantiles, levels: [0.1, 0.5, 0.9]}", 3)
        drawn = _drawn(subject)
        assert "interval_coverage" not in drawn
        line = drawn["quantile_calibration"].get_lines()[0]
        y = subject.dataset.test.y
        expected = [np.mean(y < subject.test.quantile(level)) for level in (0.1, 0.5, 0.9)]
        np.testing.assert_allclose(line.get_xydata(), np.transpose([(0.1, 0.5, 0.9), expected]), rtol=1e-6)

    def test_without_a_variance_those_of_the_distribution_remain(self, tmp_path):
        drawn = _drawn(_line(tmp_path, "{name: student_t, df: 2.0}", 2))
        assert {"quantile_calibration", "interval_coverage", "predicted_against_true"} <= set(drawn)
        assert not {"error_coverage", "predictive_bands", "spread_inverted"} & set(drawn)

    def test_what_is_drawn_of_strange_and_corrupted_examples_is_the_evaluation(self, regression):
        drawn = _drawn(regression, "shift", "out_of_distribution")
        report = evaluation.report(regression.run, regression.dataset)
        for key in ("rmse", "nll"):
            line = next(line for line in drawn[f"shift_{key}"].lines if line.get_label() == "contrast")
            expected = [report[key], *(entry[key] for entry in report["shift"]["contrast"])]
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)
        written = {text.get_text() for text in drawn["out_of_distribution"].texts}
        assert written == {f"{value:.3f}" for value in report["ood"]["inverted"]["auroc"].values()}

    def test_bands_are_noise_and_draws_together(self, regression):
        ax = _drawn(regression, "predictive_bands")["predictive_bands"]
        x = np.ravel(regression.dataset.train.x)
        places = np.linspace(x.min(), x.max(), 201)
        predicted = regression.predict(places.reshape(-1, 1, 1, 1).astype(np.float32), "places")
        for band, std in zip(ax.collections, (np.hypot(1.0, predicted.std[:, 0]), np.ones(201)), strict=True):
            vertices = band.get_paths()[0].vertices
            widths = [np.ptp(vertices[np.isclose(vertices[:, 0], place), 1]) for place in places[[0, 100, 200]]]
            np.testing.assert_allclose(widths, 4 * std[[0, 100, 200]], rtol=1e-4)
        assert ax.get_ylabel() == "y [m]"


class TestPixels:
    @pytest.fixture
    def pixels(self, tmp_path):
        scenes = data.digit_scenes(size=16, train_size=4, validation_size=2, test_size=8, classes="ink")
        bc.set_seed(0)
        net = bc.Sequential([bc.Convolution(1, 2, 3, padding="SAME", make_kernel_bias_fn=bc.make_kernel_bias_flipout)])
        run = _run(tmp_path, edits=["objective.likelihood=categorical_per_pixel"])._replace(model=net)
        return Subject(run, scenes)

    def test_strange_and_corrupted_images_are_those_of_the_evaluation(self, pixels):
        drawn = _drawn(pixels, "histograms", "roc", "out_of_distribution", "shift")
        assert list(drawn) == [
            "predictive_entropy_inverted", "mutual_information_inverted", "roc_inverted", "out_of_distribution",
            "shift_mean_iou", "shift_accuracy", "shift_nll",
        ]  # fmt: skip
        report = evaluation.report(pixels.run, pixels.dataset)
        for key in ("mean_iou", "nll"):
            line = next(line for line in drawn[f"shift_{key}"].lines if line.get_label() == "contrast")
            expected = [report[key], *(entry[key] for entry in report["shift"]["contrast"])]
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)


class TestCommand:
    def test_options_reach_the_figures(self, monkeypatch, capsys, tmp_path):
        from bayesconv import experiment

        given = []
        monkeypatch.setattr(experiment, "plot", lambda folder, **options: given.append(options) or [folder / "a.pdf"])
        assert cli.main(["plot", str(tmp_path), "--only", "roc", "shift", "--format", "pdf", "--dpi", "72"]) == 0
        assert cli.main(["plot", str(tmp_path)]) == 0
        assert given == [
            {"only": ["roc", "shift"], "file_format": "pdf", "dpi": 72},
            {"only": None, "file_format": "png", "dpi": 150},
        ]
        assert capsys.readouterr().out.splitlines() == [f"{tmp_path / 'a.pdf'}"] * 2

    @pytest.mark.parametrize("wrong", [["--format", "gif"], ["--dpi", "0"]])
    def test_wrong_options_are_refused(self, wrong, tmp_path):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["plot", str(tmp_path), *wrong])

    def test_its_formats_are_those_of_the_plots(self):
        from bayesconv.cli.plot import FORMATS
        from bayesconv.plotting import theme

        assert FORMATS == theme.FORMATS
