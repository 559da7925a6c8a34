"""Options of connectors and formats: every key that is not Penstock's own, checked by the plug-in that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from penstock import registry
from penstock.project.problems import Problems, did_you_mean
from penstock.project.validation import explain
from penstock.project.yaml import Document, Path

_NOUN = {"source": "connector", "export": "format"}


def known_kind(
    family: Literal["source", "export"], kind: str, document: Document, path: Path, problems: Problems
) -> bool:
    """Whether there is a plug-in for `kind`; a problem is added when there is none."""
    kinds = registry.kinds(family)
    if kind in kinds:
        return True
    problems.add(
        "UNKNOWN_KIND",
        f"unknown {_NOUN[family]} {kind!r}",
        document.at(*path),
        did_you_mean(kind, kinds, f"use one of: {', '.join(kinds)}"),
    )
    return False


def checked(
    family: Literal["source", "export"],
    kind: str,
    raw: Mapping[str, Any],
    *,
    document: Document,
    path: Path,
    own_keys: Iterable[str],
    problems: Problems,
) -> Mapping[str, Any] | None:
    """The options in `raw`, checked and completed by the plug-in, as plain JSON data; None after adding problems."""
    try:
        plugin = registry.source(kind) if family == "source" else registry.export(kind)
    except ImportError as error:
        problems.add(
            "PLUGIN_UNAVAILABLE",
            f"the {_NOUN[family]} {kind!r} cannot be used here: {error}",
            document.at(*path),
            "install the package it needs",
        )
        return None
    schema = plugin.options_schema()
    known = [*own_keys, *schema.get("properties", {})]
    if schema.get("additionalProperties") is False:
        for name in raw:
            if name not in known:
                listed = f"known keys: {', '.join(sorted(known))}"
                hint = did_you_mean(name, known, listed)
                problems.add("UNKNOWN_KEY", f"unknown key {name!r}", document.key(*path, name), hint)
        raw = {name: value for name, value in raw.items() if name in known}
    try:
        options = plugin.options(raw)
    except ValidationError as error:
        explain(error, document, path, problems=problems, known=known)
        return None
    except ValueError as error:
        problems.add("BAD_VALUE", str(error), document.at(*path), f"see the options of {kind} in the documentation")
        return None
    # Options are kept between calls as JSON; what a first call gives must equal what a later one reads back.
    plain: Mapping[str, Any] = json.loads(json.dumps(dict(options)))
    return plain
