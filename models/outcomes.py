"""Business outcomes of one simulated future, derived from its ledger.

Outcomes are of the cases that arrive in the target weeks; a case still open at the end of the run enters with its age, a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import schema, units
from models.compositions.ai import accepted_mark, handled_mark, late_mark, wrong_mark
from models.compositions.desk import escalated_mark
from models.process import Horizon
from simulator.clock import DAY, WEEK
from simulator.ledger import OPEN
from simulator.program import F, Op, Program
from simulator.summary import AGAIN, Question, Summary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Figures of one arm in one future.

    figures: name -> number (days, shares, money a case) · days: account -> mean days a case, adding up to the mean cycle time;
    accounts of repeated visits end in `_again` · step_days, step_visits: case-file step -> mean a case ·
    by_type, by_week, by_ai: group -> mean cycle days · utilisation, backlog: by week of the run.
    """

    figures: Mapping[str, float]
    days: Mapping[str, float]
    step_days: Mapping[str, float]
    step_visits: Mapping[str, float]
    by_type: Mapping[str, float]
    by_week: Mapping[int, float]
    by_ai: Mapping[str, float]
    utilisation: Mapping[str, Floats]
    mean_queue: Mapping[str, Floats]
    weeks: NDArray[np.int64]
    backlog: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """The cases of the target weeks: cycle seconds, final marks, groups of steps visited, whether ended, type."""

    program: Program
    seconds: Ints
    marks: Ints
    groups: Ints
    ended: Mask
    kinds: Ints

    @classmethod
    def of(cls, run: Summary, seconds: Ints) -> _Chosen:
        mine = run.chosen
        return cls(run.program, seconds[mine], run.marks[mine], run.groups[mine], run.ended[mine] != OPEN, run.future.type[mine])

    def with_any(self, names: list[str]) -> Mask:
        """Cases with at least one of the marks."""
        bits = sum(1 << self.program.marks.index(n) for n in names if n in self.program.marks)
        return np.asarray((self.marks & bits) != 0)


def outcome(case: schema.CaseFile, run: Summary, horizon: Horizon, costs: Mapping[str, float]) -> Outcome:
    """The outcome of one run. `costs`: the money columns of this draw (see `case_costs`)."""
    seconds = run.cycle_seconds
    mine = _Chosen.of(run, seconds)
    cases, pools, shares = max(1, len(mine.seconds)), run.pool_weeks(), _shares(case, mine)
    handled = mine.with_any([handled_mark(s.id) for s in case.steps if isinstance(s, schema.Ai)])
    step_days, step_visits = _by_step(run, cases)
    return Outcome(
        {**_cycle_figures(case, mine.seconds), **shares, **_cost(run, shares, cases, costs)},
        _days(run, cases),
        step_days,
        step_visits,
        dict(zip(case.types, _mean_by(mine.kinds, mine.seconds, len(case.types)), strict=True)),
        _by_arrival_week(seconds, run.future.day, horizon.last_week),
        {"ai": _mean_days(mine.seconds[handled]), "manual": _mean_days(mine.seconds[~handled])},
        {p.name: p.utilisation for p in pools},
        {p.name: p.mean_queue for p in pools},
        pools[0].week if pools else np.empty(0, dtype=np.int64),
        run.backlog_by_week(),
    )


DAYS_A_WEEK = WEEK // DAY
TOUCHED, REVIEWED = 1, 2
"""Groups of steps: served by a team; a review."""


def question(case: schema.CaseFile, program: Program, horizon: Horizon) -> Question:
    """What outcomes need to know of a run."""
    groups = np.where((program.steps[:, F.OP] == Op.SERVE) & (program.steps[:, F.POOL] >= 0), TOUCHED, 0)
    reviews = {s.id for s in case.steps if isinstance(s, schema.Review)}
    groups[[i for i, name in enumerate(program.step_ids) if name in reviews]] |= REVIEWED
    return Question((horizon.first_week - 1) * WEEK, horizon.last_week * WEEK, groups)


def _by_arrival_week(seconds: Ints, day: Ints, last: int) -> dict[int, float]:
    """Mean cycle days by week of arrival, from the first week after go-live; cases are in the order of their days."""
    first = np.searchsorted(day, DAYS_A_WEEK * np.arange(last + 1))
    total = np.diff(np.append(0, np.cumsum(seconds[first[0] : first[-1]]))[first - first[0]])
    return dict(enumerate(_means(total, np.diff(first)), start=1))


def _means(total: NDArray[Any], count: Ints) -> list[float]:
    """Mean days of sums of seconds; not a number where nothing was summed."""
    return [float(t / n / DAY) if n else float("nan") for t, n in zip(total.tolist(), count.tolist(), strict=True)]


def _mean_by(group: Ints, seconds: Ints, groups: int) -> list[float]:
    """Mean days of each group; not a number for an empty one."""
    count = np.bincount(group, minlength=groups)
    return _means(np.bincount(group, weights=seconds, minlength=groups), count)  # exact: whole numbers below 2^53


def _mean_days(seconds: Ints) -> float:
    return float(seconds.sum() / len(seconds) / DAY) if len(seconds) else float("nan")


