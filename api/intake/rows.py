"""From a row to the acts it stands for.

Owns the reading of a row's columns and the making of its events. Invariant: an event id depends
only on the system, the row's key, the edition and the act's place in the mapping.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid5

from pydantic import ValidationError

from api.intake.checking import (
    ENDS_FIRST,
    MONTH_ONLY,
    NAME_OF_ANOTHER,
    NO_ACT,
    NO_DAY,
    SHORT_YEAR,
    SHORTER_NUMBER,
    Fault,
    Reason,
    at_column,
    bad_value,
    contradictions,
    day_of_birth,
    fill_hint,
    strange_head,
    unnamed,
)
from api.intake.columns import Column
from api.intake.kinds import UnitNames, read_as, unless_in_error
from api.intake.mapping import Act, Mapping, Sheet, Template, Turn, places_in
from api.intake.originals import Originals, Said, letters
from api.intake.reading import REMARKS, Row, Table
from api.intake.values import (
    ERRORS,
    Cell,
    Day,
    UnreadableError,
    folded,
    heading_of,
    identifier_of,
    text_of,
)
from domain.events import REGISTRY, Event
from domain.refusals import BadInput

NAMESPACE = UUID("3c5e8f0a-6d0b-4f0e-9a53-7d1c2b9e4a61")

Values = dict[str, Any]


NAME_BESIDE = "name-beside"
"""The column with the name of the row's person, for comparison alone."""


class WhoIsMeant(Protocol):
    """Finds the persons whom cells name."""

    def find(self, cell: Cell) -> str | None: ...
    def named_otherwise(self, person: str, name: str) -> bool: ...


class Made(NamedTuple):
    """An act made of a row; `ends` is the event id of the fact it ends."""

    event_id: UUID
    event: Event
    effective: date
    until: date | None
    occurred: date | None
    ends: UUID | None


class Draft:
    """The acts of one row, to be entered together. `same` are rows that say the same; `said` are
    the cells they were made of; `already`: the ledger has it; `id` is its number on the shelf.
    """

    __slots__ = ("already", "id", "key", "made", "row", "said", "same", "sheet")

    def __init__(
        self, sheet: int, row: int, key: str, made: tuple[Made, ...], said: Said | None = None
    ) -> None:
        self.sheet = sheet
        self.row = row
        self.key = key
        self.made = made
        self.said = said
        self.same: list[int] = []
        self.already = False
        self.id = 0

    @property
    def person(self) -> str | None:
        """Whom the row is about."""
        people = (getattr(made.event, "person", None) for made in self.made)
        return next((person for person in people if person is not None), None)

    @property
    def place(self) -> tuple[date, int, int]:
        """The order of a person's acts, by day; of those that begin together the longest first, so
        that what ends sooner lies on top of what goes on.
        """
        first = self.made[0]
        length = (first.until or date.max) - first.effective
        return (first.effective, -length.days, self.sheet)

    def renew(self, undone: Collection[UUID]) -> bool:
        """Give what an undone batch had entered another event id, the same one every time; whether
        there was any.
        """
        ids: dict[UUID, UUID] = {}
        for made in self.made:
            event_id = made.event_id
            while event_id in undone:
                event_id = uuid5(event_id, "again")
            ids[made.event_id] = event_id
        self.made = tuple(
            made._replace(event_id=ids[made.event_id], ends=ids.get(made.ends, made.ends))
            if made.ends
            else made._replace(event_id=ids[made.event_id])
            for made in self.made
        )
        return any(old != new for old, new in ids.items())

    def unique(self) -> Iterator[tuple[str, str]]:
        """Kind and value of what no two persons may hold alike (an ID number)."""
        for made in self.made:
            for name, mark in type(made.event).private.items():
                if mark.unique is not None and (value := getattr(made.event, name)) is not None:
                    yield mark.unique, str(value)


class ReasonError(Exception):
    """A row that makes no act; `column`: the one at fault, where one is."""

    def __init__(self, reason: Reason, column: str | None = None) -> None:
        self.reason = reason
        self.column = column
        super().__init__(reason.rule)


