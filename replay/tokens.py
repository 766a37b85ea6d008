"""Time-stamp tokens (RFC 3161) read by hand: what a checker without this product needs of them.

Owns the reading of a token, and of the certificates in it; it travels inside the checker of an
evidence bundle and needs Python and `cryptography` alone. Invariant: a time counts only where a
signature over it and over the very message was checked; what this reader does not know it refuses.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from replay.offline import b64

SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
BASIC_CONSTRAINTS, EXTENDED_USE, STAMPING = "2.5.29.19", "2.5.29.37", "1.3.6.1.5.5.7.3.8"
RSA, CURVE = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
CURVES = {"1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"}
DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}  # fmt: skip
SIGNATURES = {
    "1.2.840.113549.1.1.1": ("rsa", None), "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"), "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.10045.2.1": ("ec", None), "1.2.840.10045.4.3.2": ("ec", "sha256"),
    "1.2.840.10045.4.3.3": ("ec", "sha384"),
    "1.2.840.10045.4.3.4": ("ec", "sha512"),
}  # fmt: skip
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unknown(ValueError):
    """A token made in a way that this reader does not know."""


class Part(NamedTuple):
    """One DER element: its tag, what is in it, and all of its bytes."""

    tag: int
    body: bytes
    raw: bytes

    def parts(self) -> list["Part"]:
        return [*read(self.body)]


def read(raw: bytes) -> Iterator[Part]:
    """The elements that lie one after the other. Raises ValueError."""
    at = 0
    while at < len(raw):
        start, length = at + 2, int.from_bytes(raw[at + 1 : at + 2])
        if length > 0x80:
            start += length & 0x7F
            length = int.from_bytes(raw[at + 2 : start])
        if start + length > len(raw) or raw[at + 1] == 0x80 or raw[at] & 0x1F == 0x1F:
            raise ValueError("an element ends early, or is of another form")
        yield Part(raw[at], raw[start : start + length], raw[at : start + length])
        at = start + length


def one(raw: bytes) -> Part:
    """The one element there is, whatever comes after it."""
    return next(read(raw))


def oid(part: Part) -> str:
    """An object identifier in dots."""
    numbers, number = [], 0
    for byte in part.body:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def moment(part: Part) -> int:
    """A time, in microseconds since 1970."""
    text = part.body.decode("ascii")
    if part.tag == 0x17:  # two digits of the year
        text = ("19" if text[:2] >= "50" else "20") + text
    whole, _, fraction = text.removesuffix("Z").partition(".")
    if len(whole) != 14 or not text.endswith("Z"):
        raise ValueError("no time")
    at = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1) + int((fraction + "000000")[:6])


def pem(text: str) -> list[bytes]:
    """The certificates in a file of them. Raises ValueError where there are none."""
    blocks = re.findall(
        "-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.DOTALL
    )
    if not blocks:
        raise ValueError("no certificate")
    return [b64("".join(block.split())) for block in blocks]


class Certificate:
    """What a certificate says, as far as a time stamp asks."""

    def __init__(self, raw: bytes) -> None:
        outer = one(raw)
        self.raw = outer.raw
        tbs, self.algorithm, signature = outer.parts()
        self.signed, self.signature = tbs.raw, signature.body[1:]
        parts = tbs.parts()
        if parts[0].tag != 0xA0:
            raise Unknown("a certificate of the first version")
        self.serial, self.issuer, self.subject = parts[1].raw, parts[3].raw, parts[5].raw
        self.since, self.until = map(moment, parts[4].parts())
        self._key = parts[6].raw
        held = [part for part in parts[7:] if part.tag == 0xA3]
        listed = held[0].parts()[0].parts() if held else []
        self._extensions = {oid(e.parts()[0]): one(e.parts()[-1].body) for e in listed}

    def authority(self) -> bool:
        """Whether it may issue others."""
        said = self._extensions.get(BASIC_CONSTRAINTS)
        return said is not None and any(p.tag == 1 and p.body != b"\x00" for p in said.parts())

    def stamps(self) -> bool:
        """Whether it is for time stamps."""
        said = self._extensions.get(EXTENDED_USE)
        return said is not None and STAMPING in [oid(part) for part in said.parts()]

    def checks(self, algorithm: Part, digest: str | None, signature: bytes, text: bytes) -> bool:
        """Whether the signature is this key's over the text. Raises Unknown."""
        kind, named = SIGNATURES.get(oid(algorithm.parts()[0]), (None, None))
        hashed = _HASHES.get(named or digest or "")
        what, *curve = (oid(part) for part in one(self._key).parts()[0].parts() if part.tag == 6)
        if hashed is None or what not in (RSA, CURVE) or not set(curve) <= CURVES:
            raise Unknown("another kind of signature or key")
        key = load_der_public_key(self._key)
        try:
            if kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, text, padding.PKCS1v15(), hashed())
            elif kind == "ec" and isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, text, ec.ECDSA(hashed()))
            else:
                return False
        except InvalidSignature:
            return False
        return True

    def issued(self, other: "Certificate") -> bool:
        return (
            self.authority()
            and other.issuer == self.subject
            and self.checks(other.algorithm, None, other.signature, other.signed)
        )


