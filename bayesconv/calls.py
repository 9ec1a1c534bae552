"""What holds for one outermost call of a model: its seed, its mode, and the weights drawn so far.

Within one call a layer draws once, so that every use of a shared layer sees the same weights. Draws are keyed by
the call's seed and by the order in which the layers first draw, which the model's structure determines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.extras import graph_context, is_reachable
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias

WEIGHTS = ("sample", "coherent", "mean")


class Call:
    """The state that the layers of one outermost call share.

    Args:
      seed: Int or pair of ints; None draws one when it is first needed.
      is_training: Whether layers emit penalties.
      weights: `"sample"`, the layer's own estimator; `"coherent"`, one draw for all examples whatever the
        estimator; `"mean"`, the posterior mean.
      draws: Weights to use instead of drawing, by layer.
      observer: Called with each layer, its input and its `LayerOutput`, in the order the calls end.
    """

    def __init__(
        self,
        seed: random.Seed = None,
        *,
        is_training: bool = True,
        weights: str = "sample",
        draws: Mapping[Any, KernelBias] | None = None,
        observer: Callable[[Any, Any, Any], None] | None = None,
    ) -> None:
        if weights not in WEIGHTS:
            raise ValueError(unknown_name_message("value of `weights`", weights, WEIGHTS))
        self.is_training = is_training
        self.weights = weights
        self.observer = observer
        self.given_seed = seed
        self._seed: tf.Tensor | None = None
        self._draws: dict[Any, tuple[Any, KernelBias]] = {layer: (None, draw) for layer, draw in (draws or {}).items()}
        self._order: dict[Any, int] = {}
        self._uses: dict[Any, int] = {}

    @property
    def seed(self) -> tf.Tensor:
        """The call's seed, a `[2]` int32 tensor."""
        if self._seed is None:
            self._seed = random.as_seed(self.given_seed)
        return self._seed

    @property
    def draws(self) -> dict[Any, KernelBias]:
        """The weights used so far, by layer, in the order of the first draws."""
        return {layer: draw for layer, (_, draw) in self._draws.items()}

    def draw(self, layer: Any, make: Callable[[tf.Tensor], KernelBias]) -> KernelBias:
        """The layer's weights in this call: `make(seed)` at the first use, the same tensors after it."""
        if layer in self._draws:
            context, draw = self._draws[layer]
            if is_reachable(context):
                return draw
        draw = make(random.fold_in(self.layer_seed(layer), 0))
        self._draws[layer] = graph_context(), draw
        return draw

    def use_seed(self, layer: Any) -> tf.Tensor:
        """A seed for what is random in each use of a layer, as the signs of its examples are."""
        use = self._uses[layer] = self._uses.get(layer, 0) + 1
        return random.fold_in(self.layer_seed(layer), use)

    def layer_seed(self, layer: Any) -> tf.Tensor:
        """The layer's seed in this call."""
        return random.fold_in(self.seed, self._order.setdefault(layer, len(self._order)))

    def nested(self, seed: random.Seed, is_training: bool, weights: str) -> Call:
        """The call that an inner layer belongs to: this one, or one of its own if it brings another seed or mode."""
        is_training = is_training and self.is_training
        weights = weights if self.weights == "sample" else self.weights
        own_seed = seed is not None and seed is not self.given_seed and seed is not self._seed
        if not own_seed and (is_training, weights) == (self.is_training, self.weights):
            return self
        call = Call(seed if own_seed else self.seed, is_training=is_training, weights=weights, observer=self.observer)
        if not own_seed:  # another mode of the same call: a layer still draws once, and no two layers draw the same
            call._draws, call._order, call._uses = self._draws, self._order, self._uses
        return call


_current: ContextVar[Call | None] = ContextVar("bayesconv_call", default=None)


def current() -> Call:
    """The call in progress; a RuntimeError outside every layer."""
    call = _current.get()
    if call is None:
        raise RuntimeError("No layer is being called. Call the layer itself, layer(inputs), not its forward method.")
    return call


@contextlib.contextmanager
def entered(call: Call) -> Iterator[Call]:
    """Makes `call` the one that layers called in the block belong to."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def enter(seed: random.Seed, is_training: bool, weights: str) -> contextlib.AbstractContextManager[Call]:
    """Joins the call in progress, or begins one."""
    outer = _current.get()
    if outer is None:
        return entered(Call(seed, is_training=is_training, weights=weights))
    return entered(outer.nested(seed, is_training, weights))
