"""Tables of kinds that an export of one's own implies: visits with their dates, approval requests, cases received a day."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evidence.events import APPROVAL_PHASES, WORK_PHASES, Event, known_events
from models.evidence.kinds import APPROVALS, ARRIVALS, TIMES
from models.evidence.table import FileKind, Selection, Table
from models.schema import CaseFile
from scenarios.evidence.export import Export
from scenarios.evidence.visits import Visits, visits_of
from scenarios.evidence.zones import DAY, Zone


def derived_tables(export: Export, case: CaseFile, zone: Zone) -> dict[str, Table]:
    """Kind → table; kinds about which the export says nothing are left out."""
    c = export.cycles
    selection = Selection(c.selected_by, *c.window, of="case")
    found = {
        kind.name: _dated(export, case, kind, phases, selection)
        for kind, phases in ((TIMES, WORK_PHASES), (APPROVALS, APPROVAL_PHASES))
    }
    if c.selected_by == "arrival" and export.whole:
        found["arrivals"] = _arrivals(export, case, zone)
    return {name: table for name, table in found.items() if table is not None and len(table)}


def _dated(export: Export, case: CaseFile, kind: FileKind, phases: tuple[str, ...], selection: Selection) -> Table | None:
    """Visits with at least two dates, or one and a case that was still open at the export."""
    known = known_events(case)
    steps: dict[tuple[str, int], dict[str, Event]] = {}
    for name in export.events:
        event = known.get(name)
        if event is not None and event.phase in phases:
            steps.setdefault((event.step, event.level), {})[event.phase] = event
    parts = []
    for (step, level), events in steps.items():
        given = [export.events[events[p].name] if p in events else None for p in phases]
        if given[0] is None and (kind is APPROVALS or given[1] is None):
            continue  # an end alone says nothing about how long it took
        parts.append(_part(export, visits_of(given, export.by_time), step, level, phases, given[2] is not None))
    if not parts:
        return None
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "lines"}
    return Table(kind, export.cycles.file, columns, np.concatenate([part["lines"] for part in parts]), selection)


def _part(export: Export, visits: Visits, step: str, level: int, phases: tuple[str, ...], ends: bool) -> dict[str, NDArray[Any]]:
    """The rows of one step and level. `ends`: whether the export dates ends at all."""
    c = export.cycles
    dates = ~np.isnan(visits.at[:, :, 0])
    is_open = ends & ~dates[:, 2] & c.open[visits.case] & (dates[:, 0] | dates[:, 1])
    keep = is_open | (dates.sum(axis=1) >= 2) if phases is WORK_PHASES else dates[:, 0] & (is_open | dates[:, 2])
    case, at, count = visits.case[keep], visits.at[keep], int(keep.sum())
    observed = np.where(is_open[keep][:, None], [[c.exported - 60, c.exported]], np.full((count, 2), np.nan))
    return {
        "case": c.case[case], "type": c.type[case], "step": np.full(count, step, dtype=object), "level": np.full(count, float(level)),
        **{phase: at[:, i] for i, phase in enumerate(phases)}, "observed_until": observed, "lines": visits.line[keep],
    }  # fmt: skip


def _arrivals(export: Export, case: CaseFile, zone: Zone) -> Table:
    """Cases of every local day of the period, by type if every case has one; days without a case are 0."""
    c = export.cycles
    typed = bool((c.type != "").all())
    day = np.floor(zone.local(c.arrival[:, 0]) / DAY).astype(np.int64)
    first, stop = np.floor(zone.local(np.asarray(c.window)) / DAY + 1e-9).astype(np.int64)
    types = list(case.types) if typed else [""]
    place = {name: k for k, name in enumerate(types)}
    kind = np.asarray([place[name] for name in c.type], dtype=np.int64) if typed else np.zeros(len(c), dtype=np.int64)
    inside = (day >= first) & (day < stop)
    counts = np.zeros((stop - first, len(types)))
    np.add.at(counts, (day[inside] - first, kind[inside]), 1.0)
    days = zone.days(np.repeat(np.arange(first, stop), len(types)))
    names = np.tile(np.asarray(types, dtype=object), stop - first)
    columns: dict[str, NDArray[Any]] = {"day": days, "type": names, "cases": counts.reshape(-1)}
    return Table(ARRIVALS, c.file, columns, np.zeros(len(days), dtype=np.int64))
