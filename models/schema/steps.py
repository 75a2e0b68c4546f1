"""Steps without an AI: work, waits, ways, calls, batches, branches, loops, ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.laws import Time
from models.values import Duration, Name, NotNegative, Positive, PositiveDuration, Share, ShareByType, Strict


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
