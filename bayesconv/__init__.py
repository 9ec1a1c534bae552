"""Bayesian convolutions for TensorFlow: CNNs that know what they do not know.

`import bayesconv as bc` is quick: a part is imported, and TensorFlow with it, when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "bayesconv.diagnostics": ("Diagnosis", "diagnose"),
    "bayesconv.evaluation.streaming": ("evaluate",),
    "bayesconv.export": ("export_saved_model",),
    "bayesconv.extras": ("Extras", "collect_extras"),
    "bayesconv.frozen": ("Frozen", "freeze", "load_frozen"),
    "bayesconv.kernel_bias": (
        "VariationalKernelBias",
        "make_kernel_bias",
        "make_kernel_bias_flipout",
        "make_kernel_bias_local_reparameterization",
        "make_kernel_bias_posterior_mvn_diag",
        "make_kernel_bias_prior_spike_and_slab",
        "make_kernel_bias_reparameterization",
        "make_kernel_bias_sliced",
        "make_kernel_bias_variational",
    ),
    "bayesconv.layers": (
        "Affine",
        "AveragePool",
        "BatchNorm",
        "ChannelDropout",
        "Convolution",
        "ConvolutionTranspose",
        "DepthwiseConvolution",
        "Dropout",
        "FilterResponseNorm",
        "Flatten",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "GroupNorm",
        "InstanceNorm",
        "Lambda",
        "Layer",
        "LayerNorm",
        "LayerOutput",
        "MaxPool",
        "Parallel",
        "Reshape",
        "Residual",
        "SeparableConvolution",
        "Sequential",
        "Upsample",
    ),
    "bayesconv.objectives": ("elbo",),
    "bayesconv.optimization": ("Ivon",),
    "bayesconv.overrides": ("make_kernel_bias_by_layer",),
    "bayesconv.precision": ("compute_dtype",),
    "bayesconv.prior_predictive": ("sample_prior",),
    "bayesconv.prediction": ("Predictive", "predict"),
    "bayesconv.random": ("set_seed",),
    "bayesconv.loop": ("History",),
    "bayesconv.names": ("register_function", "register_layer"),
    "bayesconv.saving": ("load_model", "save_model"),
    "bayesconv.training": ("fit",),
    "bayesconv.transfer": ("continue_from", "start_from_weights"),
    "bayesconv.weights": ("KernelBias", "WeightSpec", "as_kernel_bias", "map_kernel_bias"),
}
_MODULES = (
    "augmentations",
    "bounds",
    "comparison",
    "compat",
    "config",
    "corruptions",
    "data",
    "divergences",
    "estimators",
    "initializers",
    "kernel_bias",
    "layers",
    "likelihoods",
    "metrics",
    "models",
    "moments",
    "objectives",
    "overrides",
    "plotting",
    "posteriors",
    "prediction",
    "priors",
    "random",
    "registry",
    "sweeps",
    "training",
)
_ORIGIN = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted([*_ORIGIN, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _ORIGIN:
        value = getattr(importlib.import_module(_ORIGIN[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"bayesconv.{name}")
    else:
        raise AttributeError(f"module 'bayesconv' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
