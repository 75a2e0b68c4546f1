"""`pilotproof fit` and `pilotproof baseline fit`."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from scenarios.cli.output import clear_progress, print_json, progress_on

baseline_app = typer.Typer(help="Today's result.", no_args_is_help=True, rich_markup_mode=None)
FolderArgument = Annotated[Path, typer.Argument(help="a case folder, with case.toml and evidence/")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="the same seed gives the same fit")]


def fit(
    case: FolderArgument,
    preview: Annotated[bool, typer.Option("--preview", help="shorter, for a first look: it may not pass its checks")] = False,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Turn the evidence of a case into ranges of its parameters, written to posterior.nc."""
    from scenarios.files import load_without_fit
    from scenarios.report import fit_report

    fitted = _fitted(case, seed, preview, as_json, None)
    known = load_without_fit(str(case)).case
    if as_json:
        print_json(fit_report.as_json(fitted, known, str(case)))
    else:
        typer.echo(fit_report.text(fitted, known, str(case)))


@baseline_app.command("fit")
def baseline_fit(
    case: FolderArgument,
    draws: Annotated[int, typer.Option(min=5, max=10_000, help="futures in which today's result is reproduced")] = 50,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Today's result from the dates of your export (or as the case states it): what is located, and which dates locate the rest."""
    from scenarios.report import baseline_report
    from scenarios.today import today_of

    progress = progress_on(sys.stderr, not as_json)
    try:
        found = today_of(case, draws, seed, progress, _stop())
    finally:
        clear_progress()
    if as_json:
        print_json(baseline_report.as_json(found))
    else:
        typer.echo(baseline_report.text(found))


def _fitted(case: Path, seed: int, preview: bool, silent: bool, only: frozenset[str] | None) -> Any:
    from models.fits.seam import Sampling
    from scenarios.fitting import fit_folder

    sampling = Sampling(seed)
    try:
        return fit_folder(case, sampling.preview() if preview else sampling, progress_on(sys.stderr, not silent), _stop(), only)
    finally:
        clear_progress()


def _stop() -> Event:
    from scenarios.cli.main import STOP

    return STOP


def report(
    case: FolderArgument,
    html: Annotated[Path | None, typer.Option(help="write the report as one page that needs nothing else")] = None,
    draws: Annotated[
        int, typer.Option(min=10, max=10_000, help="futures for the chance; the settings of the penalty get a third")
    ] = 200,
    quick: Annotated[
        bool, typer.Option("--quick", help="only what the fit says: no simulation, nothing about what to measure next")
    ] = False,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """What the evidence taught: accuracy pilot against live, what is learned and what is assumed, what to measure next."""
    from scenarios.evidence_report import report_of
    from scenarios.report import sections
    from scenarios.report.basis import basis, basis_line
    from scenarios.study import Means

    progress = progress_on(sys.stderr, not as_json)
    try:
        loaded, found = report_of(case, seed, Means(progress=progress, stop=_stop()), draws, not quick)
    finally:
        clear_progress()
    heading = f"{loaded.case.title} · what the evidence taught"
    if html is not None:
        html.write_text(sections.as_html(heading, found, (basis_line(loaded, seed),)), encoding="utf-8")
    if as_json:
        print_json({"case": str(case), "sections": sections.as_json(found), "basis": basis(loaded, seed)})
    else:
        typer.echo(sections.as_text(heading, found, (basis_line(loaded, seed),)))
        if html is not None:
            typer.echo(f"wrote {html}")
