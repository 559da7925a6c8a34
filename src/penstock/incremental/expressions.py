"""What an expression is: an aggregate, a window, something that changes with the time or by chance."""

from __future__ import annotations

from sqlglot import exp

from penstock.incremental.reasons import Rebuild
from penstock.sql.aggregates import WRAPPERS, is_aggregate, is_windowed
from penstock.sql.facts import is_volatile

_EXACT = (exp.Count, exp.CountIf, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr)
"""Aggregates that give the same value whatever the order of their rows; a sum of DOUBLE does not."""
_EXACT_WINDOWS = (*_EXACT, exp.Rank, exp.DenseRank)
"""Window functions for which rows that stand equal are equal: row_number() has to put one of them first."""

TIME_PARAMETERS = frozenset({"run_ts", "run_date"})

_MANY_ROWS = (exp.Explode, exp.Unnest, exp.Posexplode)
_NOT_UNDERSTOOD = (exp.Columns, exp.Comprehension, exp.Pivot, exp.Prior, exp.Query, exp.Any, exp.All)


def windows(tree: exp.Expr) -> list[exp.Window]:
    return list(tree.find_all(exp.Window))


def is_exact(tree: exp.Expr) -> bool:
    """Whether computing `tree` again from the same rows gives the very same value, whatever their order."""
    for node in tree.walk():
        if isinstance(node, exp.Window) and not isinstance(_function(node), _EXACT_WINDOWS):
            return False
        if is_aggregate(node) and not is_windowed(node) and not isinstance(node, _EXACT):
            return False
    return True


def _function(window: exp.Window) -> exp.Expr:
    found: exp.Expr = window.this
    while isinstance(found, WRAPPERS):
        found = found.this
    return found


def moves_with_time(tree: exp.Expr) -> bool:
    """Whether the value depends on when (or on chance), not on the data alone."""
    if is_volatile(tree):
        return True
    return any(found.name in TIME_PARAMETERS for found in tree.find_all(exp.Placeholder, exp.Parameter))


def check(tree: exp.Expr, where: str) -> exp.Expr:
    """`tree`, if everything in it is understood."""
    for node in tree.walk():
        if isinstance(node, _MANY_ROWS):
            raise Rebuild(f"it has unnest() in {where}")
        if isinstance(node, _NOT_UNDERSTOOD):
            raise Rebuild(f"it has {node.key.upper()} in {where}")
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            raise Rebuild(f"it has * in an expression in {where}")
    return tree
