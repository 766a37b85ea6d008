"""What stands in a cell, as a value: text, numbers typed as text, dates in every style found.

Owns the reading of one cell. Invariant: a cell is read in one way or refused; nothing is guessed.
"""

import re
import unicodedata
from calendar import monthrange
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

Cell = str | float | int | bool | date | datetime | time | timedelta | None

EPOCH, EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)
"""Day 0 of a spreadsheet's serial numbers, and that of workbooks counted from 1904."""
_FIRST_SERIAL, _LAST_SERIAL = 10_000, 73_050  # 1927-05-18 … 2099-12-31
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_DAY = re.compile(
    r"(\d{4}|\d{2})\s?[-–—−./\\、。·年]\s?(\d{1,2})\s?[-–—−./\\、。·月]\s?(\d{1,2})\s?[日号.。]?"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
)
_CENTURY_TURNS = 50
_DIGITS = {d: str(n) for n, row in enumerate(("〇○零Oo0", "一", "二", "三", "四", "五", "六", "七",
                                              "八", "九")) for d in row}  # fmt: skip
_IN_WORDS = re.compile(rf"([{''.join(_DIGITS)}]{{4}})年(?:([一二三四五六七八九十]{{1,2}})月)?"
                       r"(?:([一二三四五六七八九十]{1,3})[日号])?")  # fmt: skip
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTH = re.compile(r"(\d{4})\s?[-–—−./。·年]\s?(\d{1,2})\s?(?:月份?)?")
_COMPACT_MONTH = re.compile(r"(\d{4})(\d{2})")
_SHORT_YEAR_MONTH = re.compile(r"(\d{2})年(\d{1,2})月")
_SERIAL = re.compile(r"(\d{5})(?:\.0+)?")
_IN_FIGURES = re.compile(rf"[\d十{''.join(_DIGITS)}]")
_LOST_ZERO = re.compile(r"\d{4}\.1")
_YEAR_THEN_MONTH = re.compile(r"(?:19|20)\d{3}(?:\.0+)?")
_SHORT_DAY = re.compile(r"19(?:0[1-9]|1[0-2])\d{2}(?:\.0+)?")
_EXACT_NUMBERS = 10**15
_SCIENTIFIC = re.compile(r"\d+\.\d+E[+-]?\d+|\dE\+\d+")
_TRAILING_ZEROS = re.compile(r"\.0+$")


ERRORS = frozenset(
    ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
     "#FIELD!", "#GETTING_DATA", "Err:502", "Err:504", "Err:508", "Err:522")
)  # fmt: skip
"""What a cell shows whose formula fails."""


class UnreadableError(ValueError):
    """A cell that is none of what its column holds; `rule` says how."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


class Day(NamedTuple):
    """A date as a cell gives it; `exact` is false where the cell names only a month, `whole` where
    its year has two digits.
    """

    day: date
    exact: bool = True
    whole: bool = True


OPEN_END = Day(date.max)
"""The last day of what has none; what is made of it is left out."""
OPEN_ENDED = ("无固定期限", "无固定期", "无固定", "无期限", "长期", "长期有效")
"""What stands where a last day is looked for, and says that there is none."""


def text_of(cell: Cell) -> str:
    """A cell as the clerk sees it."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return str(cell)


@lru_cache(maxsize=4_000)
def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def folded(cell: Cell) -> str:
    """Text with full-width forms and runs of spaces made plain."""
    return _folded(cell if isinstance(cell, str) else text_of(cell))


def word_of(cell: Cell) -> str:
    """A listed word, for which spaces within it count no more than in a name: 二级　辅员."""
    return folded(cell).replace(" ", "")


def heading_of(cell: Cell) -> str:
    """A heading without spaces, line breaks and marks of obligation: 姓　名* reads 姓名."""
    return folded(cell).replace(" ", "").strip("*:")


def name_of(cell: Cell) -> str:
    """A person's name. Rare characters stay as they are; the padding of 张　三 goes."""
    words = unicodedata.normalize("NFC", text_of(cell)).split()
    spaced = any(word.isascii() for word in words)
    return (" " if spaced else "").join(words)


def identifier_of(cell: Cell) -> str:
    """A number that names something: 编号, 工号, 身份证号."""
    return folded(cell).replace(" ", "").upper()


