"""The case file: what a scenario may say, checked strictly. `pilotproof scenario schema` prints it as JSON Schema.

Numbers and distributions: `models.values`, `models.laws`; their names belong to the schema too. Meaning of the steps:
docs/scenario-reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from models import units
from models.laws import Constant, Empirical, Exponential, Gamma, Law, Lognormal, Mixture, Time, Triangular, Uniform, Weibull
from models.values import (
    ARMS,
    Accuracy,
    Arm,
    Belief,
    Cause,
    Day,
    Duration,
    Headcount,
    Logit,
    Money,
    Name,
    NotNegative,
    Number,
    Pair,
    Parameter,
    Positive,
    PositiveDuration,
    Quantity,
    Share,
    ShareByType,
    SourceClass,
    Span,
    Strict,
    unit_problem,
)

__all__ = [
    "ARMS",
    "Accuracy",
    "Arm",
    "Belief",
    "Cause",
    "Constant",
    "Duration",
    "Empirical",
    "Exponential",
    "Gamma",
    "Headcount",
    "Law",
    "Logit",
    "Lognormal",
    "Mixture",
    "Money",
    "NotNegative",
    "Number",
    "Parameter",
    "Positive",
    "PositiveDuration",
    "Quantity",
    "Share",
    "ShareByType",
    "SourceClass",
    "Strict",
    "Time",
    "Triangular",
    "Uniform",
    "Weibull",
]  # fmt: skip
"""Names of `models.values` and `models.laws` that belong to the schema; its own names are public anyway."""
SCHEMA_VERSION = 1
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


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


# -- the world around the steps


_Week = Annotated[int, Field(ge=1, le=260)]


def _in_order(weeks: tuple[int, int]) -> tuple[int, int]:
    if weeks[0] > weeks[1]:
        raise PydanticCustomError("order", "must be [first, last] with first <= last")
    return weeks


class Target(Strict):
    """The promise that is tested."""

    outcome: Literal["cycle_time"] = "cycle_time"
    statistic: Literal["mean", "median", "p90", "share_within"] = Field("mean", description="p90: 9 of 10 cases are faster")
    direction: Literal["at_most", "at_least"] = Field("at_most", description="at_least for share_within, at_most for the others")
    level: Quantity = Field(description='the promised time, for example "7 d"; for share_within the promised share')
    within: Span | None = Field(None, description="for share_within: the duration within which cases must end")
    weeks: Annotated[tuple[_Week, _Week], Pair, AfterValidator(_in_order)] = Field(
        (13, 26), description="first and last week after go-live, by arrival"
    )

    @field_validator("level")
    @classmethod
    def _level_of_its_kind(cls, level: float | str, info: ValidationInfo) -> float | str:
        parse = units.share if info.data.get("statistic") == "share_within" else units.seconds
        try:
            amount = parse(level)
        except units.UnitError as error:
            raise unit_problem(error) from error
        if amount <= 0:
            raise PydanticCustomError("range", "must be above 0")
        return level

    @model_validator(mode="after")
    def _fits(self) -> Target:
        if (self.statistic == "share_within") != (self.within is not None):
            raise PydanticCustomError("form", "share_within needs `within`, the other statistics do not")
        needed = "at_least" if self.statistic == "share_within" else "at_most"
        if self.direction != needed:
            raise PydanticCustomError(
                "form", 'a promise of {what} needs direction = "{needed}"', {"what": self.statistic, "needed": needed}
            )
        return self

    def level_in_base_units(self) -> float:
        return units.share(self.level) if self.statistic == "share_within" else units.seconds(self.level)


class Baseline(Strict):
    """Today's observed result, which every draw must reproduce."""

    statistic: Literal["mean"] = "mean"
    observed: PositiveDuration = Field(description="the observed mean: one value; how sure it is, standard_error says")
    standard_error: Span = Field(description='sampling error of the observed mean, for example "0.3 d"')
    tolerance: Span = Field("0.25 d", description="largest accepted distance between simulated and observed")
    spread_cv: float = Field(1.0, gt=0, le=10, description="coefficient of variation of the unlocated days of a visit")
    places: dict[str, Place] = Field(default_factory=dict, max_length=20, description="steps where unlocated days may lie")

    @model_validator(mode="after")
    def _one_value(self) -> Baseline:
        if self.observed.value is None:
            raise PydanticCustomError("form", "today's observed result is one value; standard_error says how sure it is")
        return self


class Place(Strict):
    """One step that may hold days nobody has located; `weight` is its Dirichlet weight (expected share = weight / sum)."""

    weight: float = Field(gt=0, le=1_000)
    at_most: Span | None = Field(None, description="largest mean a case may spend in this step's waits, all included")
    export: str = Field("", description="the two dates that would locate these days")


