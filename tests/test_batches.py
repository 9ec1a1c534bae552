"""Claims about batches: every example once an epoch, in an order that the seed and the epoch determine."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv.batches import ArrayBatches, StreamBatches
from bayesconv.likelihoods import categorical

MODEL = bc.Affine(1, 30)
X, Y = np.arange(22.0)[:, np.newaxis], np.arange(22)


def _arrays(seed=3, batch_size=8):
    return ArrayBatches(MODEL, X, Y, batch_size=batch_size, likelihood=categorical(), seed=seed)


def _order(batches, epoch):
    return np.concatenate([y for _, y in batches.epoch(epoch)])


def test_every_example_comes_once_an_epoch_with_its_target():
    batches = _arrays()
    assert batches.num_data == 22
    assert batches.steps_per_epoch == 3
    parts = list(batches.epoch(1))
    assert [len(x) for x, _ in parts] == [8, 8, 6]
    for x, y in parts:
        np.testing.assert_array_equal(x[:, 0], y)
        assert x.dtype == np.float32
    assert sorted(_order(batches, 1)) == list(range(22))


def test_the_order_is_a_function_of_the_seed_and_the_epoch():
    np.testing.assert_array_equal(_order(_arrays(), 2), _order(_arrays(batch_size=5), 2))
    orders = [_order(_arrays(seed), epoch) for seed in (3, 4) for epoch in (1, 2)]
    for i, first in enumerate(orders):
        assert all((first != second).any() for second in orders[:i])
    assert sorted(_order(_arrays(seed=-1), 1)) == list(range(22))


def test_the_specs_leave_the_batch_open():
    specs = _arrays().specs
    assert [spec.shape.as_list() for spec in specs] == [[None, 1], [None]]
    assert specs[0].dtype == tf.float32


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None])
def test_a_batch_size_that_is_none_is_refused(batch_size):
    with pytest.raises(ValueError, match=r"`batch_size` must be a positive int. Received"):
        _arrays(batch_size=batch_size)


def _stream(dataset, num_data=22):
    return StreamBatches(MODEL, dataset, num_data=num_data, likelihood=categorical())


DATASET = tf.data.Dataset.from_tensor_slices((X.astype(np.float32), Y)).batch(8)


def test_a_stream_keeps_its_order_and_counts_its_steps():
    batches = _stream(DATASET)
    assert batches.steps_per_epoch == 3
    assert batches.num_data == 22
    np.testing.assert_array_equal(_order(batches, 5), Y)
    assert _stream(DATASET.filter(lambda x, y: True)).steps_per_epoch == 3  # of unknown length
    assert [spec.shape.as_list() for spec in batches.specs] == [[None, 1], [None]]


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (DATASET, {"num_data": None}, "`num_data`, the number of training examples, is required"),
        (DATASET.repeat(), {}, r"must be finite: one pass is an epoch\. Received an infinite one"),
        (DATASET.take(0), {}, "nothing to train on: the data set is empty"),
        (
            DATASET.map(lambda x, y: x),
            {},
            r"gives pairs \(inputs, targets\), or triples .* Received elements of TensorSpec",
        ),
        (DATASET.map(lambda x, y: (tf.cast(x, tf.float64), y)), {}, "computes in float32. Received inputs of float64"),
        (DATASET.map(lambda x, y: (x, y + 30)), {}, r"Labels must be in \[0, 30\)"),
        (DATASET.unbatch(), {}, r"outputs \[N, K\].* see that a data set gives batches"),
    ],
)
def test_streams_that_do_not_fit_are_refused(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        _stream(dataset, **options)
