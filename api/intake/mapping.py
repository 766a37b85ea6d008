"""Mappings: which column means what, and which acts a row stands for.

Owns the language of mappings: one TOML file, named and versioned, for rosters and histories alike.
Invariant: whatever a mapping names exists: columns, lists, event types, their fields; an unknown
key is refused, and so is a heading that is neither mapped nor set aside with a reason.

In a mapping `"{column}"` stands for a value as it is and `"cpd-{column}"` for a text made with it;
other text stands for itself. Besides the sheet's columns there are `{person}` (the id of the row's
person), `{sheet-date}`, `{row-key}`, with numbering `{number}` and, in an opening, `{earliest}`
(the first day of which the files know the person).
"""

import re
import tomllib
from collections import defaultdict
from datetime import date
from fnmatch import fnmatch
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.intake.columns import Column, Fill, Name, Texts, check_apart
from api.intake.mapping_text import MappingError, fault_in, text_in
from api.intake.values import OPEN_END, heading_of
from domain.acts import load
from domain.acts.units import Kind
from domain.events import REGISTRY, Code, Id, Mood
from domain.refusals import BadInput

load()

_PLACE = re.compile(r"\{([a-z][a-z0-9-]*)\}")
_PRIVATE_KINDS = ("id-number", "name")
_BUILT_IN = {"person", "sheet-date", "row-key"}
_NUMBER, _ID_NUMBER, _NAMED = "number", "id-number", ("name", "birth-date")
_OPENING = "RecordOpened"

Turn = Literal["first", "up", "down", "aside"]
"""A tracked value is seen first, rises, falls, or changes where no order is declared."""


def places_in(text: str) -> list[str]:
    """The columns that a text of a mapping is made with."""
    return _PLACE.findall(text)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Act(_Part):
    """An act that a row stands for, where every condition of `when` holds.

    `when`: column → the words it may have, "" for blank, "*" for anything but blank. `turn`: the
    tracked value took this turn. `effective`, `occurred`: the first of these that the row has, each
    a column or a day (2024-01-01). `last_day` is the last day on which what the act writes holds.
    `ends` names, by its `label`, the act of the same row whose fact this one ends.
    """

    event: str
    fields: dict[str, str]
    effective: Texts = Field(min_length=1)
    last_day: str | None = None
    occurred: Texts = []
    when: dict[str, list[str]] = {}
    turn: Turn | None = None
    label: str | None = None
    ends: str | None = None

    @model_validator(mode="after")
    def _days_are_days(self) -> Self:
        for text in [*self.effective, *self.occurred, *([self.last_day] if self.last_day else [])]:
            if _PLACE.fullmatch(text) is None:
                try:
                    date.fromisoformat(text)
                except ValueError:
                    raise MappingError(
                        f"{text} is neither a column nor a day (2024-01-01)",
                        f"{text} 既不是列也不是日期(2024-01-01)",
                    ) from None
        return self

    def places(self) -> set[str]:
        texts = [*self.fields.values(), *self.effective, *self.occurred, self.last_day or ""]
        return {place for text in texts for place in places_in(text)} | self.when.keys()


class Tracking(_Part):
    """A column of which only the changes are acts; `steps` orders its values, where that is known.

    Rows of one `period` have no order of their own: they are taken so that fewest changes result.
    """

    column: Name
    period: Name
    steps: dict[str, int] = {}


class Otherwise(_Part):
    """Why a row for which no act is meant is set aside, under this condition."""

    rule: Name
    zh: str
    en: str
    when: dict[str, list[str]] = {}


class Numbering(_Part):
    """The numbers that are given where a sheet has none: `prefix`, then a count of `width` digits
    that runs on from the highest in the ledger. They are `{number}`, for a record that is opened.
    """

    prefix: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,30}$")
    width: int = Field(default=5, ge=3, le=12)

    def number(self, count: int) -> str:
        return f"{self.prefix}{count:0{self.width}}"

    def count(self, number: str) -> int | None:
        """The count in a number that could be one of these."""
        head, digits = number[: len(self.prefix)], number[len(self.prefix) :]
        alike = head.upper() == self.prefix.upper() and len(digits) == self.width
        return int(digits) if alike and digits.isascii() and digits.isdecimal() else None


