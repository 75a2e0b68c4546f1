"""Numbers of a case file that may be uncertain: their forms, their sources, their limits.

Every number can be a plain value or a `Parameter` that says how sure one is and where it comes from. A plain value without a
source counts as a guess. Durations, shares and amounts carry units (`models.units`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from numbers import Real
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from models import units
from models.elicitation import ElicitationError
from models.uncertainty import FORMS, Limits, Uncertain, belief_of

SourceClass = Literal["measured", "elicited", "benchmark", "guess"]
Cause = Literal["data", "scope", "integration", "organisation"]
Arm = Literal["as_is", "pilot", "production"]
ARMS: tuple[Arm, ...] = ("as_is", "pilot", "production")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


def _quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        raise PydanticCustomError("type", 'must be a number, or text with a unit such as "45 min"')
    if isinstance(value, str):
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) < 1e300:
        raise PydanticCustomError("range", "is not a finite number")
    return number


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


def _of_our_time(day: date) -> date:
    if not 1990 <= day.year <= 2100:
        raise PydanticCustomError("range", "must lie between 1990 and 2100")
    return day


def _span(text: str) -> str:
    try:
        units.seconds(text)
    except units.UnitError as error:
        raise unit_problem(error) from error
    return text


def unit_problem(error: units.UnitError) -> PydanticCustomError:
    """A problem of a unit or number as a validation error."""
    message = {"message": str(error)}
    if isinstance(error, units.RangeError):
        return PydanticCustomError("range", "{message}", message)
    if isinstance(error, units.NumberError):
        return PydanticCustomError("type", "{message}", message)
    return PydanticCustomError("unit", "{message}", message)


Quantity = Annotated[float | str, BeforeValidator(_quantity)]
Day = Annotated[date, BeforeValidator(_day), AfterValidator(_of_our_time)]
Span = Annotated[str, AfterValidator(_span)]
"""A duration that is certain."""
Pair = pydantic.Strict(False)
"""Lets a list stand for a tuple."""


class Strict(BaseModel):
    """Frozen; unknown keys are errors, and so are values of another type. `needs`: a field -> the one it has no effect without."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    needs: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Strict:
        fields = type(self).model_fields
        for name, other in self.needs.items():
            if getattr(self, name) != fields[name].get_default(call_default_factory=True) and not getattr(self, other):
                raise PydanticCustomError("needs", '"{name}" needs "{other}" beside it', {"name": name, "other": other})
        return self


class Belief(Strict):
    """One value, or what is known about it: exactly one of the forms value · low/likely/high · right/tried · mean/sd."""

    dimension: ClassVar[str] = "number"

    value: Quantity | None = Field(None, description="a fixed value")
    low: Quantity | None = Field(None, description="elicited: low")
    likely: Quantity | None = Field(None, description="elicited: most likely (for an accuracy: the median)")
    high: Quantity | None = Field(None, description="elicited: high")
    mass: float = Field(0.9, description="probability between low and high; 1 means absolute limits (PERT)")
    right: int | None = Field(None, ge=0, le=10**12, description="counted: successes (Jeffreys Beta)")
    tried: int | None = Field(None, ge=1, le=10**12, description="counted: trials")
    effective: float = Field(1.0, gt=0, le=1, description="counted: effective share of the trials (1 / design effect)")
    mean: Quantity | None = Field(None, description="normal: mean")
    sd: Quantity | None = Field(None, description="normal: standard deviation")

    @model_validator(mode="before")
    @classmethod
    def _plain_value(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, str | Real) else data

    @model_validator(mode="after")
    def _has_one_form(self) -> Belief:
        if self._needs_value():
            self.uncertain()
        return self

    def _needs_value(self) -> bool:
        return True

    def stated(self) -> dict[str, Any]:
        """The fields that state the value."""
        return {key: getattr(self, key) for keys in FORMS.values() for key in keys}

    def uncertain(self) -> Uncertain:
        """Its quantile function in base units. Raises a validation error that names what is wrong."""
        try:
            return belief_of(self.dimension, self.stated())
        except units.UnitError as error:
            raise unit_problem(error) from error
        except ElicitationError as error:
            raise PydanticCustomError("belief", "{message}", {"message": str(error)}) from error

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return or_plain(handler, core, ["number", "string"])


def or_plain(handler: GetJsonSchemaHandler, core: CoreSchema, types: list[str]) -> dict[str, Any]:
    """The JSON Schema of a table for which a plain value may stand."""
    table = handler.resolve_ref_schema(handler(core))
    described: dict[str, Any] = {key: value for key, value in table.items() if key in ("title", "description")}
    options = [{"type": types}, {key: value for key, value in table.items() if key not in described}]
    table.clear()
    table.update({**described, "anyOf": options})
    return table


def check_inherited(inherited: str, source: str) -> None:
    """Refuses a value that was copied from another scenario and still claims a source of its own."""
    if inherited and source != "guess":
        message = 'a value copied from another scenario is a guess; leave "inherited" out once you checked it'
        raise PydanticCustomError("form", message)


