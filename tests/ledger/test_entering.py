"""The door: what is entered once, what is refused, who is first, and what a refusal leaves."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID, uuid4

import pytest

from domain.acts.discipline import SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.posts import POST, PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import Actor, Code, Event, Facet, FactAnnulled, PersonId, Writes
from domain.ledger import Receipt, Request
from domain.ledger.log import ConditionFailed
from domain.record import Record
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    BeyondHead,
    Conflict,
    ImpossibleDate,
    KeyReused,
    NotInService,
    Refusal,
    Superseded,
    UnknownFact,
    UnknownSubject,
    WrongCorrection,
)
from tests.given import act

DAY, LATER = date(2022, 3, 1), date(2022, 9, 1)
NUMBER = "11010519491231002X"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def ledger(common_bureau):
    """A ledger with one unit, `u1`; each test has persons of its own."""
    common_bureau.ledger.enter(Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")]))
    return common_bureau.ledger


@pytest.fixture
def person(ledger):
    """A registered person in service since 2021."""
    return hire(ledger)


def hire(ledger):
    name = f"p{next(_numbers)}"
    enter(ledger, act(PersonRegistered(person=name), "2021-01-01"), act(hired(name), "2021-01-01"))
    return name


def enter(ledger, *proposals, **envelope):
    return ledger.enter(Request(proposals, **envelope))


def hired(person):
    return AuxiliaryHired(person=person, unit="u1", category="field")


def posted(person, post="g1"):
    return PostAssigned(person=person, post=post)


def rewarded(person, kind="merit"):
    return RewardGranted(person=person, kind=kind)


def record_of(ledger, person):
    return Record.fold(ledger.entries([f"person:{person}"]))


def post(ledger, person):
    as_of = AsOf(LATER, ledger.log.head())
    fact = record_of(ledger, person).at(POST, f"person:{person}", as_of)
    return fact and fact.ref


def rewards(ledger, person):
    as_of = AsOf(LATER, ledger.log.head())
    return record_of(ledger, person).every(REWARDS, f"person:{person}", as_of)


def all_at_once(count, task):
    """The outcomes (an answer or a refusal) of threads that start together."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        try:
            return task(number)
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# once and only once


def test_the_same_request_under_the_same_key_gives_the_first_answer(ledger, person):
    request = Request([act(rewarded(person), DAY), act(rewarded(person), DAY)], key="once")
    first = ledger.enter(request)
    head = ledger.log.head()
    again = ledger.enter(request)
    assert again.replayed
    assert again.entries == first.entries
    assert ledger.log.head() == head


@pytest.mark.parametrize("change", ["content", "date", "more", "fewer", "mood"])
def test_a_key_that_named_another_request_is_refused(ledger, person, change):
    proposals, key = [act(rewarded(person), DAY), act(rewarded(person), DAY)], f"key-{change}"
    enter(ledger, *proposals, key=key)
    head = ledger.log.head()
    other = {
        "content": [act(rewarded(person, "title"), DAY), proposals[1]],
        "date": [proposals[0], act(rewarded(person), LATER)],
        "more": [*proposals, proposals[0]],
        "fewer": proposals[:1],
        "mood": proposals,
    }[change]
    with pytest.raises(KeyReused):
        enter(ledger, *other, key=key, mood="attested" if change == "mood" else "ordered")
    assert ledger.log.head() == head


def test_a_key_is_its_callers_own(ledger, person):
    clerks = [Actor(subject="c1"), Actor(subject="c2"), Actor(issuer="other", subject="c1")]
    answers = [enter(ledger, act(rewarded(person), DAY), key="1", actor=c) for c in clerks]
    assert not any(answer.replayed for answer in answers)
    assert len(rewards(ledger, person)) == 3


def test_the_same_event_ids_give_the_first_answer(ledger, person):
    proposals = [act(rewarded(person), DAY, event_id=uuid4()) for _ in range(2)]
    first = enter(ledger, *proposals)
    again = enter(ledger, *proposals)
    assert again.entries == first.entries
    assert again.replayed
    assert len(rewards(ledger, person)) == 2


