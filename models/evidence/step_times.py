"""Rows of files with dates → visits on the clock that a step's law is stated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from models.evidence.duration_cells import Spans
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.table import Table
from models.evidence.wall_clock import local_seconds, open_hours, open_seconds
from models.schema import CaseFile
from simulator.clock import DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def rows_of_step(table: Table, step: str, fitting: Sequence[str], level: int | None = None) -> Bools:
    """Which rows are about a step (and level); rows that name no step are about the only one that fits.

    Raises UnusableEvidenceError if rows name no step and several fit.
    """
    named = table.texts("step")
    blank = named == ""
    if blank.any() and len(fitting) != 1:
        fit = ", ".join(fitting) or "none"
        line = int(table.lines[np.flatnonzero(blank)[0]])
        raise UnusableEvidenceError(
            f"{table.file}, line {line}: names no step, and several would fit ({fit}); fill the column step"
        )
    mine = (named == step) | (blank & (fitting[:1] == [step] or tuple(fitting[:1]) == (step,)))
    if level is None:
        return np.asarray(mine, dtype=bool)
    return np.asarray(mine & (table.numbers("level") == level), dtype=bool)


def visits(
    case: CaseFile, about: EvidenceSettings, table: Table, rows: Bools, begin: str, end: str, calendars: Sequence[str] = (),
    reminded: str = "",
) -> Spans:  # fmt: skip
    """Visits between two columns of times, in elapsed seconds or in open seconds of calendars (any of them open).

    rows: those that have `begin` · reminded: the column that says when a reminder was sent. Without `end` a visit is open and was last
    seen at `observed_until`, or when the export was made. A visit that lies wholly in closed hours counts with its elapsed time:
    somebody worked then.
    """
    start, stop, seen = (_wall(case, about, table, rows, column) for column in (begin, end, "observed_until"))
    exported = np.nan if about.exported is None else day_second(case, about.exported + timedelta(days=1))
    is_open = np.isnan(stop[:, 0])
    last = np.where(is_open, np.where(np.isnan(seen[:, 0]), exported, seen[:, 0]), np.nan)
    sent = _wall(case, about, table, rows, reminded).mean(axis=1) if reminded else np.full(len(start), np.nan)
    window = chosen_by_end(case, about, table)
    if not calendars:
        return _with_reminders(Spans.of(start, stop, last, window=window), sent)
    hours = open_hours(
        case, calendars, np.concatenate([start.reshape(-1), stop.reshape(-1), last, sent, np.asarray(window or ())])
    )
    s, e, seen_at, sent_at = (open_seconds(hours, x) for x in (start, stop, last, sent))
    closed = ~is_open & (e[:, 1] <= s[:, 0]) & (stop[:, 1] > start[:, 0])
    s, e = (np.where(closed[:, None], wall, clock) for wall, clock in ((start, s), (stop, e)))
    within = (
        None
        if window is None
        else (float(open_seconds(hours, np.asarray(window))[0]), float(open_seconds(hours, np.asarray(window))[1]))
    )
    return _with_reminders(Spans.of(s, e, seen_at, window=within), sent_at)


def _wall(case: CaseFile, about: EvidenceSettings, table: Table, rows: Bools, column: str) -> Floats:
    return local_seconds(table.times(column)[rows], case.go_live, about.zone or "UTC")


def _with_reminders(spans: Spans, sent: Floats) -> Spans:
    """Reminders sent during the visit."""
    after = sent - spans.start.mean(axis=1)
    until = np.where(spans.is_open, spans.open_at, spans.end.mean(axis=1)) - spans.start.mean(axis=1)
    return replace(spans, after=np.where((after < until) & (after >= 0), after, np.nan))


def chosen_by_end(case: CaseFile, about: EvidenceSettings, table: Table) -> tuple[float, float] | None:
    """The period, in wall-clock seconds since go-live, within which rows ended because they were chosen so; None if they were not.

    Where whole cases were chosen by their end, a visit ended before that: only the period's end cuts it off, and less sharply.
    """
    chosen = table.selection
    if chosen is None or chosen.by != "end":
        return None
    first, until = local_seconds(np.asarray([chosen.first, chosen.until]), case.go_live, about.zone or "UTC").tolist()
    return (-np.inf if chosen.of == "case" else first), until


def day_second(case: CaseFile, day: date) -> float:
    """The beginning of a day in wall-clock seconds since go-live."""
    return float((day - case.go_live).days * DAY)


def stopped_at(spans: Spans, limit: float) -> Spans:
    """Visits that reached a limit (or stayed longer) as open at the limit: what happened then was the limit's doing.

    A visit whose interval reaches over the limit counts as having reached it if its middle does.
    """
    length = spans.end.mean(axis=1) - spans.start.mean(axis=1)
    reached = ~spans.is_open & (length >= limit * (1 - 1e-6))
    end = np.where(reached[:, None], np.nan, spans.end)
    age = np.minimum(spans.open_at, spans.start.mean(axis=1) + limit)
    open_at = np.where(reached, spans.start.mean(axis=1) + limit, np.where(spans.is_open, age, np.nan))
    return Spans(spans.start, end, open_at, spans.weight, spans.after, spans.window)


def reminded_after(spans: Spans, after: float) -> Spans:
    """Visits of which every one that lasted longer than `after` was reminded then."""
    return _with_reminders(spans, spans.start.mean(axis=1) + after)


def lengths_in(spans: Spans, minutes: Floats) -> Spans:
    """Visits and, beside them, times measured directly, in minutes (0 stands for less than half a minute)."""
    seconds = minutes * 60
    zero = seconds <= 0
    end = np.stack([np.where(zero, 0.0, seconds), np.where(zero, 30.0, seconds)], axis=1)
    direct = Spans.of(np.zeros((len(seconds), 2)), end)
    return Spans(
        np.concatenate([spans.start, direct.start]), np.concatenate([spans.end, direct.end]),
        np.concatenate([spans.open_at, direct.open_at]), np.concatenate([spans.weight, direct.weight]),
        np.concatenate([spans.after, direct.after]), spans.window,
    )  # fmt: skip
