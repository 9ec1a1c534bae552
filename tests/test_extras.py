"""Claims about side results: each layer once, valid where they are read, the same however the call runs."""

from __future__ import annotations

import copy
import functools
import pickle
import threading

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import divergences, estimators, priors

FLIPOUT = bc.make_kernel_bias_flipout
MONTE_CARLO = functools.partial(bc.make_kernel_bias_reparameterization, divergence="monte_carlo")
X = tf.constant([[1.0, -2.0], [0.5, 3.0]])


def _bayesian(factory=FLIPOUT, **options):
    return bc.Affine(2, 2, make_kernel_bias_fn=factory, **options)


class Nest(bc.Layer):
    """Applies layers in a row, through a level of its own."""

    def __init__(self, *inner, name=None):
        super().__init__(name=name)
        self.inner = inner

    def forward(self, inputs, *, is_training, seed):
        for layer in self.inner:
            inputs = layer(inputs, is_training=is_training, seed=seed)
        return inputs


def test_nothing_is_recorded_before_a_call():
    layer = _bayesian()
    assert layer.extra_loss is None
    assert layer.extra_result is None


def test_a_call_without_training_still_draws_but_has_no_penalty():
    layer = _bayesian()
    layer(X)
    layer(X, is_training=False)
    assert layer.extra_loss is None
    assert layer.extra_result.kernel.shape == (2, 2)
    model = bc.Sequential([layer])
    model(X, is_training=False)
    assert model.extra_loss is None


def test_a_point_layer_has_a_zero_penalty_so_that_factories_can_be_swapped():
    layer = bc.Affine(2, 2)
    layer(X)
    assert layer.extra_loss.shape == ()
    assert float(layer.extra_loss) == 0.0
    assert layer.extra_result is None


def test_a_sequential_gives_the_sum_of_its_members_and_no_result():
    first, second = _bayesian(), _bayesian(MONTE_CARLO)
    model = bc.Sequential([first, tf.nn.relu, bc.Sequential([second])])
    model(X)
    np.testing.assert_allclose(model.extra_loss, first.extra_loss + second.extra_loss, rtol=1e-6)
    assert model.extra_result is None


def test_the_collector_holds_what_the_attributes_show():
    layers = [_bayesian(), bc.Affine(2, 2), _bayesian(MONTE_CARLO)]
    with bc.collect_extras() as extras:
        bc.Sequential(layers)(X, seed=4)
    assert [layer for layer, _ in extras.items()] == [layers[0], layers[2]]
    assert len(extras) == 2
    np.testing.assert_array_equal(extras[layers[0]].loss, layers[0].extra_loss)
    np.testing.assert_array_equal(extras[layers[2]].result.kernel, layers[2].extra_result.kernel)
    np.testing.assert_allclose(extras.loss, layers[0].extra_loss + layers[2].extra_loss, rtol=1e-6)


def test_an_empty_collector_has_a_zero_scalar_loss():
    with bc.collect_extras() as extras:
        bc.Affine(2, 2)(X)
    assert extras.loss.shape == ()
    assert float(extras.loss) == 0.0


def test_a_collector_does_not_hide_the_call_from_the_one_around_it():
    layer = _bayesian()
    with bc.collect_extras() as outer:
        with bc.collect_extras() as inner:
            layer(X)
        layer(X)
    np.testing.assert_array_equal(inner.loss, layer.extra_loss)
    np.testing.assert_array_equal(outer.loss, layer.extra_loss)


def test_a_collector_closes_when_the_block_raises():
    layer = _bayesian()
    with pytest.raises(ZeroDivisionError), bc.collect_extras() as extras:
        raise ZeroDivisionError
    layer(X)
    assert len(extras) == 0


@pytest.mark.parametrize("factory", [FLIPOUT, MONTE_CARLO])
@pytest.mark.parametrize(
    "arrange",
    [
        lambda layer: bc.Sequential([layer, layer]),
        lambda layer: bc.Sequential([layer, bc.Sequential([layer])]),
        lambda layer: Nest(layer, bc.Sequential([Nest(layer)]), layer),
    ],
)
def test_a_shared_layer_is_drawn_and_counted_once_at_any_depth(factory, arrange):
    shared = _bayesian(factory)
    model = arrange(shared)
    model(X, seed=7)
    np.testing.assert_array_equal(model.extra_loss, shared.extra_loss)
    once = shared.extra_loss
    shared(X, seed=7)
    np.testing.assert_allclose(shared.extra_loss, once, rtol=1e-6)


