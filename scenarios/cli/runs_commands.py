"""`pilotproof runs …`: list, show, diff, rm."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from scenarios.cli.output import print_json

app = typer.Typer(help="Work with stored runs.", no_args_is_help=True, rich_markup_mode=None)
RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a run")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]


def folder_of_runs(folder: Path | None) -> Path | None:
    """Where the runs are: `runs` here, or in a case folder; None if that default is not there. Raises CaseError (E701)."""
    if folder is None:
        return Path("runs") if Path("runs").is_dir() else None
    if (folder / "case.toml").is_file():
        return folder / "runs" if (folder / "runs").is_dir() else None
    from scenarios.problems import CaseError, Problem

    if not folder.is_dir():
        raise CaseError(str(folder), [Problem("E701", "", "no such folder", "name a folder of runs, or a case folder")])
    if (folder / "manifest.json").is_file():
        raise CaseError(str(folder), [Problem("E701", "", "is a single run", f"pilotproof runs show {shlex.quote(str(folder))}")])
    return folder


@app.command("list")
def list_runs(
    folder: Annotated[Path | None, typer.Argument(help="a folder of runs, or a case folder  [default: runs]")] = None,
    as_json: JsonOption = False,
) -> None:
    """The runs in a folder: what they are, how far they are, and the chance of the promise."""
    place = folder_of_runs(folder)
    from scenarios.report import runs_report

    runs = runs_report.found(place) if place is not None else []
    if as_json:
        print_json(runs_report.list_json(runs))
    else:
        typer.echo(runs_report.list_text(runs, place or (folder or Path()) / "runs"))


@app.command()
def show(run: RunArgument, as_json: JsonOption = False) -> None:
    """What a run depends on, and how far it is."""
    from scenarios.report import runs_report
    from scenarios.runs import Store

    store = Store.open(run)
    if as_json:
        print_json(runs_report.show_json(store))
    else:
        typer.echo(runs_report.show_text(store))


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="the folder of a run")],
    second: Annotated[Path, typer.Argument(metavar="B", help="the folder of another run")],
    as_json: JsonOption = False,
) -> None:
    """Why the verdict changed: inputs, evidence, version or luck."""
    from scenarios.runs import Store

    a, b = Store.open(first), Store.open(second)
    from scenarios.report import runs_report
    from scenarios.runs.why import why

    found = why(a, b)
    if as_json:
        print_json(runs_report.diff_json(a, b, found))
    else:
        typer.echo(runs_report.diff_text(a, b, found))


@app.command("rm")
def remove_run(
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a run; asks first."""
    from scenarios.problems import CaseError, Problem
    from scenarios.runs.store import remove, require_run

    require_run(run)
    if as_json and not yes:
        raise CaseError("--json", [Problem("E601", "", "leaves no room for a question", "add --yes")])
    if not yes and not _confirmed(f"remove the run {run} for good?"):
        typer.echo("nothing was removed")
        raise typer.Exit(1)
    remove(run)
    if as_json:
        print_json({"schema_version": 1, "removed": str(run)})
    else:
        typer.echo(f"removed {run}")


def _confirmed(question: str) -> bool:
    """Asks on standard error, so that standard output holds the answer of the command alone; no answer is a no."""
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
