"""`pilotproof elicit …`: what somebody believes about a number, shown back."""

from __future__ import annotations

from typing import Annotated

import typer

from scenarios.cli.output import print_json

NumberArgument = Annotated[str, typer.Argument(help='a number with its unit: "2 d", "8 %", 0.08')]


def elicit(
    low: NumberArgument,
    likely: NumberArgument,
    high: NumberArgument,
    kind: Annotated[str, typer.Option("--as", help="share, duration, accuracy or number")],
    sure: Annotated[str, typer.Option(help="how sure you are that it lies between; 100% = never outside")] = "90%",
    cv: Annotated[float, typer.Option(help="for durations and numbers: spread of single ones / their mean")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON alone on standard output")] = False,
) -> None:
    """What low, most likely and high say together: the range that follows, and how many cases it is worth."""
    from scenarios.report import elicit_report

    found = elicit_report.shown_back(low, likely, high, kind, sure, cv)
    if as_json:
        print_json(elicit_report.as_json(found))
    else:
        typer.echo(elicit_report.text(found))
