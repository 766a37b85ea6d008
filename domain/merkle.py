"""The tree over the log, RFC 9162: what is sealed of each entry, and what proves it.

Owns the leaf, the tree's hashes and both proofs: pure, no database. Invariant: a leaf binds
everything the log stores of an entry, as it lies; every part is preceded by its length, so no two
entries share an encoding, and a leaf never reads as an inner node.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

LEAF, NODE = b"\x00", b"\x01"
FORMAT = b"PRL1"
EMPTY = hashlib.sha256().digest()
HEIGHT = 8
"""Of a tile: it holds up to 256 hashes side by side (C2SP tlog-tiles)."""
WIDTH = 1 << HEIGHT

Subtree = Callable[[int, int], bytes]
"""The hash of a complete subtree: (height, index), which covers leaves index·2^height onwards."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_sha256 = hashlib.sha256


def leaf(
    position: int, recorded_at: datetime, type_: str, tags: Sequence[str], data: bytes
) -> bytes:
    """The leaf hash of an entry: SHA-256 of its `leaf_bytes`."""
    return _sha256(leaf_bytes(position, recorded_at, type_, tags, data)).digest()


def leaf_bytes(
    position: int, recorded_at: datetime, type_: str, tags: Sequence[str], data: bytes
) -> bytes:
    """What is hashed of an entry: 0x00, "PRL1", position and recorded_at (microseconds since 1970,
    both 8 bytes, big-endian), type, the number of tags (4 bytes) and each tag, data; texts in
    UTF-8, texts and data each after their length in 4 bytes.
    """
    microseconds = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    parts = [
        LEAF, FORMAT, position.to_bytes(8), microseconds.to_bytes(8, signed=True),
        _sized(type_.encode()), len(tags).to_bytes(4), *(_sized(t.encode()) for t in tags),
        _sized(data),
    ]  # fmt: skip
    return b"".join(parts)


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return _sha256(NODE + left + right).digest()


def complete(hashes: Sequence[bytes]) -> bytes:
    """The hash over 1, 2, 4, 8 … subtrees of one height."""
    row = hashes
    while len(row) > 1:
        row = [
            _sha256(NODE + left + right).digest()
            for left, right in zip(row[::2], row[1::2], strict=True)
        ]
    return row[0]


class Frontier:
    """A tree that grows: its size and the complete subtrees at its right edge, largest first."""

    def __init__(self, size: int = 0, subtree: Subtree | None = None) -> None:
        """A tree of `size` leaves, whose subtrees `subtree` gives."""
        self.size = size
        self._peaks: list[bytes] = []
        if subtree is not None:
            self._peaks = [subtree(height, index) for height, index in _edge(0, size)]

    def extend(self, leaves: Iterable[bytes]) -> list[list[bytes]]:
        """Take in leaf hashes. Answers the hashes that were completed at heights 0, 8, 16 …, in
        their order: what tiles hold.
        """
        size, peaks = self.size, self._peaks
        rows: list[list[bytes]] = [[]]
        for one in leaves:
            rows[0].append(one)
            size += 1
            top, count, height = one, size, 0
            while not count & 1:
                top = _sha256(NODE + peaks.pop() + top).digest()
                count >>= 1
                height += 1
                if not height % HEIGHT:
                    level = height // HEIGHT
                    if level == len(rows):
                        rows.append([])
                    rows[level].append(top)
            peaks.append(top)
        self.size = size
        return rows

    def root(self) -> bytes:
        return _joined(self._peaks)


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes (RFC 9162, 2.1.1)."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """What proves leaf `index` (from 0) to be in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_over(middle, high, subtree))
            high = middle
        else:
            path.append(_over(low, middle, subtree))
            low = middle
    return path[::-1]


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """What proves the tree of `new` leaves to extend that of `old` (RFC 9162, 2.1.4.1). Nothing is
    needed where `old` is 0 or `new`.
    """
    if not 0 <= old <= new:
        raise ValueError("a tree extends a smaller one")
    if old in (0, new):
        return []
    path: list[bytes] = []
    low, high = 0, new
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_over(middle, high, subtree))
            high = middle
        else:
            path.append(_over(low, middle, subtree))
            low = middle
    if low:
        path.append(_over(low, high, subtree))
    return path[::-1]


def included(one: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf hash stands at `index` under this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, top = index, size - 1, one
    for beside in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            top = node(beside, top)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            top = node(top, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and top == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves extends that of `old` (RFC 9162, 2.1.4.2)."""
    if old in (0, new):
        return not path and old_root == (EMPTY if old == 0 else new_root)
    if not 0 < old < new or not path:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = steps[0]
    for beside in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before, after = node(beside, before), node(beside, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = node(after, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below a size of at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _over(low: int, high: int, subtree: Subtree) -> bytes:
    return _joined([subtree(height, index) for height, index in _edge(low, high)])


def _edge(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (height, index), largest first, that leaves low..high fall into, where
    low is where a subtree of that size begins.
    """
    while low < high:
        height = (high - low).bit_length() - 1
        yield height, low >> height
        low += 1 << height


def _joined(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    top = peaks[-1]
    for peak in reversed(peaks[:-1]):
        top = node(peak, top)
    return top
