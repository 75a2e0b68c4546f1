"""From files to laws: working time, clocks, time-outs, outages, approvals, and every refusal on the way. Nothing is sampled here."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from models import parameters
from models.evidence.daily_arrivals import daily
from models.evidence.kinds import KINDS
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.step_times import visits
from models.evidence.table import Selection
from models.evidence.wall_clock import local_seconds, open_hours, open_seconds
from models.fits import approvals, arrivals, drift, events, latency, outside, quality, readiness, service
from models.fits.durations import Prepared
from models.fits.seam import Sampling
from models.fits.timed_laws import exponential_posterior
from models.schema import CaseFile
from scenarios.evidence.read import read_evidence
from tests.evidence_tables import SCENARIOS, at, shipped, table
from tests.tiny import team, tiny, work

ABOUT = EvidenceSettings()
HOUR, DAY = 3_600.0, 86_400.0


@pytest.fixture(scope="module")
def case() -> CaseFile:
    return shipped("invoice_processing")


def only(laws, path: str):
    found = [law for law in laws if law.path == path]
    assert len(found) == 1, [law.path for law in laws]
    return found[0]


# ---------------------------------------------------------------- clocks


def test_wall_clock_time_follows_the_zone_and_its_summer_time():
    noon = at(date(2027, 1, 4), 12 * HOUR), at(date(2027, 7, 5), 12 * HOUR)
    berlin = local_seconds(np.asarray(noon), date(2027, 1, 4), "Europe/Berlin")
    assert berlin.tolist() == [13 * HOUR, 182 * DAY + 14 * HOUR]
    assert np.isnan(local_seconds(np.asarray([np.nan]), date(2027, 1, 4))).all()
    with pytest.raises(UnusableEvidenceError, match="no time zone"):
        local_seconds(np.asarray(noon), date(2027, 1, 4), "Mars/Olympus")


def test_open_seconds_stand_still_while_all_is_closed(case):
    """Friday 16:00 to Monday 10:00 in an office of 09:00 to 17:00: two hours; no hour on a public holiday."""
    friday, monday = np.asarray([4 * DAY + 16 * HOUR]), np.asarray([7 * DAY + 10 * HOUR])
    hours = open_hours(case, ["office"], np.concatenate([friday, monday]))
    assert (open_seconds(hours, monday) - open_seconds(hours, friday)).tolist() == [2 * HOUR]
    holiday = np.asarray([14 * DAY, 15 * DAY])  # Martin Luther King's birthday 2027
    hours = open_hours(case, ["office"], holiday)
    assert np.diff(open_seconds(hours, holiday)).tolist() == [0]
    with pytest.raises(UnusableEvidenceError, match="more than 40 years"):
        open_hours(case, ["office"], np.asarray([-50 * 366 * DAY]))


# ---------------------------------------------------------------- service and waits


def times(**columns):
    return {"times": table("times", **columns)}


def test_service_is_working_time(case):
    """Thursday 16:50 to Friday 09:20: 30 minutes; a visit on a Saturday counts as it lasted; minutes are taken as they are."""
    rows = times(
        step=["entry"] * 3 + ["match"],
        started=["2026-09-03 16:50:00", "2026-09-05 11:00:00", "", "2026-09-01 10:00:00"],
        ended=["2026-09-04 09:20:00", "2026-09-05 11:07:00", "", "2026-09-01 10:05:00"],
        minutes=["", "", "3.5", ""],
    )
    laws = service.service_laws(case, rows, ABOUT)
    assert [law.path for law in laws] == ["steps.entry.service", "steps.match.service"]
    cell = only(laws, "steps.entry.service").cell
    assert cell.n == 3
    assert np.exp(cell.s1 / 3) == pytest.approx((1_800 * 420 * 210) ** (1 / 3), rel=0.002)


def test_a_desk_has_a_service_time_a_level(case):
    rows = times(step=["exceptions"] * 2, level=["1", "2"], minutes=["9", "14"])
    assert [law.path for law in service.service_laws(case, rows, ABOUT)] == [
        "steps.exceptions.levels.1.service", "steps.exceptions.levels.2.service",
    ]  # fmt: skip


def test_todays_factor_is_divided_out_and_must_be_certain():
    def with_factor(value):
        return tiny(work(service={"kind": "lognormal", "median": "1 h", "p90": "2 h"}, factor=value), teams={"team": team()})

    rows = times(step=["work"], minutes=["120"])
    law = only(service.service_laws(with_factor(2.0), rows, ABOUT), "steps.work.service")
    assert law.factor == 2.0
    assert law.columns(law.prior(), np.asarray([[np.log(7_200), -1.0, 0.0]]))["steps.work.service.median"] == pytest.approx(
        [3_600]
    )
    with pytest.raises(UnusableEvidenceError, match="uncertain or 0"):
        service.service_laws(with_factor({"low": 1, "likely": 2, "high": 3}), rows, ABOUT)


def test_waits_run_on_their_clock_and_open_ones_are_censored(case):
    """Inbox in office hours: Monday 16:00 to Tuesday 10:00 is two hours; open since Tuesday 09:00, export at noon: at least three."""
    rows = times(
        step=["inbox", "inbox"], entered=["2026-08-31 16:00:00", "2026-09-01 09:00:00"], ended=["2026-09-01 10:00:00", ""],
        observed_until=["", "2026-09-01 12:00:00"],
    )  # fmt: skip
    cell = only(outside.wait_laws(case, rows, ABOUT), "steps.inbox.time").cell
    assert np.exp(cell.s1) == pytest.approx(2 * HOUR, rel=1e-3)
    assert cell.terms[0, 0] == pytest.approx(3 * HOUR, rel=1e-3)
    assert (cell.visits, cell.open_visits) == (2, 1)


def test_answers_from_outside_a_desk_have_a_law_a_level(case):
    """Friday 16:00 to Monday 16:00 is three days, whatever the office hours; not answered by the export is open; where nobody is asked
    in the case file, an answer is a defect."""
    rows = times(
        step=["exceptions"] * 2, level=["1", "1"], asked_outside=["2026-08-28 16:00:00", "2026-08-31 09:00:00"],
        answered=["2026-08-31 16:00:00", ""], observed_until=["", "2026-09-02 09:00:00"],
    )  # fmt: skip
    cell = only(outside.wait_laws(case, rows, ABOUT), "steps.exceptions.levels.1.outside.time").cell
    assert np.exp(cell.s1) == pytest.approx(3 * 24 * HOUR, rel=1e-3)
    assert cell.terms[0, 0] == pytest.approx(48 * HOUR, rel=1e-3)
    assert (cell.visits, cell.open_visits) == (2, 1)
    last = times(step=["exceptions"], level=["3"], asked_outside=["2026-08-28 16:00:00"], answered=["2026-08-31 16:00:00"])
    with pytest.raises(UnusableEvidenceError, match=r"states no steps\.exceptions\.levels\.3\.outside"):
        outside.wait_laws(case, last, ABOUT)


def test_an_open_visit_was_last_seen_when_the_export_was_made(case):
    rows = times(step=["inbox"], entered=["2026-09-01 09:00:00"], ended=[""])
    about = EvidenceSettings.model_validate({"exported": "2026-09-02"})
    assert only(outside.wait_laws(case, rows, about), "steps.inbox.time").cell.terms[0, 0] == pytest.approx(16 * HOUR, rel=1e-3)
    with pytest.raises(UnusableEvidenceError, match="needs observed_until"):
        outside.wait_laws(case, rows, ABOUT)


@pytest.mark.parametrize(("of", "first"), [("row", 8.0), ("case", 0.0)])
def test_an_export_chosen_by_its_end_is_truncated(case, of, first):
    """Rows that ended from 11:00 on 1 September to 2 September: from two hours of waiting on. Whole cases: only until 2 September."""
    rows = times(step=["inbox"], entered=["2026-09-01 09:00:00"], ended=["2026-09-01 12:00:00"])["times"]
    day = at(date(2026, 9, 1), [11 * HOUR, 2 * DAY])
    chosen = replace(rows, selection=Selection("end", float(day[0]), float(day[1]), of))
    cell = only(outside.wait_laws(case, {"times": chosen}, ABOUT), "steps.inbox.time").cell
    assert cell.terms[0, [0, 2, 4]] == pytest.approx([first / 4 * HOUR, 16 * HOUR, -1], rel=1e-3)
    by_arrival = replace(rows, selection=Selection("arrival", float(day[0]), float(day[1])))
    assert not len(only(outside.wait_laws(case, {"times": by_arrival}, ABOUT), "steps.inbox.time").cell.terms)


def limited(**more) -> CaseFile:
    wait = {"id": "wait", "kind": "wait", "time": {"kind": "lognormal", "median": "1 d", "p90": "4 d"}, **more}
    return tiny(wait)


def test_waits_that_reached_a_limit_are_censored_there_and_reminders_are_known():
    rows = times(step=["wait"] * 2, entered=["2026-09-01 09:00:00"] * 2, ended=["2026-09-03 09:00:00", "2026-09-01 21:00:00"])
    cell = only(outside.wait_laws(limited(limit="2 d", on_limit="done"), rows, ABOUT), "steps.wait.time").cell
    assert (cell.n, cell.open_visits) == (1, 1)
    assert cell.terms[0, 0] == pytest.approx(2 * DAY, rel=1e-4)
    law = only(outside.wait_laws(limited(remind={"after": "1 d", "multiplier": 0.5}), rows, ABOUT), "steps.wait.time")
    assert law.informs_multiplier
    assert law.multiplier_path == "steps.wait.remind.multiplier"
    with pytest.raises(UnusableEvidenceError, match="give it as one value"):
        outside.wait_laws(limited(limit={"low": "1 d", "likely": "2 d", "high": "3 d"}, on_limit="done"), rows, ABOUT)


def test_rows_that_name_no_step_are_refused_where_several_fit(case):
    with pytest.raises(UnusableEvidenceError, match=r"line 2: names no step"):
        service.service_laws(case, times(minutes=["3"], started=[""]), ABOUT)


def test_no_rows_no_sub_model(case):
    for module in (service, outside, latency, approvals, arrivals):
        assert module.fit(case, {}, ABOUT, Sampling(1)) is None


# ---------------------------------------------------------------- calls and outages


def calls(**columns):
    return {"calls": table("calls", **columns)}


def test_calls_are_censored_at_the_time_out_and_counted(case):
    rows = calls(
        step=["match_ai"] * 5, environment=["production"] * 5, calls=[1, 1, 2, 3, 1], seconds=[2.4, 11.0, 30, "", 5.0],
        result=["ok", "ok", "timeout", "permanent", "transient"],
    )  # fmt: skip
    law = only(latency.latency_laws(case, rows), "steps.match_ai.latency")
    assert law.arm == "@production"
    assert (law.cell.n, law.cell.open_visits) == (2, 2)
    assert law.cell.terms[0, [0, 4]] == pytest.approx([30, 2])
    counts = {t.path: (t.happened.sum(), t.tried.sum()) for t in latency.failures(case, rows)}
    assert counts == {"steps.match_ai.transient": (1, 3), "steps.match_ai.permanent": (3, 5)}


def test_a_time_out_without_seconds_is_the_case_files(case):
    rows = calls(step=["match_ai"] * 2, environment=["pilot"] * 2, seconds=[2.4, ""], result=["ok", "timeout"])
    assert only(latency.latency_laws(case, rows), "steps.match_ai.latency").cell.terms[0, 0] == pytest.approx(30)


def test_calls_that_do_not_say_where_are_refused_if_that_matters(case):
    with pytest.raises(UnusableEvidenceError, match="column environment"):
        latency.latency_laws(case, calls(step=["match_ai"], seconds=[2.4], result=["ok"]))


def test_the_ai_steps_uniform_time_is_refused_with_the_remedy(case):
    with pytest.raises(UnusableEvidenceError, match=r'steps\.send_to_ai\.time is stated as uniform.*kind = "lognormal"'):
        latency.latency_laws(case, calls(step=["send_to_ai"], seconds=[2.4], result=["ok"]))


def outages(**columns):
    return {"outages": table("outages", **columns)}


def test_outages_give_a_rate_and_repairs(case):
    """92 days less 8 hours of outage, one outage; the open one counts as lasting until the end of the period."""
    rows = outages(
        system=["erp", "erp"], environment=["production"] * 2, observed_from=["2026-07-01"] * 2, observed_until=["2026-09-30"] * 2,
        began=["2026-08-11 09:00:00", "2026-09-30 20:00:00"], ended=["2026-08-11 13:00:00", ""],
    )  # fmt: skip
    laws = latency.outage_laws(case, rows, ABOUT)
    between = only(laws, "systems.erp.outage.every")
    _, _, ended, seconds = exponential_posterior(between)
    assert ended == 2
    assert seconds == pytest.approx(92 * DAY - 4 * HOUR - 4 * HOUR, abs=HOUR * 12.1)
    repair = only(laws, "systems.erp.outage.repair").cell
    assert (repair.n, repair.open_visits) == (1, 1)
    none = outages(
        system=["erp"], environment=["production"], observed_from=["2026-07-01"], observed_until=["2026-09-30"], began=[""]
    )
    laws = latency.outage_laws(case, none, ABOUT)
    assert [law.path for law in laws] == ["systems.erp.outage.every"]
    assert exponential_posterior(laws[0])[2:] == (0, pytest.approx(92 * DAY))


def test_outages_that_cannot_be_counted_are_refused(case):
    overlapping = outages(
        system=["erp"] * 2, environment=["production"] * 2, observed_from=["2026-07-01", "2026-08-01"],
        observed_until=["2026-09-30"] * 2, began=["", ""],
    )  # fmt: skip
    with pytest.raises(UnusableEvidenceError, match="overlap"):
        latency.outage_laws(case, overlapping, ABOUT)
    other = case.model_copy(update={"systems": {"erp": case.systems["erp"].model_copy(update={"outage": None})}})
    with pytest.raises(UnusableEvidenceError, match="no outages in the case file"):
        latency.outage_laws(other, overlapping, ABOUT)
    spec = case.systems["erp"].outage.model_copy(update={"every": case.systems["erp"].outage.repair})
    other = case.model_copy(update={"systems": {"erp": case.systems["erp"].model_copy(update={"outage": spec})}})
    with pytest.raises(UnusableEvidenceError, match='write kind = "exponential"'):
        latency.outage_laws(other, overlapping, ABOUT)


# ---------------------------------------------------------------- approvals


def requests(**columns):
    return {"approvals": table("approvals", **columns)}


def test_requests_with_reminders_and_limits(case):
    """One answered, one reminded after 7 days and answered 2 days later, one delegated at 21 days, one open for 5 days."""
    rows = requests(
        step=["approve"] * 4, level=["1"] * 4,
        asked=["2026-09-02 09:00:00"] * 4, reminded=["", "2026-09-09 09:00:00", "", ""],
        decided=["2026-09-03 09:00:00", "2026-09-11 09:00:00", "2026-09-23 09:00:00", ""],
        decision=["approved", "rejected", "delegated", ""], observed_until=["", "", "", "2026-09-07 09:00:00"],
    )  # fmt: skip
    law = only(approvals.response_laws(case, rows, ABOUT), "steps.approve.levels.1.response")
    assert law.informs_multiplier
    assert (law.cell.n, law.cell.visits, law.cell.open_visits) == (1, 4, 2)
    low, rest, high, high_rest, _ = next(t for t in law.cell.terms if t[1] > 0)
    assert (low, high) == (pytest.approx(7 * DAY, rel=1e-4), pytest.approx(7 * DAY, rel=1e-4))
    assert (rest + high_rest) / 2 == pytest.approx(2 * DAY, rel=1e-3)
    assert sorted(t[0] for t in law.cell.terms if np.isinf(t[2])) == pytest.approx([5 * DAY, 21 * DAY], rel=1e-4)
    tally = approvals.rejections(case, rows)[0]
    assert (tally.path, tally.happened.sum(), tally.tried.sum()) == ("steps.approve.levels.1.rejects", 1, 2)


def test_reminders_of_a_level_without_any_in_the_case_file_are_left_out(case):
    rows = requests(
        step=["approve"], level=["2"], asked=["2026-09-02 09:00"], reminded=["2026-09-09 09:00"], decided=["2026-09-11 09:00"]
    )
    assert not only(approvals.response_laws(case, rows, ABOUT), "steps.approve.levels.2.response").informs_multiplier


def test_reminded_times_count_on_the_clock_of_the_visit(case):
    rows = requests(
        step=["approve"], asked=["2026-09-04 16:00:00"], reminded=["2026-09-07 09:30:00"], decided=["2026-09-08 10:00:00"]
    )["approvals"]
    spans = visits(case, ABOUT, rows, np.asarray([True]), "asked", "decided", ("office",), "reminded")
    assert spans.after == pytest.approx([1 * HOUR], abs=2)  # Friday's last hour; 7 September 2026 is Labor Day
    assert spans.end.mean() - spans.start.mean() == pytest.approx(2 * HOUR, abs=2)


# ---------------------------------------------------------------- the whole way on simulated visits


def test_simulated_waits_recover_the_law(case):
    """2,000 inbox waits of median 3.5 h and p90 10 h in office hours, to the minute, 15 % open at the export: within 4 errors."""
    rng = np.random.default_rng(8)
    go_live = case.go_live
    x = rng.lognormal(np.log(3.5 * HOUR), np.log(10 / 3.5) / 1.2816, 2_000)
    hours = open_hours(case, ["office"], np.asarray([-80 * DAY, 0.0]))
    entered = np.sort(
        rng.choice(
            [d * DAY + s for d in range(-70, -1) for s in range(9 * 3_600, 17 * 3_600, 60) if hours.is_open(int(d * DAY + s))],
            2_000,
        )
    )
    ended = np.asarray([hours.add(int(e), round(t)) for e, t in zip(entered, x, strict=True)], dtype=float)
    export = np.sort(entered)[1_750]
    seen = entered < export
    is_open = ended >= export
    zero = at(go_live, 0.0)
    minute = [tuple(np.floor((zero + v) / 60) * 60 + np.asarray([0, 60])) for v in ended]
    rows = times(
        step=["inbox"] * int(seen.sum()),
        entered=[(float(zero + e), float(zero + e + 60)) for e in entered[seen]],
        ended=["" if o else m for o, m in zip(is_open[seen], [m for m, s in zip(minute, seen, strict=True) if s], strict=True)],
        observed_until=[(float(zero + export), float(zero + export)) if o else "" for o in is_open[seen]],
    )
    law = only(outside.wait_laws(case, rows, ABOUT), "steps.inbox.time")
    ready = Prepared.of(law.cell, law.prior())
    error = np.sqrt(np.diag(ready.root @ ready.root.T))
    off = ready.centre[:2] - [np.log(3.5 * HOUR), np.log(np.log(10 / 3.5) / 1.2816)]
    assert (np.abs(off) < 4 * error[:2]).all()
    assert error[0] < 0.03


# ---------------------------------------------------------------- the shipped examples of files


def test_the_examples_of_all_kinds_of_files_are_usable(case, tmp_path):
    """Read as files and reduced to what each fit takes; nothing of them is refused."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    shutil.copy(SCENARIOS / "invoice_processing.toml", tmp_path / "case.toml")
    for kind in KINDS:
        with (folder / f"{kind.name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[c.name for c in kind.columns], *kind.example])
    (folder / "settings.toml").write_text('schema_version = 1\nzone = "America/New_York"\nexported = 2026-10-31\nsalt = "x"\n')
    evidence = read_evidence(tmp_path, case)
    assert [d for d in evidence.defects if d.blocks] == []
    tables, about = evidence.tables, evidence.settings
    laws = [
        *service.service_laws(case, tables, about), *outside.wait_laws(case, tables, about), *latency.latency_laws(case, tables),
        *latency.outage_laws(case, tables, about), *approvals.response_laws(case, tables, about),
    ]  # fmt: skip
    assert [law.column("") for law in laws] == [
        "steps.entry.service.", "steps.match.service.", "steps.match_ai.latency.@production", "systems.erp.outage.every.@production",
        "systems.erp.outage.repair.@production", "steps.approve.levels.1.response.",
    ]  # fmt: skip
    known = {leaf.path for leaf in parameters.leaves(case)}
    fits = [
        events.fit(case, tables, about, Sampling(1)),
        quality.fit(case, tables, about, Sampling(1)),
        drift.fit(case, tables, Sampling(1)),
    ]
    for fit in fits:
        assert fit is not None
        assert {name.partition("@")[0] for name in fit.columns} <= known
    assert readiness.fit(case, tables, {"integration": 0.5}, Sampling(1)) is not None
    assert len(daily(case, about, tables["arrivals"]).cases) == 3
