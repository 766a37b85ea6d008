"""The change feed for other systems: what was entered after a position, as CloudEvents.

Owns the form of a notice. Invariant: a notice tells that an act was entered and about whom, by
opaque ids; its content is fetched by who may read it. A page that is full never changes, but for
entries of a case, which are bare positions to whom the case is sealed.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.entries import to_bytes
from api.queries import TheBureau
from domain.events import Entry

MOST = 1_000
MEDIA_TYPE = "application/cloudevents-batch+json"

router = APIRouter(prefix="/v1")


@router.get("/changes", tags=["feed"])
def changes(
    request: Request,
    bureau: TheBureau,
    after: Annotated[int, Query(ge=0, description="the last position you have")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Response:
    """Notices of the entries after a position, in order; none is ever missing (CloudEvents 1.0)."""
    ledger = bureau.ledger
    entries = list(ledger.log.entries(after=after, limit=limit))
    last = entries[-1].position if entries else after
    headers = {"Ledger-Position": str(last), "Cache-Control": "private, no-cache"}
    if len(entries) == limit:
        headers["Link"] = f'<{request.url.path}?after={last}&limit={limit}>; rel="next"'
    notices = [bare(e.position) if ledger.hides(e.tags) else notice(Entry(*e)) for e in entries]
    return Response(to_bytes(notices), 200, headers, MEDIA_TYPE)


def bare(position: int) -> dict[str, Any]:
    """That an entry is there, and nothing else of it."""
    return {
        "specversion": "1.0",
        "id": str(position),
        "source": "/v1/entries",
        "type": "personnel-ledger.case-sealed",
        "subject": f"/v1/entries/{position}",
        "sequence": str(position),
    }


def notice(entry: Entry) -> dict[str, Any]:
    """An entry without its content. `sequence` is the position; `corrects` the root's event id."""
    told: dict[str, Any] = {
        "specversion": "1.0",
        "id": entry.id,
        "source": "/v1/entries",
        "type": f"personnel-ledger.{entry.type}",
        "subject": f"/v1/entries/{entry.position}",
        "time": entry.recorded_at,
        "sequence": str(entry.position),
        "effective": entry.effective,
        "data": {"tags": entry.tags},
    }
    if batch := entry.envelope.get("batch"):
        told["batchid"] = batch
    if entry.corrects:
        told["corrects"] = entry.root
    return told
