"""Owns what is asked of an append, how it may be refused, and how a group of appends is sent.

Invariant: what passes `Prepared.of` can be stored as it is; the database refuses only for what is
in the log already, for its clock, or because it is out of reach.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery
from eventsourcing.persistence import IntegrityError

from domain.ledger.wire import byteas

MOST_ENTRIES = 10_000
MOST_ENTRY_BYTES = 0xFFFF  # a transparency log's entries carry a uint16 length
MOST_TEXT_BYTES = 1_000  # a btree row holds 2,700 bytes: a tag and a type
FEW_PROBES = 32  # a larger condition is planned by how little was entered since
SEPARATOR = "\x1f"
LIST_SEPARATOR = "\x1e"  # a text is sent in half the time of a list of texts
_UNSTORABLE = re.compile("[\x00-\x1f\ud800-\udfff]")

Probe = tuple[str, str | None]
"""A tag ('' for any) or several joined by U+001F, and a type (None for any)."""


class NewEntry(NamedTuple):
    """An entry to append; `event_id` makes a repetition safe: every entry of an append or none."""

    type: str
    tags: Sequence[str]
    data: bytes
    event_id: UUID | None = None


class Claim(NamedTuple):
    """A keyed lookup: `subject` alone holds `blind` among its kind; None releases it."""

    kind: str
    subject: str
    blind: bytes | None


class Append(NamedTuple):
    """One request: all of it or nothing, one `recorded_at`.

    `key` is an idempotency key in the caller's scope; `request_hash` (an HMAC) tells a repetition
    from another request under the same key. Neither is stored in the log itself.
    """

    entries: Sequence[NewEntry]
    condition: DCBAppendCondition | None = None
    key: str | None = None
    request_hash: bytes | None = None
    claims: Sequence[Claim] = ()


class Appended(NamedTuple):
    """Positions first..last; `replayed` where the append had been stored before."""

    first: int
    last: int
    recorded_at: datetime
    replayed: bool


class LogError(Exception):
    """The log refused an append; nothing of it is stored."""


class NotReached(LogError):
    """An earlier refusal stopped the load."""


class ConditionFailed(LogError, IntegrityError):
    """The log holds an entry that the append's condition excludes."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the append condition matches the entry at position {position}")
        self.position = position


class KeyReused(LogError, IntegrityError):
    """The idempotency key belongs to another request."""

    def __init__(self) -> None:
        super().__init__("the idempotency key belongs to another request")


class EventIdKnown(LogError, IntegrityError):
    """Event ids of the append are stored, but not as one append of these entries."""

    def __init__(self, position: int) -> None:
        super().__init__(f"an event id is stored at position {position} under another append")
        self.position = position


class ClaimTaken(LogError, IntegrityError):
    """Another subject holds the claimed value."""

    def __init__(self, kind: str, holder: str) -> None:
        super().__init__(f"another subject holds this {kind}")
        self.kind = kind
        self.holder = holder


class ClockBehind(LogError):
    """The server's clock is more than 5 s behind the last entry."""

    def __init__(self) -> None:
        super().__init__("the database server's clock is behind the last entry of the log")


class Busy(LogError):
    """The append lock was not to be had in time; nothing is stored, trying again is safe."""


class TooLarge(LogError, ValueError):
    """More than 10,000 entries in an append, or an entry of 64 KiB or more."""


