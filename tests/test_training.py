"""Claims about training: a run is a function of its arguments and a seed, and what goes wrong is named."""

from __future__ import annotations

import functools
import json
import math
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import checkpoints, loop, random, training

tfd = tfp.distributions
RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
FIT = {"epochs": 3, "batch_size": 8, "learning_rate": 0.05, "progress": False}


def _model(factory=bc.make_kernel_bias_flipout, name="head", init_seed=1, first=bc.make_kernel_bias):
    bc.set_seed(init_seed)
    return bc.Sequential(
        [
            bc.Affine(3, 4, make_kernel_bias_fn=first, name="hidden"),
            tf.nn.relu,
            bc.Affine(4, 3, make_kernel_bias_fn=factory, name=name),
        ]
    )


def _values(model):
    return {path: variable.numpy() for path, variable in model.named_variables.items()}


def _assert_equal(first, second):
    assert first.keys() == second.keys()
    for path, value in first.items():
        np.testing.assert_array_equal(value, second[path], err_msg=path)


def _terms(history):
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in history.rows]


class Finished(NamedTuple):
    """What a run of FIT with a validation and seed 4 leaves."""

    folder: Path
    history: bc.History
    values: dict


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("finished"), _model()
    bc.set_seed(0)
    history = bc.fit(model, (X, Y), run_dir=folder, seed=4, validation=(X, Y), **FIT)
    return Finished(folder, history, _values(model))


@pytest.fixture
def eagerly():
    """Runs without a graph: where a run ends after a step or two, tracing it would take longer."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished run, which may be spoilt."""
    return shutil.copytree(finished.folder, tmp_path / "run")


AGAIN = {**FIT, "seed": 4, "validation": (X, Y)}


# What a run is.


def test_the_step_is_traced_once_for_a_whole_run_with_a_smaller_last_batch():
    traces = []
    model = bc.Sequential([bc.Lambda(lambda x: traces.append(x.shape) or x), *_model().layers])
    bc.fit(model, (X, Y), **FIT)
    symbolic = [shape for shape in traces if shape[0] is None]
    assert len(symbolic) == 1
    assert len(traces) == 2  # and once eagerly, to check the shapes


