"""Keys are counted by their last bits or hashes first; whatever that count says, only keys that stand twice are held
back."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import Project

HUGE = 1 << 40
KEYS: dict[str, tuple[str, list[object]]] = {
    "in a row": ("bigint", list(range(2000))),
    "backwards, below zero": ("integer", list(range(1000, -1000, -1))),
    "same last bits": ("bigint", [number * HUGE for number in range(-100, 100)]),
    "one pair of same last bits": ("bigint", [*range(500), HUGE]),
    "the ends of the type": ("bigint", [-(2**63), 2**63 - 1, 0, -1]),
    "small": ("tinyint", list(range(-128, 128))),
    "beyond 64 bits": ("hugeint", [2**100 + number for number in range(300)]),
    "unsigned": ("ubigint", [2**64 - 1, 0, 2**63]),
    "decimals": ("decimal(10,2)", ["1.10", "1.20", "-1.10"]),
    "text": ("varchar", ["a", "A", "a ", "ä", "b" * 200]),
    "one": ("bigint", [7]),
}
TWICE = ["", "same", "other"]


def load(folder: Path, declared: str, lines: list[str], key: str = "id") -> Project:
    for name in ("sources", "inbox"):
        (folder / name).mkdir()
    (folder / "penstock.yml").write_text("name: keys\n")
    (folder / "sources/s.yml").write_text(
        f"root: inbox\ntables: {{t: {{path: t.csv, extract: full, key: {key}, columns: {{id: {declared!r}}}}}}}\n"
    )
    (folder / "inbox/t.csv").write_text("".join(f"{line}\n" for line in ("id,part,v", *lines)))
    project = Project(folder)
    assert project.run().exit_code == 0
    return project


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("name", KEYS)
def test_only_keys_that_stand_twice_are_held_back(tmp_path: Path, name: str, twice: str) -> None:
    declared, keys = KEYS[name]
    lines = [f"{key},p,x" for key in keys]
    if twice:
        lines.append(f"{keys[0]},p,{'x' if twice == 'same' else 'y'}")
    project = load(tmp_path, declared, lines)
    expected = [str(key) for key in (keys[1:] if twice == "other" else keys)]
    assert [row[0] for row in project.query("SELECT CAST(id AS VARCHAR) FROM raw.t ORDER BY 1").rows] == sorted(
        expected
    )
    counts = project.query("SELECT rows_in, inserted, duplicates, quarantined FROM _penstock.batches").rows
    held = 2 if twice == "other" else 0
    assert counts == ((len(lines), len(expected), 1 if twice == "same" else 0, held),)


def test_keys_of_several_columns(tmp_path: Path) -> None:
    lines = [f"{number % 50},{number // 50},x" for number in range(2000)]
    held = [",7,x", "3,,x", "1,1,y", "four,1,x"]
    project = load(tmp_path, "bigint", [*lines, *held, "2,2,x"], key="[id, part]")
    (counts,) = project.query("SELECT rows_in, inserted, duplicates, quarantined FROM _penstock.batches").rows
    assert counts == (2005, 1999, 1, 5)
    (left,) = project.query("SELECT count(*), count(DISTINCT (id, part)), count(*) FILTER (v = 'y') FROM raw.t").rows
    assert left == (1999, 1999, 0)
