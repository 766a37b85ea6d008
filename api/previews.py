"""What entering would do: findings, what changes, what it undermines, who would answer otherwise.

Owns the answer to a preview. Invariant: nothing is stored, and `impacts` is the list with which
entering would be refused.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from api.asking import asks
from api.entries import finding_dict
from api.settings import Bureau
from api.shapes import noting_whom, opened, plain
from api.times import NOW, as_of
from domain.bitemporal import differing, last_day
from domain.events import FACETS, REGISTRY, cases_of
from domain.ledger.deciding import Decided
from domain.ledger.impact import Change, Impact, impact_dict, unacknowledged
from domain.ledger.requests import Request
from domain.record import Strand
from projections.questions.flips import MOST_PEOPLE, Flip, Tried, flips, people_of

Answer = dict[str, Any]


@asks(hides=("request",), again=False)
def preview(bureau: Bureau, request: Request) -> Answer:
    """What entering would find and undermine; nothing is stored.

    Answers `types` and `findings` of the acts; `accepted`, False where `impacts` would refuse them;
    `impacts` (entries that would be refused and are not acknowledged); `reconsidered` (entries of
    which findings would be raised or cleared); `changes` (strand, first day, last day);
    `responsibility` (officers who would answer, or no longer would), for at most MOST_PEOPLE
    persons, `people_left_out` the others. Raises the Refusal that entering would for the acts
    themselves.
    """
    _, stated = as_of(bureau, NOW)
    with noting_whom(bureau):
        decided = bureau.ledger.preview(request)
    before = bureau.told_before
    left = unacknowledged(request, decided.impacts)
    found = [*decided.findings]
    if request.mood == "attested":
        each = zip(left, decided.undermined, strict=True)
        found += [one for impact, one in each if impact.entry.effective < before]
    changes = [
        change._replace(until=min(change.until, before))
        for change in decided.changes
        if change.first < before and _may_be_told(decided, change)
    ]
    rows, left_out = _flips(bureau, decided, changes)
    data = {
        "types": decided.types,
        "findings": [{"index": n, **finding_dict(f)} for n, f in found],
        "accepted": request.mood == "attested" or not left,
        "impacts": [told(impact_dict(impact), before) for impact in left],
        "reconsidered": [
            _reconsidered(impact)
            for impact in decided.impacts
            if impact.refusal is None and impact.entry.effective < before
        ],
        "changes": [
            {
                "by": by, "facet": strand.facet, "subject": strand.subject,
                "first_day": first, "last_day": last_day(until),
            }
            for by, strand, first, until in _otherwise(decided, changes, before)
        ],
        "responsibility": plain(rows),
        "people_left_out": left_out,
    }  # fmt: skip
    cases = {case for entry in decided.append.entries for case in cases_of(entry.tags)}
    return opened(bureau, stated, data, cases, proposed=True)


def told(impact: Answer, before: date | None) -> Answer:
    """An entry that acts would undermine, as one is told of it who is told of no day from one on:
    that it is there, for it stands in their way.
    """
    if before is None or impact["effective"] < before:
        return impact
    return {name: impact[name] for name in ("position", "act", "by") if name in impact}


def _may_be_told(decided: Decided, change: Change) -> bool:
    """A merge moves facts of cases too, which only an act of a case tells of."""
    facet = FACETS[change.strand.facet or ""]
    return not facet.case_sealed or REGISTRY[decided.types[change.by]].case_sealed


def _reconsidered(impact: Impact) -> Answer:
    return {
        **impact_dict(impact),
        "raised": [finding_dict(f) for f in impact.raised],
        "cleared": [finding_dict(f) for f in impact.cleared],
    }


def _otherwise(
    decided: Decided, changes: list[Change], end: date
) -> Iterator[tuple[int, Strand, date, date]]:
    """The act, the strand and the days before `end` on which it says something else by that act."""
    for by, strand in dict.fromkeys((change.by, change.strand) for change in changes):
        facet, before = FACETS[strand.facet or ""], decided.after + by
        facts = decided.record.versions(facet, strand.subject)
        for first, until in differing(facts, before, before + 1, many=facet.many):
            if first < end:
                yield by, strand, first, min(until, end)


def _flips(bureau: Bureau, decided: Decided, changes: list[Change]) -> tuple[list[Flip], int]:
    """To the end of all days told of: what lapses on a changed day does not come back after it."""
    if not changes:
        return [], 0
    bureau.runner.reach(decided.after)
    tried = Tried(bureau.records, decided.record, frozenset(c.strand for c in changes))
    period = (min(change.first for change in changes), bureau.told_before)
    people = people_of(bureau.records, tried.strands)
    known = (decided.after, decided.after + len(decided.ids))
    found = [
        flip
        for person in people[:MOST_PEOPLE]
        for flip in flips(bureau.records, tried, person, period, known)
    ]
    return found, len(people[MOST_PEOPLE:])
