"""Seals: the tree over the log, its signed heads, and what proves an entry by them.

Owns the tables of tiles, heads, cosignatures and time stamps. Invariant: every head is the root of
the leaves of entries 1 to its size as they lay when it was signed, and extends every head before
it; hashes and head are stored in one transaction, so a sealer that dies leaves nothing half sealed.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from psycopg import Connection

from domain.ledger.migrate import migrate
from domain.merkle import HEIGHT, WIDTH, Subtree, complete, consistency, inclusion
from domain.notes import Head, Line, Note, NoteInvalid, lines_of

Connect = Callable[[], AbstractContextManager[Connection[Any]]]

LOCK = (
    "SELECT pg_advisory_xact_lock('pg_class'::regclass::oid::int, '{0}tiles'::regclass::oid::int)"
)
ADD_TILES = """
INSERT INTO {0}tiles (level, first, hashes)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[])
"""
TILE = "SELECT hashes FROM {0}tiles WHERE level = %s AND first >= %s AND first < %s ORDER BY first"
REACHED = "SELECT coalesce(max(first + octet_length(hashes) / 32), 0) FROM {0}tiles WHERE level = 0"
ADD_HEAD = """
INSERT INTO {0}heads (size, recorded_at, note) VALUES (%s, %s, %s)
RETURNING size, recorded_at, sealed_at, note
"""
_TIMES = ", ".join(
    f"least(greatest({time}, '0001-01-02Z'), '9999-12-30Z') AS {time}"
    for time in ("recorded_at", "sealed_at")
)  # whatever was put there can be read
HEAD = f"SELECT size, {_TIMES}, note FROM {{0}}heads"
LAST = HEAD + " ORDER BY size DESC LIMIT 1"
COVERING = HEAD + " WHERE size >= %s ORDER BY size LIMIT 1"
EVERY = HEAD + " WHERE size > %s AND size <= %s ORDER BY size"
COSIGN = "INSERT INTO {0}cosignatures VALUES (%s, %s) ON CONFLICT DO NOTHING"
COSIGNED = "SELECT line FROM {0}cosignatures WHERE size = %s ORDER BY line"
EVERY_LINE = "SELECT size, line FROM {0}cosignatures ORDER BY size, line"
LAST_COSIGNED = "SELECT max(size) FROM {0}cosignatures"
STAMP = "INSERT INTO {0}stamps VALUES (%s, %s) ON CONFLICT DO NOTHING"
STAMPS = HEAD + " JOIN {0}stamps USING (size) WHERE size > %s AND size <= %s ORDER BY size"
STAMPS = STAMPS.replace("note FROM", "note, response FROM")
LOST = """
SELECT size FROM (SELECT size FROM {0}cosignatures UNION SELECT size FROM {0}stamps) added
WHERE NOT EXISTS (SELECT FROM {0}heads h WHERE h.size = added.size) ORDER BY size
"""
LAST_STAMPED = "SELECT max(size) FROM {0}stamps"


class Broken(Exception):
    """Log or seals are not as they must be: nothing more is sealed. The sentence says where."""


class Sealed(NamedTuple):
    """A head as it is kept: the last entry under it was recorded at `recorded_at`."""

    size: int
    recorded_at: datetime
    sealed_at: datetime
    note: Note

    @property
    def head(self) -> Head:
        return Head.of(self.note.text)


class Added(NamedTuple):
    """A seal to be stored: its new hashes by level, and its head's row."""

    rows: list[list[bytes]]
    size: int
    recorded_at: datetime
    note: Note


class Proof(NamedTuple):
    """An entry's leaf, its path to a head's root, and that head."""

    position: int
    leaf: bytes
    path: list[bytes]
    sealed: Sealed


class Stamped(NamedTuple):
    """A head, and what a time-stamp authority answered over its note."""

    sealed: Sealed
    response: bytes


