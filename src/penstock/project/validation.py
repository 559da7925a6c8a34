"""pydantic's errors → problems in our words, at the line and column of the key that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from penstock.project.problems import Problems, did_you_mean
from penstock.project.yaml import Document, Path

Spec = TypeVar("Spec", bound=BaseModel)

_EXPECTED = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write a number without quotes"),
    "float_type": ("a number", "write a number without quotes"),
    "bool_type": ("true or false", "write true or false (yes, no, on and off are text)"),
    "list_type": ("a list", "write [a, b] or one `- item` a line"),
    "tuple_type": ("a list", "write [a, b] or one `- item` a line"),
    "dict_type": ("a mapping", "write `key: value`, one a line and indented"),
    "model_type": ("a mapping", "write `key: value`, one a line and indented"),
    "model_attributes_type": ("a mapping", "write `key: value`, one a line and indented"),
    "mapping_type": ("a mapping", "write `key: value`, one a line and indented"),
}


_BOUNDS = {
    "greater_than_equal": "{} or more",
    "greater_than": "more than {}",
    "less_than_equal": "{} or less",
    "less_than": "less than {}",
}
_MEANT = re.compile(r"expected (.*?)(?:, found .*)?$", re.DOTALL)


def shown(value: Any) -> str:
    """A value from YAML, as a person would write it, cut to a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def validate(model: type[Spec], value: Any, document: Document, base: Path, problems: Problems) -> Spec | None:
    """`value`, found at `base` in `document`, as a `model`; None after adding what is wrong with it to `problems`."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        explain(error, document, base, problems=problems, model=model)
        return None


def explain(
    error: ValidationError,
    document: Document,
    base: Path,
    *,
    problems: Problems,
    model: type[BaseModel] | None = None,
    known: Iterable[str] = (),
) -> None:
    """Add every error in `error`. `model` or `known` give the keys that an unknown one may have been meant to be."""
    for loc, item in _told(error, document, base):
        code, message, hint = _words(item, [*known, *_keys(model, item["loc"][:-1])])
        key = item["type"] == "extra_forbidden" or item["loc"][-1:] == ("[key]",)
        where = document.key(*loc) if key or item["type"] == "missing" else document.at(*loc)
        problems.add(code, message, where, hint)


def _told(error: ValidationError, document: Document, base: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The errors to tell, each with its path in the document. Where a value may be one of several types, pydantic
    tells why it is none of each; a person is told once, or only what is wrong inside it."""
    found = [(_existing(item["loc"], document, base), dict(item)) for item in error.errors(include_url=False)]
    choices: dict[Path, list[dict[str, Any]]] = {}
    told: list[tuple[Path, dict[str, Any]]] = []
    for loc, item in found:
        if item["type"] not in _EXPECTED:
            told.append((loc, item))
        elif loc in choices:
            choices[loc].append(item)
        elif not any(other[: len(loc)] == loc and len(other) > len(loc) for other, _ in found):
            choices[loc] = [item]
            told.append((loc, item))
    for loc, items in choices.items():
        expected = list(dict.fromkeys(_EXPECTED[item["type"]][0] for item in items))
        items[0]["loc"] = loc
        if len(expected) > 1:
            items[0].update(type="BAD_VALUE", msg="", ctx={"hint": "choose one of them"})
            items[0]["msg"] = (
                f"{_called(loc) or 'here'}: expected {' or '.join(expected)}, found {shown(items[0]['input'])}"
            )
    return told


def _called(loc: Path) -> str:
    """A value by its key; one of a list by its place in it, the first is 1."""
    last = loc[-1] if loc else ""
    if isinstance(last, str):
        return last
    return f"{loc[-2]}, item {last + 1}" if len(loc) > 1 else f"item {last + 1}"


def _words(item: Mapping[str, Any], known: list[str]) -> tuple[str, str, str]:
    kind, context = item["type"], item.get("ctx", {})
    name = _called(item["loc"])
    lead = f"{name}: " if name else ""
    found = shown(item.get("input"))
    if kind.isupper():  # our own validators: the type is the code
        return kind, item["msg"], str(context.get("hint", "correct it"))
    if kind == "extra_forbidden":
        otherwise = f"known keys: {', '.join(sorted(known))}" if known else "remove it"
        return "UNKNOWN_KEY", f"unknown key {name!r}", did_you_mean(name, known, otherwise)
    if kind == "missing":
        return "MISSING_KEY", f"the key {name!r} is missing", f"add `{name}: …`"
    if kind in _EXPECTED:
        expected, hint = _EXPECTED[kind]
        return "BAD_VALUE", f"{lead}expected {expected}, found {found}", hint
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        words = [word.strip() for word in expected.split(",")]
        value = item.get("input")
        hint = (
            did_you_mean(value, words, f"use one of: {', '.join(words)}")
            if isinstance(value, str)
            else (f"use one of: {', '.join(words)}")
        )
        return "BAD_VALUE", f"{lead}expected one of {', '.join(words)}, found {found}", hint
    if kind in _BOUNDS:
        limit = next(iter(context.values()), "")
        expected = _BOUNDS[kind].format(limit)
        return "BAD_VALUE", f"{lead}expected {expected}, found {found}", f"write {expected}"
    if kind == "too_short":
        return "BAD_VALUE", f"{lead}expected at least {context.get('min_length')}, found none", "add one"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if message.lower().startswith("input should be "):
        message = f"expected {message[16:]}"
    text = f"{lead}{message[:1].lower()}{message[1:]}"
    meant = _MEANT.search(text)
    hint = f"write {meant[1]}" if meant else "remove it" if "is an option of" in text else "correct the value"
    return "BAD_VALUE", f"{text}, found {found}" if "found" not in text else text, hint


def _existing(loc: Iterable[str | int], document: Document, base: Path) -> Path:
    """The part of a pydantic location that exists in the document (it also names union members and `[key]`)."""
    path = base
    for step in loc:
        longer = (*path, step)
        if longer in document.places or longer in document.keys:
            path = longer
    return path


def _keys(model: type[BaseModel] | None, loc: Iterable[str | int]) -> list[str]:
    """The keys that `model`, or the model inside it at `loc`, takes."""
    skip = False
    for step in loc:
        if skip or model is None:
            skip = False
            continue
        match = next((info for name, info in model.model_fields.items() if step in (info.alias, name)), None)
        if match is None:
            continue
        skip = _holds_many(match.annotation)
        model = _model_in(match.annotation)
    if model is None:
        return []
    return [info.alias or name for name, info in model.model_fields.items()]


def _holds_many(annotation: Any) -> bool:
    if get_origin(annotation) in (dict, list):
        return True
    return any(_holds_many(inner) for inner in get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
