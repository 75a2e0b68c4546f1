"""What people type, as numbers: one number, a range with how sure they are, low / likely / high, or counts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from models import units
from models.elicitation import ElicitationError
from models.uncertainty import Uncertain, belief_of
from scenarios.interview.questions import Field
from scenarios.problems import nearest
from simulator.clock import DAY

UNKNOWN = frozenset({"", "?", "-", "don't know", "dont know", "do not know", "don’t know", "unknown", "n/a", "no idea"})
"""What says that an answer is left open."""
USUAL_MASS = 0.8
"""How sure one is of a range if nothing is said."""
_SURE = re.compile(r"[\s,;(]*\b(\d+(?:\.\d+)?)\s*%\s*(?:sure|certain|confident)\s*\)?\s*$", re.IGNORECASE)
_NEVER = re.compile(r"[\s,;(]*\b(?:never outside|absolute limits?)\s*\)?\s*$", re.IGNORECASE)
_RANGE = re.compile(r"\s+to\s+|\s*(?:–|—|…|\.\.\.)\s*|(?<=[\d%a-zA-Z])\s*-\s*(?=[\d.])")
_SHARE_OF = re.compile(r"(\d+(?:\.\d+)?)\s*%\s+(?:out\s+)?of\s+(\d+)", re.IGNORECASE)
_COUNTS = re.compile(r"(\d+)\s+(?:out\s+)?of\s+(\d+)", re.IGNORECASE)
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
_WORDS = {
    "percent": "%",
    "per cent": "%",
    "pct": "%",
    "working days": "wd",
    "working day": "wd",
    "business days": "wd",
    "months": "month",
}
MOST_DIGITS = 12
MOST_DAYS = 10_000
MOST_NUMBER = 1e12
"""What no company's process reaches; beyond it numbers leave what can be computed with."""
LEAST_SECONDS, LEAST_NUMBER = 0.001, 1e-9
"""Above 0, nothing smaller has a meaning."""
FORMS_TEXT = 'write one number, a range "5 to 10 (80 % sure)", or low / likely / high "5 / 7 / 10"'
WORKING = "wd"


class AnswerError(ValueError):
    """An answer that cannot be used, in one plain line."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number as somebody knows it, in base units (seconds, shares, plain): fixed, or from `low` over `likely` to `high`.

    `unit`: in which it is written back · `counts`: right and tried · `working`: counted in working days
    `sure_said`: whether it was said how sure one is of the range
    """

    text: str
    dimension: str
    likely: float
    low: float | None = None
    high: float | None = None
    mass: float = USUAL_MASS
    unit: str = ""
    counts: tuple[int, int] | None = None
    working: bool = False
    sure_said: bool = True

    @property
    def is_range(self) -> bool:
        return self.low is not None

    @property
    def middle(self) -> float:
        """Its median in base units."""
        return self.uncertain().median

    def stated(self) -> dict[str, Any]:
        """The fields of a case file."""
        if self.counts is not None:
            return {"right": self.counts[0], "tried": self.counts[1]}
        if self.low is None or self.high is None:
            return {"value": self.shown(self.likely)}
        numbers = {"low": self.low, "likely": self.likely, "high": self.high}
        return {**{key: self.shown(x) for key, x in numbers.items()}, "mass": self.mass}

    def shown(self, value: float) -> float | int | str:
        """A value in base units as a case file states it."""
        if self.dimension == "duration":
            return f"{_plain(value / units.SECONDS_PER_UNIT[self.unit])} {self.unit}"
        if self.dimension == "money":
            return f"{_plain(value)} {self.unit}".rstrip()
        return _number(value)

    def in_words(self) -> str:
        """As it was understood: `14 d`, `70 % to 80 % (90 % sure)`, `5 d / 7 d / 10 d (80 % sure)`."""
        if self.counts is not None:
            return f"{self.counts[0]:,} of {self.counts[1]:,}"
        if self.dimension == "money":
            return self.text
        if self.low is None or self.high is None:
            return self._worded(self.likely)
        ends = [self._worded(self.low), self._worded(self.high)]
        middle = " / ".join((ends[0], self._worded(self.likely), ends[1])) if "/" in self.text else " to ".join(ends)
        return f"{middle} ({100 * self.mass:g} % sure)"

    def _worded(self, value: float) -> str:
        if self.dimension in ("share", "accuracy"):
            return f"{100 * value:.6g} %"
        if self.dimension == "number":
            return f"{value:,.6g}"
        return str(self.shown(value)).replace(" d", " working days") if self.working else str(self.shown(value))

    def uncertain(self) -> Uncertain:
        """Its quantile function. Raises ElicitationError or UnitError."""
        return belief_of(self.dimension, {"mass": 0.9, "effective": 1.0, **self.stated()})

    def mapped(self, change: Callable[[float], float], dimension: str | None = None) -> Estimate:
        """The same knowledge of another number; `change` may turn high into low. Counts become their share."""
        ends = [None if x is None else change(x) for x in (self.low, self.high)]
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            ends.reverse()
        return replace(
            self, likely=change(self.likely), low=ends[0], high=ends[1], counts=None, dimension=dimension or self.dimension
        )

    def fixed(self, value: float) -> Estimate:
        """One value in place of the range."""
        return replace(self, likely=value, low=None, high=None, counts=None)


