"""From a request to an append: deciding each act on the record and the law.

Owns the decision of a request and its premise. Invariant: an act is appended only under a condition
that covers every strand its decision read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain.acts import closed, privacy
from domain.acts.approvals import ApprovalUsed
from domain.acts.reviews import ReviewOpened
from domain.bitemporal import OPEN
from domain.case import Case, Finding
from domain.chains import Chain, Content
from domain.events import (
    Entry,
    Event,
    Mood,
    Proposal,
    encode,
    fact_specs,
)
from domain.law import Law, Pack, parse_calendar
from domain.ledger.backing import Age
from domain.ledger.claiming import claims_of, unique_values
from domain.ledger.impact import (
    Change,
    Impact,
    Judge,
    changes_of,
    filed_under,
    read_further,
    weigh,
)
from domain.ledger.log import Append, Claim, NewEntry
from domain.ledger.reading import MERGING, Reading, having_read, item_of, strands_of
from domain.ledger.requests import (
    Request,
    check_approver,
    check_envelope,
    event_id_of,
    key_of,
    shared_by,
)
from domain.ledger.sealed import is_sealed
from domain.ledger.sealing import (
    as_refusal,
    in_words,
    private_of,
    require_sealable,
)
from domain.ledger.vault import Unreadable, Vault
from domain.record import Record, Strand
from domain.refusals import BadInput, Refusal, Superseded, WrongCorrection

UNSTAMPED = datetime.fromtimestamp(0, UTC)
LAW_TYPES = ["CalendarPublished", "PackPublished"]


class Decided(NamedTuple):
    """A request that passed: the append, what was found without refusing, what changes, and what
    becomes of earlier acts. `record` is what was read up to `after`, with the request in it.
    """

    append: Append
    ids: list[UUID]
    types: list[str]
    findings: list[tuple[int, Finding]]
    undermined: list[tuple[int, Finding]]
    changes: list[Change]
    impacts: list[Impact]
    record: Record
    after: int


class Decider:
    """Decides requests; learns which strands each type reads, so that most need one reading."""

    def __init__(self, vault: Vault, today: Callable[[], date], age: Age | None = None) -> None:
        self._vault = vault
        self._age = age
        self._today = today
        self._hints: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)

    def predicted(self, event: Event) -> set[Strand]:
        """The strands this act's decision will read, as far as its type has shown.

        Whom it writes about is read whole, to see what it undermines; but a unit has too many acts.
        """
        strands = {Strand(None, subject) for subject in _whole(event)}
        strands |= {
            Strand(w.facet.name, f"{w.facet.of}:{key}")
            for w in type(event).writes
            if isinstance(key := getattr(event, w.key), str)
        }
        for _, owner in private_of(event):
            strands |= privacy.strands(owner.subject)
        for facet, field in self._hints[type(event).__name__]:
            kind = dict(type(event).subjects)[field]
            value = getattr(event, field)
            strands |= {Strand(facet, f"{kind}:{v}") for v in _each(value)}
        return strands

    def whole(self, event: Event) -> set[Strand]:
        """The same, but every person and what is written about whole: one reading for a run."""
        written = filed_under(type(event), vars(event), units=True)
        return {
            Strand(None, s.subject)
            if s.subject.startswith("person:") or s.subject in written
            else s
            for s in self.predicted(event)
        }

    def _learn(self, event: Event, reads: set[Strand]) -> None:
        by_tag = {
            f"{kind}:{value}": field
            for field, kind in type(event).subjects
            for value in _each(getattr(event, field))
        }
        learnt = {(s.facet, by_tag[s.subject]) for s in reads if s.facet and s.subject in by_tag}
        name = type(event).__name__
        self._hints[name] = self._hints[name] | learnt  # another thread may be reading the old set

    def prepare(self, requests: Iterable[Request]) -> None:
        """Make the keys that these requests' private fields need, all at once. Raises
        BackupOverdue.
        """
        owners = {
            owner
            for request in requests
            for p in request.proposals
            for _, owner in private_of(p.event)
        }
        if owners and self._age is not None:
            self._age.require()
        self._vault.prepare(owners)

    def decide(
        self, request: Request, reading: Reading, law: Law, after: int, *, refuses: bool = True
    ) -> Decided:
        """Decide every act in turn, each on the record with the earlier ones in it.

        `after` is the position the first act would follow. Accepted acts are folded into the
        reading; a refusal after the first of them leaves it `spoiled`. Read ahead, the append has
        no condition of its own: its caller sees to it that nothing came between. Raises Refusal
        with the index of the act; ImpactRefused unless `refuses` is false.
        """
        if not request.proposals:
            raise BadInput("a request has at least one act", zh="请求中没有事项", field="events")
        check_approver(request)
        ids = [event_id_of(request, index) for index in range(len(request.proposals))]
        shared = shared_by(request, ids)
        self.prepare([request])
        entries: list[Entry] = []
        decided: list[_DecidedAct] = []
        changes: list[Change] = []
        claims: dict[tuple[str, str], Claim] = {}
        try:
            for index, proposal in enumerate(request.proposals):
                with _at(index):
                    one = self._decide_one(proposal, request.mood, reading, law)
                    one.case.reads |= require_sealable(one.proposal.event, reading)
                    closes = law.closing and not type(one.event).case_sealed
                    if closes and request.approved_by is None:
                        self._refuse_closed(one, reading)
                self._read_whole(one, reading)
                shared["premise"] = _premise(one.case, after)
                data = self._sealed(one, ids[index], shared, index)
                type_ = type(proposal.event).__name__
                entry = Entry(after + index + 1, UNSTAMPED, type_, one.tags, data)
                entries.append(entry)
                decided.append(one)
                changes += changes_of(index, entry, reading)
                claims |= claims_of(
                    self._vault, one.event, reading.record, corrects=one.root is not None
                )
                law = _amended(law, entry)
            beyond = read_further(reading, changes)
            impacts = Judge(self._vault, law, reading, after, self._today()).impacts(changes)
            weighed = weigh(request, impacts, refuses=refuses)
        except Refusal:
            reading.spoiled = bool(entries)
            raise
        append = Append(
            entries=[
                NewEntry(e.type, e.tags, e.data, i) for e, i in zip(entries, ids, strict=True)
            ],
            condition=_condition(decided, changes, after, beyond, reading),
            key=key_of(request),
            request_hash=self.request_hash(request),
            claims=list(claims.values()),
        )
        findings = [(n, finding) for n, one in enumerate(decided) for finding in one.case.findings]
        types = [e.type for e in entries]
        return Decided(
            append, ids, types, findings, weighed, changes, impacts, reading.record, after
        )

    def _sealed(
        self, one: "_DecidedAct", event_id: UUID, shared: Mapping[str, Any], index: int
    ) -> bytes:
        """The act's bytes. Raises DataErased, DataRestricted where the vault is ahead of what was
        read.
        """
        root = UUID(one.root) if one.root else None
        with in_words(index):
            return encode(one.proposal, event_id, root, shared, self._vault.seal)

    def _read_whole(self, one: "_DecidedAct", reading: Reading) -> None:
        """Read what must be known before the act is taken in: whom it changes, unique values."""
        reading.extend(Strand(None, subject) for subject in _whole(one.event))
        for unique in unique_values(one.event, corrects=one.root is not None):
            for alias in reading.record.forest.family(unique.subject):
                strands = {Strand(f.name, f"{f.of}:{alias}") for f in unique.facets}
                reading.extend(strands)
                one.case.reads |= strands

    def _decide_one(
        self, proposal: Proposal, mood: Mood, reading: Reading, law: Law
    ) -> "_DecidedAct":
        check_envelope(proposal)
        corrected = proposal.supersedes or proposal.annuls
        if corrected is not None:
            return self._decide_correction(proposal, corrected, mood, reading, law)
        event = proposal.event
        if isinstance(event, ReviewOpened | ApprovalUsed):
            proposal = proposal._replace(effective=self._today())
        if not reading.ahead:
            reading.extend(self.predicted(event))
        case = self._run(event, proposal, mood, reading, None, law)
        self._learn(event, case.reads)
        tags = event.tags()
        if case.ended is not None:
            tags = sorted({*tags, f"fact:{case.ended}"})
        return _DecidedAct(_settled(proposal, case), case, None, tags, event)

    def _run(
        self, event: Event, proposal: Proposal, mood: Mood, reading: Reading, chain: Chain | None,
        law: Law,
    ) -> Case:  # fmt: skip
        def decided() -> Case:
            record = reading.record if chain is None else reading.without(chain.id)
            case = Case(proposal, mood, record, reading.read, law, self._today(), chain)
            case.decide(event)
            return case

        return having_read(decided, reading.extend)

    def _decide_correction(
        self, proposal: Proposal, corrected: UUID, mood: Mood, reading: Reading, law: Law
    ) -> "_DecidedAct":
        entries = reading.chain(corrected)
        root = entries[0]
        if root.cls.final:
            raise WrongCorrection("it was carried out on entering: it is neither corrected nor"
                                  " annulled", zh="该事项登记时即已执行,不得更正或撤销",
                                  position=root.position)  # fmt: skip
        reading.extend(strands_of(root))
        for entry in entries:
            reading.take(entry)
        chain = reading.record.chains[root.id]
        if chain.newest != str(corrected):
            raise Superseded(position=chain.newest_position)
        tags = [tag for tag in root.tags if not tag.startswith("fact:")]
        annuls = proposal.annuls is not None
        if annuls:
            last = next(e for e in reversed(entries) if "annuls" not in e.envelope)
            event = self._event_of(last, reinstated=chain.content is None)
            proposal = proposal._replace(
                effective=last.effective, until=None, seq=last.seq, ends=None
            )
            decided_as = proposal._replace(until=None if last.until == OPEN else last.until)
        else:
            event = proposal.event
            if chain.content is None:
                raise WrongCorrection("an annulled fact cannot be superseded; annul the annulment",
                                      zh="已撤销的登记不能更正,只能撤销该撤销")  # fmt: skip
            _check_same_key(event, root, chain.last)
            tags = sorted({*tags, *event.tags()})
            decided_as = proposal
            if proposal.seq is None:
                decided_as = proposal._replace(seq=chain.last.seq)
        ends = proposal.ends or (UUID(chain.last.ends) if chain.last.ends else None)
        decided_as = decided_as._replace(ends=ends)
        if annuls and chain.content is not None:
            case = Case(decided_as, mood, reading.record, reading.read, law, self._today())
        else:
            reading.extend(self.predicted(event))
            case = self._run(event, decided_as, mood, reading, chain, law)
        case.reads |= set(strands_of(root))
        settled = proposal if annuls else _settled(decided_as, case)
        if annuls:
            case.ended = None
        tags = sorted({*tags, f"fact:{root.id}", *([f"fact:{case.ended}"] if case.ended else [])})
        return _DecidedAct(settled, case, root.id, tags, event)

    def _refuse_closed(self, one: "_DecidedAct", reading: Reading) -> None:
        """Raises ClosedPeriod where the act changes a day that needs a second person's approval."""
        chain = reading.record.chains[one.root] if one.root else None
        before = None if chain is None else chain.content
        after: Content | None = closed.content_of(one.proposal)
        if chain is not None and one.proposal.annuls is not None:
            after = chain.last if before is None else None

        def open_() -> Case:
            case = Case(
                one.proposal, one.case.mood, reading.record, reading.read, one.case.law,
                one.case.today,
            )  # fmt: skip
            closed.require_open(case, one.event, one.tags, before, after)
            return case

        case = having_read(open_, reading.extend)
        one.case.reads |= case.reads
        one.case.digests |= case.digests

    def _event_of(self, entry: Entry, *, reinstated: bool) -> Event:
        """The typed event of an entry, its private fields opened.

        One that cannot be opened is left out, unless the entry is to be reinstated: then raises
        DataErased, DataRestricted.
        """
        opened: dict[str, Any] = {}
        complete = True
        for name, value in entry.fields.items():
            try:
                opened[name] = self._vault.open(name, value) if is_sealed(value) else value
            except Unreadable as unreadable:
                if reinstated:
                    raise as_refusal(unreadable, name) from unreadable
                complete = False
        if complete:
            return entry.cls.model_validate(opened)
        return entry.cls.model_construct(**opened)

    def request_hash(self, request: Request) -> bytes | None:
        """A keyed digest of everything the proposer said; None without an idempotency key."""
        if request.key is None:
            return None
        said = [
            [type(p.event).__name__, p.event.model_dump(mode="json"), *map(str, p[1:])]
            for p in request.proposals
        ]
        shared = [said, request.mood, str(request.document), request.attested_by]
        if request.approved_by is not None:
            shared.append(request.approved_by)
        return self._vault.request_hash(orjson.dumps(shared))


