from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sql.tokens import Kind, canonical, fingerprint, position, tokens

PIECES = ["'", "''", '"', "$", "$$", "$a$", "a", "E'", "\\", "--", "/*", "*/", "\n", " ", "1", ".", "e", ";", "é", "::"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_no_character_is_lost_or_moved(text: str) -> None:
    found = list(tokens(text))
    assert "".join(token.text for token in found) == text
    assert all(text[token.start : token.end] == token.text for token in found)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("'it''s $a'", [Kind.STRING]),
        (r"E'\' $a' x", [Kind.STRING, Kind.SPACE, Kind.WORD]),
        (r"'\' || $a", [Kind.STRING, Kind.SPACE, Kind.OPERATOR, Kind.SPACE, Kind.PARAMETER]),
        ("$$ $a ' $$", [Kind.STRING]),
        ("$t$ $$ $a $t$", [Kind.STRING]),
        ('"a""$b"', [Kind.QUOTED]),
        ("a$b", [Kind.WORD]),
        ("/* /* */ $a */1", [Kind.COMMENT, Kind.NUMBER]),
        ("1-- $a\n+2", [Kind.NUMBER, Kind.COMMENT, Kind.SPACE, Kind.OPERATOR, Kind.NUMBER]),
        ("1+/**/2", [Kind.NUMBER, Kind.OPERATOR, Kind.COMMENT, Kind.NUMBER]),
        ("1.5e-3 .5 1_000 0xFF", [Kind.NUMBER, Kind.SPACE] * 3 + [Kind.NUMBER]),
        ("x->>'a'", [Kind.WORD, Kind.OPERATOR, Kind.STRING]),
        ("$größe", [Kind.PARAMETER]),
    ],
)
def test_kinds(text: str, kinds: list[Kind]) -> None:
    assert [token.kind for token in tokens(text)] == kinds


@pytest.mark.parametrize("text", ["'abc", '"abc', "/* a /* b */", "$$ abc", "E'a\\'"])
def test_what_is_never_closed_says_so(text: str) -> None:
    assert [token.closed for token in tokens(text)] == [False]


def test_position() -> None:
    assert position("a\nbc", 3, first_line=10) == (11, 2)
    assert position("abc", 0) == (1, 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from t", "SELECT a\n  FROM t -- why"),
        ("select /* x */ a+b", "SELECT a + b"),
        ("select 1 where true", "SELECT 1\nWHERE TRUE"),
    ],
)
def test_comments_and_formatting_mean_nothing(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a  b'", "select 'a b'"),
        ("select 'A'", "select 'a'"),
        ('select "A"', 'select "a"'),
        ("select a as A", "select a as a"),
        ("select 1 as FROM", "select 1 as from"),
        ("select ab", "select a b"),
        ("select 1 - -1", "select 1 --1"),
        ("select 'a -- b'", "select 'a'"),
    ],
)
def test_a_difference_in_meaning_is_kept(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_fingerprint_parts_do_not_run_together() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint(["a"]) != fingerprint(["a", ""])
