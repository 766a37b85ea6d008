from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.bitemporal import last_day
from domain.law import LawInvalid, load_calendars, parse_calendar
from domain.workdays import (
    CalendarYear,
    Workdays,
    add_months,
    begun_months,
    whole_months,
)

PUBLISHED = Workdays(load_calendars().values())
DAYS = st.dates(date(2003, 6, 1), date(2028, 6, 1))


@pytest.mark.parametrize(
    ("completed", "due"),
    [
        (date(2021, 9, 28), date(2021, 10, 11)),
        (date(2021, 9, 30), date(2021, 10, 13)),
        (date(2021, 2, 5), date(2021, 2, 18)),
        (date(2022, 1, 28), date(2022, 2, 9)),
        (date(2023, 9, 27), date(2023, 10, 10)),
    ],
)
def test_five_working_days(completed: date, due: date) -> None:
    assert PUBLISHED.add(completed, 5) == (due, due, False)
    assert PUBLISHED.count(completed, due) == (5, False)


def test_sundays_and_saturdays_can_be_worked() -> None:
    assert PUBLISHED.is_workday(date(2021, 2, 7))
    assert PUBLISHED.is_workday(date(2021, 10, 9))
    assert not PUBLISHED.is_workday(date(2021, 10, 10))
    assert not PUBLISHED.is_workday(date(2021, 10, 7))


def test_a_last_day_off_moves_to_the_next_working_day_and_both_are_shown() -> None:
    counted = date(2021, 9, 3) + timedelta(days=30)
    assert counted == date(2021, 10, 3)
    assert PUBLISHED.roll(counted) == (date(2021, 10, 8), date(2021, 10, 3), False)
    assert PUBLISHED.roll(date(2021, 10, 8)).due == date(2021, 10, 8)


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2021, 8, 31), 6, date(2022, 2, 28)),
        (date(2021, 9, 1), 2, date(2021, 11, 1)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2021, 11, 30), 2, date(2022, 1, 30)),
        (date(2022, 1, 31), -2, date(2021, 11, 30)),
    ],
)
def test_months_end_on_the_same_day_number_or_the_months_last(
    day: date, months: int, end: date
) -> None:
    assert add_months(day, months) == end


def test_a_term_ends_the_day_before_its_until() -> None:
    assert last_day(add_months(date(2021, 9, 1), 2)) == date(2021, 10, 31)


def test_an_unpublished_year_makes_an_answer_provisional() -> None:
    assert PUBLISHED.add(date(2026, 12, 24), 5) == (date(2026, 12, 31), date(2026, 12, 31), False)
    assert PUBLISHED.add(date(2026, 12, 24), 6).provisional
    assert PUBLISHED.count(date(2026, 12, 24), date(2027, 1, 4)).provisional
    assert PUBLISHED.roll(date(2027, 5, 3)).provisional
    assert not PUBLISHED.is_published(date(2027, 1, 1))
    only_2022 = Workdays([load_calendars()[2022]])
    assert only_2022.roll(date(2022, 12, 31)) == (date(2023, 1, 2), date(2022, 12, 31), True)


def test_an_amended_year_answers_anew() -> None:
    before = CalendarYear(year=2020, source="notice", holidays=frozenset(), workdays=frozenset())
    after = before.model_copy(update={"holidays": frozenset({date(2020, 1, 31)})})
    assert Workdays([before]).add(date(2020, 1, 30), 1).due == date(2020, 1, 31)
    assert Workdays([after]).add(date(2020, 1, 30), 1).due == date(2020, 2, 3)


@settings(deadline=None)
@given(DAYS, st.integers(0, 60))
def test_count_undoes_add(day: date, n: int) -> None:
    end = PUBLISHED.add(day, n)
    assert PUBLISHED.count(day, end.due) == (n, end.provisional)
    assert n == 0 or PUBLISHED.is_workday(end.due)


@settings(deadline=None)
@given(DAYS, st.integers(0, 200))
def test_add_finds_the_last_working_day_counted(day: date, span: int) -> None:
    until = day + timedelta(days=span)
    counted = PUBLISHED.count(day, until).days
    assert PUBLISHED.add(day, counted).due <= until < PUBLISHED.add(day, counted + 1).due


@settings(deadline=None)
@given(DAYS)
def test_rolling_skips_days_off_only(day: date) -> None:
    due = PUBLISHED.roll(day).due
    assert PUBLISHED.is_workday(due)
    assert PUBLISHED.count(day - timedelta(days=1), due).days == 1


@settings(deadline=None)
@given(DAYS, st.integers(-600, 600))
def test_months_come_back_out(day: date, n: int) -> None:
    assert whole_months(day, add_months(day, n)) == n == begun_months(day, add_months(day, n))


@settings(deadline=None)
@given(DAYS, DAYS)
def test_whole_and_begun_months_enclose_the_term(start: date, until: date) -> None:
    whole, begun = whole_months(start, until), begun_months(start, until)
    assert add_months(start, whole) <= until < add_months(start, whole + 1)
    assert add_months(start, begun - 1) < until <= add_months(start, begun)


def test_a_negative_term_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        PUBLISHED.add(date(2021, 9, 28), -1)


def test_a_year_given_twice_is_refused() -> None:
    year = load_calendars()[2021]
    with pytest.raises(ValueError, match="2021 is given twice"):
        Workdays([year, year])


@pytest.mark.parametrize(
    ("holidays", "workdays", "why"),
    [
        ([date(2022, 1, 1)], [], "not a day of 2021"),
        ([], [date(2021, 9, 28)], "worked anyway"),
        ([date(2021, 9, 26)], [date(2021, 9, 26)], "both"),
    ],
)
def test_an_inconsistent_year_is_refused(
    holidays: list[date], workdays: list[date], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        CalendarYear(
            year=2021, source="x", holidays=frozenset(holidays), workdays=frozenset(workdays)
        )


def test_unknown_keys_of_a_calendar_are_refused() -> None:
    text = 'year = 2021\nsource = "x"\nholidays = []\nworkdays = []\nhalf_days = []\n'
    with pytest.raises(LawInvalid, match="calendar 2021: half_days"):
        parse_calendar(text)


def test_the_packaged_years_are_2004_to_2026_and_undated() -> None:
    years = load_calendars()
    assert list(years) == list(range(2004, 2027))
    assert all(year.holidays and year.published_on is None for year in years.values())
