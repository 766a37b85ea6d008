"""Person-times and persons, by kind, over a span of days: rewards granted, sanctions imposed.

Owns no table. Invariant: a person rewarded twice is two person-times and one person (人次, 人).
"""

from collections import defaultdict
from datetime import date
from typing import NamedTuple

from domain.events import Facet
from projections.records import Records


class Total(NamedTuple):
    kind: str
    times: int
    persons: int


def totals(
    records: Records, facet: Facet, start: date, end: date, recorded: int
) -> tuple[Total, list[Total]]:
    """All of a many-valued facet's facts that took effect in [start, end), as known: the sum and
    each kind. Revoked ones count: they were granted in the span.
    """
    people: defaultdict[str, list[str]] = defaultdict(list)
    for fact in records.begun(facet, start, end, recorded):
        people[fact.value["kind"]].append(fact.subject)
    kinds = [Total(k, len(v), len(set(v))) for k, v in sorted(people.items())]
    everyone = {subject for subjects in people.values() for subject in subjects}
    return Total("", sum(k.times for k in kinds), len(everyone)), kinds
