"""What files leave open, asked on the page: the time zone and the like, once for all files, and which column of an export is what.

The answers are kept where the command line keeps them: `settings.toml`, and the mapping beside the export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from models.evidence.mapping import ExportMapping
from models.evidence.settings import EvidenceSettings
from models.schema import CaseFile
from scenarios.editing import write_atomically
from scenarios.evidence.apart import ExportSeen
from scenarios.evidence.read import SETTINGS, evidence_folder
from scenarios.files import problems_of, read_toml
from scenarios.problems import CaseError

NOT_USED = ""
"""The answer that a column is not used, or a type not covered."""


# -- once for all files


def zones() -> tuple[str, ...]:
    """All time zones by name, the usual ones first."""
    from zoneinfo import available_timezones

    usual = ("Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Zurich", "America/New_York", "America/Chicago", "UTC")
    named = sorted(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix", "right"))
    )
    return (*usual, *(name for name in named if name not in usual))


def settings_of(folder: Path | None) -> EvidenceSettings:
    """What was said so far; nothing if the file is missing or spoilt (the check says how)."""
    data = _kept(folder, SETTINGS)
    try:
        return EvidenceSettings.model_validate(data)
    except ValueError:
        return EvidenceSettings.model_validate({})


def save_settings(folder: Path, said: Mapping[str, Any]) -> None:
    """Keeps answers beside what was said before; None and "" take one back. Raises CaseError, then nothing is written."""
    data = {**_kept(folder, SETTINGS), **said}
    data = {"schema_version": 1, **{key: value for key, value in data.items() if value not in (None, "")}}
    _write(folder, SETTINGS, data, EvidenceSettings)


# -- an export


@dataclass(frozen=True, slots=True)
class ExportAnswers:
    """Which column of an export is what. columns: role → column · events: column (or activity) → event · types: value → type, NOT_USED for
    one that the case does not cover · is_log: a row an event instead of a row a case · is_sample: it holds only some of the cases."""

    columns: Mapping[str, str]
    events: Mapping[str, str]
    first_day: date
    last_day: date
    selected_by: str = "arrival"
    exported: date | None = None
    is_log: bool = False
    is_sample: bool = False
    types: Mapping[str, str] | None = None
    people: tuple[str, ...] = ()


def answers_of(folder: Path | None, export: str) -> ExportMapping | None:
    """The mapping that lies beside an export (`invoices.csv`); None if there is none, or a spoilt one (the check says how)."""
    data = _kept(folder, f"{Path(export).stem}.toml")
    try:
        return ExportMapping.model_validate(data) if data else None
    except ValueError:
        return None


def save_mapping(folder: Path, export: str, answers: ExportAnswers) -> None:
    """Keeps which column is what. Raises CaseError with every problem, then nothing is written."""
    _write(folder, f"{Path(export).stem}.toml", _as_data(answers), ExportMapping)


def _as_data(a: ExportAnswers) -> dict[str, Any]:
    types = a.types or {}
    data: dict[str, Any] = {
        "schema_version": 1, "form": "events" if a.is_log else "wide", "selected_by": a.selected_by,
        "first_day": a.first_day, "last_day": a.last_day, "holds": "sample" if a.is_sample else "all",
    }  # fmt: skip
    if a.exported is not None:
        data["exported"] = a.exported
    if a.people:
        data["people"] = list(a.people)
    outside = [value for value, name in types.items() if name == NOT_USED]
    if outside:
        data["leave_out_types"] = outside
    data["columns"] = {role: column for role, column in a.columns.items() if column != NOT_USED}
    if types:
        data["types"] = {value: name for value, name in types.items() if name != NOT_USED}
    data["activities" if a.is_log else "dates"] = {column: event for column, event in a.events.items() if event != NOT_USED}
    return data


def likely_type(value: str, case: CaseFile) -> str:
    """The type of the case that is called exactly as a value of the file; NOT_USED if none is."""
    spelt = value.strip().lower()
    return next((name for name, spec in case.types.items() if spelt in (name.lower(), spec.label.strip().lower())), NOT_USED)


def values_of(seen: ExportSeen, column: str) -> tuple[str, ...] | None:
    """The distinct texts of a column, None if there are too many to ask one by one."""
    return seen.values.get(column)


# -- files of settings


def _kept(folder: Path | None, name: str) -> dict[str, Any]:
    if folder is None or not (evidence_folder(folder) / name).is_file():
        return {}
    try:
        return read_toml(evidence_folder(folder) / name)
    except CaseError:
        return {}


def _write(folder: Path, name: str, data: Mapping[str, Any], model: Any) -> None:
    import tomlkit
    from pydantic import ValidationError

    try:
        model.model_validate(dict(data))
    except ValidationError as error:
        raise CaseError(name, problems_of(error, dict(data), model)) from None
    place = evidence_folder(folder)
    place.mkdir(exist_ok=True)
    write_atomically(place / name, tomlkit.dumps(dict(data)))
