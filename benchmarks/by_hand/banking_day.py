"""One day of the bank, written by hand: Python and DuckDB, no pipeline tool. It is run as a process of its own.

    python banking_day.py DATABASE CUSTOMERS.csv ACCOUNTS.csv ARCHIVE [--plain]

It ends with the tables of the example `banking`: copies of both files in Parquet, a table of the rows that were set
aside, snapshots of both as SCD2, savings accounts, both marts with a `calculated_at` that moves with its row. What a
careful person does to be fast is done: the files are read once, text becomes numbers once, keys are checked in that
pass, today is compared with yesterday in one join, and behind it only accounts and customers that changed are touched.

--plain is what one writes first: source tables made anew, staging views, a snapshot by comparing them, the
intermediate table made anew, marts by delete-and-insert of what changed.

Neither keeps a ledger, knows which file it has seen, can stop half way and go on, says why a row was set aside, logs
changes for later readers, or notices when it is run twice at once.
"""

import sys
from datetime import UTC, datetime

import duckdb

YES_OR_NO = (
    "CASE WHEN lower(trim({0})) IN ('yes', 'y', 'true', 't', '1') THEN true "
    "WHEN lower(trim({0})) IN ('no', 'n', 'false', 'f', '0') THEN false END"
)
CUSTOMER = (
    f"TRY_CAST(CustomerID AS BIGINT) AS customer_id, nullif(trim(Name), '') AS customer_name, "
    f"{YES_OR_NO.format('HasLoan')} AS has_loan_flag"
)
ACCOUNT = (
    "AccountID AS account_id, TRY_CAST(nullif(trim(CustomerID), '') AS BIGINT) AS customer_id, "
    "TRY_CAST(nullif(trim(Balance), '') AS DECIMAL(12, 2)) AS balance_amount, "
    "lower(nullif(trim(AccountType), '')) AS account_type"
)
SUMMARY = """
    SELECT account_id, customer_id, balance_amount AS original_balance_amount, rate AS interest_rate_pct,
           round(balance_amount * rate * 0.01, 2) AS annual_interest_amount,
           balance_amount + round(balance_amount * rate * 0.01, 2) AS new_balance_amount,
           $now::TIMESTAMP AS calculated_at
    FROM (
      SELECT account_id, customer_id, balance_amount,
             CASE WHEN balance_amount < 10000 THEN 1.0 WHEN balance_amount < 20000 THEN 1.5 ELSE 2.0 END
               + CASE WHEN has_loan_flag THEN 0.5 ELSE 0.0 END AS rate
      FROM intermediate.savings_accounts {where}
    )
"""
PROFILE = """
    SELECT s.customer_id, s.customer_name, s.has_loan_flag, count(*) AS total_accounts_count,
           sum(a.original_balance_amount) AS total_balance_amount,
           sum(a.annual_interest_amount) AS total_annual_interest_amount, $now::TIMESTAMP AS calculated_at
    FROM intermediate.savings_accounts AS s JOIN marts.account_summary AS a ON a.account_id = s.account_id {where}
    GROUP BY s.customer_id, s.customer_name, s.has_loan_flag
"""
SAVINGS = """
    SELECT a.account_id, a.customer_id, c.customer_name, c.has_loan_flag, a.balance_amount
    FROM snapshots.accounts AS a JOIN snapshots.customers AS c ON c.customer_id = a.customer_id
    WHERE a.is_current AND c.is_current AND a.account_type = 'savings' AND a.balance_amount IS NOT NULL
"""
TABLES = {
    # table → its key, its other columns, the expressions of both over the file
    "customers": ("customer_id", ("customer_name", "has_loan_flag"), CUSTOMER),
    "accounts": ("account_id", ("customer_id", "balance_amount", "account_type"), ACCOUNT),
}
NUMBERS = {"customers": "TRY_CAST(CustomerID AS BIGINT)", "accounts": "AccountID"}
"""What a row cannot do without, in the file."""


