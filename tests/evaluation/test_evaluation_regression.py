"""Claims about the scores of predicted real numbers and of pixels, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, jaccard_score, log_loss, root_mean_squared_error

import bayesconv as bc
from bayesconv.evaluation import regression, segmentation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = RNG.normal(size=(40, 1))


def _predictive(outputs, likelihood, **options):
    bc.set_seed(0)
    model = bc.Affine(3, outputs, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    return bc.predict(model, X, num_samples=8, likelihood=likelihood, **options)


def test_scores_of_a_density_are_those_of_its_mixture():
    found = _predictive(2, "heteroscedastic_normal")
    scores = regression.scores(found, Y, num_resamples=50)
    outputs = found.logits.astype(float)
    parts = scipy.stats.norm(outputs[..., 0], np.exp(outputs[..., 1]) + 1e-4)
    np.testing.assert_allclose(scores["rmse"], root_mean_squared_error(Y, found.mean), rtol=1e-9)
    np.testing.assert_allclose(scores["nll"], -np.log(parts.pdf(Y[:, 0]).mean(axis=0)).mean(), rtol=1e-6)
    # CRPS = integral of (F - 1{y <= .})^2 over a fine grid; 1,024 draws an example estimate it to a few per cent.
    grid = np.linspace(-30, 30, 6001)
    cdf = np.mean([scipy.stats.norm.cdf((grid[:, None] - m) / s) for m, s in zip(*parts.args, strict=True)], axis=0)
    crps = np.trapezoid((cdf - (grid[:, None] >= Y[:, 0])) ** 2, grid, axis=0).mean()
    np.testing.assert_allclose(scores["crps"], crps, rtol=0.05)
    lower, upper = found.interval(0.9)
    assert scores["credible"]["0.9"]["picp"] == np.mean((lower <= Y) & (upper >= Y))
    assert scores["intervals"]["rmse"]["lower"] < scores["rmse"] < scores["intervals"]["rmse"]["upper"]


def test_quantiles_have_a_pinball_loss_and_no_density():
    likelihood = {"name": "quantiles", "levels": [0.25, 0.5, 0.75]}
    found = _predictive(3, likelihood)
    scores = regression.scores(found, Y)
    losses = [np.maximum(p * (Y - found.quantile(p)), (p - 1) * (Y - found.quantile(p))) for p in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(scores["pinball"], np.mean(losses), rtol=1e-9)
    assert scores["nll"] is scores["crps"] is scores["total_std"] is scores["predictive_entropy"] is None
    assert list(scores["credible"]) == ["0.5"]
    assert scores["calibration"]["below"] == [float(np.mean(found.quantile(p) > Y)) for p in (0.25, 0.5, 0.75)]


def test_without_draws_a_single_pass_is_a_normal_of_its_moments():
    found = _predictive_moments()
    normal = scipy.stats.norm(found.mean, found.total_std)
    np.testing.assert_allclose(regression.scores(found, Y)["nll"], -normal.logpdf(Y).mean(), rtol=1e-6)


def _predictive_moments():
    bc.set_seed(0)
    model = bc.Affine(3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    return bc.predict(model, X, method="moments", likelihood="normal")


@pytest.mark.parametrize("ignored", [None, 255])
def test_scores_of_pixels_are_those_of_scikit_learn_without_the_ignored(ignored):
    bc.set_seed(0)
    images = RNG.normal(size=(4, 5, 6, 1)).astype(np.float32)
    labels = RNG.integers(0, 3, size=(4, 5, 6))
    if ignored is not None:
        labels[:, 0] = ignored
    model = bc.Convolution(1, 3, 1, make_kernel_bias_fn=bc.make_kernel_bias_reparameterization)
    likelihood = {"name": "categorical_per_pixel", "ignored_label": ignored}
    found = bc.predict(model, images, num_samples=6, likelihood=likelihood)
    scores = segmentation.scores(found, labels, class_names=list("abc"), ignored_label=ignored, num_resamples=20)
    counted = labels != ignored if ignored is not None else np.ones(labels.shape, bool)
    probs, true = found.mean[counted], labels[counted]
    top = probs.argmax(axis=-1)
    np.testing.assert_allclose(scores["accuracy"], accuracy_score(true, top))
    np.testing.assert_allclose(scores["nll"], log_loss(true, probs, labels=[0, 1, 2]), rtol=1e-5)
    np.testing.assert_allclose(list(scores["iou"].values()), jaccard_score(true, top, average=None))
    np.testing.assert_allclose(scores["mean_iou"], jaccard_score(true, top, average="macro"))
    np.testing.assert_allclose(scores["mutual_information"], found.mutual_information[counted].mean())
