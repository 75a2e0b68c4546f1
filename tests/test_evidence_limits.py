"""Files that are too large, damaged, packed to explode, or not what their name says: one plain defect each, and no large memory."""

from __future__ import annotations

import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scenarios.evidence import LIMITS, Limits, headers_of
from scenarios.problems import CaseError
from tests.evidence_files import codes, csv_text, defect, formula, parquet, read, sheet_xml, xlsx

ROWS = [["right", "tried"], [5, 6], [4, 4]]
SMALL = Limits(bytes=20_000, unpacked=40_000, rows=100, columns=20, cells=1_000)


def refused(name: str, data: bytes | str, message: str, limits: Limits = LIMITS, code: str = "E510") -> None:
    found = read(name, data, limits=limits)
    assert codes(found) == [code]
    assert message in defect(found, code)
    assert found.tables == {}


# -- size


def test_too_many_bytes_rows_columns_and_cells():
    refused("pilot.csv", "right\n" + "1\n" * 10_000, "is larger than 0 MB", SMALL)
    refused("pilot.csv", "right\n" + "1\n" * 101, "has more than 100 rows", SMALL)
    refused("pilot.csv", ",".join(f"c{i}" for i in range(21)) + "\n1\n", "has 21 columns, at most 20", SMALL)
    refused("pilot.csv", csv_text([["x"] * 15, *([["1"] * 15] * 80)]), "has more than 66 rows", SMALL)
    refused("pilot.xlsx", xlsx([["right"], *([[1]] * 101)]), "has more than 100 rows", SMALL)
    refused("pilot.xlsx", xlsx([["right"] * 21]), "reaches to column 21, at most 20", SMALL)
    refused("pilot.parquet", parquet([["right"], *([[1]] * 101)]), "has 101 rows", SMALL)
    refused("pilot.parquet", parquet([[f"c{i}" for i in range(21)], [1] * 21]), "has 21 columns", SMALL)


def test_the_limits_are_those_that_are_promised():
    assert (LIMITS.bytes, LIMITS.rows, LIMITS.columns) == (100_000_000, 2_000_000, 500)


def test_a_workbook_that_unpacks_to_too_much():
    refused("pilot.xlsx", xlsx(ROWS, more={"xl/media/zeros.bin": bytes(50_000)}), "unpacks to more than", SMALL)


def test_a_part_that_lies_about_its_size():
    data = bytearray(xlsx(ROWS, more={"xl/media/zeros.bin": bytes(50_000)}))
    for sign, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = -1
        while (at := data.find(sign, at + 1)) >= 0:
            if b"zeros" in data[at : at + 80]:
                data[at + offset : at + offset + 4] = (100).to_bytes(4, "little")
    refused("pilot.xlsx", bytes(data), "cannot be read as an Excel workbook", SMALL)


@pytest.mark.parametrize("place", ["XFD1048576", "A1048576", "XFD2", "ZZZZ1", "A999999999"])
def test_a_single_cell_far_away_makes_no_huge_table(place):
    sheet = sheet_xml(ROWS).replace("</sheetData>", f'<row><c r="{place}"><v>1</v></c></row></sheetData>')
    data = _with_sheet(sheet)
    assert codes(read("pilot.xlsx", data, limits=Limits(rows=100_000))) == ["E510"]


def _with_sheet(sheet: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(ROWS))) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            new.writestr(part, sheet if part.endswith("sheet1.xml") else old.read(part))
    return out.getvalue()


def test_a_parquet_file_whose_texts_repeat_stays_small():
    out = io.BytesIO()
    long = "x" * 400_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array([long]))
    pq.write_table(pa.table({"cluster": repeated, "right": [1] * 20_000}), out, store_schema=False)
    assert len(out.getvalue()) < 1_000_000
    found = read("pilot.parquet", out.getvalue())
    assert codes(found) == ["E521"] * 50
    assert found.files[0].rows_defective == 20_000


