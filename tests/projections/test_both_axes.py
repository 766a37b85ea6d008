"""Both axes of one strand: beliefs about a day, rectangles, and what an answer rests on."""

import contextlib
import itertools
from datetime import date, timedelta
from random import Random

import pytest

from domain.acts.discipline import SANCTIONS
from domain.acts.grades import GRADE
from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.officers import OfficerAppointed, OfficerReinstated, OfficerSuspended
from domain.acts.people import SERVICE, UNIT, PersonRegistered
from domain.acts.posts import POST, PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    SUPERVISOR,
    UNIT_HEAD,
    SupervisingOfficerAssigned,
    UnitHeadAppointed,
)
from domain.acts.rewards import REWARDS
from domain.acts.units import UnitEstablished
from domain.bitemporal import (
    AsOf,
    in_force,
    rectangles,
    resolve,
    stretches,
    told_before,
    versions,
)
from domain.events import FACETS, MERGES, FactAnnulled
from domain.ledger import Request
from domain.record import Record, types_touching
from domain.refusals import BadInput, Refusal, UnknownSubject
from projections.questions.beliefs import beliefs
from projections.questions.explain import answer_of, explain, lapsing, rests_on
from projections.questions.rectangles import rectangles as told_rectangles
from tests.given import act
from tests.histories import History, sample_steps


@pytest.fixture(scope="module")
def histories(common_bureau):
    """Histories of every kind of act, each with its own entries and their fold."""
    found = []
    for seed in range(5):
        history = History(common_bureau.ledger).play(sample_steps(seed, 50))
        entries = list(common_bureau.ledger.entries(after=history.first - 1, until=history.head))
        found.append((history, entries, Record.fold(entries)))
    return found


def strands(record):
    """The versions of every facet of every subject, by slot where it has one value."""
    found = {}
    for fact in record.every_version():
        many = FACETS[fact.facet].many
        found.setdefault((fact.facet, fact.subject, None if many else fact.slot), []).append(fact)
    return found


