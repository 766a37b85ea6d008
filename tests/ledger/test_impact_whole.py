"""What is listed as undermined is all that is: every entry decided again on the whole record."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.officers import OFFICER, OfficerAppointed
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import UnitHeadAppointed, UnitHeadRelieved
from domain.acts.units import UnitDissolved, UnitEstablished, UnitMoved
from domain.case import Case
from domain.events import REGISTRY, Entry, FactAnnulled
from domain.law import Pack
from domain.ledger import Request
from domain.ledger.deciding import UNSTAMPED
from domain.ledger.impact import CLIMBED, opened, premise_of, proposal_of
from domain.ledger.reading import ever_joined
from domain.record import Record
from domain.refusals import ImpactRefused, RecordForbids, Refusal
from domain.workdays import SHANGHAI
from tests.given import Everything, act
from tests.histories import STEPS, sample_steps
from tests.ledger.test_impact import PACK
from tests.wider_histories import WiderHistory


@pytest.fixture(scope="module")
def ledger(common_bureau):
    common_bureau.ledger.enter(Request([act(PackPublished.of(Pack.parse(PACK)), "2010-01-01")]))
    return common_bureau.ledger


def enter(ledger, *proposals, mood="attested"):
    return [e.event_id for e in ledger.enter(Request(proposals, mood=mood)).entries]


def undermined(ledger, *proposals, mood="ordered"):
    """The event ids of what a request undermines, in order of position."""
    impacts = ledger.preview(Request(proposals, mood=mood)).impacts
    return [impact.entry.id for impact in impacts if impact.refusal is not None]


@pytest.fixture
def units(ledger):
    """Three units of which the first stands above the others, and an officer of each of these."""
    scope = f"w{ledger.log.head()}"
    bureau, east, west = names = [f"{scope}-{n}" for n in ("bureau", "east", "west")]
    enter(
        ledger,
        act(UnitEstablished(unit=bureau, name="局"), "2000-01-01"),
        *(act(UnitEstablished(unit=u, name="所", parent=bureau), "2000-01-01") for u in names[1:]),
        *(act(PersonRegistered(person=f"{u}-officer"), "2000-01-01") for u in (east, west)),
        *(act(OfficerAppointed(person=f"{u}-officer", unit=east), "2000-01-01")
          for u in (east, west)),
    )  # fmt: skip
    return names


def headed(unit, officer, on, **envelope):
    return act(UnitHeadAppointed(unit=unit, officer=f"{officer}-officer"), on, **envelope)


# by name


def test_a_dissolution_planned_ahead_lists_the_transfer_entered_for_a_later_day(ledger, units):
    _, east, west = units
    person = f"{east}-p"
    enter(
        ledger, act(PersonRegistered(person=person), "2010-01-01"),
        act(AuxiliaryHired(person=person, unit=east, category="field"), "2010-01-01"),
    )  # fmt: skip
    transfer = act(AuxiliaryTransferred(person=person, unit=west), "2091-01-01")
    [planned] = enter(ledger, transfer, mood="ordered")
    dissolved = act(UnitDissolved(unit=west), "2090-01-01")
    assert undermined(ledger, dissolved) == [str(planned)]
    assert undermined(ledger, act(UnitDissolved(unit=west), "2091-01-02")) == []


def test_a_dissolution_lists_the_transfer_that_only_a_correction_led_to_the_unit(ledger, units):
    bureau, east, west = units
    person = f"{east}-p"
    *_, moved = enter(
        ledger, act(PersonRegistered(person=person), "2010-01-01"),
        act(AuxiliaryHired(person=person, unit=east, category="field"), "2010-01-01"),
        act(AuxiliaryTransferred(person=person, unit=bureau), "2020-01-01"),
    )  # fmt: skip
    corrected = act(AuxiliaryTransferred(person=person, unit=west), "2020-01-01", supersedes=moved)
    [newest] = enter(ledger, corrected)
    assert undermined(ledger, act(UnitDissolved(unit=west), "2019-01-01")) == [str(newest)]


def test_what_was_annulled_when_an_act_was_decided_undermines_it_on_a_far_day_when_it_is_back(
    ledger, units
):
    """A head for good, ordered while a later one stood annulled."""
    _, east, west = units
    [later] = enter(ledger, headed(east, west, "2031-06-01"), mood="ordered")
    [annulled] = enter(ledger, act(FactAnnulled(), annuls=later))
    [open_] = enter(ledger, headed(east, east, "2030-01-01"), mood="ordered")
    back = act(FactAnnulled(), annuls=annulled)
    assert undermined(ledger, back, mood="attested") == [str(open_)]


def test_a_head_who_was_relieved_and_succeeded_can_be_corrected(ledger, units):
    _, east, west = units
    [first] = enter(ledger, headed(east, east, "2015-01-01"), mood="ordered")
    relieved = act(UnitHeadRelieved(unit=east, officer=f"{east}-officer"), "2018-01-01")
    enter(ledger, relieved, headed(east, west, "2018-01-01"), mood="ordered")
    corrected = headed(east, east, "2015-03-01", supersedes=first)
    assert undermined(ledger, corrected) == []
    enter(ledger, corrected, mood="ordered")


def test_an_appointment_answers_for_a_head_before_it_and_not_for_one_attested_beside_it_later(
    ledger, units
):
    _, east, west = units
    [first] = enter(ledger, headed(east, east, "2015-01-01"), mood="ordered")
    later = headed(east, west, "2018-01-01")
    before = headed(east, west, "2014-01-01", until="2016-01-01")
    assert undermined(ledger, later, mood="attested") == []
    enter(ledger, later)
    assert undermined(ledger, before, mood="attested") == [str(first)]


def test_an_ending_earlier_in_the_day_lists_the_one_later_in_it(ledger, units):
    _, east, _ = units
    [root] = enter(ledger, headed(east, east, "2015-01-01"))
    relieved = UnitHeadRelieved(unit=east, officer=f"{east}-officer")
    [late] = enter(ledger, act(relieved, "2016-01-01", seq=2, ends=root))
    assert undermined(ledger, act(relieved, "2016-01-01", ends=root)) == [str(late)]
    with pytest.raises(ImpactRefused):
        enter(ledger, act(relieved, "2016-01-01", ends=root), mood="ordered")


def test_an_appointment_ended_on_its_own_day_and_moved_away_lists_its_ending(ledger, units):
    _, east, _ = units
    [root] = enter(ledger, headed(east, east, "2016-01-01"))
    relieved = UnitHeadRelieved(unit=east, officer=f"{east}-officer")
    [ending] = enter(ledger, act(relieved, "2016-01-01", seq=2, ends=root))
    moved = headed(east, east, "2017-01-01", supersedes=root)
    assert undermined(ledger, moved, mood="attested") == [str(ending)]


def test_a_merge_lists_what_rests_on_facts_that_the_other_ids_leaving_ends(ledger, units):
    _, east, _ = units
    kept, went = f"{east}-kept", f"{east}-went"
    *_, relieved = enter(
        ledger,
        *(act(PersonRegistered(person=p), "2010-01-01") for p in (kept, went)),
        *(act(AuxiliaryHired(person=p, unit=east, category="field"), "2012-01-01")
          for p in (kept, went)),
        act(PostAssigned(person=kept, post="gate"), "2015-01-01"),
        act(AuxiliaryResigned(person=went), "2020-01-01"),
        act(PostRelieved(person=kept), "2023-01-01"),
    )  # fmt: skip
    merge = act(PersonsMerged(merged=went, kept=kept), "2024-01-01")
    assert str(relieved) in undermined(ledger, merge, mood="attested")


def test_an_establishment_is_not_corrected_to_stand_below_itself(ledger, units):
    bureau, east, _ = units
    [first] = [UUID(e.id) for e in ledger.entries([f"unit:{bureau}"], ["UnitEstablished"])
               if e.tags == [f"unit:{bureau}"]]  # fmt: skip
    below = UnitEstablished(unit=bureau, name="局", parent=east)
    with pytest.raises(RecordForbids):
        enter(ledger, act(below, "2005-01-01", supersedes=first))


def test_a_unit_may_stand_under_another_while_that_stands_elsewhere(ledger, units):
    """Each is under the other, on days of their own; when one stays longer they would collide."""
    bureau, east, west = units
    [under] = enter(ledger, act(UnitMoved(unit=east, parent=west), "2010-01-01"))
    enter(ledger, act(UnitMoved(unit=east, parent=bureau), "2012-01-01"))
    [turned] = enter(ledger, act(UnitMoved(unit=west, parent=east), "2012-01-01"), mood="ordered")
    again = act(UnitMoved(unit=east, parent=west), "2011-01-01", supersedes=under)
    assert undermined(ledger, again) == []
    late = act(UnitMoved(unit=east, parent=west), "2012-01-01", seq=1, supersedes=under)
    with pytest.raises(RecordForbids):
        enter(ledger, late)
    assert turned


def test_a_move_for_a_time_over_another_gives_the_other_back_and_that_day_counts(ledger, units):
    bureau, east, west = units
    enter(ledger, act(UnitMoved(unit=east, parent=west), "2010-01-01"))
    enter(ledger, act(UnitMoved(unit=east, parent=bureau), "2012-01-01", until="2013-01-01"))
    with pytest.raises(RecordForbids) as refused:
        enter(ledger, act(UnitMoved(unit=west, parent=east), "2012-06-01"))
    assert "2013-01-01" in refused.value.detail


def test_an_act_asks_of_any_day_only_what_is_declared_so(ledger):
    proposal = act(GradeRated(person="x", grade="g"), "2020-01-01")
    case = Case(proposal, "ordered", Record(), Everything(), ledger.law(), ledger.today())
    with pytest.raises(TypeError):
        case.ever(OFFICER, "x")


def test_no_act_needs_a_private_field_so_that_each_can_be_decided_again_when_it_is_erased():
    for cls in REGISTRY.values():
        assert not [name for name in cls.private if cls.model_fields[name].is_required()], cls


# whatever is entered


def verdict(ledger, entry, entries, chain, *, stored):
    """How an entry is decided again, its own chain apart: how it is refused, else its findings."""
    record = Record.fold(e for e in entries if e.root != entry.root)
    event, _ = opened(ledger.vault, entry)
    today = entry.recorded_at.astimezone(SHANGHAI).date() if stored else ledger.today()
    case = Case(
        proposal_of(entry, event), entry.mood, record, Everything(), ledger.law(), today, chain,
        again=True,
    )  # fmt: skip
    try:
        case.decide(event)
    except Refusal as refusal:
        return refusal.as_dict()
    return case.findings


def by_brute_force(ledger, stored, added):
    """What becomes of each entry that stands, decided without what is added and with it."""
    everything, found = [*stored, *added], {}
    head = stored[-1].position
    for chain in Record.fold(everything).chains.values():
        entry = chain.content and next(e for e in everything if e.position == chain.content.entry)
        if entry is None or entry.cls is FactAnnulled:
            continue
        lay = [e for e in everything if e.position <= max(head, entry.position - 1)]
        was, now = (
            verdict(ledger, entry, entries, chain, stored=entry.position <= head)
            for entries in (lay, everything)
        )
        if was != now and isinstance(was, list):
            found[entry.id] = now if isinstance(now, dict) else (
                [f for f in now if f not in was], [f for f in was if f not in now]
            )  # fmt: skip
    return found


def compare(ledger, history, request):
    try:
        decided = ledger.preview(request)
    except Refusal:
        return
    stored = list(ledger.entries(after=history.first - 1))
    added = [
        Entry(decided.after + n, UNSTAMPED, e.type, e.tags, e.data)
        for n, e in enumerate(decided.append.entries, 1)
    ]
    listed = {
        i.entry.id: i.refusal.as_dict() if i.refusal else (i.raised, i.cleared)
        for i in decided.impacts
    }
    assert listed == by_brute_force(ledger, stored, added)


_SOAKING = settings.get_current_profile_name().endswith("soak")


@given(steps=STEPS)
@settings(
    settings() if _SOAKING else settings(max_examples=20),
    deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_what_is_listed_is_what_deciding_everything_again_finds(ledger, steps):
    """Units, officers, seats and merges, ordered and attested, on both sides of today, singly and
    two in a request: no premise, no search and no day is taken for granted.
    """
    history = WiderHistory(ledger).play(sample_steps(sum(s.verb for s in steps), 30))
    for step, after in pairwise([*steps, steps[0]]):
        history.mood = ("ordered", "attested")[step.pick % 2]
        early = step._replace(day=1 + step.day // 2) if step.pick % 3 else step
        proposals = history.proposed(early)
        proposals += history.proposed(after) if step.term == 3 else []
        if proposals:
            compare(ledger, history, Request(proposals, mood=history.mood))
            history._enter(*proposals)


def test_an_act_reads_of_others_than_it_names_only_what_the_search_follows(ledger):
    first = ledger.log.head() + 1
    for seed in range(6):
        WiderHistory(ledger).play(sample_steps(seed, 60))
    followed = CLIMBED | {OFFICER.name}
    families = ever_joined(ledger.log, ledger.log.head())
    for entry in ledger.entries(after=first - 1):
        people = {tag.removeprefix("person:") for tag in entry.tags if tag.startswith("person:")}
        named = {f"person:{alias}" for person in people for alias in families.family(person)}
        for strand in premise_of(entry):
            assert strand.subject in named | set(entry.tags) or strand.facet in followed, (
                entry.type, strand,
            )  # fmt: skip
