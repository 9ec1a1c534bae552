"""Claims about the figures of a stream: in any chunks those of the evaluation in memory, or an enclosure of them."""

import dataclasses
import json
import math

import numpy as np
import pytest

import bayesconv as bc
from bayesconv.evaluation import accumulators, class_scores, real_streams, regression, segmentation, strangeness
from bayesconv.evaluation.class_streams import Classes
from bayesconv.evaluation.pixel_streams import Pixels
from bayesconv.evaluation.real_streams import RealTargets
from bayesconv.evaluation.strange_streams import StrangeStreams
from bayesconv.evaluation.uncertainties import ALL_SCORES, UNCERTAINTIES, uncertainty_scores

N = 240
CHUNKS = [17, 100, 1000]
X = np.random.default_rng(0).normal(size=[N, 4]).astype(np.float32)
RESAMPLES = 500


def _part(predictive, rows):
    """The prediction of some of the inputs."""
    names = ("mean", "std", "noise_variance", "votes", *UNCERTAINTIES)
    values = {name: getattr(predictive, name) for name in names}
    samples = None if predictive.samples is None else predictive.samples[:, rows]
    parts = {name: None if value is None else value[rows] for name, value in values.items()}
    return dataclasses.replace(predictive, samples=samples, **parts)


def _fed(made, predictive, labels, size):
    for start in range(0, len(labels), size):
        rows = slice(start, start + size)
        made.update(_part(predictive, rows), labels[rows])
    return made


def _streamed(made, predictive, labels, size):
    found = _fed(made, predictive, labels, size).result()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def _assert_enclosed(entry, exact, name):
    assert entry["lower"] - 1e-12 <= exact <= entry["upper"] + 1e-12, name
    assert entry["lower"] - 1e-12 <= entry["value"] <= entry["upper"] + 1e-12, name


def _assert_ends(found, exact, name):
    """Ends of 200 Poisson resamples and of 500 of as many examples: each known to a tenth of the width or so."""
    width = exact["upper"] - exact["lower"]
    for end in ("lower", "upper"):
        assert abs(found[end] - exact[end]) <= 0.2 * width + 1e-12, name


@pytest.fixture(scope="module")
def predicted():
    bc.set_seed(0)
    return bc.predict(bc.Affine(4, 7, make_kernel_bias_fn=bc.make_kernel_bias_flipout), X, num_samples=8)


@pytest.fixture(scope="module")
def labels(predicted):
    rng = np.random.default_rng(1)  # mostly the top class, so that there is a risk to keep
    return np.where(rng.random(N) < 0.7, predicted.mean.argmax(axis=1), rng.integers(0, 7, N))


@pytest.fixture(scope="module")
def exact(predicted, labels):
    return class_scores.complete(predicted, labels, num_resamples=RESAMPLES, has_several=True)


@pytest.fixture(scope="module")
def images():
    """A prediction of pixels, and labels that a tenth of them do not have."""
    bc.set_seed(0)
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    rng = np.random.default_rng(3)
    x = rng.normal(size=[40, 4, 5, 1]).astype(np.float32)
    predictive = bc.predict(model, x, likelihood="categorical_per_pixel", num_samples=8)
    shape = predictive.mean.shape[:-1]
    labels = np.where(rng.random(shape) < 0.6, predictive.mean.argmax(axis=-1), rng.integers(0, 3, shape))
    return predictive, np.where(rng.random(shape) < 0.1, 255, labels)


