"""Claims about images in the order of a score."""

from __future__ import annotations

import numpy as np

from bayesconv import plotting


def test_rows_are_the_highest_and_the_lowest_of_each_score():
    images = np.arange(5)[:, None, None] * np.ones([5, 4, 4]) / 5
    scores = {"entropy": [0.1, 0.9, 0.5, 0.3, 0.7], "mutual_information": [5, 4, 3, 2, 1]}
    axes = plotting.ranked_images(images, scores, num_images=2, captions=list("abcde"))
    shown = [[[round(5 * ax.get_images()[0].get_array()[0, 0]) for ax in row] for row in block] for block in axes]
    assert shown == [[[1, 4], [0, 3]], [[0, 1], [4, 3]]]
    titles = [ax.get_title() for ax in axes[0].ravel()]
    assert titles == ["0.9", "0.7", "0.1", "0.3"]
    assert [ax.texts[-1].get_text() for ax in axes[0].ravel()] == ["b", "e", "a", "d"]
    assert [block[row, 0].texts[0].get_text() for block in axes for row in (0, 1)] == [
        "entropy\nhighest", "entropy\nlowest", "mutual information\nhighest", "mutual information\nlowest",
    ]  # fmt: skip
