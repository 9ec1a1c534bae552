"""The nets in PyTorch: channels last, Adam, and layers of a library where there are weights."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.architectures import ADAM_EPSILON, BETA_1, BETA_2, LEARNING_RATE, NETS, NORM_EPSILON, NUM_DATA, Linear

TINY = -12.0  # softplus of it is 6e-6


class Kit(Protocol):
    """A library's layers."""

    def make(self, linear: Linear, options: dict[str, Any], contender: str) -> nn.Module:
        """A convolution, with the options of `nn.Conv2d`, or a linear layer."""

    def call(self, layer: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Outputs, and the KL in nats."""

    def parameters(self, layer: nn.Module) -> dict[str, torch.Tensor | None]:
        """`kernel`, `bias`, `kernel_rho` and `bias_rho`."""


class TorchSubject(nn.Module):
    """A net with a library's layers.

    Args:
      kit: The library.
      net: Name of the net.
      contender: Which of its layers; "deterministic" for PyTorch's own.
    """

    def __init__(self, kit: Kit, net: str, contender: str) -> None:
        super().__init__()
        self.net, self._kit, self._contender = NETS[net], kit, contender
        self.layers = nn.ModuleDict({name: self._made(linear) for name, linear in self.net.linears.items()})
        sizes = {name: self.net.linears[name].shape[-1] for name in self.net.normalized}
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.ones(size)) for name, size in sizes.items()})
        self.offsets = nn.ParameterDict({name: nn.Parameter(torch.zeros(size)) for name, size in sizes.items()})
        self.to(memory_format=torch.channels_last)
        random = np.random.default_rng(0)
        images = torch.from_numpy(random.random((self.net.batch, *self.net.image), np.float32))
        self._x = _channels_last(images)
        self._y = torch.from_numpy(random.integers(0, 10, self.net.batch))
        betas = (BETA_1, BETA_2)
        self._adam = torch.optim.Adam(self.parameters(), LEARNING_RATE, betas, ADAM_EPSILON)
        self._penalty: Any = 0.0

    @property
    def num_parameters(self) -> int:
        """Parameters that a step trains; some libraries register theirs twice."""
        self.step()
        return sum(parameter.numel() for parameter in self.parameters() if parameter.grad is not None)

    def _made(self, linear: Linear) -> nn.Module:
        options: dict[str, Any]
        if len(linear.shape) == 2:
            options = {"in_features": linear.shape[0], "out_features": linear.shape[1], "bias": linear.use_bias}
        else:
            size, _, inputs, outputs = linear.shape
            padding = 0 if _is_padded_before(linear) else size // 2
            options = {"in_channels": inputs, "out_channels": outputs, "kernel_size": (size, size)}
            options |= {"stride": linear.stride, "padding": padding, "bias": linear.use_bias}
        if self._contender == "deterministic":
            return (nn.Linear if len(linear.shape) == 2 else nn.Conv2d)(**options)
        return self._kit.make(linear, options, self._contender)

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """The library's layer, with the padding of TensorFlow's "SAME"."""
        layer = self.layers[name]
        x = functional.pad(x, (0, 1, 0, 1)) if _is_padded_before(self.net.linears[name]) else x
        if self._contender == "deterministic":
            return layer(x)
        outputs, penalty = self._kit.call(layer, x)
        self._penalty = self._penalty + penalty
        return outputs

    def normalize(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Each channel by its mean square."""
        scaled = x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + NORM_EPSILON)
        return scaled * self.scales[name][:, None, None] + self.offsets[name][:, None, None]

    def relu(self, x: torch.Tensor) -> torch.Tensor:
        """Rectifies."""
        return functional.relu(x)

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """Maxima of 2x2 positions."""
        return functional.max_pool2d(x, 2)

    def flatten(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, H * W * C]`."""
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)

    def average(self, x: torch.Tensor) -> torch.Tensor:
        """Means over all positions."""
        return x.mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        self._penalty = 0.0
        return self.net.forward(self, x)

    def step(self) -> None:
        """One step."""
        self._adam.zero_grad()
        loss = functional.cross_entropy(self(self._x), self._y) + self._penalty / NUM_DATA
        loss.backward()
        self._adam.step()
        loss.item()

    def predict(self, passes: int) -> None:
        """Passes in a loop, as these libraries have it."""
        with torch.inference_mode():
            torch.stack([self(self._x) for _ in range(passes)]).numpy()

    def logits(self, weights: str) -> list[list[float]]:
        """Logits at given weights."""
        with np.load(weights) as arrays, torch.no_grad():
            given = {name: torch.from_numpy(array) for name, array in arrays.items()}
            for name, layer in self.layers.items():
                self._assign(layer, given[f"kernel/{name}"], given.get(f"bias/{name}"))
            for name in self.scales:
                self.scales[name].copy_(given[f"scale/{name}"])
                self.offsets[name].copy_(given[f"offset/{name}"])
            return self(_channels_last(given["images"])).tolist()

    def _assign(self, layer: nn.Module, kernel: torch.Tensor, bias: torch.Tensor | None) -> None:
        own: Any = {"kernel": layer.weight, "bias": layer.bias} if self._contender == "deterministic" else None
        own = own or self._kit.parameters(layer)
        own["kernel"].copy_(kernel.T if kernel.ndim == 2 else kernel.permute(3, 2, 0, 1))
        if bias is not None:
            own["bias"].copy_(bias)
        for name in ("kernel_rho", "bias_rho"):
            if own.get(name) is not None:
                own[name].fill_(TINY)


def _is_padded_before(linear: Linear) -> bool:
    # With stride 2 TensorFlow pads a 3x3 convolution of an even size after the image only, PyTorch on both sides.
    return linear.stride == 2 and linear.shape[0] == 3


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    return images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
