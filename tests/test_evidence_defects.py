"""Every defect of a file: its code, its row and column, what is wrong; and that a row with a defect is not used but counted."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.problems import CODES
from tests.evidence_files import codes, defect, read, xlsx

HEAD = "right,tried"
TIMES = "case,step,entered,started,ended,minutes,observed_until"
ROWS = [
    # file, text, code, place, part of the message
    ("pilot.csv", "right,tried\n65,60", "E530", "row 2, column right", "65 right, but only 60 tried"),
    ("pilot.csv", "right\n2", "E530", "row 2, column right", "2 right, but only 1 tried"),
    ("pilot.csv", "right,tried,accepted\n5,6,7", "E530", "row 2, column accepted", "7 accepted, but only 6 tried"),
    ("pilot.csv", "right,tried,accepted,accepted_right\n5,9,3,4", "E530", "row 2, column accepted_right", "4 accepted_right, but only 3 accepted"),
    ("pilot.csv", "right,tried,accepted,accepted_right\n3,9,5,4", "E530", "row 2, column accepted_right", "but only 3 right"),
    ("pilot.csv", "right,tried,accepted,accepted_right\n9,10,9,2", "E530", "row 2, column accepted_right", "leaves more than the 1"),
    ("pilot.csv", "right,tried,accepted_right\n5,9,4", "E520", "row 2, column accepted", "is empty, but accepted_right is given"),
    ("pilot.csv", "right,tried\n0,0", "E530", "row 2, column tried", "nothing was looked at"),
    ("pilot.csv", "right,tried\n1.5,3", "E522", "row 2, column right", "not a whole number"),
    ("pilot.csv", "right,tried\n-1,3", "E522", "row 2, column right", "cannot be counted"),
    ("pilot.csv", "right,tried\n,3", "E520", "row 2, column right", "is empty"),
    ("pilot.csv", "right,tried\nNaN,3", "E521", "row 2, column right", "is not a number"),
    ("pilot.csv", "right,tried\n#DIV/0!,3", "E521", "row 2, column right", "holds the error #DIV/0!"),
    ("pilot.csv", "right,tried,confidence\n1,1,92", "E522", "row 2, column confidence", "is not a share"),
    ("pilot.csv", "right,tried,type\n1,1,po_standart", "E528", "row 2, column type", 'did you mean "po_standard"'),
    ("pilot.csv", "right,tried,step\n1,1,send_to_a", "E528", "row 2, column step", 'did you mean "send_to_ai"'),
    ("pilot.csv", "right,tried,step\n1,1,entry", "E535", "row 2, column step", "not a step of the kind"),
    ("pilot.csv", "right,tried,defect\n1,1,missing_field", "E528", "row 2, column defect", 'did you mean "missing_fields"'),
    ("pilot.csv", "right,tried,environment\n1,1,production", "E534", "row 2, column environment", "contradicts the file, which is of pilot"),
    ("production.csv", "right,tried,environment\n1,1,pilot", "E534", "row 2, column environment", "contradicts the file, which is of production"),
    ("pilot.csv", "right,tried,cluster,day\n1,2,a,2026-09-01\n1,2,a,2026-09-01", "E532", "row 3, column step", "the same group as in row 2"),
    ("pilot.csv", "right,tried,day\n1,2,2026-12-24", "E527", "row 2, column day", "lies after the day of the export"),
    ("pilot.csv", "right,tried,day\n1,2,1899-12-31", "E527", "row 2, column day", "lies before 1990"),
    ("pilot.csv", "type,right,tried\nnon_po,1,2\nTotal,1,2", "E533", "row 3, column type", '"Total" marks a sum'),
    ("pilot.csv", "day,right,tried\nSumme,1,2", "E533", "row 2, column day", "marks a sum"),
    ("pilot.csv", f"right,tried,cluster\n1,2,{'a' * 600}", "E521", "row 2, column cluster", "is a text of 600 letters"),
    ("audit.csv", "accepted,audited,wrong\n50,60,1", "E530", "row 2, column audited", "60 audited, but only 50 accepted"),
    ("audit.csv", "accepted,audited,wrong\n50,20,21", "E530", "row 2, column wrong", "21 wrong, but only 20 audited"),
    ("audit.csv", "accepted,audited,wrong,environment\n50,20,2,staging", "E528", "row 2, column environment", "is not possible"),
    ("seeded.csv", "shown,caught\n5,6", "E530", "row 2, column caught", "6 caught, but only 5 shown"),
    ("seeded.csv", "shown,caught,waiting_per_head\n5,5,-1", "E522", "row 2, column waiting_per_head", "is -1"),
    ("calls.csv", "step,seconds,result\nmatch_ai,-2,ok", "E522", "row 2, column seconds", "is -2"),
    ("calls.csv", "step,seconds,result\nmatch_ai,2 s,ok", "E521", "row 2, column seconds", '"2 s" is not a number'),
    ("calls.csv", "step,seconds,result\nmatch_ai,,timeout", "E520", "row 2, column seconds", "timed out"),
    ("calls.csv", "step,seconds,result\nmatch_ai,2,okay", "E528", "row 2, column result", 'did you mean "ok"'),
    ("outages.csv", "system,observed_from,observed_until\nerb,2026-01-01,2026-02-01", "E528", "row 2, column system", 'no connected system "erb"'),
    ("outages.csv", "system,observed_from,observed_until\nerp,2026-02-01,2026-01-01", "E531", "row 2, column observed_until", "lies before"),
    ("outages.csv", "system,observed_from,observed_until,began,ended\nerp,2026-01-01,2026-02-01,2026-03-01,", "E531", "row 2, column began", "lies outside the period"),
    ("outages.csv", "system,observed_from,observed_until,began,ended\nerp,2026-01-01,2026-02-01,,2026-01-05", "E520", "row 2, column began", "ended is given"),
    (
        "outages.csv",
        "system,observed_from,observed_until,began,ended\nerp,2026-01-01,2026-02-01,2026-01-03 10:00,2026-01-03 12:00\nerp,2026-01-01,2026-02-01,2026-01-03 11:00,",
        "E531", "row 3, column began", "while the outage of row 2 goes on",
    ),
    ("times.csv", "step,started,ended\nentry,2026-09-02 10:00,2026-09-02 09:00", "E531", "row 2, column ended", 'lies before "started"'),
    ("times.csv", "step,started,ended\napprove,2026-09-02 10:00,2026-09-02 11:00", "E535", "row 2, column step", "not a step of the kind"),
    ("times.csv", "step,ended\nentry,2026-09-02 10:00", "E535", "row 2, column step", "one date or none"),
    ("times.csv", "step,asked_outside,answered\nexceptions,2026-09-02 10:00,2026-09-01 10:00", "E531", "row 2, column answered", "lies before"),
    ("times.csv", "step,answered\nexceptions,2026-09-02 10:00", "E535", "row 2, column step", "answered needs asked_outside"),
    ("times.csv", "step,minutes\nentry,-3", "E522", "row 2, column minutes", "is -3"),
    ("times.csv", f"{TIMES}\nA,entry,2026-09-02,,,,2026-09-01", "E531", "row 2, column entered", "after the day of the export"),
    ("times.csv", f"{TIMES}\nA,entry,2026-09-01,2026-09-02,,,\nA,entry,2026-09-01,2026-09-02,,,", "E532", "row 3, column case", "the same visit of the same case as in row 2"),
    ("times.csv", "step,level,minutes\nexceptions,4,3", "E528", "row 2, column level", "level 4"),
    ("times.csv", "step,level,minutes\nentry,0,3", "E528", "row 2, column level", "level 0"),
    ("arrivals.csv", "day,cases\n2026-09-01,5\n2026-09-01,6", "E532", "row 3, column day", "the same day and type as in row 2"),
    ("arrivals.csv", "day,type,cases\n2026-09-01,non_po,5\n2026-09-01,,6", "E532", "row 3, column type", "also counted by type"),
    ("approvals.csv", "asked,decided\n2026-09-03,2026-09-01", "E531", "row 2, column decided", 'lies before "asked"'),
    ("approvals.csv", "asked,decision\n2026-09-03,rejected", "E520", "row 2, column decided", 'the decision is "rejected"'),
    ("approvals.csv", "asked,level,decided\n2026-09-03,9,2026-09-04", "E528", "row 2, column level", "level 9"),
    ("approvals.csv", "case,asked,decided\nA,2026-09-03,2026-09-04\nA,2026-09-03,2026-09-04", "E532", "row 3, column case", "the same request"),
    ("counts.csv", "parameter,happened,tried\nsteps.review.catch,6,5", "E530", "row 2, column happened", "6 happened, but only 5 tried"),
    ("counts.csv", "parameter,happened,tried\nsteps.review.cath,5,6", "E528", "row 2, column parameter", 'did you mean "steps.review.catch"'),
    ("counts.csv", "parameter,happened,tried\nsteps.match_ai.timeout,5,6", "E535", "row 2, column parameter", "is not a share"),
    ("counts.csv", "parameter,happened,tried\nsteps.match_ai.transient,5,6", "E534", "row 2, column environment", "differs between pilot and production"),
    ("quality.csv", "defect,cases,with_defect\nmissing_fields,5,6", "E530", "row 2, column with_defect", "6 with_defect, but only 5 cases"),
    ("quality.csv", "defect,volume,cases,with_defect\nmissing_fields,4,5,1", "E530", "row 2, column cases", "5 cases, but only 4 volume"),
    ("quality.csv", "defect,day,cases,with_defect\nmissing_fields,2026-09-01,5,1\nmissing_fields,2026-09-01,5,1", "E532", "row 3, column step", "the same defect on the same day"),
    ("readiness.csv", "check,cause,passed,passes_if_ready,passes_if_not\na,data,yes,0.5,0.5", "E535", "row 2, column passes_if_not", "tells nothing"),
    ("readiness.csv", "check,cause,passed,passes_if_ready,passes_if_not\na,data,perhaps,0.9,0.5", "E521", "row 2, column passed", "neither yes nor no"),
    ("readiness.csv", "check,cause,passed,passes_if_ready,passes_if_not\na,dat,yes,0.9,0.5", "E528", "row 2, column cause", 'did you mean "data"'),
    ("weekly.csv", "week,eligible,sent\n1,5,6", "E530", "row 2, column sent", "6 sent, but only 5 eligible"),
    ("weekly.csv", "week,eligible,sent\n0,5,4", "E530", "row 2, column week", "is 0"),
    ("weekly.csv", "week,sent\n1,4", "E520", "row 2, column eligible", "is empty"),
    ("weekly.csv", "week\n1", "E535", "row 2, column week", "informs nothing"),
    ("weekly.csv", "week,checked,right\n1,5,4\n1,5,4", "E532", "row 3, column week", "the same week as in row 2"),
    ("experts.csv", "expert,parameter,low,likely,high\nA,steps.review.catch,0.9,0.8,0.95", "E530", "row 2, column likely", "likely"),
    ("experts.csv", "expert,parameter,low,likely,high\nA,steps.match_ai.timeout,1,2,3", "E530", "row 2, column likely", "has no unit"),
    ("experts.csv", "expert,parameter,environment,low,likely,high\nA,steps.review.catch,pilot,0.7,0.8,0.95", "E534", "row 2, column environment", "the same everywhere"),
    ("experts.csv", "expert,parameter,low,likely,high\nA,steps.match_ai.transient,0.1,0.2,0.3", "E534", "row 2, column environment", "differs by environment"),
    ("experts.csv", "expert,parameter,low,likely,high,sure\nA,steps.review.catch,0.7,0.8,0.95,1", "E522", "row 2, column sure", "is 1"),
    ("experts.csv", "expert,parameter,low,likely,high,weight\nA,steps.review.catch,0.7,0.8,0.95,0", "E522", "row 2, column weight", "is 0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text", "code", "place", "message"), ROWS, ids=[f"{row[2]} {row[0]} {row[4][:24]}" for row in ROWS]
)
def test_a_row_with_a_defect(file, text, code, place, message):
    found = read(file, text)

    assert codes(found) == [code]
    assert defect(found, code).startswith(f"{place}: ")
    assert message in defect(found, code)
    assert found.blocked
    assert found.files[0].rows_defective == 1
    assert found.files[0].rows_used == found.files[0].rows_read - 1


FILES = [
    # file, text, codes, part of the message
    ("pilots.csv", "right\n1", ["E511"], 'did you mean "pilot"'),
    ("notes.csv", "right\n1", ["E511"], "would inform nothing"),
    ("pilot.xls", "right\n1", ["E511"], 'files that end in ".xls" are not read'),
    ("pilot", "right\n1", ["E511"], 'files that end in ""'),
    ("pilot.example.csv", "right\n1", ["E511"], "never read"),
    ("pilot.csv", "", ["E516"], "is empty"),
    ("pilot.csv", " \n\n", ["E516"], "is empty"),
    ("pilot.csv", "right,tried\n", ["E516"], "a header and no rows"),
    ("pilot.csv", "5,6\n7,8\n", ["E512"], "names none of the columns"),
    ("pilot.csv", ",,\n1,2,3\n", ["E512"], "has no header"),
    ("pilot.csv", "right,Right,tried\n1,1,2\n", ["E512"], 'two columns are called "right"'),
    ("pilot.csv", "right,tried,\n1,2,3\n", ["E512"], "column 3 holds cells but has no name"),
    ("pilot.csv", "right,tried,remark\n1,2,x\n", ["E513"], 'column "remark" informs nothing here'),
    ("pilot.csv", "tried\n2\n", ["E514"], 'has no column "right"'),
    ("pilot.csv", "right,tried\n1,2\n1,2,3\n1\n", ["E515", "E515"], "has 3 cells, the header 2"),
    ("pilot.csv", 'right,tried\n1,2\n"1,2\n', ["E510"], "quotation marks do not fit together"),
    ("pilot.csv", 'right,tried\n1,"2"x\n', ["E510"], "quotation marks do not fit together"),
    ("pilot.csv", f"right,tried,cluster\n1,2,{'a' * 140_000}\n", ["E510"], "longer than 131,072 letters"),
    ("pilot.csv", "right,tried,confidence\n1,2,0.123\n1,2,\"0,5\"\n", ["E523"], "decimal comma and others a decimal point"),
    ("calls.csv", "step,seconds,result\nmatch_ai,1.234,ok\n", ["E523"], "does not show whether its separator is for decimals or thousands"),
    ("pilot.csv", "right,tried,day\n1,2,03/04/2026\n", ["E525"], "does not show whether the day or the month comes first"),
    ("pilot.csv", "right,tried,day\n1,2,13/04/2026\n1,2,04/13/2026\n", ["E525"], '"13/04/2026" in row 2, "04/13/2026" in row 3'),
    ("times.csv", "step,started,ended\nentry,2026-09-01 10:00,2026-09-01 11:00Z\nentry,2026-09-01 10:00,2026-09-01 11:00\n", ["E526"], "with an offset"),
    ("times.csv", "step\nentry\n", ["E535"], "one date or none"),
    ("seeded.csv", "step,shown,caught\nreview,0,0\n", ["E530"], "nothing was looked at"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "expected", "message"), FILES, ids=[f"{row[2][0]} {row[3][:28]}" for row in FILES])
def test_a_file_with_a_defect(file, text, expected, message):
    found = read(file, text)

    assert codes(found) == expected
    assert message in defect(found, expected[0])
    assert found.blocked


def test_a_missing_setting_is_asked_for_once():
    text = "reviewer,day,shown,caught\nErika,2026-09-01,5,4\nMax,2026-09-02,5,4"
    found = read("seeded.csv", text, zone="", salt="", exported=None)

    assert codes(found) == ["E540", "E540"]
    assert {d.file for d in found.defects} == {"evidence/settings.toml"}
    assert {"zone", "salt"} <= {word for d in found.defects for word in d.message.split()}


def test_open_requests_need_the_day_of_the_export():
    text = "asked,decided\n2026-09-03,\n2026-09-03,2026-09-04"
    found = read("approvals.csv", text, exported=None)
    filled = read("approvals.csv", text)

    assert codes(found) == ["E520"]
    assert "row 2, column observed_until: is empty for an open request" in defect(found, "E520")
    assert filled.defects == ()
    assert np.isnan(filled.tables["approvals"].times("observed_until")[:, 0]).tolist() == [False, True]


def test_names_of_people_are_in_no_message():
    found = read("seeded.csv", f"reviewer,shown,caught\n{'Erika Muster ' * 60},5,4\nErika Muster,5,6")

    assert codes(found) == ["E521", "E530"]
    assert "Erika" not in str(found.defects)


def test_at_most_fifty_are_listed_and_all_are_counted():
    found = read("pilot.csv", "right,tried\n" + "7,6\n" * 70 + "5,6\n" * 30)

    assert codes(found) == ["E530"] * 50
    assert [d.row for d in found.defects] == list(range(2, 52))
    assert found.files[0].unlisted == {"E530": 20}
    assert found.files[0].rows_defective == 70
    assert len(found.tables["pilot"]) == 30


def test_few_rows_may_be_left_out_if_the_settings_say_so():
    text = "right,tried\n" + "5,6\n" * 99 + "7,6\n"
    strict, lenient, too_few = (
        read("pilot.csv", text),
        read("pilot.csv", text, defective_rows_at_most=0.01),
        read("pilot.csv", text, defective_rows_at_most=0.005),
    )

    assert [e.blocked for e in (strict, lenient, too_few)] == [True, False, True]
    assert codes(lenient) == ["E530"]
    assert lenient.files[0].rows_defective == 1
    assert len(lenient.tables["pilot"]) == 99
    assert read("pilot.csv", f"{text}5,6,7\n", defective_rows_at_most=0.1).files[0].rows_defective == 2


def test_a_defect_of_a_column_blocks_whatever_is_tolerated():
    assert read("pilot.csv", "right,tried,day\n" + "5,6,\n" * 99 + "5,6,03/04/2026\n", defective_rows_at_most=0.5).blocked


def test_a_defect_of_a_column_hides_no_cell():
    assert codes(read("pilot.csv", "right,tried,day\n1,2,03/04/2026\n1,2,soon\n")) == ["E524", "E525"]


def test_a_repeated_visit_on_another_day_is_no_defect():
    assert (
        read("times.csv", "case,step,started,ended\nA,entry,2026-09-01,2026-09-02\nA,entry,2026-09-03,2026-09-03").defects == ()
    )


def test_all_defects_at_once():
    text = "right,tried,type,day,remark\n5,4,non_po,2026-09-01,\n1,2,no_po,2026-09-01,\nx,2,,32.09.2026,\n1,2,,2026-09-01\n"
    assert codes(read("pilot.csv", text)) == ["E513", "E515", "E521", "E528", "E530"]


def test_every_code_is_tried_here_or_beside():
    beside = {"E524", "E525", "E527", "E541", "E540", "E510"}
    tried = {row[2] for row in ROWS} | {code for row in FILES for code in row[2]} | beside
    assert {code for code in CODES if "E510" <= code < "E600"} <= tried


@pytest.mark.parametrize("cell", ["#REF!", "#DIV/0!", "#N/A"])
def test_a_failed_cell_of_a_workbook(cell):
    found = read("pilot.xlsx", xlsx([["right", "tried"], [5, 6], [cell, 6]]))
    assert [(d.code, d.row, d.column) for d in found.defects] == [("E521", 3, "right")]
