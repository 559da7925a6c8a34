"""Random events against random contracts: what is published and what is held back are all there is, each where plain
Python says it belongs, batch after batch."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from campaign import seeds
from penstock import Project

INTEGERS = {"tinyint": 2**7, "integer": 2**31, "bigint": 2**63}
NAMES = ("a", "b", "c", "d")


def kind(dice: random.Random, depth: int = 1) -> Any:
    """A type: its name, a list of one item's, or a mapping of fields."""
    roll = dice.random()
    if depth and roll < 0.15:
        return [kind(dice, 0)]
    if depth and roll < 0.3:
        return {name: kind(dice, 0) for name in dice.sample(("x", "y"), dice.randint(1, 2))}
    return dice.choice([*INTEGERS, "varchar", "boolean", "decimal(6,2)", "date"])


def text(of: Any) -> str:
    if isinstance(of, list):
        return f"{text(of[0])}[]"
    return f"struct({', '.join(f'{n} {text(k)}' for n, k in of.items())})" if isinstance(of, dict) else str(of)


def value(dice: random.Random, of: Any) -> Any:
    """A JSON value that may or may not be of the type."""
    if dice.random() < 0.1:
        return None
    if isinstance(of, list) and dice.random() < 0.9:
        return [value(dice, of[0]) for _ in range(dice.randint(0, 2))]
    if isinstance(of, dict) and dice.random() < 0.9:
        more = {"z": 1} if dice.random() < 0.1 else {}
        return {name: value(dice, each) for name, each in of.items() if dice.random() < 0.9} | more
    good = {"varchar": "text", "boolean": True, "decimal(6,2)": 12.25, "date": "2024-02-29"}
    if isinstance(of, str) and dice.random() < 0.9:
        return good.get(of, dice.choice([0, -128, 127]))
    return dice.choice([128, 2**31, 2**63, 1.5, 1.255, "word", True, "2024-02-30", [1], {"x": 1}])


def fits(found: Any, of: Any) -> bool:
    if found is None:
        return True
    if isinstance(of, list):
        return isinstance(found, list) and all(fits(each, of[0]) for each in found)
    if isinstance(of, dict):
        return isinstance(found, dict) and found.keys() <= of.keys() and all(fits(found[n], of[n]) for n in found)
    if of == "varchar":
        return not isinstance(found, (list, dict))
    if of == "boolean":
        return isinstance(found, bool)
    if of == "date":
        return found == "2024-02-29"
    number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if of in INTEGERS:
        return number and isinstance(found, int) and -INTEGERS[of] <= found < INTEGERS[of]
    return number and abs(found) < 10_000 and round(found, 2) == found


def conforms(event: dict[str, Any], columns: dict[str, tuple[Any, bool]], strict: bool) -> bool:
    if strict and any(event[name] is not None for name in event.keys() - columns.keys() - {"n"}):
        return False
    for name, (of, nullable) in columns.items():
        found = event.get(name)
        if found is None and not nullable:
            return False
        # at the top the text of an object is a text as well
        if not (of == "varchar" or fits(found, of)):
            return False
    return True


@pytest.mark.parametrize("seed", seeds(6))
def test_every_event_is_where_it_belongs(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    columns = {name: (kind(dice), dice.random() < 0.7) for name in dice.sample(NAMES, dice.randint(1, 3))}
    strict = dice.random() < 0.5
    listed = "".join(
        f"        {n}: {{type: '{text(k)}', nullable: {str(y).lower()}}}\n" for n, (k, y) in columns.items()
    )
    (tmp_path / "inbox").mkdir()
    (tmp_path / "sources").mkdir()
    (tmp_path / "penstock.yml").write_text("name: test\n")
    (tmp_path / "sources/s.yml").write_text(
        "root: inbox\ntables:\n  events:\n    path: '*.ndjson'\n    extract: append\n    contract:\n"
        f"      mode: {'strict' if strict else 'additive'}\n      columns:\n        n: bigint\n{listed}"
    )
    project, events = Project(tmp_path), {}
    for batch in range(3):
        lines = []
        for _ in range(dice.randint(1, 25)):
            event = {"n": len(events)} | {
                name: value(dice, columns[name][0] if name in columns else "varchar")
                for name in NAMES
                if dice.random() < (0.9 if name in columns else 0.1)
            }
            events[event["n"]] = event
            lines.append(json.dumps(event))
        (tmp_path / f"inbox/{batch}.ndjson").write_text("".join(f"{line}\n" for line in lines))
        report = project.run()
        assert report.exit_code == 0, [problem for step in report.steps for problem in step.problems]
        published = {row[0] for row in project.query("SELECT n FROM raw.events").rows}
        held = project.query("SELECT payload, reasons FROM _penstock.quarantine").rows
        assert published == {n for n, event in events.items() if conforms(event, columns, strict)}, columns
        assert sorted(int(json.loads(row[0])["n"]) for row in held) == sorted(events.keys() - published)
        assert all(row[1] for row in held)
