"""`compare`: two cases over the same futures – the chance that the promise is kept, paired differences, futures needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.decisions.verdict import DECISION_DRAWS
from models.outcomes import met, target_level
from models.schema import Arm, CaseFile
from scenarios import pairs
from scenarios.files import LoadedCase
from scenarios.report import precision_report
from scenarios.report.basis import basis, basis_line
from scenarios.report.verdict_json import rounded
from scenarios.report.verdict_text import ARM_NAMES, STATISTIC_NAMES, per_cent
from scenarios.study import Progress, quiet
from scenarios.study.precision import Precision
from simulator.statistics import (
    Estimate,
    PairedDifference,
    paired_difference,
    paired_share_difference,
    replications_needed,
    wilson,
)
from simulator.stopping import Look, MeanRule

SCHEMA_VERSION = 1
HALF_WIDTHS = {"days": 0.1, "share": 0.01, "cost": 0.1}
"""Half-widths (90 %) for which the number of futures is stated."""
FIGURES = {
    "mean": "mean_cycle_time_days",
    "median": "median_cycle_time_days",
    "p90": "p90_cycle_time_days",
    "share_within": "share_within_target",
}
"""Statistic of a promise -> the figure it is about."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One figure: both means, their paired difference (second − first), and the futures that a stated half-width needs."""

    name: str
    first: float
    second: float
    difference: PairedDifference
    half_width: float
    needed: int


@dataclass(frozen=True, slots=True)
class Chance:
    """Share of the futures in which the promise is kept, in both cases, and its paired change (second − first)."""

    first: Estimate
    second: Estimate
    change: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All rows of a comparison and its basis. Without a `chance`, `no_chance` says why. `drawn`: under draws, not at the middle."""

    first: LoadedCase
    second: LoadedCase
    arm: Arm
    seed: int
    replications: int
    drawn: bool
    chance: Chance | None
    no_chance: str
    rows: tuple[Row, ...]
    precision: Precision | None = None


def compare(
    first: LoadedCase,
    second: LoadedCase,
    arm: Arm,
    replications: int,
    seed: int,
    progress: Progress = quiet,
    draws: int | None = None,
    rule: MeanRule | None = None,
) -> Comparison:
    """Simulates both cases over the same futures: `draws` of all that is uncertain, or if None `replications` at the middle values.

    `rule`: instead, draws until the difference of the mean cycle time (days) is as precise as it asks.
    """
    precision = None
    if rule is not None:
        found, precision = pairs.until_precise(first, second, arm, rule, lambda p: _look(rule, p), seed, progress)
    elif draws is None:
        found = pairs.at_the_middle(first, second, arm, replications, seed, progress)
    else:
        found = pairs.under_draws(first, second, arm, draws, seed, progress)
    chance = None if found.no_chance else _chance(first.case, second.case, found)
    n = len(found.first)
    drawn = draws is not None or rule is not None
    return Comparison(first, second, arm, seed, n, drawn, chance, found.no_chance, tuple(_rows(found)), precision)


def _look(rule: MeanRule, found: pairs.Pairs) -> Look:
    """At the paired differences of the mean cycle time, in days."""
    a, b = ([o.figures[FIGURES["mean"]] for o in side] for side in (found.first, found.second))
    return rule.look([y - x for x, y in zip(a, b, strict=True)])


def _chance(first: CaseFile, second: CaseFile, found: pairs.Pairs) -> Chance:
    kept = [met(first, o.figures) for o in found.first], [met(second, o.figures) for o in found.second]
    a, b = (wilson(sum(k), len(k)) for k in kept)
    return Chance(a, b, paired_share_difference(*kept))


def _rows(found: pairs.Pairs) -> Iterator[Row]:
    for name in found.first[0].figures:
        if name == "cases":
            continue
        x, y = ([o.figures[name] for o in side] for side in (found.first, found.second))
        half = HALF_WIDTHS["days" if name.endswith("days") else "cost" if "cost" in name else "share"]
        needed = replications_needed([v - u for u, v in zip(x, y, strict=True)], half)
        yield Row(name, sum(x) / len(x), sum(y) / len(y), paired_difference(y, x), half, needed)


# -- JSON


def as_json(result: Comparison) -> dict[str, Any]:
    """The comparison for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "arm": result.arm,
        "replications": result.replications,
        "values": "draws" if result.drawn else "middle",
        "chance": _chance_json(result.chance),
        "chance_not_told_because": result.no_chance or None,
        "figures": {row.name: _row_json(row) for row in result.rows},
        "basis": {"first": basis(result.first, result.seed), "second": basis(result.second, result.seed)},
        **({} if result.precision is None else {"precision": precision_report.as_json(result.precision, "days")}),
    }


