"""Batches: what was imported together, and undoing it whole.

Owns the list of batches and their undoing. Invariant: a batch is undone only where no later act
that stands corrects, ends or was decided on a fact of it; what depends on it is named.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID, uuid5

from domain.acts.imports import ImportBegun, ImportFinished, ImportUndone, SheetRead
from domain.chains import content_of
from domain.events import FACETS, Actor, Document, Entry, FactAnnulled, Proposal
from domain.ledger import Ledger, Request
from domain.refusals import BadInput, RecordForbids, UnknownSubject

TOGETHER = 9_000
"""Annulments in one request: a larger batch is undone in several, and taken up where it broke."""

_ENDS = ("ImportBegun", "ImportFinished", "ImportUndone")
OWN = (*_ENDS, "SheetRead", "RowRead")
"""A batch's own account: what the files are and said. It stays when the acts are undone."""


class Batch(NamedTuple):
    """`finished` and `undone` are None while the batch is under way; `entries` is known then."""

    id: str
    mapping: str
    files: list[str]
    digests: list[str]
    begun: datetime
    position: int
    entries: int | None
    rejected: int | None
    finished: datetime | None
    undone: datetime | None


class Dependent(NamedTuple):
    """A later act that stands on the batch; `why`: corrects, ends, decided."""

    position: int
    type: str
    subjects: list[str]
    why: str


class Target(NamedTuple):
    """A fact of the batch that stands: its newest entry is what an annulment names."""

    position: int
    type: str
    newest: str
    together: str


class Undoing(NamedTuple):
    """What undoing a batch would annul, the last entry first; `already`: what is annulled."""

    batch: Batch
    targets: list[Target]
    already: int
    dependents: list[Dependent]

    @property
    def events(self) -> Counter[str]:
        return Counter(target.type for target in self.targets)


def all_batches(ledger: Ledger) -> list[Batch]:
    """Every batch in order of beginning."""
    found: dict[str, Batch] = {}
    for entry in ledger.entries(types=_ENDS):
        fields, at = entry.fields, entry.recorded_at
        batch = fields["batch"]
        if entry.type == "ImportBegun":
            found[batch] = Batch(
                batch, fields["mapping"], fields["files"], fields["digests"], at,
                entry.position, None, None, None, None,
            )  # fmt: skip
        elif entry.type == "ImportFinished":
            found[batch] = found[batch]._replace(
                entries=fields["entries"], rejected=fields["rejected"], finished=at
            )
        else:
            found[batch] = found[batch]._replace(undone=at)
    return list(found.values())


def batch_named(ledger: Ledger, name: str) -> Batch:
    """The batch whose id begins so. Raises UnknownSubject, BadInput where several do."""
    found = [batch for batch in all_batches(ledger) if batch.id.startswith(name.lower())]
    if not found or not name:
        raise UnknownSubject(f"no batch {name}", zh=f"没有导入批次 {name}", field="batch")
    if len(found) > 1:
        raise BadInput("several batches begin so", zh="有多个批次以此开头", field="batch")
    return found[0]


def count_entries(ledger: Ledger, batch: Batch) -> int:
    """How many entries carry the batch, those that keep its own account left out."""
    mark = f'"request_id":"{batch.id}"'.encode()
    stored = ledger.log.entries(after=batch.position)
    return sum(mark in one.data and one.type not in OWN for one in stored)


def undone_roots(ledger: Ledger) -> set[str]:
    """The event ids of the facts that undoing took away: these alone may be imported again."""
    begun = {entry.id for entry in ledger.entries(types=["ImportBegun"])}
    if not begun:
        return set()
    gone: set[str] = set()
    annulled: set[str] = set()
    for entry in ledger.entries(types=["FactAnnulled"]):
        annulled ^= {entry.root}
        if entry.root in annulled and entry.envelope.get("cause") in begun:
            gone.add(entry.root)
        else:
            gone.discard(entry.root)
    return gone


# undoing


