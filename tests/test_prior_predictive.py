"""Claims about functions drawn from the priors, and about their figures."""

from __future__ import annotations

import functools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.axes import Axes

import bayesconv as bc
from bayesconv import plotting

FLIPOUT = bc.make_kernel_bias_flipout


def _affine(prior, input_size=3, output_size=2, **options):
    factory = functools.partial(FLIPOUT, prior=prior)
    return bc.Affine(input_size, output_size, make_kernel_bias_fn=factory, **options)


def _network(factory=FLIPOUT):
    return bc.Sequential(
        [
            bc.Convolution(1, 4, 3, make_kernel_bias_fn=factory, activation_fn=tf.nn.relu),
            bc.Dropout(0.5),
            bc.LayerNorm(4),
            bc.Flatten(),
            bc.Affine(16, 3, make_kernel_bias_fn=factory),
        ]
    )


IMAGES = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)


def test_the_draws_are_the_priors_and_not_the_posteriors():
    # 500 outputs x 40 draws of N(0, 0.3^2 (|x|^2 + 1)); the SE of a variance is sqrt(2 / 20,000) = 1 %.
    layer = _affine({"name": "normal", "scale": 0.3}, output_size=500)
    x = np.array([[1.0, -2.0, 0.5]], np.float32)
    y = bc.sample_prior(layer, x, num_samples=40)
    assert y.shape == (40, 1, 500)
    assert y.var() == pytest.approx(0.09 * 6.25, rel=0.06)
    assert abs(y.mean()) < 5 * 0.75 / np.sqrt(20_000)
    posterior = np.concatenate([layer(x, seed=s, is_training=False) for s in range(40)])
    assert posterior.var() != pytest.approx(0.09 * 6.25, rel=0.06)


def test_each_draw_is_one_function_for_all_inputs_and_uses_of_a_layer():
    shared = _affine("normal", 3, 3)
    model = bc.Sequential([shared, shared])
    x = np.repeat(np.array([[1.0, -2.0, 0.5]], np.float32), 4, axis=0)
    for y in bc.sample_prior(model, x, num_samples=3):
        np.testing.assert_allclose(y, y[:1].repeat(4, axis=0), rtol=1e-6)
    without_bias = bc.Sequential([_affine("normal", 3, 3, use_bias=False)] * 2)
    squares = bc.sample_prior(without_bias, np.eye(3, dtype=np.float32), num_samples=12)
    assert np.linalg.det(squares.astype(np.float64)).max() > np.linalg.det(squares.astype(np.float64)).min() > -1e-6
    independent = bc.Sequential([_affine("normal", 3, 3, use_bias=False) for _ in range(2)])
    products = bc.sample_prior(independent, np.eye(3, dtype=np.float32), num_samples=12)
    assert np.linalg.det(products.astype(np.float64)).min() < -1e-6  # a product of two kernels may turn space over


