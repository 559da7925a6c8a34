"""Columns of stored relations as the warehouse has them: one query in a run, and only if somebody asks."""

from __future__ import annotations

import threading

from penstock.domain.relation import Column, RelationName
from penstock.ports import Session
from penstock.quoting import qualified

_ALL = (
    "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns ORDER BY ordinal_position"
)


class Catalogue:
    """One run's, shared by its threads. Whoever has changed a relation's columns and committed that says so."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._found: dict[RelationName, tuple[Column, ...]] | None = None
        self._changed: set[RelationName] = set()
        self._told: set[RelationName] = set()
        self._made: dict[RelationName, tuple[Column, ...]] = {}

    def columns(self, session: Session, relation: RelationName) -> tuple[Column, ...] | None:
        """The columns of a relation that is there, None for one that is not. Asks outside of transactions that have
        changed it."""
        with self._guard:
            if self._found is None:
                found: dict[RelationName, list[Column]] = {}
                for layer, name, column, kind in session.query(_ALL).rows:
                    found.setdefault(RelationName(layer, name), []).append(Column(column, kind))
                self._found = {name: tuple(each) for name, each in found.items()}
            if relation in self._changed:  # asked by one who depends on it; what was read first may be from before
                self._found[relation] = session.describe(f"SELECT * FROM {qualified(relation.layer, relation.name)}")
                self._changed.discard(relation)
            return self._found.get(relation)

    def gone(self, relation: RelationName) -> None:
        """The relation is no longer there."""
        with self._guard:
            self._changed.discard(relation)
            if self._found is not None:
                self._found.pop(relation, None)

    def changed(self, relation: RelationName) -> None:
        """The relation is there and its columns may be others now."""
        with self._guard:
            self._changed.add(relation)
            self._told.add(relation)

    def made(self, relation: RelationName, columns: tuple[Column, ...]) -> None:
        """The relation has been made, with these columns."""
        with self._guard:
            if self._found is not None:
                self._found[relation] = columns
            self._changed.discard(relation)
            self._made[relation] = columns

    def beside(self) -> Catalogue:
        """What is known now, for a transaction that sees what it has not committed yet. Nothing of what is told to it
        is known here before `join`."""
        inner = Catalogue()
        with self._guard:
            inner._found = None if self._found is None else dict(self._found)
            inner._changed = set(self._changed)
        return inner

    def join(self, inner: Catalogue) -> None:
        """That transaction has committed."""
        for relation in inner._told:
            self.changed(relation)
        for relation, columns in inner._made.items():
            self.made(relation, columns)