class _Pass:
    """One pass over the log from a batch's beginning: its facts, and what came to rest on them."""

    def __init__(self, batch: str) -> None:
        self._batch = batch
        self._targets: dict[str, Target] = {}
        self._spans: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self._dependents: dict[str, tuple[Dependent, set[str]]] = {}
        self._annulled: set[str] = set()

    def take(self, entry: Entry) -> None:
        if entry.type in OWN:
            return
        if entry.type == FactAnnulled.__name__:
            self._annulled ^= {entry.root}
        elif entry.envelope.get("request_id") == self._batch:
            together = entry.envelope.get("batch") or entry.id
            self._targets[entry.id] = Target(entry.position, entry.type, entry.id, together)
            for strand, first, until in _changed(entry):
                self._spans[strand].append((first, until, entry.id))
            return
        elif (why := self._why(entry)) is not None:
            subjects = [tag for tag in entry.tags if not tag.startswith("fact:")]
            dependent = Dependent(entry.position, entry.type, subjects, why[0])
            self._dependents[entry.root] = (dependent, why[1])
        else:
            self._dependents.pop(entry.root, None)
        if entry.root in self._targets:
            self._targets[entry.root] = self._targets[entry.root]._replace(newest=entry.id)

    def _why(self, entry: Entry) -> tuple[str, set[str]] | None:
        """How an entry rests on facts of the batch, and on which."""
        if entry.root in self._targets:
            return "corrects", {entry.root}
        if entry.ended in self._targets:
            return "ends", {entry.ended}
        premise = entry.envelope["premise"]
        first, last = premise["from"], premise["to"]
        found = {
            root for read in premise["reads"] for start, end, root in self._spans.get(read, ())
            if start <= last and first < end
        }  # fmt: skip
        return ("decided", found) if found else None

    def targets(self) -> list[Target]:
        """The facts that stand, the last one first."""
        standing = [t for root, t in self._targets.items() if root not in self._annulled]
        return standing[::-1]

    def already(self) -> int:
        return len(self._annulled & self._targets.keys())

    def dependents(self) -> list[Dependent]:
        """Those that stand, on facts that stand."""
        return sorted(
            dependent for root, (dependent, facts) in self._dependents.items()
            if root not in self._annulled and not facts <= self._annulled
        )  # fmt: skip


