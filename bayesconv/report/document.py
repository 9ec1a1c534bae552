"""A report as data: plain text, tables and pictures, which know nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Numbers = Mapping[str, Any]  # an entry of a JSON file


class Headline(NamedTuple):
    """A number to see first.

    Attributes:
      label: What it is.
      value: The number as text.
      about: Its interval, or the band to hold it against.
    """

    label: str
    value: str
    about: str = ""


class Paragraph(NamedTuple):
    """Some sentences; a warning tells that something is missing or looks wrong."""

    text: str
    is_warning: bool = False


class Listing(NamedTuple):
    """Sentences, one a line."""

    items: tuple[str, ...]


class Table(NamedTuple):
    """A table, whose first column names the rows.

    Attributes:
      caption: What it shows.
      header: A cell a column.
      rows: As many cells each; what stands behind a line break is shown smaller, below.
      note: How to read it.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Code(NamedTuple):
    """Text whose line breaks and columns count."""

    caption: str
    text: str


class Picture(NamedTuple):
    """A drawn figure.

    Attributes:
      name: Its name among all of the report.
      png: The bytes of its file.
      title: What it is called.
      caption: What it shows, and how to read it.
    """

    name: str
    png: bytes
    title: str
    caption: str


Block = Paragraph | Listing | Table | Code | Picture


class Section(NamedTuple):
    """A part of a report.

    Attributes:
      name: What links lead to, of letters only.
      title: Its heading.
      blocks: What is in it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]


class Document(NamedTuple):
    """A report.

    Attributes:
      title: Its name.
      subtitle: What it is about.
      headlines: The numbers to see first.
      readings: What they mean, a sentence each.
      sections: All the rest.
      footer: How it was made.
    """

    title: str
    subtitle: str
    headlines: tuple[Headline, ...]
    readings: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str
