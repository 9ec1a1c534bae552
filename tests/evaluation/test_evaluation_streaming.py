"""`bc.evaluate`: chunk by chunk as it would be at once, and how far off what is binned may be."""

import dataclasses
import json
import math

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.evaluation import accumulators
from bayesconv.evaluation.poisson import PoissonSums, ends_of
from bayesconv.evaluation.real_streams import RealTargets
from bayesconv.evaluation.regression import STRANGENESS, strangeness
from bayesconv.evaluation.uncertainties import SCORES, UNCERTAINTIES
from bayesconv.objectives import as_likelihood

N = 90
X = np.random.default_rng(0).normal(size=[N, 4]).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, N)
STRANGE = 3 * X[:50]
OPTIONS = {"num_samples": 8, "seed": 3}
INTERVAL = ("interval_coverage", "interval_width")
MOMENTS = ("aleatoric_std", "total_std", "gaussian_crps")
ENTROPIES = ("predictive_entropy", "expected_entropy", "mutual_information")


@pytest.fixture(scope="module")
def model():
    bc.set_seed(0)
    return bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)


@pytest.fixture(scope="module")
def predicted(model):
    return [bc.predict(model, x, **OPTIONS) for x in (X, STRANGE)]


@pytest.fixture(scope="module")
def report(model):
    return bc.evaluate(model, (X, Y), ood={"strange": STRANGE}, **OPTIONS)


