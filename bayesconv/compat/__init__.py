"""The interface of `tfp.experimental.nn` as TensorFlow Probability 0.10 to 0.12 had it, on the layers of this library.

`from bayesconv import compat as tfn` makes code that was written for it run. `docs/migrating-from-tfp.md` says what
differs, and how each piece is written without this module.
"""

from bayesconv.compat import initializers, losses, shapes, util
from bayesconv.compat.affine import (
    Affine,
    AffineVariationalFlipout,
    AffineVariationalReparameterization,
    AffineVariationalReparameterizationLocal,
)
from bayesconv.compat.base import KernelBiasLayer, Lambda, Layer, Sequential
from bayesconv.compat.convolution import (
    Convolution,
    ConvolutionVariationalFlipout,
    ConvolutionVariationalReparameterization,
)
from bayesconv.compat.transpose import (
    ConvolutionTranspose,
    ConvolutionTransposeVariationalFlipout,
    ConvolutionTransposeVariationalReparameterization,
)
from bayesconv.compat.variational import VariationalLayer
from bayesconv.names import register_function, register_layer

__all__ = [
    "Affine",
    "AffineVariationalFlipout",
    "AffineVariationalReparameterization",
    "AffineVariationalReparameterizationLocal",
    "Convolution",
    "ConvolutionTranspose",
    "ConvolutionTransposeVariationalFlipout",
    "ConvolutionTransposeVariationalReparameterization",
    "ConvolutionVariationalFlipout",
    "ConvolutionVariationalReparameterization",
    "KernelBiasLayer",
    "Lambda",
    "Layer",
    "Sequential",
    "VariationalLayer",
    "initializers",
    "losses",
    "util",
]

# What `bayesconv.save_model` calls them.
for _part in [globals()[name] for name in __all__]:
    if isinstance(_part, type):
        register_layer(f"compat.{_part.__name__}")(_part)
for _function in (losses.kl_divergence_exact, losses.kl_divergence_monte_carlo, shapes.flattened, shapes.expanded):
    register_function(".".join([*_function.__module__.split(".")[1:], _function.__name__]))(_function)
