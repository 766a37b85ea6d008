"""Working days and terms: the only day counting.

A calendar year lists the days that depart from the plain week: holidays (off, whatever the
weekday) and workdays (worked, although a Saturday or Sunday). A year whose list is not published
is answered by the plain week, and the answer says so. Invariant: an answer is provisional exactly
when a day of an unpublished year was looked at.

Two ways to count months, never mixed: a *deadline* does not count its first day, so one month
from 2021-09-01 has 2021-10-01 as its last day (民法典 201, 202); a *term* (contract, probation,
sanction) counts its first day, so one month from 2021-09-01 is the half-open span up to 2021-10-01
and its last day is 2021-09-30. `add_months` gives both: the deadline's last day and the term's
`until`.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, model_validator

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Where a day begins at midnight."""

_DAY = timedelta(days=1)
_SATURDAY = 5


class CalendarYear(BaseModel):
    """One year's days off and make-up working days, as one notice published them.

    `published_on` is None where the date of the notice is not known. Holidays may include weekend
    days; working days are always Saturdays or Sundays. Source: 全国年节及纪念日放假办法 and the
    yearly notice of the State Council's general office.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    year: int
    published_on: date | None = None
    source: str
    holidays: frozenset[date]
    workdays: frozenset[date]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for day in sorted(self.holidays | self.workdays):
            if day.year != self.year:
                raise ValueError(f"{day} is not a day of {self.year}")
        for day in sorted(self.workdays):
            if day.weekday() < _SATURDAY:
                raise ValueError(f"{day} is worked anyway: only weekend days are listed")
            if day in self.holidays:
                raise ValueError(f"{day} is both a holiday and a working day")
        return self


class Deadline(NamedTuple):
    """The last day something can be done in time.

    `due` is the day that counts; `counted` is the same day before it was moved past days off
    (民法典 203), shown where it is disputed whether the move applies. `provisional`: a calendar
    year it depends on is not published yet.
    """

    due: date
    counted: date
    provisional: bool


class Span(NamedTuple):
    """A number of working days; `provisional` as in `Deadline`."""

    days: int
    provisional: bool


class Workdays:
    """The working days of the published years.

    Raises ValueError when a year is given twice.
    """

    def __init__(self, years: Iterable[CalendarYear]) -> None:
        self._years: dict[int, CalendarYear] = {}
        for year in years:
            if year.year in self._years:
                raise ValueError(f"calendar year {year.year} is given twice")
            self._years[year.year] = year

    def is_published(self, day: date) -> bool:
        return day.year in self._years

    def is_workday(self, day: date) -> bool:
        """Whether `day` is worked; by the plain week alone if its year is not published."""
        year = self._years.get(day.year)
        if year is not None:
            if day in year.holidays:
                return False
            if day in year.workdays:
                return True
        return day.weekday() < _SATURDAY

    def add(self, day: date, n: int) -> Deadline:
        """The n-th working day after `day`, which is not counted itself (民法典 201).

        Zero working days end on `day` itself. Raises ValueError when n is negative.
        """
        if n < 0:
            raise ValueError("a term of working days is not negative")
        provisional = False
        while n > 0:
            day += _DAY
            provisional |= not self.is_published(day)
            n -= self.is_workday(day)
        return Deadline(day, day, provisional)

    def count(self, after: date, until: date) -> Span:
        """Working days after `after`, up to and with `until`; none when `until` is not later."""
        days = [after + _DAY * n for n in range(1, (until - after).days + 1)]
        return Span(sum(map(self.is_workday, days)), not all(map(self.is_published, days)))

    def roll(self, day: date) -> Deadline:
        """`day`, or the first working day after it when it is a day off (民法典 203)."""
        due, provisional = day, not self.is_published(day)
        while not self.is_workday(due):
            due += _DAY
            provisional |= not self.is_published(due)
        return Deadline(due, day, provisional)


def add_months(day: date, n: int) -> date:
    """The same day number n months on, or the month's last day if it has none (民法典 202)."""
    month = day.year * 12 + day.month - 1 + n
    year, month = divmod(month, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def whole_months(start: date, until: date) -> int:
    """Full months in the half-open term [start, until): the largest n with
    `add_months(start, n)` ≤ `until`. Negative when `until` lies before `start`.
    """
    n = (until.year - start.year) * 12 + until.month - start.month
    return n if add_months(start, n) <= until else n - 1


def begun_months(start: date, until: date) -> int:
    """Months begun in the half-open term [start, until): the smallest n with
    `add_months(start, n)` ≥ `until`. What a ceiling in months is held against.
    """
    n = whole_months(start, until)
    return n if add_months(start, n) == until else n + 1
