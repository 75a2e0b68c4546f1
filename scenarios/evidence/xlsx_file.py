"""XLSX workbooks: checked for their true size before they are opened; formulas are never evaluated, their stored value is taken."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.evidence.limits import Limits
from scenarios.evidence.raw import CellError, Encoder, RawTable, UnreadableError, headed, table_of

_CHUNK = 1 << 20
_OVERLAP = 1 << 14
_CELL = re.compile(rb'\sr\s*=\s*["\']([A-Za-z]{0,9})(\d{1,9})["\']')
_NO_VALUE = re.compile(
    rb'<(?:\w+:)?c\s(?:[^>]*?\s)?r="([A-Z]{1,3})(\d+)"[^>]*>\s*<(?:\w+:)?f(?:\s[^>]*?)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*'
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_ERROR = re.compile(rb'<(?:\w+:)?c\s(?=[^>]*\st="e")(?:[^>]*?\s)?r="([A-Z]{1,3})(\d+)"[^>]*>')
_SHEET = re.compile(rb'<(?:\w+:)?sheet\s[^>]*?\w+:id="([^"]+)"')
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
MAX_PARTS = 5_000
Marks = dict[tuple[int, int], CellError]
"""Row and column (from 0) of cells that hold no value, and why."""
UNCALCULATED = CellError("holds a formula without a stored value")
FAILED = CellError("holds an error instead of a value")


def read_xlsx(data: bytes, limits: Limits, wanted: str = "") -> RawTable:
    """The cells of the one sheet that holds any, or of the sheet named `wanted`. Raises UnreadableError."""
    marks = _checked(data, limits)
    sheet, notes = _sheet(data, wanted)
    if not sheet.rows:
        raise UnreadableError("E516", "is empty", "a header line and a line for each row")
    part = sheet.part if sheet.part in marks else ""
    for (row, column), why in (marks[part] if part else {k: v for m in marks.values() for k, v in m.items()}).items():
        i, j = row - sheet.top, column - sheet.left
        if 0 <= i < len(sheet.rows) and 0 <= j < len(sheet.rows[i]):
            sheet.rows[i][j] = why
    header, doubled = headed([None if isinstance(name, CellError) else name for name in sheet.rows[0]], sheet.top + 1)
    return _body(sheet.rows[1:], sheet.top + 2, header, doubled, notes)


def _body(rows: list[list[Any]], line: int, header: list[str], doubled: tuple[str, ...], notes: tuple[str, ...]) -> RawTable:
    filled = [i for i, row in enumerate(rows) if any(cell not in ("", None) for cell in row)]
    columns = []
    for number in range(len(header)):
        encoder = Encoder()
        encoder.add(_key(rows[i][number]) for i in filled)
        columns.append(encoder.column())
    return table_of(header, columns, np.asarray(filled, dtype=np.int64) + line, {}, doubled, notes)


def _key(cell: Any) -> Any:
    return cell if isinstance(cell, str) else (type(cell), cell)


# -- before it is opened


def _checked(data: bytes, limits: Limits) -> dict[str, Marks]:
    """Unpacks every part once and counts. Returns, by part, the cells without a value. Raises UnreadableError for what is too large."""
    marks: dict[str, Marks] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
            if sum(part.file_size for part in parts) > limits.unpacked or len(parts) > MAX_PARTS:
                large = f"unpacks to more than {limits.unpacked // 1_000_000:,} MB"
                raise UnreadableError("E510", large, "save only the sheet that is needed, or as CSV")
            for part in parts:
                name = part.filename.lower().replace("\\", "/")
                with packed.open(part) as stream:
                    found = _scanned(_blocks(stream), name.startswith("xl/worksheets/"), limits)
                if found:
                    marks[name] = found
    except UnreadableError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError, KeyError) as error:
        raise _damaged("it is protected by a password" if "password" in str(error) else "") from None
    return marks


def _blocks(stream: Any) -> Iterator[bytes]:
    while block := stream.read(_CHUNK):
        yield block


def _scanned(blocks: Iterator[bytes], sheet: bool, limits: Limits) -> Marks:
    """Reads a part to its end (which checks its length and checksum); of a sheet also how far its cells reach."""
    box, marks, tail = _Box(), Marks(), b""
    for block in blocks:
        if sheet:
            window = tail + block
            box.include(window)
            box.check(limits)
            if b't="e"' in window:
                marks |= {(int(r) - 1, _column(c) - 1): FAILED for c, r in _ERROR.findall(window)}
            if b"<f" in window or b":f" in window:
                marks |= {(int(r) - 1, _column(c) - 1): UNCALCULATED for c, r in _NO_VALUE.findall(window)}
            tail = window[-_OVERLAP:]
    return marks


@dataclass(slots=True)
class _Box:
    """How far the cells of a sheet reach: a reader makes room for the whole rectangle, however few cells there are."""

    top: int = 2**31
    bottom: int = 0
    right: int = 0

    def include(self, xml: bytes) -> None:
        found = _CELL.findall(xml)
        if not found:
            return
        rows = {int(row) for row in {row for _, row in found}}
        self.top, self.bottom = min(self.top, *rows), max(self.bottom, *rows)
        self.right = max(self.right, *(_column(letters) for letters in {letters.upper() for letters, _ in found}))

    def check(self, limits: Limits) -> None:
        height = self.bottom - self.top + 1
        if self.right > limits.columns:
            raise UnreadableError(
                "E510",
                f"reaches to column {self.right:,}, at most {limits.columns} are read",
                "delete the columns behind the data",
            )
        if height > limits.rows or height * self.right > limits.cells:
            raise UnreadableError(
                "E510",
                f"has more than {min(limits.rows, limits.cells // max(1, self.right)):,} rows",
                "split it, or export a shorter period",
            )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


# -- opening


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Cells from the first that is used; `top`, `left`: its row and column from 0 · `part`: where the workbook keeps it, if known."""

    rows: list[list[Any]]
    top: int
    left: int
    part: str


