"""From files to a plan.

Owns the pass over the files: persons opened, units established, overlaps pointed out. Invariant:
what is made of several rows rests on drafts alone, so that nothing is said of a rejected row.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from uuid import uuid5

from api.intake.checking import OVERLAPPING, Fault
from api.intake.kinds import UnitNames
from api.intake.mapping import Mapping, Sheet
from api.intake.numbering import Numbers
from api.intake.plan import OF_NO_ROW, Plan
from api.intake.reading import TEXTS, WORKBOOKS, Table, read
from api.intake.rows import NAMESPACE, Draft, Made, Makers, RowReader, Values, WhoIsMeant
from api.intake.sheetpass import SheetPass
from api.intake.shelf import Earliest, Spells
from api.intake.values import UnreadableError, day_of
from domain.acts.units import UnitEstablished
from domain.events import REGISTRY
from domain.refusals import BadInput, MissingField

_DAY = r"(\d{4}\s?[-./年]\s?\d{1,2}\s?[-./月]\s?\d{1,2}(?:\s?日)?|\d{8}(?!\d))"
_DATED = re.compile(r"截[至止](?:到|日期)?:?\s?" + _DAY)
_SOME_DAY = re.compile(r"(?<!\d)" + _DAY)


_LOCKS = ("~$", ".~")
"""How the name begins of what an office program lays beside a file that it has open."""


def locks_in(paths: Iterable[Path]) -> list[str]:
    """The lock files in these folders: no workbooks, though they are named so."""
    return sorted(f.name for p in paths if p.is_dir() for f in p.iterdir()
                  if f.name.startswith(_LOCKS))  # fmt: skip


def sources(paths: Iterable[Path], mapping: Mapping) -> list[tuple[Path, Sheet]]:
    """The files with the mapping's sheet for each, in the mapping's order; folders are opened,
    their lock files left out.

    Raises BadInput for a workbook or text that no sheet of the mapping is for, two files of one
    name, a lock file that is named, and no file at all.
    """
    found = []
    for path in paths:
        if path.name.startswith(_LOCKS) and not path.is_dir():
            raise BadInput(
                f"{path.name} is no workbook: an office program lays it there while the file is "
                f"open; name the file itself",
                zh=f"{path.name} 不是工作簿,而是文件打开时的锁定文件;请指明原文件", field="file",
            )  # fmt: skip
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.name.startswith(_LOCKS):
                continue
            sheet = mapping.sheet_of(file.name)
            if sheet is not None:
                found.append((file, sheet))
            elif not path.is_dir() or file.name.lower().endswith((*WORKBOOKS, *TEXTS)):
                raise BadInput(
                    f"{file.name}: the mapping {mapping.name} has no sheet for this file",
                    zh=f"{file.name}:对应表 {mapping.name} 没有说明这一文件", field="file",
                )  # fmt: skip
    names = [file.name for file, _ in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"two files are named {twice}", zh=f"有两个文件名为 {twice}", field="file")
    if not found:
        raise BadInput("no file to import", zh="没有可导入的文件", field="file")
    return sorted(found, key=lambda one: (mapping.sheet.index(one[1]), one[0].name))


def _one_at_a_time(event: str) -> bool:
    """Whether two acts of a type can tell otherwise of one day: rewards lie beside each other."""
    return any(not writes.facet.many for writes in REGISTRY[event].writes)


def _undated(table: Table) -> MissingField:
    """Another date in the title may be that of printing: it is offered, not taken."""
    said = ["2021-08-01"]
    with suppress(UnreadableError):
        days = map(day_of, _SOME_DAY.findall(table.title))
        said = [str(one.day) for one in days if one] or said
    return MissingField(
        f"{table.file}: no title gives the date of this sheet; say it: --dated {said[0]}",
        field="dated",
        zh=f"{table.file}:标题中没有截至日期,请指明,如 --dated {said[0]}",
    )


class Planner:
    """Reads files into a plan. `known_units`: folded name → unit id, as the ledger has them;
    `people` finds the person whom a cell names, `numbers` those of sheets without numbers; `tab`:
    the sheet to read, whatever the mapping says.
    """

    def __init__(self, mapping: Mapping, found: Sequence[tuple[Path, Sheet]],
                 known_units: dict[str, str], people: WhoIsMeant,
                 dated: date | None, tab: str | None = None,
                 numbers: Numbers | None = None) -> None:  # fmt: skip
        self._mapping = mapping
        self._numbers = numbers
        self._sheets = [sheet for _, sheet in found]
        self._tables = [
            read(
                path,
                sheet.headings,
                tab or sheet.tab,
                example=sheet.example,
                fills=sheet.fills,
                aside=sheet.aside,
            )
            for path, sheet in found
        ]
        self._units = UnitNames(mapping, known_units)
        self._people = people
        self.plan = Plan(mapping, self._tables, [path for path, _ in found], tab)
        self._since = Earliest(self.plan.shelf)
        self._spells = Spells(self.plan.shelf)
        self._lasting = [
            {a.event for a in s.act if a.last_day and _one_at_a_time(a.event)} for s in self._sheets
        ]
        self._first_days: dict[str, date] = {}
        self.plan.dates = self._dates = [
            self._date_of(sheet, table, dated)
            for sheet, table in zip(self._sheets, self._tables, strict=True)
        ]

    def _date_of(self, sheet: Sheet, table: Table, given: date | None) -> date | None:
        """The date given, or 截至 … of the title, or the mapping's."""
        match = _DATED.search(table.title)
        try:
            day = day_of(match[1]) if match else None
        except UnreadableError:
            if given is None:
                raise BadInput(f"{table.file}: the title's date does not exist", field="dated",
                               zh=f"{table.file}:标题中的截至日期不存在") from None  # fmt: skip
            day = None
        if given is not None:
            if day is not None and day.day != given:
                self.plan.otherwise_dated.append((table.file, day.day, given))
            return given
        if day is not None:
            return day.day
        dated = sheet.dated or self._mapping.dated
        if dated is None and self._mapping.edition is None:
            raise _undated(table)
        return dated

    def run(self) -> Plan:
        for number in range(len(self._sheets)):
            reader, makers = self._reader(number), self._makers(number)
            SheetPass(self.plan, reader, makers, self._add, self._since, self._numbers).run()
        self._open_records()
        self._warn_of_overlaps()
        for draft in self._unit_drafts():
            self.plan.drafts.add_unit(draft)
        return self.plan

    def _reader(self, number: int) -> RowReader:
        return RowReader(self._mapping, self._sheets[number], self._tables[number],
                         self._dates[number], self._units, self._people)  # fmt: skip

    def _makers(self, number: int) -> Makers:
        return Makers(self._sheets[number].act, self._mapping.system, self._edition(number))

    def _edition(self, number: int) -> str:
        return self._mapping.edition or str(self._dates[number])

    def _add(self, draft: Draft, person: str | None, words: str | None = None) -> int:
        """Take a draft in, and note the first day on which each unit is named."""
        first = self._first_days
        for made in draft.made:
            for name, kind in type(made.event).subjects:
                unit = getattr(made.event, name) if kind == "unit" else None
                if isinstance(unit, str) and made.effective < first.get(unit, date.max):
                    first[unit] = made.effective
        if draft.sheet != OF_NO_ROW:
            self._spells.add(draft, self._lasting[draft.sheet])
        return self.plan.drafts.add(draft, person, words)

    def _warn_of_overlaps(self) -> None:
        """Of the spells of a sheet that begin while another one of the same person goes on."""
        for sheet, row, under in self._spells.overlapping():
            fault = Fault(self.plan.files[sheet], row, None, "", False, OVERLAPPING, under)
            self.plan.warnings.add(fault, 1, by_row=True)

    def _open_records(self) -> None:
        """Each person with any act is opened on the first day of which the files know of one."""
        if not self._mapping.opening:
            return
        makers = Makers(self._mapping.opening, self._mapping.system, self._edition(0))
        for person, earliest in self.plan.drafts.first_days():
            known = self._since.of(person)
            since = {column: one for column, one in known.items() if one[0] <= earliest}
            values: Values = {"person": person, "earliest": earliest}
            values |= {column: day for column, (day, _) in since.items()}
            key = f"person:{person}"
            said = next((said for _, said in since.values()), None)
            self._add(Draft(OF_NO_ROW, 0, key, makers.make(values, key), said), person)

    def _unit_drafts(self) -> list[Draft]:
        """The mapping's units and those known by code, each from its first day, parents first."""
        first = self._first_days
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
