"""Whether a file names the unit once for several rows, over them or in the first of them.

Owns that guess. Invariant: it is made only where it leaves no row without a unit, and every text
taken for one is known as such or called as units are.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from api.intake.blocks import Row, headed_by
from api.intake.columns import Fill
from api.intake.reading import Table, read
from api.intake.values import folded

SURE, LIKELY = 0.9, 0.6
"""Confidence where the ledger has every unit so named, and where one is new."""
_TRIED: tuple[Fill, ...] = ("group", "above")
_CALLED = re.compile(r".{1,20}(?:所|队|局|科|处|室|股|站|中心|支局|办公室)")


class GivenOnce(NamedTuple):
    """`at`: the place of the column; `table` is read with its empty cells filled."""

    table: Table
    at: int
    fill: Fill
    confidence: float

    @property
    def why(self) -> tuple[str, str]:
        zh, en = {
            "group": ("取自各组上方的分组行", "from the row over each group"),
            "above": ("每组只在第一行填写,空格取上方", "blank below the first row of each group"),
        }[self.fill]
        return f'{zh}(fill = "{self.fill}")', f'{en} (fill = "{self.fill}")'


def given_once(
    path: Path, wanted: Collection[str], tab: str | None, heading: str, known: Collection[str]
) -> GivenOnce | None:
    """How the units of a file are given, where that is plain. `heading`: that of their column,
    whether the file has it or not; `known`: folded names of units. Raises as `read`.
    """
    for fill in _TRIED:
        table = read(path, wanted, tab, fills=[([heading], fill)])
        if (at := next(iter(table.blocks.fills), None)) is None:
            continue
        rows = [*table.rows]
        named = _named_by_group(rows, at, known) if fill == "group" else _named_first(rows, at)
        if named:
            sure = SURE if named <= {*known} else LIKELY
            return GivenOnce(table._replace(rows=iter(rows)), at, fill, sure)
    return None


def _named_by_group(rows: list[Row], at: int, known: Collection[str]) -> set[str]:
    """The units over groups of rows; none where a row has none, or a text is none."""
    if not all(folded(row.cells[at]) for row in rows):
        return set()
    over = {folded(row.cells[at]) for row in rows if row.source(at)}
    named = {text if text in known else headed_by(text) for text in over}
    return named if all(one in known or _CALLED.fullmatch(one) for one in named) else set()


def _named_first(rows: list[Row], at: int) -> set[str]:
    """The units that stand in the first row of a block, each once, most rows being blank."""
    own = [folded(row.cells[at]) for row in rows if row.source(at) is None]
    plain = "" not in own and len({*own}) == len(own) and 2 * len(own) <= len(rows)
    return {*own} if plain else set()
