"""The options of a table read from files, checked strictly: an unknown word is an error with a suggestion."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

_SIZE = re.compile(r"(\d+)\s*([KMGT]i?B|B)?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS[f"{_letter}b"] = 1000**_power
    _UNITS[f"{_letter}ib"] = 1024**_power


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"expected a size such as 500MB or 64GiB, found {value!r}")
    return int(found[1]) * _UNITS[(found[2] or "").lower()]


Size = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]


_DELIMITED = ("delimiter", "quote", "header", "skip", "final_newline", "max_line")
_EXTENSIONS = {"json": "json", "ndjson": "ndjson", "jsonl": "ndjson", "parquet": "parquet"}
_ENDING = re.compile(r"\.(gz|zst)$", re.IGNORECASE)


class FileOptions(BaseModel):
    """How the files of a table are found and read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str | list[str] = Field(description="A glob, or a list of globs, below the source's root.")
    format: Literal["csv", "tsv", "json", "ndjson", "parquet"] | None = Field(
        None, description="The files' format; by their extension when absent."
    )
    compression: Literal["none", "gzip", "zstd"] | None = Field(
        None, description="The files' compression; by their extension (.gz, .zst) when absent."
    )
    delimiter: str | None = Field(None, description="CSV: one character between fields. Default: a comma, TSV: a tab.")
    quote: str = Field('"', description="CSV: one character around quoted fields; empty: quotes are plain text.")
    encoding: str = Field(
        "utf-8", description="The text's encoding, a name Python knows: utf-8, latin-1, cp1252, utf-16 …"
    )
    header: bool | list[str] = Field(
        True,
        description="CSV: true: the first line names the columns. false: there is no such line; the columns are "
        "column_1, column_2 … A list: there is no such line; these are the names.",
    )
    skip: int = Field(0, ge=0, description="CSV: lines to leave out at the top of each file, before the header.")
    final_newline: Literal["required", "optional"] = Field(
        "required", description="CSV: whether a last line without a line end means that the file is cut short."
    )
    files: Literal["together", "each"] = Field(
        "together",
        description="Full extracts: all files together are the table, or each is a complete snapshot, in name order.",
    )
    max_line: Size = Field(2_000_000, description="CSV: the longest line, in bytes. More needs more memory.")
    max_uncompressed: Size = Field(
        64 * 1024**3, description="Compressed files: the most bytes one may hold, a guard against archive bombs."
    )

    @model_validator(mode="before")
    @classmethod
    def _known(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping):
            for name in raw:
                if name not in cls.model_fields:
                    near = difflib.get_close_matches(str(name), cls.model_fields, n=1)
                    meant = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(cls.model_fields)}"
                    raise ValueError(f"unknown option {name!r}{meant}")
        return raw

    @field_validator("path")
    @classmethod
    def _below_root(cls, value: str | list[str]) -> str | list[str]:
        patterns = [value] if isinstance(value, str) else value
        if not patterns:
            raise ValueError("expected at least one path")
        for pattern in patterns:
            if not pattern or "\0" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
                raise ValueError(f"expected a path below the source's root, without '..', found {pattern!r}")
        return value

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is None or value == "":
            return value
        if len(value) != 1 or not value.isascii() or value in "\r\n\0":
            raise ValueError(f"expected one ASCII character that is no line end, found {value!r}")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            info = codecs.lookup(value)
            "a".encode(info.name)
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"expected an encoding such as utf-8, latin-1, cp1252 or utf-16, found {value!r}"
            ) from error
        return "utf-8" if info.name == "utf-8-sig" else info.name

    @field_validator("header")
    @classmethod
    def _names(cls, value: bool | list[str]) -> bool | list[str]:
        if isinstance(value, list) and not value:
            raise ValueError("expected true, false or a list of column names, found an empty list")
        names = [name.lower() for name in value] if isinstance(value, list) else []
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"expected a name of its own for each column, found {twice[0]!r} twice")
        return value

    def _other_format(self) -> str | None:
        """The format of all files, where it is told and is not delimited text."""
        patterns = [self.path] if isinstance(self.path, str) else self.path
        formats = {
            self.format or _EXTENSIONS.get(_ENDING.sub("", each).rpartition(".")[2].lower()) for each in patterns
        }
        return formats.pop() if len(formats) == 1 and not formats & {"csv", "tsv", None} else None

    @model_validator(mode="after")
    def _consistent(self) -> FileOptions:
        other = self._other_format()
        if other and (odd := [name for name in _DELIMITED if name in self.model_fields_set]):
            raise ValueError(f"{odd[0]} is an option of csv and tsv, found with {other}")
        if other == "parquet" and "encoding" in self.model_fields_set:
            raise ValueError("encoding is an option of text, found with parquet")
        if self.delimiter == "":
            raise ValueError("expected a delimiter of one character, found none")
        if self.quote and self.quote == self.delimiter:
            raise ValueError(f"delimiter and quote are the same character: {self.quote!r}")
        if " " in (self.delimiter, self.quote):
            raise ValueError("a space cannot be the delimiter or the quote")
        return self
