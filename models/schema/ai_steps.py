"""The AI step, the review of its outputs, and the late discovery of its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.laws import Time
from models.schema.steps import Learning, StepBase
from models.values import Accuracy, Duration, Logit, Name, Number, Positive, PositiveDuration, Share, ShareByType, Strict


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
    type_shift: dict[str, Logit] = Field(
        default_factory=dict, description="what a type's shift is beyond `shift`, on the logit scale (cause data)"
    )
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


class Discovery(StepBase):
    """An error that the AI step left in the case comes to light here with a probability; the case then goes to `to`."""

    kind: Literal["discovery"]
    of: str = Field(description="the AI step")
    chance: Share
    to: str = Field(description="where a case goes whose error was found")
