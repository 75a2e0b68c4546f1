"""The plan file of a batch: its schema, its cases, and its points, each of which is checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from models.conditions import CAUSES
from models.schema import ARMS, Strict
from scenarios.arms import ArmKey
from scenarios.batch.design import MAX_POINTS, Column, Point, columns_of, flattened, points_of, problems_of_design
from scenarios.files import LoadedCase, changed, load, problems_of, read_toml, unknown_paths
from scenarios.overload import check_today
from scenarios.problems import CaseError, Problem, nearest
from scenarios.study.means import Progress, quiet

SCHEMA_VERSION = 1
MAX_CASES = 100
MAX_LISTED = 100
"""Problems of points that are listed; the rest is only counted."""
OTHER_NAMES = {"today": "as_is", "live": "production"}


def _version(number: int) -> int:
    if number != SCHEMA_VERSION:
        message = "this plan has version {number}; this program reads version {ours}"
        raise PydanticCustomError("version", message, {"number": number, "ours": SCHEMA_VERSION})
    return number


class Plan(Strict):
    """What is to be simulated."""

    schema_version: Annotated[int, AfterValidator(_version)] = Field(description="version of this format: 1")
    case: str | None = Field(None, description="a shipped name, a file beside the plan, or a case folder")
    cases: list[str] | None = Field(None, min_length=1, max_length=MAX_CASES, description="instead: several of them")
    arms: list[str] = Field(
        ["production"], min_length=1, max_length=18, description="worlds: as_is, pilot, production, or causes"
    )
    seed: int = Field(7, ge=0, le=2**63 - 1, description="the same seed gives the same futures, at every point")
    draws: int | None = Field(None, ge=1, le=100_000, description="futures in which the uncertain numbers vary")
    replications: int | None = Field(None, ge=1, le=1_000_000, description="instead: futures at the middle values")
    design: Literal["grid", "lhs", "sobol"] = Field("grid", description="all combinations of lists, or points spread over ranges")
    points: int | None = Field(None, ge=1, le=MAX_POINTS, description="lhs and sobol: how many points")
    design_seed: int = Field(7, ge=0, le=2**63 - 1, description="lhs and sobol: where the points lie")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="parameter path -> list of values, or { low, high, whole }"
    )

    def names(self) -> list[str]:
        """The cases as the plan names them."""
        return list(self.cases or ([self.case] if self.case is not None else []))

    def futures(self) -> int:
        """Futures of each arm of each point."""
        return self.draws or self.replications or 0


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan whose every point can run. `file`: the name it goes by · `cases`: with the names in the plan · `arms`: name -> arm."""

    plan: Plan
    file: str
    cases: tuple[LoadedCase, ...]
    arms: Mapping[str, ArmKey]
    columns: tuple[Column, ...]
    points: tuple[Point, ...]

    def simulations(self) -> int:
        """How many futures of an arm are simulated, without those that today's result takes."""
        return len(self.cases) * len(self.points) * len(self.arms) * self.plan.futures()


def read_plan(source: str | Path | Mapping[str, Any]) -> tuple[Plan, str, Path]:
    """A plan from a TOML file or as plain data, the name it goes by, and the folder its files lie in. Raises CaseError."""
    if isinstance(source, Mapping):
        data, file, folder = dict(source), "plan", Path()
    else:
        data, file, folder = read_toml(Path(source)), str(source), Path(source).parent
    problems: list[Problem] = []
    plan = None
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, data, Plan)
    design, parameters = data.get("design", "grid"), data.get("parameters", {})
    if isinstance(parameters, dict) and design in ("grid", "lhs", "sobol"):
        problems += problems_of_design(design, data.get("points"), flattened(parameters))
    if plan is not None:
        problems += _of_the_whole(plan)
    if plan is None or problems:
        raise CaseError(file, problems)
    return plan, file, folder


