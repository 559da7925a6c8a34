"""SQL text as tokens, for what can be done without a parser: binding parameters, splicing, fingerprints.

Follows DuckDB's lexer: nested block comments, `''` and `E'\\''` strings, dollar quoting, `"` identifiers, `$name`
parameters. Joining the text of all tokens gives the input back, whatever the input was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache
from hashlib import sha256

from penstock.errors import InternalError
from penstock.record import record


class Kind(Enum):
    SPACE = "space"
    COMMENT = "comment"
    STRING = "string"
    QUOTED = "quoted"
    PARAMETER = "parameter"
    WORD = "word"
    NUMBER = "number"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"


@record
class Token:
    """`start` is the offset of the token in its text. `closed` is false for a string, quoted identifier or comment
    that runs to the end of the text."""

    kind: Kind
    text: str
    start: int
    closed: bool = True

    @property
    def end(self) -> int:
        return self.start + len(self.text)


_SPACES = " \t\n\r\f\v\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
_WORD = rf"[A-Za-z_]|[^\x00-\x7f{_SPACES}]"
_PATTERN = re.compile(
    rf"""
    (?P<space>[{_SPACES}]+)
  | (?P<comment>--[^\r\n]*)
  | (?P<block>/\*)
  | (?P<string>[eE]'(?:[^'\\]|''|\\.)*(?P<escaped_end>')? | '(?:[^']|'')*(?P<string_end>')?)
  | (?P<quoted>"(?:[^"]|"")*(?P<quoted_end>")?)
  | (?P<dollar>\$(?P<tag>(?:(?:{_WORD})(?:{_WORD}|[0-9])*)?)\$)
  | (?P<parameter>\$(?:{_WORD}|[0-9])(?:{_WORD}|[0-9])*)
  | (?P<word>(?:{_WORD})(?:{_WORD}|[0-9$])*)
  | (?P<number>0[xX][0-9A-Fa-f_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
  | (?P<operator>[-+*/<>=~!@\#%^&|`?:]+?(?=--|/\*|[^-+*/<>=~!@\#%^&|`?:]|$))
  | (?P<punctuation>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


def _block_end(text: str, start: int) -> tuple[int, bool]:
    """Where the block comment at `start` ends, comments inside it counted, and whether it ends at all."""
    depth, position = 0, start
    while edge := _BLOCK_EDGE.search(text, position):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
        if depth == 0:
            return position, True
    return len(text), False


@lru_cache(maxsize=8)
def tokens(text: str) -> tuple[Token, ...]:
    """Every token of `text`, blanks and comments too. Remembered: half a dozen readers ask for those of one model."""
    return tuple(_scanned(text))


def _scanned(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise InternalError(f"no token at offset {position}", code="BUG")
        end, closed = match.end(), True
        if match["block"] is not None:
            end, closed = _block_end(text, position)
            found = Kind.COMMENT
        elif match["dollar"] is not None:
            close = text.find(match["dollar"], end)
            closed = close >= 0
            end = close + len(match["dollar"]) if closed else len(text)
            found = Kind.STRING
        elif match["string"] is not None:
            closed = match["string_end"] is not None or match["escaped_end"] is not None
            found = Kind.STRING
        elif match["quoted"] is not None:
            closed = match["quoted_end"] is not None
            found = Kind.QUOTED
        else:
            found = Kind(match.lastgroup)
        yield Token(found, text[position:end], position, closed)
        position = end


def significant(text: str) -> list[Token]:
    """The tokens of `text` that mean something: no blanks, no comments."""
    return [token for token in tokens(text) if token.kind not in (Kind.SPACE, Kind.COMMENT)]


def position(text: str, offset: int, first_line: int = 1) -> tuple[int, int]:
    """The line and column (both from 1) of `offset`, when `text` begins on `first_line` of its file."""
    before = text.count("\n", 0, offset)
    return first_line + before, offset - (text.rfind("\n", 0, offset) + 1) + 1


_RESERVED = """all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    default deferrable desc describe distinct do else end except false fetch for foreign from group having in initially
    intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider
    placing primary qualify references returning select show some summarize symmetric table then to trailing true
    union unique unpivot using variadic when where window with"""
RESERVED = frozenset(_RESERVED.split())
"""Words DuckDB never reads as an unquoted name: their case means nothing."""


def canonical(text: str) -> str:
    """`text` without comments and formatting: equal for two texts only if they mean the same."""
    parts: list[str] = []
    for token in significant(text):
        word = token.kind is Kind.WORD and token.text.lower() in RESERVED and parts[-1:] != ["as"]
        parts.append(token.text.lower() if word else token.text)
    return "\x1f".join(parts)


def fingerprint(parts: Iterable[str]) -> str:
    """sha256 over texts, each bounded, so that moving text between parts changes the result."""
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
