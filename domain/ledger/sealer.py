"""The sealer: follows the log, extends the tree, signs each head at once.

Owns when and under which key something is sealed. Invariant: what is signed was read in the same
transaction that stores it; with nothing in memory but its key file, a sealer that is killed at any
moment goes on, or another does, where the stored heads end.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, Error

from domain.acts.seals import SealKeyChanged
from domain.ledger.keyfile import KeyUnfit, key_in
from domain.ledger.leaves import Leaf, leaf_of, leaves
from domain.ledger.seals import Added, Broken, Connect, Sealed, Seals, origin_of
from domain.ledger.statements import Statements
from domain.merkle import Frontier
from domain.notes import Head, Note, Receipt, Signer, Verifier, public, signer

MOST = 1 << 16
"""Entries under one new head at most."""
PATIENCE = "SET LOCAL lock_timeout = '2s'"
"""Another sealer is done sooner; whoever holds its lock longer stops the sealing, which is told."""
LOOK_SECONDS = 0.25
AGAIN_SECONDS = 1.0
ALARM_SECONDS = 5.0
"""How long sealing may fail, for whatever reason, before that is critical."""

Port = Callable[[str], Sequence[Signer]]
"""Further signature lines for the heads of an origin: a device, a second algorithm."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_logger = structlog.get_logger(__name__)


class KeyNotInForce(KeyUnfit):
    """The log names another key for its heads than the key file holds; nothing is signed."""


class Lag(NamedTuple):
    """Entries not sealed yet, and for how many seconds the oldest of them has lain so."""

    entries: int
    seconds: float


class Sealer:
    """Seals one log with the key in a file, made if absent. `port` gives lines beside it."""

    def __init__(
        self,
        connect: Connect,
        key_file: Path,
        port: Port = lambda _: (),
        *,
        prefix: str = "ledger_",
    ) -> None:
        self.seals = Seals(connect, prefix)
        self._connect = connect
        self._log = Statements(prefix)
        self._prefix = prefix
        self.key_file = key_file
        self._port = port

    def key(self) -> Ed25519PrivateKey:
        """The ledger's own key, as its file holds it now; made if absent. Raises KeyUnfit."""
        return Ed25519PrivateKey.from_private_bytes(key_in(self.key_file))

    def seal(self) -> Sealed | None:
        """Seal what the log holds by now, at most 65,536 entries; None where nothing is new.

        Raises Broken, KeyUnfit, psycopg.Error: nothing is sealed then.
        """
        with self._connect() as connection, connection.transaction():
            seals = Seals(lambda: nullcontext(connection), self._prefix)
            connection.execute(PATIENCE)
            seals.lock(connection)
            last, size = seals.last(), seals.reached()
            head = self._head(connection)
            if head <= size:
                return None
            origin = self.origin(connection)
            key = self.key()
            until = self._reach(connection, last, size, head, public(origin, key))
            tree = Frontier(size, seals.subtree())
            found = [*leaves(connection, self._log, size, until)]
            recorded_at = _checked(found, last, size, until)
            rows = tree.extend([leaf.hash for leaf in found])
            note = Note(Head(origin, until, tree.root()).text())
            note = note.signed([signer(origin, key), *self._port(origin)])
            return seals.add(connection, size, Added(rows, until, recorded_at, note))

    def catch_up(self) -> Sealed | None:
        """Seal all that the log holds; the last head made, if any."""
        last = None
        while (sealed := self.seal()) is not None:
            last = sealed
        return last

    def follow(self, stop: threading.Event) -> None:
        """Seal within a second of each entry until stopped; alarms when it cannot."""
        failing: float | None = None
        while not stop.is_set():
            try:
                while not stop.is_set() and self.seal() is not None:
                    pass
            except Exception as fault:  # noqa: BLE001 - a sealer must outlive any fault of one step
                failing = failing or time.monotonic()
                known = isinstance(fault, Broken | KeyUnfit)  # they speak of positions and keys
                lasting = time.monotonic() - failing > ALARM_SECONDS
                tell = _logger.critical if known or lasting else _logger.warning
                why = str(fault) if known else None
                tell("sealing-stopped", fault=type(fault).__name__, why=why)
                stop.wait(AGAIN_SECONDS)
            else:
                failing = None
                stop.wait(LOOK_SECONDS)

    def receipt(self, first: int, last: int) -> Note:
        """The ledger's signed word that it holds the entries first..last. Raises KeyUnfit."""
        with self._connect() as connection:
            origin = self.origin(connection)
            found = [*leaves(connection, self._log, first - 1, last)]
        recorded_at = _EPOCH + timedelta(microseconds=found[-1].recorded_at)
        said = Receipt(origin, recorded_at.isoformat(), [(x.position, x.hash) for x in found])
        return Note(said.text()).signed([signer(origin, self.key())])

    def vouch(self, first: int, last: int) -> str | None:
        """The receipt as text. None, with an alarm, where none can be signed: what was entered is
        entered all the same.
        """
        try:
            return str(self.receipt(first, last))
        except (KeyUnfit, Broken, OSError, Error) as fault:
            _logger.critical("no receipt", fault=type(fault).__name__, position=last)
            return None

    def lag(self) -> Lag:
        """How far the seals are behind the log."""
        size = self.seals.reached()
        with self._connect() as connection:
            head = self._head(connection)
            if head <= size:
                return Lag(0, 0.0)
            row = connection.execute(self._log.recorded_at.replace("%b", "%s"), (size + 1,))
            since = row.fetchone()
        return Lag(head - size, time.time() - since[0].timestamp() if since else 0.0)

    def _head(self, connection: Connection[Any]) -> int:
        row = connection.execute(self._log.head).fetchone()
        return int(row[0]) if row else 0

    def origin(self, connection: Connection[Any]) -> str:
        """The ledger's name, from its first leaf. Raises Broken where there is none."""
        if (origin := Seals(lambda: nullcontext(connection), self._prefix).origin()) is not None:
            return origin
        first = leaf_of(connection, self._log, 1)
        if first is None:
            raise Broken("the log has no entry 1")
        return origin_of(first.hash)

    def _reach(
        self, connection: Connection[Any], last: Sealed | None, size: int, head: int, key: Verifier
    ) -> int:
        """How far this key may seal. Raises KeyNotInForce."""
        until = min(head, size + MOST)
        ours = last is None or last.note.signed_by(key)
        for change in key_changes(connection, self._log, after=size):
            if change.key == str(key):
                ours = True
                until = min(head, max(until, change.position))
            elif change.position <= until:
                until = change.position - 1
                break
        if not ours or until <= size:
            raise KeyNotInForce("the key file does not hold the key that the log names")
        return until


