"""Service times: how long people work on a case, in the open hours of their team."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event

import numpy as np

from models import schema
from models.evidence.duration_cells import reduce
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.step_times import Bools, lengths_in, rows_of_step, visits
from models.evidence.table import Table
from models.fits.law_priors import arm_of, stated_parameters
from models.fits.seam import Sampling
from models.fits.timed_laws import TimedLaw, fit_laws
from models.laws import Law
from models.posterior import SubModel

NAME = "service times"
FILES = ("times",)


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `steps.X.service.…` and `steps.X.levels.K.service.…` of the steps that the file `times` has rows of; None without any.

    Raises UnusableEvidenceError for a law that times cannot inform, StoppedError once `stop` is set.
    """
    laws = service_laws(case, tables, about)
    if not laws:
        return None
    return fit_laws(
        NAME,
        laws,
        sampling,
        stop,
        ("Service times are working time: from start to end without the hours in which the team is closed.",),
    )


def service_laws(case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings) -> list[TimedLaw]:
    """The laws of work that have rows. A row with `minutes` gives these, else the time from `started` to `ended`."""
    table = tables.get("times")
    if table is None:
        return []
    fitting = [s.id for s in case.steps if isinstance(s, schema.Work | schema.Review | schema.Desk | schema.Wait)]
    found = []
    for path, law, team, rows, factor in _places(case, table, fitting):
        timed = _timed(case, about, table, rows, path, law, team, factor)
        if timed is not None:
            found.append(timed)
    return found


def _places(
    case: schema.CaseFile, table: Table, fitting: list[str]
) -> Iterator[tuple[str, Law, str, Bools, schema.NotNegative | None]]:
    for step in case.steps:
        match step:
            case schema.Work():
                yield f"steps.{step.id}.service", step.service.law, step.team, rows_of_step(table, step.id, fitting), step.factor
            case schema.Review():
                yield f"steps.{step.id}.service", step.service.law, step.team, rows_of_step(table, step.id, fitting), None
            case schema.Desk():
                for k, level in enumerate(step.levels, 1):
                    rows = rows_of_step(table, step.id, fitting, k)
                    yield f"steps.{step.id}.levels.{k}.service", level.service.law, level.team, rows, None


def _timed(
    case: schema.CaseFile, about: EvidenceSettings, table: Table, rows: Bools, path: str, law: Law, team: str,
    factor: schema.NotNegative | None,
) -> TimedLaw | None:  # fmt: skip
    minutes = table.numbers("minutes")
    direct = rows & np.isfinite(minutes)
    dated = rows & ~direct & np.isfinite(table.times("started")[:, 0])
    if not (direct | dated).any():
        return None
    calendars = (case.teams[team].calendar, *(shift.calendar for shift in case.teams[team].shifts))
    spans = visits(case, about, table, dated, "started", "ended", calendars)
    arm = arm_of(stated_parameters(law, path), path, "as_is")
    return TimedLaw(path, law, reduce(lengths_in(spans, minutes[direct])), arm, FILES, today_factor(factor, path))


def today_factor(factor: schema.NotNegative | None, path: str) -> float:
    """What today's times are multiplied by. Raises UnusableEvidenceError unless it is one certain number above 0."""
    if factor is None:
        return 1.0
    belief = factor.in_arm("as_is").uncertain()
    if belief.fixed is None or belief.fixed <= 0:
        raise UnusableEvidenceError(
            f"{path}: its factor for today is uncertain or 0, so observed times cannot tell the two apart; set as_is = 1 in the factor"
        )
    return belief.fixed