# -- damage


@pytest.mark.parametrize("name", ["pilot.csv", "pilot.xlsx", "pilot.parquet"])
@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02",
        b"PK\x03\x04",
        b"PAR1",
        b"\xff\xfe\x00",
        b"\xd0\xcf\x11\xe0abc",
        b"PK\x03\x04" + b"\x00" * 400,
        b"PAR1\x00\x00\x00\x00PAR1",
    ],
)
def test_what_is_no_such_file(name, data):
    assert codes(read(name, data)) in (["E510"], ["E512"])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_files_that_are_cut_off(share):
    for name, data in (("pilot.xlsx", xlsx(ROWS)), ("pilot.parquet", parquet(ROWS))):
        refused(name, data[: int(len(data) * share)], "cannot be read as")


def test_files_with_the_wrong_name():
    refused("pilot.csv", xlsx(ROWS), 'looks like ".xlsx"')
    refused("pilot.xlsx", parquet(ROWS), 'looks like ".parquet"')
    refused("pilot.parquet", csv_text(ROWS), "cannot be read as a Parquet file")


def test_a_zip_that_is_no_workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("hello.txt", "hello")
    refused("pilot.xlsx", out.getvalue(), "cannot be read as an Excel workbook")


def test_hostile_names_of_files():
    for name in ("../../etc/pilot.csv", "C:\\temp\\pilot.csv", "PILOT.CSV"):
        assert read(name, csv_text(ROWS)).defects == ()
    for name in ("\x1b[2Jpilot.csv", "pi\nlot.csv", "", ".", "..", "/", "a" * 5_000 + ".csv"):
        assert codes(read(name, csv_text(ROWS))) == ["E511"]


# -- encodings


def test_encodings():
    text = "right,tried,cluster\n5,6,Müller\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        found = read("pilot.csv", text.encode(encoding))
        assert found.defects == ()
        assert found.tables["pilot"].texts("cluster").tolist() == ["Müller"]
    found = read("pilot.csv", text.encode("cp1252"))
    assert found.tables["pilot"].texts("cluster").tolist() == ["Müller"]
    assert any("was read as Windows-1252" in note for note in found.files[0].notes)
    refused("pilot.csv", b"right,tried,cluster\n5,6,M\x81ller\n", "neither UTF-8 nor Windows-1252")
    refused("pilot.csv", b"\xef\xbb\xbfright\n\xff\n", "not the text that its first bytes announce")
    refused("pilot.csv", b"right,tried\n5,\x006\n", "is not a text file")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nright;tried\n5;6\n",
        "right\ttried\n5\t6\n",
        "\n\nright,tried\n\n5,6\n\n",
        "right;tried;cluster\r\n5;6;a, b, c\r\n",
        "right,tried\n5,6\n,\n",
    ],
)
def test_ways_of_writing_csv(text):
    found = read("pilot.csv", text)
    assert found.defects == ()
    assert found.tables["pilot"].numbers("tried").tolist() == [6]


def test_lines_are_those_of_the_file():
    assert read("pilot.csv", 'right,tried,cluster\n\n5,6,"a\nb"\n5,6,c\n').tables["pilot"].lines.tolist() == [3, 5]
    assert read("pilot.xlsx", xlsx([["right", "tried"], [5, 6], [None, None], [5, 6]], first_row=4)).tables[
        "pilot"
    ].lines.tolist() == [5, 7]
    assert read("pilot.parquet", parquet(ROWS)).tables["pilot"].lines.tolist() == [2, 3]


# -- workbooks


def test_the_sheet_that_is_meant():
    assert read("pilot.xlsx", xlsx(ROWS, [])).defects == ()
    refused("pilot.xlsx", xlsx(ROWS, ROWS), 'more than one sheet with cells: "Sheet1", "Sheet2"')
    found = read("pilot.xlsx", xlsx([["notes"]], ROWS, names=["Notes", "Pilot"]))
    assert found.defects == ()
    assert found.files[0].notes[0] == 'sheet "Notes" was not read'
    refused("pilot.xlsx", xlsx([]), "is empty", code="E516")


