"""A roster against a ledger that has its persons already: what is new, changed, the same or gone.

Owns the comparison and the acts that changes become. Invariant: only what the roster itself says
becomes an act; who is missing from it, and what it cannot tell, is listed and never entered.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from api.columns import Label
from api.intake.checking import Fault, Reason
from api.intake.differences import Difference, details, differences, entered, fault_of
from api.intake.known import entered_otherwise
from api.intake.matching import NAMESAKE, STANDINGS, UNMATCHED, Line, Matcher, Named, Standing
from api.intake.plan import Plan
from api.intake.rows import NAMESPACE, Draft, Made
from api.intake.shelf import Keys
from api.rendering import coded
from domain.acts.contracts import CONTRACT
from domain.acts.grades import GRADE, AuxiliaryDemoted, AuxiliaryPromoted, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.openings import RecordOpened
from domain.acts.people import (
    CATEGORY,
    ID_NUMBER,
    NAME,
    NUMBER,
    PERSON,
    SERVICE,
    UNIT,
    PersonRegistered,
)
from domain.bitemporal import OPEN, AsOf, Fact, last_day
from domain.events import Event
from domain.law import Rules
from domain.ledger import Ledger
from domain.ledger.sealed import sealed_owners
from projections.questions.law import Published, rules_of
from projections.records import Records
from projections.roster import tree

TOGETHER = 1_000
_HELD = (UNIT, GRADE, CATEGORY, NUMBER)
_DATED = (SERVICE, CONTRACT)
_SEALED = (NAME, ID_NUMBER, PERSON)


_LATER = "later"

Where = tuple[str, int, str, str | None]
"""File, row, person, number."""


class Ways(NamedTuple):
    """What a roster does not say of a change of grade: the paper behind it does."""

    promoted_by: str | None = None
    demoted_by: str | None = None


UNTOLD = Ways()


class ConflictError(Exception):
    """A row that the ledger contradicts."""

    def __init__(
        self, rule: str, zh: str, en: str, mend_zh: str = "核对后逐项登记或更正",
        mend_en: str = "check it, and enter or correct it by itself",
    ) -> None:  # fmt: skip
        self.reason = Reason(rule, zh, en, mend_zh, mend_en)
        self.fault: Fault | None = None
        super().__init__(rule)

    @classmethod
    def of(cls, reason: Reason, fault: Fault) -> "ConflictError":
        """A contradiction at one cell."""
        conflict = cls(*reason[:5])
        conflict.fault = fault
        return conflict


def opens_records(plan: Plan) -> bool:
    """Whether the sheets of this plan are rosters."""
    return any(a.event == RecordOpened.__name__ for s in plan.mapping.sheet for a in s.act)


class Comparison:
    """One plan of rosters against what the ledger holds on their dates."""

    def __init__(self, ledger: Ledger, records: Records, plan: Plan, ways: Ways) -> None:
        self._ledger = ledger
        self._records = records
        self._plan = plan
        self._ways = ways
        self._head = ledger.log.head()
        self._names = {unit.unit: unit.name for unit in plan.mapping.unit}
        self._law = Published(ledger, self._head).at(self._head) if self._head else None

    def run(self, undone: Collection[UUID]) -> None:
        """Turn the plan's openings of known persons into acts of change, or lists."""
        drafts = self._plan.drafts
        for sheet, day in enumerate(self._plan.dates):
            if day is None or not drafts.fresh(sheet):
                continue
            as_of = AsOf(day, self._head)
            latest = AsOf(max(day, self._ledger.today()), self._head)
            matcher = Matcher(self._ledger, self._records, latest, self._plan.met)
            self._names |= tree(self._records, as_of).names
            roster = _Roster(Keys(self._plan.shelf), set())
            rest = drafts.read(sheet)
            while part := list(islice(rest, TOGETHER)):
                roster.note(part)
                fresh = [draft for draft in part if not draft.already]
                roster.present.add(self._compare(fresh, matcher, as_of, undone))
            self._note_those_rejected(sheet, matcher, roster)
            if self._plan.whole:
                self._list_the_gone(roster, as_of)

    def _tell(self, standing: Standing, where: Where, zh: str, en: str) -> None:
        line = Line(standing, *where, zh, en)
        self._plan.lines.add(line, STANDINGS.index(standing), by_row=True)

    def _compare(
        self, drafts: list[Draft], matcher: Matcher, as_of: AsOf, undone: Collection[UUID]
    ) -> list[tuple[str, int]]:
        """Whom the rows are; their openings become what has changed."""
        plan = self._plan
        openings = [_Opening.of(draft, found=self._found_already(draft)) for draft in drafts]
        matches = matcher.match([opening.named for opening in openings])
        held = self._held([match.person for match in matches if match.person], as_of)
        told: dict[int, tuple[Draft, Where, str, str]] = {}
        for opening, match in zip(openings, matches, strict=True):
            draft = opening.draft
            where = (plan.files[draft.sheet], draft.row, match.person or "", opening.named.number)
            if match.fault is not None and match.fault.rule != UNMATCHED.rule:
                self._conflict(draft, where, match.fault)
            elif match.person is None:
                self._tell("new", where, "新增", "new")
                if match.namesake:
                    plan.warnings.add(Fault(*where[:2], None, "", False, NAMESAKE), 2)
            else:
                changed = self._known(opening, where, held[match.person], as_of)
                if changed is not None:
                    draft.renew(undone)
                    told[draft.id] = (draft, where, *changed)
        changes = [draft for draft, *_ in told.values()]
        for draft, reason in entered_otherwise(self._ledger, plan, changes):
            self._conflict(draft, told.pop(draft.id)[1], reason)
        for draft, where, zh, en in told.values():
            self._tell("changed", where, zh, en)
            plan.drafts.replace(draft)
        return [(person, 1) for match in matches for person in match.people]

    def _found_already(self, draft: Draft) -> bool:
        """Whether the persons of a draft's sheet were found when it was read."""
        sheet = self._plan.mapping.sheet_of(self._plan.paths[draft.sheet].name)
        return sheet is not None and sheet.numbering is not None

    def _held(self, people: Sequence[str], as_of: AsOf) -> dict[str, dict[str, Any]]:
        """What the ledger says of each person, by facet, private values open."""
        found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        sealed: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        subjects = [f"person:{person}" for person in people]
        for facet in (*_HELD, *_SEALED):
            told = sealed if facet in _SEALED else found
            for subject, value in self._records.values(facet, as_of, subjects).items():
                if value is not None:
                    told[subject.partition(":")[2]][facet.name] = value
        for fact in self._records.at(_DATED, subjects, as_of):
            if fact.value is not None:
                days = {"last_day": last_day(fact.until), "hired_on": self._hired(fact)}
                found[fact.subject.partition(":")[2]][fact.facet] = {**fact.value, **days}
        everything = [*_HELD, *_DATED, *_SEALED]
        for fact in self._records.over(everything, (as_of.effective, OPEN), self._head, subjects):
            if fact.effective > as_of.effective:
                found[fact.subject.partition(":")[2]][_LATER] = {"since": fact.effective}
        owners = set(sealed_owners(list(sealed.values())))
        self._ledger.hold(owners)
        opened = self._ledger.vault.reveal(dict(sealed))
        self._ledger.vault.forget(owners)
        return {person: found[person] | opened.get(person, {}) for person in people}

    def _hired(self, fact: Fact) -> date | None:
        """Since when somebody serves; None where an opening did not say it."""
        if fact.facet != SERVICE.name or not fact.value.get("opened"):
            return fact.effective
        entry = next(self._ledger.entries(after=fact.entry - 1, until=fact.entry))
        return fact.effective if entry.fields.get("hired_on") else None

    def _known(
        self, opening: "_Opening", where: Where, held: dict[str, Any], as_of: AsOf
    ) -> Label | None:
        """What changed, which the draft stands for now; None: nothing, or nobody can say what."""
        plan, draft, person = self._plan, opening.draft, where[2]
        found = list(differences(opening.events, held))
        try:
            self._check_same(draft, found, held)
            events = list(self._changes(opening, person, held, as_of))
            if (act := details(person, found)) is not None:
                events.append((act, _together([d for d in found if entered(d)])))
            _check_newest(held, anything=bool(events or found))
        except ConflictError as conflict:
            self._conflict(draft, where, conflict.reason, conflict.fault)
            return None
        rest = [one for one in found if not entered(one)]
        for one in rest:
            plan.warnings.add(fault_of(plan, draft, one), 2)
        if not events:
            if rest:
                self._tell("differs", where, *_together(rest))
            else:
                self._tell("unchanged", where, "无变化", "unchanged")
            plan.drafts.agree(draft, differs=bool(rest))
            return None
        zh = ";".join(f"{event.zh} {said.zh}" for event, said in events)
        en = "; ".join(f"{event.en} {said.en}" for event, said in events)
        if rest:
            zh += f";未登记:{_together(rest).zh}"
            en += f"; not entered: {_together(rest).en}"
        scope = f"{plan.mapping.system}|{plan.edition(draft)}|{draft.key}"
        draft.made = tuple(
            Made(uuid5(NAMESPACE, f"{scope}|{type(event).__name__}"), event, as_of.effective,
                 None, None, None)
            for event, _ in events
        )  # fmt: skip
        return Label(zh, en)

    def _changes(
        self, opening: "_Opening", person: str, held: dict[str, Any], as_of: AsOf
    ) -> Iterator[tuple[Event, Label]]:
        """The acts by which the ledger comes to say what the row says. Raises ConflictError."""
        unit, before = opening.said(RecordOpened, "unit"), held.get(UNIT.name, {}).get("unit")
        if unit is not None and unit != before:
            event = AuxiliaryTransferred(person=person, unit=unit)
            yield event, self._moved(self._unit(before), self._unit(unit))
        grade, now = opening.said(RecordOpened, "grade"), held.get(GRADE.name, {})
        if grade is None or grade == now.get("grade"):
            return
        ladder = opening.said(RecordOpened, "ladder") or now.get("ladder")
        said = self._moved(_grade(now.get("grade")), _grade(grade))
        if not now:
            yield GradeRated(person=person, grade=grade, ladder=ladder), said
            return
        yield self._step(person, now["grade"], grade, ladder, as_of), said

    @staticmethod
    def _moved(before: Label, after: Label) -> Label:
        return Label(f"{before.zh} → {after.zh}", f"{before.en} → {after.en}")

    def _unit(self, unit: str | None) -> Label:
        """What a unit is called: on the day in the ledger, else in the mapping."""
        name = self._names.get(unit or "") or unit or "—"
        return Label(name, name)

    def _step(self, person: str, before: str, grade: str, ladder: str | None, as_of: AsOf) -> Event:
        """A promotion or a demotion, as the ladder in force at the person's place orders them."""
        rules = self._rules(person, as_of)
        rungs = rules.ladder(ladder) if rules else None
        steps = rungs.steps(before, grade) if rungs else None
        if rungs is None or not steps:
            raise ConflictError(
                "grade-order-unknown",
                f"层级{_grade(before).zh}与{_grade(grade).zh}的高低无从判断",
                f"nothing says which of {_grade(before).en} and {_grade(grade).en} is higher",
            )  # fmt: skip
        if steps < 0:
            if self._ways.demoted_by is None:
                raise ConflictError(
                    "demotion-without-ground", "层级降低,花名册未说明事由(--demoted-by)",
                    "a lower grade, and the roster does not say on what ground (--demoted-by)",
                )  # fmt: skip
            return AuxiliaryDemoted.model_validate(
                {"person": person, "grade": grade, "ladder": ladder,
                 "ground": self._ways.demoted_by}
            )  # fmt: skip
        rung = rungs.grade(grade)
        kind = self._ways.promoted_by or (rung.mode if rung else None)
        return AuxiliaryPromoted.model_validate(
            {"person": person, "grade": grade, "ladder": ladder, "kind": kind}
        )

    def _rules(self, person: str, as_of: AsOf) -> Rules | None:
        if self._law is None:
            return None
        of: Callable[[date], Rules] = rules_of(self._records, self._law, person, as_of.recorded)
        return of(as_of.effective)

    def _check_same(self, draft: Draft, found: Sequence[Difference], held: dict[str, Any]) -> None:
        """Raises ConflictError where the row and the ledger cannot both be right."""
        serves = held.get(SERVICE.name, {}).get("state") == "in"
        against = [one for one in found if one.reason.rejects]
        if not serves and any(one.compared.field == "id_number" for one in against):
            raise ConflictError(
                "number-of-another",
                "此编号是账本中另一人的(已不在职,身份证号不同),编号不再给他人",
                "the number is another person's (out of service, with another ID number), and no"
                " number is given to a second person",
                "换用未用过的编号", "give a number that nobody has had",
            )  # fmt: skip
        for one in against:
            if serves or one.compared.field != "hired_on":
                raise ConflictError.of(one.reason, fault_of(self._plan, draft, one))
        if not serves:
            _check_newest(held, anything=True)
            raise ConflictError(
                "not-in-service",
                "账本中此人在该日不在职",
                "the ledger has left this person out of service",
            )

    def _conflict(
        self, draft: Draft, where: Where, reason: Reason, fault: Fault | None = None
    ) -> None:
        self._plan.rejected.add(fault or _fault(self._plan, draft, reason), 1)
        self._plan.drafts.drop([draft.id])
        self._tell("conflict", where, reason.zh, reason.en)

    def _note_those_rejected(self, sheet: int, matcher: Matcher, roster: "_Roster") -> None:
        rejected = (
            one.named
            for _, rows in self._plan.refused_rows.of(self._plan.files[sheet])
            for one in rows
        )
        while part := list(islice(rejected, TOGETHER)):
            matches = matcher.match(part)
            roster.present.add((person, 1) for match in matches for person in match.people)

    def _list_the_gone(self, roster: "_Roster", as_of: AsOf) -> None:
        """Who serves in a unit of the roster and stands in no row of it, rejected ones included."""
        units = sorted(roster.units)
        placed = self._records.each([UNIT], as_of, units) if units else iter(())
        subjects = (fact.subject for fact in placed)
        missing = (s for s in subjects if not roster.present.find(s.partition(":")[2]))
        while part := sorted(islice(missing, TOGETHER)):
            facts = self._records.at([SERVICE, NUMBER, UNIT], part, as_of)
            held: defaultdict[str, dict[str, Any]] = defaultdict(dict)
            for fact in facts:
                held[fact.subject.partition(":")[2]] |= fact.value or {}
            for person, said in sorted(held.items()):
                if said.get("state") == "in":
                    unit, where = said.get("unit"), ("", 0, person, said.get("number"))
                    self._tell("gone", where, f"在{self._unit(unit).zh},不在花名册中",
                               f"of {self._unit(unit).en}, in no row of the roster")  # fmt: skip


