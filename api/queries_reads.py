"""Who has read, over HTTP: for those who oversee, and for the person.

Owns these routes. Invariant: one's own record is that of the person whom the right names, whatever
the address says; of others it tells no private value.
"""

from fastapi import APIRouter, Request, Response

from api import answers, looked
from api.problems import NotAllowed
from api.queries import PersonPath, TheBureau, TheWhen, answered

router = APIRouter(prefix="/v1", tags=["reads"])


@router.get("/auxiliaries/{person}/reads")
def reads(
    request: Request,
    bureau: TheBureau,
    person: PersonPath,
    first_day: str | None = None,
    last_day: str | None = None,
) -> Response:
    """Who has read a person's record, when and what for; also in lists 查阅记录."""
    return answered(request, looked.who_read(bureau, person, first_day, last_day))


@router.get("/own/record")
def own_record(request: Request, bureau: TheBureau, when: TheWhen) -> Response:
    """One's own record 本人档案."""
    return answered(request, answers.record(bureau, _own(request), when))


@router.get("/own/reads")
def own_reads(
    request: Request,
    bureau: TheBureau,
    first_day: str | None = None,
    last_day: str | None = None,
) -> Response:
    """Who has read one's own record 本人档案的查阅记录."""
    found = looked.who_read(bureau, _own(request), first_day, last_day)
    return answered(request, found)


def _own(request: Request) -> str:
    """Whose own record it is. Raises NotAllowed where nobody is asked who they are."""
    own = request.state.asking.own
    if own is None:
        raise NotAllowed
    return str(own)