def test_formulas_are_taken_by_their_stored_value():
    found = read("pilot.xlsx", xlsx([["right", "tried"], [formula("2+3", 5), 6]]))
    assert found.tables["pilot"].numbers("right").tolist() == [5]
    lost = read(
        "pilot.xlsx", xlsx([["notes"]], [["right", "tried"], [5, 6], [formula("2+3", None), 6]], names=["Notes", "pilot"])
    )
    assert [(d.code, d.row, d.column, d.message) for d in lost.defects] == [
        ("E521", 3, "right", "holds a formula without a stored value")
    ]


def test_values_of_other_types():
    found = read("pilot.xlsx", xlsx([["right", "tried", "cluster"], [True, 6, 4711]]))
    assert [(d.code, d.column) for d in found.defects] == [("E521", "right")]
    nested = io.BytesIO()
    pq.write_table(pa.table({"right": [[1], [2]], "tried": [1, 2]}), nested)
    refused("pilot.parquet", nested.getvalue(), "holds lists or tables", code="E521")


def test_parquet_types():
    import datetime as dt
    from decimal import Decimal

    columns = {
        "right": pa.array([1, 2], pa.int8()), "tried": pa.array([Decimal("2.0"), Decimal("3.0")]), "cluster": pa.array(["a", None]).dictionary_encode(),
        "day": pa.array([dt.date(2026, 9, 1), None], pa.date64()), "confidence": pa.array([0.5, None], pa.float32()), "model_version": pa.array([b"v1", b"\xff"]),
    }  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    found = read("pilot.parquet", out.getvalue())
    assert found.defects == ()
    assert found.tables["pilot"].texts("cluster").tolist() == ["a", ""]
    stamps = pa.table(
        {
            "step": ["entry"] * 2,
            "started": pa.array([0, 10**18], pa.timestamp("ns", tz="UTC")),
            "ended": pa.array([0, 10**18], pa.timestamp("ns", tz="UTC")),
        }
    )
    out = io.BytesIO()
    pq.write_table(stamps, out)
    assert codes(read("times.parquet", out.getvalue())) == ["E527"]
    nan = io.BytesIO()
    pq.write_table(pa.table({"right": [1.0, float("nan")], "tried": [2.0, float("inf")]}), nan)
    assert codes(read("pilot.parquet", nan.getvalue())) == ["E521"]


def test_a_dictionary_that_just_fills_its_index():
    texts = pa.array([f"supplier {i}" for i in range(128)])
    column = pa.DictionaryArray.from_arrays(pa.array([*range(128), None], pa.int8()), texts)
    out = io.BytesIO()
    pq.write_table(pa.table({"right": [1] * 129, "cluster": column}), out)
    found = read("pilot.parquet", out.getvalue())
    assert found.defects == ()
    assert found.tables["pilot"].texts("cluster")[[0, 127, 128]].tolist() == ["supplier 0", "supplier 127", ""]


def test_every_byte_of_a_parquet_file_may_be_damaged():
    damaged = bytearray(parquet([["right", "cluster"], [1, "a"], [1, "b"]]))
    for position in range(len(damaged)):
        broken = bytearray(damaged)
        broken[position] ^= 0xE0
        read("pilot.parquet", bytes(broken))


def test_headers_of_a_file():
    assert headers_of("x.csv", b"Nr;Eingang\n1;2\n") == ("Nr", "Eingang")
    assert headers_of("x.xlsx", xlsx(ROWS)) == headers_of("x.parquet", parquet(ROWS)) == ("right", "tried")
    with pytest.raises(CaseError, match="E516"):
        headers_of("x.csv", b"")
    with pytest.raises(CaseError, match="E511"):
        headers_of("x.ods", b"abc")
