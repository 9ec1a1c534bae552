"""Claims about layers written for TFP 0.10: what they set in `eval` arrives, once, and never stale."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import bayesconv as bc
from bayesconv import compat as tfn

tfd = tfp.distributions
X = tf.constant([[1.0, -2.0, 3.0]])


class _Squares(tfn.Layer):
    """Penalizes its input, unless it is told not to."""

    quiet = False

    def eval(self, inputs, is_training=True, **kwargs):
        if not self.quiet:
            self._set_extra_loss(tf.reduce_sum(tf.square(inputs)))
            self._set_extra_result(inputs[0, 0])
        return 2.0 * inputs


class _Inner(tfn.Layer):
    """Calls another layer, and may take its penalty over as TFP's layers had to."""

    def __init__(self, child, takes_over=False, extra=0.0, **kwargs):
        super().__init__(**kwargs)
        self.child, self.takes_over, self.extra = child, takes_over, extra

    def eval(self, inputs, is_training=True):
        y = self.child(inputs, is_training=is_training)
        if self.takes_over:
            self._set_extra_loss(self.child.extra_loss + self.extra)
        return y


def test_what_eval_sets_arrives_in_the_layer_the_model_and_the_collector():
    own = _Squares(name="squares")
    bayesian = tfn.AffineVariationalFlipout(3, 2)
    model = tfn.Sequential([own, bayesian, tf.nn.relu])
    with bc.collect_extras() as extras:
        model(X)
    assert float(own.extra_loss) == 14.0
    assert float(own.extra_result) == 1.0
    np.testing.assert_allclose(model.extra_loss, 14.0 + bayesian.extra_loss, rtol=1e-6)
    np.testing.assert_allclose(extras.loss, model.extra_loss, rtol=1e-6)
    assert float(extras[own].loss) == 14.0
    assert isinstance(model, bc.Sequential)
    assert isinstance(own, bc.Layer)


def test_it_arrives_in_a_compiled_function_too_and_nothing_gets_out_of_it():
    own = _Squares()
    model = bc.Sequential([own, bc.Lambda(tf.nn.relu)])

    @tf.function
    def penalty(x):
        with bc.collect_extras() as extras:
            model(x)
        return model.extra_loss, own.extra_loss, extras.loss

    assert [float(p) for p in penalty(X)] == [14.0] * 3
    assert [float(p) for p in penalty(2 * X)] == [56.0] * 3
    with pytest.raises(RuntimeError, match="different execution context"):
        _ = own.extra_loss
    own(X)
    assert float(own.extra_loss) == 14.0


def test_it_arrives_under_xla_and_in_a_saved_function(tmp_path):
    model = tfn.Sequential([_Squares(), tfn.AffineVariationalFlipout(3, 2, name="dense")])

    def penalty(x):
        model(x, seed=1)
        return model.extra_loss

    eager = penalty(X)
    np.testing.assert_allclose(tf.function(penalty, jit_compile=True, autograph=False)(X), eager, rtol=1e-5)
    module = tf.Module()
    module.model = model
    module.penalty = tf.function(penalty, [tf.TensorSpec([None, 3])], autograph=False)
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.penalty(X), eager, rtol=1e-5)


def test_nothing_stays_from_the_call_before():
    own = _Squares()
    model = tfn.Sequential([own])
    model(X)
    own.quiet = True
    model(X)
    assert float(own.extra_loss) == float(model.extra_loss) == 0.0
    assert own.extra_result is None


def test_without_training_there_is_no_penalty():
    own = _Squares()
    with bc.collect_extras() as extras:
        tfn.Sequential([own])(X, is_training=False)
    assert own.extra_loss is None
    assert float(extras.loss) == 0.0
    assert float(own.extra_result) == 1.0


@pytest.mark.parametrize("takes_over", [False, True])
def test_the_penalty_of_a_layer_inside_counts_once_whether_it_is_handed_on_or_not(takes_over):
    own = _Squares()
    outer = _Inner(own, takes_over)
    model = tfn.Sequential([outer])
    with bc.collect_extras() as extras:
        model(X)
    assert float(outer.extra_loss) == float(model.extra_loss) == float(extras.loss) == 14.0


def test_what_a_layer_sets_is_its_whole_penalty():
    outer = _Inner(tfn.AffineVariationalFlipout(3, 2), takes_over=True, extra=5.0)
    outer(X)
    np.testing.assert_allclose(outer.extra_loss, outer.child.extra_loss + 5.0, rtol=1e-6)


