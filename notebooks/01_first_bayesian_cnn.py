# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first Bayesian CNN
#
# One argument turns a convolution into a Bayesian one. This notebook goes from point weights to flipout, looks at what
# a Bayesian layer leaves behind besides its output, trains a small network on handwritten digits, and asks it what it
# does not know. It runs in about a minute on two cores.

# %%
import functools
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import bayesconv as bc

bc.set_seed(0)

# %% [markdown]
# ## 1. From point weights to a distribution
#
# A convolution with the default factory has plain variables. It gives the same output every time.

# %%
x = tf.random.stateless_uniform([4, 8, 8, 1], seed=[0, 0])
point = bc.Convolution(1, 16, 3, padding="SAME")
np.allclose(point(x), point(x))

# %% [markdown]
# `make_kernel_bias_fn` decides what the weights are. With `make_kernel_bias_flipout` the kernel is a distribution, the
# *posterior*, and every call draws from it.

# %%
bayesian = bc.Convolution(1, 16, 3, padding="SAME", make_kernel_bias_fn=bc.make_kernel_bias_flipout)
first, second = bayesian(x), bayesian(x)
print("the same output twice:", np.allclose(first, second))
print("posterior:", bayesian.posterior.kernel)
print(bayesian.summary())

# %% [markdown]
# A call with a seed is repeatable, and `weights="mean"` uses the posterior's mean.

# %%
print("same seed:", np.allclose(bayesian(x, seed=1), bayesian(x, seed=1)))
print("mean weights:", np.allclose(bayesian(x, weights="mean"), bayesian(x, weights="mean")))

# %% [markdown]
# ## 2. `extra_loss` and `extra_result`
#
# Besides its output, a Bayesian layer has a penalty, `extra_loss`: how far the posterior is from the prior,
# KL(posterior || prior), summed over all weights, in nats. And it has the weights it drew, `extra_result`.

# %%
outputs = bayesian(x, seed=1)
print("KL in nats:", float(bayesian.extra_loss))
print("the kernel that was drawn:", bayesian.extra_result.kernel.shape)

# %% [markdown]
# Under `tf.function` an attribute that a call sets is a trap: the function runs again from its cache and sets nothing.
# There, collect the extras in the function and return what you need. Read in the wrong place, the attribute says so
# instead of handing out a number from somewhere else.


# %%
@tf.function
def penalty(images):
    with bc.collect_extras() as extras:
        bayesian(images, seed=1)
    return extras.loss


print("collected:", float(penalty(x)))
try:
    bayesian.extra_loss  # its last call was made inside the function
except RuntimeError as error:
    print("refused:", error)

# %% [markdown]
# ## 3. Training
#
# The objective is the evidence lower bound: the data's negative log-likelihood plus the KL, divided by the number of
# training images, once. `fit` shows the two apart. `temperature` multiplies the KL. Bayes' rule says 1; with a thousand
# images and twenty thousand weights that underfits, so we use 0.03 here, and say so. `functools.partial` binds an
# option of the factory, here the prior's scale.

# %%
digits = bc.data.get("digits")()
factory = functools.partial(bc.make_kernel_bias_flipout, prior={"name": "normal", "scale": 0.3})
model = bc.models.get("digits_cnn")(digits.input_shape, 10, factory)
settings = {"learning_rate": 3e-3, "scale_learning_rate_factor": 5.0, "temperature": 0.03, "progress": False}
history = bc.fit(model, digits.train, epochs=80, validation=digits.validation, **settings)
print({key: round(value, 3) for key, value in history.rows[-1].items()})

# %%
bc.plotting.learning_curves(history.rows)
plt.show()

# %% [markdown]
# ## 4. What it does not know
#
# `predict` averages over draws of the weights. The entropy of the averaged prediction splits in two: what is left when
# the weights are known (*aleatoric*, an ambiguous image) and what the draws disagree about (*epistemic*, an image
# unlike the training data).

# %%
predictive = bc.predict(model, digits.test.x, num_samples=32, seed=0)
scores = bc.metrics.classification_report(predictive.probs, digits.test.y)
print({key: round(scores[key], 4) for key in ("accuracy", "nll", "ece")})

# %%
bc.plotting.most_and_least_certain(
    digits.test.x, predictive.probs, predictive.std, digits.test.y, predictive.predictive_entropy, num_images=3
)
plt.show()

# %% [markdown]
# Grey patches of photographs are no digits. A network with point weights is often sure of them; here the draws
# disagree.

# %%
patches = bc.data.ood.get("photo_patches")(digits)
strange = bc.predict(model, patches, num_samples=32, seed=0)
bc.plotting.uncertainty_histograms(
    predictive.mutual_information,
    strange.mutual_information,
    out_name="photo patches",
    auroc=bc.metrics.ood_auroc(predictive.mutual_information, strange.mutual_information),
)
plt.show()

# %% [markdown]
# ## 5. Another prior is one argument
#
# The estimator, the posterior, the prior and the divergence are chosen by name, by a mapping with options, or by a
# function of your own.

# %%
for prior in ["normal", {"name": "laplace", "scale": 0.2}, {"name": "scale_mixture", "scales": [0.5, 0.05]}]:
    bc.set_seed(0)
    factory = functools.partial(bc.make_kernel_bias_flipout, prior=prior)
    other = bc.models.get("digits_cnn")(digits.input_shape, 10, factory)
    bc.fit(other, digits.train, epochs=15, **settings)
    probs = bc.predict(other, digits.test.x, num_samples=32, seed=0).probs
    nll = bc.metrics.negative_log_likelihood(probs, digits.test.y)
    print(f"{prior!s:<60} NLL {nll:.4f}   KL is {other.layers[0].divergence.name}")

# %% [markdown]
# Fifteen epochs are a taste, not a comparison. On the command line the same swap is
# `bayesconv train configs/digits_flipout.yaml --set 'model.prior={name: laplace, scale: 0.2}'`.
