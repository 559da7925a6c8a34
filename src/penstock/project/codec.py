"""Dataclasses ↔ JSON data, compiled once per class.

A dataclass becomes the list of its fields' values, in order; tuples become lists, enums their values, mappings with
text keys objects. Types are not repeated in the data: what is read back must have been written for the same class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Convert = Callable[[Any], Any]
_PLAIN = (str, int, float, bool, NoneType)


def encode(kind: type[T], value: T) -> Any:
    """`value` as data that json.dumps takes."""
    form: Any = kind
    return _pair(form)[0](value)


def decode(kind: type[T], data: Any) -> T:
    """The `kind` that `data` was made from. Raises TypeError, ValueError, KeyError or IndexError for other data."""
    form: Any = kind
    value: T = _pair(form)[1](data)
    return value


def _same(value: Any) -> Any:
    return value


@cache
def _pair(kind: Any) -> tuple[Convert, Convert]:
    """How to write and read values of one type."""
    origin = get_origin(kind)
    if kind is Any or kind in _PLAIN or origin is Literal:
        return _same, _same
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = {member.value: member for member in kind}
        return (lambda value: value.value), members.__getitem__
    if origin in (Union, UnionType):
        return _union(kind)
    if origin is tuple and get_args(kind)[1:] == (...,):
        write, read = _pair(get_args(kind)[0])
        if write is _same:
            return list, tuple
        return (lambda value: [write(each) for each in value]), (lambda data: tuple([read(each) for each in data]))
    if origin is tuple and get_args(kind) and all(_pair(each)[0] is _same for each in get_args(kind)):
        return list, tuple
    if origin is not None and issubclass(origin, Mapping) and get_args(kind)[0] is str:
        write, read = _pair(get_args(kind)[1])
        if write is _same:
            return dict, dict
        return (
            lambda value: {key: write(each) for key, each in value.items()},
            lambda data: {key: read(each) for key, each in data.items()},
        )
    raise TypeError(f"no JSON form for {kind!r}")


def _union(kind: Any) -> tuple[Convert, Convert]:
    """Plain types, or one other type that may be None."""
    members = [member for member in get_args(kind) if member is not NoneType]
    if all(_pair(member)[0] is _same for member in members):
        return _same, _same
    if len(members) != 1:
        raise TypeError(f"no JSON form for {kind!r}")
    write, read = _pair(members[0])
    return (
        lambda value: None if value is None else write(value),
        lambda data: None if data is None else read(data),
    )


def _dataclass(kind: type[Any]) -> tuple[Convert, Convert]:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    pairs = [_pair(hints[name]) for name in names]
    writers = [(name, write) for name, (write, _) in zip(names, pairs, strict=True)]
    # Most fields are plain: they are passed on in one go, and only the others are converted.
    readers = [(index, read) for index, (_, read) in enumerate(pairs) if read is not _same]
    count = len(names)

    def write(value: Any) -> list[Any]:
        return [convert(getattr(value, name)) for name, convert in writers]

    def read(data: Any) -> Any:
        values = list(data)
        if len(values) != count or isinstance(data, str):
            raise ValueError(f"expected the {count} fields of {kind.__name__}")
        for index, convert in readers:
            values[index] = convert(values[index])
        return kind(*values)

    return write, read