def test_a_run_is_a_function_of_its_arguments_and_the_seed(finished):
    runs = [(_terms(finished.history), finished.values)]  # whose noise was 0
    for seed, noise in ((4, 1), (5, 0)):
        model = _model()
        bc.set_seed(noise)  # the state of the global generator does not matter
        runs.append((_terms(bc.fit(model, (X, Y), seed=seed, validation=(X, Y), **FIT)), _values(model)))
    assert runs[0][0] == runs[1][0]
    _assert_equal(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_it_learns():
    model = _model()
    history = bc.fit(model, (X, Y), temperature=0.1, **{**FIT, "epochs": 60})
    assert history.rows[-1]["nll"] < 0.5 * history.rows[0]["nll"]
    assert [row["epoch"] for row in history.rows] == list(range(1, 61))
    assert history.best_epoch == 60


def test_one_step_of_sgd_is_the_gradient_of_the_elbo():
    model, twin = (_model(first=bc.make_kernel_bias_flipout) for _ in range(2))
    options = {
        "epochs": 1,
        "batch_size": 22,
        "kl_schedule": "constant",
        "temperature": 0.5,
        "num_samples": 2,
        "seed": 6,
    }
    rows = bc.fit(
        model, (X, Y), optimizer="sgd", learning_rate=0.1, learning_rate_schedule="constant", progress=False, **options
    ).rows
    order = np.random.default_rng([6, 1]).permutation(22)
    seed = random.fold_in(random.as_seed(6), 0)
    with tf.GradientTape() as tape:
        terms = bc.elbo(twin, X[order], Y[order], num_data=22, temperature=0.5, num_samples=2, seed=seed)
    for variable, gradient in zip(
        twin.trainable_variables, tape.gradient(terms.loss, twin.trainable_variables), strict=True
    ):
        variable.assign_sub(0.1 * gradient)
    for path, value in _values(twin).items():
        np.testing.assert_allclose(model.named_variables[path], value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rows[0]["loss"], terms.loss, rtol=1e-5)
    np.testing.assert_allclose(rows[0]["nll"], terms.negative_log_likelihood, rtol=1e-5)
    np.testing.assert_allclose(rows[0]["kl"], terms.kl, rtol=1e-5)


def test_the_rows_report_weighted_means_over_the_examples():
    # with a learning rate of nearly 0 a deterministic model has the same loss at every step
    model = _model(bc.make_kernel_bias)
    rows = bc.fit(model, (X, Y), **{**FIT, "learning_rate": 1e-12}).rows
    log_probs = tf.nn.log_softmax(model(X)).numpy()
    expected = -log_probs[np.arange(22), Y].mean()
    for row in rows:
        np.testing.assert_allclose(
            [row["nll"], row["loss"], row["kl"]], [expected, expected, 0.0], rtol=1e-5, atol=1e-9
        )
        assert row["images_per_second"] > 0


def test_the_kl_weight_follows_the_schedule_and_the_temperature_scales_the_kl():
    for temperature in (1.0, 0.25):
        model = _model()
        rows = bc.fit(
            model, (X, Y), kl_schedule={"name": "linear", "warm_up": 0.5}, temperature=temperature, **FIT
        ).rows
        last_steps = [2, 5, 8]
        np.testing.assert_allclose(
            [row["kl_weight"] for row in rows], [min(s / 9 / 0.5, 1) for s in last_steps], rtol=1e-6
        )
        expected = rows[-1]["nll"] + temperature * rows[-1]["kl"] / 22
        np.testing.assert_allclose(rows[-1]["loss"], expected, rtol=1e-4)


def test_a_data_set_trains_as_the_arrays_do_in_the_same_order():
    model, twin = _model(), _model()
    history = bc.fit(model, (X, Y), seed=2, **FIT)
    orders = [np.random.default_rng([2, epoch]).permutation(22) for epoch in (1, 2, 3)]
    epochs = iter(orders + orders)

    def batches():
        order = next(epochs)
        for start in range(0, 22, 8):
            yield X[order[start : start + 8]], Y[order[start : start + 8]]

    signature = (tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([None], tf.int64))
    stream = tf.data.Dataset.from_generator(batches, output_signature=signature)
    stream = stream.apply(tf.data.experimental.assert_cardinality(3))
    next(iter(stream))  # `fit` looks at a batch too; both are thrown away
    epochs = iter([orders[0], *orders])
    streamed = bc.fit(twin, stream, num_data=22, seed=2, **{k: v for k, v in FIT.items() if k != "batch_size"})
    assert _terms(streamed) == _terms(history)
    _assert_equal(_values(model), _values(twin))


# Scales.


@pytest.mark.usefixtures("eagerly")
def test_the_scales_move_faster_by_the_factor():
    movements = []
    for factor in (1.0, 5.0):
        model = _model()
        before = _values(model)
        bc.fit(
            model,
            (X, Y),
            epochs=1,
            batch_size=22,
            optimizer="sgd",
            learning_rate=1e-2,
            scale_learning_rate_factor=factor,
            progress=False,
        )
        movements.append({path: value - before[path] for path, value in _values(model).items()})
    for path, movement in movements[0].items():
        ratio = 5.0 if path.endswith("untransformed_scale") else 1.0
        np.testing.assert_allclose(movements[1][path], ratio * movement, rtol=1e-2, atol=1e-6, err_msg=path)


# Validation.


def test_patience_stops_and_the_best_weights_are_restored(monkeypatch, tmp_path):
    scores = iter([0.9, 0.5, 0.7, 0.6, 0.8])
    snapshots = []

    def validator(model, *_):
        def validate():
            snapshots.append(_values(model))
            return {"validation_nll": next(scores)}

        return validate

    monkeypatch.setattr(training, "validator", validator)
    model = _model()
    options = {**FIT, "epochs": 9, "kl_schedule": "constant"}
    history = bc.fit(model, (X, Y), validation=(X, Y), patience=2, run_dir=tmp_path, **options)
    assert [row["validation_nll"] for row in history.rows] == [0.9, 0.5, 0.7, 0.6]
    assert history.best_epoch == 2
    _assert_equal(_values(model), snapshots[1])
    best = _model(init_seed=9).load(tmp_path / "checkpoints" / "best.npz")
    _assert_equal(_values(best), snapshots[1])


def test_epochs_of_the_warm_up_are_not_the_best_one(monkeypatch):
    scores = [0.1, 0.2, 0.3, 0.6, 0.5, 0.7]  # the KL has its full weight from the fourth of six epochs on
    for factory, best in ((bc.make_kernel_bias_flipout, 5), (bc.make_kernel_bias, 1)):
        left = iter(scores)
        monkeypatch.setattr(training, "validator", lambda *_, left=left: lambda: {"validation_nll": next(left)})
        model = bc.Sequential([bc.Flatten(), bc.Affine(X[0].size, 3, make_kernel_bias_fn=factory)])
        options = {**FIT, "epochs": 6, "kl_schedule": {"name": "linear", "warm_up": 0.5}}
        history = bc.fit(model, (X, Y), validation=(X, Y), **options)
        assert [row["kl_weight"] == 1.0 for row in history.rows] == [False] * 3 + [True] * 3
        assert history.best_epoch == best


@pytest.mark.usefixtures("eagerly")
def test_the_validation_nll_is_that_of_the_averaged_probabilities():
    model = _model()
    history = bc.fit(model, (X, Y), validation=(X[:9], Y[:9]), validation_samples=6, seed=3, **{**FIT, "epochs": 1})
    probs = bc.predict(model, X[:9], num_samples=6, seed=3).probs
    np.testing.assert_allclose(history.rows[0]["validation_nll"], -np.log(probs[np.arange(9), Y[:9]]).mean(), rtol=1e-5)
    assert history.rows[0]["validation_accuracy"] == np.mean(probs.argmax(-1) == Y[:9])


@pytest.mark.usefixtures("eagerly")
def test_a_validation_loss_that_is_no_number_stops_the_run():
    bad = X.copy()
    bad[3] = 3e38
    with pytest.raises(FloatingPointError, match=r"validation NLL is (nan|inf)"):
        bc.fit(bc.Affine(3, 3), (X, Y), validation=(bad, Y), **FIT)


# Runs on disk.


class KilledError(Exception):
    """Stands for a crash."""


def _kill_after(monkeypatch, epochs):
    original = loop.TrainingLoop._train_epoch

    def train_epoch(self, epoch, *args):
        if epoch > epochs:
            raise KilledError
        return original(self, epoch, *args)

    monkeypatch.setattr(loop.TrainingLoop, "_train_epoch", train_epoch)
    return lambda: monkeypatch.setattr(loop.TrainingLoop, "_train_epoch", original)


@pytest.mark.parametrize("optimizer", [{"scale_learning_rate_factor": 3.0}, {"optimizer": "ivon"}])
@pytest.mark.parametrize("validation", [None, (X[:9], Y[:9])])
def test_a_killed_and_resumed_run_is_bit_equal(monkeypatch, tmp_path, validation, optimizer):
    options = {**FIT, "epochs": 5, "seed": 8, "validation": validation, **optimizer}
    whole, parts = _model(), _model()
    history = bc.fit(whole, (X, Y), run_dir=tmp_path / "whole", **options)
    revive = _kill_after(monkeypatch, 2)
    with pytest.raises(KilledError):
        bc.fit(parts, (X, Y), run_dir=tmp_path / "parts", **options)
    revive()
    parts = _model(init_seed=77)  # another process builds the model anew
    resumed = bc.fit(parts, (X, Y), run_dir=tmp_path / "parts", resume=True, **options)
    assert _terms(resumed) == _terms(history)
    assert resumed.best_epoch == history.best_epoch
    _assert_equal(_values(whole), _values(parts))
    again = bc.fit(_model(init_seed=78), (X, Y), run_dir=tmp_path / "parts", resume=True, **options)
    assert again.rows == resumed.rows  # nothing is left to do


def test_resuming_where_nothing_is_begins_a_run(tmp_path):
    history = bc.fit(_model(), (X, Y), run_dir=tmp_path / "new", resume=True, **FIT)
    assert len(history.rows) == 3


def test_the_history_on_disk_is_what_fit_returned(finished):
    rows, path = finished.history.rows, finished.folder / "history.jsonl"
    assert [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()] == rows
    assert checkpoints.read_history(path) == rows
    assert set(rows[0]) == {
        "epoch", "loss", "nll", "kl", "kl_weight", "images_per_second", "validation_nll", "validation_accuracy",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "'seed': 4"),
        ({"temperature": 0.5}, "'temperature': 1.0"),
        ({"optimizer": "sgd"}, "'optimizer': .[A-Za-z]*Adam "),
        ({"learning_rate": 0.1}, r"'initial_learning_rate': 0\.05"),
        ({"kl_schedule": {"name": "linear", "warm_up": 0.5}}, "'kl_schedule': 'linear'"),
        ({"epochs": 4}, "'epochs': 3"),
    ],
)
def test_resuming_with_other_settings_is_refused_and_changes_nothing(folder, change, named):
    model = _model(init_seed=5)
    before = _values(model)
    with pytest.raises(ValueError, match=f"resumed with the settings it began with.*{named}"):
        bc.fit(model, (X, Y), run_dir=folder, resume=True, **{**AGAIN, **change})
    _assert_equal(_values(model), before)


