"""A second person's own consent: what waits for it, what it says, giving it, and entering on it.

Owns the content that is approved and its digest. Invariant: the approver is shown the very bytes
whose digest the approval names; a request enters on an approval of exactly these, once.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api import access
from api.entries import to_bytes
from api.guard import Guard
from api.problems import NotAllowed
from api.queries import TheBureau
from api.reader import Question
from api.rights import Asking
from api.settings import Bureau
from api.times import NOW, as_of
from domain.acts.approvals import ApprovalUsed, RequestApproved
from domain.events import REGISTRY, Id, Proposal, cases_of
from domain.ledger import UNDATED
from domain.ledger.drafts import Draft
from domain.ledger.impact import impact_dict, unacknowledged
from domain.ledger.requests import Receipt
from domain.ledger.requests import Request as Entering
from domain.ledger.sealing import private_of
from domain.refusals import ApprovalNeeded, ImpactRefused, UnknownSubject

HOLDS = timedelta(days=8)
"""Until when an approval may be used: the seventh day after it was given is the last."""

WITHHELD = {"withheld": True}

router = APIRouter(prefix="/v1")

Said = dict[str, Any]


def enter(bureau: Bureau, asking: Asking, request: Entering) -> Receipt:
    """Enter a request; where it names an approver and accounts are asked for, on the approval of
    that account. Raises ApprovalNeeded, with the request kept for the approver to see; what else
    stands in the request's way comes first.
    """
    if asking.grants is None or request.approved_by is None:
        return bureau.ledger.enter(request)
    content = content_of(request)
    digest = digest_of(bureau, content)
    approver = access.account_named(request.approved_by).id
    used = Proposal(ApprovalUsed(request=digest, account=approver), UNDATED)
    try:
        receipt = bureau.ledger.enter(request._replace(proposals=[*request.proposals, used]))
    except ApprovalNeeded as needed:
        _require_mended(bureau, request)
        bureau.ledger.vault.drafts.keep(digest, approver, _named(request), content)
        needed.index = None
        raise
    bureau.ledger.vault.drafts.drop(digest)
    return receipt


def _require_mended(bureau: Bureau, request: Entering) -> None:
    """Nobody is asked to approve what would be refused all the same."""
    left = unacknowledged(request, bureau.ledger.preview(request).impacts)
    if left and request.mood == "ordered":
        raise ImpactRefused([impact_dict(impact) for impact in left])


def _named(request: Entering) -> set[str]:
    """The persons whom a request names, and those whose private data are in it."""
    tags = {tag for p in request.proposals for tag in p.event.tags()}
    owners = {owner.subject for p in request.proposals for _, owner in private_of(p.event)}
    return owners | {tag.removeprefix("person:") for tag in tags if tag.startswith("person:")}


def content_of(request: Entering) -> bytes:
    """Everything that a request asks for, and of whom: what is approved."""
    said = {
        "proposer": {"issuer": request.actor.issuer, "subject": request.actor.subject},
        "approved_by": request.approved_by,
        "mood": request.mood,
        "attested_by": request.attested_by,
        "document": _plain(request.document),
        "acts": [
            {
                "type": type(p.event).__name__,
                **{k: _plain(v) for k, v in p._asdict().items() if v is not None and k != "event"},
                "fields": p.event.model_dump(mode="json", exclude_none=True),
            }
            for p in request.proposals
        ],
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    return (
        value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else value
    )


def digest_of(bureau: Bureau, content: bytes) -> str:
    """Keyed: an entry that names it tells nothing of the content."""
    return bureau.ledger.vault.request_hash(b"approval|" + content).hex()


# what the approver does


@router.get("/approvals", tags=["approvals"])
def waiting(request: Request, bureau: TheBureau) -> Response:
    """What waits for the asking account's approval 待批准."""
    drafts = bureau.ledger.vault.drafts.waiting(request.state.asking.account.id)
    found = []
    for draft in drafts:
        said = orjson.loads(draft.content)
        types = [act["type"] for act in said["acts"]]
        found.append(
            {
                "request": draft.request, "since": draft.made_at, "proposer": said["proposer"],
                "acts": len(types), "types": sorted(set(types)),
            }
        )  # fmt: skip
    return _answered(bureau, found)


@router.get("/approvals/{request_id}", tags=["approvals"])
def one(request: Request, bureau: TheBureau, request_id: Id) -> Response:
    """What a request that waits asks for: all that its approval would cover 待批准内容."""
    guard: Guard = request.app.state.guard
    draft = _draft(bureau, request.state.asking, request_id)
    seen = _seen(guard, request.state.asking, draft)
    _, stated = as_of(bureau, NOW)
    alone = next(iter(seen.persons)) if len(seen.persons) == 1 else None
    question = Question("approval", {"request": draft.request}, alone)
    bureau.asked(question).read(stated, seen.persons, seen.classes, seen.cases)
    return _answered(bureau, {"request": draft.request, "since": draft.made_at, **seen.said})


def approve(bureau: Bureau, guard: Guard, asking: Asking, digest: str, **envelope: Any) -> Receipt:
    """Enter the asking account's approval of what waits for it. Raises UnknownSubject; NotAllowed
    where a part of it may not be seen.
    """
    draft = _draft(bureau, asking, digest)
    if not _seen(guard, asking, draft).whole or digest_of(bureau, draft.content) != draft.request:
        raise NotAllowed
    account = asking.account
    given = RequestApproved(
        request=draft.request, account=account.id, issuer=account.issuer, subject=account.subject
    )
    today = bureau.ledger.today()
    act = Proposal(given, today, today + HOLDS)
    actor = access.actor_of(account, "approver")
    return bureau.ledger.enter(Entering([act], actor=actor, **envelope))


def _draft(bureau: Bureau, asking: Asking, request_id: str) -> Draft:
    draft = bureau.ledger.vault.drafts.find(request_id, asking.account.id)
    if draft is None:
        raise UnknownSubject("nothing of this digest waits for this account",
                             zh="没有待该账号批准的这一请求", field="request")  # fmt: skip
    return draft


class _Seen(NamedTuple):
    """The content as an approver may see it, and whether that is all of it; of whom and of which
    cases it tells, and which classes of private fields are open in it.
    """

    said: Said
    whole: bool
    persons: set[str]
    classes: set[str]
    cases: set[str]


def _seen(guard: Guard, asking: Asking, draft: Draft) -> _Seen:
    said: Said = orjson.loads(draft.content)
    whole = True
    persons: set[str] = set()
    opened: set[str] = set()
    cases: set[str] = set()
    for act in said["acts"]:
        event = REGISTRY[act["type"]].model_validate(act["fields"])
        annuls, supersedes = (UUID(act[n]) if n in act else None for n in ("annuls", "supersedes"))
        day = date.fromisoformat(act["effective"])
        proposal = Proposal(event, day, annuls=annuls, supersedes=supersedes)
        classes = guard.acting.open_to(asking, proposal)
        if classes is None:
            raise NotAllowed
        persons |= {tag[7:] for tag in event.tags() if tag.startswith("person:")}
        cases |= {*cases_of(event.tags())}
        for name, owner in private_of(event):
            persons.add(owner.subject)
            if owner.cls in classes:
                opened.add(owner.cls)
            else:
                act["fields"][name], whole = WITHHELD, False
    return _Seen(said, whole, persons, opened, cases)


def _answered(bureau: Bureau, data: Any) -> Response:
    _, stated = as_of(bureau, NOW)
    headers = {"Cache-Control": "private, no-store"}
    return Response(to_bytes({"as_of": stated, "data": data}), 200, headers, "application/json")
