"""The interface of `tfp.experimental.nn` as TensorFlow Probability 0.10 to 0.12 had it, on the layers of this library.

`from bayesconv import compat as tfn` makes code that was written for it run. `docs/migrating-from-tfp.md` says what
differs, and how each piece is written without this module.
"""

from typing import Any

from bayesconv.compat import factories, initializers, losses, shapes, util
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
_OURS: dict[Any, tuple[str, ...]] = {
    losses: ("kl_divergence_exact", "kl_divergence_monte_carlo"),
    shapes: ("flattened", "expanded"),
}
_OURS[factories] = tuple(name for name in vars(factories) if name.startswith("make_kernel_bias"))
for _module, _names in _OURS.items():
    for _name in _names:
        register_function(f"{_module.__name__.partition('.')[2]}.{_name}")(getattr(_module, _name))
