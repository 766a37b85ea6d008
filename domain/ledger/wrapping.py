"""Keys wrapped by the key-encryption key.

Owns that key's file and the form of a wrapped key: nonce ‖ AES-256-GCM(key, aad = its name).
Invariant: what is wrapped opens under the same key-encryption key and the same name only.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.ledger.keyfile import KeyUnfit, key_in

Randomness = Callable[[int], bytes]


class VaultUnfit(ValueError):
    """The vault and the key-encryption key, or the vault and the ledger, do not belong together."""


class OtherKey(VaultUnfit):
    """The key-encryption key is not the one that the vault's keys were wrapped by."""


def key_encryption_key(path: Path) -> bytes:
    """The 32-byte key-encryption key in this file; made, readable by its owner only, if absent.

    Raises VaultUnfit where the file holds something else.
    """
    try:
        return key_in(path)
    except KeyUnfit as unfit:
        raise VaultUnfit(str(unfit)) from None


class Wrapping:
    """Wraps and unwraps under one key-encryption key."""

    def __init__(self, kek: bytes, randomness: Randomness) -> None:
        self._cipher = AESGCM(kek)
        self._random = randomness

    def wrap(self, key: bytes, name: str) -> bytes:
        nonce = self._random(12)
        return nonce + self._cipher.encrypt(nonce, key, name.encode())

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Raises VaultUnfit."""
        try:
            return self._cipher.decrypt(bytes(wrapped[:12]), bytes(wrapped[12:]), name.encode())
        except InvalidTag:
            raise OtherKey("the key-encryption key does not open this vault") from None