class TestClasses:
    @pytest.mark.slow
    @pytest.mark.parametrize("size", CHUNKS)
    def test_sums_give_the_figures_of_memory(self, predicted, labels, exact, size):
        found = _streamed(Classes(), predicted, labels, size)
        scores = ("accuracy", "nll", "brier", "ece")
        means = (*UNCERTAINTIES, "mutual_information_corrected", "disagreement")
        for name in (*scores, *means):
            assert found[name] == pytest.approx(exact[name], rel=1e-6), name
            _assert_ends(found["intervals"][name], exact["intervals"][name], name)
        assert found["variation_ratio"] == pytest.approx(predicted.variation_ratio.mean())
        assert found["top_k"]["k"] == exact["top_k"]["k"] == 5
        assert found["top_k"]["accuracy"] == pytest.approx(exact["top_k"]["accuracy"], rel=1e-12)
        _assert_ends(found["top_k"]["intervals"]["accuracy"], exact["top_k"]["intervals"]["accuracy"], "top-k")
        assert found["brier_decomposition"] == pytest.approx(exact["brier_decomposition"], abs=1e-12)
        for name, value in found["calibration"].items():
            assert value == pytest.approx(exact["calibration"][name]["value"], abs=1e-8), name
        assert exact["calibration"].keys() - found["calibration"].keys() == {"adaptive"}

    def test_null_bands_are_close_to_those_of_memory(self, predicted, labels, exact):
        found = _streamed(Classes(), predicted, labels, 100)
        pairs = {"expected": (found["ece_null"], exact["ece_null"])}
        pairs |= {name: (band, exact["calibration"][name]["null"]) for name, band in found["calibration_null"].items()}
        for name, (band, other) in pairs.items():
            width = other["upper"] - other["lower"]
            for end in band:  # the largest of all bins jumps to where one with a single example is
                most = 0.5 if (name, end) == ("maximum", "upper") else 0.15
                assert abs(band[end] - other[end]) < most * width, (name, end)
        assert set(found["calibration_null"]) == {"maximum", "debiased_squared"}

    @pytest.mark.parametrize("size", CHUNKS)
    @pytest.mark.parametrize("num_bins", [6, accumulators.NUM_BINS])
    def test_bins_enclose_what_abstaining_gives(self, predicted, labels, exact, size, num_bins, monkeypatch):
        monkeypatch.setattr(accumulators, "NUM_BINS", num_bins)
        found = _streamed(Classes(), predicted, labels, size)
        assert found["aurc"] == found["selection"]["predictive_entropy"]["aurc"]
        assert found["selection"].keys() == exact["selection"].keys()
        for score, figures in found["selection"].items():
            assert figures.keys() == exact["selection"][score].keys() - {"intervals"}
            for name, entry in figures.items():
                _assert_enclosed(entry, exact["selection"][score][name], (score, name))
                if size > N and num_bins > N:  # a bin for each
                    assert entry["value"] == pytest.approx(exact["selection"][score][name], abs=1e-12)

    def test_one_function_has_no_mutual_information_to_abstain_by(self, labels):
        bc.set_seed(0)
        found = _streamed(Classes(), bc.predict(bc.Affine(4, 7), X, num_samples=8), labels, 100)
        assert set(found["selection"]) == {"predictive_entropy", "max_probability"}
        assert found["disagreement"] == 0.0

    def test_without_votes_there_is_no_disagreement(self, predicted, labels):
        found = _streamed(Classes(), dataclasses.replace(predicted, votes=None), labels, 100)
        assert found["disagreement"] is found["variation_ratio"] is None
        assert "disagreement" not in found["intervals"]

    @pytest.mark.parametrize("size", CHUNKS)
    @pytest.mark.parametrize("num_bins", [6, accumulators.NUM_BINS])
    def test_strange_sets_are_told_apart_as_in_memory(self, predicted, size, num_bins, monkeypatch):
        monkeypatch.setattr(accumulators, "NUM_BINS", num_bins)
        inside, outside = _part(predicted, slice(0, 150)), _part(predicted, slice(150, N))
        made = StrangeStreams()
        for start in range(0, 150, size):
            made.update_familiar(_part(inside, slice(start, start + size)))
        for start in range(0, N - 150, size):
            made.update(_part(outside, slice(start, start + size)), "others")
        scores = uncertainty_scores(inside)
        exact = strangeness.against(scores, outside, num_resamples=0, has_several=True)
        found = made.result()["others"]
        assert found == made.result()["others"]
        for figure in ("auroc", "aupr_in", "aupr_out", "fpr95"):
            assert found[figure].keys() == set(ALL_SCORES)
            for name in scores:
                _assert_enclosed(found[figure][name], exact[figure][name], (figure, name))
        for name in (*UNCERTAINTIES, "mutual_information_corrected", "disagreement"):
            assert found[name] == pytest.approx(exact[name], rel=1e-6)
        assert found["num_examples"] == N - 150

    @pytest.mark.parametrize("where", ["familiar", "strange"])
    def test_a_score_that_a_chunk_has_not_is_none(self, predicted, where):
        made, without = StrangeStreams(), dataclasses.replace(predicted, samples=None)
        for part in (predicted, without if where == "familiar" else predicted):
            made.update_familiar(part)
        for part in (predicted, without if where == "strange" else predicted):
            made.update(part, "others")
        found = made.result()["others"]
        assert found["auroc"]["energy"] is found["fpr95"]["energy"] is None
        assert found["auroc"]["predictive_entropy"]["value"] == pytest.approx(0.5)  # both are the same images


