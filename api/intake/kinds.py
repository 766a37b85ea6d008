"""What a cell says in a column of each kind.

Owns how the kinds of a mapping's columns read a cell. Invariant: what cannot be read for certain is
refused, never guessed.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

from api.intake.blocks import headed_by
from api.intake.columns import DAYS, ENDS, OPEN, Column
from api.intake.mapping import Mapping
from api.intake.values import (
    EPOCH,
    ERRORS,
    OPEN_END,
    OPEN_ENDED,
    Cell,
    Day,
    UnreadableError,
    code_of,
    day_of,
    folded,
    identifier_of,
    name_of,
    number_of,
    word_of,
    year_of,
)
from domain.acts.people import id_number_fault


class UnitNames:
    """The units that a sheet may mean, by folded name, alias or code."""

    def __init__(self, mapping: Mapping, known: dict[str, str]) -> None:
        self._by_name = dict(known)
        for unit in mapping.unit:
            for name in (unit.unit, unit.name, *unit.aliases):
                self._by_name[folded(name)] = unit.unit
        self._codes = mapping.unit_codes
        self.codes_found: dict[str, str] = {}

    def find(self, cell: Cell) -> str | None:
        """The unit's id, None for a blank cell. Raises UnreadableError."""
        if self._codes is None:
            name = folded(cell)
            if name and name not in self._by_name:
                raise UnreadableError("unknown")
            return self._by_name.get(name)
        code = code_of(cell)
        if not code:
            return None
        unit = self._codes.unit.replace("{code}", code)
        self.codes_found[unit] = code
        return unit


def _id_number(cell: Cell) -> str:
    """Raises UnreadableError; a number that long loses its last digits unless the cell is text."""
    number = identifier_of(cell)
    fault = id_number_fault(number) if number else None
    if isinstance(cell, float) or (fault is not None and fault != "校验码不符"):
        raise UnreadableError("id-malformed")
    if fault is not None:
        raise UnreadableError("id-checksum")
    return number


def read_as(
    column: Column,
    words: dict[str, str] | None,
    units: UnitNames,
    people: Callable[[Cell], str | None],
    epoch: date = EPOCH,
    padded: int = 0,
) -> Callable[[Cell], Any]:
    """What reads a cell of this column or raises UnreadableError; `words`: what may stand there;
    `epoch`: the day from which the sheet counts; `padded`: see Table.
    """
    if column.fill == "group":
        alone = column.model_copy(update={"fill": None})
        return partial(_named_over, read_as(alone, words, units, people, epoch))
    if column.parted:
        alone = column.model_copy(update={"parted": False})
        return partial(_parts, read_as(alone, words, units, people, epoch))
    if words is not None:
        return partial(_meaning, {word_of(word): code for word, code in words.items()})
    if column.kind in DAYS:
        return _day_reader(column, epoch)
    if column.known:
        known = {word_of(word): code for word, code in column.known.items()}
        return lambda cell: known.get(word_of(cell), folded(cell))
    if column.kind in ("unit", "person"):
        return units.find if column.kind == "unit" else people
    if column.kind == "identifier":
        return partial(number_of, padded=padded)
    return _READERS[column.kind]


def _day_reader(column: Column, epoch: date) -> Callable[[Cell], Day | None]:
    """A day, or a word that says that there is none."""
    words = {word_of(word): meant for word, meant in column.known.items()}
    if column.kind in ENDS:
        words = dict.fromkeys(OPEN_ENDED, OPEN) | words
    read: Callable[[Cell], Day | None] = (
        partial(_day_before, epoch=epoch)
        if column.kind == "day-after"
        else partial(day_of, last=column.kind == "last-day", epoch=epoch)
    )

    def day(cell: Cell) -> Day | None:
        meant = words.get(word_of(cell))
        if meant is None:
            return read(cell)
        return OPEN_END if meant == OPEN else None

    return day


def unless_in_error(reader: Callable[[Cell], Any], cell: Cell) -> Any:
    if cell in ERRORS:
        raise UnreadableError("cell-in-error")
    return reader(cell)


def _day_before(cell: Cell, epoch: date) -> Day | None:
    day = day_of(cell, epoch=epoch)
    return day and day._replace(day=day.day - timedelta(days=1))


_READERS: dict[str, Callable[[Cell], Any]] = {
    "text": folded, "name": name_of, "code": code_of,
    "id-number": _id_number, "year": year_of,
}  # fmt: skip


def _named_over(alone: Callable[[Cell], Any], cell: Cell) -> Any:
    """What a heading of rows names: the text itself, or what it is without number and count."""
    try:
        return alone(cell)
    except UnreadableError:
        return alone(headed_by(cell))


def _parts(alone: Callable[[Cell], Any], cell: Cell) -> list[Any] | None:
    parts = [alone(part) for part in re.split("[、,;]", folded(cell)) if part.strip()]
    return parts or None


def _meaning(words: dict[str, str], cell: Cell) -> str | None:
    text = word_of(cell)
    if not text:
        return words.get("")
    if text not in words:
        raise UnreadableError("unknown")
    return words[text]