class Day:
    def __init__(self, connection: duckdb.DuckDBPyConnection, now: str) -> None:
        self.connection = connection
        self.now = now

    def run(self, sql: str) -> None:
        self.connection.execute(sql, {"now": self.now} if "$now" in sql else None)

    def check(self, sql: str, said: str) -> None:
        """One row of one number, which has to be 0."""
        (found,) = self.connection.execute(sql).fetchone() or (None,)
        if found != 0:
            sys.exit(f"{said}: {found}")

    def land(self, table: str, file: str, archive: str) -> str:
        path = f"{archive}/{table}-{self.now.replace(':', '')}.parquet"
        # said, not guessed: the only quote may be behind the rows the guess is made from
        form = "all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"'"
        self.run(f"COPY (SELECT * FROM read_csv('{file}', {form})) TO '{path}' (FORMAT parquet)")
        return f"read_parquet('{path}')"

    def created(self) -> bool:
        """Whether this is the first day."""
        found = self.connection.execute("SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'marts'").fetchone()
        if found != (0,):
            return False
        for schema in ("source", "staging", "snapshots", "intermediate", "marts"):
            self.run(f"CREATE SCHEMA {schema}")
        return True

    def first_snapshot(self, table: str, rows: str) -> None:
        key, values, _ = TABLES[table]
        self.run(
            f"CREATE TABLE snapshots.{table} AS SELECT {', '.join((key, *values))}, $now::TIMESTAMP AS valid_from, "
            f"NULL::TIMESTAMP AS valid_to, true AS is_current FROM {rows}"
        )

    def snapshot(self, table: str, rows: str) -> None:
        """Leaves `changed_<table>`: the keys that are new (kind 1), other (2) or gone (3), with today's values."""
        key, values, _ = TABLES[table]
        differs = " OR ".join(f"t.{name} IS DISTINCT FROM c.{name}" for name in values)
        self.run(
            f"CREATE TEMP TABLE changed_{table} AS SELECT coalesce(t.{key}, c.{key}) AS {key}, "
            f"{', '.join(f't.{name}' for name in values)}, "
            f"CASE WHEN c.{key} IS NULL THEN 1 WHEN t.{key} IS NULL THEN 3 ELSE 2 END AS kind "
            f"FROM {rows} AS t FULL JOIN (SELECT * FROM snapshots.{table} WHERE is_current) AS c ON t.{key} = c.{key} "
            f"WHERE t.{key} IS NULL OR c.{key} IS NULL OR {differs}"
        )
        self.run(
            f"UPDATE snapshots.{table} SET valid_to = $now::TIMESTAMP, is_current = false "
            f"WHERE is_current AND {key} IN (SELECT {key} FROM changed_{table} WHERE kind > 1)"
        )
        self.run(
            f"INSERT INTO snapshots.{table} SELECT {', '.join((key, *values))}, $now::TIMESTAMP, NULL, true "
            f"FROM changed_{table} WHERE kind < 3"
        )

    def first_marts(self) -> None:
        self.run(f"CREATE TABLE intermediate.savings_accounts AS {SAVINGS}")
        self.run(f"CREATE TABLE marts.account_summary AS {SUMMARY.format(where='')}")
        self.run(f"CREATE TABLE marts.customer_profile AS {PROFILE.format(where='')}")

    def affected(self) -> None:
        """Accounts that changed, or whose customer did; their customers of yesterday and of today."""
        self.run(
            "CREATE TEMP TABLE some_accounts AS SELECT account_id FROM changed_accounts UNION "
            "SELECT account_id FROM snapshots.accounts WHERE is_current AND customer_id IN "
            "(SELECT customer_id FROM changed_customers)"
        )
        self.run(
            "CREATE TEMP TABLE some_customers AS SELECT customer_id FROM changed_customers UNION "
            "SELECT customer_id FROM marts.account_summary WHERE account_id IN (FROM some_accounts) UNION "
            "SELECT customer_id FROM changed_accounts"
        )

    def marts(self, *, savings: bool) -> None:
        if savings:
            self.run("DELETE FROM intermediate.savings_accounts WHERE account_id IN (FROM some_accounts)")
            self.run(f"INSERT INTO intermediate.savings_accounts {SAVINGS} AND a.account_id IN (FROM some_accounts)")
        self.run("DELETE FROM marts.account_summary WHERE account_id IN (FROM some_accounts)")
        self.run(
            f"INSERT INTO marts.account_summary {SUMMARY.format(where='WHERE account_id IN (FROM some_accounts)')}"
        )
        self.run("DELETE FROM marts.customer_profile WHERE customer_id IN (FROM some_customers)")
        self.run(
            "INSERT INTO marts.customer_profile " + PROFILE.format(where="WHERE s.customer_id IN (FROM some_customers)")
        )


