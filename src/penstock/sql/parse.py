"""One SELECT in DuckDB's dialect → a SQLGlot tree; anything else → a UserError at its line and column."""

from __future__ import annotations

import logging
import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from penstock.errors import Location, UserError
from penstock.sql.tokens import Kind, position, significant, tokens

DIALECT = "duckdb"

# SQLGlot logs a warning when it meets a statement it does not know; here that is an error with a place.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_DIALECT = "models are one SELECT in DuckDB's dialect; try it in `penstock query`"
_TEMPLATED = "there are no templates: relations are written layer.name, variables $name, functions are in functions/"

_FORBIDDEN = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Copy, exp.Attach, exp.Detach, exp.Pragma, exp.Set)


class Where:
    """Where a piece of SQL stands: offsets in `text` as places in `path`."""

    def __init__(self, text: str, path: str, line: int = 1) -> None:
        self.text, self.path, self.line = text, path, line

    def at(self, offset: int) -> Location:
        line, column = position(self.text, max(0, min(offset, len(self.text))), self.line)
        return Location(self.path, line, column)


def single(text: str, where: Where) -> str:
    """`text` up to the end of its only statement, without the `;`. Raises UserError when there is none or a second."""
    found = significant(text)
    for token in tokens(text):
        if not token.closed:
            what = {Kind.STRING: "string", Kind.QUOTED: "quoted name"}.get(token.kind, "comment")
            raise UserError(
                f"this {what} is never closed", code="SQL_PARSE", location=where.at(token.start), hint="close it"
            )
    ends = [index for index, token in enumerate(found) if token.text == ";"]
    if ends:
        if rest := [token for token in found[ends[0] :] if token.text != ";"]:
            raise UserError(
                "expected one SELECT in the file, found a second statement",
                code="SQL_STATEMENTS",
                location=where.at(rest[0].start),
                hint="put each SELECT in its own file: the file's name is the relation's name",
            )
        found = found[: ends[0]]
    if not found:
        raise UserError(
            "expected one SELECT, found no SQL",
            code="SQL_PARSE",
            location=where.at(0),
            hint="write the SELECT that makes this relation, or delete the file",
        )
    return text[: found[-1].end]


def _syntax(error: ParseError, where: Where) -> UserError:
    detail = error.errors[0] if error.errors else {}
    near = str(detail.get("highlight") or "").strip()
    expected = str(detail.get("description") or "this is not SQL that can be read").strip()
    expected = re.sub(r" ?but got <Token.*>", "", expected, flags=re.DOTALL)
    expected = re.sub(r"Required keyword: .*", "something is missing", expected, flags=re.DOTALL)
    line, column = detail.get("line"), detail.get("col")
    offset = 0
    if isinstance(line, int) and isinstance(column, int):
        starts = [0, *(match.end() for match in re.finditer("\n", where.text))]
        # SQLGlot counts the column at the end of the word it stumbled over.
        offset = starts[min(line, len(starts)) - 1] + column - max(1, len(near))
    found = f", found {near!r}" if near else ""
    return UserError(
        f"the SQL does not parse: {expected[:1].lower()}{expected[1:]}{found}",
        code="SQL_PARSE",
        location=where.at(offset),
        hint=_TEMPLATED if re.search(r"\{[{%]", where.text) else _DIALECT,
    )


def parse(text: str, path: str = "<sql>", line: int = 1) -> exp.Query:
    """The tree of the one query in `text`, which begins on `line` of `path`.

    Raises UserError: SQL_PARSE when it cannot be read, SQL_STATEMENTS for more than one statement, SQL_NOT_A_QUERY
    for anything that is not a query.
    """
    where = Where(text, path, line)
    text = single(text, where)
    try:
        trees = sqlglot.parse(text, read=DIALECT)
    except ParseError as error:
        raise _syntax(error, where) from None
    except TokenError as error:
        raise UserError(
            f"the SQL does not parse: {str(error).splitlines()[0]}", code="SQL_PARSE", location=where.at(0)
        ) from None
    except RecursionError:
        raise UserError(
            "the SQL is nested too deeply to be read",
            code="SQL_PARSE",
            location=where.at(0),
            hint="split it into several models",
        ) from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
        first = significant(text)[0]
        raise UserError(
            f"expected a SELECT, found {first.text.upper()}",
            code="SQL_NOT_A_QUERY",
            location=where.at(first.start),
            hint="a model is one SELECT; Penstock makes the table or view from it",
        )
    forbidden = next(tree.find_all(*_FORBIDDEN), None)
    if forbidden is not None:
        raise UserError(
            f"expected a SELECT that only reads, found {forbidden.key.upper()} in it",
            code="SQL_NOT_A_QUERY",
            location=where.at(start_of(forbidden)),
            hint="a model may not change anything; remove that part",
        )
    return tree


def start_of(node: exp.Expr) -> int:
    """The offset in the parsed text of the first part of `node` whose place is known; 0 when none is."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)
