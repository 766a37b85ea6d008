"""The few kinds of rule, each a function from a rule and plain values to a breach or None.

The invariant: numbers, lists and authorities come from the rule; nothing here knows a place or an
article. Every kind takes `None` for the rule, so `ceiling(rules.find("probation-length"), …)` is
silent where the law is silent. A breach's sentence holds what the rule asks (its limit, its
deadline, its codes), never the value that failed, which may be private.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.workdays import Deadline, Workdays, add_months

Status = Literal["in-force", "draft", "reported"]
Strength = Literal["block", "warn", "due", "report"]
Kind = Literal[
    "clock",
    "ceiling",
    "floor",
    "closed_list",
    "exclusivity",
    "eligibility",
    "kinship",
    "steps_in_order",
    "closed_period",
]


class Dated(BaseModel):
    """What a pack holds: valid on the half-open days [since, until), unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: date
    until: date | None = None

    def holds(self, on: date) -> bool:
        return self.since <= on and (self.until is None or on < self.until)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("until is not later than since")
        return self


class Cited(Dated):
    """A dated thing with its article, where that was read, and its standing."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    article: str = Field(min_length=1)
    source: str = Field(min_length=1)
    status: Status
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Rule(Cited):
    """One rule of one pack. `values` is checked against its kind when the pack is read.

    `clock` says which day the rule is judged on: the act's effective day or the day it was
    recorded.
    """

    kind: Kind
    strength: Strength
    clock: Literal["effective", "recorded"] = "effective"
    values: dict[str, Any] = {}

    @model_validator(mode="after")
    def _values_fit_the_kind(self) -> Self:
        _SHAPES[self.kind].model_validate(self.values)
        if self.kind == "closed_period" and (self.strength, self.clock) != ("block", "recorded"):
            raise ValueError("a closed period blocks, and its clock is recorded")
        return self


class Breach(NamedTuple):
    """A rule that was not met, with the field at fault (None: the act as a whole)."""

    rule: Rule
    field: str | None
    zh: str
    en: str

    @property
    def blocks(self) -> bool:
        """Only a rule in force can refuse; a draft or a report of a rule never does."""
        return self.rule.strength == "block" and self.rule.status == "in-force"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Clock(_Values):
    within: int = Field(ge=0)
    unit: Literal["workdays", "days", "months", "years"]
    roll: bool = True


class _Band(_Values):
    since: int = Field(alias="from")
    limit: int


class _Limit(_Values):
    """One number, or bands of a measure (`from` ≤ measure), or named cases, or none when the
    caller brings the number (`baseline` says which published figure that is).
    """

    unit: str
    limit: int | None = None
    bands: list[_Band] = []
    cases: dict[str, int] = {}
    baseline: str | None = None

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        starts = [band.since for band in self.bands]
        if starts != sorted(set(starts)):
            raise ValueError("bands are not in rising order")
        return self


class _List(_Values):
    list: str


class _Exclusivity(_Values):
    at_most: int = Field(ge=0)


class _Eligibility(_Values):
    """`zh`: what each condition is called, where the rule's own sentence does not say it."""

    conditions: list[str] = Field(min_length=1)
    private: bool = False
    zh: dict[str, str] = {}


class _Kinship(_Values):
    relations: list[str] = Field(min_length=1)
    places: list[str] = Field(min_length=1)


class _Steps(_Values):
    steps: list[str] = Field(min_length=2)
    optional: list[str] = []


class _Closed(_Values):
    """Facets closed before a day: a date, or whole months back from the day of entry.

    `openings`: the first roster of a person (建账) needs no approval.
    """

    facets: Literal["all"] | list[str]
    before: date | None = None
    months: int | None = Field(default=None, ge=0, le=1200)
    openings: bool = False

    @model_validator(mode="after")
    def _one_day(self) -> Self:
        if (self.before is None) == (self.months is None):
            raise ValueError("give `before` or `months`, not both")
        if not self.facets:
            raise ValueError("name the facets that are closed")
        return self


_SHAPES: dict[str, type[_Values]] = {
    "clock": _Clock,
    "ceiling": _Limit,
    "floor": _Limit,
    "closed_list": _List,
    "exclusivity": _Exclusivity,
    "eligibility": _Eligibility,
    "kinship": _Kinship,
    "steps_in_order": _Steps,
    "closed_period": _Closed,
}


def deadline(rule: Rule, start: date, workdays: Workdays) -> Deadline:
    """The last day a clock rule leaves when its time starts on `start` (which is not counted)."""
    within, unit = rule.values["within"], rule.values["unit"]
    if unit == "workdays":
        return workdays.add(start, within)
    if unit == "days":
        counted = start + timedelta(days=within)
    else:
        counted = add_months(start, within * (12 if unit == "years" else 1))
    if rule.values.get("roll", True):
        return workdays.roll(counted)
    return Deadline(counted, counted, provisional=False)


def clock(
    rule: Rule | None, start: date, done: date, workdays: Workdays, *, field: str | None = None
) -> Breach | None:
    """Breached when `done` (or, while it is still open, the day of asking) is past the deadline."""
    if rule is None:
        return None
    end = deadline(rule, start, workdays)
    if done <= end.due:
        return None
    zh, en = ("，日历未公布，暂计", ", provisional") if end.provisional else ("", "")
    return _breach(rule, field, f"应于{end.due}前（含当日）{zh}", f"due by {end.due}{en}")