def test_a_seed_gives_the_same_functions_and_another_gives_others():
    model = _network()
    first, again, other = (bc.sample_prior(model, IMAGES, num_samples=3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first[0] - first[1]).max() > 1e-3
    np.testing.assert_array_equal(bc.sample_prior(model, IMAGES, num_samples=5, seed=1)[:3], first)
    np.testing.assert_allclose(bc.sample_prior(model, IMAGES[:2], num_samples=3, seed=1), first[:, :2], atol=1e-5)


@pytest.mark.parametrize(
    "prior", [name for name in bc.priors.names() if name not in {"flat", "log_uniform", "rank_1", "tied_mean"}]
)
def test_every_proper_prior_gives_finite_functions(prior):
    model = _network(functools.partial(FLIPOUT, prior=prior))
    assert np.isfinite(bc.sample_prior(model, IMAGES, num_samples=2)).all()


def test_point_layers_keep_their_weights():
    head = bc.Affine(2, 2)
    model = bc.Sequential([_affine({"name": "normal", "loc": 1.0, "scale": 1e-6}, 3, 2), head])
    x = np.ones([1, 3], np.float32)
    expected = np.full([1, 2], 4.0) @ head.kernel.numpy()
    np.testing.assert_allclose(bc.sample_prior(model, x, num_samples=1)[0], expected, rtol=1e-4)


def test_the_scale_of_a_learnable_prior_is_the_one_it_has_now():
    layer = _affine("learnable_normal", output_size=500, use_bias=False)
    layer.trainable_variables[-1].assign(np.log(np.float32(7.0)))
    y = bc.sample_prior(layer, np.array([[1.0, 0.0, 0.0]], np.float32), num_samples=40)
    assert y.std() == pytest.approx(7.0, rel=0.03)


@pytest.mark.parametrize(("prior", "message"), [("log_uniform", "is improper"), ("tied_mean", "takes its mean from")])
def test_a_prior_without_draws_is_refused_with_the_layer_and_the_reason(prior, message):
    with pytest.raises(ValueError, match=f"Nothing can be drawn from the prior of `head`. .*{message}"):
        bc.sample_prior(_affine(prior, name="head"), np.ones([1, 3], np.float32))


def test_a_model_without_priors_and_a_number_that_is_none_are_refused():
    with pytest.raises(ValueError, match=r"Only Bayesian layers have priors\. Received `plain` with none"):
        bc.sample_prior(bc.Affine(3, 2, name="plain"), np.ones([1, 3], np.float32))
    for num_samples in (0, 1.5, True):
        with pytest.raises(ValueError, match=rf"`num_samples` must be a positive int\. Received {num_samples}"):
            bc.sample_prior(_affine("normal"), np.ones([1, 3], np.float32), num_samples=num_samples)


def test_a_number_of_samples_may_be_numpys():
    layer, x = _affine("normal"), np.ones([1, 3], np.float32)
    np.testing.assert_array_equal(
        bc.sample_prior(layer, x, num_samples=np.int64(3)), bc.sample_prior(layer, x, num_samples=3)
    )


def test_sampling_the_prior_leaves_the_model_as_it_was():
    model = _network()
    before = [variable.numpy() for variable in model.variables]
    bc.sample_prior(model, IMAGES, num_samples=2)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


# Figures


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_functions_are_drawn_in_the_order_of_their_inputs_over_mean_and_band():
    x, y = np.array([2.0, 0.0, 1.0]), np.array([[2.0, 0.0, 1.0], [4.0, 0.0, 2.0]])
    ax = plotting.prior_predictive(x, y)
    assert isinstance(ax, Axes)
    lines = ax.get_lines()
    np.testing.assert_array_equal(lines[0].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(lines[1].get_ydata(), [0, 2, 4])
    np.testing.assert_array_equal(lines[2].get_ydata(), [0, 1.5, 3])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["± 2 std", "a draw", "mean"]
    given = plt.subplots()[1]
    assert plotting.prior_predictive(x, y, given) is given


def test_classes_are_stacked_to_one():
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 5))
    ax = plotting.prior_predictive_classes(probs)
    tops = [patch.get_y() + patch.get_height() for patch in ax.patches]
    assert max(tops) == pytest.approx(1.0)
    heights = np.array([patch.get_height() for patch in ax.patches]).reshape(3, 4)
    np.testing.assert_allclose(heights, probs.mean(axis=1).T, rtol=1e-6)
    assert len(ax.get_legend().get_texts()) == 3
    assert plotting.prior_predictive_classes(np.full([2, 3, 12], 1 / 12)).get_legend() is None


@pytest.mark.parametrize(
    ("x", "functions"), [([0.0, 1.0], [0.0, 1.0]), ([0.0], [[0.0, 1.0]]), ([[0.0]], [[0.0]]), ([0.0], [[np.nan]])]
)
def test_functions_that_do_not_fit_their_inputs_are_refused(x, functions):
    with pytest.raises(ValueError, match=r"must be \[S, N\] finite outputs for `x` \[N\]. Received shapes"):
        plotting.prior_predictive(x, functions)


@pytest.mark.parametrize("probs", [np.ones([2, 3]), np.ones([2, 3, 4]), -np.ones([1, 1, 1])])
def test_what_is_no_probability_is_refused(probs):
    with pytest.raises(ValueError, match=r"sum to one\. Received shape"):
        plotting.prior_predictive_classes(probs)
