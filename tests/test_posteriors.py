"""Claims about posteriors: where they start, what they are made of, and what is refused."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from covering import diagonal

import bayesconv as bc
from bayesconv import distributions, posteriors
from bayesconv.posteriors.matrix_normal import LARGEST

tfd = tfp.distributions
FAN_IN = 900
SPECS = bc.KernelBias(
    bc.WeightSpec((3, 3, 100, 60), tf.float64, FAN_IN, name="kernel", seed=1),
    bc.WeightSpec((60,), tf.float64, FAN_IN, initializer=bc.initializers.zeros(), name="bias", seed=2),
)
SMALL = bc.KernelBias(bc.WeightSpec((2, 2, 3, 4), tf.float32, 12, name="kernel", seed=1))
OF_A_SCALE = (
    "k_tied_normal",
    "laplace",
    "low_rank_normal",
    "matrix_normal",
    "mean_field_normal",
    "radial",
    "student_t",
)
SYMMETRIC, NORMAL = distributions.SIGN_SYMMETRIC, distributions.INDEPENDENT_NORMAL


def _made(name, specs=SMALL, **options):
    return posteriors.resolve({"name": name, **options})(specs)


def _names(distribution):
    return {variable.name.removesuffix(":0") for variable in distribution.trainable_variables}


def test_location_and_scale_together_have_the_variance_2_over_fan_in():
    for ratio in (0.25, 0.9):
        q = posteriors.mean_field_normal(SPECS, initial_scale_ratio=ratio).kernel
        np.testing.assert_allclose(q.stddev(), ratio * np.sqrt(2 / FAN_IN), rtol=1e-6)
        np.testing.assert_allclose(np.var(q.mean()) + np.mean(q.variance()), 2 / FAN_IN, rtol=0.02)


@pytest.mark.parametrize("name", posteriors.names())
def test_a_weight_of_any_posterior_starts_with_the_variance_2_over_fan_in(name):
    q = _made(name, SPECS).kernel
    np.testing.assert_allclose(np.mean(np.square(q.mean()) + q.variance()), 2 / FAN_IN, rtol=0.03)


@pytest.mark.parametrize("name", OF_A_SCALE)
def test_options_set_the_standard_deviation_of_a_weight(name):
    for options, stddev in (
        ({"initial_scale": 0.02}, 0.02),
        ({"initial_scale_ratio": 0.5}, 0.5 * math.sqrt(2 / FAN_IN)),
    ):
        q = _made(name, SPECS, **options)
        for member in q:
            tolerance = 0.05 if name == "k_tied_normal" else 1e-6  # whose factors start apart
            np.testing.assert_allclose(np.sqrt(np.mean(member.variance())), stddev, rtol=tolerance)
        np.testing.assert_allclose(np.var(q.kernel.mean()), 2 / FAN_IN - stddev**2, rtol=0.02)


def test_an_absolute_scale_takes_precedence_and_may_leave_no_room_for_the_location():
    q = posteriors.mean_field_normal(SPECS, initial_scale=0.02).kernel
    np.testing.assert_allclose(q.stddev(), 0.02, rtol=1e-6)
    np.testing.assert_allclose(np.var(q.mean()), 2 / FAN_IN - 0.02**2, rtol=0.02)
    wide = posteriors.mean_field_normal(SPECS, initial_scale=1.0).kernel
    np.testing.assert_array_equal(wide.mean(), np.zeros((3, 3, 100, 60)))


def test_the_bias_starts_at_its_initializer_with_the_kernels_scale():
    q = posteriors.mean_field_normal(SPECS).bias
    np.testing.assert_array_equal(q.mean(), np.zeros(60))
    np.testing.assert_allclose(q.stddev(), 0.25 * np.sqrt(2 / FAN_IN), rtol=1e-6)


@pytest.mark.parametrize("name", posteriors.names())
def test_an_initializer_gives_the_location(name):
    spec = SMALL.kernel._replace(initializer=lambda shape, dtype: tf.fill(shape, tf.constant(0.3, dtype)))
    q = _made(name, bc.KernelBias(spec)).kernel
    location = q.loc if name == "batch_ensemble" else q.mean()  # its members differ from it by their signs
    np.testing.assert_allclose(location, np.full(spec.shape, 0.3), rtol=1e-6)
    np.testing.assert_array_equal(_made(name, SPECS).bias.mean(), np.zeros(60))


@pytest.mark.parametrize("name", posteriors.names())
def test_the_seed_of_the_spec_determines_all_initial_values(name):
    first, second = (_made(name).kernel.trainable_variables for _ in range(2))
    for variable, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(variable, again)


@pytest.mark.parametrize("name", posteriors.names())
def test_variables_have_the_name_of_the_weight_and_scales_their_prefix(name):
    q = _made(name).kernel
    assert "kernel/loc" in _names(q)
    for variable in q.trainable_variables:
        own = variable.name.removeprefix("kernel/")
        assert ("scale" in own) == own.startswith("untransformed_")  # which has a learning rate of its own


@pytest.mark.parametrize("name", posteriors.names())
def test_without_a_bias_there_is_no_posterior_of_one(name):
    assert _made(name).bias is None


OF_NORMALS = ("mean_field_normal", "k_tied_normal", "gaussian_dropout", "variational_dropout")
OF_SIGNS = ("laplace", "student_t", "radial")
OF_NEITHER = ("low_rank_normal", "matrix_normal", "mixture_of_means", "rank_1", "filterwise_dropout", "batch_ensemble")
TRAITS = {
    **{name: {SYMMETRIC, NORMAL} for name in OF_NORMALS},
    **{name: {SYMMETRIC} for name in OF_SIGNS},
    **{name: set() for name in OF_NEITHER},
}


@pytest.mark.parametrize("name", posteriors.names())
def test_what_may_be_done_with_a_posterior(name):
    assert distributions.traits(_made(name).kernel) == TRAITS[name]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), diagonal(posteriors.names(), [(tf.float32, 1e-5), (tf.float64, 1e-12)]))
def test_draws_and_densities_are_the_same_eagerly_in_a_graph_and_under_xla(name, precision):
    dtype, rtol = precision
    q, seed = _made(name, bc.KernelBias(SMALL.kernel._replace(dtype=dtype))).kernel, tf.constant([3, 4])

    def run(seed):
        draws = q.sample(5, seed=seed)
        return (draws, q.log_prob(draws)) if distributions.has_density(q) else (draws, q.sample(seed=seed))

    eager = run(seed)
    assert eager[0].shape == (5, 2, 2, 3, 4)
    assert {value.dtype for value in eager} == {dtype}
    for jit_compile in (False, True):
        compiled = tf.function(run, jit_compile=jit_compile, autograph=not jit_compile)
        for value, expected in zip(compiled(seed), eager, strict=True):
            scale = float(tf.reduce_max(tf.abs(expected)))
            np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("name", posteriors.names())
def test_one_draw_and_many_and_a_number_that_only_the_graph_knows(name):
    q = _made(name).kernel
    assert q.sample(seed=tf.constant([1, 2])).shape == (2, 2, 3, 4)
    several = tf.function(
        lambda n: q.sample(n, seed=tf.constant([1, 2])), input_signature=[tf.TensorSpec([], tf.int32)]
    )
    np.testing.assert_allclose(several(3), q.sample(3, seed=tf.constant([1, 2])), rtol=1e-5, atol=1e-6)
    again = q.sample([3], seed=tf.constant([1, 3]))
    assert np.abs(again - several(3)).max() > 1e-3 or name == "filterwise_dropout"


# Options


def test_scales_may_be_shared_by_filters_or_by_the_layer():
    for share, shape in ((None, (2, 3, 2, 4)), ("filter", (2, 1, 1, 4)), ("layer", (2, 1, 1, 1))):
        spec = bc.WeightSpec((2, 3, 2, 4), tf.float64, 6, batch_ndims=1, name="kernel", seed=0)
        for name in ("mean_field_normal", "variational_dropout"):
            q = _made(name, bc.KernelBias(spec), share_scale=share).kernel
            scale = next(v for v in q.trainable_variables if "untransformed_" in v.name)
            assert scale.shape == shape
            assert q.stddev().shape == q.sample(seed=(0, 1)).shape == spec.shape
            assert distributions.traits(q) == {SYMMETRIC, NORMAL}


def test_a_scale_may_be_a_softplus_and_starts_the_same():
    q = _made("mean_field_normal", parameterization="softplus").kernel
    np.testing.assert_allclose(q.stddev(), _made("mean_field_normal").kernel.stddev(), rtol=1e-5)
    scale = next(v for v in q.trainable_variables if "untransformed_" in v.name)
    scale.assign(tf.fill(scale.shape, -30.0))
    np.testing.assert_allclose(q.stddev(), np.log1p(np.exp(-30.0)), rtol=1e-5)


def test_a_scale_that_is_not_trained_is_stored_all_the_same():
    factory = functools.partial(
        bc.make_kernel_bias_flipout, posterior={"name": "mean_field_normal", "trainable_scale": False}
    )
    layer = bc.Affine(3, 2, make_kernel_bias_fn=factory)
    assert {v.name for v in layer.trainable_variables} == {"kernel/loc:0", "bias/loc:0"}
    assert "kernel/untransformed_scale" in layer.named_variables


def test_k_tied_scales_have_that_rank_and_start_apart():
    q = _made("k_tied_normal", SPECS, rank=3).kernel
    scale = q.stddev().numpy().reshape([900, 60])
    assert np.linalg.matrix_rank(scale, tol=1e-10) == 3
    sizes = {v.name: tuple(v.shape) for v in q.trainable_variables}
    assert sizes["kernel/untransformed_row_scale:0"] == (3, 900)
    assert sizes["kernel/untransformed_column_scale:0"] == (3, 60)
    assert _made("k_tied_normal", SPECS, rank=3).bias.trainable_variables[1].shape == (1, 60)  # a bias is one row


def test_a_diagonal_matrix_normal_is_a_k_tied_normal_of_rank_one():
    q, tied = _made("matrix_normal", covariance="diagonal").kernel, _made("k_tied_normal", rank=1).kernel
    assert np.linalg.matrix_rank(q.stddev().numpy().reshape([12, 4]), tol=1e-6) == 1
    np.testing.assert_array_equal(q.sample(seed=(0, 1)), tied.sample(seed=(0, 1)))


def test_ranks_are_at_most_what_a_bias_has_elements():
    bias = bc.WeightSpec((1,), tf.float32, 3, name="bias", seed=0)
    pair = bc.KernelBias(SMALL.kernel, bias)
    assert _made("low_rank_normal", pair, rank=4).bias.factors.shape == (1, 1)
    assert _made("matrix_normal", pair).bias.columns.entries is None


def test_components_of_a_mixture_start_apart_and_those_of_rank_1_may():
    loc = _made("mixture_of_means", num_components=3).kernel.loc.numpy()
    assert min(np.abs(loc[i] - loc[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))) > 0.1
    q = _made("rank_1", num_components=4, random_signs=True).kernel
    assert {-1.0, 1.0} == set(q.inputs.loc.numpy().ravel())
    np.testing.assert_array_equal(_made("rank_1").kernel.outputs.loc, np.ones((1, 4)))


def test_gaussian_dropout_scales_with_the_weights_and_keeps_a_little_noise_at_zero():
    q = _made("gaussian_dropout", rate=0.2).kernel
    np.testing.assert_allclose(q.stddev(), 0.5 * np.abs(q.mean()), rtol=1e-3, atol=3e-5)
    q.trainable_variables[0].assign(tf.zeros([2, 2, 3, 4]))
    np.testing.assert_allclose(q.stddev(), 0.5e-4 * np.sqrt(2 / 12), rtol=1e-5)


def test_a_batch_ensemble_is_one_of_its_members_each_as_often():
    # 4,000 draws: a member's share has a standard error of 0.0068; one that is off by 0.05 is found, at 5 of them.
    q = _made("batch_ensemble", num_members=4).kernel
    for factors, seed in ((q.inputs, 1), (q.outputs, 2)):  # no signs, for members of few channels may agree in these
        factors.assign(tf.random.stateless_normal(factors.shape, [seed, 0], dtype=factors.dtype))
    members = q.loc * tf.einsum("ki,ko->kio", q.inputs, q.outputs)[:, tf.newaxis, tf.newaxis]
    distances = tf.reduce_max(tf.abs(q.sample(4_000, seed=(0, 1))[:, tf.newaxis] - members), axis=[2, 3, 4, 5])
    is_picked = (distances < 1e-5).numpy()
    np.testing.assert_array_equal(is_picked.sum(axis=1), 1)
    np.testing.assert_allclose(is_picked.mean(axis=0), 0.25, atol=5 * 0.0068)


def test_filterwise_dropout_drops_whole_input_channels_and_scales_the_rest():
    q = _made("filterwise_dropout", rate=0.25).kernel
    ratio = (q.sample(200, seed=(0, 1)) / q.mean()).numpy().round(5)
    np.testing.assert_allclose(np.unique(ratio), [0.0, 1.33333])
    assert (ratio == ratio[:, :1, :1, :, :1]).all()
    assert 0.15 < np.mean(ratio == 0) < 0.35


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        *(
            (name, {"initial_scale": 0.0}, r"starts with a positive scale. Received initial_scale=0")
            for name in OF_A_SCALE
        ),
        ("mean_field_normal", {"initial_scale": -1.0}, "starts with a positive scale. Received initial_scale="),
        ("mean_field_normal", {"initial_scale_ratio": 0.0}, "starts with a positive scale. Received initial_scale="),
        ("mean_field_normal", {"initial_scale": math.nan}, "starts with a positive scale. Received initial_scale="),
        ("mean_field_normal", {"parameterization": "sotfplus"}, "Unknown parameterization .*Did you mean 'softplus'"),
        ("mean_field_normal", {"share_scale": "filters"}, "Unknown way to share scales .*Did you mean 'filter'"),
        ("variational_dropout", {"share_scale": "kernel"}, "Unknown way to share scales"),
        ("k_tied_normal", {"rank": 0}, "rank of a k-tied normal must be a positive integer. Received 0"),
        ("low_rank_normal", {"rank": 1.5}, "'rank' of the posterior 'low_rank_normal' is an integer. Received 1.5"),
        ("mixture_of_means", {"num_components": 0}, "number of components of a mixture must be a positive integer"),
        ("rank_1", {"num_components": -1}, "number of components of a rank-1 posterior must be a positive integer"),
        ("rank_1", {"initial_scale": 0.0}, "starts with a positive scale"),
        ("matrix_normal", {"covariance": "ful"}, "Unknown covariance .*Did you mean 'full'"),
        ("student_t", {"df": 2.0}, "more than 2 degrees of freedom.*Received df=2.0. A Student-t prior may have fewer"),
        (
            "gaussian_dropout",
            {"rate": 0.0},
            r"probability in \(0, 1\). Received 0.0. Without dropout, use posterior='det",
        ),
        ("variational_dropout", {"initial_rate": 1.0}, r"The rate of variational_dropout is a probability in \(0, 1\)"),
        ("filterwise_dropout", {"rate": -0.1}, r"The rate of filterwise_dropout is a probability in \(0, 1\)"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        _made(name, **options)


def test_a_matrix_normal_of_a_large_kernel_is_refused_with_the_ways_out():
    spec = bc.WeightSpec((3, 3, 128, 8), tf.float32, 1152, name="kernel", seed=0)
    with pytest.raises(
        ValueError, match=rf"at most {LARGEST} rows. Received `kernel` .*1152 x 8. Use covariance='diag"
    ):
        _made("matrix_normal", bc.KernelBias(spec))
    assert _made("matrix_normal", bc.KernelBias(spec), covariance="diagonal").kernel.event_shape == spec.shape


@pytest.mark.parametrize(
    "name", ["low_rank_normal", "matrix_normal", "mixture_of_means", "rank_1", "filterwise_dropout", "batch_ensemble"]
)
def test_flipout_refuses_what_it_would_change(name):
    prior = {"rank_1": "rank_1", "filterwise_dropout": "flat", "batch_ensemble": "flat"}.get(name, "normal")
    with pytest.raises(ValueError, match=r"flipout needs a posterior of .* Use estimator='reparameterization'"):
        bc.Affine(3, 2, make_kernel_bias_fn=bc.kernel_bias.factory("flipout", posterior=name, prior=prior))


def test_a_net_may_be_bayesian_in_some_layers_only():
    bayesian, plain = bc.kernel_bias.factory(posterior="radial"), bc.kernel_bias.factory(posterior="deterministic")
    model = bc.Sequential([bc.Affine(3, 4, make_kernel_bias_fn=plain), bc.Affine(4, 2, make_kernel_bias_fn=bayesian)])
    model(tf.ones([2, 3]))
    assert model.layers[0].posterior is None
    assert float(model.extra_loss) > 0


def gumbel(specs):
    """A posterior of the user's own: draws, a density, and variables."""

    def one(spec):
        scale = tfp.util.TransformedVariable(
            tf.fill(spec.shape, tf.cast(0.1, spec.dtype)), tfp.bijectors.Exp(), name=f"{spec.name}/untransformed_scale"
        )
        return distributions.independent(tfd.Gumbel(tf.Variable(tf.zeros(spec.shape, spec.dtype)), scale))

    return bc.map_kernel_bias(one, specs)


def test_any_distribution_with_draws_and_a_density_will_do():
    factory = functools.partial(bc.make_kernel_bias_reparameterization, posterior=gumbel)
    layer = bc.Convolution(2, 3, 2, make_kernel_bias_fn=factory)
    with tf.GradientTape() as tape, bc.collect_extras() as extras:
        loss = tf.reduce_sum(tf.square(layer(tf.ones([1, 3, 3, 2]), seed=1))) + extras.loss
    assert layer.divergence.name == "monte_carlo(num_samples=1)"
    assert all(np.abs(slope).max() > 0 for slope in tape.gradient(loss, layer.trainable_variables))
    with pytest.raises(ValueError, match="flipout needs a posterior"):
        bc.Affine(3, 2, make_kernel_bias_fn=functools.partial(bc.make_kernel_bias_flipout, posterior=gumbel))