def _grade(code: str | None) -> Label:
    return Label(*(coded("grade", code or "—", lang) for lang in ("zh", "en")))


class _Opening(NamedTuple):
    """A row of a roster as it opens a record: its events by type, and who is meant."""

    draft: Draft
    events: dict[type[Event], Event]
    named: Named

    @classmethod
    def of(cls, draft: Draft, *, found: bool = False) -> "_Opening":
        """`found`: the person is the one meant, where the ledger has them."""
        events = {type(made.event): made.event for made in reversed(draft.made)}
        person, opened = events.get(PersonRegistered), events.get(RecordOpened)
        named = Named(
            person=getattr(opened, "person", None) if found else None,
            number=getattr(opened, "number", None), id_number=getattr(person, "id_number", None),
            name=getattr(person, "name", None), born=getattr(person, "birth_date", None),
        )  # fmt: skip
        return cls(draft, events, named)

    def said(self, cls: type[Event], field: str) -> Any:
        return getattr(self.events.get(cls), field, None)


class _Roster(NamedTuple):
    """Whom a roster has: `present` by id, and the units that it names."""

    present: Keys
    units: set[str]

    def note(self, drafts: Sequence[Draft]) -> None:
        opened = [m.event for d in drafts for m in d.made if isinstance(m.event, RecordOpened)]
        self.present.add((event.person, 1) for event in opened)
        self.units.update(event.unit for event in opened if event.unit)


def _check_newest(held: dict[str, Any], *, anything: bool) -> None:
    """Raises ConflictError where a sheet would change what later acts went on from."""
    later = held.get(_LATER)
    if later is not None and anything:
        raise ConflictError(
            "older-than-entered",
            f"此表早于账本中此人已有的登记({later['since']}),不作为变动登记",
            f"the sheet is older than what is entered of this person ({later['since']}): nothing"
            " of it is a change",
            "以往的变动请逐项登记,或先撤销其后的批次",
            "enter history act by act, or undo the later batch first",
        )


def _together(found: Sequence[Difference]) -> Label:
    told = [one.told for one in found]
    return Label("、".join(one.zh for one in told), ", ".join(one.en for one in told))


def _fault(plan: Plan, draft: Draft, reason: Reason) -> Fault:
    return Fault(plan.files[draft.sheet], draft.row, None, "", False, reason)