def _condition(
    decided: Sequence["_DecidedAct"],
    changes: Iterable[Change],
    after: int,
    beyond: bool,
    reading: Reading,
) -> DCBAppendCondition | None:
    """Nothing that the decision rests on has changed: its strands, the chains it touches, the law,
    who is whom; and nothing was entered about those it changes, nor at all where it was searched
    `beyond` them. None where the caller sees to it.
    """
    if reading.ahead:
        return None
    if beyond:
        return DCBAppendCondition(fail_if_events_match=DCBQuery(), after=after)
    changed = {subject for one in decided for subject in _whole(one.event)}
    changed |= {change.strand.subject for change in changes}
    whole = {alias for subject in changed for alias in reading.family(subject)}
    reads = {strand for one in decided for strand in one.case.reads if strand.subject not in whole}
    roots = {root for one in decided if (root := one.root or one.case.ended)}
    items = [DCBQueryItem(tags=[subject]) for subject in sorted(whole)]
    items += [item_of(strand) for strand in sorted(reads, key=str)]
    items += [DCBQueryItem(tags=[f"fact:{root}"]) for root in sorted(roots)]
    items += [DCBQueryItem(types=LAW_TYPES), MERGING]
    return DCBAppendCondition(fail_if_events_match=DCBQuery(items=items), after=after)


