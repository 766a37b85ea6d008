"""The two times of a question, and the days and months beside them, as they are written.

Owns how a point of either axis is read. Invariant: a day is YYYY-MM-DD and a month YYYY-MM, within
what a record can hold; a period's two ends are both included.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import DataError

from api.entries import FIRST_DAY, LAST_DAY
from api.settings import Bureau
from domain.bitemporal import OPEN, AsOf, last_day
from domain.ledger import Moment
from domain.record import FOLD
from domain.refusals import BadInput, ImpossibleDate, MissingField
from domain.workdays import add_months


class When(NamedTuple):
    """The two times of a question, as written or typed; None is today, and the latest entry.

    `effective`: a day. `recorded`: a position ("17", "pos:17"), an RFC 3339 instant, or a day in
    Asia/Shanghai.
    """

    effective: str | date | None = None
    recorded: str | int | datetime | date | None = None


NOW = When()


def as_of(bureau: Bureau, when: When) -> tuple[AsOf, dict[str, Any]]:
    """The pair, and how an answer states it; the records have reached it.

    Raises ImpossibleDate, BadInput, BeyondHead, Lagging.
    """
    ledger = bureau.ledger
    effective = day_of(when.effective, "effective") or ledger.today()
    point = moment(bureau, when.recorded)
    bureau.runner.reach(point.position)
    stated: dict[str, Any] = {
        "effective": effective,
        "recorded": point.position,
        "recorded_at": point.recorded_at,
        "fold": FOLD,
    }
    if bureau.told_before != OPEN:
        stated["last_day"] = last_day(bureau.told_before)
    following = ledger.log.recorded_at(point.position + 1)
    if point.recorded_at is not None and following == point.recorded_at:
        stated["inside_batch"] = True
    return AsOf(effective, point.position), stated


def moment(bureau: Bureau, recorded: str | int | datetime | date | None) -> Moment:
    """The position that a point of the recorded axis stands for. Raises BadInput, BeyondHead."""
    try:
        return bureau.ledger.moment(recorded)
    except (OverflowError, DataError):
        raise BadInput("no such point in time", field="recorded", zh="没有这个时点") from None


def day_of(said: str | date | None, field: str) -> date | None:
    """Raises ImpossibleDate where the day does not exist or no record can hold it."""
    if said is None or said == "":
        return None
    try:
        day = date.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        raise ImpossibleDate(field=field) from None
    if not FIRST_DAY <= day <= LAST_DAY or (isinstance(said, str) and day.isoformat() != said):
        raise ImpossibleDate(field=field)
    return day


def period(first_day: str | date | None, last_day: str | date | None) -> tuple[date, date]:
    """The half-open period of two days that are both included."""
    start, last = day_of(first_day, "first_day"), day_of(last_day, "last_day")
    if start is None or last is None:
        raise MissingField(field="first_day" if start is None else "last_day")
    _require_order(start, last, "last_day")
    return start, last + timedelta(days=1)


def last_told(names: Mapping[str, str], day: date, *, monthly: bool) -> date:
    """The last day of which a question about months or a period tells, and no earlier than `day`.

    Raises ImpossibleDate, BadInput.
    """
    if monthly:
        end = months(names.get("first_month"), names.get("last_month"), day)[1]
        return max(day, end - timedelta(days=1))
    return max(day, day_of(names.get("last_day") or names.get("first_day"), "last_day") or day)


def _require_order(first: date, last: date, field: str) -> None:
    if last < first:
        raise BadInput("a period ends after it begins", field=field, zh="止日不得早于起日")


def months(
    first_month: str | None,
    last_month: str | None,
    day: date,
    fields: tuple[str, str] = ("first_month", "last_month"),
) -> tuple[date, date]:
    """The half-open period of two months, both included; the year up to `day` where absent."""
    start = _month(first_month, fields[0]) or day.replace(month=1, day=1)
    last = _month(last_month, fields[1]) or max(start, day.replace(day=1))
    _require_order(start, last, fields[1])
    return start, add_months(last, 1)


def _month(said: str | None, field: str) -> date | None:
    return day_of(f"{said}-01", field) if said else None
