"""Each cause switched on alone and last, in words: what it changes, how exactly the simulated futures can tell, and what it switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.leaves import leaves
from models.schema import Ai, CaseFile, Cause
from scenarios.pages.why_days import signed
from scenarios.report.parameter_words import parameter_words
from scenarios.study.causes_apart import CausesApart, Floats, interval
from simulator.statistics import Estimate

COVERS: dict[Cause, str] = {
    "data": "the AI meets data as they are live, less tidy than the pilot's",
    "scope": "the AI also gets the types that the pilot never had",
    "integration": "connected systems behave as they do live",
    "organisation": "adoption, support, staffing and review are as they are live",
}
WAYS = ("alone", "last")


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause. alone, last: difference with its 90 % range in the shown unit · said: both in words · switches: what differs in this case."""

    name: str
    covers: str
    alone: Estimate
    last: Estimate
    said: tuple[str, str]
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Causes:
    """All that the part shows. unit: of all differences."""

    finding: str
    unit: str
    digits: int
    futures: int
    rows: tuple[CauseRow, ...]
    sentences: tuple[str, ...]
    how: str


def causes(found: CausesApart) -> Causes:
    """From the differences of at least two futures."""
    case = found.case
    points = case.target.statistic == "share_within"
    scale, unit, digits = (100, "percentage points", 1) if points else (1, "days", 2)

    def scaled(values: Floats) -> Estimate:
        return interval(scale * values)

    rows = tuple(
        CauseRow(
            e.cause.capitalize(), COVERS[e.cause], scaled(e.alone), scaled(e.last),
            (said(scaled(e.alone), unit, digits), said(scaled(e.last), unit, digits)), tuple(switched(case, e.cause)),
        )
        for e in found.effects
    )  # fmt: skip
    whole = scaled(found.whole)
    return Causes(
        _finding(rows, case, unit, digits),
        unit,
        digits,
        found.futures,
        rows,
        tuple(_sentences(rows, whole, unit, digits)),
        _how(found),
    )


def said(e: Estimate, unit: str, digits: int) -> str:
    """A difference in words; what cannot be told from nothing is said to be so."""
    low, high = signed(e.low, digits), signed(e.high, digits)
    if e.estimate == e.low == e.high == 0:
        return "changes nothing in any simulated future"
    if e.low <= 0 <= e.high:
        return f"cannot be told from nothing ({low} to {high} {unit})"
    return f"{signed(e.estimate, digits)} {unit} ({low} to {high})"


def told(e: Estimate) -> bool:
    """Whether a difference can be told from nothing."""
    return not e.low <= 0 <= e.high


def _finding(rows: tuple[CauseRow, ...], case: CaseFile, unit: str, digits: int) -> str:
    sign = 1 if case.target.direction == "at_most" else -1
    costly = [r for r in rows if any(told(e) and sign * e.estimate > 0 for e in (r.alone, r.last))]
    if not costly:
        helps = any(told(e) for r in rows for e in (r.alone, r.last))
        return "No cause makes live worse than the pilot's conditions" if helps else "No cause can be told from nothing"
    worst = max(costly, key=lambda r: sign * (r.alone.estimate + r.last.estimate))
    alone, last = signed(worst.alone.estimate, digits), signed(worst.last.estimate, digits)
    return f"{worst.name} costs most: {alone} {unit} alone, {last} if it comes last"


def _sentences(rows: tuple[CauseRow, ...], whole: Estimate, unit: str, digits: int) -> Iterator[str]:
    yield f"All four together, live against the pilot's conditions: {said(whole, unit, digits)}."
    alone, last = (sum(getattr(r, way).estimate for r in rows) for way in WAYS)
    yield (
        f"Alone they add up to {signed(alone, digits)}, last to {signed(last, digits)} {unit}. Causes meet each other: what one does depends on "
        "which others are there already. So alone and last differ, and neither has to add up to the whole."
    )


def _how(found: CausesApart) -> str:
    first, last = found.case.target.weeks
    return (
        "Alone: this cause as it is live, the other three as in the pilot, less all four as in the pilot. Last: all four as they are live, less "
        f"this one as in the pilot. {found.case.cases_word.capitalize()} that arrive in weeks {first} to {last}, the promised measure. Mean over "
        f"{found.futures} simulated futures; both sides of a difference live through the same futures. The range says how exactly so many futures "
        "can tell the mean (90 % range); it narrows as more are simulated."
    )


def switched(case: CaseFile, cause: Cause) -> Iterator[str]:
    """The numbers of this case that a cause switches, in words."""
    yield from dict.fromkeys(parameter_words(case, leaf.path) for leaf in leaves(case) if leaf.parameter.cause == cause)
    for step in (s for s in case.steps if isinstance(s, Ai)):
        name = step.label or step.id.replace("_", " ")
        if cause == "data":
            yield f"{name}: accuracy live against the pilot"
        if cause == "organisation" and step.adoption is not None:
            yield f"{name}: adoption, week by week"
        if cause == "scope":
            yield from (f"{name}: also gets {t.label or n.replace('_', ' ')}" for n, t in case.types.items() if not t.piloted)


def causes_rows(shown: Causes) -> list[dict[str, Any]]:
    """The data of the chart, not rounded."""
    return [
        {
            "cause": r.name,
            "switched on": way,
            f"difference, {shown.unit}": e.estimate,
            "90 % range, low": e.low,
            "90 % range, high": e.high,
        }
        for r in shown.rows
        for way, e in zip(WAYS, (r.alone, r.last), strict=True)
    ]


def causes_shown(shown: Causes) -> Iterator[dict[str, str]]:
    """The table as it is read."""
    for r in shown.rows:
        yield {"cause": r.name, "alone": r.said[0], "last": r.said[1]}


def switches_shown(shown: Causes) -> Iterator[str]:
    """What each cause switches on, in general and in this case."""
    for r in shown.rows:
        own = "; ".join(r.switches) if r.switches else "nothing of this case"
        yield f"{r.name}: {r.covers}. Here: {own}."


def causes_chart(shown: Causes) -> Any:
    """Two dots with their ranges for every cause, around nothing."""
    from scenarios.report import charts

    rows = [
        charts.Interval(r.name, way, e.low, e.estimate, e.high)
        for r in shown.rows
        for way, e in zip(WAYS, (r.alone, r.last), strict=True)
    ]
    return charts.differences(rows, f"difference in {shown.unit}, live less pilot's conditions", f"+.{shown.digits}f")
