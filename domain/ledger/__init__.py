"""The only door to the log: enter, entries, follow, resolve.

Owns entering (decide, append, retry) and reading back. Invariant: whatever is in the log was
decided on the record as it stood just before it; nothing else writes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple, Self
from uuid import UUID

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain import acts
from domain.acts.privacy import PrivateDataRestricted, PrivateDataRestrictionLifted
from domain.bitemporal import Fact
from domain.case import Finding
from domain.events import Actor, Entry, Facet, Proposal, cases_of
from domain.forest import Forest
from domain.law import Law, Pack, parse_calendar
from domain.ledger import log as _log
from domain.ledger.backing import Age
from domain.ledger.bulk import AHEAD, Bulk, entered_under, first_answer
from domain.ledger.bulk import receipt as make_receipt
from domain.ledger.deciding import LAW_TYPES, Decided, Decider
from domain.ledger.disposal import Disposal, orders
from domain.ledger.holders import Holders
from domain.ledger.impact import review_of
from domain.ledger.log import EventLog
from domain.ledger.reading import Reading, forest_at, item_of
from domain.ledger.requests import Receipt, Refused, Request, event_id_of, key_of
from domain.ledger.sealed import Owner
from domain.ledger.splitting import BadPart
from domain.ledger.vault import Vault
from domain.record import Record, Strand
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
    UnknownFact,
    UnknownSubject,
)
from domain.workdays import SHANGHAI

__all__ = ["Ledger", "Moment", "Receipt", "Refused", "Request"]

acts.load()

ATTEMPTS = 3
UNDATED = date(1900, 1, 1)
"""Of a proposal whose day the ledger gives."""


class Moment(NamedTuple):
    """A point of the recorded axis: a position and when its entry was recorded."""

    position: int
    recorded_at: datetime | None


Hides = Callable[[Sequence[str]], bool]
"""Whether an entry with these tags is kept from whoever asks."""


class Ledger:
    """One bureau's ledger: its event log and its vault. `clock` only says which day today is;
    `backup_age` is how old the vault's newest backup may be where private data are entered.

    `hides` keeps entries from whoever reads; what is entered is decided on all of them.
    """

    def __init__(
        self,
        log: EventLog,
        vault: Vault,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        backup_age: timedelta | None = None,
    ) -> None:
        self.log = log
        self.vault = vault
        self._clock = clock
        age = Age(vault, lambda: log.recorded_at(1), backup_age) if backup_age else None
        self._decider = Decider(vault, self.today, age)
        self._disposal = Disposal(log, vault)
        self._law = _LawSoFar(log)
        self.hides: Hides = lambda _: False
        self.before: date | None = None

    def seen_without(self, hides: Hides, before: date | None = None) -> Self:
        """The ledger for one from whom some entries are kept, and those that take effect on a day
        from `before` on: to read, they are not there.
        """
        seen = copy(self)
        seen.hides, seen.before = hides, before
        return seen

    def tells(self, entry: Entry) -> bool:
        """Whether an entry takes effect on a day of which whoever reads is told."""
        return self.before is None or entry.effective < self.before

    def today(self) -> date:
        return self._clock().astimezone(SHANGHAI).date()

    def enter(self, request: Request) -> Receipt:
        """Enter acts: all or nothing. Raises Refusal; a repetition gives the first answer.

        What they order about keys is carried out before it is answered.
        """
        receipt = self._enter(request)
        if orders(entered.type for entered in receipt.entries):
            self.settle()
        return receipt

    def settle(self) -> None:
        """Carry out in the vault what the log orders about keys and the vault has not done yet."""
        self._disposal.run()

    def hold(self, owners: Iterable[Owner]) -> None:
        """Make ready to open private values of these owners: `settle`, then fetch their keys."""
        if owners := set(owners):
            self.settle()
            self.vault.hold(owners)

    def lift(self, person: str, codes: Sequence[str], ground: str, actor: Actor) -> list[str]:
        """Lift what two holders' codes open of a person's restrictions; the classes that are open
        again.

        The codes are tried first, then the lifting is entered, then the keys come back: where that
        breaks off, it is done again. Raises BadPart where they open nothing, Refusal;
        UnknownSubject where nothing of the person is restricted.
        """
        self.settle()
        head = self.log.head()
        family = self.forest(head).family(person)
        about = list(self.about([f"person:{alias}" for alias in family], head))
        entered = [entry for entry in about if entry.cls is PrivateDataRestricted]
        ended = {entry.ended for entry in about}
        keys = {owner for entry in entered for owner in self._disposal.owners(entry)}
        lifted: list[Owner] = []
        others: dict[Owner, BadPart] = {}
        for owner in sorted(keys):
            try:
                if self.vault.lift(owner, codes, store=False):
                    lifted.append(owner)
            except BadPart as bad:
                others[owner] = bad
        if not lifted:
            raise next(
                iter(others.values()),
                UnknownSubject(f"nothing of {person} is restricted",
                               zh=f"{person} 没有受限制的信息", field="person"),
            )  # fmt: skip
        event = PrivateDataRestrictionLifted(person=person, ground=ground)
        acts_ = [
            Proposal(event, self.today(), seq=1, ends=UUID(entry.id))
            for entry in entered
            if entry.id not in ended and others.keys().isdisjoint(self._disposal.owners(entry))
        ]
        if acts_:
            self.enter(Request(acts_, actor=actor))
        for owner in lifted:
            self.vault.lift(owner, codes, store=True)
        return sorted({owner.cls for owner in lifted})

    def _enter(self, request: Request) -> Receipt:
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
                return make_receipt(decided, self.log.enter(decided.append))
            except _log.ConditionFailed:
                continue
            except _log.LogError as error:
                raise _as_refusal(error) from error
        raise Conflict

    def preview(self, request: Request) -> Decided:
        """Decide as `enter` would and store nothing. What would be undermined is listed among the
        impacts, not refused. Raises Refusal.
        """
        decided = self._decide(request, refuses=False)
        with _in_words():
            Holders(self.log, self.vault).take(decided.append.claims)
        return decided

    def preview_each(self, request: Request) -> Iterator[list[Finding] | Refusal]:
        """Decide every act, those that pass taken in before the next; store nothing.

        One answer an act, in their order: what the law found of it, or why it is refused. One whose
        value another holds is refused, and taken in still.
        """
        head, law = self.log.head(), self.law()
        reading, after = Reading(self.log, head), head
        holders = Holders(self.log, self.vault)
        self._decider.prepare([request])
        for index, proposal in enumerate(request.proposals):
            if index % AHEAD == 0:
                ahead = request.proposals[index : index + AHEAD]
                reading.extend(s for p in ahead for s in self._decider.whole(p.event))
                holders.foresee(ahead)
            alone = request._replace(proposals=[proposal], key=None)
            try:
                decided = self._decider.decide(alone, reading, law, after)
                after += 1
                with _in_words():
                    holders.take(decided.append.claims)
            except Refusal as refusal:
                if reading.spoiled:
                    reading = reading.afresh(after)
                refusal.index = index
                yield refusal
                continue
            yield [finding for _, finding in decided.findings]

    def acknowledge(self, position: int, reason: str) -> Proposal:
        """The act that acknowledges what its batch undermines: it opens a review of that entry.

        Its day is that on which it is entered. Raises UnknownFact.
        """
        head = self.log.head()
        entries = self.entries(after=position - 1, until=min(position, head))
        entry = next(entries, None) if 1 <= position <= head else None
        if entry is None:
            raise UnknownFact(position=position)
        return Proposal(review_of(entry, reason), UNDATED)

    def _decide(self, request: Request, *, refuses: bool = True) -> Decided:
        head = self.log.head()
        law = self.law()
        seen = self._check_expected(request, head)
        reading = Reading(self.log, head)
        decided = self._decider.decide(request, reading, law, head, refuses=refuses)
        condition = decided.append.condition
        items = condition.fail_if_events_match.items if condition is not None else []
        if not seen or condition is None or not items:  # no items: nothing at all may come between
            return decided
        under = DCBAppendCondition(DCBQuery(items=[*items, *seen]), after=condition.after)
        return decided._replace(append=decided.append._replace(condition=under))

    def _check_expected(self, request: Request, head: int) -> list[DCBQueryItem]:
        """What must not have been entered by the head for what its proposers have seen to hold."""
        seen: list[DCBQueryItem] = []
        for index, proposal in enumerate(request.proposals):
            if proposal.expect is None:
                continue
            if proposal.expect > head:
                raise BeyondHead(field="expect", index=index)
            about = {t for t in proposal.event.tags() if t.startswith("person:")}
            if about:
                forest = self.forest(head)
                about = {f"person:{a}" for t in about for a in forest.family(t[7:])}
            tags = sorted(about)
            items = [DCBQueryItem(tags=[tag]) for tag in tags]
            since = self.log.entries(DCBQuery(items=items), after=proposal.expect)
            if not type(proposal.event).case_sealed:  # nor would its refusal tell of a case
                since = (stored for stored in since if not cases_of(stored.tags))
            if items and (newer := next(since, None)) is not None:
                raise Superseded(
                    "the record has changed since the position you have seen",
                    zh="您查看之后该人员记录已有新登记",
                    field="expect", index=index, position=newer.position,
                )  # fmt: skip
            seen += items
        return seen

    def _replayed(self, request: Request) -> Receipt | None:
        """The first answer, where this request was entered before. Raises KeyReused."""
        if request.key is None and all(p.event_id is None for p in request.proposals):
            return None
        try:
            self.log.answered(key_of(request), self._decider.request_hash(request))
        except _log.LogError as error:
            raise _as_refusal(error) from error
        ids = [event_id_of(request, index) for index in range(len(request.proposals))]
        known = entered_under(self.log, ids)
        return first_answer(request, ids, known) if known else None

    def enter_many(self, requests: Iterable[Request]) -> Iterator[Receipt | Refused]:
        """Enter many requests, each all or nothing; one answer a request, in their order.

        What carries event ids may be handed in again after a crash: nothing is stored twice.
        """
        return Bulk(self.log, self._decider, self.law, self.enter).enter(requests)

    def law(self) -> Law:
        """The packs and calendars published so far."""
        return self._law.at_head()

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
        items = [DCBQueryItem(types=list(types), tags=list(tags))] if tags or types else []
        return islice(self.matching(items, after=after, until=until), limit)

    def about(self, tags: Sequence[str], until: int, *, later: bool = False) -> Iterator[Entry]:
        """Entries up to a position that carry any of these tags, in order of position."""
        items = [DCBQueryItem(tags=[tag]) for tag in tags]
        return self.matching(items, until=until, later=later) if items and until else iter(())

    def matching(
        self,
        items: Sequence[DCBQueryItem],
        *,
        after: int = 0,
        until: int | None = None,
        later: bool = False,
    ) -> Iterator[Entry]:
        """Entries that any of the items, or no item at all, asks for, in order of position.

        `later`: also those of days not told of, to know what became of the others.
        """
        query = DCBQuery(items=list(items)) if items else None
        for stored in self.log.entries(query, after=after, until=until):
            if not self.hides(stored.tags):
                entry = Entry(*stored)
                if later or self.tells(entry):
                    yield entry

    def entry(self, event_id: UUID) -> Entry:
        """The entry with this event id. Raises UnknownFact."""
        entry = Reading(self.log, self.log.head()).entry(event_id)
        if self.hides(entry.tags):
            raise UnknownFact(f"there is no entry {event_id}", zh=f"没有登记 {event_id}")
        return entry

    def forest(self, position: int) -> Forest:
        """Which ids were one person's, as known at a position."""
        return forest_at(self.log, position)

    def folded(self, facet: Facet, subject: str, position: int) -> list[Fact]:
        """Every version of a strand that no merge moves, from the entries themselves: what is kept
        of them beside the log, others may have written.
        """
        if not position:
            return []
        items = [item_of(Strand(facet.name, subject))]
        stored = self.log.entries(DCBQuery(items=items), until=position)
        return Record.fold(Entry(*one) for one in stored).versions(facet, subject)

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


class _LawSoFar:
    """The law as published, read again when more is."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._law = Law([], [])
        self._at = -1
        self._lock = threading.Lock()

    def at_head(self) -> Law:
        with self._lock:
            query = DCBQuery(items=[DCBQueryItem(types=LAW_TYPES)])
            head = self._log.head()
            if any(True for _ in self._log.entries(query, after=self._at, until=head, limit=1)):
                self._law = law_of(Entry(*s) for s in self._log.entries(query, until=head))
            self._at = head
            return self._law


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


@contextmanager
def _in_words() -> Iterator[None]:
    """What the log would refuse is a refusal."""
    try:
        yield
    except _log.LogError as error:
        raise _as_refusal(error) from error


def _as_refusal(error: _log.LogError) -> Refusal:
    match error:
        case _log.ClaimTaken():
            taken = Taken(f"another person holds this {error.kind}")
            taken.holder = error.holder
            return taken
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
