"""Requests that wait for a second person: shown to the approver, then entered or forgotten.

Owns the drafts in the vault's database. Invariant: a draft lies sealed, for a while only, and goes
when the private data of anybody it names are restricted or destroyed; nothing rests on one: whoever
sent it sends it again.
"""

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import ConnectionPool

from domain.ledger.vault_statements import (
    DRAFTS_WAITING,
    DROP_DRAFT,
    FIND_DRAFT,
    KEEP_DRAFT,
    LAPSE_DRAFTS,
)

LONGEST = timedelta(days=14)


class Draft(NamedTuple):
    """What waits: the request's digest, what it asks for, and since when."""

    request: str
    content: bytes
    made_at: datetime


class Drafts:
    """The drafts of one vault; `key` gives the key they are sealed with."""

    def __init__(self, pool: ConnectionPool, key: Callable[[], bytes]) -> None:
        self._pool = pool
        self._key = key

    def keep(self, request: str, approver: str, subjects: Iterable[str], content: bytes) -> None:
        """Keep what waits for an account; `subjects` are the persons it names."""
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(self._key()).encrypt(nonce, content, request.encode())
        with self._pool.connection() as connection:
            connection.execute(LAPSE_DRAFTS, (LONGEST,))
            connection.execute(KEEP_DRAFT, (request, approver, sorted(set(subjects)), sealed))

    def waiting(self, approver: str) -> list[Draft]:
        """What waits for an account, in order of time."""
        return self._found(DRAFTS_WAITING, (approver, LONGEST))

    def find(self, request: str, approver: str) -> Draft | None:
        """The draft of this digest, where it waits for this account."""
        return next(iter(self._found(FIND_DRAFT, (request, approver, LONGEST))), None)

    def drop(self, request: str) -> None:
        with self._pool.connection() as connection:
            connection.execute(DROP_DRAFT, (request,))

    def _found(self, statement: str, values: tuple[object, ...]) -> list[Draft]:
        cipher = AESGCM(self._key())
        with self._pool.connection() as connection:
            rows = connection.execute(statement, values).fetchall()
        return [
            Draft(request, cipher.decrypt(sealed[:12], sealed[12:], request.encode()), made_at)
            for request, sealed, made_at in rows
        ]
