"""kind → plug-in. Adding an engine, a source, an export or a check is one new file and one line here.

The value is `module:NAME`; the module is imported when the kind is first used, so that a plug-in's own imports cost
nothing until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

from penstock.errors import UserError
from penstock.ports import Engine, Exporter, SourceReader

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Family = Literal["engine", "source", "export", "check"]

PLUGINS = MappingProxyType(
    {
        "engine": MappingProxyType({"duckdb": "penstock.engines.duckdb.engine:PLUGIN"}),
        "source": MappingProxyType({"files": "penstock.sources.files.reader:PLUGIN"}),
        "export": MappingProxyType(
            {
                "csv": "penstock.exports.csv:PLUGIN",
                "parquet": "penstock.exports.parquet:PLUGIN",
                "xlsx": "penstock.exports.xlsx:PLUGIN",
                "duckdb": "penstock.exports.duckdb:PLUGIN",
            }
        ),
        "check": MappingProxyType(
            {
                "not_null": "penstock.checks.not_null:KIND",
                "unique": "penstock.checks.unique:KIND",
                "accepted_values": "penstock.checks.accepted_values:KIND",
                "range": "penstock.checks.range:KIND",
                "positive": "penstock.checks.positive:KIND",
                "regex": "penstock.checks.regex:KIND",
                "length": "penstock.checks.length:KIND",
                "type": "penstock.checks.type:KIND",
                "format": "penstock.checks.format:KIND",
                "expression": "penstock.checks.expression:KIND",
                "relationships": "penstock.checks.relationships:KIND",
                "row_count": "penstock.checks.row_count:KIND",
                "freshness": "penstock.checks.freshness:KIND",
                "recency": "penstock.checks.recency:KIND",
                "completeness": "penstock.checks.completeness:KIND",
                "no_overlap": "penstock.checks.no_overlap:KIND",
                "reconciliation": "penstock.checks.reconciliation:KIND",
                "null_rate": "penstock.checks.null_rate:KIND",
                "distinct_count": "penstock.checks.distinct_count:KIND",
                "mean_drift": "penstock.checks.mean_drift:KIND",
                "quantile_drift": "penstock.checks.quantile_drift:KIND",
                "anomaly": "penstock.checks.anomaly:KIND",
                "sql": "penstock.checks.sql:KIND",
                "python": "penstock.checks.python:KIND",
            }
        ),
    }
)


def kinds(family: Family) -> tuple[str, ...]:
    return tuple(PLUGINS[family])


@cache
def installed() -> Mapping[str, EntryPoint]:
    """Kinds of checks that other packages bring: their entry points in the group `penstock.checks`. Found when somebody
    names a kind that is not one of ours."""
    from importlib.metadata import entry_points

    return {each.name: each for each in entry_points(group="penstock.checks") if each.name not in PLUGINS["check"]}


def _load(family: Family, kind: str) -> Any:
    try:
        module, _, name = PLUGINS[family][kind].partition(":")
    except KeyError:
        known = ", ".join(kinds(family))
        raise UserError(f"unknown {family} kind {kind!r}", code="UNKNOWN_KIND", hint=f"use one of: {known}") from None
    return getattr(import_module(module), name)


def engine(kind: str) -> Engine:
    return cast(Engine, _load("engine", kind))


def source(kind: str) -> SourceReader:
    return cast(SourceReader, _load("source", kind))


def export(kind: str) -> Exporter:
    return cast(Exporter, _load("export", kind))


def check(kind: str) -> Any:
    """A penstock.checks.kind.Kind, which stands above this floor."""
    if kind in PLUGINS["check"] or kind not in installed():
        return _load("check", kind)
    try:
        return installed()[kind].load()
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"the kind of check {kind!r} cannot be loaded: {error}",
            code="PLUGIN_UNAVAILABLE",
            hint=f"it is brought by {installed()[kind].value}: install that again",
        ) from error
