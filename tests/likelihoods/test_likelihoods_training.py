"""Claims about every likelihood through training and prediction in float32."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import likelihoods

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, size=(400, 1)).astype(np.float32)
SCALE = np.where(X > 0, 0.4, 0.1)
Y = (0.8 * X + SCALE * RNG.normal(size=X.shape)).astype(np.float32)
REAL = [
    {"name": "heteroscedastic_normal"},
    {"name": "heteroscedastic_normal", "beta": 0.5},
    {"name": "student_t", "df": 6.0},
    {"name": "quantiles", "scale": 0.1},
    {"name": "normal", "scale": 0.3},
]


@functools.cache
def _trained(index):
    """A model trained by a likelihood of REAL, and the history of its training."""
    bc.set_seed(0)
    likelihood = REAL[index]
    num_outputs = likelihoods.resolve(likelihood)().num_outputs(1)
    model = bc.Affine(1, num_outputs, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    history = bc.fit(
        model,
        (X, Y),
        epochs=40,
        batch_size=100,
        learning_rate=0.1,
        likelihood=likelihood,
        validation=(X[:50], Y[:50]),
        validation_samples=2,
        progress=False,
    )
    return model, history


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(REAL)), ids=["_".join(map(str, piece.values())) for piece in REAL])
def test_a_line_is_found_and_intervals_hold_what_they_say(index):
    model, history = _trained(index)
    found = bc.predict(model, X, num_samples=16, likelihood=REAL[index])
    np.testing.assert_allclose(found.mean, 0.8 * X, atol=0.12)
    assert history.rows[-1]["validation_rmse"] < 0.35
    lower, upper = found.interval(0.9)
    # 400 targets: five standard errors of a share of 0.9 are 0.075; the models differ from the truth by less.
    assert abs(np.mean((lower <= Y) & (upper >= Y)) - 0.9) < 0.075


def test_noise_that_differs_is_told_apart():
    model, _ = _trained(0)
    found = bc.predict(model, np.array([[-1.0], [1.0]], np.float32), num_samples=16, likelihood=REAL[0])
    assert found.aleatoric_std[1, 0] > 2 * found.aleatoric_std[0, 0]
