"""What a sheet gives once for a block of rows: a unit over its persons, or in the first one's row.

Owns the filling of empty cells. Invariant: only a column whose mapping says so is filled, with the
text to the letter and the cell it stands in; past the end of a block nothing is.

A block ends with a sum, with a text alone in its row and, where only its first row says what holds,
with an empty row.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from api.intake.columns import Fill
from api.intake.values import Cell, folded


class Taken(NamedTuple):
    """The cell that another one was filled from."""

    row: int
    at: int


class Row(NamedTuple):
    """`number` counts from 1 as spreadsheets do; a text file's headings are row 1. `taken`: the
    places that are filled from other cells, with these.
    """

    number: int
    cells: Sequence[Cell]
    taken: tuple[tuple[int, Taken], ...] = ()

    def source(self, at: int) -> int | None:
        """The row whose cell stands at this place, where it is another one."""
        return next((taken.row for place, taken in self.taken if place == at), None)


_DITTO = ("同上", "同前", "〃", '"', "''", "″")
_SAID = r"(?:[合总小共累]计|共|计)?:?\d{1,5}"
_COUNTED = rf"(?:\({_SAID}[人名]?\)|{_SAID}[人名])"
_HEAD_COUNT = re.compile(_COUNTED)
_NUMBERED = re.compile(
    r"^(?:第?[一二三四五六七八九十]{1,3}[、.)]|\([一二三四五六七八九十\d]{1,3}\)|\d{1,2}[、.)])"
)
_LABELLED = re.compile(r"^(?:用人|所在|所属|工作)?(?:单位|部门)(?:名称)?:(?!.*章)")
_TAIL = re.compile(rf"[:,]?{_COUNTED}$|:$")
_LEAST = 2
_SHEET = re.compile(r"名册|名单|[表簿]$|截[至止]|\d{4} ?年")
"""What a title says that no unit is called."""


def headed_by(cell: Cell) -> str:
    """What a heading of rows names, without its own number and the count of its rows:
    一、城东派出所(12人).
    """
    text = folded(cell).replace(" ", "")
    return _TAIL.sub("", _LABELLED.sub("", _NUMBERED.sub("", text)))


def is_labelled(cell: Cell) -> bool:
    """Whether a text says of itself that it names a unit: 单位:城东派出所."""
    return _LABELLED.match(folded(cell).replace(" ", "")) is not None


class Blocks:
    """The columns of one sheet that are filled, by place; behind its own, which are so many, those
    that are `added`, by heading. `titles`: texts from above the headings, which head no rows where
    a page repeats them. `filled`: how many cells of each, as the rows are met; `heads`: the rows
    that head others, each with its text.
    """

    def __init__(self, fills: Mapping[int, Fill], own: int, added: Sequence[str],
                 titles: Collection[str]) -> None:  # fmt: skip
        self.fills = fills
        self.added = added
        self._own = own
        self._titles = {*titles}
        self._held: dict[int, tuple[Cell, Taken]] = {}
        self.grouped = "group" in fills.values()
        self.filled: Counter[int] = Counter()
        self.heads: list[tuple[int, Cell]] = []

    def heads_rows(self, cells: Sequence[Cell]) -> bool:
        """Whether a text stands alone in its row, beside the count of its rows at most."""
        found = _alone(cells)
        return found is not None and folded(cells[found]) not in self._titles

    def is_title(self, cells: Sequence[Cell]) -> bool:
        """Whether a row is a title once more."""
        found = _alone(cells)
        return found is not None and folded(cells[found]) in self._titles

    def pass_title(self, cells: Sequence[Cell]) -> None:
        """Pass over a text alone in its row; a block ends with it, unless it names the sheet."""
        found = _alone(cells)
        if found is None or not (self.is_title(cells) and _SHEET.search(folded(cells[found]))):
            self.end()

    def head(self, row: Row) -> None:
        """Take a heading of rows in."""
        self.end()
        at = _alone(row.cells)
        assert at is not None  # noqa: S101
        self.heads.append((row.number, row.cells[at]))
        for place, fill in self.fills.items():
            if fill == "group":
                self._held[place] = (row.cells[at], Taken(row.number, at))

    def end(self) -> None:
        self._held.clear()

    def empty(self) -> None:
        """An empty row has been met: what a first row says ends, a heading does not."""
        for place in [p for p in self._held if self.fills[p] == "above"]:
            del self._held[place]

    def fill(self, row: Row, example: bool) -> Row:
        """A row of data with its empty cells filled; an example fills none."""
        if example:
            self.empty()
        elif _alone(row.cells) is not None:
            self.end()
        own = [*row.cells, *[""] * (self._own - len(row.cells))]
        cells = [*own[: self._own], *[""] * len(self.added), *own[self._own :]]
        taken = []
        for place, fill in self.fills.items():
            text = folded(cells[place])
            if text and not (fill == "above" and text in _DITTO):
                if fill == "above" and not example:
                    self._held[place] = (cells[place], Taken(row.number, place))
            elif (held := self._held.get(place)) is not None:
                cells[place] = held[0]
                taken.append((place, held[1]))
                self.filled[place] += 1
        return Row(row.number, cells, tuple(taken))


def _alone(cells: Sequence[Cell]) -> int | None:
    """Where the only text of a row begins, of one that is merged too; counts of rows are none."""
    texts: dict[str, int] = {}
    for at, cell in enumerate(cells):
        if text := folded(cell).replace(" ", ""):
            texts.setdefault(text, at)
    named = [text for text in texts if not _HEAD_COUNT.fullmatch(text)]
    if len(named) != 1 or len(named[0]) < _LEAST or named[0].isascii():
        return None
    return texts[named[0]]
