"""The weeks after go-live as they emerge: the result week by week, backlog and escalations, and every number that changes by week."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import parameters
from models.conditions import CAUSES
from models.schema import Ai, Arm, CaseFile
from scenarios.exhibits import (
    ARMS,
    EARLY,
    LATE,
    MEASURES,
    SAYS,
    Exhibit,
    Finding,
    Measure,
    findings,
    signed_range,
    statement,
    weekly_sums,
    without_drift,
)
from scenarios.files import LoadedCase
from scenarios.pages.answer import SOURCES
from scenarios.pages.why_days import signed
from scenarios.report.trace_words import plain, who
from scenarios.report.weekly import WeeklyInput, weekly_inputs
from scenarios.store import SolvedCache
from scenarios.study import Means, Run, VerdictStudy, median_baseline, run_arm
from simulator.batch import run_chunks
from simulator.engines import Engine

Floats = NDArray[np.float64]
FUTURES = 8
"""Of the exhibit; the page of the documentation has as many."""
FEWEST = 4
"""Futures below which ranges are too wide to be worth reading."""
WORLDS = {"pilot": "as in the pilot", "all": "live"}


# -- the result by week of arrival, from the futures of the answer


@dataclass(frozen=True, slots=True)
class WeekRow:
    """Days on average of the cases that arrive in a week; low, high: nine of ten simulated futures."""

    world: str
    week: int
    days: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ByWeek:
    """today: the mean of the promised weeks, which is the same in all weeks."""

    finding: str
    rows: tuple[WeekRow, ...]
    today: float
    how: str


def by_week(study: VerdictStudy) -> ByWeek:
    """Week by week, as in the pilot and live."""
    first, last = study.case.target.weeks
    rows = (*_rows(study, "pilot", WORLDS["pilot"]), *_rows(study, "production", WORLDS["all"]))
    today = float(np.mean([r.arms["as_is"].figures["mean_cycle_time_days"] for r in study.results]))
    live = [row for row in rows if row.world == "live"]
    promised = float(np.mean([r.arms["production"].figures["mean_cycle_time_days"] for r in study.results]))
    finding = (
        f"Live, {study.case.cases_word} of week {live[0].week} take {live[0].days:.1f} days, those of weeks {first}–{last} take {promised:.1f}"
        if live
        else ""
    )
    how = (
        f"Days from receipt to end, mean of the {study.case.cases_word} that arrive in the week, over {len(study.results)} simulated futures; the band "
        f"holds nine of ten of them, live. Today does not change by week: the dashed line is its mean in weeks {first} to {last}."
    )
    return ByWeek(finding, rows, today, how)


def _rows(study: VerdictStudy, arm: Arm, world: str) -> Iterator[WeekRow]:
    for week in range(1, study.case.target.weeks[1] + 1):
        values = np.asarray([r.arms[arm].by_week.get(week, np.nan) for r in study.results])
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [0.05, 0.95])
            yield WeekRow(world, week, float(values.mean()), float(low), float(high))


def by_week_data(found: ByWeek) -> list[dict[str, Any]]:
    """The data of the chart."""
    return [
        {
            "world": r.world,
            "week of arrival": r.week,
            "days on average": r.days,
            "9 of 10 futures, low": r.low,
            "9 of 10 futures, high": r.high,
        }
        for r in found.rows
    ]


def by_week_chart(found: ByWeek) -> Any:
    """Two lines over the weeks, the range of futures of the live one, and today."""
    from scenarios.report import charts

    points = [charts.WeekPoint(r.week, r.world, r.days, r.low, r.high) for r in found.rows]
    return charts.weekly(points, "days on average", "week of arrival", ".1f", band="live", line=found.today, line_name="today")


# -- what emerges, in futures of its own


def growing_exhibit(loaded: LoadedCase, futures: int, seed: int, means: Means) -> Iterator[tuple[Exhibit | None, int, int]]:
    """The exhibit of `scenarios.exhibits.simulate` on ever more futures, a slice a world and future: what there is, runs done, runs in all.

    Raises BaselineError, Cancelled.
    """
    case, weeks = loaded.case, loaded.case.target.weeks[1]
    draws = without_drift(case, parameters.sample(case, seed, None))
    solved = median_baseline(case, seed, means, SolvedCache(loaded.today, seed, loaded.cache))
    unlocated = solved.per_visit if solved else {}
    sums: dict[str, list[tuple[Floats, Floats]]] = {arm: [] for arm in ARMS}
    whole: Exhibit | None = None
    total = futures * len(ARMS)
    yield None, 0, total

    def one(task: tuple[str, int], engine: Engine) -> tuple[str, tuple[Floats, Floats]]:
        arm, future = task
        return arm, weekly_sums(_run(case, draws, arm, future, unlocated, engine), weeks)

    tasks = [(arm, future) for future in range(futures) for arm in ARMS]
    pair = 2
    for done in range(0, total, pair):
        for arm, found in run_chunks(one, tasks[done : done + pair], means.engine, means.threads, means.stop):
            sums[arm].append(found)
        complete = min(len(rows) for rows in sums.values())
        if complete >= 2 and (whole is None or whole.futures < complete):
            whole = _exhibit(case, seed, sums, complete)
        yield whole, min(done + pair, total), total


def _run(case: CaseFile, draws: parameters.Draws, arm: str, future: int, unlocated: Any, engine: Engine) -> Run:
    return run_arm(case, draws, ARMS[arm], future, unlocated, engine)


def _exhibit(case: CaseFile, seed: int, sums: dict[str, list[tuple[Floats, Floats]]], futures: int) -> Exhibit:
    above, below = ({arm: np.stack([pair[i] for pair in rows[:futures]]) for arm, rows in sums.items()} for i in (0, 1))
    return Exhibit(case, seed, above, below)


@dataclass(frozen=True, slots=True)
class Emerging:
    """What emerges. measures: each with its finding · sentences: of all causes together · findings: of all and of each cause alone, measure
    by measure; none while nothing can be said."""

    measures: tuple[tuple[Measure, str], ...]
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    how: str


def emerging(exhibit: Exhibit) -> Emerging:
    """The statement of the exhibit in words of the screen; a run too short for it says so."""
    if exhibit.case.target.weeks[1] < LATE[1]:
        short = f"The promise ends with week {exhibit.case.target.weeks[1]}; whether a decline emerges is judged by weeks {LATE[0]} to {LATE[1]}, so it cannot be said."
        return Emerging(
            tuple((m, f"{m.short[0].upper()}{m.short[1:]} week by week") for m in MEASURES), (short,), (), _how(exhibit)
        )
    if exhibit.futures < FEWEST:
        soon = f"{exhibit.futures} simulated futures so far; from {FEWEST} on it is said whether a decline emerges."
        return Emerging(
            tuple((m, f"{m.short[0].upper()}{m.short[1:]} week by week") for m in MEASURES), (soon,), (), _how(exhibit)
        )
    found = findings(exhibit)
    together = {f.measure: f for f in found if f.arm == "all"}
    titles = tuple((m, _title(m, together[m].says, together[m].change.estimate)) for m in MEASURES)
    return Emerging(titles, tuple(_plain(s) for s in statement(found)[:2]), tuple(found), _how(exhibit))


def emerging_shown(found: Emerging, measure: Measure) -> Iterator[dict[str, str]]:
    """One measure against the pilot's conditions: all causes live, then each alone."""
    mine = {f.arm: f for f in found.findings if f.measure is measure}
    for arm in ("all", *CAUSES):
        if arm in mine:
            f = mine[arm]
            first, later = (f"weeks {a}–{b}" for a, b in (EARLY, LATE))
            yield {
                "live": "all four causes" if arm == "all" else f"{arm} alone", first: signed_range(f.early, measure),
                later: signed_range(f.late, measure), "change": signed_range(f.change, measure), "what that says": SAYS[f.says],
            }  # fmt: skip


