"""Two ids of one human being, in a real ledger: decisions, claims, records and their filling."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from domain.acts.identity import PersonsMerged
from domain.acts.officers import OfficerAppointed
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import SUPERVISOR, SupervisingOfficerAssigned
from domain.acts.rewards import REWARDS, RewardGranted
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import FactAnnulled
from domain.ledger import Receipt, Refused, Request
from domain.ledger.log import ConditionFailed
from domain.record import Record
from domain.refusals import (
    AlreadyRecorded,
    ImpactRefused,
    RecordForbids,
    Superseded,
    Taken,
    WrongCorrection,
)
from projections import findings
from projections.filling import fill
from projections.questions.lookup import by_id_number
from projections.records import Records
from tests.given import act

DAY, LATER = date(2022, 3, 1), date(2023, 3, 1)
X, Y = "11010519491231002X", "440524188001010014"
_counted = itertools.count(1)


def enter(ledger, *proposals, mood="attested"):
    return ledger.enter(Request(proposals, mood=mood)).entries


def merge(ledger, one, into):
    return enter(ledger, act(PersonsMerged(merged=one, kept=into), LATER))[0]


def annul(ledger, entered):
    return enter(ledger, act(FactAnnulled(), annuls=entered.event_id))[0]


def reward(person):
    return act(RewardGranted(person=person, kind="merit"), DAY)


def posted(person):
    return act(PostAssigned(person=person, post="patrol"), LATER)


@pytest.fixture
def ledger(bureau):
    """Two units, two hired persons a and b, two officers o and p; nobody has an ID number yet."""
    enter(
        bureau.ledger,
        *(act(UnitEstablished(unit=u, name="所"), DAY) for u in ("u1", "u2")),
        *(act(PersonRegistered(person=p), DAY) for p in "abop"),
        *(act(OfficerAppointed(person=o, unit="u1"), DAY) for o in "op"),
        act(AuxiliaryHired(person="a", unit="u1", category="field"), DAY),
    )
    return bureau.ledger


def rows(bureau, name="records"):
    return list(Records(bureau.pool, name).every_version())


def assert_followed_as_folded(bureau):
    """Following in steps of one, one fill, several processes and one fold give the same rows."""
    head = bureau.ledger.log.head()
    for until in range(1, head + 1):
        list(bureau.runner.catch_up(until=until))
    live = rows(bureau)
    fold = Record.fold(bureau.ledger.entries())
    assert sorted(fold.every_version(), key=str) == sorted(live, key=str)
    for processes in (1, 3):
        name = f"filled{next(_counted)}"
        with bureau.pool.connection() as connection:
            Records(bureau.pool, name).create(connection, indexed=False)
        fill(bureau.ledger.log, bureau.database, name, head, processes=processes, alone_below=0)
        assert rows(bureau, name) == live


def test_before_the_merge_two_persons_after_it_one_and_after_the_split_two_again(bureau, ledger):
    enter(ledger, reward("a"), reward("b"))
    before = ledger.log.head()
    merged = merge(ledger, "b", "a")
    list(bureau.runner.catch_up())
    split = annul(ledger, merged)
    assert_followed_as_folded(bureau)

    def holders(position):
        found = bureau.records.in_force(REWARDS, AsOf(DAY, position))
        return [(f.subject, f.root, f.effective, f.until) for f in found]

    two = holders(before)
    assert [subject for subject, *_ in two] == ["person:a", "person:b"]
    assert [subject for subject, *_ in holders(merged.position)] == ["person:a", "person:a"]
    assert holders(split.position) == two
    again = annul(ledger, split)
    list(bureau.runner.catch_up())
    assert holders(again.position) == holders(merged.position)


def test_a_fact_that_names_the_merged_only_since_its_correction_is_found(bureau, ledger):
    paired = enter(ledger, act(SupervisingOfficerAssigned(person="a", officer="o"), DAY))[0]
    enter(
        ledger,
        act(SupervisingOfficerAssigned(person="a", officer="p"), DAY, supersedes=paired.event_id),
    )
    merged = merge(ledger, "p", "o")
    annul(ledger, merged)
    assert_followed_as_folded(bureau)

    known = {f.known_from: f.ref for f in bureau.records.versions(SUPERVISOR, "person:a")}
    assert list(known.values()) == ["o", "p", "o", "p"]


def test_a_chain_of_merges_taken_apart_in_the_middle(bureau, ledger):
    enter(ledger, reward("a"), reward("b"), reward("o"))
    middle = merge(ledger, "b", "a")
    merge(ledger, "o", "b")
    annul(ledger, middle)
    enter(ledger, reward("o"))
    assert_followed_as_folded(bureau)
    now = AsOf(DAY, ledger.log.head())
    assert [f.subject for f in bureau.records.in_force(REWARDS, now)] == [
        "person:a", "person:b", "person:b", "person:b",
    ]  # fmt: skip


def test_an_act_is_decided_on_the_entries_of_every_id(ledger):
    merge(ledger, "b", "a")
    hire = act(AuxiliaryHired(person="b", unit="u2", category="field"), LATER)
    with pytest.raises(AlreadyRecorded):
        enter(ledger, hire)
    [answer] = ledger.enter_many([Request([hire])])
    assert isinstance(answer, Refused)
    assert isinstance(answer.refusal, AlreadyRecorded)


def test_what_is_entered_in_bulk_after_a_merge_is_decided_on_both_ids(bureau, ledger):
    assigned = posted("b")
    requests = [[assigned], [act(PersonsMerged(merged="b", kept="a"), LATER)], [assigned]]
    answers = list(ledger.enter_many([Request(r, mood="attested") for r in requests]))
    assert [type(answer) for answer in answers] == [Refused, Receipt, Receipt]
    assert_followed_as_folded(bureau)


@pytest.mark.parametrize("of_the_merged", ["its post", "the merge", "the split"])
def test_a_decision_made_before_a_concurrent_entry_about_the_other_id_is_not_stored(
    ledger, of_the_merged
):
    merged = None if of_the_merged == "the merge" else merge(ledger, "b", "a")
    stale = ledger.preview(Request([posted("a")], mood="attested"))
    match of_the_merged:
        case "its post":
            enter(ledger, posted("b"))
        case "the merge":
            merge(ledger, "b", "a")
        case "the split":
            annul(ledger, merged)
    with pytest.raises(ConditionFailed):
        ledger.log.enter(stale.append)


def test_of_two_merges_at_once_that_would_make_a_circle_one_is_refused(ledger):
    def both(pair):
        try:
            return merge(ledger, *pair)
        except RecordForbids as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(both, ["ab", "ba"]))
    assert sum(isinstance(answer, RecordForbids) for answer in answers) == 1


def test_what_was_seen_of_the_person_is_what_was_seen_of_every_id(ledger):
    merge(ledger, "b", "a")
    seen = ledger.log.head()
    enter(ledger, reward("b"))
    with pytest.raises(Superseded):
        enter(ledger, reward("a")._replace(expect=seen))


def test_a_merge_is_corrected_for_the_same_id_only(ledger):
    merged = merge(ledger, "b", "a")
    with pytest.raises(WrongCorrection):
        enter(ledger, act(PersonsMerged(merged="o", kept="a"), supersedes=merged.event_id))
    enter(ledger, act(PersonsMerged(merged="b", kept="o"), supersedes=merged.event_id))
    assert ledger.forest(ledger.log.head()).kept("b") == "o"
    assert ledger.forest(merged.position).kept("b") == "a"
    assert ledger.forest(merged.position - 1).kept("b") == "b"


def numbered(person, number):
    return act(PersonDetailsChanged(person=person, id_number=number), DAY)


def test_the_kept_person_is_found_by_the_numbers_of_both(ledger):
    enter(ledger, numbered("a", X), numbered("b", Y))
    merged = merge(ledger, "b", "a")
    assert (by_id_number(ledger, X), by_id_number(ledger, Y)) == (["a"], ["a"])
    annul(ledger, merged)
    assert (by_id_number(ledger, X), by_id_number(ledger, Y)) == (["a"], ["b"])


def test_a_number_that_one_id_holds_may_be_entered_for_the_other_and_for_nobody_else(ledger):
    first = enter(ledger, numbered("b", X))[0]
    with pytest.raises(Taken):
        enter(ledger, numbered("a", X))
    merge(ledger, "b", "a")
    enter(ledger, numbered("a", X))
    with pytest.raises(Taken):
        enter(ledger, numbered("o", X))
    corrected = PersonDetailsChanged(person="b", id_number=Y)
    enter(ledger, act(corrected, DAY, supersedes=first.event_id))
    with pytest.raises(Taken):
        enter(ledger, numbered("o", X))
    assert (by_id_number(ledger, X), by_id_number(ledger, Y)) == (["a"], ["a"])


def test_contradictory_employment_is_found_when_entered_and_when_asked_later(ledger):
    """The merge is true all the same; who orders it says so, and what it undermines is reviewed."""
    hire = enter(ledger, act(AuxiliaryHired(person="b", unit="u2", category="field"), DAY))[0]
    merge = act(PersonsMerged(merged="b", kept="a"), LATER)
    with pytest.raises(ImpactRefused) as refused:
        ledger.enter(Request([merge]))
    [undermined] = refused.value.as_dict()["impacts"]
    assert undermined["position"] == hire.position
    review = ledger.acknowledge(hire.position, "entered twice by mistake")
    entered = ledger.enter(Request([merge, review]))
    assert [finding.rule for _, finding in entered.findings] == ["employed-twice"]
    [found] = findings.of_subjects(ledger, ["person:a"], ledger.log.head())
    assert [finding.rule for finding in found.findings] == ["employed-twice"]
