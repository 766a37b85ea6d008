"""Entries, searchable straight from the log, and what became of each.

Owns no table: the log's own indexes answer by subject and type. Invariant: an entry is shown as it
was entered, whatever was entered later; what later entries did to it is said beside it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.bitemporal import OPEN, last_day
from domain.chains import corrections
from domain.events import Entry
from domain.ledger import Ledger
from domain.workdays import SHANGHAI

_PLAIN = (
    "reason", "document", "actor", "attested_by", "approved_by", "batch", "cause", "source",
    "request_id",
)  # fmt: skip

_CITED = (
    "position", "type", "zh", "en", "effective", "recorded_at", "lag_days", "mood", "actor",
    "reason", "document",
)  # fmt: skip


class Search(NamedTuple):
    """Which entries: of one of the types, with every tag, recorded in (after, until]; `late` is
    the least number of days from the effective to the recorded day.
    """

    until: int
    after: int = 0
    types: Sequence[str] = ()
    tags: Sequence[str] = ()
    late: int | None = None
    corrections: bool = False
    limit: int = 200


def search(ledger: Ledger, wanted: Search) -> tuple[list[Entry], int | None]:
    """At most `limit` entries in order of position, and the position to go on after, if any."""
    found: list[Entry] = []
    if wanted.until <= wanted.after:
        return found, None
    entries = ledger.entries(wanted.tags, wanted.types, after=wanted.after, until=wanted.until)
    for entry in entries:
        if wanted.corrections and not entry.corrects:
            continue
        if wanted.late is not None and lag_days(entry) < wanted.late:
            continue
        if len(found) == wanted.limit:
            return found, found[-1].position
        found.append(entry)
    return found, None


def lag_days(entry: Entry) -> int:
    """Days from the effective day to the day it was recorded; negative where it was ahead."""
    return (entry.recorded_at.astimezone(SHANGHAI).date() - entry.effective).days


def shown(entry: Entry) -> dict[str, Any]:
    """An entry as it was entered, its private fields still sealed."""
    cls, envelope = entry.cls, entry.envelope
    return {
        "position": entry.position,
        "event_id": entry.id,
        "type": entry.type,
        "zh": cls.zh,
        "en": cls.en,
        "effective": entry.effective,
        "until": None if entry.until == OPEN else entry.until,
        "last_day": last_day(entry.until),
        "seq": entry.seq,
        "occurred": envelope.get("occurred"),
        "recorded_at": entry.recorded_at,
        "lag_days": lag_days(entry),
        "mood": entry.mood,
        "supersedes": envelope.get("supersedes"),
        "annuls": envelope.get("annuls"),
        "ends": entry.ended,
        "root": entry.root,
        "tags": entry.tags,
        "fields": entry.fields,
        "actor_standing": envelope.get("standing"),
        **{name: envelope.get(name) for name in _PLAIN},
    }


def bare(position: int) -> dict[str, Any]:
    """An entry of a case that is sealed to whoever asks: that it is there, and nothing else."""
    return {"position": position, "case_sealed": True}


def cited(ledger: Ledger, positions: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Who entered what, when and why, by position: enough to name entries in another answer. Of one
    that is kept from whoever asks, that it is there.
    """
    found = {}
    for position in sorted(set(positions)):
        entry = next(ledger.entries(after=position - 1, until=position), None)
        one = {"position": position} if entry is None else shown(entry)
        found[position] = {name: one[name] for name in _CITED if name in one}
    return found


def entered_with(ledger: Ledger, entry: Entry, until: int) -> list[Entry]:
    """The entries of one append with this one, itself included, up to a position."""
    batch = entry.envelope.get("batch")
    if batch is None:
        return [entry]
    first = ledger.entry(UUID(batch)).position
    found = []
    for one in ledger.entries(after=first - 1, until=until):
        if one.envelope.get("batch") != batch:
            break
        found.append(one)
    return found


class Standing(NamedTuple):
    """What became of an entry: stands, superseded or annulled, and by the entry at `by`."""

    state: str
    by: int | None = None


STANDS = Standing("stands")


def standings(entries: Iterable[Entry]) -> dict[int, Standing]:
    """What became of each entry, by position, given every entry of the chains they belong to."""
    chains: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        chains[entry.root].append(entry)
    found: dict[int, Standing] = {}
    for chain in chains.values():
        last = chain[0].position
        annulment: int | None = None
        undoing: list[int] = []
        for entry in chain:
            found[entry.position] = STANDS
            if "annuls" not in entry.envelope:
                if entry.position != last:
                    found[last] = Standing("superseded", entry.position)
                last, undoing = entry.position, []
            elif annulment is None:
                annulment = entry.position
                found |= dict.fromkeys([last, *undoing], Standing("annulled", annulment))
            else:
                found |= dict.fromkeys([last, *undoing], STANDS)
                found[annulment] = Standing("annulled", entry.position)
                annulment = None
                undoing.append(entry.position)
    return found


def chain_of(ledger: Ledger, entry: Entry, until: int) -> list[Entry]:
    """Every entry of the chain that this one belongs to, up to a position, the root first."""
    named = ledger.about([f"fact:{entry.root}"], until, later=True)
    later = corrections(entry.root, named)
    if not entry.corrects:
        return [entry, *later]
    return [ledger.entry(UUID(entry.root)), *later]
