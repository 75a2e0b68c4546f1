"""What exists before the first event of one simulated future: arrivals, capacity after absences, outages.

Drawn once per (draw, future) and read by every engine, so engines cannot disagree about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import draws
from simulator.clock import DAY, WEEK, Calendar, open_until
from simulator.distributions import Distribution
from simulator.draws import DAY_OFFSET, MAX_ORDINAL, Entity
from simulator.program import Program
from simulator.workflow import Arrivals, Endpoint, Gate, Interruption, Pool, Shift

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
UNLIMITED = 2**30
GUESSES = 4_096
"""Entries of a table of first guesses; a power of 2, so that u times it is exact."""
EPOCH = -105 * WEEK
"""Where the streams of outages and absences start, so that a longer warm-up moves none of them."""


@dataclass(frozen=True)
class Capacity:
    """Units of one pool by segment [start, end); between segments it is closed."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    units: tuple[int, ...]

    @cached_property
    def segments(self) -> Ints:
        """Starts, ends and units as rows of one array, shape (3, segments)."""
        return np.asarray([self.starts, self.ends, self.units], dtype=np.int64)

    @cached_property
    def unit_seconds(self) -> Ints:
        """Units times seconds before each segment, and after the last one."""
        starts, ends, units = self.segments
        return np.concatenate([[0], np.cumsum((ends - starts) * units)])

    @cached_property
    def open_windows(self) -> Ints:
        """Starts and ends of the windows in which at least one unit is present, shape (2, windows)."""
        starts, ends, _ = self.segments
        apart = starts[1:] != ends[:-1]
        return np.stack([starts[np.append(True, apart)[: len(starts)]], ends[np.append(apart, True)[: len(ends)]]])

    @cached_property
    def open_rows(self) -> Ints:
        """Starts, ends, and the open seconds before each window (one more), one after the other."""
        starts, ends = self.open_windows
        return np.concatenate([starts, ends, [0], np.cumsum(ends - starts)])

    def unit_seconds_before(self, edges: Ints) -> Floats:
        """Unit-seconds of capacity before each of some evenly spaced edges. Known ones are kept: arms of a future share capacities."""
        key = (int(edges[0]), int(edges[-1]), len(edges))
        if key not in self._known:
            self._known[key] = self._unit_seconds_before(edges)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[int, int, int], Floats]:
        return {}

    def _unit_seconds_before(self, edges: Ints) -> Floats:
        starts, ends, units = self.segments
        if not len(starts):
            return np.zeros(len(edges))
        i = np.searchsorted(starts, edges, side="right") - 1
        inside = (np.minimum(edges, ends[i]) - starts[i]) * units[i]
        return np.where(i < 0, 0, self.unit_seconds[np.maximum(i, 0)] + inside).astype(np.float64)

    def open_time(self) -> Calendar:
        """The windows in which at least one unit is present."""
        return Calendar.of(zip(self.starts, self.ends, strict=True))


@dataclass(slots=True, eq=False)
class Shared:
    """What several arms of one future have in common: outages and absences by name, stop and laws; capacities, down times."""

    periods: dict[tuple[Any, ...], list[Ints]] = field(default_factory=dict)
    capacities: dict[tuple[Any, ...], Capacity] = field(default_factory=dict)
    down: dict[tuple[Any, ...], Calendar] = field(default_factory=dict)


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
    program: Program, draw: int, seed: int, number: int, like: Future | None = None, shared: Shared | None = None
) -> Future:
    """The future `number` of a draw: everything that happens whatever the cases do.

    `like`: the same future of another arm with the same arrivals and no shorter a run (`same_arrivals`); its cases are taken over
    instead of drawn again. `shared`: what other arms of the same future have drawn; new things are added.
    Raises ValueError if the workflow has no arrivals, or more than 65,536 cases come in a day.
    """
    if program.workflow.arrivals is None:
        raise ValueError("this workflow has no arrivals; give them with `given`")
    if like is not None:
        cases = (like.day, like.ordinal, like.type, like.cluster, like.ratio, like.arrival)
        if (like.begin, like.stop) != (program.begin, program.stop):
            cases = _within(program, cases)
        return _future(program, draw, seed, number, *cases, shared)
    return _future(program, draw, seed, number, *_arrivals(program, draw, seed, number), shared)