def _amended(law: Law, entry: Entry) -> Law:
    """The law that holds for the acts after this one in its request."""
    if entry.type == "PackPublished":
        return law.with_pack(Pack.parse(entry.fields["text"]))
    if entry.type == "CalendarPublished":
        return law.with_calendar(parse_calendar(entry.fields["text"]))
    return law


@contextmanager
def _at(index: int) -> Iterator[None]:
    """A refusal says which act of the request it is about."""
    try:
        yield
    except Refusal as refusal:
        if refusal.index is None:
            refusal.index = index
        raise


class _DecidedAct(NamedTuple):
    proposal: Proposal
    case: Case
    root: str | None
    tags: list[str]
    event: Event


def _settled(proposal: Proposal, case: Case) -> Proposal:
    return proposal._replace(until=case.until, ends=UUID(case.ended) if case.ended else None)


def _check_same_key(event: Event, root: Entry, last: Content) -> None:
    cls = type(event)
    if cls is not root.cls:
        raise WrongCorrection(position=root.position)
    before, after = last.specs, fact_specs(cls, event.model_dump(mode="json", exclude_none=True))
    keys = {(s.facet, s.subject, s.slot) for s in before}
    facets = {s.facet for s in before} & {s.facet for s in after}
    if any(s.facet in facets and (s.facet, s.subject, s.slot) not in keys for s in after):
        raise WrongCorrection(position=root.position)
    if {s.subject for s in before} != {s.subject for s in after}:
        raise WrongCorrection(position=root.position)
    if last.ends is not None and not cls.writes:
        key = next(name for name, kind in cls.subjects if kind == cls.ends[0].of)
        if getattr(event, key) != root.fields[key]:
            raise WrongCorrection(position=root.position)


def _premise(case: Case, after: int) -> dict[str, Any]:
    return {
        "at": after,
        "reads": sorted(f"{s.facet}@{s.subject}" for s in case.reads),
        "from": case.first,
        "to": case.last,
        "law": sorted(case.digests),
    }


def _whole(event: Event) -> set[str]:
    return filed_under(type(event), vars(event))


def _each(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
