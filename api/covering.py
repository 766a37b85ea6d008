"""Until when a right limited to a unit reaches whom a request is about.

Owns that question. Invariant: it is asked of the tree and of where everybody belongs as known at
the answer's position, day by day; what is recorded elsewhere shortens or lengthens nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache

from api.access import Grant
from api.settings import Bureau
from domain.acts.officers import OFFICER
from domain.acts.people import HOST, UNIT
from domain.bitemporal import OPEN, Fact
from domain.events import Facet
from projections.charges import View, line_of

BELONGING = (UNIT, HOST, OFFICER)


class Reach:
    """Of these subjects (`person:…`, `unit:…`), as known at a position."""

    def __init__(self, bureau: Bureau, subjects: Sequence[str], recorded: int) -> None:
        forest, records = bureau.ledger.forest(recorded), bureau.records
        self._people = [
            f"person:{forest.kept(one[7:])}" for one in subjects if one.startswith("person:")
        ]
        self._units = [one for one in subjects if one.startswith("unit:")]
        self._recorded = recorded
        self._placed: dict[tuple[str, str], list[Fact]] = {
            (facet.name, person): [] for facet in BELONGING for person in self._people
        }
        for fact in records.strands(BELONGING, self._people):
            self._placed[fact.facet, fact.subject].append(fact)
        self._of_units = cache(records.versions)

    def end(self, grant: Grant, start: date, *, anywhere: bool = False) -> date:
        """The first day from a day on that a right does not reach for each of them; OPEN where
        there is none. Before somebody first belonged anywhere nobody else is told of; `anywhere`:
        nor on other days on which somebody belongs nowhere.
        """
        if grant.unit is None:
            return OPEN
        subjects = (*self._people, *self._units)
        ends = (self._end(grant.unit, one, start, anywhere=anywhere) for one in subjects)
        return min(ends, default=OPEN)

    def _end(self, unit: str, subject: str, start: date, *, anywhere: bool) -> date:
        view = View(self._versions, self._recorded)
        kind, _, id_ = subject.partition(":")
        day, began = start, self._began(view, id_) if kind == "person" else start
        while day < OPEN:
            units = [id_] if kind == "unit" else self._belonging(view, id_, day)
            excused = day < began or (anywhere and not units)
            if not excused and not any(unit in line_of(view, one, day) for one in units):
                return day
            day = min((turn for turn in view.days if turn > day), default=OPEN)
        return OPEN

    def _versions(self, facet: Facet, subject: str) -> list[Fact]:
        known = self._placed.get((facet.name, subject))
        return self._of_units(facet, subject) if known is None else known

    def _began(self, view: View, person: str) -> date:
        days = (fact.effective for facet in BELONGING for fact in view.facts(facet, person))
        return min(days, default=date.min)

    def _belonging(self, view: View, person: str, day: date) -> list[str]:
        values: Iterable[dict[str, str] | None] = (
            view.value(facet, person, day) for facet in BELONGING
        )
        return [value["unit"] for value in values if value]
