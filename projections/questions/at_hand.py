"""The strands by which somebody answers for an auxiliary, read for many at once.

Owns no table. Invariant: what is at hand of a subject is what the records say of it, so an answer
from here is the answer from there.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from domain.acts.officers import LEAVE, OFFICER, SUSPENSION
from domain.acts.people import HOST, SERVICE, UNIT
from domain.acts.posts import POST
from domain.acts.responsibility import (
    ACTING_DEPUTY,
    ACTING_HEAD,
    DEPUTY,
    PORTFOLIO,
    SUPERVISOR,
    UNIT_HEAD,
)
from domain.acts.units import HEAD_SEATS, UNIT_PARENT, UNIT_PLACE, UNIT_STATE
from domain.bitemporal import Fact
from domain.events import Facet
from projections.records import Records

_TOGETHER = 1_000
_PEOPLE = (SERVICE, UNIT, HOST, POST, SUPERVISOR)
_UNITS = (UNIT_STATE, UNIT_PARENT, UNIT_PLACE, HEAD_SEATS, UNIT_HEAD, ACTING_HEAD, DEPUTY,
          ACTING_DEPUTY, PORTFOLIO)  # fmt: skip
_OFFICERS = (OFFICER, SUSPENSION, LEAVE)

_Strands = defaultdict[tuple[str, str], list[Fact]]


class AtHand:
    """Versions known by a position: every unit's and its officers', and a thousand persons' at a
    time.
    """

    def __init__(self, records: Records, recorded: int) -> None:
        self._records = records
        subjects = records.changed([UNIT_STATE], 0, recorded)
        self.units = [subject.partition(":")[2] for subject in subjects]
        self._standing: _Strands = defaultdict(list)
        self._passing = self._standing
        officers = self._take(self._standing, _UNITS, subjects)
        self._take(self._standing, _OFFICERS, sorted(officers))

    def versions(self, facet: Facet, subject: str) -> list[Fact]:
        strand = (facet.name, subject)
        return self._passing.get(strand) or self._standing.get(strand) or []

    def people(self, subjects: Sequence[str]) -> Iterator[str]:
        """The ids of these subjects in their order, the facts of each at hand meanwhile."""
        for start in range(0, len(subjects), _TOGETHER):
            some = subjects[start : start + _TOGETHER]
            self._passing = defaultdict(list)
            officers = self._take(self._passing, _PEOPLE, some)
            self._take(self._passing, _OFFICERS, sorted(officers))
            yield from (subject.partition(":")[2] for subject in some)

    def _take(self, into: _Strands, facets: Sequence[Facet], subjects: Sequence[str]) -> set[str]:
        """Read them; the officers they name."""
        officers = set()
        for fact in self._records.strands(facets, subjects):
            into[fact.facet, fact.subject].append(fact)
            if fact.value and "officer" in fact.value:
                officers.add(f"person:{fact.value['officer']}")
        return officers
