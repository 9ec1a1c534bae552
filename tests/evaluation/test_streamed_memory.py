"""Claims about memory: a stream leaves behind sums, as many after one chunk as after a hundred."""

import gc
import pickle
import tracemalloc

import numpy as np
import pytest

import bayesconv as bc
from bayesconv.evaluation.class_streams import Classes
from bayesconv.evaluation.pixel_streams import Pixels
from bayesconv.evaluation.real_streams import RealTargets
from bayesconv.evaluation.strange_streams import StrangeStreams

pytestmark = pytest.mark.slow

OPTIONS = {"num_samples": 4}
RNG = np.random.default_rng(0)


def _classes():
    model = bc.Affine(3, 4, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    predictive = bc.predict(model, RNG.normal(size=[64, 3]).astype(np.float32), **OPTIONS)
    return predictive, RNG.integers(0, 4, 64)


def _strange():
    predictive, _ = _classes()
    made = StrangeStreams()
    made.update_familiar(predictive)
    return made, predictive, "strange"


def _real():
    model = bc.Affine(3, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    x = RNG.normal(size=[64, 3]).astype(np.float32)
    return RealTargets(), bc.predict(model, x, likelihood="heteroscedastic_normal", **OPTIONS), RNG.normal(size=64)


def _pixels():
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    x = RNG.normal(size=[16, 6, 6, 1]).astype(np.float32)
    predictive = bc.predict(model, x, likelihood="categorical_per_pixel", **OPTIONS)
    return Pixels(), predictive, RNG.integers(0, 3, [16, 6, 6])


CASES = {"classes": lambda: (Classes(), *_classes()), "real": _real, "pixels": _pixels, "strange": _strange}


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept_does_not_grow_with_the_stream(name):
    """Its size is that of a pickle, which holds all that can be reached. A number may get a few bytes longer."""
    made, predictive, labels = CASES[name]()
    made.update(predictive, labels)
    before = len(pickle.dumps(made))
    for _ in range(29):
        made.update(predictive, labels)
    assert abs(len(pickle.dumps(made)) - before) <= 16
    assert 64 * 8 < before < 1_000_000


@pytest.mark.parametrize(("likelihood", "width"), [("categorical", 3), ("heteroscedastic_normal", 2)])
def test_the_peak_of_an_evaluation_does_not_grow_with_the_stream(likelihood, width):
    model = bc.Affine(500, width, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    x, y = np.ones([200, 500], np.float32), np.zeros(200, int)  # 400 kB a chunk

    def peak(num_chunks):
        batches = ((x.copy(), y) for _ in range(num_chunks))
        gc.collect()
        tracemalloc.start()
        bc.evaluate(model, batches, likelihood=likelihood, chunk_size=200, num_samples=2)
        _, largest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return largest

    peak(2)  # what is compiled and imported stays
    assert abs(peak(10) - peak(3)) < 300_000  # 7 chunks of inputs would be 2.8 MB