def test_a_folder_with_a_run_is_not_overwritten(folder):
    kept = (folder / "checkpoints" / "last.npz").read_bytes()
    with pytest.raises(ValueError, match=r"already holds a run. Pass resume=True"):
        bc.fit(_model(), (X, Y), run_dir=folder, **AGAIN)
    assert (folder / "checkpoints" / "last.npz").read_bytes() == kept


def test_resuming_another_model_or_a_damaged_checkpoint_is_refused(folder):
    with pytest.raises(ValueError, match="do not fit this model"):
        bc.fit(bc.Affine(3, 3), (X, Y), run_dir=folder, resume=True, **AGAIN)
    last = folder / "checkpoints" / "last.npz"
    last.write_bytes(last.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"is damaged or is not an .npz file"):
        bc.fit(_model(), (X, Y), run_dir=folder, resume=True, **AGAIN)


# What goes wrong.


@pytest.mark.usefixtures("eagerly")
def test_nan_inputs_are_named_and_the_weights_stay_good(tmp_path):
    x = X.copy()
    x[4, 1] = np.nan
    model = _model()
    stream = tf.data.Dataset.from_tensor_slices((x, Y)).batch(8)
    with pytest.raises(FloatingPointError, match=r"in epoch 1: .* beginning with the inputs. There is no checkpoint"):
        bc.fit(model, stream, num_data=len(Y), run_dir=tmp_path, **{**FIT, "batch_size": 1})
    assert all(np.isfinite(value).all() for value in _values(model).values())