class Sheet(_Part):
    """One kind of sheet, known by its file's name.

    `aside`: sheets of the file that are none of this kind, and need not be told. `person`: what
    tells persons apart in this system. `numbering`: nothing of the sheet's does but
    ID number, name and birth date; its persons are found by these, and numbered. `dated`: the date
    of these sheets where their title gives none. `key`: what tells rows apart for ever, or
    `keyed_by`: the columns whose values do; without either a row is known by what stands in it, and
    with `numbering` by its person. `unique`: columns of which no two rows share a value. `unused`:
    headings that are left out, and why. `example`: heading → text of the row that shows how to fill
    the sheet in, which is left out.
    """

    name: Name
    files: Texts
    tab: str | None = None
    aside: list[str] = []
    person: str | None = None
    numbering: Numbering | None = None
    dated: date | None = None
    key: str | None = None
    keyed_by: list[Name] = []
    unique: list[Name] = []
    columns: dict[Name, Column]
    unused: dict[str, str] = {}
    example: dict[str, str] = {}
    track: Tracking | None = None
    act: list[Act] = Field(min_length=1)
    otherwise: list[Otherwise] = []

    def _fault(self, en: str, zh: str) -> MappingError:
        return MappingError(f"sheet {self.name}: {en}", f"{self.name} 表:{zh}")

    @cached_property
    def fills(self) -> list[tuple[list[str], Fill]]:
        """The headings of each column whose empty cells are filled, and how."""
        return [([*map(heading_of, column.heading)], column.fill)
                for column in self.columns.values() if column.fill]  # fmt: skip

    @cached_property
    def headings(self) -> dict[str, list[str]]:
        """Each heading, and the columns read from it."""
        named: dict[str, list[str]] = {heading_of(heading): [] for heading in self.unused}
        for name, column in self.columns.items():
            for heading in column.heading:
                named.setdefault(heading_of(heading), []).append(name)
        return named

    @cached_property
    def apart(self) -> list[str]:
        """The columns of which no two rows share a value."""
        told = [_ID_NUMBER] if self.numbering and _ID_NUMBER in self.columns else []
        return [*dict.fromkeys([*self.unique, *told])]

    def matches(self, file: str) -> bool:
        return any(fnmatch(file.lower(), pattern.lower()) for pattern in self.files)

    @model_validator(mode="after")
    def _named_columns_exist(self) -> Self:
        known = self.columns.keys() | _BUILT_IN | ({_NUMBER} if self.numbering else set())
        used = {p for act in self.act for p in act.places()} | set(self.unique)
        used |= set(self.keyed_by)
        used |= {c for other in self.otherwise for c in other.when}
        used |= set(places_in(self._told_by))
        if self.track is not None:
            used |= {self.track.column, self.track.period}
        if unknown := sorted(used - known):
            raise self._fault(
                f"there is no column {', '.join(unknown)}", f"没有列 {'、'.join(unknown)}"
            )
        labels = {act.label for act in self.act}
        if lost := sorted({act.ends for act in self.act if act.ends} - labels):
            raise self._fault(f"there is no act labelled {', '.join(lost)}",
                              f"没有 label 为 {'、'.join(lost)} 的事项")  # fmt: skip
        if any(act.turn for act in self.act) != (self.track is not None):
            raise self._fault("turns and tracking go together", "turn 与 track 须一并写明")
        return self

    @property
    def _told_by(self) -> str:
        return (self.person or "") + (self.key or "")

    @model_validator(mode="after")
    def _persons_are_told_apart(self) -> Self:
        """By what the sheet says, or by numbers that go into the records which it opens."""
        if self.numbering is None:
            if self.person is None:
                raise self._fault("say by what persons are told apart: person",
                                  "须写明以什么区分人员:person")  # fmt: skip
            return self
        if self._told_by or self.keyed_by or self.track or _NUMBER in self.columns:
            raise self._fault(
                "with numbering there is no person, key, keyed_by, track and no column number",
                "有 numbering 的,不得再有 person、key、keyed_by、track 和 number 列",
            )
        if _ID_NUMBER not in self.columns and not self.columns.keys() >= {*_NAMED}:
            raise self._fault(
                f"numbering needs a column {_ID_NUMBER}, or {' and '.join(_NAMED)}",
                f"numbering 需要 {_ID_NUMBER} 列,或 {'、'.join(_NAMED)} 两列",
            )
        into = [(act.event, act.fields.get(_NUMBER)) for act in self.act if _NUMBER in act.places()]
        if into != [(_OPENING, f"{{{_NUMBER}}}")]:
            raise self._fault(
                f"with numbering {{number}} is the number of one {_OPENING}, and nothing else",
                f"有 numbering 的,{{number}} 只作一项 {_OPENING} 的 number",
            )
        return self

    @model_validator(mode="after")
    def _private_stays_private(self) -> Self:
        """Names, ID numbers and what goes into a field of who somebody is are private whatever is
        said; what goes into any private field is no key.
        """
        sealed: defaultdict[str, set[str]] = defaultdict(set)
        for act in self.act:
            marks = REGISTRY[act.event].private if act.event in REGISTRY else {}
            for field in act.fields.keys() & marks.keys():
                for column in places_in(act.fields[field]):
                    sealed[column].add(marks[field].cls)
        own = {
            name for name, column in self.columns.items()
            if column.private or column.kind in _PRIVATE_KINDS or "identity" in sealed[name]
        }  # fmt: skip
        if own and self.numbering is None and self.key is None and not self.keyed_by:
            raise self._fault("it has private columns and needs a key of others",
                              "有保密列,须以其他列作 key")  # fmt: skip
        private = own | {name for name in self.columns if sealed[name]}
        if private & {*self.keyed_by, *places_in(self._told_by)}:
            raise self._fault(
                "a private column is no key, for keys are public; add a column "
                "of the bureau's own numbers to the file, one a person, the same in every month, "
                "or have numbers given: [sheet.numbering] in place of key and person",
                "姓名、身份证号等保密栏目不能作 key 或 person,因其以明文留存:"
                "请在表中增加一列本局编号,每人一号、各月不变,并以该列为 key 和 person;"
                "尚未编号的,以 [sheet.numbering] 代替 key 和 person,由账本编号",
            )
        for name in own:
            self.columns[name] = self.columns[name].model_copy(update={"private": True})
        return self


