"""CSV: one relation as delimited text in UTF-8, with cells that a spreadsheet cannot take for formulas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from penstock.domain.relation import Column
from penstock.exports.options import Options, checked, plain
from penstock.exports.selection import ROW, alias, selection, single
from penstock.ports import ExportRequest
from penstock.quoting import identifier, literal

FORMULA = r"^([\t\r\n]|[\p{Z}\p{Cc}\p{Cf}]*[=+\-@＝＋－＠])"  # noqa: RUF001
"""Text a spreadsheet may run: `=`, `+`, `-`, `@` and their full-width forms, at the start or after blanks and
invisible characters, and text that starts with a tab or a line break (OWASP, CSV injection)."""

_NEVER_TEXT = re.compile(
    r"(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BIGNUM|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
    r"|TIME WITH TIME ZONE|TIMESTAMP(_NS)? WITH TIME ZONE|INTERVAL|UUID|BIT)"
)


class CsvOptions(Options):
    """How the text is written. Lines end with a line feed; values are quoted with `"` where they need it."""

    delimiter: str = Field(default=",", description="one character between values; a tab is written '\\t'")
    header: bool = Field(default=True, description="write the column names as the first line: true or false")
    null: str = Field(default="", description='what NULL is written as; empty text is then written as ""')
    quote: Literal["needed", "all"] = Field(
        default="needed", description="quote values that need it (needed) or every value except NULL (all)"
    )
    compression: Literal["none", "gzip"] | None = Field(
        default=None, description="none or gzip; by default gzip when the path ends in .gz"
    )
    escape_formulas: bool = Field(
        default=True, description="put a ' before text that a spreadsheet would run as a formula: true or false"
    )

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value.encode()) != 1 or value in '"\r\n\0':
            raise ValueError('expected one ASCII character that is not ", a line break or NUL')
        return value

    @model_validator(mode="after")
    def _null_is_recognisable(self) -> CsvOptions:
        if any(mark in self.null for mark in ('"', "\r", "\n", "\0", self.delimiter)):
            raise ValueError("null must not hold the delimiter, a quote or a line break")
        return self


def escaped(column: Column) -> str:
    """The SQL of a cell: text with a leading `'` where it could be a formula; numbers and times as they are."""
    cell = f"{ROW}.{identifier(column.name)}"
    if _NEVER_TEXT.fullmatch(column.type):
        return cell
    text = f"CAST({cell} AS VARCHAR)"
    return f"CASE WHEN regexp_matches({text}, {literal(FORMULA)}) THEN '''' || {text} ELSE {text} END"


def escaped_name(name: str) -> str:
    """A column's name as a header cell. The rule is the one for cells."""
    invisible = re.match(r"[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff]*", name)
    rest = name[invisible.end() :] if invisible else name
    return f"'{name}" if name[:1] in "\t\r\n" or rest[:1] in tuple("=+-@＝＋－＠") else name  # noqa: RUF001


class CsvExporter:
    """Implements ports.Exporter."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return plain(CsvOptions, raw)

    def options_schema(self) -> Mapping[str, Any]:
        return CsvOptions.model_json_schema()

    def columns(self, options: Mapping[str, Any]) -> Sequence[str]:
        return ()

    def write(self, request: ExportRequest) -> int:
        export = request.export
        options = checked(CsvOptions, export)
        chosen = selection(request, single(request))
        expressions = None
        if options.escape_formulas:
            expressions = [alias(escaped(column), escaped_name(column.name)) for column in chosen.columns]
        compression = options.compression or ("gzip" if export.path.lower().endswith(".gz") else "none")
        settings = [
            "FORMAT csv",
            f"HEADER {str(options.header).lower()}",
            f"DELIMITER {literal(options.delimiter)}",
            "QUOTE '\"'",
            "ESCAPE '\"'",
            f"NULLSTR {literal(options.null)}",
            f"COMPRESSION {literal(compression)}",
        ]
        if options.quote == "all":
            settings.append("FORCE_QUOTE *")
        return request.session.execute(
            f"COPY ({chosen.sql(expressions)}) TO {literal(str(request.target))} ({', '.join(settings)})"
        )


PLUGIN = CsvExporter()
