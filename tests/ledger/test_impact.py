"""What a correction or a back-dated act undermines is refused, mended, acknowledged or found."""

import itertools
from datetime import date
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from domain.acts.discipline import SanctionImposed
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.officers import OFFICER, OfficerAppointed
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    ActingDeputyHeadAppointed,
    ActingDeputyHeadRelieved,
    ActingHeadAppointed,
    ActingHeadRelieved,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.reviews import ReviewConcluded
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitDissolved, UnitEstablished
from domain.bitemporal import OPEN
from domain.case import Case
from domain.events import FactAnnulled
from domain.law import Pack
from domain.ledger import Receipt, Refused, Request
from domain.ledger.impact import CLIMBED, opened, premise_of, proposal_of
from domain.ledger.log import ConditionFailed
from domain.ledger.reading import ever_joined
from domain.record import Record, Strand
from domain.refusals import (
    AlreadyRecorded,
    ImpactRefused,
    NotUndermined,
    Refusal,
    UnknownFact,
)
from tests.given import Everything, act
from tests.histories import STEPS, History, sample_steps

HIRED, RATED, LEFT, PROMOTED = "2016-03-01", "2016-07-01", "2019-05-01", "2020-07-01"
PACK = """
code = "990000"
zh = "某省"
en = "A province"
version = "1"
status = "in-force"

[[rule]]
id = "promotion-no-sanction"
kind = "eligibility"
since = 2010-01-01
article = "办法 6"
source = "a text [read]"
strength = "block"
zh = "处理期内不得晋升"
en = "No promotion during a sanction"
values = { conditions = ["no-live-sanction"] }

[[rule]]
id = "review-term"
kind = "clock"
since = 2010-01-01
article = "办法 9"
source = "a text [read]"
strength = "due"
zh = "复核三十日内作出结论"
en = "A review is concluded within thirty days"
values = { within = 30, unit = "days" }

[[list]]
id = "sanction-kinds"
since = 2010-01-01
article = "办法 7"
source = "a text [read]"
zh = "处理种类"
en = "Sanctions"
members = [{ code = "demerit", zh = "记过", en = "Demerit", months = 24, effects = ["blocks_promotion"] }]
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def ledger(common_bureau):
    """A ledger with two stations, under a law that lets nobody rise while sanctioned."""
    ledger = common_bureau.ledger
    enter(ledger, act(PackPublished.of(Pack.parse(PACK)), "2010-01-01"))
    enter(
        ledger,
        act(UnitEstablished(unit="b", name="局", division="990000"), "2000-01-01"),
        *(act(UnitEstablished(unit=u, name="所", parent="b"), "2000-01-01") for u in ("u1", "u2")),
    )
    return ledger


@pytest.fixture
def career(ledger):
    """A new person, and the event ids of what was entered about that person, by type."""
    return begin(ledger)


def begin(ledger):
    person = f"i{next(_numbers)}"
    receipt = enter(
        ledger,
        act(PersonRegistered(person=person), "2010-01-01"),
        act(AuxiliaryHired(person=person, unit="u1", category="field"), HIRED),
        act(GradeRated(person=person, grade="g1"), RATED),
        act(AuxiliaryPromoted(person=person, grade="g2", kind="natural"), PROMOTED),
    )
    return person, {e.type: e for e in receipt.entries}


def enter(ledger, *proposals, **envelope):
    return ledger.enter(Request(proposals, **envelope))


def resigned(person, on=LEFT, **envelope):
    return act(AuxiliaryResigned(person=person), on, **envelope)


def sanctioned(person, on="2019-01-01"):
    return act(SanctionImposed(person=person, kind="demerit"), on)


def undermined(ledger, *proposals):
    """(position, code, article) of each act that the refusal lists; nothing is stored."""
    head = ledger.log.head()
    with pytest.raises(ImpactRefused) as refused:
        enter(ledger, *proposals)
    assert ledger.log.head() == head
    listed = refused.value.as_dict()["impacts"]
    return [(i["position"], i["refusal"]["code"], i["refusal"].get("article")) for i in listed]


# found


def test_a_back_dated_resignation_lists_the_promotion_after_it(ledger, career):
    person, entries = career
    promoted = entries["AuxiliaryPromoted"].position
    assert undermined(ledger, resigned(person)) == [(promoted, "not-in-service", None)]


def test_a_back_dated_sanction_lists_the_promotion_with_its_article(ledger, career):
    person, entries = career
    promoted = entries["AuxiliaryPromoted"].position
    assert undermined(ledger, sanctioned(person)) == [(promoted, "law-forbids", "办法 6")]


def test_a_hire_corrected_to_a_later_day_lists_what_then_lies_before_it(ledger, career):
    person, entries = career
    hired = AuxiliaryHired(person=person, unit="u1", category="field")
    later = act(hired, "2016-09-01", supersedes=entries["AuxiliaryHired"].event_id)
    assert [found[:2] for found in undermined(ledger, later)] == [
        (entries["GradeRated"].position, "not-in-service"),
    ]


def test_an_annulled_grade_lists_the_promotion_from_it(ledger, career):
    _, entries = career
    annulled = act(FactAnnulled(), annuls=entries["GradeRated"].event_id)
    [(position, code, _)] = undermined(ledger, annulled)
    assert (position, code) == (entries["AuxiliaryPromoted"].position, "record-forbids")


def test_a_unit_dissolved_earlier_lists_the_transfer_to_it(ledger, career):
    person, _ = career
    enter(ledger, act(UnitEstablished(unit="gone", name="所", parent="b"), "2000-01-01"))
    moved = enter(ledger, act(AuxiliaryTransferred(person=person, unit="gone"), "2021-01-01"))
    [(position, code, _)] = undermined(ledger, act(UnitDissolved(unit="gone"), "2020-12-01"))
    assert (position, code) == (moved.position, "record-forbids")


SEATS = [
    (UnitHeadAppointed, UnitHeadRelieved, "unit-head"),
    (ActingHeadAppointed, ActingHeadRelieved, "acting-head"),
]


@pytest.mark.parametrize(("appointed", "relieved", "facet"), SEATS)
def test_an_annulled_ending_of_a_seat_lists_the_successor(ledger, appointed, relieved, facet):
    unit, first, second = (f"{facet}-{name}" for name in ("unit", "first", "second"))
    enter(
        ledger,
        act(UnitEstablished(unit=unit, name="所", parent="b"), "2000-01-01"),
        *(act(PersonRegistered(person=one), "2010-01-01") for one in (first, second)),
        *(act(OfficerAppointed(person=one, unit=unit), "2012-01-01") for one in (first, second)),
        act(appointed(unit=unit, officer=first), "2015-01-01"),
    )
    gone = enter(ledger, act(relieved(unit=unit, officer=first), "2016-06-01"))
    after = enter(ledger, act(appointed(unit=unit, officer=second), "2016-07-01"))

    annulled = act(FactAnnulled(), annuls=gone.entries[0].event_id)
    assert undermined(ledger, annulled) == [(after.position, "record-forbids", None)]
    decided = ledger.preview(Request([annulled]))
    assert Strand(facet, f"unit:{unit}") in {change.strand for change in decided.changes}
    attested = enter(ledger, annulled, mood="attested")
    [(_, finding)] = attested.undermined
    assert f"entry {after.position} would be refused" in finding.en


@pytest.mark.parametrize(
    ("appointed", "relieved", "facet"),
    [
        (DeputyHeadAppointed, DeputyHeadRelieved, "deputy-head"),
        (ActingDeputyHeadAppointed, ActingDeputyHeadRelieved, "acting-deputy"),
    ],
)
def test_an_annulled_ending_of_a_deputy_changes_the_days_after_it(
    ledger, appointed, relieved, facet
):
    unit, officer = f"{facet}-unit", f"{facet}-officer"
    enter(
        ledger,
        act(UnitEstablished(unit=unit, name="所", parent="b"), "2000-01-01"),
        act(PersonRegistered(person=officer), "2010-01-01"),
        act(OfficerAppointed(person=officer, unit=unit), "2012-01-01"),
        act(appointed(unit=unit, officer=officer), "2015-01-01"),
    )
    gone = enter(ledger, act(relieved(unit=unit, officer=officer), "2016-06-01"))
    decided = ledger.preview(Request([act(FactAnnulled(), annuls=gone.entries[0].event_id)]))
    [change] = [c for c in decided.changes if c.strand.subject == f"unit:{unit}"
                and c.strand.facet == facet]  # fmt: skip
    assert (change.first, change.until) == (date(2016, 6, 1), OPEN)


def test_another_law_above_the_unit_lists_the_act_of_a_person_in_it(ledger):
    enter(
        ledger,
        act(UnitEstablished(unit="free", name="局"), "2000-01-01"),
        act(UnitEstablished(unit="below", name="所", parent="free"), "2000-01-01"),
    )
    person = f"i{next(_numbers)}"
    hired = AuxiliaryHired(person=person, unit="below", category="field")
    receipt = enter(
        ledger,
        act(PersonRegistered(person=person), "2010-01-01"),
        act(hired, HIRED),
        act(GradeRated(person=person, grade="g1"), RATED),
        act(SanctionImposed(person=person, kind="demerit"), "2019-01-01", until="2021-01-01"),
        act(AuxiliaryPromoted(person=person, grade="g2", kind="natural"), PROMOTED),
    )
    [bureau] = [e for e in ledger.entries(["unit:free"], ["UnitEstablished"]) if e.tags == ["unit:free"]]  # fmt: skip
    placed = UnitEstablished(unit="free", name="局", division="990000")
    found = undermined(ledger, act(placed, "2000-01-01", supersedes=UUID(bureau.id)))
    assert found == [(receipt.position, "law-forbids", "办法 6")]


def test_an_act_of_the_same_batch_that_a_later_one_undermines_is_named_by_its_place(ledger):
    person, _ = begin(ledger)
    with pytest.raises(ImpactRefused) as refused:
        enter(
            ledger,
            act(PostAssigned(person=person, post="duty-1"), "2022-06-01"),
            resigned(person, "2022-01-01"),
        )
    [impact] = refused.value.impacts
    assert (impact["act"], impact["by"], impact["type"]) == (0, 1, "PostAssigned")


def test_what_is_entered_about_the_person_meanwhile_is_not_overlooked(ledger, career):
    person, _ = career
    posted = ledger.preview(
        Request([act(PostAssigned(person=person, post="duty-1"), "2022-01-01")])
    )
    left = ledger.preview(Request([resigned(person, "2021-06-01")]))
    ledger.log.enter(posted.append)
    with pytest.raises(ConditionFailed):
        ledger.log.enter(left.append)
    assert len(undermined(ledger, resigned(person, "2021-06-01"))) == 1


# left alone


def test_acts_before_the_change_and_of_others_are_not_listed(ledger, career):
    person, _ = career
    begin(ledger)
    receipt = enter(ledger, sanctioned(person, "2021-01-01"), resigned(person, "2022-01-01"))
    assert isinstance(receipt, Receipt)


def test_an_act_that_is_refused_with_and_without_the_change_is_not_listed(ledger, career):
    person, entries = career
    promoted = entries["AuxiliaryPromoted"].position
    acknowledged = ledger.acknowledge(promoted, "已核实")
    enter(ledger, sanctioned(person), acknowledged)
    assert isinstance(enter(ledger, sanctioned(person, "2019-02-01")), Receipt)


def test_acts_of_one_day_and_seq_keep_the_order_in_which_they_were_entered(ledger, career):
    person, _ = career
    day = "2021-05-01"
    enter(ledger, act(RewardGranted(person=person, kind="merit"), day))
    assert isinstance(enter(ledger, resigned(person, day)), Receipt)


# mended


@pytest.mark.parametrize("first", ["the change", "the mending"])
def test_what_the_batch_itself_annuls_or_moves_is_mended(ledger, career, first):
    person, entries = career
    mending = act(FactAnnulled(), annuls=entries["AuxiliaryPromoted"].event_id)
    acts = [resigned(person), mending]
    receipt = enter(ledger, *(acts if first == "the change" else reversed(acts)))
    assert len(receipt.entries) == 2


def test_a_mending_to_a_day_on_which_the_act_is_undermined_still_is_listed(ledger, career):
    person, entries = career
    moved = act(
        AuxiliaryPromoted(person=person, grade="g2", kind="natural"), "2020-01-01",
        supersedes=entries["AuxiliaryPromoted"].event_id,
    )  # fmt: skip
    with pytest.raises(ImpactRefused) as refused:
        enter(ledger, moved, resigned(person))
    assert [impact.get("act") for impact in refused.value.impacts] == [0]


# acknowledged


def test_what_is_acknowledged_is_entered_and_goes_under_review(ledger, career):
    person, entries = career
    promoted = entries["AuxiliaryPromoted"]
    receipt = enter(ledger, resigned(person), ledger.acknowledge(promoted.position, "判决书"))
    [opened] = ledger.entries([f"review:{promoted.event_id}"])
    assert (opened.position, opened.type) == (receipt.position, "ReviewOpened")
    assert f"person:{person}" in opened.tags
    assert opened.fields["reason"] == "判决书"
    assert opened.effective == ledger.today()


@pytest.mark.parametrize("which", ["GradeRated", "AuxiliaryPromoted"])
def test_what_needs_no_acknowledgement_cannot_be_acknowledged(ledger, career, which):
    person, entries = career
    change = resigned(person) if which == "GradeRated" else resigned(person, "2022-01-01")
    needless = ledger.acknowledge(entries[which].position, "无")
    head = ledger.log.head()
    with pytest.raises(NotUndermined) as refused:
        enter(ledger, change, needless)
    assert (refused.value.field, refused.value.position) == (
        "acknowledge", entries[which].position,
    )  # fmt: skip
    assert ledger.log.head() == head


def test_an_entry_that_is_not_there_cannot_be_acknowledged(ledger):
    with pytest.raises(UnknownFact):
        ledger.acknowledge(1 << 40, "无")


def test_a_review_is_concluded_once_and_only_where_one_is_open(ledger, career):
    person, entries = career
    promoted = entries["AuxiliaryPromoted"]
    conclusion = ReviewConcluded(
        review=str(promoted.event_id), outcome="confirmed", authority="政治部"
    )
    with pytest.raises(UnknownFact):
        enter(ledger, act(conclusion, ledger.today()))
    enter(ledger, resigned(person), ledger.acknowledge(promoted.position, "判决书"))
    enter(ledger, act(conclusion, ledger.today()))
    with pytest.raises(AlreadyRecorded):
        enter(ledger, act(conclusion, ledger.today()))


# attested


def test_what_is_attested_undermines_with_a_finding(ledger, career):
    person, entries = career
    receipt = enter(ledger, sanctioned(person), mood="attested")
    [(index, finding)] = receipt.undermined
    assert (index, finding.rule, finding.article) == (0, "promotion-no-sanction", "办法 6")
    assert f"entry {entries['AuxiliaryPromoted'].position} " in finding.en


def test_an_attested_act_that_breaks_a_rule_by_the_change_is_found_not_refused(ledger):
    person, _ = begin(ledger)
    promoted = act(AuxiliaryPromoted(person=person, grade="g3", kind="natural"), "2022-07-01")
    position = enter(ledger, promoted, mood="attested").position
    change = Request([sanctioned(person, "2021-07-01")])
    [impact] = ledger.preview(change).impacts
    assert (impact.entry.position, impact.refusal) == (position, None)
    assert [f.rule for f in impact.raised] == ["promotion-no-sanction"]
    assert isinstance(ledger.enter(change), Receipt)


# many at once, and whatever is entered


def test_many_requests_undermine_as_they_do_one_by_one(ledger):
    people = [begin(ledger)[0] for _ in range(4)]
    requests = [
        Request([resigned(people[0])]),
        Request([sanctioned(people[1])], mood="attested"),
        Request([act(PostAssigned(person=people[2], post="duty-1"), "2021-01-01")]),
        Request([resigned(people[2], "2020-12-01")]),
        Request([sanctioned(people[3], "2021-01-01")]),
    ]
    answers = list(ledger.enter_many(requests))
    refused = [a.refusal.code if isinstance(a, Refused) else None for a in answers]
    assert refused == ["impact-refused", None, None, "impact-refused", None]
    assert [f.rule for _, f in answers[1].undermined] == ["promotion-no-sanction"]


def test_each_of_many_looked_at_is_judged_without_those_refused_and_with_those_that_pass(ledger):
    (one, entries), (other, _) = begin(ledger), begin(ledger)
    promoted = AuxiliaryPromoted(person=one, grade="g3", kind="natural")
    asked = {
        act(promoted, PROMOTED, supersedes=entries["AuxiliaryPromoted"].event_id): None,
        act(PostAssigned(person=one, post="duty-1"), "2021-01-01"): None,
        sanctioned(one): "impact-refused",
        sanctioned(other): "impact-refused",
        resigned(one, "2020-12-01"): "impact-refused",
        act(promoted, "2022-01-01"): "record-forbids",
        sanctioned(one, "2022-01-01"): None,
    }
    answers = ledger.preview_each(Request(list(asked)))
    refused = [a.code if isinstance(a, Refusal) else None for a in answers]
    assert refused == list(asked.values())


def refusals(ledger, first):
    """Of each entry that stands, how it would be refused now: judged from the log alone."""
    entries = list(ledger.entries(after=first - 1))
    law, found = ledger.law(), {}
    for chain in Record.fold(entries).chains.values():
        if chain.content is None:
            continue
        entry = next(e for e in entries if e.position == chain.content.entry)
        others = Record.fold(e for e in entries if e.root != entry.root)
        event, _ = opened(ledger.vault, entry)
        proposal = proposal_of(entry, event)
        case = Case(proposal, entry.mood, others, Everything(), law, ledger.today(), chain,
                    again=True)  # fmt: skip
        try:
            event.decide(case)
            found[entry.position] = None
        except Refusal as refusal:
            found[entry.position] = refusal
    return found


def test_an_act_rests_on_a_registration_of_whatever_day(ledger):
    """Re-dated after the act it still carries it; annulled, it does not."""
    registered = act(PersonRegistered(person="timeless"), "2021-01-01")
    [first] = ledger.enter(Request([registered], mood="attested")).entries
    appointed = act(OfficerAppointed(person="timeless", unit="u1"), "2021-02-01")
    [resting] = ledger.enter(Request([appointed])).entries
    later = act(PersonRegistered(person="timeless"), "2021-07-30", supersedes=first.event_id)
    [newest] = ledger.enter(Request([later])).entries
    with pytest.raises(ImpactRefused) as refused:
        ledger.enter(Request([act(FactAnnulled(), annuls=newest.event_id)]))
    assert [i["position"] for i in refused.value.as_dict()["impacts"]] == [resting.position]


@given(steps=STEPS)
@settings(
    max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_what_is_ordered_and_accepted_leaves_nothing_refused_that_was_not(ledger, steps):
    history = History(ledger).play(sample_steps(3, 12))
    history.mood = "ordered"
    before = refusals(ledger, history.first)
    for step in steps:
        history.play([step])
        after = refusals(ledger, history.first)
        assert [p for p, refusal in before.items() if refusal is None and after.get(p)] == []
        before = after


def test_an_act_reads_of_others_than_it_names_only_what_the_search_follows(ledger):
    first = ledger.log.head() + 1
    for seed in range(4):
        History(ledger).play(sample_steps(seed, 60))
    followed = CLIMBED | {OFFICER.name}
    families = ever_joined(ledger.log, ledger.log.head())
    for entry in ledger.entries(after=first - 1):
        people = {tag.removeprefix("person:") for tag in entry.tags if tag.startswith("person:")}
        named = {f"person:{alias}" for person in people for alias in families.family(person)}
        for strand in premise_of(entry):
            assert strand.subject in named | set(entry.tags) or strand.facet in followed, (
                entry.type, strand,
            )  # fmt: skip
