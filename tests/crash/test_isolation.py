"""A step that fails takes with it what depends on it, what is published with that, and nothing else; the next run does
what is missing and no more. The exit code says who acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BAD_CAST = "SELECT order_id, product_id, CAST('x' || count(*) OVER () AS BIGINT) AS quantity FROM raw.orders\n"


def outcome(done: Any) -> dict[str, set[str]]:
    """Steps by how they ended, those that had nothing to do left out."""
    found: dict[str, set[str]] = {}
    for step, (status, _, _) in done.report["steps"].items():
        if status != "unchanged":
            found.setdefault(status, set()).add(step)
    return found


@pytest.fixture
def second_day(history: Any, tmp_path: Path) -> Any:
    mini = history[0].copy(tmp_path / "mini")
    mini.arrive(1)
    return mini


SALES = {"build:stg.sales"}
AFTER_SALES = {"build:bus.enriched", "build:serv.report", "build:serv.both", "export:report", "export:mart"}
SMALL = {"build:stg.small"}
GROUP = {"build:serv.visits_daily", "export:visits"}
"""Published with serv.report."""
DATED = {"build:stg.made", "build:stg.asked"}
"""Views with the date of the run in them."""
VISITS = {"land:web.visits", "load:web.visits"}
SHOP = {"land:shop.orders", "load:shop.orders", "land:shop.products", "load:shop.products"}


@pytest.mark.parametrize("alone", [True, False])
def test_a_model_that_fails(second_day: Any, history: Any, alone: bool) -> None:
    """What it holds back: those that read it, and those that are published with these."""
    if alone:
        declared = second_day.root / "models" / "serv" / "visits_daily.sql"
        declared.write_text(declared.read_text().replace("/*---\n", "/*---\npublish_group: none\n"))
    after, visits = AFTER_SALES | SMALL, VISITS
    if alone:
        visits = VISITS | GROUP
    else:
        after |= GROUP
    path = second_day.root / "models" / "stg" / "sales.sql"
    good = path.read_text()
    path.write_text(BAD_CAST)
    failed = second_day.run(1, code=2)
    assert outcome(failed) == {"failed": SALES, "skipped": after, "success": SHOP | visits | DATED}
    assert second_day.rows("FROM serv.report ORDER BY ALL") == history[0].rows("FROM serv.report ORDER BY ALL")
    again = second_day.run(1, code=2)
    assert outcome(again) == {"failed": SALES, "skipped": after}
    path.write_text(good)
    repaired = second_day.run(1)
    assert outcome(repaired) == {"success": SALES | after}, "more or less than is missing"
    assert second_day.contents() == history[1].contents()


def test_a_source_that_is_missing(second_day: Any, history: Any) -> None:
    path = second_day.root / "inbox" / "products.csv"
    content = path.read_text()
    path.unlink()
    failed = second_day.run(1, code=3)
    assert failed.report is not None
    assert failed.report["steps"]["land:shop.products"][2] == ["SOURCE_MISSING"]
    assert outcome(failed) == {
        "failed": {"land:shop.products"},
        "skipped": {"load:shop.products"} | AFTER_SALES | GROUP,
        "success": {"land:shop.orders", "load:shop.orders"} | SALES | SMALL | VISITS | DATED,
    }
    path.write_text(content)
    second_day.run(1)
    assert second_day.contents() == history[1].contents()


def test_the_exit_code_says_who_acts(second_day: Any) -> None:
    """The most actionable of several: what a person can put right in the project comes first."""
    report = second_day.root / "models" / "serv" / "report.sql"
    good = report.read_text()
    report.write_text(good.replace("bus.enriched", "bus.nothing"))
    assert "[UNKNOWN_RELATION]" in second_day.cli("run", code=2).stderr
    report.write_text(good)
    products = second_day.root / "inbox" / "products.csv"
    content = products.read_text()
    products.write_text(content.rstrip("\n"))
    assert "[SOURCE_TRUNCATED]" in second_day.cli("run", code=3).stdout
    products.write_text(content)
    exports = second_day.home / "exports"
    aside = exports.rename(exports.with_name("aside"))
    exports.write_text("a file where the folder was")
    done = second_day.cli("run", code=4)
    assert "BUG" not in done.stdout + done.stderr
    exports.unlink()
    aside.rename(exports)
    manifest = next(second_day.home.glob("landing/web/visits/*/000001.json"))
    manifest.write_text(manifest.read_text().replace("17", "16", 1))
    assert "[MANIFEST_DAMAGED]" in second_day.cli("run", code=5).stderr
