"""Claims about natural gradients: the published steps, the exact posterior at their end, and what they leave alone."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

import bayesconv as bc
from bayesconv.optimization import Ivon, describe_optimizer, make_optimizer, make_stepper
from bayesconv.optimization.adam import FusedAdam

N, SIZE, NOISE, PRIOR_SCALE = 40, 4, 0.5, 0.8
RNG = np.random.default_rng(0)
X = RNG.normal(size=[N, SIZE]) @ (np.eye(SIZE) + 0.3)  # of correlated columns
Y = X @ RNG.normal(size=[SIZE, 1]) + NOISE * RNG.normal(size=[N, 1])


def _layer(posterior="mean_field_normal", **options) -> bc.Affine:
    factory = functools.partial(
        bc.make_kernel_bias_reparameterization,
        posterior={"name": posterior, "initial_scale": SCALE_0, **options},
        prior={"name": "normal", "scale": PRIOR_SCALE},
    )
    return bc.Affine(SIZE, 1, make_kernel_bias_fn=factory, use_bias=False, dtype=tf.float64)


def _moments(layer: bc.Affine) -> tuple[np.ndarray, np.ndarray]:
    q = layer.posterior.kernel
    return q.mean().numpy().ravel(), q.stddev().numpy().ravel()


def _loss(layer: bc.Affine, seed: int) -> tf.Tensor:
    """Per example, with the KL, of one draw of the weights."""
    squares = tf.square(layer(X, seed=seed) - Y) / (2 * NOISE**2)
    return tf.reduce_mean(squares) + layer.extra_loss / N


def _taken(layer: bc.Affine, optimizer: Ivon, steps: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Location and scale after some steps, and the weights that were drawn for them."""
    drawn = []
    for seed in range(steps):
        with tf.GradientTape() as tape:
            loss = _loss(layer, seed)
        drawn.append(layer.extra_result.kernel.numpy().ravel())
        optimizer.apply(tape.gradient(loss, layer.trainable_variables))
    return *_moments(layer), drawn


def _published(loc, scale, drawn, *, rate, beta_1, beta_2) -> tuple[np.ndarray, np.ndarray]:
    """The published algorithm, in terms of a Hessian; the prior's pull is averaged too, which is ours."""
    decay = 1 / (N * PRIOR_SCALE**2)
    hessian, mean = 1 / (N * scale**2) - decay, np.zeros(SIZE)
    for step, weights in enumerate(drawn, start=1):
        scale = 1 / np.sqrt(N * (hessian + decay))
        noise = (weights - loc) / scale
        gradient = X.T @ (X @ weights - Y.ravel()) / (N * NOISE**2)
        found = gradient * noise / scale
        correction = 0.5 * (1 - beta_2) ** 2 * (hessian - found) ** 2 / (hessian + decay)
        hessian = beta_2 * hessian + (1 - beta_2) * found + correction
        mean = beta_1 * mean + (1 - beta_1) * (gradient + decay * loc)
        loc = loc - rate * mean / (1 - beta_1**step) / (hessian + decay)
    return loc, 1 / np.sqrt(N * (hessian + decay))


RATE, BETA_2, SCALE_0 = 0.08, 0.97, 0.2


def _compared(kind: type[Ivon], beta_1: float = 0.8) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    layer = _layer()
    start = _moments(layer)
    optimizer = kind(layer, num_data=N, learning_rate=RATE, beta_1=beta_1, beta_2=BETA_2)
    *found, drawn = _taken(layer, optimizer, steps=30)
    rate = RATE / (N * start[1][0] ** 2)  # times 1 / (h + decay), which is N scale^2
    return tuple(found), _published(*start, drawn, rate=rate, beta_1=beta_1, beta_2=BETA_2)