def _sheet(data: bytes, wanted: str) -> tuple[_Sheet, tuple[str, ...]]:
    """The sheet named `wanted`, or the only one with cells; and what is to be said about the others."""
    try:
        import python_calamine as calamine

        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        every = [s.name for s in book.sheets_metadata]
        names = [s.name for s in book.sheets_metadata if s.typ == calamine.SheetTypeEnum.WorkSheet]
        chosen = [name for name in names if name.strip().lower() == wanted.lower()]
        sheets = {name: book.get_sheet_by_name(name) for name in chosen or names}
        filled = {name: sheet for name, sheet in sheets.items() if sheet.start is not None}
        if len(filled) > 1:
            listed = ", ".join(f'"{name[:40]}"' for name in list(filled)[:6])
            raise UnreadableError(
                "E510", f"has more than one sheet with cells: {listed}", f'keep one, or name the right one "{wanted}"'
            )
        if not filled:
            return _Sheet([], 0, 0, ""), ()
        name, sheet = next(iter(filled.items()))
        top, left = sheet.start or (0, 0)
        others = tuple(f'sheet "{other[:40]}" was not read' for other in names if chosen and other != name)
        return _Sheet(sheet.to_python(skip_empty_area=True), top, left, _part(data, every.index(name))), others
    except UnreadableError:
        raise
    except Exception as error:
        raise _damaged("it is protected by a password" if "assword" in type(error).__name__ else "") from None
    except BaseException as error:  # a panic of the reader's Rust code is not an Exception
        if type(error).__name__ == "PanicException":
            raise _damaged("") from None
        raise


def _part(data: bytes, number: int) -> str:
    """The name of the part that holds a sheet, in lower case; "" if the workbook does not say."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        names = {name.lower().replace("\\", "/"): name for name in packed.namelist()}
        if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= set(names):
            return ""
        ids = _SHEET.findall(packed.read(names["xl/workbook.xml"]))
        for relation in _RELATION.findall(packed.read(names["xl/_rels/workbook.xml.rels"])):
            fields = dict(re.findall(rb'(\w+)="([^"]*)"', relation))
            if number < len(ids) and fields.get(b"Id") == ids[number]:
                target = fields.get(b"Target", b"").decode("utf-8", errors="replace").lower()
                return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return ""


def _damaged(why: str) -> UnreadableError:
    return UnreadableError(
        "E510", f"cannot be read as an Excel workbook{f': {why}' if why else ''}", "save it as .xlsx anew, or as CSV in UTF-8"
    )
