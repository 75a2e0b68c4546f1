"""CSV files: encoding, separator, rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator

import numpy as np

from scenarios.evidence.limits import Limits
from scenarios.evidence.raw import Encoder, RawTable, UnreadableError, headed, table_of

SEPARATORS = ";,\t"
CHUNK = 20_000
_SAMPLE = 20_000


def read_csv(data: bytes, limits: Limits) -> RawTable:
    """The cells of a CSV file as text. Raises UnreadableError."""
    text, notes = decoded(data)
    if not text.strip():
        raise UnreadableError("E516", "is empty", "a header line and a line for each row")
    separator, first = _separator(text)
    rows = _rows(text, separator)
    line, names = next(rows, (1, []))
    if first and names and names[0].lower().startswith("sep="):
        line, names = next(rows, (2, []))
    header, doubled = headed(names, line)
    if len(header) > limits.columns:
        raise UnreadableError(
            "E510", f"has {len(header):,} columns, at most {limits.columns} are read", "keep the columns that are needed"
        )
    return _body(rows, header, doubled, limits, notes)


def decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file and what is to be said about its encoding. Raises UnreadableError."""
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            try:
                return _text(data.decode(encoding)), ()
            except UnicodeDecodeError:
                raise UnreadableError(
                    "E510", "is not the text that its first bytes announce", "save it as CSV in UTF-8"
                ) from None
    try:
        return _text(data.decode("utf-8")), ()
    except UnicodeDecodeError:
        pass
    try:
        text = _text(data.decode("cp1252"))
    except UnicodeDecodeError:
        raise UnreadableError("E510", "is neither UTF-8 nor Windows-1252 text", "save it as CSV in UTF-8") from None
    return text, ("is not UTF-8 and was read as Windows-1252: check letters such as ä, é, €",)


def _text(text: str) -> str:
    if "\0" in text:
        raise UnreadableError("E510", "is not a text file", "save it as CSV in UTF-8")
    return text


def _separator(text: str) -> tuple[str, bool]:
    """The separator, and whether the file names it in its first line (`sep=;`)."""
    opening = text[:10].lstrip().lower()
    if opening.startswith("sep=") and len(opening) > 4 and opening[4] in SEPARATORS:
        return opening[4], True
    sample = text[:_SAMPLE].rsplit("\n", 1)[0] if len(text) > _SAMPLE else text
    return max(SEPARATORS, key=lambda s: _fit(sample, s)), False


def _fit(sample: str, separator: str) -> tuple[float, int]:
    """How well a separator fits: the share of rows with as many cells as the header, and their number."""
    try:
        counts = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=separator) if row]
    except csv.Error:
        return 0.0, 0
    if not counts or counts[0] < 2:
        return 0.0, 0
    return sum(c == counts[0] for c in counts) / len(counts), counts[0]


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not blank. Raises UnreadableError where the file's quotes do not close."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        wrong = "a cell is longer than 131,072 letters" if "limit" in str(error) else "quotation marks do not fit together"
        raise UnreadableError(
            "E510", f"cannot be read on: {wrong}", 'a cell that holds a " is put in "…" and the mark doubled', line
        ) from None


def _body(
    rows: Iterator[tuple[int, list[str]]], header: list[str], doubled: tuple[str, ...], limits: Limits, notes: tuple[str, ...]
) -> RawTable:
    width = len(header)
    encoders = [Encoder() for _ in header]
    lines: list[int] = []
    ragged: dict[int, int] = {}
    chunk: list[list[str]] = []

    def flush() -> None:
        for encoder, cells in zip(encoders, zip(*chunk, strict=True) if chunk else (), strict=False):
            encoder.add(cells)
        chunk.clear()

    for line, row in rows:
        if len(row) != width:
            if not any(cell.strip() for cell in row):
                continue
            ragged[line] = len(row)
            continue
        if not any(row):  # a line of separators only, as spreadsheets leave them at the end
            continue
        lines.append(line)
        chunk.append(row)
        if len(chunk) == CHUNK:
            flush()
        if len(lines) + len(ragged) > limits.rows or (len(lines) * width) > limits.cells:
            raise UnreadableError(
                "E510", f"has more than {min(limits.rows, limits.cells // width):,} rows", "split it, or export a shorter period"
            )
    flush()
    columns = [encoder.column() for encoder in encoders]
    return table_of(header, columns, np.asarray(lines, dtype=np.int64), ragged, doubled, notes)