class Malformed(LogError, ValueError):
    """An append that could not be stored whatever the log holds; `field` names the fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class Conditions(NamedTuple):
    """A query as index probes: entries with one tag at most, and entries with several tags."""

    probes: list[Probe]
    meets: list[Probe]

    @classmethod
    def of(cls, query: DCBQuery | None) -> Self:
        """The probes of a query; an empty query asks for everything (DCB specification)."""
        if query is None or not query.items:
            return cls([("", None)], [])
        probes: dict[Probe, None] = {}
        meets: dict[Probe, None] = {}
        for item in query.items:
            tags = item.tags if len(item.tags) == 1 else sorted(set(item.tags))
            if not all(map(_is_text, tags)):
                continue  # no entry carries such a tag
            into = meets if len(tags) > 1 else probes
            joined = SEPARATOR.join(tags)
            if not item.types:
                into[joined, None] = None
            for type_ in item.types:
                if _is_text(type_):
                    into[joined, type_] = None
        return cls(list(probes), list(meets))


UNCONDITIONAL = Conditions([], [])
_ANYTHING = Conditions([("", None)], [])


class Prepared(NamedTuple):
    """An append that is fit to be sent."""

    append: Append
    conditions: Conditions
    after: int
    size: int

    @classmethod
    def of(cls, append: Append) -> Self:
        """Check an append. Raises Malformed, TooLarge."""
        entries, condition, key, _, claims = append
        if not entries:
            raise Malformed("entries", "an append holds at least one entry")
        if len(entries) > MOST_ENTRIES:
            raise TooLarge(f"an append holds at most {MOST_ENTRIES} entries")
        size = 0
        for index, entry in enumerate(entries):
            size += _size(index, entry)
        if len(entries) > 1:
            _check_ids(entries)
        if key is not None and not _is_text(key):
            raise Malformed("key", "an idempotency key is a short text without control characters")
        if claims:
            _check_claims(claims)
        if condition is None:
            return cls(append, UNCONDITIONAL, 0, size)
        conditions = Conditions.of(condition.fail_if_events_match)
        return cls(append, conditions, condition.after or 0, size)


def _check_ids(entries: Sequence[NewEntry]) -> None:
    ids = {entry.event_id for entry in entries}
    if None in ids and len(ids) > 1:
        raise Malformed("event_id", "every entry of an append has an event id or none has")
    if None not in ids and len(ids) < len(entries):
        raise Malformed("event_id", "two entries have the same event id")


def _size(index: int, entry: NewEntry) -> int:
    type_, tags, data, _ = entry
    if not _is_text(type_):
        raise Malformed(f"entries[{index}].type", "a type is a short text")
    size = len(data) + len(type_) + 64
    for tag in tags:
        if not _is_text(tag):
            raise Malformed(f"entries[{index}].tags", "a tag is a short text")
        size += (len(tag) if tag.isascii() else len(tag.encode())) + 4
    if size > MOST_ENTRY_BYTES:
        raise TooLarge(f"entries[{index}]: an entry holds less than 64 KiB")
    return size


def _is_text(text: str) -> bool:
    if text.isascii() and text.isprintable():  # nearly always, and a tenth of the time
        return 0 < len(text) <= MOST_TEXT_BYTES
    return bool(text) and not _UNSTORABLE.search(text) and len(text.encode()) <= MOST_TEXT_BYTES


def _check_claims(claims: Sequence[Claim]) -> None:
    if not all(_is_text(c.kind) and _is_text(c.subject) for c in claims):
        raise Malformed("claims", "a kind and a subject are short texts")
    if len({(c.kind, c.subject) for c in claims}) < len(claims):
        raise Malformed("claims", "a subject claims once per kind")
    held: dict[tuple[str, bytes], str] = {}
    for kind, subject, blind in claims:
        if blind is not None and held.setdefault((kind, blind), subject) != subject:
            raise ClaimTaken(kind, held[kind, blind])


def segments(group: Sequence[Prepared]) -> list[int]:
    """The last request (from 1) of each run of requests that do not touch each other.

    A request touches an earlier one when it might match, repeat or contest what that one enters.
    Errs towards cutting: a segment more costs time, one too few would cost correctness.
    """
    conditional = any(p.conditions.probes or p.conditions.meets for p in group[1:])
    ends: list[int] = []
    written: set[object] = set()
    for number, prepared in enumerate(group):
        marks = _marks(prepared.append)
        if number and (not written.isdisjoint(marks) or _may_match(prepared.conditions, written)):
            ends.append(number)
            written = set()
        written.update(marks)
        if conditional:
            for entry in prepared.append.entries:
                for tag in ("", *entry.tags):
                    written.add((tag, entry.type))
                    written.add((tag, None))
    ends.append(len(group))
    return ends


def in_turn(group: Sequence[Prepared], after: int) -> tuple[list[Prepared], list[int]]:
    """A group of which each was decided on those before it, and on nothing else beyond a position;
    with its segments. What is known already may be what another writer entered: so the condition is
    on every one.
    """
    ends, start = segments([p._replace(conditions=UNCONDITIONAL) for p in group]), 0
    found: list[Prepared] = []
    for end in ends:
        part = group[start:end]
        found += [p._replace(conditions=_ANYTHING, after=after) for p in part]
        after += sum(len(p.append.entries) for p in part)
        start = end
    return found, ends


def _may_match(conditions: Conditions, written: set[object]) -> bool:
    return not written.isdisjoint(conditions.probes) or any(
        all((tag, type_) in written for tag in tags.split(SEPARATOR))
        for tags, type_ in conditions.meets
    )


def _marks(append: Append) -> list[object]:
    marks: list[object] = [entry.event_id for entry in append.entries if entry.event_id]
    if append.key is not None:
        marks.append(append.key)
    for claim in append.claims:
        marks.append((claim.kind, claim.subject, "subject"))
        if claim.blind is not None:
            marks.append((claim.kind, claim.blind, "blind"))
    return marks


def straight(group: Sequence[Prepared]) -> list[bytes | None] | None:
    """The values of the log's straight line, to be sent; None where a group needs `parameters`."""
    numbers: list[int] = []
    types: list[str] = []
    joined: list[str] = []
    data: list[bytes] = []
    ids: list[UUID | None] = []
    keys: list[tuple[str, bytes | None, int, int]] = []
    untyped: list[tuple[int, str]] = []
    typed: list[tuple[int, str, str]] = []
    written: set[str] = set()
    touching = False
    for number, (append, (probes, meets), after, _) in enumerate(group, 1):
        if meets or append.claims or len(probes) > FEW_PROBES:
            return None
        for tag, type_ in probes:
            if not tag:
                return None
            touching = touching or tag in written
            if type_ is None:
                untyped.append((after, tag))
            else:
                typed.append((after, tag, type_))
        before = len(types)
        for type_, tags, content, event_id in append.entries:
            if len(tags) > 1 and len(set(tags)) < len(tags):
                return None
            numbers.append(number)
            types.append(type_)
            joined.append(SEPARATOR.join(tags))
            data.append(content)
            ids.append(event_id)
            written.update(tags)
        if append.key is not None:
            keys.append((append.key, append.request_hash, before + 1, len(types)))
    identified = any(ids)
    touching = touching or len({key[0] for key in keys}) < len(keys)
    touching = touching or (identified and len(set(ids)) < len(ids))
    if touching and len(segments(group)) > 1:
        return None
    return [
        _numbers(numbers),
        _texts(types),
        _texts(joined),
        byteas(data),
        _literal(id_.hex if id_ else "NULL" for id_ in ids).encode() if identified else None,
        *_sent(keys, _texts, byteas, _numbers, _numbers),
        *_sent(untyped, _numbers, _texts),
        *_sent(typed, _numbers, _texts, _texts),
    ]


