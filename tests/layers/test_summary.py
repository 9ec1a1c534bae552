"""Claims about the table of a model."""

from __future__ import annotations

import functools
import re

import pytest

import bayesconv as bc


def test_one_line_a_layer_with_shapes_counts_and_the_four_choices():
    factory = functools.partial(bc.make_kernel_bias_reparameterization, prior="student_t")
    model = bc.Sequential(
        [
            bc.Convolution(1, 4, 3, name="conv1", make_kernel_bias_fn=bc.make_kernel_bias_flipout),
            bc.Flatten(),
            bc.Affine(144, 5, name="dense", make_kernel_bias_fn=factory, use_bias=False),
            bc.Affine(5, 3, name="head"),
        ]
    )
    header, rule, *rows, total = model.summary().splitlines()
    assert header.split() == ["layer", "kind", "kernel", "weights", "posterior", "estimator", "prior", "KL"]
    assert set(rule) == {"-"}
    assert [re.split(r"\s{2,}", row) for row in rows] == [
        ["conv1", "Convolution", "3x3x1x4", "40", "Normal", "flipout", "Normal(scale=0.471)", "exact"],
        [
            "dense",
            "Affine",
            "144x5",
            "720",
            "Normal",
            "reparameterization",
            "StudentT(df=3, scale=0.068)",
            "monte_carlo(num_samples=1)",
        ],
        ["head", "Affine", "5x3", "18", "point", "-", "-", "-"],
    ]
    assert total == f"{2 * 40 + 2 * 720 + 18:,} trainable numbers in 8 variables"


@pytest.mark.parametrize(
    ("prior", "shown"),
    [
        ({"name": "normal", "loc": 1.0, "scale": 0.3}, "Normal(loc=1, scale=0.3)"),
        ({"name": "learnable_normal", "initial_scale": 0.25}, "Normal(scale=0.25)"),
        ({"name": "empirical_bayes", "rate": 0.5}, "InverseGammaNormal(concentration=2.01, rate=0.5)"),
        ({"name": "correlated_normal", "scale": 0.5}, "CorrelatedNormal(scale=0.5, length_scale=1)"),
        ({"name": "tied_mean"}, "TiedMeanNormal(scale=0.1)"),
        ("log_uniform", "LogUniform"),
        ("anchored_normal", "Normal"),
        ("spike_and_slab", "MixtureSameFamily"),
    ],
)
def test_the_prior_is_shown_with_its_numbers_as_they_are_now(prior, shown):
    factory = functools.partial(bc.make_kernel_bias_flipout, prior=prior)
    row = bc.Convolution(1, 2, 3, make_kernel_bias_fn=factory).summary().splitlines()[2]
    assert re.split(r"\s{2,}", row)[6] == shown


def test_a_single_layer_and_one_without_weights():
    assert len(bc.Affine(5, 3).summary().splitlines()) == 4
    assert bc.Flatten().summary().endswith("0 trainable numbers in 0 variables")
