"""Tables of real numbers: an example is a row."""

from __future__ import annotations

import numpy as np

from bayesconv.data.registry import Array, Dataset, Split, register


@register("diabetes")
def diabetes(*, seed: int = 0, test_size: int = 89, validation_size: int = 71) -> Dataset:
    """442 patients: how diabetes progressed in a year, from ten measurements; from scikit-learn.

    Inputs and target are standardized by the mean and standard deviation of the training rows. A unit of the target is
    about 77 of the original score of 25 to 346.

    Args:
      seed: Chooses the split.
      test_size: Number of test rows.
      validation_size: Number of validation rows.

    Returns:
      The data set, with rows `[N, 10]` and targets `[N, 1]`.

    Raises:
      ValueError: If the sizes leave fewer than two training rows.

    References:
      Efron et al., Least Angle Regression, Annals of Statistics 2004.

    Example:
      >>> from bayesconv import data
      >>> table = data.diabetes()
      >>> table.train.x.shape, table.test.y.shape
      ((282, 10), (89, 1))
    """
    from sklearn.datasets import load_diabetes

    inputs, scores = load_diabetes(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(inputs))
    if min(test_size, validation_size) < 1 or len(inputs) - test_size - validation_size < 2:
        raise ValueError(
            f"`test_size` and `validation_size` must be positive and leave 2 of {len(inputs)} rows to train on. "
            f"Received {test_size} and {validation_size}."
        )
    test, validation, train = np.split(order, [test_size, test_size + validation_size])
    x, y = (_standardized(values, train) for values in (inputs, scores[:, np.newaxis]))
    parts = [Split(x[rows], y[rows]) for rows in (train, validation, test)]
    return Dataset("diabetes", parts[0], parts[1], parts[2], 1, ("progression [sd]",), task="regression")


def _standardized(values: Array, train: Array) -> Array:
    return ((values - values[train].mean(axis=0)) / values[train].std(axis=0)).astype(np.float32)
