"""One subject along the valid axis at one position: what held, from when to when, by which entry.

Owns no table. Invariant: the stretches of a single-valued strand cover every day from its first
fact on, each with the fact that the resolution rule gives; what came to its end is told from what
was entered as none.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from domain.bitemporal import OPEN, AsOf, Fact, last_day, segments
from domain.ledger import Ledger
from projections.charges import DAY, Ending, View, ending
from projections.journal import cited
from projections.questions.beliefs import strands
from projections.questions.person import ANSWERING
from projections.records import Records


def timeline(
    records: Records, ledger: Ledger, subject: str, facet: str | None, as_of: AsOf
) -> list[dict[str, Any]]:
    """Per facet and slot the stretches [start, end) of days, in order, as known at the position.
    State: held, none (entered as empty), ended (nothing answers any more, `entry` is what ended it,
    if an act did) or lapsed (by the fact nobody answers any more: `cause`, and the entry it lapsed
    by). A many-valued facet has a stretch a fact.

    Raises BadInput, UnknownSubject.
    """
    view = View(cache(records.versions), as_of.recorded)
    found = {}
    known_of = strands(records, ledger, subject, facet, as_of.recorded)
    for (kept, slot), versions in known_of.items():
        known = [fact for fact in versions if fact.known(as_of.recorded)]
        told = list(_each(known) if kept.many else _one_after_another(known, as_of.recorded))
        if kept in ANSWERING:
            told = [part for one in told for part in _until_it_lapses(view, one)]
        if told:
            found[kept, slot] = [_said(one) for one in told]
    entries = cited(ledger, {one["entry"] for parts in found.values() for one in parts} - {None})
    return [
        {
            "facet": kept.name, "zh": kept.zh, "en": kept.en, "slot": slot or None,
            "stretches": [{**one, "by": entries.get(one["entry"])} for one in parts],
        }
        for (kept, slot), parts in found.items()
    ]  # fmt: skip


class _Part(NamedTuple):
    """Days [start, end) with the fact that answers, if any; `over`: by what entry the one before it
    ended, or how this one lapsed.
    """

    start: date
    end: date
    fact: Fact | None
    over: int | Ending | None = None


def _each(known: Sequence[Fact]) -> Iterator[_Part]:
    for fact in sorted(known, key=lambda fact: fact.place):
        if fact.effective < fact.until:
            yield _Part(fact.effective, fact.until, fact)


def _one_after_another(known: Sequence[Fact], recorded: int) -> Iterator[_Part]:
    days = [fact.effective for fact in known if fact.effective < fact.until]
    before: Fact | None = None
    for part in segments(known, recorded, min(days), OPEN) if days else ():
        yield _Part(*part, None if part.fact or before is None else before.ended_by)
        before = part.fact


def _until_it_lapses(view: View, part: _Part) -> Iterator[_Part]:
    held = part.fact is not None and part.fact.value is not None
    lapse = ending(view, part.fact, part.end - DAY) if part.fact and held else None
    if lapse is None:
        yield part
        return
    if part.start < lapse.day:
        yield part._replace(end=lapse.day)
    yield part._replace(start=max(part.start, lapse.day), over=lapse)


def _said(part: _Part) -> dict[str, Any]:
    start, end, fact, over = part
    value, cause = None if fact is None else fact.value, None
    if isinstance(over, Ending):
        state, value, cause, entry = "lapsed", None, over.cause, max(over.entries, default=None)
    elif fact is not None:
        state, entry = "none" if value is None else "held", fact.entry
    else:
        state, entry = "ended", over
    return {
        "start": start,
        "end": None if end == OPEN else end,
        "last_day": last_day(end),
        "state": state,
        "value": value,
        "cause": cause,
        "entry": entry,
    }
