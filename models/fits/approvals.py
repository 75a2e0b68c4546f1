"""Approvals: how long approvers take, what a reminder leaves of the rest, and how often they reject."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

import numpy as np

from models import schema
from models.evidence.duration_cells import Spans, reduce
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import Tally
from models.evidence.step_times import Bools, rows_of_step, visits
from models.evidence.table import Table
from models.fits.law_priors import arm_of, stated_parameters
from models.fits.seam import Sampling
from models.fits.timed_laws import TimedLaw, fit_laws
from models.posterior import SubModel

NAME = "approvals"
FILES = ("approvals",)
UNANSWERED = ("lapsed", "delegated", "escalated")
"""What is decided when nobody answered within the limit: the answer would have come later."""


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `steps.X.levels.K.response.…` and, where reminders were sent, `….remind.multiplier`; None without rows.

    Rejections are `rejections`: evidence for the fit of shares. Raises UnusableEvidenceError, StoppedError.
    """
    laws = response_laws(case, tables, about)
    if not laws:
        return None
    notes = (
        "Requests that nobody answered within the limit (lapsed, delegated, escalated) count as taking at least so long.",
        "Response times hold whatever delays an approver: absences and times at which nobody looks are part of them.",
    )
    return fit_laws(NAME, laws, sampling, stop, notes)


def response_laws(case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings) -> list[TimedLaw]:
    """The laws of response of the levels that have rows, on the clock of the level."""
    return [law for table, step, k, rows in _levels(case, tables) for law in _law(case, about, table, step, k, rows)]


def _levels(case: schema.CaseFile, tables: Mapping[str, Table]) -> list[tuple[Table, schema.Approval, int, Bools]]:
    table = tables.get("approvals")
    if table is None:
        return []
    steps = [s for s in case.steps if isinstance(s, schema.Approval)]
    names = [s.id for s in steps]
    places = [(s, k) for s in steps for k in range(1, len(s.levels) + 1)]
    found = [(table, step, k, rows_of_step(table, step.id, names, k)) for step, k in places]
    return [row for row in found if row[3].any()]


def _law(
    case: schema.CaseFile, about: EvidenceSettings, table: Table, step: schema.Approval, k: int, rows: Bools
) -> list[TimedLaw]:
    level, path = step.levels[k - 1], f"steps.{step.id}.levels.{k}"
    if not (rows & np.isfinite(table.times("asked")[:, 0])).any():
        return []
    rows = rows & np.isfinite(table.times("asked")[:, 0])
    calendars = () if level.clock is None else (level.clock,)
    spans = visits(case, about, table, rows, "asked", "decided", calendars, "reminded" if level.remind is not None else "")
    spans = _unanswered(spans, np.isin(table.texts("decision")[rows].astype(str), UNANSWERED))
    multiplier = level.remind.multiplier if level.remind is not None else None
    arm = arm_of(stated_parameters(level.response.law, f"{path}.response"), f"{path}.response", "as_is")
    cell = reduce(spans)
    return [TimedLaw(f"{path}.response", level.response.law, cell, arm, FILES, 1.0, multiplier, f"{path}.remind.multiplier")]


def _unanswered(spans: Spans, unanswered: Bools) -> Spans:
    """Ended visits of which no answer came until their end, as open ones."""
    lapsed = unanswered & ~spans.is_open
    end = np.where(lapsed[:, None], np.nan, spans.end)
    return Spans(
        spans.start, end, np.where(lapsed, spans.end.mean(axis=1), spans.open_at), spans.weight, spans.after, spans.window
    )


def rejections(case: schema.CaseFile, tables: Mapping[str, Table]) -> list[Tally]:
    """Rejections among decisions that somebody took, as counts of `steps.X.levels.K.rejects`, for `events.fit`."""
    found = []
    for table, step, k, rows in _levels(case, tables):
        decision = table.texts("decision")
        decided = rows & np.isin(decision.astype(str), ("approved", "rejected"))
        if step.rejected is not None and decided.any():
            ones = np.ones(int(decided.sum()))
            blank = np.full(int(decided.sum()), "", dtype=object)
            happened = (decision[decided] == "rejected").astype(np.float64)
            path = f"steps.{step.id}.levels.{k}.rejects"
            found.append(Tally(path, table.texts("type")[decided], blank, blank, happened, ones, "approvals"))
    return found
