"""Layers that call others side by side: residual blocks and parallel branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from bayesconv import precision, random
from bayesconv.layers.base import Layer, check_member
from bayesconv.layers.members import outputs_of
from bayesconv.registry import unknown_name_message

Member = Callable[..., Any]


class Residual(Layer):
    """`activation_fn(block(x) + shortcut(x))`.

    Args:
      block: A layer, or a function of one tensor.
      shortcut: The same; None passes the input on.
      activation_fn: Function of the sum, such as `tf.nn.relu`, or None.
      name: Name.

    Input shape:
      What both members take.

    Output shape:
      What both members give.

    Raises:
      TypeError: If a member is not callable, or owns variables that `tf.Module` does not see.
      ValueError: If the members' outputs have different shapes.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> block = bc.Convolution(2, 4, 3, padding="SAME", make_kernel_bias_fn=bc.make_kernel_bias_flipout)
      >>> layer = bc.Residual(block, shortcut=bc.Convolution(2, 4, 1), activation_fn=tf.nn.relu)
      >>> layer(tf.ones([1, 5, 5, 2])).shape
      TensorShape([1, 5, 5, 4])

    References:
      He et al., Deep Residual Learning for Image Recognition, CVPR 2016. arXiv:1512.03385
    """

    def __init__(
        self,
        block: Member,
        shortcut: Member | None = None,
        activation_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._block = check_member(block)
        self._shortcut = None if shortcut is None else check_member(shortcut)
        self._activation_fn = None if activation_fn is None else check_member(activation_fn)

    @property
    def block(self) -> Member:
        """The block."""
        return self._block

    @property
    def shortcut(self) -> Member | None:
        """The shortcut; None passes the input on."""
        return self._shortcut

    @property
    def activation_fn(self) -> Member | None:
        """The function of the sum."""
        return self._activation_fn

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> tf.Tensor:
        """Applies both members and adds what they give."""
        inputs = tf.convert_to_tensor(inputs)
        direct = _applied(self._block, inputs, is_training, seed)
        short = inputs if self._shortcut is None else _applied(self._shortcut, inputs, is_training, seed)
        self._check_shapes(direct.shape, short.shape)
        outputs = _narrowed(direct) + _narrowed(short)
        return outputs if self._activation_fn is None else _applied(self._activation_fn, outputs, is_training, seed)

    def _check_shapes(self, direct: tf.TensorShape, short: tf.TensorShape) -> None:
        if not direct.is_compatible_with(short):
            raise ValueError(
                f"`{self.name}` adds outputs of one shape. Received {direct} from the block and {short} from the "
                "shortcut: pad the block with 'SAME', or give shortcut=bc.Convolution(.., 1) with its size and strides."
            )


class Parallel(Layer):
    """Several members on the same input, and their outputs merged.

    Args:
      branches: Layers, or functions of one tensor.
      merge: `"concat"` along the channels, `"sum"`, or a function of the list of outputs.
      name: Name.

    Input shape:
      What all branches take.

    Output shape:
      `[.., C_1 + C_2 + ..]` for `"concat"`, and the branches' own for `"sum"`.

    Raises:
      TypeError: If a member is not callable, or owns variables that `tf.Module` does not see.
      ValueError: If there are no branches, the merge is unknown, or the outputs do not fit together.

    Example:
      >>> import bayesconv as bc, tensorflow as tf
      >>> layer = bc.Parallel([bc.Convolution(2, 4, 3, padding="SAME"), bc.Convolution(2, 8, 1)])
      >>> layer(tf.ones([1, 5, 5, 2])).shape
      TensorShape([1, 5, 5, 12])

    References:
      Szegedy et al., Going Deeper with Convolutions, CVPR 2015. arXiv:1409.4842
    """

    def __init__(
        self,
        branches: Iterable[Member],
        merge: str | Callable[[Sequence[tf.Tensor]], tf.Tensor] = "concat",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._branches = tuple(check_member(branch) for branch in branches)
        if not self._branches:
            raise ValueError("A Parallel needs at least one branch. Received none.")
        if isinstance(merge, str) and merge not in _MERGES:
            raise ValueError(unknown_name_message("value of `merge`", merge, _MERGES))
        self._merge: Any = merge if isinstance(merge, str) else check_member(merge)

    @property
    def branches(self) -> tuple[Member, ...]:
        """The members."""
        return self._branches

    @property
    def merge(self) -> Any:
        """What merges the outputs: "concat", "sum" or a function."""
        return self._merge

    def forward(self, inputs: Any, *, is_training: bool, seed: random.Seed) -> Any:
        """Applies every branch and merges what they give."""
        outputs = [_applied(branch, inputs, is_training, seed) for branch in self._branches]
        if not isinstance(self._merge, str):
            return _applied(self._merge, outputs, is_training, seed)
        self._check_shapes([output.shape for output in outputs])
        return _MERGES[self._merge]([_narrowed(output) for output in outputs])

    def _check_shapes(self, shapes: list[tf.TensorShape]) -> None:
        first, *others = (shape[:-1] if self._merge == "concat" else shape for shape in shapes)
        if not all(first.is_compatible_with(other) for other in others):
            rule = "that differ in their channels only" if self._merge == "concat" else "of one shape"
            raise ValueError(
                f"`{self.name}` merges outputs {rule}. Received {', '.join(map(str, shapes))}: pad with 'SAME' and use "
                "the same strides in all branches, or end one with bc.Convolution(.., 1)."
            )


def _concatenated(outputs: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.concat(outputs, axis=-1)


_MERGES: dict[str, Callable[[Sequence[tf.Tensor]], tf.Tensor]] = {"concat": _concatenated, "sum": tf.add_n}


def _applied(member: Member, inputs: Any, is_training: bool, seed: random.Seed) -> Any:
    if isinstance(member, Layer):
        return member(inputs, is_training=is_training, seed=seed)
    return outputs_of(member, inputs)


def _narrowed(outputs: tf.Tensor) -> tf.Tensor:
    # In mixed precision one member may compute in the narrow type while the other passes its input on.
    return tf.cast(outputs, precision.narrowed(outputs.dtype))