class Unit(_Part):
    """A unit of the sheets, established where the ledger has it not.

    `since`: the day it was established, else the first day on which the files know it.
    """

    unit: Id
    name: Code
    aliases: list[str] = []
    kind: Kind = "department"
    parent: Id | None = None
    division: Code | None = None
    since: date | None = None


class UnitCodes(_Part):
    """Units known by code alone: each code found becomes a unit, `{code}` in its id and name."""

    unit: str
    name: str
    kind: Kind = "department"
    parent: Id | None = None


class Mapping(_Part):
    """A mapping, checked. `edition` is the version of the source's data, the sheet's date if none.
    `judged`: each row is put to the ledger when it is planned, and told if it would be refused.

    `dated` is that of every sheet whose title (截至2021年8月1日) gives none.
    `derive_persons`: ids are derived from what tells persons apart, else it is the id itself.
    `since`: column → sheet; the earliest day a person has in it is a place of the opening, where it
    is no later than `{earliest}`.
    """

    format: Literal[1]
    name: Name
    version: Code
    zh: str
    en: str
    system: Code
    edition: Code | None = None
    mood: Mood = "attested"
    attested_by: Code | None = None
    judged: bool = False
    dated: date | None = None
    derive_persons: bool = True
    lists: dict[Name, dict[str, str]] = {}
    unit: list[Unit] = []
    unit_codes: UnitCodes | None = None
    opening: list[Act] = []
    since: dict[Name, Name] = {}
    sheet: list[Sheet] = Field(min_length=1)

    @model_validator(mode="after")
    def _attested_by_someone(self) -> Self:
        if self.mood == "attested" and self.attested_by is None:
            raise MappingError("what is attested is attested by someone: attested_by",
                               "补登(attested)的须写明由谁佐证:attested_by")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _events_exist(self) -> Self:
        for act in [*self.opening, *(act for sheet in self.sheet for act in sheet.act)]:
            event = REGISTRY.get(act.event)
            if event is None:
                raise MappingError(f"there is no event type {act.event}", f"没有事项 {act.event}")
            if unknown := sorted(act.fields.keys() - event.model_fields.keys()):
                raise MappingError(f"{act.event} has no field {', '.join(unknown)}",
                                   f"{act.event} 没有字段 {'、'.join(unknown)}")  # fmt: skip
            if lacking := sorted(
                name
                for name, field in event.model_fields.items()
                if field.is_required() and name not in act.fields
            ):
                raise MappingError(f"{act.event} requires {', '.join(lacking)}",
                                   f"{act.event} 缺少必填字段 {'、'.join(lacking)}")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        opened = {"person", "earliest"} | self.since.keys()
        for act in self.opening:
            if unknown := sorted(act.places() - opened):
                raise MappingError(f"the opening has no {', '.join(unknown)}",
                                   f"opening 中没有 {'、'.join(unknown)}")  # fmt: skip
        columns = {f"{s.name}.{c}" for s in self.sheet for c in s.columns}
        if unknown := sorted(f"{sheet}.{since}" for since, sheet in self.since.items()
                             if f"{sheet}.{since}" not in columns):  # fmt: skip
            raise MappingError(f"there is no column {', '.join(unknown)}",
                               f"没有列 {'、'.join(unknown)}")  # fmt: skip
        for words in self.lists.values():
            check_apart(words)
        for sheet in self.sheet:
            for name, column in sheet.columns.items():
                if isinstance(column.values, str) and column.values not in self.lists:
                    lost = column.values
                    raise MappingError(f"column {name} names no list of this mapping: {lost}",
                                       f"列 {name} 所指的词表不存在:{lost}")  # fmt: skip
        units = [unit.unit for unit in self.unit]
        for place, unit in enumerate(self.unit):
            if unit.parent is not None and unit.parent not in units[:place]:
                raise MappingError(f"unit {unit.unit} stands before its parent",
                                   f"单位 {unit.unit} 排在其上级之前")  # fmt: skip
        return self

    def words(self, column: Column) -> dict[str, str] | None:
        """The words that may stand in a column and what each means; None where any may."""
        return self.lists[column.values] if isinstance(column.values, str) else column.values

    def grades(self) -> dict[str, set[str]]:
        """Of each ladder that is named, the grades that can be made with it by a list or a text."""
        named: defaultdict[str, set[str]] = defaultdict(set)
        for sheet in self.sheet:
            for fields in (act.fields for act in sheet.act if {"grade", "ladder"} <= {*act.fields}):
                at = _PLACE.fullmatch(fields["grade"])
                column = sheet.columns.get(at[1]) if at else None
                words = self.words(column) if column else None if at else {"": fields["grade"]}
                named[fields["ladder"]] |= {code for code in (words or {}).values() if code}
        return named

    def sheet_of(self, file: str) -> Sheet | None:
        return next((sheet for sheet in self.sheet if sheet.matches(file)), None)