def _chance_json(chance: Chance | None) -> dict[str, Any] | None:
    if chance is None:
        return None
    return {
        name: {"estimate": rounded(e.estimate), "low": rounded(e.low), "high": rounded(e.high)}
        for name, e in (("first", chance.first), ("second", chance.second), ("difference", chance.change))
    }


def _row_json(row: Row) -> dict[str, Any]:
    difference = row.difference.difference
    return {
        "first": rounded(row.first),
        "second": rounded(row.second),
        "difference": rounded(difference.estimate),
        "low": rounded(difference.low),
        "high": rounded(difference.high),
        "standard_error": rounded(difference.standard_error),
        "correlation": rounded(row.difference.correlation),
        "gain_of_common_random_numbers": rounded(row.difference.gain),
        "replications_needed": {"half_width": row.half_width, "count": row.needed},
    }


# -- text


def text(result: Comparison) -> str:
    """The comparison to read: the promise first, then the difference of every figure that moves."""
    how = "the uncertain numbers drawn anew in each" if result.drawn else "at the middle values"
    lines = [
        f"A: {result.first.case.title} ({result.first.file})",
        f"B: {result.second.case.title} ({result.second.file})",
        f"{ARM_NAMES[result.arm]}, {result.replications} simulated futures, the same for both, {how}",
        "",
        *_promise(result),
        "",
        *_table(result),
        *([] if result.precision is None else [f"  {precision_report.line(result.precision, 'days')}"]),
        "",
        f"  A {basis_line(result.first, result.seed)}",
        f"  B {basis_line(result.second, result.seed)}",
    ]
    return "\n".join(lines)


def _promise(result: Comparison) -> Iterator[str]:
    yield "  Chance that the promise is kept"
    if result.chance is None:
        yield f"    not told: {result.no_chance}"
        return
    sides = (("A", result.chance.first, result.first), ("B", result.chance.second, result.second))
    for name, e, loaded in sides:
        chance = f"{per_cent(e.estimate)} (between {per_cent(e.low)} and {per_cent(e.high)})"
        yield f"    {name:<6} {chance:<36} {_promised(loaded.case)}"
    d = result.chance.change
    same = ", not distinguishable from nothing" if d.low <= 0 <= d.high else ""
    yield f"    B − A  {_points(d.estimate)} percentage points (between {_points(d.low)} and {_points(d.high)}){same}"
    if result.replications < DECISION_DRAWS:
        yield f"    PREVIEW from {result.replications} futures; a decision takes {DECISION_DRAWS} (--draws {DECISION_DRAWS})"


def _promised(case: CaseFile) -> str:
    target = case.target
    first, last = target.weeks
    if target.statistic == "share_within":
        return f"promise: {per_cent(target_level(case))} within {target.within}, weeks {first}–{last}"
    return f"promise: {target_level(case):.1f} d {STATISTIC_NAMES[target.statistic]}, weeks {first}–{last}"


def _points(share: float) -> str:
    return f"{round(100 * share):+d}".replace("-", "−").replace("+0", "0")


def _table(result: Comparison) -> Iterator[str]:
    moved = [row for row in result.rows if row.difference.difference.low != 0 or row.difference.difference.high != 0]
    if not moved:
        yield "  No figure differs between A and B."
        return
    yield f"  {'':<30}{'B − A':>9}   {'between':<20}{'A':>9}{'B':>9}   futures needed"
    for row in moved:
        d = row.difference.difference
        same = "   not distinguishable from nothing" if d.low <= 0 <= d.high and d.standard_error > 0 else ""
        between = f"{d.low:+.3f} to {d.high:+.3f}"
        yield (
            f"  {row.name.replace('_', ' '):<30}{d.estimate:>+9.3f}   {between:<20}{row.first:>9.3f}{row.second:>9.3f}"
            f"   {row.needed} for ±{row.half_width:g}{same}"
        )
    promised = FIGURES[result.first.case.target.statistic]
    yield f"  {_same_luck(next((row for row in moved if row.name == promised), moved[0]))}"


def _same_luck(row: Row) -> str:
    """What the same random numbers in both cases are worth for one figure."""
    name, gain = row.name.replace("_", " "), row.difference.gain
    if gain > 1e6:
        return f"The same luck in both: chance has no part in the difference ({name})."
    times = f"{gain:.0f}" if gain >= 10 else f"{gain:.1f}"
    if gain >= 1:
        return f"The same luck in both: as precise as {times} times as many independent simulations ({name})."
    return f"The same luck in both does not help here: as precise as {times} times as many independent simulations ({name})."