def _changed(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """(facet@subject, first day, day after the last) of all that an entry writes or ends."""
    content = content_of(entry)
    until, day, open_ = content.until.isoformat(), content.effective.isoformat(), "9999-12-31"
    for spec in content.specs:
        first = spec.effective.isoformat() if spec.effective else day
        yield f"{spec.facet}@{spec.subject}", first, until
    ended = entry.cls.ends if content.ends else ()
    for facet in ended:
        for tag in entry.tags:
            if tag.startswith(f"{facet.of}:"):
                yield f"{facet.name}@{tag}", day, open_
    if content.leaves is not None:
        for facet in FACETS.values():
            if facet.of == "person" and not facet.stays:
                yield f"{facet.name}@{content.leaves}", day, open_


def plan_undo(ledger: Ledger, name: str) -> Undoing:
    """What undoing the batch would annul, and what stands in its way. Nothing is entered.

    Raises UnknownSubject, BadInput.
    """
    batch = batch_named(ledger, name)
    log = _Pass(batch.id)
    for entry in ledger.entries(after=batch.position):
        log.take(entry)
    return Undoing(batch, log.targets(), log.already(), log.dependents())


def undo(
    ledger: Ledger,
    name: str,
    actor: Actor | None = None,
    progress: Callable[[int, int], None] | None = None,
    together: int = TOGETHER,
    approved_by: str | None = None,
) -> Undoing:
    """Annul what the batch entered, the last first; in one request up to `together` annulments.

    May be broken off and run again: what is annulled already is left, and what somebody has brought
    back of an undone batch is annulled again. `approved_by` lets closed periods change. Raises
    RecordForbids with the position of the first later act that rests on the batch; UnknownSubject,
    BadInput.
    """
    planned = plan_undo(ledger, name)
    if planned.dependents:
        first = planned.dependents[0]
        raise RecordForbids(
            f"{len(planned.dependents)} later acts rest on this batch, the first a {first.type} "
            f"of {', '.join(first.subjects)}",
            zh=f"有 {len(planned.dependents)} 项以后的登记以该批次为据,最早一项为 {first.type}"
            f"({'、'.join(first.subjects)})",
            field="batch",
            position=first.position,
        )
    if planned.batch.undone is not None and not planned.targets:
        return planned
    parts = list(_parts(planned.targets, together)) or [[]]
    done, total = 0, len(planned.targets)
    for number, part in enumerate(parts, 1):
        proposals = [_annulment(planned.batch, target) for target in part]
        if number == len(parts) and planned.batch.undone is None:
            proposals.append(_account(ledger, planned))
        asked = _request(planned.batch, proposals, actor or Actor())
        ledger.enter(asked._replace(approved_by=approved_by))
        done += len(part)
        if progress is not None:
            progress(done, total)
    return planned


def _parts(targets: Sequence[Target], most: int) -> Iterator[list[Target]]:
    """Runs of targets that fit one request; what was entered together stays together."""
    part: list[Target] = []
    for _, group in groupby(targets, lambda target: target.together):
        whole = list(group)
        if part and len(part) + len(whole) > most:
            yield part
            part = []
        part += whole
    if part:
        yield part


def _annulment(batch: Batch, target: Target) -> Proposal:
    return Proposal(
        FactAnnulled(), batch.begun.date(), annuls=UUID(target.newest), cause=begun_id(batch.id),
        event_id=uuid5(UUID(batch.id), f"undo|{target.newest}"),
    )  # fmt: skip


def _account(ledger: Ledger, planned: Undoing) -> Proposal:
    annulled = planned.already + len(planned.targets)
    return Proposal(
        ImportUndone(batch=planned.batch.id, annulled=annulled), ledger.today(),
        event_id=uuid5(UUID(planned.batch.id), "undone"),
    )  # fmt: skip


def _request(batch: Batch, proposals: Sequence[Proposal], actor: Actor) -> Request:
    document = Document(none_because=f"撤销导入批次 {batch.id}")
    return Request(
        proposals, mood="attested", actor=actor, document=document, request_id=f"undo:{batch.id}",
        attested_by=actor.subject,
    )  # fmt: skip


# keeping account


def begun_id(batch: str) -> UUID:
    """The event id of the entry that begins a batch; the cause of every annulment of undoing."""
    return uuid5(UUID(batch), "begun")


def begin(ledger: Ledger, begun: ImportBegun, actor: Actor) -> None:
    """Enter that a batch begins; nothing where it has."""
    proposal = Proposal(begun, ledger.today(), event_id=begun_id(begun.batch))
    _keep(ledger, proposal, begun.batch, actor)


def read_sheets(ledger: Ledger, sheets: Sequence[SheetRead], batch: str, actor: Actor) -> None:
    """Enter what the columns of a batch's sheets go into; nothing where that was entered."""
    day = ledger.today()
    for sheet in sheets:
        event_id = uuid5(UUID(batch), f"sheet|{sheet.place}")
        _keep(ledger, Proposal(sheet, day, event_id=event_id), batch, actor)


def finish(ledger: Ledger, batch: str, rejected: int, actor: Actor) -> None:
    """Enter that a batch is through; nothing where that was said of as many entries."""
    entries = count_entries(ledger, batch_named(ledger, batch))
    finished = ImportFinished(batch=batch, entries=entries, rejected=rejected)
    event_id = uuid5(UUID(batch), f"finished|{entries}")
    _keep(ledger, Proposal(finished, ledger.today(), event_id=event_id), batch, actor)


def _keep(ledger: Ledger, proposal: Proposal, batch: str, actor: Actor) -> None:
    document = Document(none_because="导入批次的记载")
    ledger.enter(
        Request([proposal], mood="attested", actor=actor, document=document, request_id=batch,
                attested_by=actor.subject)
    )  # fmt: skip
