"""Whether the words of a figure can be read: none is drawn over another."""

from __future__ import annotations

import itertools

import matplotlib as mpl


def shown_texts(figure) -> list:
    """The texts of a figure that are drawn."""
    figure.canvas.draw()
    idle = {id(label) for ax in figure.findobj(mpl.axes.Axes) for label in _idle_labels(ax)}
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in texts if id(text) not in idle and text.get_window_extent().width > 0]


def overlapping_texts(figure) -> list[tuple[str, str]]:
    """Pairs of texts that overlap."""
    extents = [(text.get_text(), text.get_window_extent().padded(-1)) for text in shown_texts(figure)]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(extents, 2) if one.overlaps(other)]


def _idle_labels(ax) -> list:
    """Labels that Matplotlib keeps without drawing them: of ticks outside the limits, and of axes switched off."""
    axes = (ax.xaxis, ax.yaxis)
    labels = [
        label for axis in axes for tick in axis.majorTicks + axis.minorTicks for label in (tick.label1, tick.label2)
    ]
    if not ax.axison:
        return [*labels, ax.xaxis.label, ax.yaxis.label]
    drawn = [tick for axis in axes for tick in axis._update_ticks()]
    used = {id(label) for tick in drawn for label in (tick.label1, tick.label2)}
    return [label for label in labels if id(label) not in used]
