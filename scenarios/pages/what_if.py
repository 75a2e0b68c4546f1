"""What if, as the page shows it: the difference before the level, whether it can be told from nothing, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import units
from models.decisions.verdict import DECISION_DRAWS
from models.outcomes import met, target_level, target_value
from models.schema import CaseFile, WhatIf
from scenarios.pages.told import Told
from scenarios.pages.what_if_controls import Control, settings_of
from scenarios.report.verdict_json import days_of
from scenarios.report.verdict_text import named_days, per_cent
from scenarios.study.accuracy_curve import Curve
from scenarios.study.what_if import Effect
from simulator.clock import DAY
from simulator.statistics import Estimate, paired_difference, paired_share_difference, wilson

SHOWN_DAYS = 0.05
_LEAST = {"days": 0.01, "points": 0.001}
"""The smallest difference that is shown, by unit; points as a share."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectPage:
    """What a change is worth. difference: live with it minus live without, in days or as a share, with its 90 % range · told: whether it
    can be told from nothing · days: (world, part, days) before and after."""

    changed: str
    headline: str
    chance: str
    still: str
    told: bool
    difference: Estimate
    before: float
    after: float
    chance_before: float
    chance_after: float
    numbers: tuple[Told, ...]
    days: tuple[tuple[str, str, float], ...]
    finding: str
    futures: int


def effect_page(effect: Effect, changed: str) -> EffectPage:
    """The page of an effect. changed: what was moved, in words."""
    case = effect.case
    before, after = ([target_value(case, o.figures) for o in side] for side in (effect.before, effect.after))
    difference = paired_difference(after, before).difference
    kept = [[met(case, o.figures) for o in side] for side in (effect.before, effect.after)]
    chance_before, chance_after = (float(np.mean(k)) for k in kept)
    worlds = {
        "as the case is": named_days(days_of(effect.before)),
        "with the change": named_days(days_of(effect.after)),
    }
    told = not difference.low <= 0 <= difference.high
    means = float(np.mean(before)), float(np.mean(after))
    return EffectPage(
        changed, _headline(case, difference, told), _chance(kept), _still(case, means[1], worlds["with the change"]), told, difference,
        *means, chance_before, chance_after, tuple(_numbers(case, effect, difference, means, kept)), tuple(_parts(worlds)),
        _finding(worlds), len(effect.futures),
    )  # fmt: skip


def described(controls: Sequence[Control], settings: Mapping[str, float]) -> str:
    """What was moved, from which value to which."""
    parts = []
    for control in controls:
        value = settings.get(control.id, control.now)
        if value == control.now:
            continue
        if control.unit == "yes or no":
            parts.append(f"{control.label}: left to people")
        elif control.unit == "% of now":
            parts.append(f"{control.label} {value - 100:+.0f} %".replace("-", "−"))
        else:
            before = f"{control.now:g}" if control.unit in ("people", "week") else shown(control, control.now)
            parts.append(f"{control.label} {before} → {shown(control, value)}")
    return "; ".join(parts)


def changes_described(case: CaseFile, controls: Sequence[Control], what_if: WhatIf) -> str:
    """What a what-if changes, as `described` says it; numbers without a control, as a file can change them, by their place in the case."""
    settings, rest = settings_of(case, controls, what_if.changes)
    return "; ".join(part for part in (described(controls, settings), *(f"{path} changed" for path in rest)) if part)


def shown(control: Control, value: float) -> str:
    """A value with its unit; the label of a week ends with that word."""
    people = " person" if value == 1 else " people"
    unit = {"%": " %", "people": people, "week": "", "% of now": " % of now", "yes or no": ""}[control.unit]
    return f"{value:g}{unit}"


def _unit(case: CaseFile) -> str:
    return "points" if case.target.statistic == "share_within" else "days"


def _amount(case: CaseFile, value: float, digits: int = 2) -> str:
    if _unit(case) == "points":
        return f"{100 * abs(value):.{max(0, digits - 1)}f} points"
    return f"{abs(value):.{digits}f} d"


