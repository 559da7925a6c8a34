"""YAML as project files use it: plain data, each key and value with its place.

Built on the events of PyYAML's C parser, so that nothing but text, numbers, true, false, null, lists and mappings can
come out. `no`, `on`, `yes`, `12:30:45`, `2024-01-01` and `007` stay text: only `true` and `false` are booleans, and a
number is what prints back as it was written. Tags, anchors, aliases and duplicate keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from penstock.errors import Location, Problem, ProjectError

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 32
_LONGEST_INTEGER = 100


@dataclass(slots=True)
class Document:
    """`value`: the data. `places`: the place of each value by its path; `keys`: the place of each mapping key."""

    path: str
    value: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def at(self, *path: str | int) -> Location:
        """The place of the value at `path`, or of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            if place := self.places.get(path[:end]):
                return Location(self.path, *place)
        return Location(self.path, 1)

    def key(self, *path: str | int) -> Location:
        """The place of the key at `path` (of the item, in a list), or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            if place := self.keys.get(path[:end]) or self.places.get(path[:end]):
                return Location(self.path, *place)
        return Location(self.path, 1)


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain (unquoted) YAML scalar means here."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Builder:
    def __init__(self, text: str, path: str, first_line: int) -> None:
        self.document = Document(path)
        self.problems: list[Problem] = []
        self.offset = first_line
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))

    def place(self, mark: Any) -> tuple[int, int]:
        return mark.line + self.offset, mark.column + 1

    def problem(self, code: str, message: str, mark: Any, hint: str) -> None:
        location = Location(self.document.path, *self.place(mark)) if mark else Location(self.document.path, 1)
        self.problems.append(Problem(code, message, location, hint))

    def run(self) -> None:
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.problem(
                        "YAML_SYNTAX",
                        "expected one YAML document, found a second one",
                        event.start_mark,
                        "remove the line `---` and what follows, or move it to a file of its own",
                    )
                    return
                self.document.value = self.value(next(self.events), ())

    def value(self, event: Any, path: Path) -> Any:
        self.document.places[path] = self.place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            self.problem("YAML_ALIAS", f"aliases (*{event.anchor}) are not read here", event.start_mark, "write it out")
            return None
        if event.anchor is not None:
            self.problem("YAML_ALIAS", f"anchors (&{event.anchor}) are not read here", event.start_mark, "write it out")
        if event.tag is not None and event.tag != "!":
            self.problem("YAML_TAG", f"tags ({event.tag}) are not read here", event.start_mark, "remove the tag")
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.style in (None, "") else event.value
        if len(path) > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
                items.append(self.value(inner, (*path, len(items))))
            return items
        return self.mapping(path)

    def mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None:
                self.problem("YAML_SYNTAX", "expected text as a key", event.start_mark, "use a plain word as the key")
                self.value(event, (*path, "?"))
                name = "?"
            elif event.anchor is not None or event.tag not in (None, "!"):
                self.problem("YAML_TAG", "a key takes no tag or anchor", event.start_mark, "use a plain word")
            elif name == "<<" and event.style in (None, ""):
                self.problem("YAML_ALIAS", "merge keys (<<) are not read here", event.start_mark, "write it out")
            mark = event.start_mark
            if name in found:
                first = self.document.keys[(*path, name)]
                self.problem(
                    "YAML_DUPLICATE_KEY",
                    f"the key {name!r} stands twice (first on line {first[0]})",
                    mark,
                    "keep one of them",
                )
                self.value(next(self.events), (*path, "?"))
                continue
            self.document.keys[(*path, name)] = self.place(mark)
            found[name] = None
            found[name] = self.value(next(self.events), (*path, name))
        return found


def read(text: str, path: str, line: int = 1) -> Document:
    """The document in `text`, which begins on `line` of the file `path`. An empty document's value is None.

    Raises ProjectError with every problem found: YAML_SYNTAX, YAML_DUPLICATE_KEY, YAML_TAG, YAML_ALIAS.
    """
    builder = _Builder(text, path, line)
    try:
        builder.run()
    except yaml.MarkedYAMLError as error:
        # A tab or a missing quote shows up far from its cause; the context's mark is nearer to it.
        mark = error.problem_mark or error.context_mark
        detail = ", ".join(part for part in (error.problem, error.context) if part)
        if mark and text[mark.index : mark.index + 1] == "\t":
            detail = f"a tab, where YAML wants blanks ({detail})"
        builder.problem(
            "YAML_SYNTAX",
            f"this is not YAML: {detail}",
            mark,
            "check quotes, brackets, `key: value` with a blank after the colon, and indentation by blanks",
        )
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error)
        position = getattr(error, "position", None)
        place = Location(path, line)
        if isinstance(position, int):
            place = Location(path, line + text.encode()[:position].count(b"\n"))
        builder.problems.append(Problem("YAML_SYNTAX", f"this is not YAML: {reason}", place, "remove that character"))
    if builder.problems:
        raise ProjectError(builder.problems)
    return builder.document