class Parameter(Belief):
    """A belief with its source; or one per arm (`as_is`, `pilot`, `production`) and the `cause` that switches between them."""

    limits: ClassVar[Limits] = Limits()

    source: SourceClass = Field("guess", description="where it comes from")
    grade: Literal["A", "B", "C", "U"] | None = Field(None, description="grade of a benchmark's source")
    cite: str = Field("", description="citation")
    owner: str = Field("", description="who answers for it")
    note: str = Field("", description="remark")
    inherited: str = Field("", description="the scenario this value was copied from; it then counts as a guess")
    as_is: Belief | None = Field(None, description="today; if left out, as in production")
    pilot: Belief | None = Field(None, description="as in the pilot")
    production: Belief | None = Field(None, description="live")
    cause: Cause | None = Field(None, description="which of the causes moves it from its pilot to its production value")

    @model_validator(mode="after")
    def _within_limits(self) -> Parameter:
        for arm in ARMS if self.pilot is not None else ARMS[-1:]:
            broken = self.limits.broken_by(self.in_arm(arm).uncertain(), self.dimension)
            if broken:
                where = f"{arm} " if self.pilot is not None else ""
                raise PydanticCustomError("range", "{message}", {"message": where + broken})
        check_inherited(self.inherited, self.source)
        return self

    def _needs_value(self) -> bool:
        if self.pilot is None and self.production is None and self.as_is is None:
            if self.cause is not None:
                raise PydanticCustomError("arms", "a cause needs the values pilot and production")
            return True
        if self.pilot is None or self.production is None or self.cause is None:
            raise PydanticCustomError("arms", "a value that differs by arm needs pilot, production and cause")
        if self.stated() != Belief.model_construct().stated():
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


class Number(Parameter):
    """A plain number."""


class Positive(Number):
    """A number above 0."""

    limits: ClassVar[Limits] = Limits(0.0, above=True)


class NotNegative(Number):
    """A number that is not negative."""

    limits: ClassVar[Limits] = Limits(0.0)


class Logit(Number):
    """A difference on the logit scale: 0.7 doubles the odds, −0.7 halves them."""

    limits: ClassVar[Limits] = Limits(-20.0, 20.0)


class Headcount(Number):
    """A number of people. A fixed one is whole; an uncertain one is rounded in each draw."""

    limits: ClassVar[Limits] = Limits(0.0, 10_000.0, whole=True)


class Duration(Parameter):
    """A length of time with its unit."""

    dimension: ClassVar[str] = "duration"
    limits: ClassVar[Limits] = Limits(0.0, 3_650 * 86_400.0)
    as_is: _DurationBelief | None = Field(None, description="today; if left out, as in production")
    pilot: _DurationBelief | None = Field(None, description="as in the pilot")
    production: _DurationBelief | None = Field(None, description="live")


class PositiveDuration(Duration):
    """A length of time with its unit, longer than 0."""

    limits: ClassVar[Limits] = Limits(0.0, 3_650 * 86_400.0, above=True)


class Share(Parameter):
    """A share or probability, 0 to 1 or in per cent."""

    dimension: ClassVar[str] = "share"
    limits: ClassVar[Limits] = Limits(0.0, 1.0)
    as_is: _ShareBelief | None = Field(None, description="today; if left out, as in production")
    pilot: _ShareBelief | None = Field(None, description="as in the pilot")
    production: _ShareBelief | None = Field(None, description="live")


class Accuracy(Parameter):
    """A share elicited on the logit scale (likely = median)."""

    dimension: ClassVar[str] = "accuracy"
    limits: ClassVar[Limits] = Limits(0.0, 1.0)
    as_is: _AccuracyBelief | None = Field(None, description="today; if left out, as in production")
    pilot: _AccuracyBelief | None = Field(None, description="as in the pilot")
    production: _AccuracyBelief | None = Field(None, description="live")


class Money(Parameter):
    """An amount in the case's currency."""

    dimension: ClassVar[str] = "money"
    limits: ClassVar[Limits] = Limits(0.0)
    as_is: _MoneyBelief | None = Field(None, description="today; if left out, as in production")
    pilot: _MoneyBelief | None = Field(None, description="as in the pilot")
    production: _MoneyBelief | None = Field(None, description="live")


class ShareByType(Strict):
    """One share for all case types, or one each (a type that is left out has 0)."""

    all: Share | None = None
    types: dict[str, Share] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and set(data) <= {"all", "types"} and data:
            return data
        if isinstance(data, Mapping) and data and not set(data) & set(Share.model_fields):
            return {"types": dict(data)}
        return {"all": data}

    @model_validator(mode="after")
    def _one_form(self) -> ShareByType:
        if (self.all is None) == (not self.types):
            raise PydanticCustomError("form", "give either one share for all types, or one for each type")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        table = handler.resolve_ref_schema(handler(core))
        described = {key: table.pop(key) for key in ("title", "description")}
        share = table["properties"]["types"]["additionalProperties"]
        no_type = {"not": {"enum": [*Share.model_fields, "all", "types"]}}
        by_type = {"type": "object", "minProperties": 1, "propertyNames": no_type, "additionalProperties": share}
        whole = dict(table)
        table.clear()
        table.update({**described, "anyOf": [share, whole, by_type]})
        return table
