"""Today's result from dates: mean and sampling error, open cases, legs, and draws that reproduce them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models import baseline as b
from models.evidence.cycles import DAY, Cycles
from models.fits.baseline import ROWS, BaselineEvidenceError, completed_days, completed_legs, fit_baseline, mean_residual
from models.legs import dates_of, legs_between
from models.posterior import SubModel, posterior_of
from scenarios.files import load
from scenarios.report.verdict_text import exports
from scenarios.study import verdict
from tests.test_baseline import Line, baseline
from tests.tiny import tiny

START = 1_800_000_000.0


def instants(seconds: np.ndarray, width: float = 60.0) -> np.ndarray:
    return np.stack([seconds, seconds + width], axis=1)


def cycles(days: np.ndarray, arrival_days: np.ndarray, exported_day: float = 1e6, **events: np.ndarray) -> Cycles:
    """Cases that arrive and take as many days; those not done by the export are open. `events`: days from arrival."""
    n, arrival = len(days), START + arrival_days * DAY
    exported = START + exported_day * DAY
    is_open = arrival + days * DAY > exported
    end = np.where(is_open[:, None], np.nan, instants(arrival + days * DAY))
    empty = np.full(n, "", dtype=object)
    at = {name: instants(arrival + x * DAY) for name, x in events.items()}
    return Cycles(
        "invoices.csv", np.arange(n), empty, empty, empty, np.full(n, np.nan), empty, instants(arrival), end, is_open,
        at, {}, "arrival", (START, exported), exported,
    )  # fmt: skip


def test_the_mean_and_its_error_come_from_weeks():
    """Independent weeks of 50 cases: the spread of the rows is the standard error of the mean of 20 weekly means (within 10 %)."""
    rng = np.random.default_rng(5)
    weekly = rng.normal(14, 2, 20)
    week = np.repeat(np.arange(20), 50)
    days = np.maximum(weekly[week] + rng.normal(0, 1, 1_000), 0.1)
    found = fit_baseline(cycles(days, week * 7 + rng.uniform(0, 5, 1_000)), load("invoice_processing").case, 1)
    observed = found.columns["baseline.observed"] / DAY
    assert found.passed
    assert observed.shape == (ROWS,)
    assert observed.mean() == pytest.approx(days.mean(), abs=0.05)
    expected = np.asarray([days[week == w].mean() for w in range(20)]).std(ddof=1) / np.sqrt(20)
    assert observed.std() == pytest.approx(expected, rel=0.1)
    assert expected > 5 * days.std() / np.sqrt(1_000)  # cases are not independent: the naive error would be far too small


def test_intervals_cover_in_ninety_of_a_hundred():
    """200 samples of 26 correlated weeks: a 90 % interval covers the truth in 180 ± 5 standard errors of a binomial (4.2)."""
    case, covered = load("invoice_processing").case, 0
    for k in range(200):
        rng = np.random.default_rng([9, k])
        week = np.repeat(np.arange(26), 20)
        days = np.maximum(14 + rng.normal(0, 2, 26)[week] + rng.exponential(3, 520) - 3, 0.0)
        rows = fit_baseline(cycles(days, week * 7.0 + 1, 1e6), case, k).columns["baseline.observed"] / DAY
        low, high = np.quantile(rows, [0.05, 0.95])
        covered += low <= 14 <= high
    assert abs(covered - 180) <= 5 * 4.2


def test_open_cases_are_completed_and_not_dropped():
    """Exponential times of mean 10 d seen for 60 days: the finished alone say less than 9; completed they say 10 (5 standard errors)."""
    rng = np.random.default_rng(2)
    days, arrived = rng.exponential(10, 20_000), rng.uniform(0, 60, 20_000)
    seen = cycles(days, arrived, exported_day=60)
    completed = completed_days(seen)
    done = ~seen.open
    assert days[done].mean() < 9
    assert completed.mean() == pytest.approx(10, abs=5 * 10 / np.sqrt(done.sum()))


def test_the_mean_residual_of_known_tables():
    """Times 1 to 10, none open: beyond age a the mean of those longer than a, less a; constant from the age a tenth reach."""
    residual = mean_residual(np.arange(1.0, 11.0), np.zeros(10, dtype=bool))
    assert residual(np.asarray([0.0]))[0] == pytest.approx(5.5, abs=0.5)
    assert residual(np.asarray([4.0]))[0] == pytest.approx(np.mean([5, 6, 7, 8, 9, 10]) - 4, abs=0.2)


def test_what_cannot_be_said_is_refused():
    case = load("invoice_processing").case
    with pytest.raises(BaselineEvidenceError, match="weeks"):
        fit_baseline(cycles(np.full(40, 5.0), np.linspace(0, 20, 40)), case, 1)
    with pytest.raises(BaselineEvidenceError, match="baseline"):
        fit_baseline(cycles(np.full(400, 5.0), np.linspace(0, 100, 400)), tiny(), 1)
    rng = np.random.default_rng(1)
    seen = fit_baseline(cycles(rng.exponential(30, 2_000), rng.uniform(0, 90, 2_000), exported_day=90), case, 1)
    assert not seen.passed  # a third is open: the mean is mostly what is assumed of them


# ---------------------------------------------------------------- legs


def test_the_legs_of_open_cases_are_completed():
    """Three legs of 4, 6 and 2 days on average, seen for 60 days: the finished alone say less of each; completed they say it (5 se)."""
    rng = np.random.default_rng(4)
    n, means = 20_000, np.asarray([4.0, 6.0, 2.0])
    legs, arrived = rng.exponential(means, (n, 3)), rng.uniform(0, 60, n)
    at = np.column_stack([np.zeros(n), np.cumsum(legs, axis=1)]) + arrived[:, None]
    is_open = at[:, 3] > 60
    seen = np.where(at > 60, np.nan, at) * DAY
    found = completed_legs(seen, is_open, 60 * DAY)
    assert (legs[~is_open].mean(axis=0) < 0.97 * means).all()
    assert found.mean(axis=0) == pytest.approx(means, abs=5 * means.max() / np.sqrt((~is_open).sum()))


def test_a_stretch_without_a_date_is_split_and_the_legs_add_up():
    """Two cases with all dates take 1 + 3 days; one without the date between took 8: 2 + 6. Nothing is open."""
    at = np.asarray([[0.0, 1, 4], [1, 2, 5], [0, np.nan, 8]]) * DAY
    found = completed_legs(at, np.zeros(3, dtype=bool), 100 * DAY)
    assert found == pytest.approx(np.asarray([[1.0, 3], [1, 3], [2, 6]]))


def test_an_open_case_waits_in_the_leg_of_its_last_date():
    """Finished ones take 1, 2, 3 and then always 5 days. Open since 1.5 days before its first date: 1.5 + 1 more on average; then 5."""
    at = np.asarray([[0.0, 1, 6], [0, 2, 7], [0, 3, 8], [8.5, np.nan, np.nan]]) * DAY
    found = completed_legs(at, np.asarray([False, False, False, True]), 10 * DAY)
    assert found[3] == pytest.approx([2.5, 5.0])


def test_dated_legs_and_the_whole_agree():
    """An export with open cases: the mean of the whole is the sum of the means of its legs, row by row."""
    rng = np.random.default_rng(8)
    first, then, arrived = rng.exponential(5, 3_000), rng.exponential(4, 3_000), rng.uniform(0, 100, 3_000)
    seen = cycles(first + then, arrived, exported_day=102, **{"entry.ended": first})
    undated = arrived + first > 102
    seen.events["entry.ended"][undated] = np.nan
    columns = fit_baseline(seen, load("invoice_processing").case, 1).columns
    assert seen.open.mean() > 0.03
    total = columns["baseline.legs.entry.ended"] + columns["baseline.legs.end"]
    assert total == pytest.approx(columns["baseline.observed"], rel=1e-12)
    assert columns["baseline.observed"].mean() / DAY == pytest.approx(9, abs=5 * 6.4 / np.sqrt(3_000))


def test_events_cut_the_process_into_legs():
    case = load("invoice_processing").case
    legs = legs_between(case, ["approve.1.asked", "entry.ended", "approve.3.decided", "approve.1.decided", "match.started"])
    assert [(leg.first, leg.last, leg.places) for leg in legs] == [
        ("arrival", "entry.ended", ("entry",)),
        ("entry.ended", "approve.1.asked", ("match", "exceptions")),
        ("approve.1.asked", "approve.3.decided", ("approve",)),
        ("approve.3.decided", "end", ()),
    ]
    assert [step for leg in legs for step in leg.steps] == [step.id for step in case.steps]


def test_an_event_that_many_cases_do_not_have_cuts_no_leg():
    rng = np.random.default_rng(3)
    n = 1_000
    entry = np.full(n, 2.0)
    rare = np.where(rng.uniform(size=n) < 0.2, 3.0, np.nan)
    seen = cycles(np.full(n, 14.0), np.linspace(0, 100, n), **{"entry.ended": entry, "exceptions.3.ended": rare})
    found = fit_baseline(seen, load("invoice_processing").case, 1)
    legs = {name: x.mean() / DAY for name, x in found.columns.items() if "legs" in name}
    assert legs == {"baseline.legs.entry.ended": pytest.approx(2.0), "baseline.legs.end": pytest.approx(12.0)}
    assert any("exceptions.3.ended" in note for note in found.notes)


def leg(name: str, days: float, *places: str) -> b.DatedLeg:
    return b.DatedLeg(name, places, places, days)


def test_dates_locate_the_days_of_their_leg():
    """8 days are unlocated; dates say that entry takes 3: the split of the draw (6 and 2) no longer counts."""
    solved = b.solve(baseline(), 14.0, {"entry": 0.75, "approve": 0.25}, Line(), None, [leg("entry.ended", 3.0, "entry")])
    assert isinstance(solved, b.Solved)
    assert solved.unlocated_days * solved.shares["entry"] == pytest.approx(3.0, abs=b.LEG_WITHIN_DAYS)
    assert solved.unlocated_days == pytest.approx(8.0, abs=b.SOLVED_WITHIN_DAYS)


def test_legs_over_the_whole_process_leave_nothing_open():
    """Entry 3 d and approvals 9 d (4 of them sourced): 3 + 5 unlocated days, as the 14 of the whole ask for."""
    legs = [leg("entry.ended", 3.0, "entry"), leg("end", 9.0, "approve")]
    solved = b.solve(baseline(), 14.0, {"entry": 0.5, "approve": 0.5}, Line(), None, legs)
    assert isinstance(solved, b.Solved)
    days = {name: solved.unlocated_days * share for name, share in solved.shares.items()}
    assert days == {"entry": pytest.approx(3.0, abs=0.1), "approve": pytest.approx(5.0, abs=0.1)}


def test_a_leg_shorter_than_its_own_steps_keeps_no_days():
    """Dates say that approvals take 3 d, the sourced steps say 4: 0 days there, all 8 at entry."""
    solved = b.solve(baseline(), 14.0, {"entry": 0.5, "approve": 0.5}, Line(), None, [leg("end", 3.0, "approve")])
    assert isinstance(solved, b.Solved)
    assert solved.shares == {"entry": pytest.approx(1.0), "approve": pytest.approx(0.0)}


def test_steps_that_alone_take_longer_are_rejected_with_legs_too():
    answer = b.solve(baseline(), 5.0, {"entry": 1.0}, Line(), None, [leg("entry.ended", 0.0, "entry")])
    assert answer == b.Rejected("the sourced steps alone take 6.0 of 5.0 days")
    near = b.solve(baseline(), 5.9, {"entry": 1.0}, Line(), None, [leg("entry.ended", 0.0, "entry")])
    assert isinstance(near, b.Solved)


def test_a_whole_that_dates_cannot_make_is_rejected_with_the_stretch():
    """Six days of steps, three more by the dates of entry: 9 of 30; 4 d until the end have no place. The rest is said, and where."""
    answer = b.solve(
        baseline(),
        30.0,
        {"entry": 1.0},
        Line(),
        None,
        [leg("entry.ended", 3.0, "entry"), b.DatedLeg("end", ("posting",), (), 4.0)],
    )
    assert isinstance(answer, b.Rejected)
    found = re.search(
        r"the whole takes (\S+) of the 30.0 days of that future; the stretch that ends with \"end\" takes 4.0 days by its dates and 0.0 by",
        answer.reason,
    )
    assert found is not None, answer
    assert float(found[1]) == pytest.approx(9.0, abs=0.2)


def test_a_place_beside_a_timed_one_is_located_by_its_stretch():
    """From data entry to the last approval lie match, exceptions and approvals; with the first two timed, dates locate the third."""
    case, rows = load("invoice_processing").case, np.full(4, 86_400.0)
    columns = {"baseline.observed": 14 * rows, "baseline.legs.entry.ended": rows, "baseline.legs.end": 13 * rows}
    timed = {f"steps.{name}.time.mean": rows for name in ("match", "exceptions")}
    for more, located in (({}, {"entry"}), (timed, {"entry", "match", "exceptions", "approve"})):
        fit = SubModel("baseline", columns | more, {}, np.zeros(4))
        assert dates_of(case.with_posterior(posterior_of([fit], {}))).located == located


def test_dates_move_the_answer_of_the_default_scenario():
    """Entry takes 9 d today, the rest 7: found again in the simulation of today, draw by draw."""
    rng, n = np.random.default_rng(8), 3_000
    entry, rest = rng.exponential(8.5, n) + 0.5, rng.exponential(7, n)
    seen = cycles(entry + rest, np.linspace(0, 140, n), **{"entry.ended": entry})
    loaded = load("invoice_processing")
    fit = fit_baseline(seen, loaded.case, 1)
    study = verdict(loaded.case.with_posterior(posterior_of([fit], {})), 4, 7)
    assert study.baseline is not None
    assert study.baseline.observed == pytest.approx((entry + rest).mean(), abs=0.5)
    for result in study.results:
        today = result.arms["as_is"]
        legs = legs_between(loaded.case, ["entry.ended"])
        assert sum(today.step_days[s] for s in legs[0].steps) == pytest.approx(entry.mean(), abs=0.6)
        assert result.solved is not None
        at_entry = result.solved.unlocated_days * result.solved.shares["entry"]
        assert today.days["dated_wait"] == pytest.approx(
            at_entry, rel=0.05
        )  # located by dates, so not among those nobody has located
        assert today.days.get("unlocated", 0.0) == pytest.approx(result.solved.unlocated_days - at_entry, rel=0.1, abs=0.1)
    assert dates_of(study.case).located == {"entry"}
    assert "entry" not in {e.place for e in study.extremes}
    assert exports(study) == [p.export for name, p in loaded.case.baseline.places.items() if name != "entry"]
