"""Private fields: readable only through a person's key, which lies outside the ledger's database.

Owns the vault database: data keys, wrapped by the key-encryption key, and the vault's own secrets.
Invariant: a data key is durable in the vault before anything sealed with it is entered. How a field
is sealed stands in `sealed.py`, what becomes of keys in `custody.py`.
"""

import hmac
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import ConnectionPool

from domain.ledger import custody
from domain.ledger.drafts import Drafts
from domain.ledger.rewriting import rewrite
from domain.ledger.sealed import Owner, is_sealed, seal, unseal
from domain.ledger.vault_statements import (
    EVERY_ESCROW,
    EVERY_KEY,
    EVERY_SECRET,
    FIND_KEYS,
    FIND_SECRET,
    FIND_SETTLED,
    FORGET_SETTLED,
    IS_NEW,
    LOCK,
    LOCK_SHARED,
    MAKE_KEYS,
    MAKE_SECRET,
    NEWEST_BACKUP,
    NOTE_BACKUP,
    PUT_ESCROW,
    PUT_SETTLED,
    TAKE_SECRET,
    Contents,
    contents,
    make,
)
from domain.ledger.wrapping import Randomness, VaultUnfit, Wrapping

CACHED_KEYS = 100_000


class Taking(NamedTuple):
    """Puts wrapped keys, and rows of escrow, of another vault into this one."""

    keys: Callable[[Iterable[tuple[Owner, bytes]]], None]
    escrowed: Callable[[Iterable[Sequence[Any]]], None]


class Unreadable(Exception):
    """The key of this field is not there."""


class Erased(Unreadable):
    """The key of this field is gone: the value cannot be read by anyone, ever."""


class Restricted(Unreadable):
    """The key of this field is in escrow: two of its holders together bring it back."""