def _plain(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def _number(value: float) -> float | int:
    rounded = float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) > 1 else rounded


def is_open(text: str) -> bool:
    """Whether an answer says "don't know"."""
    return text.strip().lower().rstrip(".") in UNKNOWN


def estimate(text: str, dimension: str, single: bool = False) -> Estimate:
    """Reads a number, a range or low / likely / high. Raises AnswerError."""
    body, mass = _sureness(text.strip())
    counted = _COUNTS.fullmatch(body)
    if counted:
        return _counts(text, dimension, _count(counted[1]), _count(counted[2]), single)
    share_of = _SHARE_OF.fullmatch(body)
    if share_of:
        tried = _count(share_of[2])
        return _counts(text, dimension, round(_per_cent(share_of[1]) * tried), tried, single)
    numbers, unit, working = _numbers(_pieces(body), dimension)
    _check_size(numbers, dimension)
    if len(numbers) == 1:
        if mass is not None:
            raise AnswerError(f"how sure one is belongs to a range; {FORMS_TEXT}")
        found = Estimate(text, dimension, numbers[0], unit=unit, working=working)
    elif single:
        raise AnswerError("one number is needed here, not a range")
    else:
        low, high = numbers[0], numbers[-1]
        share = USUAL_MASS if mass is None else mass
        likely = numbers[1] if len(numbers) == 3 else _likely(dimension, low, high, share)
        found = Estimate(text, dimension, likely, low, high, share, unit, None, working, mass is not None)
    return _possible(found)


def _check_size(numbers: list[float], dimension: str) -> None:
    """Raises AnswerError for a number that no process has."""
    if dimension in ("share", "accuracy"):
        return  # from 0 to 1 already
    largest, smallest = max(map(abs, numbers)), min((abs(x) for x in numbers if x), default=math.inf)
    if dimension == "duration":
        if largest > MOST_DAYS * DAY:
            raise AnswerError(f"is longer than {MOST_DAYS:,} days, the most that can be said here")
        if smallest < LEAST_SECONDS:
            raise AnswerError(f"is shorter than {LEAST_SECONDS:g} s; write 0 for no time at all")
    elif largest > MOST_NUMBER:
        raise AnswerError(f"is more than {MOST_NUMBER:,.0f}, the most that can be said here")
    elif smallest < LEAST_NUMBER:
        raise AnswerError("is too small a number; write 0 for none")


def _possible(found: Estimate) -> Estimate:
    try:
        found.uncertain()
    except (ElicitationError, units.UnitError) as error:
        raise AnswerError(str(error)) from None
    if found.dimension in ("number", "money") and (found.likely if found.low is None else found.low) < 0:
        raise AnswerError("must not be negative")
    return found


def _count(digits: str) -> int:
    """Digits as a whole number; one with more digits than can be computed with is refused by its length."""
    if len(digits) > MOST_DIGITS:
        raise AnswerError(f"holds a number that is too long; a count has at most {MOST_DIGITS} digits")
    return int(digits)


def _per_cent(digits: str) -> float:
    share = float(digits) / 100
    if share > 1:
        raise AnswerError(f"{digits[:20]} % of a number is impossible; a share lies between 0 and 100 %")
    return share


def _counts(text: str, dimension: str, right: int, tried: int, single: bool) -> Estimate:
    if dimension not in ("share", "accuracy"):
        raise AnswerError(f"counts describe a share; {FORMS_TEXT}")
    if tried == 0 or right > tried:
        raise AnswerError(f"{right} of {tried} is impossible")
    counts = None if single else (right, tried)
    return _possible(Estimate(text, dimension, right / tried, counts=counts))


def _sureness(text: str) -> tuple[str, float | None]:
    """The answer without how sure one is, and that as a probability."""
    never = _NEVER.search(text)
    if never:
        return text[: never.start()].strip(), 1.0
    sure = _SURE.search(text)
    if sure is None:
        return text, None
    mass = float(sure[1]) / 100
    if not 0 < mass <= 1:
        raise AnswerError("how sure you are lies above 0 and at most at 100 %")
    return text[: sure.start()].strip(), mass


