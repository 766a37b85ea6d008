"""Imports 导入: which files were entered as one batch, and which batches were undone.

Owns the entries that begin, finish and undo a batch. Invariant: every entry of a batch lies behind
the entry that begins it and carries the batch as its `request_id`.
"""

from typing import Annotated

from pydantic import Field

from domain.events import Code, Event, Facet, Id, Subject, Text, Writes
from domain.record import Case
from domain.refusals import AlreadyRecorded, UnknownSubject

IMPORT = Facet("import", of="import", zh="导入批次", en="import batch", stays=True, ever=True)

BatchId = Annotated[Id, Subject("import")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


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
