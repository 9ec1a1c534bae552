"""What holds in every test: a seed, no window, no silent fallback of AutoGraph, what takes long only on request."""

from __future__ import annotations

import functools
import gc
import logging
import os
import re
import sys
import typing

import matplotlib as mpl
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import (
    bounds,
    data,
    divergences,
    estimators,
    likelihoods,
    models,
    names,
    objectives,
    optimization,
    posteriors,
    priors,
)

mpl.use("Agg")
# TensorFlow asks at every operation whether things follow protocols; from 3.12 on Python keeps what it needs for that.
if sys.version_info < (3, 12):
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)
# XLA reads this at its first compilation. What is tested is what we ask of it, not how well LLVM optimizes that.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Two devices for tf.distribute, before anything runs on them.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what takes long unless `-m` speaks of it; files that are named run with what is slow in them."""
    spoken = set(re.findall(r"\w+", config.option.markexpr))
    if config.args_source is pytest.Config.ArgsSource.ARGS or ("full" in spoken and "not" not in spoken):
        spoken.add("slow")
    long = {"full", "notebooks", "slow"} - spoken
    left_out = [item for item in items if any(map(item.get_closest_marker, long))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish() -> None:
    """What is imported by now stays: no collection of garbage need look through it again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """One collection finds what is left; pytest makes five."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _what_a_test_registers_goes_with_it(monkeypatch: pytest.MonkeyPatch):
    modules = (bounds, divergences, estimators, likelihoods, models, posteriors, priors)
    extra = (data.datasets, data.ood, names.functions, names.layer_types, objectives.schedules, optimization.optimizers)
    for registry in (*(module._REGISTRY for module in modules), *extra):
        monkeypatch.setattr(registry, "_pieces", dict(registry._pieces))


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture(autouse=True)
def _a_seed_and_no_autograph_fallback():
    bc.set_seed(0)
    collector, logger = _Collector(), tf.get_logger()
    logger.addHandler(collector)
    yield
    logger.removeHandler(collector)
    assert not [message for message in collector.messages if "AutoGraph could not transform" in message]
