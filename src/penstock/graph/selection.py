"""Selection: `+serv.sales_report`, `stg.*`, `tag:hourly,owner:sales`, `!export:nightly`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

from penstock.errors import UserError
from penstock.graph.order import downstream, upstream
from penstock.record import record

METHODS = ("tag", "source", "owner", "export")


@record
class Node:
    """Something that can be selected. `names` are what it answers to (a table and its history, say); `source` and
    `export` are set for nodes of that kind."""

    id: str
    names: tuple[str, ...]
    tags: tuple[str, ...] = ()
    owner: str | None = None
    source: str | None = None
    export: str | None = None


def select(
    patterns: Iterable[str],
    nodes: Iterable[Node],
    edges: Mapping[str, Iterable[str]],
    exclude: Iterable[str] = (),
) -> set[str]:
    """The ids of the selected nodes. `edges`: what each node id depends on.

    Several patterns are a union; `a,b` is what both select; `+x` adds everything x depends on and `x+` everything that
    depends on x; `!x` (or `exclude`) takes away. Only `!` patterns: everything but those. None: everything.
    Raises UserError UNKNOWN_SELECTION for a pattern that names nothing.
    """
    known = tuple(nodes)
    chosen: set[str] | None = None
    refused: set[str] = set()
    for pattern in exclude:
        refused |= _both(pattern.removeprefix("!"), known, edges)
    for pattern in patterns:
        if pattern.startswith("!"):
            refused |= _both(pattern[1:], known, edges)
        else:
            chosen = (chosen or set()) | _both(pattern, known, edges)
    everything = {node.id for node in known}
    return (everything if chosen is None else chosen) - refused


def _both(pattern: str, nodes: tuple[Node, ...], edges: Mapping[str, Iterable[str]]) -> set[str]:
    parts = [_reach(part.strip(), nodes, edges) for part in pattern.split(",")]
    return set.intersection(*parts)


def _reach(pattern: str, nodes: tuple[Node, ...], edges: Mapping[str, Iterable[str]]) -> set[str]:
    before, after = pattern.startswith("+"), pattern.endswith("+")
    found = _named(pattern.strip("+"), nodes, pattern)
    result = set(found)
    if before:
        result |= upstream(found, edges)
    if after:
        result |= downstream(found, edges)
    return result


def _named(pattern: str, nodes: tuple[Node, ...], whole: str) -> set[str]:
    method, colon, value = pattern.partition(":")
    if not pattern or (colon and not value):
        raise UserError(
            f"expected a name or pattern, found {whole!r}",
            code="UNKNOWN_SELECTION",
            hint="as in serv.sales_report, stg.*, +serv.sales_report, tag:hourly, source:shop, export:sales_report",
        )
    values: Callable[[Node], tuple[str | None, ...]]
    match method if colon else "":
        case "":
            value, values = pattern, lambda node: node.names
        case "tag":
            values = lambda node: node.tags  # noqa: E731 - the four cases read as a table
        case "source":
            values = lambda node: (node.source,)  # noqa: E731
        case "owner":
            values = lambda node: (node.owner,)  # noqa: E731
        case "export":
            values = lambda node: (node.export,)  # noqa: E731
        case _:
            raise UserError(
                f"unknown selection {whole!r}: there is no method {method!r}",
                code="UNKNOWN_SELECTION",
                hint=_hint(method, METHODS, f"methods: {', '.join(f'{each}:' for each in METHODS)}"),
            )
    found = {node.id for node in nodes if any(name and _matches(name, value) for name in values(node))}
    if not found:
        every = sorted({name for node in nodes for name in values(node) if name})
        lead = f"{method}:" if colon else ""
        if not colon and any(_matches(each, f"{value}.*") for each in every):
            every, value = [f"{value}.*"], f"{value}.*"
        listed = ", ".join(lead + each for each in every[:10]) + (", …" if len(every) > 10 else "")
        raise UserError(
            f"the selection {whole!r} matches nothing",
            code="UNKNOWN_SELECTION",
            hint=_hint(value, every, f"there is: {listed}" if every else "nothing can be selected this way", lead),
        )
    return found


def _matches(name: str, pattern: str) -> bool:
    """Shell patterns, letters' case ignored."""
    return fnmatchcase(name.lower(), pattern.lower())


def _hint(word: str, known: Iterable[str], otherwise: str, lead: str = "") -> str:
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {lead}{close[0]}?" if close else otherwise
