"""The case file: what a scenario may say, checked strictly. `pilotproof scenario schema` prints it as JSON Schema.

Every number can be a plain value or a `Parameter` that says how sure one is and where it comes from. A plain value without a
source counts as a guess. Durations, shares and amounts carry units (`models.units`). Meaning of the steps: docs/scenario-reference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from models import units
from models.elicitation import ElicitationError
from models.uncertainty import Uncertain, belief_of

SCHEMA_VERSION = 1
SourceClass = Literal["measured", "elicited", "benchmark", "guess"]
Cause = Literal["data", "scope", "integration", "organisation"]
Arm = Literal["as_is", "pilot", "production"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Quantity = float | str


class Strict(BaseModel):
    """Frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Belief(Strict):
    """One value, or what is known about it: exactly one of the forms value · low/likely/high · right/tried · mean/sd."""

    dimension: ClassVar[str] = "number"

    value: Quantity | None = Field(None, description="a fixed value")
    low: Quantity | None = Field(None, description="elicited: low")
    likely: Quantity | None = Field(None, description="elicited: most likely (for an accuracy: the median)")
    high: Quantity | None = Field(None, description="elicited: high")
    mass: float = Field(0.9, description="probability between low and high; 1 means absolute limits (PERT)")
    right: int | None = Field(None, ge=0, description="counted: successes (Jeffreys Beta)")
    tried: int | None = Field(None, ge=1, description="counted: trials")
    effective: float = Field(1.0, gt=0, le=1, description="counted: effective share of the trials (1 / design effect)")
    mean: Quantity | None = Field(None, description="normal: mean")
    sd: Quantity | None = Field(None, description="normal: standard deviation")

    @model_validator(mode="before")
    @classmethod
    def _plain_value(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, str | int | float) and not isinstance(data, bool) else data

    @model_validator(mode="after")
    def _has_one_form(self) -> Belief:
        if self._needs_value():
            self.uncertain()
        return self

    def _needs_value(self) -> bool:
        return True

    def uncertain(self) -> Uncertain:
        """Its quantile function in base units. Raises a validation error that names what is wrong."""
        try:
            return belief_of(self.dimension, self.model_dump(include=set(Belief.model_fields)))
        except units.UnitError as error:
            raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from error
        except ElicitationError as error:
            raise PydanticCustomError("belief", "{message}", {"message": str(error)}) from error


