"""Trusted time: what is asked of a time-stamp authority (RFC 3161), and whether its answer holds.

Owns the request and the judgement of an answer. Invariant: an answer is kept only where the
authority that the settings name signed it, over this very head, for this very request.
"""

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.tsp import TimeStampRequest

from domain.ledger.seals import Stamped

MOST_BYTES = 64 << 10


class StampRefused(ValueError):
    """The answer is no time stamp of the authority over this head; the message says why."""


class Authority(NamedTuple):
    """Whose time stamps are believed: its certificate, or those it was issued under."""

    roots: Sequence[Certificate]

    @classmethod
    def of(cls, file: Path) -> Self:
        """From a file of certificates (PEM). Raises ValueError, OSError."""
        return cls(load_pem_x509_certificates(file.read_bytes()))

    def request(self, note: bytes) -> TimeStampRequest:
        """What to send so that the authority stamps a head's note."""
        builder = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256)
        return builder.nonce(nonce=True).cert_request(cert_request=True).build()

    def stamped(
        self, note: bytes, response: bytes, request: TimeStampRequest | None = None
    ) -> datetime:
        """When the authority stamped this note. Raises StampRefused."""
        builder = VerifierBuilder(roots=list(self.roots))
        if request is not None and request.nonce is not None:
            builder = builder.nonce(request.nonce)
        try:
            answer = decode_timestamp_response(response)
            builder.build().verify_message(answer, note)
            at: datetime = answer.tst_info.gen_time
        except (ValueError, VerificationError) as refused:
            raise StampRefused(str(refused)) from None
        return at


def around(every: Sequence[Stamped], positions: Collection[int]) -> list[Stamped]:
    """Of the stamps over a log's heads, in order, those next to these positions on both sides."""
    sizes = [one.sealed.size for one in every]
    after = {bisect_left(sizes, position) for position in positions}
    return [one for n, one in enumerate(every) if n in after or n + 1 in after]


def told(stamp: Stamped) -> dict[str, str]:
    """As it lies in a bundle: the note that was stamped, and the authority's answer."""
    response = b64encode(stamp.response).decode()
    return {"note": str(stamp.sealed.note), "response": response}
