"""Waits: in an inbox, for a process step that is not modelled in detail, on the step's own clock; and of a desk for answers from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event

import numpy as np

from models import schema
from models.evidence.duration_cells import reduce
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.step_times import reminded_after, rows_of_step, stopped_at, visits
from models.evidence.table import Table
from models.fits.law_priors import arm_of, stated_parameters
from models.fits.seam import Sampling
from models.fits.service import today_factor
from models.fits.timed_laws import TimedLaw, fit_laws
from models.posterior import SubModel

NAME = "waits"
FILES = ("times",)


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `steps.X.time.…` of waits and `steps.X.levels.N.outside.time.…` of desks that the file `times` has rows of; None without.

    Raises UnusableEvidenceError for a law that times cannot inform, StoppedError once `stop` is set.
    """
    laws = wait_laws(case, tables, about)
    if not laws:
        return None
    notes = (
        "A wait runs from `entered` to `ended`, on the clock of its step; for an answer from outside, from `asked_outside` to `answered`.",
    )
    return fit_laws(NAME, laws, sampling, stop, notes)


def wait_laws(case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings) -> list[TimedLaw]:
    """The laws of waits that have rows. Waits that reached the step's limit count as longer than that."""
    table = tables.get("times")
    if table is None:
        return []
    fitting = [s.id for s in case.steps if isinstance(s, schema.Work | schema.Review | schema.Desk | schema.Wait)]
    found: list[TimedLaw] = []
    for step in case.steps:
        if isinstance(step, schema.Desk):
            found += _answers(case, about, table, step, fitting)
        if not isinstance(step, schema.Wait):
            continue
        rows = rows_of_step(table, step.id, fitting) & np.isfinite(table.times("entered")[:, 0])
        if rows.any():
            found.append(_timed(case, about, table, rows, step))
    return found


def _answers(
    case: schema.CaseFile, about: EvidenceSettings, table: Table, step: schema.Desk, fitting: list[str]
) -> Iterator[TimedLaw]:
    """Waits of a desk's levels for answers from outside, in elapsed time; what was not answered yet is open."""
    asked = np.isfinite(table.times("asked_outside")[:, 0])
    for k, level in enumerate(step.levels, 1):
        rows = rows_of_step(table, step.id, fitting, k) & asked
        path = f"steps.{step.id}.levels.{k}.outside"
        if not rows.any():
            continue
        if level.outside is None:
            line = int(table.lines[np.flatnonzero(rows)[0]])
            raise UnusableEvidenceError(
                f"{table.file}, line {line}: somebody outside was asked, but the case file states no {path}; add it, or empty the column"
            )
        law = level.outside.time.law
        arm = arm_of(stated_parameters(law, f"{path}.time"), f"{path}.time", "as_is")
        yield TimedLaw(f"{path}.time", law, reduce(visits(case, about, table, rows, "asked_outside", "answered")), arm, FILES)


def _timed(
    case: schema.CaseFile,
    about: EvidenceSettings,
    table: Table,
    rows: np.ndarray[tuple[int], np.dtype[np.bool_]],
    step: schema.Wait,
) -> TimedLaw:
    path = f"steps.{step.id}.time"
    spans = visits(case, about, table, rows, "entered", "ended", () if step.clock is None else (step.clock,))
    if step.limit is not None:
        spans = stopped_at(spans, certain(step.limit, f"steps.{step.id}.limit"))
    multiplier = None
    if step.remind is not None:
        spans = reminded_after(spans, certain(step.remind.after, f"steps.{step.id}.remind.after"))
        multiplier = step.remind.multiplier
    arm = arm_of(stated_parameters(step.time.law, path), path, "as_is")
    factor = today_factor(step.factor, path)
    return TimedLaw(path, step.time.law, reduce(spans), arm, FILES, factor, multiplier, f"steps.{step.id}.remind.multiplier")


def certain(parameter: schema.Parameter, path: str) -> float:
    """The value today of a parameter that must be certain. Raises UnusableEvidenceError if it is not."""
    belief = parameter.in_arm("as_is").uncertain()
    if belief.fixed is None:
        raise UnusableEvidenceError(f"{path} is uncertain, so it cannot be told which waits it cut short; give it as one value")
    return belief.fixed
