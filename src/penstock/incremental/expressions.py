"""What an expression is: an aggregate, a window, something that changes with the time or by chance."""

from __future__ import annotations

from sqlglot import exp

from penstock.incremental.reasons import Rebuild
from penstock.sql.facts import is_volatile

# Every aggregate of DuckDB 1.5 and 2.0 (duckdb_functions()), and the macros it makes of them.
_AGGREGATES = """any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor
    bitstring_agg bool_and bool_or combine_aggr corr count count_if count_star countif covar_pop covar_samp
    decimal_average entropy favg first fsum geomean geometric_mean group_concat histogram histogram_exact
    json_group_array json_group_object json_group_structure kahan_sum kurtosis kurtosis_pop last list listagg lttb mad
    max max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop
    stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance variant_group_object wavg
    weighted_avg"""
AGGREGATES = frozenset(_AGGREGATES.split())

_EXACT = (exp.Count, exp.CountIf, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr)
"""Aggregates that give the same value whatever the order of their rows; a sum of DOUBLE does not."""
_EXACT_WINDOWS = (*_EXACT, exp.Rank, exp.DenseRank)
"""Window functions for which rows that stand equal are equal: row_number() has to put one of them first."""

TIME_PARAMETERS = frozenset({"run_ts", "run_date"})

_WRAPPERS = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)
_MANY_ROWS = (exp.Explode, exp.Unnest, exp.Posexplode)
_NOT_UNDERSTOOD = (exp.Columns, exp.Comprehension, exp.Pivot, exp.Prior, exp.Query, exp.Any, exp.All)


def is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.AggFunc):
        return True
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in AGGREGATES
    return isinstance(node, exp.Func) and any(name.lower() in AGGREGATES for name in type(node).sql_names())


def _windowed(node: exp.Expr) -> bool:
    """Whether `node` is the function that a window applies, perhaps behind FILTER or IGNORE NULLS."""
    child, parent = node, node.parent
    while isinstance(parent, _WRAPPERS):
        child, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is child


def has_aggregate(tree: exp.Expr) -> bool:
    return any(is_aggregate(node) and not _windowed(node) for node in tree.walk())


def windows(tree: exp.Expr) -> list[exp.Window]:
    return list(tree.find_all(exp.Window))


def is_exact(tree: exp.Expr) -> bool:
    """Whether computing `tree` again from the same rows gives the very same value, whatever their order."""
    for node in tree.walk():
        if isinstance(node, exp.Window) and not isinstance(_function(node), _EXACT_WINDOWS):
            return False
        if is_aggregate(node) and not _windowed(node) and not isinstance(node, _EXACT):
            return False
    return True


def _function(window: exp.Window) -> exp.Expr:
    found: exp.Expr = window.this
    while isinstance(found, _WRAPPERS):
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
