"""The change feed for other systems: what was entered after a position, as CloudEvents.

Owns the form of a notice. Invariant: a notice tells that an act was entered and about whom, by
opaque ids; its content is fetched by who may read it. A page that is full never changes, but for
entries of a case, which are bare positions to whom the case is sealed.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.asking import asks
from api.entries import to_bytes
from api.queries import TheBureau
from api.settings import Bureau
from api.shapes import everyone_in
from api.times import NOW, When, moment
from domain.events import Entry
from projections.cases import cases_in

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
    notices = since(bureau, after, limit)
    last = int(notices[-1]["sequence"]) if notices else after
    headers = {"Ledger-Position": str(last), "Cache-Control": "private, no-cache"}
    if len(notices) == limit:
        headers["Link"] = f'<{request.url.path}?after={last}&limit={limit}>; rel="next"'
    return Response(to_bytes(notices), 200, headers, MEDIA_TYPE)


@asks(name="changes")
def since(bureau: Bureau, after: int, limit: int, when: When = NOW) -> list[dict[str, Any]]:
    """Notices of the entries after a position, on record where there are any: asking in vain tells
    of nobody.
    """
    until = None if when.recorded is None else moment(bureau, when.recorded).position
    ledger = bureau.ledger
    notices = [
        bare(e.position) if ledger.hides(e.tags) else notice(Entry(*e))
        for e in ledger.log.entries(after=after, limit=limit, until=until)
    ]
    if notices:
        stated = {"recorded": int(notices[-1]["sequence"])}
        bureau.read(stated, {*everyone_in(notices)}, (), cases_in(notices))
    return notices


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
