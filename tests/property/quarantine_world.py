"""A project whose relations are split by checks, run hour by hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from quarantine_rules import Rule, image, split

from penstock import Project
from penstock.domain.run import RunReport
from penstock.domain.verification import Verdict

START = datetime(2026, 11, 17, tzinfo=UTC)


class World:
    """A project. Every run has its own hour."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs, self.project = root, 0, Project(root)
        self.seen: dict[str, Counter[Any]] = {}

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def arrive(self, name: str, columns: dict[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """A file of the source: all rows of a table as they are now."""
        target = self.root / "inbox" / f"{name}.parquet"
        target.parent.mkdir(exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(f'{n} {kind}' for n, kind in columns.items())})")
            if rows:
                connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)
            connection.execute(f"COPY t TO '{target}'")

    def run(self) -> RunReport:
        self.runs += 1
        report = self.project.run(now=START + timedelta(hours=self.runs))
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        return report

    def rows(self, sql: str) -> list[Any]:
        with duckdb.connect(str(self.root / "data/dev/warehouse.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def holds(self, relation: str, select: str, names: Sequence[str], found: Sequence[Rule]) -> None:
        """The relation and its quarantine are what the SELECT gives, told apart by the rules. `names`: the columns that
        do not hold the time they were made."""
        listed = ", ".join(f'"{name}"' for name in names)
        self.told_apart(relation, self.rows(f"SELECT {listed} FROM ({select}) AS q"), names, found)

    def told_apart(
        self, relation: str, rows: Sequence[Sequence[Any]], names: Sequence[str], found: Sequence[Rule]
    ) -> None:
        """The relation and its quarantine are `rows`, told apart by the rules."""
        listed = ", ".join(f'"{name}"' for name in names)
        published, apart = split(names, rows, found)
        assert Counter(map(image, self.rows(f"SELECT {listed} FROM {relation}"))) == published
        self.set_apart(relation, apart, names, found)

    def set_apart(self, relation: str, apart: Counter[Any], names: Sequence[str], found: Sequence[Rule]) -> None:
        """The quarantine holds these rows, each with its reasons."""
        listed = ", ".join(f'"{name}"' for name in names)
        table = f'_penstock."quarantine_{relation}"'
        there = self.rows(f"FROM duckdb_tables() WHERE table_name = 'quarantine_{relation}'")
        if not found:
            assert not there
            self.seen.pop(relation, None)
            return
        held = self.rows(
            "SELECT _penstock_reasons, _penstock_first_seen, _penstock_run, _penstock_commit, _penstock_rules, "
            f"{listed} FROM {table}"
        )
        assert Counter((image(row[5:]), tuple(row[0])) for row in held) == apart
        assert len({row[4] for row in held}) <= 1
        assert all(None not in row[1:5] for row in held)
        self.stays(relation, Counter((image(row[5:]), row[1:4]) for row in held))

    def stays(self, relation: str, now: Counter[Any]) -> None:
        """Of rows that were set apart before and are, as many as there are keep since when and by what."""
        before = self.seen.get(relation, Counter())
        were, are = (Counter(row for row, _ in found.elements()) for found in (before, now))
        for row in were & are:
            kept = sum(
                (
                    Counter({o: n for (r, o), n in before.items() if r == row})
                    & Counter({o: n for (r, o), n in now.items() if r == row})
                ).values()
            )
            assert kept == (were & are)[row], (row, before, now)
        self.seen[relation] = now

    def adds_up(self, report: RunReport) -> None:
        """Rows in = published + quarantined + filtered, of every relation that the run has built."""
        for step in report.steps:
            sums = step.accounting
            if step.kind != "build" or "returned" not in sums:
                continue
            apart = f'_penstock."quarantine_{step.target}"'
            there = self.rows(f"FROM duckdb_tables() WHERE table_name = 'quarantine_{step.target}'")
            assert sums["published"] == step.rows == self.rows(f"SELECT count(*) FROM {step.target}")[0][0]
            assert sums["quarantined"] == (self.rows(f"SELECT count(*) FROM {apart}")[0][0] if there else 0)
            assert sums["returned"] == sums["published"] + sums["quarantined"]
            assert sums["rows_in"] == sums["returned"] + sums.get("filtered", 0)
            assert sums.get("filtered", 0) >= 0

    def right(self, but: str = "") -> None:
        found = self.project.verify(now=START + timedelta(hours=self.runs))
        asked = [each for each in found.relations if str(each.relation) != but]
        wrong = [each for each in asked if each.verdict not in (Verdict.RIGHT, Verdict.OPEN)]
        assert not wrong, wrong
