"""What is said once about all files of evidence: `evidence/settings.toml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from models.references import hint
from models.values import Cause, Day, Share, Strict

SETTINGS_VERSION = 1


def _version(number: int) -> int:
    if number != SETTINGS_VERSION:
        message = "this file has version {number}; this program reads version {ours}"
        raise PydanticCustomError("version", message, {"number": number, "ours": SETTINGS_VERSION})
    return number


def _zone(name: str) -> str:
    from zoneinfo import available_timezones

    if name and not _is_zone(name):
        known = available_timezones()
        message = '"{name}" is not a time zone; {hint}'
        raise PydanticCustomError("zone", message, {"name": name[:60], "hint": hint(name, known)})
    return name


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # unknown, a path that leads elsewhere, or the name of a folder
        return False
    return True


Version = Annotated[int, AfterValidator(_version)]


class EvidenceSettings(Strict):
    """How the files of evidence are meant. What a file leaves open is asked here, once, and never guessed."""

    schema_version: Version = Field(SETTINGS_VERSION, description="version of this format: 1")
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "", description='time zone of all dates and times without an offset, for example "Europe/Berlin"'
    )
    exported: Day | None = Field(
        None,
        description="last day that the files cover (the day of the export); a later date is a defect, what is open then is open",
    )
    decimal: Literal["", ".", ","] = Field(
        "", description='how decimals are written, "." or ",": only for columns that leave it open (1.234)'
    )
    dates: Literal["", "day_first", "month_first"] = Field(
        "", description='order in dates such as 03/04/2026, "day_first" or "month_first": only for columns that leave it open'
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="confidence from which the AI's output is accepted without review; it decides for every row with a confidence",
    )
    design_effect: float | None = Field(
        None, ge=1, le=1_000,
        description="by how much errors that come together (supplier, day) shrink what a sample tells; for files that name neither",
    )  # fmt: skip
    model_version: str = Field(
        "",
        max_length=200,
        description="the version of the AI that goes live, if results of several versions are there: they are never pooled",
    )
    label_sensitivity: Share | None = Field(
        None, description="chance that a check finds a wrong output wrong; left out: assumed to be about 99.5 %"
    )
    label_specificity: Share | None = Field(
        None, description="chance that a check finds a right output right; left out: assumed to be about 99.5 %"
    )
    checked: dict[Literal["pilot", "production"], Literal["all", "referred"]] = Field(
        default_factory=dict,
        description="which outputs were checked: all alike, or only those referred to a person; needed if none of them was accepted",
    )
    ready: dict[Cause, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="cause -> how probable it was, before the readiness checks, that it is under control; left out: not at all",
    )
    selected_by: Literal["", "arrival", "end"] = Field(
        "", description="how the rows of times and approvals were chosen: all that came, or all that ended, in a period"
    )
    first_day: Day | None = Field(None, description="first day of that period")
    last_day: Day | None = Field(None, description="last day of that period")
    defective_rows_at_most: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of a file's rows that may be left out because of defects; they are counted and listed",
    )
    salt: str = Field(
        "", max_length=200, description="random letters from which pseudonyms of people are made; keep it to yourself"
    )
