"""Steps with several levels of people: exception desks and approvals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.laws import Time
from models.schema.steps import Reminder, StepBase
from models.schema.world import AbsenceSpec
from models.values import Duration, Logit, NotNegative, Share, ShareByType, Strict


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
