"""What a report says of how a run was trained, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bayesconv.report.document import Block, Listing, Numbers, Paragraph
from bayesconv.report.wording import number, percent, table


class Trained(NamedTuple):
    """The training of a network, or of a member of an ensemble.

    Attributes:
      rows: One mapping an epoch, see `bayesconv.History`.
      best_epoch: The epoch whose weights were kept; None if that is not known any more.
      num_train: Number of training examples; None if they cannot be read any more.
    """

    rows: Sequence[Mapping[str, Any]]
    best_epoch: int | None
    num_train: int | None

    @property
    def seconds(self) -> float | None:
        """How long the steps of all epochs took, validation not counted."""
        if self.num_train is None:
            return None
        return sum(self.num_train / row["images_per_second"] for row in self.rows)


_OF_EPOCH = {
    "loss": ("loss [nats per example]", ".4f"),
    "nll": ("NLL of training data [nats per example]", ".4f"),
    "kl": ("KL of the weights [nats]", ",.1f"),
    "kl_weight": ("weight of the KL", ".3g"),
    "validation_nll": ("NLL of validation data [nats per example]", ".4f"),
    "validation_accuracy": ("accuracy on validation data", ".4f"),
    "validation_rmse": ("RMSE of validation data", ".4f"),
}


def training(trained: Sequence[Trained]) -> Iterator[Block]:
    """A table with the last and the best epoch of each network."""
    for index, one in enumerate(trained):
        if not one.rows:
            continue
        last, best = one.rows[-1], _row_of(one.rows, one.best_epoch)
        member = f", member {index}" if len(trained) > 1 else ""
        keys = [key for key in _OF_EPOCH if key in last]
        rows = [["epoch", number(last["epoch"], "d"), number(one.best_epoch, "d")]]
        rows += [[_OF_EPOCH[k][0], *(number(row.get(k), _OF_EPOCH[k][1]) for row in (last, best))] for k in keys]
        rows.append(["time in training steps", duration(one.seconds), ""])
        rows.append(["training examples", number(one.num_train, ","), ""])
        note = "The weights of the best epoch are those that were evaluated."
        yield table(f"Training{member}", ["", "last epoch", "best epoch"], rows, note)


def _row_of(rows: Sequence[Mapping[str, Any]], epoch: int | None) -> Mapping[str, Any]:
    return next((row for row in rows if row["epoch"] == epoch), {})


def duration(seconds: float | None) -> str:
    """A time.

    Example:
      >>> duration(42.0), duration(600.0), duration(7260.0), duration(None)
      ('42 s', '10.0 min', '2.0 h', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def diagnosis(found: Numbers, member: str = "") -> Iterator[Block]:
    """The findings, and a table of the layers.

    Args:
      found: What `diagnosis.json` holds.
      member: Whose it is, of those of an ensemble.
    """
    messages = tuple(finding["message"] for finding in found["findings"])
    start = f"{member.capitalize()}: " if member else ""
    if messages:
        yield Paragraph(_started(start, "What is likely to be wrong, and what to do about it:"))
        yield Listing(messages)
    else:
        yield Paragraph(_started(start, "Nothing looks wrong."))
    header = ["layer", "weights", "KL [nats]", "scale / prior", "|mean| / scale", "at prior", "at point"]
    rows = [
        [
            layer["name"],
            number(layer["num_weights"], ","),
            number(layer["kl"], ",.1f"),
            number(layer["scale_ratio"], ".3g"),
            number(layer["signal_to_noise"] and layer["signal_to_noise"][1], ".3g"),
            percent(layer["share_at_prior"], 0),
            percent(layer["share_at_point"], 0),
        ]
        for layer in found["layers"]
    ]
    if rows:
        yield table(f"Layers, {member}" if member else "Layers", header, rows, _terms(found))


def _started(start: str, sentence: str) -> str:
    return f"{start}{sentence[0].lower()}{sentence[1:]}" if start else sentence


def _terms(found: Numbers) -> str:
    text = f"KL {number(found['kl'], ',.1f')} nats at temperature {found['temperature']:g}"
    if found["data_term"] is None:
        return f"{text}. Scales are medians over the weights."
    return f"{text}, data term {found['data_term']:,.1f} nats. Scales are medians over the weights."
