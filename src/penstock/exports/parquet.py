"""Parquet: one relation as a file, or as a folder of files partitioned by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from penstock.errors import UserError
from penstock.exports.options import Options, SomeColumnNames, checked, plain
from penstock.exports.selection import require, selection, single
from penstock.ports import ExportRequest
from penstock.quoting import columns, literal


class ParquetOptions(Options):
    """How the file is laid out."""

    compression: Literal["zstd", "snappy", "gzip", "lz4", "uncompressed"] = Field(
        default="zstd", description="zstd, snappy, gzip, lz4 or uncompressed"
    )
    partition_by: SomeColumnNames | None = Field(
        default=None,
        description="a column or list of columns to split by: the export becomes a folder column=value/…/*.parquet",
    )
    row_group_size: int = Field(
        default=122_880, ge=2_048, le=100_000_000, description="rows per row group, from 2048 to 100000000"
    )


class ParquetExporter:
    """Implements ports.Exporter."""

    def options(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return plain(ParquetOptions, raw)

    def options_schema(self) -> Mapping[str, Any]:
        return ParquetOptions.model_json_schema()

    def columns(self, options: Mapping[str, Any]) -> Sequence[str]:
        return tuple(options["partition_by"] or ())

    def write(self, request: ExportRequest) -> int:
        export = request.export
        options = checked(ParquetOptions, export)
        chosen = selection(request, single(request))
        settings = [
            "FORMAT parquet",
            f"COMPRESSION {literal(options.compression)}",
            f"ROW_GROUP_SIZE {options.row_group_size}",
        ]
        if options.partition_by:
            require(request, chosen.relation, chosen.columns, options.partition_by, "partition_by")
            self._check_partitions(request, options.partition_by, len(chosen.columns))
            settings.append(f"PARTITION_BY ({columns(options.partition_by)})")
        written = request.session.execute(
            f"COPY ({chosen.sql()}) TO {literal(str(request.target))} ({', '.join(settings)})"
        )
        if options.partition_by:
            request.target.mkdir(exist_ok=True)  # no rows, no partitions: an empty folder says so
        return written

    @staticmethod
    def _check_partitions(request: ExportRequest, partition_by: list[str], width: int) -> None:
        if len({name.casefold() for name in partition_by}) != len(partition_by):
            problem, hint = "partition_by names a column twice", "name each column once"
        elif len(partition_by) >= width:
            problem, hint = "partition_by names every column", "leave at least one column for the files to hold"
        elif request.export.order_by:
            # The threads that write a partition do not keep an order: a promise that would be broken in silence.
            problem, hint = "order_by cannot be kept with partition_by", "remove one of the two"
        else:
            return
        raise UserError(problem, code="EXPORT_OPTION", location=request.export.location, hint=hint)


PLUGIN = ParquetExporter()
