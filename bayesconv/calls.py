"""What holds for one outermost call of a model: its seed, its mode, and the weights drawn so far.

Within one call a layer draws once, so that every use of a shared layer sees the same weights. Draws are keyed by
the call's seed and by the order in which the layers first draw, which the model's structure determines.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from bayesconv import random
from bayesconv.extras import graph_context, is_reachable
from bayesconv.registry import unknown_name_message
from bayesconv.weights import KernelBias

WEIGHTS = ("sample", "coherent", "mean")
DrawKey = tuple[Any, ...]  # a branch, a layer, and the use of it that a draw belongs to if it does not serve them all


class _Branch:
    """What layers that are called with one seed share: the order in which they first draw, and their uses."""

    def __init__(self, seed: random.Seed, index: int) -> None:
        self.given_seed, self.index = seed, index
        self.order: dict[Any, int] = {}
        self.uses: dict[Any, int] = {}
        self._seed: tuple[Any, tf.Tensor] | None = None
        self._layer_seeds: dict[Any, tuple[Any, list[tf.Tensor]]] = {}

    def layer_seeds(self, layer: Any) -> list[tf.Tensor]:
        """The layer's own, that of its draw and that of its first use, with 0 and 1 folded in, in one operation."""
        kept = self._layer_seeds.get(layer)
        if kept is None or not is_reachable(kept[0]):
            place = self.order.setdefault(layer, len(self.order))
            kept = self._layer_seeds[layer] = graph_context(), random.fold_in_and_on(self.seed, place, 2)
        return kept[1]

    def seed_of_use(self, layer: Any, use: int) -> tf.Tensor:
        own, *first = self.layer_seeds(layer)
        return first[use] if use < len(first) else random.fold_in(own, use)

    @property
    def seed(self) -> tf.Tensor:
        if self._seed is None or (self.given_seed is not None and not is_reachable(self._seed[0])):
            self._seed = graph_context(), random.as_seed(self.given_seed)
        return self._seed[1]

    def is_seed(self, seed: random.Seed) -> bool:
        return seed is None or seed is self.given_seed or (self._seed is not None and seed is self._seed[1])


class Call:
    """The state that the layers of one outermost call share.

    An inner call may bring a seed of its own, which begins a branch: layers called with the same seed share it.

    Args:
      seed: Int or pair of ints; None draws one when it is first needed.
      is_training: Whether layers emit penalties.
      weights: `"sample"`, the layer's own estimator; `"coherent"`, one draw for all examples whatever the
        estimator; `"mean"`, the posterior mean.
      draws: Weights to use instead of drawing, keyed as `draws` is.
      is_calibrating: Whether `measure` measures.
      num_stacks: Number of draws S if all are used at once: the examples are S stacks, and each of `draws` has a
        leading axis of S. None for one draw.
      observer: Called with each layer, its input and its `LayerOutput`, in the order the calls end.
    """

    def __init__(
        self,
        seed: random.Seed = None,
        *,
        is_training: bool = True,
        weights: str = "sample",
        draws: Mapping[DrawKey, KernelBias] | None = None,
        is_calibrating: bool = False,
        num_stacks: int | None = None,
        observer: Callable[[Any, Any, Any], None] | None = None,
    ) -> None:
        if weights not in WEIGHTS:
            raise ValueError(unknown_name_message("value of `weights`", weights, WEIGHTS))
        self.is_training, self.weights, self.observer = is_training, weights, observer
        self._is_calibrating, self.num_stacks = is_calibrating, num_stacks
        self._branch = _Branch(seed, 0)
        self._branches = [self._branch]
        self._draws: dict[DrawKey, tuple[Any, KernelBias]] = {key: (None, draw) for key, draw in (draws or {}).items()}

    @property
    def given_seed(self) -> random.Seed:
        """The seed as it was given."""
        return self._branch.given_seed

    @property
    def seed(self) -> tf.Tensor:
        """The call's seed, a `[2]` int32 tensor."""
        return self._branch.seed

    @property
    def draws(self) -> dict[DrawKey, KernelBias]:
        """The weights used so far, by branch and layer, in the order of the first draws; masks and moments by use too.

        Raises:
          RuntimeError: If a layer drew inside a loop or a conditional, out of which its draw does not get.
        """
        for (_, layer, *_use), (context, _draw) in self._draws.items():
            if not is_reachable(context):
                raise RuntimeError(
                    f"`{layer.name}` is called inside a loop or a conditional of the model, so its weights cannot be "
                    "drawn beforehand, as prediction does. Call it outside, for example on all positions at once."
                )
        return {key: draw for key, (_, draw) in self._draws.items()}

    @property
    def is_random(self) -> bool:
        """Whether a layer has needed a seed so far."""
        return any(branch.order for branch in self._branches)

    def draw(self, layer: Any, make: Callable[[tf.Tensor], KernelBias]) -> KernelBias:
        """The layer's weights in this call: `make(seed)` at the first use, the same tensors after it."""
        return self._kept((self._branch.index, layer), lambda: make(self._branch.seed_of_use(layer, 0)))

    def draw_for_use(self, layer: Any, make: Callable[[tf.Tensor], KernelBias]) -> KernelBias:
        """What each use of a layer draws for itself and all examples share, as a mask: `make(seed)`."""
        use = self._next_use(layer)
        key = (self._branch.index, layer, use)
        return self._kept(key, lambda: make(self._branch.seed_of_use(layer, use)))

    def measure(self, layer: Any, make: Callable[[], KernelBias]) -> KernelBias | None:
        """What each use of a layer measures, `make()`, in a calibrating call and finds again in one with its draws.

        It is None in any other call. Measuring takes no seed, so that calibration changes no draw.
        """
        key = (self._branch.index, layer, self._next_use(layer))
        return self._kept(key, make) if self._is_calibrating or key in self._draws else None

    def use_seed(self, layer: Any) -> tf.Tensor:
        """A seed for what is random in each use of a layer, as the signs of its examples are."""
        return self._branch.seed_of_use(layer, self._next_use(layer))

    def _next_use(self, layer: Any) -> int:
        uses = self._branch.uses
        uses[layer] = uses.get(layer, 0) + 1
        return uses[layer]

    def _kept(self, key: DrawKey, make: Callable[[], KernelBias]) -> KernelBias:
        if key in self._draws:
            context, draw = self._draws[key]
            if is_reachable(context):
                return draw
        draw = make()
        self._draws[key] = graph_context(), draw
        return draw

    def layer_seed(self, layer: Any) -> tf.Tensor:
        """The layer's seed in this call."""
        return self._branch.layer_seeds(layer)[0]

    def nested(self, seed: random.Seed, is_training: bool, weights: str) -> Call:
        """The call that an inner layer belongs to: this one, or another mode or branch of it."""
        branch = self._branch if self._branch.is_seed(seed) else self._branch_of(seed)
        is_training = is_training and self.is_training
        weights = weights if self.weights == "sample" else self.weights
        if (branch, is_training, weights) == (self._branch, self.is_training, self.weights):
            return self
        inner = copy.copy(self)  # draws and branches are shared
        inner._branch, inner.is_training, inner.weights = branch, is_training, weights
        return inner

    def _branch_of(self, seed: random.Seed) -> _Branch:
        for branch in self._branches:
            known = branch.given_seed
            if known is seed or (isinstance(seed, int) and isinstance(known, int) and known == seed):
                return branch
        self._branches.append(_Branch(seed, len(self._branches)))
        return self._branches[-1]


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
