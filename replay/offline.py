"""Trees, signed notes and bundles read by hand: what a checker without this product needs of them.

Owns the reading of the formats that `domain.merkle` and `domain.notes` write; it travels inside the
checker of an evidence bundle and needs Python and `cryptography` alone. Invariant: each function
says what the bytes themselves give; nothing is taken from a field that could be computed.
"""

import hashlib
import json
import re
import zipfile
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "personnel-ledger-evidence/1"
SALT = 32
EMPTY = hashlib.sha256().digest()
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def b64(text: str) -> bytes:
    """Base64 of one form only. Raises ValueError."""
    if not _BASE64.fullmatch(text):
        raise ValueError("no base64")
    return b64decode(text)


def loaded(raw: bytes | str) -> Any:
    """What JSON says, where it says one thing: a name twice is read differently by different
    readers. Raises ValueError.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        held = dict(pairs)
        if len(held) < len(pairs):
            raise ValueError("a name is there twice")
        return held

    def number(said: str) -> Any:
        raise ValueError(said)

    return json.loads(raw, object_pairs_hook=once, parse_constant=number)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return roots_of(leaves, {len(leaves)})[len(leaves)]


def roots_of(leaves: Sequence[bytes], sizes: Collection[int]) -> dict[int, bytes]:
    """The roots over the first so many leaf hashes, for each size that there is."""
    peaks: list[bytes] = []
    roots = {0: EMPTY}
    for size, leaf in enumerate(leaves, 1):
        top, count = leaf, size
        while not count & 1:
            top = node(peaks.pop(), top)
            count >>= 1
        peaks.append(top)
        if size in sizes:
            for left in reversed(peaks[:-1]):
                top = node(left, top)
            roots[size] = top
    return roots


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path give; None where the path does not fit."""
    here, last, top = index, size - 1, leaf
    for beside in path:
        if last <= 0:
            return None
        if here & 1 or here == last:
            top = node(beside, top)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            top = node(top, beside)
        here, last = here >> 1, last >> 1
    return top if last == 0 else None