Baseline.model_rebuild()


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
    calls_per_minute: Positive | None = Field(None, description="rate limit")
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


class MoneySpec(Strict):
    """What things cost."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(
        "USD", description="three capital letters; all amounts are in it"
    )
    cost_per_case_today: Money | None = Field(None, description="all-in cost of a case today")
    ai_cost_per_case: Money | None = Field(None, description="fee of a case that the AI gets")
    cost_of_error_never_found: Money | None = Field(None, description="what a wrong output costs that nobody notices")

    @model_validator(mode="after")
    def _one_cost_of_today(self) -> MoneySpec:
        if self.cost_per_case_today is not None and self.cost_per_case_today.cause is not None:
            raise PydanticCustomError("form", "today's cost of a case is one value; it does not differ by arm")
        return self


class RunSpec(Strict):
    """How long is simulated around the target weeks."""

    warm_up_weeks: int = Field(6, ge=1, le=104, description="weeks before, until the process is filled; not counted")
    run_out_weeks: int = Field(6, ge=1, le=104, description="weeks after, for the cases of the last target week to end")


# -- steps


class StepBase(Strict):
    goes_on: ClassVar[bool] = True
    """Whether cases can go on to `next`."""

    id: Name
    label: str = Field("", description="name on screen")
    next: str | None = Field(None, description="the following step; if left out, the next in the list")

    @model_validator(mode="after")
    def _next_is_used(self) -> StepBase:
        if self.next is not None and not self.leads_on():
            raise PydanticCustomError("form", '"next" has no effect: the step itself says where cases go')
        return self

    def leads_on(self) -> bool:
        """Whether cases can go on to the following step."""
        return self.goes_on


class Learning(Strict):
    """Service times after go-live: `start` times as long, the surplus halving every `half_life_weeks`."""

    start: Positive
    half_life_weeks: Positive


class Work(StepBase):
    """People work on the case."""

    kind: Literal["work"]
    team: str
    service: Time
    factor: NotNegative = Field(
        default_factory=lambda: NotNegative.model_validate(1.0), description="multiplies the service time; may differ by arm"
    )
    learning: Learning | None = Field(None, description="slower at first after go-live")


class Reminder(Strict):
    """A reminder: what is left of the wait after `after` is multiplied by `multiplier`."""

    after: Duration
    multiplier: Share


class Wait(StepBase):
    """The case waits: for somebody outside, in an inbox, for a process step that is not modelled in detail."""

    needs: ClassVar[Mapping[str, str]] = {"limit": "on_limit", "on_limit": "limit"}

    kind: Literal["wait"]
    time: Time
    on: Literal["outside", "inbox", "approval", "integration", "step"] = Field("outside", description="what it is booked as")
    clock: str | None = Field(None, description="a calendar; if left out, elapsed time")
    factor: NotNegative = Field(
        default_factory=lambda: NotNegative.model_validate(1.0), description="multiplies the time; may differ by arm"
    )
    remind: Reminder | None = None
    limit: Duration | None = Field(None, description="longest wait")
    on_limit: str | None = Field(None, description="where the case goes when the limit is reached")


class Option(Strict):
    """One way a case can go."""

    to: str
    share: ShareByType | None = Field(None, description="left out for the last option (the remainder)")


class Choice(StepBase):
    """Sends cases one of several ways, by share (by type), only if flags are set, or by the number of the visit."""

    needs: ClassVar[Mapping[str, str]] = {"otherwise": "when"}

    kind: Literal["choice"]
    options: list[Option] = Field(min_length=1, max_length=50)
    when: list[str] = Field(
        default_factory=list, max_length=20, description="flags that must be set (a leading ! = not set) for the options to apply"
    )
    otherwise: str | None = Field(None, description="where all other cases go; if left out, to the following step")

    def leads_on(self) -> bool:
        return bool(self.when) and self.otherwise is None


class Flag(StepBase):
    """Sets or clears a flag on the case, with a probability (by type)."""

    kind: Literal["flag"]
    flag: Name
    chance: ShareByType
    clear: bool = Field(False, description="clear it instead of setting it")
    when: list[str] = Field(
        default_factory=list, max_length=20, description="only if these flags are set (a leading ! = not set)"
    )


class Adoption(Strict):
    """Share of the routed cases that really go to the AI: from `start` in week 1 on a logistic curve to 1 after `weeks`."""

    start: Share
    weeks: Positive


class Quality(Strict):
    """A defect of the data of a case: how often (more on days of high volume) and what it does to accuracy (logit)."""

    share: ShareByType
    volume_slope: Logit = Field(
        default_factory=lambda: Logit.model_validate(0.0), description="logit gained with the day's volume"
    )
    effect: Logit = Field(description="shift of the logit of accuracy when the case has it")


class Drift(Strict):
    """Accuracy falls by `logit_drop` on a logistic curve around `midpoint_week`."""

    logit_drop: Logit
    midpoint_week: Number
    scale_weeks: Positive


class Ai(StepBase):
    """The AI step: which cases it gets, how often it is right, what it accepts without review, what it refers."""

    goes_on: ClassVar[bool] = False
    needs: ClassVar[Mapping[str, str]] = {
        "timeout": "system",
        "attempts": "system",
        "back_off": "system",
        "unavailable": "system",
    }

    kind: Literal["ai"]
    routed: ShareByType = Field(description="share of each type's cases that go to the AI at full adoption")
    manual: str = Field(description="where all other cases go")
    accepted: str = Field(description="where outputs go that are accepted without review")
    referred: str = Field(description="where all other outputs go")
    adoption: Adoption | None = Field(None, description="ramp after go-live (cause organisation)")
    accuracy: Accuracy = Field(description="pilot accuracy")
    measured: Literal["per_case", "per_field"] = Field("per_case", description="what the accuracy counts")
    fields: int = Field(1, ge=1, le=10_000, description="fields that must all be right (per_field)")
    type_effect: dict[str, Logit] = Field(
        default_factory=dict, description="logit difference of a type from the pilot's accuracy"
    )
    shift: Logit = Field(description="logit shift from pilot to production (cause data)")
    scope_penalty: Logit = Field(description="logit shift of types never piloted")
    quality: dict[Name, Quality] = Field(default_factory=dict, max_length=6, description="defects of the data")
    drift: Drift | None = Field(None, description="loss of accuracy over the weeks (cause data)")
    cluster_correlation: Share = Field(
        default_factory=lambda: Share.model_validate(0.0), description="correlation of errors within a cluster"
    )
    coverage: Share = Field(description="share of the pilot's outputs accepted without review")
    accepted_error: Share = Field(description="share of all the pilot's outputs that were accepted and wrong")
    time: Time | None = Field(None, description="processing time of the AI itself (the latency of a call, with `system`)")
    system: str | None = Field(None, description="the connected system that is called")
    timeout: PositiveDuration | None = Field(None, description="a call that takes longer has failed")
    attempts: int = Field(3, ge=1, le=20, description="calls before it is given up")
    back_off: Duration = Field(
        default_factory=lambda: Duration.model_validate("1 min"), description="wait after a failed call; doubles each time"
    )
    unavailable: str | None = Field(None, description="where a case goes when all calls failed; if left out, to `manual`")

    @model_validator(mode="after")
    def _call_is_whole(self) -> Ai:
        if self.system is not None and (self.time is None or self.timeout is None):
            raise PydanticCustomError("needs", "a call to a system needs time and timeout")
        if self.fields > 1 and self.measured == "per_case":
            raise PydanticCustomError("form", 'fields counts only with measured = "per_field"')
        return self


class Review(StepBase):
    """A person checks an AI output: catches a wrong one with a probability that falls with load and with trust in the AI."""

    kind: Literal["review"]
    of: str = Field(description="the AI step")
    team: str
    service: Time
    learning: Learning | None = Field(None, description="slower at first after go-live")
    catch: Share = Field(description="share of wrong outputs that the reviewer notices")
    load_slope: Logit = Field(
        default_factory=lambda: Logit.model_validate(0.0), description="logit lost per waiting case a rostered head"
    )
    over_reliance: Logit = Field(
        default_factory=lambda: Logit.model_validate(0.0), description="logit lost per logit of accuracy above the pilot's"
    )
    caught: str | None = Field(None, description="where a caught error goes; if left out, on to the next step, corrected")


class Outside(Strict):
    """Some cases wait for an answer from outside (supplier, customer)."""

    share: Share
    time: Time


class DeskLevel(Strict):
    """One level of an exception desk; the last one resolves whatever reaches it."""

    team: str
    service: Time
    resolves: Share = Field(description="share that this level can resolve; 1 at the last level")
    support: Support | None = None
    limit: Duration | None = Field(None, description="waits longer than this escalate")
    outside: Outside | None = None


class Support(Strict):
    """Extra help: adds `bonus` to the logit of resolving until the end of `until_week`."""

    bonus: Logit
    until_week: NotNegative


DeskLevel.model_rebuild()


class Desk(StepBase):
    """An exception desk of several levels: escalation by inability and by time-out, questions to the outside."""

    kind: Literal["desk"]
    levels: list[DeskLevel] = Field(min_length=1, max_length=5)

    @model_validator(mode="after")
    def _last_level_resolves(self) -> Desk:
        last = self.levels[-1]
        if (
            last.limit is not None
            or last.support is not None
            or last.resolves.value is None
            or last.resolves.uncertain().median != 1
        ):
            raise PydanticCustomError(
                "form", "the last level resolves all that reaches it: resolves = 1, without limit or support"
            )
        return self


class ApprovalLevel(Strict):
    """One approver's turn."""

    needs: ClassVar[Mapping[str, str]] = {
        "people": "absence",
        "absence": "looks",
        "on_limit": "limit",
        "delegations": "limit",
        "limit_share": "limit",
    }

    needed: ShareByType = Field(description="share of cases that need this level")
    response: Time = Field(description="from the request to the approver's decision")
    clock: str | None = Field(None, description="a calendar; if left out, elapsed time")
    looks: str | None = Field(None, description="calendar of the times at which approvers look")
    people: int = Field(1, ge=1, le=1_000, description="approvers of this level, each with their own absences")
    absence: AbsenceSpec | None = None
    remind: Reminder | None = None
    limit: Duration | None = Field(None, description="longest wait")
    on_limit: Literal["approve", "delegate", "escalate"] = Field("delegate", description="what happens at the limit")
    delegations: int = Field(1, ge=1, le=5, description="how often it can be passed on")
    limit_share: ShareByType = Field(
        default_factory=lambda: ShareByType.model_validate(1.0), description="share of visits on which the limit applies"
    )
    rejects: ShareByType = Field(default_factory=lambda: ShareByType.model_validate(0.0), description="share that is rejected")