def same_arrivals(one: Program, other: Program, draw: int) -> bool:
    """Whether the cases of a program, in this draw, are among those of another one with the same or a longer run."""
    a, b = one.workflow.arrivals, other.workflow.arrivals
    if a is None or b is None or not other.begin <= one.begin < one.stop <= other.stop:
        return False
    columns = ("per_day", "day_cv", "cluster_exponent")
    return (
        a.clusters == b.clusters
        and _same_calendar(one, other)
        and all(_column(getattr(a, name), draw) == _column(getattr(b, name), draw) for name in columns)
        and [_column(s, draw) for s in a.shares] == [_column(s, draw) for s in b.shares]
    )


def _same_calendar(one: Program, other: Program) -> bool:
    """Whether day factors and hours are the same on the days of the first program's run."""
    a, b = one.workflow.arrivals, other.workflow.arrivals
    assert a is not None
    assert b is not None
    if (a.first_day, a.day_factor) == (b.first_day, b.day_factor) and a.hours == b.hours:
        return True
    days = _days(one)
    return np.array_equal(_day_factor(a, days), _day_factor(b, days)) and a.hours.within(one.begin, one.stop) == b.hours.within(
        one.begin, one.stop
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
    ratio: Floats, arrival: Ints, shared: Shared | None = None,
) -> Future:  # fmt: skip
    source = _Source(program, draw, seed, number, shared or Shared())
    flow = program.workflow
    limited = [e.concurrency or UNLIMITED for e, p in zip(flow.endpoints, program.endpoints, strict=True) if p >= 0]
    capacity = [source.capacity(p) for p in flow.pools]
    capacity += [_always(program.begin, program.stop, units) for units in limited]
    absent = {
        s.id: tuple(Calendar.of(away.tolist()) for away in source.interruptions(s.absence, f"steps.{s.id}", s.people))
        for s in flow.steps
        if isinstance(s, Gate) and s.people and s.absence
    }
    return Future(
        seed, number, program.begin, program.stop, day, ordinal, kind, cluster, ratio, arrival,
        tuple(capacity), tuple(source.down(e) for e in flow.endpoints), absent,
    )  # fmt: skip


def _column(value: float | Floats, draw: int) -> float:
    array = np.asarray(value)
    return float(array if array.ndim == 0 else array[draw])


@lru_cache(maxsize=64)
def _always(begin: int, stop: int, units: int) -> Capacity:
    return Capacity((begin,), (stop,), (units,))


_Cases = tuple[Ints, Ints, Ints, Ints, Floats, Ints]
"""Day, ordinal, type, cluster, ratio to the expected cases of the day, second of arrival."""


def _within(program: Program, cases: _Cases) -> _Cases:
    """The cases that arrive during a program's run."""
    second = cases[-1]
    inside = (second >= program.begin) & (second < program.stop)
    return cases if inside.all() else tuple(column[inside] for column in cases)  # type: ignore[return-value]


