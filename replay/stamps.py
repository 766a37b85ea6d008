"""Trusted time: what is asked of a time-stamp authority (RFC 3161), and whether its answer holds.

Owns the request and the judgement of an answer. Invariant: an answer is kept only where the
authority that the settings name signed it, over this very head, for this very request.
"""

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
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

from domain.ledger.seals import Sealed, Stamped

MOST_BYTES = 64 << 10
SLACK = timedelta(minutes=5)
"""How far the clocks of the ledger and of a time-stamp authority may differ."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def contradictions(
    one: Sealed, at: datetime, times: Mapping[int, int]
) -> Iterator[tuple[int, str, str]]:
    """Where a stamped head, its last entry or the next one says another time than the stamp: the
    position, in both languages. `times`: microseconds since 1970.
    """
    size, said = one.size, f"{at:%F %T} UTC"
    earliest, latest = ((t - _EPOCH) // timedelta(microseconds=1) for t in (at - SLACK, at + SLACK))
    if one.sealed_at > at + SLACK:
        yield (
            size, f"前 {size} 条登记的封签时间晚于其上的时间戳({said})",
            f"the head over {size} entries says it was sealed after it was time-stamped ({said})",
        )  # fmt: skip
    if times.get(size, latest) > latest:
        yield (
            size, f"第 {size} 条登记的登记时间晚于为其加盖的时间戳({said})",
            f"entry {size} says it was recorded after it was time-stamped ({said})",
        )  # fmt: skip
    if times.get(size + 1, earliest) < earliest:
        en = f"entry {size + 1} says it was recorded before the time stamp over the entries ahead"
        yield (
            size + 1, f"第 {size + 1} 条登记的登记时间早于前一封签的时间戳({said})",
            f"{en} of it ({said})",
        )  # fmt: skip


def around(every: Sequence[Stamped], positions: Collection[int]) -> list[Stamped]:
    """Of the stamps over a log's heads, in order, those next to these positions on both sides."""
    sizes = [one.sealed.size for one in every]
    after = {bisect_left(sizes, position) for position in positions}
    return [one for n, one in enumerate(every) if n in after or n + 1 in after]


def told(stamp: Stamped) -> dict[str, str]:
    """As it lies in a bundle: the note that was stamped, and the authority's answer."""
    response = b64encode(stamp.response).decode()
    return {"note": str(stamp.sealed.note), "response": response}
