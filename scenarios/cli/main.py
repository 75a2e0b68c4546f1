"""`pilotproof`: the commands, their options, and how errors leave the program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli import (
    app_command,
    case_commands,
    elicit_command,
    evidence_commands,
    fit_commands,
    runs_commands,
    scenario_commands,
)
from scenarios.cli.output import clear_progress, print_json, progress_on

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
app.add_typer(case_commands.app, name="case")
app.add_typer(scenario_commands.app, name="scenario")
app.add_typer(runs_commands.app, name="runs")
app.add_typer(evidence_commands.app, name="evidence")
app.add_typer(fit_commands.baseline_app, name="baseline")
app.command()(fit_commands.fit)
app.command("app")(app_command.app)
evidence_commands.app.command("report")(fit_commands.report)
app.command(context_settings={"ignore_unknown_options": True})(elicit_command.elicit)

CaseArgument = Annotated[str, typer.Argument(help="a shipped name, a TOML file or a case folder")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the same seed gives the same figures")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output")]
EngineOption = Annotated[
    str, typer.Option(help="compiled (fast) or simpy (the readable reference, slow); the figures are the same")
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, max=1_024, help="default: all cores; figures do not depend on it")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="compute on the workers of this Dask scheduler (tcp://host:8786); the figures are the same"
    ),
]
ArmOption = Annotated[str, typer.Option(help="as_is (today), pilot or production (live)")]
AtMostOption = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help="with --precision: futures after which it ends in any case  [default: 1000]"),
]
DEFAULT_DRAWS = 200
PAIRS = 8
REPLICATIONS = 5
STOP = Event()
"""Set by Ctrl-C: an interrupt that falls into a library that swallows it still ends the work."""


def _version(wanted: bool) -> None:
    if wanted:
        from scenarios.version import package_version

        typer.echo(f"pilotproof {package_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print name and version.")] = False,
) -> None:
    """Options of the program itself."""


def load(name: str) -> LoadedCase:
    """Loads a case; heavy imports happen here, not at start."""
    from scenarios.files import load as load_case

    return load_case(name)


def load_to_run(name: str) -> LoadedCase:
    """Loads a case whose process of today can be simulated: no team is overloaded."""
    from scenarios.overload import check_today

    loaded = load(name)
    check_today(loaded)
    return loaded


@contextmanager
def running(*cases: LoadedCase) -> Iterator[None]:
    """Turns what only shows when a case is simulated into a CaseError that names its file."""
    try:
        yield
    except ValueError as error:
        from scenarios.problems import CaseError, Problem
        from scenarios.study import BaselineError
        from simulator.checks import WorkflowError

        file = ", ".join(dict.fromkeys(case.file for case in cases))
        if isinstance(error, BaselineError):
            remedy = "check baseline.observed and the longest waits (pilotproof scenario show)"
            raise CaseError(file, [Problem("E405", "baseline", str(error), remedy)]) from None
        if isinstance(error, WorkflowError):
            raise CaseError(file, [Problem("E403", p.place, p.message) for p in error.problems]) from None
        raise
    finally:
        clear_progress()


def known_arm(arm: str) -> Any:
    """The arm, or a CaseError that names the known ones."""
    from models.parameters import ARMS
    from scenarios.problems import CaseError, Problem, nearest

    arm = {"today": "as_is", "live": "production"}.get(arm, arm)
    if arm not in ARMS:
        raise CaseError("--arm", [Problem("E601", "", f'no arm "{arm}"', nearest(arm, ARMS))])
    return arm


def known_means(engine: str, threads: int | None, silent: bool, scheduler: str | None = None) -> Any:
    """How to run; says so if the compiled engine has to be compiled first. A CaseError names the known engines."""
    from scenarios.problems import CaseError, Problem, nearest
    from scenarios.study import Means
    from simulator.engines import ENGINES

    if engine not in ENGINES:
        raise CaseError("--engine", [Problem("E601", "", f'no engine "{engine}"', nearest(engine, ENGINES))])
    if engine == "compiled" and not silent:
        from simulator.jit import is_cached

        if not is_cached():
            sys.stderr.write("compiling the simulator, once (about 10 seconds)\n")
    return Means(engine, threads, progress_on(sys.stderr, not silent), STOP, scheduler)


@app.command()
def verdict(
    case: CaseArgument,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help=f"accepted futures; below 200 the verdict is a preview  [default: {DEFAULT_DRAWS}]"
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT", help="instead: futures until the 90 % range of the chance is this narrow to each side: 5%"
        ),
    ] = None,
    at_most: AtMostOption = None,
    seed: SeedOption = 7,
    engine: EngineOption = "compiled",
    threads: ThreadsOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """How probable is it that the promise is kept, and why."""
    means, loaded = known_means(engine, threads, as_json, scheduler), load_to_run(case)
    from scenarios.report.precision_report import share_rule
    from scenarios.study.precision import precise_verdict
    from scenarios.study.stored import stored_verdict

    found, asked = None, asked_for(precision, at_most, {"--draws": draws})
    rule = share_rule(asked, at_most) if asked is not None else None
    with running(loaded):
        if rule is None:
            result = stored_verdict(loaded, draws or DEFAULT_DRAWS, seed, means)
        else:
            result, found = precise_verdict(loaded, rule, seed, means)
    show_verdict(result, loaded, as_json, found)


def asked_for(precision: str | None, at_most: int | None, fixed: dict[str, int | None]) -> str | None:
    """The precision asked for, if any. Raises CaseError if a fixed number of futures is asked for as well."""
    if precision is None and at_most is not None:
        raise refused("--at-most", "has no effect without --precision", "add --precision, or leave it away")
    for name, number in fixed.items() if precision is not None else ():
        if number is not None:
            raise refused("--precision", f"cannot be combined with {name}", "name one of them; --at-most limits the futures")
    return precision


def show_verdict(result: Any, loaded: LoadedCase, as_json: bool, precision: Any = None) -> None:
    """Prints a verdict, and whether the precision that was asked for is reached."""
    from scenarios.report import precision_report, verdict_json, verdict_text

    if as_json:
        more = {} if precision is None else {"precision": precision_report.as_json(precision, "points")}
        print_json({**verdict_json.as_json(result, loaded), **more})
    else:
        typer.echo(verdict_text.page(result, loaded))
        if precision is not None:
            typer.echo(f"  {precision_report.line(precision, 'points')}")


def show_run(result: Any, loaded: LoadedCase, as_json: bool) -> None:
    """Prints the figures of one arm."""
    from scenarios.report import run_report

    if as_json:
        print_json(run_report.as_json(result, loaded))
    else:
        typer.echo(run_report.text(result, loaded))


OutOption = Annotated[
    Path | None,
    typer.Option(help="a folder in which the run is kept (Parquet): a new one, or that of the same run to go on with"),
]
ResumeOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="go on with the run in a folder; a finished one stays as it is")
]


@app.command()
def run(
    context: typer.Context,
    case: Annotated[str | None, typer.Argument(help="a shipped name, a TOML file or a case folder")] = None,
    arm: ArmOption = "production",
    replications: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help=f"futures at the middle values  [default: {REPLICATIONS}]")
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="instead: the decision run, all arms and combinations of causes under so many draws"
        ),
    ] = None,
    seed: SeedOption = 7,
    engine: EngineOption = "compiled",
    threads: ThreadsOption = None,
    scheduler: SchedulerOption = None,
    out: OutOption = None,
    resume: ResumeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one arm at the middle values of all parameters, or with --draws the decision run."""
    means = known_means(engine, threads, as_json, scheduler)
    if resume is not None:
        _resume(resume, means, stated(context, ("case", "arm", "replications", "draws", "seed", "engine", "out")), as_json)
        return
    if case is None:
        raise refused("run", "needs a case", "pilotproof run invoice_processing")
    if draws is not None and replications is not None:
        raise refused("--draws", "cannot be combined with --replications", "name one of them")
    if scheduler is not None and draws is None:
        raise refused("--scheduler", "needs --draws: replications at the middle values run on this machine", "leave it away")
    if out is not None and out.exists() and not (out.is_dir() and ((out / "manifest.json").exists() or not any(out.iterdir()))):
        raise refused("--out", f"{out} exists already", "name a folder that does not exist yet, or that of a run to go on with")
    chosen, loaded = known_arm(arm), load_to_run(case)
    from scenarios.store import SolvedCache
    from scenarios.study import replicate
    from scenarios.study.stored import decide, replicate_into

    with running(loaded):
        if draws is not None:
            show_verdict(decide(loaded, draws, seed, means, out), loaded, as_json)
        elif out is not None:
            show_run(replicate_into(loaded, chosen, replications or REPLICATIONS, seed, means, out), loaded, as_json)
        else:
            cache = SolvedCache(loaded.today, seed, loaded.cache)
            show_run(replicate(loaded.case, chosen, replications or REPLICATIONS, seed, means, cache), loaded, as_json)


