"""How a model's rows are kept: from front matter, and the rules between its keys."""

from __future__ import annotations

from typing import Any

from penstock.domain.layer import Materialization
from penstock.domain.strategy import VALIDITY, Strategy, TimeRange, Versioning
from penstock.errors import Location
from penstock.project.pieces import ModelPiece
from penstock.project.problems import Problems
from penstock.project.schema import HistorySpec, PythonFrontMatter, SqlFrontMatter, TimeRangeSpec
from penstock.project.spans import seconds
from penstock.project.yaml import Document

_NEED_KEY = {
    "append": "is appended to and has no key: a second run would repeat its rows",
    "merge": "is merged and has no key: nobody could tell which rows are the same",
    "history": "keeps the versions of its rows and has no key: whose versions?",
}


def of_sql(spec: SqlFrontMatter, document: Document, problems: Problems) -> Strategy:
    return Strategy(
        deletes=spec.deletes or "ignore",
        time_range=_time_range(spec.time_range, document, problems) if spec.time_range else None,
        history=_versioning(spec.history, document, problems) if spec.history else None,
    )


def of_python(spec: PythonFrontMatter, document: Document, problems: Problems) -> Strategy:
    if not spec.map and not spec.group:
        return Strategy()

    def misplaced(key: str, why: str, hint: str) -> None:
        problems.add("OPTION_MISPLACED", why, document.key(key), hint)

    if spec.map and spec.group:
        misplaced("map", "a model is called with changed rows (map) or with whole groups (group)", "choose one of them")
    if spec.map and not spec.key:
        problems.add(
            "KEY_REQUIRED",
            "a model with map: true needs a key: which rows did a changed row give?",
            document.key("map"),
            "add `key: …`, columns of the first relation in reads that the model gives back",
        )
    if spec.materialization == "append":
        misplaced("materialization", "a model that is called with a part of its input cannot be appended", "remove it")
    if not spec.reads:
        what = "map" if spec.map else "group"
        misplaced(
            what, f"{what} says how often the model is called for what it reads, and it reads nothing", "remove it"
        )
    return Strategy(map=spec.map, group=tuple(spec.group))


def _time_range(spec: TimeRangeSpec, document: Document, problems: Problems) -> TimeRange:
    lookback: Any = spec.lookback
    if isinstance(lookback, str):
        lookback = seconds(lookback)
    if lookback is None or not 0 <= lookback < float("inf"):
        problems.add(
            "BAD_VALUE",
            f"lookback: {spec.lookback!r} is not a span of time",
            document.at("time_range", "lookback"),
            "as in 90 seconds, 2 hours or 3 days; a plain number means seconds",
        )
        lookback = 0
    return TimeRange(spec.column, spec.grain, float(lookback))


def _versioning(spec: HistorySpec, document: Document, problems: Problems) -> Versioning:
    if spec.by == "updated_at" and spec.column is None:
        problems.add(
            "MISSING_KEY",
            "history by updated_at needs the column that says when a row was updated",
            document.key("history", "by"),
            "add `column: …`, or use `by: changes`",
        )
    if spec.by == "changes" and spec.column is not None:
        problems.add(
            "OPTION_MISPLACED",
            "history by changes dates versions by the batch they came with: it has no column",
            document.key("history", "column"),
            "write `by: updated_at`, or remove `column`; columns to compare are listed under `columns`",
        )
    if spec.by == "updated_at" and spec.columns:
        problems.add(
            "OPTION_MISPLACED",
            "history by updated_at has a version for each time: there is nothing to choose by comparing",
            document.key("history", "columns"),
            "remove `columns`, or use `by: changes`",
        )
    return Versioning(spec.by, spec.column, tuple(spec.columns), spec.deletes)


def check(model: ModelPiece, materialization: Materialization, problems: Problems) -> None:
    """What a materialization needs is there, and nothing that belongs to another one."""
    top = Location(model.location.path, 1)

    def place(key: str) -> Location:
        return model.places.get(key, top)

    why = _NEED_KEY.get(materialization)
    if why is not None and not model.key:
        problems.add(
            "KEY_REQUIRED",
            f"the model {model.relation} {why}",
            place("materialization"),
            "add `key: [...]` to its front matter",
        )
    if materialization == "time_range" and model.strategy.time_range is None:
        problems.add(
            "MISSING_KEY",
            f"the model {model.relation} replaces ranges of time and does not say which",
            place("materialization"),
            "add `time_range: {column: …, grain: day, lookback: 3 days}` to its front matter",
        )
    for option, wanted in (("deletes", "merge"), ("time_range", "time_range"), ("history", "history")):
        if option in model.places and materialization != wanted and model.language == "sql":
            problems.add(
                "OPTION_MISPLACED",
                f"{option} belongs to materialization: {wanted}, and {model.relation} is {materialization}",
                place(option),
                f"write `materialization: {wanted}`, or remove {option}",
            )
    if materialization == "history":
        _check_history(model, problems, top)


def _check_history(model: ModelPiece, problems: Problems, top: Location) -> None:
    taken = [name for name in model.outputs or () if name.lower() in VALIDITY]
    if taken:
        problems.add(
            "RESERVED_NAME",
            f"the model {model.relation} gives {', '.join(taken)}, which its history adds itself",
            model.places.get("materialization", top),
            "name it otherwise with AS, or leave it out",
        )
