"""Claims about the figure of a diagnosis: rows in order, ratios in their cells, inputs checked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot

from bayesconv import plotting


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def _meshes(ax):
    return [collection for collection in ax.collections if hasattr(collection, "get_coordinates")]


def test_a_row_a_layer_with_its_kl_and_the_histogram_of_its_ratios():
    left, right = plotting.posterior_diagnosis(
        {"conv1": 10.0, "conv2": 0.0, "head": 30.0}, {"conv1": [0.1] * 3 + [1.0], "conv2": None, "head": [5e-6, 99.0]}
    )
    assert [bar.get_width() for bar in left.patches] == [10.0, 0.0, 30.0]
    for ax in (left, right):
        assert [label.get_text() for label in ax.get_yticklabels()] == ["conv1", "conv2", "head"]
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # from the top
    conv1, head = _meshes(right)
    edges = conv1.get_coordinates()[0, :, 0]
    shares = np.asarray(conv1.get_array()).ravel()
    assert shares.sum() == pytest.approx(1.0)
    assert shares[np.searchsorted(edges, 0.1 * (1 + 1e-9)) - 1] == 0.75
    assert np.asarray(head.get_array()).ravel()[[0, -1]].tolist() == [0.5, 0.5]  # at the borders
    assert "no scales" in [text.get_text() for text in right.texts]


def test_it_draws_on_the_axes_it_is_given_and_leaves_no_trace():
    before = dict(pyplot.rcParams)
    axes = pyplot.subplots(1, 2)[1]
    found = plotting.posterior_diagnosis({"a": 1.0}, {"a": [0.5]}, axes)
    assert list(found) == list(axes)
    assert dict(pyplot.rcParams) == before


@pytest.mark.parametrize(
    ("kl", "ratios", "message"),
    [
        ({}, {}, r"one layer at least.* Received \[\] and \[\]"),
        ({"a": 1.0}, {"b": [1.0]}, r"Received \['a'\] and \['b'\]"),
        ({"a": np.nan}, {"a": [1.0]}, "KLs must be finite"),
        ({"a": 1.0}, {"a": []}, "Ratios must be a vector"),
        ({"a": 1.0}, {"a": [-1.0]}, "not negative. Received .* for 'a'"),
        ({"a": 1.0}, {"a": [np.inf]}, "finite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kl, ratios, message):
    with pytest.raises(ValueError, match=message):
        plotting.posterior_diagnosis(kl, ratios)


def test_two_axes_are_needed():
    with pytest.raises(ValueError, match=r"must be two, .* Received 3; make plt.subplots\(1, 2\)"):
        plotting.posterior_diagnosis({"a": 1.0}, {"a": [1.0]}, pyplot.subplots(1, 3)[1])
