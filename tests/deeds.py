"""Acts in a test's own words: the event, the facts it says, and what the record is asked of it."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from domain.acts.discipline import SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeConverted, GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.officers import (
    OfficerAppointed,
    OfficerLeft,
    OfficerOnLeave,
    OfficerReinstated,
    OfficerReturned,
    OfficerSuspended,
)
from domain.acts.openings import RecordOpened
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.responsibility import (
    ActingDeputyHeadAppointed,
    ActingDeputyHeadRelieved,
    ActingHeadAppointed,
    ActingHeadRelieved,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    DeputyPortfolioAssigned,
    SupervisingOfficerAssigned,
    SupervisingOfficerRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.acts.units import (
    HeadSeatsDeclared,
    UnitDissolved,
    UnitEstablished,
    UnitMerged,
    UnitMoved,
    UnitRenamed,
    UnitSplit,
)
from domain.events import Event
from tests.foretelling import HEAD, Before
from tests.oracle import Says

FIRST, STRIDE = date(2024, 1, 1), timedelta(days=20)
SEATS = [[HEAD], [HEAD, "教导员"], ["教导员"]]
HEADS = {"unit-head": (UnitHeadAppointed, UnitHeadRelieved),
         "acting-head": (ActingHeadAppointed, ActingHeadRelieved)}  # fmt: skip
DEPUTIES = {"deputy-head": (DeputyHeadAppointed, DeputyHeadRelieved),
            "acting-deputy": (ActingDeputyHeadAppointed, ActingDeputyHeadRelieved)}  # fmt: skip


class Cast(NamedTuple):
    """Whom and what an act is about."""

    person: str
    unit: str
    officer: str
    other: str  # another unit
    into: str  # another person
    pick: int


class Deed(NamedTuple):
    event: Event
    about: str
    says: tuple[Says, ...]
    judged: Callable[[Before], object]
    ends: str | None = None
    leaves: bool = False
    merges: tuple[str, str] | None = None
    kind: str = ""
    cast: Cast | None = None


Kind = Callable[[Cast], Deed]


def _of(kind: str, id_: str, *says: Says) -> tuple[str, tuple[Says, ...]]:
    return f"{kind}:{id_}", tuple(s._replace(subject=f"{kind}:{id_}") for s in says)


# auxiliaries


def registered(c: Cast) -> Deed:
    says = Says("person", "", {"person": c.person, "sex": "9"}, outlasts=True)
    return Deed(PersonRegistered(person=c.person), *_of("person", c.person, says), lambda _: None)


def hired(cls: type[AuxiliaryHired]) -> Kind:
    def deed(c: Cast) -> Deed:
        def judged(b: Before) -> None:
            subject = b.registered(c.person)
            b.unit(c.unit)
            b.free(subject)
            b.refuse("record-forbids", when=bool(b.spells(subject)) != (cls is AuxiliaryRehired))

        serves = Says("service", "", {"state": "in", "form": "direct"}, outlasts=True)
        category = Says("category", "", {"category": "field"})
        says = _of("person", c.person, serves, category, Says("unit", "", {"unit": c.unit}))
        return Deed(cls(person=c.person, unit=c.unit, category="field"), *says, judged)

    return deed


def opened(c: Cast) -> Deed:
    since = FIRST - STRIDE * (c.pick % 3)

    def judged(b: Before) -> None:
        subject = b.registered(c.person)
        b.free(subject)
        spells = b.spells(subject)
        b.refuse("record-forbids", when=bool(spells) and since < spells[-1].effective)
        b.unit(c.unit)

    serves = Says("service", "", {"state": "in", "opened": True}, since, outlasts=True)
    unit, post = Says("unit", "", {"unit": c.unit}), Says("post", "", {"post": "patrol"})
    event = RecordOpened(person=c.person, hired_on=since, unit=c.unit, post="patrol")
    return Deed(event, *_of("person", c.person, serves, unit, post), judged)


def resigned(c: Cast) -> Deed:
    left = {"state": "left", "kind": "resigned", "ground": "resignation"}
    says = _of("person", c.person, Says("service", "", left, outlasts=True))
    event = AuxiliaryResigned(person=c.person)
    return Deed(event, *says, lambda b: b.serves(c.person), leaves=True)


def merged(c: Cast) -> Deed:
    went, into = f"person:{c.person}", f"person:{c.into}"

    def judged(b: Before) -> None:
        b.refuse("bad-input", when=went == into)
        now, leads = (b.oracle.kept(s, b.line.root) for s in (went, into))
        b.refuse("already-recorded", when=now == leads != went)
        b.refuse("record-forbids", when=now != went or leads == went)
        known = {f.subject for f in b.all if f.facet == "person"}
        b.refuse("unknown-subject", when=not {went, leads} <= known)

    says = _of("person", c.person, Says("same-as", "", {"kept": c.into}, outlasts=True))
    event = PersonsMerged(merged=c.person, kept=c.into)
    return Deed(event, *says, judged, merges=(went, into))


def stating(
    cls: type[Event], facet: str, field: str, *, asks: str = "service", outlasts: bool = False,
    single: bool = True,
) -> Kind:  # fmt: skip
    def deed(c: Cast) -> Deed:
        content = {field: c.unit if field == "unit" else f"v{c.pick % 3}"}

        def judged(b: Before) -> None:
            subject = b.serves(c.person) if asks == "service" else b.registered(c.person)
            if field == "unit":
                b.unit(c.unit)
            held = b.value(facet, subject)
            again = held is not None and (facet == "host" or held == content)
            b.refuse("already-recorded", when=single and again)
            home = b.value("unit", subject)
            b.refuse("record-forbids", when=facet == "host" and home == content)

        says = _of("person", c.person, Says(facet, "", content, outlasts=outlasts))
        return Deed(cls(person=c.person, **content), *says, judged)

    return deed


def rated(c: Cast) -> Deed:
    def judged(b: Before) -> None:
        b.refuse("already-recorded", when=b.value("grade", b.serves(c.person)) is not None)

    content = {"grade": f"v{c.pick % 3}"}
    says = _of("person", c.person, Says("grade", "", content))
    return Deed(GradeRated(person=c.person, **content), *says, judged)


def converted(c: Cast) -> Deed:
    content = {"grade": f"v{c.pick % 3}", "ladder": "l"}

    def judged(b: Before) -> None:
        subject = b.serves(c.person)
        held = b.now.get(("grade", subject, ""))
        opened = (b.value("service", subject) or {}).get("opened")
        b.refuse("record-forbids", when=held is None and not opened)
        b.refuse("already-recorded", when=held is not None and held.value == content)

    says = _of("person", c.person, Says("grade", "", content))
    return Deed(GradeConverted(person=c.person, **content), *says, judged)


def ending(cls: type[Event], facet: str, *, asks: bool = True, vacates: bool = False) -> Kind:
    def deed(c: Cast) -> Deed:
        def judged(b: Before) -> None:
            b.end(facet, b.registered(c.person) if asks else b.kept(c.person))

        says = _of("person", c.person, *[Says(facet, "", None)] * vacates)
        return Deed(cls(person=c.person), *says, judged, ends=facet)  # type: ignore[call-arg]

    return deed


# units


def established(c: Cast) -> Deed:
    def judged(b: Before) -> None:
        standing = [f for f in b.all if (f.facet, f.subject) == ("unit-state", f"unit:{c.unit}")]
        anew = [f for f in standing if (f.value or {})["state"] == "active"]
        b.refuse("already-recorded", when=bool(anew) and not b.superseding)
        if parent is not None:
            b.unit(parent)
            b.under(c.unit, parent)

    parent = c.other if c.pick % 2 else None
    place = {"division": "330200"} if c.pick % 3 == 0 else None
    event = UnitEstablished(
        unit=c.unit, name="所", parent=parent, division=(place or {}).get("division")
    )
    says = [
        Says("unit-state", "", {"kind": "department", "state": "active"}),
        Says("unit-name", "", {"name": "所"}),
        *([Says("unit-parent", "", {"parent": parent})] if parent else []),
        *([Says("unit-place", "", place)] if place else []),
    ]
    return Deed(event, *_of("unit", c.unit, *says), judged)


def renamed(c: Cast) -> Deed:
    content = {"name": f"v{c.pick % 3}"}
    says = _of("unit", c.unit, Says("unit-name", "", content))
    return Deed(UnitRenamed(unit=c.unit, **content), *says, lambda b: b.unit(c.unit))


def moved(c: Cast) -> Deed:
    def judged(b: Before) -> None:
        b.unit(c.unit)
        b.unit(c.other)
        b.under(c.unit, c.other)

    says = _of("unit", c.unit, Says("unit-parent", "", {"parent": c.other}))
    return Deed(UnitMoved(unit=c.unit, parent=c.other), *says, judged)


def dissolved(c: Cast) -> Deed:
    says = _of("unit", c.unit, Says("unit-state", "", {"state": "dissolved"}))
    return Deed(UnitDissolved(unit=c.unit), *says, lambda b: b.unit(c.unit))


def merged_away(c: Cast) -> Deed:
    def judged(b: Before) -> None:
        b.unit(c.unit)
        b.unit(c.other)
        b.refuse("record-forbids", when=c.unit == c.other)

    says = _of("unit", c.unit, Says("unit-state", "", {"into": c.other, "state": "merged"}))
    return Deed(UnitMerged(unit=c.unit, into=c.other), *says, judged)


def split(c: Cast) -> Deed:
    ceases = c.unit if c.pick % 3 else None

    def judged(b: Before) -> None:
        b.unit(c.unit)
        b.unit(c.other)
        b.refuse("record-forbids", when=ceases == c.other)

    says = Says("unit-state", "", {"into": [c.other], "state": "split"})
    event = UnitSplit(unit=c.unit, into=[c.other], ceases=ceases)
    return Deed(event, *_of("unit", c.unit, *[says] * bool(ceases)), judged)


def seated(c: Cast) -> Deed:
    content = {"head_seats": SEATS[c.pick % 3]}
    says = _of("unit", c.unit, Says("head-seats", "", content))
    return Deed(HeadSeatsDeclared(unit=c.unit, **content), *says, lambda b: b.unit(c.unit))


# officers and their seats


def appointed(c: Cast) -> Deed:
    content = {"unit": c.unit}

    def judged(b: Before) -> None:
        subject = b.registered(c.officer)
        b.unit(c.unit)
        b.refuse("record-forbids", when=b.serving(subject))
        b.refuse("already-recorded", when=b.value("officer", subject) == content)

    says = _of("person", c.officer, Says("officer", "", content, outlasts=True))
    return Deed(OfficerAppointed(person=c.officer, unit=c.unit), *says, judged)


def departed(c: Cast) -> Deed:
    says = _of("person", c.officer, Says("officer", "", None, outlasts=True))
    event = OfficerLeft(person=c.officer, kind="retired")
    return Deed(event, *says, lambda b: b.end("officer", b.officer(c.officer)),
                ends="officer", leaves=True)  # fmt: skip


def away(cls: type[Event], facet: str, state: str) -> Kind:
    def deed(c: Cast) -> Deed:
        says = _of("person", c.officer, Says(facet, "", {"state": state}))
        return Deed(cls(person=c.officer), *says, lambda b: b.officer(c.officer))  # type: ignore[call-arg]

    return deed


def back(cls: type[Event], facet: str) -> Kind:
    def deed(c: Cast) -> Deed:
        says = _of("person", c.officer, Says(facet, "", None))
        event = cls(person=c.officer)  # type: ignore[call-arg]
        return Deed(event, *says, lambda b: b.end(facet, b.kept(c.officer)), ends=facet)

    return deed


def heading(facet: str) -> Kind:
    def deed(c: Cast) -> Deed:
        seat = HEAD if c.pick % 5 != 3 else "教导员"

        def judged(b: Before) -> None:
            b.unit(c.unit)
            declared = b.value("head-seats", f"unit:{c.unit}") or {"head_seats": [HEAD]}
            b.refuse("bad-input", when=seat not in declared["head_seats"])
            subject = b.officer(c.officer, c.unit, charged=True)
            b.seat_free(facet, c.unit, seat, subject)

        says = _of("unit", c.unit, Says(facet, "", {"officer": c.officer}, slot=seat))
        event = HEADS[facet][0](unit=c.unit, officer=c.officer, seat=seat)
        return Deed(event, *says, judged)

    return deed


def deputising(facet: str) -> Kind:
    def deed(c: Cast) -> Deed:
        def judged(b: Before) -> None:
            b.unit(c.unit)
            subject = b.officer(c.officer, c.unit, charged=True)
            b.seat_free(facet, c.unit, subject[7:], subject)

        says = _of("unit", c.unit, Says(facet, "", {"officer": c.officer}, slot=c.officer))
        return Deed(DEPUTIES[facet][0](unit=c.unit, officer=c.officer), *says, judged)

    return deed


def unseated(facet: str) -> Kind:
    def deed(c: Cast) -> Deed:
        seat = HEAD if c.pick % 5 != 3 else "教导员"
        event = HEADS[facet][1](unit=c.unit, officer=c.officer, seat=seat)

        def judged(b: Before) -> None:
            b.relieve(facet, c.unit, seat, b.kept(c.officer))

        return Deed(event, f"unit:{c.unit}", (), judged, ends=facet)

    return deed


def no_deputy(facet: str) -> Kind:
    def deed(c: Cast) -> Deed:
        def judged(b: Before) -> None:
            subject = b.kept(c.officer)
            b.relieve(facet, c.unit, subject[7:], subject)

        says = _of("unit", c.unit, Says("portfolio", "", None, slot=c.officer))
        event = DEPUTIES[facet][1](unit=c.unit, officer=c.officer)
        return Deed(event, *says, judged, ends=facet)

    return deed


def portfolio(c: Cast) -> Deed:
    content: dict[str, list[str]] = {}
    if c.pick & 10 == 2:
        content["units"] = [c.other]
    if c.pick & 1:
        content["posts"] = sorted({"v0", f"v{c.pick % 3}"})
    if c.pick & 4:
        content["persons"] = [c.person]
    content = content or {"units": [c.unit]}

    def judged(b: Before) -> None:
        b.unit(c.unit)
        slot = b.kept(c.officer)[7:]
        held = [b.value(facet, f"unit:{c.unit}", slot) for facet in DEPUTIES]
        b.refuse("record-forbids", when=held == [None, None])
        for unit in content.get("units", ()):
            b.unit(unit)
            b.below(unit, c.unit)
        for person in content.get("persons", ()):
            b.registered(person)

    value = {"officer": c.officer, **content}
    says = _of("unit", c.unit, Says("portfolio", "", value, slot=c.officer))
    event = DeputyPortfolioAssigned(unit=c.unit, officer=c.officer, **content)
    return Deed(event, *says, judged)


def led(c: Cast) -> Deed:
    def judged(b: Before) -> None:
        subject = b.serves(c.person)
        using = b.value("host", subject) or b.value("unit", subject) or {"unit": None}
        b.officer(c.officer, using["unit"], charged=True)

    says = _of("person", c.person, Says("supervising-officer", "", {"officer": c.officer}))
    event = SupervisingOfficerAssigned(person=c.person, officer=c.officer)
    return Deed(event, *says, judged)


def unled(c: Cast) -> Deed:
    facet = "supervising-officer"

    def judged(b: Before) -> None:
        ended = b.end(facet, b.kept(c.person))
        holder = f"person:{(ended.value or {})['officer']}"
        b.refuse("record-forbids", when=holder != b.kept(c.officer))

    says = _of("person", c.person, Says(facet, "", None))
    event = SupervisingOfficerRelieved(person=c.person, officer=c.officer)
    return Deed(event, *says, judged, ends=facet)


OF_PEOPLE: dict[str, Kind] = {
    "hired": hired(AuxiliaryHired),
    "rehired": hired(AuxiliaryRehired),
    "opened": opened,
    "resigned": resigned,
    "rated": rated,
    "converted": converted,
    "posted": stating(PostAssigned, "post", "post"),
    "relieved": ending(PostRelieved, "post", vacates=True),
    "transferred": stating(AuxiliaryTransferred, "unit", "unit"),
    "seconded": stating(SecondmentStarted, "host", "unit"),
    "returned": ending(SecondmentEnded, "host", asks=False, vacates=True),
    "rewarded": stating(
        RewardGranted, "rewards", "kind", asks="person", outlasts=True, single=False
    ),
    "revoked": ending(RewardRevoked, "rewards"),
    "sanctioned": stating(SanctionImposed, "sanctions", "kind", outlasts=True, single=False),
    "lifted": ending(SanctionLifted, "sanctions"),
    "merged": merged,
    "led": led,
    "unled": unled,
}
OF_UNITS: dict[str, Kind] = {
    "established": established,
    "renamed": renamed,
    "moved": moved,
    "dissolved": dissolved,
    "merged-away": merged_away,
    "split": split,
    "seats": seated,
    "appointed": appointed,
    "departed": departed,
    "suspended": away(OfficerSuspended, "officer-suspension", "suspended"),
    "reinstated": back(OfficerReinstated, "officer-suspension"),
    "on-leave": away(OfficerOnLeave, "officer-leave", "on-leave"),
    "back": back(OfficerReturned, "officer-leave"),
    "portfolio": portfolio,
    **{facet: heading(facet) for facet in HEADS},
    **{f"no-{facet}": unseated(facet) for facet in HEADS},
    **{facet: deputising(facet) for facet in DEPUTIES},
    **{f"no-{facet}": no_deputy(facet) for facet in DEPUTIES},
}
KINDS = {"registered": registered, **OF_PEOPLE, **OF_UNITS}
TERMED = {"converted", "posted", "seconded", "moved", "suspended", "on-leave", *HEADS, *DEPUTIES}
RECAST = {
    "converted": "pick", "posted": "pick", "rewarded": "pick", "renamed": "pick", "seats": "pick",
    "portfolio": "pick", "split": "other",
    "hired": "unit", "transferred": "unit", "seconded": "unit", "appointed": "unit",
    "moved": "other", "established": "other", "merged-away": "other",
    "led": "officer", "unit-head": "officer", "acting-head": "officer",
}  # fmt: skip
"""What of an act's cast a correction may replace: its content, not whose it is."""


def deed(kind: str, cast: Cast) -> Deed:
    return KINDS[kind](cast)._replace(kind=kind, cast=cast)
