"""The whole ledger as one file: dumped, checked without a database, loaded into an empty ledger.

Owns the archive's form. Invariant: a load stores the entries and the reads that were dumped, byte
for byte, at their positions and instants, or stores nothing; what is cut or altered is named by its
first entry.

An archive is gzip over JSON lines, in this order: what it is; with private values the vault's
secrets, its data keys (all wrapped) and the claims; every entry with its leaf; the answered
requests; of the rows of the log of reads that an entry ordered to go, and that went, the leaf
hashes, 256 a line; every row that is there with its leaf; last how many lines there are of each
kind, the roots over the leaves of both (RFC 9162: the ones that seals of the same heads sign) and
the SHA-256 of all lines before. The first format had no reads, the second none that were gone: it
is what is written where none are. All are read.
"""

import gzip
import hashlib
import os
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from domain.acts.seals import ReadsCut
from domain.ledger import Ledger
from domain.ledger.appends import MOST_ENTRY_BYTES, Claim
from domain.ledger.copying import (
    NotEmpty,
    NotTheSame,
    Remembered,
    Taking,
    Unstorable,
    hashes_of_gone,
    remembered,
    snapshot,
    taking_over,
)
from domain.ledger.log import EventLog
from domain.ledger.sealed import Owner
from domain.ledger.stored import StoredEntry
from domain.merkle import Frontier, leaf
from domain.refusals import BadInput, RecordForbids

KIND, WITHOUT_READS, WITH_READS, WITH_GONE = "personnel-ledger", 1, 2, 3
_LONGEST = MOST_ENTRY_BYTES * 8  # JSON may write a byte as \u00XX
_TOGETHER = 2_000
_LEVEL = 4

Progress = Callable[[float], None]


class Summary(NamedTuple):
    """What an archive holds. `root`: over every entry's leaf (RFC 9162), in hexadecimal; `reads`,
    `reads_root`: the same of the log of reads, None in an archive that has none. `gone`: of how
    many reads, the first ones, it has the hashes alone.
    """

    head: int
    private: bool
    root: str
    sha256: str
    reads: int | None = None
    reads_root: str | None = None
    gone: int = 0


class Loaded(NamedTuple):
    """`already`: the ledger held every entry of the archive, and nothing was stored."""

    summary: Summary
    already: bool


