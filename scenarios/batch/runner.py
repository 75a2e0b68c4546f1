"""Runs a plan into a table."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.batch.plan import Prepared, prepare
from scenarios.batch.summary import Summary
from scenarios.batch.table import Folder, Frame, Table, opened
from scenarios.batch.work import jobs, parts
from scenarios.study import Means

if TYPE_CHECKING:
    import pandas as pd


def run(prepared: Prepared, means: Means, out: Path | None) -> Summary:
    """Simulates a plan into a table; a folder goes on with what is there. Raises CaseError, Cancelled."""
    with opened(prepared, out) as table:
        return fill(prepared, means, table)


def fill(prepared: Prepared, means: Means, table: Table) -> Summary:
    """Adds the parts that a table lacks. Raises CaseError, Cancelled."""
    summary, done = Summary(prepared), table.stored()
    with closing(parts(prepared, means, done)) as fresh:
        for job in jobs(prepared):
            if job.name in done:
                summary.add(job, table.read(job.name))
                continue
            part = next(fresh)
            table.add(part)
            summary.add(job, part.rows)
        next(fresh, None)  # lets it end
    return summary


def frame(plan: str | Path | Mapping[str, Any], means: Means, out: Path | None = None) -> pd.DataFrame:
    """A plan as a tidy pandas frame; with `out`, a folder, it is kept there and goes on with what is there. Raises CaseError, Cancelled."""
    prepared = prepare(plan, means.progress)
    with opened(prepared, out) as table:
        fill(prepared, means, table)
        if isinstance(table, Frame | Folder):
            return table.pandas()
    import pandas as pd

    assert out is not None
    return pd.read_csv(out, keep_default_na=True) if out.suffix == ".csv" else pd.read_parquet(out)
