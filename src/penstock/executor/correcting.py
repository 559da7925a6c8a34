"""A correction of one landed row: found in its batch, changed, judged by the rules it is loaded by, written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from penstock.domain.batch import Correction, Extract, Manifest
from penstock.domain.relation import Column
from penstock.domain.source import SourceTable
from penstock.errors import DataError, UserError
from penstock.executor import held
from penstock.executor.conforming import conformed
from penstock.executor.held import Landed
from penstock.materializations import history, judgement
from penstock.materializations import landed as landing
from penstock.ports import Session
from penstock.quoting import identifier, literal
from penstock.record import record

_ROW = "_penstock_row"


@record
class Place:
    """Where a row stands: the batch, its id there, how many copies of it are meant."""

    batch: Manifest
    id: str
    copies: int = 1


class Correcting:
    """`batches`: all that is landed of `table`; `data` gives the file of one, `session` may read them and write below
    the staging folder."""

    def __init__(
        self, table: SourceTable, batches: Sequence[Manifest], data: Callable[[Manifest], Path], session: Session
    ) -> None:
        self._table = table
        self._batches = batches
        self._data = data
        self._session = session

    def by_id(self, row: str, batch: str, copies: int) -> Place | None:
        """The place of a row that was seen last in `batch`: there, or in the correction that was read there."""
        named = [each for each in self._batches if each.id == batch]
        corrections = [each for each in reversed(self._batches) if each.correction is not None]
        for each in (*named, *(corrections if self._table.key else ())):
            coming = self._incoming(each)
            found = f"SELECT 1 FROM {coming.landed} WHERE {judgement.row_id(coming)} = ? LIMIT 1"
            if self._session.query(found, (row,)).rows:
                return Place(each, row, 1 if self._table.key else copies)
        return None

    def by_key(self, key: Sequence[str], batch: str) -> Place | None:
        """The place of the one row of `batch` (or of a correction) with this key, typed, as text."""
        named = [each for each in self._batches if each.id == batch]
        for each in (*named, *(each for each in reversed(self._batches) if each.correction is not None)):
            coming = self._incoming(each)
            same = " AND ".join(f"CAST({column.value} AS VARCHAR) = ?" for column in coming.key)
            select = f"SELECT DISTINCT {judgement.row_id(coming)} FROM {coming.landed} WHERE {same}"
            rows = self._session.query(select, list(key)).rows
            if len(rows) == 1:
                return Place(each, rows[0][0])
        return None

    def correct(
        self, place: Place, changes: Mapping[str, str | None], staged: Path, *, by: str, why: str
    ) -> tuple[Extract, dict[str, str | None]]:
        """Write the corrected row to the file `staged`. Gives what is to be landed, and the changes by the columns'
        own names. Raises UserError for a column that is not there or a value of another type, DataError when the row
        does not pass as it would be."""
        session, coming = self._session, self._incoming(place.batch)
        columns = self._columns(place.batch)
        sets = self._sets(columns, changes)
        there = landing.columns(self._table, place.batch.columns)
        here = {column.name.lower() for column in there}
        origins = self._origins(place.batch)
        values = ", ".join(
            f"CAST({_value(column, sets, here)} AS {column.type}) AS "
            f"{identifier(origins.get(column.name.lower(), column.name))}"
            for column in columns
        )
        packed = ", ".join(f"{literal(column.name)}: {identifier(column.name)}" for column in there)
        key = ", ".join(f"CAST({identifier(column.name)} AS VARCHAR)" for column in judgement.told_apart(coming))
        session.execute(
            f"CREATE OR REPLACE TEMP TABLE {_ROW} AS SELECT *, CAST([{key}] AS VARCHAR[]) AS _penstock_key, "
            f"CAST(to_json({{{packed}}}) AS VARCHAR) AS _penstock_payload "
            f"FROM {coming.landed} WHERE {judgement.row_id(coming)} = ? LIMIT 1",
            (place.id,),
        )
        payload, received = session.query(f"SELECT _penstock_payload, _penstock_key FROM {_ROW}").rows[0]
        session.execute(
            f"COPY (SELECT {values} FROM {_ROW}, range({int(place.copies)})) TO {literal(str(staged))} (FORMAT parquet)"
        )
        found = session.describe(f"SELECT * FROM read_parquet({literal(str(staged))}, hive_partitioning = false)")
        self._judge(staged, found)
        correction = Correction(place.id, place.batch.id, payload, by, why, tuple(received))
        changed = {column.name: _given(changes, column.name) for column in columns if column.name in sets}
        return Extract(staged, place.copies, tuple(found), correction=correction), changed

    def _incoming(self, batch: Manifest) -> history.Incoming:
        landed = landing.scan(self._table, str(self._data(batch)), batch.columns)
        found = landing.columns(self._table, batch.columns)
        origins = landing.origins(self._table, batch.columns)
        return history.incoming(
            self._table, landed, found, batch=batch.id, processing_ts="", full=False, origins=origins
        )

    def _origins(self, batch: Manifest) -> dict[str, str]:
        """What the source calls columns, by their names in the relation: in this batch, else in the last one."""
        found: dict[str, str] = {}
        for each in (*self._batches, batch):
            found |= landing.origins(self._table, each.columns)
        apart = {name.lower() for name in found.values()}
        return found if len(apart) == len(found) else {}

    def _columns(self, batch: Manifest) -> tuple[Column, ...]:
        """Those of the batch, then those that only others have: a batch that lacks them would be refused."""
        own = self._incoming(batch).landed
        mine = self._session.describe(f"SELECT * EXCLUDE (file_row_number) FROM {own}")
        known = {column.name.lower() for column in mine}
        found = [*mine, *(c for c in Landed(self._batches).columns(self._table) if c.name.lower() not in known)]
        contract = self._table.contract
        if contract is not None and contract.mode == "strict" and self._table.key:
            found = [column for column in found if contract.column(column.name) is not None]
        return tuple(found)

    def _sets(self, columns: Sequence[Column], changes: Mapping[str, str | None]) -> dict[str, str]:
        """SQL of the values to set, by column."""
        by_name = {column.name.lower(): column for column in columns}
        found: dict[str, str] = {}
        for name, value in changes.items():
            column = by_name.get(name.lower())
            if column is None:
                close = get_close_matches(name, [each.name for each in columns], 1)
                listed = ", ".join(each.name for each in columns)
                raise UserError(
                    f"{self._table.relation} has no column {name!r}",
                    code="UNKNOWN_COLUMN",
                    hint=f"did you mean {close[0]!r}?" if close else f"columns: {listed}",
                )
            if value is not None and not self._fits(value, column):
                raise UserError(
                    f"{self._table.relation}.{column.name}: the value given is no {column.type}, as which it lands",
                    code="FIX_VALUE",
                    hint="give the value as the source would send it",
                )
            found[column.name] = "NULL" if value is None else literal(value)
        return found

    def _fits(self, value: str, column: Column) -> bool:
        if column.type == "VARCHAR":
            return "\0" not in value
        return bool(self._session.query(f"SELECT TRY_CAST(? AS {column.type}) IS NOT NULL", (value,)).rows[0][0])

    def _judge(self, staged: Path, found: Sequence[Column]) -> None:
        table = self._table
        landed = landing.scan(table, str(staged), found)
        found = landing.columns(table, found)
        strangers: Sequence[str] = ()
        if table.contract is not None:
            form = conformed(table, table.contract, "of the correction", found, (), readers=_nobody, aged=False)
            landed, found = form.landed(landed), (*found, *(column for column, _ in form.filled))
            table, strangers = form.table(table), form.strangers
        coming = history.incoming(table, landed, found, batch="", processing_ts="", full=False, strangers=strangers)
        coming = held.judged(coming, Landed(self._batches))
        try:
            self._session.execute(
                f"CREATE OR REPLACE TEMP TABLE {history.SUSPECTS} AS SELECT file_row_number AS place FROM {landed}"
            )
            for statement in judgement.judge(coming):
                self._session.execute(statement)
        except (UserError, DataError) as error:
            if coming.rules:
                raise held.invalid(table, error) from error
            raise
        reasons = self._session.query(f"SELECT _reasons FROM {history.BATCH}").rows[0][0]
        if reasons:
            raise DataError(
                f"{table.relation}: the row would not pass as corrected: {'; '.join(reasons)}",
                code="FIX_STILL_BAD",
                location=table.location,
                hint="set these columns too, or change the rule; nothing was landed",
            )


def _nobody(names: Sequence[str]) -> Sequence[str]:
    return ()


def _value(column: Column, sets: Mapping[str, str], here: Collection[str]) -> str:
    if column.name in sets:
        return sets[column.name]
    return identifier(column.name) if column.name.lower() in here else "NULL"


def _given(changes: Mapping[str, str | None], name: str) -> str | None:
    return next(value for key, value in changes.items() if key.lower() == name.lower())
