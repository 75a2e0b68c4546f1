"""Parquet files: sizes from the metadata first, then column by column as distinct values."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from scenarios.evidence.limits import Limits
from scenarios.evidence.raw import RawColumn, RawTable, UnreadableError, headed, table_of


def read_parquet(data: bytes, limits: Limits) -> RawTable:
    """The cells of a Parquet file with their types; row n of the data is line n + 1. Raises UnreadableError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(io.BytesIO(data))
        texts = [field.name for field in schema if _is_text(field.type)]
        file = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts)
        _check(file.metadata, limits)
        header, doubled = headed([field.name for field in schema], 1)
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        if nested:
            raise UnreadableError("E521", f'column "{nested[0][:60]}" holds lists or tables', "one plain value a cell")
        if doubled:
            columns = [RawColumn((), np.zeros(0, dtype=np.int32)) for _ in header]
            return table_of(header, columns, np.zeros(0, dtype=np.int64), {}, doubled)
        columns = [_column(file.read(columns=[field.name]).column(0)) for field in schema]
    except UnreadableError:
        raise
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        MemoryError,
        NotImplementedError,
        IndexError,
    ):
        raise UnreadableError("E510", *_DAMAGED) from None
    rows = file.metadata.num_rows
    if any(len(column.codes) != rows for column in columns):
        raise UnreadableError("E510", *_DAMAGED)
    return table_of(header, columns, np.arange(2, rows + 2, dtype=np.int64), {}, doubled)


_DAMAGED = ("cannot be read as a Parquet file", "write it anew, or as CSV in UTF-8")


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _check(metadata: Any, limits: Limits) -> None:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if metadata.num_columns > limits.columns:
        raise UnreadableError(
            "E510", f"has {metadata.num_columns:,} columns, at most {limits.columns} are read", "keep the columns that are needed"
        )
    if metadata.num_rows > limits.rows or metadata.num_rows * max(1, metadata.num_columns) > limits.cells:
        raise UnreadableError(
            "E510", f"has {metadata.num_rows:,} rows, too many for its columns", "split it, or export a shorter period"
        )
    if sum(group.total_byte_size for group in groups) > limits.unpacked:
        raise UnreadableError(
            "E510", f"unpacks to more than {limits.unpacked // 1_000_000:,} MB", "keep the columns that are needed"
        )


def _column(cells: Any) -> RawColumn:
    """Distinct values; dates keep their type, times become seconds or carry their zone, decimals become numbers."""
    import pyarrow as pa

    if pa.types.is_timestamp(cells.type):
        cells = cells.cast(pa.timestamp("us", tz=cells.type.tz), safe=False)
    elif pa.types.is_decimal(cells.type):
        cells = cells.cast(pa.float64())
    elif pa.types.is_date64(cells.type):
        cells = cells.cast(pa.date32())
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    cells = pa.concat_arrays(cells.chunks) if isinstance(cells, pa.ChunkedArray) else cells
    encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
    encoded.validate(full=True)  # a damaged file may point beyond its distinct values
    values = [_plain(value) for value in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.cast(pa.int64()).fill_null(len(values)).to_numpy(zero_copy_only=False), dtype=np.int32)
    return RawColumn((*values, None), codes)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return (value.strip() or None) if isinstance(value, str) else value
