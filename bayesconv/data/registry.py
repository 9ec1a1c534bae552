"""The registries of data sets and of sets from another distribution, and what a data set is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayesconv import splits
from bayesconv.registry import Registry

Array = np.ndarray[Any, Any]

DATASETS = Registry("dataset")
OOD = Registry("out-of-distribution set")
register = DATASETS.register


class Split(NamedTuple):
    """Images and what they are labelled with.

    Attributes:
      x: float32 `[N, H, W, C]`, `[N, T, C]` of series, or `[N, D]` of a table.
      y: By the task of the data set: int64 `[N]`, classes counted from 0; int64 `[N, H, W]`, one class a pixel; or
        float32 `[N, T]`, T real numbers.
    """

    x: Array
    y: Array


class Dataset(NamedTuple):
    """A labelled set of images in three parts.

    Attributes:
      name: The name it is registered under.
      train: What a model is fitted to.
      validation: What hyperparameters and the best epoch are chosen on.
      test: What results are reported on.
      num_classes: Number of classes, K; for a regression the number of targets, T.
      class_names: One string a class; for a regression one a target, with its unit, such as `"angle [degrees]"`.
      validation_held_out: False if `train` contains the validation images, which are then good for monitoring only.
      task: `"classification"`, `"regression"` or `"segmentation"`, which says what the labels are, and so which
        likelihoods fit.
      ignored_label: A label of pixels that count neither in training nor in any score, 255 in many data sets; None if
        there is none.
      train_weights: What the training examples count in the loss, `[N]`; None if each counts the same.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    class_names: tuple[str, ...]
    validation_held_out: bool = True
    task: str = "classification"
    ignored_label: int | None = None
    train_weights: Array | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of an image, length and channels of a series, or the columns of a table."""
        return self.train.x.shape[1:]

    @property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest pixel of the training images."""
        return float(self.train.x.min()), float(self.train.x.max())

    def scored_on(self, split: str) -> Dataset:
        """The same with the images of a part where the test images are, to score a model on.

        Args:
          split: `"test"`, or `"validation"`, which then are no longer there to fit anything to.

        Raises:
          ValueError: If there is no such part, or the model is trained on the validation images.
        """
        splits.evaluation_file(split)
        if split == splits.TEST:
            return self
        if not self.validation_held_out:
            raise ValueError(
                f"Scores are of images that were not trained on. {self.name} was trained on with its validation images "
                "(data.refit): train with --set data.refit=false, or score the test images."
            )
        return self._replace(test=self.validation, validation_held_out=False)
