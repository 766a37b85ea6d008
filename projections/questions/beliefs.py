"""One day along the recorded axis: what did we say about it, and when did that change?

Owns no table. Invariant: the stretches of a strand cover every position from 0 to the one asked
about, and two that follow one another rest on other versions of facts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from domain.acts.identity import SAME_AS
from domain.bitemporal import FOREVER, AsOf, Fact, Stretch, stretches
from domain.events import FACETS, Facet
from domain.ledger import Ledger
from domain.ledger.reading import kept_over
from domain.refusals import BadInput, UnknownSubject
from projections.journal import cited
from projections.questions.person import told
from projections.records import Records


def facet_named(name: str, subject: str) -> Facet:
    """The facet of a subject (`kind:id`) with this name. Raises BadInput."""
    facet: Facet | None = FACETS.get(name)
    if facet is None or facet.of != subject.partition(":")[0]:
        raise BadInput("no such facet of this subject", field="facet", zh="该对象没有这一事项")
    return facet


def followed(records: Records, ledger: Ledger, subject: str, recorded: int) -> list[Fact]:
    """The versions that answer for a subject at each position up to one: of a person those filed
    under the id that is kept at that position, known there as long as it is.
    """
    kind, _, id_ = subject.partition(":")
    ids = kept_over(ledger.log, id_, recorded) if kind == "person" else []
    if len(ids) <= 1:
        return records.of(subject)
    return [
        fact
        for (start, kept), (end, _) in pairwise([*ids, (FOREVER, "")])
        for fact in _known_over(records.of(f"person:{kept}"), start, end)
    ]


def _known_over(facts: Iterable[Fact], start: int, end: int) -> Iterator[Fact]:
    for fact in facts:
        first, last = max(fact.known_from, start), min(fact.known_to, end)
        if first < last:
            yield fact._replace(known_from=first, known_to=last)


def strands(
    records: Records, ledger: Ledger, subject: str, facet: str | None, recorded: int
) -> dict[tuple[Facet, str], list[Fact]]:
    """The versions known by a position of every facet of a subject, or of one; by facet and slot.
    Those of an id that went are the kept one's from then on, and the merge that says so its own.

    The slots of a many-valued facet are one strand. Raises BadInput, UnknownSubject.
    """
    wanted = None if facet is None else facet_named(facet, subject)
    own = [f for f in records.of(subject) if f.facet == SAME_AS.name]
    others = [f for f in followed(records, ledger, subject, recorded) if f.facet != SAME_AS.name]
    known = [f for f in (*others, *own) if f.known_from <= recorded]
    if not known:
        raise UnknownSubject(field="subject")
    found: defaultdict[tuple[Facet, str], list[Fact]] = defaultdict(list)
    for fact in known:
        kept = FACETS[fact.facet]
        if wanted is None or kept == wanted:
            found[kept, "" if kept.many else fact.slot].append(fact)
    return dict(sorted(found.items()))


def beliefs(
    records: Records, ledger: Ledger, subject: str, facet: str | None, as_of: AsOf
) -> list[dict[str, Any]]:
    """Per facet and slot the stretches [from, to) of positions with what they answered for the
    day, each with the entry that opened it; `to` is None where it is still believed.

    Raises BadInput, UnknownSubject.
    """
    found = {
        strand: stretches(facts, as_of.effective, as_of.recorded, many=strand[0].many)
        for strand, facts in strands(records, ledger, subject, facet, as_of.recorded).items()
    }
    opened = cited(ledger, _openings(found.values()))
    return [
        {
            "facet": kept.name,
            "zh": kept.zh,
            "en": kept.en,
            "slot": slot or None,
            "stretches": [
                {
                    "from": one.start,
                    "to": one.end if one.end <= as_of.recorded else None,
                    "facts": [told(fact) for fact in one.facts],
                    "opened_by": opened.get(one.start),
                }
                for one in parts
            ],
        }
        for (kept, slot), parts in found.items()
    ]


def _openings(found: Iterable[list[Stretch]]) -> set[int]:
    return {one.start for parts in found for one in parts if one.start}
