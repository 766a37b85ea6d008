"""Signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature): text and signature lines.

Owns their form, and what is written in it: heads, receipts, changes of the key. Invariant: a
signature counts only under the name and key it was made for; lines of unknown keys are carried
along and prove nothing.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519, COSIGNATURE = 1, 4
"""The kinds of keys: a signature of the text; one of the text and the time it was seen."""

NAME = re.compile(r"[^\s+\x00-\x1f]{1,200}")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_ENTRY = re.compile(r"([1-9][0-9]{0,18}) ([A-Za-z0-9+/]{43}=)")
_SIZE = re.compile("0|[1-9][0-9]{0,18}")


class NoteInvalid(ValueError):
    """What was given is no note of the expected form; the message names what is wrong."""


class Line(NamedTuple):
    """A signature line: whose, under which key, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.signature).decode()}\n"


class Signer(NamedTuple):
    """What can add a line: a key file, a device. `sign` gives the signature over a text's bytes."""

    name: str
    key_id: bytes
    sign: Callable[[bytes], bytes]


class Verifier(NamedTuple):
    """A public key under its name, as notes are checked with it (C2SP `vkey`)."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.key).digest()[
            :4
        ]

    def __str__(self) -> str:
        key = b64encode(bytes([self.kind]) + self.key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def of(cls, vkey: str) -> Self:
        """From `name+key id+base64`. Raises NoteInvalid."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, key = rest.partition("+")
        raw = _decoded(key, "the public key")
        if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE) or not NAME.fullmatch(name):
            raise NoteInvalid("the public key is not an Ed25519 one under a name")
        verifier = cls(name, raw[0], raw[1:])
        if verifier.key_id.hex() != key_id:
            raise NoteInvalid("the public key does not match its key id")
        return verifier

    def checks(self, text: str, line: Line) -> bool:
        """Whether the line is this key's over the text."""
        if (line.name, line.key_id) != (self.name, self.key_id):
            return False
        message, signature = text.encode(), line.signature
        if self.kind == COSIGNATURE:
            message = _timed(int.from_bytes(signature[:8]), message)
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Note(NamedTuple):
    """A text and the lines under it."""

    text: str
    lines: Sequence[Line] = ()

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.lines))

    @classmethod
    def of(cls, written: str) -> Self:
        """Raises NoteInvalid."""
        text, blank, below = written.rpartition("\n\n")
        if not blank or not below.endswith("\n"):
            raise NoteInvalid("a note is a text, an empty line and signature lines")
        return cls(text + "\n", lines_of(below))

    def signed(self, signers: Iterable[Signer]) -> Self:
        """With a line more of each signer."""
        raw = self.text.encode()
        added = [Line(s.name, s.key_id, s.sign(raw)) for s in signers]
        return self._replace(lines=[*self.lines, *added])

    def signed_by(self, verifier: Verifier) -> bool:
        return any(verifier.checks(self.text, line) for line in self.lines)

    def seen_at(self, witness: Verifier) -> int | None:
        """When this witness cosigned (seconds since 1970); None where it did not."""
        good = [x for x in self.lines if witness.checks(self.text, x)]
        return max((int.from_bytes(x.signature[:8]) for x in good), default=None)


class Head(NamedTuple):
    """A tree head: which log, how many entries, their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises NoteInvalid."""
        match text.split("\n"):
            case [origin, size, root, ""] if NAME.fullmatch(origin) and _SIZE.fullmatch(size):
                raw = _decoded(root, "the root")
                if len(raw) == 32:
                    return cls(origin, int(size), raw)
        raise NoteInvalid("a head is an origin, a size and a root of 32 bytes")


class Receipt(NamedTuple):
    """What the ledger says to whoever entered: which entries lie in it, since when."""

    origin: str
    recorded_at: str
    leaves: Sequence[tuple[int, bytes]]

    def text(self) -> str:
        said = [f"{position} {b64encode(leaf).decode()}\n" for position, leaf in self.leaves]
        return f"{self.origin} receipt\n{self.recorded_at}\n" + "".join(said)

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises NoteInvalid."""
        first, *rest = text.split("\n")
        origin, _, word = first.partition(" ")
        found = [_ENTRY.fullmatch(line) for line in rest[1:-1]]
        if word != "receipt" or not found or rest[-1]:
            raise NoteInvalid("a receipt is an origin, a time and entries")
        leaves = [(int(m[1]), _decoded(m[2], "a leaf")) for m in found if m is not None]
        if len(leaves) < len(found):
            raise NoteInvalid("an entry of a receipt is a position and a leaf hash")
        return cls(origin, rest[0], leaves)


def lines_of(text: str) -> list[Line]:
    """Signature lines, one below the other. Raises NoteInvalid."""
    found = []
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is None:
            raise NoteInvalid("a signature line is a dash, a name and base64")
        raw = _decoded(match[2], "a signature")
        if len(raw) < 5:
            raise NoteInvalid("a signature is too short")
        found.append(Line(match[1], raw[:4], raw[4:]))
    return found


def public(name: str, key: Ed25519PrivateKey, kind: int = ED25519) -> Verifier:
    """What checks the notes that this key signs."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Verifier(name, kind, raw)


def signer(name: str, key: Ed25519PrivateKey) -> Signer:
    """A log's signer."""
    return Signer(name, public(name, key).key_id, key.sign)


def cosigner(name: str, key: Ed25519PrivateKey, clock: Callable[[], float]) -> Signer:
    """A witness's signer: its lines say when it saw the head."""

    def sign(text: bytes) -> bytes:
        now = int(clock())
        return now.to_bytes(8) + key.sign(_timed(now, text))

    return Signer(name, public(name, key, COSIGNATURE).key_id, sign)


def key_text(old: Verifier, new: Verifier) -> str:
    """What both keys sign where one follows the other."""
    return f"{old.name} key\n{old}\n{new}\n"


def _timed(seconds: int, message: bytes) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n".encode() + message


def _decoded(text: str, what: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise NoteInvalid(f"{what} is not base64") from None
