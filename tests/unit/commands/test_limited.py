"""Models with ORDER BY and LIMIT at their top: maintained through the rows below."""

from __future__ import annotations

from tests.unit.commands.conftest import Folder

TOP = "SELECT region, sum(amount) AS amount FROM raw.orders GROUP BY region ORDER BY amount DESC, region LIMIT 2"


def _orders(folder: Folder, *rows: tuple[int, str, int]) -> None:
    lines = "".join(f"{number},{region},{amount}\n" for number, region, amount in rows)
    folder.write("inbox/orders.csv", f"id,region,amount\n{lines}")


def _mode(folder: Folder) -> tuple[str | None, str]:
    report = folder.project.run()
    assert report.exit_code == 0
    step = next(step for step in report.steps if step.step == "build:stg.top")
    return step.mode, step.reason


def test_one_that_falls_out_makes_room_for_the_next(folder: Folder) -> None:
    folder.write("models/stg/top.sql", TOP)
    _orders(folder, (1, "north", 10), (2, "south", 20), (3, "west", 5), (4, "east", 1))
    folder.run()
    assert folder.rows("SELECT * FROM stg.top") == [("north", 10), ("south", 20)]
    _orders(folder, (1, "north", 10), (2, "south", 2), (3, "west", 5), (4, "east", 1))
    mode, reason = _mode(folder)
    assert mode == "maintained", reason
    assert folder.rows("SELECT * FROM stg.top") == [("north", 10), ("west", 5)]
    assert folder.rows('SELECT * FROM _penstock."changes_stg.top"') == [
        ("south", 20, 4, -1),
        ("west", 5, 4, 1),
    ]


def test_a_change_below_the_limit_is_kept_for_later_and_shown_to_nobody(folder: Folder) -> None:
    folder.write("models/stg/top.sql", TOP)
    _orders(folder, (1, "north", 10), (2, "south", 20), (3, "west", 5))
    folder.run()
    _orders(folder, (1, "north", 10), (2, "south", 20), (3, "west", 9))
    folder.run()
    assert folder.rows("SELECT max(number) FROM _penstock.commits WHERE relation = 'stg.top'") == [(2,)]
    _orders(folder, (1, "north", 10), (2, "south", 1), (3, "west", 9))
    assert _mode(folder)[0] == "maintained"
    assert folder.rows("SELECT * FROM stg.top") == [("north", 10), ("west", 9)]


def test_a_model_that_loses_its_limit_loses_the_rows_below(folder: Folder) -> None:
    folder.write("models/stg/top.sql", TOP)
    folder.run()
    hidden = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'below_stg.top'"
    assert folder.rows(hidden) == [(1,)]
    folder.write("models/stg/top.sql", TOP.replace(" LIMIT 2", ""))
    folder.run()
    assert folder.rows(hidden) == [(0,)]
    assert folder.rows("SELECT * FROM stg.top") == [("north", 40), ("south", 20)]
