"""Numbers, dates, zones and other cells: formats are decided for a column, what is open asks, what cannot be is refused."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.evidence.cells import is_sum, parse_flags, parse_texts, pseudonyms, text
from scenarios.evidence.dates import Reading, parse_times
from scenarios.evidence.numbers import parse_numbers
from scenarios.evidence.raw import CellError
from scenarios.evidence.zones import DAY, Zone

BERLIN = Zone.of("Europe/Berlin")
UTC = Zone.of("UTC")


def numbers(*cells, kind="number", decimal=""):
    found = parse_numbers(cells, kind, decimal)
    assert found.wrong == {}
    assert found.column == ()
    return found.values.tolist()


def utc(local: str, zone: str = "Europe/Berlin") -> float:
    return dt.datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(*cells, order="", zone=BERLIN, day_only=False):
    found = parse_times(cells, Reading(zone, order, None), day_only)
    assert found.wrong == {}
    assert found.column == ()
    return found.values.tolist()


# -- numbers


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.234,50", "12", "7,5"], [1234.5, 12, 7.5]),
        (["1,234.50", "12", "7.5"], [1234.5, 12, 7.5]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["0.125", "1.234"], [0.125, 1.234]),
        (["1'234.50", "2\u2019000"], [1234.5, 2000]),
        (["1\u00a0234,5", "1 234 567,25"], [1234.5, 1234567.25]),
        (["-3.5", "3.5-", "(3.5)", "\u22123.5", "+3.5"], [-3.5, -3.5, -3.5, -3.5, 3.5]),
        (["1.5e3", "2E-2"], [1500, 0.02]),
        ([".5", "5."], [0.5, 5]),
        (["1234", 5, 2.5], [1234, 5, 2.5]),
        (["1234.567"], [1234.567]),
    ],
)
def test_numbers(cells, values):
    assert numbers(*cells) == pytest.approx(values)


@pytest.mark.parametrize(
    ("cell", "value", "currency"),
    [
        ("1.234,50 EUR", 1234.5, "EUR"), ("€ 1.234,50", 1234.5, "EUR"), ("-1.234,50€", -1234.5, "EUR"), ("USD 0,50", 0.5, "USD"),
        ("$1,234.50", 1234.5, "USD"), ("-$1,234.50", -1234.5, "USD"), ("£5.00", 5, "GBP"), ("($5.00)", -5, "USD"),
    ],
)  # fmt: skip
def test_amounts(cell, value, currency):
    found = parse_numbers([cell], "amount", "")
    assert (found.values.tolist(), found.more.tolist(), found.wrong, found.column) == ([value], [currency], {}, ())


def test_shares():
    assert numbers("8 %", "0.08", "100%", "0", 1.0, kind="share") == pytest.approx([0.08, 0.08, 1, 0, 1])
    assert numbers("8,5 %", kind="share") == pytest.approx([0.085])


@pytest.mark.parametrize(
    ("kind", "cell", "code"),
    [
        ("count", "1.5", "E522"), ("count", "-1", "E522"), ("count", "1e15", "E522"), ("count", "8 %", "E521"), ("count", "5 EUR", "E521"),
        ("share", "1.2", "E522"), ("share", "101 %", "E522"), ("share", -0.1, "E522"), ("number", "2.4 s", "E521"), ("number", "nan", "E521"),
        ("number", float("nan"), "E521"), ("number", float("inf"), "E521"), ("number", "1e999", "E521"), ("number", 10**400, "E521"),
        ("number", "1.2.3", "E521"), ("number", "1,23,456", "E521"), ("number", "12,34.5", "E521"), ("number", "--3", "E521"), ("number", "(3", "E521"),
        ("number", "=1+1", "E521"), ("number", "n/a", "E521"), ("number", True, "E521"), ("number", "٣", "E521"), ("amount", "1e16", "E522"),
        ("number", dt.date(2026, 9, 1), "E521"), ("number", CellError("holds the error #REF!"), "E521"),
    ],
)  # fmt: skip
def test_what_is_no_such_number(kind, cell, code):
    found = parse_numbers([cell], kind, "")
    assert [code] == [wrong[0] for wrong in found.wrong.values()] + [c[0] for c in found.column]


def test_separators_are_decided_for_a_column_never_for_a_cell():
    mixed = parse_numbers(["1.234,50", "1,234.50", "7"], "number", "")
    unclear = parse_numbers(["1.234", "7"], "number", "")

    assert [c[0] for c in mixed.column] == ["E523"]
    assert mixed.column[0][3] == (1, 0)
    assert [c[0] for c in unclear.column] == ["E523"]
    assert numbers("1.234", "7", decimal=",") == [1234, 7]
    assert numbers("1.234", "7", decimal=".") == [1.234, 7]
    assert "settings.toml says" in parse_numbers(["1,5"], "number", ".").column[0][1]


@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1, max_size=20), st.booleans())
def test_numbers_come_back_from_either_way_of_writing(values, german):
    shown = [f"{x:,.2f}" for x in values]
    if german:
        shown = [s.translate(str.maketrans(",.", ".,")) for s in shown]
    assert numbers(*shown) == pytest.approx(values)


# -- dates


@pytest.mark.parametrize(
    ("cells", "first", "length"),
    [
        (["2026-09-01"], "2026-09-01", 86_400), (["01.09.2026"], "2026-09-01", 86_400), (["1.9.2026 10:05"], "2026-09-01 10:05", 60),
        (["31/08/2026", "01/09/2026"], "2026-08-31", 86_400), (["9/25/2026 2:05 PM", "9/1/2026 2:05 AM"], "2026-09-25 14:05", 60),
        (["2026/09/01 10:05:07"], "2026-09-01 10:05:07", 1), (["20260901"], "2026-09-01", 86_400), (["01-Sep-2026"], "2026-09-01", 86_400),
        (["1. Okt. 2026"], "2026-10-01", 86_400), (["Sep 1, 2026"], "2026-09-01", 86_400), (["1 März 2026 08:00"], "2026-03-01 08:00", 60),
        (["01.09.2026, 10:05 Uhr"], "2026-09-01 10:05", 60), (["12/31/2026 12:00 AM"], "2026-12-31", 60),
        ([dt.date(2026, 9, 1)], "2026-09-01", 86_400), ([dt.datetime(2026, 9, 1, 10, 5)], "2026-09-01 10:05", 60),
        ([dt.datetime(2026, 9, 1, 10, 5, 7)], "2026-09-01 10:05:07", 1), (["2026-09-01T10:05:07.250"], "2026-09-01 10:05:07.250", 1),
    ],
)  # fmt: skip
def test_dates(cells, first, length):
    low, high = times(*cells)[0]
    assert (low, high - low) == (utc(first), length)


@pytest.mark.parametrize(
    "cell", ["2026-09-01T08:05Z", "2026-09-01 10:05+02:00", "2026-09-01T10:05:00+0200", "2026-09-01 03:05-05"]
)
def test_offsets(cell):
    assert times(cell, zone=None)[0][0] == utc("2026-09-01 10:05")


@pytest.mark.parametrize(
    "cell",
    ["2026-02-30", "31.04.2026", "2026-13-01", "01.09.26", "yesterday", 45901.0, True, "2026-09-01 25:00", "2026-09-01 10:61", "13:00 PM", "1 Foo 2026",
     "9/25/2026 13:05 PM", "2026-09-01T10:05+99:00", dt.time(10, 5), "٢٠٢٦-٠٩-٠١x", CellError("holds the error #N/A"), "0000-01-01"],
)  # fmt: skip
def test_what_is_no_date(cell):
    found = parse_times([cell], Reading(BERLIN, "", None), False)
    assert [wrong[0] for wrong in found.wrong.values()] == ["E524"]


def test_day_and_month_are_decided_for_a_column():
    reading = Reading(BERLIN, "", None)
    assert [c[0] for c in parse_times(["03/04/2026", "05/06/2026"], reading, False).column] == ["E525"]
    assert [c[0] for c in parse_times(["13/04/2026", "04/13/2026"], reading, False).column] == ["E525"]
    assert times("03/04/2026", "13/04/2026")[0][0] == utc("2026-04-03")
    assert times("03/04/2026", "04/13/2026")[0][0] == utc("2026-03-04")
    assert times("03/04/2026", order="day_first")[0][0] == utc("2026-04-03")
    assert times("03/04/2026", order="month_first")[0][0] == utc("2026-03-04")
    assert times("04/04/2026")[0][0] == utc("2026-04-04")
    assert "as settings.toml says" in parse_times(["13/04/2026"], Reading(BERLIN, "month_first", None), False).column[0][1]


def test_zones_are_asked_and_never_mixed():
    assert [c[0] for c in parse_times(["2026-09-01"], Reading(None, "", None), False).column] == ["E540"]
    mixed = parse_times(["2026-09-01 10:00", "2026-09-01 10:00Z"], Reading(BERLIN, "", None), False)
    assert [c[0] for c in mixed.column] == ["E526"]


def test_dates_out_of_range():
    found = parse_times(["1989-12-31", "2026-10-01", "2026-09-30", "2199-01-01"], Reading(BERLIN, "", utc("2026-10-01")), False)
    assert {i: wrong[0] for i, wrong in found.wrong.items()} == {0: "E527", 1: "E527", 3: "E527"}


def test_times_that_are_all_at_midnight_are_dates_alone():
    found = parse_times([f"2026-09-0{i} 00:00:00" for i in range(1, 8)], Reading(BERLIN, "", None), False)
    assert set((found.values[:, 1] - found.values[:, 0]).tolist()) == {86_400}
    assert "read as dates alone" in found.note
    assert set(np.diff(times(*(f"2026-09-0{i} 10:00:00" for i in range(1, 8)))).reshape(-1).tolist()) == {60}


# -- clocks that change


def test_a_skipped_hour_is_a_defect_and_a_repeated_one_is_wide():
    found = parse_times(["2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25 03:30"], Reading(BERLIN, "", None), False)

    assert list(found.wrong) == [0]
    assert "does not exist in Europe/Berlin" in found.wrong[0][1]
    assert (found.values[1, 1] - found.values[1, 0]) == 3_660
    assert (found.values[2, 1] - found.values[2, 0]) == 60


def test_days_are_as_long_as_they_are():
    lengths = np.diff(times("2026-03-29", "2026-10-25", "2026-07-01")).reshape(-1) / 3_600
    assert lengths.tolist() == [23, 25, 24]
    assert times("2026-07-01 23:30", day_only=True) == [[utc("2026-07-01"), utc("2026-07-02")]]


@pytest.mark.parametrize(
    "name",
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC", "Africa/Casablanca"],
)
def test_zones_agree_with_the_library(name):
    zone, library = Zone.of(name), ZoneInfo(name)
    rng = np.random.default_rng(1)
    instants = rng.integers(utc("1990-01-01", "UTC"), utc("2037-01-01", "UTC"), 3_000).astype(float)
    shown = zone.local(instants)
    expected = [i + dt.datetime.fromtimestamp(i, tz=library).utcoffset().total_seconds() for i in instants]
    first, last, skipped = zone.instants(shown)

    np.testing.assert_array_equal(shown, expected)
    assert not skipped.any()
    assert ((first == instants) | (last == instants)).all()


def test_every_local_day_is_covered_once():
    days = Zone.of("America/Sao_Paulo").days(np.arange(10_000, 20_000))
    assert (days[1:, 0] == days[:-1, 1]).all()
    assert set((np.diff(days).reshape(-1) / 3_600).tolist()) == {23, 24, 25}
    assert (UTC.days(np.arange(3)) == np.arange(3)[:, None] * DAY + [0, DAY]).all()


# -- other cells


def test_flags():
    found = parse_flags(["yes", "Nein", "JA", "0", 1.0, False, None])
    assert found.values[:6].tolist() == [1, 0, 1, 0, 1, 0]
    assert np.isnan(found.values[6])
    assert list(parse_flags(["maybe", 2.0, CellError("x")]).wrong) == [0, 1, 2]


def test_texts():
    assert [text(cell) for cell in (None, 4711.0, 1.5, True, dt.date(2026, 9, 1), "a")] == [
        "",
        "4711",
        "1.5",
        "yes",
        "2026-09-01",
        "a",
    ]
    assert list(parse_texts(["a" * 501, CellError("x"), "b"]).wrong) == [0, 1]


@pytest.mark.parametrize("cell", ["Total", "SUMME:", "Grand Total", "Gesamtergebnis", "Zwischensumme", "=sum"])
def test_words_of_sums(cell):
    assert is_sum(cell)


@pytest.mark.parametrize("cell", ["Total Energies", "Summer", None, 3.0, "INV-1"])
def test_other_words(cell):
    assert not is_sum(cell)


def test_pseudonyms_are_stable_and_need_the_salt():
    a, again, other = (
        pseudonyms(["Erika Muster", "erika  muster", ""], "one"),
        pseudonyms(["Erika Muster"], "one"),
        pseudonyms(["Erika Muster"], "two"),
    )
    assert a[0] == a[1] == again[0] != other[0]
    assert a[2] == ""
    assert "rika" not in a[0]
