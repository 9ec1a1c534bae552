"""Prediction: with 32 draws relative to 32 passes of the plain net, and in a single pass relative to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import bayesconv as bc
from bayesconv import random
from bayesconv.evaluators import BySampling
from benchmarks.architectures import NETS
from benchmarks.contenders import CONTENDERS, DETERMINISTIC, FEW_PASSES
from benchmarks.interleaved import Measure, Pair, measure_of
from benchmarks.plain import FewPassesNet, PlainNet, example

NUM_SAMPLES = 32
ONE_IMAGE_CALLS = 10


def pairs(net: str) -> dict[str, Pair]:
    """Ways to predict, each with the plain net's passes for the same images."""
    x, plain = example(net)[0], PlainNet(net)
    model = CONTENDERS["reparameterization"].model(net)
    many, one = _passes(plain, x, NUM_SAMPLES), _passes(plain, x, 1)
    narrow = _passes(PlainNet(net, dtype="bfloat16"), x, NUM_SAMPLES)
    found = {f"{DETERMINISTIC} again": Pair(many, many), f"{DETERMINISTIC}, bfloat16": Pair(narrow, many)}
    if NETS[net].normalized:
        found[FEW_PASSES] = Pair(_passes(FewPassesNet(net), x, NUM_SAMPLES), many)
    for dtype in ("float32", "bfloat16"):
        suffix = "" if dtype == "float32" else f", {dtype}"
        found[f"a pass over a bank{suffix}"] = Pair(measure_of(_bank_pass(model, x, dtype)), many)
        found[f"predict, draws included{suffix}"] = Pair(measure_of(_prediction(model, x, dtype)), many)
    return {**found, **_single_pass(model, x, one)}


def _single_pass(model: bc.Layer, x: tf.Tensor, one: Measure) -> dict[str, Pair]:
    ignoring = {"name": "moments", "covariance": "ignored"}
    methods = {'predict, method="moments"': "moments", "predict, moments without covariance": ignoring}
    return {
        name: Pair(measure_of(lambda method=method: bc.predict(model, x, method=method)), one, 5)
        for name, method in methods.items()
    }


def _passes(plain: PlainNet, x: tf.Tensor, num: int) -> Measure:
    return measure_of(lambda: tf.stack([plain.predict(x) for _ in range(num)]).numpy())


def _prediction(model: bc.Layer, x: tf.Tensor, dtype: str) -> Callable[[], Any]:
    def predict() -> Any:
        with bc.compute_dtype(dtype):
            return bc.predict(model, x, num_samples=NUM_SAMPLES, seed=0)

    return predict


def _bank_pass(model: bc.Layer, x: tf.Tensor, dtype: str) -> Callable[[], Any]:
    """What `predict` does for every batch but the first, whose draws it keeps."""
    with bc.compute_dtype(dtype):
        sampling = BySampling(model, x[:1], bc.likelihoods.categorical(), random.as_seed(0), NUM_SAMPLES)

    def evaluate() -> Any:
        with bc.compute_dtype(dtype):
            return sampling.evaluate(x)

    return evaluate


def of_one_image(net: str) -> dict[str, Pair]:
    """Ways to predict a single image with an ensemble that is frozen, each with the plain net's passes for it."""
    x, plain = example(net)[0][:1], PlainNet(net)
    model = CONTENDERS["reparameterization"].model(net)
    frozen = bc.freeze(model, num_samples=NUM_SAMPLES, seed=0, input_shape=list(NETS[net].image))
    many = _passes(plain, x, NUM_SAMPLES)
    return {
        f"{DETERMINISTIC} again": Pair(many, many, ONE_IMAGE_CALLS),
        "one image, frozen": Pair(measure_of(lambda: frozen(x).numpy()), many, ONE_IMAGE_CALLS),
        "one image, frozen.predict": Pair(measure_of(lambda: frozen.predict(x)), many, ONE_IMAGE_CALLS),
    }
