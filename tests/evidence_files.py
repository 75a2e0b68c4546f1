"""Files of evidence for tests: CSV, Excel workbooks and Parquet files in memory, and a short way to have them checked."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.evidence.evidence import Evidence
from models.evidence.mapping import ExportMapping
from models.evidence.settings import EvidenceSettings
from models.schema import CaseFile
from scenarios.evidence import LIMITS, Limits, read_bytes
from scenarios.files import load

SAID = {"zone": "Europe/Berlin", "exported": "2026-11-30", "salt": "a salt for tests"}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_STYLES = f"""<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/></numFmts>
<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>"""


@cache
def case(name: str = "invoice_processing") -> CaseFile:
    return load(name).case


def settings(**said: Any) -> EvidenceSettings:
    return EvidenceSettings.model_validate({**SAID, **said})


def read(name: str, data: str | bytes, mapping: ExportMapping | None = None, limits: Limits = LIMITS, **said: Any) -> Evidence:
    """The evidence in one file."""
    return read_bytes(name, data if isinstance(data, bytes) else data.encode(), case(), settings(**said), mapping, limits)


def codes(evidence: Evidence) -> list[str]:
    return [d.code for d in evidence.defects]


def defect(evidence: Evidence, code: str) -> str:
    """Place, message and remedy of the first defect of a code."""
    found = next(d for d in evidence.defects if d.code == code)
    return f"{found.place}: {found.message}; {found.remedy}"


def csv_text(rows: Sequence[Sequence[Any]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


def parquet(rows: Sequence[Sequence[Any]]) -> bytes:
    """The first row names the columns."""
    out = io.BytesIO()
    columns = {str(name): [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


class Formula(str):
    """A cell with a formula; `value`: what was stored beside it, None if nothing was."""

    value: object = None


def formula(text: str, value: object) -> Formula:
    made = Formula(text)
    made.value = value
    return made


def xlsx(
    *sheets: Sequence[Sequence[Any]], names: Sequence[str] = (), first_row: int = 1, more: dict[str, bytes] | None = None
) -> bytes:
    """A workbook with a sheet for each list of rows."""
    names = names or [f"Sheet{i + 1}" for i in range(len(sheets))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        parts = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(names, 1))
        packed.writestr("[Content_Types].xml", _types(len(sheets)))
        packed.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        packed.writestr("xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{parts}</sheets></workbook>')
        relations = [(f"rId{i + 1}", "worksheet", f"worksheets/sheet{i + 1}.xml") for i in range(len(sheets))]
        packed.writestr("xl/_rels/workbook.xml.rels", _relations([*relations, ("rId99", "styles", "styles.xml")]))
        packed.writestr("xl/styles.xml", _STYLES)
        for i, rows in enumerate(sheets, 1):
            packed.writestr(f"xl/worksheets/sheet{i}.xml", sheet_xml(rows, first_row))
        for name, data in (more or {}).items():
            packed.writestr(name, data)
    return out.getvalue()


def _types(sheets: int) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i + 1}.xml" ContentType="{kind}.worksheet+xml"/>' for i in range(sheets)
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{parts}</Types>'
    )


def _relations(found: list[tuple[str, str, str]]) -> str:
    inner = "".join(f'<Relationship Id="{i}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for i, kind, target in found)
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def sheet_xml(rows: Sequence[Sequence[Any]], first_row: int = 1) -> str:
    body = []
    for i, row in enumerate(rows, first_row):
        cells = "".join(_cell(value, f"{_letters(j)}{i}") for j, value in enumerate(row) if value is not None)
        body.append(f'<row r="{i}">{cells}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(body)}</sheetData></worksheet>'


def _letters(column: int) -> str:
    return ("" if column < 26 else _letters(column // 26 - 1)) + chr(65 + column % 26)


def _cell(value: Any, place: str) -> str:
    if isinstance(value, Formula):
        stored = "" if value.value is None else f"<v>{value.value}</v>"
        return f'<c r="{place}"><f>{escape(value)}</f>{stored}</c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        kind = "e" if value.startswith("#") else "str"
        return f'<c r="{place}" t="{kind}"><v>{escape(value)}</v></c>'
    if isinstance(value, dt.datetime):
        return f'<c r="{place}" s="2"><v>{(value - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)!r}</v></c>'
    if isinstance(value, dt.date):
        return f'<c r="{place}" s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
