"""Entering many requests gives what entering them one by one gives, whoever else enters."""

import itertools
from datetime import date
from uuid import UUID

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeRated
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import Code, Event, Facet, PersonId, Writes
from domain.law import Pack
from domain.ledger import Ledger, Receipt, Refused, Request
from domain.ledger.log import EventLog
from domain.record import Record
from domain.refusals import Refusal
from tests.given import act
from tests.histories import History, sample_steps

DAY = date(2022, 3, 1)


def one_by_one(ledger, request):
    try:
        return ledger.enter(request)
    except Refusal as refusal:
        return Refused(refusal)


@pytest.fixture
def singly(bureau):
    """A second ledger beside the first, with a log of its own."""
    log = EventLog(bureau.database, prefix="singly_")
    yield Ledger(log, bureau.ledger.vault)
    log.close()


def shape(answer):
    """What an answer says, without the moment it was recorded at."""
    if isinstance(answer, Refused):
        return answer.refusal.as_dict()
    return [(e.position, e.event_id, e.type) for e in answer.entries], answer.findings


def contents(ledger):
    """Every entry's tags and envelope, private fields opened."""
    return [(e.position, e.type, e.tags, ledger.vault.reveal(e.envelope)) for e in ledger.entries()]


def registered(*people):
    return Request([act(PersonRegistered(person=p, name=f"name of {p}")) for p in people])


def rewarded(person, day=DAY, **envelope):
    return Request([act(RewardGranted(person=person, kind="merit"), day, **envelope)])


def test_histories_of_every_kind_of_act_are_entered_as_one_by_one(bureau, singly):
    history = History(singly)
    for seed in range(6):
        history.play(sample_steps(seed))
    many = list(bureau.ledger.enter_many(iter(history.requests)))
    assert [shape(a) for a in many] == [shape(a) for a in history.answers]
    assert contents(bureau.ledger) == contents(singly)
    assert len({a.refusal.code for a in many if isinstance(a, Refused)}) > 3
    assert sum(len(a.entries) > 1 for a in many if isinstance(a, Receipt)) > 3


