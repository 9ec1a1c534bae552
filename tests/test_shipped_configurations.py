"""Every shipped configuration trains and is evaluated: one for each likelihood always, all of them with `-m full`."""

import struct
from pathlib import Path

import numpy as np
import pytest

from bayesconv import evaluation, experiment, likelihoods
from bayesconv.config import load_config

CONFIGS = sorted(Path("configs").resolve().glob("*.yaml"))
SHORT = [
    "training.epochs=1",
    "training.batch_size=256",
    "evaluation.num_samples=2",
    "evaluation.bootstrap=0",
    "evaluation.corruptions=[]",
    "evaluation.ood=[inverted]",
]


def one_with(likelihood):
    """The first in the alphabet, of classes the one that the README's figures are of."""
    fitting = [path for path in CONFIGS if load_config(path).objective.likelihood.name == likelihood]
    return next((path for path in fitting if path.stem == "fashion_mnist_vi"), fitting[0])


def write_idx(folder):
    """As few images as a stratified split allows, in the files that Fashion-MNIST comes in."""
    rng = np.random.default_rng(0)
    for part, num in (("train", 400), ("t10k", 100)):
        images, labels = rng.integers(0, 256, [num, 28, 28], np.uint8), np.arange(num, dtype=np.uint8) % 10
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, num, 28, 28) + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, num) + labels.tobytes())


def check_trains(path, tmp_path):
    edits = list(SHORT)
    name = load_config(path).data.name
    if name == "idx":
        write_idx(tmp_path)
        edits.append(f"data.path={tmp_path}")
    if name == "digit_scenes":
        edits += ["data.train_size=64", "data.validation_size=20", "data.test_size=20"]
    loaded = load_config(path, edits)
    histories = experiment.train(loaded, tmp_path / "run", progress=False)
    assert len(histories) == loaded.training.members
    assert all(np.isfinite(history.rows[-1]["loss"]) for history in histories)
    report = experiment.evaluate(tmp_path / "run")
    assert list(report["ood"]) == ["inverted"]
    assert evaluation.tables(report)


# Of several yes-or-no answers an image there is no data set to ship a configuration for.
@pytest.mark.slow
@pytest.mark.parametrize("likelihood", sorted(set(likelihoods.names()) - {"bernoulli"}))
def test_each_likelihood_has_one_that_trains(likelihood, tmp_path):
    check_trains(one_with(likelihood), tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_one_trains(path, tmp_path):
    check_trains(path, tmp_path)