class ActMaker:
    """One act of a mapping, ready to be made of values."""

    def __init__(self, act: Act, number: int) -> None:
        self.act = act
        self.number = number
        self._cls = REGISTRY[act.event]
        self._fields = [(name, Template(text)) for name, text in act.fields.items()]
        self._effective = [Template(text, day=True) for text in act.effective]
        self._occurred = [Template(text, day=True) for text in act.occurred]
        self._last_day = Template(act.last_day, day=True) if act.last_day else None
        self._given: dict[tuple[str, ...], set[str]] = {}

    def make(self, values: Values, event_id: UUID, ends: UUID | None) -> Made:
        """Raises ReasonError."""
        effective = _first(self._effective, values)
        if effective is None:
            raise ReasonError(NO_DAY)
        until = None
        if self._last_day is not None and (last := self._last_day.of(values)) is not None:
            until = last + timedelta(days=1)
            if until <= effective:
                raise ReasonError(ENDS_FIRST, _column_in(self.act.last_day))
        fields = {
            name: value
            for name, template in self._fields
            if (value := template.of(values)) is not None
        }
        try:
            event = self._cls(**fields)
        except ValidationError as fault:
            field = str(next(iter(fault.errors()[0]["loc"]), ""))
            column = _column_in(self.act.fields.get(field))
            raise ReasonError(bad_value(self._cls, field), column) from None
        # the set of names is half of an event's memory, and the same for all that give the same
        given = self._given.setdefault((*fields,), event.model_fields_set)
        object.__setattr__(event, "__pydantic_fields_set__", given)
        return Made(event_id, event, effective, until, _first(self._occurred, values), ends)


def _column_in(text: str | None) -> str | None:
    """The column that a text of a mapping is made with, the first where there are several."""
    return next(iter(places_in(text or "")), None)


def _first(templates: Iterable[Template], values: Values) -> Any:
    for template in templates:
        if (value := template.of(values)) is not None:
            return value
    return None


def holds(conditions: dict[str, list[str]], values: Values) -> bool:
    """Whether a row has, in every column named, one of the words listed."""
    for column, words in conditions.items():
        value = values.get(column)
        if str("" if value is None else value) not in words and (value is None or "*" not in words):
            return False
    return True


class Makers:
    """The acts of one sheet, or of the opening, made of values under one system and edition."""

    def __init__(self, acts: Sequence[Act], system: str, edition: str) -> None:
        self._makers = [ActMaker(act, number) for number, act in enumerate(acts)]
        self._scope = f"{system}|{edition}|"

    def make(self, values: Values, key: str, turn: Turn | None = None) -> tuple[Made, ...]:
        """The acts whose conditions hold; empty where none does. Raises ReasonError."""
        made: list[Made] = []
        labels: dict[str, UUID] = {}
        for maker in self._makers:
            act = maker.act
            if act.turn != turn or not holds(act.when, values):
                continue
            if act.ends is not None and act.ends not in labels:
                continue
            event_id = uuid5(NAMESPACE, f"{self._scope}{key}|{maker.number}")
            made.append(maker.make(values, event_id, labels[act.ends] if act.ends else None))
            if act.label is not None:
                labels[act.label] = event_id
        return tuple(made)