def _nothing(case: CaseFile, *values: float) -> bool:
    """Whether all of them are shown as zero."""
    return all(float(_amount(case, value).split()[0]) == 0 for value in values)


def in_unit(case: CaseFile, value: float) -> str:
    """A result in the unit of the promise."""
    return per_cent(value) if _unit(case) == "points" else f"{value:.1f} d"


def _headline(case: CaseFile, difference: Estimate, told: bool) -> str:
    if difference.low == difference.high == 0:
        return "No difference: no simulated case comes out otherwise."
    low, high = sorted((abs(difference.low), abs(difference.high)))
    if _nothing(case, high) or (told and _nothing(case, difference.estimate)):
        return f"No difference to speak of: at most {_amount(case, max(high, _LEAST[_unit(case)]))}."
    if not told:
        return f"Not distinguishable from nothing: between {_signed(case, difference.low)} and {_signed(case, difference.high)}."
    up, down = ("slower", "faster") if _unit(case) == "days" else ("more within the promise", "fewer within the promise")
    word = up if difference.estimate > 0 else down
    return f"{_amount(case, difference.estimate)} {word} ({_amount(case, low).split()[0]} to {_amount(case, high).split()[0]})."


def _signed(case: CaseFile, value: float) -> str:
    sign = "" if _nothing(case, value) else "+" if value > 0 else "−"
    return f"{sign}{_amount(case, value)}"


def _chance(kept: Sequence[Sequence[bool]]) -> str:
    first, second = (float(np.mean(k)) for k in kept)
    change = paired_share_difference(kept[0], kept[1])
    if first == second:
        return f"The chance that the promise is kept stays at {per_cent(second)}."
    between = f"{_points(change.low)} to {_points(change.high)} points"
    same = ", not distinguishable from nothing yet" if change.low <= 0 <= change.high else ""
    return f"The chance that the promise is kept goes from {per_cent(first)} to {per_cent(second)} ({between}{same})."


def _points(share: float) -> str:
    return f"{100 * share:+.0f}".replace("-", "−").replace("+0", "0").replace("−0", "0")


def _still(case: CaseFile, after: float, days: Mapping[str, float]) -> str:
    level = target_level(case)
    kept = after <= level if case.target.direction == "at_most" else after >= level
    if kept:
        return f"On average over the simulated futures the result is then {in_unit(case, after)}: the promise of {in_unit(case, level)} is kept."
    largest = ", ".join(f"{name} {value:.1f} d" for name, value in list(days.items())[:2])
    return f"Still short of the promise of {in_unit(case, level)}: {in_unit(case, after)}. What takes the most time: {largest}."


def _numbers(
    case: CaseFile, effect: Effect, difference: Estimate, means: tuple[float, float], kept: Sequence[Sequence[bool]]
) -> Iterator[Told]:
    n = len(effect.futures)
    how = f"Mean over {n} simulated futures, the same for both: only the change differs."
    yield Told("Live, unchanged", in_unit(case, means[0]), how)
    yield Told("Live, changed", in_unit(case, means[1]), how)
    yield Told(
        "Difference", "0" if _nothing(case, difference.estimate) else _signed(case, difference.estimate),
        f"Mean of the differences future by future; 9 of 10 such ranges hold the true one: {_signed(case, difference.low)} to {_signed(case, difference.high)}.",
    )  # fmt: skip
    first, second = (wilson(sum(k), len(k)) for k in kept)
    yield Told(
        "Chance, changed", per_cent(second.estimate),
        f"Share of the {n} futures in which the promise is kept, between {per_cent(second.low)} and {per_cent(second.high)}; without the change "
        f"{per_cent(first.estimate)}. An answer takes {DECISION_DRAWS} futures.",
    )  # fmt: skip


def _parts(worlds: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str, float]]:
    names = dict.fromkeys(name for days in worlds.values() for name in days)
    for name in names:
        if max(days.get(name, 0.0) for days in worlds.values()) >= SHOWN_DAYS:
            yield from ((world, name, days.get(name, 0.0)) for world, days in worlds.items())