def sure(text: str) -> float:
    """How sure somebody is, as a probability: `80 %`, `80` or `0.8`. Raises AnswerError."""
    plain = text.strip().removesuffix("sure").strip()
    try:
        found = estimate(plain if "%" in plain or not plain.isdecimal() else f"{plain} %", "share", single=True).likely
    except AnswerError:
        found = 0.0
    if not found > 0:
        raise AnswerError(f'"{text.strip()[:40]}" does not say how sure; write 80 %, 90 %, or 100 % for never outside')
    return found


def _pieces(text: str) -> list[str]:
    body = re.sub(r"^between\s+(.*?)\s+and\s+", r"\1 to ", text.replace("−", "-"), flags=re.IGNORECASE)
    pieces = body.split("/") if "/" in body else _RANGE.split(body, maxsplit=1)
    if len(pieces) not in (1, 3) and "/" in body:
        raise AnswerError(f"low / likely / high are three numbers; {FORMS_TEXT}")
    return [piece.strip() for piece in pieces]


def _numbers(pieces: list[str], dimension: str) -> tuple[list[float], str, bool]:
    """Values in base units, the unit to write them back in, and whether they are working days."""
    read = [_split(piece, dimension) for piece in pieces]
    last = next((unit for _, unit in reversed(read) if unit), "")
    if dimension in ("share", "accuracy"):
        return _shares([number for number, _ in read], {unit for _, unit in read if unit}), "", False
    if dimension == "number":
        if last:
            raise AnswerError(f'a plain number is expected here, without "{last}"')
        return [number for number, _ in read], "", False
    if dimension == "money":
        if any(unit and not re.fullmatch(r"[A-Z]{3}", unit) for _, unit in read):
            raise AnswerError(f'"{last}" is no currency; write three capital letters, for example 9.40 USD')
        if len({unit for _, unit in read if unit}) > 1:
            raise AnswerError("two currencies in one answer")
        return [number for number, _ in read], last, False
    own = [unit or last or "d" for _, unit in read]
    unknown = next((unit for unit in own if unit not in units.SECONDS_PER_UNIT), None)
    if unknown is not None:
        raise AnswerError(f'unknown unit of time "{unknown}"; use min, h, d, weeks or working days')
    if WORKING in own and len(set(own)) > 1:
        raise AnswerError("working days and other units in one answer")
    if any(number < 0 for number, _ in read):
        raise AnswerError("a time cannot be negative")
    seconds = [number * _seconds_of(unit) for (number, _), unit in zip(read, own, strict=True)]
    return seconds, "d" if WORKING in own else own[-1], WORKING in own


def _seconds_of(unit: str) -> float:
    """A working day counts as one day here; it becomes calendar days later, by the calendar of the case."""
    return DAY if unit == WORKING else units.SECONDS_PER_UNIT[unit]


def _split(piece: str, dimension: str) -> tuple[float, str]:
    if piece[:1] in _SYMBOLS and dimension == "money":
        piece = f"{piece[1:].strip()} {_SYMBOLS[piece[0]]}"
    try:
        number, unit = units.split(piece)
        if any(c.isdigit() for c in unit):
            raise units.NumberError(piece)
    except units.UnitError as error:
        comma = "; decimals take a point, thousands no separator" if "," in piece else ""
        said = "too large" if isinstance(error, units.RangeError) else "not a number"
        raise AnswerError(f'"{piece[:40]}" is {said}{comma or f"; {FORMS_TEXT}"}') from None
    plain = _WORDS.get(unit.lower(), unit)
    return number, plain if dimension == "money" else plain.lower()


def _shares(numbers: list[float], found: set[str]) -> list[float]:
    """Shares from 0 to 1. Without a unit, numbers above 1 are per cent; a 1 alone could be either."""
    if found - {"%"}:
        raise AnswerError(f'"{sorted(found - {"%"})[0]}" is no unit of a share; write 8 %')
    if not found and max(numbers) == 1:
        raise AnswerError('is 1 meant as "1 %" or as "100 %"? Write the per cent sign')
    shares = [n / 100 if found or max(numbers) > 1 else n for n in numbers]
    if any(not 0 <= x <= 1 for x in shares):
        raise AnswerError("a share lies between 0 and 100 %")
    return shares


