"""Claims about frozen ensembles: they say what predict said, whatever becomes of the model, here and elsewhere."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import frozen, sampling, single_inputs

X = np.random.default_rng(0).normal(size=[5, 6, 6, 1]).astype(np.float32)
FIELDS = ("mean", "std", "predictive_entropy", "expected_entropy", "mutual_information", "logits")


def _model(factory=bc.make_kernel_bias_flipout, dtype=tf.float32):
    layers = [
        bc.Convolution(1, 3, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu, dtype=dtype),
        bc.LayerNorm(3, dtype=dtype),  # with variables that are not drawn
        bc.Flatten(),
        bc.Affine(48, 3, make_kernel_bias_fn=factory, dtype=dtype),
    ]
    return bc.Sequential(layers)


def _assert_same(found, expected, **tolerance):
    for name in FIELDS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **(tolerance or {"rtol": 1e-9}))
    assert (found.num_samples, found.seed, found.likelihood) == (
        expected.num_samples,
        expected.seed,
        expected.likelihood,
    )


def _zero(model):
    for variable in model.variables:
        variable.assign(tf.zeros_like(variable))


@pytest.fixture(scope="module")
def ensemble():
    """Frozen, with what its model predicted before it was wiped out and deleted."""
    bc.set_seed(0)
    model = _model()
    expected = bc.predict(model, X, num_samples=6, seed=3)
    made = bc.freeze(model, num_samples=6, seed=3)
    _zero(model)
    alive = weakref.ref(model)
    del model
    gc.collect()
    return made, expected, alive


def test_it_predicts_what_the_model_did_whatever_became_of_it(ensemble):
    made, expected, alive = ensemble
    assert alive() is None
    for batch_size in (2, 256):
        _assert_same(made.predict(X, batch_size=batch_size), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(made(X), expected.logits, rtol=1e-6)
    assert (made.num_samples, made.seed, made.input_shape) == (6, 3, (6, 6, 1))
    assert np.abs(expected.logits[0] - expected.logits[1]).max() > 1e-3


def test_it_is_saved_and_loaded_and_read_by_tensorflow_alone(ensemble, tmp_path):
    made, expected, _ = ensemble
    path = made.save(tmp_path / "frozen")
    again = bc.load_frozen(path)
    _assert_same(again.predict(X), expected, rtol=1e-5, atol=1e-7)
    bc.load_frozen(again.save(tmp_path / "copy"))  # what was loaded can be saved
    program = tf.saved_model.load(str(path))
    for found in (program.predict(tf.constant(X)), program.signatures["serving_default"](x=tf.constant(X))):
        assert set(found) == set(FIELDS) - {"logits"}
        for name, value in found.items():
            np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-5, atol=1e-7)


def test_a_folder_is_replaced_on_request_only(ensemble, tmp_path):
    made = ensemble[0]
    made.save(tmp_path / "frozen")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        made.save(tmp_path / "frozen")
    made.save(tmp_path / "frozen", overwrite=True)


@pytest.mark.parametrize("likelihood", ["bernoulli", {"name": "normal", "scale": 0.5}])
def test_other_likelihoods_and_types(likelihood):
    model = bc.Affine(4, 2, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization, dtype=tf.float64)
    x = np.random.default_rng(1).normal(size=[3, 4])
    made = bc.freeze(model, 5, input_shape=[4], likelihood=likelihood)
    expected = bc.predict(model, x, num_samples=5, likelihood=likelihood)
    assert expected.logits.dtype == np.float64
    _assert_same(made.predict(x), expected, rtol=1e-12)


def test_the_shape_is_that_of_the_last_call_or_has_to_be_given():
    model = bc.Affine(4, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    with pytest.raises(ValueError, match=r"the model has not been called yet. Pass input_shape"):
        bc.freeze(model)
    model(np.ones([3, 4], np.float32))
    assert bc.freeze(model, 2).input_shape == (4,)


def test_a_point_model_is_a_single_function():
    model = bc.Affine(4, 2)
    x = np.ones([3, 4], np.float32)
    made = bc.freeze(model, 8, input_shape=[4]).predict(x)
    assert made.logits.shape == (1, 3, 2)
    np.testing.assert_allclose(made.logits[0], model(x), rtol=1e-6)
    assert made.num_samples == 1


def test_recalibrated_moments_are_frozen_with_their_draw():
    model = bc.Sequential(
        [bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout), bc.BatchNorm(3, policy="recalibrated")]
    )
    calibration = np.random.default_rng(2).normal(size=[20, 4]).astype(np.float32)
    x = calibration[:3]
    made = bc.freeze(model, 4, input_shape=[4], calibration=calibration)
    _assert_same(made.predict(x), bc.predict(model, x, num_samples=4, calibration=calibration), rtol=1e-5, atol=1e-7)


def test_a_bank_of_several_portions_is_put_together(monkeypatch):
    model = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    x = np.ones([2, 4], np.float32)
    expected = bc.predict(model, x, num_samples=7)
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", 3 * 4 * 15)
    _assert_same(bc.freeze(model, 7, input_shape=[4]).predict(x, keep_samples=True), expected, rtol=1e-5, atol=1e-7)


def test_what_does_not_fit_is_refused(ensemble, tmp_path, monkeypatch):
    made = ensemble[0]
    for x, message in ((X[0], r"takes inputs \['N', 6, 6, 1\]"), (X[:0], "N >= 1"), (X.astype(int), "floating-point")):
        with pytest.raises(ValueError, match=message):
            made.predict(x)
    with pytest.raises(TypeError, match="freeze takes models made of bayesconv layers"):
        bc.freeze(tf.nn.relu)
    with pytest.raises(ValueError, match="`num_samples`"):
        bc.freeze(bc.Affine(2, 2), 0, input_shape=[2])
    monkeypatch.setattr(frozen, "_LIMIT", 100)
    with pytest.raises(ValueError, match=r"may take 2 GiB. Received 32 draws"):
        bc.freeze(bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout), input_shape=[4])


def test_a_folder_that_holds_no_ensemble_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="a folder with a saved_model"):
        bc.load_frozen(tmp_path)
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="no frozen ensemble"):
        bc.load_frozen(tmp_path / "other")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(ValueError, match="is damaged"):
        bc.load_frozen(damaged)


@pytest.fixture
def chosen(monkeypatch):
    """Has the pass for single inputs, which is timed first, win every race; holds what was timed."""
    timed = []
    monkeypatch.setattr(single_inputs, "_seconds", lambda run, x: float(timed.append(run) or len(timed)))
    return timed


@pytest.mark.parametrize("factory", [bc.make_kernel_bias_flipout, bc.make_kernel_bias_sliced])
def test_a_single_input_may_meet_all_draws_in_one_pass(factory, chosen, tmp_path):
    model = _model(factory)
    made = bc.freeze(model, num_samples=6, seed=3, input_shape=[6, 6, 1])
    assert len(chosen) == 2
    for one in (made, bc.load_frozen(made.save(tmp_path / "frozen"))):
        for x in (X[:1], X, X[3:4]):
            _assert_same(one.predict(x), bc.predict(model, x, num_samples=6, seed=3), rtol=1e-5, atol=1e-6)
    spread = made(X[:1]).numpy().std(axis=0)
    assert spread.min() > 1e-3  # or the draws' order would not matter


def test_the_slower_pass_is_not_taken(monkeypatch):
    def run(value):
        return tf.function(lambda x: [x, x, x, x + 1e-6 * value], [spec], autograph=False)

    spec, taken = tf.TensorSpec([None, 2]), {}
    monkeypatch.setattr(single_inputs, "_seconds", lambda run, x: taken[run])
    many, one = run(0.0), run(1.0)
    for taken in ({many: 1.0, one: 2.0}, {many: 2.0, one: 1.0}):
        found = single_inputs.faster(many, one, spec)
        assert (found is many) == (taken[one] > taken[many])
        zeros = tf.zeros([1, 2])
        np.testing.assert_allclose(found(zeros)[3], 0.0 if found is many else 1e-6)
        np.testing.assert_array_equal(found(tf.zeros([2, 2]))[3], 0.0)


def _looks_across(x):
    model = bc.Sequential([bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout), tf.math.l2_normalize])
    return bc.freeze(model, 6, input_shape=[4]).predict(x), bc.predict(model, x, num_samples=6)


def test_functions_that_look_across_a_batch_see_no_copies_of_it(chosen, monkeypatch):
    x = np.ones([1, 4], np.float32)
    _assert_same(*_looks_across(x), rtol=1e-5, atol=1e-6)
    assert not chosen
    monkeypatch.setattr(single_inputs, "_agree", lambda expected, found: True)  # the mutant
    found, expected = _looks_across(x)
    assert np.abs(found.logits - expected.logits).max() > 1e-3


def test_outputs_agree_if_every_kind_of_them_does():
    expected = np.stack([1e5 + np.arange(4.0), np.arange(4.0)], axis=-1)[:, np.newaxis]
    assert single_inputs._agree(expected, expected * (1 + 1e-6))
    wrong = expected.copy()
    wrong[..., 1] += 0.5
    for found in (wrong, expected[:2], None, np.full_like(expected, np.nan)):
        assert not single_inputs._agree(expected, found)
    assert not single_inputs._agree(np.zeros([2, 1, 3]), np.zeros([2, 1, 3]))  # there is nothing to see
    assert not single_inputs._agree(np.full([2, 1, 3], np.inf), np.full([2, 1, 3], np.inf))


class _Pair(bc.Layer):
    """A layer whose outputs are two."""

    def __init__(self):
        super().__init__()
        self.inner = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)

    def forward(self, inputs, *, is_training, seed):
        outputs = self.inner(inputs)
        return outputs, {"twice": 2.0 * outputs, "nothing": None, "number": 1.0}


class _OfPair(bc.Layer):
    def __init__(self):
        super().__init__()
        self.pair = _Pair()

    def forward(self, inputs, *, is_training, seed):
        outputs, others = self.pair(inputs)
        return outputs + others["twice"]


def test_an_inner_layer_may_give_anything(chosen, tmp_path):
    model, x = _OfPair(), np.ones([1, 4], np.float32)
    expected = bc.predict(model, x, num_samples=6)
    _assert_same(bc.freeze(model, 6, input_shape=[4]).predict(x), expected, rtol=1e-5, atol=1e-6)
    path = bc.export_saved_model(model, tmp_path / "exported", [4])
    exported = tf.saved_model.load(path)
    found = exported.predict(tf.constant(x), num_samples=6, seed=0)
    np.testing.assert_allclose(found["mean"], expected.mean, rtol=1e-5)
    assert not chosen  # layers of one's own may count on there being one example


def _not_negative(x):
    with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
        return tf.identity(x)


def test_inputs_that_a_model_does_not_take_are_not_tried(chosen):
    affine = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    model, x = bc.Sequential([_not_negative, affine]), np.ones([1, 4], np.float32)
    _assert_same(bc.freeze(model, 6, input_shape=[4]).predict(x), bc.predict(model, x, num_samples=6), rtol=1e-5)
    assert not chosen


def test_whatever_goes_wrong_in_the_single_pass_the_loop_is_there(chosen, monkeypatch):
    def broken(self, batch, draws):
        raise AttributeError("a defect")

    monkeypatch.setattr(sampling.Sampler, "stacked_sums", broken)
    affine, x = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout), np.ones([1, 4], np.float32)
    _assert_same(bc.freeze(affine, 6, input_shape=[4]).predict(x), bc.predict(affine, x, num_samples=6), rtol=1e-5)
    assert not chosen


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (tf.nn.relu, True),
        (functools.partial(tf.nn.leaky_relu, alpha=0.1), True),
        (bc.Flatten(), True),
        (bc.Affine(3, 3, activation_fn=tf.nn.softmax, init_bias_fn=lambda shape, dtype: tf.ones(shape, dtype)), True),
        (bc.Residual(bc.Affine(3, 3), activation_fn=tf.nn.relu), True),
        (lambda x: x, False),
        (bc.Affine(3, 3, activation_fn=lambda x: x), False),
        (bc.Residual(lambda x: x), False),
        (bc.Sequential([bc.Sequential([_not_negative])]), False),
        (_OfPair(), False),
    ],
)
def test_what_users_write_is_left_to_the_loop(member, expected):
    factory = functools.partial(bc.make_kernel_bias_variational, prior=lambda specs: bc.priors.normal(specs))
    model = bc.Sequential([bc.Affine(4, 3, make_kernel_bias_fn=factory), member])
    assert single_inputs.treats_examples_alone(model) == expected


class _WithContext(bc.Layer):
    """What it adds comes from a single row, whatever the number of examples."""

    def __init__(self):
        super().__init__()
        self.inner, self.context = (bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout) for _ in range(2))

    def forward(self, inputs, *, is_training, seed):
        return self.inner(inputs) + self.context(tf.ones([1, 4], inputs.dtype))


@pytest.mark.parametrize("num", [1, 3])
def test_a_layer_that_is_called_with_something_else_than_the_examples_works(num, chosen):
    model, x = _WithContext(), np.ones([num, 4], np.float32)
    made = bc.freeze(model, 6, input_shape=[4])
    assert not chosen  # one row is no six stacks
    _assert_same(made.predict(x), bc.predict(model, x, num_samples=6), rtol=1e-5, atol=1e-6)


def test_what_no_batch_of_kernels_can_do_is_left_to_the_loop(chosen, monkeypatch):
    affine = bc.Affine(4, 3, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    for model in (bc.Sequential([affine, bc.Dropout(0.5, mc=True)]), bc.Affine(4, 3)):  # a mask, and no draw
        bc.freeze(model, 4, input_shape=[4])
    least = 4 * (4 * 4 * 3 + 2 * 4 * 4 * 3)  # bytes: four times the outputs of four draws, and twice their kernels
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", least - 1)
    bc.freeze(affine, 4, input_shape=[4])
    assert not chosen
    monkeypatch.setattr(sampling, "MEMORY_BUDGET", least)
    bc.freeze(affine, 4, input_shape=[4])
    assert len(chosen) == 2