class TestRealTargets:
    LIKELIHOODS = (
        ({"name": "normal", "scale": 0.5}, 2),
        ("heteroscedastic_normal", 2),
        ({"name": "student_t", "df": 4.0}, 2),
        ({"name": "quantiles", "levels": [0.05, 0.25, 0.5, 0.75, 0.95]}, 5),
    )

    @staticmethod
    def _predicted(likelihood, outputs, **options):
        bc.set_seed(0)
        model = bc.Affine(4, outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
        predictive = bc.predict(model, X, likelihood=likelihood, num_samples=8, **options)
        return predictive, predictive.mean + np.random.default_rng(2).normal(size=predictive.mean.shape)

    @pytest.mark.slow
    @pytest.mark.parametrize("size", CHUNKS)
    @pytest.mark.parametrize(("likelihood", "outputs"), LIKELIHOODS)
    def test_sums_give_the_figures_of_memory(self, likelihood, outputs, size):
        predictive, y = self._predicted(likelihood, outputs)
        exact = regression.scores(predictive, y, num_resamples=RESAMPLES)
        found = _streamed(RealTargets(), predictive, y, size)
        assert "ause" not in found  # it takes all examples in order
        exact["intervals"].pop("ause", None)
        for name, ends in exact["intervals"].items():
            # Other chunks draw other targets for the CRPS, whose mean over 240 the 1024 of each know to 0.3 %.
            tolerance = 0.015 if name == "crps" and size < N else 1e-6
            assert found[name] == (None if exact[name] is None else pytest.approx(exact[name], rel=tolerance)), name
            if ends is not None:
                _assert_ends(found["intervals"][name], ends, name)
        for level, entry in exact["credible"].items():
            ends = entry.pop("intervals")
            for name, value in entry.items():
                assert found["credible"][level][name] == pytest.approx(value, rel=1e-9), (level, name)
                _assert_ends(found["credible"][level]["intervals"][name], ends[name], (level, name))
        assert found["credible"].keys() == exact["credible"].keys()
        assert found["interval_coverage"] == found["credible"]["0.9"]["picp"]
        self._assert_calibration(found["calibration"], exact["calibration"])

    @staticmethod
    def _assert_calibration(found, exact):
        assert found["value"] == pytest.approx(exact["value"], rel=1e-9)
        assert found.get("below") == (pytest.approx(exact["below"]) if "below" in exact else None)
        _assert_ends(found["intervals"]["value"], exact["intervals"]["value"], "calibration")
        width = exact["null"]["upper"] - exact["null"]["lower"]
        assert max(abs(found["null"][end] - exact["null"][end]) for end in exact["null"]) < 0.1 * width

    def test_portions_of_a_chunk_do_not_matter(self, monkeypatch):
        predictive, y = self._predicted({"name": "normal", "scale": 0.5}, 3)
        whole = _streamed(RealTargets(), predictive, y, N)
        monkeypatch.setattr(real_streams, "_NUMBERS_AT_ONCE", real_streams.DRAWN * 3 * 50)
        found = _streamed(RealTargets(), predictive, y, N)
        assert list(real_streams._portions(N, 3)) == [(0, 50), (50, 100), (100, 150), (150, 200), (200, 240)]
        for name in ("rmse", "nll", "gaussian_crps", "interval_width", "epistemic_std"):
            assert found[name] == pytest.approx(whole[name], rel=1e-9)
        assert found["crps"] == pytest.approx(whole["crps"], rel=0.015)
        assert found["crps"] != whole["crps"]

    def test_chunks_do_not_share_the_targets_that_are_drawn(self):
        """Equal chunks with equal draws would have equal scores, whose noise does not average out."""
        predictive, y = self._predicted({"name": "normal", "scale": 0.5}, 1)
        made, part, crps = RealTargets(), _part(predictive, slice(0, 5)), []
        for count in (1, 2):
            made.update(part, y[:5])
            crps.append(made.result()["crps"] * count)
        assert crps[1] != pytest.approx(2 * crps[0], rel=1e-9)

    def test_figures_of_a_mixture_and_of_its_moments_are_not_averaged(self):
        predictive, y = self._predicted("heteroscedastic_normal", 2)
        made = RealTargets()
        made.update(predictive, y)
        made.update(dataclasses.replace(predictive, samples=None), y)
        found = made.result()
        assert found["nll"] is found["crps"] is found["calibration"] is None
        assert found["intervals"]["nll"] is None
        assert found["rmse"] == pytest.approx(math.sqrt(np.mean((predictive.mean - y) ** 2)))

    def test_a_single_pass_is_a_normal(self):
        predictive, y = self._predicted("heteroscedastic_normal", 2)
        predictive = dataclasses.replace(predictive, samples=None)
        exact = regression.scores(predictive, y)
        found = _streamed(RealTargets(), predictive, y, 100)
        for name in ("nll", "crps", "predictive_entropy"):
            assert found[name] == pytest.approx(exact[name], rel=1e-9)
        assert found["calibration"]["value"] == pytest.approx(exact["calibration"]["value"])


class TestPixels:
    @pytest.mark.parametrize("size", [7, 16, 100])
    @pytest.mark.parametrize("num_bins", [6, accumulators.NUM_BINS])
    def test_figures_are_those_of_memory(self, images, size, num_bins, monkeypatch):
        predicted, labels = images
        monkeypatch.setattr(accumulators, "NUM_BINS", num_bins)
        options = {"class_names": ["a", "b", "c"], "ignored_label": 255, "num_resamples": RESAMPLES}
        exact = segmentation.scores(predicted, labels, **options)
        found = _streamed(Pixels(255), predicted, labels, size)
        for name in ("accuracy", "mean_iou", "nll", "brier", *UNCERTAINTIES):
            assert found[name] == pytest.approx(exact[name], rel=1e-6), name
            _assert_ends(found["intervals"][name], exact["intervals"][name], name)
        assert found["iou"] == pytest.approx(list(exact["iou"].values()))
        assert found["expected_calibration_error"] == pytest.approx(exact["ece"])
        _assert_ends(found["intervals"]["expected_calibration_error"], exact["intervals"]["ece"], "ece")
        for ends, name in zip(found["intervals"]["iou"], "abc", strict=True):
            _assert_ends(ends, exact["intervals"]["iou"][name], name)
        for name, value in exact["error_auroc"].items():
            _assert_enclosed(found["error_auroc"][name], value, name)

    def test_the_error_of_a_calibrated_model_is_mirrored(self, images):
        """Resampling raises it: without the mirror the interval would lie above the one in memory."""
        predicted, _ = images
        drawn = np.random.default_rng(5).random([40, 4, 5, 1])
        labels = (predicted.mean.cumsum(axis=-1)[..., :-1] < drawn).sum(axis=-1)
        exact = segmentation.scores(predicted, labels, class_names=["a", "b", "c"], num_resamples=RESAMPLES)
        found = _streamed(Pixels(), predicted, labels, 16)
        _assert_ends(found["intervals"]["expected_calibration_error"], exact["intervals"]["ece"], "ece")

    def test_where_no_pixel_is_wrong_nothing_finds_it(self, images):
        predicted, _ = images
        found = _streamed(Pixels(), predicted, predicted.mean.argmax(axis=-1), 16)
        assert found["error_auroc"] == {"predictive_entropy": None, "mutual_information": None}