def test_event_ids_that_were_entered_otherwise_are_refused(ledger, person):
    one, two = (act(rewarded(person), DAY, event_id=uuid4()) for _ in range(2))
    enter(ledger, one)
    enter(ledger, act(rewarded(person), DAY))
    enter(ledger, two)
    new = act(rewarded(person), DAY, event_id=uuid4())
    other_type = act(posted(person), DAY, event_id=one.event_id)
    for proposals in ([one, two], [one, new], [new, one], [other_type]):
        with pytest.raises(KeyReused):
            enter(ledger, *proposals)
    assert len(rewards(ledger, person)) == 3


def test_one_key_from_many_threads_is_entered_once(ledger, person):
    request = Request([act(rewarded(person), DAY)], key="many threads")
    answers = all_at_once(8, lambda _: ledger.enter(request))
    assert len({tuple(answer.entries) for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


# who is first


def test_of_many_that_hire_one_person_at_once_exactly_one_is_accepted(ledger):
    enter(ledger, act(PersonRegistered(person="wanted"), "2021-01-01"))
    answers = all_at_once(10, lambda _: enter(ledger, act(hired("wanted"), DAY)))
    assert [type(a) for a in answers].count(Receipt) == 1
    assert {type(a) for a in answers} == {Receipt, AlreadyRecorded}


def test_acts_on_unrelated_persons_do_not_hinder_one_another(ledger):
    people = [hire(ledger) for _ in range(12)]
    answers = all_at_once(12, lambda n: enter(ledger, act(posted(people[n]), DAY)))
    assert all(isinstance(a, Receipt) for a in answers)


def test_of_two_clerks_who_correct_one_fact_the_second_is_told_who_was_first(ledger, person):
    granted = enter(ledger, act(posted(person), DAY)).entries[0].event_id

    def correct(number):
        return enter(ledger, act(posted(person, f"g{number}"), DAY, supersedes=granted))

    answers = all_at_once(2, correct)
    [winner] = [a for a in answers if isinstance(a, Receipt)]
    [loser] = [a for a in answers if isinstance(a, Superseded)]
    assert loser.position == winner.position
    assert post(ledger, person) == f"g{answers.index(winner)}"


def test_a_request_that_names_a_position_is_refused_once_the_person_changed(ledger, person):
    seen = ledger.log.head()
    enter(ledger, act(rewarded(hire(ledger)), DAY))
    accepted = enter(ledger, act(rewarded(person), DAY, expect=seen))
    with pytest.raises(Superseded) as refused:
        enter(ledger, act(rewarded(person), DAY), act(rewarded(person), DAY, expect=seen))
    assert (refused.value.field, refused.value.index) == ("expect", 1)
    assert refused.value.position == accepted.position
    enter(ledger, act(rewarded(person), DAY, expect=accepted.position))
    with pytest.raises(BeyondHead):
        enter(ledger, act(rewarded(person), DAY, expect=ledger.log.head() + 1))


def test_of_two_who_have_seen_the_same_position_one_is_entered(ledger):
    for _ in range(15):
        person = hire(ledger)
        seen = ledger.log.head()

        def reward(_, person=person, seen=seen):
            return enter(ledger, act(rewarded(person), DAY, expect=seen))

        answers = all_at_once(2, reward)
        [winner] = [a for a in answers if isinstance(a, Receipt)]
        [loser] = [a for a in answers if isinstance(a, Superseded)]
        assert loser.position == winner.position


INTERRUPTED = Facet("test-interrupted", of="person", zh="打断", en="interrupted", many=True)


@pytest.fixture
def interrupted(declaring):
    """An event type during whose decision something else may happen."""

    class Interrupted(Event):
        """Somebody acts while this is decided."""

        zh, en, day = "打断", "Interrupted", "当日"
        writes = (Writes(INTERRUPTED, key="person", value=("word",)),)
        person: PersonId
        word: Code

        def decide(self, case):
            case.every(REWARDS, self.person)
            happening.pop()() if happening else None

    happening = []
    return Interrupted, happening


def test_what_was_decided_on_a_record_that_changed_meanwhile_is_decided_again(
    ledger, person, interrupted
):
    cls, happening = interrupted
    happening += [lambda: enter(ledger, act(rewarded(person), DAY))] * 2
    receipt = enter(ledger, act(cls(person=person, word="a"), LATER))
    [entry] = ledger.entries(after=receipt.position - 1, until=receipt.position)
    assert entry.envelope["premise"]["at"] == receipt.position - 1
    assert len(rewards(ledger, person)) == 2


def test_what_changes_at_every_attempt_is_a_conflict_and_nothing_is_entered(
    ledger, person, interrupted
):
    cls, happening = interrupted
    happening += [lambda: enter(ledger, act(rewarded(person), DAY))] * 9
    with pytest.raises(Conflict):
        enter(ledger, act(cls(person=person, word="a"), LATER))
    assert not list(ledger.entries(types=["Interrupted"], tags=[f"person:{person}"]))


# corrections


def test_a_correction_names_the_newest_entry_of_the_fact(ledger, person):
    ids = [enter(ledger, act(posted(person, "g0"), DAY)).entries[0].event_id]
    for n in (1, 2):
        done = enter(ledger, act(posted(person, f"g{n}"), DAY, supersedes=ids[-1]))
        ids.append(done.entries[0].event_id)
    with pytest.raises(Superseded) as refused:
        enter(ledger, act(posted(person, "g9"), DAY, supersedes=ids[0]))
    assert refused.value.position == done.position
    with pytest.raises(UnknownFact):
        enter(ledger, act(posted(person), DAY, supersedes=uuid4()))
    assert post(ledger, person) == "g2"


def test_a_correction_changes_neither_type_nor_person(ledger, person):
    granted = enter(ledger, act(rewarded(person), DAY)).entries[0].event_id
    revoked = enter(ledger, act(RewardRevoked(person=person), LATER)).entries[0].event_id
    other = hire(ledger)
    others = enter(ledger, act(rewarded(other), DAY)).entries[0].event_id
    head = ledger.log.head()
    for wrong in (
        act(rewarded(other), DAY, supersedes=granted),
        act(posted(person), DAY, supersedes=granted),
        act(RewardRevoked(person=other), LATER, supersedes=revoked, ends=others),
    ):
        with pytest.raises(WrongCorrection):
            enter(ledger, wrong)
    assert ledger.log.head() == head


def test_of_two_decided_annulments_of_one_ending_the_second_is_not_appended(ledger, person):
    enter(ledger, act(rewarded(person), DAY))
    revoked = enter(ledger, act(RewardRevoked(person=person), LATER)).entries[0].event_id
    annulment = Request([act(FactAnnulled(), annuls=revoked)])
    first, second = ledger.preview(annulment), ledger.preview(annulment)
    ledger.log.enter(first.append)
    with pytest.raises(ConditionFailed):
        ledger.log.enter(second.append)
    with pytest.raises(Superseded):
        ledger.enter(annulment)


def test_an_annulment_is_annulled_but_never_superseded(ledger, person):
    granted = enter(ledger, act(posted(person), DAY)).entries[0].event_id
    annulled = enter(ledger, act(FactAnnulled(), annuls=granted)).entries[0].event_id
    assert post(ledger, person) is None
    with pytest.raises(WrongCorrection):
        enter(ledger, act(posted(person), DAY, supersedes=annulled))
    enter(ledger, act(FactAnnulled(), annuls=annulled))
    assert post(ledger, person) == "g1"


def test_an_annulment_that_is_annulled_is_decided_as_the_act_would_be(ledger, person):
    left = enter(ledger, act(AuxiliaryResigned(person=person), LATER)).entries[0].event_id
    annulled = enter(ledger, act(FactAnnulled(), annuls=left)).entries[0].event_id
    enter(ledger, act(AuxiliaryResigned(person=person), DAY))
    with pytest.raises(NotInService):
        enter(ledger, act(FactAnnulled(), annuls=annulled))


def test_wrong_person_is_mended_by_annulling_and_entering_in_one_batch(ledger, person):
    other = hire(ledger)
    granted = enter(ledger, act(posted(person), DAY)).entries[0].event_id
    enter(ledger, act(FactAnnulled(), annuls=granted), act(posted(other), DAY))
    assert (post(ledger, person), post(ledger, other)) == (None, "g1")


def test_an_ending_keeps_ending_its_fact_when_its_day_is_corrected(ledger, person):
    fact = enter(ledger, act(SanctionImposed(person=person, kind="warning"), DAY)).entries[0]
    lifted = enter(ledger, act(SanctionLifted(person=person), LATER)).entries[0]
    done = enter(
        ledger, act(SanctionLifted(person=person), "2022-06-01", supersedes=lifted.event_id)
    )
    [entry] = ledger.entries(after=done.position - 1, until=done.position)
    assert entry.ended == str(fact.event_id)


@pytest.mark.parametrize(
    ("envelope", "refusal", "field"),
    [
        ({"until": DAY}, ImpossibleDate, "until"),
        ({"seq": 40_000}, BadInput, "seq"),
        ({"annuls": UUID(int=1)}, BadInput, "annuls"),
        ({"ends": UUID(int=1)}, BadInput, "ends"),
    ],
)
def test_an_envelope_that_cannot_be_is_refused_by_field(ledger, person, envelope, refusal, field):
    with pytest.raises(refusal) as refused:
        enter(ledger, act(rewarded(person), DAY, **envelope))
    assert (refused.value.field, refused.value.index) == (field, 0)


# what a refusal leaves, and what it says


def test_a_request_refused_at_its_last_act_leaves_nothing_behind(ledger):
    registration = act(PersonRegistered(person="late", id_number=NUMBER))
    head = ledger.log.head()
    with pytest.raises(UnknownSubject) as refused:
        enter(ledger, registration, act(rewarded("nobody")), key="a refused one")
    assert refused.value.index == 1
    assert ledger.log.head() == head
    assert list(ledger.entries(["person:late"])) == []
    other = act(PersonRegistered(person="other", id_number=NUMBER))
    enter(ledger, other, key="a refused one")


def test_a_request_without_acts_is_refused(ledger):
    with pytest.raises(BadInput):
        enter(ledger)


def test_no_refusal_repeats_a_private_value(ledger):
    number, planted = "110105196001010105", "planted-张某"
    private = {"name": planted, "phone": planted}
    registered = enter(
        ledger, act(PersonRegistered(person="first", id_number=number, **private))
    ).entries[0]
    private["birth_date"] = date(1987, 6, 5)
    same_number = PersonRegistered(person="second", id_number=number)
    born_otherwise = PersonRegistered(person="second", id_number=number, **private)
    second = PersonRegistered(person="second", **private)
    said = []
    for proposal in (
        act(PersonRegistered(person="first", **private)),
        act(same_number),
        act(born_otherwise),
        act(PersonDetailsChanged(person="nobody", name=planted, phone=planted)),
        act(second, supersedes=registered.event_id),
        act(second, supersedes=uuid4()),
        act(second, expect=1 << 40),
        act(second, until="2000-01-01"),
        act(RewardGranted(person="nobody", kind="merit", deed=planted)),
    ):
        with pytest.raises(Refusal) as refused:
            enter(ledger, proposal)
        said.append(f"{refused.value!r} {refused.value.as_dict()} {refused.value.__cause__}")
    for secret in (planted, number, "1987"):
        assert not [text for text in said if secret in text]
    assert len({text.partition("(")[0] for text in said}) > 4
