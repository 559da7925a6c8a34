"""Which columns of which relations a query names."""

import pytest

from penstock.sql.reads import naming


@pytest.mark.parametrize(
    ("sql", "named", "perhaps"),
    [
        ("SELECT a, sum(b) AS b FROM raw.x GROUP BY ALL", {("raw.x", "a"), ("raw.x", "b")}, set()),
        (
            "SELECT x.a, y.b FROM raw.x JOIN raw.y ON x.id = y.id",
            {("raw.x", "a"), ("raw.y", "b"), ("raw.x", "id"), ("raw.y", "id")},
            set(),
        ),
        ("SELECT raw.x.a FROM raw.x", {("raw.x", "a")}, set()),
        ("SELECT z.a FROM raw.x AS z", {("raw.x", "a")}, set()),
        ("SELECT a FROM raw.x, raw.y", set(), {("a", ("raw.x", "raw.y"))}),
        ("WITH c AS (SELECT k FROM raw.x) SELECT k FROM c", {("raw.x", "k")}, set()),
        ("WITH c AS (SELECT k FROM raw.x) SELECT k, v FROM c, raw.y", {("raw.x", "k")}, {("v", ("raw.y",))}),
        # the name of an output column is none of the table, except where it is made
        ("SELECT date_trunc('day', t) AS day, count(*) AS n FROM raw.x GROUP BY day", {("raw.x", "t")}, set()),
        ("SELECT upper(a) AS a FROM raw.x WHERE b > 1", {("raw.x", "a"), ("raw.x", "b")}, set()),
        (
            "SELECT a FROM raw.x WHERE EXISTS (SELECT 1 FROM raw.y WHERE y.id = x.id)",
            {("raw.x", "a"), ("raw.x", "id"), ("raw.y", "id")},
            set(),
        ),
        ("SELECT a FROM raw.x UNION ALL SELECT b FROM raw.y", {("raw.x", "a"), ("raw.y", "b")}, set()),
        ("this is no SQL", set(), set()),
    ],
)
def test_names(sql: str, named: set[tuple[str, str]], perhaps: set[tuple[str, tuple[str, ...]]]) -> None:
    found = naming(sql)
    assert set(found.named) == named
    assert set(found.perhaps) == perhaps


@pytest.mark.parametrize(
    ("sql", "star"),
    [
        ("SELECT * FROM raw.x", True),
        ("SELECT x.* FROM raw.x", True),
        ("SELECT * EXCLUDE (a) FROM raw.x", True),
        ("SELECT a FROM (SELECT * FROM raw.x)", True),
        ("SELECT count(*) AS n FROM raw.x", False),
        ("SELECT a * 2 AS b FROM raw.x", False),
    ],
)
def test_stars(sql: str, star: bool) -> None:
    assert naming(sql).has_star is star
