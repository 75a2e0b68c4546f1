"""The top level of a case file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from models.posterior import PosteriorDraws
from models.schema.ai_steps import Ai, Discovery, Review
from models.schema.desks import Approval, Desk
from models.schema.promise import Baseline, MoneySpec, RunSpec, Target
from models.schema.steps import Again, Choice, Collect, EndStep, Flag, GateStep, JoinStep, Parallel, SystemCall, Wait, Work
from models.schema.what_if import WhatIf
from models.schema.world import ArrivalsSpec, CalendarSpec, CaseType, System, Team
from models.values import Day, Name, Strict

SCHEMA_VERSION = 1


def _monday(day: date) -> date:
    if day.weekday() != 0:
        near = day - timedelta(days=day.weekday())
        message = "is a {day}; weeks are counted from a Monday such as {near}"
        raise PydanticCustomError("monday", message, {"day": day.strftime("%A"), "near": near.isoformat()})
    return day


def _version(number: int) -> int:
    if number != SCHEMA_VERSION:
        message = "this file has version {number}; this program reads version {ours}"
        raise PydanticCustomError("version", message, {"number": number, "ours": SCHEMA_VERSION})
    return number


Step = Annotated[
    Work
    | Wait
    | Choice
    | Flag
    | Ai
    | Review
    | Desk
    | Approval
    | SystemCall
    | GateStep
    | Collect
    | Parallel
    | JoinStep
    | Discovery
    | Again
    | EndStep,
    Field(discriminator="kind"),
]


class GoLiveOption(Strict):
    """A way to go live that is compared with the plan: the same case with some values changed."""

    title: str = Field(description="what it is called on screen")
    changes: dict[str, Any] = Field(
        min_length=1, max_length=100, description='parameter path -> new value, as in `"steps.review.catch"`'
    )


class CaseFile(Strict):
    """One case: the process, what is known about it, and the promise."""

    schema_version: Annotated[int, AfterValidator(_version)] = Field(description="version of this format: 1")
    name: Name = Field(description="name of the case in outputs")
    title: str = Field(description="heading on screen")
    description: str = Field("", description="what it is about, in a sentence or two")
    extends: str | None = Field(None, description="a scenario or file whose differences this file holds")
    case_word: str = Field("case", description="what one case is called on screen")
    cases_word: str = Field("cases", description="what several are called")
    go_live: Annotated[Day, AfterValidator(_monday)] = Field(description="a Monday, without quotes: 2027-01-04")
    target: Target
    baseline: Baseline | None = Field(None, description="today's observed result")
    run: RunSpec = Field(default_factory=lambda: RunSpec.model_validate({}))
    sources: dict[str, str] = Field(default_factory=dict, description="key -> full citation, for `cite`")
    money: MoneySpec = Field(default_factory=lambda: MoneySpec.model_validate({}))
    calendars: dict[Name, CalendarSpec] = Field(max_length=100, description="working hours, look times, runs, refreshes")
    types: dict[Name, CaseType] = Field(min_length=1, max_length=100)
    arrivals: ArrivalsSpec
    teams: dict[Name, Team] = Field(default_factory=dict, max_length=100)
    systems: dict[Name, System] = Field(default_factory=dict, max_length=100)
    options: dict[Name, GoLiveOption] = Field(default_factory=dict, max_length=10, description="other ways to go live")
    what_if: WhatIf | None = Field(None, description="changes of the time after go-live that are tried out")
    steps: list[Step] = Field(min_length=1, max_length=300, description="the process; cases start at the first one")

    _posterior: PosteriorDraws | None = PrivateAttr(None)

    @property
    def posterior(self) -> PosteriorDraws | None:
        """What evidence taught about the parameters; not part of the file, but of what a simulation draws from."""
        return self._posterior

    def with_posterior(self, posterior: PosteriorDraws | None) -> CaseFile:
        """The same case with what evidence taught."""
        copy = self.model_copy()
        copy._posterior = posterior
        return copy
