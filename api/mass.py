"""One act for many persons: an order, the persons it names, one request.

Owns the body of a mass act and who is meant by it. Invariant: it is entered whole, for exactly the
persons that the body fixes: a list, or a roster as of a day and a position.
"""

from collections.abc import Callable
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from api.answers import Answer, When
from api.asking import asks
from api.entries import checked_bytes, finding_dict, request_of
from api.settings import Bureau
from api.shapes import opened
from api.times import as_of
from domain.events import REGISTRY, Actor, Code, Document, Id, Mood, cases_of
from domain.ledger.requests import Request
from domain.refusals import BadInput, MissingField, Refusal, UnknownType
from projections import roster as _roster


class To(BaseModel):
    """Whom the act is for: `persons`, or a roster on the act's day as of `recorded`."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    persons: list[Id] | None = None
    unit: Id | None = None
    below: bool = True
    grade: Code | None = None
    post: Code | None = None
    category: Code | None = None
    recorded: int | None = Field(
        None, ge=1, description="the roster as known at this position; required when entering"
    )


class MassBody(BaseModel):
    """One act without its person, and whom it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    act: dict[str, Any]
    to: To
    document: Document | None = None
    mood: Mood = "ordered"
    attested_by: Code | None = None
    approved_by: Code | None = None


@asks(name="mass-preview", hides=("body", "allowed"), again=False)
def preview(
    bureau: Bureau, body: bytes, allowed: Callable[[Request], Request] = lambda asked: asked
) -> Answer:
    """Every person, who is refused and why, and what is found; nothing is stored. `allowed`
    refuses what whoever asks could not enter.

    {"type", "persons": [{person, name}], "refused": [{"person", "index", code, detail …}],
    "findings": [{"index", …}], "recorded": the position that fixes a roster}.
    """
    said = checked_bytes(MassBody, body)
    persons, recorded = _persons(bureau, said)
    proposed = allowed(_request(bureau, said, persons, None))
    refused: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for index, answer in enumerate(bureau.ledger.preview_each(proposed)):
        if isinstance(answer, Refusal):
            refused.append({"person": persons[index], **answer.as_dict()})
        else:
            findings += [{"index": index, **finding_dict(finding)} for finding in answer]
    pair, stated = as_of(bureau, When(proposed.proposals[0].effective))
    names = _roster.names_of(bureau.records, persons, pair)
    data = {
        "type": said.act["type"],
        "persons": [{"person": person, "name": names.get(person)} for person in persons],
        "refused": refused,
        "findings": findings,
        "recorded": recorded,
    }
    cases = {case for one in proposed.proposals for case in cases_of(one.event.tags())}
    return opened(bureau, stated, data, cases, proposed=True)


def request(
    bureau: Bureau, body: bytes, *, actor: Actor, key: str, request_id: str | None = None
) -> Request:
    """The request that enters the act for everyone. Raises as `preview`, and MissingField where a
    roster is not fixed by a position: asked again it might be another.
    """
    said = checked_bytes(MassBody, body)
    if said.to.persons is None and said.to.recorded is None:
        raise MissingField(
            "a roster is entered as of the position that its preview names", field="to/recorded",
            zh="按花名册登记须指明预览所示的位置",
        )  # fmt: skip
    persons, _ = _persons(bureau, said)
    return _request(bureau, said, persons, actor)._replace(key=key, request_id=request_id)


def _request(bureau: Bureau, said: MassBody, persons: list[str], actor: Actor | None) -> Request:
    shared = said.model_dump(mode="json", exclude={"act", "to"}, exclude_none=True)
    events = [{**said.act, "person": person} for person in persons]
    return request_of(bureau.ledger, orjson.dumps({**shared, "events": events}), actor=actor)


def _persons(bureau: Bureau, said: MassBody) -> tuple[list[str], int | None]:
    """Whom the act is for, and the position that fixes a roster."""
    cls = REGISTRY.get(str(said.act.get("type")))
    if cls is None:
        raise UnknownType(field="act/type")
    if ("person", "person") not in cls.subjects:
        raise BadInput("an act of this type is not about one person", field="act/type",
                       zh="该事项不以一人为对象")  # fmt: skip
    if "person" in said.act:
        raise BadInput("the persons stand in `to`", field="act/person", zh="人员应列在 to 中")
    to = said.to
    query = {name: getattr(to, name) for name in ("unit", "grade", "post", "category")}
    if to.persons is not None:
        if any(query.values()):
            raise BadInput("persons or a roster, not both", field="to/persons",
                           zh="人员名单与花名册条件只用其一")  # fmt: skip
        persons, recorded = to.persons, to.recorded
        first = {person: n for n, person in reversed([*enumerate(persons)])}
        for n, person in enumerate(persons):
            if first[person] != n:
                raise BadInput(
                    f"this is the person of to/persons/{first[person]}", field=f"to/persons/{n}",
                    zh=f"名单第 {n + 1} 人与第 {first[person] + 1} 人重复",
                )  # fmt: skip
    elif any(query.values()):
        pair, _ = as_of(bureau, When(said.act.get("effective"), to.recorded))
        lines = _roster.roster(bureau.records, pair, below=to.below, **query)
        persons, recorded = [line.person for line in lines], pair.recorded
    else:
        raise MissingField("name persons, or a unit or another condition", field="to",
                           zh="须指明人员、单位或其他条件")  # fmt: skip
    if not persons:
        raise BadInput("there is nobody whom this is for", field="to", zh="没有符合条件的人员")
    return persons, recorded
