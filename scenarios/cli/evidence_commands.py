"""`pilotproof evidence …`: init, check."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from scenarios.cli.output import print_json

app = typer.Typer(help="Work with files of evidence in a case folder.", no_args_is_help=True, rich_markup_mode=None)
FolderArgument = Annotated[Path, typer.Argument(metavar="CASE_FOLDER", help="a folder that holds your case.toml")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]
BLOCKED = 2


@app.command()
def init(folder: FolderArgument) -> None:
    """Write templates for every kind of evidence into CASE_FOLDER/evidence; what is there already stays."""
    from scenarios.evidence import evidence_folder
    from scenarios.evidence.templates import write_templates
    from scenarios.files import load_without_fit

    evidence_folder(folder)
    done = write_templates(folder, load_without_fit(str(folder)).case)
    for path, new in done:
        typer.echo(f"{'wrote' if new else 'kept '} {path}")
    quoted = shlex.quote(str(folder))
    typer.echo(
        f"next: say your time zone in settings.toml, rename the examples you can fill, then pilotproof evidence check {quoted}"
    )


@app.command()
def check(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """What the files of evidence hold, what they inform, what is missing, and every defect; exit code 2 if one blocks."""
    from scenarios.evidence import evidence_folder, read_evidence
    from scenarios.files import load_without_fit
    from scenarios.report import evidence_report

    evidence_folder(folder)
    loaded = load_without_fit(str(folder))
    evidence = read_evidence(folder, loaded.case)
    if as_json:
        print_json(evidence_report.as_json(evidence, loaded.case, str(folder), loaded.hash))
    else:
        typer.echo(evidence_report.text(evidence, loaded.case, str(folder)))
    if evidence.blocked:
        raise typer.Exit(BLOCKED)
