"""Secrets in parts: any few of them together give the secret, fewer give nothing.

Owns Shamir's scheme over GF(2^8) and the written form of a part. Invariant: a part that is mistyped
or belongs to another secret is refused, never joined into a wrong secret.
"""

import re
from base64 import b32decode, b32encode
from collections.abc import Callable, Sequence
from functools import reduce
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

WHOLE = 0
"""The place of a part that is the secret itself: the form in which a key is written down."""
_CHECK = 3
_GROUP = 8


class BadPart(ValueError):
    """A part was mistyped, comes from another secret, or there are too few; says which."""


class Part(NamedTuple):
    """The value of the secret's polynomials at `place` (1…255), and a mark of the secret.

    The mark is 32 bits of a digest: it would help to guess a password, not a random key.
    """

    place: int
    mark: bytes
    body: bytes


def split(secret: bytes, parts: int, needed: int, randomness: Callable[[int], bytes]) -> list[Part]:
    """`parts` parts, of which any `needed` give the secret (Shamir, How to Share a Secret, 1979).

    Each byte is the constant term of a random polynomial of degree `needed` - 1.
    """
    if not 1 <= needed <= parts <= 255:
        raise ValueError("between 1 and 255 parts, no more needed than there are")
    terms = [secret, *(randomness(len(secret)) for _ in range(needed - 1))]
    return [
        Part(x, _mark(secret), bytes(_at(x, column) for column in zip(*terms, strict=True)))
        for x in range(1, parts + 1)
    ]


def join(parts: Sequence[Part]) -> bytes:
    """The secret of these parts. Raises BadPart where they do not give the one they are of."""
    places = [part.place for part in parts]
    if not parts or len({(part.mark, len(part.body)) for part in parts}) > 1:
        raise BadPart("the parts are not of one secret")
    if len(set(places)) < len(places):
        raise BadPart("the same part was given twice")
    if places == [WHOLE]:
        secret = parts[0].body
    else:
        weights = [_weight(x, places) for x in places]
        secret = bytes(
            reduce(int.__xor__, map(_times, weights, column))
            for column in zip(*(part.body for part in parts), strict=True)
        )
    if not compare_digest(_mark(secret), parts[0].mark):
        raise BadPart("these parts do not give the secret: too few, or one is wrong")
    return secret


def whole(secret: bytes) -> Part:
    return Part(WHOLE, _mark(secret), secret)


def written(part: Part) -> str:
    """Base32 in groups, with a check: what is printed and kept on paper."""
    raw = bytes([part.place]) + part.mark + part.body
    text = b32encode(raw + sha256(raw).digest()[:_CHECK]).decode().rstrip("=")
    return "-".join(text[n : n + _GROUP] for n in range(0, len(text), _GROUP))


def read(text: str) -> Part:
    """A part as it was written; its number before it, case, blanks and hyphens do not matter.
    Raises BadPart.
    """
    bare = "".join(re.sub(r"^\s*\d+\s*[::]", "", text).split()).replace("-", "").upper()
    try:
        raw = b32decode(bare + "=" * (-len(bare) % 8))
    except ValueError:
        raise BadPart("this is not a written part: letters A-Z and digits 2-7") from None
    raw, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(raw) < 6 or sha256(raw).digest()[:_CHECK] != check:
        raise BadPart("a letter of this part is wrong or missing")
    return Part(raw[0], raw[1:5], raw[5:])


def _mark(secret: bytes) -> bytes:
    return sha256(b"PRL-S1" + secret).digest()[:4]


def _times(a: int, b: int) -> int:
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _inverse(a: int) -> int:
    power = 1
    for _ in range(254):
        power = _times(power, a)
    return power


def _at(x: int, terms: Sequence[int]) -> int:
    value = 0
    for term in reversed(terms):
        value = _times(value, x) ^ term
    return value


def _weight(x: int, places: Sequence[int]) -> int:
    """Lagrange's weight of the value at x for the value at 0."""
    weight = 1
    for other in places:
        if other != x:
            weight = _times(weight, _times(other, _inverse(other ^ x)))
    return weight
