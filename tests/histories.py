"""Random histories: numbers that Hypothesis draws, made into acts that a ledger mostly accepts."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hypothesis import strategies as st

from domain.acts.discipline import SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeConverted, GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.injury import InjuryReported
from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.officers import OfficerAppointed
from domain.acts.people import AuxiliaryNumberAssigned, PersonDetailsChanged, PersonRegistered
from domain.acts.posts import PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.responsibility import (
    SupervisingOfficerAssigned,
    SupervisingOfficerRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished, UnitMoved
from domain.events import Event, FactAnnulled, Mood, Proposal
from domain.ledger import Ledger, Receipt, Refused, Request
from domain.refusals import Refusal

FIRST = date(2021, 1, 1)
STRIDE = timedelta(days=30)
DAYS = 7
PEOPLE = UNITS = 3

_scopes = itertools.count(1)


class Step(NamedTuple):
    """One drawn move; every number is taken modulo what there is to choose from."""

    verb: int
    person: int
    day: int
    seq: int
    pick: int
    term: int


STEPS = st.lists(
    st.builds(
        Step,
        verb=st.integers(0, 999),
        person=st.integers(0, PEOPLE - 1),
        day=st.integers(1, DAYS),
        seq=st.sampled_from([0, 0, 0, 1, -1]),
        pick=st.integers(0, 99),
        term=st.sampled_from([0, 0, 1, 3]),
    ),
    min_size=4,
    max_size=22,
)


def sample_steps(seed: int, length: int = 40) -> list[Step]:
    """Steps without Hypothesis, the same for the same seed."""
    draw = random.Random(seed).randrange
    return [
        Step(draw(1000), draw(PEOPLE), 1 + draw(DAYS), draw(3) - 1, draw(100), draw(4))
        for _ in range(length)
    ]


class _Chain(NamedTuple):
    root: UUID
    newest: UUID
    proposal: Proposal
    annulled: bool


class History:
    """Acts about subjects of its own, entered as they are made."""

    def __init__(self, ledger: Ledger, start: date = FIRST) -> None:
        self.scope = f"h{next(_scopes)}"
        self.start = start
        self.people = [f"{self.scope}-p{n}" for n in range(PEOPLE)]
        self.officer = f"{self.scope}-o"
        self.units = [f"{self.scope}-u{n}" for n in range(UNITS)]
        self.requests: list[Request] = []
        self.answers: list[Receipt | Refused] = []
        self.first = ledger.log.head() + 1
        self.mood: Mood = "attested"
        self._ledger = ledger
        self._chains: dict[UUID, _Chain] = {}
        self._ids = (
            uuid5(UUID(int=len(self.scope)), f"{self.scope}.{n}") for n in itertools.count()
        )
        self._open()

    @property
    def head(self) -> int:
        """The last position of this history."""
        return max(a.position for a in self.answers if isinstance(a, Receipt))

    @property
    def subjects(self) -> list[str]:
        return [f"person:{p}" for p in (*self.people, self.officer)] + [
            f"unit:{u}" for u in self.units
        ]

    def days(self) -> list[date]:
        """A day before everything and every day on which something can change."""
        return [self.start + STRIDE * n for n in range(-1, DAYS + 4)]

    def play(self, steps: Sequence[Step]) -> "History":
        for step in steps:
            self._enter(*self.proposed(step))
        return self

    def proposed(self, step: Step) -> list[Proposal]:
        """What a step would have entered; nothing, where it has nothing to choose from."""
        return list(_VERBS[step.verb % len(_VERBS)](self, step))

    def _open(self) -> None:
        bureau, *others = self.units
        self._enter(
            self._act(UnitEstablished(unit=bureau, name="局", kind="bureau"), self.start),
            *(
                self._act(UnitEstablished(unit=u, name="所", parent=bureau), self.start)
                for u in others
            ),
        )
        self._enter(
            *(
                self._act(PersonRegistered(person=p, name="某", sex="1"), self.start)
                for p in self.people
            )
        )
        hired = [
            AuxiliaryHired(person=p, unit=u, category="field")
            for p, u in zip(self.people, itertools.cycle(others))
        ]
        self._enter(*(self._act(event, self.start) for event in hired))
        self._enter(
            self._act(PersonRegistered(person=self.officer), self.start),
            self._act(OfficerAppointed(person=self.officer, unit=others[0]), self.start),
        )

    def _act(self, event: Event, day: date, **envelope: Any) -> Proposal:
        return Proposal(event, day, event_id=next(self._ids), **envelope)

    def _enter(self, *proposals: Proposal) -> None:
        if not proposals:
            return
        request = Request(proposals, mood=self.mood)
        self.requests.append(request)
        try:
            receipt = self._ledger.enter(request)
        except Refusal as refusal:
            self.answers.append(Refused(refusal))
            return
        self.answers.append(receipt)
        for proposal, entered in zip(proposals, receipt.entries, strict=True):
            self._note(proposal, entered.event_id)

    def _note(self, proposal: Proposal, event_id: UUID) -> None:
        corrected = proposal.supersedes or proposal.annuls
        if corrected is None:
            self._chains[event_id] = _Chain(event_id, event_id, proposal, annulled=False)
            return
        chain = next(c for c in self._chains.values() if c.newest == corrected)
        self._chains[chain.root] = _Chain(
            chain.root,
            event_id,
            chain.proposal if proposal.annuls else proposal,
            chain.annulled ^ (proposal.annuls is not None),
        )

    def _chain(self, step: Step, *types: type[Event]) -> _Chain | None:
        known = [c for c in self._chains.values() if not types or type(c.proposal.event) in types]
        return known[step.pick % len(known)] if known else None


def _day(history: History, step: Step) -> date:
    return history.start + STRIDE * step.day


def _until(history: History, step: Step) -> date | None:
    return _day(history, step) + STRIDE * step.term if step.term else None


def _acting(make: Callable[[History, Step], Event], *, term: bool = False) -> Any:
    def verb(history: History, step: Step) -> Iterator[Proposal]:
        yield history._act(
            make(history, step),
            _day(history, step),
            seq=step.seq,
            until=_until(history, step) if term else None,
        )

    return verb


def _person(history: History, step: Step) -> str:
    return history.people[step.person]


def _unit(history: History, step: Step) -> str:
    return history.units[step.pick % UNITS]


def _ending(ending: type[Event], ended: type[Event]) -> Any:
    def verb(history: History, step: Step) -> Iterator[Proposal]:
        if (chain := history._chain(step, ended)) is not None:
            event = ending(person=chain.proposal.event.person)  # type: ignore[attr-defined]
            yield history._act(event, _day(history, step), seq=step.seq, ends=chain.root)

    return verb


def _correction(history: History, step: Step) -> Iterator[Proposal]:
    """Another date, and where the type has one another content."""
    if (chain := history._chain(step)) is not None:
        event = chain.proposal.event
        if isinstance(event, GradeConverted):
            event = event.model_copy(update={"grade": f"g{step.pick % 5}"})
        yield history._act(event, _day(history, step), seq=step.seq, until=_until(history, step),
                           supersedes=chain.newest)  # fmt: skip


def _annulment(history: History, step: Step) -> Iterator[Proposal]:
    if (chain := history._chain(step)) is not None:
        yield history._act(FactAnnulled(), FIRST, annuls=chain.newest)


def _reinstatement(history: History, step: Step) -> Iterator[Proposal]:
    annulled = [c for c in history._chains.values() if c.annulled]
    if annulled:
        chain = annulled[step.pick % len(annulled)]
        yield history._act(FactAnnulled(), FIRST, annuls=chain.newest)


def _entered_anew(history: History, step: Step) -> Iterator[Proposal]:
    """Annulled and entered for another person, in one batch."""
    if (chain := history._chain(step, GradeConverted, RewardGranted)) is not None:
        yield history._act(FactAnnulled(), FIRST, annuls=chain.newest)
        event = chain.proposal.event.model_copy(update={"person": _person(history, step)})
        yield history._act(event, _day(history, step))


def _merge(history: History, step: Step) -> Iterator[Proposal]:
    everyone = (*history.people, history.officer)
    merged, kept = everyone[step.verb % 4], everyone[step.pick % 4]
    yield history._act(PersonsMerged(merged=merged, kept=kept), _day(history, step))


def _split(history: History, step: Step) -> Iterator[Proposal]:
    if (chain := history._chain(step, PersonsMerged)) is not None:
        yield history._act(FactAnnulled(), FIRST, annuls=chain.newest)


def _left_and_back(history: History, step: Step) -> Iterator[Proposal]:
    """Resigned and rehired on one day."""
    person = _person(history, step)
    yield history._act(AuxiliaryResigned(person=person), _day(history, step))
    back = AuxiliaryRehired(person=person, unit=_unit(history, step), category="civilian")
    yield history._act(back, _day(history, step), seq=1)


_VERBS: list[Any] = [
    _acting(lambda h, s: AuxiliaryHired(person=_person(h, s), unit=_unit(h, s), category="field")),
    _acting(
        lambda h, s: AuxiliaryRehired(person=_person(h, s), unit=_unit(h, s), category="field")
    ),
    _acting(lambda h, s: AuxiliaryResigned(person=_person(h, s))),
    _acting(lambda h, s: GradeRated(person=_person(h, s), grade=f"g{s.pick % 5}")),
    _acting(
        lambda h, s: GradeConverted(person=_person(h, s), grade=f"g{s.pick % 5}", ladder="l"),
        term=True,
    ),
    _acting(lambda h, s: PostAssigned(person=_person(h, s), post=f"post{s.pick % 3}"), term=True),
    _acting(lambda h, s: PostRelieved(person=_person(h, s))),
    _acting(lambda h, s: RewardGranted(person=_person(h, s), kind=f"r{s.pick % 3}")),
    _ending(RewardRevoked, RewardGranted),
    _acting(lambda h, s: SanctionImposed(person=_person(h, s), kind="warning"), term=True),
    _ending(SanctionLifted, SanctionImposed),
    _acting(lambda h, s: AuxiliaryTransferred(person=_person(h, s), unit=_unit(h, s))),
    _acting(lambda h, s: SecondmentStarted(person=_person(h, s), unit=_unit(h, s)), term=True),
    _acting(lambda h, s: SecondmentEnded(person=_person(h, s))),
    _acting(lambda h, s: InjuryReported(person=_person(h, s), injury=f"{h.scope}-i{s.pick % 4}")),
    _acting(
        lambda h, s: AuxiliaryNumberAssigned(person=_person(h, s), number=f"{h.scope}-{s.pick % 3}")
    ),
    _acting(lambda h, s: PersonDetailsChanged(person=_person(h, s), education=str(s.pick))),
    _acting(lambda h, s: UnitMoved(unit=h.units[2], parent=h.units[s.pick % 2])),
    _acting(lambda h, _: UnitHeadAppointed(unit=h.units[1], officer=h.officer), term=True),
    _acting(lambda h, _: UnitHeadRelieved(unit=h.units[1], officer=h.officer)),
    _acting(lambda h, s: SupervisingOfficerAssigned(person=_person(h, s), officer=h.officer)),
    _acting(lambda h, s: SupervisingOfficerRelieved(person=_person(h, s), officer=h.officer)),
    _merge,
    _split,
    _correction,
    _correction,
    _correction,
    _annulment,
    _annulment,
    _reinstatement,
    _entered_anew,
    _left_and_back,
]
