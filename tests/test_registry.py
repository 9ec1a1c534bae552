"""Claims about names, options and the errors that a misspelling meets."""

from __future__ import annotations

import functools
import re

import pytest
from partials import nested

from bayesconv import divergences, estimators, likelihoods, models, objectives, posteriors, priors
from bayesconv.registry import Registry, innermost, name_of


@pytest.fixture
def colours():
    registry = Registry("colour")

    @registry.register("grey")
    def grey(size, *, level=0.5, tint="none"):
        """A grey of some level.

        More of it.
        """
        return [level] * size

    return registry


def test_a_name_a_mapping_and_a_callable_resolve(colours):
    assert colours.resolve("grey")(1) == [0.5]
    assert colours.resolve({"name": "grey"}) is colours.get("grey")
    assert colours.resolve({"name": "grey", "level": 0.25})(2) == [0.25, 0.25]
    assert colours.resolve(len) is len


def test_options_are_the_keyword_only_parameters_and_their_defaults(colours):
    assert colours.options("grey") == {"level": 0.5, "tint": "none"}
    assert colours.describe("grey") == "A grey of some level."
    assert colours.names() == ("grey",)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("gray", "Unknown colour 'gray'; choose one of ['grey']. Did you mean 'grey'?"),
        ("zzz", "Unknown colour 'zzz'; choose one of ['grey']."),
        ({"name": "gray"}, "Unknown colour 'gray'"),
        (
            {"level": 0.5},
            "A mapping that chooses a colour needs a 'name'. Received keys ['level']; names are ['grey'].",
        ),
        ({"name": 3}, "needs a 'name'"),
        (
            {"name": "grey", "levle": 1},
            "Colour 'grey' got the unknown option 'levle'; it accepts ['level', 'tint']. Did you mean 'level'?",
        ),
        ({"name": "grey", "size": 1}, "got the unknown option 'size'"),
    ],
)
def test_what_is_unknown_is_named_with_the_choices(colours, identifier, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        colours.resolve(identifier)


def test_another_type_is_refused(colours):
    with pytest.raises(TypeError, match=r"must be a name, a mapping .* or a callable\. Received 3 of type int"):
        colours.resolve(3)


def test_a_name_is_taken_once_unless_forced(colours):
    with pytest.raises(ValueError, match="A colour named 'grey' is already registered"):
        colours.register("grey")(len)
    colours.register("grey", force=True)(len)
    assert colours.get("grey") is len


def test_names_of_functions_show_bound_options():
    class Shade:
        def __call__(self):
            return 0

    assert name_of(len) == "len"
    assert name_of(functools.partial(divmod, 1)) == "divmod()"
    assert name_of(functools.partial(nested(round, number=1.5), ndigits=2)) == "round(number=1.5)(ndigits=2)"
    assert name_of(functools.partial(round, ndigits=2)) == "round(ndigits=2)"
    assert name_of(Shade()) == "Shade"


def test_what_is_registered():
    assert set(estimators.names()) == {
        "antithetic", "automatic", "flipout", "grouped_flipout", "local_reparameterization", "mean", "per_example",
        "reparameterization", "sliced",
    }  # fmt: skip
    assert set(posteriors.names()) == set(
        [
            "batch_ensemble",
            "filterwise_dropout",
            "gaussian_dropout",
            "k_tied_normal",
            "laplace",
            "low_rank_normal",
            "matrix_normal",
            "mean_field_normal",
            "mixture_of_means",
            "radial",
            "rank_1",
            "student_t",
            "variational_dropout",
        ]
    )
    assert set(priors.names()) == set(
        [
            "anchored_normal",
            "cauchy",
            "correlated_normal",
            "empirical_bayes",
            "flat",
            "group_horseshoe",
            "horseshoe",
            "laplace",
            "learnable_normal",
            "log_uniform",
            "normal",
            "rank_1",
            "scale_mixture",
            "spike_and_slab",
            "student_t",
            "tied_mean",
        ]
    )
    assert set(divergences.names()) == {"best_effort", "exact", "monte_carlo"}
    assert set(likelihoods.names()) == {
        "bernoulli", "categorical", "categorical_per_pixel", "heteroscedastic_normal", "normal", "quantiles",
        "student_t",
    }  # fmt: skip
    assert {"lenet5", "small_cnn", "digits_cnn"} <= set(models.names())
    assert set(objectives.schedules.names()) == {"constant", "cyclical", "linear", "sigmoid"}


@pytest.mark.parametrize("registry", [estimators, posteriors, priors, divergences, likelihoods, models])
def test_every_piece_has_a_line_of_description_and_defaults_for_its_options(registry):
    for name in registry.names():
        assert registry.describe(name).endswith("."), name
        assert all(default is not type for default in registry.options(name).values())
        registry.check_options(name, dict(registry.options(name)))


def test_options_that_are_not_keyword_only_are_refused_where_the_kind_says_so():
    priors_of_a_test = Registry("prior", num_positional=1)
    with pytest.raises(ValueError, match=r"Options of a prior are keyword-only: def piece.*\['scale'\]; write a \*"):
        priors_of_a_test.register("wrong")(lambda specs, scale=1.0: None)
    assert priors_of_a_test.names() == ()
    priors_of_a_test.register("right")(lambda specs, *, scale=1.0: None)
    Registry("model").register("any")(lambda specs, scale=1.0: None)


def test_options_of_another_type_than_annotated_are_refused():
    registry = Registry("shape")

    @registry.register("box")
    def box(size, *, width: float = 1.0, num: int = 1, is_open: bool = False, label: str | None = None, free=None):
        return size

    good = {"width": 2, "num": 3, "is_open": True, "label": None, "free": object()}
    registry.resolve({"name": "box", **good})
    for key, value, wanted in (
        ("width", "2", "a number"), ("width", True, "a number"), ("num", 1.5, "an integer"),
        ("num", False, "an integer"), ("is_open", 1, "True or False"), ("label", 3, "a string or None"),
    ):  # fmt: skip
        message = f"Option '{key}' of the shape 'box' is {wanted}. Received {value!r} of type {type(value).__name__}."
        for choice in ({"name": "box", key: value}, functools.partial(box, **{key: value})):
            with pytest.raises(ValueError, match=re.escape(message)):
                registry.resolve(choice)


def test_the_innermost_function_of_partial_applications():
    assert innermost(functools.partial(nested(nested(divmod), y=1), 7)) is divmod
    assert innermost(divmod) is divmod


def test_options_are_checked_through_partial_applications_of_one_another(colours):
    with pytest.raises(ValueError, match=r"'scale' of the prior .* Received 'wide'"):
        priors.resolve(functools.partial(nested(priors.laplace, scale="wide")))
    priors.resolve(functools.partial(nested(priors.laplace, scale="wide"), scale=0.1))  # the outer one counts
