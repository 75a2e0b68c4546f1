"""`pilotproof batch`: a plan of many simulations, from reading it to the table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from scenarios.cli.output import clear_progress, print_json


def run_plan(plan: Path, means: Any, out: Path | None, summary: bool, as_json: bool) -> None:
    """Checks a plan as a whole, says how much it is, and runs it. Raises CaseError, Cancelled."""
    from scenarios import batch
    from scenarios.batch.table import refuse
    from scenarios.report import batch_report
    from simulator.batch import Cancelled

    refuse(out)
    prepared = batch.prepare(plan, means.progress)
    if not as_json:
        clear_progress()
        sys.stderr.write(f"{batch_report.announcement(prepared)}\n")
    try:
        found = batch.run(prepared, means, out)
    except (Cancelled, KeyboardInterrupt):
        clear_progress()
        if out is not None and out.is_dir():
            sys.stderr.write(f"what is done is kept in {out}; the same command goes on with it\n")
        raise
    clear_progress()
    if as_json:
        print_json(batch_report.as_json(found, out))
        return
    if out is None or summary:
        typer.echo(batch_report.text(found))
    if out is not None:
        typer.echo(f"wrote {out}")
