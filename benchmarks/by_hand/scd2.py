"""One batch into an SCD2 history, written by hand: Python and DuckDB. It is run as a process of its own.

    python scd2.py DATABASE FILE

FILE is a complete extract, Parquet with every value as text, or CSV. What is fast is done: text is read as its types
once, one join compares today with the current versions, rows are closed by their place in the table, all in one
transaction. Keys are checked to be there and to stand once. There is no ledger, no quarantine (a bad row stops it) and
no second chance when it dies half way.
"""

import sys
from datetime import UTC, datetime

import duckdb

VALUES = {"name": "VARCHAR", "city": "VARCHAR", "amount": "DECIMAL(12, 2)", "visits": "INTEGER", "note": "VARCHAR"}


def main() -> None:
    database, file = sys.argv[1:]
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    read = f"read_csv('{file}', all_varchar = true)" if file.endswith(".csv") else f"read_parquet('{file}')"
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in VALUES.items())
    today = f"SELECT CAST(id AS BIGINT) AS id, {typed} FROM {read}"
    names = ", ".join(("id", *VALUES))
    stamps = f"TIMESTAMP '{now}' AS valid_from, CAST(NULL AS TIMESTAMP) AS valid_to, true AS is_current"
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM h.{name}" for name in VALUES)
    with duckdb.connect(database) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("BEGIN")
        connection.execute(f"CREATE TEMP TABLE today AS {today}")
        bad = connection.execute("SELECT count(*) - count(DISTINCT id) FROM today").fetchone()
        if bad != (0,):
            sys.exit(f"keys that are missing or stand twice: {bad}")
        known = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'history'").fetchone()
        if known == (0,):
            connection.execute(f"CREATE TABLE history AS SELECT {names}, {stamps} FROM today")
        else:
            connection.execute(
                f"CREATE TEMP TABLE changed AS SELECT h.place, t.* FROM today AS t "
                f"FULL JOIN (SELECT rowid AS place, {names} FROM history WHERE is_current) AS h ON t.id = h.id "
                f"WHERE t.id IS NULL OR h.id IS NULL OR {differs}"
            )
            connection.execute(
                f"UPDATE history SET valid_to = TIMESTAMP '{now}', is_current = false "
                "WHERE rowid IN (SELECT place FROM changed WHERE place IS NOT NULL)"
            )
            connection.execute(f"INSERT INTO history SELECT {names}, {stamps} FROM changed WHERE id IS NOT NULL")
        connection.execute("COMMIT")


if __name__ == "__main__":
    main()
