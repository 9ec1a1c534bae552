"""The conditions on probabilities, labels and scores, each with an error that says the rule and what was received."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def check_probs(probs: npt.ArrayLike, ndim: int = 2) -> Floats:
    """`probs` in float64 if it is `[N, K]`, or `[S, N, K]` for `ndim=3`, and each row is a distribution."""
    p = np.asarray(probs, np.float64)
    name, shape = ("probs", "[N, K]") if ndim == 2 else ("sample_probs", "[S, N, K]")
    if p.ndim != ndim or 0 in p.shape or p.shape[-1] < 2:
        raise ValueError(f"`{name}` must be {shape}, not empty, with K >= 2. Received shape {list(p.shape)}.")
    if not np.isfinite(p).all() or p.min() < 0:
        raise ValueError(f"`{name}` must be finite and not negative. Received values from {p.min()} to {p.max()}.")
    off = np.abs(p.sum(axis=-1) - 1).max()
    if off > 1e-4:
        raise ValueError(
            f"Each row of `{name}` must sum to one. Received a row that is off by {off:.2g}; "
            "if these are logits, take apply_temperature(logits, 1.0)."
        )
    return p


def check_labels(labels: npt.ArrayLike, num_examples: int, num_classes: int) -> Integers:
    """`labels` in int64 if they are `[num_examples]` integers in `[0, num_classes)`."""
    y = np.asarray(labels)
    if y.shape != (num_examples,):
        raise ValueError(
            f"`labels` must be one class index per example, shape [{num_examples}]. Received shape {list(y.shape)}; "
            "turn one-hot rows into indices with labels.argmax(-1)."
        )
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"`labels` must be integers. Received dtype {y.dtype}; convert them with labels.astype(int).")
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(f"`labels` must lie in [0, {num_classes}). Received values from {y.min()} to {y.max()}.")
    return y.astype(np.int64)


def check_labelled(probs: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Integers]:
    """Both, if each is valid and they fit together."""
    p = check_probs(probs)
    return p, check_labels(labels, *p.shape)


def check_scores(name: str, scores: npt.ArrayLike) -> Floats:
    """`scores` in float64 if it is a finite, non-empty vector."""
    s = np.asarray(scores, np.float64)
    if s.ndim != 1 or not s.size or not np.isfinite(s).all():
        raise ValueError(f"`{name}` must be a vector of finite numbers, not empty. Received {_received(s)}.")
    return s


def check_values(name: str, values: npt.ArrayLike, shape: tuple[int, ...] | None = None) -> Floats:
    """`values` in float64 if it is finite, not empty, no scalar, and of `shape` if that is given."""
    v = np.asarray(values, np.float64)
    if v.ndim < 1 or not v.size or not np.isfinite(v).all():
        raise ValueError(f"`{name}` must hold finite numbers, not empty. Received {_received(v)}.")
    if shape is not None and v.shape != shape:
        raise ValueError(f"`{name}` must have shape {list(shape)}, as the rest. Received shape {list(v.shape)}.")
    return v


def check_logits(name: str, logits: npt.ArrayLike) -> Floats:
    """`logits` in float64 as `[S, N, K]` if it is that, or `[N, K]` for a single sample, and finite."""
    z = np.asarray(logits, np.float64)
    if z.ndim not in (2, 3) or not z.size or not np.isfinite(z).all():
        raise ValueError(f"`{name}` must be [N, K] or [S, N, K], finite and not empty. Received {_received(z)}.")
    return z.reshape(-1, *z.shape[-2:])


def check_fraction(name: str, value: float) -> float:
    """`value` if it lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"`{name}` must lie strictly between 0 and 1, a share and no percentage. Received {value}.")
    return float(value)


def check_at_least(name: str, value: int, least: int) -> int:
    """`value` if it is not below `least`."""
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received {value}.")
    return value


def _received(values: Floats) -> str:
    """The shape, and how many numbers are not finite if any are."""
    missing = int(values.size - np.isfinite(values).sum())
    return f"shape {list(values.shape)}" + (f", {missing} of {values.size} not finite" if missing else "")
