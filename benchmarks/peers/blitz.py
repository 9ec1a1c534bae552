"""blitz."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

from blitz import modules
from torch import nn

from benchmarks.architectures import Linear
from benchmarks.peers.samplers import SamplerLibrary
from benchmarks.peers.worker import serve


class Library(SamplerLibrary):
    """The library."""

    versions: ClassVar = {name: version(name) for name in ("blitz-bayesian-pytorch", "torch")}

    def make(self, linear: Linear, options: dict[str, Any], contender: str) -> nn.Module:
        """A layer."""
        kind = modules.BayesianLinear if len(linear.shape) == 2 else modules.BayesianConv2d
        return kind(**options)


if __name__ == "__main__":
    serve(Library)
