"""Claims about mixtures over draws, against SciPy's root finding and integration."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats

from bayesconv import likelihoods, mixtures

RNG = np.random.default_rng(0)
OUTPUTS = np.concatenate([2 * RNG.normal(size=(7, 3, 1)), 0.5 * RNG.normal(size=(7, 3, 1))], axis=-1)
WEIGHTS = RNG.dirichlet(np.ones(7))
FAMILIES = {
    "normal": (likelihoods.heteroscedastic_normal(), lambda m, s: scipy.stats.norm(m, s)),
    "student_t": (likelihoods.student_t(df=3.0), lambda m, s: scipy.stats.t(3.0, m, s)),
}


def _parts(name, n, outputs=OUTPUTS):
    return FAMILIES[name][1](outputs[:, n, 0], np.exp(outputs[:, n, 1]) + 1e-4)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("level", [0.01, 0.5, 0.95])
def test_quantiles_solve_the_cdf(name, level):
    found = mixtures.quantile(FAMILIES[name][0].noise, OUTPUTS, WEIGHTS, level)
    for n in range(3):
        parts = _parts(name, n)
        root = scipy.optimize.brentq(lambda y, parts=parts: WEIGHTS @ parts.cdf(y) - level, -200, 200, xtol=1e-13)
        np.testing.assert_allclose(found[n, 0], root, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mixtures.cdf(FAMILIES[name][0].noise, OUTPUTS, WEIGHTS, found), level, rtol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_entropy_is_that_of_adaptive_integration(name):
    found = mixtures.entropy(FAMILIES[name][0].noise, OUTPUTS, WEIGHTS)
    for n in range(3):
        parts = _parts(name, n)

        def integrand(y, parts=parts):
            density = WEIGHTS @ parts.pdf(y)
            return -density * np.log(density) if density > 0 else 0.0

        ends = (-40, 40) if name == "normal" else (-3000, 3000)
        expected = scipy.integrate.quad(integrand, *ends, limit=1000, points=np.sort(OUTPUTS[:, n, 0]))[0]
        np.testing.assert_allclose(found[n], expected, atol=2e-4 if name == "normal" else 1e-3)


def test_entropy_of_one_part_and_of_parts_far_apart_is_exact():
    noise = likelihoods.heteroscedastic_normal().noise
    one = scipy.stats.norm(0, np.exp(-1.0) + 1e-4).entropy()
    np.testing.assert_allclose(mixtures.entropy(noise, np.array([[[3.0, -1.0]]]), np.ones(1)), one, atol=1e-5)
    apart = np.array([[[-50.0, -1.0]], [[50.0, -1.0]]])
    np.testing.assert_allclose(mixtures.entropy(noise, apart, np.full(2, 0.5)), one + np.log(2), atol=1e-4)


def test_narrow_and_wide_parts_are_both_resolved():
    noise = likelihoods.heteroscedastic_normal(min_scale=1e-9).noise
    outputs = np.array([[[0.0, np.log(0.01)]], [[0.0, 0.0]]])

    def integrand(y):
        density = 0.5 * (scipy.stats.norm(0, 0.01).pdf(y) + scipy.stats.norm(0, 1).pdf(y))
        return -density * np.log(density)

    pieces = [scipy.integrate.quad(integrand, a, b)[0] for a, b in ((0, 0.03), (0.03, 0.1), (0.1, 12))]
    np.testing.assert_allclose(mixtures.entropy(noise, outputs, np.full(2, 0.5)), 2 * sum(pieces), atol=1e-3)


@pytest.mark.parametrize("scale", [0.003, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_narrow_part_is_found_wherever_it_lies(name, scale):
    """Between the nodes of a coarse grid, and of every grid that it is compared with."""
    means = np.random.default_rng(1).uniform(-3.0, 3.0, 40)
    outputs = np.zeros([2, 40, 2])
    outputs[1, :, 0], outputs[1, :, 1] = means, np.log(scale)
    family, parts = FAMILIES[name]
    found = mixtures.entropy(family.noise, outputs, np.full(2, 0.5))
    steps = np.sinh(np.linspace(-9.0, 9.0, 20_001))  # to 4,000 scales on both sides
    for mean, value in zip(means, found, strict=True):
        narrow, wide = parts(mean, scale + 1e-4), parts(0.0, 1 + 1e-4)
        grid = np.unique(np.concatenate([steps, mean + scale * steps]))
        expected = scipy.integrate.trapezoid(scipy.special.entr(0.5 * (narrow.pdf(grid) + wide.pdf(grid))), grid)
        np.testing.assert_allclose(value, expected, atol=1.5e-3)


@pytest.mark.parametrize(("num_parts", "ratio"), [(32, 30), (128, 100), (256, 30)])
def test_many_parts_far_apart_are_each_resolved(num_parts, ratio):
    """Normals of scale 0.1 whose means are spread `ratio` times as wide, against a grid of ten points a scale."""
    rng = np.random.default_rng(num_parts)
    means = 0.1 * ratio * rng.normal(size=num_parts)
    outputs = np.stack([means, np.full(num_parts, np.log(0.1))], axis=-1)[:, np.newaxis]
    grid = np.arange(means.min() - 1, means.max() + 1, 0.01)
    density = np.zeros_like(grid)
    for mean in means:
        density += scipy.stats.norm(mean, 0.1 + 1e-4).pdf(grid) / num_parts
    expected = scipy.integrate.trapezoid(scipy.special.entr(density), grid)
    noise = likelihoods.heteroscedastic_normal().noise
    found = mixtures.entropy(noise, np.repeat(outputs, 2, axis=1), np.full(num_parts, 1 / num_parts))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("df", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_a_narrow_part_far_from_many_others_is_resolved(df, jitter):
    """Heavy tails, where the parts' quantiles are needed: equal parts must not share their nodes."""
    rng = np.random.default_rng(0)
    outputs = np.zeros([66, 1, 2])
    outputs[:64] = jitter * rng.normal(size=[64, 1, 2])
    outputs[64, 0], outputs[65, 0] = (30.0, np.log(0.01)), (1e6, 3.0)
    weights = np.append(np.full(65, 1 / 65), 0.0)  # the last part does not count, wherever it is
    locations, scales = outputs[:65, 0, 0], np.exp(outputs[:65, 0, 1]) + 1e-4
    steps = np.sinh(np.linspace(-25.0, 25.0, 40_001))
    grid = np.unique(np.concatenate([steps, 30.0 + 0.01 * steps]))
    density = np.zeros_like(grid)
    for location, scale in zip(locations, scales, strict=True):
        density += scipy.stats.t(df, location, scale).pdf(grid) / 65
    expected = scipy.integrate.trapezoid(scipy.special.entr(density), grid)
    found = mixtures.entropy(likelihoods.student_t(df=df).noise, outputs, weights)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("df", [1.0, 1.5, 4.0])
