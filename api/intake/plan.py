"""A plan: what files would enter, decided before anything is entered.

Owns what is known of a plan. Invariant: every row read is a draft, says the same as a draft or the
ledger, or has a fault that rejects it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

from api.intake.checking import Fault
from api.intake.mapping import Mapping
from api.intake.matching import Line, Named
from api.intake.originals import Originals
from api.intake.reading import Table
from api.intake.rows import NAMESPACE, Draft
from api.intake.shelf import Drafts, Shelf, Tally, Told

OF_NO_ROW = -1
"""The sheet of a draft that no single row stands for: a unit established, a record opened."""


class FileCount(NamedTuple):
    """What became of a file's rows; the kinds add up to `rows`.

    `acts`: rows that are acts, `already`: those of them that the ledger has, `unchanged`: rows that
    say what another row's act says, `differing`: that say otherwise than the ledger what no act is
    made of, `rejected`: rows kept with their reason.
    """

    file: str
    sheet: str
    rows: int
    acts: int
    already: int
    unchanged: int
    differing: int
    rejected: int


class Refused(NamedTuple):
    """Whom a rejected row means."""

    file: str
    row: int
    named: Named


class Given(NamedTuple):
    """How many numbers the persons of a file are to be given, the first and the last of them."""

    many: int
    first: str
    last: str


class Plan:
    """What the files would enter under a mapping.

    `drafts` are in the order of entering. `rejected` and `warnings` hold faults, in order of file
    and row, what comes of the ledger after them; a rejected row may have several; `refused_rows`:
    whom such rows mean. `refused`: what the ledger refused when the plan was entered; `unentered`:
    both. `given`: numbers that are to be given, by file. `lines`: how a roster compares with the
    ledger. `met`: whom a private cell led to, or was held against. `left_out`: what of the files
    was not read, in Chinese and English. `locks`: lock files passed over. `otherwise_dated`:
    files, the date of their titles and another one that was given. `batch` is the same for the
    same files and mapping. `whole`: nothing says that the sheets are parts of others.
    """

    def __init__(self, mapping: Mapping, tables: Sequence[Table], paths: Sequence[Path],
                 tab: str | None = None) -> None:  # fmt: skip
        self.mapping = mapping
        self.files = [table.file for table in tables]
        self.sheets = [table.sheet for table in tables]
        self.digests = [table.sha256 for table in tables]
        self.paths = list(paths)
        self.dates: list[date | None] = [None] * len(tables)
        self.originals: list[Originals] = []
        self.rows = [0] * len(tables)
        self.whole = not any(table.given_back for table in tables)
        self.shelf = Shelf()
        self.drafts = Drafts(self.shelf)
        self.rejected = Told[Fault](self.shelf, "rejected")
        self.refused = Told[Fault](self.shelf, "refused")
        self.unentered = Told[Fault](self.shelf, "rejected", "refused")
        self.warnings = Told[Fault](self.shelf, "warnings")
        self.refused_rows = Told[Refused](self.shelf, "refused rows")
        self.lines = Told[Line](self.shelf, "lines")
        self.given: dict[str, Given] = {}
        self.met: set[str] = set()
        self.locks: list[str] = []
        self.otherwise_dated: list[tuple[str, date, date]] = []
        self._left_out = [table.left_out for table in tables]
        said = "|".join([mapping.system, mapping.name, mapping.version, *sorted(self.digests)])
        if tab is not None:  # one workbook may be imported sheet by sheet
            said += f"|{tab}"
        self.batch = uuid5(NAMESPACE, said)

    @property
    def left_out(self) -> list[tuple[str, str]]:
        said = [
            (f"{file}:标题写明截至 {title},而按指定的 {given} 核对和登记",
             f"{file}: its title says {title}; it is taken as of {given}, as you said")
            for file, title, given in self.otherwise_dated
        ]  # fmt: skip
        said += [one for left_out in self._left_out for one in left_out()]
        if self.locks:
            names = "、".join(self.locks)
            zh = f"略过锁定文件(有人正打开原文件,可能有未保存的改动):{names}"
            en = f"lock files passed over (somebody has the file open, perhaps unsaved): {names}"
            said.append((zh, en))
        return said

    def edition(self, draft: Draft) -> str:
        """The version of the source's data that a draft is of."""
        return self.mapping.edition or str(self.dates[max(draft.sheet, 0)])

    @property
    def events(self) -> Counter[str]:
        """How many entries of each type the ledger would gain."""
        return self.drafts.types()

    @property
    def rules(self) -> Counter[str]:
        """How many rows each rule rejects or warns of."""
        return Counter(fault.reason.rule for fault in chain(self.rejected, self.warnings))

    def counts(self) -> list[FileCount]:
        return count_rows(self, self.drafts.tally(), self.rejected)

    def unchanged(self) -> Iterator[tuple[str, int, UUID]]:
        """File, row and the event id that says already what the row says."""
        for draft in self.drafts:
            for row in draft.same:
                yield self.files[draft.sheet], row, draft.made[0].event_id


def count_rows(plan: Plan, tally: Tally, rejected: Told[Fault]) -> list[FileCount]:
    """What became of the rows, by file."""
    refused = rejected.rows()
    return [
        FileCount(file, plan.sheets[n], plan.rows[n], tally.acts[n], tally.known[n],
                  tally.same[n], tally.differing[n], refused[file])
        for n, file in enumerate(plan.files)
    ]  # fmt: skip