def refused(place: str, message: str, remedy: str) -> Any:
    """A CaseError about the command line."""
    from scenarios.problems import CaseError, Problem

    return CaseError("command line", [Problem("E601", place, message, remedy)])


def stated(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of the parameters that the command line states, as they are written there."""
    sources = {name: context.get_parameter_source(name) for name in names}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return ["CASE" if name == "case" else f"--{name}" for name in given]


def _resume(folder: Path, means: Any, others: list[str], as_json: bool) -> None:
    if others:
        raise refused("--resume", f"takes its settings from the folder, so not {', '.join(others)}", "leave them away")
    from scenarios.runs import Store
    from scenarios.study import VerdictStudy
    from scenarios.study.stored import resume, stored_case

    with Store.open(folder) as store:
        loaded = stored_case(folder, store.manifest)
    with running(loaded):
        result = resume(folder, means)
    if result is None:
        if not as_json:
            typer.echo(f"{folder} is finished; pilotproof runs show {folder}")
        return
    show = show_verdict if isinstance(result, VerdictStudy) else show_run
    show(result, loaded, as_json)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="a case")],
    second: Annotated[str, typer.Argument(metavar="B", help="another case, for example one that extends A")],
    arm: ArmOption = "production",
    replications: Annotated[
        int | None, typer.Option(min=2, max=100_000, help=f"futures at the middle values  [default: {PAIRS}]")
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(min=2, max=100_000, help="instead: futures in which the uncertain numbers vary; tells the chance"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS", help='instead: such futures until the 90 % range of B − A (mean days) is this narrow: "0.25 d"'
        ),
    ] = None,
    at_most: AtMostOption = None,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Two cases over the same futures: the chance that the promise is kept, and how every figure differs."""
    from scenarios.problems import CaseError, Problem

    if replications is not None and draws is not None:
        raise CaseError("--draws", [Problem("E601", "", "cannot be combined with --replications", "name one of them")])
    from scenarios.report import compare_report
    from scenarios.report.precision_report import mean_rule

    asked = asked_for(precision, at_most, {"--draws": draws, "--replications": replications})
    rule = mean_rule(asked, at_most) if asked is not None else None
    chosen, a, b = known_arm(arm), load_to_run(first), load_to_run(second)
    show = progress_on(sys.stderr, not as_json)
    with running(a, b):
        result = compare_report.compare(a, b, chosen, replications or PAIRS, seed, show, draws, rule)
    if as_json:
        print_json(compare_report.as_json(result))
    else:
        typer.echo(compare_report.text(result))


@app.command()
def batch(
    plan: Annotated[Path, typer.Argument(help="the plan, a TOML file: cases, values of their parameters, arms, futures")],
    out: Annotated[
        Path | None, typer.Option(help="the table: a new .csv or .parquet file, or a folder that goes on where it stopped")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="with --out: print means, ranges and chances by point as well")
    ] = False,
    engine: EngineOption = "compiled",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Many simulations from a plan: every point of a design, as one table; without --out only its summary."""
    from scenarios.cli.batch_command import run_plan

    run_plan(plan, known_means(engine, threads, as_json), out, summary, as_json)


@app.command()
def trace(
    case: CaseArgument,
    number: Annotated[int, typer.Option("--case", min=0, help="which case: 0 is the first that arrives in the target weeks")] = 0,
    arm: ArmOption = "production",
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """One case from arrival to end: at which step it was, and whether its time was work, waiting, or closed hours."""
    chosen, loaded = known_arm(arm), load(case)
    from scenarios.report import trace_report

    with running(loaded):
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


STOPPED = 130
FAULT_OF_OURS = 70


def main() -> None:
    """Entry point: exit code 2 and one plain message for bad input, quiet ends for Ctrl-C and closed pipes, never a traceback."""
    _prepare_streams()
    try:
        from pilotproof import check_own_packages

        check_own_packages()
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except ImportError as error:
        sys.stderr.write(f"pilotproof: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _failed(error)
    if code == STOPPED:
        clear_progress()
        sys.stderr.write("stopped\n")
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    """A terminal without our letters shows a replacement; a reader that closes the pipe ends the program quietly."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _interrupted(_: int, __: object) -> None:
    STOP.set()
    raise KeyboardInterrupt


def _failed(error: Exception) -> int:
    """Prints what is wrong and returns the exit code. With PILOTPROOF_DEBUG set, a fault of the program is raised as it is."""
    from scenarios.problems import CaseError, Problem

    clear_progress()
    if type(error).__name__ in ("Cancelled", "StoppedError"):
        return STOPPED
    if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(f"{error.format_message()}\n")
            return 2
        error = CaseError("command line", [Problem("E601", "", error.format_message().rstrip("."), "try --help")])
    elif isinstance(error, OSError):
        name = str(error.filename or "output")
        error = CaseError(name, [Problem("E602", "", f"cannot be written or read: {error.strerror or error}")])
    if isinstance(error, CaseError):
        _report(error)
        return 2
    if os.environ.get("PILOTPROOF_DEBUG"):
        raise error
    sys.stderr.write(
        f"pilotproof: this is a fault of the program, not of your file ({type(error).__name__}: {error}).\n"
        "Please report it with the output of the same command with PILOTPROOF_DEBUG=1 set.\n"
    )
    return FAULT_OF_OURS


def _report(error: Any) -> None:
    """All problems of a file: as JSON on standard output with --json, else as text on standard error."""
    if "--json" in sys.argv:
        print_json(error.as_json())
        sys.stdout.flush()
    else:
        sys.stderr.write(error.text() + "\n")


if __name__ == "__main__":
    main()