@pytest.mark.parametrize("what", ["train", "validation"])
def test_arrays_that_are_not_finite_are_refused_before_a_net_hides_it(what):
    x = X.copy()
    x[[4, 7], 1] = np.inf, np.nan
    given = {"train": (X, Y), "validation": (X, Y), what: (x, Y)}
    with pytest.raises(ValueError, match=r"must be finite numbers\. Received NaN or infinite ones in 2 of 22 inputs"):
        bc.fit(_model(), given.pop("train"), **given, **FIT)


@pytest.mark.usefixtures("eagerly")
def test_a_later_draw_of_a_step_that_goes_wrong_is_named():
    calls = []

    def sometimes(x):
        calls.append(0)
        return x * (math.inf if len(calls) % 2 == 0 else 1.0)  # the second of two draws

    model = bc.Sequential([*_model().layers, bc.Lambda(sometimes, name="sometimes")])
    with pytest.raises(FloatingPointError, match="beginning with the output of `sometimes`"):
        bc.fit(model, (X, Y), num_samples=2, **FIT)


def test_validation_may_be_a_data_set_of_batches():
    model, other = _model(), _model()
    for variable, source in zip(other.variables, model.variables, strict=True):
        variable.assign(source)
    stream = tf.data.Dataset.from_tensor_slices((X, Y)).batch(5)
    found = bc.fit(model, (X, Y), seed=3, validation=stream, **FIT)
    expected = bc.fit(other, (X, Y), seed=3, validation=(X, Y), **FIT)
    assert [row["validation_nll"] for row in found.rows] == [row["validation_nll"] for row in expected.rows]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: data.repeat(), r"must be finite\. Received an infinite"),
        (lambda data: data.take(0), "which is empty"),
        (
            lambda data: tf.data.Dataset.from_tensor_slices(X).batch(5),
            r"of such batches\. Received one whose elements are TensorSpec",
        ),
    ],
)
def test_a_data_set_that_is_no_validation_is_refused(make, message):
    stream = make(tf.data.Dataset.from_tensor_slices((X, Y)).batch(5))
    with pytest.raises(ValueError, match=message):
        bc.fit(_model(), (X, Y), validation=stream, **FIT)


