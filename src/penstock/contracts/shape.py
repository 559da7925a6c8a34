"""The columns that are there, held against those that a contract promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from penstock.domain.column_type import TypeUnknown, parse, refused
from penstock.domain.contract import Contract
from penstock.domain.relation import Column
from penstock.record import record


@record
class Departure:
    """One way in which columns depart from a contract. `wider`: the type is another one, and reads as that of the
    contract all the same."""

    what: Literal["missing", "extra", "type"]
    column: str
    message: str
    wider: bool = False


def departures(contract: Contract, found: Sequence[Column]) -> tuple[Departure, ...]:
    """Every one, in the order of the contract's columns; the order of columns is none."""
    there = {each.name.lower(): each for each in found}
    wanted = {each.name.lower() for each in contract.columns}
    told: list[Departure] = []
    for promised in contract.columns:
        column = there.get(promised.name.lower())
        if column is None:
            told.append(Departure("missing", promised.name, f"{promised.name} {promised.type} is missing"))
        elif why := differs(column.type, promised.type):
            message = f"{promised.name} is {column.type}, expected {promised.type}"
            told.append(Departure("type", promised.name, message, why == SAME_VALUES))
    told += [
        Departure("extra", each.name, f"{each.name} {each.type} is not part of it")
        for each in found
        if each.name.lower() not in wanted
    ]
    return tuple(told)


SAME_VALUES = "another type, whose values are all of this one"


def differs(found: str, promised: str) -> str:
    """Why a column of the type `found` is not one of the type `promised`; empty when it is."""
    if found == promised:
        return ""
    try:
        there, wanted = parse(found), parse(promised)
    except TypeUnknown:
        return f"{found} does not read as {promised}"
    if there == wanted:
        return ""
    return refused(there, wanted) or SAME_VALUES


def stops(contract: Contract, departure: Departure, *, readers: Sequence[str]) -> bool:
    """Whether a model may not be published like this. `readers`: who names the column below."""
    if departure.what == "extra":
        return contract.mode == "strict"
    if contract.mode != "evolve":
        return True
    if departure.what == "missing":
        promised = contract.column(departure.column)
        return bool(readers) or promised is None or not promised.nullable
    return bool(readers) and not departure.wider
