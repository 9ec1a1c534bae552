"""The training step: that of `fit`, relative to the plain net's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import bayesconv as bc
from bayesconv.loop import TrainingLoop
from bayesconv.objectives import Elbo
from bayesconv.optimization import GroupedOptimizer, make_optimizer
from benchmarks.architectures import LEARNING_RATE, NETS, NUM_DATA
from benchmarks.contenders import CONTENDERS, DETERMINISTIC, FEW_PASSES, Contender
from benchmarks.interleaved import Pair, measure_of
from benchmarks.plain import FewPassesNet, PlainNet, example

CALLS = {"small_cnn": 10, "resnet20": 2}  # a round of about half a second


def step_of(contender: Contender, net: str, model: bc.Layer | None = None) -> Callable[[tf.Tensor, tf.Tensor], Any]:
    """The step that `fit` compiles for a model, by default a new one, as a function of images and labels."""
    model = contender.model(net) if model is None else model
    optimizer = make_optimizer("adam", LEARNING_RATE, "constant", 1)

    class Batches:
        specs = (tf.TensorSpec([None, *NETS[net].image]), tf.TensorSpec([None], tf.int32))

    def objective(step: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tuple[Elbo, tf.Tensor]:
        seed = bc.random.fold_in(bc.random.as_seed(0), step)
        return bc.elbo(model, x, y, num_data=NUM_DATA, seed=seed), tf.constant(1.0)

    grouped: Any = GroupedOptimizer(optimizer, model.trainable_variables)
    batches: Any = Batches()
    loop = TrainingLoop(model, batches, objective, grouped, bc.likelihoods.categorical(), {}, None)

    def step(x: tf.Tensor, y: tf.Tensor) -> Any:
        with bc.compute_dtype(contender.dtype):  # read when the step is traced
            return loop.compiled_step(x, y)

    return step


def _done(step: Callable[..., Any], x: tf.Tensor, y: tf.Tensor) -> None:
    step(x, y)[0].numpy()


def pairs(net: str) -> dict[str, Pair]:
    """Steps of all contenders, each with the plain net's."""
    x, y = example(net)
    plain = PlainNet(net)
    reference = measure_of(lambda: plain.train_step(x, y).numpy())
    found = {f"{DETERMINISTIC} again": Pair(reference, reference, CALLS[net])}
    narrow = PlainNet(net, dtype="bfloat16")
    found[f"{DETERMINISTIC}, bfloat16"] = Pair(
        measure_of(lambda: narrow.train_step(x, y).numpy()), reference, CALLS[net]
    )
    if NETS[net].normalized:
        fewer = FewPassesNet(net)
        found[FEW_PASSES] = Pair(measure_of(lambda: fewer.train_step(x, y).numpy()), reference, CALLS[net])
    for name, contender in CONTENDERS.items():
        step = step_of(contender, net)
        found[name] = Pair(measure_of(functools.partial(_done, step, x, y)), reference, CALLS[net])
    return found
