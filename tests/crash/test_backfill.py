"""kill -9 in the middle of a backfill: the next call goes on with it, and all of it equals an undisturbed one."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

DAYS = 12
FILES = {
    "penstock.yml": "name: mini\nenvironments: {dev: {threads: 2}}\n",
    "sources/shop.yml": "root: inbox\ntables:\n  orders:\n    path: orders.csv\n    extract: full\n    key: id\n"
    "    columns: {id: bigint, day: date, amount: bigint}\n",
    "models/stg/daily.sql": "/*---\nmaterialization: time_range\ntime_range: {column: day, grain: day}\n---*/\n"
    "SELECT day, sum(amount)::BIGINT AS total FROM raw.orders GROUP BY day\n",
    "models/serv/monthly.sql": "SELECT month(day) AS month, sum(total)::BIGINT AS total FROM stg.daily "
    "GROUP BY month(day)\n",
    "inbox/orders.csv": "id,day,amount\n" + "".join(f"{n},2026-01-{n % DAYS + 1:02},{n}\n" for n in range(1, 4 * DAYS)),
}
ASKED = ("backfill", "stg.daily", "--from", "2026-01-01", "--to", "2026-01-13", "--json", "--quiet")


KILLS = (("ledger.recorded", 1), ("ledger.recorded", 5), ("ledger.committed", 5), ("ledger.committed", DAYS))


@pytest.fixture
def wrong(mini: Any, tmp_path: Path) -> Any:
    """A project in which every day's total is wrong, so that each partition has something to put right."""
    made = type(mini)(tmp_path / "wrong")
    made.write(FILES)
    made.cli("run", "--quiet")
    with duckdb.connect(str(made.warehouse)) as connection:
        connection.execute("UPDATE stg.daily SET total = total + 100000")
    return made


def contents(mini: Any) -> dict[str, Any]:
    """What a backfill writes: rows, changes, what is committed (in whatever order), what is done."""
    found = {
        name: Counter(mini.rows(f"FROM {name}"))
        for name in ("stg.daily", '(SELECT * EXCLUDE (_penstock_commit) FROM _penstock."changes_stg.daily")')
    }
    found["commits"] = Counter(mini.rows("SELECT relation, step, rows, changes FROM _penstock.commits"))
    found["done"] = Counter(mini.rows("SELECT relation, begins, ends FROM _penstock.backfills"))
    found["logs"] = Counter(mini.rows("FROM _penstock.logs"))
    numbers = [row[0] for row in mini.rows("SELECT number FROM _penstock.commits ORDER BY 1")]
    assert numbers == list(range(1, len(numbers) + 1)), "commit numbers have a gap"
    return found


def done_before(report: Any) -> int:
    return sum("done before" in step["reason"] for step in report["steps"])


@pytest.mark.parametrize(("site", "visit"), KILLS)
def test_killed_and_gone_on_with(wrong: Any, tmp_path: Path, site: str, visit: int) -> None:
    undisturbed = wrong.copy(tmp_path / "undisturbed")
    undisturbed.cli(*ASKED)
    wrong.cli(*ASKED, code=-signal.SIGKILL, PENSTOCK_FAILPOINT=f"{site}:{visit}")
    done = len(wrong.rows("FROM _penstock.backfills"))
    assert visit - 1 <= done <= visit
    report = json.loads(wrong.cli(*ASKED).stdout)
    assert (report["status"], done_before(report)) == ("success" if done < DAYS else "unchanged", done)
    assert contents(wrong) == contents(undisturbed)
    for made in (wrong, undisturbed):
        made.cli("run", "--quiet")
        made.cli("verify", "--deep")
    assert wrong.rows("FROM serv.monthly") == undisturbed.rows("FROM serv.monthly") == [(1, 1128)]
    assert json.loads(wrong.cli(*ASKED).stdout)["status"] == "unchanged"


def test_killed_again_and_again(wrong: Any, tmp_path: Path) -> None:
    undisturbed = wrong.copy(tmp_path / "undisturbed")
    undisturbed.cli(*ASKED)
    before = -1
    while before < DAYS - 2:
        wrong.cli(*ASKED, code=-signal.SIGKILL, PENSTOCK_FAILPOINT="ledger.committed:3")
        done = len(wrong.rows("FROM _penstock.backfills"))
        assert done >= before + 3 or before < 0
        before = done
    wrong.cli(*ASKED)
    assert contents(wrong) == contents(undisturbed)
