"""Posts 岗位: which post an auxiliary holds.

Owns the post facet. Invariant: an auxiliary holds at most one post on a day. It says nothing of the
unit: a post is held where the auxiliary serves.
"""

from typing import Literal

from domain.acts.people import require_in_service, require_person, rules_for
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, Writes
from domain.refusals import AlreadyRecorded
from domain.rules import closed_list

POST = Facet("post", of="person", zh="岗位", en="post", ref="post")

DangerLevel = Literal["ordinary", "high"]
"""一般岗位, 高危险岗位 (the latter are insured against accidents)."""


class PostAssigned(Event):
    """An auxiliary is assigned a post (定岗). The post held before ends with it."""

    zh = "定岗"
    en = "Post assigned"
    day = "到岗之日"
    writes = (Writes(POST, key="person", value=("post", "family", "danger_level")),)

    person: PersonId
    post: Code
    family: Code | None = None
    danger_level: DangerLevel | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        held = case.value(POST, self.person)
        if held == self.model_dump(exclude={"person"}, exclude_none=True):
            raise AlreadyRecorded("this very post is held already", zh="已在该岗位", field="post")
        if self.family is not None:
            rules = rules_for(case, self.person)
            families = rules.members("job-families")
            rule = rules.find("job-family-list")
            case.breach(closed_list(rule, families, self.family, field="family"))


class PostRelieved(Event):
    """An auxiliary is relieved of the post and holds none (免岗)."""

    zh = "免岗"
    en = "Post relieved"
    day = "不再担任该岗位之日"
    writes = (Writes(POST, key="person", none=True),)
    ends = (POST,)

    person: PersonId

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        case.end(POST, self.person)
