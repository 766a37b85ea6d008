"""What an answer rests on: the entries without which it would be another.

Owns no table: it folds the entries of one strand again, without each of them in turn; of a charge
also those that it can lapse by. Invariant: to take away any one entry that is not named leaves the
answer as it is, and the named ones alone give it.
"""

from collections.abc import Sequence
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

from domain.acts.officers import OFFICER, SUSPENSION
from domain.acts.people import HOST, UNIT
from domain.acts.responsibility import SUPERVISOR
from domain.bitemporal import AsOf, Fact, in_force, resolve, told_before
from domain.events import Entry, Facet
from domain.forest import Forest
from domain.ledger import Ledger
from domain.ledger.reading import MERGING, ever_joined, item_of
from domain.record import Record, Strand
from domain.refusals import UnknownSubject
from projections.charges import Ending, View, premise
from projections.journal import cited
from projections.questions.beliefs import facet_named
from projections.questions.person import ANSWERING, lapses, told


class Lapse(NamedTuple):
    """A fact that answers by which nobody does any more, by its slot and root; `premise`: the entry
    that had placed whoever left.
    """

    slot: str
    root: int
    ending: Ending
    premise: tuple[int, ...]


class Answer(NamedTuple):
    """The facts of a facet that answer, one a slot or the set, whenever they became known."""

    facts: list[Fact]
    lapsed: list[Lapse]


def answer_of(
    record: Record, facet: Facet, subject: str, as_of: AsOf, before: date | None = None
) -> Answer:
    facts = record.versions(facet, subject)
    if before is not None:
        facts = told_before(sorted(facts, key=attrgetter("known_from")), before)
    if facet.many:
        found: list[Fact | None] = [*in_force(facts, as_of)]
    else:
        slots = sorted({fact.slot for fact in facts})
        found = [resolve(facts, as_of, slot) for slot in slots]
    view = View(record.versions, as_of.recorded)
    lapsed = [
        Lapse(fact.slot, fact.root, end, premise(view, fact, end.cause))
        for fact, end in lapses(view, facet, facts, as_of.effective)
    ]
    return Answer([f._replace(known_from=0, known_to=0) for f in found if f is not None], lapsed)


def rests_on(
    entries: Sequence[Entry], facet: Facet, subject: str, as_of: AsOf, before: date | None = None
) -> tuple[Answer, list[int]]:
    """The facts that answer, and the positions of the entries that the answer rests on.

    `entries` are all that touch the facet of the subject, and what its facts can lapse by, under
    every id, up to the position, and the merges, in order; the time taken grows with the square of
    their number.
    """
    answer = answer_of(Record.fold(entries), facet, subject, as_of, before)
    named = [
        one.position
        for one in entries
        if answer_of(Record.fold(e for e in entries if e is not one), facet, subject, as_of, before)
        != answer
    ]
    return answer, named


def lapsing(facet: Facet, subject: str, facts: Sequence[Fact]) -> list[Strand]:
    """What facts of a facet by which somebody answers can lapse by."""
    if facet not in ANSWERING:
        return []
    officers = {f"person:{fact.value['officer']}" for fact in facts if fact.value}
    found = [Strand(own.name, one) for one in sorted(officers) for own in (OFFICER, SUSPENSION)]
    return found + [Strand(own.name, subject) for own in (UNIT, HOST) if facet == SUPERVISOR]


def explain(ledger: Ledger, subject: str, facet: str, as_of: AsOf) -> dict[str, Any]:
    """What a facet answers and every entry that it rests on, with its part in it: `root` (the
    fact's first entry), `content` (what gave the content), `ending`, `lapse` (since then nobody
    answers by it, see `lapsed`), or `bearing` (it corrects, annuls or ends what would answer
    otherwise, or had placed whoever left since).

    Raises BadInput, UnknownSubject.
    """
    wanted = facet_named(facet, subject)
    kind, _, id_ = subject.partition(":")
    if kind == "person":
        subject = f"person:{ledger.forest(as_of.recorded).kept(id_)}"
    if not any(ledger.about([subject, f"{kind}:{id_}"], as_of.recorded, later=True)):
        raise UnknownSubject(field="subject")
    # whom a split took away would answer too, but for the split
    ever = ever_joined(ledger.log, as_of.recorded)
    own = Strand(wanted.name, subject)
    entries = _touching(ledger, [own], ever, as_of.recorded)
    answer = answer_of(Record.fold(entries), wanted, subject, as_of)
    if by := lapsing(wanted, subject, answer.facts):
        entries = _touching(ledger, [own, *by], ever, as_of.recorded)
    answer, named = rests_on(entries, wanted, subject, as_of, ledger.before)
    by_position = cited(ledger, named)
    return {
        "facet": wanted.name,
        "zh": wanted.zh,
        "en": wanted.en,
        "facts": [told(fact) for fact in answer.facts],
        "lapsed": [
            {"slot": one.slot or None, "root": one.root, **one.ending._asdict()}
            for one in answer.lapsed
        ],
        "entries": [{**by_position[p], "part": _part(p, answer)} for p in named],
    }


def _touching(
    ledger: Ledger, strands: Sequence[Strand], ever: Forest, recorded: int
) -> list[Entry]:
    items = [MERGING]
    for strand in strands:
        kind, _, id_ = strand.subject.partition(":")
        ids = ever.family(id_) if kind == "person" else (id_,)
        items += [item_of(Strand(strand.facet, f"{kind}:{one}")) for one in ids]
    return list(ledger.matching(items, until=recorded, later=True))


def _part(position: int, answer: Answer) -> str:
    facts = answer.facts
    if any(fact.entry == position for fact in facts):
        return "content"
    if any(fact.root == position for fact in facts):
        return "root"
    if any(fact.ended_by == position for fact in facts):
        return "ending"
    if any(position in one.ending.entries for one in answer.lapsed):
        return "lapse"
    return "bearing"
