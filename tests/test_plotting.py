"""Claims about what is drawn: the data behind bars, lines and texts, not pixels."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from overlaps import overlapping_texts, shown_texts

from bayesconv import metrics, plotting
from bayesconv.plotting.theme import BLUE, GREEN, GREY, VERMILION

HISTORY = [
    {"epoch": 1, "loss": 2.5, "nll": 2.0, "kl": 900.0, "validation_nll": 2.2, "validation_accuracy": 0.4},
    {"epoch": 2, "loss": 1.5, "nll": 1.0, "kl": 400.0, "validation_nll": 1.1, "validation_accuracy": 0.8},
    {"epoch": 3, "loss": 1.2, "nll": 0.8, "kl": 300.0, "validation_nll": 1.3, "validation_accuracy": 0.7},
]
IMAGES = np.arange(6 * 4 * 4).reshape(6, 4, 4) / 96.0
PROBS = np.array(
    [[0.5, 0.3, 0.2], [0.98, 0.01, 0.01], [0.4, 0.3, 0.3], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.6, 0.4, 0]]
)
STD = np.full([6, 3], 0.15)
LABELS = np.array([0, 0, 1, 1, 0, 0])
CURVE = metrics.ReliabilityCurve(
    bin_edges=np.array([0.0, 0.25, 0.5, 0.75, 1.0]),
    confidence=np.array([np.nan, 0.4, 0.6, 0.9]),
    accuracy=np.array([np.nan, 0.3, 0.65, 0.7]),
    count=np.array([0, 10, 20, 40]),
    lower=np.array([np.nan, 0.2, 0.4, 0.8]),
    upper=np.array([np.nan, 0.7, 0.8, 0.98]),
)


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


def _line(ax, label):
    return next(line for line in ax.get_lines() if line.get_label().startswith(label))


def _two_axes():
    return plt.subplots(1, 2)[1]


ONE_AXES = {
    "reliability_diagram": lambda ax: plotting.reliability_diagram(CURVE, ax),
    "uncertainty_histograms": lambda ax: plotting.uncertainty_histograms([0.1, 0.2], [0.5, 0.6, 0.9], ax),
    "ood_scores": lambda ax: plotting.ood_scores({"noise": {"entropy": 0.9}}, ax),
    "shift_curves": lambda ax: plotting.shift_curves({"blur": [0.9, 0.8]}, ax),
    "signal_to_noise": lambda ax: plotting.signal_to_noise({"conv": [0.1, 1.0, 3.0]}, ax),
}
GRIDS = {
    "learning_curves": lambda: plotting.learning_curves(HISTORY),
    "most_and_least_certain": lambda: plotting.most_and_least_certain(IMAGES, PROBS, STD, num_images=2),
}


@pytest.mark.parametrize("name", ONE_AXES)
def test_given_axes_are_used_and_no_figure_is_opened(name):
    ax = plt.subplots()[1]
    assert ONE_AXES[name](ax) is ax
    assert ax.has_data()
    assert plt.get_fignums() == [1]


@pytest.mark.parametrize("name", [*ONE_AXES, *GRIDS])
def test_settings_are_as_before_and_drawing_raises_no_warning(name):
    before = dict(mpl.rcParams)
    axes = ONE_AXES[name](None) if name in ONE_AXES else GRIDS[name]()
    np.ravel(axes)[0].figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", [*ONE_AXES, *GRIDS])
def test_no_two_texts_of_a_figure_overlap(name):
    axes = ONE_AXES[name](None) if name in ONE_AXES else GRIDS[name]()
    figure = np.ravel(axes)[0].get_figure(root=True)
    assert len(shown_texts(figure)) > 3
    assert overlapping_texts(figure) == []


def test_learning_curves_draw_each_quantity_in_its_own_axes():
    nll, kl = plotting.learning_curves(HISTORY)
    assert _line(nll, "training").get_ydata().tolist() == [2.0, 1.0, 0.8]
    assert _line(nll, "validation").get_ydata().tolist() == [2.2, 1.1, 1.3]
    assert kl.get_lines()[0].get_xydata().tolist() == [[1, 900], [2, 400], [3, 300]]
    assert (nll.get_yscale(), kl.get_yscale()) == ("log", "log")
    assert "nats" in kl.get_ylabel()


def test_best_epoch_is_the_one_of_least_validation_nll():
    nll, kl = plotting.learning_curves(HISTORY)
    best = _line(nll, "best")
    assert best.get_xydata().tolist() == [[2, 1.1]]
    assert best.get_label() == "best: epoch 2, 1.100 nats, 80.0% correct"
    assert [2, 2] in [list(line.get_xdata()) for line in kl.get_lines()]


def test_no_epoch_is_marked_without_validation():
    rows = [{key: row[key] for key in ("epoch", "loss", "nll", "kl")} for row in HISTORY]
    nll, _ = plotting.learning_curves(rows)
    assert [line.get_label() for line in nll.get_lines()] == ["training"]


def test_an_epoch_of_the_warm_up_is_not_the_best():
    rows = [{**row, "kl_weight": weight} for row, weight in zip(HISTORY, (0.2, 0.6, 1.0), strict=True)]
    nll, _ = plotting.learning_curves(rows)
    assert _line(nll, "best").get_xydata().tolist() == [[3, 1.3]]


def test_epochs_without_validation_or_with_nan_are_neither_drawn_nor_best():
    rows = [HISTORY[0], {"epoch": 2, "nll": 0.1, "kl": 5.0}, {**HISTORY[2], "nll": np.nan, "validation_nll": np.nan}]
    nll, _ = plotting.learning_curves(rows)
    assert _line(nll, "validation").get_xydata().tolist() == [[1, 2.2]]
    assert _line(nll, "best").get_xydata().tolist() == [[1, 2.2]]


def test_a_single_epoch_is_seen():
    nll, kl = plotting.learning_curves(HISTORY[:1])
    lines = [_line(nll, "training"), _line(nll, "validation"), kl.get_lines()[0]]
    assert [line.get_marker() for line in lines] == ["o"] * 3
    assert _line(plotting.learning_curves(HISTORY)[0], "training").get_marker() != "o"


def test_a_kl_of_zero_gets_a_linear_axis():
    _, kl = plotting.learning_curves([{"epoch": 1, "nll": 1.0, "kl": 0.0}, {"epoch": 2, "nll": 0.5, "kl": 0.0}])
    assert kl.get_yscale() == "linear"


def test_learning_curves_use_the_axes_they_are_given():
    axes = _two_axes()
    assert list(plotting.learning_curves(HISTORY, axes)) == list(axes)
    assert plt.get_fignums() == [1]


def test_reliability_diagram_draws_the_curve_and_its_band():
    ax = plotting.reliability_diagram(CURVE)
    bars = ax.containers[0]
    np.testing.assert_allclose([bar.get_y() for bar in bars][1:], [0.2, 0.4, 0.8])
    np.testing.assert_allclose([bar.get_height() for bar in bars][1:], [0.5, 0.4, 0.18])
    np.testing.assert_allclose([bar.get_x() for bar in bars], CURVE.bin_edges[:-1])
    assert _line(ax, "perfect").get_xydata().tolist() == [[0, 0], [1, 1]]
    inside = _line(ax, "measured, inside").get_xydata()
    assert inside[~np.isnan(inside).any(axis=1)].tolist() == [[0.4, 0.3], [0.6, 0.65]]
    assert _line(ax, "measured, outside").get_xydata().tolist() == [[0.9, 0.7]]


def test_reliability_diagram_shows_how_many_examples_each_bin_has():
    strip = plotting.reliability_diagram(CURVE).child_axes[0]
    assert [bar.get_height() for bar in strip.containers[0]] == [0, 10, 20, 40]
    assert strip.texts[0].get_text() == "70 examples"


def test_histogram_of_confidence_stays_below_the_accuracy_axis():
    ax = plotting.reliability_diagram(CURVE)
    ax.figure.canvas.draw()
    zero = ax.transData.transform((0, 0))[1]
    assert ax.child_axes[0].get_window_extent().y1 <= zero


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({}, ""),
        ({"ece": 0.0314}, "ECE 0.031"),
        ({"label": "lenet5", "ece": 0.0314}, "lenet5\nECE 0.031"),
        ({"ece": 0.05, "null": metrics.NullBand(0.02, 0.01, 0.03)}, "ECE 0.050 (calibrated: 0.010 to 0.030)"),
    ],
)
def test_reliability_title_states_the_error_and_its_yardstick(options, title):
    assert plotting.reliability_diagram(CURVE, **options).get_title(loc="left") == title


def test_uncertainty_histograms_are_densities_over_the_same_bins():
    rng = np.random.default_rng(0)
    familiar, strange = rng.gamma(1.0, 0.1, 500), rng.gamma(4.0, 0.2, 80)
    ax = plotting.uncertainty_histograms(familiar, strange, name="entropy", out_name="noise", auroc=0.98765)
    edges = np.histogram_bin_edges(np.concatenate([familiar, strange]), bins=40)
    for patch, values in zip(ax.patches, (familiar, strange), strict=True):
        expected, _ = np.histogram(values, bins=edges, density=True)
        corners = patch.get_xy()
        np.testing.assert_allclose(np.unique(corners[:, 0]), edges)
        assert set(np.round(expected, 9)) <= set(np.round(corners[:, 1], 9))
    assert ax.get_title(loc="left") == "AUROC 0.988"
    assert ax.get_xlabel() == "entropy [nats]"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["in distribution (500)", "noise (80)"]


def test_ood_bars_start_at_chance_and_end_at_the_auroc():
    table = {"noise": {"entropy": 0.9, "mutual_information": 0.95}, "rotated": {"mutual_information": 0.4}}
    ax = plotting.ood_scores(table)
    entropy, information = ax.containers
    assert [bar.get_x() + bar.get_width() for bar in entropy] == pytest.approx([0.9])
    assert [bar.get_x() + bar.get_width() for bar in information] == pytest.approx([0.95, 0.4])
    assert {round(bar.get_y() + bar.get_height() / 2) for bar in information} == {0, 1}
    assert [text.get_text() for text in ax.texts] == ["0.900", "0.950", "0.400"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["noise", "rotated"]
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in ax.get_lines())
    assert ax.get_xlim()[0] < 0.4


def test_shift_curves_begin_unharmed_and_have_their_mean():
    table = {"blur": [0.9, 0.8, 0.4], "gaussian_noise": [0.9, 0.6, 0.2]}
    ax = plotting.shift_curves(table)
    for name, expected in (*table.items(), ("mean", [0.9, 0.7, 0.3])):
        line = _line(ax, name.replace("_", " "))
        np.testing.assert_allclose(line.get_ydata(), expected)
        np.testing.assert_allclose(line.get_xdata(), [0, 1, 2])
    assert plotting.shift_curves(table, name="NLL", unit="nats").get_ylabel() == "NLL [nats]"


def test_signal_to_noise_marks_medians_quartiles_and_one():
    rng = np.random.default_rng(0)
    layers = {"conv1": rng.lognormal(0, 1, 401), "dense": rng.lognormal(-2, 1, 99)}
    ax = plotting.signal_to_noise(layers)
    assert ax.get_xscale() == "log"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv1", "dense"]
    boxes = [patch.get_path().vertices[:, 0] for patch in ax.patches]
    for box, values in zip(boxes, layers.values(), strict=True):
        np.testing.assert_allclose([box.min(), box.max()], np.quantile(values, [0.25, 0.75]))
    drawn = [line.get_xdata() for line in ax.get_lines()]
    for values in layers.values():
        assert any(len(x) == 2 and np.allclose(x, np.median(values)) for x in drawn)
        assert f"{np.median(values):.2g}" in [text.get_text() for text in ax.texts]
    assert any(list(x) == [1, 1] for x in drawn)


def test_signal_to_noise_of_an_untrained_bias_is_drawn_at_the_floor():
    ax = plotting.signal_to_noise({"bias": np.zeros(4)})
    ax.figure.canvas.draw()
    assert "< 0.001" in [text.get_text() for text in ax.texts]
    assert ax.get_xlim()[0] > 0


def test_images_are_ordered_from_the_most_to_the_least_certain():
    axes = plotting.most_and_least_certain(IMAGES, PROBS, STD, LABELS, num_images=2)
    assert axes.shape == (4, 2)
    shown = [ax.get_images()[0].get_array() for ax in axes[:, 0]]
    order = np.argsort(metrics.predictive_entropy(PROBS))
    for image, i in zip(shown, order[[0, 1, -2, -1]], strict=True):
        np.testing.assert_array_equal(image, IMAGES[i])
    assert axes[-1, 1].get_title(loc="left") == f"entropy {metrics.predictive_entropy(PROBS)[2]:.2f}"


def test_given_scores_order_the_images():
    axes = plotting.most_and_least_certain(
        IMAGES, PROBS, STD, scores=[5, 4, 3, 2, 1, 0], num_images=1, score_name="mine"
    )
    np.testing.assert_array_equal(axes[0, 0].get_images()[0].get_array(), IMAGES[5])
    np.testing.assert_array_equal(axes[1, 0].get_images()[0].get_array(), IMAGES[0])
    assert axes[1, 1].get_title(loc="left") == "mine 5.00"


def test_class_bars_are_the_probabilities_and_error_bars_stay_in_the_unit_interval():
    axes = plotting.most_and_least_certain(IMAGES, PROBS, STD, LABELS, num_images=1)
    bars = axes[0, 1].containers[0]
    np.testing.assert_allclose([bar.get_width() for bar in bars], PROBS[1])
    segments = axes[0, 1].containers[1].lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in segments], [[0.83, 1.0], [0.0, 0.16], [0.0, 0.16]])


def test_colours_tell_right_from_wrong():
    axes = plotting.most_and_least_certain(IMAGES, PROBS, STD, LABELS, num_images=1)
    colours = [[to_hex(bar.get_facecolor()).upper() for bar in ax.containers[0]] for ax in axes[:, 1]]
    assert colours == [[GREEN, GREY, GREY], [VERMILION, GREEN, GREY]]
    axes = plotting.most_and_least_certain(IMAGES, PROBS, STD, num_images=1)
    assert to_hex(axes[1, 1].containers[0][0].get_facecolor()).upper() == BLUE


def test_only_the_ten_most_probable_classes_and_the_true_one_are_shown():
    probs = np.r_[[0.5], np.full(29, 0.5 / 29)][None].repeat(2, axis=0)
    probs[:, 1:20] += 1e-4
    probs /= probs.sum(axis=1, keepdims=True)
    axes = plotting.most_and_least_certain(np.zeros([2, 4, 4]), probs, 0 * probs, [29, 29], num_images=1)
    assert [label.get_text() for label in axes[0, 1].get_yticklabels()] == [str(k) for k in [*range(10), 29]]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_channels_and_a_given_figure(channels):
    figure = plt.figure()
    images = np.repeat(IMAGES[..., None], channels, axis=-1)
    axes = plotting.most_and_least_certain(images, PROBS, STD, num_images=3, figure=figure, class_names=["a", "b", "c"])
    assert axes.shape == (6, 2)
    assert axes[0, 0].get_figure(root=True) is figure
    assert plt.get_fignums() == [figure.number]
    assert [label.get_text() for label in axes[0, 1].get_yticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plotting.learning_curves([]), "`history`.*Received none"),
        (lambda: plotting.learning_curves([{"epoch": 1, "nll": 1.0}]), r"without \['kl'\]"),
        (lambda: plotting.learning_curves(HISTORY, np.array(plt.figure().subplots(1, 3))), "`axes` must be two.*3"),
        (lambda: plotting.reliability_diagram(CURVE._replace(count=np.ones(3))), "`curve`.*'count': 3"),
        (lambda: plotting.uncertainty_histograms([], [1.0]), "`in_values`.*not empty"),
        (lambda: plotting.uncertainty_histograms([1.0], [[1.0]]), r"`out_values`.*shape \[1, 1\]"),
        (lambda: plotting.ood_scores({}), "`table`"),
        (lambda: plotting.ood_scores({"noise": {"entropy": 97.0}}), "97.0 for 'entropy' on 'noise'"),
        (lambda: plotting.shift_curves({}), r"Received none; name some in evaluation\.corruptions"),
        (lambda: plotting.shift_curves({"blur": [1.0, 0.5], "fog": [1.0]}), r"rows of \[1, 2\]"),
        (lambda: plotting.shift_curves({"blur": [1.0, np.nan]}), "finite"),
        (lambda: plotting.signal_to_noise({}), "at least one layer"),
        (lambda: plotting.signal_to_noise({"conv": np.ones([3, 3])}), r"\[3, 3\] for 'conv'.*ravel"),
        (lambda: plotting.signal_to_noise({"conv": [-1.0]}), "not negative"),
        (lambda: plotting.most_and_least_certain(IMAGES[0], PROBS, STD), r"`images` must be.*\[4, 4\]"),
        (lambda: plotting.most_and_least_certain(IMAGES, PROBS, STD[:, :2]), r"std \[6, 2\]"),
        (lambda: plotting.most_and_least_certain(IMAGES, PROBS, STD, class_names=["a"]), "1 names"),
        (lambda: plotting.most_and_least_certain(IMAGES, PROBS, STD, LABELS + 3), r"\[0, 3\).*Received 4"),
        (lambda: plotting.most_and_least_certain(IMAGES, PROBS, STD), "N / 2 = 3. Received 4"),
        (lambda: plotting.most_and_least_certain(IMAGES, PROBS * 2, STD), "sum to one"),
        (lambda: plotting.save(plt.figure(), "figure.jpg"), r"must end in one of them\. Received 'figure\.jpg'"),
        (lambda: plotting.save(plt.figure(), "figure.png", dpi=0), "`dpi` must be positive.*Received 0"),
    ],
)
def test_wrong_input_is_an_error_that_says_what_was_received(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("what", ["figure", "subfigure", "axes", "array"])
def test_save_writes_a_png_of_whatever_it_is_given(what, tmp_path):
    figure = plt.figure(figsize=(4, 2))
    axes = figure.subplots(1, 2)
    part = figure.subfigures(1, 1)
    given = {"figure": figure, "subfigure": part, "axes": axes[0], "array": axes}[what]
    path = plotting.save(given, tmp_path / "new" / "figure.png")
    assert path == tmp_path / "new" / "figure.png"
    height, width = plt.imread(path).shape[:2]
    assert 500 < width < 640  # 4 inches of 150 dots, up to the tight margin
    assert 250 < height < 340
    assert [entry.name for entry in path.parent.iterdir()] == ["figure.png"]


def test_style_lasts_as_long_as_its_block():
    before = mpl.rcParams["font.size"]
    with plotting.style():
        assert mpl.rcParams["font.size"] == 13
    assert mpl.rcParams["font.size"] == before


def test_public_names_are_sorted():
    assert plotting.__all__ == sorted(plotting.__all__)


def test_save_closes_the_figure_on_request(tmp_path):
    open_figures = plt.get_fignums()
    plotting.save(plotting.learning_curves([{"epoch": 1, "nll": 1.0, "kl": 2.0}]), tmp_path / "a.png", close=True)
    assert plt.get_fignums() == open_figures


def test_save_all_writes_every_figure_or_none_and_leaves_none_open(tmp_path):
    open_figures = plt.get_fignums()
    rows = [{"epoch": 1, "nll": 1.0, "kl": 2.0}]

    def figures(fail):
        yield "first", plotting.learning_curves(rows)
        if fail:
            raise ValueError("no second figure")

    with pytest.raises(ValueError, match="no second"):
        plotting.save_all(figures(fail=True), tmp_path)
    assert [*tmp_path.iterdir()] == []
    assert plotting.save_all(figures(fail=False), tmp_path) == [tmp_path / "first.png"]
    assert plt.get_fignums() == open_figures