def test_a_shared_layer_applies_the_same_weights_at_every_use():
    shared = _bayesian(bc.make_kernel_bias_reparameterization)
    model = bc.Sequential([shared, shared])
    outputs = model(X, seed=7)
    kernel, bias = shared.extra_result
    np.testing.assert_allclose(outputs, (X @ kernel + bias) @ kernel + bias, rtol=1e-5)


def test_two_layers_of_one_call_draw_independently_and_other_modes_share_their_draws():
    class Modes(Nest):
        def forward(self, inputs, *, is_training, seed):
            first, second = self.inner
            self.seen.append(first(inputs, is_training=is_training, seed=seed))
            self.seen.append(first(inputs, is_training=False, seed=seed))
            return second(inputs, is_training=False, seed=seed)

    model = Modes(*(_bayesian(bc.make_kernel_bias_reparameterization) for _ in range(2)))
    model.seen = []
    model(X, seed=1)
    np.testing.assert_array_equal(model.seen[0], model.seen[1])
    noise = [(layer.extra_result.kernel - layer.kernel.mean()) / layer.kernel.stddev() for layer in model.inner]
    assert np.abs(noise[0] - noise[1]).max() > 1e-2


def test_the_record_follows_the_last_call():
    layer = _bayesian(MONTE_CARLO)
    layer(X, seed=1)
    first = layer.extra_loss
    layer(X, seed=2)
    assert float(layer.extra_loss) != float(first)
    layer(X, seed=1)
    assert float(layer.extra_loss) == float(first)
    layer(X, weights="mean")
    np.testing.assert_array_equal(layer.extra_result.kernel, layer.kernel.mean())


def test_the_attributes_are_read_only():
    layer = _bayesian()
    for name in ("extra_loss", "extra_result"):
        with pytest.raises(AttributeError):
            setattr(layer, name, 0.0)


def test_another_thread_does_not_see_the_call():
    layer, seen = _bayesian(), []
    layer(X)
    thread = threading.Thread(target=lambda: seen.append((layer.extra_loss, layer.extra_result)))
    thread.start()
    thread.join()
    assert seen == [(None, None)]


# Reading across graphs.


def test_an_eager_value_is_refused_inside_a_graph():
    layer = _bayesian()
    layer(X)

    @tf.function
    def read():
        return layer.extra_loss

    with pytest.raises(RuntimeError, match=r"extra_loss` belongs to a different execution context.*collect_extras"):
        read()


@pytest.mark.parametrize("member", ["extra_loss", "extra_result"])
def test_a_graph_value_is_refused_eagerly(member):
    layer = _bayesian()
    tf.function(layer)(X)
    with pytest.raises(RuntimeError, match=f"`affine.{member}` belongs to a different execution context"):
        getattr(layer, member)


def test_a_graph_value_is_refused_in_another_graph():
    layer = _bayesian()
    tf.function(layer)(X)
    with pytest.raises(RuntimeError, match="different execution context"):
        tf.function(lambda: layer.extra_loss)()


def test_the_attribute_works_in_the_trace_of_the_call_and_in_graphs_inside_it():
    layer = _bayesian(MONTE_CARLO)

    @tf.function
    def step(x, flag):
        y = layer(x, seed=3)
        inside = tf.cond(flag, lambda: 2.0 * layer.extra_loss, lambda: layer.extra_loss)
        return tf.reduce_sum(y) + layer.extra_loss, inside

    total, doubled = step(X, tf.constant(True))
    y = layer(X, seed=3)
    np.testing.assert_allclose(total, tf.reduce_sum(y) + layer.extra_loss, rtol=1e-5)
    np.testing.assert_allclose(doubled, 2 * layer.extra_loss, rtol=1e-5)


def _nested_function(layer, x):
    return tf.function(lambda z: layer(z))(x)


def _nested_cond(layer, x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: layer(x), lambda: x)


def _nested_loop(layer, x):
    try:
        return tf.map_fn(lambda row: layer(row[tf.newaxis])[0], x)
    finally:  # which map_fn leaves set if it fails, also outside the graph, where no tf.distribute scope opens then
        tf.compat.v1.get_variable_scope().set_caching_device(None)


@pytest.mark.parametrize("nested", [_nested_function, _nested_cond, _nested_loop])
def test_a_call_in_a_graph_inside_the_collectors_names_the_layer(nested):
    layer = _bayesian(name="head")

    @tf.function
    def step(x):
        with bc.collect_extras() as extras:
            nested(layer, x)
        return extras.loss

    with pytest.raises(RuntimeError, match=r"`head` was called inside a tf\.function, tf\.cond or loop"):
        step(X)


def test_a_call_in_a_compiled_function_under_an_eager_collector_names_the_layer():
    layer = _bayesian(name="head")
    with pytest.raises(RuntimeError, match="`head` was called inside"), bc.collect_extras():
        tf.function(layer)(X)