class Seals:
    """What is sealed of one log. `connect` lends a connection for each question."""

    def __init__(self, connect: Connect, prefix: str = "ledger_", *, create: bool = False) -> None:
        self._connect = connect
        self.prefix = prefix
        self._name = prefix + "seal_"
        if create:
            with connect() as connection:
                migrate(connection, "seals", prefix)

    def last(self) -> Sealed | None:
        """The newest head."""
        return next(iter(self._heads(LAST)), None)

    def covering(self, size: int) -> Sealed | None:
        """The first head over at least this many entries."""
        return next(iter(self._heads(COVERING, size)), None)

    def heads(self, after: int, until: int) -> list[Sealed]:
        """Heads larger than a size and up to another, in order."""
        return self._heads(EVERY, after, until)

    def prove(self, position: int, size: int | None = None) -> Proof | None:
        """That an entry is under a head: the first one over `size` entries, or that covers it.
        None where nothing covers it yet.
        """
        sealed = self.covering(max(position, size or 0))
        if sealed is None:
            return None
        subtree = self.subtree()
        path = inclusion(position - 1, sealed.size, subtree)
        return Proof(position, subtree(0, position - 1), path, sealed)

    def extension(self, old: int, new: int) -> list[bytes]:
        """That the tree of `new` entries extends that of `old`; both are sealed."""
        return consistency(old, new, self.subtree())

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes at a level from 256·index on: 256, or what there is so far."""
        return self.hashes(level, index * WIDTH, (index + 1) * WIDTH)

    def hashes(self, level: int, low: int, high: int) -> list[bytes]:
        """The hashes low..high (from 0) of a level, as many of them as there are."""
        first = low - low % WIDTH
        joined = b"".join(h for (h,) in self._rows(TILE, level, first, high))
        return [joined[n : n + 32] for n in range(0, len(joined), 32)][low - first : high - first]

    def cosign(self, size: int, line: Line) -> None:
        """Keep a witness's line under the head of this size."""
        with self._connect() as connection:
            connection.execute(COSIGN.format(self._name), (size, str(line).rstrip("\n")))

    def with_cosignatures(self, sealed: Sealed) -> Note:
        """The head's note with the lines that witnesses added; what is none is left out."""
        lines: list[Line] = []
        for (text,) in self._rows(COSIGNED, sealed.size):
            with suppress(NoteInvalid):
                lines += lines_of(text)
        return sealed.note._replace(lines=[*sealed.note.lines, *lines])

    def unfit(self) -> list[int]:
        """Sizes of heads under which something lies that is no line of a witness, in order."""
        found = []
        for size, text in self._rows(EVERY_LINE):
            try:
                one = lines_of(text)
            except NoteInvalid:
                one = []
            if len(one) != 1:
                found.append(size)
        return found

    def cosigned(self) -> Sealed | None:
        """The newest head that carries a witness's line."""
        [(size,)] = self._rows(LAST_COSIGNED)
        return None if size is None else self.covering(size)

    def stamp(self, size: int, response: bytes) -> None:
        """Keep a time-stamp response over the note of the head of this size."""
        with self._connect() as connection:
            connection.execute(STAMP.format(self._name), (size, response))

    def stamps(self, after: int, until: int) -> list[Stamped]:
        """What was stamped of the heads larger than a size and up to another, in order."""
        rows = self._rows(STAMPS, after, until)
        return [Stamped(_sealed(head), bytes(response)) for *head, response in rows]

    def stamped(self) -> Sealed | None:
        """The newest head that carries a time stamp."""
        [(size,)] = self._rows(LAST_STAMPED)
        return None if size is None else self.covering(size)

    def lost(self) -> list[int]:
        """Sizes of heads that are not there any more, though a line or a stamp is over them."""
        return [size for (size,) in self._rows(LOST)]

    def origin(self) -> str | None:
        """The ledger's name, which its first leaf gives; None while nothing is sealed."""
        first = self.hashes(0, 0, 1)
        return origin_of(first[0]) if first else None

    def reached(self) -> int:
        """How many leaves have their hashes here: those under the last head; before there is one,
        those of rows that were gone before the log was taken over.
        """
        if (last := self.last()) is not None:
            return last.size
        [(count,)] = self._rows(REACHED)
        return int(count)

    def add(self, connection: Connection[Any], size: int, seal: "Added") -> Sealed:
        """Store a seal's hashes behind the first so many, and its head; the caller's transaction
        makes it all or nothing.
        """
        self.add_hashes(connection, size, seal.rows)
        row = (seal.size, seal.recorded_at, str(seal.note))
        kept = connection.execute(ADD_HEAD.format(self._name), row).fetchone()
        return _sealed(kept)

    def add_hashes(
        self, connection: Connection[Any], size: int, added: Sequence[Sequence[bytes]]
    ) -> None:
        """Store the hashes that a tree of a size gained, by level."""
        levels: list[int] = []
        firsts: list[int] = []
        rows: list[bytes] = []
        for level, hashes in enumerate(added):
            first = size >> HEIGHT * level
            stops = [first, *range((first // WIDTH + 1) * WIDTH, first + len(hashes), WIDTH)]
            for low, high in pairwise([*stops, first + len(hashes)]):
                if low < high:
                    levels.append(level)
                    firsts.append(low)
                    rows.append(b"".join(hashes[low - first : high - first]))
        connection.execute(ADD_TILES.format(self._name), (levels, firsts, rows))

    def subtree(self) -> Subtree:
        """The hashes of complete subtrees, read tile by tile, each tile once."""
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def over(height: int, index: int) -> bytes:
            level, rest = divmod(height, HEIGHT)
            first = index << rest
            place = (level, first // WIDTH)
            if place not in tiles:
                tiles[place] = self.tile(*place)
            hashes = tiles[place][first % WIDTH :][: 1 << rest]
            if len(hashes) < 1 << rest:
                raise Broken(f"the seals lack hashes of level {level} from {first} on")
            return complete(hashes)

        return over

    def lock(self, connection: Connection[Any]) -> None:
        """One sealer at a time, until the transaction ends."""
        connection.execute(LOCK.format(self._name))

    def _heads(self, statement: str, *values: int) -> list[Sealed]:
        return [_sealed(row) for row in self._rows(statement, *values)]

    def _rows(self, statement: str, *values: int) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            return connection.execute(statement.format(self._name), values).fetchall()


def origin_of(first_leaf: bytes) -> str:
    """The name under which a ledger's heads are signed: its first leaf tells it from any other."""
    return f"personnel-ledger/{first_leaf[:8].hex()}"


def _sealed(row: Any) -> Sealed:
    size, recorded_at, sealed_at, written = row
    try:
        note = Note.of(written)
    except NoteInvalid:  # it was signed by nobody
        note = Note(written)
    return Sealed(size, recorded_at, sealed_at, note)