def test_a_subclass_may_call_the_eval_it_overrides():
    class Doubled(tfn.Convolution):
        def eval(self, inputs, is_training=True, **kwargs):
            return 2.0 * super().eval(inputs, is_training=is_training, **kwargs)

    class Weighted(tfn.AffineVariationalReparameterization):
        def eval(self, inputs, is_training=True, **kwargs):
            y = super().eval(inputs, is_training=is_training)
            self._set_extra_loss(10.0 * self.extra_loss)
            return y

    class Model(tfn.Sequential):
        def eval(self, inputs, is_training=True, **kwargs):
            y = super().eval(inputs, is_training=is_training, **kwargs)
            self._set_extra_loss(self.extra_loss + 1.0)
            return y

    class Nothing(tfn.Layer):
        def eval(self, inputs, is_training=True, **kwargs):
            return super().eval(inputs, is_training=is_training)

    layer, images = Doubled(1, 2, 2), tf.ones([1, 3, 3, 1])
    np.testing.assert_allclose(layer(images), 2 * layer.linear_op(images, bc.KernelBias(layer.kernel, layer.bias)))
    weighted = Weighted(3, 2, posterior_penalty_fn=lambda q, r, w: tf.constant(2.0))
    model = Model([Nothing(), weighted])
    model(X)
    assert float(weighted.extra_loss) == 20.0
    assert float(model.extra_loss) == 21.0
    assert weighted.extra_result.kernel.shape == (3, 2)


def test_eval_from_outside_is_the_call():
    own = _Squares()
    with bc.collect_extras() as extras:
        np.testing.assert_array_equal(own.eval(X, is_training=True), 2 * X)
    assert float(own.extra_loss) == float(extras.loss) == 14.0
    own.eval(X, False)
    assert own.extra_loss is None
    np.testing.assert_array_equal(tfn.Layer().eval(X), X)


def test_eval_needs_no_is_training():
    class Plain(tfn.Layer):
        def eval(self, inputs):
            return inputs + 1.0

    np.testing.assert_array_equal(tfn.Sequential([Plain()])(X, is_training=False), X + 1.0)


def test_a_value_set_outside_of_every_call_is_refused():
    own = _Squares()
    own._set_extra_loss(None)
    with pytest.raises(RuntimeError, match=r"_set_extra_loss` belongs inside of `eval`"):
        own._set_extra_loss(1.0)
    with pytest.raises(RuntimeError, match=r"_set_extra_result` belongs inside of `eval`"):
        own._set_extra_result(1.0)


def test_a_penalty_set_in_a_graph_that_it_cannot_leave_is_refused():
    class Compiled(tfn.Layer):
        @tf.function(autograph=False)
        def _inside(self, inputs):
            self._set_extra_loss(tf.reduce_sum(inputs))
            return inputs

        def eval(self, inputs, is_training=True):
            return self._inside(inputs)

    with pytest.raises(RuntimeError, match=r"set its extra_loss inside a tf\.function, tf\.cond or loop"):
        Compiled()(X)


def test_a_penalty_that_is_no_scalar_is_refused_with_the_way_out():
    class Vector(tfn.Layer):
        def eval(self, inputs, is_training=True):
            self._set_extra_loss(tf.norm(inputs, axis=-1))
            return inputs

    with pytest.raises(ValueError, match=r"extra_loss of a layer is a scalar.*sum it"):
        Vector()(X)


def test_an_error_in_eval_is_its_own_and_the_layer_runs_once():
    calls = []

    class Broken(tfn.Layer):
        def eval(self, inputs, is_training=True, **kwargs):
            calls.append(is_training)
            raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        tfn.Sequential([Broken()])(X, is_training=False)
    assert calls == [False]
    _Squares()(X)  # and the record of the broken evaluation is closed


def test_layers_may_take_and_give_distributions():
    class MeanFieldNormal(tfn.Layer):
        def __init__(self, input_size, output_size, dtype=tf.float32, name=None):
            super().__init__(name=name)
            self._kernel = tf.Variable(tfn.initializers.glorot_normal()([input_size, output_size], dtype))
            self._bias = tf.Variable(tfn.initializers.glorot_normal()([output_size], dtype))

        def eval(self, inputs, is_training=True):
            x = inputs.distribution.loc if isinstance(inputs, tfd.Independent) else inputs
            loc = tf.matmul(x, self._kernel) + self._bias
            self._set_extra_loss(tf.reduce_sum(tf.square(loc)))
            return tfd.Independent(tfd.Normal(loc, 1.0), 1)

    model = tfn.Sequential([MeanFieldNormal(3, 4), MeanFieldNormal(4, 2)])
    assert model(X).log_prob(tf.zeros([1, 2])).shape == (1,)
    assert len(model.trainable_variables) == 4
    total = sum(layer.extra_loss for layer in model.layers)
    np.testing.assert_allclose(model.extra_loss, total, rtol=1e-6)


def test_a_layer_of_a_given_kernel_and_bias():
    layer = tfn.KernelBiasLayer(tf.ones([3, 2]), None, tf.matmul)
    np.testing.assert_array_equal(layer(X), [[2.0, 2.0]])
    assert layer.bias is None
    assert tfn.KernelBiasLayer(None, tf.ones([3]), tf.matmul)(X).shape == (1, 3)


def test_lambda_takes_tfps_arguments():
    shift = tf.Variable(1.0)
    layer = tfn.Lambda(lambda x: x + shift, extra_loss_fn=tf.reduce_sum, also_track=shift, name="shifted")
    np.testing.assert_array_equal(layer(X), X + 1.0)
    assert float(layer.extra_loss) == 5.0
    assert len(layer.trainable_variables) == 1
    assert isinstance(layer, tfn.Layer)
