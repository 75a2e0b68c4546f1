"""E13 and around it: calendars are windows [start, end), working time adds up, weekends and holidays do not count."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.clock import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    WEEK,
    Calendar,
    always,
    parse_hours,
    public_holidays,
    week_index,
    weekly,
)

GO_LIVE = date(2026, 1, 5)  # a Monday
OFFICE = {day: [(9 * HOUR, 17 * HOUR)] for day in ("mon", "tue", "wed", "thu", "fri")}
MON, TUE, WED, THU, FRI, SAT, SUN = (k * DAY for k in range(7))


def office(weeks: int = 4, closed: frozenset[date] = frozenset()) -> Calendar:
    return weekly(OFFICE, GO_LIVE, 0, weeks * WEEK, closed, "office")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """One to eight windows of 1 to 50 seconds, touching or up to 50 seconds apart, before and after go-live."""
    pieces = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=8))
    now, windows = draw(st.integers(-200, 50)), []
    for gap, length in pieces:
        windows.append((now + gap, now + gap + length))
        now += gap + length
    return Calendar.of(windows)


# Working time


def test_four_hours_of_work_from_friday_16_end_on_monday_at_12() -> None:
    assert office().add(FRI + 16 * HOUR, 4 * HOUR) == WEEK + MON + 12 * HOUR


def test_three_hours_begun_while_the_office_is_closed_count_from_the_next_opening() -> None:
    assert office().add(SAT + 11 * HOUR, 3 * HOUR) == WEEK + MON + 12 * HOUR
    assert office().add(TUE + 6 * HOUR, 3 * HOUR) == TUE + 12 * HOUR


def test_work_may_end_at_a_closing_hour_and_cannot_start_there() -> None:
    calendar = office()
    assert calendar.add(FRI + 16 * HOUR, 1 * HOUR) == FRI + 17 * HOUR
    assert calendar.next_open(FRI + 17 * HOUR) == WEEK + MON + 9 * HOUR
    assert calendar.add(FRI + 17 * HOUR, 1) == WEEK + MON + 9 * HOUR + 1


def test_no_work_ends_at_once_open_or_closed() -> None:
    assert office().add(SUN + 3 * HOUR, 0) == SUN + 3 * HOUR
    assert office().add(TUE + 10 * HOUR, 0) == TUE + 10 * HOUR


def test_a_week_of_the_office_has_40_hours_and_the_weekend_none() -> None:
    calendar = office()
    assert calendar.open_between(0, WEEK) == 40 * HOUR
    assert calendar.open_between(FRI + 17 * HOUR, WEEK + MON + 9 * HOUR) == 0
    assert calendar.open_between(FRI + 16 * HOUR, WEEK + MON + 12 * HOUR) == 4 * HOUR
    assert calendar.add(0, 40 * HOUR) == FRI + 17 * HOUR
    assert calendar.add(0, 40 * HOUR + 1) == WEEK + MON + 9 * HOUR + 1


def test_work_longer_than_the_table_of_windows_never_ends() -> None:
    calendar = office(weeks=1)
    assert calendar.add(0, 40 * HOUR) == FRI + 17 * HOUR
    assert calendar.add(0, 40 * HOUR + 1) == NEVER
    assert calendar.next_open(FRI + 17 * HOUR) == NEVER


def test_a_window_holds_its_start_and_not_its_end() -> None:
    calendar = Calendar.of([(10, 20), (30, 40)])
    assert [calendar.is_open(t) for t in (9, 10, 19, 20, 29, 30, 39, 40)] == [
        False, True, True, False, False, True, True, False,
    ]  # fmt: skip
    assert [calendar.next_open(t) for t in (9, 10, 19, 20, 30, 39)] == [10, 10, 19, 30, 30, 39]
    assert calendar.end_of(10) == calendar.end_of(19) == 20


def test_the_age_of_data_runs_from_the_latest_window_start() -> None:
    calendar = Calendar.of([(10, 20), (30, 40)])
    assert [calendar.age(t) for t in (5, 10, 15, 25, 29, 30, 99)] == [0, 0, 5, 15, 19, 0, 69]


# Patterns, holidays, go-live


def test_a_lunch_break_splits_the_day() -> None:
    hours = {"mon": [parse_hours("09:00-12:00"), parse_hours("13:00-17:30")]}
    calendar = weekly(hours, GO_LIVE, 0, 2 * WEEK)
    assert calendar.starts == (9 * HOUR, 13 * HOUR, WEEK + 9 * HOUR, WEEK + 13 * HOUR)
    assert calendar.add(11 * HOUR, 2 * HOUR) == 14 * HOUR


def test_a_night_shift_of_two_touching_windows_is_one_window() -> None:
    calendar = weekly({"mon": [(22 * HOUR, DAY)], "tue": [(0, 6 * HOUR)]}, GO_LIVE, 0, WEEK)
    assert (calendar.starts, calendar.ends) == ((22 * HOUR,), (DAY + 6 * HOUR,))


def test_the_calendar_is_cut_at_the_begin_and_the_stop_of_the_run() -> None:
    calendar = weekly(OFFICE, GO_LIVE, -3 * DAY + 10 * HOUR, 12 * HOUR)
    assert list(zip(calendar.starts, calendar.ends, strict=True)) == [
        (-3 * DAY + 10 * HOUR, -3 * DAY + 17 * HOUR),  # the Friday before go-live
        (9 * HOUR, 12 * HOUR),
    ]


def test_new_year_and_epiphany_close_a_german_office_but_only_in_the_south() -> None:
    first, last = date(2025, 12, 29), date(2026, 1, 11)
    assert public_holidays("DE", None, first, last) == {date(2026, 1, 1)}
    assert public_holidays("DE", "BY", first, last) == {date(2026, 1, 1), date(2026, 1, 6)}


def test_work_skips_a_holiday() -> None:
    closed = public_holidays("DE", "BY", date(2026, 1, 5), date(2026, 1, 11))
    calendar = office(closed=closed)
    assert calendar.add(MON + 16 * HOUR, 2 * HOUR) == WED + 10 * HOUR
    assert calendar.open_between(0, WEEK) == 32 * HOUR


def test_good_friday_and_easter_monday_make_a_weekend_of_four_days() -> None:
    go_live = date(2026, 3, 30)
    closed = public_holidays("DE", None, go_live, date(2026, 4, 12))
    calendar = weekly(OFFICE, go_live, 0, 2 * WEEK, closed)
    assert closed == {date(2026, 4, 3), date(2026, 4, 6)}
    assert calendar.add(THU + 16 * HOUR, 4 * HOUR) == WEEK + TUE + 12 * HOUR


def test_the_night_of_the_clock_change_has_24_hours_by_design() -> None:
    calendar = weekly({"sun": [(0, DAY)]}, date(2026, 3, 23), 0, WEEK)  # 29 March 2026: clocks go forward
    assert calendar.open_between(0, WEEK) == 24 * HOUR


def test_holidays_of_an_unknown_country_are_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match="no holidays are known for 'XX'"):
        public_holidays("XX", None, date(2026, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    "name", ["", "nl", "__init__", "country_holidays", "registry", "HolidayBase", "Netherlands", "DE-BY", "../NL"]
)
def test_a_name_that_is_no_country_code_is_refused_with_the_remedy(name: str) -> None:
    """Some of them are names inside the package `holidays`."""
    with pytest.raises(ValueError, match=r'no holidays are known for .* use a code such as "NL" or "DE-BY"'):
        public_holidays(name, None, date(2026, 1, 1), date(2026, 12, 31))


def test_holidays_of_an_unknown_subdivision_are_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match="no holidays are known for 'DE' / 'QQ'"):
        public_holidays("DE", "QQ", date(2026, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(("second", "week"), [(-1, 0), (-10 * WEEK, 0), (0, 1), (WEEK - 1, 1), (WEEK, 2)])
def test_week_0_is_before_go_live_and_week_1_starts_with_it(second: int, week: int) -> None:
    assert week_index(second) == week


# Hours as text


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("09:00-17:30", (9 * HOUR, 17 * HOUR + 30 * MINUTE)),
        ("9:05-9:06", (9 * HOUR + 5 * MINUTE, 9 * HOUR + 6 * MINUTE)),
        (" 00:00-24:00 ", (0, DAY)),
    ],
)
def test_hours_are_seconds_after_midnight(text: str, window: tuple[int, int]) -> None:
    assert parse_hours(text) == window


@pytest.mark.parametrize("text", ["", "9-17", "09:00", "09:00 to 17:00", "09.00-17.00", "-09:00-17:00", "09:00-17:00h"])
def test_hours_in_another_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'are not of the form "09:00-17:00"'):
        parse_hours(text)


@pytest.mark.parametrize("text", ["17:00-09:00", "09:00-09:00", "22:00-24:01", "09:60-17:00", "09:00-25:00"])
def test_hours_that_do_not_run_forward_within_a_day_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must run forward within one day"):
        parse_hours(text)


# Windows


def test_windows_in_any_order_are_merged_and_empty_ones_dropped() -> None:
    calendar = Calendar.of([(30, 40), (10, 20), (20, 25), (5, 5), (35, 50)])
    assert (calendar.starts, calendar.ends) == ((10, 30), (25, 50))


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="calendar 'desk': a window ends before it starts"):
        Calendar((10,), (10,), "desk")


def test_overlapping_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="calendar 'desk': windows overlap or are not in order"):
        Calendar((0, 5), (10, 20), "desk")


def test_an_empty_calendar_is_never_open() -> None:
    calendar = Calendar.of([])
    assert (calendar.next_open(0), calendar.add(0, 1), calendar.add(0, 0)) == (NEVER, NEVER, 0)
    assert (calendar.open_between(-100, 100), calendar.age(5), calendar.is_open(0)) == (0, 0, False)


@given(calendars(), st.integers(-300, 700), st.integers(1, 200))
@settings(deadline=None)
def test_adding_working_time_and_counting_it_are_inverse(calendar: Calendar, start: int, work: int) -> None:
    end = calendar.add(start, work)
    assume(end != NEVER)
    assert calendar.open_between(start, end) == work
    assert calendar.open_between(start, end - 1) == work - 1  # it ends as soon as it can
    assert calendar.is_open(end - 1)


@given(calendars(), st.integers(-300, 700), st.integers(0, 100), st.integers(0, 100))
@settings(deadline=None)
def test_work_in_two_parts_ends_when_work_in_one_part_ends(calendar: Calendar, start: int, a: int, b: int) -> None:
    assume(b > 0)  # zero seconds of work end at once, also in closed time
    assert calendar.add(min(calendar.add(start, a), 10**6), b) == calendar.add(start, a + b)


@given(calendars(), st.integers(-300, 700), st.integers(0, 500))
@settings(deadline=None)
def test_open_time_is_the_number_of_open_seconds(calendar: Calendar, start: int, length: int) -> None:
    counted = sum(calendar.is_open(t) for t in range(start, start + length))
    assert calendar.open_between(start, start + length) == counted


@given(calendars(), st.integers(-300, 700))
@settings(deadline=None)
def test_the_next_opening_is_the_first_open_second_from_now(calendar: Calendar, second: int) -> None:
    expected = next((t for t in range(second, 1_000) if calendar.is_open(t)), NEVER)
    assert calendar.next_open(second) == expected


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_an_open_ended_calendar_is_plain_addition(start: int, work: int) -> None:
    assert always(-(10**6), 10**7).add(start, work) == start + work
