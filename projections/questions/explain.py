"""What an answer rests on: the entries without which it would be another.

Owns no table: it folds the entries of one strand again, without each of them in turn. Invariant: to
take away any one entry that is not named leaves the answer as it is, and the named ones alone
give it.
"""

from collections.abc import Sequence
from typing import Any

from domain.bitemporal import AsOf, Fact
from domain.events import Entry, Facet
from domain.ledger import Ledger
from domain.ledger.reading import MERGING, ever_joined, item_of
from domain.record import Record, Strand
from domain.refusals import UnknownSubject
from projections.journal import cited
from projections.questions.beliefs import facet_named
from projections.questions.person import told


def answer_of(record: Record, facet: Facet, subject: str, as_of: AsOf) -> list[Fact]:
    """The facts of a facet that answer, one a slot or the set, whenever they became known."""
    facts = record.versions(facet, subject)
    if facet.many:
        found: list[Fact | None] = [*record.every(facet, subject, as_of)]
    else:
        slots = sorted({fact.slot for fact in facts})
        found = [record.at(facet, subject, as_of, slot) for slot in slots]
    return [f._replace(known_from=0, known_to=0) for f in found if f is not None]


def rests_on(
    entries: Sequence[Entry], facet: Facet, subject: str, as_of: AsOf
) -> tuple[list[Fact], list[int]]:
    """The facts that answer, and the positions of the entries that the answer rests on.

    `entries` are all that touch the facet of the subject, under every id, up to the position, and
    the merges, in order; the time taken grows with the square of their number.
    """
    answer = answer_of(Record.fold(entries), facet, subject, as_of)
    named = [
        one.position
        for one in entries
        if answer_of(Record.fold(e for e in entries if e is not one), facet, subject, as_of)
        != answer
    ]
    return answer, named


def explain(ledger: Ledger, subject: str, facet: str, as_of: AsOf) -> dict[str, Any]:
    """What a facet answers and every entry that it rests on, with its part in it: `root` (the
    fact's first entry), `content` (what gave the content), `ending`, or `bearing` (it corrects,
    annuls or ends what would answer otherwise).

    Raises BadInput, UnknownSubject.
    """
    wanted = facet_named(facet, subject)
    kind, _, id_ = subject.partition(":")
    aliases: tuple[str, ...] = (id_,)
    if kind == "person":
        subject = f"person:{ledger.forest(as_of.recorded).kept(id_)}"
        # whom a split took away would answer too, but for the split
        aliases = ever_joined(ledger.log, as_of.recorded).family(id_)
    if not any(ledger.about([subject, f"{kind}:{id_}"], as_of.recorded)):
        raise UnknownSubject(field="subject")
    items = [MERGING, *(item_of(Strand(wanted.name, f"{kind}:{one}")) for one in aliases)]
    entries = list(ledger.matching(items, until=as_of.recorded))
    facts, named = rests_on(entries, wanted, subject, as_of)
    by_position = cited(ledger, named)
    return {
        "facet": wanted.name,
        "zh": wanted.zh,
        "en": wanted.en,
        "facts": [told(fact) for fact in facts],
        "entries": [{**by_position[p], "part": _part(p, facts)} for p in named],
    }


def _part(position: int, facts: Sequence[Fact]) -> str:
    if any(fact.entry == position for fact in facts):
        return "content"
    if any(fact.root == position for fact in facts):
        return "root"
    if any(fact.ended_by == position for fact in facts):
        return "ending"
    return "bearing"