class KeyChange(NamedTuple):
    """Since which entry the heads are signed by another key (vkeys), and what both keys signed."""

    position: int
    ledger: str
    previous: str
    key: str
    note: str


def key_changes(connection: Connection[Any], log: Statements, after: int = 0) -> list[KeyChange]:
    """The changes of the key entered after a position, in order."""
    rows = connection.execute(log.data_of_type, (SealKeyChanged.__name__, after)).fetchall()
    names = KeyChange._fields[1:]
    return [KeyChange(position, *texts_of(data, *names)) for position, data in rows]


def texts_of(data: bytes, *names: str) -> Iterator[str]:
    """These fields of an entry; empty where it, as it lies there now, does not have them."""
    fields = fields_of(data)
    return (text if isinstance(text := fields.get(name), str) else "" for name in names)


def fields_of(data: bytes) -> dict[str, Any]:
    """The fields of an entry; none where what lies there is no entry any more."""
    with suppress(ValueError, KeyError, TypeError):
        fields = orjson.loads(data)["fields"]
        return fields if isinstance(fields, dict) else {}
    return {}


def _checked(found: Sequence[Leaf], last: Sealed | None, position: int, until: int) -> datetime:
    """When the last of these leaves, those behind a position, was recorded. Raises Broken where one
    does not follow.
    """
    latest = (last.recorded_at - _EPOCH) // timedelta(microseconds=1) if last else 0
    for leaf in found:
        position += 1
        if leaf.position != position:
            raise Broken(f"entry {position} is missing")
        if leaf.recorded_at < latest:
            raise Broken(f"entry {position} was recorded before the one ahead of it")
        if leaf.recorded_at > _LAST:
            raise Broken(f"entry {position} was recorded at no time that there is")
        latest = leaf.recorded_at
    if position != until:
        raise Broken(f"entry {position + 1} is missing")
    return _EPOCH + timedelta(microseconds=latest)
