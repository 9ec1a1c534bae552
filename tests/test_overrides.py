"""Claims about choices layer by layer: which override applies, and that none is lost without a word."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest
import tensorflow as tf

import bayesconv as bc
from bayesconv import estimators, overrides
from bayesconv.descriptions import describe

X = np.ones([2, 8, 8, 1], np.float32)


def _model(*entries, **options):
    factory = functools.partial(bc.make_kernel_bias_by_layer, overrides=list(entries), **options)
    return bc.models.digits_cnn([8, 8, 1], 3, factory, filters=(2, 3))


def _prior_of(layer):
    return None if layer.prior is None else layer.prior.kernel.distribution.name


def test_without_overrides_it_is_the_general_factory():
    plain = bc.models.digits_cnn([8, 8, 1], 3, bc.make_kernel_bias_variational, filters=(2, 3))
    bc.set_seed(0)
    by_layer = _model()
    bc.set_seed(0)
    again = bc.models.digits_cnn([8, 8, 1], 3, bc.make_kernel_bias_variational, filters=(2, 3))
    assert by_layer.summary() == plain.summary()
    np.testing.assert_array_equal(by_layer(X, seed=1), again(X, seed=1))  # the layer's fan-in and initializers too


def test_the_fan_in_is_handed_on():
    made = bc.make_kernel_bias_by_layer([4, 3], [3], fan_in=50)
    np.testing.assert_allclose(made.prior.kernel.distribution.scale, np.sqrt(2 / 50), rtol=1e-6)
    assert bc.make_kernel_bias_by_layer([4, 3], [3], fan_in=50, posterior="deterministic").kernel.shape == (4, 3)


def test_names_are_matched_by_pattern_and_classes_too():
    conv1, conv2, _, _, head = _model({"match": "conv*", "prior": "laplace"})
    assert [_prior_of(layer) for layer in (conv1, conv2, head)] == ["Laplace", "Laplace", "Normal"]
    conv1, conv2, _, _, head = _model({"match": {"kind": "Affine"}, "posterior": "deterministic"})
    assert [layer.posterior is None for layer in (conv1, conv2, head)] == [False, False, True]
    assert isinstance(head.kernel, tf.Variable)
    conv1, conv2, _, _, head = _model({"match": {"kind": "Conv*", "name": "*2"}, "prior": "student_t"})
    assert [_prior_of(layer) for layer in (conv1, conv2, head)] == ["Normal", "StudentT", "Normal"]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [("*", 3), ("conv?", 2), ("conv[2-9]", 1), ("Conv1", 0), ("conv", 0), ("head", 1), ("*d", 1)],
)
def test_a_pattern_is_that_of_a_whole_file_name(pattern, matched):
    model = _model({"match": pattern, "prior": "laplace"})
    assert [_prior_of(layer) for layer in (model[0], model[1], model[-1])].count("Laplace") == matched


def test_every_choice_can_be_overridden():
    entry = {
        "match": "head",
        "estimator": "local_reparameterization",
        "posterior": {"name": "mean_field_normal", "initial_scale": 0.125},
        "prior": {"name": "laplace", "scale": 0.5},
        "divergence": {"name": "monte_carlo", "num_samples": 2},
        "penalty_weight": 0.5,
    }
    model = _model(entry)
    head = model[-1]
    assert head.estimator is estimators.local_reparameterization
    np.testing.assert_allclose(head.posterior.kernel.stddev(), 0.125, rtol=1e-6)
    assert float(head.prior.kernel.distribution.scale) == 0.5
    assert head.divergence.name == "monte_carlo(num_samples=2)"
    assert (head.penalty_weight, model[0].penalty_weight) == (0.5, 1.0)
    assert model[0].estimator is estimators.automatic


def test_later_overrides_win_choice_by_choice():
    first, last = (
        {"match": "*", "prior": "laplace", "estimator": "reparameterization"},
        {"match": "head", "prior": "normal"},
    )
    head = _model(first, last)[-1]
    assert (_prior_of(head), head.estimator) == ("Normal", estimators.reparameterization)
    assert _prior_of(_model(last, first)[-1]) == "Laplace"  # in the other order the other wins


def test_options_of_a_choice_go_with_it():
    model = _model({"match": "head", "prior": {"name": "normal"}}, prior={"name": "normal", "scale": 0.5})
    np.testing.assert_allclose(model[0].prior.kernel.distribution.scale, 0.5)
    assert float(model[-1].prior.kernel.distribution.scale) != 0.5


def test_a_single_layer_may_be_bayesian():
    model = _model({"match": "head", "posterior": "mean_field_normal"}, posterior="deterministic")
    assert [layer.posterior is None for layer in (model[0], model[1], model[-1])] == [True, True, False]
    with bc.collect_extras() as extras:
        model(X, seed=1)
    assert float(extras.loss) == float(extras[model[-1]].loss) > 0


def test_the_layers_of_a_separable_convolution_are_named_each():
    factory = functools.partial(
        bc.make_kernel_bias_by_layer, overrides=[{"match": {"kind": "Depthwise*"}, "posterior": "deterministic"}]
    )
    layer = bc.SeparableConvolution(2, 3, 3, make_kernel_bias_fn=factory, name="sep")
    posteriors = {m.name: m.posterior for m in layer.submodules if isinstance(m, bc.layers.Linear)}
    assert posteriors["sep_depthwise"] is None
    assert posteriors["sep_pointwise"] is not None


def test_the_table_shows_what_every_layer_got():
    rows = _model({"match": "head", "posterior": "deterministic"}, {"match": "conv2", "penalty_weight": 0.5}).summary()
    conv1, conv2, head = rows.splitlines()[2:5]
    assert conv1.endswith("exact")
    assert conv2.endswith("exact x 0.5")
    assert " point " in head


def test_an_override_that_matches_nothing_is_an_error_with_the_layers_names():
    entries = [{"match": "conv*", "prior": "laplace"}, {"match": "dense*", "prior": "laplace"}]
    model = _model(*entries)
    message = r"Received 'dense\*'; its layers are conv1 \(Convolution\), conv2 \(Convolution\), head \(Affine\)\."
    with pytest.raises(ValueError, match=message):
        overrides.check(model, entries)
    assert list(overrides.unmatched(model, entries)) == [1]
    overrides.check(model, entries[:1])
    with pytest.raises(ValueError, match="its layers are none with weights"):
        overrides.check(bc.Flatten(), entries)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"match": "head", "priro": "laplace"}, r"Unknown key of an override 'priro'.*Did you mean 'prior'\?"),
        ({"prior": "laplace"}, "An override has `match` and at least one of estimator, posterior"),
        ({"match": "head"}, "An override has `match` and at least one of estimator, posterior"),
        ({"match": 3, "prior": "laplace"}, r"or a mapping of patterns \{name: ..., kind: ...\}\. Received 3"),
        ({"match": {}, "prior": "laplace"}, r"Received \{\}"),
        ({"match": {"class": "Affine"}, "prior": "laplace"}, r"Received \{'class': 'Affine'\}"),
        ({"match": "head", "posterior": "deterministic", "prior": "normal"}, "Point weights take no other choice"),
        ({"match": "head", "prior": "laplas"}, r"Unknown prior 'laplas'"),
        ({"match": "conv*", "estimator": "local_reparameterization"}, "covariances between positions would be lost"),
    ],
)
def test_what_is_no_override_is_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        _model(entry)


def test_a_wrapper_that_loses_the_name_is_refused_and_one_that_hands_it_on_is_not():
    entries = [{"match": "*", "prior": "laplace"}]

    def forgetful(kernel_shape, bias_shape, **options):
        return bc.make_kernel_bias_by_layer(kernel_shape, bias_shape, overrides=entries, **options)

    def careful(kernel_shape, bias_shape, layer_name=None, layer_kind=None, **options):
        options |= {"layer_name": layer_name, "layer_kind": layer_kind}
        return bc.make_kernel_bias_by_layer(kernel_shape, bias_shape, overrides=entries, **options)

    with pytest.raises(ValueError, match="Received None and None; a function around make_kernel_bias_by_layer must"):
        bc.Affine(3, 2, make_kernel_bias_fn=forgetful)
    assert _prior_of(bc.Affine(3, 2, make_kernel_bias_fn=careful)) == "Laplace"


def test_a_factory_gets_the_layers_name_and_class_only_if_it_asks():
    seen = {}

    def factory(kernel_shape, bias_shape, layer_name, layer_kind, **options):
        seen.update(name=layer_name, kind=layer_kind, options=set(options))
        return bc.make_kernel_bias(kernel_shape, bias_shape)

    bc.Affine(3, 2, make_kernel_bias_fn=factory, name="head")
    assert (seen["name"], seen["kind"]) == ("head", "Affine")
    assert not seen["options"] & {"layer_name", "layer_kind", "fan_in"}


def test_a_model_with_overrides_is_saved_and_built_again(tmp_path):
    entries = [{"match": {"kind": "Affine"}, "posterior": "deterministic"}, {"match": "conv1", "prior": "laplace"}]
    model = _model(*entries)
    again = bc.load_model(bc.save_model(model, tmp_path / "model.npz"))
    assert again.summary() == model.summary()
    np.testing.assert_array_equal(again(X, seed=3), model(X, seed=3))
    assert describe(model)["arguments"]["layers"][0]["arguments"]["make_kernel_bias_fn"] == {
        "$partial": {"$function": "make_kernel_bias_by_layer"},
        "options": {"overrides": entries},
    }


def test_every_choice_is_a_parameter_of_the_factory():
    assert set(overrides.CHOICES) <= set(inspect.signature(bc.make_kernel_bias_by_layer).parameters)
    assert set(overrides.CHOICES) <= set(inspect.signature(bc.kernel_bias.factory).parameters)


def test_a_choice_for_point_weights_is_refused_wherever_they_were_chosen():
    message = "Point weights take no other choice, and `head` has them. Received .*'laplace'.*add a posterior"
    with pytest.raises(ValueError, match=message):
        _model({"match": "head", "prior": "laplace"}, posterior="deterministic")
    with pytest.raises(ValueError, match=message):
        _model({"match": "head", "posterior": "deterministic"}, {"match": "head", "prior": "laplace"})
    model = _model({"match": "*", "prior": "laplace"}, {"match": "head", "posterior": "deterministic"})
    assert [_prior_of(model[0]), _prior_of(model[-1])] == ["Laplace", None]  # what comes later wins
    late = _model(
        {"match": "head", "prior": "laplace"}, {"match": "head", "posterior": "laplace"}, posterior="deterministic"
    )
    assert _prior_of(late[-1]) == "Laplace"


def test_a_single_mapping_and_a_negative_penalty_weight_are_refused():
    with pytest.raises(ValueError, match=r"is a list of mappings. Received \{'match': 'head'.*write \[\{"):
        bc.Affine(
            3,
            2,
            make_kernel_bias_fn=functools.partial(
                bc.make_kernel_bias_by_layer, overrides={"match": "head", "prior": "x"}
            ),
        )
    with pytest.raises(ValueError, match=r"`penalty_weight` is a finite number, not negative.*Received -2"):
        _model({"match": "head", "penalty_weight": -2})
