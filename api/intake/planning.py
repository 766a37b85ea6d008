"""A plan: what files would enter, decided before anything is entered.

Owns the pass over the files: rows into drafts, persons opened, units established, changes tracked.
Invariant: every row read is a draft, says the same as a draft, or has a fault that rejects it.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from api.intake.checking import CONFLICTING, DUPLICATE, OVERLAPPING, Fault, Reason
from api.intake.mapping import Mapping, Sheet, Turn
from api.intake.matching import Line, Named
from api.intake.originals import Originals, Said
from api.intake.reading import TEXTS, WORKBOOKS, Row, Table, read
from api.intake.rows import (
    NAMESPACE,
    Draft,
    Made,
    Makers,
    ReasonError,
    RowReader,
    UnitNames,
    Values,
    lone,
)
from api.intake.values import Cell, UnreadableError, day_of
from domain.acts.units import UnitEstablished
from domain.refusals import BadInput, MissingField

_DATED = re.compile(r"截[至止]到?\s?(\d{4}[-./年]\d{1,2}[-./月]\d{1,2}日?)")
OF_NO_ROW = -1
"""The sheet of a draft that no single row stands for: a unit established, a record opened."""


class FileCount(NamedTuple):
    """What became of a file's rows; the four kinds add up to `rows`.

    `acts`: rows that are acts, `already`: those of them that the ledger has, `unchanged`: rows that
    say what another row's act says, `rejected`: rows kept with their reason.
    """

    file: str
    sheet: str
    rows: int
    acts: int
    already: int
    unchanged: int
    rejected: int


class Plan:
    """What the files would enter under a mapping.

    `drafts` are in the order of entering. `rejected` and `warnings` hold faults, in order of file
    and row; a rejected row may have several; `refused_rows`: sheet and identifiers of such rows.
    `lines`, `agreeing`: how a roster compares with the ledger. `batch` is the same for the same
    files and mapping.
    """

    def __init__(self, mapping: Mapping, tables: Sequence[Table], paths: Sequence[Path]) -> None:
        self.mapping = mapping
        self.files = [table.file for table in tables]
        self.sheets = [table.sheet for table in tables]
        self.digests = [table.sha256 for table in tables]
        self.paths = list(paths)
        self.dates: list[date | None] = [None] * len(tables)
        self.originals: list[Originals] = []
        self.rows = [0] * len(tables)
        self.drafts: list[Draft] = []
        self.already: set[UUID] = set()
        self.rejected: list[Fault] = []
        self.warnings: list[Fault] = []
        self.refused_rows: list[tuple[int, Named]] = []
        self.agreeing: list[Draft] = []
        self.lines: list[Line] = []
        said = "|".join([mapping.system, mapping.name, mapping.version, *sorted(self.digests)])
        self.batch = uuid5(NAMESPACE, said)

    def edition(self, draft: Draft) -> str:
        """The version of the source's data that a draft is of."""
        return self.mapping.edition or str(self.dates[max(draft.sheet, 0)])

    @property
    def events(self) -> Counter[str]:
        """How many entries of each type the ledger would gain."""
        return Counter(
            type(made.event).__name__
            for draft in self.drafts
            if draft.made[0].event_id not in self.already
            for made in draft.made
        )

    @property
    def rules(self) -> Counter[str]:
        """How many rows each rule rejects or warns of."""
        return Counter(fault.reason.rule for fault in (*self.rejected, *self.warnings))

    def counts(self) -> list[FileCount]:
        return count_rows(self, self.drafts, self.rejected, self.already)

    def unchanged(self) -> Iterator[tuple[str, int, UUID]]:
        """File, row and the event id that says already what the row says."""
        for draft in self.drafts:
            for row in draft.same:
                yield self.files[draft.sheet], row, draft.made[0].event_id


def count_rows(
    plan: Plan, drafts: Iterable[Draft], rejected: Iterable[Fault], already: set[UUID]
) -> list[FileCount]:
    """What became of the rows, by file."""
    acts, known, same = Counter[int](), Counter[int](), Counter[int]()
    for draft in drafts:
        acts[draft.sheet] += 1
        known[draft.sheet] += draft.made[0].event_id in already
        same[draft.sheet] += len(draft.same)
    for draft in plan.agreeing:
        same[draft.sheet] += 1 + len(draft.same)
    refused = Counter(file for file, _ in {(fault.file, fault.row) for fault in rejected})
    return [
        FileCount(file, plan.sheets[n], plan.rows[n], acts[n], known[n], same[n], refused[file])
        for n, file in enumerate(plan.files)
    ]


