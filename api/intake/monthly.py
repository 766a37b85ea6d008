"""A roster against a ledger that has its persons already: what is new, changed, the same or gone.

Owns the comparison and the acts that changes become. Invariant: only what the roster itself says
becomes an act; who is missing from it, and what it cannot tell, is listed and never entered.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from api.intake.checking import Fault, Reason
from api.intake.matching import STANDINGS, UNMATCHED, Line, Matcher, Named
from api.intake.planning import Plan
from api.intake.rows import NAMESPACE, Draft, Made
from domain.acts.contracts import CONTRACT
from domain.acts.grades import GRADE, AuxiliaryDemoted, AuxiliaryPromoted, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.openings import ContractOpened, RecordOpened
from domain.acts.people import CATEGORY, ID_NUMBER, NAME, NUMBER, SERVICE, UNIT, PersonRegistered
from domain.bitemporal import AsOf, last_day
from domain.events import Event
from domain.law import Rules
from domain.ledger import Ledger
from domain.ledger.sealed import sealed_owners
from projections.questions.law import Published, rules_of
from projections.records import Records

TOGETHER = 2_000
_SEALED = (NAME.name, ID_NUMBER.name)
_HELD = (SERVICE, UNIT, GRADE, CATEGORY, NUMBER, NAME, ID_NUMBER, CONTRACT)


class Ways(NamedTuple):
    """What a roster does not say of a change of grade: the paper behind it does."""

    promoted_by: str | None = None
    demoted_by: str | None = None


UNTOLD = Ways()


class ConflictError(Exception):
    """A row that the ledger contradicts."""

    def __init__(self, rule: str, zh: str, en: str) -> None:
        mend_zh, mend_en = "核对后逐项登记或更正", "check it, and enter or correct it by itself"
        self.reason = Reason(rule, zh, en, mend_zh, mend_en)
        super().__init__(rule)


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
        self._law = Published(ledger, self._head).at(self._head) if self._head else None

    def run(self, undone: Collection[UUID]) -> None:
        """Turn the plan's openings of known persons into acts of change, or lists."""
        for sheet in range(len(self._plan.files)):
            of_sheet = [draft for draft in self._plan.drafts if draft.sheet == sheet]
            drafts = [d for d in of_sheet if d.made[0].event_id not in self._plan.already]
            day = self._plan.dates[sheet]
            if day is not None and drafts:
                as_of = AsOf(day, self._head)
                matcher = Matcher(self._ledger, self._records, as_of)
                matched = self._compare(drafts, matcher, as_of, undone)
                matched |= self._matched_though_rejected(sheet, matcher)
                self._list_the_gone(of_sheet, matched, as_of)
        self._plan.lines.sort(key=lambda one: (STANDINGS.index(one.standing), one.file, one.row))

    def _compare(
        self, drafts: list[Draft], matcher: Matcher, as_of: AsOf, undone: Collection[UUID]
    ) -> set[str]:
        """Whom the rows are; their openings become what has changed."""
        plan = self._plan
        matches = matcher.match([_named(draft) for draft in drafts])
        kept: dict[int, Draft | None] = {}
        for start in range(0, len(drafts), TOGETHER):
            part = slice(start, start + TOGETHER)
            held = self._held([m.person for m in matches[part] if m.person], as_of)
            for draft, match in zip(drafts[part], matches[part], strict=True):
                number = _of(draft, RecordOpened, "number")
                where = (plan.files[draft.sheet], draft.row, match.person or "", number)
                if match.fault is not None and match.fault.rule != UNMATCHED.rule:
                    self._conflict(draft, where, match.fault)
                    kept[id(draft)] = None
                elif match.person is None:
                    plan.lines.append(Line("new", *where, "新增", "new"))
                else:
                    kept[id(draft)] = self._known(draft, where, held[match.person], as_of)
        for changed in kept.values():
            if changed is not None:
                changed.renew(undone)
        rest = (kept.get(id(draft), draft) for draft in plan.drafts)
        plan.drafts = [draft for draft in rest if draft is not None]
        return {match.person for match in matches if match.person}

    def _held(self, people: Sequence[str], as_of: AsOf) -> dict[str, dict[str, Any]]:
        """What the ledger says of each person, by facet, private values open."""
        found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        sealed: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for fact in self._records.at(_HELD, [f"person:{person}" for person in people], as_of):
            person = fact.subject.partition(":")[2]
            if fact.value is None:
                continue
            if fact.facet in _SEALED:
                sealed[person][fact.facet] = fact.value
            elif fact.facet == CONTRACT.name:
                found[person][fact.facet] = {**fact.value, "last_day": last_day(fact.until)}
            else:
                found[person][fact.facet] = fact.value
        self._ledger.hold(sealed_owners(list(sealed.values())))
        opened = self._ledger.vault.reveal(dict(sealed))
        return {person: found[person] | opened.get(person, {}) for person in people}

    def _known(
        self, draft: Draft, where: tuple[str, int, str, str | None], held: dict[str, Any],
        as_of: AsOf,
    ) -> Draft | None:  # fmt: skip
        """The draft of what changed, or None: nothing has, or nobody can say what."""
        person = where[2]
        try:
            _check_same(draft, held)
            events = list(self._changes(draft, person, held, as_of))
        except ConflictError as conflict:
            self._conflict(draft, where, conflict.reason)
            return None
        contract = _of(draft, ContractOpened, "last_day")
        now = held.get(CONTRACT.name, {}).get("last_day")
        if contract is not None and contract != now:
            self._plan.warnings.append(_fault(self._plan, draft, CONTRACT_DIFFERS))
        if not events:
            self._plan.lines.append(Line("unchanged", *where, "无变化", "unchanged"))
            self._plan.agreeing.append(draft)
            return None
        zh = ";".join(f"{event.zh} {said}" for event, said in events)
        en = "; ".join(f"{event.en} {said}" for event, said in events)
        self._plan.lines.append(Line("changed", *where, zh, en))
        scope = f"{self._plan.mapping.system}|{self._plan.edition(draft)}|{draft.key}"
        made = tuple(
            Made(uuid5(NAMESPACE, f"{scope}|{type(event).__name__}"), event, as_of.effective,
                 None, None, None)
            for event, _ in events
        )  # fmt: skip
        return Draft(draft.sheet, draft.row, draft.key, made, draft.said)

    def _changes(
        self, draft: Draft, person: str, held: dict[str, Any], as_of: AsOf
    ) -> Iterator[tuple[Event, str]]:
        """The acts by which the ledger comes to say what the row says. Raises ConflictError."""
        unit, before = _of(draft, RecordOpened, "unit"), held.get(UNIT.name, {}).get("unit")
        if unit is not None and unit != before:
            event = AuxiliaryTransferred(person=person, unit=unit)
            yield event, f"{before or '—'} → {unit}"
        grade, now = _of(draft, RecordOpened, "grade"), held.get(GRADE.name, {})
        if grade is None or grade == now.get("grade"):
            return
        ladder = _of(draft, RecordOpened, "ladder") or now.get("ladder")
        said = f"{now.get('grade', '—')} → {grade}"
        if not now:
            yield GradeRated(person=person, grade=grade, ladder=ladder), said
            return
        yield self._step(person, now["grade"], grade, ladder, as_of), said

    def _step(self, person: str, before: str, grade: str, ladder: str | None, as_of: AsOf) -> Event:
        """A promotion or a demotion, as the ladder in force at the person's place orders them."""
        rules = self._rules(person, as_of)
        rungs = rules.ladder(ladder) if rules else None
        steps = rungs.steps(before, grade) if rungs else None
        if rungs is None or not steps:
            raise ConflictError(
                "grade-order-unknown", f"层级 {before} 与 {grade} 的高低无从判断",
                f"nothing says which of {before} and {grade} is higher",
            )  # fmt: skip
        if steps < 0:
            if self._ways.demoted_by is None:
                raise ConflictError(
                    "demotion-without-ground", "层级降低,花名册未说明事由",
                    "a lower grade, and the roster does not say on what ground",
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

    def _conflict(
        self, draft: Draft, where: tuple[str, int, str, str | None], reason: Reason
    ) -> None:
        self._plan.rejected.append(_fault(self._plan, draft, reason))
        self._plan.lines.append(Line("conflict", *where, reason.zh, reason.en))

    def _matched_though_rejected(self, sheet: int, matcher: Matcher) -> set[str]:
        refused = [one for at, one in self._plan.refused_rows if at == sheet]
        return {match.person for match in matcher.match(refused) if match.person}

    def _list_the_gone(self, drafts: Sequence[Draft], matched: set[str], as_of: AsOf) -> None:
        """Who serves in a unit of the roster and stands in no row of it, rejected ones included."""
        units = {unit for draft in drafts if (unit := _of(draft, RecordOpened, "unit"))}
        matched |= {p for draft in drafts if (p := _of(draft, RecordOpened, "person"))}
        placed = self._records.holding(UNIT, sorted(units), as_of) if units else []
        missing = sorted({f.subject for f in placed} - {f"person:{p}" for p in matched})
        facts = self._records.at([SERVICE, NUMBER, UNIT], missing, as_of)
        held: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for fact in facts:
            held[fact.subject.partition(":")[2]] |= fact.value or {}
        self._plan.lines += [
            Line("gone", "", 0, person, said.get("number"), f"在 {said.get('unit')},不在花名册中",
                 f"of {said.get('unit')}, in no row of the roster")
            for person, said in sorted(held.items())
            if said.get("state") == "in"
        ]  # fmt: skip


CONTRACT_DIFFERS = Reason(
    "contract-differs", "合同期限与账本不同", "the contract ends on another day than in the ledger",
    "续订、变更或者解除请另行登记", "enter the renewal, amendment or ending by itself",
    rejects=False,
)  # fmt: skip


def _check_same(draft: Draft, held: dict[str, Any]) -> None:
    """Raises ConflictError where the row and the ledger cannot both be right."""
    if held.get(SERVICE.name, {}).get("state") != "in":
        raise ConflictError(
            "not-in-service",
            "账本中此人在该日不在职",
            "the ledger has left this person out of service",
        )
    same = (
        (PersonRegistered, "name", NAME.name, "姓名"),
        (PersonRegistered, "id_number", ID_NUMBER.name, "身份证号"),
        (RecordOpened, "number", NUMBER.name, "编号"),
        (RecordOpened, "category", CATEGORY.name, "类别"),
    )
    for cls, field, facet, zh in same:
        said, known = _of(draft, cls, field), held.get(facet, {}).get(field)
        if said is not None and known is not None and said != known:
            name = field.replace("_", "-")
            raise ConflictError(
                f"{name}-differs", f"{zh}与账本不同", f"the {name} is another in the ledger"
            )


def _of(draft: Draft, cls: type[Event], field: str) -> Any:
    return next((getattr(m.event, field) for m in draft.made if type(m.event) is cls), None)


def _named(draft: Draft) -> Named:
    return Named(
        number=_of(draft, RecordOpened, "number"),
        id_number=_of(draft, PersonRegistered, "id_number"),
        name=_of(draft, PersonRegistered, "name"),
        born=_of(draft, PersonRegistered, "birth_date"),
    )


def _fault(plan: Plan, draft: Draft, reason: Reason) -> Fault:
    return Fault(plan.files[draft.sheet], draft.row, None, "", False, reason)