def _likely(dimension: str, low: float, high: float, mass: float) -> float:
    """The most likely value of a range that names none: where both tails are equal; in the middle where that says nothing."""
    from scipy.special import expit, logit, ndtri

    middle = 0.5 * (low + high)
    if not low < high or mass == 1:
        return middle
    if dimension == "accuracy":
        return float(expit(0.5 * (logit(low) + logit(high)))) if low > 0 and high < 1 else middle
    if dimension == "share" or low <= 0:
        return middle
    sigma = math.log(high / low) / (2 * float(ndtri(0.5 + mass / 2)))
    mode = math.sqrt(low * high) * math.exp(-sigma * sigma)
    return mode if low < mode else middle


# -- the other kinds of answers


def whole(text: str, least: int, most: int) -> int:
    """A whole number between two limits. Raises AnswerError."""
    plain = text.strip().replace(" ", "").replace("_", "")
    if not re.fullmatch(r"\d+", plain):
        raise AnswerError(f'"{text.strip()[:40]}" is not a whole number; write for example 12')
    if len(plain) > 15 or int(plain) > most:
        raise AnswerError(f"is more than {most:,}, the most that can be said here")
    if int(plain) < least:
        raise AnswerError(f"must be at least {least}")
    return int(plain)


def choice(text: str, field: Field) -> str:
    """One of the field's choices: by name, by words or by its number from 1. Raises AnswerError."""
    plain = text.strip().lower()
    by_number = next((c for number, c in enumerate(field.choices, 1) if plain.lstrip("0") == str(number)), None)
    if by_number is not None:
        return by_number.id
    exact = [c.id for c in field.choices if plain in (c.id, c.words.lower())]
    starts = exact or [c.id for c in field.choices if plain and (c.id.startswith(plain) or c.words.lower().startswith(plain))]
    if len(starts) != 1:
        listed = ", ".join(f"{i} {c.words}" for i, c in enumerate(field.choices, 1))
        raise AnswerError(f'"{text.strip()[:40]}" is none of: {listed}')
    return starts[0]


def several(text: str, field: Field) -> tuple[str, ...]:
    """Some of the field's choices, separated by commas, or "none". Raises AnswerError."""
    if text.strip().lower() in ("none", "0"):
        return ()
    return tuple(dict.fromkeys(choice(part, field) for part in re.split(r"[,;]|\s+and\s+", text) if part.strip()))


def yes_no(text: str) -> bool:
    """Yes or no. Raises AnswerError."""
    plain = text.strip().lower()
    if plain in ("y", "yes", "true", "1", "x"):
        return True
    if plain in ("n", "no", "false", "0"):
        return False
    raise AnswerError(f'"{text.strip()[:40]}" is neither yes nor no')


def weeks(text: str) -> tuple[int, int]:
    """First and last week. Raises AnswerError."""
    found = re.fullmatch(r"\s*(\d{1,3})\s*(?:to|-|–|…)\s*(\d{1,3})\s*", text)
    if not found:
        raise AnswerError("write the first and the last week: 13 to 26")
    first, last = int(found[1]), int(found[2])
    if not 1 <= first <= last <= 260:
        raise AnswerError("weeks run from 1 to 260, the first before the last")
    return first, last


def monday(text: str) -> date:
    """A Monday. Raises AnswerError that names the nearest."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise AnswerError("write the date as 2027-01-04") from None
    if not 1990 <= day.year <= 2100:
        raise AnswerError("must lie between 1990 and 2100")
    if day.weekday():
        raise AnswerError(f"is a {day:%A}; weeks are counted from a Monday such as {day - timedelta(days=day.weekday())}")
    return day


def rates(text: str) -> tuple[tuple[str, Estimate], ...]:
    """Amounts by team; the team "" stands for all. Raises AnswerError."""
    found: list[tuple[str, Estimate]] = []
    for part in re.split(r";|,(?=\s*[^\W\d])", text):
        name, colon, amount = part.rpartition(":")
        if not amount.strip():
            continue
        found.append((name.strip(), estimate(amount, "money")))
        if colon and not name.strip():
            raise AnswerError("a colon needs the name of a team before it")
    names = [name for name, _ in found]
    if not found or len(set(names)) < len(names) or ("" in names and len(names) > 1):
        raise AnswerError("write one amount for all (40 USD), or one a team (data entry: 32 USD; AP lead: 60 USD)")
    return tuple(found)


def known_choice(text: str, names: dict[str, str]) -> str:
    """The id whose name or id was said. Raises AnswerError with the nearest."""
    plain = text.strip().lower()
    for key, label in names.items():
        if plain in (key.lower(), label.lower()):
            return key
    raise AnswerError(f'no "{text.strip()[:40]}"; {nearest(text.strip(), names)}')
