"""Claims about files: the kinds there are, their resolution, the same bytes for the same figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from bayesconv import plotting


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_figure_is_saved_as_its_ending_says_and_twice_the_same(tmp_path, ending, start):
    made = []
    for name in ("one", "two"):
        ax = plotting.pruning_curve({"conv": [0.1, 0.5]})
        made.append(plotting.save(ax, tmp_path / f"{name}.{ending}", close=True).read_bytes())
    assert made[0].startswith(start)
    assert made[0] == made[1]


def test_dots_per_inch_are_those_asked_for(tmp_path):
    figure = plt.figure(figsize=(4, 2))
    sizes = [plt.imread(plotting.save(figure, tmp_path / f"{dpi}.png", dpi=dpi)).shape[1] for dpi in (50, 200)]
    assert sizes[1] == pytest.approx(4 * sizes[0], abs=4)


def test_all_are_saved_in_one_format(tmp_path):
    figures = ((name, plotting.pruning_curve({"conv": [0.1]})) for name in ("a", "b"))
    paths = plotting.save_all(figures, tmp_path / "new", file_format="svg", dpi=72)
    assert [path.name for path in paths] == ["a.svg", "b.svg"]
    assert plt.get_fignums() == []


def test_an_unknown_format_is_refused_before_anything_is_drawn(tmp_path):
    figures = ((name, plt.figure()) for name in ("a", "b"))
    with pytest.raises(ValueError, match=r"one of png, pdf, svg\. Received 'gif'"):
        plotting.save_all(figures, tmp_path / "new", file_format="gif")
    assert plt.get_fignums() == []
    assert not (tmp_path / "new").exists()
