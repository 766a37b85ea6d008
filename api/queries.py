"""Questions over HTTP: each route reads its parameters and hands them to `answers`.

Owns the routes that read. Invariant: an address holds opaque ids only; searches by name or number
are POST. Reads take `effective` and `recorded`, and `Min-Position` to read one's own writes.
"""

from functools import partial
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import answers, answers_many, answers_series, mass, previews, publishing
from api.answers import Answer, When, to_bytes
from api.entries import MOST_BYTES, checked_bytes, request_of
from api.problems import NotJson
from api.reader import case_of, from_header
from api.settings import Bureau
from domain.events import Code, Id
from domain.refusals import BadInput, BeyondHead, TooLarge
from projections import due as _due

router = APIRouter(prefix="/v1")

OWN = "本人查阅 / own record"
"""What one's own record is read for, where nothing else is stated."""
MIN_POSITION_SECONDS = 2.0
"""How long a read waits for the position it asks for."""

PersonPath = Annotated[Id, Path(description="the person's opaque id")]
UnitPath = Annotated[Id, Path(description="the unit's opaque id")]
Subject = Annotated[str, Field(pattern=r"^[a-z-]+:[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]


def bureau_of(
    request: Request,
    purpose: Annotated[
        str | None,
        Header(description="why private fields are read; UTF-8, percent-encoded. Needed for them"),
    ] = None,
    case: Annotated[str | None, Header(description="the id of the case it is read for")] = None,
) -> Bureau:
    """The bureau, as far as whoever asks may read its private fields and see its cases; each read
    is put on record.

    Raises BadInput, field "purpose" or "case".
    """
    bureau: Bureau = request.app.state.bureau
    asking = request.state.asking
    reader = request.app.state.guard.reader(request, asking.actor, asking.used)
    stated = case_of(case)
    if stated is not None and asking.sight is not None and not asking.sight.cases:
        raise BadInput("only who inquires into cases reads for one", field="case",
                       zh="只有办案人员可为案件查阅")  # fmt: skip
    reader = reader._replace(purpose=from_header(purpose), case=stated)
    only = None
    if asking.own is not None:
        reader = reader._replace(purpose=reader.purpose or OWN)
        only = frozenset(bureau.ledger.forest(bureau.ledger.log.head()).family(asking.own))
    return bureau.seen_with(asking.classes, asking.sight, only).read_by(reader)


def when(
    request: Request,
    effective: Annotated[str | None, Query(description="a day; today where absent")] = None,
    recorded: Annotated[
        str | None,
        Query(description="a position, an RFC 3339 instant or a day; the latest where absent"),
    ] = None,
    min_position: Annotated[
        int | None, Header(ge=0, description="answer no earlier than this position")
    ] = None,
) -> When:
    """The pair a read asks about; waits for `Min-Position`.

    Raises Lagging, and BeyondHead where the ledger itself has not come to that position.
    """
    if min_position is not None:
        bureau: Bureau = request.app.state.bureau
        if min_position > bureau.ledger.log.head():
            raise BeyondHead(field="min-position")
        bureau.runner.reach(min_position, timeout=MIN_POSITION_SECONDS)
    return When(effective, recorded)


async def body_of(request: Request) -> bytes:
    """The JSON body, read no further than the largest one that could be taken.

    Raises TooLarge, NotJson.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge
    return bytes(body)


TheBureau = Annotated[Bureau, Depends(bureau_of)]
TheWhen = Annotated[When, Depends(when)]
TheBody = Annotated[bytes, Depends(body_of)]


def answered(request: Request, answer: Answer) -> Response:
    """An answer with its position, its pinned address and its tag; 304 where it is known."""
    body = to_bytes(answer)
    stated = answer["as_of"]
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Ledger-Position": str(stated["recorded"]),
        "Cache-Control": "private, no-cache",
    }
    if request.method == "GET":
        pinned = {"effective": stated["effective"], "recorded": stated["recorded"]}
        asked = [(k, v) for k, v in request.query_params.multi_items() if k not in pinned]
        query = urlencode([*asked, *pinned.items()])
        headers["Content-Location"] = f"{quote(request.url.path)}?{query}"
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


@router.get("/auxiliaries/{person}", tags=["people"])
def record(request: Request, bureau: TheBureau, when: TheWhen, person: PersonPath) -> Response:
    """Every facet of a person and every spell 人员档案."""
    return answered(request, answers.record(bureau, person, when))


@router.get("/auxiliaries/{person}/history", tags=["people"])
def history(request: Request, bureau: TheBureau, when: TheWhen, person: PersonPath) -> Response:
    """Every entry about a person, and what became of each 履历与更正."""
    return answered(request, answers.history(bureau, person, when))


@router.get("/auxiliaries/{person}/pay", tags=["people"])
def pay(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    person: PersonPath,
    first_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
    last_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
    before: Annotated[str | None, Query(description="an earlier point of the log")] = None,
) -> Response:
    """Pay in fen, month by month; with `before`, what has become owed since 薪酬与补发."""
    found = answers.pay(
        bureau, person, when, first_month=first_month, last_month=last_month, before=before
    )
    return answered(request, found)


@router.get("/auxiliaries/{person}/accountability", tags=["responsibility"])
def accountability(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    person: PersonPath,
    then: Annotated[str | None, Query(description="the earlier point of the log")] = None,
    first_day: str | None = None,
    last_day: str | None = None,
) -> Response:
    """Who answered for a person: on `effective`, as recorded then and as known now; or over the
    days from `first_day` to `last_day`, with every vacancy 责任追溯.
    """
    if first_day is None and last_day is None:
        found = answers.accountability(bureau, person, when, then)
    else:
        found = answers.accountability_over(bureau, person, first_day, last_day, when)
    return answered(request, found)


@router.get("/officers/{person}/responsibilities", tags=["responsibility"])
def responsibilities(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    person: PersonPath,
    first_day: str | None = None,
    last_day: str | None = None,
) -> Response:
    """Whom an officer answered for: on `effective`, or over a period 民警的责任."""
    found = answers.responsibilities(bureau, person, when, first_day, last_day)
    return answered(request, found)


@router.get("/due", tags=["law"])
def due(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    state: Annotated[list[_due.State], Query()] = [],  # noqa: B006 - never changed
) -> Response:
    """Promises with a term: open, overdue, kept, late or lapsed 期限."""
    return answered(request, answers.due(bureau, when, state))


@router.get("/roster", tags=["units"])
def roster(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    unit: Annotated[Id | None, Query()] = None,
    below: bool = True,
    grade: Annotated[Code | None, Query()] = None,
    post: Annotated[Code | None, Query()] = None,
    category: Annotated[Code | None, Query()] = None,
) -> Response:
    """The auxiliaries in service 花名册."""
    found = answers.roster(
        bureau, when, unit, below=below, grade=grade, post=post, category=category
    )
    return answered(request, found)


@router.get("/payroll", tags=["units"])
def payroll(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    unit: Annotated[Id | None, Query()] = None,
    first_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
    last_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
) -> Response:
    """What everybody of a unit and those below it, or of the bureau, is due, month by month, in
    fen; the month of `effective` where none is given 工资册.
    """
    found = answers_many.payroll(bureau, when, unit, first_month=first_month, last_month=last_month)
    return answered(request, found)


@router.get("/accountability", tags=["responsibility"])
def accountability_of_many(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    unit: Annotated[Id | None, Query()] = None,
) -> Response:
    """Who answered on `effective` for everybody whose using unit is the unit or one below it, or of
    the bureau 全员责任.
    """
    return answered(request, answers_many.accountability_of_many(bureau, when, unit))


@router.get("/headcounts", tags=["units"])
def headcounts(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    by: Literal["unit", "grade", "post", "category"] = "unit",
    unit: Annotated[Id | None, Query()] = None,
    below: bool = True,
) -> Response:
    """Auxiliaries in service by unit, grade, post or category 人数."""
    return answered(request, answers.headcounts(bureau, when, by, unit, below=below))


@router.get("/series", tags=["units"])
def series(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    of: Literal["headcount", "pyramid", "vacancies", "gaps"],
    first_month: Annotated[str | None, Query(alias="from", description="YYYY-MM")] = None,
    last_month: Annotated[str | None, Query(alias="to", description="YYYY-MM")] = None,
    unit: Annotated[Id | None, Query()] = None,
) -> Response:
    """Headcount, grade pyramid, vacant seats or responsibility gaps, on the last day of every
    month, as known at one point of the log 逐月统计.
    """
    return answered(request, answers_series.series(bureau, of, first_month, last_month, when, unit))


@router.get("/units", tags=["units"])
def units(request: Request, bureau: TheBureau, when: TheWhen) -> Response:
    """The unit tree 单位."""
    return answered(request, answers.units(bureau, when))


@router.get("/units/{unit}", tags=["units"])
def unit(request: Request, bureau: TheBureau, when: TheWhen, unit: UnitPath) -> Response:
    """Every facet of a unit 单位编成."""
    return answered(request, answers.unit(bureau, unit, when))


@router.get("/findings", tags=["law"])
def findings(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    person: Annotated[Id | None, Query()] = None,
    unit: Annotated[Id | None, Query()] = None,
) -> Response:
    """Rules not met by what stands, with their articles 问题清单."""
    return answered(request, answers.findings(bureau, when, person=person, unit=unit))


@router.get("/journal", tags=["entries"])
def journal(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    type: Annotated[list[str], Query()] = [],  # noqa: A002, B006 - the parameter's name
    tag: Annotated[list[Subject], Query(description="person:… unit:…")] = [],  # noqa: B006 - never changed
    after: Annotated[int, Query(ge=0)] = 0,
    since: str | None = None,
    late: Annotated[int | None, Query(description="days of lateness, at least")] = None,
    corrections: bool = False,
    limit: Annotated[int, Query(ge=1, le=answers.MOST_ROWS)] = 200,
) -> Response:
    """Entries, searched by type, subject, time of entry and lateness 登记簿."""
    found = answers.journal(
        bureau, when, types=type, tags=tag, after=after, since=since, late=late,
        corrections=corrections, limit=limit,
    )  # fmt: skip
    return answered(request, found)


@router.get("/entries/{position}", tags=["entries"])
def entry(
    request: Request, bureau: TheBureau, when: TheWhen, position: Annotated[int, Path(ge=1)]
) -> Response:
    """One entry, what became of it and what the law found of it 登记."""
    return answered(request, answers.entry(bureau, position, when))


@router.post("/preview", tags=["entries"])
def preview(request: Request, bureau: TheBureau, body: TheBody) -> Response:
    """What entering these acts would find; nothing is stored 预览."""
    proposed = request_of(bureau.ledger, body)
    guard, asking = request.app.state.guard, request.state.asking
    allowed = guard.acting.entering(asking, proposed)
    if (before := guard.acting.told_before(asking, allowed)) is not None:
        bureau = bureau.seen_with(bureau.classes, asking.sight._replace(before=before))
    return answered(request, previews.preview(bureau, allowed))


@router.post("/mass/preview", tags=["entries"])
def mass_preview(request: Request, bureau: TheBureau, body: TheBody) -> Response:
    """Whom one act for many would refuse, and what it would find; nothing is stored 多人预览."""
    guard, asking = request.app.state.guard, request.state.asking
    return answered(request, mass.preview(bureau, body, partial(guard.acting.entering, asking)))


@router.post("/preview/pay", tags=["entries"])
def preview_pay(request: Request, bureau: TheBureau, when: TheWhen, body: TheBody) -> Response:
    """Whose pay a pack would change, were it published; nothing is stored 薪酬预览."""
    return answered(request, publishing.pay_asked(bureau, body, when))


class Sought(BaseModel):
    """Who is looked for: by one of the three."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    number: Id | None = None
    id_number: Code | None = None
    name: Code | None = None


@router.post("/lookup", tags=["people"])
def lookup(request: Request, bureau: TheBureau, when: TheWhen, body: TheBody) -> Response:
    """Persons by auxiliary number, ID number or name: in the body, for an address is no place
    for them 查找.
    """
    sought = checked_bytes(Sought, body)
    return answered(request, answers.lookup(bureau, when, **sought.model_dump()))


@router.get("/types", tags=["entries"])
def types() -> Response:
    """What can be entered: event types, their labels, facets and schemas 事项种类."""
    return Response(to_bytes(answers.types()), media_type="application/json")