def test_without_memory_of_gradients_steps_are_the_published_ones():
    found, expected = _compared(Ivon, beta_1=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_with_it_the_pull_of_the_prior_is_averaged_as_well():
    found, expected = _compared(Ivon)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


class WithoutCurvature(Ivon):
    """Precisions by a step of first order, through the exponential instead of the retraction."""

    def _move_scale(self, normal, of):
        raw = normal.scale.pretransformed_input
        raw.assign_sub(0.5 * (1.0 - self._betas[1]) * self._num_effective * of[id(raw)])


class ByTheScale(Ivon):
    """Locations by the standard deviation where the variance belongs."""

    def _move_loc(self, normal, momentum, gradient, rate, step):
        super()._move_loc(normal, momentum, gradient / tf.convert_to_tensor(normal.scale), rate, step)


class TwiceAsFast(Ivon):
    """Forgets that the Fisher information of a log-scale is 2."""

    def _move_scale(self, normal, of):
        super()._move_scale(normal, {key: 2.0 * gradient for key, gradient in of.items()})


class WithoutBiasCorrection(Ivon):
    """A mean of gradients that begins at 0."""

    def _move_loc(self, normal, momentum, gradient, rate, step):
        beta = self._betas[0]
        super()._move_loc(normal, momentum, gradient, rate * (1.0 - tf.pow(beta, tf.cast(step, tf.float64))), step)


@pytest.mark.parametrize("mutant", [WithoutCurvature, ByTheScale, TwiceAsFast, WithoutBiasCorrection])
def test_mutants_take_other_steps(mutant):
    found, expected = _compared(mutant)
    assert not np.allclose(found, expected, rtol=1e-4)


PRECISION = X.T @ X / NOISE**2 + np.eye(SIZE) / PRIOR_SCALE**2  # of the exact posterior
LOC, SCALE = np.linalg.solve(PRECISION, X.T @ Y / NOISE**2).ravel(), 1 / np.sqrt(np.diag(PRECISION))


def _expected_loss(layer: bc.Affine) -> tf.Tensor:
    q = layer.posterior.kernel
    spread = tf.reduce_sum(tf.square(X) @ tf.square(q.stddev()))
    squares = tf.reduce_sum(tf.square(X @ q.mean() - Y)) + spread
    kl = tf.reduce_sum(tfd.kl_divergence(q.distribution, tfd.Normal(tf.zeros([], tf.float64), PRIOR_SCALE)))
    return squares / (2 * NOISE**2 * N) + kl / N


@pytest.mark.parametrize("parameterization", ["exp", "softplus"])
def test_without_noise_it_ends_at_the_exact_mean_field_posterior(parameterization):
    layer = _layer(parameterization=parameterization)
    optimizer = Ivon(layer, num_data=N, learning_rate=0.2, beta_1=0.5, beta_2=0.9)

    @tf.function(autograph=False)
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = _expected_loss(layer)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables))

    for _ in range(400):
        step()
    np.testing.assert_allclose(_moments(layer), (LOC, SCALE), rtol=1e-5)


@pytest.mark.slow
def test_fit_ends_at_the_exact_mean_field_posterior_and_at_a_temperature_at_the_colder_one():
    # The noise of single draws stays in both, so the bounds are wide: a tenth, and half of the widest deviation.
    for temperature in (1.0, 0.25):
        layer = _layer()
        options = {"optimizer": {"name": "ivon", "beta_2": 0.999}, "learning_rate": 0.02, "temperature": temperature}
        family = {"name": "normal", "scale": NOISE}
        bc.fit(layer, (X, Y), epochs=4000, batch_size=N, likelihood=family, progress=False, **options)
        precision = X.T @ X / NOISE**2 + temperature * np.eye(SIZE) / PRIOR_SCALE**2
        exact = np.linalg.solve(precision, X.T @ Y / NOISE**2).ravel()
        scale = np.sqrt(temperature / np.diag(precision))
        loc, found = _moments(layer)
        np.testing.assert_allclose(found, scale, rtol=0.1)
        assert np.abs(loc - exact).max() < 0.5 * scale.max()


def test_the_parameterization_of_a_scale_makes_no_difference():
    ends = []
    for parameterization in ("exp", "softplus"):
        bc.set_seed(0)
        layer = _layer(parameterization=parameterization)
        ends.append(_taken(layer, Ivon(layer, num_data=N, beta_2=0.9), steps=5)[:2])
    np.testing.assert_allclose(*ends, rtol=1e-9)


def test_a_shared_scale_moves_by_the_mean_over_its_weights():
    layer = _layer(share_scale="layer")
    raw = layer.posterior.kernel.distribution.scale.pretransformed_input
    start = raw.numpy().item()
    of = [
        tf.zeros_like(v) if v is not raw else tf.fill(v.shape, tf.constant(0.03, v.dtype))
        for v in layer.trainable_variables
    ]
    Ivon(layer, num_data=N, beta_2=0.9).apply(of)
    u = 0.1 * N * 0.03 / SIZE
    np.testing.assert_allclose(raw.numpy().item(), start - 0.5 * np.log(1 + u + u**2 / 2), rtol=1e-12)


