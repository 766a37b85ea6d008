"""The log of reads: who looked at whose record, when, by which right and what for.

Owns the second log, under its own prefix, and the form of its rows. Invariant: a row holds opaque
ids, dates, codes and what the reader stated, never a private value; once it is answered for, it is
durable, and the second tree seals it as the first seals entries.

Beside reads it holds heads of the ledger (`HeadNoted`: format, id, size, note) and changes of the
key that signs its own heads (`SealKeyChanged`, as the ledger has them).

A read's data is JSON in this order, absent ones left out: format, id, outcome, actor, via (route or
command), question, parameters, effective, recorded and fold (what the answer was of), classes (of
private fields that were open), count and digest (of everyone in the answer), subject (where it is
about one person), part (of several rows), purpose, case, rights, request_id. Who is named has a tag
`person:…`; the case that was stated, and every sealed one that the answer told of, a tag `case:…`.
Where a question can be put again, an answer about many names nobody: it has the tag `list` instead,
and its digest says whether the question still gives the same persons.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Self
from uuid import UUID, uuid4

import orjson
import psycopg
import structlog
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem
from psycopg_pool import PoolTimeout

from domain.acts.rights import account_of
from domain.acts.seals import SealKeyChanged
from domain.events import Actor
from domain.ledger.log import Append, EventIdKnown, EventLog, LogError, NewEntry
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Sealed
from domain.ledger.stored import StoredEntry
from domain.refusals import Refusal

PREFIX = "reads_"
FORMAT = 1
FEW = 16
"""An answer about this many persons names each of them, whether it could be asked again or not."""
NAMED_AT_ONCE = 500
PARTITION = 1_000_000
"""Rows of a partition: the log is cut by whole ones."""

SUBJECTS = ("log", "cut")
"""What its schema is made of, beside its seals."""

RECORD_READ, READ_DENIED, HEAD_NOTED = "RecordRead", "ReadDenied", "HeadNoted"
LIST = "list"
_logger = structlog.get_logger(__name__)


class ReadNotRecorded(Refusal):
    """The read cannot be put on record, so it is not answered."""

    code = "read-not-recorded"
    category = "unavailable"
    zh = "此次查阅不能留痕,不予答复"


class Read(NamedTuple):
    """One look at records, as it is about to be answered, or as it was denied.

    `persons`: everyone in the answer. `again`: the same question gives the same persons whenever it
    is put. `cases`: the sealed ones that the answer tells of. `rights`: those used, with the
    units they cover; None where nobody is asked for any.
    """

    actor: Actor
    via: str
    outcome: Literal["allowed", "denied"] = "allowed"
    question: str | None = None
    parameters: Mapping[str, Any] = {}
    as_of: Mapping[str, Any] = {}
    classes: Collection[str] = ()
    persons: Collection[str] = ()
    subject: str | None = None
    again: bool = False
    purpose: str | None = None
    case: str | None = None
    cases: Collection[str] = ()
    rights: Sequence[Mapping[str, Any]] | None = None
    request_id: str | None = None


class Row(NamedTuple):
    """A read as it lies in the log."""

    position: int
    recorded_at: datetime
    type: str
    tags: list[str]
    said: dict[str, Any]

    @classmethod
    def of(cls, stored: StoredEntry) -> Self:
        return cls(*stored[:4], orjson.loads(stored.data))

    @property
    def listed(self) -> bool:
        """Whether who was in the answer is only known by putting the question again."""
        return LIST in self.tags


class ReadLog:
    """The reads of one ledger, in its database; `sealer` is this log's own."""

    def __init__(self, conninfo: str, sealer: Sealer) -> None:
        self.log = EventLog(conninfo, prefix=PREFIX, partition_size=PARTITION, subjects=SUBJECTS)
        self.sealer = sealer

    def record(self, read: Read) -> int:
        """Put a read on record; the position of its row, durable on return.

        Raises ReadNotRecorded, with an alarm: then there must be no answer.
        """
        rows = list(_rows(read))
        try:
            return self.log.enter(Append(rows)).last
        except (LogError, psycopg.Error, PoolTimeout, OSError) as fault:
            _logger.critical("read-not-recorded", fault=type(fault).__name__, via=read.via)
            raise ReadNotRecorded from fault

    def naming(self, persons: Iterable[str], after: int, until: int) -> Iterator[Row]:
        """The rows that name one of these persons, in order."""
        tags = [f"person:{person}" for person in persons]
        return self._rows([DCBQueryItem(tags=[tag]) for tag in tags], after, until)

    def lists(self, after: int, until: int) -> Iterator[Row]:
        """The rows that name nobody: answers about many."""
        return self._rows([DCBQueryItem(tags=[LIST])], after, until)

    def note_head(self, sealed: Sealed) -> None:
        """Note a head of the ledger: who keeps this log's heads has seen that one too."""
        id_, head = uuid4(), sealed.head
        said = {"format": FORMAT, "id": str(id_), "size": head.size, "note": str(sealed.note)}
        tags = [f"ledger:{head.origin.rpartition('/')[2]}"]
        self.log.enter(Append([NewEntry(HEAD_NOTED, tags, orjson.dumps(said), id_)]))

    def noted(self, after: int = 0) -> Iterator[Row]:
        """The heads of the ledger that were noted here, in order."""
        return self._rows([DCBQueryItem(types=[HEAD_NOTED])], after, self.log.head())

    def any_read(self, after: int) -> bool:
        """Whether there is a read after a position."""
        query = DCBQuery(items=[DCBQueryItem(types=[RECORD_READ, READ_DENIED])])
        return next(self.log.entries(query, after=after, limit=1), None) is not None

    def change_key(self, change: SealKeyChanged, id_: UUID) -> None:
        """Name another key for this log's heads, signed by both; a repetition changes nothing."""
        said = {"format": FORMAT, "id": str(id_), "fields": change.model_dump(mode="json")}
        entry = NewEntry(SealKeyChanged.__name__, change.tags(), orjson.dumps(said), id_)
        with suppress(EventIdKnown):
            self.log.enter(Append([entry]))

    def _rows(self, items: list[DCBQueryItem], after: int, until: int) -> Iterator[Row]:
        stored = self.log.entries(DCBQuery(items=items), after=after, until=until)
        return map(Row.of, stored)

    def close(self) -> None:
        self.log.close()


