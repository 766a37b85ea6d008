"""A backup of the vault in one file.

Owns the file's form: magic ‖ nonce ‖ AES-256-GCM under a key derived from the key-encryption key.
Invariant: a backup is of one moment and whole, or it is refused; without the key it says nothing.
"""

import os
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.ledger.keyfile import keep_names
from domain.ledger.vault import Vault
from domain.ledger.vault_statements import Contents, put_back
from domain.ledger.wrapping import VaultUnfit

MAGIC = b"PRL-V1\n"


class Restored(NamedTuple):
    made_at: datetime
    keys: int


def backup(vault: Vault, kek: bytes, path: Path, now: datetime) -> int:
    """Write a backup, readable by its owner only, and note it in the vault; the keys in it.

    An existing file is replaced whole or stays as it was.
    """
    contents = vault.contents()
    told = orjson.dumps({"made_at": now.astimezone(UTC).isoformat(), "tables": contents})
    nonce = os.urandom(12)
    sealed = _cipher(kek).encrypt(nonce, zlib.compress(told), MAGIC)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC + nonce + sealed)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        keep_names(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    vault.note_backup(now)
    return len(contents["data_keys"])


def restore(conninfo: str, kek: bytes, path: Path) -> Restored:
    """Fill an empty vault from a backup. Raises VaultUnfit for a file of another form or key, and
    for a vault that is not empty.
    """
    raw = path.read_bytes()
    if not raw.startswith(MAGIC):
        raise VaultUnfit(f"{path.name} is not a backup of a vault")
    nonce, sealed = raw[len(MAGIC) : len(MAGIC) + 12], raw[len(MAGIC) + 12 :]
    try:
        told = orjson.loads(zlib.decompress(_cipher(kek).decrypt(nonce, sealed, MAGIC)))
    except (InvalidTag, ValueError):
        raise VaultUnfit(
            f"{path.name} is damaged, or was made under another key-encryption key"
        ) from None
    refill(conninfo, told["tables"])
    return Restored(datetime.fromisoformat(told["made_at"]), len(told["tables"]["data_keys"]))


def refill(conninfo: str, held: Contents) -> None:
    """Fill an empty vault with what `Vault.contents` gave. Raises VaultUnfit where it is not empty.

    What was destroyed since is destroyed again when the ledger is next opened.
    """
    with psycopg.connect(conninfo) as connection:
        if not put_back(connection, held):
            raise VaultUnfit("the vault is not empty: restore into an empty database")


def _cipher(kek: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"PRL-V1 backup").derive(kek))
