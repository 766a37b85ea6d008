"""What the ledger has already of a plan, and what stands twice in one.

Owns the comparison by content of rows that share what one row alone may have: an event id, a number
or an ID number. Invariant: a row is known only where it says what was entered; where it says
anything else it is rejected, never passed over.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from typing import Any

from api.intake.checking import CONFLICTING, Fault, Reason
from api.intake.matching import STANDINGS, Line, Named
from api.intake.plan import OF_NO_ROW, Plan, Refused
from api.intake.rows import Draft, Made
from api.intake.shelf import Keys
from api.rendering import named_among
from domain.acts.openings import RecordOpened
from domain.acts.people import PersonRegistered
from domain.events import Entry
from domain.ledger import Ledger
from domain.ledger.sealed import sealed_owners

_TOGETHER = 1_000
_WIDE = 20
"""Entries between the first and the last of a part, for each row of it, that are read in one go."""

_DAYS = ("effective", "until")
_HIDDEN = ("erased", "restricted")
_WORDS = {
    "effective": ("生效日", "effective day"), "until": ("末日", "last day"),
    "type": ("事项", "acts"),
}  # fmt: skip


def named_in(draft: Draft) -> Named:
    """Who is meant by a row that opens a record."""
    said: dict[str, Any] = {}
    for made in reversed(draft.made):
        if isinstance(made.event, PersonRegistered):
            said |= {"id_number": made.event.id_number, "name": made.event.name,
                     "born": made.event.birth_date}  # fmt: skip
        elif isinstance(made.event, RecordOpened):
            said["number"] = made.event.number
    return Named(**said)


def reject_conflict(plan: Plan, draft: Draft, reason: Reason, other: int | None = None) -> None:
    """The rows of a draft are not entered; who they mean is noted as present in the sheet."""
    named, file = named_in(draft), plan.files[draft.sheet]
    for row in (draft.row, *draft.same):
        plan.rejected.add(Fault(file, row, None, "", False, reason, other), 1)
        plan.refused_rows.add(Refused(file, row, named))
    plan.drafts.drop([draft.id])
    if named.number is not None or named.name is not None:
        line = Line("conflict", file, draft.row, draft.person or "", named.number,
                    reason.zh, reason.en)  # fmt: skip
        plan.lines.add(line, STANDINGS.index("conflict"), by_row=True)


# what the ledger has


def note_known(ledger: Ledger, plan: Plan) -> None:
    """Mark the drafts that the ledger has; those that it has otherwise are rejected."""
    found = False
    for ids in plan.drafts.first_ids(_TOGETHER):
        stored = ledger.log.by_event_id(list(ids))
        plan.drafts.mark(ids[event_id] for event_id in stored)
        found = found or bool(stored)
    rest = plan.drafts.read(known=True)
    while found and (part := list(islice(rest, _TOGETHER))):
        rows = [draft for draft in part if draft.sheet != OF_NO_ROW]
        for draft, reason in entered_otherwise(ledger, plan, rows):
            reject_conflict(plan, draft, reason)


def entered_otherwise(
    ledger: Ledger, plan: Plan, drafts: Sequence[Draft]
) -> list[tuple[Draft, Reason]]:
    """Those of the drafts under whose event ids the ledger has other content."""
    first = ledger.log.by_event_id([draft.made[0].event_id for draft in drafts])
    placed = [(at, d) for d in drafts if (at := first.get(d.made[0].event_id)) is not None]
    batch = str(plan.batch)
    others = [
        (draft, entries)
        for draft, entries in _entries(ledger, placed)
        if entries[0].envelope.get("request_id") != batch  # else the same files, read alike
    ]
    owners = set(sealed_owners([entry.fields for _, entries in others for entry in entries]))
    ledger.hold(owners)
    plan.met |= {owner.subject for owner in owners}
    found = [
        (draft, _otherwise(_batch(entries), tuple(fields)))
        for draft, entries in others
        if (fields := list(_differing(ledger, draft, entries)))
    ]
    ledger.vault.forget(owners)
    return found


def _entries(
    ledger: Ledger, placed: list[tuple[int, Draft]]
) -> Iterator[tuple[Draft, list[Entry]]]:
    """Each draft with the acts that were entered under its first event id, in one request."""
    if not placed:
        return
    last = max(position + len(draft.made) for position, draft in placed)
    start = min(position for position, _ in placed)
    at: dict[int, Entry] = {}
    if last - start <= _WIDE * len(placed):
        at = {e.position: e for e in ledger.entries(after=start - 1, until=last)}
    for position, draft in placed:
        span = range(position, position + len(draft.made) + 1)
        here = at or {e.position: e for e in ledger.entries(after=position - 1, until=span[-1])}
        source = here[position].envelope.get("source")
        run = (here[n] for n in span if n in here)
        yield draft, [
            e for e in run if e.type != "RowRead" and e.envelope.get("source") == source
        ]  # fmt: skip


def _differing(ledger: Ledger, draft: Draft, entries: list[Entry]) -> Iterator[str]:
    """The fields in which a draft and what was entered of its row differ."""
    entered = {entry.id: entry for entry in entries}
    if {str(made.event_id) for made in draft.made} != entered.keys():
        yield "type"
    for made in draft.made:
        entry = entered.get(str(made.event_id))
        if entry is not None and (fields := list(_unlike(ledger, made, entry))):
            newest = _corrected(ledger, entry)
            yield from fields if newest is None else _unlike(ledger, made, newest)


def _unlike(ledger: Ledger, made: Made, entry: Entry) -> Iterator[str]:
    said = made.event.model_dump(mode="json", exclude_none=True)
    known = ledger.vault.reveal(entry.fields)
    if entry.type != type(made.event).__name__:
        yield "type"
        return
    days = (made.effective, entry.effective), (made.until, made.until and entry.until)
    yield from (name for name, (ours, theirs) in zip(_DAYS, days, strict=True) if ours != theirs)
    for name in sorted(said.keys() | known.keys()):
        theirs = known.get(name)
        hidden = isinstance(theirs, Mapping) and any(theirs.get(word) is True for word in _HIDDEN)
        if said.get(name) != theirs and not hidden:
            yield name


def _corrected(ledger: Ledger, entry: Entry) -> Entry | None:
    """The newest correction of an entry."""
    later = [e for e in ledger.entries([f"fact:{entry.root}"], [entry.type]) if e.corrects]
    return later[-1] if later else None


def _batch(entries: Iterable[Entry]) -> str:
    return next((str(e.envelope["request_id"]) for e in entries if "request_id" in e.envelope), "")


@cache
def _otherwise(batch: str, differing: tuple[str, ...]) -> Reason:
    fields = dict.fromkeys(differing)
    zh = "、".join(_word(field, fields, "zh") for field in fields)
    en = ", ".join(_word(field, fields, "en") for field in fields)
    return Reason(
        "entered-otherwise",
        f"此行已按另一内容登记(批次 {batch[:8]},同一来源、编号、截至日期),不同之处:{zh}",
        f"entered already with other content (batch {batch[:8]}, of the same source, key and"
        f" date); what differs: {en}",
        f"有误的是已登记者,更正该登记或撤销批次(import undo {batch[:8]})后重新导入;"
        "其后才变更的,以新的截至日期导入",
        f"if what is entered is wrong, correct it or undo the batch (import undo {batch[:8]}) and"
        " import again; what changed later belongs in a sheet of a later date",
    )  # fmt: skip


def _word(field: str, fields: Mapping[str, None], lang: str) -> str:
    if field in _WORDS:
        return _WORDS[field][lang == "en"]
    return named_among(field, ("person", *fields), lang)


# what stands twice among the files


def reject_repeated(plan: Plan) -> None:
    """Of rows of several files, of one date, that share what is one person's alone: those that say
    the same are one, those that differ are rejected, each of them.
    """
    unlike: dict[int, tuple[Draft, Draft]] = {}
    for drafts in _sharing(plan):
        for draft in drafts:
            for other in drafts:
                if _content(other) != _content(draft):
                    unlike.setdefault(draft.id, (draft, other))
    for draft, other in unlike.values():
        reject_conflict(plan, draft, _elsewhere(plan.files[other.sheet]), other.row)


def _sharing(plan: Plan) -> Iterable[list[Draft]]:
    """The rows of several rosters that share what is one person's alone."""
    rosters = [
        n for n, path in enumerate(plan.paths)
        if (sheet := plan.mapping.sheet_of(path.name)) and sheet.unique
    ]  # fmt: skip
    if len(rosters) < 2:
        return []
    alike = Keys(plan.shelf)
    for n in rosters:
        for part in _parts(plan.drafts.read(n)):
            alike.add((told, draft.id) for draft in part for told in _alone(plan, draft))
    suspects = alike.repeated()
    together: defaultdict[Any, list[Draft]] = defaultdict(list)
    for draft in chain.from_iterable(map(plan.drafts.read, rosters if suspects else [])):
        for told in _alone(plan, draft) if draft.id in suspects else ():
            together[told].append(draft)
    return together.values()


def _parts(drafts: Iterator[Draft]) -> Iterator[list[Draft]]:
    while part := list(islice(drafts, _TOGETHER)):
        yield part


def _alone(plan: Plan, draft: Draft) -> set[tuple[str, ...]]:
    """What is one row's alone on one date."""
    date = plan.edition(draft)
    numbers = (m.event.number for m in draft.made if isinstance(m.event, RecordOpened))
    told = {("number", n.upper()) for n in numbers if n} | {*draft.unique(), ("key", draft.key)}
    return {(date, *one) for one in told}


def _content(draft: Draft) -> tuple[Any, ...]:
    return tuple((type(m.event), m.event.model_dump(), m.effective, m.until) for m in draft.made)


@cache
def _elsewhere(file: str) -> Reason:
    return CONFLICTING._replace(
        rule="conflicting-files",
        zh=f"同一人员或编号在 {file} 中有内容不同的一行",
        en=f"a row of {file} for the same person or number differs",
    )