def sources(paths: Iterable[Path], mapping: Mapping) -> list[tuple[Path, Sheet]]:
    """The files with the mapping's sheet for each, in the mapping's order; folders are opened.

    Raises BadInput for a workbook or text that no sheet of the mapping is for, two files of one
    name, and no file at all.
    """
    found = []
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            sheet = mapping.sheet_of(file.name)
            if sheet is not None:
                found.append((file, sheet))
            elif not path.is_dir() or file.name.lower().endswith((*WORKBOOKS, *TEXTS)):
                raise BadInput(
                    f"{file.name}: the mapping {mapping.name} has no sheet for this file",
                    zh=f"{file.name}:映射 {mapping.name} 没有对应的工作表", field="file",
                )  # fmt: skip
    names = [file.name for file, _ in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"two files are named {twice}", zh=f"有两个文件名为 {twice}", field="file")
    if not found:
        raise BadInput("no file to import", zh="没有可导入的文件", field="file")
    return sorted(found, key=lambda one: (mapping.sheet.index(one[1]), one[0].name))


class Planner:
    """Reads files into a plan. `known_units`: folded name → unit id, as the ledger has them;
    `people` finds the person whom a cell names.
    """

    def __init__(self, mapping: Mapping, found: Sequence[tuple[Path, Sheet]],
                 known_units: dict[str, str], people: Callable[[Cell], str | None],
                 dated: date | None) -> None:  # fmt: skip
        self._mapping = mapping
        self._sheets = [sheet for _, sheet in found]
        self._tables = [read(path, sheet.headings, sheet.tab) for path, sheet in found]
        self._units = UnitNames(mapping, known_units)
        self._people = people
        self._by_person: defaultdict[str, list[Draft]] = defaultdict(list)
        self._since: defaultdict[str, dict[str, tuple[date, Said]]] = defaultdict(dict)
        self.plan = Plan(mapping, self._tables, [path for path, _ in found])
        self.plan.dates = self._dates = [
            self._date_of(sheet, table, dated)
            for sheet, table in zip(self._sheets, self._tables, strict=True)
        ]

    def _date_of(self, sheet: Sheet, table: Table, given: date | None) -> date | None:
        """The date given, or 截至 … of the title, or the mapping's."""
        if given is not None:
            return given
        if match := _DATED.search(table.title):
            try:
                day = day_of(match[1])
            except UnreadableError:
                raise BadInput(f"{table.file}: the title's date does not exist", field="dated",
                               zh=f"{table.file}:标题中的截止日期不存在") from None  # fmt: skip
            return day.day if day else None
        dated = sheet.dated or self._mapping.dated
        if dated is None and self._mapping.edition is None:
            raise MissingField(
                f"{table.file}: no title gives the date of this sheet; say it", field="dated",
                zh=f"{table.file}:标题中没有截止日期,请指明花名册的截止日期",
            )  # fmt: skip
        return dated

    def run(self) -> Plan:
        for number, sheet in enumerate(self._sheets):
            _SheetPass(self, number, sheet).run()
        self._open_records()
        persons = sorted(self._by_person)
        ordered = [d for p in persons for d in sorted(self._by_person[p], key=lambda d: d.place)]
        self.plan.warnings += self._overlaps(ordered)
        self.plan.drafts = [*self._establish_units(ordered), *ordered]
        self.plan.rejected.sort(key=lambda fault: (fault.file, fault.row))
        return self.plan

    def reader(self, number: int) -> RowReader:
        return RowReader(self._mapping, self._sheets[number], self._tables[number],
                         self._dates[number], self._units, self._people)  # fmt: skip

    def makers(self, number: int) -> Makers:
        return Makers(self._sheets[number].act, self._mapping.system, self._edition(number))

    def _edition(self, number: int) -> str:
        return self._mapping.edition or str(self._dates[number])

    def add(self, person: str, draft: Draft) -> None:
        self._by_person[person].append(draft)

    def note_since(self, number: int, row: Row, values: Values) -> None:
        """Keep the earliest of the days that an opening may name, and where it stands."""
        for column, name in self._mapping.since.items():
            day = values.get(column) if name == self._sheets[number].name else None
            if day is not None and (person := values["person"]) is not None:
                kept = self._since[person]
                if column not in kept or day < kept[column][0]:
                    said = self.plan.originals[number].said(number, row.number, row.cells, column)
                    kept[column] = (day, said)

    def _overlaps(self, ordered: Iterable[Draft]) -> list[Fault]:
        """The spells of a sheet that begin while another one of the same person goes on; `other` is
        the row on which they lie. `ordered`: by person, the one on top later.
        """
        spells = [{a.event for a in sheet.act if a.last_day} for sheet in self._sheets]
        below: defaultdict[tuple[int, str, str], list[tuple[date, int]]] = defaultdict(list)
        found: list[Fault] = []
        for draft in ordered:
            for made in draft.made if draft.sheet != OF_NO_ROW else ():
                type_ = type(made.event).__name__
                if type_ not in spells[draft.sheet] or draft.person is None:
                    continue
                earlier = below[draft.sheet, draft.person, type_]
                earlier[:] = [one for one in earlier if one[0] > made.effective]
                if earlier:
                    file, under = self.plan.files[draft.sheet], earlier[-1][1]
                    found.append(Fault(file, draft.row, None, "", False, OVERLAPPING, under))
                earlier.append((made.until or date.max, draft.row))
        return sorted(found, key=lambda fault: (fault.file, fault.row))

    def _open_records(self) -> None:
        """Each person with any act is opened on the first day of which the files know of one."""
        if not self._mapping.opening:
            return
        makers = Makers(self._mapping.opening, self._mapping.system, self._edition(0))
        for person, drafts in self._by_person.items():
            earliest = min(made.effective for draft in drafts for made in draft.made)
            values: Values = {"person": person, "earliest": earliest}
            since = {c: one for c, one in self._since[person].items() if one[0] <= earliest}
            values |= {column: day for column, (day, _) in since.items()}
            key = f"person:{person}"
            said = next((said for _, said in since.values()), None)
            drafts.append(Draft(OF_NO_ROW, 0, key, makers.make(values, key), said))

    def _establish_units(self, drafts: Iterable[Draft]) -> list[Draft]:
        """The mapping's units and those known by code, each from its first day, parents first."""
        first = _first_days(drafts)
        days = [*first.values(), *(day for day in self._dates if day is not None)]
        if not days:
            return []
        events = [
            (unit.since or min(days), UnitEstablished(
                unit=unit.unit, name=unit.name, kind=unit.kind, parent=unit.parent,
                division=unit.division,
            ))
            for unit in self._mapping.unit
        ]  # fmt: skip
        codes = self._mapping.unit_codes
        if codes is not None:
            events += [
                (first[unit], UnitEstablished(
                    unit=unit, name=codes.name.replace("{code}", code), kind=codes.kind,
                    parent=codes.parent,
                ))
                for unit, code in sorted(self._units.codes_found.items())
                if unit in first
            ]  # fmt: skip
        return [self._unit_draft(event, since) for since, event in events]

    def _unit_draft(self, event: UnitEstablished, since: date) -> Draft:
        key = f"unit:{event.unit}"
        event_id = uuid5(NAMESPACE, f"{self._mapping.system}|{key}")
        return Draft(OF_NO_ROW, 0, key, (Made(event_id, event, since, None, None, None),))