def _of_the_whole(plan: Plan) -> Iterator[Problem]:
    if (plan.case is None) == (plan.cases is None):
        yield Problem(
            "E102" if plan.case is None else "E103", "case", "a plan names either case or cases", "write one of the two"
        )
    if (plan.draws is None) == (plan.replications is None):
        message = "a plan has either draws (the uncertain numbers vary) or replications (middle values)"
        yield Problem("E102" if plan.draws is None else "E103", "draws", message, "write one of the two")
    arms = [arm[0] for text in plan.arms if (arm := arm_of(text)) is not None]
    for key, names in (("cases", plan.names()), ("arms", arms)):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem("E105", key, f'"{name}" is named more than once', "name it once")
    for text in plan.arms:
        if arm_of(text) is None:
            known = nearest(text, [*ARMS, *CAUSES])
            yield Problem(
                "E104", "arms", f'no arm "{text}"', f'{known}; causes that are live are joined by +, as in "data+scope"'
            )


def arm_of(text: str) -> tuple[str, ArmKey] | None:
    """An arm as a plan names it: its name in tables, and the arm; None if there is none of that name."""
    name = OTHER_NAMES.get(text, text)
    if name in ARMS:
        return name, name
    causes = text.split("+")
    known = frozenset(c for c in CAUSES if c in causes)
    if len(known) != len(causes):
        return None
    return ("production", "production") if len(known) == len(CAUSES) else ("+".join(sorted(known)), known)


# -- everything that the points need


def prepare(source: str | Path | Mapping[str, Any], progress: Progress = quiet) -> Prepared:
    """Reads a plan and its cases and checks every point. Raises CaseError with all problems; then nothing has run."""
    plan, file, folder = read_plan(source)
    values = flattened(plan.parameters)
    cases, problems = _cases(plan, folder)
    for loaded in cases:
        problems += [_at(p, "parameters.", _of(loaded, cases)) for p in unknown_paths(loaded, values)]
    if problems:
        raise CaseError(file, problems)
    points = points_of(plan.design, plan.points, plan.design_seed, values)
    found = [(point.number, problem) for point, problem in _refused(cases, points, progress)]
    if found:
        raise CaseError(file, list(_grouped(found)))
    arms = dict(arm for text in plan.arms if (arm := arm_of(text)) is not None)
    return Prepared(plan, file, tuple(cases), arms, columns_of(values), points)


def _cases(plan: Plan, folder: Path) -> tuple[list[LoadedCase], list[Problem]]:
    cases, problems = list[LoadedCase](), list[Problem]()
    for name in plan.names():
        try:
            found = load(str(folder / name) if (folder / name).exists() else name)
        except CaseError as error:
            problems += [_at(p, "", name) for p in error.problems]
        else:
            cases.append(LoadedCase(found.case, name, found.hash))
    return cases, problems


def _refused(cases: Sequence[LoadedCase], points: Sequence[Point], progress: Progress) -> Iterator[tuple[Point, Problem]]:
    """What the cases say to every point."""
    done, total = 0, len(cases) * len(points)
    for loaded in cases:
        for point in points:
            try:
                check_today(changed(loaded, point.values))
            except CaseError as error:
                for problem in error.problems:
                    yield point, _at(problem, "", _of(loaded, cases))
            done += 1
            progress("checking the points", done, total)


def _of(loaded: LoadedCase, cases: Sequence[LoadedCase]) -> str:
    """The case's name, if there are several."""
    return loaded.file if len(cases) > 1 else ""


def _at(problem: Problem, before: str, case: str) -> Problem:
    place = f"{before}{problem.place}"
    place = f"{case}: {place}" if case and place else case or place
    return Problem(problem.code, place, problem.message, problem.remedy)


def _grouped(found: Sequence[tuple[int, Problem]]) -> Iterator[Problem]:
    """One problem for all points that have it, naming the first."""
    by_problem: dict[Problem, list[int]] = {}
    for number, problem in found:
        by_problem.setdefault(problem, []).append(number)
    for problem, numbers in list(by_problem.items())[:MAX_LISTED]:
        others = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
        yield Problem(problem.code, f"point {numbers[0]}{others}: {problem.place}", problem.message, problem.remedy)
    if len(by_problem) > MAX_LISTED:
        yield Problem("E103", "", f"{len(by_problem) - MAX_LISTED} more problems are not listed")
