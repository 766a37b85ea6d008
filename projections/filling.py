"""Filling an empty records table from the whole log, on every core.

Owns the division of a full replay among processes. Invariant: entries that can affect one another
(a root, its corrections, its endings, the departures of a person under every id) are folded by the
same process, in order of position, and every process folds the merges; so the rows are those that
one fold of the whole log gives.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import NamedTuple
from zlib import crc32

from psycopg_pool import ConnectionPool

from domain import acts
from domain.bitemporal import FOREVER, Fact
from domain.chains import uncapped
from domain.events import REGISTRY, Entry, Event
from domain.forest import Forest
from domain.ledger.log import EventLog
from domain.ledger.reading import ever_joined
from domain.ledger.stored import StoredEntry
from domain.record import Record
from projections.records import Records

ALONE_BELOW = 30_000


class Share(NamedTuple):
    """One process's part: the subjects whose hash leaves this remainder."""

    log: str
    prefix: str
    database: str
    table: str
    until: int
    remainder: int
    of: int

    def has(self, subject: str, joined: Forest) -> bool:
        """Whether the subject falls to this share; all who were ever one person fall to one."""
        kind, _, id_ = subject.partition(":")
        if kind == "person":
            subject = f"person:{joined.kept(id_)}"
        return crc32(subject.encode()) % self.of == self.remainder


def fill(
    log: EventLog,
    database: str,
    table: str,
    until: int,
    processes: int,
    progress: Callable[[float], None] = lambda _: None,
    alone_below: int = ALONE_BELOW,
) -> None:
    """Copy the facts of entries 1…until into an existing, empty table without indexes.

    `progress` is told the share done, between 0 and 1. One process does fewer entries than
    `alone_below`.
    """
    processes = 1 if until < alone_below else processes
    shares = [
        Share(log.conninfo, log.prefix, database, table, until, n, processes)
        for n in range(processes)
    ]
    if processes == 1:
        fill_share(shares[0], progress)
        return
    context = get_context("spawn")
    told = context.Manager().list([0.0] * processes)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = [pool.submit(_in_process, share, told) for share in shares]
        with ThreadPoolExecutor(1) as waiter:
            done = waiter.submit(lambda: [one.result() for one in running])
            while not done.done():
                progress(sum(told) / processes)
                try:
                    done.result(timeout=0.2)
                except TimeoutError:
                    continue
            done.result()


def _in_process(share: Share, told: MutableSequence[float]) -> None:
    acts.load()
    gc.disable()  # a fold makes no cycles; looking for them among its chains takes a seventh of it

    def tell(part: float) -> None:
        told[share.remainder] = part

    fill_share(share, tell)


def fill_share(share: Share, progress: Callable[[float], None]) -> None:
    log = EventLog(share.log, prefix=share.prefix, pool_size=2, create=False)
    pool = ConnectionPool(share.database, min_size=1, max_size=1, open=True)
    try:
        with pool.connection() as connection:
            facts = _facts(log, share, progress)
            Records(pool, share.table).copy(connection, facts)
    finally:
        pool.close()
        log.close()


def _facts(log: EventLog, share: Share, progress: Callable[[float], None]) -> Iterator[Fact]:
    """The versions of this share, each written once, when nothing later can close it."""
    referred = {tag[5:] for tag in log.tags_from("fact:")}
    leaving = [name for name, cls in REGISTRY.items() if cls.leaves]
    leavers = {
        tag for tag in log.tags_of_types(leaving) if tag.startswith("person:")
    } if leaving else set()  # fmt: skip
    joined = ever_joined(log, share.until)
    watched = leavers | {f"person:{person}" for person in joined}
    stated = {w.facet.name for cls in REGISTRY.values() if cls.merges for w in cls.writes}

    def written(facts: Iterable[Fact]) -> Iterator[Fact]:
        """All but what a merge, which every process folds, states of another's subject."""
        return (f for f in facts if f.facet not in stated or share.has(f.subject, joined))

    record = Record(remember=False)
    mine = _Division(share, joined).mine
    for stored in log.entries(until=share.until):
        if stored.position % 4096 == 0:
            progress(stored.position / share.until)
        own = mine(stored)
        if own is False:
            continue
        entry = Entry(*stored)
        if own is None and not _owns(entry, share, record, joined):
            continue
        if (
            entry.corrects
            or entry.ended
            or entry.id in referred
            or not watched.isdisjoint(entry.tags)
        ):
            yield from written(f for f in record.apply(entry) if f.known_to != FOREVER)
        else:
            yield from uncapped(entry)
    for chain in record.chains.values():
        yield from written(chain.facts)
    progress(1.0)


class _Division:
    """What falls to a share, told by type and tags wherever those suffice."""

    def __init__(self, share: Share, joined: Forest) -> None:
        self._alone = share.of == 1
        self._everybodys = {name for name, cls in REGISTRY.items() if cls.merges}
        self._kinds = {name: _kind(cls) for name, cls in REGISTRY.items()}
        self._has = cache(lambda subject: share.has(subject, joined))

    def mine(self, stored: StoredEntry) -> bool | None:
        """Whether the share has this entry; None where only its content can tell."""
        if self._alone or stored.type in self._everybodys:
            return True
        kind = self._kinds[stored.type]
        if kind is None:
            return None
        filed = [tag for tag in stored.tags if tag.startswith(kind)]
        return self._has(filed[0]) if len(filed) == 1 else None


def _owns(entry: Entry, share: Share, record: Record, joined: Forest) -> bool:
    if entry.corrects:
        return entry.root in record.chains
    cls = entry.cls
    facet = next((w.facet for w in cls.writes), None) or next(iter(cls.ends), None)
    if facet is None:
        return False
    key = (
        cls.writes[0].key
        if cls.writes
        else next(name for name, kind in cls.subjects if kind == facet.of)
    )
    value = entry.fields.get(key)
    if value is None:
        return share.remainder == 0
    first = value if isinstance(value, str) else value[0]
    return share.has(f"{facet.of}:{first}", joined)


def _kind(cls: type[Event]) -> str | None:
    facet = next((w.facet for w in cls.writes), None) or next(iter(cls.ends), None)
    return f"{facet.of}:" if facet else None
