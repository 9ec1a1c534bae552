"""Claims about convolution: its values in every rank and setting, its batches of kernels, and its refusals."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
import reference
import tensorflow as tf

import bayesconv as bc

POINT = bc.make_kernel_bias
REPARAMETERIZATION = bc.make_kernel_bias_reparameterization
FLIPOUT = bc.make_kernel_bias_flipout
SPACE = {1: (9,), 2: (7, 6), 3: (5, 6, 4)}
FILTERS = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}


def _images(rank, channels, num=2, batch=()):
    return np.random.default_rng(0).normal(size=(num, *SPACE[rank], *batch, channels))


def _grouped(x, kernel, bias, *, strides=1, padding="VALID", dilations=1, groups=1):
    parts = zip(np.split(x, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
    return np.concatenate([reference.convolution(a, b, strides, padding, dilations) for a, b in parts], axis=-1) + bias


def _layer(rank, factory=POINT, sizes=(4, 6), **options):
    return bc.Convolution(*sizes, FILTERS[rank], rank=rank, make_kernel_bias_fn=factory, dtype=tf.float64, **options)


def test_signature():
    parameters = inspect.signature(bc.Convolution.__init__).parameters
    leading = {name: p.default for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert leading == {
        "self": inspect.Parameter.empty,
        "input_size": inspect.Parameter.empty,
        "output_size": inspect.Parameter.empty,
        "filter_shape": inspect.Parameter.empty,
        "rank": 2,
        "strides": 1,
        "padding": "VALID",
        "dilations": 1,
        "init_kernel_fn": None,
        "init_bias_fn": None,
        "make_kernel_bias_fn": bc.make_kernel_bias,
        "dtype": tf.float32,
        "batch_shape": (),
        "activation_fn": None,
        "name": None,
    }
    assert list(leading) == list(parameters)[: len(leading)]
    keyword_only = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keyword_only == {"groups": 1, "use_bias": True}


def test_members():
    layer = _layer(2, FLIPOUT)
    members = "activation_fn also_track bias dtype extra_loss extra_result kernel name name_scope submodules "
    members += "trainable_variables variables posterior prior estimator divergence eval load save summary"
    for name in [*members.split(), "with_name_scope"]:
        assert hasattr(layer, name), name
    assert layer.kernel is layer.posterior.kernel
    assert layer.bias is layer.posterior.bias
    assert layer.kernel_shape == tuple(layer.kernel.event_shape) == (3, 2, 4, 6)
    assert len(layer.trainable_variables) == 4
    point = _layer(2)
    assert isinstance(point.kernel, tf.Variable)
    assert point.posterior is point.prior is point.estimator is point.divergence is None
    assert point.kernel_shape == point.kernel.shape


# Values.


@pytest.mark.parametrize("padding", ["VALID", "same"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_values_equal_the_loops(rank, padding):
    for strides, dilations, groups in itertools.product((1, 2), (1, 2), (1, 2)):
        setting = {"strides": strides, "dilations": dilations, "groups": groups}
        layer = _layer(rank, padding=padding, init_bias_fn=lambda shape, dtype: tf.range(6, dtype=dtype), **setting)
        x = _images(rank, 4)
        expected = _grouped(x, layer.kernel.numpy(), np.arange(6.0), padding=padding.upper(), **setting)
        np.testing.assert_allclose(layer(x), expected, atol=1e-12, err_msg=str(setting))


@pytest.mark.parametrize("rank", [2, 3])
def test_settings_may_differ_between_axes(rank):
    strides, dilations = (2, 1, 1)[:rank], (1, 2, 1)[:rank]
    layer = _layer(rank, strides=strides, dilations=dilations, use_bias=False)
    x = _images(rank, 4)
    expected = reference.convolution(x, layer.kernel.numpy(), strides, "VALID", dilations)
    np.testing.assert_allclose(layer(x), expected, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_reparameterized_output_is_the_convolution_with_the_draw(rank, groups):
    layer = _layer(rank, REPARAMETERIZATION, groups=groups, padding="SAME", strides=2)
    x = _images(rank, 4)
    y = layer(x, seed=1)
    kernel, bias = (part.numpy() for part in layer.extra_result)
    np.testing.assert_allclose(y, _grouped(x, kernel, bias, strides=2, padding="SAME", groups=groups), atol=1e-12)
    assert np.abs(kernel - layer.kernel.mean()).max() > 1e-3


def test_the_mean_pass_is_the_convolution_with_the_mean():
    for factory in (REPARAMETERIZATION, FLIPOUT):
        layer = _layer(2, factory)
        x = _images(2, 4)
        expected = reference.convolution(x, layer.kernel.mean().numpy()) + layer.bias.mean().numpy()
        np.testing.assert_allclose(layer(x, weights="mean"), expected, atol=1e-12)
        assert layer.extra_result.kernel is not None


def test_a_coherent_pass_is_the_convolution_with_the_draw_whatever_the_estimator():
    layer = _layer(2, FLIPOUT)
    x = _images(2, 4)
    y = layer(x, seed=2, weights="coherent")
    kernel, bias = (part.numpy() for part in layer.extra_result)
    np.testing.assert_allclose(y, reference.convolution(x, kernel) + bias, atol=1e-12)


def test_the_activation_comes_last():
    layer = _layer(2, activation_fn=tf.nn.relu)
    x = _images(2, 4)
    expected = np.maximum(reference.convolution(x, layer.kernel.numpy()), 0)
    np.testing.assert_allclose(layer(x), expected, atol=1e-12)
    assert layer.activation_fn is tf.nn.relu


@pytest.mark.parametrize("factory", [POINT, REPARAMETERIZATION, FLIPOUT])
def test_without_a_bias_there_is_none_anywhere(factory):
    layer = _layer(2, factory, use_bias=False)
    assert layer.bias is None
    x = _images(2, 4)
    np.testing.assert_allclose(layer(np.zeros_like(x), seed=1), np.zeros([2, 5, 5, 6]))
    assert all("bias" not in variable.name for variable in layer.variables)
    if factory is not POINT:
        assert layer.extra_result.bias is None
        q, p = layer.posterior.kernel, layer.prior.kernel
        expected = reference.normal_kl(q.mean().numpy(), q.stddev().numpy(), 0.0, float(p.distribution.scale))
        np.testing.assert_allclose(layer.extra_loss, expected, rtol=1e-10)


# Flipout.


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_flipout_example_has_one_kernel_whose_deviation_is_sign_flipped(rank):
    layer = _layer(rank, FLIPOUT, sizes=(2, 3))
    x = _images(rank, 2, num=8)
    y = layer(x, seed=5).numpy()
    kernel, bias = (part.numpy() for part in layer.extra_result)
    mean_kernel, mean_bias = layer.kernel.mean().numpy(), layer.bias.mean().numpy()
    base = reference.convolution(x, mean_kernel) + mean_bias
    chosen = []
    for n in range(len(x)):
        candidates = {}
        for signs_in in itertools.product((1, -1), repeat=2):
            flipped = x[n : n + 1] * np.array(signs_in)
            candidates[signs_in] = reference.convolution(flipped, kernel - mean_kernel)[0] + bias - mean_bias
        for c in range(3):
            fits = [
                (signs_in, r)
                for signs_in, deviation in candidates.items()
                for r in (1, -1)
                if np.allclose(y[n, ..., c], base[n, ..., c] + r * deviation[..., c], atol=1e-9)
            ]
            assert len(fits) == 1, (n, c)
            chosen.append((n, *fits[0]))
    for n in range(len(x)):
        assert len({signs_in for m, signs_in, _ in chosen if m == n}) == 1  # signs of the inputs serve all outputs
    assert len({signs_in for _, signs_in, _ in chosen}) > 1
    assert {r for _, _, r in chosen} == {1, -1}


def test_flipout_of_a_constant_image_is_constant_over_space():
    layer = _layer(2, FLIPOUT)
    y = layer(np.ones([16, 7, 6, 4]), seed=1).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1, :1], y.shape), atol=1e-12)
    assert np.ptp(y[:, 0, 0], axis=0).min() > 1e-3


# Batches of kernels.


@pytest.mark.parametrize("batch_shape", [(3,), (2, 2)])
@pytest.mark.parametrize(("rank", "groups"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_a_batch_of_kernels_is_a_loop_over_them(rank, groups, batch_shape):
    for factory in (POINT, REPARAMETERIZATION):
        layer = _layer(rank, factory, sizes=(2, 4), batch_shape=batch_shape, groups=groups, padding="SAME", strides=2)
        x = _images(rank, 2, batch=batch_shape)
        y = layer(x, seed=3).numpy()
        kernel, bias = layer.extra_result or (layer.kernel, layer.bias)
        assert kernel.shape == (*batch_shape, *FILTERS[rank], 2 // groups, 4)
        for at in np.ndindex(*batch_shape):
            one = x[(slice(None), *[slice(None)] * rank, *at)]
            expected = _grouped(one, kernel[at].numpy(), bias[at].numpy(), strides=2, padding="SAME", groups=groups)
            np.testing.assert_allclose(y[(slice(None), *[slice(None)] * rank, *at)], expected, atol=1e-12)


def test_one_input_serves_every_kernel_of_a_batch():
    layer = _layer(2, sizes=(2, 4), batch_shape=3)
    x = _images(2, 2, batch=(1,))
    np.testing.assert_allclose(layer(x), layer(np.repeat(x, 3, axis=-2)), atol=1e-12)


def test_a_batched_layer_keeps_its_static_shape_in_a_graph():
    layer = _layer(2, FLIPOUT, sizes=(2, 4), batch_shape=3)
    signature = [tf.TensorSpec([None, 7, 6, 3, 2], tf.float64)]
    compiled = tf.function(lambda x: layer(x), input_signature=signature, autograph=False)
    assert compiled.get_concrete_function().structured_outputs.shape[1:] == (5, 5, 3, 4)


# Initial weights.


def test_initializers_set_point_weights_and_posterior_locations():
    def ones(shape, dtype):
        return tf.ones(shape, dtype)

    for factory in (POINT, FLIPOUT):
        layer = _layer(2, factory, init_kernel_fn=ones, init_bias_fn=ones)
        for weight in (layer.kernel, layer.bias):
            value = weight if factory is POINT else weight.mean()
            np.testing.assert_array_equal(value, np.ones(value.shape))


def test_the_fan_in_counts_the_channels_of_one_group():
    layer = _layer(2, FLIPOUT, groups=2)
    np.testing.assert_allclose(layer.prior.kernel.distribution.scale, np.sqrt(2 / (3 * 2 * 2)))
    np.testing.assert_allclose(layer.prior.bias.distribution.scale, np.sqrt(2 / (3 * 2 * 2)))


# Refusals.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter_shape": 0}, r"`filter_shape` is a positive int or one per spatial axis, 2 in all\. Received 0\."),
        ({"filter_shape": (3, 3, 3)}, r"`filter_shape` .* 2 in all\. Received \(3, 3, 3\)"),
        ({"filter_shape": 2.5}, r"`filter_shape` .*Received 2\.5"),
        ({"strides": (1,)}, r"`strides` .*Received \(1,\)"),
        ({"strides": None}, r"`strides` .*Received None"),
        ({"dilations": -1}, r"`dilations` .*Received -1"),
        (
            {"padding": "FULL MOON"},
            r"`padding` is one of .*, or pairs .*such as \[\(1, 1\), \(1, 1\)\]\. Received 'FULL MOON'",
        ),
        ({"rank": 4}, r"`rank`, the number of spatial axes, is 1, 2 or 3\. Received 4"),
        ({"input_size": 0}, r"must be positive ints\. Received input_size=0"),
        ({"output_size": "8"}, r"must be positive ints\. Received .*output_size='8'"),
        ({"groups": 3}, r"`groups` must divide .*Received groups=3, input_size=4, output_size=6"),
        ({"batch_shape": -1}, r"`batch_shape` is a positive int or a sequence of them\. Received -1"),
        ({"dtype": tf.int32}, r"`dtype` is a floating-point type\. Received int32"),
    ],
)
def test_arguments_out_of_range_say_the_rule_and_what_was_received(options, message):
    with pytest.raises(ValueError, match=message):
        bc.Convolution(**{"input_size": 4, "output_size": 6, "filter_shape": 3, **options})


def test_an_activation_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"`activation_fn` must be callable.*Received 'relu'"):
        bc.Convolution(4, 6, 3, activation_fn="relu")


@pytest.mark.parametrize(
    ("rank", "shape", "axes"),
    [
        (1, [2, 9, 3], "N, W, 4"),
        (2, [2, 7, 6, 3], "N, H, W, 4"),
        (2, [6, 4], "N, H, W, 4"),
        (3, [2, 5, 6, 4, 1], "N, D, H, W, 4"),
    ],
)
def test_inputs_of_another_shape_say_the_axes(rank, shape, axes):
    layer = bc.Convolution(4, 2, 2, rank=rank, name="conv1")
    with pytest.raises(
        ValueError, match=rf"`conv1` takes inputs of shape \[{axes}\], channels last\. Received shape \("
    ):
        layer(tf.zeros(shape))


def test_numpy_integers_are_integers():
    assert bc.Convolution(1, 2, np.int64(3), strides=np.array([1, 2])).kernel_shape == (3, 3, 1, 2)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_has_the_shape_of_its_filters(rank):
    layer = bc.Convolution(1, 4, 3, rank=rank, make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    empty = tf.zeros([0, *[6] * rank, 1])
    compiled = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec([None, *[6] * rank, 1])])
    for call in (layer, tf.function(lambda x: layer(x)), compiled):
        assert call(empty).shape == (0, *[4] * rank, 4)


# Leading axes.


@pytest.mark.parametrize("factory", [REPARAMETERIZATION, FLIPOUT])
def test_images_of_an_example_share_its_kernel(factory):
    layer = _layer(2, factory)
    frames = np.repeat(_images(2, 4, num=3)[:, np.newaxis], 5, axis=1)  # [N, T, H, W, C], T times the same
    y = layer(frames, seed=1).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1], y.shape), rtol=1e-12)
    np.testing.assert_allclose(y[:, 0], layer(frames[:, 0], seed=1), rtol=1e-12)


def test_another_shape_of_the_batch_gives_flipout_other_examples():
    layer = _layer(2, FLIPOUT)
    x = np.repeat(_images(2, 4, num=1), 6, axis=0)
    as_examples, as_frames = layer(x, seed=1).numpy(), layer(x.reshape(2, 3, *x.shape[1:]), seed=1).numpy()
    assert np.abs(as_examples[0] - as_examples[1]).max() > 1e-3
    np.testing.assert_allclose(as_frames[0, 0], as_frames[0, 1], rtol=1e-12)
    assert np.abs(as_frames[0, 0] - as_frames[1, 0]).max() > 1e-3
