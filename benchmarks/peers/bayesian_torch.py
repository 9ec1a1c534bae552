"""bayesian-torch. Its KL is a mean over the weights of a layer, in closed form."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

import torch
from bayesian_torch import layers
from torch import nn

from benchmarks.architectures import Linear
from benchmarks.peers.torch_nets import TorchSubject
from benchmarks.peers.worker import serve


class Library:
    """The library."""

    versions: ClassVar = {name: version(name) for name in ("bayesian-torch", "torch")}
    contenders = ("deterministic", "reparameterization", "flipout")

    def subject(self, net: str, contender: str) -> TorchSubject:
        """A net."""
        return TorchSubject(self, net, contender)

    def make(self, linear: Linear, options: dict[str, Any], contender: str) -> nn.Module:
        """A layer."""
        kind = "Linear" if len(linear.shape) == 2 else "Conv2d"
        if kind == "Conv2d" and contender == "flipout":
            options = {**options, "kernel_size": options["kernel_size"][0]}
        return getattr(layers, f"{kind}{contender.title()}")(**options)

    def call(self, layer: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Outputs and KL; without gradients none is wanted."""
        return layer(x) if torch.is_grad_enabled() else (layer(x, return_kl=False), 0.0)

    def parameters(self, layer: nn.Module) -> dict[str, torch.Tensor | None]:
        """Means and spreads."""
        kind = "kernel" if hasattr(layer, "mu_kernel") else "weight"
        names = {"kernel": f"mu_{kind}", "kernel_rho": f"rho_{kind}", "bias": "mu_bias", "bias_rho": "rho_bias"}
        return {name: getattr(layer, theirs) for name, theirs in names.items()}


if __name__ == "__main__":
    serve(Library)
