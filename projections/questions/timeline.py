"""One subject along the valid axis at one position: what held, from when to when, by which entry.

Owns no table. Invariant: the stretches of a single-valued strand cover every day from its first
fact on, each with the fact that the resolution rule gives; what came to its end is told from what
was entered as none.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from domain.bitemporal import OPEN, AsOf, Fact, Segment, last_day, segments
from domain.ledger import Ledger
from projections.journal import cited
from projections.questions.beliefs import strands
from projections.records import Records


def timeline(
    records: Records, ledger: Ledger, subject: str, facet: str | None, as_of: AsOf
) -> list[dict[str, Any]]:
    """Per facet and slot the stretches [start, end) of days, in order, as known at the position.
    State: held, none (entered as empty) or ended (nothing answers any more, `entry` is what ended
    it, if an act did). A many-valued facet has a stretch a fact.

    Raises BadInput, UnknownSubject.
    """
    found = {}
    for (kept, slot), versions in strands(records, ledger, subject, facet, as_of.recorded).items():
        known = [fact for fact in versions if fact.known(as_of.recorded)]
        parts = list(_each(known) if kept.many else _one_after_another(known, as_of.recorded))
        if parts:
            found[kept, slot] = parts
    entries = cited(ledger, {one["entry"] for parts in found.values() for one in parts} - {None})
    return [
        {
            "facet": kept.name, "zh": kept.zh, "en": kept.en, "slot": slot or None,
            "stretches": [{**one, "by": entries.get(one["entry"])} for one in parts],
        }
        for (kept, slot), parts in found.items()
    ]  # fmt: skip


def _each(known: Sequence[Fact]) -> Iterator[dict[str, Any]]:
    for fact in sorted(known, key=lambda fact: fact.place):
        if fact.effective < fact.until:
            yield _told(fact.effective, fact.until, fact, None)


def _one_after_another(known: Sequence[Fact], recorded: int) -> Iterator[dict[str, Any]]:
    days = [fact.effective for fact in known if fact.effective < fact.until]
    before: Segment | None = None
    for part in segments(known, recorded, min(days), OPEN) if days else ():
        yield _told(part.start, part.end, part.fact, before.fact if before else None)
        before = part


def _told(start: date, end: date, fact: Fact | None, before: Fact | None) -> dict[str, Any]:
    """A stretch; of one without a fact, by what the fact before it ended."""
    state = "ended" if fact is None else "none" if fact.value is None else "held"
    return {
        "start": start,
        "end": None if end == OPEN else end,
        "last_day": last_day(end),
        "state": state,
        "value": fact.value if fact else None,
        "entry": fact.entry if fact else before.ended_by if before else None,
    }
