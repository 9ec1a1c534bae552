"""Tests of differences, against SciPy and by trying everything."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bayesconv.comparison import paired
from bayesconv.comparison.paired import holm, mcnemar_test, paired_permutation_test, paired_t_test


class TestPairedT:
    def test_it_is_scipys(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=5), rng.normal(0.5, 1, size=5)
        found, expected = paired_t_test(a, b, level=0.9), stats.ttest_rel(a, b)
        ends = expected.confidence_interval(0.9)
        assert found[:4] == pytest.approx((np.mean(a - b), ends.low, ends.high, expected.pvalue), rel=1e-12)
        assert found.num_pairs == 5

    @pytest.mark.parametrize(("a", "b"), [([0.3], [0.2]), ([0.3, 0.4, 0.5], [0.2, 0.3, 0.4]), ([0.1, 0.2], [0.1, 0.2])])
    def test_without_any_variation_there_is_a_difference_and_no_test(self, a, b):
        found = paired_t_test(a, b)
        assert found.difference == pytest.approx(a[0] - b[0])
        assert found[1:4] == (None, None, None)

    @pytest.mark.parametrize("test", [paired_t_test, paired_permutation_test, mcnemar_test])
    @pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
    def test_what_is_no_pairs_is_refused(self, test, a, b):
        with pytest.raises(ValueError, match="Pairs must be two vectors of the same length, not empty"):
            test(a, b)

    @pytest.mark.parametrize("test", [paired_t_test, paired_permutation_test, mcnemar_test])
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_no_number_is_refused_and_not_significant(self, test, bad):
        a, b = np.random.default_rng(0).integers(0, 2, [2, 50]).astype(float)
        a[3] = b[3] = b[7] = bad
        with pytest.raises(ValueError, match=r"Pairs must be finite numbers. Received 2 pairs of 50 with one"):
            test(a, b)


class TestPermutation:
    @pytest.mark.parametrize("count", [1, 2, 5, 9])
    def test_few_pairs_are_tried_in_every_way(self, count):
        rng = np.random.default_rng(count)
        a, b = rng.normal(0.4, 1, size=count), np.zeros(count)
        a[::4] = 0.0  # ties are neither
        sums = [abs(np.dot(signs, a)) for signs in itertools.product([-1, 1], repeat=count)]
        expected = np.mean([s >= abs(a.sum()) - 1e-12 for s in sums])
        assert paired_permutation_test(a, b).p_value == pytest.approx(expected, abs=1e-15)

    def test_many_pairs_are_as_in_scipy(self):
        rng = np.random.default_rng(3)
        a, b = rng.normal(0.2, 1, size=40), rng.normal(size=40)
        found = paired_permutation_test(a, b, num_resamples=20_000).p_value
        options = {"permutation_type": "samples", "n_resamples": 20_000, "random_state": np.random.default_rng(1)}
        expected = stats.permutation_test((a, b), lambda x, y: np.mean(x - y), **options).pvalue
        assert abs(found - expected) < 5 * np.sqrt(2 * 0.25 / 20_000)  # five standard errors at most, 1 in a million

    def test_signs_are_drawn_in_blocks_like_at_once(self, monkeypatch):
        a, b = np.random.default_rng(5).normal(0.3, 1, size=[2, 30])
        monkeypatch.setattr(paired, "_AT_ONCE", 70)
        assert 0 < paired_permutation_test(a, b, num_resamples=1001).p_value <= 1
        assert paired_permutation_test(a, b, seed=1) == paired_permutation_test(a, b, seed=1)

    def test_under_no_difference_p_is_uniform(self):
        # 400 sets of 15 pairs; a share of 0.05 has a standard error of 0.011: five of them, 1 in a million.
        rng = np.random.default_rng(7)
        p = [
            paired._sign_flip(d, 400, seed)
            for seed, d in enumerate(rng.exponential(size=[400, 15]) * rng.choice([-1, 1], [400, 15]))
        ]
        assert abs(np.mean(np.less_equal(p, 0.05)) - 0.05) < 0.055
        assert abs(np.mean(p) - 0.5) < 5 * np.sqrt(1 / 12 / 400)

    def test_the_interval_is_that_of_the_mean_difference(self):
        a, b = np.random.default_rng(2).normal([[1.0], [0.0]], 1, size=[2, 500])
        found = paired_permutation_test(a, b)
        half = 1.96 * (a - b).std(ddof=1) / np.sqrt(500)
        assert found.lower == pytest.approx(found.difference - half, abs=0.15 * half)
        assert found.upper == pytest.approx(found.difference + half, abs=0.15 * half)

    def test_no_difference_at_all_is_certain(self):
        assert paired_permutation_test(np.ones(50), np.ones(50)).p_value == 1.0


class TestMcNemar:
    def test_it_is_the_binomial_test_of_what_only_one_gets_right(self):
        a = np.repeat([True, True, False, False], [50, 12, 4, 9])
        b = np.repeat([True, False, True, False], [50, 12, 4, 9])
        found = mcnemar_test(a, b)
        assert found.p_value == pytest.approx(2 * stats.binom.cdf(4, 16, 0.5))
        assert found.difference == pytest.approx(8 / 75)
        assert found.lower < 8 / 75 < found.upper

    def test_it_is_the_sign_flip_test_of_one_run(self):
        a = np.repeat([1.0, 1.0, 0.0], [5, 7, 3])
        b = np.repeat([1.0, 0.0, 1.0], [5, 7, 3])
        assert mcnemar_test(a, b).p_value == pytest.approx(paired_permutation_test(a, b).p_value)

    def test_models_that_agree_do_not_differ(self):
        assert mcnemar_test([True, False], [True, False]).p_value == 1.0


class TestHolm:
    @pytest.mark.parametrize("count", [1, 2, 3, 6])
    def test_it_rejects_what_stepping_down_rejects(self, count):
        p = np.random.default_rng(count).uniform(0, 0.08, size=count)
        adjusted = holm(list(p))
        for level in np.linspace(0.001, 0.3, 60):
            rejected = set()
            for step, i in enumerate(np.argsort(p)):
                if p[i] > level / (count - step):
                    break
                rejected.add(i)
            assert {i for i in range(count) if adjusted[i] <= level} == rejected

    def test_missing_ones_do_not_count(self):
        assert holm([None, 0.02, None, 0.03]) == [None, 0.04, None, 0.04]
        assert holm([0.9, 0.8]) == [1.0, 1.0]
        assert holm([]) == []
