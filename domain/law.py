"""The law as dated, cited data: a jurisdiction's chain of packs, asked by place and day.

A pack is one TOML file named by a GB/T 2260 code. The code is the inheritance: 341302 → 341300 →
340000 → 000000; "none" stands alone and has no rules. The invariant: what `Law.at` answers depends
on the packs and calendars it was given, the place and the day, and on nothing else; a thing counts
only on its own days, and the nearest pack that has it answers.
"""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from itertools import combinations, pairwise
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from domain.rules import Breach, Cited, Dated, Kind, Rule, Status
from domain.workdays import CalendarYear, Workdays

__all__ = [
    "Breach",
    "ClosedList",
    "Grade",
    "Ladder",
    "Law",
    "LawInvalid",
    "Member",
    "Pack",
    "Rule",
    "Rules",
    "Scale",
    "chain",
    "kinds_by_id",
    "load_calendars",
    "load_packs",
    "parse_calendar",
]

NATION = "000000"
NOWHERE = "none"

_Thing = TypeVar("_Thing", bound=Dated)
_Model = TypeVar("_Model", bound=BaseModel)


class LawInvalid(ValueError):
    """A pack, a calendar or a place code that cannot be used.

    `faults` pairs the place of each fault (`rule.3.article`) with what is wrong there.
    """

    def __init__(self, subject: str, faults: Iterable[tuple[str, str]]) -> None:
        self.subject = subject
        self.faults = tuple(faults)
        super().__init__(f"{subject}: " + "; ".join(f"{at}: {why}" for at, why in self.faults))


class Grade(BaseModel):
    """One grade 层级. `min_months` are the months to be served in the grade below first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    zh: str
    en: str
    class_: str = Field(alias="class")
    track: str | None = None
    min_months: int | None = Field(default=None, ge=0)
    mode: Literal["assessment", "selection", "natural"]


class Ladder(Cited):
    """Grades from low to high. `initial_by_education`: education code → first grade's code."""

    version: str
    grades: tuple[Grade, ...] = Field(min_length=1)
    initial_by_education: dict[str, str] = Field(default={})

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {grade.code: rank for rank, grade in enumerate(self.grades)}

    @model_validator(mode="after")
    def _strictly_ordered(self) -> Self:
        if len(self._ranks) != len(self.grades):
            raise ValueError("a grade code stands on the ladder twice")
        for code in self.initial_by_education.values():
            if code not in self._ranks:
                raise ValueError(f"first grade {code} is not on the ladder")
        return self

    def grade(self, code: str) -> Grade | None:
        rank = self._ranks.get(code)
        return None if rank is None else self.grades[rank]

    def steps(self, start: str, end: str) -> int | None:
        """Steps from one grade up to another (negative: down).

        None when either is not on the ladder or they stand on different tracks.
        """
        low, high = self.grade(start), self.grade(end)
        if low is None or high is None or low.track != high.track:
            return None
        rungs = [grade.code for grade in self.grades if grade.track == low.track]
        return rungs.index(end) - rungs.index(start)


class Scale(Dated):
    """Monthly amounts of a ladder's grades, in whole fen (1 yuan = 100 fen).

    Strictly rising over the ladder (层级之间应当体现适当差距). A later version replaces it.
    """

    id: str
    version: str
    ladder: str
    published_on: date | None = None
    amounts: dict[str, int]
    source: str = Field(min_length=1)
    status: Status


class Member(Dated):
    """One code of a closed list; without `since` it counts from its list's first day.

    `months`: a sanction's period; `notice_days`: notice an exit ground demands; `kind`: what an
    exit ground is (terminated, expired, resigned …); `effects`: codes such as blocks_promotion.
    """

    since: date = date.min
    code: str
    zh: str
    en: str
    article: str | None = None
    source: str | None = None
    status: Status | None = None
    kind: str | None = None
    months: int | None = Field(default=None, ge=0)
    notice_days: int | None = Field(default=None, ge=0)
    effects: tuple[str, ...] = ()


class ClosedList(Cited):
    """A closed list with dated members. `extends`: adds to the list of the next pack up the chain
    (a member of the same code is replaced) instead of standing in its place.
    """

    extends: bool = False
    members: tuple[Member, ...]

    @model_validator(mode="after")
    def _one_member_a_code(self) -> Self:
        for one, other in combinations(self.members, 2):
            if one.code == other.code and _overlap(one, other):
                raise ValueError(f"member {one.code} stands on the list twice")
        return self


