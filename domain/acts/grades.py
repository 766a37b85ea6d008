"""Grades 层级: rated, converted, promoted, demoted.

Owns the grade facet. Invariant: an auxiliary has at most one grade on a day. Whether a grade is on
a ladder, higher or lower, is law: it refuses only where that ladder is in force.
"""

from datetime import date
from typing import Literal, NamedTuple

from domain.acts.discipline import sanctioned
from domain.acts.people import EDUCATION, require_in_service, rules_for
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Writes
from domain.law import Grade, Ladder, Rules
from domain.refusals import AlreadyRecorded, RecordForbids
from domain.rules import Rule, ceiling, eligibility, floor
from domain.workdays import whole_months

GRADE = Facet("grade", of="person", zh="层级", en="grade", ref="grade")

Basis = Literal["education", "service", "other"]
"""学历, 服务年限, 其他."""


class GradeRated(Event):
    """An auxiliary is given a first grade (层级初次评定).

    Without `ladder` the grade is of the ladder of the using unit's place. `counted_from` is the day
    from which time in the grade counts, where that is not the effective day (任职年限起算日).
    """

    zh = "层级初次评定"
    en = "Grade rated"
    day = "层级评定生效之日"
    writes = (Writes(GRADE, key="person", value=("grade", "ladder", "counted_from")),)

    person: PersonId
    grade: Code
    ladder: Id | None = None
    basis: Basis | None = None
    counted_from: date | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        if case.value(GRADE, self.person) is not None:
            raise AlreadyRecorded("a grade is held already", zh="已有层级", field="grade")
        rules = rules_for(case, self.person)
        rung = _rung(case, rules, self.grade, self.ladder)
        if rung is not None and self.basis == "education":
            known = case.value(EDUCATION, self.person) or {}
            first = rung.ladder.initial_by_education.get(known.get("education", ""), self.grade)
            _require(case, rung.ladder, "first-grade-by-education", self.grade == first)


class GradeConverted(Event):
    """A grade becomes one of another ladder or track; neither promotion nor demotion (层级套改)."""

    zh = "层级套改"
    en = "Grade converted"
    day = "套改生效之日"
    writes = GradeRated.writes

    person: PersonId
    grade: Code
    ladder: Id
    counted_from: date | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        held = _held(case, self.person)
        if held is not None:
            before = (held.value["grade"], held.value.get("ladder"))
            if before == (self.grade, self.ladder):
                raise AlreadyRecorded("this grade is held already", zh="已是该层级", field="grade")
        _rung(case, rules_for(case, self.person), self.grade, self.ladder)


class AuxiliaryPromoted(Event):
    """An auxiliary rises on the ladder, by assessment, by selection or by years (层级晋升).

    `assessment` names the final assessment it rests on, `trained_on` the day the training for the
    promotion was passed. From one track to another a grade is converted, not promoted.
    """

    zh = "层级晋升"
    en = "Auxiliary promoted"
    day = "晋升生效之日"
    writes = (Writes(GRADE, key="person", value=("grade", "ladder")),)

    person: PersonId
    grade: Code
    ladder: Id | None = None
    kind: Literal["assessment", "selection", "natural"]
    assessment: Code | None = None
    trained_on: date | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        held = _held(case, self.person, other_than=self.grade)
        rules = rules_for(case, self.person)
        rung = _rung(case, rules, self.grade, self.ladder)
        if rung is not None:
            self._require_by_ladder(case, rules, rung, held)
        shown = {
            "no-live-sanction": not sanctioned(case, self.person, "blocks_promotion", rules),
            "promotion-training": self.trained_on is not None,
            "final-assessment": self.assessment is not None,
        }
        met = [condition for condition, holds in shown.items() if holds]
        for rule in ("promotion-no-sanction", "promotion-training", "promotion-assessment"):
            case.breach(eligibility(rules.find(rule), met))

    def _require_by_ladder(
        self, case: Case, rules: Rules, rung: "_Rung", held: Fact | None
    ) -> None:
        if held is not None:
            steps = _steps(rung.ladder, held, self.grade)
            _require(case, rung.ladder, "promotion-goes-up", steps is not None and steps > 0)
            case.breach(ceiling(rules.find("promotion-one-step"), steps or 0, field="grade"))
        since = _counted_from(case, held)
        if since is not None:
            months, least = whole_months(since, case.effective), rung.grade.min_months
            rule = rules.find("promotion-months")
            case.breach(floor(rule, months, least=least, field="grade"))
        met = ["mode-of-the-grade"] if self.kind == rung.grade.mode else []
        case.breach(eligibility(rules.find("promotion-mode"), met, field="kind"))