def _sent(
    rows: Sequence[tuple[Any, ...]], *ways: Callable[[Sequence[Any]], bytes]
) -> list[bytes | None]:
    """The columns of rows, each in its way; None for each where there are no rows."""
    if not rows:
        return [None] * len(ways)
    return [way(column) for way, column in zip(ways, zip(*rows, strict=True), strict=True)]


def _numbers(numbers: Sequence[int]) -> bytes:
    return _integers(numbers).encode()


def _texts(items: Sequence[str]) -> bytes:
    return LIST_SEPARATOR.join(items).encode()


def stored(group: Sequence[Prepared], first: int, recorded_at: datetime) -> list[Appended]:
    """The answers to a group that the straight line stored."""
    answers = []
    for number, prepared in enumerate(group):
        last = first + len(prepared.append.entries) - 1
        stamp = recorded_at + timedelta(microseconds=number)
        answers.append(Appended(first, last, stamp, replayed=False))
        first = last + 1
    return answers


def parameters(
    group: Sequence[Prepared], *, halt: bool, ends: Sequence[int] | None = None
) -> list[Any]:
    """The arguments of the log's append function for a group, in its order; `ends`: its segments,
    where they are known.
    """
    entries = [(n, e) for n, p in enumerate(group, 1) for e in p.append.entries]
    probes = [(n, *probe) for n, p in enumerate(group, 1) for probe in p.conditions.probes]
    meets = [(n, *meet) for n, p in enumerate(group, 1) for meet in p.conditions.meets]
    claims = [(n, *claim) for n, p in enumerate(group, 1) for claim in p.append.claims]
    keyed = any(p.append.key is not None for p in group)
    identified = any(e.event_id is not None for _, e in entries)
    return [
        _integers(segments(group) if ends is None else ends),
        _integers(len(p.append.entries) for p in group),
        _integers(len(p.conditions.probes) for p in group),
        _integers(len(p.conditions.meets) for p in group),
        _integers(len(p.append.claims) for p in group),
        _integers(p.after for p in group),
        [p.append.key for p in group] if keyed else None,
        [p.append.request_hash for p in group] if keyed else None,
        _integers(n for n, _ in entries),
        [e.type for _, e in entries],
        [SEPARATOR.join(e.tags) for _, e in entries],
        [e.data for _, e in entries],
        [e.event_id for _, e in entries] if identified else None,
        *_columns(probes, 3),
        *_columns(meets, 3),
        *_columns(claims, 4),
        halt,
    ]


def _integers(numbers: Iterable[int]) -> str:
    return _literal(map(str, numbers))


def _literal(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Any]:
    if not rows:
        return [None] * width
    numbers, *columns = zip(*rows, strict=True)
    return [_integers(numbers), *map(list, columns)]


def answer(row: tuple[Any, ...]) -> Appended | LogError:
    """A row of the append function's result."""
    code, first, last, recorded_at, kind, holder = row
    match code:
        case 0 | 1:
            return Appended(first, last, recorded_at, replayed=code == 1)
        case 2:
            return ConditionFailed(first)
        case 3:
            return KeyReused()
        case 4:
            return EventIdKnown(first)
        case 5:
            return ClaimTaken(kind, holder)
        case 6:
            return ClockBehind()
    return NotReached()