def test_requests_without_event_ids_give_the_same_facts(bureau, singly):
    people = [f"p{n}" for n in range(40)]
    requests = [registered(*people)]
    requests.append(Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")]))
    for n, person in enumerate(people):
        hired = AuxiliaryHired(person=person, unit="u1", category="field")
        requests.append(Request([act(hired, "2021-01-01")]))
        requests.append(rewarded(person))
        requests.append(Request([act(hired, "2021-06-01")]))
        requests.append(
            Request([act(GradeRated(person=person, grade="g"), DAY), act(hired, "2021-01-01")])
        )
        if n % 3 == 0:
            requests.append(Request([act(AuxiliaryResigned(person=person), DAY)]))
    answers = [one_by_one(singly, request) for request in requests]
    many = list(bureau.ledger.enter_many(requests))
    assert [type(a) for a in many] == [type(a) for a in answers]
    facts = [
        [bureau.ledger.vault.reveal(f._asdict()) for f in Record.fold(x.entries()).every_version()]
        for x in (bureau.ledger, singly)
    ]
    assert sorted(facts[0], key=str) == sorted(facts[1], key=str)
    assert any(isinstance(a, Refused) and a.refusal.index == 1 for a in many)


def test_answers_come_in_the_order_of_the_requests_with_and_without_keys(bureau):
    requests = [
        registered("p1"),
        rewarded("p1")._replace(key="a"),
        rewarded("p2"),
        registered("p2"),
        rewarded("p2")._replace(key="b"),
        rewarded("p1")._replace(key="a"),
    ]
    answers = list(bureau.ledger.enter_many(requests))
    assert [a.position if isinstance(a, Receipt) else a.refusal.code for a in answers] == [
        1, 2, "unknown-subject", 3, 4, 2,
    ]  # fmt: skip
    assert answers[5].replayed


def test_entering_many_again_gives_the_first_answers_and_enters_nothing(bureau, singly):
    requests = History(singly).play(sample_steps(1)).requests
    answers = list(bureau.ledger.enter_many(requests))
    head = bureau.ledger.log.head()
    pairs = [p for p in zip(requests, answers, strict=True) if isinstance(p[1], Receipt)]
    again = list(bureau.ledger.enter_many(request for request, _ in pairs))
    assert [a.entries for a in again] == [a.entries for _, a in pairs]
    assert all(a.replayed for a in again)
    assert bureau.ledger.log.head() == head


@pytest.mark.parametrize("between", [0, 1, 2_500])
def test_one_request_twice_is_entered_once_however_far_apart(bureau, between):
    reward = rewarded("p1", event_id=UUID(int=1))
    others = [rewarded("p1", event_id=UUID(int=2 + n)) for n in range(between)]
    requests = [registered("p1"), reward, *others, reward, rewarded("p1")]
    answers = list(bureau.ledger.enter_many(requests))
    last = between + 3
    assert [a.position for a in answers[-2:]] == [2, last]
    assert [a.replayed for a in answers[-2:]] == [True, False]
    [entry] = bureau.ledger.entries(after=last - 1)
    assert entry.envelope["premise"]["at"] == last - 1


CITY = """
code = "999900"
zh = "某市"
en = "A city"
version = "{version}"
status = "in-force"

[[rule]]
id = "reward-kind-list"
kind = "closed_list"
since = 2000-01-01
article = "第一条"
source = "a text [read]"
strength = "block"
zh = "奖励种类"
en = "Reward kinds"
values = {{ list = "reward-kinds" }}

[[list]]
id = "reward-kinds"
since = 2000-01-01
article = "第一条"
source = "a text [read]"
zh = "奖励种类"
en = "Reward kinds"
members = [{{ code = "{kind}", zh = "一", en = "One" }}]
"""


def published(version, kind):
    pack = Pack.parse(CITY.format(version=version, kind=kind))
    return Request([act(PackPublished.of(pack), "2000-01-01")])


def served(person):
    hired = AuxiliaryHired(person=person, unit="u1", category="field")
    return Request([act(PersonRegistered(person=person)), act(hired, "2022-02-01")])


def test_law_published_on_the_way_decides_what_follows_it(bureau):
    unit = UnitEstablished(unit="u1", name="所", division="999900")
    requests = [
        Request([act(unit, "2020-01-01")]),
        served("p1"),
        rewarded("p1"),
        published("1", kind="title"),
        rewarded("p1"),
        published("2", kind="merit"),
        rewarded("p1"),
    ]
    answers = list(bureau.ledger.enter_many(requests))
    assert [a.refusal.code if isinstance(a, Refused) else "entered" for a in answers] == [
        "entered", "entered", "entered", "entered", "law-forbids", "entered", "entered",
    ]  # fmt: skip
    assert answers[4].refusal.article == "第一条"
    assert not isinstance(one_by_one(bureau.ledger, rewarded("p1")), Refused)


# while others enter


@pytest.fixture
def meddling(declaring):
    """An act during whose decision somebody else enters something."""
    facet = Facet("test-meddled", of="person", zh="插入", en="meddled", many=True)
    happening = []

    class Meddled(Event):
        """Somebody acts while this is decided."""

        zh, en, day = "插入", "Meddled", "当日"
        writes = (Writes(facet, key="person", value=("word",)),)
        person: PersonId
        word: Code

        def decide(self, case):  # noqa: ARG002
            happening.pop()() if happening else None

    return Meddled, happening


def test_requests_overtaken_by_another_writer_are_entered_once_and_rightly(bureau, meddling):
    cls, happening = meddling
    ledger = bureau.ledger
    people = [f"p{n}" for n in range(6)]
    ledger.enter(registered(*people))
    unit = Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")])
    ledger.enter(unit)
    hired = Request([act(AuxiliaryHired(person="p5", unit="u1", category="field"), DAY)])
    happening.append(lambda: ledger.enter(hired))
    requests = [
        rewarded("p0"),
        rewarded("p0"),
        Request([act(cls(person="p1", word="a"), DAY)]),
        *(rewarded(p) for p in people),
        hired,
        rewarded("p0"),
    ]
    answers = list(ledger.enter_many(requests))
    assert [a.refusal.code if isinstance(a, Refused) else "entered" for a in answers] == [
        *["entered"] * 9, "already-recorded", "entered",
    ]  # fmt: skip
    entries = list(ledger.entries())
    assert [e.position for e in entries] == list(range(1, 19))
    assert sum(e.type == "RewardGranted" for e in entries) == 9
    assert sum(e.type == "AuxiliaryHired" for e in entries) == 1
    for entry in entries[8:]:
        assert entry.envelope["premise"]["at"] == entry.position - 1


def test_a_writer_who_enters_the_first_of_them_too_does_not_let_the_others_pass(bureau, meddling):
    cls, happening = meddling
    ledger = bureau.ledger
    ledger.enter(registered("p0", "p1"))
    ledger.enter(Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")]))
    first = rewarded("p0", event_id=UUID(int=1))
    hired = Request([act(AuxiliaryHired(person="p1", unit="u1", category="field"), DAY)])
    happening.append(lambda: [ledger.enter(one) for one in (first, hired)])

    answers = list(
        ledger.enter_many([first, Request([act(cls(person="p0", word="a"), DAY)]), hired])
    )

    assert [a.refusal.code if isinstance(a, Refused) else a.replayed for a in answers] == [
        True, False, "already-recorded",
    ]  # fmt: skip
    for entry in ledger.entries(after=3):
        assert entry.envelope["premise"]["at"] == entry.position - 1


def test_what_another_writer_entered_of_them_meanwhile_is_known(bureau, meddling):
    cls, happening = meddling
    ledger = bureau.ledger
    ledger.enter(registered("p0", "p1", "p2"))
    ledger.enter(Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")]))
    hired = [
        Request([act(AuxiliaryHired(person=p, unit="u1", category="field"), DAY,
                     event_id=UUID(int=n))])
        for n, p in enumerate(("p1", "p2"), 1)
    ]  # fmt: skip
    meddled = Request([act(cls(person="p0", word="a"), DAY)])
    happening.append(lambda: [ledger.enter(one) for one in (rewarded("p0"), *hired)])

    answers = list(ledger.enter_many([meddled, rewarded("p0", "2022-04-01"), *hired]))

    assert [a.replayed for a in answers] == [False, False, True, True]
    assert [a.entries[0].event_id for a in answers[2:]] == [UUID(int=1), UUID(int=2)]
    for entry in ledger.entries(after=4):
        assert entry.envelope["premise"]["at"] == entry.position - 1


def test_a_writer_who_never_stops_does_not_stop_the_load(bureau, meddling):
    cls, happening = meddling
    ledger = bureau.ledger
    ledger.enter(registered("p0", "p1"))
    happening += [lambda: ledger.enter(rewarded("p1"))] * 25
    requests = itertools.chain.from_iterable(
        [rewarded("p0"), Request([act(cls(person="p0", word=f"w{n}"), DAY)])] for n in range(30)
    )
    answers = list(ledger.enter_many(requests))
    assert all(isinstance(a, Receipt) for a in answers)
    types = [e.type for e in ledger.entries(["person:p0"])]
    assert types == ["PersonRegistered", *["RewardGranted", "Meddled"] * 30]
    assert happening == []


def test_a_value_taken_on_the_way_refuses_its_request_alone(bureau):
    number = "11010519491231002X"

    def numbered(person):
        return Request([act(PersonRegistered(person=person, id_number=number))])

    answers = list(
        bureau.ledger.enter_many(
            [registered("p1"), numbered("p2"), numbered("p3"), registered("p4")]
        )
    )
    assert [a.refusal.code if isinstance(a, Refused) else a.position for a in answers] == [
        1, 2, "taken", 3,
    ]  # fmt: skip
