"""What exists before the first event of one simulated future: arrivals, capacity after absences, outages.

Drawn once per (draw, future) and read by every engine, so engines cannot disagree about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import draws
from simulator.clock import DAY, WEEK, Calendar
from simulator.distributions import Distribution
from simulator.draws import DAY_OFFSET, MAX_ORDINAL, Entity
from simulator.program import Program
from simulator.workflow import Arrivals, Gate, Interruption, Pool

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
UNLIMITED = 2**30
Drawn = dict[tuple[Any, ...], list[tuple[int, int]]]
"""Outages and absences of one future: name, number, run and laws -> periods."""
EPOCH = -105 * WEEK
"""Where the streams of outages and absences start, so that a longer warm-up moves none of them."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Units of one pool by segment [start, end); between segments it is closed."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    units: tuple[int, ...]

    def open_time(self) -> Calendar:
        """The windows in which at least one unit is present."""
        return Calendar.of(zip(self.starts, self.ends, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Future:
    """One realised future. Case arrays are ordered by (day, ordinal); one Capacity a pool, one Calendar of outages an endpoint.

    `absent`: step id of a gate with people -> the absences of each person.
    """

    seed: int
    number: int
    begin: int
    stop: int
    day: Ints
    ordinal: Ints
    type: Ints
    cluster: Ints
    ratio: Floats
    arrival: Ints
    capacity: tuple[Capacity, ...]
    down: tuple[Calendar, ...]
    absent: dict[str, tuple[Calendar, ...]]

    def __len__(self) -> int:
        return len(self.arrival)


def realise(
    program: Program, draw: int, seed: int, number: int, like: Future | None = None, drawn: Drawn | None = None
) -> Future:
    """The future `number` of a draw: everything that happens whatever the cases do.

    `like`: the same future of another arm with the same arrivals and run; its cases are taken over instead of drawn again.
    `drawn`: outages and absences of the same future that another arm has drawn; new ones are added.
    Raises ValueError if the workflow has no arrivals, or more than 65,536 cases come in a day.
    """
    if program.workflow.arrivals is None:
        raise ValueError("this workflow has no arrivals; give them with `given`")
    if like is not None:
        cases = (like.day, like.ordinal, like.type, like.cluster, like.ratio, like.arrival)
        return _future(program, draw, seed, number, *cases, drawn)
    return _future(program, draw, seed, number, *_arrivals(program, draw, seed, number), drawn)


def same_arrivals(one: Program, other: Program, draw: int) -> bool:
    """Whether two programs let the same cases arrive in this draw."""
    a, b = one.workflow.arrivals, other.workflow.arrivals
    if a is None or b is None or (one.begin, one.stop) != (other.begin, other.stop):
        return False
    plain = ("day_factor", "first_day", "hours", "clusters")
    columns = ("per_day", "day_cv", "cluster_exponent")
    return (
        all(getattr(a, name) == getattr(b, name) for name in plain)
        and all(_column(getattr(a, name), draw) == _column(getattr(b, name), draw) for name in columns)
        and [_column(s, draw) for s in a.shares] == [_column(s, draw) for s in b.shares]
    )


def given(
    program: Program,
    draw: int,
    seed: int,
    number: int,
    arrivals: Sequence[tuple[int, int]],
    clusters: Sequence[int] | None = None,
) -> Future:
    """A future with stated arrivals: (second, type) in any order; ordinals count the cases of a day in the order given.

    Raises ValueError for an arrival before the run or of an unknown type; one at the stop or later never enters.
    """
    if any(s < program.begin or not 0 <= k < len(program.workflow.types) for s, k in arrivals):
        raise ValueError("an arrival lies before the run, or has a type that the workflow does not know")
    second = np.asarray([a[0] for a in arrivals], dtype=np.int64)
    kind = np.asarray([a[1] for a in arrivals], dtype=np.int64)
    cluster = np.zeros(len(second), dtype=np.int64) if clusters is None else np.asarray(clusters, dtype=np.int64)
    day = second // DAY
    ordinal = np.zeros(len(day), dtype=np.int64)
    for d in np.unique(day):
        ordinal[day == d] = np.arange(np.count_nonzero(day == d))
    order = np.lexsort((ordinal, day))
    columns = (day[order], ordinal[order], kind[order], cluster[order], np.ones(len(day)), second[order])
    return _future(program, draw, seed, number, *columns)


def _future(
    program: Program, draw: int, seed: int, number: int, day: Ints, ordinal: Ints, kind: Ints, cluster: Ints,
    ratio: Floats, arrival: Ints, drawn: Drawn | None = None,
) -> Future:  # fmt: skip
    source = _Source(program, draw, seed, number, {} if drawn is None else drawn)
    flow = program.workflow
    limited = [e.concurrency or UNLIMITED for e, p in zip(flow.endpoints, program.endpoints, strict=True) if p >= 0]
    capacity = [source.capacity(p) for p in flow.pools]
    capacity += [Capacity((program.begin,), (program.stop,), (units,)) for units in limited]
    down = []
    for e in flow.endpoints:
        windows = source.interruptions(e.outage, f"endpoints.{e.name}", 0) if e.outage else []
        planned = list(zip(e.downtime.starts, e.downtime.ends, strict=True)) if e.downtime else []
        down.append(Calendar.of([*windows, *planned]))
    absent = {
        s.id: tuple(Calendar.of(source.interruptions(s.absence, f"steps.{s.id}", i)) for i in range(s.people))
        for s in flow.steps
        if isinstance(s, Gate) and s.people and s.absence
    }
    return Future(
        seed, number, program.begin, program.stop, day, ordinal, kind, cluster, ratio, arrival,
        tuple(capacity), tuple(down), absent,
    )  # fmt: skip


def _column(value: float | Floats, draw: int) -> float:
    array = np.asarray(value)
    return float(array if array.ndim == 0 else array[draw])


def _arrivals(program: Program, draw: int, seed: int, number: int) -> tuple[Ints, Ints, Ints, Ints, Floats, Ints]:
    arrivals = program.workflow.arrivals
    assert arrivals is not None
    days = np.arange(program.begin // DAY, -(-program.stop // DAY))
    expected = expected_per_day(arrivals, draw, days)
    u, _ = draws.uniform_arrays(seed, number, _stream_entities(days + DAY_OFFSET), draws.purpose_of("arrivals:count"), 0)
    counts = count_quantile(u, expected, _column(arrivals.day_cv, draw))
    if counts.max(initial=0) > MAX_ORDINAL:
        raise ValueError(f"{counts.max()} cases in one day; at most {MAX_ORDINAL + 1} are possible")
    day = np.repeat(days, counts)
    ordinal = np.arange(len(day)) - np.repeat(np.cumsum(counts) - counts, counts)
    entity = draws.case_entity(day, ordinal)
    ratio = np.repeat(np.divide(counts, expected, out=np.ones_like(expected), where=expected > 0), counts)

    def uniform(purpose: str) -> Floats:
        return draws.uniform_arrays(seed, number, entity, draws.purpose_of(purpose))[0]

    shares = np.cumsum([_column(s, draw) for s in arrivals.shares])
    kind = np.minimum(np.searchsorted(shares, uniform("arrivals:type"), side="right"), len(shares) - 1)
    weights = np.arange(1.0, arrivals.clusters + 1) ** -_column(arrivals.cluster_exponent, draw)
    cumulative = np.cumsum(weights) / weights.sum()
    cluster = np.minimum(np.searchsorted(cumulative, uniform("arrivals:cluster"), side="right"), arrivals.clusters - 1)
    second = _instants(arrivals.hours, day, uniform("arrivals:instant"))
    inside = (second >= program.begin) & (second < program.stop)
    columns = (day, ordinal, kind, cluster, ratio, second)
    return tuple(c[inside] for c in columns)  # type: ignore[return-value]


def expected_per_day(arrivals: Arrivals, draw: int, days: Ints) -> Floats:
    """Expected cases of each day (0 outside the table of day factors)."""
    index = days - arrivals.first_day
    known = (index >= 0) & (index < len(arrivals.day_factor))
    factor = np.asarray(arrivals.day_factor)[np.clip(index, 0, len(arrivals.day_factor) - 1)]
    return np.where(known, factor, 0.0) * _column(arrivals.per_day, draw)


def count_quantile(u: Floats, mean: Floats, cv: float) -> Ints:
    """Smallest k with CDF(k) >= u: Poisson, or negative binomial whose latent rate has coefficient of variation `cv`.

    Negative binomial with size n = 1 / cv² and success probability n / (n + mean). Shapes: (days,).
    """
    from scipy.special import gammaln

    deviation = np.sqrt(mean + np.square(cv * mean))
    k = np.arange(int(np.max(mean + 12 * deviation, initial=0)) + 30, dtype=np.float64)
    m = np.maximum(mean, 1e-300)[:, None]
    if cv > 0:
        n = 1.0 / cv**2
        log_pmf = gammaln(k + n) - gammaln(n) - gammaln(k + 1) + n * np.log(n / (n + m)) + k * np.log(m / (n + m))
    else:
        log_pmf = k * np.log(m) - m - gammaln(k + 1)
    cdf = np.cumsum(np.exp(log_pmf), axis=1)
    return np.where(mean > 0, (cdf < u[:, None]).sum(axis=1), 0)


def _instants(hours: Calendar, day: Ints, u: Floats) -> Ints:
    """An open second of each case's day, uniform over the day's open time."""
    if not len(day):
        return np.empty(0, dtype=np.int64)
    starts, ends = np.asarray(hours.starts), np.asarray(hours.ends)
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    unique, inverse = np.unique(day, return_inverse=True)
    first = np.asarray([hours.open_until(int(d) * DAY) for d in unique])
    total = np.asarray([hours.open_until(int(d + 1) * DAY) for d in unique]) - first
    if (total <= 0).any():
        raise ValueError(f"cases arrive on day {unique[total <= 0][0]}, but the arrival hours are closed all that day")
    target = first[inverse] + np.floor(u * total[inverse]).astype(np.int64)
    window = np.searchsorted(before, target, side="right") - 1
    return np.asarray(starts[window] + target - before[window], dtype=np.int64)


def _stream_entities(index: Ints) -> NDArray[np.uint64]:
    return (index + (int(Entity.STREAM) << 30)).astype(np.uint64)


@dataclass(frozen=True, slots=True)
class _Source:
    program: Program
    draw: int
    seed: int
    number: int
    drawn: Drawn

    def interruptions(self, what: Interruption, name: str, index: int) -> list[tuple[int, int]]:
        """Down periods over the run; up and down times alternate from EPOCH on, whenever the run begins."""
        laws = (_law(what.between, self.draw), _law(what.length, self.draw))
        key = (name, index, self.program.begin, self.program.stop, *laws)
        if None in laws:
            return self._interruptions(what, name, index)
        if key not in self.drawn:
            self.drawn[key] = self._interruptions(what, name, index)
        return self.drawn[key]

    def _interruptions(self, what: Interruption, name: str, index: int) -> list[tuple[int, int]]:
        entity, purpose = draws.entity_of(Entity.STREAM, index), draws.purpose_of(name)
        periods: list[tuple[int, int]] = []
        now, k = float(EPOCH), 0
        while now < self.program.stop:
            block = np.arange(k, k + 256)
            first, second = draws.uniform_arrays(self.seed, self.number, np.uint64(entity), purpose, block)
            up = np.maximum(1.0, _quantiles(what.between, self.draw, first))
            down = np.maximum(1.0, _quantiles(what.length, self.draw, second))
            ends = now + np.cumsum(up + down)
            starts = np.rint(ends - down).astype(np.int64).tolist()
            periods += [(s, round(e)) for s, e in zip(starts, ends.tolist(), strict=True) if e > self.program.begin]
            now, k = float(ends[-1]), k + 256
        begin, stop = self.program.begin, self.program.stop
        return [(max(s, begin), min(e, stop)) for s, e in periods if s < stop]

    def capacity(self, pool: Pool) -> Capacity:
        """Headcount of all shifts by week, minus the people absent."""
        starts, ends, units = _rostered(pool, self.draw)
        if pool.absence is not None and len(units):
            away = [self.interruptions(pool.absence, f"pools.{pool.name}", i) for i in range(int(units.max()))]
            starts, ends, units = _without_absent(starts, ends, units, away)
        return _merged(starts, ends, units)


def _law(distribution: Distribution, draw: int) -> tuple[float, ...] | None:
    """Kind and parameters of a closed form in one draw, which say all about it; None for a table."""
    lowered = distribution.lowered()
    if lowered.nodes_u is not None:
        return None
    return (float(lowered.kind), *(_column(p, draw) for p in (*lowered.parameters, *(lowered.kink or ()))))


def _quantiles(distribution: Distribution, draw: int, u: Floats) -> Floats:
    values = distribution.quantile(u)
    return values if values.ndim == 1 else values[draw if len(values) > 1 else 0]


def _rostered(pool: Pool, draw: int) -> tuple[Ints, Ints, Ints]:
    """Start, end and units of every stretch of constant headcount, shifts added up; stretches without units may be among them."""
    pieces = []
    for shift in pool.shifts:
        heads = shift.headcount.values[..., 0, :]
        heads = np.floor(np.atleast_2d(heads)[draw if heads.ndim == 2 and len(heads) > 1 else 0] + 0.5).astype(np.int64)
        starts, ends, week = _by_week(shift.calendar)
        pieces.append((starts, ends, heads[np.minimum(week, len(heads) - 1)]))
    if len(pieces) == 1:
        return pieces[0]
    edges = np.unique(np.concatenate([edge for starts, ends, _ in pieces for edge in (starts, ends)]))
    change = np.zeros(len(edges), dtype=np.int64)
    for starts, ends, units in pieces:
        np.add.at(change, np.searchsorted(edges, starts), units)
        np.add.at(change, np.searchsorted(edges, ends), -units)
    return edges[:-1], edges[1:], np.cumsum(change)[:-1]


@lru_cache(maxsize=64)
def _by_week(calendar: Calendar) -> tuple[Ints, Ints, Ints]:
    """Windows cut at go-live and at week boundaries: starts, ends, weeks."""
    starts, ends = np.asarray(calendar.starts, dtype=np.int64), np.asarray(calendar.ends, dtype=np.int64)
    if not len(starts):
        return starts, ends, starts
    cuts = np.arange(starts[0] // WEEK + 1, -(-int(ends[-1]) // WEEK)) * WEEK
    window = np.searchsorted(starts, cuts, side="right") - 1
    inside = (cuts > starts[window]) & (cuts < ends[window])
    starts, ends = np.sort(np.concatenate([starts, cuts[inside]])), np.sort(np.concatenate([ends, cuts[inside]]))
    return starts, ends, np.where(starts < 0, 0, 1 + starts // WEEK)


def _without_absent(starts: Ints, ends: Ints, units: Ints, away: Sequence[Sequence[tuple[int, int]]]) -> tuple[Ints, Ints, Ints]:
    """The same stretches cut where somebody's absence begins or ends; of `n` people on duty the first `n` may be absent."""
    absences = [np.asarray(windows, dtype=np.int64).reshape(-1, 2) for windows in away]
    cuts = np.unique(np.concatenate([a.ravel() for a in absences]))
    stretch = np.searchsorted(starts, cuts, side="right") - 1
    inside = (stretch >= 0) & (cuts > starts[stretch]) & (cuts < ends[stretch])
    cell_starts = np.sort(np.concatenate([starts, cuts[inside]]))
    cell_ends = np.sort(np.concatenate([ends, cuts[inside]]))
    present = units[np.searchsorted(starts, cell_starts, side="right") - 1]
    missing = np.zeros(len(cell_starts), dtype=np.int64)
    for person, windows in enumerate(absences):
        i = np.searchsorted(windows[:, 0], cell_starts, side="right") - 1
        gone = (i >= 0) & (cell_starts < np.append(windows[:, 1], 0)[i])
        missing += gone & (person < present)
    return cell_starts, cell_ends, present - missing


def _merged(starts: Ints, ends: Ints, units: Ints) -> Capacity:
    """Drops empty stretches and joins neighbours with the same units."""
    kept = (units > 0) & (starts < ends)
    starts, ends, units = starts[kept], ends[kept], units[kept]
    if not len(starts):
        return Capacity((), (), ())
    joined = (starts[1:] == ends[:-1]) & (units[1:] == units[:-1])
    first, last = np.append(True, ~joined), np.append(~joined, True)
    return Capacity(tuple(starts[first].tolist()), tuple(ends[last].tolist()), tuple(units[first].tolist()))
