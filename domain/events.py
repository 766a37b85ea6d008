"""Events and entries: what is declared about an act, and the bytes it is stored as.

Owns the declaration (fields and their marks, the facts an event writes), the registry, the stored
envelope and the upcasters. Invariant: stored bytes are final; reading lifts an older schema
version to the newest, writing always writes the newest, and tags never change.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from domain.bitemporal import OPEN
from domain.forest import Forest

FORMAT = 1
"""The version of the envelope itself; it is part of the stored bytes."""

MERGES = "merges:person"
"""The tag of every merge and split, so that one look tells whether ids have moved."""

Mood = Literal["ordered", "attested"]


class Subject(NamedTuple):
    """Mark of a field that names a subject: it becomes a tag `kind:value`."""

    kind: str


class Private(NamedTuple):
    """Mark of a field readable only through the key of the person in field `of`.

    Classes: identity, health, finance, political, complainant, family. `unique` names a keyed
    lookup: no two subjects may hold the same value.
    """

    cls: str
    of: str = "person"
    unique: str | None = None


Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
PersonId = Annotated[Id, Subject("person")]
UnitId = Annotated[Id, Subject("unit")]
CASE = "case"
CaseId = Annotated[Id, Subject(CASE)]
"""A case 案件 by an opaque id. What names one is case-sealed: its entry carries the tag `case:…`,
and until the case is disclosed or closed only inspectors see it.
"""
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Facet(NamedTuple):
    """A strand of a record, kept for one kind of subject.

    `many`: the answer is a set. `stays`: leaving the service does not end it. `ever`: acts ask what
    stands for any day, so that what is said of a day far from theirs bears on them. `ref`: the
    field of the value that can be asked the other way round (whom does this officer supervise?).
    `case_sealed`: its facts belong to a case, which is their slot, and are seen as that case is.
    """

    name: str
    of: str
    zh: str
    en: str
    many: bool = False
    stays: bool = False
    ever: bool = False
    ref: str | None = None
    case_sealed: bool = False


class Writes(NamedTuple):
    """A fact that an event writes.

    `key` is the field with the subject's id, `value` the fields that make the content (a fact whose
    first value field is empty is not written), `slot` the field that parts facts of one subject
    (a seat), `since` a field with an effective date of its own. `none` writes an explicit none,
    placed before the other acts of its day so that a successor of that day prevails.
    `fixed` is content that every event of the type has.
    """

    facet: Facet
    key: str
    value: tuple[str, ...] = ()
    slot: str | None = None
    since: str | None = None
    none: bool = False
    fixed: Mapping[str, Any] = {}


class Label(NamedTuple):
    zh: str
    en: str


class FactSpec(NamedTuple):
    """A fact as its event states it, before any chain or cap."""

    facet: str
    subject: str
    slot: str
    effective: date | None
    seq: int
    ref: str | None
    value: Any


class Document(BaseModel):
    """The paper an act rests on: 文号, or the reason why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Code | None = None
    none_because: Text | None = None
    issuer: Code | None = None
    dated: date | None = None
    article: Code | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Actor(BaseModel):
    """Who enters: the account's issuer, its subject there, and the role it acts in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Code = "local"
    subject: Code = "local"
    role: Code = "clerk"


class Source(BaseModel):
    """Where an imported act stood: (system, key, version) identifies it for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Code
    key: Code
    version: Code = "1"


REGISTRY: dict[str, type["Event"]] = {}
FACETS: dict[str, Facet] = {}


