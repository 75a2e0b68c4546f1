"""How an export of the company's own is to be read: `evidence/invoices.toml` beside `evidence/invoices.csv`."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.evidence.settings import SETTINGS_VERSION, Version
from models.values import Day, Strict


class ExportColumns(Strict):
    """The columns of the export, as its header names them."""

    case: str = Field(min_length=1, description="number of the case")
    type: str = Field("", description="type of the case; left out: all types as they come")
    amount: str = Field("", description="amount")
    currency: str = Field("", description="currency of the amount, if it has a column of its own")
    cluster: str = Field("", description="supplier or template")
    activity: str = Field("", description='form = "events": what happened')
    time: str = Field("", description='form = "events": when it happened, or ended')
    start: str = Field("", description='form = "events": when it began')

    def named(self) -> dict[str, str]:
        """Role → column, of those that are given."""
        return {role: name for role in type(self).model_fields if (name := getattr(self, role))}


class ExportMapping(Strict):
    """One row a case with date columns (`wide`), or one row an event (`events`)."""

    schema_version: Version = Field(SETTINGS_VERSION, description="version of this format: 1")
    form: Literal["wide", "events"] = Field("wide", description="one row a case with date columns, or one row an event")
    exported: Day | None = Field(None, description="last day that the export covers, if it is another than in settings.toml")
    selected_by: Literal["arrival", "end"] = Field(
        description="which cases it holds: all that came, or all that ended, from first_day to last_day"
    )
    first_day: Day = Field(description="first day of the period by which the cases were selected")
    last_day: Day = Field(description="last day of that period")
    holds: Literal["all", "sample"] = Field(
        "all", description='all cases of that period, or a "sample" of them, which says nothing of their number and mix'
    )
    people: list[str] = Field(default_factory=list, max_length=50, description="columns that name people; pseudonyms are kept")
    leave_out_types: list[str] = Field(
        default_factory=list, max_length=500, description="values of the type column that the case file does not cover"
    )
    columns: ExportColumns
    types: dict[str, str] = Field(
        default_factory=dict, max_length=2_000, description="value of the type column → type of the case file"
    )
    dates: dict[str, str] = Field(default_factory=dict, max_length=200, description='form = "wide": date column → event')
    activities: dict[str, str] = Field(default_factory=dict, max_length=2_000, description='form = "events": activity → event')

    @property
    def events(self) -> dict[str, str]:
        """Column or activity → event, whichever the form has."""
        return self.dates if self.form == "wide" else self.activities

    @model_validator(mode="after")
    def _fits_its_form(self) -> ExportMapping:
        other, needed = ("activities", "dates") if self.form == "wide" else ("dates", "activities")
        if getattr(self, other):
            raise _refused(f'"{other}" has no effect with form = "{self.form}"')
        missing = {"arrival", "end"} - set(self.events.values())
        if missing:
            raise _refused(f'no entry of "{needed}" is the event "{min(missing)}"; both "arrival" and "end" are needed')
        roles = ("activity", "time", "start")
        if self.form == "wide" and any(getattr(self.columns, role) for role in roles):
            raise _refused('columns "activity", "time" and "start" have no effect with form = "wide"')
        if self.form == "events" and not (self.columns.activity and self.columns.time):
            raise _refused('form = "events" needs the columns "activity" and "time"')
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> ExportMapping:
        used = Counter([*self.columns.named().values(), *self.people, *self.dates])
        twice = [name for name, count in used.items() if count > 1]
        if twice:
            raise _refused(f'column "{twice[0]}" is given more than one meaning')
        events = Counter(self.dates.values())
        twice = [name for name, count in events.items() if count > 1]
        if twice:
            raise _refused(f'more than one column is the event "{twice[0]}"')
        if self.first_day > self.last_day:
            raise PydanticCustomError("order", "first_day is after last_day")
        return self


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("form", "{message}", {"message": message})
