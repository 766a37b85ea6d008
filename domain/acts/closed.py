"""Closed periods 封账期间: who may change the past.

Owns what an act changes and from which day. Invariant: before the day that a pack closes, nothing
changes on one person's word alone, be it ordered or attested.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from domain.acts.officers import OFFICER
from domain.acts.openings import ContractOpened, RecordOpened
from domain.acts.people import HOST, UNIT
from domain.acts.units import UNIT_PLACE, rules
from domain.bitemporal import OPEN
from domain.case import Case
from domain.chains import Content
from domain.events import FACETS, Event, Proposal, fact_specs
from domain.refusals import ClosedPeriod
from domain.rules import closed_before, closed_period


def require_open(
    case: Case, event: Event, tags: Iterable[str], before: Content | None, after: Content | None
) -> None:
    """What a chain said and will say (None: nothing) may differ so without a second person.

    The law of the day of entry is asked, of every place the act's units and persons have to do
    with. Raises ClosedPeriod with the rule, its article and, in words, the facet.
    """
    law, today = case.law, case.today
    ends = [closed_before(rule, today) for rule in law.closing if rule.holds(today)]
    changed = first_days(type(event), before, after)
    if min(changed.values(), default=OPEN) >= max(ends, default=date.min):
        return
    opening = before is None and isinstance(event, RecordOpened | ContractOpened)
    laws = [rules(case, unit, today) for unit in sorted(set(_units(case, tags)))]
    laws += [case.rules(place, today) for place in sorted(_places(before, after))]
    for known in laws:
        for rule in known.of_kind("closed_period"):
            breach = closed_period(rule, changed, today)
            if breach is None or not breach.blocks or (opening and rule.values.get("openings")):
                continue
            facet = FACETS[breach.field or ""]
            raise ClosedPeriod(
                f"{facet.en}: {breach.en}; name a second person in approved_by",
                zh=f"{facet.zh}:{breach.zh},须另有批准人 approved_by",
                field="effective", rule=rule.id, article=rule.article,
            )  # fmt: skip


def content_of(proposal: Proposal) -> Content:
    """What a chain says once this act, as decided, is its newest entry."""
    event = proposal.event
    cls = type(event)
    fields = event.model_dump(mode="json", exclude_none=True)
    return Content(
        0,
        proposal.effective,
        proposal.until or OPEN,
        proposal.seq or 0,
        fact_specs(cls, fields),
        str(proposal.ends) if proposal.ends else None,
        fields[cls.leaves] if cls.leaves else None,
        fields,
    )


def first_days(cls: type[Event], before: Content | None, after: Content | None) -> dict[str, date]:
    """Facet → the first day on which a chain of this type says, ends or caps something else.

    A private value counts as changed whenever it is entered again. A merge, whatever its own day,
    changes everything that is filed under a person or names one.
    """
    days = _days_said(cls, before, after)
    return dict.fromkeys(FACETS, date.min) if days and cls.merges else days


def _days_said(cls: type[Event], before: Content | None, after: Content | None) -> dict[str, date]:
    days: dict[str, date] = {}

    def note(facet: str, day: date) -> None:
        days[facet] = min(day, days.get(facet, OPEN))

    was, now = (_facts(content) if content else {} for content in (before, after))
    for key in was.keys() | now.keys():
        one, other = was.get(key), now.get(key)
        if one and other and one[1:] == other[1:]:
            if one[0] != other[0]:
                note(key[0], min(one[0], other[0]))
        else:
            note(key[0], min(fact[1] for fact in (one, other) if fact))
    contents = [content for content in (before, after) if content]
    if len({(c.effective, c.seq, c.ends, c.leaves) for c in contents}) < len(contents):
        return days
    for content in contents:
        for facet in cls.ends if content.ends else ():
            note(facet.name, content.effective)
        for facet in FACETS.values() if content.leaves else ():
            if facet.of == "person" and not facet.stays:
                note(facet.name, content.effective)
    return days


_Key = tuple[str, str, str]
_Said = tuple[date, date, int, object]


def _facts(content: Content) -> dict[_Key, _Said]:
    """(facet, subject, slot) → (until, effective, seq, value) of each fact."""
    return {
        (spec.facet, spec.subject, spec.slot): (
            content.until, spec.effective or content.effective, content.seq + spec.seq, spec.value,
        )
        for spec in content.specs
    }  # fmt: skip


def _places(*contents: Content | None) -> set[str]:
    """The places that an act puts a unit in, which the record may not know yet."""
    specs = (spec for content in contents if content for spec in content.specs)
    return {s.value["division"] for s in specs if s.facet == UNIT_PLACE.name and s.value}


def _units(case: Case, tags: Iterable[str]) -> Iterator[str]:
    """The units an act names, and every unit its persons have belonged to."""
    for tag in tags:
        kind, _, subject = tag.partition(":")
        if kind == "unit":
            yield subject
        elif kind == "person":
            for facet in (UNIT, HOST, OFFICER):
                facts = case.recorded(facet, subject)
                yield from (fact.value["unit"] for fact in facts if fact.value)
