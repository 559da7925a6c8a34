"""Front matter: YAML at the head of a model, in the first comment of SQL or the docstring of Python."""

from __future__ import annotations

import re

from penstock.errors import Location, Problem, ProjectError
from penstock.project.yaml import Document, read
from penstock.record import record

_OPEN = re.compile(r"\s*/\*---[^\S\n]*(\n|$)")
_CLOSE = re.compile(r"^[^\S\n]*---[^\S\n]*\*/", re.MULTILINE)
_QUOTES = r"(?:[rR]?\"\"\"|[rR]?''')?"
_FENCE = re.compile(rf"^[^\S\n]*{_QUOTES}[^\S\n]*---[^\S\n]*{_QUOTES}[^\S\n]*$", re.MULTILINE)
"""A line `---`, which may be the first or the last of the docstring and then has its quotes beside it."""


@record
class FrontMatter:
    """`document`: the keys, with places in the file. `end`: the offset in the text where what follows begins."""

    document: Document
    end: int


def _mapping(text: str, path: str, line: int) -> Document:
    document = read(text, path, line)
    if document.value is None:
        document.value = {}
    if not isinstance(document.value, dict):
        raise ProjectError(
            [
                Problem(
                    "FRONT_MATTER",
                    "expected `key: value` lines in the front matter",
                    document.at(),
                    "write keys such as `owner: sales`, or remove the block",
                )
            ]
        )
    return document


def of_sql(text: str, path: str) -> FrontMatter:
    """The block `/*---` … `---*/` that a SQL file may begin with. Raises ProjectError when it is never closed or is
    not YAML."""
    opening = _OPEN.match(text)
    if opening is None:
        if stray := re.match(r"\s*/\*---", text):
            line = text.count("\n", 0, stray.end()) + 1
            raise ProjectError(
                [
                    Problem(
                        "FRONT_MATTER",
                        "expected nothing behind `/*---` on its line",
                        Location(path, line),
                        "begin the keys on the next line, and end with a line `---*/`",
                    )
                ]
            )
        return FrontMatter(Document(path, {}), 0)
    first = text.count("\n", 0, opening.end()) + 1
    closing = _CLOSE.search(text, opening.end())
    if closing is None:
        raise ProjectError(
            [
                Problem(
                    "FRONT_MATTER",
                    "the front matter is never closed",
                    Location(path, max(1, first - 1)),
                    "end it with a line `---*/`",
                )
            ]
        )
    return FrontMatter(_mapping(text[opening.end() : closing.start()], path, first), closing.end())


def of_docstring(docstring: str, path: str, line: int) -> Document | None:
    """The lines between two `---` in a module docstring that begins on `line`; None when there are none."""
    fences = list(_FENCE.finditer(docstring))
    if len(fences) < 2:
        return None
    start = fences[0].end() + 1
    # Each docstring line is a line of the file: Python strings in triple quotes keep theirs.
    return _mapping(docstring[start : fences[1].start()], path, line + docstring.count("\n", 0, start))