def extends(old: int, before: bytes, new: int, after: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves extends that of `old`."""
    if old in (0, new):
        return not path and before == (EMPTY if old == 0 else after)
    if not 0 < old < new or not path:
        return False
    steps = [before, *path] if old & (old - 1) == 0 else list(path)
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    was = now = steps[0]
    for beside in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            was, now = node(beside, was), node(beside, now)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            now = node(now, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and was == before and now == after


def signed(note: str, vkey: str) -> bool:
    """Whether a note bears a valid line of this key (`name+id+base64`). Raises ValueError."""
    name, _, rest = vkey.strip().partition("+")
    key = b64(rest.partition("+")[2])
    key_id = hashlib.sha256(f"{name}\n".encode() + key).digest()[:4]
    text, _, below = note.rpartition("\n\n")
    for line in below.splitlines():
        dash, whose, written = [*line.split(" "), "", ""][:3]
        if (dash, whose) != ("—", name) or (raw := b64(written))[:4] != key_id:
            continue
        message, signature = (text + "\n").encode(), raw[4:]
        if key[0] == 4:  # a cosignature says when it was made
            seen = int.from_bytes(signature[:8])
            message, signature = b"cosignature/v1\ntime %d\n" % seen + message, signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def head_of(note: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a head."""
    origin, size, root = note.split("\n")[:3]
    return origin, int(size), b64(root)


class Entry(NamedTuple):
    """An entry as it was hashed, from its very bytes."""

    position: int
    recorded_at: int
    type: str
    tags: list[str]
    data: bytes
    raw: bytes

    @property
    def leaf(self) -> bytes:
        return hashlib.sha256(self.raw).digest()


def entry_of(raw: bytes) -> Entry:
    """0x00, "PRL1", position, microseconds (8 bytes each), type, tags and data after lengths."""
    if raw[:5] != b"\x00PRL1":
        raise ValueError("no entry")
    at = 21

    def sized() -> bytes:
        nonlocal at
        start = at + 4
        at = start + int.from_bytes(raw[at:start])
        if at > len(raw):
            raise ValueError("an entry ends early")
        return raw[start:at]

    type_ = sized().decode()
    count = int.from_bytes(raw[at : at + 4])
    at += 4
    tags = [sized().decode() for _ in range(count)]
    data = sized()
    if at != len(raw):
        raise ValueError("an entry goes on")
    recorded_at = int.from_bytes(raw[13:21], signed=True)
    return Entry(int.from_bytes(raw[5:13]), recorded_at, type_, tags, data, raw)


def opens(salt: str, value: str, commitment: str) -> bool:
    """Whether a salt (base64) and a value are what was committed to. A salt has one length: else
    bytes of the value could be told as its last ones.
    """
    raw = b64(salt)
    made = hashlib.sha256(b"PRL-C1" + raw + value.encode()).digest()
    return len(raw) == SALT and urlsafe_b64encode(made).decode().rstrip("=") == commitment


class Bundle:
    """The files of a bundle, as they lie: the zip's directory says where, digests say what.

    Raises ValueError, zipfile.BadZipFile.
    """

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        held = self._zip.infolist()
        if any(i.compress_type or i.compress_size != i.file_size for i in held):
            raise ValueError("a file is compressed")
        self._held = {info.filename: info for info in held}
        self.names = [info.filename for info in held]
        self.manifest: dict[str, Any] = self.json("manifest.json")
        if self.manifest["format"] != FORMAT:
            raise ValueError("another format")
        self.withheld = positions(self.manifest.get("withheld", []))

    def past_withheld(self, position: int) -> int:
        """The first position from this one on whose entry is not withheld."""
        while position in self.withheld:
            position += 1
        return position

    def framed(self) -> bool:
        """Whether nothing lies beside the files, and each one's own header says what the directory
        says: whoever unpacks the zip by other means has the same files.
        """
        file = self._zip.fp
        if file is None:
            return False
        file.seek(start := self._zip.start_dir)
        directory = file.read()
        at = place = 0
        for info in self._zip.infolist():
            said = directory[place : place + 46]
            name, extra, comment = (int.from_bytes(said[n : n + 2], "little") for n in (28, 30, 32))
            file.seek(at)
            own = file.read(30)
            named = file.read(name)
            more = file.read(int.from_bytes(own[28:30], "little"))
            size = info.file_size.to_bytes(8, "little")
            short = own[18:26] == said[20:28] and not more
            long = own[18:26] == b"\xff" * 8 and more == b"\x01\0\x10\0" + size + size
            if (
                (info.header_offset, own[:4], comment) != (at, b"PK\x03\x04", 0)
                or (own[4:18], own[26:28]) != (said[6:20], said[28:30])
                or named != directory[place + 46 : place + 46 + name]
                or not (short or long)
            ):
                return False
            at += 30 + len(named) + len(more) + info.file_size
            place += 46 + name + extra
        ends = len(directory) - place in (22, 98) and directory[-22:-18] == b"PK\x05\x06"
        return at == start and ends and directory[-2:] == b"\0\0"

    def _blocks(self, name: str) -> Iterator[bytes]:
        info, file = self._held[name], self._zip.fp
        if file is None:
            raise ValueError("the bundle is closed")
        file.seek(info.header_offset)
        header = file.read(30)
        lengths = (int.from_bytes(header[n : n + 2], "little") for n in (26, 28))
        at = info.header_offset + 30 + sum(lengths)
        left = info.file_size
        while left:
            file.seek(at)
            block = file.read(min(left, 1 << 20))
            if header[:4] != b"PK\x03\x04" or not block:
                raise ValueError("a file ends early")
            yield block
            at, left = at + len(block), left - len(block)

    def read(self, name: str) -> bytes:
        return b"".join(self._blocks(name))

    def json(self, name: str) -> Any:
        return loaded(self.read(name))

    def text(self, name: str) -> str:
        return self.read(name).decode()

    def digest(self, name: str) -> str:
        hashed = hashlib.sha256()
        for block in self._blocks(name):
            hashed.update(block)
        return hashed.hexdigest()

    def entries(self, name: str = "entries.bin") -> Iterator[Entry]:
        held = b""
        for block in self._blocks(name):
            held, at = held + block, 0
            while len(held) >= at + 4 and len(held) >= (end := _end_of(held, at)):
                yield entry_of(held[at + 4 : end])
                at = end
            held = held[at:]
        if held:
            raise ValueError("the entries end early")


def positions(said: Any) -> set[int]:
    """Positions, each a whole number from 1 on. Raises ValueError."""
    if any(type(n) is not int or n < 1 for n in said):
        raise ValueError("a position that is none")
    return {*said}


def _end_of(held: bytes, at: int) -> int:
    return at + 4 + int.from_bytes(held[at : at + 4])
