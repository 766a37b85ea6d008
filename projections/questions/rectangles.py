"""Both axes at once: which fact answered over which days, believed over which positions.

Owns no table. Invariant: the facts of the rectangles into which a day and a position fall are those
that the resolution rule gives for that pair: at most one where the facet is single-valued.
"""

from typing import Any

from domain.bitemporal import FOREVER, OPEN, AsOf, last_day, versions
from domain.bitemporal import rectangles as _rectangles
from domain.ledger import Ledger
from projections.journal import cited
from projections.questions.beliefs import strands
from projections.records import Records


def rectangles(
    records: Records, ledger: Ledger, subject: str, facet: str | None, as_of: AsOf
) -> list[dict[str, Any]]:
    """Per facet and slot its rectangles, each with the entries that opened and closed it;
    `known_to` is None where one is still believed. A many-valued facet has one a version of a fact.

    Raises BadInput, UnknownSubject.
    """
    found = {}
    for (kept, slot), facts in strands(records, ledger, subject, facet, as_of.recorded).items():
        if not kept.many:
            found[kept, slot] = _rectangles(facts, as_of.recorded)
            continue
        for one in sorted({fact.slot for fact in facts}):
            own = (fact for fact in facts if fact.slot == one)
            found[kept, one] = versions(own, as_of.recorded)
    edges = {p for parts in found.values() for r in parts for p in (r.known_from, r.known_to)}
    entries = cited(ledger, edges - {FOREVER})
    return [
        {
            "facet": kept.name,
            "zh": kept.zh,
            "en": kept.en,
            "slot": slot or None,
            "many": kept.many,
            "rectangles": [
                {
                    "start": one.start,
                    "end": None if one.end == OPEN else one.end,
                    "last_day": last_day(one.end),
                    "known_from": one.known_from,
                    "known_to": None if one.known_to == FOREVER else one.known_to,
                    "value": one.fact.value,
                    "entry": one.fact.entry,
                    "opened_by": entries[one.known_from],
                    "closed_by": entries.get(one.known_to),
                }
                for one in parts
            ],
        }
        for (kept, slot), parts in found.items()
    ]
