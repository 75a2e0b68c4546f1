"""What the scenario takes from the travel log: counts, laws of waits, arrivals, group means. Derived statistics only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scenarios.logs.travel_log import ADMINISTRATION, APPROVER, FIRST_DAY, LAST_DAY, NEVER, Log
from simulator.clock import WEEKDAYS, public_holidays

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
EDGES = (0.0, *(k / 10 for k in range(1, 8)), 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0)
"""Probabilities at which a law of waits is cut into cells."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many of so many."""

    right: int
    tried: int

    @property
    def share(self) -> float:
        return self.right / self.tried

    @property
    def error(self) -> float:
        """Standard error of the share."""
        return math.sqrt(self.share * (1 - self.share) / self.tried)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean in days, its standard error, and the number of values behind it."""

    days: float
    error: float
    count: int

    @classmethod
    def of(cls, days: Floats) -> Mean:
        return cls(float(days.mean()), float(days.std(ddof=1)) / math.sqrt(len(days)), len(days))


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """Nodes (probability, days) of a quantile function with the mean of the sample."""

    nodes: tuple[tuple[float, float], ...]
    mean: Mean

    @property
    def relative_error(self) -> float:
        """Standard error of the mean divided by the mean."""
        return self.mean.error / self.mean.days

    @classmethod
    def of(cls, days: Floats) -> Law:
        """Quantiles at `EDGES`; the line between two of them bends once, so that it has the mean of the waits in between."""
        x = np.sort(days)
        n = len(x)
        sums = np.interp(EDGES, np.linspace(0, 1, n + 1), np.concatenate([[0.0], np.cumsum(x)]) / n)
        values = [float(x[max(0, math.ceil(p * n - 1e-9) - 1)]) for p in EDGES]
        nodes = [(0.0, values[0])]
        for (p0, p1), (x0, x1), part in zip(pairwise(EDGES), pairwise(values), np.diff(sums), strict=True):
            nodes += _bent(p0, x0, p1, x1, float(part) / (p1 - p0))
        return cls(tuple(nodes), Mean.of(days))


def _bent(p0: float, x0: float, p1: float, x1: float, mean: float) -> list[tuple[float, float]]:
    """Bend and end of a line from (p0, x0) to (p1, x1) with a given mean: flat at first, or flat at last."""
    if x1 <= x0:
        return [(p1, x1)]
    height = min(1.0, max(0.0, (mean - x0) / (x1 - x0)))
    if height <= 0.5:
        return [(p0 + (1 - 2 * height) * (p1 - p0), x0), (p1, x1)]
    return [(p1 - (2 * height - 1) * (p1 - p0), x1), (p1, x1)]


@dataclass(frozen=True, slots=True, eq=False)
class TimeOut:
    """Supervisor approvals after a budget owner. `law` is the response without the time-out, as far as the log can show it."""

    law: Law
    limit: Mean
    applies: Count
    timed_out: Count


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Submissions a day that is no public holiday; weights by weekday have mean 1 over these days."""

    per_day: Mean
    weekday: tuple[tuple[str, float], ...]
    day_cv: float


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Everything the scenario file states from the log."""

    first: date
    last: date
    declarations: int
    with_budget_owner: Count
    defective: dict[bool, Count]
    """Rejected by the administration at the first check, by whether a budget owner is needed."""
    history: tuple[Count, Count]
    """Smallest and largest share of declarations rejected by the administration."""
    second_rejection: Count
    budget_owner_rejects: Count
    supervisor_rejects: dict[bool, Count]
    """By whether a budget owner is needed; decisions at the time-out are left out."""
    stamped_rejections: int
    """Rejections that carry the stamp of the time-out."""
    withdrawn: Count
    approver_share: Count
    laws: dict[str, Law]
    time_out: TimeOut
    arrivals: Arrivals
    groups: dict[str, Mean]

    @property
    def rejected(self) -> Count:
        """Rejected by the administration at the first check, among the declarations whose history is known."""
        counts = self.defective.values()
        return Count(sum(c.right for c in counts), sum(c.tried for c in counts))

    @property
    def mix(self) -> dict[str, float]:
        """Share of each group in the population."""
        approver, rejected = self.approver_share.share, self.rejected.share
        return {NEVER: (1 - approver) * (1 - rejected), ADMINISTRATION: (1 - approver) * rejected, APPROVER: approver}

    def observed(self) -> Mean:
        """Mean cycle time of the population: the groups' means in the population's mix; the error of the mix included."""
        mix, groups = self.mix, self.groups
        mean = sum(mix[g] * groups[g].days for g in mix)
        variance = sum((mix[g] * groups[g].error) ** 2 for g in mix)
        variance += ((groups[ADMINISTRATION].days - groups[NEVER].days) * self.rejected.error) ** 2
        variance += ((groups[APPROVER].days - mean) * self.approver_share.error) ** 2
        return Mean(mean, math.sqrt(variance), self.declarations)


def derive(log: Log, first: date = FIRST_DAY, last: date = LAST_DAY) -> Facts:
    """The facts of the declarations submitted from `first` to `last`."""
    used = log.between(first, last)
    whole, clean = used.population(), used.clean()
    waits = whole.waits
    return Facts(
        first, last, len(whole.declarations),
        Count(int(whole.declarations["budget_owner"].sum()), len(whole.declarations)),
        {needed: _rejected(whole.declarations, needed) for needed in (False, True)},
        _bounds(whole.declarations),
        _counted(clean.group(ADMINISTRATION).declarations["sequence"], lambda s: s.count("a") > 1),
        _of(waits, "A", "b", "Bb"),
        {False: _of(waits[~waits["budget_owner"]], "A", "f", "Ff"), True: _rejected_late(waits)},
        int((waits["timed_out"] & (waits["after"] == "f")).sum()),
        _withdrawn(whole),
        Count(int((whole.declarations["group"] == APPROVER).sum()), len(whole.declarations)),
        {name: Law.of(days) for name, days in waits_by_step(used).items() if name != "after_budget_owner"},
        _time_out(clean.waits),
        _arrivals(used.declarations, first, last),
        observed_groups(used),
    )  # fmt: skip


def observed_groups(log: Log) -> dict[str, Mean]:
    """Mean cycle time of each group."""
    return {name: Mean.of(cycle_days(log, name)) for name in (NEVER, ADMINISTRATION, APPROVER)}


def cycle_days(log: Log, group: str) -> Floats:
    """Cycle times of a group; clean histories only, but all of the few that an approver rejected."""
    sample = log if group == APPROVER else log.clean()
    return _days(sample.group(group).declarations)


# -- counts


def _rejected_late(waits: pd.DataFrame) -> Count:
    """Rejections among the decisions that supervisors took themselves after a budget owner."""
    after = waits[waits["before"] == "B"]
    rejected = int((after["after"] == "f").sum())
    answered = int(((after["after"] == "F") & ~after["timed_out"]).sum())
    return Count(rejected, rejected + answered)


def _counted(values: pd.Series[str], holds: Callable[[str], bool]) -> Count:
    return Count(sum(holds(v) for v in values), len(values))


def _of(waits: pd.DataFrame, before: str, wanted: str, possible: str) -> Count:
    followers = waits["after"][waits["before"] == before]
    return Count(int((followers == wanted).sum()), int(followers.isin(list(possible)).sum()))


def _rejected(declarations: pd.DataFrame, budget_owner: bool) -> Count:
    history = declarations["history"][declarations["budget_owner"] == budget_owner]
    known = history[history != "unknown"]
    return _counted(known, lambda h: h in ("complete", "rejection_hidden"))


def _bounds(declarations: pd.DataFrame) -> tuple[Count, Count]:
    """If none, and if all, of the declarations with an unknown history were rejected."""
    known = declarations["history"].isin(["complete", "rejection_hidden"])
    unknown, total = declarations["history"] == "unknown", len(declarations)
    return Count(int(known.sum()), total), Count(int((known | unknown).sum()), total)


def _withdrawn(log: Log) -> Count:
    rejections = int(log.waits["after"].isin(["b", "f"]).sum())
    return Count(sum(s[-1] in "bf" for s in log.declarations["sequence"]), rejections)


# -- waits


def waits_by_step(log: Log) -> dict[str, Floats]:
    """Observed waits in days, by the step of the scenario that stands for them."""
    clean = log.clean()
    rejected, approver = clean.group(ADMINISTRATION).waits, log.group(APPROVER).waits
    samples = {
        "check_approves": _between(clean.group(NEVER).waits, "S", "A"),
        "check_rejects": _first(_between(rejected, "S", "a"), True),
        "confirm": _between(rejected, "a", "e"),
        "correct": _between(rejected, "e", "S"),
        "recheck_rejects": _first(_between(rejected, "S", "a"), False),
        "recheck_approves": _between(rejected, "S", "A"),
        "budget_owner": _between(clean.waits, "A", "Bb"),
        "supervisor": _between(clean.waits, "A", "Ff"),
        "after_budget_owner": _between(clean.waits, "B", "F"),
        "correct_for_approver": _between(approver, "bf", "S"),
        "recheck_for_approver": _first(_between(approver, "S", "A"), False),
    }
    return {name: _days(sample) for name, sample in samples.items()}


def _between(waits: pd.DataFrame, before: str, after: str) -> pd.DataFrame:
    return waits[waits["before"].isin(list(before)) & waits["after"].isin(list(after))]


def _first(waits: pd.DataFrame, first: bool) -> pd.DataFrame:
    """The waits after the first submission, or those after a later one."""
    return waits[(waits["submission"] == 1) == first]


def _days(table: pd.DataFrame) -> Floats:
    return table["days"].to_numpy(dtype=np.float64)


def _time_out(waits: pd.DataFrame) -> TimeOut:
    """Response of supervisors after a budget owner as a right-censored sample, cut at the automatic time-out.

    No answer is censored before the limit, so up to it the product-limit estimate is the plain share: answered before the limit /
    all. Above it only the few answers are seen to which the time-out did not apply; they carry the law's remaining probability,
    and their share among all that reached the limit gives how often it applies. So the product of the two is the observed share.
    """
    approvals = _between(waits, "B", "F")
    timed_out, past = approvals["timed_out"], approvals["past_limit"] & ~approvals["timed_out"]
    before = Law.of(_days(approvals[~timed_out & ~past]))
    limit = Mean.of(_days(approvals[timed_out]))
    reached = int(timed_out.sum() + past.sum())
    answered = 1 - reached / len(approvals)
    beyond = np.maximum(_days(approvals[past]), limit.days * 1.01)
    nodes = [(p * answered, x) for p, x in before.nodes]
    nodes += [(answered + (1 - answered) * p, float(x)) for p, x in zip(_THIRDS, np.quantile(beyond, _THIRDS), strict=True)]
    law = Law((*nodes[:-1], (1.0, nodes[-1][1])), before.mean)
    return TimeOut(law, limit, Count(int(timed_out.sum()), reached), Count(int(timed_out.sum()), len(approvals)))


_THIRDS = (0.0, 1 / 3, 2 / 3, 1.0)


# -- arrivals


def _arrivals(declarations: pd.DataFrame, first: date, last: date) -> Arrivals:
    """Negative binomial by the method of moments: variance of a day = m + (cv m)² around the mean m of its weekday."""
    holidays = public_holidays("NL", None, first, last)
    span = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    days = [d for d in span if d not in holidays]
    counted = declarations["submitted"].dt.date.value_counts()
    counts = np.asarray([float(counted.get(d, 0)) for d in days])
    weekday = np.asarray([d.weekday() for d in days])
    means = np.asarray([counts[weekday == k].mean() for k in range(7)])
    expected = means[weekday]
    excess = float((np.square(counts - expected) - expected).sum() / np.square(expected).sum())
    weights = tuple((name, float(m / counts.mean())) for name, m in zip(WEEKDAYS, means, strict=True))
    error = float((counts - expected).std(ddof=7)) / math.sqrt(len(counts))
    return Arrivals(Mean(float(counts.mean()), error, len(counts)), weights, math.sqrt(max(0.0, excess)))
