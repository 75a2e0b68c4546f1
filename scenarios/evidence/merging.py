"""Files of a kind and what an export implies, put together without counting anything twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.evidence.table import Table
from scenarios.evidence.parse import select


def merged(own: Mapping[str, Table], derived: Mapping[str, Table]) -> tuple[dict[str, Table], dict[str, Table], list[str]]:
    """Tables by kind, what was used of the derived ones, and what is to be said.

    A file of its own comes before what an export implies: of that only the steps are taken that the file does not speak of.
    """
    tables, used, notes = dict(own), dict[str, Table](), list[str]()
    for name, table in derived.items():
        if name not in own:
            tables[name] = used[name] = table
            notes.append(f"also used as {name}: {len(table):,} rows")
            continue
        other = own[name]
        by_arrival = table.selection is not None and table.selection.by == "arrival"
        if name == "arrivals" or not (by_arrival or other.selection == table.selection):
            notes.append(f"not used as {name}, because {other.file} says it")
            continue
        new = ~np.isin(table.texts("step").astype(str), np.unique(other.texts("step").astype(str)))
        steps = ", ".join(sorted(set(table.texts("step")[new].tolist())))
        if new.any():
            used[name] = select(table, new)
            tables[name] = _joined(other, used[name])
        notes.append(f"also used as {name} for {steps}" if steps else f"not used as {name}, because {other.file} says it")
    return tables, used, notes


def _joined(a: Table, b: Table) -> Table:
    names = [spec.name for spec in a.kind.columns if spec.name in a.columns or spec.name in b.columns]
    columns = {name: np.concatenate([_column(table, name) for table in (a, b)]) for name in names}
    return Table(a.kind, f"{a.file}, {b.file}", columns, np.concatenate([a.lines, b.lines]), a.selection)


def _column(table: Table, name: str) -> NDArray[np.object_] | NDArray[np.float64]:
    kind = table.kind.column(name).kind
    if kind in ("day", "time"):
        return table.times(name)
    return table.texts(name) if kind in ("text", "choice", "name") else table.numbers(name)