class Approval(StepBase):
    """Approvals one after the other; a rejection goes to `rejected`."""

    kind: Literal["approval"]
    levels: list[ApprovalLevel] = Field(min_length=1, max_length=6)
    rejected: str | None = Field(None, description="where rejected cases go")

    @model_validator(mode="after")
    def _rejections_lead_somewhere(self) -> Approval:
        nobody = ShareByType.model_validate(0.0)
        if self.rejected is None and any(level.rejects != nobody for level in self.levels):
            raise PydanticCustomError("needs", '"rejects" of a level needs "rejected" beside the levels')
        return self


class Staleness(Strict):
    """Data from a feed that is refreshed at the openings of a calendar become wrong at a rate."""

    feed: str = Field(description="calendar; each opening refreshes the data")
    wrong_per_hour: NotNegative
    spoils: str = Field(description="the AI step whose output becomes wrong")


class SystemCall(StepBase):
    """A call to a connected system with time-out and retries."""

    kind: Literal["system"]
    system: str
    latency: Time
    timeout: PositiveDuration = Field(description="a call that takes longer has failed")
    attempts: int = Field(1, ge=1, le=20, description="calls before it is given up")
    transient: Share = Field(
        default_factory=lambda: Share.model_validate(0.0), description="share of calls that fail and may succeed when repeated"
    )
    permanent: ShareByType = Field(
        default_factory=lambda: ShareByType.model_validate(0.0), description="share of cases whose calls always fail"
    )
    back_off: Duration = Field(
        default_factory=lambda: Duration.model_validate("0 s"), description="wait after the first failed call"
    )
    multiplier: float = Field(2.0, ge=1, le=100, description="each further wait is this many times as long")
    failed: str = Field(description="where a case goes when all attempts failed")
    stale: Staleness | None = None