class AuxiliaryDemoted(Event):
    """An auxiliary falls on the ladder, by a sanction or after an assessment (降低层级)."""

    zh = "降低层级"
    en = "Auxiliary demoted"
    day = "降级生效之日"
    writes = (Writes(GRADE, key="person", value=("grade", "ladder")),)

    person: PersonId
    grade: Code
    ladder: Id | None = None
    ground: Literal["sanction", "assessment"]
    decision_number: Code | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        held = _held(case, self.person, other_than=self.grade)
        rules = rules_for(case, self.person)
        rung = _rung(case, rules, self.grade, self.ladder)
        if rung is not None and held is not None:
            steps = _steps(rung.ladder, held, self.grade)
            _require(case, rung.ladder, "demotion-goes-down", steps is not None and steps < 0)


_BY_LADDER = {
    "grade-on-ladder": ("层级应在现行层级序列之内", "A grade is one of the ladder in force"),
    "first-grade-by-education": ("按学历初次评定层级", "The first grade follows the education"),
    "promotion-goes-up": ("晋升应在同一层级序列内上升", "A promotion goes up on one ladder"),
    "demotion-goes-down": ("降级应在同一层级序列内下降", "A demotion goes down on one ladder"),
}


def _require(case: Case, ladder: Ladder, name: str, met: bool) -> None:
    """What a ladder itself demands: a rule with the ladder's article, days and standing."""
    zh, en = _BY_LADDER[name]
    rule = Rule(
        id=name, kind="eligibility", strength="block", zh=zh, en=en, values={"conditions": [name]},
        since=ladder.since, until=ladder.until, article=ladder.article, source=ladder.source,
        status=ladder.status,
    )  # fmt: skip
    case.breach(eligibility(rule, [name] if met else [], field="grade"))


class _Rung(NamedTuple):
    ladder: Ladder
    grade: Grade


def _rung(case: Case, rules: Rules, code: str, named: str | None) -> _Rung | None:
    """Where a grade stands on the ladder that is named, or on that of the place.

    None where it stands on none: breached where the place has a ladder at all, be it another than
    the one named.
    """
    local = rules.ladder()
    ladder = rules.ladder(named) if named else local
    grade = ladder.grade(code) if ladder else None
    if (judge := ladder or local) is not None:
        _require(case, judge, "grade-on-ladder", grade is not None)
    return _Rung(ladder, grade) if ladder and grade else None


def _held(case: Case, person: str, other_than: str | None = None) -> Fact | None:
    """The grade just before the act; None where it is not recorded, which refuses nothing.

    Raises RecordForbids where there is none: the person was hired and never rated, or is of this
    very grade.
    """
    fact = case.at(GRADE, person)
    if fact is None and _opened(require_in_service(case, person)):
        return None
    if fact is None or fact.value is None:
        raise RecordForbids("there is no grade to change", zh="尚无层级", field="grade")
    if fact.value["grade"] == other_than:
        raise RecordForbids("this grade is held already", zh="已是该层级", field="grade")
    return fact


def _steps(ladder: Ladder, held: Fact, grade: str) -> int | None:
    """Steps up from the grade held; None where it is of another ladder or track."""
    if (held.value.get("ladder") or ladder.id) != ladder.id:
        return None
    return ladder.steps(held.value["grade"], grade)


def _counted_from(case: Case, held: Fact | None) -> date | None:
    """The day from which time in the grade held counts; None where no record says since when.

    A grade that came with the opening of the record (one entry with the service) is of the day of
    the sheet, not of the day it was given.
    """
    if held is None:
        return None
    if "counted_from" in held.value:
        return date.fromisoformat(held.value["counted_from"])
    service = require_in_service(case, held.subject.removeprefix("person:"))
    return None if service.root == held.root else held.effective


def _opened(service: Fact) -> bool:
    """Whether the spell came with an opening: a grade may then stand unrecorded."""
    return bool(service.value.get("opened"))