def _cycle_figures(case: schema.CaseFile, seconds: Ints) -> dict[str, float]:
    limit = units.seconds(case.target.within) if case.target.within else case.target.level_in_base_units()
    within = float(np.count_nonzero(seconds <= limit)) / len(seconds) if len(seconds) else float("nan")
    median, p90 = _quantiles(seconds, (0.5, 0.9))
    return {
        "mean_cycle_time_days": _mean_days(seconds),
        "median_cycle_time_days": median / DAY,
        "p90_cycle_time_days": p90 / DAY,
        "share_within_target": within,
        "cases": float(len(seconds)),
    }


def _quantiles(values: Ints, shares: Sequence[float]) -> list[float]:
    """As numpy.quantile gives them (linear between neighbours), from one partial sort; not a number if there are no values."""
    last = len(values) - 1
    if last < 0:
        return [float("nan")] * len(shares)
    places = [share * last for share in shares]
    ordered = np.partition(values, [n for place in places for n in (int(place), min(int(place) + 1, last))])
    return [_between(int(ordered[int(x)]), int(ordered[min(int(x) + 1, last)]), x - int(x)) for x in places]


def _between(a: int, b: int, t: float) -> float:
    """The point at a share t of the way from a to b, rounded as numpy rounds it."""
    return b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t


def target_value(case: schema.CaseFile, figures: Mapping[str, float]) -> float:
    """The figure that the target is about, in days or as a share."""
    name = {
        "mean": "mean_cycle_time_days",
        "median": "median_cycle_time_days",
        "p90": "p90_cycle_time_days",
        "share_within": "share_within_target",
    }[case.target.statistic]
    return figures[name]


def target_level(case: schema.CaseFile) -> float:
    """The promised level in days, or as a share."""
    level = case.target.level_in_base_units()
    return level if case.target.statistic == "share_within" else level / DAY


def met(case: schema.CaseFile, figures: Mapping[str, float]) -> bool:
    """Whether the promise is kept by these figures."""
    value, level = target_value(case, figures), target_level(case)
    return value <= level if case.target.direction == "at_most" else value >= level


def _shares(case: schema.CaseFile, mine: _Chosen) -> dict[str, float]:
    """Shares of the cases of the target weeks."""
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    desks = [s.id for s in case.steps if isinstance(s, schema.Desk)]
    accepted = mine.with_any([accepted_mark(a) for a in ais])

    def share(mask: Mask) -> float:
        return np.count_nonzero(mask) / len(mask) if len(mask) else float("nan")

    return {
        "straight_through_share": share((mine.groups & TOUCHED == 0) & mine.ended & accepted),
        "ai_share": share(mine.with_any([handled_mark(a) for a in ais])),
        "accepted_share": share(accepted),
        "review_share": share(mine.groups & REVIEWED != 0),
        "escalated_share": share(mine.with_any([escalated_mark(d) for d in desks])),
        "rework_share": share(mine.groups & AGAIN != 0),
        "errors_found_late_share": share(mine.with_any([late_mark(a) for a in ais])),
        "errors_never_found_share": share(mine.with_any([wrong_mark(a) for a in ais]) & mine.ended),
        "open_share": share(~mine.ended),
    }


def case_costs(case: schema.CaseFile, columns: Mapping[str, Floats], draw: int) -> dict[str, float]:
    """Money of one draw: cost per hour by team, AI cost a case, cost of an error never found."""
    costs = {
        f"teams.{t}": columns[f"teams.{t}.cost_per_hour"][draw] for t, s in case.teams.items() if s.cost_per_hour is not None
    }
    for name in ("ai_cost_per_case", "cost_of_error_never_found"):
        if getattr(case.money, name) is not None:
            costs[name] = columns[f"money.{name}"][draw]
    return {name: float(value) for name, value in costs.items()}


def _cost(run: Summary, shares: Mapping[str, float], cases: int, costs: Mapping[str, float]) -> dict[str, float]:
    """Direct cost a case: working hours of teams (of all parallel branches), AI fees, errors never found."""
    hours = run.work / 3600
    total = sum(float(h) * costs.get(f"teams.{name}", 0.0) for h, name in zip(hours, run.program.pool_names, strict=True))
    fee = shares["ai_share"] * costs.get("ai_cost_per_case", 0.0)
    errors = shares["errors_never_found_share"] * costs.get("cost_of_error_never_found", 0.0)
    return {"direct_cost_per_case": float(total / cases + fee + errors)}


def _days(run: Summary, cases: int) -> dict[str, float]:
    """Mean days a case by account; those of repeated visits end in `_again`."""
    days = {}
    for name, (first, again) in run.account_seconds().items():
        days.update({label: float(s) / cases / DAY for label, s in ((name, first), (f"{name}_again", again)) if s > 0})
    return days


@lru_cache(maxsize=64)
def _owners(step_ids: tuple[str, ...]) -> tuple[str, ...]:
    """The step of the case file to which each step of the workflow belongs."""
    return tuple(name.split(".")[0] for name in step_ids)


def _by_step(run: Summary, cases: int) -> tuple[dict[str, float], dict[str, float]]:
    """Mean days a case by step of the case file, and mean visits a case by step of the workflow."""
    by_step = run.seconds.sum(axis=(1, 2)) / cases / DAY
    step_days: dict[str, float] = {}
    for owner, days in zip(_owners(run.program.step_ids), by_step.tolist(), strict=True):
        step_days[owner] = step_days.get(owner, 0.0) + days
    return step_days, dict(zip(run.program.step_ids, (run.visits / cases).tolist(), strict=True))
