"""`pilotproof scenario …`: list, new, check, fmt, diff, show, schema."""

from __future__ import annotations

import shlex
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from scenarios.cli.output import print_json

app = typer.Typer(help="Work with case files.", no_args_is_help=True, rich_markup_mode=None)
CaseArgument = Annotated[str, typer.Argument(help="a shipped name, a TOML file or a case folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]


@app.command("list")
def list_scenarios(as_json: JsonOption = False) -> None:
    """The scenarios that are shipped."""
    from scenarios.catalogue import shipped_names, shipped_path

    rows = []
    for name in shipped_names():
        path = shipped_path(name)
        assert path is not None
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        rows.append({"name": name, "title": data["title"], "description": data["description"]})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:<24} {row['title']}\n{textwrap.indent(textwrap.fill(row['description'], 95), ' ' * 25)}")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="the file to write")],
    source: Annotated[str, typer.Option("--from", help="the scenario to start from")] = "invoice_processing",
    extend: Annotated[bool, typer.Option("--extends", help="hold only the differences")] = False,
) -> None:
    """Start your own case from a scenario."""
    from scenarios.editing import new_file

    new_file(file, source, extend)
    typer.echo(f"wrote {file}; next: pilotproof scenario check {shlex.quote(str(file))}")


@app.command()
def check(case: CaseArgument, as_json: JsonOption = False) -> None:
    """Everything that is wrong with a case, at once."""
    from scenarios.files import load
    from scenarios.overload import check_today

    loaded = load(case)
    loads = check_today(loaded)
    if as_json:
        print_json({"file": loaded.file, "scenario_hash": loaded.hash, "problems": [], "load_today": loads})
        return
    busiest = ", ".join(f"{name} {100 * load:.0f} %" for name, load in sorted(loads.items(), key=lambda item: -item[1])[:4])
    typer.echo(f"{loaded.file}: no problems · hash {loaded.hash}" + (f" · load today: {busiest}" if busiest else ""))


@app.command()
def fmt(
    file: Annotated[Path, typer.Argument(help="your file, or its case folder")],
    check_only: Annotated[bool, typer.Option("--check", help="only say whether it is")] = False,
) -> None:
    """Bring a case file into canonical form; comments stay."""
    from scenarios.canonical import formatted
    from scenarios.editing import own_file, write_atomically

    file = own_file(file)
    text, done = formatted(file)
    if text == done:
        typer.echo(f"{file}: in canonical form")
    elif check_only:
        typer.echo(f"{file}: not in canonical form; run pilotproof scenario fmt {file}")
        raise typer.Exit(1)
    else:
        write_atomically(file, done)
        typer.echo(f"{file}: formatted")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
    as_json: JsonOption = False,
) -> None:
    """What differs between two cases, by meaning."""
    from scenarios.differences import differences
    from scenarios.files import load

    found = differences(load(first).case, load(second).case)
    if as_json:
        print_json([{"place": place, "first": a, "second": b} for place, a, b in found])
        return
    for place, a, b in found:
        typer.echo(f"{place}: {a} → {b}")
    if not found:
        typer.echo("no difference in meaning")


@app.command()
def show(case: CaseArgument, as_json: JsonOption = False) -> None:
    """The workflow as a table and a Mermaid diagram, its parameters, and every input that changes by week."""
    from scenarios.files import load
    from scenarios.report import show_report

    loaded = load(case)
    if as_json:
        print_json(show_report.as_json(loaded))
    else:
        typer.echo(show_report.text(loaded))


@app.command()
def schema() -> None:
    """The JSON Schema of case files, for editors."""
    import json

    from models.schema import CaseFile

    sys.stdout.write(json.dumps(CaseFile.model_json_schema(), indent=2) + "\n")