class Event(BaseModel):
    """What happened, declared once: everything else derives from the class.

    `zh`, `en`: its labels. `day`: what its effective date is, in one sentence (zh).
    `writes`: its facts. `ends`: facets of which it ends the fact that it names.
    `leaves`: the field with the person whose open facts all end (离职).
    `merges`: the fields with the id that goes into another, and that other (归并).
    `final`: it is carried out on entering, so it is neither corrected nor annulled.
    `aside`: it tells where others came from, and no decision looks at it; it is `final` then.
    `upcasts`: for each earlier schema version, the step to the next.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )

    zh: ClassVar[str]
    en: ClassVar[str]
    day: ClassVar[str]
    writes: ClassVar[tuple[Writes, ...]] = ()
    ends: ClassVar[tuple[Facet, ...]] = ()
    leaves: ClassVar[str | None] = None
    merges: ClassVar[tuple[str, str] | None] = None
    final: ClassVar[bool] = False
    aside: ClassVar[bool] = False
    schema_version: ClassVar[int] = 1
    upcasts: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    subjects: ClassVar[tuple[tuple[str, str], ...]]
    private: ClassVar[Mapping[str, Private]]
    case_sealed: ClassVar[bool]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.subjects = tuple(
            (name, mark.kind)
            for name, info in cls.model_fields.items()
            for mark in _marks(info.annotation, info.metadata)
            if isinstance(mark, Subject)
        )
        cls.private = {
            name: mark
            for name, info in cls.model_fields.items()
            for mark in _marks(info.annotation, info.metadata)
            if isinstance(mark, Private)
        }
        cls.case_sealed = any(kind == CASE for _, kind in cls.subjects)
        _check_declaration(cls)
        if REGISTRY.setdefault(cls.__name__, cls) is not cls:
            raise TypeError(f"{cls.__name__} is declared twice")
        for facet in (*(w.facet for w in cls.writes), *cls.ends):
            if FACETS.setdefault(facet.name, facet) != facet:
                raise TypeError(f"facet {facet.name} is declared twice")

    def tags(self) -> list[str]:
        """The subjects of this act, as sorted distinct tags."""
        tags = {MERGES} if type(self).merges else set()
        for name, kind in type(self).subjects:
            value = getattr(self, name)
            if isinstance(value, str):
                tags.add(f"{kind}:{value}")
            elif value is not None:
                tags.update(f"{kind}:{item}" for item in value)
        return sorted(tags)

    def of_kept(self, forest: Forest) -> Self:
        """The act about its persons under the ids that are kept: as it is decided."""
        now = kept_names(type(self), vars(self), forest)
        return self.model_copy(update=now) if now else self

    def decide(self, case: Any) -> None:
        """Refuse, find or entail; the default allows what the record allows."""


def _marks(annotation: Any, metadata: list[Any]) -> list[Any]:
    marks = [m for m in metadata if isinstance(m, Subject | Private)]
    if get_origin(annotation) is Annotated:
        marks += _marks(get_args(annotation)[0], list(get_args(annotation)[1:]))
    else:
        for inner in get_args(annotation):
            marks += _marks(inner, [])
    return marks


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def _check_declaration(cls: type[Event]) -> None:
    fields = cls.model_fields
    for name in ("zh", "en", "day"):
        if not isinstance(getattr(cls, name, None), str):
            raise TypeError(f"{cls.__name__} declares no {name}")
    for writes in cls.writes:
        named = (writes.key, *writes.value, writes.slot, writes.since)
        if unknown := [f for f in named if f is not None and f not in fields]:
            raise TypeError(f"{cls.__name__} writes {writes.facet.name} from unknown {unknown}")
        if writes.none and (writes.value or writes.fixed):
            raise TypeError(f"{cls.__name__}: a none has no content")
    files_under = next((w.key for w in cls.writes), None)
    for w in cls.writes:
        ends_with_service = w.facet.of == "person" and not w.facet.stays
        if ends_with_service and (w.key != files_under or _is_list(fields[w.key].annotation)):
            raise TypeError(f"{cls.__name__}: what a leaving ends is filed under that one person")
    _check_case(cls)
    if cls.aside and (cls.writes or cls.ends or cls.merges or not cls.final):
        raise TypeError(f"{cls.__name__}: what is told aside changes nothing and is final")
    if any(v not in cls.upcasts for v in range(1, cls.schema_version)):
        raise TypeError(f"{cls.__name__} lacks an upcaster")


def _check_case(cls: type[Event]) -> None:
    """What belongs to a case is seen as that case is; nothing else comes or goes with it."""
    cases = [name for name, kind in cls.subjects if kind == CASE]
    touched = [*(w.facet for w in cls.writes), *cls.ends]
    if any(facet.case_sealed != cls.case_sealed for facet in touched):
        raise TypeError(f"{cls.__name__}: what names a case, and nothing else, writes its facets")
    if not cases:
        return
    of_one = len(cases) == 1 and cls.model_fields[cases[0]].annotation is str
    if not of_one or cls.leaves or cls.merges:
        raise TypeError(f"{cls.__name__}: an act of a case is about that one case alone")
    if any(w.slot != cases[0] for w in cls.writes):
        raise TypeError(f"{cls.__name__}: the facts of a case have it as their slot")


def cases_of(tags: Iterable[str]) -> list[str]:
    """The cases that an entry with these tags belongs to: its own, or of what it annuls."""
    return [tag[len(CASE) + 1 :] for tag in tags if tag.startswith(f"{CASE}:")]


def merged_by(cls: type[Event], fields: Mapping[str, Any]) -> tuple[str, str]:
    """The id that goes into another, and that other, as the fields of a merge say."""
    merged, kept = cls.merges or ("", "")
    return fields[merged], fields[kept]


def kept_names(cls: type[Event], fields: Mapping[str, Any], forest: Forest) -> dict[str, Any]:
    """The fields that name a person by an id that went into another, with the id kept instead.

    What a merge itself names stays as it is.
    """
    now: dict[str, Any] = {}
    if not forest or cls.merges:
        return now
    for name, kind in cls.subjects:
        value = fields.get(name)
        if kind != "person" or value is None:
            continue
        if isinstance(value, str):
            kept: Any = forest.kept(value)
        else:
            kept = list(dict.fromkeys(forest.kept(one) for one in value))
        if kept != value:
            now[name] = kept
    return now


class FactAnnulled(Event):
    """A fact never was: its newest entry is annulled; annulling an annulment reinstates (撤销)."""

    zh = "撤销登记"
    en = "Fact annulled"
    day = "被撤销登记的生效日"


def fact_specs(cls: type[Event], fields: Mapping[str, Any]) -> tuple[FactSpec, ...]:
    """The facts that stored fields state; dates stay ISO strings inside the value."""
    specs: list[FactSpec] = []
    for facet, key_field, names, slot_field, since_field, none, fixed in cls.writes:
        key = fields.get(key_field)
        if key is None:
            continue
        value: dict[str, Any] | None = None
        if not none:
            if names and fields.get(names[0]) is None:
                continue
            value = {name: said for name in names if (said := fields.get(name)) is not None}
            value.update(fixed)
        since = fields.get(since_field) if since_field else None
        effective = date.fromisoformat(since) if since else None
        slot = str(fields.get(slot_field) or "") if slot_field else ""
        ref = value.get(facet.ref) if value and facet.ref else None
        seq = -1 if none else 0
        for one in (key,) if isinstance(key, str) else key:
            subject = f"{facet.of}:{one}"
            specs.append(FactSpec(facet.name, subject, slot, effective, seq, ref, value))
    return tuple(specs)


class Entry:
    """An event as entered: what the log holds at one position, decoded."""

    __slots__ = ("_fields", "data", "envelope", "position", "recorded_at", "tags", "type")

    def __init__(
        self, position: int, recorded_at: datetime, type_: str, tags: list[str], data: bytes
    ) -> None:
        self.position = position
        self.recorded_at = recorded_at
        self.type = type_
        self.tags = tags
        self.data = data
        self.envelope: dict[str, Any] = orjson.loads(data)
        self._fields: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return str(self.envelope["id"])

    @property
    def root(self) -> str:
        """The event id of the first entry of this entry's chain."""
        return str(self.envelope.get("root") or self.envelope["id"])

    @property
    def corrects(self) -> bool:
        return "root" in self.envelope

    @property
    def ended(self) -> str | None:
        """The event id of the root of the fact that this entry ends."""
        return self.envelope.get("ends")

    @property
    def effective(self) -> date:
        return date.fromisoformat(self.envelope["effective"])

    @property
    def until(self) -> date:
        until = self.envelope.get("until")
        return date.fromisoformat(until) if until else OPEN

    @property
    def seq(self) -> int:
        return int(self.envelope.get("seq", 0))

    @property
    def mood(self) -> Mood:
        mood: Mood = self.envelope.get("mood", "ordered")
        return mood

    @property
    def cls(self) -> type[Event]:
        return REGISTRY[self.type]

    @property
    def fields(self) -> dict[str, Any]:
        """The event's own fields, lifted to the newest schema version; private ones sealed."""
        if self._fields is None:
            fields: dict[str, Any] = self.envelope["fields"]
            cls = self.cls
            for version in range(self.envelope.get("version", 1), cls.schema_version):
                fields = cls.upcasts[version](dict(fields))
            self._fields = fields
        return self._fields

    @property
    def whole(self) -> bool:
        """Whether it has every field that its type asks for."""
        asked = {name for name, info in self.cls.model_fields.items() if info.is_required()}
        return asked <= self.fields.keys()


