"""The suite can fail: with one rule of the engine broken, the battery finds a table that no rebuild would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from incremental_battery import HISTORY, QUERIES, battery
from incremental_lab import Different, follow, laboratory
from sqlglot import exp

from penstock.incremental import inner, outer, program, restrict, states, terms, units
from penstock.incremental.nodes import Combined, Leaf, Select

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with laboratory() as opened:
        yield opened


@pytest.mark.parametrize("name", QUERIES)
def test_the_battery_finds_nothing_wrong_with_the_engine(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    followed = follow(connection, battery(name), HISTORY)
    assert followed.reason is None
    assert followed.steps == len(HISTORY) - 1


def no_ghosts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outer.Ghosts, "source", lambda self, source, origin, versions: source)


def ghosts_of_one_join_only(patch: pytest.MonkeyPatch) -> None:
    whole = outer.Ghosts.source

    def first(self: Any, source: Any, origin: Any, versions: Any) -> Any:
        return source if self._aliases else whole(self, source, origin, versions)

    patch.setattr(outer.Ghosts, "source", first)


def ever_is_now(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states.States, "ever", lambda self, node: node)


def changed_is_what_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states, "either", states.came)


def changed_is_what_went(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states, "either", states.went)


def blocks_never_change(patch: pytest.MonkeyPatch) -> None:
    whole = states.States.affects
    patch.setattr(states.States, "affects", lambda self, node: isinstance(node, Leaf) and whole(self, node))


def null_is_not_found_by_null(patch: pytest.MonkeyPatch) -> None:
    def equal(value: exp.Expr, alias: str, name: str, units: Leaf) -> exp.Expr:
        return exp.EQ(this=value.copy(), expression=restrict.column(alias, name))

    patch.setattr(restrict, "_same", equal)


def not_in_forgets_null(patch: pytest.MonkeyPatch) -> None:
    def equalities(select: Select, number: int, names: Any) -> list[exp.Expr]:
        found, _ = inner._place(select, number)
        return [exp.EQ(this=inner.operand_of(found).copy(), expression=inner.column("_penstock_met", names[0]))]

    patch.setattr(inner, "_equalities", equalities)


def conditions_of_changed_subqueries_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(terms, "_kept", lambda select, versions: list(select.where))


def units_go_through_the_nullable_side(patch: pytest.MonkeyPatch) -> None:
    def found_in(source: Any, value: exp.Expr, select: Select) -> str | None:
        return value.name if isinstance(value, exp.Column) and value.table == source.alias else None

    patch.setattr(restrict, "_found_in", found_in)


def blocks_forget_what_they_were(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states.States, "_images", lambda self, select: self._restricted(states._loose(select), select))


def only_one_term(patch: pytest.MonkeyPatch) -> None:
    whole = terms.terms
    patch.setattr(program, "terms", lambda *given: whole(*given)[:1])


def what_an_anti_join_met_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    whole = terms._part

    def part(source: Any, versions: Any, **given: Any) -> Any:
        found = whole(source, versions, **given)
        return replace(found, kind="anti") if source.kind == "anti" and given["changed"] else found

    patch.setattr(terms, "_part", part)


def subqueries_never_change(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inner, "inner_terms", lambda *given: [])


def a_scalar_never_moves(patch: pytest.MonkeyPatch) -> None:
    def never(select: Select, values: Any, found: Any, versions: Any) -> Select:
        return terms.version(select, values, versions, also=[exp.false()])

    patch.setattr(inner, "_all_if_moved", never)


def only_the_first_window_counts(patch: pytest.MonkeyPatch) -> None:
    whole = units.all_windows
    patch.setattr(units, "all_windows", lambda select: whole(select)[:1])


def full_joins_are_left_joins(patch: pytest.MonkeyPatch) -> None:
    whole = terms.sides
    patch.setattr(terms, "sides", lambda select: whole(select)[:1])


def before_forgets_what_went(patch: pytest.MonkeyPatch) -> None:
    whole = states._leaf_before
    patch.setattr(states, "_leaf_before", lambda *given: whole(*given).left)


def before_keeps_what_came(patch: pytest.MonkeyPatch) -> None:
    whole = states._leaf_before

    def kept(*given: Any) -> Combined:
        found = whole(*given)
        return replace(found, left=found.left.left)

    patch.setattr(states, "_leaf_before", kept)


def only_the_left_of_a_union(patch: pytest.MonkeyPatch) -> None:
    whole = program._affected

    def left(node: Any, *given: Any) -> Any:
        return whole(node.left if isinstance(node, Combined) else node, *given)

    patch.setattr(program, "_affected", left)


def only_the_left_of_a_block(patch: pytest.MonkeyPatch) -> None:
    whole = states.States._changed

    def left(self: Any, node: Any) -> Any:
        return whole(self, node.left if isinstance(node, Combined) and self.affects(node.left) else node)

    patch.setattr(states.States, "_changed", left)


def what_comes_between_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    whole = terms._part

    def part(source: Any, versions: Any, **given: Any) -> Any:
        found = whole(source, versions, **given)
        return replace(found, kind="anti") if source.kind == "asof left" and given["changed"] else found

    patch.setattr(terms, "_part", part)


def rows_are_chosen_before_windows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrict, "_may_go_below", lambda value, select: True)


def stamps_are_like_other_columns(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(program, "stamps", lambda node: frozenset())


def every_window_column_is_a_unit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(units, "all_windows", lambda select: [])


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (no_ghosts, "left grouped by right"),
        (no_ghosts, "right grouped"),
        (ghosts_of_one_join_only, "two left joins"),
        (ever_is_now, "inner grouped"),
        (changed_is_what_came, "inner grouped"),
        (changed_is_what_went, "inner grouped"),
        (blocks_never_change, "block of sums"),
        (null_is_not_found_by_null, "left grouped by right"),
        (not_in_forgets_null, "not in"),
        (conditions_of_changed_subqueries_are_kept, "in"),
        (conditions_of_changed_subqueries_are_kept, "exists"),
        (units_go_through_the_nullable_side, "left grouped by right"),
        (blocks_forget_what_they_were, "block with having"),
        (only_one_term, "inner grouped"),
        (what_an_anti_join_met_is_not_looked_for, "anti"),
        (subqueries_never_change, "exists"),
        (subqueries_never_change, "scalar of each row"),
        (a_scalar_never_moves, "scalar"),
        (only_the_first_window_counts, "windows"),
        (full_joins_are_left_joins, "full"),
        (before_forgets_what_went, "grouped by a count"),
        (before_keeps_what_came, "grouped by a count"),
        (only_the_left_of_a_union, "union"),
        (only_the_left_of_a_union, "except"),
        (only_the_left_of_a_block, "block of a union"),
        (what_comes_between_is_not_looked_for, "asof"),
        (rows_are_chosen_before_windows, "block of the best"),
        (every_window_column_is_a_unit, "qualify"),
        (stamps_are_like_other_columns, "stamp"),
    ],
)
def test_a_broken_rule_is_found(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, broken: Break, name: str
) -> None:
    broken(monkeypatch)
    with pytest.raises(Different, match=r"rows that should not be there"):
        follow(connection, battery(name), HISTORY, always=True)
