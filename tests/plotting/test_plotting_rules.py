"""Claims that hold of every plot: axes in and out, settings as before, words that can be read, bad input refused."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from overlaps import overlapping_texts, shown_texts

from bayesconv import metrics, plotting
from bayesconv.plotting import theme

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 10, 60)
LOGITS = RNG.normal(size=(8, 60, 10)) + 2.5 * np.eye(10)[LABELS]
SAMPLES = metrics.apply_temperature(LOGITS, 1.0)
PROBS = SAMPLES.mean(axis=0)
CURVE = metrics.reliability_curve(PROBS, LABELS)
SETS = metrics.conformal_sets(PROBS, LABELS)(PROBS)
X = np.linspace(-1, 1, 30)
PLACES = np.tile(X, (6, 1))
DENSITIES = np.exp(-(PLACES**2))
LAYERS = {"conv1": RNG.gamma(1.0, 1.0, 90), "a_layer_of_a_long_name": RNG.gamma(1.0, 0.2, 300), "head": np.ones(10)}
STD = np.full(60, 0.3)
KL = {name: 3.3 * len(values) for name, values in LAYERS.items()}
SIZES = {name: len(values) for name, values in LAYERS.items()}
NAMES = [f"class {k}" for k in range(10)]
LEVELS = np.arange(1, 11) / 11

ONE = {
    "calibration_overlay": lambda ax: plotting.calibration_overlay({"before": CURVE, "after": CURVE}, ax),
    "class_bars": lambda ax: plotting.class_bars(PROBS[0], PROBS[0] / 2, ax, label=3, class_names=NAMES),
    "class_draws": lambda ax: plotting.class_draws(SAMPLES[:, 0], ax, label=3, class_names=NAMES),
    "class_draws violin": lambda ax: plotting.class_draws(SAMPLES[:, 0], ax, kind="violin"),
    "conformal_set_sizes": lambda ax: plotting.conformal_set_sizes({"THR": SETS, "APS": SETS}, LABELS, ax),
    "predicted_against_true": lambda ax: plotting.predicted_against_true(PROBS[:, 0], PROBS[:, 1], STD, ax),
    "predictive_bands": lambda ax: plotting.predictive_bands(
        X, X, X**2, ax, aleatoric=0 * X, data=(X, X), functions=[X, -X]
    ),
    "image_grid": lambda ax: plotting.image_grid(np.zeros([2, 3, 4, 4, 1]), ax, title="images"),
    "pruning_curve": lambda ax: plotting.pruning_curve(LAYERS, ax),
    "quantile_calibration": lambda ax: plotting.quantile_calibration({"one": PROBS[:, 0], "two": PROBS[:, 1]}, ax),
    "interval calibration": lambda ax: plotting.quantile_calibration({"a net": PROBS[:, 0]}, ax, intervals=True),
    "quantile_shares": lambda ax: plotting.quantile_shares({"one": PROBS < 0.1, "two": PROBS < 0.2}, LEVELS, ax),
    "reliability_diagram": lambda ax: plotting.reliability_diagram(CURVE, ax, ece=0.1, error_bars=0.9),
    "risk_coverage": lambda ax: plotting.risk_coverage({"one": STD, "two": PROBS[:, 0]}, PROBS[:, 1] > 0.1, ax),
    "roc_curves": lambda ax: plotting.roc_curves(metrics.ood_scores(LOGITS), metrics.ood_scores(LOGITS / 2), ax),
}
SEVERAL = {
    "kernel_images": (2, lambda axes: plotting.kernel_images(np.ones([3, 3, 4, 5]), np.ones([3, 3, 4, 5]), axes)),
    "kl_by_layer": (2, lambda axes: plotting.kl_by_layer(KL, SIZES, axes)),
    "sample_convergence": (3, lambda axes: plotting.sample_convergence(LOGITS, LABELS, axes, num_resamples=4)),
    "weight_histograms": (2, lambda axes: plotting.weight_histograms(LAYERS, LAYERS, axes)),
}
GRIDS = {
    "ranked_images": lambda figure: plotting.ranked_images(
        np.zeros([60, 8, 8]), {"mutual_information": PROBS[:, 0]}, num_images=3, captions=["right"] * 60, figure=figure
    ),
    "weight_densities": lambda figure: plotting.weight_densities(PLACES, DENSITIES, DENSITIES, figure=figure),
}
NEW = {
    **{name: lambda call=call: call(None) for name, call in ONE.items()},
    **{name: lambda call=call: call(None) for name, (_, call) in SEVERAL.items()},
    **{name: lambda call=call: call(None) for name, call in GRIDS.items()},
}


@pytest.mark.parametrize("name", ONE)
def test_given_axes_are_used_and_no_figure_is_opened(name):
    ax = plt.subplots()[1]
    assert ONE[name](ax) is ax
    assert ax.has_data()
    assert plt.get_fignums() == [1]


@pytest.mark.parametrize("name", SEVERAL)
def test_given_rows_of_axes_are_used(name):
    number, call = SEVERAL[name]
    axes = plt.subplots(1, number)[1]
    assert list(call(axes)) == list(axes)
    assert all(ax.has_data() for ax in axes)
    assert plt.get_fignums() == [1]


@pytest.mark.parametrize("name", SEVERAL)
def test_another_number_of_axes_is_refused(name):
    number, call = SEVERAL[name]
    with pytest.raises(ValueError, match=rf"`axes` must be .* Received 4; make plt.subplots\(1, {number}\)"):
        call(plt.subplots(1, 4)[1])


@pytest.mark.parametrize("name", GRIDS)
def test_given_figures_are_used(name):
    figure = plt.figure()
    assert all(ax.get_figure(root=True) is figure for ax in np.ravel(GRIDS[name](figure)))
    assert plt.get_fignums() == [figure.number]


@pytest.mark.slow
@pytest.mark.parametrize("name", NEW)
def test_a_new_figure_leaves_the_settings_and_its_words_can_be_read(name):
    before = dict(mpl.rcParams)
    figure = np.ravel(NEW[name]())[0].get_figure(root=True)
    assert overlapping_texts(figure) == []
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == [figure.number]
    assert min(text.get_fontsize() for text in shown_texts(figure)) >= 11


WRONG = [
    (lambda: plotting.calibration_overlay({}), "`curves` must name at least one model"),
    (lambda: plotting.calibration_overlay({"a": CURVE}, ece={"b": 0.1}), r"\['a'\]. Received \['b'\]"),
    (lambda: plotting.calibration_overlay({"a": CURVE}, error_bars=90), "strictly between 0 and 1.*Received 90"),
    (lambda: plotting.reliability_diagram(CURVE, error_bars=0), "`error_bars`.*Received 0"),
    (lambda: plotting.class_bars([0.5, 0.4]), "sum to one"),
    (lambda: plotting.class_bars([0.5, 0.5], [0.1]), r"`std` must be \[2\].*Received shape \[1\]"),
    (lambda: plotting.class_bars([0.5, 0.5], [0.1, -0.1]), "not negative"),
    (lambda: plotting.class_bars([0.5, 0.5], label=2), r"\[0, 2\). Received 2"),
    (lambda: plotting.class_bars([0.5, 0.5], class_names=["a"]), "`class_names` must be 2.*Received 1"),
    (lambda: plotting.class_draws(PROBS[0]), r"\[S, K\] of its draws"),
    (lambda: plotting.class_draws(PROBS, kind="bar"), "'box' or 'violin'. Received 'bar'"),
    (lambda: plotting.conformal_set_sizes({}), "`sets` must name at least one method"),
    (lambda: plotting.conformal_set_sizes({"a": PROBS}), "booleans"),
    (lambda: plotting.conformal_set_sizes({"a": SETS}, LABELS[1:]), "one class index per example"),
    (lambda: plotting.kernel_images(np.ones([3, 3]), np.ones([3, 3])), r"\[H, W, C_in, C_out\].*Received \[3, 3\]"),
    (lambda: plotting.kernel_images(np.ones([3, 3, 1, 1]), -np.ones([3, 3, 1, 1])), "not negative. Received .*-1.0"),
    (lambda: plotting.kl_by_layer({}, {}), "one at least"),
    (lambda: plotting.kl_by_layer({"a": 1.0}, {"b": 1}), r"Received \['a'\] and \['b'\]"),
    (lambda: plotting.kl_by_layer({"a": np.inf}, {"a": 1}), "KLs must be finite"),
    (lambda: plotting.kl_by_layer({"a": 1.0}, {"a": 0}), "one weight at least"),
    (lambda: plotting.predicted_against_true([1.0], [1.0, 2.0]), r"`mean` must be a vector of 1"),
    (lambda: plotting.predicted_against_true([1.0], [1.0], [-1.0]), "`std` must not be negative"),
    (lambda: plotting.predictive_bands(X, X, X), "`std` must not be negative"),
    (lambda: plotting.predictive_bands(X, X[1:], X), "`mean` must be a vector of 30"),
    (lambda: plotting.predictive_bands(X, X, X**2, aleatoric=1 + X**2), "a part of `std`"),
    (lambda: plotting.predictive_bands(X, X, X**2, functions=[X[1:]]), r"`functions` must be \[S, 30\]"),
    (lambda: plotting.pruning_curve({}), "`snr_by_layer` must name at least one layer"),
    (lambda: plotting.pruning_curve({"a": [-1.0]}), "not negative"),
    (lambda: plotting.quantile_calibration({}), "`pit` must name at least one model"),
    (lambda: plotting.quantile_calibration({"a": [1.5]}), r"\[0, 1\].*for 'a'"),
    (lambda: plotting.quantile_calibration({"a": [np.nan]}), r"\[0, 1\]"),
    (lambda: plotting.quantile_calibration({"a": [0.5]}, level=90), "no percentage. Received 90"),
    (lambda: plotting.quantile_shares({}, [0.5]), "`below` must name at least one model"),
    (lambda: plotting.quantile_shares({"a": [[True, False]]}, [0.5]), r"`below` must be \[N, 1\].*\[1, 2\] for 'a'"),
    (lambda: plotting.quantile_shares({"a": [[True]]}, [1.0]), r"strictly between 0 and 1. Received \[1.0\]"),
    (lambda: plotting.ranked_images(np.zeros([4, 8, 8]), {}), "`scores` must name at least one"),
    (lambda: plotting.ranked_images(np.zeros([4, 8, 8]), {"a": [1.0]}), r"\[4\] finite.*\[1\] for 'a'"),
    (lambda: plotting.ranked_images(np.zeros([4, 8, 8]), {"a": range(4)}), "N / 2 = 2. Received 8"),
    (lambda: plotting.ranked_images(np.zeros([4, 8, 8]), {"a": range(4)}, captions=["a"]), "`captions` must be 4"),
    (lambda: plotting.risk_coverage({}, []), "at least one model"),
    (lambda: plotting.risk_coverage({"a": [1.0]}, {"b": [1.0]}), r"Received \['a'\] and \['b'\]"),
    (lambda: plotting.risk_coverage({"a": [1.0]}, [1.0, 0.0]), r"`losses` must have shape \[1\]"),
    (lambda: plotting.roc_curves({}, {}), "one at least"),
    (lambda: plotting.roc_curves({"a": [1.0]}, {"b": [1.0]}), r"Received \['a'\] and \['b'\]"),
    (lambda: plotting.roc_curves({"a": [1.0]}, {"a": []}), "`out_scores` must be a vector"),
    (lambda: plotting.sample_convergence(PROBS, LABELS), r"`logits` must be \[S, N, K\]"),
    (lambda: plotting.sample_convergence(LOGITS, LABELS, counts=[0]), r"must be positive. Received \[0\]"),
    (lambda: plotting.weight_densities(X, X), r"`x` must be \[W, P\]"),
    (lambda: plotting.weight_densities(PLACES), "Received neither"),
    (lambda: plotting.weight_densities(PLACES, -DENSITIES), "not negative"),
    (lambda: plotting.weight_densities(PLACES, DENSITIES, X), r"`prior` must be densities \[6, 30\]"),
    (lambda: plotting.weight_densities(PLACES, samples=X), r"`samples` must be \[6, S\]"),
    (lambda: plotting.weight_densities(PLACES, DENSITIES, names=["a"]), "`names` must be 6"),
    (lambda: plotting.weight_histograms({}, {}), "`means` must name at least one layer"),
    (lambda: plotting.weight_histograms({"a": [1.0]}, {"b": [1.0]}), "the same layers"),
    (lambda: plotting.weight_histograms({"a": [1.0]}, {"a": [-1.0]}), "`scales` must be vectors.*not negative"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_input_is_refused_before_a_figure_is_opened(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert plt.get_fignums() == []


# Linear RGB as those without long-wave, middle-wave or short-wave cones see it: Machado, Oliveira and Fernandes, A
# Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE TVCG 2009, severity 1.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colours, deficiency):
    """CIE L*a*b* of colours as someone with a deficiency sees them."""
    srgb = np.array([mpl.colors.to_rgb(colour) for colour in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(DEFICIENCIES[deficiency]), 0, 1) @ np.transpose(TO_XYZ)
    f = np.cbrt(seen / np.sum(TO_XYZ, axis=1) + 1e-9)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def least_difference(colours, deficiency):
    seen = lab(colours, deficiency)
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_colours_of_lines_differ_for_the_colour_blind(deficiency):
    # A difference of 2.3 is just noticed side by side; matplotlib's own come within 5 of one another.
    assert least_difference((*theme.PALETTE, "white"), deficiency) > 10


def test_colours_that_the_colour_blind_confuse_are_found():
    usual = mpl.colormaps["tab10"].colors[:6]
    assert min(least_difference(usual, deficiency) for deficiency in DEFICIENCIES) < 6
