"""What an aggregate is, in a tree."""

from __future__ import annotations

from sqlglot import exp

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

WRAPPERS = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)


def is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.AggFunc):
        return True
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in AGGREGATES
    return isinstance(node, exp.Func) and any(name.lower() in AGGREGATES for name in type(node).sql_names())


def is_windowed(node: exp.Expr) -> bool:
    """Whether `node` is the function that a window applies, perhaps behind FILTER or IGNORE NULLS."""
    child, parent = node, node.parent
    while isinstance(parent, WRAPPERS):
        child, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is child


def has_aggregate(tree: exp.Expr) -> bool:
    return any(is_aggregate(node) and not is_windowed(node) for node in tree.walk())
