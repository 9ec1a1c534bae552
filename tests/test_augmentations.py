"""Claims about augmentation: what each one may do to an image, exactly, how often, and that runs repeat."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import bayesconv as bc
from bayesconv import augmentations
from bayesconv.batches import ArrayBatches

RNG = np.random.default_rng(0)
IMAGES = RNG.random((400, 5, 6, 2)).astype(np.float32) + 1.0
MODEL = bc.Sequential([bc.Flatten(), bc.Affine(60, 3)])
LABELS = np.arange(400) % 3


def _moved(image, down, right, fill=0.0):
    """A pixel at a time."""
    result = np.full_like(image, fill)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if 0 <= row - down < image.shape[0] and 0 <= column - right < image.shape[1]:
                result[row, column] = image[row - down, column - right]
    return result


@pytest.mark.parametrize(("pixels", "fill"), [(1, 0.0), (2, -0.5)])
def test_a_shift_is_one_of_all_moves_each_as_often(pixels, fill):
    found = augmentations.resolve({"name": "shift", "pixels": pixels, "fill": fill})(IMAGES, np.random.default_rng(1))
    moves = range(-pixels, pixels + 1)
    counts = {(down, right): 0 for down in moves for right in moves}
    for image, changed in zip(IMAGES, found, strict=True):
        fitting = [move for move in counts if np.array_equal(changed, _moved(image, *move, fill))]
        assert len(fitting) == 1
        counts[fitting[0]] += 1
    mean = len(IMAGES) / len(counts)
    assert sum((count - mean) ** 2 / mean for count in counts.values()) < 70  # chi^2 of 24 degrees: p = 2e-6
    assert found.dtype == np.float32


def test_a_flip_exchanges_left_and_right_in_half_of_the_images():
    found = augmentations.resolve("horizontal_flip")(IMAGES, np.random.default_rng(1))
    mirrored = np.array([np.array_equal(a[:, ::-1], b) for a, b in zip(IMAGES, found, strict=True)])
    kept = np.array([np.array_equal(a, b) for a, b in zip(IMAGES, found, strict=True)])
    np.testing.assert_array_equal(mirrored, ~kept)
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(IMAGES))  # false alarm 6e-7
    always = augmentations.resolve({"name": "horizontal_flip", "probability": 1})(IMAGES, np.random.default_rng(1))
    np.testing.assert_array_equal(always, IMAGES[:, :, ::-1])


@pytest.mark.parametrize("name", augmentations.names())
def test_it_follows_from_the_generator_and_leaves_the_batch_as_it_is(name):
    batch = IMAGES.copy()
    first, second, other = (augmentations.resolve(name)(batch, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(batch, IMAGES)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert first.shape == IMAGES.shape


def test_a_chain_applies_one_after_the_other_with_one_generator():
    parts = ["horizontal_flip", {"name": "shift", "pixels": 1}]
    rng = np.random.default_rng(3)
    expected = augmentations.shift(augmentations.horizontal_flip(IMAGES, rng), rng, pixels=1)
    np.testing.assert_array_equal(augmentations.chain(parts)(IMAGES, np.random.default_rng(3)), expected)
    assert augmentations.describe_chain(parts) == "horizontal_flip, shift(pixels=1)"
    assert augmentations.describe_chain([]) is None


def _batches(augment, seed=2):
    options = {"batch_size": 64, "likelihood": bc.likelihoods.categorical(), "seed": seed, "augment": augment}
    return ArrayBatches(MODEL, IMAGES, LABELS, **options)


def test_batches_are_changed_anew_every_epoch_and_alike_for_the_same_seed():
    augment = augmentations.chain(["shift"])
    plain = np.concatenate([y for _, y in _batches(None).epoch(1)])
    for epoch in (1, 2):
        first, second = (np.concatenate([x for x, _ in _batches(augment).epoch(epoch)]) for _ in range(2))
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.concatenate([y for _, y in _batches(augment).epoch(1)]), plain)
    ordered = [_batches(lambda x, rng: rng.random(x.shape)) for _ in range(2)]
    epochs = [np.concatenate([x for x, _ in b.epoch(i)]) for i, b in enumerate(ordered)]
    assert (epochs[0] != epochs[1]).mean() > 0.99
    assert epochs[0].dtype == np.float32


def test_fit_trains_on_what_was_changed_and_validates_on_what_was_not():
    seen = []

    def blacken(images, rng):
        seen.append(len(images))
        return np.zeros_like(images)

    bc.set_seed(0)
    model = bc.Sequential([bc.Flatten(), bc.Affine(60, 3, name="head")])
    before = {path: variable.numpy() for path, variable in model.named_variables.items()}
    history = bc.fit(
        model,
        (IMAGES, LABELS),
        epochs=2,
        augmentation=[blacken],
        validation=(IMAGES, LABELS),
        learning_rate_schedule="constant",
        progress=False,
    )
    assert sum(seen) == 800
    after = {path: variable.numpy() for path, variable in model.named_variables.items()}
    changed = {path: (before[path] != after[path]).any() for path in before}
    assert changed == {path: path.endswith("bias") for path in before}  # black images move no kernel
    assert abs(history.rows[0]["validation_nll"] - history.rows[0]["nll"]) > 0.01  # nor are they validated on


def _fit(folder, resume=False, augmentation=("shift",)):
    bc.set_seed(0)
    model = bc.Sequential([bc.Flatten(), bc.Affine(60, 3)])
    options = {"epochs": 3, "augmentation": augmentation, "run_dir": folder, "resume": resume, "progress": False}
    bc.fit(model, (IMAGES, LABELS), **options)
    return [variable.numpy() for variable in model.trainable_variables]


def test_a_run_that_broke_off_goes_on_with_the_images_it_would_have_seen(monkeypatch, tmp_path):
    whole, original = _fit(tmp_path / "whole"), ArrayBatches.epoch

    def broken(self, index):
        if index == 3:
            raise InterruptedError
        return original(self, index)

    monkeypatch.setattr(ArrayBatches, "epoch", broken)
    with pytest.raises(InterruptedError):
        _fit(tmp_path / "parts")
    monkeypatch.undo()
    for value, expected in zip(_fit(tmp_path / "parts", resume=True), whole, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_a_run_is_resumed_with_its_own_augmentation(tmp_path):
    _fit(tmp_path)
    for other, named in (([{"name": "shift", "pixels": 1}], r"'shift\(pixels=1\)'"), ([], "None")):
        with pytest.raises(ValueError, match=rf"(?s)were \{{'augmentation': 'shift'\}}; received .*{named}"):
            _fit(tmp_path, resume=True, augmentation=other)


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        ("shift", TypeError, r"are a sequence of .*Received 'shift'; write \[...\] around it"),
        (["shfit"], ValueError, "Unknown augmentation 'shfit'.*Did you mean 'shift'"),
        ([{"name": "shift", "pixel": 1}], ValueError, "unknown option 'pixel'"),
        ([{"name": "shift", "pixels": 5}], ValueError, "less than the images' height and width, 5 and 6. Received 5"),
        ([{"name": "shift", "pixels": -1}], ValueError, "`pixels` is at least 0 .* Received -1"),
        ([{"name": "horizontal_flip", "probability": 2}], ValueError, "lies between 0 and 1. Received 2"),
        ([lambda x, rng: x[:, 1:]], ValueError, r"keeps the shape of a batch, \[64, 5, 6, 2\]. Received \[64, 4"),
    ],
)
def test_what_does_not_fit_is_refused(augmentation, error, message):
    with pytest.raises(error, match=message):
        bc.fit(MODEL, (IMAGES, LABELS), epochs=1, augmentation=augmentation, progress=False)


def test_inputs_that_are_no_images_are_refused():
    model, rows = bc.Affine(3, 3), np.ones([8, 3], np.float32)
    for name in augmentations.names():
        with pytest.raises(ValueError, match=r"change images \[N, H, W, C\].* Received shape \[8, 3\]"):
            bc.fit(model, (rows, np.arange(8) % 3), epochs=1, augmentation=[name], progress=False)


def test_a_stream_is_refused_with_the_way_out():
    stream = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)
    with pytest.raises(ValueError, match=r"changes the batches of arrays. Received a tf.data.Dataset: map it"):
        bc.fit(MODEL, stream, num_data=400, epochs=1, augmentation=["shift"], progress=False)


def test_targets_with_a_place_in_the_image_are_refused():
    model, labels = bc.Convolution(2, 3, 3, padding="SAME"), np.zeros([8, 5, 6], int)
    options = {"likelihood": "categorical_per_pixel", "augmentation": ["shift"], "progress": False}
    with pytest.raises(ValueError, match=r"not their targets, which for pixels have to move along"):
        bc.fit(model, (IMAGES[:8], labels), epochs=1, **options)


def test_a_series_is_shifted_in_time_each_distance_as_often():
    series = np.arange(1.0, 11.0)[np.newaxis, :, np.newaxis] * np.ones([6000, 1, 2])
    moved = augmentations.resolve({"name": "shift", "pixels": 2, "fill": -1.0})(series, np.random.default_rng(0))
    np.testing.assert_array_equal(moved[..., 0], moved[..., 1])
    padded = np.pad(np.arange(1.0, 11.0), 2, constant_values=-1.0)
    ways = np.stack([padded[d : d + 10] for d in range(5)])
    which = (moved[:, np.newaxis, :, 0] == ways).all(axis=2)
    assert which.any(axis=1).all()
    counts = which.sum(axis=0)
    assert ((counts - 1200) ** 2 / 1200).sum() < stats.chi2.ppf(1 - 1e-6, 4)


def test_a_series_is_not_shifted_out_of_itself():
    with pytest.raises(ValueError, match=r"less than the length of the series, 3\. Received 3"):
        augmentations.resolve({"name": "shift", "pixels": 3})(np.zeros([2, 3, 1]), np.random.default_rng(0))
