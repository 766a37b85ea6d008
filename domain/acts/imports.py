"""Imports 导入: which files were entered as one batch, what their cells said, and what was undone.

Owns the entries that begin, finish and undo a batch, and those that keep the text of the cells.
Invariant: every entry of a batch lies behind the entry that begins it and carries the batch as its
`request_id`; what a row said is entered in one request with the acts that were made of it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Private, Subject, Text, Writes
from domain.refusals import AlreadyRecorded, UnknownSubject

IMPORT = Facet("import", of="import", zh="导入批次", en="import batch", stays=True, ever=True)

BatchId = Annotated[Id, Subject("import")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ColumnName = Annotated[str, Field(pattern="^[A-Z]{1,4}$")]
"""A column as a spreadsheet names it."""
CellText = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=32_767)
]
"""As long as a spreadsheet's cell can be."""
CellName = Annotated[str, Field(pattern="^[A-Z]{1,4}[1-9][0-9]{0,9}$")]
Cells = dict[ColumnName, CellText]


class ImportBegun(Event):
    """Files begin to be entered as one batch, under one mapping (导入开始).

    `files` are their names, `digests` their SHA-256 in the same order.
    """

    zh = "导入开始"
    en = "Import begun"
    day = "开始登记之日"
    writes = (Writes(IMPORT, key="batch", value=("mapping", "version", "files", "digests")),)

    batch: BatchId
    mapping: Code
    version: Code
    files: Annotated[list[Text], Field(min_length=1)]
    digests: Annotated[list[Sha256], Field(min_length=1)]

    def decide(self, case: Case) -> None:
        if case.ever(IMPORT, self.batch):
            raise AlreadyRecorded("this batch has begun", zh="该批次已开始", field="batch")


class SheetColumn(BaseModel):
    """A column that was read: its heading, and what it goes into (`RecordOpened.hired_on`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    column: ColumnName
    heading: Annotated[str, Field(max_length=32_767)]
    into: list[Code]


class SheetRead(Event):
    """A sheet of a batch is read (表格读取). `place` is that of its file in the batch."""

    zh = "表格读取"
    en = "Sheet read"
    day = "开始登记之日"

    batch: BatchId
    place: Annotated[int, Field(ge=0)]
    sheet: Annotated[str, Field(max_length=100)] = ""
    columns: Annotated[list[SheetColumn], Field(max_length=20_000)]

    def decide(self, case: Case) -> None:
        _require_standing(case, self.batch)


class RowRead(Event):
    """What the cells of a row said, to the letter (表格行原文).

    In one request with the acts made of the row. `sheet` is the `place` of the batch's SheetRead.
    `cells` are public; the others are sealed under the class of what was made of them. `taken`:
    the columns whose text stands in another cell, and in which. That a file
    said so is true whatever becomes of the acts: nothing is judged here, and undoing leaves it.
    """

    zh = "表格行原文"
    en = "Row read"
    day = "登记之日"
    final = True
    aside = True

    person: PersonId | None = None
    sheet: Annotated[int, Field(ge=0)]
    row: Annotated[int, Field(ge=1)]
    cells: Cells
    taken: dict[ColumnName, CellName] | None = None
    identity: Annotated[Cells | None, Private("identity")] = None
    health: Annotated[Cells | None, Private("health")] = None
    finance: Annotated[Cells | None, Private("finance")] = None
    political: Annotated[Cells | None, Private("political")] = None
    complainant: Annotated[Cells | None, Private("complainant")] = None
    family: Annotated[Cells | None, Private("family")] = None


class ImportFinished(Event):
    """All rows of a batch have been handed in (导入完成).

    `entries`: how many it has entered, `rejected`: rows that were not. A batch taken up again with
    rows that the ledger had refused finishes again.
    """

    zh = "导入完成"
    en = "Import finished"
    day = "登记完毕之日"

    batch: BatchId
    entries: Annotated[int, Field(ge=0)]
    rejected: Annotated[int, Field(ge=0)]

    def decide(self, case: Case) -> None:
        _require_standing(case, self.batch)


class ImportUndone(Event):
    """Every entry of a batch is annulled (导入批次撤销). `annulled`: how many in the end."""

    zh = "导入批次撤销"
    en = "Import undone"
    day = "撤销完毕之日"
    ends = (IMPORT,)

    batch: BatchId
    annulled: Annotated[int, Field(ge=0)]

    def decide(self, case: Case) -> None:
        _require_standing(case, self.batch)
        case.end(IMPORT, self.batch)


def _require_standing(case: Case, batch: str) -> None:
    if case.value(IMPORT, batch) is None:
        raise UnknownSubject("no such batch stands", zh="没有这个导入批次或已撤销", field="batch")
