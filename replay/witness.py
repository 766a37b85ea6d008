"""The witness, run by the auditor: keeps the last head of each log and cosigns what extends it.

Owns the request (C2SP tlog-witness) and the witness's judgement. Invariant: what it keeps of an
origin only ever grows, is durable before a cosignature leaves it, and is one history.
"""

import fcntl
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple, Self
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.ledger.keyfile import KeyUnfit, key_in
from domain.ledger.seals import Sealed, Seals
from domain.merkle import consistent
from domain.notes import (
    COSIGNATURE,
    NAME,
    Head,
    Line,
    Note,
    NoteInvalid,
    Verifier,
    cosigner,
    public,
)

MOST_BYTES = 64 << 10


class WitnessRefuses(Exception):
    """The witness does not cosign; `status` is its HTTP status."""

    status: ClassVar[int] = 400


class NotARequest(WitnessRefuses):
    """The request is not of the form: old size, proof, empty line, head."""


class UnknownLog(WitnessRefuses):
    """No key is known for a log of this origin."""

    status = 404


class NotSigned(WitnessRefuses):
    """The head bears no signature of a key known for its log."""

    status = 403


class StateUnfit(WitnessRefuses):
    """What the witness keeps of a log is not as it left it: nothing is cosigned upon it."""

    status = 500


class OtherSize(WitnessRefuses):
    """The request does not start from the head that the witness keeps, of this size."""

    status = 409

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"the witness keeps a head over {size} entries: start from there")


class Rewritten(WitnessRefuses):
    """The head does not extend what the witness keeps: history was rewritten. Both are kept."""

    status = 422


class Asked(NamedTuple):
    """A request to cosign: the proof from the size the witness keeps to the head."""

    old: int
    path: Sequence[bytes]
    note: Note

    def __str__(self) -> str:
        hashes = "".join(b64encode(one).decode() + "\n" for one in self.path)
        return f"old {self.old}\n{hashes}\n{self.note}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises NotARequest."""
        above, _, note = text.partition("\n\n")
        first, *hashes = above.split("\n")
        word, _, old = first.partition(" ")
        if word != "old" or not old.isdecimal() or len(old) > 18 or len(hashes) > 63:
            raise NotARequest("the first line is `old` and a size, then at most 63 hashes")
        try:
            path = [b64decode(one, validate=True) for one in hashes]
            return cls(int(old), path, Note.of(note))
        except (NotBase64, ValueError) as bad:
            raise NotARequest(str(bad)) from None


def ask(seals: Seals, sealed: Sealed, old: int) -> Asked:
    """What to send so that a witness that keeps the head over `old` entries cosigns this one."""
    return Asked(old, seals.extension(old, sealed.size), sealed.note)


def cosigned(asked: Asked, lines: Sequence[Line], witness: Verifier) -> Line:
    """The witness's line in its answer. Raises NotSigned."""
    for line in lines:
        if witness.checks(asked.note.text, line):
            return line
    raise NotSigned("the answer bears no valid line of the witness")


class Witness:
    """One witness: its key and what it keeps lie in a folder; `logs` are the keys it knows."""

    def __init__(
        self, folder: Path, name: str, logs: Sequence[Verifier], clock: Callable[[], float]
    ) -> None:
        if not NAME.fullmatch(name):
            raise KeyUnfit("a witness's name has no blank and no `+`, and at most 200 characters")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._logs = logs
        key = Ed25519PrivateKey.from_private_bytes(key_in(folder / "witness.key"))
        self.verifier = public(name, key, COSIGNATURE)
        self._signer = cosigner(name, key, clock)

    def add(self, request: str) -> Note:
        """The head, cosigned, which is kept from now on. Raises WitnessRefuses."""
        asked = Asked.of(request)
        try:
            head = Head.of(asked.note.text)
        except NoteInvalid as invalid:
            raise NotARequest(str(invalid)) from None
        keys = [key for key in self._logs if key.name == head.origin]
        if not keys:
            raise UnknownLog(f"no key is known for {head.origin}")
        lines = [
            line for line in asked.note.lines if any(k.checks(asked.note.text, line) for k in keys)
        ]
        if not lines:
            raise NotSigned("the head bears no signature of a key known for its log")
        if asked.old > head.size:
            raise NotARequest("the head is smaller than the size it is to extend")
        note = asked.note._replace(lines=lines)
        with self._holding(head.origin):
            self._judge(asked, head, note)
            signed = note.signed([self._signer])
            self._keep(self._file(head.origin), str(signed))
        return signed

    def kept(self, origin: str) -> Note | None:
        """The last head that was cosigned for this origin. Raises StateUnfit."""
        file = self._file(origin)
        if not file.exists():
            return None
        try:
            note = Note.of(file.read_text())
            if Head.of(note.text).origin == origin and self._signed(note):
                return note
        except (NoteInvalid, UnicodeDecodeError):
            pass
        raise StateUnfit(
            f"{file.name} is not the head that this witness cosigned: bring it back from a copy; "
            "deleted, it would let history be rewritten"
        )

    def _signed(self, note: Note) -> bool:
        """Whether this key cosigned it, under whichever name it then had."""
        return any(
            self.verifier._replace(name=line.name).checks(note.text, line) for line in note.lines
        )

    def _judge(self, asked: Asked, head: Head, note: Note) -> None:
        kept = self.kept(head.origin)
        before = Head.of(kept.text) if kept else Head(head.origin, 0, b"")
        if asked.old != before.size:
            raise OtherSize(before.size)
        if before.size == 0:
            good = not asked.path
        else:
            good = consistent(before.size, before.root, head.size, head.root, asked.path)
        if not good:
            self._keep(self._file(head.origin).with_suffix(".refused"), str(note))
            raise Rewritten("the head does not extend the one that the witness keeps")

    def _file(self, origin: str) -> Path:
        return self._folder / (quote(origin, safe="") + ".head")

    @contextmanager
    def _holding(self, origin: str) -> Iterator[None]:
        """One request of an origin at a time."""
        lock = os.open(self._file(origin).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _keep(self, file: Path, text: str) -> None:
        fresh = file.with_name(file.name + ".new")
        with fresh.open("w") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        fresh.replace(file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
