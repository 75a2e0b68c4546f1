"""`pilotproof`: the commands, their options, and how errors leave the program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli import scenario_commands

if TYPE_CHECKING:
    from scenarios.files import LoadedCase

app = typer.Typer(
    name="pilotproof",
    help="Will the promised outcome of an AI pilot hold in production? How probable, why, and what to check first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(scenario_commands.app, name="scenario")

CaseArgument = Annotated[str, typer.Argument(help="a shipped name, a TOML file or a case folder")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the same seed gives the same figures")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]
ArmOption = Annotated[str, typer.Option(help="as_is, pilot or production")]
DEFAULT_DRAWS = 10


def print_json(data: object) -> None:
    """JSON alone, sorted as given, ending in a newline."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def progress_on(stream: Any, show: bool) -> Any:
    """A progress line on standard error when it is a terminal."""

    def line(what: str, done: int, total: int) -> None:
        stream.write(f"\r\x1b[K  {what}: {done} of {total}")
        stream.flush()

    def nothing(*_: object) -> None:
        return

    return line if show and stream.isatty() else nothing


def clear_progress() -> None:
    """Removes the progress line."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def load(name: str) -> LoadedCase:
    """Loads a case; heavy imports happen here, not at start."""
    from scenarios.files import load as load_case

    return load_case(name)


def known_arm(arm: str) -> Any:
    """The arm, or a CaseError that names the known ones."""
    from models.parameters import ARMS
    from scenarios.problems import CaseError, Problem, nearest

    if arm not in ARMS:
        raise CaseError("--arm", [Problem("E601", "", f'no arm "{arm}"', nearest(arm, ARMS))])
    return arm


@app.command()
def verdict(
    case: CaseArgument,
    draws: Annotated[
        int, typer.Option(min=1, max=100_000, help="accepted futures; below 200 the verdict is a preview")
    ] = DEFAULT_DRAWS,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """How probable is it that the promise is kept, and why."""
    loaded = load(case)
    from scenarios import study
    from scenarios.report import verdict_json, verdict_text
    from scenarios.store import SolvedCache

    result = study.verdict(loaded.case, draws, seed, progress_on(sys.stderr, not as_json), SolvedCache(loaded.hash, seed))
    clear_progress()
    if as_json:
        print_json(verdict_json.as_json(result, loaded))
    else:
        typer.echo(verdict_text.page(result, loaded))


@app.command()
def run(
    case: CaseArgument,
    arm: ArmOption = "production",
    replications: Annotated[int, typer.Option(min=1, max=100_000)] = 5,
    seed: SeedOption = 7,
    engine: Annotated[str, typer.Option(help="simpy")] = "simpy",
    out: Annotated[Path | None, typer.Option(help="a new folder for the tables of all runs (CSV) and the summary")] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one arm at the middle values of all parameters, several futures."""
    from scenarios.problems import CaseError, Problem

    if engine != "simpy":
        raise CaseError("--engine", [Problem("E601", "", f'no engine "{engine}"', "known: simpy")])
    if out is not None and out.exists():
        raise CaseError(str(out), [Problem("E601", "--out", "exists already", "name a folder that does not exist yet")])
    loaded, chosen = load(case), known_arm(arm)
    from scenarios import study
    from scenarios.report import run_report
    from scenarios.store import SolvedCache

    show = progress_on(sys.stderr, not as_json)
    result = study.replicate(loaded.case, chosen, replications, seed, show, SolvedCache(loaded.hash, seed))
    clear_progress()
    if out is not None:
        run_report.write(result, loaded, out)
    if as_json:
        print_json(run_report.as_json(result, loaded))
    else:
        typer.echo(run_report.text(result, loaded))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="a case")],
    second: Annotated[str, typer.Argument(metavar="B", help="another case, for example one that extends A")],
    arm: ArmOption = "production",
    replications: Annotated[int, typer.Option(min=2, max=100_000)] = 8,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Two cases over the same futures: paired differences, what they would need, and what common random numbers gain."""
    a, b, chosen = load(first), load(second), known_arm(arm)
    from scenarios.report import compare_report

    result = compare_report.compare(a, b, chosen, replications, seed, progress_on(sys.stderr, not as_json))
    clear_progress()
    if as_json:
        print_json(compare_report.as_json(result))
    else:
        typer.echo(compare_report.text(result))


@app.command()
def trace(
    case: CaseArgument,
    number: Annotated[int, typer.Option("--case", min=0, help="which case: 0 is the first that arrives in the target weeks")] = 0,
    arm: ArmOption = "production",
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """One case's story, hour by hour, with the reason of each wait."""
    loaded, chosen = load(case), known_arm(arm)
    from scenarios.report import trace_report

    story = trace_report.story(loaded, chosen, number, seed)
    if as_json:
        print_json(trace_report.as_json(story))
    else:
        typer.echo(trace_report.text(story))


@app.command()
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="the short list, about 20 seconds")] = False,
    as_json: JsonOption = False,
) -> None:
    """Textbook checks on this machine: theory against simulation, each with the smallest fault it can see."""
    from scenarios.report import verify_report

    results = verify_report.run(quick, progress_on(sys.stderr, not as_json))
    clear_progress()
    if as_json:
        print_json(verify_report.as_json(results))
    else:
        typer.echo(verify_report.text(results))
    if not all(r.passed for r in results):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: exit code 2 and one plain message for bad input, quiet ends for Ctrl-C and closed pipes."""
    from scenarios.problems import CaseError

    try:
        app(standalone_mode=False)
        sys.stdout.flush()
    except CaseError as error:
        _report(error)
        sys.exit(2)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        clear_progress()
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            sys.stderr.write(f"pilotproof: {error.format_message()}\nTry --help.\n")
            sys.exit(2)
        from scenarios.study import BaselineError

        if isinstance(error, BaselineError):
            sys.stderr.write(f"pilotproof: {error}\n")
            sys.exit(2)
        raise


def _report(error: Any) -> None:
    """All problems of a file: as JSON on standard output with --json, else as text on standard error."""
    if "--json" in sys.argv:
        print_json(error.as_json())
    else:
        sys.stderr.write(error.text() + "\n")


if __name__ == "__main__":
    main()
