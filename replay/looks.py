"""Reads in a bundle of evidence: who looked at the persons of it, under the head of their own log.

Owns the files of a bundle that hold reads. Invariant: a list names nobody, so whom it held is put
beside it only where that gives its digest; what is kept back leaves its leaf and its position.
"""

from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson
from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.ledger.log import EventLog
from domain.ledger.reads import LIST, ReadLog, Row, digest_of
from domain.ledger.stored import StoredEntry
from domain.merkle import inclusion, leaf_bytes
from domain.notes import Verifier
from replay.stamps import around
from replay.stamps import told as as_told

PAGE = 1 << 16
TOGETHER = 2_000


class Unprovable(Exception):
    """No bundle can be made as asked; said in two languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        super().__init__(en)


class Looks(NamedTuple):
    """The reads to be put in. `kept_back`: of these rows, the positions that stay out. `held`: whom
    the question of a list still gives, None where it cannot be put again. `old`: heads of this log
    that were kept, which its last shall extend.
    """

    log: ReadLog
    kept_back: Callable[[list[Row]], set[int]]
    held: Callable[[Row], set[str] | None]
    old: Sequence[int] = ()


class Packing:
    """The files of the reads: of these persons, or with `whole` all of them under the last head."""

    def __init__(
        self, looks: Looks, persons: Collection[str], key: Verifier, *, whole: bool
    ) -> None:
        self._looks, self._persons, self._whole = looks, persons, whole
        self._seals = looks.log.sealer.seals
        sealed = self._seals.last()
        if sealed is None or not sealed.note.signed_by(key._replace(name=sealed.head.origin)):
            raise Unprovable(
                "查阅日志没有现用密钥的封签,请先封签",
                "the log of reads has no head under the key in force; seal first",
            )
        if any(not 0 < old <= sealed.size for old in looks.old):
            raise Unprovable(
                "所存查阅日志封签大于所用封签", "a head kept of the reads is larger than the last"
            )
        self._sealed, self._size = sealed, sealed.size
        self._withheld: list[int] = []
        self._again: dict[str, set[str] | None] = {}  # by digest: each question is put once

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Name and content, in order."""
        yield "reads-head.note", iter([str(self._seals.with_cosignatures(self._sealed)).encode()])
        proved: list[int] = []
        lists: dict[str, set[str]] = {}
        yield "reads.bin", self._rows(proved, lists)
        if self._whole:
            yield "reads-leaves.bin", self._leaves()
        subtree = self._seals.subtree()
        proofs = {
            str(p): [b64encode(one).decode() for one in inclusion(p - 1, self._size, subtree)]
            for p in proved
        }
        yield "reads-proofs.json", iter([orjson.dumps(proofs)])
        told = [{"digest": digest, "persons": sorted(held)} for digest, held in lists.items()]
        yield "reads-lists.json", iter([orjson.dumps(told)])
        every = self._seals.stamps(0, self._size)
        bounds = every if self._whole else around(every, proved)
        olds = {*self._looks.old, *(() if self._whole else (one.sealed.size for one in bounds))}
        extensions = {
            str(old): [b64encode(one).decode() for one in self._seals.extension(old, self._size)]
            for old in sorted(olds - {self._size})
        }
        yield "reads-extensions.json", iter([orjson.dumps(extensions)])
        yield "reads-stamps.json", iter([orjson.dumps([as_told(one) for one in bounds])])

    def manifest(self) -> dict[str, Any]:
        """What the manifest says of them, once they are written."""
        return {
            "origin": self._sealed.head.origin, "head": self._size,
            "complete": self._whole, "withheld": self._withheld,
        }  # fmt: skip

    def _rows(self, proved: list[int], lists: dict[str, set[str]]) -> Iterator[bytes]:
        log = self._looks.log.log
        stored = log.entries(until=self._size) if self._whole else self._own(log)
        while batch := [*islice(stored, TOGETHER)]:
            yield from self._batch(batch, proved, lists)

    def _batch(
        self, batch: Sequence[StoredEntry], proved: list[int], lists: dict[str, set[str]]
    ) -> Iterator[bytes]:
        rows = [Row.of(stored) for stored in batch]
        back = self._looks.kept_back([row for row in rows if "outcome" in row.said])
        self._withheld += sorted(back) if self._whole else []
        for stored, row in zip(batch, rows, strict=True):
            if row.position in back:
                continue
            held = self._held(row)
            if not self._whole and held is not None and held.isdisjoint(self._persons):
                continue
            if row.listed and held is not None:
                lists[row.said["digest"]] = held
            if not self._whole:
                proved.append(row.position)
            raw = leaf_bytes(*stored)
            yield len(raw).to_bytes(4) + raw

    def _held(self, row: Row) -> set[str] | None:
        """Who was in the answer; None where that can be learnt no more."""
        if not row.listed:
            return {tag[7:] for tag in row.tags if tag.startswith("person:")}
        digest = row.said["digest"]
        if digest not in self._again:
            held = self._looks.held(row)
            same = held is not None and digest_of(held) == digest
            self._again[digest] = held if same else None
        return self._again[digest]

    def _own(self, log: EventLog) -> Iterator[StoredEntry]:
        """What names one of the persons, and every list: whether they were in it is seen then."""
        tags = [LIST, *(f"person:{one}" for one in self._persons)]
        query = DCBQuery(items=[DCBQueryItem(tags=[tag]) for tag in tags])
        return log.entries(query, until=self._size)

    def _leaves(self) -> Iterator[bytes]:
        for low in range(0, self._size, PAGE):
            yield b"".join(self._seals.hashes(0, low, min(low + PAGE, self._size)))