def _days(program: Program) -> Ints:
    return np.arange(program.begin // DAY, -(-program.stop // DAY))


def _arrivals(program: Program, draw: int, seed: int, number: int) -> _Cases:
    arrivals = program.workflow.arrivals
    assert arrivals is not None
    days = _days(program)
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

    kind = _kinds(np.cumsum([_column(s, draw) for s in arrivals.shares]), uniform("arrivals:type"))
    weights = np.arange(1.0, arrivals.clusters + 1) ** -_column(arrivals.cluster_exponent, draw)
    cumulative = np.cumsum(weights) / weights.sum()
    cluster = np.minimum(_places(cumulative, uniform("arrivals:cluster")), arrivals.clusters - 1)
    second = _instants(arrivals.hours, day, uniform("arrivals:instant"))
    return _within(program, (day, ordinal, kind, cluster, ratio, second))


def _kinds(shares: Floats, u: Floats) -> Ints:
    """Which of the rising `shares` each number lies below; one comparison a type is faster than a search for each case."""
    kind = np.zeros(len(u), dtype=np.int64)
    for share in shares[:-1]:
        kind += u >= share
    return kind


def _places(cumulative: Floats, u: Floats) -> Ints:
    """`searchsorted(cumulative, u, side="right")` for many u in [0, 1): from a table of first guesses, upwards."""
    table = np.searchsorted(cumulative, np.arange(GUESSES) / GUESSES, side="right")
    place = table[(u * GUESSES).astype(np.int64)]
    bounds = np.append(cumulative, np.inf)
    above = np.flatnonzero(bounds[place] <= u)
    while len(above):
        place[above] += 1
        above = above[bounds[place[above]] <= u[above]]
    return place


def expected_per_day(arrivals: Arrivals, draw: int, days: Ints) -> Floats:
    """Expected cases of each day (0 outside the table of day factors)."""
    return _day_factor(arrivals, days) * _column(arrivals.per_day, draw)


def _day_factor(arrivals: Arrivals, days: Ints) -> Floats:
    index = days - arrivals.first_day
    known = (index >= 0) & (index < len(arrivals.day_factor))
    factor = np.asarray(arrivals.day_factor)[np.clip(index, 0, len(arrivals.day_factor) - 1)]
    return np.where(known, factor, 0.0)


def count_quantile(u: Floats, mean: Floats, cv: float) -> Ints:
    """Smallest k with CDF(k) >= u: Poisson, or negative binomial whose latent rate has coefficient of variation `cv`.

    Negative binomial with size n = 1 / cv² and success probability n / (n + mean). Shapes: (days,).
    """
    from scipy.special import gammaln

    mean, which = np.unique(mean, return_inverse=True)  # few days differ in what is expected of them
    deviation = np.sqrt(mean + np.square(cv * mean))
    k = np.arange(int(np.max(mean + 12 * deviation, initial=0)) + 30, dtype=np.float64)
    m = np.maximum(mean, 1e-300)[:, None]
    if cv > 0:
        n = 1.0 / cv**2
        log_pmf = gammaln(k + n) - gammaln(n) - gammaln(k + 1) + n * np.log(n / (n + m)) + k * np.log(m / (n + m))
    else:
        log_pmf = k * np.log(m) - m - gammaln(k + 1)
    cdf = np.cumsum(np.exp(log_pmf), axis=1)
    counts = np.zeros(len(u), dtype=np.int64)
    for i in np.flatnonzero(mean > 0):
        mine = which == i
        counts[mine] = (cdf[i] < u[mine, None]).sum(axis=1)
    return counts


def _instants(hours: Calendar, day: Ints, u: Floats) -> Ints:
    """An open second of each case's day, uniform over the day's open time."""
    if not len(day):
        return np.empty(0, dtype=np.int64)
    starts, ends = np.asarray(hours.starts), np.asarray(hours.ends)
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    new = np.append(True, day[1:] != day[:-1])  # days are in order
    unique, inverse = day[new], np.cumsum(new) - 1
    first = open_until(hours, unique * DAY)
    total = open_until(hours, (unique + 1) * DAY) - first
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
    shared: Shared

    def interruptions(self, what: Interruption, name: str, count: int) -> list[Ints]:
        """Down periods over the run of each of `count` things of a name, shape (periods, 2) each; up and down times alternate from
        EPOCH on, whenever the run begins."""
        laws, begin = self._laws(what), self.program.begin
        key = (name, self.program.stop, laws)
        known = self.shared.periods.get(key, []) if laws is not None else []
        known = known + self._until_stop(what, name, range(len(known), count))
        if laws is not None:
            self.shared.periods[key] = known
        return [np.maximum(periods[periods[:, 1] > begin], begin) for periods in known[:count]]

    def _laws(self, what: Interruption) -> tuple[Any, ...] | None:
        laws = (_law(what.between, self.draw), _law(what.length, self.draw))
        return None if None in laws else laws

    def _until_stop(self, what: Interruption, name: str, index: range) -> list[Ints]:
        """Down periods from EPOCH to the stop, drawn in blocks for all that still need some."""
        purpose, found = draws.purpose_of(name), [np.empty((0, 2), dtype=np.int64) for _ in index]
        now, block = np.full(len(index), float(EPOCH)), np.arange(256)
        while len(going := np.flatnonzero(now < self.program.stop)):
            entities = np.asarray([draws.entity_of(Entity.STREAM, index[i]) for i in going], dtype=np.uint64)
            first, second = draws.uniform_arrays(self.seed, self.number, entities[:, None], purpose, block)
            up = np.maximum(1.0, _quantiles(what.between, self.draw, first.ravel()).reshape(first.shape))
            down = np.maximum(1.0, _quantiles(what.length, self.draw, second.ravel()).reshape(first.shape))
            ends = now[going, None] + np.cumsum(up + down, axis=1)
            periods = np.rint(np.stack([ends - down, ends], axis=-1)).astype(np.int64)
            for i, mine in zip(going, periods, strict=True):
                found[i] = np.concatenate([found[i], mine[mine[:, 0] < self.program.stop]])
            now[going], block = ends[:, -1], block + 256
        return [np.minimum(periods, self.program.stop) for periods in found]

    def down(self, endpoint: Endpoint) -> Calendar:
        """When a connected system cannot be reached: outages and planned downtime."""
        laws = self._laws(endpoint.outage) if endpoint.outage is not None else ()
        if laws is None:
            return self._down(endpoint)
        key = (endpoint.name, self.program.begin, self.program.stop, laws, id(endpoint.downtime))
        if key not in self.shared.down:
            self.shared.down[key] = self._down(endpoint)
        return self.shared.down[key]

    def _down(self, endpoint: Endpoint) -> Calendar:
        outage, planned = endpoint.outage, endpoint.downtime
        windows = map(tuple, self.interruptions(outage, f"endpoints.{endpoint.name}", 1)[0].tolist()) if outage else ()
        return Calendar.of([*windows, *(zip(planned.starts, planned.ends, strict=True) if planned else ())])

    def capacity(self, pool: Pool) -> Capacity:
        """Headcount of all shifts by week, minus the people absent."""
        heads = [_heads(shift, self.draw) for shift in pool.shifts]
        laws = self._laws(pool.absence) if pool.absence is not None else ()
        if laws is None:
            return self._capacity(pool, heads)
        hours = ((id(s.calendar), h.tobytes()) for s, h in zip(pool.shifts, heads, strict=True))  # arms share their calendars
        key = (pool.name, self.program.begin, self.program.stop, *hours, laws)
        if key not in self.shared.capacities:
            self.shared.capacities[key] = self._capacity(pool, heads)
        return self.shared.capacities[key]

    def _capacity(self, pool: Pool, heads: Sequence[Ints]) -> Capacity:
        starts, ends, units = _rostered(pool, heads)
        if pool.absence is not None and len(units):
            away = self.interruptions(pool.absence, f"pools.{pool.name}", int(units.max()))
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


def _heads(shift: Shift, draw: int) -> Ints:
    """Headcount of a shift by week in one draw, shape (weeks,)."""
    heads = shift.headcount.values[..., 0, :]
    row = np.atleast_2d(heads)[draw if heads.ndim == 2 and len(heads) > 1 else 0]
    return np.asarray(np.floor(row + 0.5), dtype=np.int64)


def _rostered(pool: Pool, heads: Sequence[Ints]) -> tuple[Ints, Ints, Ints]:
    """Start, end and units of every stretch of constant headcount, shifts added up; stretches without units may be among them."""
    pieces = []
    for shift, mine in zip(pool.shifts, heads, strict=True):
        starts, ends, week = _by_week(shift.calendar)
        pieces.append((starts, ends, mine[np.minimum(week, len(mine) - 1)]))
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


def _without_absent(starts: Ints, ends: Ints, units: Ints, absences: Sequence[Ints]) -> tuple[Ints, Ints, Ints]:
    """The same stretches cut where somebody's absence begins or ends; of `n` people on duty the first `n` may be absent."""
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
