"""Private fields: readable only through a person's key, which lies outside the ledger's database.

Owns the vault database (data keys, wrapped by the key-encryption key) and the form of a sealed
field. Invariant: a data key is durable in the vault before anything sealed with it is entered, and
lies in one of three tables at most: active, in escrow (restricted), or only its name (destroyed).

A field is stored as a salted commitment, SHA-256("PRL-C1" ‖ salt ‖ plaintext), and a ciphertext,
nonce ‖ AES-256-GCM(key, salt ‖ plaintext, aad = owner|class|field|commitment): the commitment opens
one field to a third party without the key, and tells nothing once the key is destroyed. Its stored
form {"o": owner, "k": class, "c": commitment, "x": ciphertext} says by itself whose key opens it.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import ConnectionPool

from domain.ledger.drafts import Drafts
from domain.ledger.escrow import open_with, seal_to
from domain.ledger.keyfile import KeyUnfit, key_in
from domain.ledger.rewriting import rewrite
from domain.ledger.splitting import BadPart, Part, join, split
from domain.ledger.vault_statements import (
    BINARY,
    DESTROY,
    DROP_DRAFTS_NAMING,
    DROP_ESCROW,
    EVERY_ESCROW,
    EVERY_KEY,
    EVERY_SECRET,
    FIND_ESCROW,
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
    PUT_KEY,
    PUT_SETTLED,
    TABLES,
    TAKE_KEY,
    TAKE_SECRET,
    make,
)

NEEDED = 2
"""How many holders open a restricted key together."""

CACHED_KEYS = 100_000

Randomness = Callable[[int], bytes]


class Taking(NamedTuple):
    """Puts wrapped keys, and rows of escrow, of another vault into this one."""

    keys: Callable[[Iterable[tuple["Owner", bytes]]], None]
    escrowed: Callable[[Iterable[Sequence[Any]]], None]


class VaultUnfit(ValueError):
    """The vault and the key-encryption key, or the vault and the ledger, do not belong together."""


class Unreadable(Exception):
    """The key of this field is not there."""


class Erased(Unreadable):
    """The key of this field is gone: the value cannot be read by anyone, ever."""


class Restricted(Unreadable):
    """The key of this field is in escrow: two of its holders together bring it back."""


class Owner(NamedTuple):
    """Whose key, for which class of fields."""

    subject: str
    cls: str


def key_encryption_key(path: Path) -> bytes:
    """The 32-byte key-encryption key in this file; made, readable by its owner only, if absent.

    Raises VaultUnfit where the file holds something else.
    """
    try:
        return key_in(path)
    except KeyUnfit as unfit:
        raise VaultUnfit(str(unfit)) from None


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
        self._wrap = AESGCM(kek)
        self._random = randomness
        self._keys: dict[Owner, AESGCM] = {}
        self._destroyed: set[Owner] = set()
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
        fresh = [self._wrapped(self._random(32), f"{o.subject}|{o.cls}") for o in wanted]
        subjects, classes = [o.subject for o in wanted], [o.cls for o in wanted]
        with self._pool.connection() as connection:
            connection.execute(LOCK_SHARED)
            connection.execute(MAKE_KEYS, (subjects, classes, fresh))
        self._fetch(wanted)

    def _fetch(self, wanted: list[Owner]) -> set[Owner]:
        """Take in the keys of these owners; answer those whose key is in escrow."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                FIND_KEYS, ([o.subject for o in wanted], [o.cls for o in wanted])
            ).fetchall()
        restricted = set()
        for subject, cls, wrapped, state in rows:
            owner = Owner(subject, cls)
            if state == "active":
                self._keys[owner] = AESGCM(self._unwrapped(wrapped, f"{subject}|{cls}"))
            elif state == "destroyed":
                self._destroyed.add(owner)
            else:
                restricted.add(owner)
        return restricted

    def seal(self, subject: str, cls: str, field: str, plaintext: bytes) -> dict[str, str]:
        """A sealed field; `prepare` has made its owner's key. Raises Erased, Restricted."""
        owner = Owner(subject, cls)
        key = self._key(owner)
        salt, nonce = self._random(32), self._random(12)
        commitment = encoded(commit(salt, plaintext))
        blob = key.encrypt(nonce, salt + plaintext, _bound_to(owner, field, commitment))
        return {
            "o": owner.subject, "k": owner.cls, "c": commitment, "x": encoded(nonce + blob),
        }  # fmt: skip

    def open(self, field: str, sealed: Mapping[str, str]) -> Any:
        """The value of a sealed field (any JSON). Raises Erased, Restricted."""
        _, plaintext = self.disclose(field, sealed)
        return orjson.loads(plaintext)

    def disclose(self, field: str, sealed: Mapping[str, str]) -> tuple[bytes, bytes]:
        """Salt and plaintext of a sealed field: what opens its commitment to a third party.

        Raises Erased, Restricted.
        """
        owner = Owner(sealed["o"], sealed["k"])
        key = self._key(owner)
        blob = decoded(sealed["x"])
        try:
            opened = key.decrypt(blob[:12], blob[12:], _bound_to(owner, field, sealed["c"]))
        except InvalidTag:
            raise ValueError(f"a sealed {field} does not open with its owner's key") from None
        if encoded(commit(opened[:32], opened[32:])) != sealed["c"]:
            raise ValueError(f"a sealed {field} does not match its commitment")
        return opened[:32], opened[32:]

    def _key(self, owner: Owner) -> AESGCM:
        if (key := self._keys.get(owner)) is not None:
            return key
        restricted = set() if owner in self._destroyed else self._fetch([owner])
        if (key := self._keys.get(owner)) is not None:
            return key
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

    # what becomes of keys: driven by the log alone, each step may be repeated

    def destroy(self, owners: Iterable[Owner]) -> None:
        """Their keys are no more, active or in escrow; none is ever made for them again.

        `rewrite` makes it so in the tables' files too.
        """
        owners = sorted(set(owners))
        with self._pool.connection() as connection:
            connection.execute(LOCK)
            for owner in owners:
                connection.execute(DESTROY, owner)
                connection.execute(TAKE_KEY, owner)
                connection.execute(DROP_ESCROW, owner)
            connection.execute(DROP_DRAFTS_NAMING, ([owner.subject for owner in owners],))
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
            connection.execute(LOCK)
            for owner in owners:
                if (row := connection.execute(TAKE_KEY, owner).fetchone()) is None:
                    continue
                parts = split(bytes(row[0]), len(public_keys), NEEDED, self._random)
                for part, public_key in zip(parts, public_keys, strict=True):
                    sealed = seal_to(public_key, part.body, _escrowed(owner, part.place))
                    connection.execute(PUT_ESCROW, (*owner, part.place, part.mark, sealed))
            connection.execute(DROP_DRAFTS_NAMING, ([owner.subject for owner in owners],))
        self.forget(owners)

    def lift(self, owner: Owner, codes: Sequence[str], *, store: bool) -> bool:
        """Bring a key back from escrow with the codes of its holders; with `store` off, only see
        whether they do. False where it is not in escrow. Raises BadPart.
        """
        with self._pool.connection() as connection:
            connection.execute(LOCK)
            rows = connection.execute(FIND_ESCROW, owner).fetchall()
            if not rows:
                return False
            wrapped = join(list(_parts(owner, rows, codes)))
            self._unwrapped(wrapped, f"{owner.subject}|{owner.cls}")
            if store:
                connection.execute(PUT_KEY, (*owner, wrapped))
                connection.execute(DROP_ESCROW, owner)
        return True

    def forget(self, owners: Iterable[Owner]) -> None:
        """Drop these keys from memory."""
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

    def contents(self) -> dict[str, list[list[Any]]]:
        """Every row of every table, as of one moment; bytes in the text form of sealed fields."""
        with self._pool.connection() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return {
                name: [
                    [encoded(v) if isinstance(v, bytes) else v for v in row]
                    for row in connection.execute(select)
                ]
                for name, (select, _) in TABLES.items()
            }

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
                self._unwrapped(wrapped, f"secret|{name}")
                connection.execute(TAKE_SECRET, (name, wrapped))
                held = connection.execute(FIND_SECRET, (name,)).fetchone()
                if held is None or bytes(held[0]) != wrapped:
                    raise VaultUnfit("the vault holds keys of another ledger")

            def put(keys: Iterable[tuple[Owner, bytes]]) -> None:
                keys = list(keys)
                subjects, classes = [o.subject for o, _ in keys], [o.cls for o, _ in keys]
                for owner, wrapped in keys:
                    self._unwrapped(wrapped, f"{owner.subject}|{owner.cls}")
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
            fresh = self._wrapped(self._random(32), f"secret|{name}")
            connection.execute(MAKE_SECRET, (name, fresh))
            row = connection.execute(FIND_SECRET, (name,)).fetchone()
        if row is None:
            raise RuntimeError(f"the vault has no secret {name}")
        return self._unwrapped(row[0], f"secret|{name}")

    def _wrapped(self, key: bytes, aad: str) -> bytes:
        nonce = self._random(12)
        return nonce + self._wrap.encrypt(nonce, key, aad.encode())

    def _unwrapped(self, wrapped: bytes, aad: str) -> bytes:
        try:
            return self._wrap.decrypt(bytes(wrapped[:12]), bytes(wrapped[12:]), aad.encode())
        except InvalidTag:
            raise VaultUnfit("the key-encryption key does not open this vault") from None