def test_what_is_believed_of_a_day_is_what_answers_at_each_position(histories):
    for history, _, record in histories:
        for (facet, _, slot), facts in strands(record).items():
            for day in history.days()[::3]:
                found = stretches(facts, day, record.head, many=FACETS[facet].many)
                assert [s.end for s in found] == [s.start for s in found[1:]] + [record.head + 1]
                assert all(a.facts != b.facts for a, b in itertools.pairwise(found))
                for one in found:
                    for position in {one.start, one.end - 1, (one.start + one.end) // 2}:
                        pair = AsOf(day, position)
                        fact = resolve(facts, pair, slot)
                        single = [] if fact is None else [fact]
                        assert one.facts == (in_force(facts, pair) if slot is None else single)


def test_who_is_told_of_no_day_from_one_on_gets_the_same_answers_before_it(histories):
    for history, _, record in histories:
        for facts in strands(record).values():
            of_then = sorted(facts, key=lambda fact: fact.known_from)
            for before in history.days()[::5]:
                told = told_before(of_then, before)
                ended = [f for f in told if f.ended_by is not None and f.until >= before]
                assert not [f for f in told if f.effective >= before] + ended
                edges = [(f.root, f.known_from) for f in told]
                assert len(edges) == len(set(edges))
                for day in (day for day in history.days() if day < before):
                    for position in range(history.first, record.head + 1, 7):
                        pair = AsOf(day, position)
                        assert [f.root for f in in_force(told, pair)] == [
                            f.root for f in in_force(facts, pair)
                        ]
                        assert getattr(resolve(told, pair), "value", 0) == getattr(
                            resolve(facts, pair), "value", 0
                        )


def test_a_day_and_a_position_lie_in_one_rectangle_and_it_is_the_one_that_answers(histories):
    for history, _, record in histories:
        for (_, _, slot), facts in strands(record).items():
            if slot is None:
                continue
            parts = rectangles(facts, record.head)
            for day in history.days():
                for position in range(history.first, record.head + 1):
                    inside = [
                        r for r in parts
                        if r.start <= day < r.end and r.known_from <= position < r.known_to
                    ]  # fmt: skip
                    assert len(inside) <= 1
                    answer = resolve(facts, AsOf(day, position))
                    assert [r.fact for r in inside] == ([] if answer is None else [answer])


def test_the_rectangles_of_a_many_valued_facet_are_the_set_that_is_in_force(histories):
    told = 0
    for history, _, record in histories:
        for (_, _, slot), facts in strands(record).items():
            if slot is not None:
                continue
            parts = versions(facts, record.head)
            told += len(parts)
            for day in history.days()[::3]:
                for position in range(history.first, record.head + 1):
                    inside = [
                        r.fact for r in parts
                        if r.start <= day < r.end and r.known_from <= position < r.known_to
                    ]  # fmt: skip
                    assert sorted(inside, key=lambda f: f.place) == in_force(
                        facts, AsOf(day, position)
                    )
    assert told > 20


def test_an_earlier_position_sees_the_rectangles_that_stood_then(histories):
    _, _, record = histories[0]
    middle = sum((record.head, histories[0][0].first)) // 2
    for facts in strands(record).values():
        then = [f._replace(known_to=min(f.known_to, record.head + 1)) for f in facts]
        assert rectangles([f for f in then if f.known_from <= middle], middle) == rectangles(
            then, middle
        )


def rested(known, joined, facet, subject, pair):
    """How many entries the answer rests on, and its lapses. Without any other entry of the whole
    history the answer stays; the named alone give it.
    """
    answer = answer_of(Record.fold(known), facet, subject, pair)
    read = [facet, *(FACETS[one.facet] for one in lapsing(facet, subject, answer.facts))]
    types = {name for one in read for name in types_touching(one)}
    touching = [
        e for e in known if MERGES in e.tags or (joined & {*e.tags} and e.type in types)
    ]  # fmt: skip

    told, named = rests_on(touching, facet, subject, pair)

    assert told == answer
    alone = Record.fold(e for e in known if e.position in named)
    assert answer_of(alone, facet, subject, pair) == answer
    for one in known:
        without = Record.fold(e for e in known if e is not one)
        same = answer_of(without, facet, subject, pair) == answer
        assert same == (one.position not in named)
    return len(named), answer.lapsed


def test_an_answer_rests_on_the_entries_it_names_and_on_no_other(histories):
    draw, named = Random(7), 0
    for history, entries, record in histories:
        facets = (SERVICE, UNIT, GRADE, POST, REWARDS, SANCTIONS, SUPERVISOR)
        for facet, person, _ in itertools.product(facets, history.people, range(3)):
            middle = (history.first + record.head) // 2
            pair = AsOf(draw.choice(history.days()[2:]), draw.randint(middle, record.head))
            known = [e for e in entries if e.position <= pair.recorded]
            kept = Record.fold(known).forest.kept(person)
            joined = {f"person:{p}" for p in (*history.people, history.officer)}
            named += rested(known, joined, facet, f"person:{kept}", pair)[0]
    assert named > 100


def charged(ledger, seed):
    """The entries of an auxiliary, two officers and two units among whom charges begin and lapse;
    what the record refuses is left out.
    """
    draw, first = Random(seed), ledger.log.head() + 1
    aux, *officers = (f"charged-{seed}-{n}" for n in "abc")
    units = [f"charged-{seed}-{n}" for n in "uv"]
    entered = []

    def enter(event, on, **envelope):
        with contextlib.suppress(Refusal):
            receipt = ledger.enter(Request([act(event, on, **envelope)], mood="attested"))
            entered.append((receipt.entries[0].event_id, on))

    for unit in units:
        enter(UnitEstablished(unit=unit, name="所"), "2019-01-01")
    for person in (aux, *officers):
        enter(PersonRegistered(person=person), "2019-01-01")
    enter(AuxiliaryHired(person=aux, unit=units[0], category="field"), "2019-02-01")
    for officer in officers:
        enter(OfficerAppointed(person=officer, unit=units[0]), "2019-02-01")
    set_up = len(entered)
    for _ in range(28):
        on = date(2019, draw.randint(3, 12), draw.choice((1, 15))).isoformat()
        officer, unit = draw.choice(officers), draw.choice(units)
        enter(*draw.choice([
            (SupervisingOfficerAssigned(person=aux, officer=officer), on),
            (SupervisingOfficerAssigned(person=aux, officer=officer), on),
            (UnitHeadAppointed(unit=unit, officer=officer, seat="主要领导"), on),
            (AuxiliaryTransferred(person=aux, unit=unit), on),
            (SecondmentStarted(person=aux, unit=unit), on),
            (SecondmentEnded(person=aux), on),
            (OfficerAppointed(person=officer, unit=unit), on),
            (OfficerSuspended(person=officer), on),
            (OfficerReinstated(person=officer), on),
        ]))  # fmt: skip
        if draw.random() < 0.2 and len(entered) > set_up:
            annulled, day = draw.choice(entered[set_up:])
            enter(FactAnnulled(), day, annuls=annulled)
    return aux, officers, units, list(ledger.entries(after=first - 1))


def test_a_lapse_rests_on_the_entries_it_names_and_on_no_other(common_bureau):
    """On one day of each history and charge on which it lapsed so, and one on which it stood."""
    found = set()
    for seed in range(8):
        aux, officers, units, entries = charged(common_bureau.ledger, seed)
        record, asked = Record.fold(entries), {}
        joined = {f"person:{one}" for one in (aux, *officers)} | {f"unit:{one}" for one in units}
        strands = [(SUPERVISOR, f"person:{aux}"), *((UNIT_HEAD, f"unit:{one}") for one in units)]
        for (facet, subject), n in itertools.product(strands, range(30)):
            pair = AsOf(date(2019, 3, 8) + timedelta(10 * n), record.head)
            answer = answer_of(record, facet, subject, pair)
            causes = tuple(one.ending.cause for one in answer.lapsed)
            asked[facet, subject, causes] = pair
        for (facet, subject, causes), pair in asked.items():
            rested(entries, joined, facet, subject, pair)
            found.update(causes)
    assert found == {"auxiliary-left-unit", "officer-left-unit", "officer-suspended"}


@pytest.fixture(scope="module")
def corrected(common_bureau):
    """A post given, corrected, annulled and reinstated; answers the positions."""
    ledger = common_bureau.ledger
    at = []

    def enter(event, on, **envelope):
        receipt = ledger.enter(Request([act(event, on, **envelope)], mood="attested"))
        at.append(receipt.position)
        return receipt.entries[0].event_id

    enter(UnitEstablished(unit="axes", name="所"), "2019-01-01")
    enter(PersonRegistered(person="axes"), "2020-01-01")
    enter(AuxiliaryHired(person="axes", unit="axes", category="field"), "2020-01-01")
    first = enter(PostAssigned(person="axes", post="patrol"), "2021-01-01")
    second = enter(
        PostAssigned(person="axes", post="desk"), "2021-03-01", supersedes=first,
        reason="错录",
    )  # fmt: skip
    gone = enter(FactAnnulled(), "2021-01-01", annuls=second)
    enter(FactAnnulled(), "2021-01-01", annuls=gone)
    list(common_bureau.runner.catch_up())
    return at


def test_every_change_of_belief_names_the_entry_that_made_it(common_bureau, corrected):
    *_, given, mended, annulled, back = corrected
    pair = AsOf(date(2021, 2, 1), back)

    (strand,) = beliefs(common_bureau.records, common_bureau.ledger, "person:axes", POST.name, pair)
    (later,) = beliefs(
        common_bureau.records, common_bureau.ledger, "person:axes", POST.name,
        pair._replace(effective=date(2021, 4, 1)),
    )  # fmt: skip

    assert [(s["from"], s["to"], [f["value"]["post"] for f in s["facts"]])
            for s in strand["stretches"]] == [
        (0, given, []), (given, mended, ["patrol"]), (mended, None, []),
    ]  # fmt: skip
    assert strand["stretches"][0]["opened_by"] is None
    assert strand["stretches"][2]["opened_by"]["reason"] == "错录"
    assert [s["from"] for s in later["stretches"]] == [0, given, mended, annulled, back]


def test_a_rectangle_names_what_opened_and_what_closed_it(common_bureau, corrected):
    *_, given, mended, annulled, back = corrected
    (strand,) = told_rectangles(
        common_bureau.records, common_bureau.ledger, "person:axes", POST.name,
        AsOf(date(2021, 2, 1), back),
    )  # fmt: skip

    found = [
        (r["start"].isoformat(), r["value"]["post"], r["known_from"], r["known_to"])
        for r in strand["rectangles"]
    ]
    assert found == [
        ("2021-01-01", "patrol", given, mended),
        ("2021-03-01", "desk", mended, annulled),
        ("2021-03-01", "desk", back, None),
    ]
    assert [r["closed_by"] and r["closed_by"]["type"] for r in strand["rectangles"]] == [
        "PostAssigned", "FactAnnulled", None,
    ]  # fmt: skip


def test_an_explanation_tells_each_entry_s_part(common_bureau, corrected):
    *_, given, mended, annulled, back = corrected
    found = explain(
        common_bureau.ledger, "person:axes", POST.name, AsOf(date(2021, 4, 1), back)
    )  # fmt: skip
    gone = explain(
        common_bureau.ledger, "person:axes", POST.name, AsOf(date(2021, 4, 1), annulled)
    )  # fmt: skip

    assert [(e["position"], e["part"]) for e in found["entries"]] == [
        (given, "root"), (mended, "content"), (annulled, "bearing"), (back, "bearing"),
    ]  # fmt: skip
    assert found["lapsed"] == []
    assert (gone["facts"], [e["position"] for e in gone["entries"]]) == ([], [annulled])


@pytest.mark.parametrize(
    ("subject", "facet", "refusal"),
    [
        ("person:axes", "unit-name", BadInput),
        ("person:axes", "nothing", BadInput),
        ("person:nobody", "grade", UnknownSubject),
    ],
)
def test_what_cannot_be_asked_is_refused(common_bureau, corrected, subject, facet, refusal):
    pair = AsOf(date(2021, 4, 1), corrected[-1])
    with pytest.raises(refusal):
        beliefs(common_bureau.records, common_bureau.ledger, subject, facet, pair)
    with pytest.raises(refusal):
        explain(common_bureau.ledger, subject, facet, pair)