def test_a_progress_bar_shows_loss_nll_kl_and_images_per_second_apart(capfd):
    bc.fit(_model(), (X, Y), **{**FIT, "progress": True, "epochs": 2})
    shown = capfd.readouterr().err
    assert re.search(r"epoch 2/2: .*loss \d+\.\d{4}, NLL \d+\.\d{4}, KL \d+, \d+ images/s", shown)


def test_without_an_optimizer_it_is_adam():
    settings = []
    for optimizer in (None, "adam"):
        model = bc.Affine(3, 3, init_kernel_fn=tf.zeros, init_bias_fn=tf.zeros)
        bc.fit(model, (X, Y), optimizer=optimizer, **FIT)
        settings.append(model.kernel.numpy())
    np.testing.assert_array_equal(*settings)


class Exploding(bc.Layer):
    """Passes its input on until a step; infinite after it."""

    def __init__(self, steps):
        super().__init__(name="exploding")
        self.count = tf.Variable(0, trainable=False, name="count")
        self.steps = steps

    def forward(self, inputs, *, is_training, seed):
        if not is_training:
            return inputs
        count = self.count.assign_add(1)
        return tf.where(count > self.steps, math.inf * tf.ones_like(inputs), inputs)


def test_the_first_layer_that_went_wrong_and_the_last_good_checkpoint_are_named(tmp_path):
    model = bc.Sequential([*_model().layers, Exploding(7)])  # three steps an epoch: in the third
    with pytest.raises(FloatingPointError) as failure:
        bc.fit(model, (X, Y), run_dir=tmp_path, **FIT)
    last = tmp_path / "checkpoints" / "last.npz"
    assert (
        "in epoch 3: the loss, its gradient or the weights are not finite, beginning with the output of `exploding`"
        in str(failure.value)
    )
    assert f"The last good checkpoint, of epoch 2, is {last}." in str(failure.value)
    with np.load(last) as archive:
        assert all(np.isfinite(archive[name]).all() for name in archive.files if name != "state")
    assert len(checkpoints.read_history(tmp_path / "history.jsonl")) == 2


@pytest.mark.usefixtures("eagerly")
def test_a_weight_that_is_no_number_is_named_with_its_layer():
    model = _model(name="conv7")
    model[2].kernel.distribution.loc.assign(np.full([4, 3], np.nan, np.float32))
    with pytest.raises(FloatingPointError, match="beginning with the variable layers/2/kernel/loc of `conv7`"):
        bc.fit(model, (X, Y), **FIT)


@pytest.mark.usefixtures("eagerly")
def test_a_draw_that_overflows_is_named_by_its_output():
    model = _model(first=bc.make_kernel_bias_reparameterization)
    model[0].kernel.distribution.loc.assign(np.full([3, 4], 3e38, np.float32))
    with pytest.raises(FloatingPointError, match="beginning with the output of `hidden`"):
        bc.fit(model, (1e3 * X, Y), **FIT)


@pytest.mark.usefixtures("eagerly")
def test_a_kl_that_is_no_number_is_named_with_its_layer():
    def bad_prior(specs):
        return bc.map_kernel_bias(
            lambda spec: tfd.Sample(tfd.Normal(np.float32(np.nan), np.float32(1)), spec.shape), specs
        )

    factory = functools.partial(bc.make_kernel_bias_flipout, prior=bad_prior)
    model = bc.Sequential([bc.Affine(3, 4), bc.Affine(4, 3, make_kernel_bias_fn=factory, name="fc")])
    with pytest.raises(FloatingPointError, match="beginning with the KL of `fc`"):
        bc.fit(model, (X, Y), kl_schedule="constant", **FIT)


