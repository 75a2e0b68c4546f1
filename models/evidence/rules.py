"""What the rows of a file must satisfy together: more right than tried, an end before its start, the same row twice, …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence.table import Table
from models.schema import CaseFile

Rows = NDArray[np.bool_]
COUNTS, ORDER, TWICE, ENVIRONMENT, NOTHING, MISSING, UNKNOWN = "E530", "E531", "E532", "E534", "E535", "E520", "E528"


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """Rows that break a rule. `rows`: a mask over the table; `message`: what is wrong in the row of an index."""

    code: str
    column: str
    rows: Rows
    message: Callable[[int], str]
    remedy: str


def broken_rules(table: Table, case: CaseFile) -> Iterator[Broken]:
    """Every rule that rows of the table break; rules without a broken row are left out."""
    check = _CHECKS.get(table.kind.name)
    for found in check(table, case) if check is not None else ():
        if found.rows.any():
            yield found


# -- parts


def _not_more(table: Table, part: str, whole: str) -> Broken:
    a, b = table.numbers(part), table.numbers(whole)
    return Broken(
        COUNTS, part, a > b, lambda i: f"{a[i]:g} {part}, but only {b[i]:g} {whole}", f"{part} is at most {whole}: check both"
    )


def _at_least_one(table: Table, *columns: str) -> Iterator[Broken]:
    for column in columns:
        values = table.numbers(column)
        yield Broken(COUNTS, column, values == 0, lambda _: "is 0: nothing was looked at", "leave the row out")


def _beside(table: Table, column: str, needed: str) -> Broken:
    lacking = ~np.isnan(table.numbers(column)) & np.isnan(table.numbers(needed))
    return Broken(
        MISSING, needed, lacking, lambda _: f"is empty, but {column} is given", f"give {needed} as well, or leave {column} empty"
    )


def _in_order(table: Table, first: str, then: str) -> Broken:
    """The second cannot lie before the first, whatever the cells leave open."""
    reversed_ = table.times(then)[:, 1] <= table.times(first)[:, 0]
    return Broken(
        ORDER,
        then,
        reversed_,
        lambda _: f'lies before "{first}"',
        "check both; a time to the minute is a minute long, a date a day",
    )


def _repeated(table: Table, columns: tuple[str, ...], where: Rows, what: str, remedy: str) -> Broken:
    """Rows that agree with an earlier one in all of the columns."""
    parts = []
    for name in columns:
        values = table.columns.get(name)
        if values is not None:
            flat = (
                values
                if values.dtype == object
                else np.nan_to_num(np.asarray(values, np.float64).reshape(len(table), -1)[:, 0], nan=-1)
            )
            parts.append(np.unique(flat.astype(str) if flat.dtype == object else flat, return_inverse=True)[1])
    first = np.zeros(len(table), dtype=np.int64)
    if parts and len(table):
        index = np.flatnonzero(where)
        keys = np.stack(parts, axis=1)[index]
        _, opening, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        first[index] = index[opening[inverse.reshape(-1)]]
        again = where & (first != np.arange(len(table)))
    else:
        again = np.zeros(len(table), dtype=np.bool_)
    return Broken(TWICE, columns[0], again, lambda i: f"{what} as in row {table.lines[first[i]]}", remedy)


def _all(table: Table) -> Rows:
    return np.ones(len(table), dtype=np.bool_)


def _given(table: Table, column: str) -> Rows:
    return np.asarray(table.texts(column) != "", dtype=np.bool_)


# -- kinds


def _results(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from _at_least_one(table, "tried")
    yield _not_more(table, "right", "tried")
    yield _not_more(table, "accepted", "tried")
    yield _not_more(table, "accepted_right", "accepted")
    yield _not_more(table, "accepted_right", "right")
    yield _beside(table, "accepted_right", "accepted")
    accepted, kept, right, tried = (table.numbers(c) for c in ("accepted", "accepted_right", "right", "tried"))
    short = right - kept > tried - accepted
    yield Broken(
        COUNTS, "accepted_right", short & ~(kept > right) & ~(accepted > tried),
        lambda i: f"{right[i]:g} right less {kept[i]:g} accepted ones leaves more than the {tried[i] - accepted[i]:g} that were not accepted",
        "right counts all cases of the row, accepted_right those among the accepted",
    )  # fmt: skip
    groups = (table.numbers("tried") > 1) & _given(table, "cluster") & ~np.isnan(table.times("day")[:, 0])
    columns = ("step", "type", "cluster", "day", "model_version", "defect", "confidence")
    yield _repeated(table, columns, groups, "the same group", "count a group once")


def _audit(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from _at_least_one(table, "audited")
    yield _not_more(table, "audited", "accepted")
    yield _not_more(table, "wrong", "audited")


def _seeded(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from _at_least_one(table, "shown")
    yield _not_more(table, "caught", "shown")
    yield _not_negative(table, "waiting_per_head")


def _not_negative(table: Table, column: str) -> Broken:
    values = table.numbers(column)
    return Broken("E522", column, values < 0, lambda i: f"is {values[i]:g}", "cannot be negative")


def _calls(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from _at_least_one(table, "calls")
    yield _not_negative(table, "seconds")
    unmeasured = np.asarray(table.texts("result") == "timeout") & np.isnan(table.numbers("seconds"))
    yield Broken(
        MISSING, "seconds", unmeasured, lambda _: "is empty for a call that timed out", "give the time after which it was cut off"
    )


def _outages(table: Table, case: CaseFile) -> Iterator[Broken]:
    yield _in_order(table, "observed_from", "observed_until")
    yield _in_order(table, "began", "ended")
    began, ended = table.times("began"), table.times("ended")
    yield Broken(
        MISSING,
        "began",
        np.isnan(began[:, 0]) & ~np.isnan(ended[:, 0]),
        lambda _: "is empty, but ended is given",
        "say when it began",
    )
    outside = (began[:, 0] >= table.times("observed_until")[:, 1]) | (began[:, 1] <= table.times("observed_from")[:, 0])
    yield Broken(ORDER, "began", outside, lambda _: "lies outside the period that was looked at", "check began and the period")
    yield _overlapping(table)


def _overlapping(table: Table) -> Broken:
    """Outages of one system in one environment that certainly overlap an earlier one."""
    began, ended = table.times("began")[:, 1], table.times("ended")[:, 0]
    groups = [f"{s} {e}" for s, e in zip(table.texts("system"), table.texts("environment"), strict=True)]
    latest: dict[str, tuple[float, int]] = {}
    clash = np.full(len(table), -1)
    for i in np.argsort(began, kind="stable"):
        if np.isnan(began[i]):
            continue
        until, row = latest.get(groups[i], (-np.inf, -1))
        if began[i] < until:
            clash[i] = row
        mine = np.inf if np.isnan(ended[i]) else float(ended[i])
        latest[groups[i]] = max((until, row), (mine, int(i)))
    return Broken(
        ORDER,
        "began",
        clash >= 0,
        lambda i: f"begins while the outage of row {table.lines[clash[i]]} goes on",
        "give one row for one outage",
    )


def _level(table: Table, case: CaseFile) -> Broken:
    """Levels that the step does not have."""
    levels = {step.id: len(getattr(step, "levels", ())) or 1 for step in case.steps}
    most = np.asarray([levels.get(step, 1) for step in table.texts("step")], dtype=np.float64)
    level = table.numbers("level")
    wrong = (level < 1) | (level > most)
    return Broken(
        UNKNOWN,
        "level",
        wrong,
        lambda i: f"there is no level {level[i]:g} of {table.texts('step')[i]}",
        "levels are counted from 1",
    )


def _times(table: Table, case: CaseFile) -> Iterator[Broken]:
    yield _level(table, case)
    for first, then in (("entered", "started"), ("started", "ended"), ("entered", "ended"), ("asked_outside", "answered")):
        yield _in_order(table, first, then)
    for column in ("entered", "started", "ended", "asked_outside", "answered"):
        yield _observed(table, column)
    minutes = table.numbers("minutes")
    yield Broken("E522", "minutes", minutes < 0, lambda i: f"is {minutes[i]:g}", "cannot be negative")
    dated = [~np.isnan(table.times(c)[:, 0]) for c in ("entered", "started", "ended")]
    nothing = np.isnan(minutes) & (dated[0] | dated[1] | dated[2]) & (sum(d.astype(int) for d in dated) < 2)
    nothing &= np.isnan(table.times("observed_until")[:, 0]) | dated[2]
    nothing |= np.isnan(minutes) & ~dated[0] & ~dated[1] & ~dated[2]
    asked, answered = (~np.isnan(table.times(c)[:, 0]) for c in ("asked_outside", "answered"))
    waited = asked & (answered | ~np.isnan(table.times("observed_until")[:, 0]))
    nothing = (nothing & ~waited) | (answered & ~asked)
    yield Broken(
        NOTHING, "step", nothing, lambda _: "has one date or none, which says nothing about a duration",
        "give two of entered, started, ended, or minutes, or observed_until for what is open; answered needs asked_outside",
    )  # fmt: skip
    yield _repeated(
        table, ("case", "step", "level", "entered", "started", "ended", "asked_outside"), _given(table, "case") & np.isnan(minutes),
        "the same visit of the same case", "give one row for one visit",
    )  # fmt: skip


def _observed(table: Table, column: str) -> Broken:
    late = table.times(column)[:, 0] >= table.times("observed_until")[:, 1]
    return Broken(ORDER, column, late, lambda _: "lies after the day of the export (observed_until)", "check both")


def _approvals(table: Table, case: CaseFile) -> Iterator[Broken]:
    yield _level(table, case)
    for first, then in (("asked", "reminded"), ("reminded", "decided"), ("asked", "decided")):
        yield _in_order(table, first, then)
    for column in ("asked", "reminded", "decided"):
        yield _observed(table, column)
    undated = np.isnan(table.times("decided")[:, 0])
    decision = table.texts("decision")
    decided = undated & np.isin(decision.astype(str), ["approved", "rejected"])
    yield Broken(
        MISSING, "decided", decided, lambda i: f'is empty, but the decision is "{decision[i]}"', "say when it was decided"
    )
    unseen = undated & ~decided & np.isnan(table.times("observed_until")[:, 0])
    yield Broken(
        MISSING, "observed_until", unseen, lambda _: "is empty for an open request",
        "say until when it was open, or the day of the export in settings.toml",
    )  # fmt: skip
    yield _repeated(
        table,
        ("case", "step", "level", "asked"),
        _given(table, "case"),
        "the same request of the same case",
        "give one row for one request",
    )


def _arrivals(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield _repeated(table, ("day", "type"), _all(table), "the same day and type", "give the sum of the day in one row")
    typed = _given(table, "type")
    day = table.times("day")[:, 0]
    both = ~typed & np.isin(day, day[typed])
    yield Broken(
        TWICE,
        "type",
        both,
        lambda _: "counts a day as a whole that is also counted by type",
        "give either the whole day or its types",
    )


def _counts(table: Table, case: CaseFile) -> Iterator[Broken]:
    from models.evidence.names import parameters

    yield from _at_least_one(table, "tried")
    yield _not_more(table, "happened", "tried")
    by_arm = {path for path, parameter in parameters(case).items() if parameter.cause is not None}
    unsaid = ~_given(table, "environment") & np.isin(table.texts("parameter").astype(str), sorted(by_arm) or [""])
    yield Broken(
        ENVIRONMENT, "environment", unsaid, lambda _: "is empty, but this share differs between pilot and production",
        "say where it was counted: pilot or production",
    )  # fmt: skip


def _quality(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from _at_least_one(table, "cases")
    yield _not_more(table, "with_defect", "cases")
    yield _not_more(table, "cases", "volume")
    dated = ~np.isnan(table.times("day")[:, 0])
    yield _repeated(
        table,
        ("step", "defect", "environment", "day"),
        dated,
        "the same defect on the same day",
        "give one row for a defect and day",
    )


def _readiness(table: Table, _: CaseFile) -> Iterator[Broken]:
    ready, unready = table.numbers("passes_if_ready"), table.numbers("passes_if_not")
    yield Broken(
        NOTHING, "passes_if_not", unready >= ready, lambda i: f"is {unready[i]:g}, passes_if_ready {ready[i]:g}: such a check tells nothing",
        "a check that tells something passes more often if the cause is under control",
    )  # fmt: skip
    yield _repeated(table, ("check", "cause"), _all(table), "the same check", "give each check once, with its latest result")


def _weekly(table: Table, _: CaseFile) -> Iterator[Broken]:
    yield from (
        Broken(COUNTS, "week", table.numbers("week") == 0, lambda _: "is 0", "weeks are counted from 1, the first after go-live"),
        _not_more(table, "sent", "eligible"),
        _not_more(table, "right", "checked"),
        _beside(table, "sent", "eligible"),
        _beside(table, "right", "checked"),
    )
    sent, right = (~np.isnan(table.numbers(c)) for c in ("sent", "right"))
    yield Broken(
        NOTHING, "week", ~sent & ~right, lambda _: "the row informs nothing", "give sent and eligible, or right and checked"
    )
    yield _repeated(table, ("week", "step"), _all(table), "the same week", "give one row for a week")


def _experts(table: Table, case: CaseFile) -> Iterator[Broken]:
    weight, sure = table.numbers("weight"), table.numbers("sure")
    yield Broken("E522", "weight", weight <= 0, lambda i: f"is {weight[i]:g}", "must be above 0")
    yield Broken(
        "E522", "sure", (sure <= 0) | (sure >= 1), lambda i: f"is {sure[i]:g}", "must lie between 0 and 1, for example 0.9"
    )
    yield from _beliefs(table, case)
    yield _repeated(
        table, ("expert", "parameter", "environment"), _all(table), "the same expert on the same parameter", "keep one of them"
    )


def _beliefs(table: Table, case: CaseFile) -> Iterator[Broken]:
    """Rows whose three numbers make no distribution, and rows that name an environment too many or too few."""
    from models.elicitation import ElicitationError
    from models.evidence.names import parameters
    from models.uncertainty import belief_of
    from models.units import UnitError

    known, wrong, where = parameters(case), dict[int, str](), dict[int, str]()
    low, likely, high, sure = (table.texts("low"), table.texts("likely"), table.texts("high"), table.numbers("sure"))
    for i, (path, environment) in enumerate(zip(table.texts("parameter"), table.texts("environment"), strict=True)):
        parameter = known[path]
        if (parameter.cause is None) == bool(environment):
            where[i] = (
                "is given, but this parameter is the same everywhere"
                if environment
                else "is empty, but this parameter differs by environment"
            )
        fields = {"low": low[i], "likely": likely[i], "high": high[i], "mass": float(sure[i])}
        try:
            wrong[i] = (
                parameter.limits.broken_by(belief_of(parameter.dimension, fields), parameter.dimension) if 0 < sure[i] < 1 else ""
            )
        except (UnitError, ElicitationError) as error:
            wrong[i] = str(error)
    bad = np.array([bool(wrong.get(i)) for i in range(len(table))], dtype=np.bool_)
    yield Broken(COUNTS, "likely", bad, lambda i: wrong[i], 'low < likely < high, with units as in the case file ("2 d", "8 %")')
    odd = np.array([i in where for i in range(len(table))], dtype=np.bool_)
    yield Broken(
        ENVIRONMENT, "environment", odd, lambda i: where[i], "as_is, pilot or production for a parameter that differs, else empty"
    )


_CHECKS: dict[str, Callable[[Table, CaseFile], Iterator[Broken]]] = {
    "pilot": _results, "production": _results, "audit": _audit, "seeded": _seeded, "calls": _calls, "outages": _outages,
    "times": _times, "arrivals": _arrivals, "approvals": _approvals, "counts": _counts, "quality": _quality,
    "readiness": _readiness, "weekly": _weekly, "experts": _experts,
}  # fmt: skip
"""Kind → its rules."""
