"""Random histories of a whole bureau: units, officers and their seats too, on both sides of today."""

from collections.abc import Callable
from typing import Any

from domain.acts.grades import AuxiliaryPromoted
from domain.acts.officers import (
    OfficerAppointed,
    OfficerLeft,
    OfficerOnLeave,
    OfficerReinstated,
    OfficerReturned,
    OfficerSuspended,
)
from domain.acts.people import PersonRegistered
from domain.acts.responsibility import (
    ActingDeputyHeadAppointed,
    ActingDeputyHeadRelieved,
    ActingHeadAppointed,
    ActingHeadRelieved,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    DeputyPortfolioAssigned,
    SupervisingOfficerAssigned,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.units import (
    HEAD,
    HeadSeatsDeclared,
    UnitDissolved,
    UnitEstablished,
    UnitMerged,
    UnitMoved,
    UnitSplit,
)
from domain.events import Event, FactAnnulled, Proposal
from domain.ledger import Ledger
from tests.histories import FIRST, STRIDE, UNITS, History, Step, _acting, _day, _person

OFFICERS = 3
DIVISION = "990000"
SEATS = [[HEAD], [HEAD, "教导员"], ["教导员"]]


class WiderHistory(History):
    """As a history, under a law; three days lie before today and four after it."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, ledger.today() - 4 * STRIDE)
        self.officers = [self.officer, *(f"{self.officer}{n}" for n in range(1, OFFICERS))]
        self._enter(
            *(self._act(PersonRegistered(person=o), self.start) for o in self.officers[1:]),
            *(
                self._act(OfficerAppointed(person=o, unit=u), self.start)
                for o, u in zip(self.officers[1:], self.units[1:], strict=True)
            ),
        )
        self._enter(
            self._act(HeadSeatsDeclared(unit=self.units[2], head_seats=SEATS[1]), self.start)
        )
        bureau = UnitEstablished(unit=self.units[0], name="局", kind="bureau", division=DIVISION)
        [first] = [c for c in self._chains.values() if c.proposal.event.tags() == bureau.tags()]
        self._enter(self._act(bureau, self.start, supersedes=first.newest))

    def proposed(self, step: Step) -> list[Proposal]:
        if step.verb % 3 == 0:
            return super().proposed(step._replace(verb=step.verb // 3))
        return list(_WIDER[step.verb // 3 % len(_WIDER)](self, step))


def _unit(history: Any, step: Step) -> str:
    return str(history.units[step.person % UNITS])


def _other(history: Any, step: Step) -> str:
    return str(history.units[step.pick % UNITS])


def _officer(history: Any, step: Step) -> str:
    return str(history.officers[step.pick % OFFICERS])


def _of(
    cls: type[Event], *, term: bool = False, **fields: Callable[[Any, Step], object]
) -> Callable[[Any, Step], Any]:
    """An act of a type, its fields drawn from the history."""
    return _acting(lambda h, s: cls(**{n: drawn(h, s) for n, drawn in fields.items()}), term=term)


def _relieving(cls: type[Event], appointed: type[Event]) -> Callable[[Any, Step], Any]:
    """Of whoever was appointed, by an act that ends the latest in the seat or one it names."""

    def verb(history: Any, step: Step) -> Any:
        if (chain := history._chain(step, appointed)) is not None:
            held = chain.proposal
            event = cls(unit=held.event.unit, officer=held.event.officer)  # type: ignore[call-arg]
            day = max(_day(history, step), held.effective)
            yield history._act(event, day, seq=step.seq, ends=chain.root if step.term else None)

    return verb


def _portfolio(history: Any, step: Step) -> Event:
    named: dict[str, list[str]] = [
        {"units": [_unit(history, step)]},
        {"units": [_other(history, step)]},
        {"posts": [f"post{step.pick % 3}"]},
        {"persons": [_person(history, step)]},
    ][step.term]
    return DeputyPortfolioAssigned(
        unit=_unit(history, step), officer=_officer(history, step), **named
    )


def _split(history: Any, step: Step) -> Event:
    unit, other = _unit(history, step), _other(history, step)
    return UnitSplit(unit=unit, into=[other], ceases=None if step.term else unit)


def _seat(history: Any, step: Step) -> str:
    return SEATS[2][0] if step.term == 1 else HEAD


def _recast(history: Any, step: Step) -> Any:
    """A correction with other content: where a unit stands, who holds a seat, whose unit it is."""
    chain = history._chain(step, UnitEstablished, UnitMoved, UnitHeadAppointed, OfficerAppointed,
                           SupervisingOfficerAssigned)  # fmt: skip
    if chain is None:
        return
    event = chain.proposal.event
    change: dict[str, object] = {}
    if isinstance(event, UnitEstablished):
        change = {"division": [None, DIVISION][step.pick % 2], "parent": _other(history, step)}
    elif isinstance(event, UnitMoved):
        change = {"parent": _other(history, step)}
    elif isinstance(event, OfficerAppointed):
        change = {"unit": _other(history, step)}
    else:
        change = {"officer": history.officers[step.term % OFFICERS]}
    yield history._act(event.model_copy(update=change), _day(history, step), seq=step.seq,
                       until=chain.proposal.until, supersedes=chain.newest)  # fmt: skip


def _succeeded(history: Any, step: Step) -> Any:
    """One officer is relieved of a seat and another takes it, on one day."""
    if (chain := history._chain(step, UnitHeadAppointed)) is not None:
        held, successor = chain.proposal.event, history.officers[step.term % OFFICERS]
        day = max(_day(history, step), chain.proposal.effective + STRIDE)
        relieved = UnitHeadRelieved(unit=held.unit, officer=held.officer, seat=held.seat)
        yield history._act(relieved, day, ends=chain.root)
        yield history._act(OfficerAppointed(person=successor, unit=held.unit), day, seq=-1)
        yield history._act(held.model_copy(update={"officer": successor}), day)


def _back_in_seat(history: Any, step: Step) -> Any:
    """Who was relieved of a seat never was; another may have taken it since."""
    if (chain := history._chain(step, UnitHeadRelieved, ActingHeadRelieved)) is not None:
        yield history._act(FactAnnulled(), FIRST, annuls=chain.newest)


def _unit_of(history: Any, step: Step) -> str:
    """The unit of which the drawn officer was last said to be."""
    officer = _officer(history, step)
    said = [c.proposal.event for c in history._chains.values()]
    return next(e.unit for e in reversed(said)
                if isinstance(e, OfficerAppointed) and e.person == officer)  # fmt: skip


_seated = _of(UnitHeadAppointed, unit=_unit_of, officer=_officer)
_deputised = _of(DeputyHeadAppointed, unit=_unit_of, officer=_officer)
_WIDER: list[Any] = [
    _of(
        AuxiliaryPromoted,
        person=_person,
        grade=lambda _, s: f"g{s.pick % 5}",
        kind=lambda *_: "natural",
    ),
    _of(OfficerAppointed, person=_officer, unit=_unit),
    _of(OfficerAppointed, person=_officer, unit=_unit),
    _of(OfficerLeft, person=_officer, kind=lambda *_: "retired"),
    _of(OfficerSuspended, person=_officer, term=True),
    _of(OfficerReinstated, person=_officer),
    _of(OfficerOnLeave, person=_officer, term=True),
    _of(OfficerReturned, person=_officer),
    _of(UnitHeadAppointed, unit=_unit, officer=_officer, seat=_seat, term=True),
    _seated,
    _seated,
    _seated,
    _relieving(UnitHeadRelieved, UnitHeadAppointed),
    _relieving(UnitHeadRelieved, UnitHeadAppointed),
    _of(ActingHeadAppointed, unit=_unit, officer=_officer, term=True),
    _relieving(ActingHeadRelieved, ActingHeadAppointed),
    _of(DeputyHeadAppointed, unit=_unit, officer=_officer, term=True),
    _deputised,
    _relieving(DeputyHeadRelieved, DeputyHeadAppointed),
    _of(ActingDeputyHeadAppointed, unit=_unit, officer=_officer),
    _relieving(ActingDeputyHeadRelieved, ActingDeputyHeadAppointed),
    _acting(_portfolio),
    _of(SupervisingOfficerAssigned, person=_person, officer=_officer),
    _of(SupervisingOfficerAssigned, person=_person, officer=_officer),
    _of(HeadSeatsDeclared, unit=_unit, head_seats=lambda _, s: SEATS[s.pick % 3]),
    _of(UnitDissolved, unit=_unit),
    _of(UnitMerged, unit=_unit, into=_other),
    _acting(_split),
    _of(UnitMoved, unit=_unit, parent=_other, term=True),
    _of(UnitMoved, unit=_unit, parent=_other),
    _recast,
    _recast,
    _recast,
    _succeeded,
    _succeeded,
    _back_in_seat,
    _back_in_seat,
]
"""Beside the verbs of every history; some would be refused by order and are attested."""
