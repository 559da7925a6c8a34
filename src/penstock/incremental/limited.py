"""ORDER BY … LIMIT at the top of a model: the rows below it are kept whole, out of sight, and maintained by the rule;
what the model shows is their first few. So one that falls out makes room for the next."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.domain.maintenance import BELOW
from penstock.incremental.nodes import Leaf, Node, Output, Select, Source, column
from penstock.incremental.reasons import Rebuild
from penstock.incremental.render import sql

_OF = "below"


def split(node: Node) -> tuple[Select, str] | None:
    """The query without its LIMIT, and the SELECT that takes the first rows of it (of the table BELOW). None for a
    query that has no LIMIT at its top. Raises Rebuild when nothing says which rows come first."""
    if not isinstance(node, Select) or not node.limited:
        return None
    if not node.order:
        raise Rebuild("it has a LIMIT without ORDER BY")
    if node.distinct_on:
        raise Rebuild("it has DISTINCT ON and a LIMIT")
    outputs = list(node.outputs)
    order: list[exp.Expr] = []
    for item in node.order:
        if not isinstance(item, exp.Ordered):
            raise Rebuild("it orders by what is not understood")
        ordered = item.copy()
        ordered.set("this", column(_OF, _held(item.this, outputs, distinct=node.distinct)))
        order.append(ordered)
    below = replace(node, outputs=tuple(outputs), order=(), limit=None, offset=None)
    names = tuple(output.name for output in outputs)
    shown = tuple(Output(output.name, column(_OF, output.name)) for output in node.outputs)
    source = Source(_OF, Leaf(names, temporary=BELOW))
    above = Select((source,), shown, order=tuple(order), limit=node.limit, offset=node.offset)
    return below, sql(above)


def _held(value: exp.Expr, outputs: list[Output], *, distinct: bool) -> str:
    """The output column that holds what is ordered by; added when there is none."""
    for output in outputs:
        if output.value == value:
            return output.name
    if distinct:
        raise Rebuild("its DISTINCT is ordered by what is not in the output")
    outputs.append(Output(f"_penstock_order{len(outputs)}", value.copy()))
    return outputs[-1].name
