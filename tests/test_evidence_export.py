"""Exports of the company's own: one row a case with date columns, or one row an event; German and American ways of writing."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import ValidationError

from models.evidence.events import known_events
from models.evidence.mapping import ExportMapping
from models.evidence.table import Selection
from tests.evidence_files import case, codes, csv_text, defect, parquet, read, xlsx

GERMAN = [
    "Belegnummer",
    "Belegart",
    "Bruttobetrag",
    "Lieferant",
    "Bearbeiter",
    "Rechnungseingang",
    "Erfasst am",
    "Angefordert",
    "Freigegeben",
    "Gebucht",
    "Notiz",
]
MAPPED: dict[str, Any] = {
    "selected_by": "arrival",
    "first_day": "2026-09-01",
    "last_day": "2026-09-30",
    "people": ["Bearbeiter"],
    "leave_out_types": ["Gutschrift"],
    "columns": {"case": "Belegnummer", "type": "Belegart", "amount": "Bruttobetrag", "cluster": "Lieferant"},
    "types": {"Bestellbezug": "po_standard", "ohne Bestellung": "non_po"},
    "dates": {
        "Rechnungseingang": "arrival", "Erfasst am": "entry.ended", "Angefordert": "approve.1.asked", "Freigegeben": "approve.1.decided", "Gebucht": "end",
    },
}  # fmt: skip
ROWS = [
    [
        "R-1",
        "Bestellbezug",
        "1.234,50 EUR",
        "Alpha",
        "Erika Muster",
        "01.09.2026",
        "02.09.2026",
        "03.09.2026",
        "07.09.2026",
        "10.09.2026",
        "x",
    ],
    ["R-2", "ohne Bestellung", "80,00 EUR", "Beta", "Max Muster", "02.09.2026", "04.09.2026", "04.09.2026", "", "", ""],
    ["R-3", "Gutschrift", "-5,00 EUR", "Beta", "Max Muster", "02.09.2026", "", "", "", "", ""],
    ["R-4", "non_po", "100,00 EUR", "Alpha", "Erika Muster", "15.09.2026", "", "", "", "20.09.2026", ""],
]


def mapping(**changes: Any) -> ExportMapping:
    return ExportMapping.model_validate({**MAPPED, **changes})


def wide(*rows: list[str], form: str = "csv", **changes: Any):
    table = [GERMAN, *(rows or ROWS)]
    data = {"csv": csv_text(table, ";").encode(), "xlsx": xlsx(table), "parquet": parquet(table)}[form]
    return read(f"invoices.{form}", data, mapping(**changes))


def instant(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


# -- one row a case


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_cases_with_their_dates(form):
    found = wide(form=form)
    c = found.cycles

    assert found.defects == ()
    assert c.case.tolist() == ["R-1", "R-2", "R-4"]
    assert c.type.tolist() == ["po_standard", "non_po", "non_po"]
    assert c.cluster.tolist() == ["Alpha", "Beta", "Alpha"]
    assert c.amount.tolist() == [1234.5, 80, 100]
    assert c.open.tolist() == [False, True, False]
    assert c.lines.tolist() == [2, 3, 5]
    assert (c.selected_by, c.window) == ("arrival", (instant("2026-09-01"), instant("2026-10-01")))
    assert c.exported == instant("2026-12-01")
    figures = found.files[0]
    assert (figures.rows_read, figures.rows_used, figures.rows_left_out, figures.rows_defective) == (4, 3, 1, 0)
    assert figures.not_used == ("Notiz",)
    assert figures.totals == {"cases": 3, "open": 1, "amount EUR": 1414.5}
    assert figures.period == ("2026-09-01", "2026-09-20")


def test_dates_alone_give_intervals_and_open_cases_their_age():
    least, most = wide().cycles.days()

    assert least.tolist() == pytest.approx([8, 89 + 1 / 24, 4])
    assert most.tolist() == pytest.approx([10, np.inf, 6])
    least, most = wide().cycles.days_to("entry.ended")
    np.testing.assert_allclose(least, [0, 1, np.nan])
    np.testing.assert_allclose(most, [2, 3, np.nan])


def test_requests_for_approval_are_derived():
    table = wide().tables["approvals"]

    assert table.texts("case").tolist() == ["R-1", "R-2"]
    assert table.texts("step").tolist() == ["approve"] * 2
    assert table.texts("type").tolist() == ["po_standard", "non_po"]
    assert table.lines.tolist() == [2, 3]
    assert table.times("asked")[:, 0].tolist() == [instant("2026-09-03"), instant("2026-09-04")]
    assert np.isnan(table.times("decided")[1]).all()
    assert table.times("observed_until")[1, 1] == instant("2026-12-01")
    assert np.isnan(table.times("observed_until")[0]).all()
    assert table.selection == Selection("arrival", instant("2026-09-01"), instant("2026-10-01"), "case")


def test_arrivals_are_counted_on_every_day_of_the_period():
    table = wide().tables["arrivals"]
    by_day = table.numbers("cases").reshape(30, 4)

    assert by_day.sum() == 3
    assert by_day[0].tolist() == [1, 0, 0, 0]
    assert by_day[1].tolist() == [0, 0, 1, 0]
    assert table.times("day")[4].tolist() == [instant("2026-09-02"), instant("2026-09-03")]
    assert wide(columns={"case": "Belegnummer"}, types={}, leave_out_types=[]).tables["arrivals"].numbers("cases").tolist()[
        :2
    ] == [1, 2]


def test_a_case_without_a_type_counts_for_all():
    found = wide(*changed("Belegart", ""))
    assert found.defects == ()
    assert found.tables["arrivals"].numbers("cases")[:2].tolist() == [1, 1]
    assert set(found.tables["arrivals"].texts("type").tolist()) == {""}
    assert any("1 rows have no type" in note for note in found.files[0].notes)


def test_a_sample_says_nothing_of_volume_and_mix():
    found = wide(holds="sample")
    assert set(wide().tables) - set(found.tables) == {"arrivals"}
    assert found.cycles is not None
    assert any("a sample" in note for note in found.files[0].notes)


def test_an_export_of_what_ended_counts_no_arrivals():
    found = wide(ROWS[0], ROWS[3], selected_by="end")
    assert found.defects == ()
    assert set(found.tables) == {"approvals"}
    assert found.tables["approvals"].selection.by == "end"


def test_visits_of_steps_are_derived_where_two_dates_are_mapped():
    dates = {
        "Rechnungseingang": "arrival",
        "Erfasst am": "entry.entered",
        "Angefordert": "entry.started",
        "Freigegeben": "entry.ended",
        "Gebucht": "end",
    }
    table = wide(dates=dates).tables["times"]

    assert table.texts("case").tolist() == ["R-1", "R-2"]
    assert np.isnan(table.times("ended")[:, 0]).tolist() == [False, True]
    assert table.times("observed_until")[1, 1] == instant("2026-12-01")
    assert "times" not in wide().tables


def test_people_are_pseudonyms_everywhere():
    found = wide()
    names = found.cycles.people["Bearbeiter"]

    assert names[0] == names[2] != names[1]
    assert all(name.startswith("person ") for name in names)
    assert "Muster" not in repr((found, found.cycles, found.tables["approvals"].columns))
    assert codes(read("invoices.csv", csv_text([GERMAN, *ROWS], ";"), mapping(), salt="")) == ["E540"]


def test_american_dates_and_numbers():
    head = ["Invoice", "Amount", "Received", "Posted"]
    rows = [["1", "$1,234.50", "9/1/2026 8:05 AM", "9/25/2026 1:00 PM"], ["2", "$80.00", "9/13/2026 12:30 PM", ""]]
    how = mapping(
        columns={"case": "Invoice", "amount": "Amount"},
        types={},
        leave_out_types=[],
        people=[],
        dates={"Received": "arrival", "Posted": "end"},
    )
    found = read("cases.csv", csv_text([head, *rows]), how)

    assert found.defects == ()
    assert found.cycles.arrival[0].tolist() == [instant("2026-09-01 08:05"), instant("2026-09-01 08:06")]
    assert found.cycles.amount.tolist() == [1234.5, 80]
    assert found.files[0].totals["amount USD"] == 1314.5
    least, most = found.cycles.days()
    assert most[0] - least[0] == pytest.approx(2 / 1440)


def test_a_currency_in_a_column_of_its_own():
    head = ["Nr", "Betrag", "Währung", "Ein", "Aus"]
    how = mapping(
        columns={"case": "Nr", "amount": "Betrag", "currency": "Währung"},
        types={},
        leave_out_types=[],
        people=[],
        dates={"Ein": "arrival", "Aus": "end"},
    )
    text = csv_text([head, ["1", "5,00", "EUR", "2026-09-01", ""], ["2", "6,00 USD", "EUR", "2026-09-01", ""]], ";")
    found = read("invoices.csv", text, how)

    assert codes(found) == ["E534"]
    assert found.files[0].totals["amount EUR"] == 5


def changed(column: str, value: str, row: int = 0) -> list[list[str]]:
    rows = [list(r) for r in ROWS]
    rows[row][GERMAN.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("column", "value", "code", "message"),
    [
        ("Gebucht", "31.08.2026", "E531", "row 2, column Gebucht: lies before the arrival"),
        ("Erfasst am", "31.08.2026", "E531", "row 2, column Erfasst am: lies before the arrival"),
        ("Erfasst am", "11.09.2026", "E531", "row 2, column Erfasst am: lies after the end"),
        ("Freigegeben", "02.09.2026", "E531", "row 2, column Freigegeben: lies before approve.1.asked"),
        ("Rechnungseingang", "", "E520", "row 2, column Rechnungseingang: is empty"),
        ("Rechnungseingang", "31.08.2026", "E534", "row 2, column Rechnungseingang: lies outside the period of the export"),
        ("Rechnungseingang", "31.13.2026", "E524", "row 2, column Rechnungseingang"),
        ("Gebucht", "24.12.2026", "E527", "row 2, column Gebucht"),
        ("Belegnummer", "", "E520", "row 2, column Belegnummer: is empty"),
        ("Belegnummer", "R-2", "E532", 'row 3, column Belegnummer: "R-2" stands in row 2 already'),
        ("Belegnummer", "Summe", "E533", "row 2, column Belegnummer"),
        ("Belegart", "Mahnung", "E528", 'row 2, column Belegart: there is no type "Mahnung"; map it under [types]'),
        ("Bruttobetrag", "viel", "E521", "row 2, column Bruttobetrag"),
    ],
)
def test_rows_with_a_defect(column, value, code, message):
    found = wide(*changed(column, value))

    assert codes(found) == [code]
    assert message in defect(found, code)
    assert found.files[0].rows_defective == 1
    assert len(found.cycles) == 2


def test_an_open_case_contradicts_an_export_of_what_ended():
    found = wide(*ROWS[:2], selected_by="end")
    assert codes(found) == ["E534"]
    assert "is empty, but the export is said to hold cases that ended" in defect(found, "E534")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"columns": {**MAPPED["columns"], "amount": "Betrag"}},
            'columns.amount: the file has no column "Betrag"; did you mean "Bruttobetrag"?',
        ),
        ({"people": ["Sachbearbeiter"]}, 'people: the file has no column "Sachbearbeiter"; did you mean "Bearbeiter"?'),
        (
            {"dates": {**MAPPED["dates"], "Erfasst": "match.ended"}},
            'dates: the file has no column "Erfasst"; did you mean "Erfasst am"?',
        ),
        ({"dates": {**MAPPED["dates"], "Erfasst am": "entry.end"}}, 'which is no event of the case; did you mean "entry.ended"?'),
        ({"types": {"Bestellbezug": "po_standart"}}, 'which is no type of the case; did you mean "po_standard"?'),
        ({"types": {**MAPPED["types"], "Gutschrift": "non_po"}}, "is in types and in leave_out_types"),
        ({"columns": {"case": "Belegnummer"}}, "types are given, but no column of types"),
        ({"last_day": "2026-12-24"}, "lies after the day of the export"),
    ],
)
def test_a_mapping_that_does_not_fit(changes, message):
    found = wide(**changes)
    assert set(codes(found)) == {"E541"}
    assert any(message in f"{d.message}; {d.remedy}" for d in found.defects)
    assert found.cycles is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activities": {"x": "end"}}, '"activities" has no effect'),
        ({"dates": {"a": "arrival"}}, 'no entry of "dates" is the event "end"'),
        ({"dates": {**MAPPED["dates"], "x": "end"}}, 'more than one column is the event "end"'),
        ({"people": ["Belegnummer"]}, 'column "Belegnummer" is given more than one meaning'),
        ({"columns": {"case": "a", "time": "b"}}, "have no effect"),
        ({"form": "events", "dates": {}, "activities": {"a": "arrival", "b": "end"}}, 'needs the columns "activity" and "time"'),
        ({"first_day": "2026-10-01"}, "first_day is after last_day"),
        ({"schema_version": 2}, "version 2"),
        ({"colums": {}}, "Extra inputs"),
    ],
)
def test_a_mapping_that_contradicts_itself(changes, message):
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        mapping(**changes)


def test_without_a_mapping_or_the_day_of_the_export():
    text = csv_text([GERMAN, *ROWS], ";")
    assert codes(read("invoices.csv", text)) == ["E541"]
    assert codes(read("invoices.csv", text, mapping(), exported=None)) == ["E540"]
    assert codes(read("invoices.csv", text, mapping(), zone="")) == ["E540"]
    assert read("invoices.csv", text, mapping(exported="2026-10-31"), exported=None).cycles.exported == instant("2026-11-01")


def test_every_event_of_the_case_can_be_mapped():
    events = known_events(case())
    assert {
        "arrival",
        "end",
        "entry.started",
        "exceptions.3.ended",
        "approve.2.reminded",
        "review.ended",
        "inbox.entered",
    } <= set(events)
    assert not {"approve.asked", "match_ai.ended", "exceptions.ended"} & set(events)


# -- clocks


def test_hours_that_a_change_of_clocks_repeats_or_skips():
    head = ["Nr", "Ein", "Aus"]
    how = mapping(
        columns={"case": "Nr"},
        types={},
        leave_out_types=[],
        people=[],
        dates={"Ein": "arrival", "Aus": "end"},
        first_day="2026-03-01",
        last_day="2026-11-01",
    )
    found = read(
        "invoices.csv",
        csv_text(
            [
                head,
                ["1", "2026-10-25 02:30", "2026-10-25 04:00"],
                ["2", "2026-03-29 02:30", ""],
                ["3", "2026-03-28 12:00", "2026-03-29 12:00"],
            ]
        ),
        how,
    )
    least, most = found.cycles.days()

    assert [(d.code, d.row) for d in found.defects] == [("E526", 3)]
    assert (most[0] - least[0]) * 24 == pytest.approx(1 + 2 / 60)
    assert most[1] * 24 == pytest.approx(23 + 1 / 60)


# -- one row an event


EVENTS: dict[str, Any] = {
    "form": "events", "selected_by": "arrival", "first_day": "2026-09-01", "last_day": "2026-09-30",
    "columns": {"case": "Case", "activity": "Activity", "time": "End", "start": "Start", "type": "Type"},
    "activities": {"Received": "arrival", "Key": "entry.ended", "Ask": "approve.1.asked", "OK": "approve.1.decided", "Post": "end"},
}  # fmt: skip
LOG = [
    ["Case", "Activity", "Start", "End", "Type"],
    ["A", "Received", "", "2026-09-01 08:00", "non_po"],
    ["A", "Key", "2026-09-01 09:00", "2026-09-01 09:10", "non_po"],
    ["B", "Received", "", "2026-09-02 08:00", "po_standard"],
    ["A", "Key", "2026-09-03 09:00", "2026-09-03 09:20", "non_po"],
    ["A", "Ask", "", "2026-09-03 10:00", "non_po"],
    ["A", "Call", "", "2026-09-03 11:00", "non_po"],
    ["A", "OK", "", "2026-09-04 10:00", "non_po"],
    ["A", "Ask", "", "2026-09-05 10:00", "non_po"],
    ["A", "OK", "", "2026-09-05 12:00", "non_po"],
    ["A", "Post", "", "2026-09-06 10:00", "non_po"],
    ["B", "Ask", "", "2026-09-06 10:00", "po_standard"],
]


def log(rows=LOG, **changes: Any):
    return read("cases.csv", csv_text(rows), ExportMapping.model_validate({**EVENTS, **changes}))


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_an_event_log_gives_cases_and_repeated_visits(seed):
    rows = list(LOG)
    if seed is not None:
        body = rows[1:]
        random.Random(seed).shuffle(body)
        rows = [rows[0], *body]
    found = log(rows)
    c, times, approvals = found.cycles, found.tables["times"], found.tables["approvals"]

    assert found.defects == ()
    assert c.case.tolist() == ["A", "B"]
    assert c.type.tolist() == ["non_po", "po_standard"]
    assert c.open.tolist() == [False, True]
    assert c.days()[0][0] == pytest.approx(5 + 2 / 24 - 1 / 1440)
    assert c.days_to("approve.1.decided")[1][0] == pytest.approx(3 + 2 / 24 + 1 / 1440)
    assert times.texts("step").tolist() == ["entry", "entry"]
    assert (times.times("ended")[:, 0] - times.times("started")[:, 0]).tolist() == [600, 1200]
    assert approvals.texts("case").tolist() == ["A", "A", "B"]
    assert (approvals.times("decided")[:2, 0] - approvals.times("asked")[:2, 0]).tolist() == [86_400, 7_200]
    assert np.isnan(approvals.times("decided")[2]).all()
    assert found.files[0].notes[0] == 'activity "Call" is not used (1 rows)'
    assert found.files[0].rows_left_out == 1


@pytest.mark.parametrize(
    ("row", "column", "value", "code"),
    [(2, 3, "2026-09-01 08:30", "E531"), (2, 4, "po_standard", "E534"), (2, 3, "soon", "E524"), (2, 3, "", "E520"), (1, 1, "Call", "E520"), (10, 3, "2026-09-01 07:00", "E531")],
)  # fmt: skip
def test_a_case_of_a_log_is_left_out_as_a_whole(row, column, value, code):
    rows = [list(r) for r in LOG]
    rows[row][column] = value
    found = log(rows)

    assert codes(found) == [code]
    assert found.cycles.case.tolist() == ["B"]


def test_a_log_in_which_nothing_is_left():
    assert log([LOG[0], ["A", "Key", "", "2026-09-01 08:00", "non_po"]]).cycles is None
    assert codes(log([LOG[0]])) == ["E516"]


# -- size


def test_thirty_thousand_rows_agree_with_what_they_were_made_of():
    rng = np.random.default_rng(7)
    start = dt.datetime(2026, 5, 4)
    minutes = rng.integers(0, 60 * 24 * 100, 3_000)
    lasts = rng.integers(1, 60 * 24 * 20, 3_000)
    rows = [["Nr", "Ein", "Aus"]]
    for i, (a, b) in enumerate(zip(minutes.tolist(), lasts.tolist(), strict=True)):
        came = start + dt.timedelta(minutes=a)
        rows.append([str(i), came.strftime("%d.%m.%Y %H:%M"), (came + dt.timedelta(minutes=b)).strftime("%d.%m.%Y %H:%M")])
    how = mapping(
        columns={"case": "Nr"},
        types={},
        leave_out_types=[],
        people=[],
        dates={"Ein": "arrival", "Aus": "end"},
        first_day="2026-05-01",
        last_day="2026-09-30",
    )
    found = read("invoices.csv", csv_text(rows, ";"), how)
    least, most = found.cycles.days()

    assert found.defects == ()
    assert (least * 1440).tolist() == pytest.approx((lasts - 1).tolist())
    assert (most * 1440).tolist() == pytest.approx((lasts + 1).tolist())
    assert found.tables["arrivals"].numbers("cases").sum() == 3_000
