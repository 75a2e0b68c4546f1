"""Values with units: `"45 min"`, `"8 %"`, `"9.40 USD"`.

A duration without a unit is an error: nobody can tell minutes from hours afterwards. Results are SI-like: seconds, shares, plain numbers.
"""

from __future__ import annotations

import math
import re

SECONDS_PER_UNIT = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3_600.0,
    "hour": 3_600.0,
    "hours": 3_600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "days": 86_400.0,
    "week": 604_800.0,
    "weeks": 604_800.0,
    "wd": 28_800.0,
}
"""`wd` is a working day of 8 working hours; it only makes sense on a calendar's clock."""
UNITS_TEXT = "s, min, h, d, weeks, or wd for working days of 8 hours"

_QUANTITY = re.compile(r"\s*([-+]?(?:\d+(?:[_ ]\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d].*)?\s*")


class UnitError(ValueError):
    """A value whose unit is missing or of the wrong kind."""


class RangeError(UnitError):
    """A value whose unit is right but whose number is impossible."""


class NumberError(UnitError):
    """A value that is no number at all."""


def split(text: str) -> tuple[float, str]:
    """Number and unit of a text such as `"45 min"`. Raises NumberError."""
    match = _QUANTITY.fullmatch(text)
    if match is None or "," in (match[2] or ""):
        comma = "; decimals take a point, thousands no separator" if "," in text else ""
        raise NumberError(f'"{text[:60]}" is not a number with a unit{comma}')
    return _finite(float(match[1].replace("_", "").replace(" ", ""))), (match[2] or "").strip()


def _read(value: object, example: str, text_example: str = "") -> tuple[float, str]:
    """Number and unit of a plain number or a text. Raises UnitError; the examples say what would be right."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NumberError(f"{value!r} is not {example}")
    if not isinstance(value, str):
        return _finite(float(value)), ""
    try:
        return split(value)
    except NumberError:
        if "," in value:
            raise
        raise NumberError(f'"{value[:60]}" is not {text_example or example}') from None


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise RangeError("is not a finite number")
    return number


def _shown(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def seconds(value: object) -> float:
    """A duration in seconds. Raises UnitError without a unit or with a foreign one, RangeError if negative."""
    number, unit = _read(value, 'a duration; write for example "45 min"', 'a number with a unit such as "45 min"')
    shown = _shown(value)
    if unit == "" and number != 0:
        raise UnitError(f'"{shown}" has no unit; write "{shown} min", "{shown} h" or "{shown} d"')
    if unit and unit not in SECONDS_PER_UNIT:
        raise UnitError(f'"{shown}": unknown unit of time "{unit}"; use {UNITS_TEXT}')
    if number < 0:
        raise RangeError(f'"{shown}" is negative; a duration cannot be')
    return _finite(number * SECONDS_PER_UNIT.get(unit, 1.0))


def share(value: object) -> float:
    """A share between 0 and 1, from a number or a percentage. Raises UnitError, RangeError."""
    number, unit = _read(value, 'a share; write 0.08 or "8 %"')
    shown = _shown(value)
    if unit not in ("", "%"):
        raise UnitError(f'"{shown}": a share is a number from 0 to 1 or a percentage')
    number = number / 100 if unit == "%" else number
    if not 0 <= number <= 1:
        hint = f'; for per cent write "{shown} %"' if unit == "" and 1 < number <= 100 else ""
        raise RangeError(f'"{shown}" lies outside 0 to 1{hint}')
    return number


def number(value: object) -> float:
    """A plain number. Raises UnitError."""
    result, unit = _read(value, "a number")
    if unit:
        raise UnitError(f'"{value}": a plain number is expected here, without "{unit}"')
    return result


def money(value: object) -> float:
    """An amount; a currency code after it is allowed (`"9.40 USD"`). Raises UnitError."""
    result, unit = _read(value, 'an amount; write for example "9.40 USD"')
    if unit and not re.fullmatch(r"[A-Z]{3}", unit):
        raise UnitError(f'"{value}": a currency is three capital letters, for example "USD"')
    return result


def currency(value: object) -> str:
    """The currency code of an amount, "" without one."""
    return split(value)[1] if isinstance(value, str) else ""


def duration_text(amount_seconds: float) -> str:
    """Seconds in the unit that reads best: `"90 s"`, `"5.5 min"`, `"12 h"`, `"3 d"`."""
    for unit, least in (("d", 129_600.0), ("h", 5_400.0), ("min", 100.0)):
        whole = amount_seconds and amount_seconds % SECONDS_PER_UNIT[unit] == 0
        if whole or abs(amount_seconds) >= least:
            return f"{amount_seconds / SECONDS_PER_UNIT[unit]:.4g} {unit}"
    return f"{amount_seconds:.4g} s"


def text(dimension: str, value: float) -> str:
    """A value in base units as people read it, without a currency."""
    if dimension == "duration":
        return duration_text(value)
    return f"{100 * value:.4g} %" if dimension in ("share", "accuracy") else f"{value:.6g}"