class RowReader:
    """Reads the rows of one table under its sheet's mapping; `people` finds who a cell means."""

    def __init__(self, mapping: Mapping, sheet: Sheet, table: Table, dated: date | None,
                 units: UnitNames, people: WhoIsMeant) -> None:  # fmt: skip
        self.sheet = sheet
        self.table = table
        self._mapping = mapping
        self._dated = dated
        self._people = people
        self._places = _places(sheet, table)
        self._columns = [
            (
                name,
                at,
                column,
                partial(
                    unless_in_error,
                    read_as(
                        column,
                        mapping.words(column),
                        units,
                        people.find,
                        table.epoch,
                        table.padded,
                    ),
                ),
            )
            for name, column in sheet.columns.items()
            if (at := self._places.get(name)) is not None
        ]
        opening = mapping.opening if sheet.name in mapping.since.values() else []
        self.originals = Originals(sheet, opening, self._places, table.headings)
        self._unnamed = [at for at, heading in enumerate(table.headings) if not heading]
        self._longest: dict[str, int] = {}
        self._person = Template(sheet.person or "")
        self._key = Template(sheet.key) if sheet.key else None

    def fault(
        self, row: Row, column: str | None, reason: Reason, other: int | None = None
    ) -> Fault:
        at = self._places.get(column) if column else None
        if column is None or at is None:
            return Fault(self.table.file, row.number, None, "", False, reason, other)
        cell = text_of(row.cells[at]) if at < len(row.cells) else ""
        private = self.sheet.columns[column].private
        heading, other = self.table.headings[at], other or row.source(at)
        return Fault(self.table.file, row.number, heading, cell, private, reason, other)

    def strange_heads(self) -> Iterator[Fault]:
        """Texts over groups of rows that are nothing known; after the rows are read."""
        for name, at, column, reader in self._columns:
            for number, cell in self.table.blocks.heads if column.fill == "group" else ():
                try:
                    reader(cell)
                except UnreadableError:
                    reason = strange_head(column.heading[0])
                    heading, text = self.table.headings[at], text_of(cell)
                    private = self.sheet.columns[name].private
                    yield Fault(self.table.file, number, heading, text, private, reason)

    def alone(self, row: Row, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Columns that are filled, each with a value that is the same wherever what it reads as is;
        cheaper than reading.
        """
        for name, at, column, reader in self._columns:
            cell = row.cells[at] if name in columns and at < len(row.cells) else None
            if cell is None or cell in ERRORS or not folded(cell):
                continue
            if column.kind in ("identifier", "id-number"):
                number = identifier_of(cell)
                if column.kind == "identifier":
                    self._longest[name] = max(len(number), self._longest.get(name, 0))
                yield name, number
            else:
                with suppress(UnreadableError):
                    yield name, reader(cell)

    def read(self, row: Row) -> tuple[Values, list[Fault]]:
        """A row's values, with `{person}`, `{sheet-date}` and `{row-key}`, and what is wrong."""
        values: Values = {"sheet-date": self._dated}
        faults: list[Fault] = []
        width = len(row.cells)
        for name, at, column, reader in self._columns:
            cell = row.cells[at] if at < width else None
            try:
                value = reader(cell)
            except UnreadableError as fault:
                faults.append(self._column_fault(row, name, column, fault.rule))
                continue
            values[name] = value = None if value == "" else value
            if value is None and column.blank != "allow" and not folded(cell):
                rule = "blank" if column.blank == "reject" else "missing"
                faults.append(self._column_fault(row, name, column, rule))
        if width > len(self.table.headings) or self._unnamed:
            beyond = [*self._unnamed, *range(len(self.table.headings), width)]
            added = len(self.table.blocks.added)
            own = len(self.table.headings) - added
            if found := [at if at < own else at - added
                         for at in beyond if at < width and folded(row.cells[at])]:  # fmt: skip
                faults.append(self.fault(row, None, unnamed("、".join(map(letters, found)))))
        doubts = [*_days(values), *self._shorter(row, values)]
        faults += [self.fault(row, name, reason) for name, reason in doubts]
        for name, reason in list(contradictions(values)):
            faults.append(self.fault(row, name, reason))
            if reason.drops:
                values[name] = None
        person = self._person.of(values)
        values["person"] = person and person_id(self._mapping, person)
        faults += self._beside(row, values)
        values["row-key"] = self._row_key(row, values)
        return values, faults

    def named(self, row: Row) -> tuple[str, date] | None:
        """Name and birth date, where a row has both; cheaper than reading."""
        said: Values = {}
        for name, at, _, reader in self._columns:
            if name in ("name", "birth-date") and at < len(row.cells):
                with suppress(UnreadableError):
                    said[name] = reader(row.cells[at])
        born = said.get("birth-date")
        return (said["name"], born.day) if said.get("name") and born else None

    def meant(self, values: Values, person: str | None, number: str | None) -> None:
        """Who a row of a sheet without numbers is about, and what number the ledger has of them."""
        values |= {"person": person, "number": number, "row-key": f"{self.sheet.name}:{person}"}

    def _shorter(self, row: Row, values: Values) -> Iterator[tuple[str, Reason]]:
        for name, length in self._longest.items():
            at, value = self._places[name], values.get(name)
            if value is not None and not isinstance(row.cells[at], str) and len(value) < length:
                yield name, SHORTER_NUMBER

    def _beside(self, row: Row, values: Values) -> list[Fault]:
        """Whether the name beside a person is that person's."""
        name, person = values.get(NAME_BESIDE), values["person"]
        if name and person and self._people.named_otherwise(person, name):
            return [self.fault(row, NAME_BESIDE, NAME_OF_ANOTHER)]
        return []

    def _column_fault(self, row: Row, name: str, column: Column, rule: str) -> Fault:
        return self.fault(row, name, at_column(rule, name, column.heading[0], fill_hint(column)))

    def _row_key(self, row: Row, values: Values) -> str:
        if self.sheet.numbering is not None:
            return ""  # its person's, who is found later
        key = self._key.of(values) if self._key else None
        if key is None and self.sheet.keyed_by:
            said = "\x1f".join(str(values.get(column)) for column in self.sheet.keyed_by)
            key = sha256(said.encode()).hexdigest()[:24]
        if key is None:
            key = sha256("\x1f".join(map(text_of, row.cells)).encode()).hexdigest()[:24]
        return f"{self.sheet.name}:{key}"

    def otherwise(self, values: Values) -> Reason:
        """Why no act is meant for a row with these values."""
        for other in self.sheet.otherwise:
            if holds(other.when, values):
                return Reason(other.rule, other.zh, other.en)
        return NO_ACT


def _days(values: Values) -> Iterator[tuple[str, Reason]]:
    """Make days of what cells gave as such; what is doubtful of each, with its column."""
    for name, given in values.items():
        if not isinstance(given, Day):
            continue
        values[name], reason = given.day, None if given.exact else MONTH_ONLY
        if name == "birth-date" and not given.exact:
            values[name], reason = day_of_birth(given.day, values.get("id-number"))
        if reason is not None:
            yield name, reason
        if not given.whole:
            yield name, SHORT_YEAR


def person_id(mapping: Mapping, person: str) -> str:
    """The id of a person whom the mapping's system knows so."""
    if not mapping.derive_persons:
        return person
    return uuid5(NAMESPACE, f"{mapping.system}|person|{person}").hex


def _places(sheet: Sheet, table: Table) -> dict[str, int]:
    """Column name → place in the row. Raises BadInput for a heading that the mapping leaves open,
    that stands there twice, or that is lacking though it may not be blank.
    """
    places: dict[str, int] = {}
    wanted = sheet.headings
    for at, heading in enumerate(table.headings):
        if not heading or (table.given_back and heading in REMARKS - wanted.keys()):
            continue
        if heading not in wanted:
            raise _column_refused(table, f"column {heading} is neither mapped nor set aside",
                                  f"列“{heading}”在对应表中既无对应也未注明不采用")  # fmt: skip
        for name in wanted[heading]:
            if name in places:
                raise _two_columns(table, name, places[name], at)
            places[name] = at
    for name, column in sheet.columns.items():
        if name not in places and column.blank == "reject":
            heading = heading_of(column.heading[0])
            zh, en = fill_hint(column)
            raise _column_refused(table, f"there is no column {heading}{en}",
                                  f"缺少列“{heading}”{zh}")  # fmt: skip
    return places


def _two_columns(table: Table, name: str, first: int, second: int) -> BadInput:
    """Where persons stand side by side, or two headings mean one thing."""
    one, other = ((letters(at), table.headings[at]) for at in (first, second))
    return _column_refused(
        table, f"columns {one[0]} ({one[1]}) and {other[0]} ({other[1]}) could both be {name}; "
        "where persons stand side by side, put the right half below the left one; else rename one, "
        "and say under unused why it is left out",
        f"{one[0]} 列“{one[1]}”与 {other[0]} 列“{other[1]}”都可作 {name};"
        "人员左右并排的,请将右半移到左半之下;"
        "不是的,将其中一列改名,并在对应表的 unused 中注明不采用",
    )  # fmt: skip


def _column_refused(table: Table, en: str, zh: str) -> BadInput:
    return BadInput(f"{table.file}: {en}", zh=f"{table.file}:{zh}", field="file")


def lone(faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults that reject."""
    return (fault for fault in faults if fault.reason.rejects)
