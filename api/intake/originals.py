"""What the cells said, to the letter, kept with what was made of them.

Owns the turn from a row's cells to the entry that keeps them. Invariant: only cells that an act was
made of are kept, each sealed under the class of the field it went into.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5

import orjson

from api.intake.blocks import Row
from api.intake.mapping import Act, Sheet, places_in
from api.intake.values import text_of
from domain.acts.imports import RowRead, SheetColumn, SheetRead
from domain.events import REGISTRY

_LONGEST = 32_767
_PUBLIC, _TAKEN = "cells", "taken"
_CLASSES = ("identity", "finance", "political", "family", "health", "complainant")
"""Of the classes of several fields that one cell went into, the last one seals it."""


class Said(NamedTuple):
    """What a row said, to be kept: the texts by class and column letter, packed, for a plan holds
    one for every row.
    """

    sheet: int
    row: int
    packed: bytes


class _Kept(NamedTuple):
    name: str
    letters: str
    cls: str | None


class Originals:
    """The columns of one table that acts are made of, and its rows as entries.

    `places`: column → place in the row; `opening`: the acts that open a record with this sheet's
    columns.
    """

    def __init__(self, sheet: Sheet, opening: Sequence[Act], places: Mapping[str, int],
                 headings: Sequence[str]) -> None:  # fmt: skip
        into: defaultdict[str, list[str]] = defaultdict(list)
        classes: defaultdict[str, set[str]] = defaultdict(set)
        for act in (*opening, *sheet.act):
            event = REGISTRY[act.event]
            for field, column in _goes_into(act):
                into[column].append(f"{act.event}.{field}")
                if field in event.private:
                    classes[column].add(event.private[field].cls)
        self._kept: dict[int, list[_Kept]] = {}
        self.columns: list[SheetColumn] = []
        for name, at in sorted(places.items(), key=lambda one: one[1]):
            if name not in into:
                continue
            told = classes[name] | ({"identity"} if sheet.columns[name].private else set())
            cls = max(told, key=_CLASSES.index, default=None)
            self._kept.setdefault(at, []).append(_Kept(name, letters(at), cls))
            self.columns.append(
                SheetColumn(
                    column=letters(at), heading=headings[at], into=[*dict.fromkeys(into[name])]
                )
            )

        self._read = list(self._reading(None))

    def _reading(self, only: str | None) -> Iterator[tuple[int, str, str]]:
        """The place, class and letters of each column that is kept; `only`: of this one."""
        for at, readings in self._kept.items():
            kept = [one for one in readings if only is None or one.name == only]
            if kept:
                told = (one.cls for one in kept if one.cls)
                yield at, max(told, key=_CLASSES.index, default=_PUBLIC), kept[0].letters

    def sheet_read(self, batch: str, place: int, sheet: str) -> SheetRead:
        return SheetRead(batch=batch, place=place, sheet=sheet[:100], columns=self.columns)

    def said(self, sheet: int, row: Row, only: str | None = None) -> Said:
        """A row as it stands; `only`: of this column (by name), of all where None."""
        texts: dict[str, dict[str, str]] = {_PUBLIC: {}}
        cells, sources = row.cells, dict(row.taken)
        for at, cls, column in self._read if only is None else self._reading(only):
            if at < len(cells) and (text := text_of(cells[at])):
                texts.setdefault(cls, {})[column] = text[:_LONGEST]
                if (source := sources.get(at)) is not None:
                    cell = f"{letters(source.at)}{source.row}"
                    texts.setdefault(_TAKEN, {})[column] = cell
        packed = memoryview(orjson.dumps(texts))
        return Said(sheet, row.number, bytes(packed))  # a copy is without the spare room


def row_read(said: Said, person: str | None) -> RowRead:
    """The entry that keeps a row. Of a row about nobody the private cells are not kept: there is no
    key to seal them with.
    """
    texts = orjson.loads(said.packed)
    if person is None:
        texts = {name: said for name, said in texts.items() if name in (_PUBLIC, _TAKEN)}
    return RowRead.model_validate({"person": person, "sheet": said.sheet, "row": said.row, **texts})


def row_id(act: UUID) -> UUID:
    """The event id of the row that this act was the first one made of."""
    return uuid5(act, "row")


def letters(at: int) -> str:
    """The column at this place, as a spreadsheet names it: A … Z, AA …"""
    name = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _goes_into(act: Act) -> Iterator[tuple[str, str]]:
    """Each field of an act, its days and conditions included, with each column it is made of."""
    for field, text in act.fields.items():
        yield from ((field, column) for column in places_in(text))
    days = {"effective": act.effective, "occurred": act.occurred,
            "last_day": [act.last_day] if act.last_day else []}  # fmt: skip
    for field, texts in days.items():
        yield from ((field, column) for text in texts for column in places_in(text))
    yield from (("when", column) for column in act.when)
