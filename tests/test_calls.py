"""Claims about the state that the layers of one outermost call share."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import calls, random


def _weights(seed):
    return bc.KernelBias(random.normal([2], seed))


def test_a_layer_draws_once_and_layers_draw_independently():
    call, made = calls.Call(3), []
    make = lambda seed: made.append(seed) or _weights(seed)  # noqa: E731
    first, second = call.draw("a", make), call.draw("b", make)
    assert call.draw("a", make) is first
    assert len(made) == 2
    assert np.abs(first.kernel - second.kernel).max() > 1e-3
    assert list(call.draws) == [(0, "a"), (0, "b")]
    again = calls.Call(3)
    np.testing.assert_array_equal(again.draw("other", _weights).kernel, first.kernel)  # the order decides


def test_every_use_has_a_seed_of_its_own():
    call = calls.Call(3)
    seeds = [tuple(call.use_seed(layer).numpy()) for layer in ("a", "a", "b")]
    seeds.append(tuple(call.layer_seed("a").numpy()))
    assert len(set(seeds)) == 4


def test_without_a_seed_one_is_drawn_when_it_is_needed_and_only_once():
    bc.set_seed(7)
    call = calls.Call()
    assert call.seed is call.seed
    bc.set_seed(7)
    calls.Call()  # takes nothing from the generator
    np.testing.assert_array_equal(calls.Call().seed, call.seed)


def test_an_inner_call_joins_the_outer_one_unless_it_brings_its_own_seed_or_mode():
    with calls.enter(3, True, "sample") as outer:
        with calls.enter(None, True, "sample") as inner:
            assert inner is outer
        with calls.enter(outer.given_seed, True, "sample") as inner:
            assert inner is outer
        with calls.enter(4, True, "sample") as inner:
            assert inner is not outer
            np.testing.assert_array_equal(inner.seed, random.as_seed(4))
        with calls.enter(None, False, "sample") as inner:
            assert not inner.is_training
            np.testing.assert_array_equal(inner.seed, outer.seed)
        assert calls.current() is outer
    with pytest.raises(RuntimeError, match=r"No layer is being called. Call the layer itself"):
        calls.current()


def test_the_outer_mode_holds_inside():
    with calls.enter(3, False, "mean"), calls.enter(None, True, "sample") as inner:
        assert not inner.is_training
        assert inner.weights == "mean"


def test_another_mode_of_the_same_call_shares_its_draws():
    with calls.enter(3, True, "sample") as outer:
        drawn = outer.draw("a", _weights)
        with calls.enter(None, False, "sample") as inner:
            assert inner.draw("a", _weights) is drawn
            other = inner.draw("b", _weights)
        assert outer.draw("b", _weights) is other


def test_a_draw_made_in_a_graph_inside_is_made_again_outside_with_the_same_numbers():
    @tf.function
    def step(flag):
        call = calls.Call(tf.constant([3, 0]))
        inside = tf.cond(flag, lambda: call.draw("a", _weights).kernel, lambda: tf.zeros([2]))
        return inside, call.draw("a", _weights).kernel

    inside, outside = step(tf.constant(True))
    np.testing.assert_array_equal(inside, outside)


def test_an_exception_ends_the_call():
    with pytest.raises(ZeroDivisionError), calls.enter(3, True, "sample"):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="No layer is being called"):
        calls.current()


def test_the_observer_sees_every_layer_in_the_order_the_calls_end():
    seen = []
    inner = bc.Affine(2, 2, name="inner", make_kernel_bias_fn=bc.make_kernel_bias_flipout)
    model = bc.Sequential([inner, tf.nn.relu, bc.Affine(2, 1, name="last")], name="model")
    observe = lambda layer, inputs, output: seen.append((layer.name, output.extra_loss is None))  # noqa: E731
    with calls.entered(calls.Call(1, observer=observe)):
        model(tf.ones([1, 2]))
    assert seen == [("inner", False), ("last", True), ("model", True)]


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="Unknown value of `weights` 'posterior'; choose one of"):
        calls.Call(weights="posterior")


def test_layers_called_with_one_seed_of_their_own_draw_independently():
    call = calls.Call(0)
    own = random.as_seed(5)
    first = call.nested(own, True, "sample").draw("a", _weights)
    second = call.nested(own, True, "sample").draw("b", _weights)
    assert np.abs(first.kernel - second.kernel).max() > 1e-3
    assert call.nested(own, True, "sample").draw("a", _weights) is first
    assert list(call.draws) == [(1, "a"), (1, "b")]


def test_a_draw_for_a_use_is_made_once_for_each_use_and_found_again():
    call = calls.Call(3)
    first, second = (call.draw_for_use("a", _weights) for _ in range(2))
    assert np.abs(first.kernel - second.kernel).max() > 1e-3
    assert list(call.draws) == [(0, "a", 1), (0, "a", 2)]
    given = calls.Call(4, draws=call.draws)
    assert given.draw_for_use("a", _weights) is first
    assert given.draw_for_use("a", _weights) is second
    np.testing.assert_array_equal(first.kernel, _weights(calls.Call(3).use_seed("a")).kernel)


def test_only_a_calibrating_call_measures_and_a_call_with_its_draws_finds_it():
    made = iter(range(9))
    measure = lambda call: call.measure("a", lambda: bc.KernelBias(next(made)))  # noqa: E731
    assert measure(calls.Call(3)) is None
    call = calls.Call(3, is_calibrating=True)
    assert [measure(call).kernel, measure(call.nested(None, False, "sample")).kernel] == [0, 1]
    given = calls.Call(3, draws=call.draws)
    assert [measure(given).kernel, measure(given).kernel] == [0, 1]
    assert measure(given) is None  # a use that calibration has not seen


def test_measuring_changes_no_draw_and_is_not_random():
    plain, calibrating = calls.Call(3), calls.Call(3, is_calibrating=True)
    calibrating.measure("before", lambda: bc.KernelBias(0))
    assert not calibrating.is_random
    np.testing.assert_array_equal(calibrating.draw("a", _weights).kernel, plain.draw("a", _weights).kernel)
    assert calibrating.is_random
    assert calls.Call(3, draws=plain.draws).draw("a", _weights) is plain.draws[0, "a"]