class Parameter(Belief):
    """A belief with its source; or one per arm (`as_is`, `pilot`, `production`) and the `cause` that switches between them."""

    source: SourceClass = Field("guess", description="where it comes from")
    grade: Literal["A", "B", "C", "U"] | None = Field(None, description="grade of a benchmark's source")
    cite: str = Field("", description="citation")
    owner: str = Field("", description="who answers for it")
    note: str = ""
    inherited: str = Field("", description="the scenario this value was copied from; it then counts as a guess")
    as_is: Belief | None = Field(None, description="today; if left out, as in production")
    pilot: Belief | None = Field(None, description="as in the pilot")
    production: Belief | None = Field(None, description="live")
    cause: Cause | None = Field(None, description="which of the causes moves it from its pilot to its production value")

    @model_validator(mode="before")
    @classmethod
    def _same_dimension(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            beliefs = {arm: data[arm] for arm in ("as_is", "pilot", "production") if arm in data}
            return {**data, **{arm: _BELIEFS[cls.dimension].model_validate(b) for arm, b in beliefs.items()}}
        return data

    def _needs_value(self) -> bool:
        if self.pilot is None and self.production is None and self.as_is is None:
            if self.cause is not None:
                raise PydanticCustomError("arms", "a cause needs the values pilot and production")
            return True
        if self.pilot is None or self.production is None or self.cause is None:
            raise PydanticCustomError("arms", "a value that differs by arm needs pilot, production and cause")
        if any(getattr(self, form) is not None for form in ("value", "low", "right", "mean")):
            raise PydanticCustomError("arms", "give either one value or one per arm, not both")
        return False

    def in_arm(self, arm: Arm) -> Belief:
        """The belief that holds in an arm."""
        if self.pilot is None:
            return self
        found = {"as_is": self.as_is, "pilot": self.pilot, "production": self.production}[arm] or self.production
        assert found is not None
        return found


class _DurationBelief(Belief):
    dimension: ClassVar[str] = "duration"


class _ShareBelief(Belief):
    dimension: ClassVar[str] = "share"


class _AccuracyBelief(Belief):
    dimension: ClassVar[str] = "accuracy"


class _MoneyBelief(Belief):
    dimension: ClassVar[str] = "money"


_BELIEFS: dict[str, type[Belief]] = {
    "number": Belief,
    "duration": _DurationBelief,
    "share": _ShareBelief,
    "accuracy": _AccuracyBelief,
    "money": _MoneyBelief,
}


class Number(Parameter):
    """A plain number."""


class Duration(Parameter):
    """A length of time with its unit."""

    dimension: ClassVar[str] = "duration"


class Share(Parameter):
    """A share or probability, 0 to 1 or in per cent."""

    dimension: ClassVar[str] = "share"


class Accuracy(Parameter):
    """A share elicited on the logit scale (likely = median)."""

    dimension: ClassVar[str] = "accuracy"


class Money(Parameter):
    """An amount in the case's currency."""

    dimension: ClassVar[str] = "money"


class ShareByType(Strict):
    """One share for all case types, or one each."""

    all: Share | None = None
    types: dict[str, Share] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and set(data) <= {"all", "types"} and data:
            return data
        if isinstance(data, Mapping) and not set(data) & set(Share.model_fields):
            return {"types": dict(data)}
        return {"all": data}


# -- distributions of durations


class Constant(Strict):
    kind: Literal["constant"]
    value: Duration


class Exponential(Strict):
    kind: Literal["exponential"]
    mean: Duration


class Lognormal(Strict):
    """By median and p90, or by mean and cv."""

    kind: Literal["lognormal"]
    median: Duration | None = None
    p90: Duration | None = None
    mean: Duration | None = None
    cv: Number | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Lognormal:
        by_quantiles, by_mean = (self.median, self.p90), (self.mean, self.cv)
        if (None in by_quantiles) == (None in by_mean) or (None in by_quantiles and any(by_quantiles)):
            raise PydanticCustomError("form", "a lognormal needs either median and p90, or mean and cv")
        return self


class Gamma(Strict):
    kind: Literal["gamma"]
    mean: Duration
    cv: Number


class Weibull(Strict):
    kind: Literal["weibull"]
    scale: Duration
    shape: Number


class Uniform(Strict):
    kind: Literal["uniform"]
    low: Duration
    high: Duration


class Triangular(Strict):
    kind: Literal["triangular", "pert"]
    low: Duration
    likely: Duration
    high: Duration


class Empirical(Strict):
    """Quantiles of observed durations: [[probability, duration], …] from 0 to 1; `scale` carries their sampling error."""

    kind: Literal["empirical"]
    quantiles: list[tuple[float, Quantity]] = Field(min_length=2)
    source: SourceClass = "guess"
    cite: str = ""
    owner: str = ""
    inherited: str = ""
    scale: Number = Field(default_factory=lambda: Number.model_validate(1.0))

    @model_validator(mode="after")
    def _rising(self) -> Empirical:
        probabilities = [p for p, _ in self.quantiles]
        try:
            values = [units.seconds(v) for _, v in self.quantiles]
        except units.UnitError as error:
            raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from error
        if probabilities != sorted(probabilities) or probabilities[0] != 0 or probabilities[-1] != 1:
            raise PydanticCustomError("order", "probabilities must rise from 0 to 1")
        if values != sorted(values):
            raise PydanticCustomError("order", "durations must not fall as the probability rises")
        return self


class Mixture(Strict):
    kind: Literal["mixture"]
    weights: list[float]
    parts: list[Annotated[_Simple, Field(discriminator="kind")]]

    @model_validator(mode="after")
    def _adds_up(self) -> Mixture:
        if len(self.weights) != len(self.parts) or any(w < 0 for w in self.weights):
            raise PydanticCustomError("sum", "a mixture needs one weight (not negative) per part")
        if abs(sum(self.weights) - 1) > 1e-6:
            raise PydanticCustomError("sum", "weights add up to {total}, must be 1", {"total": round(sum(self.weights), 6)})
        return self


_Simple = Constant | Exponential | Lognormal | Gamma | Weibull | Uniform | Triangular | Empirical
Law = Annotated[_Simple | Mixture, Field(discriminator="kind")]
Mixture.model_rebuild()


class Time(Strict):
    """A distribution of durations; a plain `"6 min"` is a constant."""

    law: Law

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "law" in data:
            return data
        if isinstance(data, Mapping) and "kind" in data:
            return {"law": data}
        return {"law": {"kind": "constant", "value": data}}


# -- the world around the steps


class Target(Strict):
    """The promise that is tested."""

    outcome: Literal["cycle_time"] = "cycle_time"
    statistic: Literal["mean", "median", "p90", "share_within"] = "mean"
    direction: Literal["at_most", "at_least"] = "at_most"
    level: Quantity
    within: str | None = Field(None, description="for share_within: the duration within which cases must end")
    weeks: tuple[int, int] = Field((13, 26), description="first and last week after go-live, by arrival")

    @model_validator(mode="after")
    def _fits(self) -> Target:
        if not 1 <= self.weeks[0] <= self.weeks[1]:
            raise PydanticCustomError("order", "weeks must be [first, last] with 1 <= first <= last")
        if (self.statistic == "share_within") != (self.within is not None):
            raise PydanticCustomError("form", "share_within needs `within`, the other statistics do not")
        try:
            self.level_in_base_units()
            if self.within is not None:
                units.seconds(self.within)
        except units.UnitError as error:
            raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from error
        return self

    def level_in_base_units(self) -> float:
        return units.share(self.level) if self.statistic == "share_within" else units.seconds(self.level)


class Baseline(Strict):
    """Today's observed result, which every draw must reproduce."""

    statistic: Literal["mean"] = "mean"
    observed: Duration
    standard_error: str = Field(description='sampling error of the observed mean, for example "0.3 d"')
    tolerance: str = Field("0.25 d", description="largest accepted distance between simulated and observed")
    spread_cv: float = Field(1.0, gt=0, description="coefficient of variation of the unlocated days of a visit")
    places: dict[str, Place] = Field(default_factory=dict, description="steps where unlocated days may lie")


class Place(Strict):
    """One step that may hold days nobody has located; `weight` is its Dirichlet weight (expected share = weight / sum)."""

    weight: float = Field(gt=0)
    at_most: str | None = Field(None, description="largest mean a case may spend in this step's waits, all included")
    export: str = Field("", description="the two dates that would locate these days")


Baseline.model_rebuild()


class CalendarSpec(Strict):
    """Weekly hours, without public holidays of a country."""

    days: list[Weekday] = Field(default=["mon", "tue", "wed", "thu", "fri"])
    hours: list[str] = Field(default=["09:00-17:00"], description='windows of a day, for example "09:00-12:30"')
    holidays: str = Field("", description='country code, with a subdivision after a dash: "NL", "DE-BY"')
    closed: list[date] = Field(default_factory=list)


class AbsenceSpec(Strict):
    """Absences of one person: time present between two, and length."""

    every: Time
    length: Time


class HeadcountChange(Strict):
    from_week: Number
    headcount: Number


class Team(Strict):
    """A pool of people. `shifts` add further groups on other calendars."""

    headcount: Number
    calendar: str
    change: HeadcountChange | None = Field(None, description="planned release or build-up after go-live")
    shifts: list[TeamShift] = Field(default_factory=list)
    absence: AbsenceSpec | None = None
    cost_per_hour: Money | None = None
    label: str = ""


class TeamShift(Strict):
    headcount: Number
    calendar: str


Team.model_rebuild()


class OutageSpec(Strict):
    """Outages: working time between two, and how long a repair takes."""

    every: Time
    repair: Time


class System(Strict):
    """An external system called by steps of kind `system`."""

    concurrency: int = Field(0, ge=0, description="calls at a time, 0 = no limit")
    calls_per_minute: Number | None = Field(None, description="rate limit")
    outage: OutageSpec | None = None
    downtime: str | None = Field(None, description="calendar of planned downtime")
    label: str = ""


class CaseType(Strict):
    share: Share
    piloted: bool = True
    priority: int = 0
    amount: Money | None = None
    label: str = ""


class ArrivalsSpec(Strict):
    per_month: Number | None = Field(None, description="cases a month (a year has twelve equal ones)")
    per_working_day: Number | None = None
    calendar: str
    weekday: dict[Weekday, float] = Field(default_factory=dict, description="relative weights of weekdays (left out = 1)")
    month_end_days: int = Field(0, ge=0, le=10)
    month_end_factor: float = Field(1.0, gt=0)
    day_cv: Number = Field(default_factory=lambda: Number.model_validate(0.0), description="cv of the daily rate beyond Poisson")
    clusters: int = Field(1, ge=1, description="number of suppliers or templates")
    cluster_exponent: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _one_rate(self) -> ArrivalsSpec:
        if (self.per_month is None) == (self.per_working_day is None):
            raise PydanticCustomError("form", "give either per_month or per_working_day")
        return self


class MoneySpec(Strict):
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    cost_per_case_today: Money | None = None
    ai_cost_per_case: Money | None = None
    cost_of_error_never_found: Money | None = None


class RunSpec(Strict):
    warm_up_weeks: int = Field(6, ge=1, le=104)
    run_out_weeks: int = Field(6, ge=1, le=104)


# -- steps


class StepBase(Strict):
    id: Name
    label: str = ""
    next: str | None = Field(None, description="the following step; if left out, the next in the list")


class Learning(Strict):
    """Service times after go-live: `start` times as long, the surplus halving every `half_life_weeks`."""

    start: Number
    half_life_weeks: Number


class Work(StepBase):
    """People work on the case."""

    kind: Literal["work"]
    team: str
    service: Time
    factor: Number = Field(
        default_factory=lambda: Number.model_validate(1.0), description="multiplies the service time; may differ by arm"
    )
    learning: Learning | None = None


class Reminder(Strict):
    after: Duration
    multiplier: Share


class Wait(StepBase):
    """The case waits: for somebody outside, in an inbox, for a process step that is not modelled in detail."""

    kind: Literal["wait"]
    time: Time
    on: Literal["outside", "inbox", "approval", "integration", "step"] = "outside"
    clock: str | None = Field(None, description="a calendar; if left out, elapsed time")
    factor: Number = Field(default_factory=lambda: Number.model_validate(1.0))
    remind: Reminder | None = None
    limit: Duration | None = None
    on_limit: str | None = Field(None, description="where the case goes when the limit is reached")


class Option(Strict):
    to: str
    share: ShareByType | None = Field(None, description="left out for the last option (the remainder)")


class Choice(StepBase):
    """Sends cases one of several ways, by share (by type), only if flags are set, or by the number of the visit."""

    kind: Literal["choice"]
    options: list[Option] = Field(min_length=1)
    when: list[str] = Field(
        default_factory=list, description="flags that must be set (a leading ! = not set) for the options to apply"
    )
    otherwise: str | None = None


class Flag(StepBase):
    """Sets or clears a flag on the case, with a probability (by type)."""

    kind: Literal["flag"]
    flag: Name
    chance: ShareByType
    clear: bool = False
    when: list[str] = Field(default_factory=list)


class Adoption(Strict):
    """Share of the routed cases that really go to the AI: from `start` in week 1 on a logistic curve to 1 after `weeks`."""

    start: Share
    weeks: Number


class Quality(Strict):
    """A defect of the data of a case: how often (more on days of high volume) and what it does to accuracy (logit)."""

    share: ShareByType
    volume_slope: Number = Field(default_factory=lambda: Number.model_validate(0.0))
    effect: Number = Field(description="shift of the logit of accuracy when the case has it")


class Drift(Strict):
    """Accuracy falls by `logit_drop` on a logistic curve around `midpoint_week`."""

    logit_drop: Number
    midpoint_week: Number
    scale_weeks: Number


class Ai(StepBase):
    """The AI step: which cases it gets, how often it is right, what it accepts without review, what it refers."""

    kind: Literal["ai"]
    routed: ShareByType = Field(description="share of each type's cases that go to the AI at full adoption")
    manual: str = Field(description="where all other cases go")
    accepted: str
    referred: str
    adoption: Adoption | None = None
    accuracy: Accuracy = Field(description="pilot accuracy")
    measured: Literal["per_case", "per_field"] = "per_case"
    fields: int = Field(1, ge=1, description="fields that must all be right (per_field)")
    type_effect: dict[str, Number] = Field(
        default_factory=dict, description="logit difference of a type from the pilot's accuracy"
    )
    shift: Number = Field(description="logit shift from pilot to production (cause data)")
    scope_penalty: Number = Field(description="logit shift of types never piloted")
    quality: dict[Name, Quality] = Field(default_factory=dict)
    drift: Drift | None = None
    cluster_correlation: Share = Field(
        default_factory=lambda: Share.model_validate(0.0), description="correlation of errors within a cluster"
    )
    coverage: Share = Field(description="share of the pilot's outputs accepted without review")
    accepted_error: Share = Field(description="share of all the pilot's outputs that were accepted and wrong")
    time: Time | None = Field(None, description="processing time of the AI itself (the latency of a call, with `system`)")
    system: str | None = Field(None, description="the connected system that is called")
    timeout: Duration | None = None
    attempts: int = Field(3, ge=1, le=20)
    back_off: Duration = Field(default_factory=lambda: Duration.model_validate("1 min"))
    unavailable: str | None = Field(None, description="where a case goes when all calls failed; if left out, to `manual`")

    @model_validator(mode="after")
    def _call_is_whole(self) -> Ai:
        if self.system is not None and (self.time is None or self.timeout is None):
            raise PydanticCustomError("form", "a call to a system needs time and timeout")
        return self


class Review(StepBase):
    """A person checks an AI output: catches a wrong one with a probability that falls with load and with trust in the AI."""

    kind: Literal["review"]
    of: str = Field(description="the AI step")
    team: str
    service: Time
    learning: Learning | None = None
    catch: Share
    load_slope: Number = Field(
        default_factory=lambda: Number.model_validate(0.0), description="logit lost per waiting case a rostered head"
    )
    over_reliance: Number = Field(
        default_factory=lambda: Number.model_validate(0.0), description="logit lost per logit of accuracy above the pilot's"
    )
    caught: str | None = Field(None, description="where a caught error goes; if left out, on to the next step, corrected")


class Outside(Strict):
    share: Share
    time: Time


class DeskLevel(Strict):
    team: str
    service: Time
    resolves: Share
    support: Support | None = None
    limit: Duration | None = Field(None, description="waits longer than this escalate")
    outside: Outside | None = None


class Support(Strict):
    """Extra help: adds `bonus` to the logit of resolving until the end of `until_week`."""

    bonus: Number
    until_week: Number


DeskLevel.model_rebuild()


class Desk(StepBase):
    """An exception desk of several levels: escalation by inability and by time-out, questions to the outside."""

    kind: Literal["desk"]
    levels: list[DeskLevel] = Field(min_length=1, max_length=5)


class ApprovalLevel(Strict):
    """One approver's turn."""

    needed: ShareByType
    response: Time
    clock: str | None = None
    looks: str | None = Field(None, description="calendar of the times at which approvers look")
    people: int = Field(1, ge=1)
    absence: AbsenceSpec | None = None
    remind: Reminder | None = None
    limit: Duration | None = None
    on_limit: Literal["approve", "delegate", "escalate"] = "delegate"
    delegations: int = Field(1, ge=1, le=5)
    limit_share: ShareByType = Field(
        default_factory=lambda: ShareByType.model_validate(1.0), description="share of visits on which the limit applies"
    )
    rejects: ShareByType = Field(default_factory=lambda: ShareByType.model_validate(0.0))


class Approval(StepBase):
    """Approvals one after the other; a rejection goes to `rejected`."""

    kind: Literal["approval"]
    levels: list[ApprovalLevel] = Field(min_length=1, max_length=6)
    rejected: str | None = None


class Staleness(Strict):
    """Data from a feed that is refreshed at the openings of a calendar become wrong at a rate."""

    feed: str
    wrong_per_hour: Number
    spoils: str = Field(description="the AI step whose output becomes wrong")


class SystemCall(StepBase):
    """A call to a connected system with time-out and retries."""

    kind: Literal["system"]
    system: str
    latency: Time
    timeout: Duration
    attempts: int = Field(1, ge=1, le=20)
    transient: Share = Field(default_factory=lambda: Share.model_validate(0.0))
    permanent: ShareByType = Field(default_factory=lambda: ShareByType.model_validate(0.0))
    back_off: Duration = Field(default_factory=lambda: Duration.model_validate("0 s"))
    multiplier: float = Field(2.0, ge=1)
    failed: str = Field(description="where a case goes when all attempts failed")
    stale: Staleness | None = None


class GateStep(StepBase):
    """Waits for the next opening of a calendar (a payment run, a posting run)."""

    kind: Literal["gate"]
    calendar: str
    lead: Duration = Field(default_factory=lambda: Duration.model_validate("0 s"))


class Collect(StepBase):
    """Gathers cases until `size` are there or the oldest has waited `max_wait`."""

    kind: Literal["collect"]
    size: Number
    max_wait: Duration


class Parallel(StepBase):
    """Several branches at the same time; each branch leads to the join."""

    kind: Literal["parallel"]
    branches: list[str] = Field(min_length=2)
    join: str


class JoinStep(StepBase):
    """Where parallel branches meet."""

    kind: Literal["join"]


class Discovery(StepBase):
    """An error that the AI step left in the case comes to light here with a probability; the case then goes to `to`."""

    kind: Literal["discovery"]
    of: str
    chance: Share
    to: str


class Again(StepBase):
    """Back to an earlier step, at most `limit` times; after that to `otherwise`."""

    kind: Literal["again"]
    to: str
    limit: int = Field(ge=0, le=100)
    otherwise: str


class EndStep(StepBase):
    kind: Literal["end"]
    result: str = "done"


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

    schema_version: Literal[1]
    name: Name
    title: str
    description: str = ""
    extends: str | None = None
    case_word: str = Field("case", description="what one case is called on screen")
    cases_word: str = "cases"
    go_live: date = Field(description="a Monday")
    sources: dict[str, str] = Field(default_factory=dict, description="key -> full citation, for `cite`")
    target: Target
    baseline: Baseline | None = None
    run: RunSpec = Field(default_factory=lambda: RunSpec.model_validate({}))
    money: MoneySpec = MoneySpec()
    calendars: dict[Name, CalendarSpec]
    types: dict[Name, CaseType] = Field(min_length=1)
    arrivals: ArrivalsSpec
    teams: dict[Name, Team] = Field(default_factory=dict)
    systems: dict[Name, System] = Field(default_factory=dict)
    steps: list[Step] = Field(min_length=1)
    weekly_note: str = ""

    @model_validator(mode="after")
    def _starts_on_monday(self) -> CaseFile:
        if self.go_live.weekday() != 0:
            raise PydanticCustomError("monday", "go_live must be a Monday: weeks are counted from it")
        return self