def digest_of(persons: Iterable[str]) -> str:
    """What tells one set of persons from another: SHA-256 of their sorted ids, a line each."""
    return sha256("".join(f"{one}\n" for one in sorted(set(persons))).encode()).hexdigest()


def _rows(read: Read) -> Iterator[NewEntry]:
    persons = sorted(set(read.persons))
    listed = read.again and len(persons) > FEW
    named: list[Sequence[str]] = [
        () if listed else persons[n : n + NAMED_AT_ONCE]
        for n in range(0, 1 if listed else len(persons) or 1, NAMED_AT_ONCE)
    ]
    account = account_of(read.actor.issuer, read.actor.subject)
    digest = digest_of(persons) if persons else None
    for part, those in enumerate(named, 1):
        id_ = uuid4()
        said = {
            "format": FORMAT, "id": str(id_), "outcome": read.outcome,
            "actor": read.actor.model_dump(), "via": read.via, "question": read.question,
            "parameters": dict(read.parameters) or None,
            **{name: read.as_of.get(name) for name in ("effective", "recorded", "fold")},
            "classes": sorted(read.classes) or None,
            "count": len(persons), "digest": digest,
            "subject": read.subject, "part": [part, len(named)] if len(named) > 1 else None,
            "purpose": read.purpose, "case": read.case, "rights": read.rights,
            "request_id": read.request_id,
        }  # fmt: skip
        tags = [f"person:{one}" for one in those] + [f"account:{account}"]
        tags += [LIST] if listed else []
        tags += [f"case:{case}" for case in sorted({*read.cases, read.case or ""} - {""})]
        data = orjson.dumps({name: what for name, what in said.items() if what is not None})
        type_ = RECORD_READ if read.outcome == "allowed" else READ_DENIED
        yield NewEntry(type_, tags, data, id_)
