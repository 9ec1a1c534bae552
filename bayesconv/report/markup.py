"""HTML in which everything is escaped that is not markup of this module."""

from __future__ import annotations

import html

_VOID = {"img", "meta", "link", "br", "hr"}  # elements without an end


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(content: str) -> Markup:
    """Content as HTML: markup as it is, any other text with its special characters escaped.

    Example:
      >>> escaped("a < 'b'")
      'a &lt; &#x27;b&#x27;'
    """
    return content if isinstance(content, Markup) else Markup(html.escape(content, quote=True))


def joined(parts: list[Markup], between: str = "\n") -> Markup:
    """Several pieces of markup as one."""
    return Markup(between.join(parts))


def tag(name: str, /, *contents: str, **attributes: str | None) -> Markup:
    """An element.

    Args:
      name: Of the element.
      *contents: Inside of it; escaped unless they are markup.
      **attributes: Of the element; an underscore at the end is dropped, as in `class_`, others become hyphens. None
        leaves one out.

    Example:
      >>> tag("p", "1 < 2", class_="note")
      '<p class="note">1 &lt; 2</p>'
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    start = "".join([f"<{name}", *(f' {key}="{escaped(value)}"' for key, value in given.items()), ">"])
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{''.join(map(escaped, contents))}</{name}>")