class Proposal(NamedTuple):
    """An act before the ledger has accepted it. `event` is typed and checked, nothing is stamped.

    Exactly one of `supersedes` and `annuls` may name an entry (its event id); `ends` names the root
    of a fact. `seq` orders the acts of one day; without one a correction keeps its fact's, another
    act has 0. `expect` is the position the proposer has seen of the person's record.
    """

    event: Event
    effective: date
    until: date | None = None
    seq: int | None = None
    occurred: date | None = None
    supersedes: UUID | None = None
    annuls: UUID | None = None
    ends: UUID | None = None
    event_id: UUID | None = None
    source: Source | None = None
    cause: UUID | None = None
    reason: str | None = None
    expect: int | None = None


Seal = Callable[[str, str, str, bytes], dict[str, str]]
"""(owner's id, class, field, plaintext) → the sealed form of the field."""


def encode(
    proposal: Proposal, event_id: UUID, root: UUID | None, shared: Mapping[str, Any], seal: Seal
) -> bytes:
    """The bytes of an act: final once stored. `shared` is what the whole request has in common.

    Keys keep the order written here; absent values are left out; dates are ISO 8601.
    """
    event = proposal.event
    cls = type(event)
    envelope: dict[str, Any] = {
        "format": FORMAT,
        "id": str(event_id),
        "version": cls.schema_version,
    }
    optional = {
        "root": root,
        "supersedes": proposal.supersedes,
        "annuls": proposal.annuls,
        "ends": proposal.ends,
        "effective": proposal.effective,
        "until": proposal.until,
        "seq": proposal.seq or None,
        "occurred": proposal.occurred,
        "reason": proposal.reason,
        "cause": proposal.cause,
    }
    envelope.update((k, v) for k, v in optional.items() if v is not None)
    envelope.update(shared)
    if proposal.source is not None:
        envelope["source"] = proposal.source.model_dump()
    fields = event.model_dump(mode="json", exclude_none=True)
    for name, mark in cls.private.items():
        if name in fields:
            owner = getattr(event, mark.of)
            fields[name] = seal(owner, mark.cls, name, orjson.dumps(fields[name]))
    envelope["fields"] = fields
    return orjson.dumps(envelope)
