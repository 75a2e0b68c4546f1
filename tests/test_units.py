"""Values with units: every accepted spelling, every refusal with a message that says what would be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45 min", 2_700.0),
        ("45min", 2_700.0),
        ("1.5 h", 5_400.0),
        (".5 h", 1_800.0),
        ("2 d", 172_800.0),
        ("1 week", 604_800.0),
        ("2 weeks", 1_209_600.0),
        ("3 wd", 86_400.0),
        ("90 s", 90.0),
        ("1 day", 86_400.0),
        ("2 hours", 7_200.0),
        ("1e3 s", 1_000.0),
        ("1_000 s", 1_000.0),
        ("0", 0.0),
        (0, 0.0),
    ],
)
def test_durations(text, seconds):
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("45", 'write "45 min", "45 h" or "45 d"'),
        (45, 'write "45 min"'),
        ("45 apples", 'unknown unit of time "apples"'),
        ("45 %", "unknown unit of time"),
        ("1,5 h", "decimals take a point"),
        ("1,000 s", "thousands no separator"),
        ("h", "not a number with a unit"),
        ("", "not a number with a unit"),
        (True, "is not a duration"),
        (None, "is not a duration"),
    ],
)
def test_durations_without_a_known_unit_are_refused(value, says):
    with pytest.raises(units.UnitError, match=says.replace("(", r"\(")) as caught:
        units.seconds(value)
    assert not isinstance(caught.value, units.RangeError)


@pytest.mark.parametrize("value", ["-1 h", "1e999 s", float("inf"), "1e305 weeks"])
def test_impossible_durations(value):
    with pytest.raises(units.RangeError):
        units.seconds(value)


@pytest.mark.parametrize(("value", "share"), [(0.08, 0.08), ("8 %", 0.08), ("8%", 0.08), ("0.08", 0.08), (1, 1.0), (0, 0.0)])
def test_shares(value, share):
    assert units.share(value) == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize("value", [1.01, "101 %", -0.1, "-3 %"])
def test_shares_outside_0_to_1(value):
    with pytest.raises(units.RangeError, match="outside 0 to 1"):
        units.share(value)


def test_a_share_above_1_is_perhaps_a_percentage():
    with pytest.raises(units.RangeError, match='for per cent write "8 %"'):
        units.share(8)


@pytest.mark.parametrize("value", ["8 h", "8 percent", "x"])
def test_shares_with_a_foreign_unit(value):
    with pytest.raises(units.UnitError):
        units.share(value)


def test_numbers_have_no_unit():
    assert units.number("2.5") == 2.5
    assert units.number(-3) == -3.0
    with pytest.raises(units.UnitError, match='without "h"'):
        units.number("3 h")


@pytest.mark.parametrize(
    ("value", "amount", "code"), [("9.40 USD", 9.4, "USD"), (9.4, 9.4, ""), ("7", 7.0, ""), ("1 000 EUR", 1_000.0, "EUR")]
)
def test_money(value, amount, code):
    assert units.money(value) == amount
    assert units.currency(value) == code


@pytest.mark.parametrize("value", ["9.40 $", "9.40 usd", "9.40 h", False])
def test_money_in_no_currency(value):
    with pytest.raises(units.UnitError):
        units.money(value)


@pytest.mark.parametrize(("seconds", "text"), [(90, "90 s"), (330, "5.5 min"), (43_200, "12 h"), (259_200, "3 d"), (0, "0 s")])
def test_durations_as_people_read_them(seconds, text):
    assert units.duration_text(seconds) == text


@given(st.floats(0.001, 1e6), st.sampled_from(sorted(units.SECONDS_PER_UNIT)))
def test_every_unit_multiplies_by_its_seconds(number, unit):
    assert units.seconds(f"{number!r} {unit}") == pytest.approx(number * units.SECONDS_PER_UNIT[unit], rel=1e-12)


@given(st.floats(0.01, 1e8))
def test_what_is_shown_can_be_read_back(seconds):
    assert units.seconds(units.duration_text(seconds)) == pytest.approx(seconds, rel=1e-3)
