"""Distributions of durations as a case file states them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from models import units
from models.values import (
    ARMS,
    Duration,
    NotNegative,
    Pair,
    Positive,
    PositiveDuration,
    Quantity,
    SourceClass,
    Strict,
    check_inherited,
    unit_problem,
)  # fmt: skip


def _rising(model: BaseModel, *names: str) -> None:
    """Refuses parameters of a distribution that are out of order at their middle values, in any arm."""
    for low, high in pairwise(names):
        for arm in ARMS:
            a, b = (getattr(model, name).in_arm(arm).uncertain().median for name in (low, high))
            if a > b:
                shown = {"low": low, "high": high, "a": units.duration_text(a), "b": units.duration_text(b)}
                raise PydanticCustomError("belief", "{low} ({a}) must not exceed {high} ({b})", shown)


def _apart(model: BaseModel, *names: str) -> None:
    """Refuses limits of a distribution that cross in some draws."""
    for low, high in pairwise(names):
        for arm in ARMS:
            a, b = (getattr(model, name).in_arm(arm).uncertain() for name in (low, high))
            if float(a.quantile([0.999])[0]) > b.lowest:
                message = "{low} and {high} are so uncertain that they may cross; fix one of them"
                raise PydanticCustomError("belief", message, {"low": low, "high": high})


class Constant(Strict):
    """Always the same."""

    kind: Literal["constant"]
    value: Duration


class Exponential(Strict):
    """Exponential: without memory."""

    kind: Literal["exponential"]
    mean: Duration


class Lognormal(Strict):
    """By median and p90, or by mean and cv."""

    kind: Literal["lognormal"]
    median: PositiveDuration | None = Field(None, description="half of all are shorter")
    p90: PositiveDuration | None = Field(None, description="9 of 10 are shorter")
    mean: PositiveDuration | None = None
    cv: NotNegative | None = Field(None, description="standard deviation / mean")

    @model_validator(mode="after")
    def _one_form(self) -> Lognormal:
        by_quantiles, by_mean = (self.median, self.p90), (self.mean, self.cv)
        if (None in by_quantiles) == (None in by_mean) or (None in by_quantiles and any(by_quantiles)):
            raise PydanticCustomError("form", "a lognormal needs either median and p90, or mean and cv")
        if self.median is not None:
            _rising(self, "median", "p90")
        return self


class Gamma(Strict):
    """Gamma by mean and coefficient of variation."""

    kind: Literal["gamma"]
    mean: PositiveDuration
    cv: Positive = Field(description="standard deviation / mean")


class Weibull(Strict):
    """Weibull; shape 1 is the exponential."""

    kind: Literal["weibull"]
    scale: PositiveDuration
    shape: Positive


class Uniform(Strict):
    """Anything between two limits, equally likely."""

    kind: Literal["uniform"]
    low: Duration
    high: Duration

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        _rising(self, "low", "high")
        _apart(self, "low", "high")
        return self


class Triangular(Strict):
    """Between two limits with a most likely value: straight lines (triangular) or a smooth hill (pert)."""

    kind: Literal["triangular", "pert"]
    low: Duration
    likely: Duration
    high: Duration

    @model_validator(mode="after")
    def _in_order(self) -> Triangular:
        _rising(self, "low", "likely", "high")
        _apart(self, "low", "likely", "high")
        if any(self.low.in_arm(arm).uncertain().median == self.high.in_arm(arm).uncertain().median for arm in ARMS):
            raise PydanticCustomError("belief", "low and high are equal; for one value write it alone")
        return self


class Empirical(Strict):
    """Quantiles of observed durations: [[probability, duration], …] from 0 to 1; `scale` carries their sampling error."""

    kind: Literal["empirical"]
    quantiles: list[Annotated[tuple[float, Quantity], Pair]] = Field(min_length=2, max_length=10_000)
    source: SourceClass = Field("guess", description="where it comes from")
    cite: str = Field("", description="citation")
    owner: str = Field("", description="who answers for it")
    inherited: str = Field("", description="the scenario it was copied from; it then counts as a guess")
    scale: Positive = Field(default_factory=lambda: Positive.model_validate(1.0), description="multiplies all durations")

    @model_validator(mode="after")
    def _copied_is_a_guess(self) -> Empirical:
        check_inherited(self.inherited, self.source)
        return self

    @model_validator(mode="after")
    def _rising(self) -> Empirical:
        probabilities = [p for p, _ in self.quantiles]
        try:
            values = [units.seconds(v) for _, v in self.quantiles]
        except units.UnitError as error:
            raise unit_problem(error) from error
        if probabilities != sorted(probabilities) or probabilities[0] != 0 or probabilities[-1] != 1:
            raise PydanticCustomError("order", "probabilities must rise from 0 to 1")
        if values != sorted(values):
            raise PydanticCustomError("order", "durations must not fall as the probability rises")
        return self


class Mixture(Strict):
    """One of several distributions, with fixed weights."""

    kind: Literal["mixture"]
    weights: list[float] = Field(max_length=20)
    parts: list[Annotated[_Simple, Field(discriminator="kind")]] = Field(min_length=1, max_length=20)

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
        if isinstance(data, Mapping) and set(data) - set(Duration.model_fields):
            raise PydanticCustomError("kind", "needs the kind of its distribution, such as lognormal or exponential")
        return {"law": {"kind": "constant", "value": data}}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        law = handler.resolve_ref_schema(handler(core))["properties"]["law"]
        described = {"title": cls.__name__, "description": cls.__doc__}
        constant = handler(Duration.__pydantic_core_schema__)  # a table without a kind says how sure a constant is
        return {**described, "anyOf": [{"type": ["number", "string"]}, law, constant]}
