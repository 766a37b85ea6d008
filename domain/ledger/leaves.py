"""Reading the log for its leaves: entries as they lie, hashed without being understood.

Owns the way from PostgreSQL's binary rows to leaf hashes. Invariant: the same hash as
`domain.merkle.leaf` gives of the entry, to the bit, without making the entry.
"""

import hashlib
from collections.abc import Iterator
from struct import Struct
from typing import Any, NamedTuple

from psycopg import Connection

from domain.ledger.statements import Statements
from domain.merkle import FORMAT, LEAF

_PREFIX = LEAF + FORMAT
# fields, length, position, length, microseconds since 2000, length of the type
_ROW = Struct(">hiqiqi")
_SINCE_1970 = 946_684_800_000_000
_SIGNED = Struct(">q")
_LAST = (1 << 63) - 1
_LENGTH = Struct(">i")
_NO_TAGS = bytes(4)
_HEADER = 19  # of the copy: signature, flags, extension


class Leaf(NamedTuple):
    """An entry's position, when it was recorded (microseconds since 1970), and its leaf hash."""

    position: int
    recorded_at: int
    hash: bytes


def leaves(connection: Connection[Any], log: Statements, after: int, until: int) -> Iterator[Leaf]:
    """The leaves of the entries after a position and up to another, in order."""
    sha256, make = hashlib.sha256, tuple.__new__
    with connection.cursor() as cursor, cursor.copy(log.raw, (after, until)) as copy:
        for block in copy:
            row = bytes(block)
            if row.startswith(b"PGCOPY\n"):
                row = row[_HEADER:]  # before the first row
            if len(row) < _ROW.size:
                continue
            _, _, position, _, since_2000, length = _ROW.unpack_from(row)
            # `infinity` is the last number there is; no entry was ever recorded then
            recorded_at = min(since_2000 + _SINCE_1970, _LAST)
            after_type = _ROW.size + length
            (length,) = _LENGTH.unpack_from(row, after_type)
            tags_end = after_type + 4 + length
            # an array is dimensions, flags, element type, then size, lower bound, sized elements
            tags = _NO_TAGS
            if length > 12:
                tags = row[after_type + 16 : after_type + 20] + row[after_type + 24 : tags_end]
            hashed = sha256(
                b"".join((
                    _PREFIX, row[6:14], _SIGNED.pack(recorded_at),
                    row[_ROW.size - 4 : after_type], tags, row[tags_end:],
                ))
            ).digest()  # fmt: skip
            yield make(Leaf, (position, recorded_at, hashed))


def leaf_of(connection: Connection[Any], log: Statements, position: int) -> Leaf | None:
    """The leaf of one entry. It is read to the end: a copy left off halfway is cancelled, which
    fails the transaction it stands in.
    """
    found = [*leaves(connection, log, position - 1, position)]
    return found[0] if found else None