def restore(conninfo: str, contents: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Fill an empty vault with what `Vault.contents` gave. Raises VaultUnfit where it is not empty.

    What was destroyed since is destroyed again when the ledger is next opened.
    """
    with psycopg.connect(conninfo) as connection:
        make(connection)
        if connection.execute(IS_NEW).fetchone() != (True,):
            raise VaultUnfit("the vault is not empty: restore into an empty database")
        with connection.cursor() as cursor:
            for name, (_, insert) in TABLES.items():
                binary = BINARY.get(name, ())
                rows = [
                    [decoded(v) if n in binary else v for n, v in enumerate(row)]
                    for row in contents[name]
                ]
                cursor.executemany(insert, rows)


def _require_used(connection: psycopg.Connection[Any]) -> None:
    if connection.execute(IS_NEW).fetchone() == (True,):
        raise VaultUnfit(
            "the vault is empty, the ledger is not: this is not its vault; restore the vault's "
            "backup before anything is entered"
        )


def _parts(owner: Owner, rows: Iterable[Any], codes: Sequence[str]) -> Iterator[Part]:
    """What these codes open of a key in escrow. Raises BadPart for one that opens nothing."""
    rows = list(rows)
    for code in codes:
        for place, mark, sealed in rows:
            body = open_with(code, bytes(sealed), _escrowed(owner, place))
            if body is not None:
                yield Part(place, bytes(mark), body)
                break
        else:
            raise BadPart("this code is of nobody who holds a part of this key")


def _escrowed(owner: Owner, place: int) -> bytes:
    return f"escrow|{owner.subject}|{owner.cls}|{place}".encode()


def is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"o", "k", "c", "x"}


def sealed_owners(value: Any) -> Iterator[Owner]:
    """Whose keys open a value, for `Vault.hold`."""
    if is_sealed(value):
        yield Owner(value["o"], value["k"])
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from sealed_owners(inner)


def _bound_to(owner: Owner, field: str, commitment: str) -> bytes:
    return f"{owner.subject}|{owner.cls}|{field}|{commitment}".encode()


def commit(salt: bytes, plaintext: bytes) -> bytes:
    return sha256(b"PRL-C1" + salt + plaintext).digest()


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