def number_of(cell: Cell, padded: int = 0) -> str:
    """An identifier as a column holds it. Raises UnreadableError where a spreadsheet has made a
    number of it and lost digits: it keeps 15 of them, and shows longer ones as 3.2E+17; numbers
    shorter than `padded` may be shown with zeros that they have not.
    """
    text = identifier_of(cell)
    if (isinstance(cell, int | float) and abs(cell) >= _EXACT_NUMBERS) or _SCIENTIFIC.fullmatch(
        text
    ):
        raise UnreadableError("digits-lost")
    if isinstance(cell, int | float) and len(text) < padded:
        raise UnreadableError("zeros-lost")
    return text


def code_of(cell: Cell) -> str:
    """A code; a whole number that a program wrote as 44.0 is 44."""
    text = folded(cell)
    return _TRAILING_ZEROS.sub("", text) if "." in text else text


def day_of(cell: Cell, *, last: bool = False, epoch: date = EPOCH) -> Day | None:
    """A date, None where the cell is blank. Raises UnreadableError.

    Reads 2021-08-03, 2021.8.3, 2021/8/3, 2021年8月3日, 二〇二一年八月三日, 20210803, 21/8/3 (its
    year is one of 1950 to 2049), a spreadsheet's serial number counted from `epoch`, and months
    (2021.8, 2021年8月, 21年8月, 202108): their first day, or the last one where `last` is set.
    """
    if isinstance(cell, datetime):
        return Day(_in_range(cell.date()))
    if isinstance(cell, date):
        return Day(_in_range(cell))
    text = folded(cell)
    if not text:
        return None
    if _LOST_ZERO.fullmatch(text):
        raise UnreadableError("ambiguous-date")  # a spreadsheet saves 1990.10 as 1990.1, in CSV too
    return _day_in(text, last, epoch)


@lru_cache(maxsize=4_000)
def _day_in(text: str, last: bool, epoch: date) -> Day:
    if (words := _IN_WORDS.fullmatch(text)) and words[2]:
        digits = "".join(_DIGITS[digit] for digit in words[1])
        text = "-".join([digits, *(_below_hundred(part) for part in words.groups()[1:] if part)])
    if match := _DAY.fullmatch(text) or _COMPACT.fullmatch(text):
        year, month, day = map(int, match.groups())
        if whole := len(match[1]) == len("2021"):
            return Day(_date(year, month, day))
        return Day(_date(_full_year(year), month, day), whole=whole)
    if _YEAR_THEN_MONTH.fullmatch(text):
        raise UnreadableError("ambiguous-serial")  # 20183 is 2018-03, or 1955-04-04 as a serial
    if _SHORT_DAY.fullmatch(text):
        raise UnreadableError("ambiguous-short-day")  # 190301 is 2019-03-01, or March of 1903
    if (match := _SERIAL.fullmatch(text)) and _FIRST_SERIAL <= int(match[1]) <= _LAST_SERIAL:
        return Day(_in_range(epoch + timedelta(days=int(match[1]))))
    if match := _SHORT_YEAR_MONTH.fullmatch(text):
        return _month(_full_year(int(match[1])), int(match[2]), last)._replace(whole=False)
    if match := _MONTH.fullmatch(text) or _COMPACT_MONTH.fullmatch(text):
        return _month(int(match[1]), int(match[2]), last)
    raise UnreadableError("impossible-date" if _IN_FIGURES.search(text) else "no-date")


def _full_year(year: int) -> int:
    return year + (2000 if year < _CENTURY_TURNS else 1900)


def _month(year: int, month: int, last: bool) -> Day:
    first = _date(year, month, 1)
    days = monthrange(first.year, first.month)[1]
    return Day(first.replace(day=days) if last else first, exact=False)


def _below_hundred(words: str) -> str:
    """十一 is 11, 二十 is 20; what is no such number is left as it is, and refused."""
    tens, ten, units = words.rpartition("十")
    if not ten:
        return _DIGITS.get(words, words)
    return f"{_DIGITS.get(tens, tens) if tens else 1}{_DIGITS.get(units, units) if units else 0}"


def year_of(cell: Cell) -> Day | None:
    """The first day of a year, None where the cell is blank. Raises UnreadableError."""
    text = code_of(cell).removesuffix("年")
    if not text:
        return None
    if not re.fullmatch(r"\d{4}", text):
        raise UnreadableError("impossible-date")
    return Day(_date(int(text), 1, 1))


def _date(year: int, month: int, day: int) -> date:
    try:
        return _in_range(date(year, month, day))
    except ValueError:
        raise UnreadableError("impossible-date") from None


def _in_range(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise UnreadableError("impossible-date")
    return day