def test_layers_without_a_penalty_may_be_called_in_nested_graphs():
    point, bayesian = bc.Affine(2, 2), _bayesian()
    with bc.collect_extras() as extras:
        tf.function(point)(X)
        tf.function(lambda x: bayesian(x, is_training=False))(X)
    assert float(extras.loss) == 0.0


def test_a_collector_inside_the_nested_function_is_the_way_out():
    layer = _bayesian()

    @tf.function
    def step(x):
        with bc.collect_extras() as extras:
            layer(x)
        return extras.loss

    value = step(X)
    layer(X)
    np.testing.assert_allclose(value, layer.extra_loss, rtol=1e-6)


def test_after_a_cached_compiled_call_the_record_is_still_the_last_python_call():
    layer = _bayesian(MONTE_CARLO)
    compiled = tf.function(lambda x, seed: layer(x, seed=seed))
    compiled(X, tf.constant([5, 0]))
    layer(X, seed=1)
    expected = float(layer.extra_loss)
    compiled(X, tf.constant([6, 0]))
    assert float(layer.extra_loss) == expected


def test_mirrored_replicas_have_values_of_their_own():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # conftest.py makes two devices of the processor
    with strategy.scope():
        layer = bc.Lambda(extra_loss_fn=tf.reduce_sum)

    def replica(x):
        context = tf.distribute.get_replica_context()
        with bc.collect_extras() as extras:
            y = layer(x)
        context.all_reduce("sum", y)  # lets the other replica run in between
        return extras.loss, layer.extra_loss

    @tf.function
    def step(xs):
        return strategy.run(replica, args=(xs,))

    xs = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([6.0, 66.0])[context.replica_id_in_sync_group]
    )
    for found in step(xs):
        assert [float(v) for v in strategy.experimental_local_results(found)] == [6.0, 66.0]
    assert layer.extra_loss is None  # the replicas ran in threads of their own


# Penalties and copies.


def test_a_penalty_may_be_a_number_and_must_be_a_scalar():
    layer = bc.Lambda(extra_loss_fn=lambda y: 0.5)
    layer(X)
    assert float(layer.extra_loss) == 0.5
    with pytest.raises(
        ValueError, match=r"extra_loss of a layer is a scalar in nats. Received shape \(2, 2\) from `per`"
    ):
        bc.Lambda(extra_loss_fn=lambda y: y, name="per")(X)


def test_penalties_of_two_precisions_add_up_in_the_wider():
    narrow, wide = _bayesian(), _bayesian(dtype=tf.float64)
    with bc.collect_extras() as extras:
        narrow(X)
        wide(tf.cast(X, tf.float64))
    assert extras.loss.dtype == tf.float64
    np.testing.assert_allclose(extras.loss, float(narrow.extra_loss) + float(wide.extra_loss), rtol=1e-12)


def test_the_penalty_weight_scales_extra_loss():
    layer = _bayesian(functools.partial(FLIPOUT, penalty_weight=0.5))
    layer(X)
    np.testing.assert_allclose(layer.extra_loss, 0.5 * layer.divergence.penalty(None, None), rtol=1e-6)


def test_a_called_point_model_copies_and_a_bayesian_one_says_why_not():
    model = bc.Sequential([bc.Affine(2, 2), tf.nn.relu])
    tf.function(model)(X)
    copied = copy.deepcopy(model)
    copied[0].kernel.assign_add(tf.ones([2, 2]))
    np.testing.assert_allclose(copied[0].kernel - model[0].kernel, np.ones([2, 2]), atol=1e-6)
    assert copied.extra_loss is None
    with pytest.raises(TypeError, match=r"`affine` cannot be copied.*load what this one saves"):
        copy.deepcopy(_bayesian())


def test_the_record_is_neither_copied_nor_pickled():
    layer = _bayesian()
    tf.function(layer)(X)
    for record in (copy.deepcopy(layer._last_call), pickle.loads(pickle.dumps(layer._last_call))):
        assert record.read("layer", "loss") is None


# The same penalty eagerly, in a graph, compiled by XLA, and for a shared layer.


def _allowed(divergence: str, prior: str) -> bool:
    try:
        _bayesian(functools.partial(FLIPOUT, prior=prior, divergence=divergence))
    except ValueError as error:
        reasons = ("There is no closed form", "A KL by Monte Carlo is a mean of log-densities")
        assert str(error).startswith(reasons)  # noqa: PT017
        return False
    return True