def fast(day: Day, files: dict[str, str], archive: str) -> None:
    first = day.created()
    for table, file in files.items():
        key, _, expressions = TABLES[table]
        landed = day.land(table, file, archive)
        day.run(f"CREATE TEMP TABLE today_{table} AS SELECT {expressions} FROM {landed}")
        day.check(
            f"SELECT count({key}) - count(DISTINCT {key}) FROM today_{table}",
            f"{table}: keys that stand more than once",
        )
        if first:
            day.run(f"CREATE TABLE source.{table}_set_aside AS SELECT * FROM {landed} LIMIT 0")
        unusable = f"{NUMBERS[table]} IS NULL"
        day.run(f"INSERT INTO source.{table}_set_aside SELECT * FROM {landed} WHERE {unusable}")
        rows = f"(SELECT * FROM today_{table} WHERE {key} IS NOT NULL)"
        if first:
            day.first_snapshot(table, rows)
        else:
            day.snapshot(table, rows)
    if first:
        day.first_marts()
    else:
        day.affected()
        day.marts(savings=True)


def plain(day: Day, files: dict[str, str], archive: str) -> None:
    first = day.created()
    for table, file in files.items():
        key, _, expressions = TABLES[table]
        landed = day.land(table, file, archive)
        unusable = f"{NUMBERS[table]} IS NULL"
        if first:
            day.run(f"CREATE TABLE source.{table}_set_aside AS SELECT * FROM {landed} LIMIT 0")
        day.run(f"INSERT INTO source.{table}_set_aside SELECT * FROM {landed} WHERE {unusable}")
        day.run(
            f"CREATE OR REPLACE TABLE source.{table} AS SELECT *, $now::TIMESTAMP AS loaded_at FROM {landed} "
            f"WHERE NOT ({unusable})"
        )
        day.run(f"CREATE OR REPLACE VIEW staging.{table} AS SELECT {expressions} FROM source.{table}")
        day.check(f"SELECT count(*) FROM (SELECT {key} FROM staging.{table} GROUP BY 1 HAVING count(*) > 1)", table)
        if first:
            day.first_snapshot(table, f"staging.{table}")
        else:
            day.snapshot(table, f"staging.{table}")
    if first:
        day.first_marts()
    else:
        day.run(f"CREATE OR REPLACE TABLE intermediate.savings_accounts AS {SAVINGS}")
        day.affected()
        day.marts(savings=False)
    for mart, key in (("account_summary", "account_id"), ("customer_profile", "customer_id")):
        day.check(f"SELECT count(*) FROM (SELECT {key} FROM marts.{mart} GROUP BY 1 HAVING count(*) > 1)", mart)


def main() -> None:
    database, customers, accounts, archive, *rest = sys.argv[1:]
    with duckdb.connect(database) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("BEGIN")
        day = Day(connection, datetime.now(UTC).replace(tzinfo=None).isoformat())
        (plain if "--plain" in rest else fast)(day, {"customers": customers, "accounts": accounts}, archive)
        connection.execute("COMMIT")


if __name__ == "__main__":
    main()
