"""What the options of every export format have in common: strict types, and an error that names the fix.

A plug-in's `options()` lets pydantic's ValidationError through, which the project's loader explains at the line of the
key. `checked` is for exports that were not read from a file: it explains the same here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from penstock.domain.export import Export
from penstock.errors import Location, Problem, ProjectError


class Options(BaseModel):
    """Options of one format. Strict: `"yes"` is not a boolean and `"5"` not a number; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Chosen = TypeVar("Chosen", bound=Options)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_NAME = {"type": "string"}
ColumnNames = Annotated[
    list[str],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_NAME, {"type": "array", "items": _NAME}]}),
]
"""One column, or a list of them."""
SomeColumnNames = Annotated[ColumnNames, Field(min_length=1)]


def plain(model: type[Options], raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """`raw` checked and completed, as plain data. Raises pydantic.ValidationError."""
    return model.model_validate(dict(raw)).model_dump()


def checked(model: type[Chosen], export: Export) -> Chosen:
    """The options of an export. Raises ProjectError with one EXPORT_OPTION problem per wrong or unknown option."""
    try:
        return model.model_validate(dict(export.options))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        problems = [_problem(model, export.format, item, export.location) for item in found]
    # Raised out here: kept as its context, pydantic's error would hold every frame below (and a session in one of
    # them) for good, because Python cannot see into it to collect the cycle.
    raise ProjectError(problems)


def _problem(model: type[Options], kind: str, found: Mapping[str, Any], location: Location) -> Problem:
    loc = tuple(str(part) for part in found["loc"])
    path = ".".join(loc)
    group = _group(model, loc[:-1])
    if found["type"] == "extra_forbidden":
        message, hint = f"{kind} exports have no option {path!r}", suggestion(loc[-1], tuple(group.model_fields))
        return Problem("EXPORT_OPTION", message, location, hint)
    message = found["msg"].removeprefix("Value error, ")
    if not isinstance(found["input"], Mapping):
        message += f", found {found['input']!r}"
    named = [model.model_fields.get(loc[0])] if loc else []
    named += [group.model_fields.get(part) for part in loc[1:]]
    hints = [field.description for field in named if field]
    return Problem(
        "EXPORT_OPTION",
        f"{kind} option {path!r}: {message}" if path else f"{kind} options: {message}",
        location,
        hints[-1] if hints else None,
    )


def _group(model: type[Options], path: tuple[str, ...]) -> type[Options]:
    """The options at `path`: the format's own, or those of a group inside it."""
    for part in path:
        field = model.model_fields.get(part)
        inner = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((item for item in inner if isinstance(item, type) and issubclass(item, Options)), model)
    return model


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean 'header'?` when one is close, all of them otherwise."""
    by_lower = {item.casefold(): item for item in known}
    close = get_close_matches(name.casefold(), by_lower, n=1)
    if close:
        return f"did you mean {by_lower[close[0]]!r}?"
    return f"use one of: {', '.join(by_lower.values())}" if by_lower else "remove it: there are none"