@pytest.mark.parametrize("gradient", [-1e6, -1.0, 1e6])
def test_a_scale_stays_positive_and_finite_whatever_the_gradient(gradient):
    layer = _layer()
    Ivon(layer, num_data=N, beta_2=0.0).apply(
        [tf.fill(v.shape, tf.constant(gradient, v.dtype)) for v in layer.trainable_variables]
    )
    scale = _moments(layer)[1]
    assert ((scale > 0) & np.isfinite(scale)).all()


def test_a_fixed_scale_stays_and_its_location_moves():
    layer = _layer(trainable_scale=False)
    loc, scale = _moments(layer)
    _taken(layer, Ivon(layer, num_data=N), steps=2)
    moved, kept = _moments(layer)
    np.testing.assert_array_equal(kept, scale)
    assert (np.abs(moved - loc) > 1e-6).all()


def test_points_take_the_steps_of_adam():
    def model():
        bc.set_seed(0)
        return bc.Sequential(
            [
                bc.Affine(SIZE, 3, dtype=tf.float64),
                bc.Affine(3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization, dtype=tf.float64),
            ]
        )

    ours, theirs = model(), model()
    made = make_optimizer({"name": "ivon", "point_learning_rate_factor": 0.1}, 0.05, "constant", 5)
    stepper = make_stepper(made, ours, N)
    adam = FusedAdam(0.005)
    for step in range(3):
        gradients = [tf.fill(v.shape, tf.constant(0.1 + step, v.dtype)) for v in ours.trainable_variables]
        stepper.apply(gradients)
        adam.apply(gradients[:2], theirs[0].trainable_variables)
    for found, expected in zip(ours[0].trainable_variables, theirs[0].trainable_variables, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)


def test_a_layer_that_is_used_twice_is_moved_once():
    layer = bc.Affine(SIZE, SIZE, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization, use_bias=False)
    assert len(Ivon(bc.Sequential([layer, layer]), num_data=N)._normals) == 1


