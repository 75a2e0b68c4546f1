"""Calls of connected systems: how long they take, how often they fail; how often systems are down, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.duration_cells import Cell, Spans, reduce
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import Tally, equal
from models.evidence.table import Table
from models.evidence.wall_clock import local_seconds
from models.fits.law_priors import arm_of, stated_parameters
from models.fits.seam import Sampling
from models.fits.timed_laws import TimedLaw, fit_laws
from models.laws import Exponential, Law
from models.posterior import SubModel
from models.schema import Arm

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NAME = "connected systems"


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns of latencies (`steps.X.latency.…`, `steps.X.time.…` of an AI step) and of outages (`systems.S.outage.…`); None without rows.

    The shares of failing calls are `failures`: evidence for the fit of shares. Raises UnusableEvidenceError, StoppedError.
    """
    laws = [*latency_laws(case, tables), *outage_laws(case, tables, about)]
    if not laws:
        return None
    return fit_laws(NAME, laws, sampling, stop, ("Calls that ran into the time-out count as longer than it.",))


# -- calls


def latency_laws(case: schema.CaseFile, tables: Mapping[str, Table]) -> list[TimedLaw]:
    """The latency of each step that calls a system, apart for pilot and production where the case file tells them apart."""
    found = []
    for table, step, rows in _calls(case, tables):
        law, path, timeout = _call(step)
        for arm, mine in _by_arm(table, rows, stated_parameters(law, path), path):
            spans = _call_spans(table, mine, timeout)
            if len(spans):
                found.append(TimedLaw(path, law, reduce(spans), arm, ("calls",)))
    return found


def _calls(case: schema.CaseFile, tables: Mapping[str, Table]) -> Iterator[tuple[Table, schema.SystemCall | schema.Ai, Bools]]:
    table = tables.get("calls")
    if table is None:
        return
    for step in case.steps:
        if isinstance(step, schema.SystemCall) or (isinstance(step, schema.Ai) and step.system is not None):
            rows = equal(table.texts("step"), step.id)
            if rows.any():
                yield table, step, rows


def _call(step: schema.SystemCall | schema.Ai) -> tuple[Law, str, schema.PositiveDuration]:
    if isinstance(step, schema.SystemCall):
        return step.latency.law, f"steps.{step.id}.latency", step.timeout
    assert step.time is not None
    assert step.timeout is not None
    return step.time.law, f"steps.{step.id}.time", step.timeout


def _by_arm(table: Table, rows: Bools, parameters: tuple[schema.Parameter, ...], path: str) -> Iterator[tuple[str, Bools]]:
    """Suffix of the columns and rows: once if all arms share the numbers, else by environment."""
    if arm_of(parameters, path, "production") == "":
        yield "", rows
        return
    where = table.texts("environment")
    for name in np.unique(where[rows]):
        seen: Arm | None = "pilot" if name == "pilot" else "production" if name == "production" else None
        yield arm_of(parameters, path, seen), rows & equal(where, name)


def _call_spans(table: Table, rows: Bools, timeout: schema.PositiveDuration) -> Spans:
    """Calls that succeeded with the time they took, and calls that ran into the time-out as at least that long.

    A time-out row may say how long it waited; without that the case file's time-out counts.
    """
    result, seconds = table.texts("result"), table.numbers("seconds")
    ended = rows & (result == "ok") & np.isfinite(seconds)
    cut = rows & (result == "timeout")
    waited = np.where(np.isfinite(seconds), seconds, timeout.in_arm("production").uncertain().median)[cut]
    lengths = np.concatenate([seconds[ended], waited])
    weight = np.concatenate([table.numbers("calls")[ended], table.numbers("calls")[cut]])
    is_open = np.repeat([False, True], [int(ended.sum()), int(cut.sum())])
    spans = Spans.lengths(lengths, weight, is_open)
    instant = ~is_open & (lengths <= 0)  # 0 seconds: less than half a second
    spans.end[instant] = (0.0, 0.5)
    return spans


