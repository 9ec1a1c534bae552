"""Claims about models with Monte Carlo dropout: where it stands, what it averages over, and how runs report it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import special, stats

import bayesconv as bc
from bayesconv import evaluation, experiment, models, runs
from bayesconv.comparison import per_image
from bayesconv.comparison.reading import read_run
from bayesconv.config import ConfigError, RunConfig

FALSE_ALARMS = 1e-6  # chance that a change of the random sequence, and of nothing else, breaks the z-test
SETTINGS = {
    "data": {"name": "digits"},
    "model": {"name": {"name": "digits_cnn", "filters": [4], "dropout_rate": 0.3}, "posterior": "deterministic"},
    "training": {"epochs": 1, "batch_size": 512, "learning_rate": 1e-2},
    "evaluation": {"num_samples": 5, "ood": ["inverted"], "bootstrap": 0},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "lenet5",
            ["conv1", "drop", "pool", "conv2", "drop", "pool", "conv3", "drop", "flat", "dense1", "drop", "head"],
        ),
        ("small_cnn", ["conv1", "drop", "pool", "conv2", "drop", "pool", "flat", "dense1", "drop", "head"]),
        ("digits_cnn", ["conv1", "drop", "conv2", "drop", "pool", "conv3", "drop", "flat", "head"]),
    ],
)
def test_it_follows_every_layer_with_weights_but_the_last_and_comes_before_pooling(name, expected):
    kinds = {bc.Dropout: "drop", bc.MaxPool: "pool", bc.Flatten: "flat"}
    layers = models.get(name)((8, 8, 1), 3, dropout_rate=0.25).layers
    assert [kinds.get(type(layer), layer.name) for layer in layers] == expected
    dropped = [layer for layer in layers if isinstance(layer, bc.Dropout)]
    assert {(layer.rate, layer.mc) for layer in dropped} == {(0.25, True)}
    without = [kind for kind in expected if kind != "drop"]
    assert [kinds.get(type(layer), layer.name) for layer in models.get(name)((8, 8, 1), 3).layers] == without


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan"), "much"])
@pytest.mark.parametrize("name", ["lenet5", "small_cnn", "digits_cnn"])
def test_a_rate_is_a_probability(name, rate):
    with pytest.raises(ValueError, match=r"0 <= rate < 1\. Received"):
        models.get(name)((8, 8, 1), 3, dropout_rate=rate)


def exact_mean(model, x, rate):
    """The predictive mean over all 4,096 masks of the twelve numbers behind the convolution, in NumPy."""
    conv, _, _, _, head = model.layers
    features = conv(x).numpy().astype(np.float64).reshape(len(x), 4, 3)  # four positions, three channels
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=12))).reshape(-1, 1, 4, 3)
    chances = (rate ** (masks == 0).sum(axis=(1, 2, 3))) * ((1 - rate) ** masks.sum(axis=(1, 2, 3)))
    pooled = (features * masks / (1 - rate)).max(axis=2)
    probs = special.softmax(pooled @ head.kernel.numpy() + head.bias.numpy(), axis=-1)
    mean = np.einsum("m,mnk->nk", chances, probs)
    return mean, np.sqrt(np.einsum("m,mnk->nk", chances, np.square(probs - mean)))


def test_predictions_average_over_all_masks():
    bc.set_seed(3)
    rate, count = 0.3, 4000
    model = models.digits_cnn((2, 2, 1), 3, filters=(3,), dropout_rate=rate)
    x = 3 * np.random.default_rng(0).normal(size=(4, 2, 2, 1)).astype(np.float32)
    mean, std = exact_mean(model, x, rate)
    predictive = bc.predict(model, x, num_samples=count, seed=1)
    threshold = stats.norm.isf(FALSE_ALARMS / (2 * mean.size))
    z = np.abs(predictive.mean - mean) / (std / np.sqrt(count))
    assert z.max() < threshold
    # What would be seen: another rate, masks after pooling, none at all.
    without = bc.predict(model, x, weights="mean").mean
    assert (np.abs(without - mean) / (std / np.sqrt(count))).max() > threshold
    other, _ = exact_mean(model, x, rate + 0.05)
    assert (np.abs(predictive.mean - other) / (std / np.sqrt(count))).max() > threshold


def test_a_draw_is_one_mask_for_all_images():
    bc.set_seed(0)
    model = models.lenet5((8, 8, 1), 3, dropout_rate=0.5)
    x = np.repeat(np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32), 3, axis=0)
    logits = bc.predict(model, x, num_samples=8).logits
    np.testing.assert_allclose(logits, np.repeat(logits[:, :1], 3, axis=1), atol=1e-6)
    assert logits[:, 0].std(axis=0).min() > 1e-3


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "dropout"
    experiment.train(RunConfig(**SETTINGS), folder, progress=False)
    return folder


def test_a_run_with_point_weights_and_dropout_is_drawn_from(run_dir):
    run = runs.load_run(run_dir)
    assert (run.is_bayesian, run.is_random, run.has_several_functions) == (False, True, True)
    report = experiment.evaluate(run_dir)
    assert (report["num_samples"], report["is_random"], report["temperature"]) == (5, True, None)
    assert report["mutual_information"] > 0
    assert report["ood"]["inverted"]["auroc"]["mutual_information"] is not None
    assert "5 draws of dropout masks, point weights, seed 0" in evaluation.tables(report)
    x = run.dataset().test.x[:9]
    np.testing.assert_array_equal(evaluation.predict(run, x).mean, bc.predict(run.model, x, num_samples=5).mean)


def test_a_single_pass_of_moments_knows_dropout(run_dir):
    run = runs.load_run(run_dir)
    report = evaluation.report(run, run.dataset(), method="moments")
    assert "single pass of moments, point weights" in evaluation.tables(report)
    assert report["mutual_information"] > 0
    (run_dir / "evaluation.json").write_text(json.dumps(report))
    losses = per_image.predicted_losses(read_run(run_dir))  # of single images: of the same prediction
    assert losses.losses["nll"].mean() == pytest.approx(report["nll"], rel=1e-5)


def test_no_dropout_and_dropout_of_training_only_are_one_function(run_dir):
    run = runs.load_run(run_dir)
    for layer in (bc.Dropout(0.5), bc.Dropout(0.0, mc=True)):
        alone = run._replace(model=bc.Sequential([layer, bc.Flatten(), bc.Affine(64, 10)]))
        assert not alone.has_several_functions
    assert run._replace(model=bc.Sequential([bc.ChannelDropout(0.5, mc=True)])).is_random


def test_a_wrong_rate_in_a_configuration_is_refused_with_its_place(tmp_path):
    model = {"name": {"name": "digits_cnn", "dropout_rate": 2}, "posterior": "deterministic"}
    with pytest.raises((ConfigError, ValueError), match=r"0 <= rate < 1\. Received 2"):
        experiment.train(RunConfig(**{**SETTINGS, "model": model}), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
