"""Questions along both axes, over HTTP.

Owns the routes of `answers_axes`. Invariant: an address holds opaque ids only.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import answers_axes
from api.answers import When
from api.queries import Subject, TheBureau, TheWhen, answered
from domain.events import Id
from domain.refusals import BadInput, MissingField

router = APIRouter(prefix="/v1")

About = Annotated[Subject, Query(description="person:… unit:…")]
FacetName = Annotated[str, Query(pattern="^[a-z-]{1,64}$")]


@router.get("/timeline", tags=["both times"])
def timeline(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    subject: About,
    facet: FacetName | None = None,
) -> Response:
    """What held from when to when, as known at one position, and by which entry 时间线."""
    return answered(request, answers_axes.timeline(bureau, subject, when, facet))


@router.get("/beliefs", tags=["both times"])
def beliefs(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    subject: About,
    facet: FacetName | None = None,
) -> Response:
    """What was said of the day `effective`, position by position, and who changed it 认知变迁."""
    return answered(request, answers_axes.beliefs(bureau, subject, when, facet))


@router.get("/rectangles", tags=["both times"])
def rectangles(
    request: Request,
    bureau: TheBureau,
    when: TheWhen,
    subject: About,
    facet: FacetName | None = None,
) -> Response:
    """What answered over which days, believed over which positions 双时间全貌."""
    return answered(request, answers_axes.rectangles(bureau, subject, when, facet))


@router.get("/explain", tags=["both times"])
def explain(
    request: Request, bureau: TheBureau, when: TheWhen, subject: About, facet: FacetName
) -> Response:
    """The entries that an answer rests on 答案的依据."""
    return answered(request, answers_axes.explain(bureau, subject, facet, when))


@router.get("/compare", tags=["both times"])
def compare(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    person: Annotated[Id | None, Query()] = None,
    unit: Annotated[Id | None, Query()] = None,
    from_effective: str | None = None,
    from_recorded: str | None = None,
) -> Response:
    """Where two as-of pairs differ about a person or a unit and its roster, and the entries that
    made it so 对比.
    """
    if person is None and unit is None:
        raise MissingField(field="person")
    if person is not None and unit is not None:
        raise BadInput("a person or a unit, not both", field="unit", zh="人员与单位只能给一个")
    subject = f"unit:{unit}" if person is None else f"person:{person}"
    before = When(from_effective or when.effective, from_recorded or when.recorded)
    return answered(request, answers_axes.compare(bureau, subject, before, when))


@router.get("/retro", tags=["both times"])
def retro(
    request: Request,
    *,
    bureau: TheBureau,
    when: TheWhen,
    from_recorded: Annotated[str, Query(description="the earlier point of the log")],
    first_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
    last_month: Annotated[str | None, Query(description="YYYY-MM")] = None,
    everyone: Annotated[bool, Query(description="also whom only the law could touch")] = False,
) -> Response:
    """Who is owed what since an earlier point of the log, since when, because of which entries; and
    the roster's differences 追溯差额.
    """
    found = answers_axes.retro(
        bureau, from_recorded, when, first_month=first_month, last_month=last_month,
        everyone=everyone,
    )  # fmt: skip
    return answered(request, found)
