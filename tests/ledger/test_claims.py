"""A value that one person alone may hold (an ID number): who holds it after what was entered."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date

import pytest

from domain.acts.people import PersonDetailsChanged, PersonRegistered, id_number_fault
from domain.events import FactAnnulled
from domain.ledger import Request
from domain.ledger.log import ConditionFailed
from domain.refusals import Refusal, Taken
from tests.given import act

DAY, LATER = date(2022, 3, 1), date(2022, 9, 1)
_counted = itertools.count(1)


@pytest.fixture(scope="module")
def ledger(common_bureau):
    return common_bureau.ledger


def enter(ledger, *proposals):
    return ledger.enter(Request(proposals))


def numbered(person, number, **details):
    return PersonRegistered(person=person, id_number=number, **details)


def renumbered(person, number):
    return PersonDetailsChanged(person=person, id_number=number)


def fresh_counted():
    """ID numbers nobody has had yet: made by the check rule of GB 11643."""
    while True:
        stem = f"110105{1950 + next(_counted) % 50}0101{next(_counted) % 1000:03}"
        for check in "0123456789X":
            if id_number_fault(stem + check) is None:
                yield stem + check


NUMBERS = fresh_counted()


def name():
    return f"n{next(_counted)}"


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

    def claim(person):
        try:
            return enter(ledger, act(numbered(person, number)))
        except Taken as taken:
            return taken

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(claim, [name() for _ in range(6)]))
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


def test_of_two_decided_changes_of_one_persons_number_the_second_is_not_appended(ledger):
    person = name()
    enter(ledger, act(numbered(person, next(NUMBERS)), DAY))
    changes = [Request([act(renumbered(person, next(NUMBERS)), day)]) for day in (LATER, DAY)]
    first, second = (ledger.preview(change) for change in changes)
    ledger.log.enter(first.append)
    with pytest.raises(ConditionFailed):
        ledger.log.enter(second.append)


def test_two_persons_may_swap_their_counted_in_one_request(ledger):
    numbers, people = [next(NUMBERS), next(NUMBERS)], [name(), name()]
    enter(ledger, *(act(numbered(*pair), DAY) for pair in zip(people, numbers, strict=True)))
    swapped = zip(people, reversed(numbers), strict=True)
    enter(ledger, *(act(renumbered(*pair), LATER) for pair in swapped))


def answers(ledger, *proposals):
    """Of each act whether it would be taken, previewed one after another: the code of a refusal."""
    found = ledger.preview_each(Request(proposals))
    return [one.code if isinstance(one, Refusal) else "" for one in found]


@pytest.mark.parametrize("case", range(5))
def test_acts_previewed_one_after_another_are_told_what_entering_them_so_would_say(ledger, case):
    first, third = name(), name()
    held, new = next(NUMBERS), next(NUMBERS)
    enter(ledger, act(numbered(first, held)), act(PersonRegistered(person=third)))
    acts, told = [
        ([act(renumbered(third, held), LATER)], ["taken"]),
        ([act(renumbered(third, new), LATER), act(renumbered(first, new), LATER)], ["", "taken"]),
        ([act(renumbered(first, new), LATER), act(renumbered(third, held), LATER)], ["", ""]),
        ([act(renumbered(third, held), LATER), act(renumbered(first, new), LATER)], ["taken", ""]),
        ([act(renumbered(first, held), LATER), act(renumbered(third, new), DAY)], ["", ""]),
    ][case]
    head = ledger.log.head()

    assert answers(ledger, *acts) == told
    assert ledger.log.head() == head
    for one, refused in zip(acts, told, strict=True):
        with pytest.raises(Taken) if refused else nullcontext():
            enter(ledger, one)


def test_two_persons_of_one_request_never_hold_one_value(ledger):
    number = next(NUMBERS)
    acts = [act(numbered(name(), number)) for _ in range(2)]
    head = ledger.log.head()
    with pytest.raises(Taken):
        enter(ledger, *acts)
    with pytest.raises(Taken):
        ledger.preview(Request(acts))
    assert ledger.log.head() == head
