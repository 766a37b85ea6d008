"""The only door to the log: enter, entries, follow, resolve.

Owns entering (decide, append, retry) and reading back. Invariant: whatever is in the log was
decided on the record as it stood just before it; nothing else writes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain import acts
from domain.events import Entry
from domain.law import Law, Pack, parse_calendar
from domain.ledger import log as _log
from domain.ledger.deciding import LAW_TYPES, Decided, Decider, event_id_of, key_of
from domain.ledger.log import Appended, EventLog
from domain.ledger.reading import Reading
from domain.ledger.requests import Entered, Receipt, Refused, Request
from domain.ledger.vault import Vault
from domain.refusals import (
    BadInput,
    BeyondHead,
    ClockBehind,
    Conflict,
    KeyReused,
    Refusal,
    Superseded,
    Taken,
    TooLarge,
)

__all__ = ["Ledger", "Moment", "Receipt", "Refused", "Request"]

acts.load()

SHANGHAI = ZoneInfo("Asia/Shanghai")
ATTEMPTS = 3
CHUNK = 4_000
AHEAD = 250
MOST_TOGETHER = 500
RUN_BYTES, LEAST_BYTES = 24 << 20, 6_400  # a run is one transaction of the log
REMEMBERED = 200_000


class Moment(NamedTuple):
    """A point of the recorded axis: a position and when its entry was recorded."""

    position: int
    recorded_at: datetime | None


class Ledger:
    """One bureau's ledger: its event log and its vault. `clock` only says which day today is."""

    def __init__(
        self,
        log: EventLog,
        vault: Vault,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.log = log
        self.vault = vault
        self._clock = clock
        self._decider = Decider(vault, self.today)
        self._law = Law([], [])
        self._law_at = -1
        self._law_lock = threading.Lock()

    def today(self) -> date:
        return self._clock().astimezone(SHANGHAI).date()

    def enter(self, request: Request) -> Receipt:
        """Enter acts: all or nothing. Raises Refusal; a repetition gives the first answer."""
        if (receipt := self._replayed(request)) is not None:
            return receipt
        for _ in range(ATTEMPTS):
            try:
                decided = self._decide(request)
            except Refusal:
                if (receipt := self._replayed(request)) is not None:
                    return receipt  # the same request was entered meanwhile
                raise
            try:
                return _receipt(decided, self.log.enter(decided.append))
            except _log.ConditionFailed:
                continue
            except _log.LogError as error:
                raise _as_refusal(error) from error
        raise Conflict

    def preview(self, request: Request) -> Decided:
        """Decide as `enter` would and store nothing. Raises Refusal."""
        return self._decide(request)

    def _decide(self, request: Request) -> Decided:
        head = self.log.head()
        law = self.law()
        self._check_expected(request, head)
        return self._decider.decide(request, Reading(self.log, head), law, head)

    def _check_expected(self, request: Request, head: int) -> None:
        for index, proposal in enumerate(request.proposals):
            if proposal.expect is None:
                continue
            if proposal.expect > head:
                raise BeyondHead(field="expect", index=index)
            tags = [t for t in proposal.event.tags() if t.startswith("person:")]
            items = [DCBQueryItem(tags=[tag]) for tag in tags]
            since = self.log.entries(DCBQuery(items=items), after=proposal.expect, limit=1)
            if items and (newer := next(since, None)) is not None:
                raise Superseded(
                    "the record has changed since the position you have seen",
                    zh="您查看之后该人员记录已有新登记",
                    field="expect", index=index, position=newer.position,
                )  # fmt: skip

    def _replayed(self, request: Request) -> Receipt | None:
        """The first answer, where this request was entered before. Raises KeyReused."""
        if request.key is None and all(p.event_id is None for p in request.proposals):
            return None
        try:
            self.log.answered(key_of(request), self._decider.request_hash(request))
        except _log.LogError as error:
            raise _as_refusal(error) from error
        ids = [event_id_of(request, index) for index in range(len(request.proposals))]
        known = self._known(ids)
        return _first_answer(request, ids, known) if known else None

    def _known(self, ids: Sequence[UUID]) -> dict[UUID, Entered]:
        """What was entered under these event ids."""
        positions = self.log.by_event_id(ids)
        headings = self.log.headings(list(positions.values()))
        return {i: Entered(p, i, *headings[p]) for i, p in positions.items()}

    def enter_many(self, requests: Iterable[Request]) -> Iterator[Receipt | Refused]:
        """Enter many requests, each all or nothing; one answer a request, in their order.

        Decides up to a few thousand acts on one reading and appends them together. What changes
        the record or the law behind that reading, or was entered before, is entered singly in its
        turn. While others enter too, the runs grow shorter.
        """
        waiting = iter(requests)
        reading: Reading | None = None
        most = CHUNK
        while batch := list(islice(waiting, CHUNK)):
            known = self._known([p.event_id for r in batch for p in r.proposals if p.event_id])
            start = 0
            while start < len(batch):
                answers: list[Receipt | Refused]
                if run := _run(batch[start : start + most], known):
                    head = self.log.head()
                    if reading is None or reading.head != head or reading.size > REMEMBERED:
                        reading = Reading(self.log, head, ahead=True)
                    answers, reading, overtaken = self._append_run(run, reading)
                    most = max(len(run) // 2, 1) if overtaken else min(most * 2, CHUNK)
                else:
                    answers = [self._singly(batch[start], known)]
                for answer in answers:
                    if isinstance(answer, Receipt):
                        known.update((e.event_id, e) for e in answer.entries)
                    yield answer
                start += len(answers)

    def _append_run(
        self, run: Sequence[Request], reading: Reading
    ) -> tuple[list[Receipt | Refused], Reading | None, bool]:
        """Decide and append as many of these requests as one reading serves, at least one.

        The acts stand on positions counted from the reading's head, so the first append fails if
        anything at all was entered since: then, and where the log refuses a later one, that request
        is entered singly and the run is over ("overtaken").
        """
        done, after = self._decide_run(run, reading)
        appends = [d.append._replace(condition=None) for d in done if isinstance(d, Decided)]
        if appends:
            nothing_since = DCBAppendCondition(DCBQuery(), after=reading.head)
            appends[0] = appends[0]._replace(condition=nothing_since)
        stored = self.log.load(appends)
        answers: list[Receipt | Refused] = []
        for request, one in zip(run, done, strict=False):
            if isinstance(one, Refused):
                answers.append(one)
                continue
            try:
                answers.append(_receipt(one, next(stored)))
            except _log.LogError:
                answers.append(self._singly(request, {}))
                return answers, None, True
        reading.head = after
        return answers, None if reading.spoiled else reading, False

    def _decide_run(
        self, run: Sequence[Request], reading: Reading
    ) -> tuple[list[Decided | Refused], int]:
        """Decide these requests in turn, as far as one append's size and the reading allow."""
        law = self.law()
        self._decider.prepare(run)
        after, size = reading.head, 0
        done: list[Decided | Refused] = []
        for place, request in enumerate(run):
            if reading.spoiled or size > RUN_BYTES:
                break
            if place % AHEAD == 0:
                self._read_ahead(reading, run[place : place + AHEAD])
            try:
                decided = self._decider.decide(request, reading, law, after)
            except Refusal as refusal:
                done.append(Refused(refusal))
                continue
            done.append(decided)
            after += len(decided.ids)
            size += sum(max(len(e.data), LEAST_BYTES) for e in decided.append.entries)
        return done, after

    def _read_ahead(self, reading: Reading, requests: Iterable[Request]) -> None:
        """Read in one go what the next requests will want, as far as their types have shown."""
        reading.extend(
            strand for r in requests for p in r.proposals for strand in self._decider.whole(p.event)
        )

    def _singly(self, request: Request, known: Mapping[UUID, Entered]) -> Receipt | Refused:
        ids = [i for p in request.proposals if (i := p.event_id) is not None and i in known]
        try:
            if ids and request.key is None:
                return _first_answer(request, ids, known)
            return self.enter(request)
        except Refusal as refusal:
            return Refused(refusal)

    def law(self) -> Law:
        """The packs and calendars published so far."""
        with self._law_lock:
            query = DCBQuery(items=[DCBQueryItem(types=LAW_TYPES)])
            head = self.log.head()
            if any(True for _ in self.log.entries(query, after=self._law_at, until=head, limit=1)):
                self._law = law_of(Entry(*s) for s in self.log.entries(query, until=head))
            self._law_at = head
            return self._law

    def entries(
        self,
        tags: Sequence[str] = (),
        types: Sequence[str] = (),
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Entries that carry every tag and are of one of the types, in order of position."""
        query = DCBQuery(items=[DCBQueryItem(types=list(types), tags=list(tags))])
        bare = query if tags or types else None
        for stored in self.log.entries(bare, after=after, until=until, limit=limit):
            yield Entry(*stored)

    def entry(self, event_id: UUID) -> Entry:
        """The entry with this event id. Raises UnknownFact."""
        return Reading(self.log, self.log.head()).entry(event_id)

    def moment(self, recorded: str | int | datetime | date | None = None) -> Moment:
        """The position that a point of the recorded axis stands for.

        Takes a position, an RFC 3339 instant, a day in Asia/Shanghai (its last position), or None
        for the latest. Raises BadInput, BeyondHead.
        """
        head = self.log.head()
        if isinstance(recorded, str):
            recorded = _parse_recorded(recorded)
        if recorded is None:
            position = head
        elif isinstance(recorded, int):
            if recorded > head:
                raise BeyondHead(field="recorded")
            position = recorded
        else:
            instant, now = _instant(recorded), self._clock()
            today_ends = datetime.combine(self.today() + timedelta(days=1), time(), SHANGHAI)
            if instant > (now if isinstance(recorded, datetime) else today_ends):
                raise BeyondHead(field="recorded")
            position = self.log.position_at(instant)
        if position < 0:
            raise BadInput("a position is not negative", field="recorded", zh="位置不能为负")
        return Moment(position, self.log.recorded_at(position) if position else None)

    def close(self) -> None:
        self.log.close()
        self.vault.close()


def law_of(entries: Iterable[Entry]) -> Law:
    """The law as published by these entries: the latest text of each pack and calendar year."""
    packs: dict[str, str] = {}
    years: dict[int, str] = {}
    for entry in entries:
        if entry.type == "PackPublished":
            packs[entry.fields["code"]] = entry.fields["text"]
        else:
            years[entry.fields["year"]] = entry.fields["text"]
    return Law(map(Pack.parse, packs.values()), map(parse_calendar, years.values()))


def _instant(recorded: datetime | date) -> datetime:
    if isinstance(recorded, datetime):
        return recorded
    midnight = datetime.combine(recorded + timedelta(days=1), time(), SHANGHAI)
    return midnight - timedelta(microseconds=1)


def _parse_recorded(text: str) -> int | datetime | date | None:
    if text in ("", "latest"):
        return None
    try:
        if text.removeprefix("pos:").isdigit():
            return int(text.removeprefix("pos:"))
        if len(text) == 10:
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            "not a position, a date or an RFC 3339 instant", field="recorded",
            zh="应为位置、日期或 RFC 3339 时刻",
        ) from None  # fmt: skip
    if instant.tzinfo is None:
        raise BadInput("an instant needs its offset", field="recorded", zh="时刻须带时区")
    return instant


def _run(requests: Sequence[Request], known: Mapping[UUID, Entered]) -> list[Request]:
    """The first of these requests that one reading can serve, up to one that it cannot."""
    seen = set(known)
    run = []
    for request in requests:
        ids = {p.event_id for p in request.proposals if p.event_id is not None}
        if request.key is not None or not seen.isdisjoint(ids) or _stands_alone(request):
            break
        seen |= ids
        run.append(request)
    return run


def _stands_alone(request: Request) -> bool:
    return len(request.proposals) > MOST_TOGETHER or any(
        p.supersedes or p.annuls or p.expect is not None or type(p.event).__name__ in LAW_TYPES
        for p in request.proposals
    )


def _first_answer(request: Request, ids: Sequence[UUID], known: Mapping[UUID, Entered]) -> Receipt:
    """The receipt of a request whose event ids (`ids`) are in the log. Raises KeyReused."""
    entered = [known[i] for i in ids if i in known]
    types = [type(p.event).__name__ for p in request.proposals]
    in_turn = [entered[0].position + n for n in range(len(types))]
    if [(e.position, e.type) for e in entered] != list(zip(in_turn, types, strict=True)):
        raise KeyReused("an event id was entered before, in another request", field="event_id",
                        zh="事项标识已用于另一请求", position=entered[0].position)  # fmt: skip
    return Receipt(entered, [], replayed=True)


def _receipt(decided: Decided, appended: Appended) -> Receipt:
    entered = [
        Entered(appended.first + n, event_id, type_, appended.recorded_at)
        for n, (event_id, type_) in enumerate(zip(decided.ids, decided.types, strict=True))
    ]
    return Receipt(entered, decided.findings, appended.replayed)


def _as_refusal(error: _log.LogError) -> Refusal:
    match error:
        case _log.ClaimTaken():
            return Taken(f"another person holds this {error.kind}")
        case _log.KeyReused():
            return KeyReused()
        case _log.EventIdKnown():
            return KeyReused("an event id was entered before, in another request",
                             field="event_id", zh="事项标识已用于另一请求",
                             position=error.position)  # fmt: skip
        case _log.TooLarge():
            return TooLarge(str(error))
        case _log.Malformed():
            return BadInput(str(error), field=error.field)
        case _log.ClockBehind():
            return ClockBehind()
        case _:
            return Conflict(str(error))
