"""Private fields: readable only through a person's key, which lies outside the ledger's database.

Owns the vault database (data keys, wrapped by the key-encryption key) and the form of a sealed
field. Invariant: a data key is durable in the vault before anything sealed with it is entered.

A field is stored as a salted commitment, SHA-256("PRL-C1" ‖ salt ‖ plaintext), and a ciphertext,
nonce ‖ AES-256-GCM(key, salt ‖ plaintext, aad = owner|class|field|commitment): the commitment opens
one field to a third party without the key, and tells nothing once the key is destroyed. Its stored
form {"o": owner, "k": class, "c": commitment, "x": ciphertext} says by itself whose key opens it.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql
from psycopg_pool import ConnectionPool

from domain.ledger.keyfile import KeyUnfit, key_in

SCHEMA = """
CREATE TABLE IF NOT EXISTS data_keys (
    subject text NOT NULL, class text NOT NULL, wrapped bytea NOT NULL,
    PRIMARY KEY (subject, class));
CREATE TABLE IF NOT EXISTS secrets (name text PRIMARY KEY, wrapped bytea NOT NULL);
"""
MAKE_KEYS = """
INSERT INTO data_keys (subject, class, wrapped)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[]) ON CONFLICT DO NOTHING
"""
FIND_KEYS = """
SELECT subject, class, wrapped FROM data_keys
JOIN unnest(%s::text[], %s::text[]) AS wanted (subject, class) USING (subject, class)
"""
MAKE_SECRET = "INSERT INTO secrets VALUES (%s, %s) ON CONFLICT DO NOTHING"  # noqa: S105
FIND_SECRET = "SELECT wrapped FROM secrets WHERE name = %s"  # noqa: S105
LOCK = "SELECT pg_advisory_xact_lock(7305805)"

CACHED_KEYS = 100_000

Randomness = Callable[[int], bytes]


class VaultUnfit(ValueError):
    """The vault and the key-encryption key, or the vault and the ledger, do not belong together."""


class Erased(Exception):
    """The key of this field is gone: the value cannot be read by anyone, ever."""


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

    `fresh`: it was made just now and holds no keys. Raises VaultUnfit for another vault's key.
    """

    def __init__(self, conninfo: str, kek: bytes, randomness: Randomness = os.urandom) -> None:
        self._pool = ConnectionPool(conninfo, min_size=0, max_size=4, open=True)
        self._wrap = AESGCM(kek)
        self._random = randomness
        self._keys: dict[Owner, AESGCM] = {}
        try:
            with self._pool.connection() as connection:
                connection.execute(LOCK)
                connection.execute(sql.SQL(SCHEMA))
                row = connection.execute("SELECT NOT EXISTS (SELECT FROM secrets)").fetchone()
            self.fresh = bool(row and row[0])
            self._blind = self._secret("lookup")
            self._request = self._secret("request")
        except BaseException:
            self._pool.close()
            raise

    def close(self) -> None:
        self._pool.close()

    def prepare(self, owners: Iterable[Owner]) -> None:
        """Make the keys that these owners lack, durable on return, and hold all of theirs ready."""
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
            connection.execute(MAKE_KEYS, (subjects, classes, fresh))
        self._fetch(wanted)

    def _fetch(self, wanted: list[Owner]) -> None:
        with self._pool.connection() as connection:
            rows = connection.execute(
                FIND_KEYS, ([o.subject for o in wanted], [o.cls for o in wanted])
            ).fetchall()
        for subject, cls, wrapped in rows:
            key = self._unwrapped(wrapped, f"{subject}|{cls}")
            self._keys[Owner(subject, cls)] = AESGCM(key)

    def seal(self, subject: str, cls: str, field: str, plaintext: bytes) -> dict[str, str]:
        """A sealed field; `prepare` has made its owner's key."""
        owner = Owner(subject, cls)
        salt, nonce = self._random(32), self._random(12)
        commitment = encoded(commit(salt, plaintext))
        blob = self._keys[owner].encrypt(
            nonce, salt + plaintext, _bound_to(owner, field, commitment)
        )
        return {
            "o": owner.subject, "k": owner.cls, "c": commitment, "x": encoded(nonce + blob),
        }  # fmt: skip

    def open(self, field: str, sealed: Mapping[str, str]) -> Any:
        """The value of a sealed field (any JSON). Raises Erased where its key is no more."""
        _, plaintext = self.disclose(field, sealed)
        return orjson.loads(plaintext)

    def disclose(self, field: str, sealed: Mapping[str, str]) -> tuple[bytes, bytes]:
        """Salt and plaintext of a sealed field: what opens its commitment to a third party.

        Raises Erased where its key is no more.
        """
        owner = Owner(sealed["o"], sealed["k"])
        if owner not in self._keys:
            self.hold([owner])
        key = self._keys.get(owner)
        if key is None:
            raise Erased
        blob = decoded(sealed["x"])
        try:
            opened = key.decrypt(blob[:12], blob[12:], _bound_to(owner, field, sealed["c"]))
        except InvalidTag:
            raise ValueError(f"a sealed {field} does not open with its owner's key") from None
        if encoded(commit(opened[:32], opened[32:])) != sealed["c"]:
            raise ValueError(f"a sealed {field} does not match its commitment")
        return opened[:32], opened[32:]

    def reveal(self, value: Any) -> Any:
        """A value with every sealed field in it opened; an erased one reads {"erased": true}."""
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

    def hold(self, owners: Iterable[Owner]) -> None:
        """Fetch the keys of many owners at once, before opening many fields."""
        missing = sorted({owner for owner in owners if owner not in self._keys})
        if len(self._keys) + len(missing) > CACHED_KEYS:
            self._keys.clear()
        if missing:
            self._fetch(missing)

    def blind(self, kind: str, value: str) -> bytes:
        """The keyed lookup of a unique value (an ID number): useless without the vault."""
        return hmac.digest(self._blind, f"{kind}|{value}".encode(), "sha256")

    def request_hash(self, body: bytes) -> bytes:
        """What tells whether an idempotency key came back with the same request."""
        return hmac.digest(self._request, body, "sha256")

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
