"""What is promised and observed, what things cost, and how long is simulated around the promise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from models import units
from models.values import Money, Pair, PositiveDuration, Quantity, Span, Strict, unit_problem

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