@contextmanager
def _nothing_left(unfinished: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def dump(
    ledger: Ledger, reads: EventLog, out: Path, *, private: bool,
    progress: Progress = lambda _: None,
) -> Summary:  # fmt: skip
    """Write the ledger and its log of reads as they stand now; people go on meanwhile.

    `private`: with the wrapped keys, without which nobody reads a private value of the copy again.
    `progress` is told the position. The same ledger gives the same bytes. Raises OSError, Broken;
    RecordForbids where reads are cut off meanwhile.
    """
    gone = reads.first() - 1
    unfinished = out.with_name(f".{out.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        _nothing_left(unfinished),
        os.fdopen(descriptor, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
    ):
        lines, tree, of_reads = hashlib.sha256(), Frontier(), Frontier()
        counts = Counter[str]()

        def put(line: dict[str, Any]) -> None:
            text = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
            lines.update(text)
            packed.write(text)
            counts[next(iter(line))] += 1

        with snapshot(ledger.log, reads) as (head, last_read, claims):
            put({"archive": KIND, "format": WITH_GONE if gone else WITH_READS, "head": head,
                 "private": private, "reads": last_read,
                 **({"reads_gone": gone} if gone else {})})  # fmt: skip
            # a key is durable before anything sealed with it: after the head, no key is missing
            for line in _private_lines(ledger, claims) if private else ():
                put(line)
        for stored in ledger.log.entries(until=head):
            hashed = leaf(*stored)
            tree.extend([hashed])
            put(_entry_line("entry", stored, hashed))
            progress(stored.position)
        for request in remembered(ledger.log, head):
            hashed_request = request.hash and request.hash.hex()
            put({"request": request.key, "hash": hashed_request, "first": request.first,
                 "last": request.last})  # fmt: skip
        for hashes in hashes_of_gone(reads, gone):
            put({"gone": of_reads.size + 1, "hashes": b64encode(b"".join(hashes)).decode()})
            of_reads.extend(hashes)
        for stored in reads.entries(until=last_read):
            if stored.position != of_reads.size + 1:
                raise RecordForbids(
                    "reads were cut off while they were dumped: dump again",
                    zh="导出期间有查阅日志到期销毁,请重新导出",
                )
            hashed = leaf(*stored)
            of_reads.extend([hashed])
            put(_entry_line("read", stored, hashed))
        root, reads_root, digest = tree.root().hex(), of_reads.root().hex(), lines.hexdigest()
        put({"end": dict(counts), "root": root, "sha256": digest, "reads_root": reads_root})
    unfinished.replace(out)
    return Summary(head, private, root, digest, last_read, reads_root, gone)


def _private_lines(ledger: Ledger, claims: Iterator[Claim]) -> Iterator[dict[str, Any]]:
    for name, wrapped in ledger.vault.secrets():
        yield {"secret": name, "wrapped": b64encode(wrapped).decode()}
    for owner, wrapped in ledger.vault.wrapped_keys():
        yield {"key": owner.subject, "class": owner.cls, "wrapped": b64encode(wrapped).decode()}
    for subject, cls, place, mark, body in ledger.vault.escrowed():
        yield {"escrow": subject, "class": cls, "place": place, "mark": b64encode(mark).decode(),
               "sealed": b64encode(body).decode()}  # fmt: skip
    for kind, subject, blind in claims:
        yield {"claim": kind, "subject": subject, "blind": (blind or b"").hex()}


def _entry_line(kind: str, stored: StoredEntry, hashed: bytes) -> dict[str, Any]:
    return {
        kind: stored.position,
        "recorded_at": stored.recorded_at.isoformat(),
        "type": stored.type,
        "tags": stored.tags,
        "data": stored.data.decode(),
        "leaf": hashed.hex(),
    }


def check(path: Path, progress: Progress = lambda _: None) -> Summary:
    """Read an archive from end to end, with no database. Raises BadInput, field "file"."""
    reader = Reader(path)
    for kind, part in reader.parts():
        if kind == "entry":
            progress(part.position)
    return reader.summary()


def secrets_of(path: Path) -> list[tuple[str, bytes]]:
    """The wrapped secrets of an archive, [] where private values were left out. Raises BadInput."""
    found = []
    for kind, part in Reader(path).parts():
        if kind == "secret":
            found.append(part)
        elif kind != "archive":
            break
    return found


def load(
    ledger: Ledger, reads: EventLog, path: Path, progress: Progress = lambda _: None,
    owner: str | None = None,
) -> Loaded:  # fmt: skip
    """Take an archive over into an empty ledger, its log of reads and its vault; a repetition
    changes nothing. `owner` connects as one that may act as the logs' owner.

    Raises BadInput (`position`: the first entry that is cut or altered), RecordForbids where the
    ledger holds other entries or reads, VaultUnfit where the key-encryption key is another's,
    NotOwner where this takes another role.
    """
    if ledger.log.head():
        return Loaded(_compare(ledger, reads, path, progress), already=True)
    reader = Reader(path)
    with ExitStack() as stack:
        try:
            # left last to first: the keys are durable before the entries are
            takings = stack.enter_context(taking_over(ledger.log, reads, owner))
            _take(reader, takings, ledger, stack, progress)
            summary = reader.summary()
        except NotEmpty as other:
            raise (_holds_others if ledger.log.head() else _holds_other_reads)(1) from other
        except (Unstorable, NotTheSame) as bad:
            raise BadInput(f"{path.name}: a part of it cannot be stored", field="file",
                           zh=f"{path.name}:有内容不能存入账本") from bad  # fmt: skip
    return Loaded(summary, already=False)


def _take(
    reader: "Reader", takings: tuple[Taking, Taking], ledger: Ledger, stack: ExitStack,
    progress: Progress,
) -> None:  # fmt: skip
    """Put every part where it belongs, many of a kind together."""
    taking, of_reads = takings
    waiting: list[Any] = []
    secrets: list[tuple[str, bytes]] = []
    puts: dict[str, Callable[[list[Any]], None]] = {
        "claim": taking.claims, "entry": taking.entries, "request": taking.requests,
        "gone": of_reads.gone, "read": of_reads.entries,
    }  # fmt: skip
    before = ""

    def flush() -> None:
        if before == "secret":
            vault = stack.enter_context(ledger.vault.taking_over(secrets))
            puts.update(key=vault.keys, escrow=vault.escrowed)
        elif waiting and before in puts:
            puts[before](waiting)
            if before == "entry":
                progress(waiting[-1].position)
        waiting.clear()

    for kind, part in reader.parts():
        if kind != before or len(waiting) == _TOGETHER:
            flush()
            before = kind
        if kind == "secret":
            secrets.append(part)
        else:
            waiting.append(part)
    flush()


def _compare(ledger: Ledger, reads: EventLog, path: Path, progress: Progress) -> Summary:
    """The archive's entries and reads are the ledger's first ones. Raises RecordForbids."""
    reader, held, position = Reader(path), ledger.log.entries(), 0
    gone = chain.from_iterable(hashes_of_gone(reads, reads.first() - 1))
    noted = chain(gone, (leaf(*row) for row in reads.entries()))
    for kind, part in reader.parts():
        if kind == "entry":
            if next(held, None) != part:
                raise _holds_others(part.position)
            progress(part.position)
        for hashed in part if kind == "gone" else [leaf(*part)] if kind == "read" else ():
            position += 1
            if next(noted, None) != hashed:
                raise _holds_other_reads(position)
    return reader.summary()


def _holds_others(position: int) -> RecordForbids:
    return RecordForbids(
        "this ledger has other entries from here on; an archive is loaded into an empty one",
        zh="该账本自此处起另有登记,备份只能装入空账本", position=position,
    )  # fmt: skip


def _holds_other_reads(position: int) -> RecordForbids:
    return RecordForbids(
        "the log of reads has other rows from here on; load it before anything is read",
        zh="查阅日志自此处起另有记录,备份只能在任何查阅之前装入", position=position,
    )  # fmt: skip


class Reader:
    """An archive read once, each part checked before it is given."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = 0
        self._private = False
        self._last_read: int | None = None  # of the log of reads
        self._gone = 0  # of them
        self._orders: dict[str, int] = {}  # to cut reads off: how many, by their ledger's name
        self._lines = hashlib.sha256()
        self._trees = {"entry": Frontier(), "read": Frontier()}
        self._counts: Counter[str] = Counter()
        self._summary: Summary | None = None

    def summary(self) -> Summary:
        """Of an archive that was read to its end."""
        if self._summary is None:
            raise self._bad("the archive is cut off here", "备份在此处中断")
        return self._summary

    def parts(self) -> Iterator[tuple[str, Any]]:
        """(kind, part) of each line but the last: archive head, secret (name, wrapped), key (owner,
        wrapped), escrow, claim, entry, request, gone (hashes), read. Raises BadInput.
        """
        try:
            with gzip.open(self._path) as packed:
                while line := packed.readline(_LONGEST):
                    kind, part = self._part(line)
                    if kind == "end":
                        if packed.read(1):
                            raise self._bad("something follows the end", "结尾之后另有内容")
                        return
                    yield kind, part
        except (OSError, EOFError, zlib.error) as fault:
            raise self._bad("the file cannot be read on from here", "文件自此处不能读取") from fault
        raise self._bad("the archive is cut off here", "备份在此处中断")

    def _part(self, line: bytes) -> tuple[str, Any]:
        with suppress(ValueError, KeyError, TypeError, AttributeError, StopIteration):
            said = orjson.loads(line)
            kind = next(iter(said))
            if (kind == "archive") == bool(self._counts):
                raise self._bad("not an archive of a ledger", "不是账本备份")
            if kind == "end":
                self._end(said)
                return kind, None
            self._lines.update(line)
            self._counts[kind] += 1
            return kind, _PARTS[kind](self, said)
        raise self._bad("this is not what was dumped", "与备份时不符")

    def _archive(self, said: dict[str, Any]) -> int:
        form = said["format"]
        if said["archive"] != KIND or form not in (WITHOUT_READS, WITH_READS, WITH_GONE):
            raise self._bad("an archive of another format", "备份格式不同")
        self._head, self._private = int(said["head"]), bool(said["private"])
        if form != WITHOUT_READS:
            self._last_read = int(said["reads"])
        if form == WITH_GONE:
            self._gone = int(said["reads_gone"])
        return self._head

    def _row(self, kind: str, said: dict[str, Any]) -> StoredEntry:
        """An entry, or a row of the log of reads."""
        position, recorded_at = said[kind], datetime.fromisoformat(said["recorded_at"])
        data = said["data"].encode()
        size = self._trees[kind].size
        early = kind == "read" and (self._awaits("entry") or size < self._gone)
        if position != size + 1 or early:
            raise self._bad("this entry is missing", "缺少该条登记")
        hashed = leaf(position, recorded_at, said["type"], said["tags"], data)
        if hashed.hex() != said["leaf"]:
            raise self._bad("this entry is not what was dumped", "该条登记与备份时不符")
        self._trees[kind].extend([hashed])
        if kind == "entry" and said["type"] == ReadsCut.__name__:
            order = orjson.loads(data)["fields"]
            name = order["ledger"]
            self._orders[name] = max(self._orders.get(name, 0), order["rows"])
        return StoredEntry(position, recorded_at, said["type"], said["tags"], data)

    def _of_gone(self, said: dict[str, Any]) -> list[bytes]:
        """The hashes of the next reads that are gone, as an entry ordered."""
        joined, tree = b64decode(said["hashes"]), self._trees["read"]
        hashes = [joined[n : n + 32] for n in range(0, len(joined), 32)]
        last = tree.size + len(hashes)
        if said["gone"] != tree.size + 1 or last > self._gone or len(joined) % 32:
            raise self._bad("this entry is missing", "缺少该条登记")
        if not tree.size and self._orders.get(hashes[0][:8].hex(), 0) < self._gone:
            raise self._bad("it is gone, and no entry ordered that", "已不在,而并无登记下令销毁")
        tree.extend(hashes)
        return hashes

    def _end(self, said: dict[str, Any]) -> None:
        if self._awaits("entry") or self._awaits("read"):
            raise self._bad("this entry is missing", "缺少该条登记")
        root, reads_root = (tree.root().hex() for tree in self._trees.values())
        found = (dict(self._counts), root, self._lines.hexdigest())
        of_reads = None if self._last_read is None else reads_root
        beyond = self._trees["read"].size != (self._last_read or 0)
        stated = (said["end"], said["root"], said["sha256"])
        if beyond or found != stated or of_reads != said.get("reads_root"):
            raise self._bad("the archive is not what was dumped", "备份内容被改动", entry=False)
        self._summary = Summary(
            self._head, self._private, *found[1:], self._last_read, of_reads, self._gone
        )

    def _awaits(self, kind: str) -> bool:
        """Whether rows of this kind are still to come."""
        return self._trees[kind].size < (self._head if kind == "entry" else self._last_read or 0)

    def _bad(self, en: str, zh: str, *, entry: bool = True) -> BadInput:
        """A refusal that names the next entry, or the next read, where some were still to come."""
        position, at, there, name = None, "", "", self._path.name
        for kind, what in (("entry", ("entry", "登记")), ("read", ("read", "查阅日志"))):
            if entry and position is None and self._awaits(kind):
                position = self._trees[kind].size + 1
                at, there = f"{what[0]} {position}: ", f"{what[1]} {position}:"
        return BadInput(f"{name}: {at}{en}", zh=f"{name}:{there}{zh}", field="file",
                        position=position)  # fmt: skip


_PARTS: dict[str, Callable[[Reader, dict[str, Any]], Any]] = {
    "archive": Reader._archive,  # noqa: SLF001 - its own table
    "secret": lambda _, said: (str(said["secret"]), b64decode(said["wrapped"])),
    "key": lambda _, said: (Owner(said["key"], said["class"]), b64decode(said["wrapped"])),
    "escrow": lambda _, said: (
        said["escrow"],
        said["class"],
        int(said["place"]),
        b64decode(said["mark"]),
        b64decode(said["sealed"]),
    ),
    "claim": lambda _, said: Claim(said["claim"], said["subject"], bytes.fromhex(said["blind"])),
    "entry": lambda reader, said: reader._row("entry", said),  # noqa: SLF001
    "gone": Reader._of_gone,  # noqa: SLF001
    "read": lambda reader, said: reader._row("read", said),  # noqa: SLF001
    "request": lambda _, said: Remembered(
        said["request"], said["hash"] and bytes.fromhex(said["hash"]), said["first"], said["last"]
    ),
}
