"""Numbers as people write them: decimal comma or point (decided for a column, never for a cell), per cent, amounts with a currency."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.evidence.raw import CellError
from scenarios.evidence.values import Parsed, shown, texts_of

_NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+\u2212])?\s*(?P<before>[A-Z]{3}|[€$£])?\s*(?P<sign2>[-+\u2212])?"
    r"(?P<body>\d[\d.,'\u2019\u00a0\u202f ]*|[.,]\d+)(?P<power>[eE][-+]?\d{1,3})?\s*(?P<after>%|[A-Z]{3}|[€$£])?(?P<trailing>-)?(?P<close>\))?",
    re.ASCII,
)
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP"}
_GROUPED = {sep: re.compile(rf"\d{{1,3}}(?:{re.escape(sep)}\d{{3}})+", re.ASCII) for sep in ".,"}
_BLANK_GROUPS = re.compile(r"\d{1,3}(?:['\u2019\u00a0\u202f ]\d{3})+(?=$|[.,])", re.ASCII)
MIXED = "gives some numbers a decimal comma and others a decimal point"


@dataclass(frozen=True, slots=True)
class _Text:
    """A number as it is written: digits with separators, what stands around it. `says`: the decimal sign that it proves, "" if none."""

    body: str
    negative: bool
    unit: str
    power: str
    says: str
    open: bool
    """Whether its one separator could be either."""


def parse_numbers(cells: Sequence[Any], kind: str, decimal: str) -> Parsed:
    """Numbers of a column of kind count, number, share or amount, NaN where a cell is empty; `decimal`: "." or "," if the file leaves it open."""
    values, wrong = np.full(len(cells), np.nan), dict[int, tuple[str, str, str]]()
    texts, units = dict[int, _Text](), [""] * len(cells)
    for i, cell in enumerate(cells):
        if isinstance(cell, str):
            found = _read(cell)
            if found is None:
                wrong[i] = ("E521", f"{shown(cell)} is not a number", _EXPECTED[kind])
            else:
                texts[i] = found
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            values[i] = _float(cell)
            if not math.isfinite(values[i]):
                wrong[i] = ("E521", f"{shown(cell)} is not a finite number", "leave the cell empty if nothing was recorded")
        elif cell is not None:
            wrong[i] = (
                "E521",
                cell.message if isinstance(cell, CellError) else f"{shown(cell)} is not a number",
                _EXPECTED[kind],
            )
    sign, column = _decimal_sign(texts, decimal)
    for i, text in texts.items():
        values[i], units[i] = _value(text, sign), text.unit
        if math.isnan(values[i]) and not column:
            wrong[i] = ("E521", f"{shown(cells[i])} is not a number", _EXPECTED[kind])
    if not column:
        _check(cells, kind, values, units, wrong)
    return Parsed(values, wrong, column, texts_of(["" if unit == "%" else unit for unit in units]))


_EXPECTED = {
    "count": "a whole number such as 12",
    "number": "a plain number such as 2.5",
    "share": 'a share from 0 to 1, or "8 %"',
    "amount": 'an amount such as 1234.50 or "1234.50 EUR"',
}


def _float(cell: int | float) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def _read(cell: str) -> _Text | None:
    match = _NUMBER.fullmatch(cell)
    if match is None or bool(match["open"]) != bool(match["close"]) or (match["before"] and match["after"]):
        return None
    signs = [s for s in (match["sign"], match["sign2"], match["trailing"]) if s]
    if len(signs) + bool(match["open"]) > 1:
        return None
    body = match["body"].rstrip()
    blank = _BLANK_GROUPS.match(body)
    if blank is not None:
        body = re.sub(r"[^0-9.,]", "", body)
    elif not re.fullmatch(r"[0-9.,]+", body):
        return None
    unit = match["before"] or match["after"] or ""
    says, is_open = _proof(body, blank is not None)
    return _Text(
        body,
        bool(match["open"]) or "-" in signs or "\u2212" in signs,
        _SYMBOLS.get(unit, unit),
        match["power"] or "",
        says,
        is_open,
    )


def _proof(body: str, grouped: bool) -> tuple[str, bool]:
    """The decimal sign that a number proves ("" = none), and whether its only separator could be either."""
    dots, commas = body.count("."), body.count(",")
    if dots and commas:
        return ("." if body.rfind(".") > body.rfind(",") else ","), False
    if dots + commas == 0:
        return "", False
    sign, other = (".", ",") if dots else (",", ".")
    if dots + commas > 1:
        return other, False
    whole, _, rest = body.partition(sign)
    if grouped or len(rest) != 3 or not 1 <= len(whole) <= 3 or whole == "0" or whole.startswith("0"):
        return sign, False
    return "", True


Whole = tuple[tuple[str, str, str, tuple[int, ...]], ...]


def _decimal_sign(texts: dict[int, _Text], stated: str) -> tuple[str, Whole]:
    """The decimal sign of the column, and the defect if it cannot be told or the cells contradict each other."""
    proofs = {sign: [i for i, text in texts.items() if text.says == sign] for sign in ".,"}
    if proofs["."] and proofs[","]:
        examples = (proofs["."][0], proofs[","][0])
        return ".", (("E523", MIXED, "write all numbers of the column alike", examples),)
    for sign, other in ((".", ","), (",", ".")):
        if proofs[sign]:
            if stated == other:
                remedy = f'correct decimal = "{other}" in settings.toml, or the column'
                return sign, (("E523", f'takes "{sign}" for decimals, settings.toml says "{other}"', remedy, (proofs[sign][0],)),)
            return sign, ()
    unclear = [i for i, text in texts.items() if text.open]
    if unclear and not stated:
        remedy = 'say in settings.toml how decimals are written: decimal = "." or decimal = ","'
        return ".", (("E523", "does not show whether its separator is for decimals or thousands", remedy, (unclear[0],)),)
    return stated or ".", ()


def _value(text: _Text, sign: str) -> float:
    """The number, NaN if its separators do not fit the decimal sign of the column."""
    other = "," if sign == "." else "."
    whole, found, rest = text.body.partition(sign)
    if other in whole:
        if not _GROUPED[other].fullmatch(whole):
            return math.nan
        whole = whole.replace(other, "")
    if other in rest or sign in rest or not (whole or rest):
        return math.nan
    try:
        value = float(f"{whole or '0'}{'.' if found else ''}{rest}{text.power}")
    except ValueError:
        return math.nan
    value = value / 100 if text.unit == "%" else value
    return -value if text.negative else value


def _check(cells: Sequence[Any], kind: str, values: Any, units: list[str], wrong: dict[int, tuple[str, str, str]]) -> None:
    """Whether each number can be what the column is about."""
    for i, unit in enumerate(units):
        if i in wrong or math.isnan(values[i]):
            continue
        value, cell = float(values[i]), shown(cells[i])
        if not math.isfinite(value):
            wrong[i] = ("E521", f"{cell} is not a finite number", _EXPECTED[kind])
        elif (unit == "%" and kind != "share") or (unit not in ("", "%") and kind != "amount"):
            wrong[i] = ("E521", f"{cell} is not a plain number", _EXPECTED[kind])
        elif kind == "count" and value != int(value):
            wrong[i] = ("E522", f"{cell} is not a whole number", _EXPECTED[kind])
        elif kind == "count" and not 0 <= value <= 1e12:
            wrong[i] = ("E522", f"{cell} cannot be counted", "a whole number from 0")
        elif kind == "share" and not 0 <= value <= 1:
            wrong[i] = ("E522", f"{cell} is not a share", _EXPECTED[kind])
        elif abs(value) > 1e15:
            wrong[i] = ("E522", f"{cell} is out of all proportion", _EXPECTED[kind])
