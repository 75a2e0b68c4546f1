"""Values with units: `"45 min"`, `"8 %"`, `"9.40 USD"`.

A duration without a unit is an error: nobody can tell minutes from hours afterwards. Results are SI-like: seconds, shares, plain numbers.
"""

from __future__ import annotations

import re

SECONDS_PER_UNIT = {
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "days": 86_400.0,
    "week": 604_800.0,
    "weeks": 604_800.0,
    "wd": 28_800.0,
}
"""`wd` is a working day of 8 working hours; it only makes sense on a calendar's clock."""

_QUANTITY = re.compile(r"\s*([-+]?(?:\d+(?:[_ ]\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d].*)?\s*")


class UnitError(ValueError):
    """A value whose unit is missing or of the wrong kind."""


def split(text: str) -> tuple[float, str]:
    """Number and unit of a text such as `"45 min"`. Raises UnitError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UnitError(f'"{text}" is not a number with a unit')
    return float(match[1].replace("_", "").replace(" ", "")), (match[2] or "").strip()


def seconds(value: object) -> float:
    """A duration in seconds. Raises UnitError without a unit, with a foreign one, or if negative."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f'{value!r} is not a duration; write for example "45 min"')
    number, unit = split(value) if isinstance(value, str) else (float(value), "")
    if unit == "" and number != 0:
        raise UnitError(f'"{value}" has no unit; write "{value} min", "{value} h" or "{value} d"')
    if unit and unit not in SECONDS_PER_UNIT:
        raise UnitError(f'"{value}": unknown unit of time "{unit}"; use one of {", ".join(SECONDS_PER_UNIT)}')
    if number < 0:
        raise UnitError(f'"{value}" is negative; a duration cannot be')
    return number * SECONDS_PER_UNIT.get(unit, 1.0)


def share(value: object) -> float:
    """A share between 0 and 1, from a number or a percentage. Raises UnitError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f'{value!r} is not a share; write 0.08 or "8 %"')
    number, unit = split(value) if isinstance(value, str) else (float(value), "")
    if unit not in ("", "%"):
        raise UnitError(f'"{value}": a share is a number from 0 to 1 or a percentage')
    number = number / 100 if unit == "%" else number
    if not 0 <= number <= 1:
        raise UnitError(f'"{value}" lies outside 0 to 1; for per cent write "{value} %"')
    return number


def number(value: object) -> float:
    """A plain number. Raises UnitError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f"{value!r} is not a number")
    result, unit = split(value) if isinstance(value, str) else (float(value), "")
    if unit:
        raise UnitError(f'"{value}": a plain number is expected here, without "{unit}"')
    return result


def money(value: object) -> float:
    """An amount; a currency code after it is allowed (`"9.40 USD"`) and must be the case's. Raises UnitError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f'{value!r} is not an amount; write for example "9.40 USD"')
    result, unit = split(value) if isinstance(value, str) else (float(value), "")
    if unit and not re.fullmatch(r"[A-Z]{3}", unit):
        raise UnitError(f'"{value}": a currency is three capital letters, for example "USD"')
    return result


def days_text(amount_seconds: float) -> str:
    """Seconds as `"7.0 d"`."""
    return f"{amount_seconds / 86_400:.1f} d"