def _finding(worlds: Mapping[str, Mapping[str, float]]) -> str:
    before, after = worlds.values()
    moved = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in {**before, **after}}
    name, by = max(moved.items(), key=lambda item: abs(item[1]))
    if abs(by) < 0.005:
        return "No part of the process changes its days"
    return f"The largest part of the difference: {name} {by:+.2f} d".replace("-", "−")


@dataclass(frozen=True, slots=True)
class SavedRow:
    """A saved what-if beside the others."""

    title: str
    live: str
    difference: str
    chance: str
    futures: str


def saved_row(title: str, effect: Effect | None) -> SavedRow:
    """Its row; "…" while nothing is known."""
    if effect is None:
        return SavedRow(title, "…", "…", "…", "0")
    page = effect_page(effect, title)
    d = page.difference
    between = (
        f" ({_signed(effect.case, d.low)} to {_signed(effect.case, d.high)})" if not _nothing(effect.case, d.low, d.high) else ""
    )
    amount = "0" if _nothing(effect.case, d.estimate) else _signed(effect.case, d.estimate)
    difference = f"{amount}{between}"
    chance = f"{per_cent(page.chance_before)} → {per_cent(page.chance_after)}"
    return SavedRow(title, in_unit(effect.case, page.after), difference, chance, str(page.futures))


# -- the first estimate


def without_queues(case: CaseFile, before: Any, after: Any) -> str:
    """The first estimate, from a sample of cases for which everybody is free at once: in words. before, after: days of the cases."""
    statistic = case.target.statistic
    if statistic == "share_within":
        assert case.target.within is not None
        level = units.seconds(case.target.within) / DAY
        first, second = (float(np.mean(days <= level)) for days in (before, after))
    else:
        quantile = {"median": 0.5, "p90": 0.9}.get(statistic)
        first, second = (float(np.mean(days) if quantile is None else np.quantile(days, quantile)) for days in (before, after))
    if _nothing(case, second - first):
        return "Without any queue this would change nothing; what it does to queues is being simulated."
    return (
        f"Without any queue the difference would be {_signed(case, second - first)}; what it does to queues is being simulated."
    )


# -- the curve


def curve_finding(curve: Curve, case: CaseFile) -> str:
    """What the curve says."""
    level, best = target_level(case), curve.points[-1]
    good = [p for p in curve.points if _keeps(case, p.result.estimate)]
    if not good:
        return (
            f"No accuracy reaches {in_unit(case, level)}: an AI that is always right gives {in_unit(case, best.result.estimate)}"
        )
    first = min(p.accuracy for p in good)
    if first == curve.points[0].accuracy:
        return f"Any accuracy from {100 * first:.0f} % on reaches {in_unit(case, level)} on average"
    return f"About {100 * first:.0f} % accuracy reaches {in_unit(case, level)} on average; now it is {100 * curve.now:.0f} %"


def _keeps(case: CaseFile, value: float) -> bool:
    level = target_level(case)
    return value <= level if case.target.direction == "at_most" else value >= level


def curve_rows(curve: Curve, case: CaseFile) -> list[dict[str, object]]:
    """The data of the curve."""
    scale = 100.0 if _unit(case) == "points" else 1.0
    name = "share within the promise, %" if _unit(case) == "points" else "result, days"
    return [
        {
            "accuracy, %": 100 * p.accuracy, name: round(scale * p.result.estimate, 3), "low": round(scale * p.result.low, 3),
            "high": round(scale * p.result.high, 3), "promise kept, %": round(100 * p.kept, 1), "simulated futures": p.futures,
        }
        for p in curve.points
    ]  # fmt: skip


def curve_chart(curve: Curve, case: CaseFile) -> Any:
    """The result over accuracy, with its range, the promise and the level of now."""
    from scenarios.report import charts

    scale, unit = (100.0, "share within the promise, %") if _unit(case) == "points" else (1.0, "result, days")
    rows = [(100 * p.accuracy, scale * p.result.estimate, scale * p.result.low, scale * p.result.high) for p in curve.points]
    return charts.curve(rows, "accuracy, %", unit, scale * target_level(case), "promise", 100 * curve.now, "now")