class Vault:
    """The vault database behind `conninfo`. `randomness` gives keys, salts and nonces.

    An empty one becomes a new vault only where it `may_be_new`. Raises VaultUnfit where it is empty
    and may not, or belongs to another key.
    """

    def __init__(
        self,
        conninfo: str,
        kek: bytes,
        randomness: Randomness = os.urandom,
        *,
        may_be_new: bool = True,
    ) -> None:
        self._pool = ConnectionPool(conninfo, min_size=0, max_size=4, open=True)
        self._wrapping = Wrapping(kek, randomness)
        self._random = randomness
        self._keys: dict[Owner, bytes] = {}  # a cipher made ready takes forty times the memory
        self._destroyed: set[Owner] = set()
        self._forgotten = 0
        self._lock = threading.Lock()
        self.drafts = Drafts(self._pool, lambda: hmac.digest(self._request, b"drafts", "sha256"))
        try:
            with self._pool.connection() as connection:
                make(connection)
                if not may_be_new:
                    _require_used(connection)
            self._blind = self._secret("lookup")
            self._request = self._secret("request")
        except BaseException:
            self._pool.close()
            raise

    def close(self) -> None:
        self._pool.close()

    def prepare(self, owners: Iterable[Owner]) -> None:
        """Make the keys that these owners lack, durable on return, and hold all of theirs ready.

        What is restricted or destroyed gets no key: `seal` refuses it.
        """
        owners = set(owners)
        wanted = sorted(owner for owner in owners if owner not in self._keys)
        if not wanted:
            return
        if len(self._keys) + len(wanted) > CACHED_KEYS:
            self._keys.clear()
            wanted = sorted(owners)
        fresh = [self._wrapping.wrap(self._random(32), o.name) for o in wanted]
        subjects, classes = [o.subject for o in wanted], [o.cls for o in wanted]
        with self._pool.connection() as connection:
            connection.execute(LOCK_SHARED)
            connection.execute(MAKE_KEYS, (subjects, classes, fresh))
        self._fetch(wanted)

    def _fetch(self, wanted: list[Owner]) -> set[Owner]:
        """Take in the keys of these owners; answer those whose key is in escrow.

        They are read again where any was forgotten meanwhile: it may be one of these. A key that
        was brought back behind the log lies beside the mark that it is gone: it opens nothing.
        """
        while True:
            before = self._forgotten
            with self._pool.connection() as connection:
                rows = connection.execute(
                    FIND_KEYS, ([o.subject for o in wanted], [o.cls for o in wanted])
                ).fetchall()
            states = [
                (Owner(subject, cls), wrapped, state) for subject, cls, wrapped, state in rows
            ]
            destroyed = {owner for owner, _, state in states if state == "destroyed"}
            restricted = {owner for owner, _, state in states if state == "restricted"}
            active = {
                owner: self._wrapping.unwrap(wrapped, owner.name)
                for owner, wrapped, state in states
                if state == "active" and owner not in destroyed | restricted
            }
            with self._lock:
                if before == self._forgotten:
                    self._keys.update(active)
                    break
        self._destroyed.update(destroyed)
        return restricted - destroyed

    def seal(self, subject: str, cls: str, field: str, plaintext: bytes) -> dict[str, str]:
        """A sealed field; `prepare` has made its owner's key. Raises Erased, Restricted."""
        owner = Owner(subject, cls)
        return seal(self._key(owner), owner, field, plaintext, self._random)

    def open(self, field: str, sealed: Mapping[str, str]) -> Any:
        """The value of a sealed field (any JSON). Raises Erased, Restricted."""
        _, plaintext = self.disclose(field, sealed)
        return orjson.loads(plaintext)

    def disclose(self, field: str, sealed: Mapping[str, str]) -> tuple[bytes, bytes]:
        """Salt and plaintext of a sealed field: what opens its commitment to a third party.

        Raises Erased, Restricted.
        """
        return unseal(self._key(Owner(sealed["o"], sealed["k"])), field, sealed)

    def _key(self, owner: Owner) -> AESGCM:
        if (key := self._keys.get(owner)) is not None:
            return AESGCM(key)
        restricted = set() if owner in self._destroyed else self._fetch([owner])
        if (key := self._keys.get(owner)) is not None:
            return AESGCM(key)
        raise Restricted if owner in restricted else Erased

    def reveal(self, value: Any) -> Any:
        """A value with every sealed field in it opened; one that cannot be reads {"erased": true}
        or {"restricted": true}.
        """
        if isinstance(value, dict):
            return {
                name: self._revealed(name, inner) if is_sealed(inner) else self.reveal(inner)
                for name, inner in value.items()
            }
        return [self.reveal(inner) for inner in value] if isinstance(value, list) else value

    def _revealed(self, field: str, sealed: Mapping[str, str]) -> Any:
        try:
            return self.open(field, sealed)
        except Erased:
            return {"erased": True}
        except Restricted:
            return {"restricted": True}

    def hold(self, owners: Iterable[Owner]) -> None:
        """Fetch the keys of many owners at once, before opening many fields."""
        missing = sorted({o for o in owners if o not in self._keys and o not in self._destroyed})
        if len(self._keys) + len(missing) > CACHED_KEYS:
            self._keys.clear()
        if missing:
            self._fetch(missing)

    def states(self, owners: Iterable[Owner]) -> dict[Owner, set[str]]:
        """What the tables say now of the keys of these owners: active, restricted, destroyed."""
        wanted = sorted(owners)
        found: dict[Owner, set[str]] = {owner: set() for owner in wanted}
        with self._pool.connection() as connection:
            rows = connection.execute(
                FIND_KEYS, ([o.subject for o in wanted], [o.cls for o in wanted])
            )
            for subject, cls, _, state in rows:
                found[Owner(subject, cls)].add(state)
        return found

    # what becomes of keys: driven by the log alone, each step may be repeated

    def destroy(self, owners: Iterable[Owner]) -> None:
        """Their keys are no more, active or in escrow; none is ever made for them again.

        `rewrite` makes it so in the tables' files too.
        """
        owners = sorted(set(owners))
        with self._pool.connection() as connection:
            custody.destroy(connection, owners)
        self.forget(owners)

    def rewrite(self) -> None:
        """Write the key tables anew: no byte of a deleted row is left in their files.

        Raises psycopg's LockNotAvailable where someone could still see one for longer than 5 s.
        """
        with self._pool.connection() as connection:
            rewrite(connection)

    def restrict(self, owners: Iterable[Owner], public_keys: Sequence[str]) -> None:
        """Put their wrapped keys in escrow: a part for each holder, any two of them needed."""
        owners = sorted(set(owners))
        with self._pool.connection() as connection:
            custody.restrict(connection, owners, public_keys, self._random)
        self.forget(owners)

    def lift(self, owner: Owner, codes: Sequence[str], *, store: bool) -> bool:
        """Bring a key back from escrow with the codes of its holders; with `store` off, only see
        whether they do. False where it is not in escrow. Raises BadPart.
        """
        with self._pool.connection() as connection:
            wrapped = custody.joined(connection, owner, codes)
            if wrapped is None:
                return False
            self._wrapping.unwrap(wrapped, owner.name)
            if store:
                custody.give_back(connection, owner, wrapped)
        return True

    def forget(self, owners: Iterable[Owner]) -> None:
        """Drop these keys from memory."""
        with self._lock:
            self._forgotten += 1
            for owner in owners:
                self._keys.pop(owner, None)

    def settled(self) -> tuple[int, str]:
        """Up to which entry (position, event id) its orders have been carried out here."""
        with self._pool.connection() as connection:
            row = connection.execute(FIND_SETTLED).fetchone()
        return (0, "") if row is None else (int(row[0]), str(row[1]))

    def settle(self, position: int, entry: str) -> None:
        with self._pool.connection() as connection:
            connection.execute(LOCK)
            connection.execute(FORGET_SETTLED)
            connection.execute(PUT_SETTLED, (position, entry))

    def backed_up(self) -> datetime | None:
        """When the newest backup was made."""
        with self._pool.connection() as connection:
            row = connection.execute(NEWEST_BACKUP).fetchone()
        return row[0] if row else None

    def note_backup(self, made_at: datetime) -> None:
        with self._pool.connection() as connection:
            connection.execute(NOTE_BACKUP, (made_at,))

    def contents(self) -> Contents:
        """Every row of every table, as of one moment; bytes in the text form of sealed fields."""
        with self._pool.connection() as connection:
            return contents(connection)

    def blind(self, kind: str, value: str) -> bytes:
        """The keyed lookup of a unique value (an ID number): useless without the vault."""
        return hmac.digest(self._blind, f"{kind}|{value}".encode(), "sha256")

    def request_hash(self, body: bytes) -> bytes:
        """What tells whether an idempotency key came back with the same request."""
        return hmac.digest(self._request, body, "sha256")

    def secrets(self) -> list[tuple[str, bytes]]:
        """The vault's own secrets, wrapped."""
        with self._pool.connection() as connection:
            return [(str(name), bytes(w)) for name, w in connection.execute(EVERY_SECRET)]

    def wrapped_keys(self) -> Iterator[tuple[Owner, bytes]]:
        """Every data key as it lies, wrapped by the key-encryption key."""
        with self._pool.connection() as connection, connection.cursor("every_key") as cursor:
            for subject, cls, wrapped in cursor.execute(EVERY_KEY):
                yield Owner(subject, cls), bytes(wrapped)

    def escrowed(self) -> list[tuple[Any, ...]]:
        """Every part of a key in escrow: whose, of which class, its place, mark and sealed body."""
        with self._pool.connection() as connection:
            return connection.execute(EVERY_ESCROW).fetchall()

    @contextmanager
    def taking_over(self, secrets: Iterable[tuple[str, bytes]]) -> Iterator[Taking]:
        """Take another vault's secrets over, and the keys put meanwhile: all, or on an error none.

        Raises VaultUnfit where another key-encryption key wrapped them, or where this vault holds
        keys of another ledger.
        """
        with self._pool.connection() as connection:
            connection.execute(LOCK)
            for name, wrapped in secrets:
                self._wrapping.unwrap(wrapped, f"secret|{name}")
                connection.execute(TAKE_SECRET, (name, wrapped))
                held = connection.execute(FIND_SECRET, (name,)).fetchone()
                if held is None or bytes(held[0]) != wrapped:
                    raise VaultUnfit("the vault holds keys of another ledger")

            def put(keys: Iterable[tuple[Owner, bytes]]) -> None:
                keys = list(keys)
                subjects, classes = [o.subject for o, _ in keys], [o.cls for o, _ in keys]
                for owner, wrapped in keys:
                    self._wrapping.unwrap(wrapped, owner.name)
                connection.execute(MAKE_KEYS, (subjects, classes, [w for _, w in keys]))
                held = connection.execute(FIND_KEYS, (subjects, classes)).fetchall()
                if {(Owner(s, c), w and bytes(w)) for s, c, w, _ in held} != set(keys):
                    raise VaultUnfit("the vault holds keys of another ledger")

            def put_escrowed(rows: Iterable[Sequence[Any]]) -> None:
                with connection.cursor() as cursor:
                    cursor.executemany(PUT_ESCROW, rows)

            yield Taking(put, put_escrowed)
        self._keys.clear()
        self._blind, self._request = self._secret("lookup"), self._secret("request")

    def _secret(self, name: str) -> bytes:
        with self._pool.connection() as connection:
            fresh = self._wrapping.wrap(self._random(32), f"secret|{name}")
            connection.execute(MAKE_SECRET, (name, fresh))
            row = connection.execute(FIND_SECRET, (name,)).fetchone()
        if row is None:
            raise RuntimeError(f"the vault has no secret {name}")
        return self._wrapping.unwrap(row[0], f"secret|{name}")


def _require_used(connection: psycopg.Connection[Any]) -> None:
    if connection.execute(IS_NEW).fetchone() == (True,):
        raise VaultUnfit(
            "the vault is empty, the ledger is not: this is not its vault; restore the vault's "
            "backup before anything is entered"
        )