def test_which_pairs_have_a_closed_form_is_known():
    sampled = {"cauchy", "group_horseshoe", "horseshoe", "scale_mixture", "spike_and_slab", "student_t"}
    refused = {"flat", "rank_1"}  # which are for posteriors of their own
    assert {prior for prior in priors.names() if not _allowed("exact", prior)} == sampled | refused


def _combinations(estimator, dtype, chosen, pairs):
    for prior in chosen:
        for divergence in divergences.names():
            if pairs(f"{prior}/{divergence}") and _allowed(divergence, prior):
                factory = functools.partial(
                    bc.make_kernel_bias_variational, estimator=estimator, prior=prior, divergence=divergence
                )
                yield f"{prior}/{divergence}", bc.Affine(3, 2, make_kernel_bias_fn=factory, dtype=dtype)


def _losses(layers, x, seed):
    found = []
    for layer in layers:
        layer(x, seed=seed)
        found.append(layer.extra_loss)
    return found


def _shared_loss(layer, x, seed):
    model = bc.Sequential([layer, bc.Affine(2, 3, dtype=x.dtype), bc.Sequential([layer])])
    model(x, seed=seed)
    return model.extra_loss


def _check_all_ways(estimator, dtype, rtol, compiled, chosen=("laplace",), pairs=lambda name: True):
    x = tf.cast(tf.reshape(tf.range(12), [4, 3]), dtype) / 7
    layers = dict(_combinations(estimator, dtype, chosen, pairs))
    assert {name.partition("/")[0] for name in layers} == set(chosen) - {"flat", "rank_1"}
    seed = tf.constant([11, 0])
    eager = dict(zip(layers, _losses(layers.values(), x, seed), strict=True))
    fast = {name: layer for name, layer in layers.items() if compiled(name)}
    plain = {name: layer for name, layer in layers.items() if name not in fast} or layers
    jitted = tf.function(lambda s: _losses(fast.values(), x, s), jit_compile=True, autograph=False)
    ways = {
        "tf.function": (plain, tf.function(lambda s: _losses(plain.values(), x, s))(seed)),
        "shared": (layers, [_shared_loss(layer, x, seed) for layer in layers.values()]),
        "jit_compile": (fast, jitted(seed)),
    }
    for way, (names, values) in ways.items():
        for name, value in zip(names, values, strict=True):
            assert value.dtype == dtype
            np.testing.assert_allclose(value, eager[name], rtol=rtol, err_msg=f"{estimator}/{name} {way}")
    for name, other in zip(layers, _losses(layers.values(), x, tf.constant([12, 0])), strict=True):
        is_noisy = layers[name].divergence.name != "exact"
        assert (float(other) != float(eager[name])) == is_noisy, name


@pytest.mark.parametrize("estimator", estimators.names())
def test_extra_loss_is_the_same_however_the_call_runs(estimator):
    # best_effort is one of the other two; XLA needs a second for each
    _check_all_ways(estimator, tf.float32, 1e-5, lambda name: not name.endswith("best_effort"))


@pytest.mark.full  # always, priors take turns in conformance/test_modes.py
def test_extra_loss_is_the_same_however_the_call_runs_with_every_prior():
    def pairs(name):  # best_effort is one of the other two; laplace has all three above
        return not name.endswith("/best_effort")

    _check_all_ways("reparameterization", tf.float32, 1e-5, lambda name: name.endswith("/exact"), priors.names(), pairs)


def test_extra_loss_is_the_same_however_the_call_runs_in_float64():
    chosen = ("laplace", "student_t")
    _check_all_ways("reparameterization", tf.float64, 1e-10, lambda name: name == "student_t/monte_carlo", chosen)


@pytest.mark.parametrize("divergence", ["exact", "monte_carlo"])
def test_extra_loss_of_a_flipout_convolution_is_the_same_however_it_runs_in_float64(divergence):
    factory = functools.partial(bc.make_kernel_bias_flipout, prior="normal", divergence=divergence)
    layer = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory, dtype=tf.float64)
    x, seed = tf.reshape(tf.range(50, dtype=tf.float64), [2, 5, 5, 1]), tf.constant([3, 0])
    (eager,) = _losses([layer], x, seed)
    for options in ({}, {"jit_compile": True}):
        (found,) = tf.function(lambda s: _losses([layer], x, s), autograph=False, **options)(seed)
        np.testing.assert_allclose(found, eager, rtol=1e-10, err_msg=f"{options}")


@pytest.mark.full
@pytest.mark.parametrize("estimator", estimators.names())
def test_extra_loss_is_the_same_however_the_call_runs_in_float64_everywhere(estimator):
    _check_all_ways(estimator, tf.float64, 1e-10, lambda name: True, priors.names())
