"""Business outcomes of one simulated future, derived from its ledger.

Outcomes are of the cases that arrive in the target weeks; a case still open at the end of the run enters with its age, a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import schema, units
from models.compositions.ai import accepted_mark, handled_mark, late_mark, wrong_mark
from models.compositions.desk import escalated_mark
from models.process import Horizon
from simulator.clock import DAY
from simulator.ledger import OPEN, Ledger
from simulator.program import F, Op
from simulator.summary import arrival_weeks, backlog_by_week, bookings, cycle_seconds, pool_weeks, work_seconds

Floats = NDArray[np.float64]
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


def outcome(case: schema.CaseFile, ledger: Ledger, horizon: Horizon, costs: Mapping[str, float]) -> Outcome:
    """The outcome of one run. `costs`: the money columns of this draw (see `case_costs`)."""
    week = arrival_weeks(ledger)
    chosen = (week >= horizon.first_week) & (week <= horizon.last_week)
    days = cycle_seconds(ledger) / DAY
    pools = pool_weeks(ledger)
    booked, step_days, step_visits = _booked(ledger, chosen)
    handled = _any_mark(ledger, [handled_mark(s.id) for s in case.steps if isinstance(s, schema.Ai)])
    kinds = ledger.cases["type"]
    return Outcome(
        {**_cycle_figures(case, days[chosen]), **_shares(case, ledger, chosen), **_cost(case, ledger, chosen, costs)},
        booked,
        step_days,
        step_visits,
        {name: _mean(days[chosen & (kinds == i)]) for i, name in enumerate(case.types)},
        {int(w): _mean(days[week == w]) for w in range(1, horizon.last_week + 1)},
        {"ai": _mean(days[chosen & handled]), "manual": _mean(days[chosen & ~handled])},
        {p.name: p.utilisation for p in pools},
        {p.name: p.mean_queue for p in pools},
        pools[0].week if pools else np.empty(0, dtype=np.int64),
        backlog_by_week(ledger),
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _cycle_figures(case: schema.CaseFile, days: Floats) -> dict[str, float]:
    limit = units.seconds(case.target.within) if case.target.within else case.target.level_in_base_units()
    return {
        "mean_cycle_time_days": _mean(days),
        "median_cycle_time_days": float(np.quantile(days, 0.5)) if len(days) else float("nan"),
        "p90_cycle_time_days": float(np.quantile(days, 0.9)) if len(days) else float("nan"),
        "share_within_target": _mean((days <= limit / DAY).astype(np.float64)),
        "cases": float(len(days)),
    }


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


def _any_mark(ledger: Ledger, names: list[str]) -> Mask:
    bits = sum(1 << ledger.program.marks.index(n) for n in names if n in ledger.program.marks)
    return np.asarray((ledger.cases["marks"] & bits) != 0)


def _shares(case: schema.CaseFile, ledger: Ledger, chosen: Mask) -> dict[str, float]:
    """Shares of the cases of the target weeks."""
    steps = ledger.program.steps
    team = (ledger.visits["pool"] >= 0) & (steps[ledger.visits["step"], F.OP] == Op.SERVE)
    touched = np.zeros(len(chosen), dtype=bool)
    touched[ledger.visits["case"][team]] = True
    repeated = np.zeros(len(chosen), dtype=bool)
    repeated[ledger.visits["case"][ledger.visits["visit"] > 0]] = True
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    desks = [s.id for s in case.steps if isinstance(s, schema.Desk)]
    reviews = {ledger.program.step_ids.index(s.id) for s in case.steps if isinstance(s, schema.Review)}
    reviewed = np.zeros(len(chosen), dtype=bool)
    reviewed[ledger.visits["case"][np.isin(ledger.visits["step"], list(reviews))]] = True
    ended = ledger.cases["ended"] != OPEN
    accepted = _any_mark(ledger, [accepted_mark(a) for a in ais])

    def share(mask: Mask) -> float:
        return _mean(mask[chosen].astype(np.float64))

    return {
        "straight_through_share": share(~touched & ended & accepted),
        "ai_share": share(_any_mark(ledger, [handled_mark(a) for a in ais])),
        "accepted_share": share(accepted),
        "review_share": share(reviewed),
        "escalated_share": share(_any_mark(ledger, [escalated_mark(d) for d in desks])),
        "rework_share": share(repeated),
        "errors_found_late_share": share(_any_mark(ledger, [late_mark(a) for a in ais])),
        "errors_never_found_share": share(_any_mark(ledger, [wrong_mark(a) for a in ais]) & ended),
        "open_share": share(~ended),
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


def _cost(case: schema.CaseFile, ledger: Ledger, chosen: Mask, costs: Mapping[str, float]) -> dict[str, float]:
    """Direct cost a case: working hours of teams (of all parallel branches), AI fees, errors never found."""
    work = np.where(chosen[ledger.visits["case"]], work_seconds(ledger), 0)
    total = 0.0
    for pool, name in enumerate(ledger.program.pool_names):
        hours = work[ledger.visits["pool"] == pool].sum() / 3600
        total += hours * costs.get(f"teams.{name}", 0.0)
    n = max(1, int(chosen.sum()))
    shares = _shares(case, ledger, chosen)
    fee = shares["ai_share"] * costs.get("ai_cost_per_case", 0.0)
    errors = shares["errors_never_found_share"] * costs.get("cost_of_error_never_found", 0.0)
    return {"direct_cost_per_case": float(total / n + fee + errors)}


def _booked(ledger: Ledger, chosen: Mask) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Mean days by account (first pass and again), and mean days and visits by step of the case file."""
    booked = bookings(ledger)
    n = max(1, int(chosen.sum()))
    mine = chosen[booked.case]
    seconds, account, repeat = booked.seconds[mine], booked.account[mine], booked.repeat[mine]
    sums = np.bincount(account * 2 + repeat, weights=seconds, minlength=2 * len(booked.accounts)) / n / DAY
    days = {}
    for i, name in enumerate(booked.accounts):
        for again, suffix in ((0, ""), (1, "_again")):
            if name and sums[2 * i + again] > 0:
                days[name + suffix] = float(sums[2 * i + again])
    by_step = np.bincount(booked.step[mine], weights=seconds, minlength=len(ledger.program.steps)) / n / DAY
    visits = np.bincount(ledger.visits["step"][chosen[ledger.visits["case"]]], minlength=len(ledger.program.steps)) / n
    step_days: dict[str, float] = {}
    step_visits: dict[str, float] = {}
    for i, name in enumerate(ledger.program.step_ids):
        owner = name.split(".")[0]
        step_days[owner] = step_days.get(owner, 0.0) + float(by_step[i])
        step_visits[name] = float(visits[i])
    return days, step_days, step_visits
