"""Parts of a data set, with the classes in proportion or at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesconv.data.registry import Array, Split


def divide(split: Split, size: int, seed: int) -> tuple[Split, Split]:
    """All but `size` images, and these, both with the classes in proportion."""
    kept, held = _stratified(split.y, size, _checked(seed))
    return _taken(split, kept), _taken(split, held)


def with_validation(
    splits: Mapping[str, Split], weights: Array | None, fraction: float, seed: int, *, stratified: bool
) -> tuple[Split, Split, Split, Array | None]:
    """Training, validation and test part, and the weights of the training examples.

    Args:
      splits: `train`, `test` and perhaps `validation`; if that is missing, training examples are held out.
      weights: Of the training examples, `[N]`, or None.
      fraction: Share of the training examples to hold out.
      seed: Chooses them.
      stratified: With the classes in proportion, at least one image of each; or else at random.

    Raises:
      ValueError: If too few training examples would be left.
    """
    train, test = splits["train"], splits["test"]
    seed = _checked(seed)
    if "validation" in splits:
        return train, splits["validation"], test, weights
    size = round(fraction * len(train.y))
    if stratified:
        kept, held = _stratified(train.y, max(size, train.y.max() + 1), seed)
    else:
        kept, held = _at_random(len(train.y), max(size, 1), seed)
    return _taken(train, kept), _taken(train, held), test, None if weights is None else weights[kept]


def _checked(seed: int) -> int:
    if not 0 <= seed < 2**32:
        raise ValueError(f"The `seed` of a split is an int from 0 to {2**32 - 1}. Received {seed!r}.")
    return seed


def _stratified(labels: Array, size: int, seed: int) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split

    counts = np.bincount(labels)
    if counts.min() < 2 or not len(counts) <= size <= len(labels) - len(counts):
        raise ValueError(
            f"A stratified split needs at least 2 images of each class and {len(counts)} images in either part. "
            f"Received {size} of {len(labels)} images to hold out, with {counts.min()} in the smallest class; "
            f"change the size or supply the parts ready-made."
        )
    kept, held = train_test_split(np.arange(len(labels)), test_size=size, stratify=labels, random_state=seed)
    return kept, held


def _at_random(num_examples: int, size: int, seed: int) -> tuple[Array, Array]:
    if size >= num_examples:
        raise ValueError(f"Some training examples must be left. Received {num_examples}, {size} of them to hold out.")
    order = np.random.default_rng(seed).permutation(num_examples)
    return np.sort(order[size:]), np.sort(order[:size])


def _taken(split: Split, indices: Array) -> Split:
    return Split(split.x[indices], split.y[indices])
