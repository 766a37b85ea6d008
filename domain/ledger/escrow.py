"""Holders of restricted keys: what is sealed to a holder only the holder's own code opens.

Owns the sealed form of a part. Invariant: the ledger keeps a holder's public key and nothing more.
"""

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.ledger.splitting import BadPart, read, whole, written

_NONCE = bytes(12)  # a key derived anew for each message seals only that one


class Holder(NamedTuple):
    """A new holder: the code the person keeps, and the public key that is entered."""

    code: str
    public_key: str


def new_holder() -> Holder:
    key = X25519PrivateKey.generate()
    code = written(whole(key.private_bytes_raw()))
    return Holder(code, key.public_key().public_bytes_raw().hex())


def seal_to(public_key: str, plaintext: bytes, bound: bytes) -> bytes:
    """Ephemeral public key ‖ AES-256-GCM under HKDF-SHA256 of the X25519 secret (RFC 7748)."""
    ephemeral = X25519PrivateKey.generate()
    sender = ephemeral.public_key().public_bytes_raw()
    receiver = bytes.fromhex(public_key)
    secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(receiver))
    return sender + _cipher(secret, sender, receiver).encrypt(_NONCE, plaintext, bound)


def open_with(code: str, sealed: bytes, bound: bytes) -> bytes | None:
    """What was sealed to the holder of this code; None where it was to another.

    Raises BadPart for a code that is mistyped.
    """
    part = read(code)
    if part.place or len(part.body) != 32:
        raise BadPart("this is no holder's code")
    key = X25519PrivateKey.from_private_bytes(part.body)
    sender, receiver = sealed[:32], key.public_key().public_bytes_raw()
    secret = key.exchange(X25519PublicKey.from_public_bytes(sender))
    try:
        return _cipher(secret, sender, receiver).decrypt(_NONCE, sealed[32:], bound)
    except InvalidTag:
        return None


def _cipher(secret: bytes, sender: bytes, receiver: bytes) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt=None, info=b"PRL-E1" + sender + receiver).derive(secret)
    return AESGCM(derived)
