"""A fixed set of queries and one fixed history: what each rule of the engine is there for happens in it at least once.

Each step of the history changes one thing, so that no other change covers up for what a broken rule forgets.
"""

from __future__ import annotations

from incremental_lab import Model, State, Table

TABLES = {
    "raw.a": Table({"id": "BIGINT", "k": "BIGINT", "s": "VARCHAR", "v": "BIGINT"}, ("id",)),
    "raw.b": Table({"k": "BIGINT", "s": "VARCHAR", "v": "BIGINT"}),
}

QUERIES = {
    "inner grouped": "SELECT a.s, sum(b.v) AS n FROM raw.a JOIN raw.b ON a.k = b.k GROUP BY a.s",
    "left grouped by right": "SELECT b.s, count(*) AS n FROM raw.a LEFT JOIN raw.b ON a.k = b.k GROUP BY b.s",
    "two left joins": "SELECT b.s AS one, c.s AS two, count(*) AS n FROM raw.a LEFT JOIN raw.b ON a.k = b.k"
    " LEFT JOIN raw.b AS c ON a.v = c.k GROUP BY b.s, c.s",
    "right grouped": "SELECT a.s, count(*) AS n FROM raw.a RIGHT JOIN raw.b ON a.k = b.k GROUP BY a.s",
    "full": "SELECT a.s AS one, b.s AS two, count(*) AS n FROM raw.a FULL JOIN raw.b ON a.k = b.k GROUP BY a.s, b.s",
    "full using": "SELECT k, a.id, b.v FROM raw.a FULL JOIN raw.b USING (k)",
    "block of sums": "SELECT a.s, max(x.n) AS n FROM raw.a JOIN"
    " (SELECT k, sum(v) AS n FROM raw.b GROUP BY k) AS x ON a.k = x.k GROUP BY a.s",
    "grouped by a count": "SELECT x.n, count(*) AS m FROM raw.a JOIN"
    " (SELECT k, count(*) AS n FROM raw.b GROUP BY k) AS x ON a.k = x.k GROUP BY x.n",
    "block with having": "SELECT a.s, count(*) AS m FROM raw.a JOIN"
    " (SELECT k FROM raw.b GROUP BY k HAVING count(*) > 1) AS x ON a.k = x.k GROUP BY a.s",
    "block with limit": "SELECT a.s, max(x.v) AS m FROM raw.a CROSS JOIN"
    " (SELECT v FROM raw.b ORDER BY v DESC LIMIT 1) AS x GROUP BY a.s",
    "not in": "SELECT a.s, count(*) AS n FROM raw.a WHERE a.k NOT IN (SELECT k FROM raw.b WHERE v >= 10) GROUP BY a.s",
    "in": "SELECT a.s, count(*) AS n FROM raw.a WHERE a.k IN (SELECT k FROM raw.b) GROUP BY a.s",
    "exists": "SELECT a.s, count(*) AS n FROM raw.a WHERE EXISTS (SELECT 1 FROM raw.b WHERE b.k = a.k) GROUP BY a.s",
    "not exists": "SELECT a.s, count(*) AS n FROM raw.a WHERE NOT EXISTS"
    " (SELECT 1 FROM raw.b WHERE b.k = a.k) GROUP BY a.s",
    "scalar": "SELECT a.s, count(*) AS n FROM raw.a WHERE a.v <= (SELECT count(*) FROM raw.b) GROUP BY a.s",
    "scalar of each row": "SELECT a.id, (SELECT sum(v) FROM raw.b WHERE b.k = a.k) AS n FROM raw.a",
    "semi": "SELECT a.s, count(*) AS n FROM raw.a SEMI JOIN raw.b ON a.k = b.k GROUP BY a.s",
    "anti": "SELECT a.s, count(*) AS n FROM raw.a ANTI JOIN raw.b ON a.k = b.k GROUP BY a.s",
    "windows": "SELECT k, s, count(*) OVER (PARTITION BY k, s) AS n, count(*) OVER (PARTITION BY k) AS m FROM raw.b",
    "union": "SELECT k FROM raw.a UNION SELECT k FROM raw.b",
    "union all": "SELECT s, count(*) AS n FROM raw.a GROUP BY s UNION ALL SELECT s, sum(v) FROM raw.b GROUP BY s",
    "except": "SELECT k FROM raw.a EXCEPT SELECT k FROM raw.b",
    "distinct on": "SELECT DISTINCT ON (k) k, s, v FROM raw.b ORDER BY k, v DESC, s",
    "block of a union": "SELECT x.s, count(*) AS n FROM"
    " (SELECT k, s FROM raw.a UNION ALL SELECT k, s FROM raw.b) AS x GROUP BY x.s",
    "asof": "SELECT a.id, b.v AS n FROM raw.a ASOF LEFT JOIN"
    " (SELECT k, v FROM raw.b GROUP BY k, v) AS b ON a.k = b.k AND a.v >= b.v",
    "block of the best": "SELECT x.s, count(*) AS n FROM raw.a JOIN (SELECT k, s FROM raw.b"
    " QUALIFY rank() OVER (PARTITION BY k ORDER BY v DESC) = 1) AS x ON a.k = x.k GROUP BY x.s",
    "qualify": "SELECT k, s, v FROM raw.b QUALIFY rank() OVER (PARTITION BY k ORDER BY v DESC) = 1",
    "stamp": "SELECT a.s, count(*) AS n, random() AS stamp FROM raw.a GROUP BY a.s",
    "limit": "SELECT s, sum(v) AS n FROM raw.b GROUP BY s ORDER BY n DESC, s LIMIT 2",
}

A = [(1, 1, "x", 1), (2, 2, "x", 2), (3, 2, "y", 3), (4, 3, "y", 9), (5, None, "z", 1), (6, 9, "w", 2), (7, 5, "u", 5)]
B = [(1, "p", 1), (1, "q", 2), (2, "p", 3), (3, "r", 4), (3, "r", 4), (5, "t", 6), (5, "o", 7)]


def _history() -> list[State]:
    steps = [
        (A, B),
        (A, [*B, (9, "p", 5)]),  # the first partner
        (A, [*B, (9, "p", 5), (None, "n", 12)]),  # NULL where it is looked for
        (A, B),  # both leave again
        (A, [*B, (3, "m", 6)]),  # between two that were next to each other
        (A, B[:-1]),  # one of two
        (A, B[:-2]),  # the last partner
        (A[:-1], B[:-2]),
        ([*A[:-1], (8, 7, "new", 1)], [*B[:-2], (7, "p", 0)]),  # both sides of a join arrive at once
        (A[:-1], B[:-2]),  # and leave at once
        ([*A[:-1], (8, None, None, 3)], B[:-2]),  # a unit that is NULL
        ([*A[:-1], (8, None, None, 3), (9, None, None, 4)], B[:-2]),
        (A[:3], [*B[:3], (2, "q", -1), (4, None, 11)]),  # much at once
        ([*A[:3], (4, 4, "late", 7)], B[:3]),  # one comes, what kept it out goes
        ([], B[:3]),
        (A, B),
        (A, []),
        (A, B),
    ]
    return [{"raw.a": list(a), "raw.b": list(b)} for a, b in steps]


HISTORY = _history()


def battery(name: str) -> Model:
    return Model(QUERIES[name], TABLES)
