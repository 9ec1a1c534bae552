"""Writes the measured tables into docs/performance.md, between the marks there.

python -m benchmarks.page [--results benchmarks/results/performance.json] [--page docs/performance.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bayesconv import files
from benchmarks import results, tables

PAGE = Path("docs/performance.md")
BEGIN, END = "<!-- begin: written by `python -m benchmarks.page` -->", "<!-- end -->"


def rewritten(text: str, block: str) -> str:
    """A page with another block between the marks.

    Raises:
      ValueError: If it does not have both marks, once and in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"The page needs the lines {BEGIN!r} and {END!r}, once and in this order: put them back.")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def write(path: Path, found: dict) -> Path:
    """Rewrites the block of a page."""
    return files.write_text(path, rewritten(path.read_text(), tables.page(found)))


def main() -> None:
    """Rewrites the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=results.PATH)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    print(write(arguments.page, results.load(arguments.results)))


if __name__ == "__main__":
    main()
