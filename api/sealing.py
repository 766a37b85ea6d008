"""Seals over HTTP: the last head, proofs of entries and of growth.

Owns their shape: notes as text (C2SP), hashes in base64. Invariant: what is answered can be checked
with the public key alone, without asking this server again.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from api.entries import to_bytes
from api.queries import TheBureau
from api.settings import Bureau
from domain.ledger.seals import Sealed
from domain.notes import public
from domain.refusals import BadInput, BeyondHead, Refusal, UnknownFact
from replay.proofs import proof_text

router = APIRouter(prefix="/v1", tags=["seals"])


class NotSealed(Refusal):
    """The entry is not under a signed head yet; it will be within moments."""

    code = "not-sealed"
    category = "unavailable"
    zh = "该登记尚未封签,请稍后再取证明"


@router.get("/seals")
def seals(bureau: TheBureau) -> Response:
    """The last signed head 封签, the key that checks it, and how far it is behind the log."""
    last = bureau.sealer.seals.last()
    if last is None:
        raise NotSealed
    lag = bureau.sealer.lag()
    key = public(last.head.origin, bureau.sealer.key())
    told = {**_head(bureau, last), "key": str(key), "unsealed": lag.entries}
    return Response(to_bytes(told), media_type="application/json")


@router.get("/seals/extension")
def extension(
    bureau: TheBureau,
    old: Annotated[int, Query(ge=0, description="the size of the head you keep")],
    new: Annotated[
        int | None, Query(ge=0, description="of a later head; the last if absent")
    ] = None,
) -> Response:
    """The proof that a later head extends an earlier one (RFC 9162, 2.1.4)."""
    if new and new > bureau.ledger.log.head():
        raise BeyondHead(field="new")
    found = bureau.sealer.seals.covering(new) if new else bureau.sealer.seals.last()
    if found is None:
        raise NotSealed
    if old > found.size:
        raise BadInput("larger than the later head", field="old", zh="大于后一封签的条数")
    path = bureau.sealer.seals.extension(old, found.size)
    told = {"old": old, "path": _encoded(path), **_head(bureau, found)}
    return Response(to_bytes(told), media_type="application/json")


@router.get("/proofs/{position}")
def proof(
    bureau: TheBureau,
    position: Annotated[int, Path(ge=1)],
    size: Annotated[
        int | None, Query(ge=1, description="under a head of at least this size")
    ] = None,
    form: Annotated[
        Literal["json", "tlog-proof"],
        Query(description="JSON, or one file of text (C2SP tlog-proof)"),
    ] = "json",
) -> Response:
    """The proof that an entry is under a signed head (RFC 9162, 2.1.3); its leaf index is
    position - 1.
    """
    if position > (head := bureau.ledger.log.head()):
        raise UnknownFact(field="position")
    if size is not None and size > head:
        raise BeyondHead(field="size")
    found = bureau.sealer.seals.prove(position, size)
    if found is None:
        raise NotSealed(position=position)
    if form == "tlog-proof":
        note = str(bureau.sealer.seals.with_cosignatures(found.sealed))
        text = proof_text(position - 1, found.path, note)
        return Response(text, media_type="text/plain; charset=utf-8")
    told = {
        "position": position, "leaf": b64encode(found.leaf).decode(),
        "path": _encoded(found.path), **_head(bureau, found.sealed),
    }  # fmt: skip
    return Response(to_bytes(told), media_type="application/json")


def _head(bureau: Bureau, sealed: Sealed) -> dict[str, Any]:
    return {
        "size": sealed.size,
        "sealed_at": sealed.sealed_at,
        "head": str(bureau.sealer.seals.with_cosignatures(sealed)),
    }


def _encoded(path: Sequence[bytes]) -> list[str]:
    return [b64encode(one).decode() for one in path]
