"""The door: what is entered once, what is refused, who is first, and what a refusal leaves."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID, uuid4

import pytest

from domain.acts.discipline import SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonDetailsChanged, PersonRegistered, id_number_fault
from domain.acts.posts import POST, PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import Actor, Code, Event, Facet, FactAnnulled, PersonId, Writes
from domain.ledger import Receipt, Request
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
    Taken,
    UnknownFact,
    UnknownSubject,
    WrongCorrection,
)
from tests.given import act

DAY, LATER = date(2022, 3, 1), date(2022, 9, 1)
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


# values that one person alone may hold


def numbered(person, number, **details):
    return PersonRegistered(person=person, id_number=number, **details)


def renumbered(person, number):
    return PersonDetailsChanged(person=person, id_number=number)


def fresh_numbers():
    """ID numbers nobody has had yet: made by the check rule of GB 11643."""
    while True:
        stem = f"110105{1950 + next(_numbers) % 50}0101{next(_numbers) % 1000:03}"
        for check in "0123456789X":
            if id_number_fault(stem + check) is None:
                yield stem + check


NUMBERS = fresh_numbers()


def name():
    return f"n{next(_numbers)}"


def test_a_second_person_with_the_same_id_number_is_refused_and_leaves_nothing(ledger):
    number, second = next(NUMBERS), name()
    enter(ledger, act(numbered(name(), number)))
    head = ledger.log.head()
    with pytest.raises(Taken) as refused:
        enter(ledger, act(numbered(second, number)))
    assert number not in str(refused.value.as_dict())
    assert ledger.log.head() == head
    enter(ledger, act(numbered(second, next(NUMBERS))))


def test_of_many_that_claim_one_id_number_at_once_one_is_accepted(ledger):
    number = next(NUMBERS)
    answers = all_at_once(6, lambda _: enter(ledger, act(numbered(name(), number))))
    assert sorted(type(a).__name__ for a in answers) == ["Receipt", *["Taken"] * 5]


def test_correcting_an_id_number_frees_the_wrong_one(ledger):
    wrong, right, first = next(NUMBERS), next(NUMBERS), name()
    entered = enter(ledger, act(numbered(first, wrong))).entries[0]
    enter(ledger, act(numbered(first, right), supersedes=entered.event_id))
    enter(ledger, act(numbered(name(), wrong)))
    with pytest.raises(Taken):
        enter(ledger, act(numbered(name(), right)))


def test_annulling_a_registration_frees_its_id_number_and_reinstating_takes_it_again(ledger):
    number = next(NUMBERS)
    entered = enter(ledger, act(numbered(name(), number))).entries[0]
    annulled = enter(ledger, act(FactAnnulled(), annuls=entered.event_id)).entries[0]
    second = enter(ledger, act(numbered(name(), number))).entries[0]
    with pytest.raises(Taken):
        enter(ledger, act(FactAnnulled(), annuls=annulled.event_id))
    enter(ledger, act(FactAnnulled(), annuls=second.event_id))
    enter(ledger, act(FactAnnulled(), annuls=annulled.event_id))
    with pytest.raises(Taken):
        enter(ledger, act(numbered(name(), number)))


def test_annulling_a_change_of_id_number_takes_the_number_before_it_again(ledger):
    before, after, person = next(NUMBERS), next(NUMBERS), name()
    enter(ledger, act(numbered(person, before)))
    changed = enter(ledger, act(renumbered(person, after), DAY)).entries[0]
    enter(ledger, act(FactAnnulled(), annuls=changed.event_id))
    with pytest.raises(Taken):
        enter(ledger, act(numbered(name(), before)))
    enter(ledger, act(numbered(name(), after)))


def test_correcting_an_older_number_leaves_the_newer_one_held(ledger):
    oldest, newer, person = next(NUMBERS), next(NUMBERS), name()
    entered = enter(ledger, act(numbered(person, oldest), DAY)).entries[0]
    enter(ledger, act(renumbered(person, newer), LATER))
    enter(ledger, act(numbered(person, next(NUMBERS)), DAY, supersedes=entered.event_id))
    with pytest.raises(Taken):
        enter(ledger, act(numbered(name(), newer)))


def test_a_number_may_change_twice_within_one_request(ledger):
    numbers, person = [next(NUMBERS) for _ in range(3)], name()
    enter(
        ledger,
        act(numbered(person, numbers[0]), DAY),
        act(renumbered(person, numbers[1]), DAY),
        act(renumbered(person, numbers[2]), LATER),
    )
    enter(ledger, act(numbered(name(), numbers[1])))
    with pytest.raises(Taken):
        enter(ledger, act(numbered(name(), numbers[2])))


def test_two_persons_may_swap_their_numbers_in_one_request(ledger):
    numbers, people = [next(NUMBERS), next(NUMBERS)], [name(), name()]
    enter(ledger, *(act(numbered(*pair), DAY) for pair in zip(people, numbers, strict=True)))
    swapped = zip(people, reversed(numbers), strict=True)
    enter(ledger, *(act(renumbered(*pair), LATER) for pair in swapped))


# what a refusal leaves, and what it says


def test_a_request_refused_at_its_last_act_leaves_nothing_behind(ledger):
    number, person = next(NUMBERS), name()
    head = ledger.log.head()
    with pytest.raises(UnknownSubject) as refused:
        enter(ledger, act(numbered(person, number)), act(rewarded("nobody")), key="a refused one")
    assert refused.value.index == 1
    assert ledger.log.head() == head
    assert list(ledger.entries([f"person:{person}"])) == []
    enter(ledger, act(numbered(name(), number)), key="a refused one")


def test_a_request_without_acts_is_refused(ledger):
    with pytest.raises(BadInput):
        enter(ledger)


def test_no_refusal_repeats_a_private_value(ledger):
    number, planted = next(NUMBERS), "planted-张某"
    first = name()
    registered = enter(ledger, act(numbered(first, number, name=planted, phone=planted))).entries[0]
    secret = {"name": planted, "phone": planted, "birth_date": date(1987, 6, 5)}
    said = []
    for proposals, envelope in (
        ([act(PersonRegistered(person=first, **secret))], {}),
        ([act(numbered(name(), number, name=planted, phone=planted))], {}),
        ([act(numbered(name(), next(NUMBERS), **secret))], {}),
        ([act(PersonDetailsChanged(person="nobody", **secret))], {}),
        ([act(PersonRegistered(person=name(), **secret), supersedes=registered.event_id)], {}),
        ([act(PersonRegistered(person=name(), **secret), supersedes=uuid4())], {}),
        ([act(PersonRegistered(person=name(), **secret), expect=1 << 40)], {}),
        ([act(PersonRegistered(person=name(), **secret), until="2000-01-01")], {}),
        ([act(RewardGranted(person="nobody", kind="merit", deed=planted))], {}),
    ):
        with pytest.raises(Refusal) as refused:
            enter(ledger, *proposals, **envelope)
        said.append(f"{refused.value!r} {refused.value.as_dict()} {refused.value.__cause__}")
    for private in (planted, number, "1987"):
        assert not [text for text in said if private in text]
    assert len({text.partition("(")[0] for text in said}) > 4
