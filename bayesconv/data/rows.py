"""Scans of handwritten digits as series: a row of pixels after the other."""

from __future__ import annotations

from bayesconv.data.handwritten import digits
from bayesconv.data.registry import Dataset, Split, register


@register("digit_rows")
def digit_rows(*, seed: int = 0, test_size: int = 360, validation_size: int = 287, refit: bool = False) -> Dataset:
    """Real scans of digits read from top to bottom, series of eight steps with eight channels, from scikit-learn.

    What a net for series makes of images of which it sees a row at a time; a common test of such nets, and real data
    that come with a package.

    Args:
      seed: Chooses the split, which is that of `digits`.
      test_size: Number of test series.
      validation_size: Number of validation series.
      refit: Train on train and validation together, as for `digits`.

    Returns:
      The data set, with series `[N, 8, 8]`, steps before channels, in [0, 1].

    References:
      Le, Jaitly and Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015.
        arXiv:1504.00941, which reads digits pixel by pixel.

    Example:
      >>> from bayesconv import data
      >>> data.digit_rows().input_shape
      (8, 8)
    """
    scans = digits(seed=seed, test_size=test_size, validation_size=validation_size, refit=refit)
    train, validation, test = (Split(part.x[..., 0], part.y) for part in (scans.train, scans.validation, scans.test))
    return scans._replace(name="digit_rows", train=train, validation=validation, test=test)
