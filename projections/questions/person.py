"""One subject's whole record: every facet, every spell of service, every entry.

Owns how a record is laid out as an answer. Invariant: "none" (entered as empty), "not recorded"
and "erased" are told apart; a blank is none of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from domain.acts.people import SERVICE
from domain.acts.responsibility import ACTING_DEPUTY, ACTING_HEAD, DEPUTY, SUPERVISOR, UNIT_HEAD
from domain.bitemporal import OPEN, AsOf, Fact, in_force, last_day, on_record, resolve, segments
from domain.events import FACETS, Facet
from domain.ledger import Ledger
from domain.refusals import UnknownSubject
from projections.charges import Ending, View, ending
from projections.journal import shown, standings
from projections.records import Records

ANSWERING = (SUPERVISOR, UNIT_HEAD, ACTING_HEAD, DEPUTY, ACTING_DEPUTY)
"""Facets by which an officer answers; what they say can lapse with no act that ends it."""


def facets(records: Records, kind: str, id_: str, as_of: AsOf) -> list[dict[str, Any]]:
    """Every facet kept for a kind of subject, in order of name; private values still sealed.

    Single-valued: `facts` holds what answers, one a slot, `state` is held, none or not-recorded.
    Many-valued: `facts` are in force on the day, `on_record` all that had begun by it.
    Raises UnknownSubject where nothing is known of the subject at the position.
    """
    strands: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in records.of(f"{kind}:{id_}"):
        if fact.known(as_of.recorded):
            strands[fact.facet].append(fact)
    if not strands:
        raise UnknownSubject(field=kind)
    answers = []
    for facet in sorted(f for f in FACETS.values() if f.of == kind):
        facts = strands[facet.name]
        answer: dict[str, Any] = {
            "facet": facet.name, "zh": facet.zh, "en": facet.en, "many": facet.many,
        }  # fmt: skip
        if facet.many:
            answer["facts"] = [told(f) for f in in_force(facts, as_of)]
            answer["on_record"] = [told(f) for f in on_record(facts, as_of)]
        else:
            slots = (resolve(_of_slot(facts, slot), as_of) for slot in _slots(facts))
            answer["facts"] = [told(f) for f in slots if f is not None]
        answer["state"] = state_of(answer["facts"])
        answers.append(answer)
    return answers


def over(records: Records, kind: str, id_: str, as_of: AsOf) -> dict[str, list[dict[str, Any]]]:
    """What is over of a subject, which its facets do not say. `lapsed`: facts in force by which
    nobody answers any more, since when and why. `ended`: the last fact of each single-valued facet
    that had facts and has none.
    """
    facts = [f for f in records.of(f"{kind}:{id_}") if f.known(as_of.recorded)]
    view = View(cache(records.versions), as_of.recorded)
    lapsed, ended = [], []
    for facet in sorted(f for f in FACETS.values() if f.of == kind):
        own = [f for f in facts if f.facet == facet.name]
        held = in_force(own, as_of)
        if not facet.many and not held and (past := on_record(own, as_of)):
            ended.append({"facet": facet.name, **told(past[-1])})
        for fact, end in lapses(view, facet, own, as_of.effective):
            lapsed.append({"facet": facet.name, "slot": fact.slot or None, **end._asdict()})
    return {"lapsed": lapsed, "ended": ended}


def lapses(
    view: View, facet: Facet, facts: Sequence[Fact], day: date
) -> Iterator[tuple[Fact, Ending]]:
    """Of a facet's facts that answer on a day those by which nobody answers any more, and why."""
    if facet not in ANSWERING:
        return
    as_of = AsOf(day, view.recorded)
    for fact in in_force(facts, as_of):
        answers = facet.many or resolve(facts, as_of) == fact
        if answers and fact.value and (end := ending(view, fact, day)) is not None:
            yield fact, end


def _slots(facts: Iterable[Fact]) -> list[str]:
    return sorted({f.slot for f in facts})


def _of_slot(facts: Iterable[Fact], slot: str) -> list[Fact]:
    return [f for f in facts if f.slot == slot]


def state_of(told_facts: Sequence[Mapping[str, Any]]) -> str:
    """Whether something holds, was entered as none, or was not recorded."""
    if not told_facts:
        return "not-recorded"
    return "none" if all(f["value"] is None for f in told_facts) else "held"


def told(fact: Fact) -> dict[str, Any]:
    """A fact as an answer: its value (None is an explicit none), its days and its entries."""
    return {
        "slot": fact.slot or None,
        "value": fact.value,
        "since": fact.effective,
        "until": None if fact.until == OPEN else fact.until,
        "last_day": last_day(fact.until),
        "entry": fact.entry,
        "root": fact.root,
        "ended_by": fact.ended_by,
    }


def spells(records: Records, person: str, recorded: int) -> list[dict[str, Any]]:
    """Every spell of service as known at a position, past and future, in order."""
    facts = [f for f in records.versions(SERVICE, f"person:{person}") if f.known(recorded)]
    if not facts:
        return []
    runs = segments(facts, recorded, min(f.effective for f in facts), OPEN)
    found = []
    for run, following in zip(runs, [*runs[1:], None], strict=True):
        if run.fact is None or not run.fact.value or run.fact.value["state"] != "in":
            continue
        left = following.fact if following else None
        found.append(
            {
                "since": run.start,
                "until": None if run.end == OPEN else run.end,
                "last_day": last_day(run.end),
                "entry": run.fact.entry,
                "left": left.value if left else None,
                "left_by": left.entry if left else run.fact.ended_by,
            }
        )
    return found


def history(ledger: Ledger, tags: Sequence[str], as_of: AsOf) -> list[dict[str, Any]]:
    """Every entry about a subject (under each of its tags) as known, in order of entry, and what
    became of each.

    `future`: it takes effect after the day asked about. Raises UnknownSubject.
    """
    entries = list(ledger.about(tags, as_of.recorded, later=True))
    if not entries:
        raise UnknownSubject(field=tags[0].partition(":")[0])
    became = standings(entries)
    return [
        {
            **shown(entry),
            "standing": became[entry.position].state,
            "standing_by": became[entry.position].by,
            "future": _in_future(entry.effective, as_of),
        }
        for entry in entries
        if ledger.tells(entry)
    ]


def _in_future(day: date, as_of: AsOf) -> bool:
    return day > as_of.effective