def test_the_heaviest_tails_of_one_part_are_resolved(df):
    found = mixtures.entropy(likelihoods.student_t(df=df, scale=1.0).noise, np.zeros([1, 2, 1]), np.ones(1))
    np.testing.assert_allclose(found, scipy.stats.t(df).entropy(), atol=1e-3)


@pytest.mark.parametrize("num_parts", [1, 32, 256, 1000, 4000, 10_000])
def test_no_intermediate_result_is_larger_than_is_said(num_parts):
    counts = [count for _, count in mixtures._rules(num_parts)]
    assert max(counts) * num_parts <= max(mixtures._OF_AN_EXAMPLE, max(mixtures._SMOOTH) * num_parts)
    assert num_parts > 200 or max(counts) >= mixtures._OF_A_PART * num_parts


def test_portions_do_not_matter_and_only_what_moves_is_refined(monkeypatch):
    noise = likelihoods.heteroscedastic_normal().noise
    alike, apart = np.zeros([32, 1, 2]), np.stack([np.arange(32) * 40.0, np.zeros(32)], axis=-1)[:, np.newaxis]
    outputs, weights = np.concatenate([alike, apart, alike], axis=1), np.full(32, 1 / 32)
    sizes = []

    def spy(noise, location, *rest, entropy=mixtures._entropy):
        sizes.append(len(location))
        return entropy(noise, location, *rest)

    monkeypatch.setattr(mixtures, "_entropy", spy)
    whole = mixtures.entropy(noise, outputs, weights)
    assert sizes[0] == 2
    assert set(sizes[1:]) == {1}
    one = 0.5 * np.log(2 * np.pi * np.e) + np.log1p(1e-4)
    np.testing.assert_allclose(whole, [one, one + np.log(32), one], atol=1e-3)
    monkeypatch.setattr(mixtures, "_AT_A_TIME", 1)
    np.testing.assert_allclose(mixtures.entropy(noise, outputs, weights), whole, rtol=1e-12)


def test_several_targets_at_once_have_no_entropy_of_this_kind():
    noise = likelihoods.normal().noise
    assert np.isnan(mixtures.entropy(noise, np.zeros([2, 3, 2]), np.full(2, 0.5))).all()


def test_draws_of_targets_have_the_moments_of_the_mixture():
    # 40,000 draws: means within 5 standard errors, a false alarm in about 2e-6 of the seeds for each of 3 numbers.
    noise = likelihoods.heteroscedastic_normal().noise
    drawn = mixtures.sample(noise, OUTPUTS, 40_000 // 7, 3)
    expected = OUTPUTS[..., 0].mean(axis=0)
    error = drawn[..., 0].std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn[..., 0].mean(axis=0) - expected) < 5 * error).all()
    spread = OUTPUTS[..., 0].var(axis=0) + np.square(np.exp(OUTPUTS[..., 1]) + 1e-4).mean(axis=0)
    np.testing.assert_allclose(drawn[..., 0].var(axis=0), spread, rtol=0.08)


def test_quantiles_of_draws_that_count_differently_are_those_of_repeated_ones():
    values = RNG.normal(size=(4, 5))
    repeated = np.repeat(values, [4, 3, 2, 1], axis=0)
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    for level in (0.05, 0.35, 0.95):
        expected = np.quantile(repeated, level, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(mixtures.weighted_quantile(values, weights, level), expected)
    np.testing.assert_allclose(
        mixtures.weighted_quantile(values, np.full(4, 0.25), 0.3), np.quantile(values, 0.3, axis=0)
    )