def names() -> list[str]:
    """The mappings that come with the program."""
    folder = files("api.intake") / "mappings"
    found = [path.name for path in folder.iterdir() if path.name.endswith(".toml")]
    return sorted(name.removesuffix(".toml") for name in found)


def load_mapping(source: str | Path) -> Mapping:
    """A mapping by name, or from a TOML file. Raises BadInput, field "mapping" and where in it."""
    if isinstance(source, str) and source in names():
        text = (files("api.intake") / "mappings" / f"{source}.toml").read_text("utf-8")
    elif Path(source).is_file():
        text = text_in(Path(source))
    else:
        raise BadInput(
            f"no mapping {source}; there are {', '.join(names())}, or name a .toml file",
            field="mapping", zh=f"没有对应表 {source};现有 {'、'.join(names())},或给出 .toml 文件",
        )  # fmt: skip
    return parse_mapping(text)


def parse_mapping(text: str) -> Mapping:
    """A mapping from its TOML text. Raises BadInput."""
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise BadInput(f"the mapping is not TOML: {fault}", field="mapping",
                       zh=f"对应表不是合格的 TOML:{fault}") from fault  # fmt: skip
    except ValidationError as fault:
        raise fault_in(text, fault) from fault


class Template:
    """A text with `{places}`; what stands alone keeps its type, and a blank place makes None.
    `day`: a text without places is a day.
    """

    def __init__(self, text: str, *, day: bool = False) -> None:
        self._text = text
        self._day = date.fromisoformat(text) if day and not _PLACE.search(text) else None
        self._whole = match[1] if (match := _PLACE.fullmatch(text)) else None
        self._places = _PLACE.findall(text)

    def of(self, values: dict[str, Any]) -> Any:
        if self._whole is not None:
            return _closed(values.get(self._whole))
        if not self._places:
            return self._day or self._text or None
        found = {place: _closed(values.get(place)) for place in self._places}
        if any(value is None for value in found.values()):
            return None
        return _PLACE.sub(lambda match: str(found[match[1]]), self._text)


def _closed(value: Any) -> Any:
    """An end that is open is no day."""
    return None if value == OPEN_END.day else value