def _title(measure: Measure, says: str, change: float) -> str:
    name = f"{measure.short[0].upper()}{measure.short[1:]}"
    moved = f"{signed(change * measure.scale, measure.digits)} {measure.unit}"
    told = {
        "emerges": f"a decline emerges, {moved} against the pilot's conditions from weeks 1–3 to 4–12",
        "improves": f"it gains on the pilot's conditions, {moved} from weeks 1–3 to 4–12",
        "none": "no decline emerges",
        "unclear": "too few futures to tell whether a decline emerges",
    }
    return f"{name}: {told[says]}"


def _plain(sentence: str) -> str:
    text = sentence.replace("**", "")
    return f"{text[0].upper()}{text[1:]}"


def _how(exhibit: Exhibit) -> str:
    drifts = any(isinstance(s, Ai) and s.drift is not None for s in exhibit.case.steps)
    return (
        f"{exhibit.futures} simulated futures, all numbers at their middle values{', drift of accuracy switched off' if drifts else ''}, so that what is "
        "seen comes from queues, people and routing. Both worlds go live in the same week and live through the same futures. A decline emerges if the "
        "gap to the pilot's conditions grows from weeks 1–3 to weeks 4–12 by more than chance (99 % range) and by more than what matters: "
        + "; ".join(f"{m.short} {m.matters * m.scale:g} ({m.unit})" for m in MEASURES)
        + "."
    )


def emerging_rows(exhibit: Exhibit, measure: Measure) -> list[dict[str, Any]]:
    """A measure week by week in all worlds of the exhibit."""
    i = MEASURES.index(measure)
    values = {_world(arm): exhibit.by_week(arm)[i] * measure.scale for arm in ARMS}
    unit = "%" if measure.scale == 100 else measure.unit
    count = len(next(iter(values.values())))
    return [{"week": week + 1, "unit": unit, **{world: _known(v[week]) for world, v in values.items()}} for week in range(count)]