@pytest.mark.usefixtures("eagerly")
def test_a_gradient_that_is_no_number_is_named_with_its_layer():
    model = bc.Sequential([bc.Affine(3, 3, name="fc"), bc.Lambda(lambda x: x + tf.sqrt(0.0 * x))])
    with pytest.raises(FloatingPointError, match="beginning with the gradient of the variable layers/0/kernel of `fc`"):
        bc.fit(model, (X, Y), **FIT)


def test_a_compiled_step_that_fails_changes_no_weight():
    model = bc.Sequential([*_model().layers, bc.Lambda(lambda x: x / 0.0)])
    before = _values(model)
    with pytest.raises(FloatingPointError):
        bc.fit(model, (X, Y), **FIT)
    for path, value in _values(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_other_errors_of_a_step_are_not_taken_for_numbers_that_are_not_finite():
    def refusing(x):
        with tf.control_dependencies([tf.debugging.Assert(tf.shape(x)[0] < 0, ["of the user's own"])]):
            return tf.identity(x)

    with pytest.raises(tf.errors.InvalidArgumentError, match="of the user's own"):
        bc.fit(bc.Sequential([bc.Lambda(refusing), *_model().layers]), (X, Y), **FIT)


@pytest.mark.usefixtures("eagerly")
def test_a_failed_step_does_not_change_the_weights():
    model = bc.Sequential([*_model().layers, Exploding(1)])
    before = _values(model)
    with pytest.raises(FloatingPointError):
        bc.fit(model, (X, Y), **{**FIT, "batch_size": 22, "epochs": 2, "learning_rate": 1e-12})
    for path, value in _values(model).items():
        if "count" not in path:
            np.testing.assert_allclose(value, before[path], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": (X, Y + 1)}, r"Labels must be in \[0, 3\).*Received labels from 1 to 3\. Count classes from 0"),
        ({"train": (X, Y - 1)}, "Received labels from -1 to 1"),
        ({"train": (X, Y[:-1])}, "Received 22 inputs and 21 targets"),
        ({"train": (X, Y.astype(float))}, r"integer labels \[N\]\. Received shape \(22,\) and dtype float64"),
        ({"train": (X, np.eye(3)[Y])}, r"Received shape \(22, 3\).*undo a one-hot encoding"),
        ({"train": (X.astype(int), Y)}, "must be floating-point numbers of order 1. Received int64"),
        ({"train": X}, r"Data are a pair \(x, y\) of arrays, or a tf.data.Dataset. Received ndarray"),
        ({"train": (X[:, :2], Y)}, r"takes inputs of shape \[N, 3\]"),
        ({"validation": (X, Y + 1)}, "Received labels from 1 to 3"),
        ({"epochs": 0}, "`epochs` must be a positive int. Received 0"),
        ({"batch_size": 0}, "`batch_size` must be a positive int. Received 0"),
        ({"num_samples": 0}, "`num_samples` must be a positive int. Received 0"),
        ({"patience": 0, "validation": (X, Y)}, "`patience` must be a positive int. Received 0"),
        ({"patience": 2}, "needs validation="),
        ({"temperature": -1.0}, "`temperature` multiplies the KL: a finite number, not negative.* Received -1.0"),
        ({"temperature": math.nan}, "`temperature` multiplies the KL.* Received nan"),
        ({"scale_learning_rate_factor": 0.0}, "`scale_learning_rate_factor` must be positive. Received 0.0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive and finite. Received 0.0"),
        ({"kl_schedule": "liner"}, r"Unknown kl schedule 'liner'.*Did you mean 'linear'\?"),
        (
            {"likelihood": "bernoulli"},
            r"bernoulli likelihood takes targets \[N, 3\].*Received targets of shape \(22,\)",
        ),
        (
            {"train": tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)},
            "`num_data`, the number of training examples, is",
        ),
    ],
)
def test_arguments_and_data_that_do_not_fit_are_refused_before_anything_begins(tmp_path, change, message):
    options = {"train": (X, Y), **FIT, **change}
    with pytest.raises(ValueError, match=message):
        bc.fit(_model(), run_dir=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_variable_that_the_loss_does_not_use_is_named():
    class Unused(bc.Layer):
        def __init__(self):
            super().__init__()
            self.idle = tf.Variable(1.0, name="idle")

        def forward(self, inputs, *, is_training, seed):
            return inputs

    with pytest.raises(ValueError, match=r"does not depend on the trainable variables \['idle:0'\]"):
        bc.fit(bc.Sequential([bc.Affine(3, 3), Unused()]), (X, Y), **FIT)


def test_a_model_without_variables_has_nothing_to_train():
    with pytest.raises(ValueError, match="nothing to train: `flatten` has no trainable variables"):
        bc.fit(bc.Flatten(), (X, Y), **FIT)


def test_a_penalty_that_is_already_divided_is_refused():
    factory = functools.partial(bc.make_kernel_bias_flipout, penalty_weight=1 / 22)
    with pytest.raises(ValueError, match=r"already scales it by penalty_weight=0\.0454545"):
        bc.fit(_model(factory), (X, Y), **FIT)


def test_a_keras_optimizer_is_used_as_it_is():
    models = [_model(), _model()]
    bc.fit(models[0], (X, Y), optimizer=keras.optimizers.SGD(0.05, momentum=0.9), seed=1, **FIT)
    options = {"name": "sgd", "momentum": 0.9}
    bc.fit(models[1], (X, Y), optimizer=options, learning_rate_schedule="constant", seed=1, **FIT)
    _assert_equal(_values(models[0]), _values(models[1]))


@pytest.mark.usefixtures("eagerly")
def test_weights_that_the_last_step_of_an_epoch_spoilt_are_not_written(tmp_path):
    options = {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": "sgd",
        "learning_rate_schedule": "constant",
        "progress": False,
    }
    bc.fit(_model(), (X, Y), run_dir=tmp_path / "fine", learning_rate=1e-3, **options)
    with pytest.raises(FloatingPointError, match=r"the variable .* after the update. There is no checkpoint yet"):
        bc.fit(_model(), (1e3 * X, Y), run_dir=tmp_path / "spoilt", learning_rate=3e38, **options)
    assert not (tmp_path / "spoilt" / "checkpoints").exists()


def test_numbers_of_numpy_are_as_good_as_pythons(tmp_path):
    rows = [
        bc.fit(
            _model(), (X, Y), num_data=kind(22), temperature=real(0.5), seed=kind(3), run_dir=tmp_path / name, **FIT
        ).rows
        for name, kind, real in (("numpy", np.int64, np.float32), ("python", int, float))
    ]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]


def test_a_shortened_history_file_does_not_shorten_a_resumed_run(finished, folder):
    (folder / "history.jsonl").write_text("")
    assert bc.fit(_model(), (X, Y), run_dir=folder, resume=True, **AGAIN).rows == finished.history.rows


@pytest.mark.parametrize("streamed", [False, True])
def test_validation_calibrates_batch_normalization_on_training_inputs(streamed):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[40, 6]).astype(np.float32), rng.integers(0, 3, 40)
    first = bc.Affine(6, 4, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    model = bc.Sequential([first, bc.BatchNorm(4, policy="recalibrated"), bc.Affine(4, 3)])
    train = tf.data.Dataset.from_tensor_slices((x, y)).batch(8) if streamed else (x, y)
    history = bc.fit(model, train, num_data=40, epochs=2, validation=(x, y), progress=False, kl_schedule="constant")
    predictive = bc.predict(model, x, num_samples=8, seed=0, keep_samples=True, calibration=x)
    probs = tf.nn.softmax(predictive.logits.astype(np.float64)).numpy().mean(axis=0)
    best = history.rows[history.best_epoch - 1]["validation_nll"]
    assert best == pytest.approx(-np.log(probs[np.arange(40), y]).mean(), rel=1e-5)
