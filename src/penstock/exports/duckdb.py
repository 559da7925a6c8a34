"""DuckDB: relations as tables of one database file that BI tools open while the warehouse is being written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from penstock.errors import PenstockError
from penstock.exports.options import Options, checked, plain
from penstock.exports.selection import Selection, selection
from penstock.ports import ExportRequest, Session
from penstock.quoting import identifier, literal, qualified


class DuckdbOptions(Options):
    """There are none yet: the file holds the export's relations, in schemas named after their layers."""


class DuckdbExporter:
    """Implements ports.Exporter."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return plain(DuckdbOptions, raw)

    def options_schema(self) -> Mapping[str, Any]:
        return DuckdbOptions.model_json_schema()

    def columns(self, options: Mapping[str, Any]) -> Sequence[str]:
        return ()

    def write(self, request: ExportRequest) -> int:
        """All tables are written in one transaction, so that they show one state of the warehouse."""
        checked(DuckdbOptions, request.export)
        from penstock.embedded.connection import STORAGE

        session = request.session
        chosen = [selection(request, relation) for relation in dict.fromkeys(request.export.relations)]
        # Attached databases are seen by every session of the warehouse: the name must be this export's own.
        out = f"_export_{hashlib.sha256(str(request.target).encode()).hexdigest()[:16]}"
        settings = f"READ_WRITE, STORAGE_VERSION {literal(STORAGE)}"  # the warehouse may be open for reading only
        session.execute(f"ATTACH {literal(str(request.target))} AS {identifier(out)} ({settings})")
        try:
            written = self._fill(session, out, chosen)
        except BaseException:
            with suppress(PenstockError):  # what failed first is what a person needs to read
                session.execute(f"DETACH DATABASE IF EXISTS {identifier(out)}")
            raise
        session.execute(f"DETACH DATABASE {identifier(out)}")
        request.target.chmod(0o644)
        return written

    @staticmethod
    def _fill(session: Session, out: str, chosen: Sequence[Selection]) -> int:
        # Not session.transaction(): there a failing COMMIT is a question for the ledger. Here the file is thrown away.
        written = 0
        session.execute("BEGIN TRANSACTION")
        try:
            for layer in dict.fromkeys(item.relation.layer for item in chosen):
                session.execute(f"CREATE SCHEMA IF NOT EXISTS {qualified(out, layer)}")
            for item in chosen:
                table = qualified(out, item.relation.layer, item.relation.name)
                written += session.execute(f"CREATE TABLE {table} AS {item.sql()}")
            session.execute("COMMIT")
        except BaseException:
            with suppress(PenstockError):  # the engine may have ended the transaction itself
                session.execute("ROLLBACK")
            raise
        session.execute(f"CHECKPOINT {identifier(out)}")
        return written


PLUGIN = DuckdbExporter()
