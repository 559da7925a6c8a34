"""The state store's schema, as numbered steps. A step that has been released is never edited."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE runs (
        run TEXT PRIMARY KEY, environment TEXT NOT NULL, command TEXT NOT NULL, revision TEXT, status TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT, pid INTEGER NOT NULL
    );
    CREATE TABLE steps (
        run TEXT NOT NULL, position INTEGER NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
        status TEXT NOT NULL, reason TEXT NOT NULL, seconds REAL NOT NULL, rows INTEGER, commit_number INTEGER,
        accounting TEXT NOT NULL, problems TEXT NOT NULL, finished TEXT NOT NULL, PRIMARY KEY (run, position)
    );
    CREATE TABLE targets (
        step TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        run TEXT NOT NULL, finished TEXT NOT NULL, rows INTEGER, commit_number INTEGER, changed TEXT
    );
    CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    """
    CREATE TABLE checks (
        id INTEGER PRIMARY KEY, relation TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, dimension TEXT NOT NULL,
        on_fail TEXT NOT NULL, outcome TEXT NOT NULL, scope TEXT NOT NULL, rows INTEGER, failing INTEGER,
        message TEXT NOT NULL, location TEXT NOT NULL, figures TEXT, samples TEXT, run TEXT NOT NULL,
        evaluated TEXT NOT NULL, UNIQUE (relation, name)
    );
    CREATE TABLE check_results (
        check_id INTEGER NOT NULL, run TEXT NOT NULL, evaluated TEXT NOT NULL, outcome TEXT NOT NULL, rows INTEGER,
        failing INTEGER, figures TEXT, PRIMARY KEY (check_id, run)
    ) WITHOUT ROWID;
    ALTER TABLE targets ADD COLUMN accounting TEXT;
    """,
)
