"""A report as one HTML file that loads nothing: the look is inside of it, and so are the pictures."""

from __future__ import annotations

import base64
import importlib.resources
import re
import struct

from bayesconv.report.document import Block, Code, Document, Headline, Listing, Paragraph, Picture, Section, Table
from bayesconv.report.markup import Markup, escaped, joined, tag

# A browser is told to load nothing either, not even if a name slipped through as markup.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WIDE = 1.7  # pictures that are so many times wider than high scroll on a phone instead of shrinking
# Numbers, intervals, shares, a dash; times and sizes with their unit.
_NUMBER = re.compile(r"([-+\d.,\s%]|to)*|\d[\d.,]*\s(s|min|h|kB|MB)")


def render(document: Document) -> str:
    """The HTML of a report.

    Args:
      document: The report; all its text is escaped.

    Example:
      >>> "<h1>digits</h1>" in render(Document("digits", "", (), (), (), ""))
      True
    """
    style = importlib.resources.files("bayesconv.report").joinpath("style.css").read_text(encoding="utf-8")
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", document.title),
        tag("style", Markup(style)),
    ]
    body = joined([_header(document), _contents(document), _main(document), tag("footer", tag("p", document.footer))])
    page = joined([tag("head", joined(head)), tag("body", body)])
    return f"<!DOCTYPE html>\n{tag('html', page, lang='en')}\n"


def _header(document: Document) -> Markup:
    return tag("header", tag("h1", document.title), tag("p", document.subtitle, class_="subtitle"))


def _contents(document: Document) -> Markup:
    links = [tag("li", tag("a", section.title, href=f"#{section.name}")) for section in document.sections]
    return tag("nav", tag("ul", joined(links)), aria_label="Contents")


def _main(document: Document) -> Markup:
    return tag("main", joined([_summary(document), *map(_section, document.sections)]))


def _summary(document: Document) -> Markup:
    cards = tag("dl", joined([_card(headline) for headline in document.headlines]), class_="cards")
    readings = tag("ul", joined([tag("li", reading) for reading in document.readings]), class_="readings")
    parts = [tag("h2", "In short")]
    parts += [cards] if document.headlines else []
    parts += [readings] if document.readings else []
    return tag("section", joined(parts), id="summary")


def _card(headline: Headline) -> Markup:
    about = [tag("dd", headline.about, class_="about")] if headline.about else []
    return tag("div", tag("dt", headline.label), tag("dd", headline.value, class_="value"), *about)


def _section(section: Section) -> Markup:
    return tag("section", joined([tag("h2", section.title), *map(_block, section.blocks)]), id=section.name)


def _block(block: Block) -> Markup:
    if isinstance(block, Paragraph):
        return tag("p", block.text, class_="warning" if block.is_warning else None)
    if isinstance(block, Listing):
        return tag("ul", joined([tag("li", item) for item in block.items]))
    if isinstance(block, Table):
        return _table(block)
    return _code(block) if isinstance(block, Code) else _picture(block)


def _table(table: Table) -> Markup:
    """In a box of its own that scrolls, by keyboard too, where the screen is narrower."""
    head = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in table.header)))
    body = tag("tbody", joined([_row(row) for row in table.rows]))
    inside = tag("table", tag("caption", table.caption), head, body)
    box = tag("div", inside, class_="scroll", role="region", tabindex="0", aria_label=table.caption)
    return joined([box, tag("p", table.note, class_="note")]) if table.note else box


def _row(row: tuple[str, ...]) -> Markup:
    cells = [tag("td", _lines(cell), class_=None if _NUMBER.fullmatch(cell) else "text") for cell in row[1:]]
    return tag("tr", tag("th", row[0], scope="row"), *cells)


def _lines(cell: str) -> str:
    first, _, below = cell.partition("\n")
    return joined([escaped(first), tag("small", below)], " ") if below else cell


def _code(code: Code) -> Markup:
    box = tag("pre", code.text, class_="scroll", role="region", tabindex="0", aria_label=code.caption)
    return joined([tag("h3", code.caption), box])


def _picture(picture: Picture) -> Markup:
    width, height = size_of(picture.png)
    image = tag(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(picture.png).decode()}",
        alt=f"{picture.title}. {picture.caption}",
        width=str(width),
        height=str(height),
    )
    wide = "scroll wide" if width > _WIDE * height else "scroll"
    box = tag("div", image, class_=wide, role="region", tabindex="0", aria_label=picture.title)
    words = tag("figcaption", tag("strong", f"{picture.title}."), " ", picture.caption)
    return tag("figure", box, words, id=f"figure-{picture.name}")


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels.

    Raises:
      ValueError: If it is none.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise ValueError(f"A picture must be a PNG. Received {png[:8]!r} at its start.")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)
