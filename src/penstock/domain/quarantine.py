"""Quarantine of a model: the rows of its SELECT that fail a row check with `on_fail: quarantine`, beside its table.

The table `_penstock."quarantine_<layer>.<name>"` has the model's columns and those of META behind them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from penstock.domain.check import Check
from penstock.domain.model import Model
from penstock.domain.relation import Column, RelationName

SCHEMA = "_penstock"
REASONS = "_penstock_reasons"
"""Every check that the row fails, each as `name: what is wrong`, in the order they are declared."""
FIRST_SEEN = "_penstock_first_seen"
RUN = "_penstock_run"
COMMIT = "_penstock_commit"
"""The commit of the relation as it stood when the row was set apart: the first one that does not show it."""
RULES = "_penstock_rules"
"""The fingerprint of the checks that judged the row."""
META = (
    Column(REASONS, "VARCHAR[]"),
    Column(FIRST_SEEN, "TIMESTAMP"),
    Column(RUN, "VARCHAR"),
    Column(COMMIT, "BIGINT"),
    Column(RULES, "VARCHAR"),
)


def table_of(relation: RelationName) -> RelationName:
    """The relation that holds what was set apart of `relation`."""
    return RelationName(SCHEMA, f"quarantine_{relation}")


def rules(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Those of the checks that set rows apart."""
    return tuple(check for check in checks if check.on_fail == "quarantine")


def is_split(model: Model) -> bool:
    return any(check.on_fail == "quarantine" for check in model.checks)


def fingerprint(checks: Sequence[Check]) -> str:
    """Changes when the checks that set rows apart may judge or tell otherwise; empty when there are none."""
    told = [
        [each.name, each.kind, each.columns, dict(each.options), each.where, each.description] for each in rules(checks)
    ]
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16] if told else ""
