"""The world around the steps: cases that come, calendars, teams, connected systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.laws import Time
from models.values import Day, Headcount, Money, NotNegative, Positive, Share, Strict

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class CalendarSpec(Strict):
    """Weekly hours, without public holidays of a country."""

    days: list[Weekday] = Field(default=["mon", "tue", "wed", "thu", "fri"], min_length=1, max_length=7, description="open days")
    hours: list[str] = Field(
        default=["09:00-17:00"], min_length=1, max_length=96, description='windows of a day, for example "09:00-12:30"'
    )
    holidays: str = Field("", max_length=60, description='country code, with a subdivision after a dash: "NL", "DE-BY"')
    closed: list[Day] = Field(default_factory=list, max_length=5_000, description="further closed dates")


class AbsenceSpec(Strict):
    """Absences of one person: time present between two, and length."""

    every: Time = Field(description="time present between two absences, in calendar time")
    length: Time


class HeadcountChange(Strict):
    """From a week after go-live on, the team has another size."""

    from_week: NotNegative
    headcount: Headcount


class Team(Strict):
    """A pool of people. `shifts` add further groups on other calendars."""

    headcount: Headcount
    calendar: str = Field(description="working hours")
    change: HeadcountChange | None = Field(None, description="planned release or build-up after go-live")
    shifts: list[TeamShift] = Field(default_factory=list, max_length=20)
    absence: AbsenceSpec | None = None
    cost_per_hour: Money | None = None
    label: str = Field("", description="name on screen")


class TeamShift(Strict):
    """A further group of a team with other working hours."""

    headcount: Headcount
    calendar: str


Team.model_rebuild()


class OutageSpec(Strict):
    """Outages: time between two, and how long a repair takes."""

    every: Time
    repair: Time


class System(Strict):
    """An external system called by steps of kind `system`."""

    concurrency: int = Field(0, ge=0, le=100_000, description="calls at a time, 0 = no limit")
    calls_per_minute: Positive | None = Field(
        None, description="rate limit; calls start 60 / it seconds apart, rounded to whole seconds, so more than 120 is no limit"
    )
    outage: OutageSpec | None = None
    downtime: str | None = Field(None, description="calendar of planned downtime")
    label: str = Field("", description="name on screen")


class CaseType(Strict):
    """One type of case; the shares of all types add up to 1."""

    share: Share
    piloted: bool = Field(True, description="whether the pilot had cases of this type")
    priority: int = Field(0, ge=-1_000, le=1_000, description="smaller numbers go first")
    label: str = Field("", description="name on screen")


class ArrivalsSpec(Strict):
    """How many cases come, and when."""

    needs: ClassVar[Mapping[str, str]] = {"month_end_factor": "month_end_days"}

    per_month: Positive | None = Field(None, description="cases a month (a year has twelve equal ones)")
    per_working_day: Positive | None = Field(None, description="cases a day on which the calendar is open")
    calendar: str = Field(description="days and hours at which cases come")
    weekday: dict[Weekday, Annotated[float, Field(ge=0, le=1_000)]] = Field(
        default_factory=dict, description="relative weights of weekdays (left out = 1)"
    )
    month_end_days: int = Field(0, ge=0, le=10, description="last working days of a month that bring more (or fewer) cases")
    month_end_factor: float = Field(1.0, gt=0, le=1_000, description="how many times as many")
    day_cv: NotNegative = Field(
        default_factory=lambda: NotNegative.model_validate(0.0), description="cv of the daily rate beyond Poisson"
    )
    clusters: int = Field(1, ge=1, le=100_000, description="number of suppliers or templates")
    cluster_exponent: float = Field(1.0, ge=0, le=10, description="cluster k is k^-exponent as frequent as the first")

    @model_validator(mode="after")
    def _one_rate(self) -> ArrivalsSpec:
        if (self.per_month is None) == (self.per_working_day is None):
            raise PydanticCustomError("form", "give either per_month or per_working_day")
        return self
