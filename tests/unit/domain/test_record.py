"""A record is what a frozen dataclass is."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from penstock.record import record


@dataclass(frozen=True, slots=True)
class Plain:
    """The oracle."""

    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list)

    @property
    def double(self) -> int:
        return self.size * 2


@record
class Kept:
    """The same."""

    name: str
    size: int = 3
    tags: list[str] = field(default_factory=list)

    @property
    def double(self) -> int:
        return self.size * 2


@record
class Other:
    name: str
    size: int = 3
    tags: tuple[str, ...] = ()


def both(*args: Any, **named: Any) -> tuple[Plain, Kept]:
    return Plain(*args, **named), Kept(*args, **named)


@pytest.mark.parametrize(
    ("args", "named"),
    [(("a",), {}), (("a", 4), {}), (("a", 4, ["x"]), {}), ((), {"name": "b", "tags": ["y"]}), (("a",), {"size": 0})],
)
def test_it_holds_shows_and_copies_what_it_was_given(args: Any, named: Any) -> None:
    plain, kept = both(*args, **named)
    assert asdict(kept) == asdict(plain)
    assert repr(kept) == repr(plain).replace("Plain", "Kept")
    assert kept.double == plain.double
    assert asdict(replace(kept, size=9)) == asdict(replace(plain, size=9))
    assert copy.copy(kept) == kept
    assert copy.deepcopy(kept) == kept
    assert pickle.loads(pickle.dumps(kept)) == kept  # noqa: S301
    assert not hasattr(kept, "__dict__")


def test_a_default_that_is_made_is_made_each_time() -> None:
    first, second = Kept("a"), Kept("a")
    assert first == second
    assert first.tags is not second.tags


@pytest.mark.parametrize(
    ("args", "named"), [((), {}), (("a", 1, [], 2), {}), (("a",), {"colour": 1}), (("a",), {"name": "b"})]
)
def test_what_does_not_fit_is_refused_the_first_time_and_later(args: Any, named: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            Kept(*args, **named)


def test_records_are_compared_by_class_and_values() -> None:
    assert Kept("a") == Kept("a")
    assert Kept("a") != Kept("b")
    assert Other("a") != Kept("a")
    assert Kept("a") != "a"
    assert {Other("a"): 1}[Other("a")] == 1
    assert hash(Other("a")) == hash(Other("a", 3, ()))
    with pytest.raises(TypeError):
        hash(Kept("a"))  # a list in it


def test_nothing_can_be_changed() -> None:
    kept = Kept("a")
    with pytest.raises(FrozenInstanceError):
        kept.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del kept.name
    with pytest.raises((FrozenInstanceError, AttributeError)):
        kept.colour = "red"  # type: ignore[attr-defined]
    assert kept == Kept("a")


def test_it_matches_by_place() -> None:
    match Kept("a", 5):
        case Kept(name, size):
            assert (name, size) == ("a", 5)
    assert [each.name for each in fields(Kept)] == ["name", "size", "tags"]
