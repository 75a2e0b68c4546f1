"""`pilotproof case …`: a case folder of one's own, and the interview that fills it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli.output import print_json

if TYPE_CHECKING:
    from scenarios.interview.apply import Interviewed
    from scenarios.interview.store import Start

app = typer.Typer(help="Your own case: a folder, and eight questions that fill it.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder to make")],
    source: Annotated[str, typer.Option("--from", help="the scenario to start from")] = "invoice_processing",
    extend: Annotated[bool, typer.Option("--extends", help="hold only the differences")] = False,
) -> None:
    """Make a case folder from a scenario; all its numbers count as guesses."""
    from scenarios.case_folder import new_case

    new_case(folder, source, extend)
    typer.echo(f"made {folder} (case.toml, evidence, runs); next: pilotproof case interview {shlex.quote(str(folder))}")


@app.command()
def interview(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a case folder")],
    answers: Annotated[Path | None, typer.Option(help="a file of answers (TOML) instead of the dialog")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON alone on standard output; needs --answers")] = False,
) -> None:
    """Eight plain questions, each with "don't know"; they leave a case that runs."""
    from scenarios.files import load
    from scenarios.interview import store
    from scenarios.problems import CaseError, Problem
    from scenarios.report import interview_report

    if as_json and answers is None:
        raise CaseError("command line", [Problem("E601", "--json", "needs --answers", "name a file of answers")])
    start = store.start_of(folder)
    found = store.interviewed(folder, store.answers_in(answers), str(answers)) if answers is not None else _asked(folder, start)
    loaded = load(str(folder))
    if as_json:
        print_json(interview_report.as_json(found, loaded, folder))
    else:
        typer.echo(interview_report.text(found, loaded, folder, start.by_hand))


def _asked(folder: Path, start: Start) -> Interviewed:
    """The dialog. What was said is kept after every answer; Ctrl-C or the end of the input leave the case as it was."""
    from scenarios.cli.interview_dialog import Dialog
    from scenarios.interview import store
    from scenarios.problems import CaseError

    types = {name: str(spec.get("label", name)) for name, spec in start.data["types"].items()}
    dialog = Dialog(store.saved_answers(folder), lambda answers: store.keep(folder, answers), types)
    try:
        dialog.run()
        while True:
            try:
                typer.echo("")
                return store.interviewed(folder, dialog.answers)
            except CaseError as error:
                if not dialog.again(error.problems):
                    raise
    except (typer.Abort, KeyboardInterrupt):
        name = shlex.quote(str(folder))
        typer.echo(f"\nWhat you said is kept in {folder / store.ANSWERS}; go on with pilotproof case interview {name}", err=True)
        raise
