"""The tree over the log, RFC 9162: what is sealed of each entry.

Owns the leaf: pure, no database. Invariant: a leaf binds everything the log stores of an entry, as
it lies; every part is preceded by its length, so no two entries share an encoding.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

LEAF = b"\x00"
FORMAT = b"PRL1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def leaf(
    position: int, recorded_at: datetime, type_: str, tags: Sequence[str], data: bytes
) -> bytes:
    """The leaf hash of an entry: SHA-256 of 0x00, "PRL1", position and recorded_at (microseconds
    since 1970, both 8 bytes, big-endian), type, the number of tags (4 bytes) and each tag, data;
    texts in UTF-8, texts and data each after their length in 4 bytes.
    """
    microseconds = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    parts = [
        LEAF, FORMAT, position.to_bytes(8), microseconds.to_bytes(8, signed=True),
        _sized(type_.encode()), len(tags).to_bytes(4), *(_sized(t.encode()) for t in tags),
        _sized(data),
    ]  # fmt: skip
    return hashlib.sha256(b"".join(parts)).digest()


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part
