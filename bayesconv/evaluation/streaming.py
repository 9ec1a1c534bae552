"""Scores of any model on data of any size, chunk by chunk, in a memory that does not grow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import bayesconv as bc
from bayesconv.evaluation.accumulators import Accumulator
from bayesconv.evaluation.class_streams import Classes
from bayesconv.evaluation.pixel_streams import Pixels
from bayesconv.evaluation.real_streams import RealTargets
from bayesconv.evaluation.strange_streams import StrangeStreams
from bayesconv.inputs import as_inputs, check_positive_int, check_targets, output_shape_of
from bayesconv.layers import Layer
from bayesconv.likelihoods import Likelihood
from bayesconv.objectives import as_likelihood
from bayesconv.registry import Identifier

_TASKS = ("classification", "regression", "segmentation")


def evaluate(
    model: Layer | Sequence[Layer],
    data: Any,
    *,
    likelihood: Likelihood | Identifier = "categorical",
    num_samples: int | str = 32,
    seed: int = 0,
    method: str = "sampling",
    ood: Mapping[str, Any] | None = None,
    chunk_size: int = 2048,
    batch_size: int = 256,
    calibration: Any = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Scores a model, or an ensemble, on labelled data that need not fit in memory.

    Predictions are made and forgotten chunk by chunk; the draws of the weights are the same for every chunk. Figures
    that are made of sums are exact. Figures of ranks, such as AURC, risk at a coverage, AUROC, AUPR and FPR95, come
    from uncertainties that are counted in 2,000 bins, whose edges are quantiles of the first chunk: `value` takes the
    examples of a bin for equal, and the exact figure certainly lies between `lower` and `upper`. Under `intervals` are
    95 % intervals of a bootstrap that gives each example a Poisson number of copies, 200 times.

    Args:
      model: A layer from `[N, ..]` to what the likelihood takes, or a list of them, which count equally.
      data: A `tf.data.Dataset` or another iterable of batches `(x, y)`, or one pair of arrays.
      likelihood: What the outputs mean; its task decides what is scored.
      num_samples: Draws of each model, or `"auto"`, see `bayesconv.predict`.
      seed: Of the draws.
      method: `"sampling"`, or `"moments"` for a single pass without draws.
      ood: Further sets by name, without labels: arrays, or lists or data sets of batches.
      chunk_size: Examples that are predicted together; memory grows with it and with the draws, not with the data.
      batch_size: Inputs in flight.
      calibration: Inputs for `BatchNorm(policy="recalibrated")`, see `bayesconv.predict`.
      progress: Whether to show a progress bar for each chunk.

    Returns:
      Figures by name, ready for JSON; docs/evaluation.md explains them.

    Raises:
      ValueError: If the data are empty or do not fit the model, or an argument is out of range.

    Example:
      >>> import bayesconv as bc, numpy as np
      >>> model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> x, y = np.ones([6, 4], np.float32), np.array([0, 1, 2, 0, 1, 2])
      >>> report = bc.evaluate(model, [(x[:4], y[:4]), (x[4:], y[4:])], num_samples=8)
      >>> report["num_examples"], round(report["accuracy"], 4)
      (6, 0.3333)
    """
    family = as_likelihood(likelihood)
    if family.task not in _TASKS:
        raise ValueError(f"The task of a likelihood must be one of {', '.join(_TASKS)}. Received {family.task!r}.")
    check_positive_int("chunk_size", chunk_size)
    if not (ood is None or isinstance(ood, Mapping)):
        raise TypeError(f"`ood` maps names to strange sets. Received {type(ood).__name__}; name it, {{'mine': x}}.")
    options: dict[str, Any] = {"num_samples": num_samples, "seed": seed, "method": method, "calibration": calibration}
    options |= {"likelihood": likelihood, "batch_size": batch_size, "progress": progress}
    ignored = dict(family.options).get("ignored_label")
    accumulator, strange = _accumulator(family.task, ignored), StrangeStreams(family.task, ignored)
    for x, y in _chunks(_pairs(data), chunk_size, "`data`"):
        predictive = bc.predict(model, x, **options)
        check_targets(y, len(x), family, _output_shape(model, x, family))
        accumulator.update(predictive, y)
        if ood:
            strange.update_familiar(predictive, y)
    for name, others in (ood or {}).items():
        for x, _ in _chunks(_unlabelled(name, others), chunk_size, f"The strange set {name!r}"):
            strange.update(bc.predict(model, x, **options), name)
    found = accumulator.result()
    return {"task": family.task, **found, **({"ood": strange.result()} if ood else {})}


def _output_shape(model: Layer | Sequence[Layer], x: Any, family: Likelihood) -> tuple[int, ...]:
    first = model if isinstance(model, Layer) else model[0]
    return output_shape_of(first, as_inputs(first, x[:1]), family.output_rank)


def _accumulator(task: str, ignored_label: int | None) -> Accumulator:
    if task == "segmentation":
        return Pixels(ignored_label)
    return RealTargets() if task == "regression" else Classes()


def _pairs(data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "__len__") for part in data):
        yield _pair(*data)
        return
    if not isinstance(data, Iterable):
        raise TypeError(f"`data` must be batches (x, y), or one pair of arrays. Received {type(data).__name__}.")
    for element in data:
        if not (isinstance(element, (tuple, list)) and len(element) == 2):
            raise ValueError(
                "`data` must hold batches (x, y). "
                f"Received one of {type(element).__name__}; zip images and labels, as tf.data.Dataset.zip does."
            )
        yield np.asarray(element[0]), np.asarray(element[1])


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Both as arrays; a tuple of two batches looks like one pair of arrays."""
    with contextlib.suppress(ValueError):  # of parts of different shapes
        if not all(map(_is_batch, (x, y))) and np.ndim(y) >= 1:
            return np.asarray(x), np.asarray(y)
    raise ValueError(
        "A tuple as `data` is one pair of arrays, inputs [N, ..] and labels [N, ..]. Received a tuple of "
        f"{type(x).__name__} and {type(y).__name__}; put batches in a list: [(x1, y1), (x2, y2)]."
    )


def _is_batch(part: Any) -> bool:
    return isinstance(part, tuple) and len(part) == 2 and all(getattr(array, "ndim", 0) >= 1 for array in part)


def _unlabelled(name: str, data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, tuple):
        raise ValueError(
            f"A strange set is an array of inputs, or a list or data set of batches. Received a tuple for {name!r}; "
            "leave out labels, and put batches in a list."
        )
    for element in data if isinstance(data, (tf.data.Dataset, list)) else [data]:
        x = np.asarray(element[0] if isinstance(element, tuple) else element)
        yield x, np.zeros(len(x))


def _chunks(batches: Iterable[tuple[Any, Any]], size: int, source: str) -> Iterator[tuple[Any, Any]]:
    """The same examples, `size` at a time and fewer at the end; of `source`, as errors call it."""
    waiting: list[tuple[Any, Any]] = []
    count = 0  # of those that wait: some do from the first example on
    for x, y in batches:
        if len(x) != len(y):
            raise ValueError(f"A batch must have one label for each input. Received {len(x)} inputs, {len(y)} labels.")
        for start in range(0, len(x), size):
            part = (x[start : start + size], y[start : start + size])
            if count and count + len(part[0]) > size:
                yield _together(waiting)
                waiting, count = [], 0
            waiting.append(part)
            count += len(part[0])
    if not count:
        raise ValueError(f"{source} must hold at least one example. Received none.")
    yield _together(waiting)


def _together(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
