"""Who is meant: a row's identifiers against the persons that the ledger has.

Owns the matching of rows to persons. Invariant: a person is found by what is one person's alone, or
not at all: where identifiers disagree, or several persons fit, nobody is taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from api.intake.checking import Reason
from api.intake.reading import Row, read
from api.intake.shelf import Keys, Shelf
from api.intake.values import (
    Cell,
    UnreadableError,
    day_of,
    folded,
    heading_of,
    identifier_of,
    name_of,
)
from domain.acts.people import ID_NUMBER, NAME, NUMBER_HOLDER, PERSON, id_number_fault
from domain.bitemporal import AsOf, Fact
from domain.ledger import Ledger
from domain.ledger.sealed import sealed_owners
from domain.refusals import BadInput
from projections.records import Records

HEADINGS: dict[str, tuple[str, ...]] = {
    "person": ("人员标识", "人员", "person"),
    "number": ("辅警编号", "编号", "工号", "number"),
    "id_number": ("身份证号", "身份证号码", "公民身份号码", "id_number"),
    "name": ("姓名", "name"),
    "born": ("出生日期", "出生年月日", "birth_date"),
}
"""The headings under which each identifier is looked for."""

_NAMED = ("name", "birth_date")
_TOGETHER = 500
_SHOWN = 20
"""Rows of a list that are named where more are at fault."""
UNMATCHED = Reason(
    "unknown-person", "账本中找不到此人", "the ledger has no such person",
    "核对编号、身份证号;仅凭姓名须同时有出生日期",
    "check number and ID number; a name alone needs the birth date too",
)  # fmt: skip
DISAGREEING = Reason(
    "identifiers-disagree", "编号、身份证号等指向不同的人", "these identify different persons",
    "核对后改正其一", "correct one of them",
)  # fmt: skip
AMBIGUOUS = Reason(
    "ambiguous-person", "同名同出生日期的不止一人", "several persons have this name and birth date",
    "填写编号或身份证号", "give the number or the ID number",
)  # fmt: skip

MAYBE_KNOWN = Reason(
    "maybe-known-person", "账本中有同名同出生日期的人,编号或身份证号未见记载",
    "the ledger has somebody of this name and birth date, under no such number",
    "确为同一人的先登记其编号或身份证号", "if it is the same person, enter the number first",
)  # fmt: skip

NAMESAKE = Reason(
    "namesake", "账本中有同名同出生日期而身份证号不同的人,本行按新人登记",
    "the ledger has somebody of this name and birth date under another ID number; the row opens a"
    " record of somebody new",
    "确为同一人(更正身份证号)的,先登记人员信息变更再导入;确为两人的,无须处理",
    "if it is the same person, enter the new ID number first and import then; if they are two,"
    " there is nothing to do",
    rejects=False,
)  # fmt: skip


class Named(NamedTuple):
    """What a row says of who is meant; any of it may be absent."""

    person: str | None = None
    number: str | None = None
    id_number: str | None = None
    name: str | None = None
    born: date | None = None


class Match(NamedTuple):
    """The person and by what (`by` a field of Named), or why nobody is taken; `meant` are then all
    whom the row may mean. `namesake`: of this name and birth date is somebody, who is not meant.
    """

    person: str | None
    by: str | None
    fault: Reason | None = None
    meant: tuple[str, ...] = ()
    namesake: bool = False

    @property
    def people(self) -> tuple[str, ...]:
        """All whom the row is or may be about."""
        return self.meant if self.person is None else (self.person,)


Standing = Literal["new", "changed", "differs", "unchanged", "gone", "conflict"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)


class Line(NamedTuple):
    """One person on one of the lists; `file` and `row` are empty for who is gone. What
    changed or stands against it is said of fields, with values where they are public.
    """

    standing: Standing
    file: str
    row: int
    person: str
    number: str | None
    zh: str
    en: str


class Matcher:
    """The persons that a ledger has, as of a pair, by all that tells them apart. `met`: whom a
    private value led to, or of whom one was held against the sheet.
    """

    def __init__(
        self, ledger: Ledger, records: Records, as_of: AsOf, met: set[str] | None = None
    ) -> None:
        self.met = set[str]() if met is None else met
        self._ledger = ledger
        self._records = records
        self._as_of = as_of
        self._shelf = Shelf()

    @cached_property
    def _persons(self) -> Keys:
        everyone = self._records.each([PERSON], self._as_of)
        people = (fact.subject.partition(":")[2] for fact in everyone)
        return self._keys((person, person) for person in people)

    @cached_property
    def _by_number(self) -> Keys:
        held = self._records.each([NUMBER_HOLDER], self._as_of)
        return self._keys((number.upper(), said["person"]) for number, said in self._told(held))

    @cached_property
    def _by_name(self) -> Keys:
        """Opens every name and birth date: only asked where a row has nothing better."""
        return self._keys(self._names())

    def _names(self) -> Iterator[tuple[tuple[str, date], str]]:
        told = self._told(self._records.each([NAME, PERSON], self._as_of))
        people = groupby(told, itemgetter(0))
        while sealed := {
            person: {k: v for _, said in facts for k, v in said.items() if k in _NAMED}
            for person, facts in islice(people, _TOGETHER)
        }:
            owners = set(sealed_owners(list(sealed.values())))
            self._ledger.hold(owners)
            for person, said in self._ledger.vault.reveal(sealed).items():
                name, born = said.get("name"), said.get("birth_date")
                if isinstance(name, str) and isinstance(born, str):
                    yield (name_of(name), date.fromisoformat(born)), person
            self._ledger.vault.forget(owners)

    def _told(self, facts: Iterable[Fact]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Whom or what each fact is about, and what it says."""
        return ((f.subject.partition(":")[2], f.value) for f in facts if f.value is not None)

    def _keys(self, said: Iterable[tuple[object, str]]) -> Keys:
        keys = Keys(self._shelf)
        keys.add(said)
        return keys

    def match(self, rows: Sequence[Named]) -> list[Match]:
        """One answer a row, in their order; ID numbers are asked of the ledger all at once."""
        blind = self._ledger.vault.blind
        numbers = {n: blind("id-number", n) for row in rows if (n := row.id_number)}
        holders = self._ledger.log.claimed("id-number", list(numbers.values()))
        by_id = {n: holders[b] for n, b in numbers.items() if b in holders}
        return [self._one(row, by_id) for row in rows]

    def _one(self, row: Named, by_id: dict[str, str]) -> Match:
        found: dict[str, str] = {}
        if row.person is not None and self._persons.find(row.person):
            found["person"] = row.person
        if row.id_number in by_id:
            found["id_number"] = by_id[row.id_number]
            self.met.add(by_id[row.id_number])
        if row.number is not None and (holders := self._by_number.find(row.number.upper())):
            found["number"] = holders[-1]
        if len(set(found.values())) > 1 or (row.person and "person" not in found):
            return Match(None, None, DISAGREEING if found else UNMATCHED, (*found.values(),))
        if found:
            by, person = next(iter(found.items()))
            return Match(person, by)
        same = set(self._by_name.find((row.name, row.born)) if row.name and row.born else ())
        self.met |= same
        if row.number is None and row.id_number is None and same:
            one = next(iter(same)) if len(same) == 1 else None
            return Match(one, "name" if one else None, None if one else AMBIGUOUS, (*same,))
        may_be = same - self._with_id_number(same) if same and row.id_number is not None else same
        fault = MAYBE_KNOWN if may_be else UNMATCHED
        return Match(None, None, fault, (*may_be,), namesake=same > may_be)

    def contradicting(self, rows: Sequence[Named], people: Sequence[str]) -> list[str | None]:
        """Of each row the first field, if any, that is other than what the ledger has of the
        person beside it.
        """
        subjects = [f"person:{person}" for person in people]
        said: dict[str, dict[str, Any]] = {}
        for fact in self._records.at([NAME, PERSON, ID_NUMBER], subjects, self._as_of):
            said.setdefault(fact.subject.partition(":")[2], {}).update(fact.value or {})
        owners = set(sealed_owners(list(said.values())))
        self._ledger.hold(owners)
        rest = zip(rows, people, strict=True)
        self.met |= {one for row, one in rest if row.name or row.born or row.id_number}
        known = self._ledger.vault.reveal(said)
        self._ledger.vault.forget(owners)
        return [
            self._contradicting(row, person, known.get(person, {}))
            for row, person in zip(rows, people, strict=True)
        ]

    def _contradicting(self, row: Named, person: str, known: dict[str, Any]) -> str | None:
        if row.number is not None and person not in self._by_number.find(row.number.upper()):
            return "number"
        name, born = known.get("name"), known.get("birth_date")
        theirs = {
            "id_number": known.get("id_number"),
            "name": name_of(name) if isinstance(name, str) else None,
            "born": date.fromisoformat(born) if isinstance(born, str) else None,
        }
        for field, value in theirs.items():
            said = getattr(row, field)
            if said is not None and value is not None and said != value:
                return field
        return None

    def _with_id_number(self, people: set[str]) -> set[str]:
        """Those with an ID number: somebody with another one is somebody else."""
        subjects = [f"person:{person}" for person in people]
        facts = self._records.at([ID_NUMBER], subjects, self._as_of)
        return {f.subject.partition(":")[2] for f in facts if f.value is not None}


