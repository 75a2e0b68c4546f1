"""The worked example of every kind checks without a defect, in every format, and adapted to every shipped scenario."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from models.evidence.informs import PATTERNS, possible
from models.evidence.kinds import KINDS
from models.evidence.table import FileKind
from scenarios.catalogue import shipped_names
from scenarios.evidence import read_bytes
from scenarios.evidence.templates import example_rows
from tests.evidence_files import case, csv_text, parquet, read, settings, xlsx

NAMES = [kind.name for kind in KINDS]
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}


def rows_of(kind: FileKind) -> list[tuple[str, ...]]:
    return [tuple(spec.name for spec in kind.columns), *kind.example]


def typed(kind: FileKind) -> list[tuple[object, ...]]:
    """The example with numbers and dates as such."""

    def value(text: str, sort: str) -> object:
        if not text:
            return None
        if sort in ("count", "number", "share"):
            return float(text)
        return dt.date.fromisoformat(text) if sort == "day" else dt.datetime.fromisoformat(text) if sort == "time" else text

    body = [tuple(value(cell, spec.kind) for cell, spec in zip(row, kind.columns, strict=True)) for row in kind.example]
    return [tuple(spec.name for spec in kind.columns), *body]


@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_example_has_no_defect(kind, separator):
    found = read(f"{kind.name}.csv", csv_text(rows_of(kind), separator))

    assert found.defects == ()
    assert len(found.tables[kind.name]) == len(kind.example)
    assert found.files[0].rows_used == found.files[0].rows_read == len(kind.example)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_excel_and_parquet_hold_the_same(kind):
    tables = [
        read(f"{kind.name}.csv", csv_text(rows_of(kind))).tables[kind.name],
        read(f"{kind.name}.xlsx", xlsx(typed(kind))).tables[kind.name],
        read(f"{kind.name}.parquet", parquet(typed(kind))).tables[kind.name],
        read(f"{kind.name}.parquet", parquet(rows_of(kind))).tables[kind.name],
    ]

    for spec in kind.columns:
        first, *others = [_values(table, spec) for table in tables]
        for other in others:
            if spec.kind == "time":  # a time at midnight is a date alone for Excel
                first, other = first[:, 0], other[:, 0]  # noqa: PLW2901
            np.testing.assert_array_equal(first, other, err_msg=spec.name)
            first = _values(tables[0], spec)


def _values(table, spec):
    if spec.kind in ("day", "time"):
        return table.times(spec.name)
    return table.numbers(spec.name) if spec.kind in ("count", "number", "share") else table.texts(spec.name)


@pytest.mark.parametrize("name", shipped_names())
@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_adapted_examples_fit_every_scenario(kind, name):
    rows = example_rows(kind, case(name))
    if not rows:
        return
    text = csv_text([tuple(spec.name for spec in kind.columns), *rows])
    found = read_bytes(f"{kind.name}.csv", text.encode(), case(name), settings())

    assert found.defects == ()
    assert found.files[0].informs


def test_every_column_that_informs_names_its_parameters():
    for kind in KINDS:
        if kind.name == "readiness":  # a check informs whether a cause acts, which is no parameter
            continue
        assert set(PATTERNS[kind.name]) <= {spec.name for spec in kind.columns}, kind.name
        assert any(PATTERNS[kind.name].values()), kind.name
        if kind.name not in ("counts", "experts"):
            assert possible(kind, case()), kind.name


def test_parameters_are_those_that_the_rows_speak_of():
    informs = {
        item.column: item.parameters
        for item in read("approvals.csv", csv_text(rows_of(KINDS[NAMES.index("approvals")]))).files[0].informs
    }

    assert informs["decided"] == ("steps.approve.levels.1.response.median", "steps.approve.levels.1.response.p90")
    assert informs["reminded"] == ("steps.approve.levels.1.remind.multiplier",)
