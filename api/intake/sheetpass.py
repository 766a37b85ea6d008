"""The pass over one sheet: its rows as drafts.

Owns what becomes of each row. Invariant: every row is a draft, says the same as one, or has a fault
that rejects it; no more rows are held than a person has in a sheet that tracks changes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import sha256
from itertools import groupby, islice
from typing import Any, NamedTuple

from api.intake.blocks import Row
from api.intake.body import is_marked_example
from api.intake.checking import CONFLICTING, DUPLICATE, MARKED_EXAMPLE, Fault, Reason
from api.intake.mapping import Turn
from api.intake.matching import Named
from api.intake.numbering import Numbers
from api.intake.originals import Said
from api.intake.plan import Plan, Refused
from api.intake.rows import Draft, Makers, ReasonError, RowReader, Values, lone
from api.intake.shelf import Earliest, Groups, Keys

_TOGETHER = 1_000

Add = Callable[[Draft, str | None, str | None], int]
"""Takes a draft, its person and all that its row says into the plan; its number there."""


class _Read(NamedTuple):
    row: Row
    values: Values
    faults: list[Fault]


class SheetPass:
    """The pass over the table of one reader; `since` takes the days that an opening may name;
    `numbers` knows the persons of a sheet without numbers.
    """

    def __init__(self, plan: Plan, reader: RowReader, makers: Makers, add: Add,
                 since: Earliest, numbers: Numbers | None) -> None:  # fmt: skip
        self._plan = plan
        self._number = len(plan.originals)
        self._reader = reader
        self._sheet = reader.sheet
        self._table = reader.table
        self._makers = makers
        self._add = add
        self._since = since
        self._numbers = numbers
        self._noted = [column for column, name in plan.mapping.since.items()
                       if name == self._sheet.name]  # fmt: skip
        plan.originals.append(reader.originals)

    def run(self) -> None:
        alone = self._sheet.apart or self._sheet.numbering
        rows = self._rows(self._without_duplicates() if alone else self._table.rows)
        if self._numbers is not None and self._sheet.numbering is not None:
            rows = self._known(rows, self._numbers)
        if self._sheet.track is not None:
            self._track(rows)
        else:
            for one in rows:
                self._take(one, None)
        for fault in self._reader.strange_heads():
            self._plan.warnings.add(fault)

    def _rows(self, rows: Iterable[Row]) -> Iterator[_Read]:
        for row in rows:
            self._plan.rows[self._number] += 1
            values, faults = self._reader.read(row)
            if is_marked_example(row.cells):
                faults.append(self._reader.fault(row, None, MARKED_EXAMPLE))
            self._note_since(row, values)
            yield _Read(row, values, faults)

    def _known(self, rows: Iterator[_Read], numbers: Numbers) -> Iterator[_Read]:
        """The rows of a sheet without numbers, each with its person."""
        while part := list(islice(rows, _TOGETHER)):
            named = [
                (one.row.number, None if any(lone(one.faults)) else _named(one.values))
                for one in part
            ]
            found = numbers.meant(self._table, part[0].values["sheet-date"], named)
            for one, meant in zip(part, found, strict=True):
                self._reader.meant(one.values, meant.person, meant.number)
                if meant.fault is not None:
                    one.faults.append(self._reader.fault(one.row, None, meant.fault))
            yield from part

    def _note_since(self, row: Row, values: Values) -> None:
        for column in self._noted:
            day, person = values.get(column), values["person"]
            if day is not None and person is not None:
                self._since.offer(person, column, day, partial(self._said, row, column))

    def _said(self, row: Row, column: str | None = None) -> Said:
        return self._reader.originals.said(self._number, row, column)

    def _reject(self, one: _Read, reason: Reason, column: str | None = None,
                other: int | None = None) -> None:  # fmt: skip
        fault = self._reader.fault(one.row, column, reason, other)
        self._plan.rejected.add(fault, by_row=True)

    def _refuse(self, one: _Read) -> None:
        named = _named(one.values)
        self._plan.refused_rows.add(Refused(self._table.file, one.row.number, named))

    def _take(self, one: _Read, turn: Turn | None) -> int | None:
        """The draft that this row is or says the same as; None where it is rejected."""
        rejecting = list(lone(one.faults))
        if rejecting:
            for fault in rejecting:
                self._plan.rejected.add(fault, by_row=True)
            self._refuse(one)
            return None
        key = one.values["row-key"]
        told = self._sheet.keyed_by or self._sheet.numbering
        words = _words(one) if told else None
        if (same := self._plan.drafts.by_key(self._number, key)) is not None:
            if words != same.words:
                self._reject(one, CONFLICTING, other=same.row)
                return None
            self._plan.drafts.repeat(same.id, one.row.number)
            return same.id
        try:
            made = self._makers.make(one.values, key, turn)
        except ReasonError as error:
            self._reject(one, error.reason, error.column)
            return None
        if not made:
            self._reject(one, self._reader.otherwise(one.values))
            return None
        draft = Draft(self._number, one.row.number, key, made, self._said(one.row))
        for fault in one.faults:
            self._plan.warnings.add(fault)
        return self._add(draft, one.values["person"], words)

    def _without_duplicates(self) -> Iterator[Row]:
        """Of rows that share what is one person's alone the repetition is rejected or, if they
        differ, each of them. Only rows that may be such are read for it.
        """
        rows = deque(self._table.rows)
        alike = Keys(self._plan.shelf)
        alike.add((told, row.number) for row in rows for told in self._alone(row))
        suspects = alike.repeated()
        faulty = self._repeated(
            _Read(row, *self._reader.read(row)) for row in rows if row.number in suspects
        )
        while rows:  # what is drafted need not be held as well
            row = rows.popleft()
            if row.number in faulty:
                reason, other = faulty[row.number]
                one = _Read(row, *self._reader.read(row))
                self._plan.rows[self._number] += 1
                self._refuse(one)
                self._reject(one, reason, next(iter(self._sheet.apart), None), other)
            else:
                yield row

    def _alone(self, row: Row) -> Iterator[tuple[str, Any]]:
        yield from self._reader.alone(row, self._sheet.apart)
        if self._sheet.numbering is not None and (named := self._reader.named(row)) is not None:
            yield "", named

    def _repeated(self, rows: Iterable[_Read]) -> dict[int, tuple[Reason, int]]:
        """Why a row is rejected for the sake of another one, by number."""
        first: dict[tuple[str, Any], tuple[int, str]] = {}
        faulty: dict[int, tuple[Reason, int]] = {}
        for one in rows:
            number, words = one.row.number, _words(one)
            for column, value in self._apart(one):
                earlier, said = first.setdefault((column, value), (number, words))
                if earlier == number or number in faulty:
                    continue
                if words == said:
                    faulty[number] = (DUPLICATE, earlier)
                else:
                    faulty[number] = (CONFLICTING, earlier)
                    faulty.setdefault(earlier, (CONFLICTING, number))
        return faulty

    def _apart(self, one: _Read) -> Iterator[tuple[str, Any]]:
        """What no other row may share; without number and ID number, name and birth date."""
        yield from (
            (column, value)
            for column in self._sheet.apart
            if (value := one.values.get(column)) is not None
        )
        named = _named(one.values)
        if self._sheet.numbering is not None and named.id_number is None and named.born:
            yield "", (named.name, named.born)

    def _track(self, rows: Iterable[_Read]) -> None:
        """Of a column that is given again and again, only the changes are acts."""
        track = self._sheet.track
        assert track is not None  # noqa: S101
        persons = Groups[_Read](self._plan.shelf)
        for one in rows:
            period, value = one.values.get(track.period), one.values.get(track.column)
            if any(lone(one.faults)) or None in (period, value, one.values["person"]):
                self._take(one, None)
            else:
                persons.add(one.values["person"], one)
        for seen in persons:
            self._track_person(seen, track.column, track.period, track.steps)

    def _track_person(self, seen: list[_Read], column: str, period: str,
                      steps: dict[str, int]) -> None:  # fmt: skip
        seen.sort(key=lambda one: one.values[period])
        periods = [list(group) for _, group in groupby(seen, lambda one: one.values[period])]
        now: str | None = None
        draft: int | None = None
        for here, following in zip(periods, [*periods[1:], []], strict=True):
            later = {one.values[column] for one in following}
            here.sort(key=lambda one: (one.values[column] != now, one.values[column] in later))
            for one in here:
                value = one.values[column]
                if draft is not None and value == now:
                    self._plan.drafts.repeat(draft, one.row.number)
                    continue
                taken = self._take(one, _turn(steps, now, value))
                if taken is not None:
                    draft, now = taken, value


def _named(values: Values) -> Named:
    """Who a row means, by the columns that rosters name alike."""
    return Named(
        number=values.get("number"), id_number=values.get("id-number"), name=values.get("name"),
        born=values.get("birth-date"),
    )  # fmt: skip


def _words(one: _Read) -> str:
    """All that a row says, to tell a repetition from a contradiction."""
    said = sorted((k, str(v)) for k, v in one.values.items())
    faults = sorted(fault.reason.rule for fault in one.faults)
    return sha256(repr((said, faults)).encode()).hexdigest()


def _turn(steps: dict[str, int], before: str | None, value: str) -> Turn:
    if before is None:
        return "first"
    low, high = steps.get(before), steps.get(value)
    if low is None or high is None or low == high:
        return "aside"
    return "up" if low < high else "down"