class People:
    """The persons whom single cells name, by number, ID number or id; asked when first needed."""

    def __init__(self, ledger: Ledger, records: Records | None) -> None:
        self._ledger = ledger
        self._records = records
        self.met: set[str] = set()

    @cached_property
    def _matcher(self) -> Matcher | None:
        now = AsOf(self._ledger.today(), self._ledger.log.head())
        return Matcher(self._ledger, self._records, now, self.met) if self._records else None

    def find(self, cell: Cell) -> str | None:
        """The person's id, None for a blank cell. Raises UnreadableError."""
        text = identifier_of(cell)
        if not text:
            return None
        number = text if id_number_fault(text) is None else None
        told = [Named(person=folded(cell)), Named(number=text), Named(id_number=number)]
        matches = self._matcher.match(told) if self._matcher else []
        found = {match.person for match in matches if match.person is not None}
        if len(found) != 1:
            raise UnreadableError("unknown-person")
        return found.pop()

    def named_otherwise(self, person: str, name: str) -> bool:
        """Whether the ledger has another name of this person."""
        told = [Named(name=name)]
        return self._matcher is not None and self._matcher.contradicting(told, [person]) != [None]


def persons_listed(
    path: Path, matcher: Matcher, tab: str | None = None
) -> tuple[list[str], list[tuple[str, str]]]:
    """The persons of a list: a workbook or CSV with one of the `HEADINGS` that tell persons apart;
    and what of the file was not read, in Chinese and English. `tab`: the sheet to read.

    Raises BadInput naming the rows for whom nobody or several are found, those of one named twice,
    and those where an identifier is not that person's.
    """
    wanted = {heading_of(h): key for key, names in HEADINGS.items() for h in names}
    table = read(path, wanted, tab, least=1)
    keys = [wanted.get(heading) for heading in table.headings]
    rows = [(row.number, _named(keys, row, table.epoch)) for row in table.rows]
    persons: dict[str, int] = {}
    faults: list[tuple[int, str, str]] = []
    matches = matcher.match([named for _, named in rows])
    for (number, _), found in zip(rows, matches, strict=True):
        if found.fault is not None or found.person is None:
            fault = found.fault or UNMATCHED
            faults.append((number, fault.en, fault.zh))
        elif (earlier := persons.setdefault(found.person, number)) != number:
            faults.append((number, f"the person of row {earlier}", f"与第 {earlier} 行为同一人"))
    if faults:
        raise _refused(faults)
    against = matcher.contradicting([named for _, named in rows], list(persons))
    for (number, _), field in zip(rows, against, strict=True):
        if field is not None:
            heading = table.headings[keys.index(field)]
            faults.append(
                (number, f"{heading} contradicts the person that the row otherwise names",
                 f"“{heading}”与本行所指人员在账本中的记载不符")
            )  # fmt: skip
    if faults:
        raise _refused(faults)
    return list(persons), [*table.left_out()]


def _named(keys: Sequence[str | None], row: Row, epoch: date) -> Named:
    said = {key: cell for key, cell in zip(keys, row.cells, strict=False) if key and folded(cell)}
    try:
        born = day_of(said.get("born"), epoch=epoch)
    except UnreadableError:
        raise _refused([(row.number, "no such birth date", "出生日期不存在")]) from None
    return Named(
        person=folded(said.get("person")) or None,
        number=identifier_of(said.get("number")) or None,
        id_number=identifier_of(said.get("id_number")) or None,
        name=name_of(said.get("name")) or None,
        born=born.day if born and born.exact else None,
    )


def _refused(faults: Sequence[tuple[int, str, str]]) -> BadInput:
    """What is wrong with a list: row, and why in English and Chinese; of many the first."""
    en = [f"row {row}: {why}" for row, why, _ in faults[:_SHOWN]]
    zh = [f"第 {row} 行:{why}" for row, _, why in faults[:_SHOWN]]
    if (rest := len(faults) - _SHOWN) > 0:
        en.append(f"{rest} more")
        zh.append(f"另有 {rest} 行")
    return BadInput("; ".join(en), zh=";".join(zh), field="to")