def failures(case: schema.CaseFile, tables: Mapping[str, Table]) -> list[Tally]:
    """Calls that failed, as counts of the shares `transient` and `permanent` of their steps, for `events.fit`.

    transient: of the calls that came back and were no permanent failure. permanent: of the calls that came back at all (a case's
    permanent failure should be one row). Calls in a time-out say nothing of either.
    """
    found = []
    for table, step, rows in _calls(case, tables):
        if not isinstance(step, schema.SystemCall):
            continue
        result, calls = table.texts("result"), table.numbers("calls")
        for name, among in (("transient", ("ok", "transient")), ("permanent", ("ok", "permanent"))):
            tried = rows & np.isin(result.astype(str), among)
            labels = (table.texts("type")[tried], table.texts("environment")[tried], _days(table)[tried])
            happened = np.where(equal(result, name), calls, 0.0)[tried]
            found.append(Tally(f"steps.{step.id}.{name}", *labels, happened, calls[tried], "calls"))
    return found


def _days(table: Table) -> NDArray[np.object_]:
    """What groups rows that are not independent: the day; empty where none is given."""
    day = table.times("day")[:, 0]
    return np.asarray(["" if np.isnan(d) else f"{d:.0f}" for d in day], dtype=object)


# -- outages


def outage_laws(case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings) -> list[TimedLaw]:
    """Time between outages (exponential) and length of outages, by system and arm."""
    table = tables.get("outages")
    found: list[TimedLaw] = []
    if table is None:
        return found
    for name, system in case.systems.items():
        rows = equal(table.texts("system"), name)
        if not rows.any():
            continue
        if system.outage is None:
            raise UnusableEvidenceError(f"systems.{name} has no outages in the case file; add outage = {{ every, repair }} to it")
        found += _between(case, about, table, rows, name, system.outage.every.law)
        found += _repairs(case, about, table, rows, name, system.outage.repair.law)
    return found


def _between(case: schema.CaseFile, about: EvidenceSettings, table: Table, rows: Bools, name: str, law: Law) -> list[TimedLaw]:
    path = f"systems.{name}.outage.every"
    if not isinstance(law, Exponential):
        raise UnusableEvidenceError(
            f'{path} is stated as {law.kind}; counted outages inform an exponential: write kind = "exponential" with a first guess of its mean'
        )
    found = []
    for arm, mine in _by_arm(table, rows, stated_parameters(law, path), path):
        up, outages = _up_time(case, about, table, mine, path)
        cell = Cell(
            float(outages), 0.0, 0.0, up, np.empty((0, 5)), np.empty((0, 4)), float(outages) + 1, 1.0, None
        )  # the last stretch of time without an outage is still going on
        found.append(TimedLaw(path, law, cell, arm, ("outages",)))
    return found


def _up_time(case: schema.CaseFile, about: EvidenceSettings, table: Table, rows: Bools, path: str) -> tuple[float, int]:
    """Seconds up in the periods looked at (each period once), and outages that began in them."""
    first, last, began, ended = (
        _local(case, about, table, column) for column in ("observed_from", "observed_until", "began", "ended")
    )
    periods = np.unique(np.stack([first[rows, 0], last[rows, 1]], axis=1), axis=0)
    if (periods[1:, 0] < periods[:-1, 1]).any():
        raise UnusableEvidenceError(
            f"{path}: periods that were looked at overlap; give one period, the same in all its rows, or periods apart"
        )
    down = rows & np.isfinite(began[:, 0])
    until = np.where(np.isnan(ended), last, ended).mean(axis=1)
    lost = np.maximum(np.minimum(until, last[:, 1]) - began.mean(axis=1), 0.0)[down].sum()
    return float(np.diff(periods, axis=1).sum() - lost), int(down.sum())


def _local(case: schema.CaseFile, about: EvidenceSettings, table: Table, column: str) -> Floats:
    return local_seconds(table.times(column), case.go_live, about.zone or "UTC")


def _repairs(case: schema.CaseFile, about: EvidenceSettings, table: Table, rows: Bools, name: str, law: Law) -> list[TimedLaw]:
    path = f"systems.{name}.outage.repair"
    down = rows & np.isfinite(table.times("began")[:, 0])
    if not down.any():
        return []
    began, ended, last = (_local(case, about, table, column) for column in ("began", "ended", "observed_until"))
    found = []
    for arm, mine in _by_arm(table, down, stated_parameters(law, path), path):
        seen = np.where(np.isnan(ended[mine, 0]), last[mine, 1], np.nan)
        found.append(TimedLaw(path, law, reduce(Spans.of(began[mine], ended[mine], seen)), arm, ("outages",)))
    return found