def _world(arm: str) -> str:
    return WORLDS.get(arm) or f"{arm} alone as it is live"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def emerging_chart(exhibit: Exhibit, measure: Measure) -> Any:
    """As in the pilot and live, week by week."""
    from scenarios.report import charts

    rows = emerging_rows(exhibit, measure)
    points = [
        charts.WeekPoint(row["week"], world, row[world], row[world], row[world])
        for world in WORLDS.values()
        for row in rows
        if row[world] is not None
    ]
    unit = "per cent" if measure.scale == 100 else measure.unit
    return charts.weekly(points, unit, "week", f".{measure.digits}f")


# -- what goes in by week


@dataclass(frozen=True, slots=True)
class InputRow:
    """A number that changes by week, as it is live. values: of weeks 1, 2, … in its unit; `what` says what they mean."""

    name: str
    what: str
    cause: str
    source: str
    values: tuple[float, ...]
    form: str


SHOWN_WEEKS = (1, 4, 8, 12)
"""And the last one."""
WHATS = {
    "adoption": ("share of what is meant for the AI that really goes there", ".0%"),
    "learning": ("work takes so many times as long", ".2f"),
    "support": ("odds that a case is resolved, multiplied by", ".2f"),
    "drift": ("odds that an output is right, divided by", ".2f"),
    "staffing": ("people", ".0f"),
}


def inputs(case: CaseFile) -> tuple[InputRow, ...]:
    """Every number that may change by week after go-live, with its source."""
    return tuple(_input(case, item) for item in weekly_inputs(case, case.target.weeks[1]))


def _input(case: CaseFile, item: WeeklyInput) -> InputRow:
    kind, _, rest = item.what.partition(":")
    routed = re.fullmatch(r" share of (.*) that goes to the AI, by week of arrival", rest)
    if routed is not None:
        what, form = f"share of {_type(case, routed[1])} that goes to the AI, by week of arrival", ".0%"
    else:
        what, form = WHATS[kind]
    values = tuple(float(np.exp(v)) if item.unit == "logit" else v for v in item.values)
    cause = item.cause or "none: the same in the pilot"
    of_type = f" ({_type(case, routed[1])})" if routed is not None and routed[1] in case.types else ""
    return InputRow(f"{_owner(case, item.path)}: {kind}{of_type}", what, cause, _source(item.source), values, form)


def _type(case: CaseFile, name: str) -> str:
    return (case.types[name].label or plain(name)) if name in case.types else name


def _owner(case: CaseFile, path: str) -> str:
    kind, name, *_ = path.split(".")
    if kind == "teams":
        return who(case, name)
    return next((s.label or plain(s.id) for s in case.steps if s.id == name), plain(name))


def _source(text: str) -> str:
    """Source classes by their names on screen; the note stays as it was written."""
    classes, bracket, note = text.partition(" (")
    names = [SOURCES[c][0].lower() if c in SOURCES else c for c in classes.split(", ")]
    return ", ".join(names) + bracket + note


def moves(row: InputRow) -> bool:
    """Whether it changes at all."""
    return min(row.values) < max(row.values)


def inputs_shown(rows: tuple[InputRow, ...]) -> Iterator[dict[str, str]]:
    """The table as it is read: some weeks of every input, those that move first."""
    for row in sorted(rows, key=lambda r: not moves(r)):
        weeks = [w for w in SHOWN_WEEKS if w < len(row.values)] + [len(row.values)]
        yield {"number": row.name, **{f"week {w}": _value(row.values[w - 1], row.form) for w in weeks}}


def _value(value: float, form: str) -> str:
    return format(value, form).replace("%", " %")


def inputs_sources(rows: tuple[InputRow, ...]) -> Iterator[str]:
    """What each means, where it comes from, and the cause that switches it on."""
    for row in sorted(rows, key=lambda r: not moves(r)):
        yield f"{row.name}: {row.what}. Source: {row.source}. Cause: {row.cause}."


def inputs_data(rows: tuple[InputRow, ...]) -> list[dict[str, Any]]:
    """All weeks of every input."""
    return [
        {"number": row.name, "meaning": row.what, "cause": row.cause, "source": row.source, "week": week, "value": value}
        for row in rows
        for week, value in enumerate(row.values, 1)
    ]


def still(rows: tuple[InputRow, ...]) -> str:
    """Which causes have nothing that moves between the early and the late weeks."""
    moving = {c for row in rows for c in row.cause.split(", ") if len(set(row.values[EARLY[0] - 1 : LATE[1]])) > 1}
    quiet = [c for c in CAUSES if c not in moving]
    return f"Nothing changes by week for: {', '.join(quiet)}. What these causes do, they do from week 1 on." if quiet else ""
