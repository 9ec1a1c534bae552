"""Claims about the table of a model."""

from __future__ import annotations

import functools

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
    assert [row.split() for row in rows] == [
        ["conv1", "Convolution", "3x3x1x4", "40", "Normal", "flipout", "Normal", "exact"],
        ["dense", "Affine", "144x5", "720", "Normal", "reparameterization", "StudentT", "monte_carlo(num_samples=1)"],
        ["head", "Affine", "5x3", "18", "point", "-", "-", "-"],
    ]
    assert total == f"{2 * 40 + 2 * 720 + 18:,} trainable numbers in 8 variables"


def test_a_single_layer_and_one_without_weights():
    assert len(bc.Affine(5, 3).summary().splitlines()) == 4
    assert bc.Flatten().summary().endswith("0 trainable numbers in 0 variables")