class Pack(BaseModel):
    """One jurisdiction's dated, cited rules, made by `Pack.parse`; `text` is the file as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^([0-9]{6}|none)$")
    zh: str
    en: str
    version: str
    rules: tuple[Rule, ...] = Field(default=(), alias="rule")
    ladders: tuple[Ladder, ...] = Field(default=(), alias="ladder")
    scales: tuple[Scale, ...] = Field(default=(), alias="scale")
    lists: tuple[ClosedList, ...] = Field(default=(), alias="list")
    _text: str = PrivateAttr()

    @classmethod
    def parse(cls, text: str) -> "Pack":
        """The pack a TOML text says. Raises LawInvalid naming each place at fault.

        A rule, ladder or list without a `status` has the pack's, when the pack gives one.
        """
        raw = _toml("pack", text)
        subject = f"pack {raw.get('code', '?')}"
        status = raw.pop("status", None)
        for key in ("rule", "ladder", "scale", "list"):
            for thing in _tables(subject, raw, key):
                if status is not None:
                    thing.setdefault("status", status)
        pack = _validated(cls, subject, raw)
        pack._text = text  # noqa: SLF001 - its own constructor
        return pack

    @property
    def text(self) -> str:
        return self._text

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text's UTF-8 bytes, in hex."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    @cached_property
    def _rules_by_id(self) -> dict[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.id, []).append(rule)
        return found

    @model_validator(mode="after")
    def _one_answer_a_day(self) -> Self:
        kinds: tuple[tuple[Rule | Ladder | Scale | ClosedList, ...], ...] = (
            self.rules,
            self.ladders,
            self.scales,
            self.lists,
        )
        for things in kinds:
            for one, other in combinations(things, 2):
                if one.id == other.id and _overlap(one, other):
                    raise ValueError(f"{one.id} holds twice from {max(one.since, other.since)}")
        return self

    @model_validator(mode="after")
    def _scales_fit_their_ladders(self) -> Self:
        for scale in self.scales:
            ladders = [ladder for ladder in self.ladders if ladder.id == scale.ladder]
            if not ladders:
                raise ValueError(f"scale {scale.id}: no ladder {scale.ladder} in this pack")
            for ladder in ladders:
                if _overlap(scale, ladder):
                    _rising(scale, ladder)
        return self

    def rule(self, rule_id: str, on: date) -> Rule | None:
        return _on(self._rules_by_id.get(rule_id, ()), on)


@dataclass(frozen=True, slots=True)
class Rules:
    """The law in force for one place on one day."""

    code: str
    on: date
    workdays: Workdays
    _packs: tuple[Pack, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of the packs on the chain, nearest first."""
        return tuple(pack.digest for pack in self._packs)

    def find(self, rule_id: str) -> Rule | None:
        """The rule of the nearest pack that has it on that day."""
        found = (pack.rule(rule_id, self.on) for pack in self._packs)
        return next((rule for rule in found if rule is not None), None)

    def of_kind(self, kind: Kind) -> list[Rule]:
        """The rules of a kind in force there, each id from the nearest pack that has it."""
        ids = dict.fromkeys(r.id for pack in self._packs for r in pack.rules if r.kind == kind)
        found = (self.find(rule_id) for rule_id in ids)
        return [rule for rule in found if rule is not None and rule.kind == kind]

    def ladder(self, ladder_id: str | None = None) -> Ladder | None:
        """The nearest ladder of that id; without an id, the first of the nearest pack with one."""
        ladders = (each for pack in self._packs for each in pack.ladders)
        return _on((each for each in ladders if ladder_id in (None, each.id)), self.on)

    def scale(self, ladder_id: str) -> Scale | None:
        scales = (each for pack in self._packs for each in pack.scales)
        return _on((each for each in scales if each.ladder == ladder_id), self.on)

    def members(self, list_id: str) -> dict[str, Member] | None:
        """The members that count on that day by code; None when the list is open."""
        layers: list[ClosedList] = []
        for pack in self._packs:
            nearest = _on((each for each in pack.lists if each.id == list_id), self.on)
            if nearest is not None:
                layers.append(nearest)
                if not nearest.extends:
                    break
        if not layers:
            return None
        return {
            member.code: member
            for layer in reversed(layers)
            for member in layer.members
            if member.holds(self.on)
        }