def test_a_checkpoint_of_its_variables_goes_on_with_the_same_steps(tmp_path):
    layer, other = _layer(), _layer()
    optimizer, fresh = (Ivon(one, num_data=N, learning_rate=RATE, beta_2=BETA_2) for one in (layer, other))
    _taken(layer, optimizer, steps=2)
    path = tf.train.Checkpoint(model=layer, optimizer=optimizer.variables).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(model=other, optimizer=fresh.variables).read(path).assert_consumed()
    for found, expected in zip(_taken(other, fresh, steps=2), _taken(layer, optimizer, steps=2), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_learning_rate_follows_a_schedule():
    layer, steps = _layer(), []
    made = make_optimizer({"name": "ivon", "beta_1": 0.0}, 0.1, "cosine", 4)
    stepper = make_stepper(made, layer, N)
    loc, raw = layer.posterior.kernel.distribution.loc, layer.posterior.kernel.distribution.scale.pretransformed_input
    for _ in range(4):
        before = loc.numpy()
        of = {id(loc): tf.ones_like(loc), id(raw): tf.zeros_like(raw)}
        stepper.apply([of[id(v)] for v in layer.trainable_variables])
        steps.append((before - loc.numpy()).ravel()[0])
    rates = [0.1 * 0.5 * (1 + np.cos(np.pi * i / 4)) for i in range(4)]
    np.testing.assert_allclose(steps, rates, rtol=1e-6)


@pytest.mark.parametrize("posterior", ["radial", "low_rank_normal"])
def test_a_model_without_normal_posteriors_is_refused(posterior):
    factory = bc.kernel_bias.factory(posterior=posterior)
    with pytest.raises(ValueError, match=r"Ivon trains normal posteriors.*Received a model without any, `affine`"):
        bc.fit(bc.Affine(SIZE, 1, make_kernel_bias_fn=factory), (X, Y), epochs=1, optimizer="ivon", likelihood="normal")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_data": 0}, r"`num_data` must be positive and finite\. Received 0"),
        ({"num_data": 5, "temperature": 0.0}, r"`temperature` must be positive and finite\. Received 0\.0"),
        ({"num_data": float("inf")}, r"`num_data` must be positive and finite\. Received inf"),
        ({"num_data": 5, "learning_rate": "0.1x"}, r"`learning_rate` must be positive and finite\. Received '0\.1x'"),
        ({"num_data": 5, "learning_rate": -0.1}, r"`learning_rate` must be positive and finite\. Received -0\.1"),
        ({"num_data": 5, "beta_1": 1.0}, r"`beta_1` must be at least 0 and below 1\. Received 1\.0"),
        ({"num_data": 5, "beta_2": -0.1}, r"`beta_2` must be at least 0 and below 1\. Received -0\.1"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Ivon(_layer(), **options)


def test_the_first_step_is_that_of_gradient_descent_whatever_scale_and_number_of_data():
    for scale, num_data in ((0.2, 1), (0.002, 10**6)):
        layer = _layer(initial_scale=scale)
        loc, raw = (
            layer.posterior.kernel.distribution.loc,
            layer.posterior.kernel.distribution.scale.pretransformed_input,
        )
        before = loc.numpy()
        of = {id(loc): tf.fill(loc.shape, tf.constant(3.0, loc.dtype)), id(raw): tf.zeros_like(raw)}
        Ivon(layer, num_data=num_data, learning_rate=0.5).apply([of[id(v)] for v in layer.trainable_variables])
        np.testing.assert_allclose(before - loc.numpy(), 1.5, rtol=1e-9)


def test_first_steps_of_layers_are_as_their_variances_and_on_average_as_of_gradient_descent():
    wide, narrow = _layer(initial_scale=0.3), _layer(initial_scale=0.1)
    model, ones = bc.Sequential([bc.Lambda(also_track=[wide, narrow])]), tf.ones([SIZE, 1], tf.float64)
    before = [_moments(layer)[0] for layer in (wide, narrow)]
    of = {id(layer.posterior.kernel.distribution.loc): ones for layer in (wide, narrow)}
    Ivon(model, num_data=N, learning_rate=0.5).apply([of.get(id(v), 0.0 * ones) for v in model.trainable_variables])
    steps = [start - _moments(layer)[0] for start, layer in zip(before, (wide, narrow), strict=True)]
    np.testing.assert_allclose(steps[0], 9 * steps[1], rtol=1e-6)
    np.testing.assert_allclose(np.mean(steps), 0.5, rtol=1e-6)


def test_a_scale_with_a_floor_is_left_to_the_point_optimizer():
    posterior = tfp.experimental.nn.util.make_kernel_bias_posterior_mvn_diag
    layer = bc.Affine(SIZE, 1, make_kernel_bias_fn=bc.kernel_bias.factory(posterior=posterior))
    with pytest.raises(ValueError, match="Received a model without any"):
        Ivon(layer, num_data=N)


@pytest.mark.parametrize("gradients", [[None, None], [tf.zeros([SIZE, 1])], [(tf.zeros([SIZE, 1]), None)] * 2])
def test_what_are_not_the_gradients_is_refused_by_the_names_of_the_variables(gradients):
    with pytest.raises(ValueError, match=r"a gradient for each .*kernel/loc.*Received \["):
        Ivon(_layer(), num_data=N).apply(gradients)


def test_a_point_optimizer_is_keras():
    with pytest.raises(TypeError, match=r"`point_optimizer` is a Keras optimizer\. Received 'adam'"):
        Ivon(_layer(), num_data=N, point_optimizer="adam")


def test_no_learning_rate_is_a_tenth_for_ivon_and_a_thousandth_for_others():
    assert "'learning_rate': 0.1," in describe_optimizer(make_optimizer("ivon", None, "constant", 5))
    assert float(make_optimizer("adam", None, "constant", 5).learning_rate) == pytest.approx(1e-3)


def test_a_factor_of_the_scales_is_refused_with_what_moves_them():
    with pytest.raises(ValueError, match=r"Received 5\.0 with ivon, whose scales move by `beta_2`; leave it at 1"):
        bc.fit(_layer(), (X, Y), epochs=1, optimizer="ivon", likelihood="normal", scale_learning_rate_factor=5.0)


def test_its_settings_are_described_whole_and_alike_every_time():
    made = [make_optimizer({"name": "ivon", "beta_2": 0.99}, 0.1, "cosine", 7) for _ in range(2)]
    text = describe_optimizer(made[0])
    assert text == describe_optimizer(made[1])
    for part in ("'beta_2': 0.99", "'decay_steps': 7", "FusedAdam"):
        assert part in text
