"""What blitz and torch-uncertainty share: a sampler for each member of a layer, and a KL by Monte Carlo."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.peers.torch_nets import TorchSubject


class SamplerLibrary:
    """The base of both."""

    contenders = ("deterministic", "reparameterization")

    def subject(self, net: str, contender: str) -> TorchSubject:
        """A net."""
        return TorchSubject(self, net, contender)  # type: ignore[arg-type]

    def call(self, layer: Any, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Outputs and KL."""
        outputs = layer(x)
        return outputs, layer.log_variational_posterior - layer.log_prior

    def parameters(self, layer: nn.Module) -> dict[str, torch.Tensor | None]:
        """Means and spreads, where they are drawn from."""
        found: dict[str, torch.Tensor | None] = {}
        for kind, theirs in (("kernel", "weight_sampler"), ("bias", "bias_sampler")):
            sampler = getattr(layer, theirs, None)
            if sampler is not None:
                found |= {kind: sampler.mu, f"{kind}_rho": sampler.rho}
        return found