def limit(rule: Rule, *, measure: int | None = None, case: str | None = None) -> int | None:
    """The number a ceiling or floor sets: its named case, else its band, else its one limit.

    None when the rule sets none for that case or measure.
    """
    cases: dict[str, int] = rule.values.get("cases", {})
    if case is not None and case in cases:
        return cases[case]
    found: int | None = rule.values.get("limit")
    if measure is not None:
        for band in rule.values.get("bands", []):
            if band["from"] <= measure:
                found = band["limit"]
    return found


def ceiling(
    rule: Rule | None,
    value: int,
    *,
    measure: int | None = None,
    case: str | None = None,
    most: int | None = None,
    field: str | None = None,
) -> Breach | None:
    """Breached when `value` is above the limit (`most`, when the caller brings the number)."""
    if rule is None:
        return None
    top = most if most is not None else limit(rule, measure=measure, case=case)
    if top is None or value <= top:
        return None
    return _breach(rule, field, f"上限{top}", f"at most {top}")


def floor(
    rule: Rule | None,
    value: int,
    *,
    measure: int | None = None,
    case: str | None = None,
    least: int | None = None,
    field: str | None = None,
) -> Breach | None:
    """Breached when `value` is below the limit (`least`, when the caller brings the number)."""
    if rule is None:
        return None
    bottom = least if least is not None else limit(rule, measure=measure, case=case)
    if bottom is None or value >= bottom:
        return None
    return _breach(rule, field, f"下限{bottom}", f"at least {bottom}")


def closed_list(
    rule: Rule | None,
    members: Collection[str] | None,
    code: str,
    *,
    field: str | None = None,
) -> Breach | None:
    """Breached when `code` is not on the list; an open list (None) takes every code."""
    if rule is None or members is None or code in members:
        return None
    return _breach(rule, field, "不在规定的清单之内", f"not on the list {rule.values['list']}")


def exclusivity(rule: Rule | None, already: int, *, field: str | None = None) -> Breach | None:
    """Breached when one more would exceed the number allowed at once (or for ever)."""
    if rule is None or already < rule.values["at_most"]:
        return None
    most = rule.values["at_most"]
    return _breach(rule, field, f"至多{most}", f"at most {most}")


def eligibility(
    rule: Rule | None, met: Collection[str], *, field: str | None = None
) -> Breach | None:
    """Breached when a condition of the rule is not among those shown to be met.

    A rule whose values say `private` (health, criminal matters) does not name the condition.
    """
    if rule is None:
        return None
    unmet = [c for c in rule.values["conditions"] if c not in met]
    if not unmet:
        return None
    if rule.values.get("private"):
        return Breach(rule, field, rule.zh, rule.en)
    words = rule.values.get("zh", {})
    zh = "缺：" + "、".join(words[c] for c in unmet) if words.keys() >= set(unmet) else "未满足"
    return _breach(rule, field, zh, f"not met: {', '.join(unmet)}")


def kinship(
    rule: Rule | None, relation: str, place: str, *, field: str | None = None
) -> Breach | None:
    """Breached when a kin of one of the rule's relations stands in one of its places."""
    if rule is None:
        return None
    if relation not in rule.values["relations"] or place not in rule.values["places"]:
        return None
    return Breach(rule, field, rule.zh, rule.en)


def steps_in_order(
    rule: Rule | None,
    taken: Mapping[str, date],
    *,
    before: str | None = None,
    excused: Collection[str] = (),
    field: str | None = None,
) -> Breach | None:
    """Breached by the first step that is missing or dated earlier than a step before it.

    `before` asks only for the steps that come ahead of it; optional and excused steps may be
    missing but keep their place when taken.
    """
    if rule is None:
        return None
    steps: list[str] = rule.values["steps"]
    if before is not None:
        steps = steps[: steps.index(before)]
    may_miss = {*rule.values.get("optional", ()), *excused}
    latest = date.min
    for step in steps:
        day = taken.get(step)
        if day is None:
            if step not in may_miss:
                return _breach(rule, field, f"缺少环节 {step}", f"step missing: {step}")
        elif day < latest:
            return _breach(rule, field, f"环节次序颠倒 {step}", f"step out of order: {step}")
        else:
            latest = day
    return None


def closed_before(rule: Rule, today: date) -> date:
    """The first day that a closed period leaves open to whoever enters today."""
    before: date | None = rule.values.get("before")
    return before or add_months(today, -int(rule.values["months"]))


def closed_period(rule: Rule | None, changed: Mapping[str, date], today: date) -> Breach | None:
    """Breached when a closed facet changes from a day before the period's end.

    `changed`: facet → the first day on which the act changes it. The breach's field is the facet.
    """
    if rule is None:
        return None
    end, closed = closed_before(rule, today), rule.values["facets"]
    for facet, first in sorted(changed.items()):
        if first < end and (closed == "all" or facet in closed):
            return _breach(rule, facet, f"{end}之前", f"before {end}")
    return None


def _breach(rule: Rule, field: str | None, zh: str, en: str) -> Breach:
    return Breach(rule, field, f"{rule.zh}（{zh}）", f"{rule.en} ({en})")
