"""Numbers as they stand in a report; what is not known is a dash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bayesconv.report.document import Numbers, Table

DASH, SPACE = "-", "\N{NO-BREAK SPACE}"
BELOW = "Below a number stands its 95 % interval."


def number(value: Any, form: str = ".4f") -> str:
    """A number.

    Example:
      >>> number(0.12345), number(1234, ","), number(None), number(-0.00001)
      ('0.1235', '1,234', '-', '0.0000')
    """
    return DASH if value is None else without_sign_of_zero(format(value, form))


def without_sign_of_zero(text: str) -> str:
    """A number as text, without the minus of one that was rounded to zero."""
    return text.removeprefix("-") if not text.strip("-0.,") else text


def percent(value: Any, digits: int = 1) -> str:
    """A share.

    Example:
      >>> percent(0.978).replace(SPACE, " ")
      '97.8 %'
    """
    return DASH if value is None else f"{100 * value:.{digits}f}{SPACE}%"


def ends(interval: Numbers | None, form: str = ".4f") -> str:
    """An interval.

    Example:
      >>> ends({"lower": 0.1, "upper": 0.25}, ".2f").replace(SPACE, " ")
      '0.10 to 0.25'
    """
    if interval is None or interval.get("lower") is None or interval.get("upper") is None:
        return DASH
    return f"{number(interval['lower'], form)}{SPACE}to{SPACE}{number(interval['upper'], form)}"


def percent_ends(interval: Numbers | None, digits: int = 1) -> str:
    """An interval of shares.

    Example:
      >>> percent_ends({"lower": 0.1, "upper": 0.255}).replace(SPACE, " ")
      '10.0 to 25.5 %'
    """
    if interval is None or interval.get("lower") is None or interval.get("upper") is None:
        return DASH
    return f"{100 * interval['lower']:.{digits}f}{SPACE}to{SPACE}{percent(interval['upper'], digits)}"


def above(value: str, interval: str) -> str:
    r"""A number above its interval, if there is one.

    Example:
      >>> above("0.12", "0.10 to 0.25"), above("0.12", DASH)
      ('0.12\n0.10 to 0.25', '0.12')
    """
    return value if interval == DASH else f"{value}\n{interval}"


def figure(entry: Numbers, key: str, form: str = ".4f", within: str | None = None) -> str:
    """A number of a report above its interval.

    Args:
      entry: With the number, and with its interval under `intervals`.
      key: Of both.
      form: Of the number.
      within: Of the ends, if another one.
    """
    return above(number(entry.get(key), form), ends((entry.get("intervals") or {}).get(key), within or form))


def share(entry: Numbers, key: str) -> str:
    """The same of a share, in percent."""
    return above(percent(entry.get(key)), percent_ends((entry.get("intervals") or {}).get(key)))


def counted(count: int, thing: str) -> str:
    """A number of things.

    Example:
      >>> counted(1, "test image"), counted(20, "test image")
      ('1 test image', '20 test images')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def words(name: str) -> str:
    """A name of code as one on paper.

    Example:
      >>> words("photo_patches")
      'photo patches'
    """
    return name.replace("_", " ")


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Table:
    """A table from any sequences, without columns of dashes alone, and without `BELOW` where no interval stands."""
    kept = [i for i in range(len(header)) if i == 0 or any(row[i] not in ("", DASH) for row in rows)]
    picked = tuple(tuple(row[i] for i in kept) for row in rows)
    has_intervals = any("\n" in cell for row in picked for cell in row)
    return Table(caption, tuple(header[i] for i in kept), picked, note if has_intervals else _without_below(note))


def _without_below(note: str) -> str:
    return note.replace(BELOW, "").rstrip()


def size(count: int) -> str:
    """A number of bytes.

    Example:
      >>> size(1_340_000).replace(SPACE, " "), size(2_000).replace(SPACE, " ")
      ('1.3 MB', '2 kB')
    """
    return f"{count / 1e6:.1f}{SPACE}MB" if count >= 1e6 else f"{count / 1e3:.0f}{SPACE}kB"
