"""The invented bureau: 42,000 auxiliaries on 2017-07-05, four classes and ten grades.

Owns the generator. Invariant: the same seed and size give the same acts and event ids, so entering
twice stores nothing twice. Numbers of the report (苏州, 2017-07-05): 42,000 auxiliaries; in 2016
4,055 commendations and 536 sanctions; 422 pacesetters and 775 experts in all. All else, the people
above all, is invented; ID numbers carry a city-level division code, which is issued to nobody.
A smaller bureau has fewer stations, and the same rewards and sanctions.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from domain.acts.contracts import ContractSigned
from domain.acts.discipline import SanctionImposed
from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.officers import OfficerAppointed
from domain.acts.people import AuxiliaryNumberAssigned, PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    DeputyHeadAppointed,
    SupervisingOfficerAssigned,
    UnitHeadAppointed,
)
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import Actor, Document, Event, Proposal
from domain.ledger import Request

SEED = 320500
PLACE = "320500"
PEOPLE = 42_000
REPORT = date(2017, 7, 5)
LADDER_SINCE = date(2012, 7, 1)
OFFICERS_SINCE = date(2010, 1, 4)
COMMENDED_2016, SANCTIONED_2016 = 4_055, 536
TITLES = {"pacesetter": 422, "expert": 775}

BRANCHES = (
    "姑苏", "虎丘", "吴中", "相城", "吴江", "园区", "常熟", "张家港", "昆山", "太仓",
)  # fmt: skip
STATIONS = 40
"""Of each branch, in a bureau of full size."""
SUPERVISORS = 8
FAMILIES = {"technical": 2, "clerical": 5, "duty": 15, "special": 5}
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许邓韩冯曹"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建国文斌宇浩凯"
YEARS = (  # years of service from which a grade is held; invented, the report gives none
    ("trainee", 0), ("member-3", 1), ("member-2", 3), ("member-1", 6), ("superintendent-3", 9),
    ("superintendent-2", 12), ("superintendent-1", 15), ("supervisor-3", 18), ("supervisor-2", 22),
    ("supervisor-1", 26),
)  # fmt: skip
LOAD = Actor(issuer="demo", subject="loader", role="clerk")
ORDER = Document(none_because="演示数据,无原件")


class Station(NamedTuple):
    id: str
    name: str
    branch: str
    heads: tuple[str, str]
    deputy: str
    supervisors: tuple[str, ...]


def event_id(*parts: object) -> UUID:
    return uuid5(NAMESPACE_URL, "demo/" + "/".join(map(str, parts)))


class Size(NamedTuple):
    """How many auxiliaries, in how many stations of each branch."""

    people: int = PEOPLE
    stations: int = STATIONS

    @classmethod
    def of(cls, people: int) -> "Size":
        return cls(people, max(1, STATIONS * people // PEOPLE))

    def key(self, name: str) -> str:
        """Acts of bureaus of two sizes have no ids in common."""
        return name if self.people == PEOPLE else f"{self.people}/{name}"

    @property
    def requests(self) -> int:
        """How many requests the whole of it is."""
        units = 1 + len(BRANCHES) * (1 + self.stations)
        granted = COMMENDED_2016 + sum(1 for _, day in _titles() if day.year != 2016)
        return units + self.people + granted + SANCTIONED_2016


WHOLE = Size()


def _request(key: str, acts: list[tuple[Event, date]]) -> Request:
    return Request(
        [Proposal(event, day, event_id=event_id(key, n)) for n, (event, day) in enumerate(acts)],
        actor=LOAD,
        document=ORDER,
    )


def requests(size: Size = WHOLE) -> Iterator[Request]:
    """All there is to enter, in order."""
    yield from units(size)
    yield from auxiliaries(size)
    yield from rewards(size)
    yield from sanctions(size)


def stations(size: Size = WHOLE) -> list[Station]:
    return [
        Station(
            f"s{b:02}{n:02}", f"{branch}分局第{n}派出所", f"b{b:02}",
            (f"o{b:02}{n:02}a", f"o{b:02}{n:02}b"), f"o{b:02}{n:02}c",
            tuple(f"o{b:02}{n:02}s{i}" for i in range(SUPERVISORS)),
        )
        for b, branch in enumerate(BRANCHES, 1)
        for n in range(1, size.stations + 1)
    ]  # fmt: skip


def units(size: Size = WHOLE) -> Iterator[Request]:
    """The bureau, its branches and stations, with their officers, heads and deputies."""
    start = date(1985, 1, 1)
    bureau = UnitEstablished(
        unit="bureau", name="演示市公安局", kind="bureau", division=PLACE, head_seats=["局长"]
    )
    yield _request(size.key("bureau"), [(bureau, start)])
    for b, branch in enumerate(BRANCHES, 1):
        event = UnitEstablished(
            unit=f"b{b:02}", name=f"{branch}分局", parent="bureau", head_seats=["分局长"]
        )
        yield _request(size.key(f"branch/{b}"), [(event, start)])
    rng = random.Random(SEED + 1)  # noqa: S311 - invented people, not secrets
    for station in stations(size):
        acts: list[tuple[Event, date]] = [
            (
                UnitEstablished(
                    unit=station.id, name=station.name, parent=station.branch, kind="station",
                    division=PLACE, head_seats=["所长", "教导员"],
                ),
                start,
            )
        ]  # fmt: skip
        titles = {station.heads[0]: "所长", station.heads[1]: "教导员", station.deputy: "副所长"}
        for officer in (*station.heads, station.deputy, *station.supervisors):
            acts += [
                (PersonRegistered(person=officer, name=_name(rng)), start),
                (
                    OfficerAppointed(
                        person=officer, unit=station.id, title=titles.get(officer, "民警")
                    ),
                    OFFICERS_SINCE,
                ),
            ]
        seats = zip(station.heads, ("所长", "教导员"), strict=True)
        acts += [
            (UnitHeadAppointed(unit=station.id, officer=o, seat=seat), OFFICERS_SINCE)
            for o, seat in seats
        ]
        acts.append((DeputyHeadAppointed(unit=station.id, officer=station.deputy), OFFICERS_SINCE))
        yield _request(size.key(f"station/{station.id}"), acts)


def auxiliaries(size: Size = WHOLE) -> Iterator[Request]:
    """Each auxiliary's acts from first working day to the day of the report, one request each."""
    rng = random.Random(SEED + 4)  # noqa: S311
    numbers: set[str] = set()
    places = stations(size)
    posts = [f"{family}-{n}" for family, count in FAMILIES.items() for n in range(1, count + 1)]
    for n, hired in enumerate(hiring_days(size)):
        person = f"a{n:05}"
        station = places[n % len(places)]
        post = posts[rng.randrange(len(posts))]
        born = date(hired.year - rng.randint(19, 34), rng.randint(1, 12), rng.randint(1, 28))
        woman = rng.random() < 0.3
        while (id_number := _id_number(born, n, woman=woman)) in numbers:
            born += timedelta(days=1)
        numbers.add(id_number)
        acts: list[tuple[Event, date]] = [
            (
                PersonRegistered(
                    person=person, name=_name(rng), sex="2" if woman else "1", birth_date=born,
                    id_number=id_number,
                ),
                hired,
            ),
            (
                AuxiliaryHired(
                    person=person, unit=station.id,
                    category="civilian" if post.startswith("clerical") else "field",
                ),
                hired,
            ),
            (AuxiliaryNumberAssigned(person=person, number=f"SZ{n:06}"), hired),
            (PostAssigned(person=person, post=post, family=post.split("-")[0]), hired),
        ]  # fmt: skip
        if hired.year >= 2008:
            contract = ContractSigned(
                person=person, number=f"C{n:06}", employer="bureau", term="open-ended",
                signed_on=hired,
            )  # fmt: skip
            acts.append((contract, hired))
        acts += _grades(person, hired)
        officer = station.supervisors[n // len(places) % SUPERVISORS]
        acts.append(
            (
                SupervisingOfficerAssigned(person=person, officer=officer),
                max(hired, OFFICERS_SINCE),
            )
        )
        yield _request(size.key(f"auxiliary/{n}"), acts)


HERO = "a00000"
HERO_HIRED = date(1988, 3, 1)


def _grades(person: str, hired: date) -> Iterator[tuple[Event, date]]:
    rated = max(hired, LADDER_SINCE)
    held = [code for code, years in YEARS if _anniversary(hired, years) <= rated][-1]
    yield GradeRated(person=person, grade=held, ladder="suzhou", basis="service"), rated
    for code, years in YEARS:
        day = _anniversary(hired, years)
        if rated < day <= REPORT:
            event = AuxiliaryPromoted(
                person=person, grade=code, ladder="suzhou", kind="natural", trained_on=day
            )
            yield event, day


def rewards(size: Size = WHOLE) -> Iterator[Request]:
    """422 pacesetters and 775 experts from 2013 on, ten most beautiful, and what fills 2016."""
    rng = random.Random(SEED + 2)  # noqa: S311
    serving = _serving_by_2012(size)
    granted = _titles()
    so_far = sum(1 for _, day in granted if day.year == 2016)
    for n in range(COMMENDED_2016 - so_far):
        kind = "firing-line" if n % 3 else "excellent"
        granted.append((kind, date(2016, 1, 4) + timedelta(days=n % 360)))
    for n, (kind, day) in enumerate(granted):
        event = RewardGranted(
            person=rng.choice(serving), kind=kind, conferred_by="bureau",
            decision_number=f"演示奖〔{n}〕", title_year=day.year,
        )  # fmt: skip
        yield _request(size.key(f"reward/{n}"), [(event, day)])


def _titles() -> list[tuple[str, date]]:
    """What the report counts by kind, and the hundred of 2016."""
    granted: list[tuple[str, date]] = []
    for kind, total in TITLES.items():
        by_year = [total // 5] * 4
        for year, count in zip((2013, 2014, 2015, 2016), by_year, strict=True):
            granted += [(kind, date(year, 12, 20))] * count
        granted += [(kind, date(2017, 6, 30))] * (total - sum(by_year))
    granted += [("most-beautiful", date(2017, 6, 1))] * 10
    return granted + [("top-hundred", date(2016, 12, 30))] * 100


def sanctions(size: Size = WHOLE) -> Iterator[Request]:
    """536 in 2016."""
    rng = random.Random(SEED + 3)  # noqa: S311
    serving = _serving_by_2012(size)
    for n in range(SANCTIONED_2016):
        day = date(2016, 1, 5) + timedelta(days=n % 355)
        event = SanctionImposed(
            person=rng.choice(serving),
            kind="demerit" if n % 5 == 0 else "warning", decision_number=f"演示处〔{n}〕",
            notified_on=day - timedelta(days=10), heard_on=day - timedelta(days=5),
        )  # fmt: skip
        yield _request(size.key(f"sanction/{n}"), [(event, day)])


def hiring_days(size: Size = WHOLE) -> list[date]:
    """Each auxiliary's first working day, between 1988 and the summer of 2017, later likelier."""
    rng = random.Random(SEED)  # noqa: S311
    days = [HERO_HIRED]
    while len(days) < size.people:
        year = REPORT.year - min(int(rng.expovariate(1 / 8)), 29)
        last = 6 if year == REPORT.year else 12
        days.append(date(year, rng.randint(1, last), rng.randint(1, 28)))
    return days


def _serving_by_2012(size: Size) -> list[str]:
    """Who had served since before the ladder began, and so on every later day."""
    return [f"a{n:05}" for n, day in enumerate(hiring_days(size)) if day < LADDER_SINCE]


def _anniversary(day: date, years: int) -> date:
    return day.replace(year=day.year + years)


def _name(rng: random.Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.randint(1, 2)))


def _id_number(born: date, n: int, *, woman: bool) -> str:
    """GB 11643 form under 320500, which is no county: such a number is issued to nobody."""
    serial = n % 500 * 2 + (0 if woman else 1)
    body = f"{PLACE}{born:%Y%m%d}{serial:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(body, weights, strict=True))
    return body + "10X98765432"[total % 11]
