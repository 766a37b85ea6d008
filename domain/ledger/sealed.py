"""The form of a sealed field: a commitment that anybody can check, a ciphertext for one key.

Owns that form. Invariant: a sealed field says by itself whose key opens it, opens nowhere but in
its own place, and tells nothing once that key is destroyed.

A field is stored as a salted commitment, SHA-256("PRL-C1" ‖ salt ‖ plaintext), and a ciphertext,
nonce ‖ AES-256-GCM(key, salt ‖ plaintext, aad = owner|class|field|commitment): the commitment opens
one field to a third party without the key. Its stored form is {"o": owner, "k": class,
"c": commitment, "x": ciphertext}.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Owner(NamedTuple):
    """Whose key, for which class of fields."""

    subject: str
    cls: str

    @property
    def name(self) -> str:
        return f"{self.subject}|{self.cls}"


def seal(
    key: AESGCM, owner: Owner, field: str, plaintext: bytes, randomness: Callable[[int], bytes]
) -> dict[str, str]:
    """A field sealed to its owner's key."""
    salt, nonce = randomness(32), randomness(12)
    commitment = encoded(commit(salt, plaintext))
    blob = key.encrypt(nonce, salt + plaintext, _bound_to(owner, field, commitment))
    return {"o": owner.subject, "k": owner.cls, "c": commitment, "x": encoded(nonce + blob)}


def unseal(key: AESGCM, field: str, sealed: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Salt and plaintext. Raises ValueError where another key sealed it, or another field."""
    blob, owner = decoded(sealed["x"]), Owner(sealed["o"], sealed["k"])
    try:
        opened = key.decrypt(blob[:12], blob[12:], _bound_to(owner, field, sealed["c"]))
    except InvalidTag:
        raise ValueError(f"a sealed {field} does not open with its owner's key") from None
    if encoded(commit(opened[:32], opened[32:])) != sealed["c"]:
        raise ValueError(f"a sealed {field} does not match its commitment")
    return opened[:32], opened[32:]


def is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"o", "k", "c", "x"}


def sealed_owners(value: Any) -> Iterator[Owner]:
    """Whose keys open a value, for `Vault.hold`."""
    if is_sealed(value):
        yield Owner(value["o"], value["k"])
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from sealed_owners(inner)


def commit(salt: bytes, plaintext: bytes) -> bytes:
    return sha256(b"PRL-C1" + salt + plaintext).digest()


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _bound_to(owner: Owner, field: str, commitment: str) -> bytes:
    return f"{owner.name}|{field}|{commitment}".encode()
