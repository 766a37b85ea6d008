"""What becomes of data keys: destroyed, or in escrow until two holders bring them back.

Owns the steps in the vault's tables, each driven by the log alone. Invariant: a key lies in one of
three tables at most: active, in escrow, or only its name (destroyed); every step may be repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import Connection

from domain.ledger.escrow import open_with, seal_to
from domain.ledger.sealed import Owner
from domain.ledger.splitting import BadPart, Part, join, split
from domain.ledger.vault_statements import (
    DESTROY,
    DROP_DRAFTS_NAMING,
    DROP_ESCROW,
    FIND_ESCROW,
    LOCK,
    PUT_ESCROW,
    PUT_KEY,
    TAKE_KEY,
)
from domain.ledger.wrapping import Randomness

NEEDED = 2
"""How many holders open a restricted key together."""


def destroy(connection: Connection[Any], owners: Sequence[Owner]) -> None:
    """Their keys are no more, active or in escrow; none is ever made for them again."""
    connection.execute(LOCK)
    for owner in owners:
        connection.execute(DESTROY, owner)
        connection.execute(TAKE_KEY, owner)
        connection.execute(DROP_ESCROW, owner)
    _drop_drafts(connection, owners)


def restrict(
    connection: Connection[Any],
    owners: Sequence[Owner],
    public_keys: Sequence[str],
    randomness: Randomness,
) -> None:
    """Put their wrapped keys in escrow: a part for each holder, `NEEDED` of them give it back."""
    connection.execute(LOCK)
    for owner in owners:
        if (row := connection.execute(TAKE_KEY, owner).fetchone()) is None:
            continue
        parts = split(bytes(row[0]), len(public_keys), NEEDED, randomness)
        for part, public_key in zip(parts, public_keys, strict=True):
            sealed = seal_to(public_key, part.body, _bound_to(owner, part.place))
            connection.execute(PUT_ESCROW, (*owner, part.place, part.mark, sealed))
    _drop_drafts(connection, owners)


def joined(connection: Connection[Any], owner: Owner, codes: Sequence[str]) -> bytes | None:
    """The wrapped key that these holders' codes give; None where it is not in escrow.

    Raises BadPart.
    """
    connection.execute(LOCK)
    rows = connection.execute(FIND_ESCROW, owner).fetchall()
    return join(list(_parts(owner, rows, codes))) if rows else None


def give_back(connection: Connection[Any], owner: Owner, wrapped: bytes) -> None:
    """The key is active again, and in escrow no more."""
    connection.execute(PUT_KEY, (*owner, wrapped))
    connection.execute(DROP_ESCROW, owner)


def _drop_drafts(connection: Connection[Any], owners: Sequence[Owner]) -> None:
    connection.execute(DROP_DRAFTS_NAMING, ([owner.subject for owner in owners],))


def _parts(owner: Owner, rows: Iterable[Any], codes: Sequence[str]) -> Iterator[Part]:
    """What these codes open of a key in escrow. Raises BadPart for one that opens nothing."""
    rows = list(rows)
    for code in codes:
        for place, mark, sealed in rows:
            body = open_with(code, bytes(sealed), _bound_to(owner, place))
            if body is not None:
                yield Part(place, bytes(mark), body)
                break
        else:
            raise BadPart("this code is of nobody who holds a part of this key")


def _bound_to(owner: Owner, place: int) -> bytes:
    return f"escrow|{owner.name}|{place}".encode()
