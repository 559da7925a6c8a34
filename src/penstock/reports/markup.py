"""HTML that cannot be broken out of: whatever is not made here is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "br", "hr"})


class Markup(str):
    """Text that is HTML already. Made by `tag` and `join` alone."""

    __slots__ = ()


Content = str | int | None | Iterable["Content"]
"""What is in an element: text (which is escaped), markup, nothing, or several of these."""


def text(value: str) -> Markup:
    """Escaped; characters that do not print are spelled out, and so are those that turn the direction of writing."""
    if not value.isprintable():
        value = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in value)
    return Markup(escape(value, quote=True))


def join(*contents: Content) -> Markup:
    found = []
    for content in contents:
        if isinstance(content, Markup):
            found.append(content)
        elif isinstance(content, (str, int)):
            found.append(text(str(content)))
        elif content is not None:
            found.append(join(*content))
    return Markup("".join(found))


def tag(name: str, /, *contents: Content, **attributes: str | int | None) -> Markup:
    """An element. `cls` is its class; an attribute that is None is left out, `_` in its name stands for `-`."""
    given = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*contents)}</{name}>")