def _first_days(drafts: Iterable[Draft]) -> dict[str, date]:
    """The first day on which each unit is named by an act."""
    first: dict[str, date] = {}
    for draft in drafts:
        for made in draft.made:
            for name, kind in type(made.event).subjects:
                unit = getattr(made.event, name)
                if kind == "unit" and isinstance(unit, str):
                    first[unit] = min(made.effective, first.get(unit, made.effective))
    return first


class _Read(NamedTuple):
    row: Row
    values: Values
    faults: list[Fault]


class _SheetPass:
    """The pass over one table: every row becomes a draft, joins one, or is rejected."""

    def __init__(self, planner: Planner, number: int, sheet: Sheet) -> None:
        self._planner = planner
        self._plan = planner.plan
        self._number = number
        self._sheet = sheet
        self._reader = planner.reader(number)
        self._table = self._reader.table
        self._plan.originals.append(self._reader.originals)
        self._makers = planner.makers(number)
        self._drafted: dict[str, Draft] = {}
        self._words: dict[str, str] = {}

    def run(self) -> None:
        rows = self._rows(self._without_duplicates() if self._sheet.unique else self._table.rows)
        if self._sheet.track is not None:
            self._track(rows)
        else:
            for one in rows:
                self._take(one, None)

    def _rows(self, rows: Iterable[Row]) -> Iterator[_Read]:
        for row in rows:
            self._plan.rows[self._number] += 1
            values, faults = self._reader.read(row)
            self._planner.note_since(self._number, row, values)
            yield _Read(row, values, faults)

    def _reject(self, one: _Read, reason: Reason, column: str | None = None,
                other: int | None = None) -> None:  # fmt: skip
        self._plan.rejected.append(self._reader.fault(one.row, column, reason, other))

    def _take(self, one: _Read, turn: Turn | None) -> Draft | None:
        """The draft that this row is or says the same as; None where it is rejected."""
        rejecting = list(lone(one.faults))
        if rejecting:
            self._plan.rejected += rejecting
            self._plan.refused_rows.append((self._number, _named(one.values)))
            return None
        key = one.values["row-key"]
        if (same := self._drafted.get(key)) is not None:
            if self._sheet.keyed_by and _said(one) != self._words[key]:
                self._reject(one, CONFLICTING, other=same.row)
                return None
            same.same.append(one.row.number)
            return same
        try:
            made = self._makers.make(one.values, key, turn)
        except ReasonError as error:
            self._reject(one, error.reason)
            return None
        if not made:
            self._reject(one, self._reader.otherwise(one.values))
            return None
        said = self._reader.originals.said(self._number, one.row.number, one.row.cells)
        draft = Draft(self._number, one.row.number, key, made, said)
        self._drafted[key] = draft
        if self._sheet.keyed_by:
            self._words[key] = _said(one)
        self._plan.warnings += one.faults
        self._planner.add(one.values["person"], draft)
        return draft

    def _without_duplicates(self) -> Iterator[Row]:
        """Of rows that share what is one person's alone the repetition is rejected or, if they
        differ, each of them. Only rows that may be such are read for it.
        """
        rows = deque(self._table.rows)
        alike: defaultdict[tuple[str, Any], list[Row]] = defaultdict(list)
        for row in rows:
            for column, value in self._reader.alone(row, self._sheet.unique):
                alike[column, value].append(row)
        suspects = {row.number: row for group in alike.values() if len(group) > 1 for row in group}
        del alike
        faulty = self._repeated(
            [_Read(suspects[n], *self._reader.read(suspects[n])) for n in sorted(suspects)]
        )
        while rows:  # what is drafted need not be held as well
            row = rows.popleft()
            if row.number in faulty:
                reason, other = faulty[row.number]
                one = _Read(row, *self._reader.read(row))
                self._plan.rows[self._number] += 1
                self._plan.refused_rows.append((self._number, _named(one.values)))
                self._reject(one, reason, self._sheet.unique[0], other)
            else:
                yield row

    def _repeated(self, rows: Iterable[_Read]) -> dict[int, tuple[Reason, int]]:
        """Why a row is rejected for the sake of another one, by number."""
        first: dict[tuple[str, Any], _Read] = {}
        faulty: dict[int, tuple[Reason, int]] = {}
        for one in rows:
            for column in self._sheet.unique:
                value = one.values.get(column)
                if value is None:
                    continue
                earlier = first.setdefault((column, value), one)
                if earlier is one or one.row.number in faulty:
                    continue
                if _said(one) == _said(earlier):
                    faulty[one.row.number] = (DUPLICATE, earlier.row.number)
                else:
                    faulty[one.row.number] = (CONFLICTING, earlier.row.number)
                    faulty.setdefault(earlier.row.number, (CONFLICTING, one.row.number))
        return faulty

    def _track(self, rows: Iterable[_Read]) -> None:
        """Of a column that is given again and again, only the changes are acts."""
        track = self._sheet.track
        assert track is not None  # noqa: S101
        persons: defaultdict[str, list[_Read]] = defaultdict(list)
        for one in rows:
            period, value = one.values.get(track.period), one.values.get(track.column)
            if any(lone(one.faults)) or None in (period, value, one.values["person"]):
                self._take(one, None)
            else:
                persons[one.values["person"]].append(one)
        for seen in persons.values():
            self._track_person(seen, track.column, track.period, track.steps)

    def _track_person(self, seen: list[_Read], column: str, period: str,
                      steps: dict[str, int]) -> None:  # fmt: skip
        seen.sort(key=lambda one: one.values[period])
        periods = [list(group) for _, group in groupby(seen, lambda one: one.values[period])]
        now: str | None = None
        draft: Draft | None = None
        for here, following in zip(periods, [*periods[1:], []], strict=True):
            later = {one.values[column] for one in following}
            here.sort(key=lambda one: (one.values[column] != now, one.values[column] in later))
            for one in here:
                value = one.values[column]
                if draft is not None and value == now:
                    draft.same.append(one.row.number)
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


def _said(one: _Read) -> str:
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
