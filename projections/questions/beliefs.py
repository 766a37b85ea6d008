"""One day along the recorded axis: what did we say about it, and when did that change?

Owns no table. Invariant: the stretches of a strand cover every position from 0 to the one asked
about, and two that follow one another never answer alike.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from domain.bitemporal import AsOf, Fact, Stretch, stretches
from domain.events import FACETS, Facet
from domain.ledger import Ledger
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


def strands(
    records: Records, subject: str, facet: str | None, recorded: int
) -> dict[tuple[Facet, str], list[Fact]]:
    """The versions known by a position of every facet of a subject, or of one; by facet and slot.

    The slots of a many-valued facet are one strand. Raises BadInput, UnknownSubject.
    """
    wanted = None if facet is None else facet_named(facet, subject)
    known = [f for f in records.of(subject) if f.known_from <= recorded]
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
        for strand, facts in strands(records, subject, facet, as_of.recorded).items()
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