class TestClasses:
    def test_it_is_json_and_has_the_exact_figures(self, report, predicted):
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        expected = bc.metrics.classification_report(predicted[0].mean, Y)
        for name in ("accuracy", "nll", "brier", "ece"):
            assert report[name] == pytest.approx(expected[name], rel=1e-6)
        for name in ("maximum", "classwise", "debiased_squared"):
            metric = getattr(bc.metrics, f"{name}_calibration_error")
            assert report["calibration"][name] == pytest.approx(metric(predicted[0].mean, Y))
        assert report["mutual_information"] == pytest.approx(predicted[0].mutual_information.mean(), rel=1e-5)
        assert report["num_examples"] == N

    def test_what_is_binned_encloses_the_exact_figure(self, report, predicted):
        wrong = predicted[0].mean.argmax(axis=1) != Y
        exact = bc.metrics.area_under_risk_coverage(predicted[0].predictive_entropy, wrong)
        assert report["aurc"]["lower"] - 1e-12 <= exact <= report["aurc"]["upper"] + 1e-12
        inside, outside = (predictive.mutual_information for predictive in predicted)
        entry = report["ood"]["strange"]["auroc"]["mutual_information"]
        assert entry["lower"] <= bc.metrics.ood_auroc(inside, outside) <= entry["upper"]
        assert entry["upper"] - entry["lower"] < 0.05
        for name, exact in bc.metrics.ood_report(inside, outside)._asdict().items():
            entry = report["ood"]["strange"][name]["mutual_information"]
            assert entry["lower"] - 1e-12 <= exact <= entry["upper"] + 1e-12
        assert report["ood"]["strange"]["num_examples"] == 50

    @pytest.mark.parametrize("size", [7, 30, 1000])
    def test_neither_batches_nor_chunks_matter(self, model, report, size):
        batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(13)
        strange = tf.data.Dataset.from_tensor_slices(STRANGE).batch(9)
        found = bc.evaluate(model, batches, ood={"strange": strange}, chunk_size=size, **OPTIONS)
        for name in ("accuracy", "nll", "brier", "ece", "num_examples", "mutual_information"):
            assert found[name] == pytest.approx(report[name], rel=1e-5), name
        # Other first chunks make other bins; both results enclose the exact figure.
        auroc, other = (r["ood"]["strange"]["auroc"]["predictive_entropy"] for r in (found, report))
        assert auroc["lower"] <= other["upper"]
        assert other["lower"] <= auroc["upper"]

    def test_no_chunk_is_larger_than_asked_for(self, model, monkeypatch):
        sizes = []

        def spy(model, x, predict=bc.predict, **options):
            sizes.append(len(x))
            return predict(model, x, **options)

        monkeypatch.setattr(bc, "predict", spy)
        bc.evaluate(model, [(X[:50], Y[:50]), (X[50:55], Y[50:55]), (X[55:], Y[55:])], chunk_size=20, **OPTIONS)
        assert max(sizes) == 20
        assert sum(sizes) == N

    def test_intervals_are_as_wide_as_the_spread_of_a_mean(self, report):
        ends = report["intervals"]["accuracy"]
        assert ends["lower"] < report["accuracy"] < ends["upper"]
        stderr = math.sqrt(report["accuracy"] * (1 - report["accuracy"]) / N)
        assert ends["upper"] - ends["lower"] == pytest.approx(3.92 * stderr, rel=0.35)  # 200 draws know it to 8 %

    def test_ensembles_are_scored(self, model, predicted):
        bc.set_seed(1)
        other = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        expected = bc.predict([model, other], X, **OPTIONS).mean
        found = bc.evaluate([model, other], (X, Y), chunk_size=40, **OPTIONS)
        assert found["nll"] == pytest.approx(bc.metrics.negative_log_likelihood(expected, Y), rel=1e-5)

    @pytest.mark.parametrize(
        ("data", "options", "expected"),
        [
            ([], {}, "must hold at least one example. Received none"),
            ([], {"likelihood": "normal"}, "must hold at least one example. Received none"),
            ((X[:0], Y[:0]), {}, "must hold at least one example. Received none"),
            ((X, Y), {"ood": {"a": (X, X)}}, "Received a tuple for 'a'; leave out labels, and put batches in a list"),
            ((X, Y[:-1]), {}, f"one label for each input. Received {N} inputs, {N - 1} labels"),
            ((X, Y + 0.5), {}, "integer labels"),
            ((X, X[:, :2]), {"likelihood": "normal"}, r"[Rr]eceived targets of shape"),
            ((X, np.full([N, 3], np.nan)), {"likelihood": "normal"}, "finite"),
            ((X, Y), {"ood": {"a": []}}, "The strange set 'a' must hold at least one example"),
            ((X, Y), {"ood": {"a": X[:0]}}, "The strange set 'a' must hold"),
            ([X], {}, r"must hold batches \(x, y\). Received one of ndarray"),
            ([(X[:3], Y[:2])], {}, "one label for each input. Received 3 inputs, 2 labels"),
            (((X, Y), (X, Y)), {}, r"one pair of arrays.* Received a tuple of tuple and tuple; put batches in a list"),
            (([X, Y], [X, Y]), {}, r"Received a tuple of list and list; put batches in a list: \[\(x1, y1\)"),
            (((X[:2], X[2:4]), (X[:2], X[2:4])), {}, "Received a tuple of tuple and tuple"),
            ((X, Y), {"likelihood": "bernoulli"}, "task of a likelihood must be one of .* Received 'multilabel'"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, model, data, options, expected):
        with pytest.raises(ValueError, match=expected):
            bc.evaluate(model, data, **OPTIONS, **options)

    @pytest.mark.parametrize("size", [0, -1, 2.5])
    def test_a_chunk_has_a_size(self, model, size):
        with pytest.raises(ValueError, match="`chunk_size` must be a positive int"):
            bc.evaluate(model, (X, Y), chunk_size=size, **OPTIONS)

    def test_strange_sets_have_names(self, model):
        with pytest.raises(TypeError, match=r"`ood` maps names to strange sets\. Received ndarray; name it"):
            bc.evaluate(model, (X, Y), ood=X, **OPTIONS)

    @pytest.mark.parametrize("make", [list, lambda batches: [list(batch) for batch in batches], iter])
    def test_two_batches_in_a_list_are_batches(self, model, report, make):
        found = bc.evaluate(model, make([(X[:45], Y[:45]), (X[45:], Y[45:])]), **OPTIONS)
        assert (found["num_examples"], found["accuracy"]) == (N, pytest.approx(report["accuracy"]))

    def test_what_is_no_data_at_all_is_refused(self, model):
        with pytest.raises(TypeError, match="must be batches"):
            bc.evaluate(model, 3, **OPTIONS)


def _encloses(found, name, inside, outside):
    for figure, exact in bc.metrics.ood_report(np.asarray(inside), np.asarray(outside))._asdict().items():
        ends = found[figure][name]
        assert ends["lower"] - 1e-9 <= exact <= ends["upper"] + 1e-9, figure


class TestOtherTargets:
    def test_real_numbers(self, model):
        y = np.random.default_rng(2).normal(size=[N, 3])
        likelihood = {"name": "normal", "scale": 0.5}
        found = bc.evaluate(model, (X, y), likelihood=likelihood, chunk_size=40, **OPTIONS)
        predictive = bc.predict(model, X, likelihood=likelihood, **OPTIONS)
        low, high = predictive.interval(0.9)
        assert found["rmse"] == pytest.approx(np.sqrt(np.mean((predictive.mean - y) ** 2)), rel=1e-5)
        assert found["mae"] == pytest.approx(np.abs(predictive.mean - y).mean(), rel=1e-5)
        assert found["interval_coverage"] == pytest.approx(np.mean((low <= y) & (y <= high)))
        assert found["interval_width"] == pytest.approx(np.mean(high - low), rel=1e-5)
        crps = bc.metrics.gaussian_crps(predictive.mean, predictive.total_std, y)
        assert found["gaussian_crps"] == pytest.approx(crps, rel=1e-5)
        assert found["aleatoric_std"] == pytest.approx(0.5)

    @pytest.mark.parametrize("size", [40, N])
    @pytest.mark.parametrize(
        ("options", "missing"),
        [
            ({"likelihood": "normal"}, set()),
            ({"likelihood": {"name": "quantiles", "levels": [0.1, 0.5, 0.9]}}, set()),
            ({"likelihood": "normal", "method": "moments"}, set()),
            ({"likelihood": {"name": "student_t", "df": 2.0}}, {"spread"}),
        ],
    )
    def test_strange_sets_of_real_numbers(self, model, options, size, missing):
        y = np.random.default_rng(2).normal(size=[N, 3 if options["likelihood"] == "normal" else 1])
        outputs = as_likelihood(options["likelihood"]).num_outputs(y.shape[1])
        bc.set_seed(0)
        model = bc.Affine(4, outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        options = {**OPTIONS, **options}
        found = bc.evaluate(model, (X, y), ood={"far": STRANGE}, chunk_size=size, **options)["ood"]["far"]
        inside, outside = (strangeness(bc.predict(model, x, **options)) for x in (X, STRANGE))
        for name in STRANGENESS:
            if name in missing:
                assert (found["auroc"][name], found[name]) == (None, None)
                continue
            _encloses(found, name, inside[name], outside[name])
            assert found[name] == pytest.approx(outside[name].mean(), rel=1e-5)
        assert found["num_examples"] == len(STRANGE)

    @pytest.mark.parametrize(
        ("likelihood", "outputs", "score", "targets"),
        [("normal", 1, "epistemic_std", np.zeros([9, 1])), ("categorical", 2, "mutual_information", np.zeros(9, int))],
    )
    def test_a_chunk_without_any_spread_counts_like_others(self, likelihood, outputs, score, targets):
        bc.set_seed(0)
        factory = bc.make_kernel_bias_flipout
        model = bc.Affine(2, outputs, use_bias=False, make_kernel_bias_fn=factory)
        x, far = np.array(X[:9, :2]), 4 * X[10:14, :2]
        x[-1] = 0.0  # alone in the last chunk, and predicted the same by every draw
        options = {**OPTIONS, "likelihood": likelihood}
        for size in (9, 8):
            found = bc.evaluate(model, (x, targets), ood={"far": far, "none": 0 * far}, chunk_size=size, **options)
            values = [
                getattr(bc.predict(model, part, **options), "std" if outputs == 1 else score) for part in (x, far)
            ]
            _encloses(found["ood"]["far"], score, *(part.reshape(-1) for part in values))
            assert found["ood"]["none"]["auroc"][score]["upper"] < 0.3

    def test_point_weights_have_no_epistemic_score(self):
        y = np.zeros([N, 1])
        found = bc.evaluate(bc.Affine(4, 1), (X, y), likelihood="normal", ood={"far": STRANGE}, **OPTIONS)["ood"]["far"]
        assert (found["auroc"]["epistemic_std"], found["epistemic_std"]) == (None, 0.0)

    @pytest.mark.parametrize("size", [3, 10])
    def test_strange_sets_of_images_with_a_class_for_every_pixel(self, size):
        bc.set_seed(0)
        model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        x = np.random.default_rng(3).normal(size=[10, 4, 5, 1]).astype(np.float32)
        y = np.random.default_rng(4).choice([0, 1, 2, 255], size=[10, 4, 5])
        y[:3] = 255  # in chunks of 3 the first has no label that counts
        options = {"likelihood": {"name": "categorical_per_pixel", "ignored_label": 255}, **OPTIONS}
        found = bc.evaluate(model, (x, y), ood={"far": 3 * x}, chunk_size=size, **options)["ood"]["far"]
        inside, outside = (bc.predict(model, part, **options) for part in (x, 3 * x))
        for name in SCORES:
            familiar = [values[labels != 255].mean() for values, labels in zip(getattr(inside, name), y, strict=True)
                        if (labels != 255).any()]  # fmt: skip
            others = getattr(outside, name).mean(axis=(1, 2))
            _encloses(found, name, familiar, others)
            assert found[name] == pytest.approx(others.mean(), rel=1e-5)
        assert found["num_examples"] == 10

    @pytest.mark.parametrize("size", [3, 4])
    def test_classes_of_pixels(self, size):
        bc.set_seed(0)
        model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        x = np.random.default_rng(3).normal(size=[10, 4, 5, 1]).astype(np.float32)
        y = np.random.default_rng(4).choice([0, 1, 2, 255], size=[10, 4, 5])
        y[3:6] = 255  # in chunks of 3 the second has no label that counts
        likelihood = {"name": "categorical_per_pixel", "ignored_label": 255}
        data = [(x[:6], y[:6]), (x[6:], y[6:])]
        found = bc.evaluate(model, data, likelihood=likelihood, chunk_size=size, **OPTIONS)
        predictive = bc.predict(model, x, likelihood=likelihood, **OPTIONS)
        probs = predictive.mean[y != 255]
        for name in UNCERTAINTIES:
            values = getattr(predictive, name)
            assert found[name] == pytest.approx(values[y != 255].mean(), rel=1e-5)
            assert abs(values.mean() / found[name] - 1) > 0.003  # what ignored pixels would make of it
        expected = bc.metrics.classification_report(probs, y[y != 255])
        for name in ("accuracy", "nll", "brier"):
            assert found[name] == pytest.approx(expected[name], rel=1e-5)
        assert found["expected_calibration_error"] == pytest.approx(expected["ece"], rel=1e-5)
        top = probs.argmax(axis=1)
        overlap = [np.sum((top == k) & (y[y != 255] == k)) / np.sum((top == k) | (y[y != 255] == k)) for k in range(3)]
        assert found["iou"] == pytest.approx(overlap)
        assert (found["num_examples"], found["num_pixels"]) == (10, int((y != 255).sum()))

    def test_twenty_classes_of_pixels_in_bytes(self):
        bc.set_seed(0)
        model = bc.Convolution(1, 20, 1)
        x = np.random.default_rng(3).normal(size=[2, 8, 8, 1]).astype(np.float32)
        y = bc.predict(model, x, likelihood="categorical_per_pixel").mean.argmax(axis=-1).astype(np.uint8)
        assert y.max() > 12  # 13 * 20 is more than a byte holds
        found = bc.evaluate(model, (x, y), likelihood="categorical_per_pixel")
        assert (found["accuracy"], found["mean_iou"]) == (1.0, 1.0)

    @pytest.mark.parametrize(
        ("likelihood", "outputs", "method", "missing"),
        [
            (
                {"name": "quantiles", "levels": [0.1, 0.5, 0.9]},
                3,
                "sampling",
                {*INTERVAL, *MOMENTS, *ENTROPIES, "nll", "crps"},
            ),
            (
                "heteroscedastic_normal",
                2,
                "moments",
                {*INTERVAL, "pinball", "predictive_entropy", "mutual_information"},
            ),
            ({"name": "student_t", "df": 2.0}, 2, "sampling", {*MOMENTS, "pinball"}),
        ],
    )
    def test_what_a_likelihood_has_not_is_none(self, likelihood, outputs, method, missing):
        bc.set_seed(0)
        model = bc.Affine(4, outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        y = np.random.default_rng(2).normal(size=[N, 1])
        options = OPTIONS if method == "sampling" else {"method": method}
        found = bc.evaluate(model, (X, y), likelihood=likelihood, chunk_size=40, **options)
        assert {name for name, value in found.items() if value is None} == missing
        mean = bc.predict(model, X, likelihood=likelihood, **options).mean
        assert found["mae"] == pytest.approx(np.abs(mean - y).mean(), rel=1e-5)
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_figure_that_one_chunk_has_not_is_none():
    predictive = bc.predict(bc.Affine(4, 1), X, num_samples=2, likelihood="normal")
    made = RealTargets()
    made.update(predictive, np.zeros(N))
    made.update(dataclasses.replace(predictive, likelihood="student_t", samples=None), np.zeros(N))
    found = made.result()
    assert found["interval_width"] is found["interval_coverage"] is None
    assert found["mae"] == pytest.approx(np.abs(predictive.mean).mean())


def test_a_single_example_has_no_intervals(model):
    nothing = {"lower": None, "upper": None}
    single = bc.evaluate(model, (X[:1], Y[:1]), **OPTIONS)["intervals"]
    assert {name for name, ends in single.items() if ends == nothing} == set(single)
    assert set(single) >= {"accuracy", "nll", "brier", "ece"}
    assert nothing not in bc.evaluate(model, (X[:2], Y[:2]), **OPTIONS)["intervals"].values()


class TestPoissonSums:
    def test_a_resample_without_copies_does_not_count(self):
        made = PoissonSums(seed=0)
        made.update({"nll": [-np.log(0.9)] * 2})
        rows = made.means()["nll"]
        assert np.isnan(rows).mean() > 0.05  # 1 in 7 expected
        assert ends_of(rows) == {"lower": pytest.approx(-np.log(0.9)), "upper": pytest.approx(-np.log(0.9))}
        assert ends_of(np.array([0.5, np.nan])) == {"lower": None, "upper": None}

    def test_its_sums_are_those_of_the_copies(self):
        values = np.random.default_rng(0).normal(size=[3, 2])
        made = PoissonSums(num_resamples=5, seed=7)
        made.update({"a": values[:2], "b": values[:2, 0]})
        made.update({"a": values[2:], "b": values[2:, 0]})
        rng = np.random.default_rng(7)
        counts = np.concatenate([rng.poisson(1.0, [5, 2]), rng.poisson(1.0, [5, 1])], axis=1)
        for row, of_a, of_b in zip([[1, 1, 1], *counts], made.sums("a"), made.sums("b"), strict=True):
            np.testing.assert_allclose(of_a, np.repeat(values, row, axis=0).sum(axis=0), atol=1e-12)
            assert of_b == pytest.approx(of_a[0])
        assert made.num_examples == 3
        np.testing.assert_allclose(made.means()["a"][0], values.mean(axis=0))

    def test_what_a_chunk_does_not_have_has_no_mean(self):
        made = PoissonSums(num_resamples=50)
        for chunk in ({"a": [1.0], "b": None}, {"a": [2.0], "b": [1.0]}, {"a": [3.0], "b": [1.0]}):
            made.update(chunk)
        assert made.means()["b"] is None
        assert made.means()["a"][0] == 2.0

    def test_a_figure_that_resampling_raises_is_mirrored_and_cut_off(self):
        rows = np.concatenate([[0.1], np.linspace(0.12, 0.3, 100)])
        assert ends_of(rows, level=0.9, least=0.0) == {"lower": 0.0, "upper": pytest.approx(0.071)}

    def test_its_intervals_hold_the_mean_as_often_as_they_say(self):
        # 200 data sets at a level of 0.9: within 0.84 and 0.96 but for 1 in 200.
        rng, held = np.random.default_rng(0), 0
        for seed in range(200):
            made = PoissonSums(seed=seed)
            made.update({"accuracy": rng.random(100) > 0.3})
            ends = ends_of(made.means()["accuracy"], level=0.9)
            held += ends["lower"] <= 0.7 <= ends["upper"]
        assert 0.84 <= held / 200 <= 0.96


def test_edges_rise_and_make_the_bins():
    edges = accumulators.edges_of(np.random.default_rng(0).normal(size=50))
    assert len(edges) == accumulators.NUM_BINS - 1
    assert (np.diff(edges) >= 0).all()