class GateStep(StepBase):
    """Waits for the next opening of a calendar (a payment run, a posting run)."""

    kind: Literal["gate"]
    calendar: str
    lead: Duration = Field(
        default_factory=lambda: Duration.model_validate("0 s"), description="time a case must be there before the opening"
    )


class Collect(StepBase):
    """Gathers cases until `size` are there or the oldest has waited `max_wait`."""

    kind: Literal["collect"]
    size: Positive
    max_wait: Duration


class Parallel(StepBase):
    """Several branches at the same time; each branch leads to the join."""

    goes_on: ClassVar[bool] = False

    kind: Literal["parallel"]
    branches: list[str] = Field(min_length=2, max_length=15, description="the first step of each branch")
    join: str = Field(description="the step of kind join where they meet")


class JoinStep(StepBase):
    """Where parallel branches meet."""

    kind: Literal["join"]


class Discovery(StepBase):
    """An error that the AI step left in the case comes to light here with a probability; the case then goes to `to`."""

    kind: Literal["discovery"]
    of: str = Field(description="the AI step")
    chance: Share
    to: str = Field(description="where a case goes whose error was found")


class Again(StepBase):
    """Back to an earlier step, at most `limit` times; after that to `otherwise`."""

    goes_on: ClassVar[bool] = False

    kind: Literal["again"]
    to: str
    limit: int = Field(ge=0, le=100, description="how often a case can go back")
    otherwise: str


class EndStep(StepBase):
    """The case is done."""

    goes_on: ClassVar[bool] = False

    kind: Literal["end"]
    result: str = Field("done", description="what became of the case")


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
    steps: list[Step] = Field(min_length=1, max_length=300, description="the process; cases start at the first one")