class Law:
    """Several packs and calendar years as published at some moment; immutable.

    `closing` are the rules of every pack that close a period, whatever their days; `pay_days` the
    days on which a scale or a ladder of any pack begins or has ended.

    Raises LawInvalid when two packs share a code.
    """

    def __init__(self, packs: Iterable[Pack], calendars: Iterable[CalendarYear]) -> None:
        self._packs: dict[str, Pack] = {}
        for pack in packs:
            if pack.code in self._packs:
                raise LawInvalid(f"pack {pack.code}", [("code", "is given twice")])
            self._packs[pack.code] = pack
        self._calendars = tuple(calendars)
        self.workdays = Workdays(self._calendars)
        self.closing = tuple(
            r for pack in self._packs.values() for r in pack.rules if r.kind == "closed_period"
        )

        self.pay_days = frozenset(
            day
            for pack in self._packs.values()
            for thing in (*pack.scales, *pack.ladders)
            for day in (thing.since, thing.until)
            if day is not None
        )

    def with_pack(self, pack: Pack) -> "Law":
        """The same law with this pack in the place of the one of its code."""
        return Law({**self._packs, pack.code: pack}.values(), self._calendars)

    def with_calendar(self, year: CalendarYear) -> "Law":
        """The same law with this calendar in the place of the one of its year."""
        others = [each for each in self._calendars if each.year != year.year]
        return Law(self._packs.values(), [*others, year])

    def names(self, rule: str) -> bool:
        """Whether any pack has a rule of this id, whatever its place and days."""
        return any(each.id == rule for pack in self._packs.values() for each in pack.rules)

    def grades(self, ladder: str) -> frozenset[str]:
        """The grades of every ladder of this id, whatever its place and days."""
        return frozenset(
            grade.code
            for pack in self._packs.values()
            for each in pack.ladders
            if each.id == ladder
            for grade in each.grades
        )

    def pack(self, code: str) -> Pack | None:
        """The pack of this code, where one is published."""
        return self._packs.get(code)

    def at(self, code: str, on: date) -> Rules:
        """The law for a place on a day; packs the chain lacks are skipped.

        Raises LawInvalid when `code` is not six digits or "none".
        """
        packs = tuple(self._packs[each] for each in chain(code) if each in self._packs)
        return Rules(code, on, self.workdays, packs)


def chain(code: str) -> tuple[str, ...]:
    """A place's own code and those above it, nearest first. Raises LawInvalid."""
    if code == NOWHERE:
        return (NOWHERE,)
    if not (len(code) == len(NATION) and code.isascii() and code.isdigit()):
        raise LawInvalid("place", [("code", 'is neither six digits nor "none"')])
    return tuple(dict.fromkeys((code, code[:4] + "00", code[:2] + "0000", NATION)))


def load_packs() -> dict[str, Pack]:
    """The packaged packs by code. Raises LawInvalid."""
    texts = _packaged(lambda name: not name.startswith("calendar-"))
    return {pack.code: pack for pack in map(Pack.parse, texts)}


@cache
def kinds_by_id() -> Mapping[str, Kind]:
    """The kind of each rule of the packaged packs: as what the chapters ask it."""
    return {rule.id: rule.kind for pack in load_packs().values() for rule in pack.rules}


def load_calendars() -> dict[int, CalendarYear]:
    """The packaged calendar years by year. Raises LawInvalid."""
    texts = _packaged(lambda name: name.startswith("calendar-"))
    return {year.year: year for year in map(parse_calendar, texts)}


def parse_calendar(text: str) -> CalendarYear:
    """The calendar year a TOML text says. Raises LawInvalid."""
    raw = _toml("calendar", text)
    return _validated(CalendarYear, f"calendar {raw.get('year', '?')}", raw)


def _packaged(wanted: Callable[[str], bool]) -> Iterator[str]:
    folder = files("domain") / "packs"
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml") and wanted(file.name):
            yield file.read_bytes().decode()


def _toml(subject: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise LawInvalid(subject, [("text", str(fault))]) from fault


def _tables(subject: str, raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables = raw.get(key, [])
    if not (isinstance(tables, list) and all(isinstance(each, dict) for each in tables)):
        raise LawInvalid(subject, [(key, "is not a list of tables")])
    return tables


def _validated(model: type[_Model], subject: str, raw: dict[str, Any]) -> _Model:
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        faults = [(".".join(map(str, e["loc"])) or "whole", e["msg"]) for e in fault.errors()]
        raise LawInvalid(subject, faults) from fault


def _on(things: Iterable[_Thing], on: date) -> _Thing | None:
    for thing in things:
        if thing.holds(on):
            return thing
    return None


def _overlap(one: Dated, other: Dated) -> bool:
    return one.since < (other.until or date.max) and other.since < (one.until or date.max)


def _rising(scale: Scale, ladder: Ladder) -> None:
    if set(scale.amounts) != {grade.code for grade in ladder.grades}:
        raise ValueError(f"scale {scale.id}: its grades are not those of ladder {ladder.id}")
    for track in {grade.track for grade in ladder.grades}:
        amounts = [scale.amounts[g.code] for g in ladder.grades if g.track == track]
        if any(low >= high for low, high in pairwise(amounts)):
            raise ValueError(f"scale {scale.id}: amounts do not rise over ladder {ladder.id}")
