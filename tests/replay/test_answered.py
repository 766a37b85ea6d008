"""The second telling of who answered for whom says what the first one says."""

import json
from collections import Counter
from datetime import date, timedelta

import orjson
import pytest

from api.shapes import plain
from domain.acts.officers import OfficerAppointed, OfficerLeft, OfficerSuspended
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    DeputyHeadAppointed,
    DeputyPortfolioAssigned,
    SupervisingOfficerAssigned,
    UnitHeadAppointed,
)
from domain.acts.units import UnitEstablished
from domain.ledger import Request
from projections import accountability
from replay.answered import BEARING, Answering
from replay.evidence import codebook
from replay.refold import Refold
from tests.given import act
from tests.histories import sample_steps
from tests.wider_histories import WiderHistory

SEEDS, STEPS = (20, 21, 22, 23, 24, 43, 52), 60
HOLDER = ("capacity", "unit", "seat", "officer", "acting", "state", "entries")
SEAT = ("capacity", "unit", "seat", "status", "since", "cause", "entries")


def told(one):
    """An answer as both tell it."""
    lines = [*map(seat_of, one["lines"])]
    return one["person"], one["service"], one["unit"], lines, [*map(holder_of, one["outgoing"])]


def seat_of(line):
    holders, beside = map(holder_of, line["holders"]), map(seat_of, line["beside"])
    return [*(line[n] for n in SEAT), [*holders], [*beside]]


def holder_of(holder):
    return [*(holder[n] for n in HOLDER), holder["place"][0], holder["until"]]


def as_json(value):
    return json.loads(orjson.dumps(plain(value)))


def first(answer):
    """The ledger's answer with every end spelt out and its places as lists."""
    said = as_json(answer)

    def spelt(one):
        if isinstance(one, dict):
            if "place" in one:
                one = {
                    **one,
                    "place": [one["place"]["effective"]],
                    "until": one["until"] or "9999-12-31",
                }
            return {name: spelt(inner) for name, inner in one.items()}
        return [spelt(inner) for inner in one] if isinstance(one, list) else one

    return told(spelt(said))


def led(bureau, day):
    """A deputy whose portfolio covers one no more and who is suspended; a head who leaves."""
    deputy = {"unit": "wide", "officer": "dep"}
    first = [
        act(UnitEstablished(unit="wide", name="所", kind="station"), day),
        act(PersonRegistered(person="dep"), day),
        act(OfficerAppointed(person="dep", unit="wide"), day),
        *(act(PersonRegistered(person=one), day) for one in ("w0", "w1")),
        *(act(AuxiliaryHired(person=w, unit="wide", category="field"), day) for w in ("w0", "w1")),
        act(DeputyHeadAppointed(**deputy), day),
        act(DeputyPortfolioAssigned(**deputy, persons=["w0", "w1"]), day),
        act(DeputyPortfolioAssigned(**deputy, persons=["w1"]), day + timedelta(days=9)),
        act(PersonRegistered(person="hd"), day),
        act(OfficerAppointed(person="hd", unit="wide"), day),
        act(UnitHeadAppointed(unit="wide", officer="hd"), day),
        act(OfficerLeft(person="hd", kind="left"), day + timedelta(days=15)),
        act(SupervisingOfficerAssigned(person="w0", officer="dep"), day),
        act(OfficerSuspended(person="dep"), day + timedelta(days=20)),
    ]
    bureau.ledger.enter(Request(first, mood="attested"))


@pytest.fixture(scope="module")
def lives(common_bureau):
    bureau = common_bureau
    histories = [WiderHistory(bureau.ledger).play(sample_steps(n, STEPS)) for n in SEEDS]
    led(bureau, histories[0].start)
    list(bureau.runner.catch_up())
    return bureau, histories


def folded(bureau, until):
    fold = Refold(json.loads(orjson.dumps(codebook())))
    for entry in bureau.ledger.entries(until=until):
        if fold.bears_on(entry.type, BEARING):
            fold.apply(entry.position, entry.type, entry.data)
    return Answering(fold.every(BEARING))


def test_of_random_histories_both_tell_the_same(lives):
    bureau, histories = lives
    seen, head = Counter(), bureau.ledger.log.head()
    for n, history in enumerate(histories):
        middle = history.first + (history.head - history.first) * (1 + n % 4) // 5
        for at in (middle, head):
            again = folded(bureau, at)
            turns = [*history.days(), *(day - timedelta(days=1) for day in history.days())]
            for person in (*history.people, history.officers[0], "w0", "w1"):
                for day in turns:
                    answer = accountability.answer(
                        bureau.records, person, accountability.AsOf(day, at)
                    )
                    mine = again.answer(person, day.isoformat())
                    assert told(mine) == first(answer), (person, day, at)
                    seen.update(line["status"] for line in mine["lines"])
                    seen.update(f"cause {line['cause']}" for line in mine["lines"])
                    seen.update(
                        holder["state"] for line in mine["lines"] for holder in line["holders"]
                    )
                    seen["outgoing"] += len(mine["outgoing"])
    assert {"held", "acting", "vacant", "not-recorded", "outgoing", "suspended", "on-leave"} <= {
        *seen
    }
    causes = {one for one in seen if one.startswith("cause ")}
    assert causes == {f"cause {one}" for one in (*accountability.CAUSES, None)}


def test_over_periods_and_of_officers_too(lives):
    bureau, histories = lives
    head, records, counts = bureau.ledger.log.head(), bureau.records, Counter()
    again = folded(bureau, head)
    for history in histories:
        start, end = history.days()[0], history.days()[-1]
        span = start.isoformat(), end.isoformat()
        for person in history.people:
            mine = again.over(person, *span)
            theirs = accountability.over(records, person, start, end, head)
            assert [(s["start"], s["end"], told(s["answer"])) for s in mine] == [
                (s.start.isoformat(), s.end.isoformat(), first(s.answer)) for s in theirs
            ]
            counts["stretches"] += len(mine)
        for officer in history.officers:
            mine = sorted(
                [one["person"], one["start"], one["end"], *holder_of(one["holder"])]
                for one in again.held_by(officer, *span)
            )
            theirs = [
                as_json(one)
                for one in accountability.of_officer_over(records, officer, start, end, head)
            ]
            assert mine == sorted(
                [
                    one["person"],
                    one["start"],
                    one["end"],
                    *(one["holder"][n] for n in HOLDER),
                    one["holder"]["since"],
                    one["holder"]["until"] or "9999-12-31",
                ]
                for one in theirs
            )
            counts["answered"] += len(mine)
    assert min(counts.values()) > 50, counts


def test_a_day_before_all_days_is_one_too(lives):
    bureau, histories = lives
    again = folded(bureau, bureau.ledger.log.head())
    mine = again.answer(histories[0].people[0], date(1950, 1, 1).isoformat())
    assert {line["status"] for line in mine["lines"]} == {"not-recorded"}