class Stamp(NamedTuple):
    """A token whose signature is right: when (microseconds since 1970), whose, what came along."""

    at: int
    signer: Certificate
    others: Sequence[Certificate]

    def under(self, trusted: Sequence[Certificate]) -> bool:
        """Whether its signer is one of these, or was issued by one of them."""
        here = self.signer
        for _ in range(5):
            if any(here.raw == each.raw for each in trusted):
                return True
            above = [c for c in (*trusted, *self.others) if c.raw != here.raw and c.issued(here)]
            if not above or not above[0].since <= self.at <= above[0].until:
                return False
            here = above[0]
        return False


def stamped(response: bytes, message: bytes) -> Stamp:
    """What a time-stamp response says of a message. Raises ValueError where it is not right, or
    not over this message; Unknown where this reader cannot tell.
    """
    status, token = one(response).parts()
    if status.parts()[0].body != b"\x00":
        raise ValueError("not granted")
    kind, content = token.parts()
    if oid(kind) != SIGNED_DATA:
        raise ValueError("no signed data")
    _, _, held, *rest = content.parts()[0].parts()
    what, wrapped = held.parts()
    if oid(what) != TST_INFO:
        raise ValueError("no time stamp")
    info = wrapped.parts()[0].body
    certificates = [Certificate(c.raw) for part in rest if part.tag == 0xA0 for c in part.parts()]
    [signer] = rest[-1].parts()
    _, _, imprint, _, gen_time, *_ = one(info).parts()
    algorithm, hashed = imprint.parts()
    if _digest(algorithm, message) != hashed.body:
        raise ValueError("over another message")
    at = moment(gen_time)
    whose = _whose(signer, info, certificates)
    if not whose.stamps() or not whose.since <= at <= whose.until:
        raise ValueError("not for time stamps, or not then")
    return Stamp(at, whose, certificates)


def _digest(algorithm: Part, message: bytes) -> bytes:
    name = DIGESTS.get(oid(algorithm.parts()[0]))
    if name is None:
        raise Unknown("another digest")
    return hashlib.new(name, message).digest()


def _whose(signer: Part, info: bytes, certificates: Sequence[Certificate]) -> Certificate:
    """The certificate in the token whose key signed it. Raises ValueError."""
    _, who, digest, attributes, algorithm, signature, *_ = signer.parts()
    if who.tag != 0x30 or attributes.tag != 0xA0:
        raise Unknown("a signer named in another way")
    said = {oid(a.parts()[0]): a.parts()[1].parts() for a in attributes.parts()}
    if [oid(part) for part in said[CONTENT_TYPE]] != [TST_INFO]:
        raise ValueError("signed as something else")
    if [part.body for part in said[MESSAGE_DIGEST]] != [_digest(digest, info)]:
        raise ValueError("not what was signed")
    issuer, serial = (part.raw for part in who.parts())
    text = b"\x31" + attributes.raw[1:]  # a set, as it was when it was signed
    for each in certificates:
        if (each.issuer, each.serial) == (issuer, serial):
            name = DIGESTS[oid(digest.parts()[0])]
            if not each.checks(algorithm, name, signature.body, text):
                raise ValueError("the signature is not valid")
            return each
    raise ValueError("the signer's certificate is not in the token")
