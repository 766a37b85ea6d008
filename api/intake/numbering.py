"""Rows of sheets without numbers: who they are, and the numbers that they are given.

Owns both. Invariant: a person is known by what is one person's alone, never by a number that is yet
to be given; numbers go by the order of the rows, on from the highest that was there before the
batch began, so that a plan made again, broken off or not, gives the same ones.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import count
from typing import NamedTuple
from uuid import uuid5

from api.intake.batches import all_batches
from api.intake.checking import Reason
from api.intake.mapping import Numbering
from api.intake.matching import NAMESAKE, UNMATCHED, Matcher, Named
from api.intake.plan import Given, Plan
from api.intake.reading import Table
from api.intake.rows import NAMESPACE, Draft
from api.intake.shelf import Keys, Shelf
from domain.acts.openings import RecordOpened
from domain.acts.people import NUMBER, NUMBER_HOLDER
from domain.bitemporal import OPEN, AsOf
from domain.ledger import Ledger
from domain.refusals import BadInput
from projections.records import Records

NOBODY = Reason(
    "nobody-named", "没有身份证号,姓名与出生日期也不全,无从认人",
    "no ID number, and no name with a birth date: nothing tells who this is",
    "补填身份证号,或姓名和出生日期", "give the ID number, or name and birth date",
)  # fmt: skip
ALIKE = Reason(
    "alike-in-file", "另一行同名同出生日期,其一没有身份证号,无从区分",
    "another row has this name and birth date, and one of the two has no ID number",
    "两行都填写身份证号;确为同一人的,删去一行",
    "give both ID numbers; if they are one, delete a row",
)  # fmt: skip


NUMBER_GONE = Reason(
    "number-given-meanwhile", "编号刚被另一导入占用,本行未登记",
    "another import gave this number to somebody meanwhile; the row is not entered",
    "再次导入此表,将改给下一个编号", "import the sheet again: the next number is given",
)  # fmt: skip


class Meant(NamedTuple):
    """The person of a row and what number the ledger has of them, or why nobody is taken; a fault
    of somebody taken is only remarked upon.
    """

    person: str | None = None
    number: str | None = None
    fault: Reason | None = None


class Numbers:
    """The persons of sheets without numbers, of one plan under a mapping of this system."""

    def __init__(self, ledger: Ledger, records: Records, system: str) -> None:
        self._ledger = ledger
        self._records = records
        self._system = system
        self._head = ledger.log.head()
        self._matchers: dict[date, Matcher] = {}
        shelf = Shelf()
        self._here, self._new, self._given = Keys(shelf), Keys(shelf), Keys(shelf)

    def meant(
        self, table: Table, day: date | None, rows: Sequence[tuple[int, Named | None]]
    ) -> list[Meant]:
        """Who each row of a table is about, by its number and what it says; None: of a row that is
        rejected anyhow.
        """
        day = day or self._ledger.today()
        latest = max(day, self._ledger.today())
        if latest not in self._matchers:
            self._matchers[latest] = Matcher(self._ledger, self._records, AsOf(latest, self._head))
        matches = self._matchers[latest].match([named or Named() for _, named in rows])
        subjects = [f"person:{match.person}" for match in matches if match.person]
        held = self._records.values(NUMBER, AsOf(day, self._head), subjects) if subjects else {}
        found = []
        for (number, named), match in zip(rows, matches, strict=True):
            if named is None:
                found.append(Meant())
            elif named.id_number is None and not (named.name and named.born):
                found.append(Meant(fault=NOBODY))
            elif match.person is not None:
                said = held.get(f"person:{match.person}") or {}
                found.append(Meant(match.person, said.get("number")))
            elif match.fault is not None and match.fault.rule != UNMATCHED.rule:
                found.append(Meant(fault=match.fault))
            else:
                new = self._unknown(table, number, named)
                found.append(new._replace(fault=NAMESAKE) if match.namesake and new.person else new)
        return found

    def _unknown(self, table: Table, row: int, named: Named) -> Meant:
        """Whom the ledger has not: the person of an earlier row of these files, or somebody new,
        known for ever by the row that named them first.
        """
        number, named_only = named.id_number, (named.name, named.born)
        if same := self._here.find(number) if number else self._here.find(named_only):
            return Meant(same[0])
        if self._here.find((*named_only, number is None)):
            return Meant(fault=ALIKE)
        said = f"{self._system}|person|{table.sha256}|{table.sheet}|{row}"
        person = uuid5(NAMESPACE, said).hex
        self._new.add([(person, 1)])
        self._here.add([(number or named_only, person)])
        if None not in named_only:
            self._here.add([((*named_only, number is not None), person)])
        return Meant(person)

    def give(self, plan: Plan) -> None:
        """Number whom the ledger has not, in the order of the files and their rows."""
        spec = {
            n: sheet.numbering
            for n, path in enumerate(plan.paths)
            if (sheet := plan.mapping.sheet_of(path.name)) and sheet.numbering
        }
        free: dict[Numbering, Iterator[str]] = {}
        for draft in plan.drafts.by_row():
            numbering, person = spec.get(draft.sheet), draft.person
            if numbering is None or person is None or not self._new.find(person):
                continue
            if numbering not in free:
                free[numbering] = self._free(numbering, plan)
            number = next(iter(self._given.find(person)), None)
            if number is None:
                number = next(free[numbering])
                self._given.add([(person, number)])
                file = plan.files[draft.sheet]
                before = plan.given.get(file, Given(0, number, number))
                plan.given[file] = Given(before.many + 1, before.first, number)
            plan.drafts.replace(_numbered(draft, number))

    def _free(self, numbering: Numbering, plan: Plan) -> Iterator[str]:
        """Numbers that nobody ever had, lowest first. Raises BadInput where they run out."""
        begun = next(
            (b.position for b in all_batches(self._ledger) if b.id == str(plan.batch)), self._head
        )
        highest = max(self._counts(numbering, begun), default=0)
        taken = {one for one in self._counts(numbering, self._head) if one > highest}
        for one in count(highest + 1):
            if one >= 10**numbering.width:
                raise BadInput(
                    f"there are no more numbers of {numbering.width} digits",
                    zh=f"{numbering.width} 位编号已用完,请在对应表中增加位数(width)或更换 prefix",
                    field="mapping.sheet.numbering.width",
                )
            if one not in taken:
                yield numbering.number(one)

    def _counts(self, numbering: Numbering, recorded: int) -> Iterator[int]:
        """The counts of numbers that anybody has or had, or will have, as known then."""
        rows = self._records.held([NUMBER_HOLDER], (date.min, OPEN), recorded) if recorded else []
        for subject, *_ in rows:
            if (one := numbering.count(subject.partition(":")[2])) is not None:
                yield one


def _numbered(draft: Draft, number: str) -> Draft:
    draft.made = tuple(
        made._replace(event=made.event.model_copy(update={"number": number}))
        if isinstance(made.event, RecordOpened)
        else made
        for made in draft.made
    )
    return draft
