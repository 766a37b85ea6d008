"""The one fold: which fact answers, on which day, as known at which position."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from domain.acts.discipline import SANCTIONS, SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GRADE, AuxiliaryPromoted
from domain.acts.people import CATEGORY, SERVICE, UNIT
from domain.acts.posts import POST, PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.bitemporal import (
    AsOf,
    Segment,
    in_force,
    last_day,
    on_record,
    segments,
)
from domain.events import Entry, FactAnnulled, Proposal, encode
from domain.record import Record

P = "p1"
FIRST, LAST = date(2020, 1, 1), date(2030, 1, 1)


def day(text):
    return date.fromisoformat(text)


class Chronicle:
    """Entries made by hand, undecided, and folded as the log would hand them over."""

    def __init__(self):
        self.record = Record()
        self.roots = {}

    @property
    def head(self):
        return self.record.head

    def enter(self, event, on="2020-01-01", corrects=None, ends=None, **envelope):
        """Enter at the next position; `corrects` and `ends` name positions. Answers its own."""
        position = self.head + 1
        root = None if corrects is None else self.roots[corrects]
        self.roots[position] = root or position
        if corrects is not None:
            name = "annuls" if isinstance(event, FactAnnulled) else "supersedes"
            envelope[name] = UUID(int=corrects)
        if ends is not None:
            envelope["ends"] = UUID(int=self.roots[ends])
        if isinstance(envelope.get("until"), str):
            envelope["until"] = day(envelope["until"])
        proposal = Proposal(event, day(on), **envelope)
        data = encode(proposal, UUID(int=position), root and UUID(int=root), {}, _no_private)
        stamp = datetime(2030, 1, 1, tzinfo=UTC)
        entry = Entry(position, stamp, type(event).__name__, event.tags(), data)
        self.record.apply(entry)
        return position

    def grade(self, name, on, **envelope):
        event = AuxiliaryPromoted(person=P, grade=name, kind="natural")
        return self.enter(event, on, **envelope)

    def post(self, name, on, **envelope):
        return self.enter(PostAssigned(person=P, post=name), on, **envelope)

    def annul(self, position):
        """As the ledger does: an annulment takes the day of what it annuls."""
        chain = self.record.chain_at(self.roots[position])
        return self.enter(FactAnnulled(), chain.last.effective.isoformat(), corrects=position)

    def held(self, facet, recorded=None):
        """[(first day, value)] of the stretches on which something answers, as known."""
        found = segments(
            self.record.versions(facet, f"person:{P}"), recorded or self.head, FIRST, LAST
        )
        return [(s.start.isoformat(), _said(facet, s.fact)) for s in found]

    def at(self, facet, on, recorded=None):
        as_of = AsOf(day(on), recorded or self.head)
        return _said(facet, self.record.at(facet, f"person:{P}", as_of))

    def many(self, facet, on, rule=in_force, recorded=None):
        as_of = AsOf(day(on), recorded or self.head)
        return [f.root for f in rule(self.record.versions(facet, f"person:{P}"), as_of)]


def _no_private(*_):
    raise AssertionError("nothing private is entered here")


def _said(facet, fact):
    if fact is None:
        return "not recorded"
    return "none" if fact.value is None else fact.value[facet.ref or "state"]


@pytest.fixture
def c():
    return Chronicle()


# which fact answers


def test_before_the_first_fact_the_answer_is_not_recorded_and_never_none(c):
    c.post("patrol", "2021-01-01")
    relieved = c.enter(PostRelieved(person=P), "2022-01-01", ends=1)
    assert c.held(POST) == [
        ("2020-01-01", "not recorded"), ("2021-01-01", "patrol"), ("2022-01-01", "none"),
    ]  # fmt: skip
    assert c.record.at(POST, f"person:{P}", AsOf(day("2022-06-01"), relieved)).value is None
    assert c.record.at(POST, "person:p2", AsOf(day("2022-06-01"), relieved)) is None


def test_a_back_dated_change_between_two_holds_until_the_next_and_does_not_leak_past_it(c):
    c.grade("g3", "2021-01-01")
    c.grade("g5", "2023-01-01")
    c.grade("g4", "2022-01-01")
    assert c.held(GRADE)[1:] == [
        ("2021-01-01", "g3"), ("2022-01-01", "g4"), ("2023-01-01", "g5"),
    ]  # fmt: skip
    assert c.held(GRADE, recorded=2)[1:] == [("2021-01-01", "g3"), ("2023-01-01", "g5")]


def test_annulling_the_middle_fact_lets_its_predecessor_resurface(c):
    c.grade("g3", "2021-01-01")
    middle = c.grade("g4", "2022-01-01")
    c.grade("g5", "2023-01-01")
    c.annul(middle)
    assert c.held(GRADE)[1:] == [("2021-01-01", "g3"), ("2023-01-01", "g5")]
    assert c.at(GRADE, "2022-06-01", recorded=3) == "g4"


def test_a_correction_of_a_correction_leaves_every_earlier_version_answerable(c):
    c.grade("g3", "2021-03-01")
    c.grade("g3", "2021-02-01", corrects=1)
    c.grade("g4", "2021-01-01", corrects=2)
    assert [c.held(GRADE, recorded=k)[1:] for k in (1, 2, 3)] == [
        [("2021-03-01", "g3")], [("2021-02-01", "g3")], [("2021-01-01", "g4")],
    ]  # fmt: skip
    assert {f.root for f in c.record.versions(GRADE, f"person:{P}")} == {1}


def test_annulling_an_annulment_brings_the_last_content_back(c):
    c.grade("g3", "2021-01-01")
    c.grade("g4", "2021-02-01", corrects=1)
    annulment = c.annul(2)
    assert c.held(GRADE) == [("2020-01-01", "not recorded")]
    again = c.annul(annulment)
    assert c.held(GRADE)[1:] == [("2021-02-01", "g4")]
    c.annul(again)
    assert c.held(GRADE) == [("2020-01-01", "not recorded")]


def test_a_correction_keeps_its_roots_place(c):
    c.grade("g3", "2021-01-01")
    c.grade("g4", "2021-01-01")
    c.grade("g5", "2021-01-01", corrects=1)
    assert c.at(GRADE, "2021-01-01") == "g4"


def test_acts_of_one_day_answer_by_seq_and_only_then_by_order_of_entry(c):
    c.grade("last", "2021-01-01", seq=2)
    c.grade("first", "2021-01-01", seq=-1)
    assert c.at(GRADE, "2021-01-01") == "last"
    c.grade("also last", "2021-01-01", seq=2)
    assert c.at(GRADE, "2021-01-01") == "also last"


def test_an_explicit_none_stands_before_a_successor_of_the_same_day_however_entered(c):
    c.post("patrol", "2021-01-01")
    c.post("desk", "2022-01-01")
    c.enter(PostRelieved(person=P), "2022-01-01", ends=1)
    assert c.held(POST)[1:] == [("2021-01-01", "patrol"), ("2022-01-01", "desk")]


def test_a_future_dated_act_that_is_withdrawn_was_visible_in_between(c):
    c.grade("g3", "2021-01-01")
    c.grade("g4", "2029-01-01")
    c.annul(2)
    assert [c.at(GRADE, "2029-06-01", recorded=k) for k in (1, 2, 3)] == ["g3", "g4", "g3"]
    assert [c.at(GRADE, "2021-06-01", recorded=k) for k in (1, 2, 3)] == ["g3"] * 3


def test_a_term_lets_what_lay_beneath_answer_again(c):
    c.post("patrol", "2021-01-01")
    c.post("desk", "2022-01-01", until="2022-07-01")
    c.post("gate", "2022-03-01", until="2022-04-01")
    assert c.held(POST)[1:] == [
        ("2021-01-01", "patrol"), ("2022-01-01", "desk"), ("2022-03-01", "gate"),
        ("2022-04-01", "desk"), ("2022-07-01", "patrol"),
    ]  # fmt: skip


def test_a_change_within_a_term_prevails_from_its_own_day_on(c):
    c.post("patrol", "2021-01-01")
    c.post("desk", "2022-01-01", until="2022-07-01")
    c.post("chief", "2022-03-01")
    assert c.held(POST)[1:] == [
        ("2021-01-01", "patrol"), ("2022-01-01", "desk"), ("2022-03-01", "chief"),
    ]  # fmt: skip


# endings


def test_an_ending_that_is_corrected_moves_the_end(c):
    c.enter(SanctionImposed(person=P, kind="warning"), "2021-01-01", until="2021-07-01")
    ending = c.enter(SanctionLifted(person=P), "2021-05-01", ends=1)
    c.enter(SanctionLifted(person=P), "2021-03-01", corrects=ending, ends=1)
    for recorded, lasts_till in ((1, "2021-06-30"), (2, "2021-04-30"), (3, "2021-02-28")):
        assert c.many(SANCTIONS, lasts_till, recorded=recorded) == [1]
        [version] = [f for f in c.record.versions(SANCTIONS, f"person:{P}") if f.known(recorded)]
        assert last_day(version.until).isoformat() == lasts_till
    assert version.ended_by == 3


def test_an_ending_that_is_annulled_no_longer_ends_and_reinstated_ends_again(c):
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    ending = c.enter(RewardRevoked(person=P), "2022-01-01", ends=1)
    annulment = c.annul(ending)
    c.annul(annulment)
    assert [c.many(REWARDS, "2023-01-01", recorded=k) for k in (1, 2, 3, 4)] == [[1], [], [1], []]


def test_the_earliest_of_two_endings_prevails_and_annulling_it_leaves_the_other(c):
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    c.enter(RewardRevoked(person=P), "2023-01-01", ends=1)
    early = c.enter(RewardRevoked(person=P), "2022-01-01", ends=1)
    assert c.many(REWARDS, "2022-06-01") == []
    c.annul(early)
    assert c.many(REWARDS, "2022-06-01") == [1]
    assert c.many(REWARDS, "2023-01-01") == []


def test_an_ending_corrected_to_end_another_fact_releases_the_first(c):
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    c.enter(RewardGranted(person=P, kind="title"), "2021-01-01")
    ending = c.enter(RewardRevoked(person=P), "2022-01-01", ends=1)
    c.enter(RewardRevoked(person=P), "2022-01-01", corrects=ending, ends=2)
    assert c.many(REWARDS, "2022-06-01", recorded=3) == [2]
    assert c.many(REWARDS, "2022-06-01") == [1]


def test_an_ended_fact_that_is_corrected_stays_ended(c):
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    c.enter(RewardRevoked(person=P), "2022-01-01", ends=1)
    c.enter(RewardGranted(person=P, kind="merit"), "2021-02-01", corrects=1)
    assert c.many(REWARDS, "2021-06-01") == [1]
    assert c.many(REWARDS, "2022-01-01") == []


def test_an_ending_folded_before_what_it_ends_still_ends_it():
    """A decision reads strand after strand: a later strand may bring an earlier position."""
    c, late = Chronicle(), Chronicle()
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    late.record.head, late.roots = 1, dict(c.roots)
    late.enter(RewardRevoked(person=P), "2022-01-01", ends=1)
    late.record.head = 0
    late.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    assert late.many(REWARDS, "2021-06-01", recorded=2) == [1]
    assert late.many(REWARDS, "2022-06-01", recorded=2) == []


# leaving and coming back


def served(c):
    c.enter(AuxiliaryHired(person=P, unit="u1", category="field"), "2021-01-01")
    c.grade("g3", "2021-06-01")
    c.enter(RewardGranted(person=P, kind="merit"), "2021-06-01")
    return c.enter(AuxiliaryResigned(person=P), "2022-01-01")


def test_leaving_ends_every_open_fact_but_those_that_outlast_service(c):
    left = served(c)
    assert c.at(GRADE, "2021-12-31") == "g3"
    assert [c.at(facet, "2022-01-01") for facet in (GRADE, CATEGORY, UNIT)] == ["not recorded"] * 3
    assert c.at(SERVICE, "2022-01-01") == "left"
    assert c.many(REWARDS, "2022-01-01") == [3]
    ended = c.record.versions(GRADE, f"person:{P}")[-1]
    assert (ended.until, ended.ended_by) == (day("2022-01-01"), left)


def test_a_rehire_inherits_nothing(c):
    served(c)
    c.enter(AuxiliaryRehired(person=P, unit="u2", category="civilian"), "2023-01-01")
    assert c.at(SERVICE, "2023-01-01") == "in"
    assert c.at(UNIT, "2023-01-01") == "u2"
    assert c.at(GRADE, "2023-01-01") == "not recorded"


def test_a_rehire_on_the_day_of_leaving_stands_after_it(c):
    served(c)
    c.enter(AuxiliaryRehired(person=P, unit="u2", category="civilian"), "2022-01-01", seq=1)
    assert c.at(UNIT, "2022-01-01") == "u2"
    assert c.at(GRADE, "2022-01-01") == "not recorded"


def test_a_fact_learnt_late_from_before_the_leaving_ends_with_it_too(c):
    served(c)
    c.post("patrol", "2021-03-01")
    assert c.held(POST)[1:] == [("2021-03-01", "patrol"), ("2022-01-01", "not recorded")]


def test_a_leaving_that_is_annulled_or_moved_gives_back_what_it_ended(c):
    left = served(c)
    c.enter(AuxiliaryResigned(person=P), "2022-03-01", corrects=left)
    assert [c.at(GRADE, d) for d in ("2022-02-28", "2022-03-01")] == ["g3", "not recorded"]
    c.annul(c.head)
    assert c.at(GRADE, "2024-01-01") == "g3"
    assert c.at(SERVICE, "2024-01-01") == "in"
    assert c.at(GRADE, "2022-02-28", recorded=left) == "not recorded"


# many-valued facets


def test_in_force_and_on_record_are_two_questions(c):
    c.enter(SanctionImposed(person=P, kind="warning"), "2021-01-01", until="2021-07-01")
    c.enter(SanctionImposed(person=P, kind="demerit"), "2021-03-01", until="2022-03-01")
    c.enter(SanctionImposed(person=P, kind="warning"), "2023-01-01", until="2023-07-01")
    assert c.many(SANCTIONS, "2021-04-01") == [1, 2]
    assert c.many(SANCTIONS, "2021-07-01") == [2]
    assert c.many(SANCTIONS, "2021-07-01", on_record) == [1, 2]
    assert c.many(SANCTIONS, "2020-12-31", on_record) == []


def test_what_was_annulled_is_on_record_only_as_known_before(c):
    c.enter(RewardGranted(person=P, kind="merit"), "2021-01-01")
    c.annul(1)
    assert c.many(REWARDS, "2022-01-01", on_record) == []
    assert c.many(REWARDS, "2022-01-01", on_record, recorded=1) == [1]


# the fold itself


def test_versions_of_a_chain_never_overlap_on_the_recorded_axis(c):
    left = served(c)
    c.grade("g4", "2021-06-01", corrects=2)
    c.annul(left)
    c.annul(c.head - 1)
    spans = sorted((f.known_from, f.known_to) for f in c.record.versions(GRADE, f"person:{P}"))
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


def test_applying_answers_exactly_the_versions_closed_and_opened():
    c = Chronicle()
    opened = {}
    changed = []
    apply = c.record.apply
    c.record.apply = lambda entry: changed.append(apply(entry))
    left = served(c)
    c.annul(left)
    for facts in changed:
        for fact in facts:
            opened[fact[:3] + fact[6:7] + fact[8:9]] = fact
    assert sorted(opened.values(), key=str) == sorted(c.record.every_version(), key=str)


def test_a_fold_that_forgets_answers_the_same_changes():
    both = Chronicle(), Chronicle()
    both[1].record = Record(remember=False)
    changes = []
    for c in both:
        apply, seen = c.record.apply, []
        changes.append(seen)
        c.record.apply = lambda entry, apply=apply, seen=seen: seen.append(apply(entry))
        left = served(c)
        c.annul(left)
    assert changes[0] == changes[1]
    assert list(both[1].record.every_version()) == []


def test_segments_are_as_few_as_can_be(c):
    c.grade("g3", "2021-01-01")
    c.grade("g4", "2021-01-01", seq=-1)
    found = segments(c.record.versions(GRADE, f"person:{P}"), 2, day("2020-06-01"), LAST)
    assert [(s.start.isoformat(), s.end) for s in found] == [
        ("2020-06-01", day("2021-01-01")), ("2021-01-01", LAST),
    ]  # fmt: skip
    assert segments([], 2, FIRST, LAST) == [Segment(FIRST, LAST, None)]
