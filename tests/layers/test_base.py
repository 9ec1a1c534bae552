"""Claims about the one call of every layer, and about layers made of layers."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc

REPARAMETERIZATION = bc.make_kernel_bias_reparameterization
X = tf.constant([[1.0, -2.0], [0.5, 3.0]])


def _bayesian(factory=REPARAMETERIZATION, **options):
    return bc.Affine(2, 2, make_kernel_bias_fn=factory, **options)


class TestCall:
    def test_signature(self):
        parameters = inspect.signature(bc.Layer.__call__).parameters.values()
        assert [p.name for p in parameters] == ["self", "inputs", "is_training", "seed", "weights"]
        assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters)[2:])
        assert bc.Layer.__call__.__final__

    @pytest.mark.parametrize("options", [{"training": True}, {"sead": 1}])
    def test_unknown_arguments_are_refused(self, options):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            _bayesian()(X, **options)

    def test_unknown_weights_are_refused_with_a_suggestion(self):
        with pytest.raises(ValueError, match=r"Unknown value of `weights` 'means'.*Did you mean 'mean'\?"):
            _bayesian()(X, weights="means")

    @pytest.mark.parametrize("make", [lambda: bc.MaxPool(2), bc.Flatten, lambda: bc.Sequential([bc.Affine(2, 2)])])
    def test_every_layer_has_all_members(self, make):
        layer = make()
        for member in ("kernel", "bias", "dtype", "activation_fn", "posterior", "prior", "estimator", "divergence"):
            assert getattr(layer, member) is None
        assert layer.extra_loss is layer.extra_result is None

    def test_forward_must_be_overridden(self):
        with pytest.raises(TypeError, match=r"Layer must override forward\(inputs, \*, is_training, seed\)"):
            bc.Layer()(X)

    def test_the_same_seed_gives_the_same_numbers_and_another_does_not(self):
        model = bc.Sequential([_bayesian(bc.make_kernel_bias_flipout), _bayesian()])
        np.testing.assert_array_equal(model(X, seed=3), model(X, seed=3))
        np.testing.assert_array_equal(model(X, seed=(3, 0)), model(X, seed=3))
        assert np.abs(model(X, seed=3) - model(X, seed=4)).max() > 1e-3

    def test_unseeded_calls_differ_and_set_seed_repeats_them(self):
        layer = _bayesian()
        bc.set_seed(5)
        first, second = layer(X), layer(X)
        bc.set_seed(5)
        np.testing.assert_array_equal(layer(X), first)
        assert np.abs(first - second).max() > 1e-3

    @pytest.mark.parametrize("seed", [1.5, [1, 2, 3], "one"])
    def test_what_is_no_seed_is_refused(self, seed):
        with pytest.raises(ValueError, match="A seed is an int or a pair of ints"):
            _bayesian()(X, seed=seed)

    def test_is_training_false_still_samples(self):
        layer = _bayesian()
        sampled = layer(X, seed=3, is_training=False)
        np.testing.assert_array_equal(sampled, layer(X, seed=3))
        assert np.abs(sampled - layer(X, weights="mean")).max() > 1e-3

    def test_the_mean_pass_uses_the_posterior_mean_at_every_depth(self):
        first, second = _bayesian(bc.make_kernel_bias_flipout), _bayesian()
        model = bc.Sequential([first, tf.nn.relu, bc.Sequential([second])])
        hidden = tf.nn.relu(X @ first.kernel.mean() + first.bias.mean())
        expected = hidden @ second.kernel.mean() + second.bias.mean()
        np.testing.assert_allclose(model(X, weights="mean"), expected, rtol=1e-6)

    def test_eval_is_the_call_on_what_becomes_a_tensor(self):
        layer = _bayesian()
        bc.set_seed(1)
        expected = layer(X)
        bc.set_seed(1)
        np.testing.assert_array_equal(layer.eval(X.numpy().tolist()), expected)
        assert float(layer.extra_loss) > 0
        layer.eval(X, is_training=False)
        assert layer.extra_loss is None

    def test_arrays_are_cast_to_the_layers_dtype_and_tensors_are_not(self):
        layer = bc.Affine(2, 2)
        np.testing.assert_array_equal(layer(X.numpy().astype(np.float64)), layer(X))
        np.testing.assert_allclose(layer([[1, 2]]), layer([[1.0, 2.0]]))
        with pytest.raises(TypeError, match=r"`affine` computes in float32. Received inputs of float64.*tf\.float64"):
            layer(tf.cast(X, tf.float64))

    def test_autograph_leaves_layers_and_what_they_call_alone(self):
        statuses = []
        context = tf.__internal__.autograph.control_status_ctx
        model = bc.Sequential([bc.Affine(2, 2), lambda x: statuses.append(context().status.name) or x])

        @tf.function
        def run(x):
            if tf.reduce_all(x < 100.0):  # converted, as a user's own function is
                return model(x)
            return x

        run(X)
        assert set(statuses) == {"DISABLED"}

    def test_a_name_becomes_an_identifier(self):
        assert bc.Affine(2, 2, name="block 1/dense").name == "block_1_dense"


class TestComposition:
    def test_a_function_before_a_layer_makes_a_sequential(self):
        layer = bc.Affine(2, 2)
        model = layer(tf.nn.relu)
        assert isinstance(model, bc.Sequential)
        np.testing.assert_array_equal(model(X), layer(tf.nn.relu(X)))

    def test_a_layer_before_a_layer_makes_a_sequential_in_that_order(self):
        first, second = bc.Affine(2, 3), bc.Affine(3, 2)
        np.testing.assert_array_equal(second(first)(X), second(first(X)))

    def test_members_by_index_and_slice(self):
        members = [bc.Affine(2, 2), tf.nn.relu, bc.Affine(2, 1)]
        model = bc.Sequential(members)
        assert model[0] is members[0]
        assert model[-1] is members[2]
        assert len(model) == 3
        assert list(model) == members
        assert isinstance(model[:2], bc.Sequential)
        np.testing.assert_array_equal(model[:2](X), tf.nn.relu(members[0](X)))
        with pytest.raises(IndexError):
            model[3]

    def test_functions_receive_the_tensor_alone(self):
        seen = []
        bc.Sequential([lambda *args, **kwargs: seen.append((args, kwargs)) or args[0]])(X, is_training=False, seed=1)
        ((args, kwargs),) = seen
        assert args[0] is X
        assert len(args) == 1
        assert kwargs == {}

    def test_nothing_to_apply_is_refused(self):
        with pytest.raises(ValueError, match=r"needs at least one member\. Received none"):
            bc.Sequential([])

    def test_a_member_that_cannot_be_called_is_refused(self):
        with pytest.raises(TypeError, match=r"must be callable.* Received 3"):
            bc.Sequential([bc.Affine(2, 2), 3])

    def test_a_keras_layer_is_refused_whether_it_has_variables_yet_or_not(self):
        built = keras.layers.Dense(2)
        built(X)
        with pytest.raises(TypeError, match=r"Dense owns variables but is no tf\.Module.*bayesconv\.Affine"):
            bc.Sequential([built])
        with pytest.raises(TypeError, match=r"Dense owns variables but is no tf\.Module.*bayesconv\.Affine"):
            bc.Sequential([keras.layers.Dense(2)])

    def test_a_keras_layer_without_variables_is_a_function_like_any_other(self):
        for layer in (keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Rescaling(2.0)):
            assert bc.Sequential([layer])(X).shape == (2, 2)

    def test_variables_that_a_function_makes_in_its_first_call_are_seen_then(self):
        class Lazy:
            def __call__(self, x):
                self.variables = [tf.Variable(2.0)]
                return self.variables[0] * x

        with pytest.raises(TypeError, match=r"Lazy owns variables but is no tf\.Module"):
            bc.Sequential([Lazy()])(X)

    def test_a_slice_keeps_the_name_the_members_and_what_is_tracked(self):
        scale = tf.Variable(2.0, name="scale")
        model = bc.Sequential([bc.Affine(2, 2), tf.nn.relu, bc.Affine(2, 1)], also_track=[scale], name="net")
        part = model[1:3]
        assert part.name == "net"
        assert part.layers == model.layers[1:3]
        assert {v.name for v in part.variables} == {"kernel:0", "bias:0", "scale:0"}
        assert part[1] is model[2]

    def test_variables_of_members_and_of_what_is_tracked_are_seen(self):
        scale = tf.Variable(2.0, name="scale")
        model = bc.Sequential([bc.Affine(2, 2), lambda x: scale * x], also_track=[scale])
        assert {v.name for v in model.trainable_variables} == {"kernel:0", "bias:0", "scale:0"}
        assert model.also_track[0] is scale

    def test_a_shared_member_has_its_variables_once(self):
        layer = bc.Affine(2, 2)
        assert len(bc.Sequential([layer, bc.Sequential([layer])]).variables) == 2


class TestTrace:
    def _lines(self, capsys):
        return [line.split(None, 3) for line in capsys.readouterr().out.splitlines()]

    def test_it_shows_every_member_of_an_eager_call_until_it_is_switched_off(self, capsys):
        model = bc.Sequential([bc.Affine(2, 3, name="first"), tf.nn.relu, bc.Flatten()])
        assert model.set_trace(True) is model
        model(X)
        assert self._lines(capsys) == [
            ["0", "first", "Affine", "(2, 3) float32"],
            ["1", "relu", "function", "(2, 3) float32"],
            ["2", "flatten", "Flatten", "(2, 3) float32"],
        ]
        model.set_trace(False)(X)
        assert self._lines(capsys) == []

    def test_a_compiled_function_shows_them_while_it_is_traced(self, capsys):
        model = bc.Sequential([bc.Affine(2, 3)]).set_trace(True)
        compiled = tf.function(model, [tf.TensorSpec([None, 2])], autograph=False)
        compiled(X)
        compiled(X)
        assert self._lines(capsys) == [["0", "affine", "Affine", "(None, 3) float32"]]

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (lambda x: (x, [x, 3]), "((2, 2) float32, ((2, 2) float32, int))"),
            (lambda x: {"a": x, "b": None}, "{a: (2, 2) float32, b: NoneType}"),
            (lambda x: x.numpy(), "(2, 2) float32"),
            (lambda x: tfp.distributions.Normal(x, 1.0), "Normal (2, 2) () float32"),
            (lambda x: tfp.distributions.MultivariateNormalDiag(x), "MultivariateNormalDiag (2,) (2,) float32"),
        ],
    )
    def test_structures_and_distributions(self, capsys, value, shown):
        bc.Sequential([value]).set_trace(True)(X)
        assert self._lines(capsys) == [["0", "<lambda>", "function", shown]]


class TestLambda:
    def test_it_passes_is_training_to_functions_that_take_it(self):
        layer = bc.Lambda(lambda x, is_training: x if is_training else -x)
        np.testing.assert_array_equal(layer(X), X)
        np.testing.assert_array_equal(layer(X, is_training=False), -X)
        np.testing.assert_array_equal(bc.Sequential([layer])(X, is_training=False), -X)

    def test_its_penalty_is_that_of_the_output_and_only_in_training(self):
        layer = bc.Lambda(lambda x: 2.0 * x, extra_loss_fn=lambda y: tf.reduce_sum(tf.abs(y)))
        layer(X)
        assert float(layer.extra_loss) == 13.0
        layer(X, is_training=False)
        assert layer.extra_loss is None

    def test_without_a_function_it_passes_the_input_on(self):
        assert bc.Lambda()(X) is X

    def test_a_function_that_cannot_be_called_is_refused(self):
        with pytest.raises(TypeError, match=r"`eval_fn` must be callable\. Received 3"):
            bc.Lambda(3)

    def test_functions_without_a_signature_work(self):
        np.testing.assert_array_equal(bc.Lambda(np.ndarray.__neg__)(X.numpy()), -X)


class TestSaving:
    def _model(self):
        return bc.Sequential(
            [
                bc.Convolution(1, 2, 2, make_kernel_bias_fn=bc.make_kernel_bias_flipout),
                bc.Flatten(),
                bc.Affine(18, 3),
            ]
        )

    def test_a_round_trip_is_bit_equal(self, tmp_path):
        model, other = self._model(), self._model()
        path = model.save(tmp_path / "deep" / "model.npz")
        assert path == tmp_path / "deep" / "model.npz"
        assert other.load(path) is other
        for a, b in zip(model.variables, other.variables, strict=True):
            np.testing.assert_array_equal(a, b)
        x = tf.ones([2, 4, 4, 1])
        np.testing.assert_array_equal(model(x, seed=1), other(x, seed=1))

    def test_the_keys_are_paths_of_variables(self, tmp_path):
        with np.load(self._model().save(tmp_path / "m.npz")) as archive:
            assert set(archive.files) == {
                *(f"layers/0/{w}/{p}" for w in ("kernel", "bias") for p in ("loc", "untransformed_scale")),
                "layers/2/kernel",
                "layers/2/bias",
            }

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda arrays: arrays.pop("layers/2/bias"), "missing layers/2/bias"),
            (lambda arrays: arrays.update(extra=np.zeros(1)), "unexpected extra"),
            (
                lambda arrays: arrays.update({"layers/2/bias": np.zeros(4, "f")}),
                r"layers/2/bias is float32\[4\], expected float32\[3\]",
            ),
            (
                lambda arrays: arrays.update({"layers/2/bias": np.zeros(3)}),
                r"layers/2/bias is float64\[3\], expected float32\[3\]",
            ),
        ],
    )
    def test_weights_that_do_not_fit_change_nothing(self, tmp_path, change, problem):
        model = self._model()
        arrays = {path: variable.numpy() + 1 for path, variable in model.named_variables.items()}
        change(arrays)
        np.savez(tmp_path / "bad.npz", **arrays)
        before = [variable.numpy() for variable in model.variables]
        with pytest.raises(ValueError, match=rf"bad\.npz do not fit this model: {problem}.*same architecture"):
            model.load(tmp_path / "bad.npz")
        for array, variable in zip(before, model.variables, strict=True):
            np.testing.assert_array_equal(array, variable)

    def test_a_missing_file_is_said_to_be_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.npz"):
            self._model().load(tmp_path / "none.npz")


def test_eval_takes_what_the_call_takes():
    layer = bc.Affine(3, 2)
    for x in (np.ones([1, 3]), [[1.0, 1.0, 1.0]], tf.ones([1, 3])):
        np.testing.assert_array_equal(layer.eval(x), layer(tf.ones([1, 3])))


# What comes with a model from elsewhere.


def test_an_array_takes_the_type_of_the_first_layer_that_has_one():
    for dtype in (tf.float32, tf.float64):
        model = bc.Sequential([bc.Flatten(), bc.Affine(16, 2, dtype=dtype)])
        for given in (np.float16, np.float32, np.float64):
            assert model(np.ones([1, 4, 4, 1], given)).dtype == dtype
    assert bc.Lambda(lambda ids: tf.gather([[1.0], [2.0]], ids))(np.array([1, 0])).numpy().tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize(("name", "expected"), [("3x3", "_3x3"), ("a b", "a_b"), ("ü", "_"), ("ok_1", "ok_1")])
def test_any_string_is_a_name(name, expected):
    assert bc.Affine(2, 3, name=name).name == expected


def test_a_name_is_a_string():
    with pytest.raises(TypeError, match=r"`name` is a string\. Received 3"):
        bc.Affine(2, 3, name=3)


@pytest.mark.parametrize("part", ["layer", "variables"])
def test_variables_of_keras_are_tracked_as_what_they_are_underneath(part):
    dense = keras.layers.Dense(3)
    dense.build([None, 2])
    tracked = dense if part == "layer" else dense.trainable_variables
    layer = bc.Lambda(dense, also_track=tracked)
    assert [v.shape.as_list() for v in layer.trainable_variables] == [[2, 3], [3]]
    layer.trainable_variables[1].assign([1.0, 2.0, 3.0])
    assert layer(tf.zeros([1, 2])).numpy().tolist() == [[1.0, 2.0, 3.0]]


def test_a_keras_layer_without_its_variables_cannot_be_tracked():
    with pytest.raises(TypeError, match=r"Received Dense, which makes them when .* build\(input_shape\)"):
        bc.Lambda(tf.identity, also_track=keras.layers.Dense(3))


def test_a_class_in_the_place_of_a_layer_is_refused_with_the_call_to_make():
    with pytest.raises(TypeError, match=r"must be callable.* Make one of it: Flatten\(\.\.\)\."):
        bc.Sequential([bc.Flatten])


def test_a_compiled_layer_is_no_member():
    with pytest.raises(TypeError, match="compiled module hides its variables and its draws"):
        bc.Sequential([tf.function(bc.Affine(2, 3))])
    assert bc.Sequential([tf.function(tf.nn.relu)])(tf.constant([-1.0])).numpy() == [0.0]
