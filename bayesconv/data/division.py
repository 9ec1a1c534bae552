"""Parts of a data set, with the classes in proportion or at random."""

from __future__ import annotations

import numpy as np

from bayesconv.data.registry import Split


def divide(split: Split, size: int, seed: int) -> tuple[Split, Split]:
    """All but `size` images, and these, both with the classes in proportion."""
    from sklearn.model_selection import train_test_split

    counts = np.bincount(split.y)
    if counts.min() < 2 or not len(counts) <= size <= len(split.y) - len(counts):
        raise ValueError(
            f"A stratified split needs at least 2 images of each class and {len(counts)} images in either part. "
            f"Received {size} of {len(split.y)} images to hold out, with {counts.min()} in the smallest class; "
            f"change the size or supply the parts ready-made."
        )
    x, x_held, y, y_held = train_test_split(*split, test_size=size, stratify=split.y, random_state=seed)
    return Split(x, y), Split(x_held, y_held)


def divide_at_random(split: Split, size: int, seed: int) -> tuple[Split, Split]:
    """All but `size` examples, and these, in the order they had."""
    if size >= len(split.y):
        raise ValueError(f"Some training examples must be left. Received {len(split.y)}, {size} of them to hold out.")
    order = np.random.default_rng(seed).permutation(len(split.y))
    held, kept = np.sort(order[:size]), np.sort(order[size:])
    return Split(split.x[kept], split.y[kept]), Split(split.x[held], split.y[held])
