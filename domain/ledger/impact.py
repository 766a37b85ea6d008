"""What an append would undermine: acts decided earlier on days that it changes.

Owns the search for such acts and their decision anew. Invariant: an act is undermined only if it
passes on the record without the request and is refused on the record with it, both as known now,
at the act's own place and without its own chain.

Beyond the subjects it is tagged with, an act reads only the place and the parents of units above
its own (`CLIMBED`), and whether those who hold a seat of its unit are officers there (`SEATED`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from domain.acts.officers import OFFICER
from domain.acts.people import HOST, UNIT
from domain.acts.responsibility import ACTING_DEPUTY, ACTING_HEAD, DEPUTY, UNIT_HEAD
from domain.acts.reviews import ReviewOpened
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import FOREVER, OPEN, Fact, Place
from domain.case import Case, Finding
from domain.events import FACETS, Entry, Event, FactAnnulled, Proposal, fact_specs
from domain.law import Law
from domain.ledger.log import EventLog
from domain.ledger.reading import Reading, having_read
from domain.ledger.requests import Request
from domain.ledger.sealed import is_sealed
from domain.ledger.vault import Unreadable, Vault
from domain.record import Record, Strand
from domain.refusals import ImpactRefused, NotUndermined, Refusal
from domain.workdays import SHANGHAI

CLIMBED = frozenset({UNIT_PLACE.name, UNIT_PARENT.name})
SEATED = (UNIT_HEAD, ACTING_HEAD, DEPUTY, ACTING_DEPUTY)
Found = tuple[int, Finding]
"""A finding and the place, in the request, of the act it is about."""

LEAST_SEQ = -(2**15)
AT_ONCE = 250


class Change(NamedTuple):
    """One strand says something else on the days [first, until), from a place in the first on.

    `by` is the place, in the request, of the act that makes it so, `root` the position of the fact
    that is another.
    """

    by: int
    strand: Strand
    first: date
    until: date
    place: Place
    root: int


class Impact(NamedTuple):
    """What becomes of an entry by the act at place `by` of a request; `own` is the place of the
    entry itself, where it is one of that request.

    `refusal`: it would now be refused so. Else the findings that are `raised` and `cleared`.
    """

    entry: Entry
    by: int
    own: int | None
    refusal: Refusal | None
    raised: list[Finding]
    cleared: list[Finding]


class _Verdict(NamedTuple):
    refusal: Refusal | None
    findings: list[Finding]


def filed_under(cls: type[Event], fields: Mapping[str, Any], *, units: bool = False) -> set[str]:
    """The subjects whose strands an act writes or ends, which are read whole to see what rests on
    them; without the units, which have too many acts. A merge moves the strands of two.
    """
    named = {(w.key, w.facet.of) for w in cls.writes}
    named |= {(name, "person") for name in cls.merges or ()}
    if not cls.writes:
        named = {(name, kind) for name, kind in cls.subjects if kind in {f.of for f in cls.ends}}
    found = set()
    for name, kind in named:
        value = fields.get(name)
        if value is not None and (units or kind != "unit"):
            found |= {f"{kind}:{one}" for one in ([value] if isinstance(value, str) else value)}
    return found


def found_of(
    vault: Vault, law: Law, log: EventLog, batch: Sequence[Entry]
) -> list[tuple[Impact, Finding]]:
    """What an attested batch was found to undermine when it was entered, under the law of then."""
    after, ours = batch[0].position - 1, {entry.id: entry for entry in batch}
    reading = Reading(log, after)
    changes: list[Change] = []
    for by, entry in enumerate(batch):
        root = ours.get(entry.root) or reading.root_of(entry)
        reading.extend(Strand(None, s) for s in filed_under(root.cls, root.fields))
        reading.extend(premise_of(entry))
        changes += changes_of(by, entry, reading)
    today = batch[0].recorded_at.astimezone(SHANGHAI).date()
    read_further(reading, changes)
    impacts = Judge(vault, law, reading, after, today).impacts(changes)
    reviewed = {e.fields["review"] for e in batch if e.cls is ReviewOpened and not e.corrects}
    return [(i, _as_finding(i)) for i in impacts if i.refusal and i.entry.id not in reviewed]


def changes_of(by: int, entry: Entry, reading: Reading) -> list[Change]:
    """The days on which strands differ once an entry is taken in: from the versions that it closes
    and opens. Where a fact it ends has ended that day already, the order of that day differs.
    """
    found = _differing(by, entry, reading.take(entry))
    if entry.root in reading.record.chains:
        changed = {change.root for change in found}
        for fact in reading.record.ended_by(entry.root):
            if fact.root not in changed and fact.until < OPEN:
                day, place = fact.until, Place(fact.until, LEAST_SEQ, 0)
                strand = Strand(fact.facet, fact.subject)
                found.append(Change(by, strand, day, day + timedelta(1), place, fact.root))
    return found


def _differing(by: int, entry: Entry, versions: Iterable[Fact]) -> list[Change]:
    closed: dict[tuple[str, str, str, int], Fact] = {}
    opened: dict[tuple[str, str, str, int], Fact] = {}
    for fact in versions:
        kept = opened if fact.known_to == FOREVER else closed
        kept[fact.subject, fact.facet, fact.slot, fact.root] = fact
    found = []
    for key in closed | opened:
        old, new = closed.get(key), opened.get(key)
        place = None
        if old and new and (old.effective, old.seq, old.value) == (
            new.effective, new.seq, new.value,
        ):  # fmt: skip
            first, until = sorted((old.until, new.until))
            if entry.effective == first and not entry.corrects:
                place = Place(first, entry.seq, entry.position)
        else:
            facts = [fact for fact in (old, new) if fact is not None]
            first = min(f.effective for f in facts)
            until = max(max(f.until, f.effective + timedelta(1)) for f in facts)
            if not entry.corrects:
                place = facts[0].place
        if first < until:
            subject, facet, _, root = key
            strand = Strand(facet, subject)
            place = place or Place(first, LEAST_SEQ, 0)
            found.append(Change(by, strand, first, until, place, root))
    return found


def read_further(reading: Reading, changes: Sequence[Change]) -> bool:
    """Read the acts that may have read a changed strand: those about its subject, and what may
    read a unit's or an officer's besides.

    Answers whether they were looked for beyond the subjects of the changes.
    """
    reading.extend({Strand(None, change.strand.subject) for change in changes})
    officers = {c.strand.subject for c in changes if c.strand.facet == OFFICER.name}
    near = {tag for o in officers for e in reading.tagged(o) for tag in e.tags}
    _extend(
        reading,
        (Strand(f.name, tag) for tag in near if tag.startswith("unit:") for f in SEATED),
    )
    climbed = {c.strand.subject for c in changes if c.strand.facet in CLIMBED}
    return _read_below(reading, climbed) or bool(near)


def _read_below(reading: Reading, units: set[str]) -> bool:
    """Read everybody ever placed in these units or below them; whether there was anybody."""
    seen: set[str] = set()
    people: set[str] = set()
    while units:
        _extend(reading, (Strand(None, unit) for unit in units))
        seen |= units
        below: set[str] = set()
        for entry in (e for unit in units for e in reading.tagged(unit)):
            for spec in fact_specs(entry.cls, entry.fields):
                if f"unit:{spec.ref}" not in units:
                    continue
                if spec.facet in (UNIT.name, HOST.name):
                    people.add(spec.subject)
                elif spec.facet == UNIT_PARENT.name:
                    below.add(spec.subject)
        units = below - seen
    _extend(reading, (Strand(None, person) for person in people))
    return bool(people) or len(seen) > 1


def _extend(reading: Reading, strands: Iterable[Strand]) -> None:
    waiting = iter(sorted(strands, key=str))
    while some := list(islice(waiting, AT_ONCE)):
        reading.extend(some)


class Judge:
    """Decides acts again on what was read; `after` is the position the request would follow."""

    def __init__(self, vault: Vault, law: Law, reading: Reading, after: int, today: date) -> None:
        self._vault = vault
        self._law = law
        self._reading = reading
        self._after = after
        self._today = today

    def impacts(self, changes: Sequence[Change]) -> list[Impact]:
        """What becomes of the acts that rest on these strands, in order of position."""
        touched: dict[int, tuple[Entry, int]] = {}
        for change in changes:
            for entry in self._reading.readers(change.strand):
                if entry.position not in touched and self._rests_on(entry, change):
                    touched[entry.position] = (entry, change.by)
        _extend(self._reading, {s for entry, _ in touched.values() for s in premise_of(entry)})
        found = (self._impact(*touched[position]) for position in sorted(touched))
        return [impact for impact in found if impact is not None]

    def _rests_on(self, entry: Entry, change: Change) -> bool:
        """Whether the act is in force, was entered before the change, and read days it changes."""
        if entry.cls.case_sealed:  # a refusal would tell of it: found when its case is asked about
            return False
        if entry.cls is FactAnnulled or entry.position > self._after + change.by:
            return False
        chain = self._reading.record.chains[entry.root]
        if chain.content is None or chain.content.entry != entry.position:
            return False
        facet, last = FACETS[change.strand.facet or ""], entry.envelope["premise"]["to"]
        if (facet.ever or entry.cls.merges) and change.root < chain.root:
            return True
        return bool(last >= change.first.isoformat()) and (
            change.place < chain.place or last > entry.envelope["effective"]
        )

    def _impact(self, entry: Entry, by: int) -> Impact | None:
        event, _ = opened(self._vault, entry)
        if event is None:
            return None
        before = self._decided(entry, event, max(self._after, entry.position - 1))
        after = self._decided(entry, event, FOREVER)
        if before.refusal is not None:
            return None
        raised = [f for f in after.findings if f not in before.findings]
        cleared = [f for f in before.findings if f not in after.findings]
        if after.refusal is None and not raised and not cleared:
            return None
        if after.refusal is not None:
            raised, cleared = [], []
        own = entry.position - self._after - 1
        return Impact(entry, by, own if own >= 0 else None, after.refusal, raised, cleared)

    def _decided(self, entry: Entry, event: Event, until: int) -> _Verdict:
        stored = entry.position <= self._after
        today = entry.recorded_at.astimezone(SHANGHAI).date() if stored else self._today
        strands = set(premise_of(entry))
        chain = self._reading.record.chains[entry.root]
        proposal = proposal_of(entry, event)

        def verdict() -> _Verdict:
            touching = self._reading.touching(strands)
            record = Record.fold(
                e for e in touching if e.position <= until and e.root != entry.root
            )
            case = Case(proposal, entry.mood, record, strands, self._law, today, chain, again=True)
            try:
                case.decide(event)
            except Refusal as refusal:
                return _Verdict(refusal, [])
            return _Verdict(None, case.findings)

        def read(unread: set[Strand]) -> None:
            self._reading.extend(unread)
            strands.update(unread)

        return having_read(verdict, read)


def weigh(request: Request, impacts: Sequence[Impact], *, refuses: bool = True) -> list[Found]:
    """What the request answers for what it undermines: findings, where it is attested.

    Raises ImpactRefused for what is ordered and undermines an act that it does not acknowledge (an
    act of its own cannot be), and NotUndermined for what is acknowledged needlessly.
    """
    undermined = {i.entry.id: i for i in impacts if i.refusal is not None and i.own is None}
    for review in _acknowledged(request):
        impact = undermined.pop(review.review, None)
        if impact is None or review != review_of(impact.entry, review.reason):
            raise NotUndermined(field="acknowledge", position=review.position)
    left = unacknowledged(request, impacts)
    if request.mood == "attested":
        return [(i.by, _as_finding(i)) for i in left]
    if left and refuses:
        raise ImpactRefused([impact_dict(impact) for impact in left])
    return []


def unacknowledged(request: Request, impacts: Iterable[Impact]) -> list[Impact]:
    """The acts that would be refused and that the request does not acknowledge."""
    known = {review.review for review in _acknowledged(request)}
    return [i for i in impacts if i.refusal is not None and i.entry.id not in known]


def _acknowledged(request: Request) -> list[ReviewOpened]:
    return [
        p.event
        for p in request.proposals
        if isinstance(p.event, ReviewOpened) and p.supersedes is None
    ]


def review_of(entry: Entry, reason: str) -> ReviewOpened:
    """The review that acknowledging an entry's impact opens."""
    named: dict[str, list[str]] = {"person": [], "unit": []}
    for field, kind in entry.cls.subjects:
        value = entry.fields.get(field)
        if kind in named and value is not None:
            named[kind] += [value] if isinstance(value, str) else value
    return ReviewOpened(
        review=entry.id,
        position=entry.position,
        persons=list(dict.fromkeys(named["person"])),
        units=list(dict.fromkeys(named["unit"])),
        reason=reason,
    )


def impact_dict(impact: Impact) -> dict[str, Any]:
    """An entry that a request would undermine, in plain shape.

    It has `act`, its place in the request, instead of `position` where it is the request's own;
    `by` is the place of the act that undermines it.
    """
    entry = impact.entry
    named = {"position": entry.position} if impact.own is None else {"act": impact.own}
    told: dict[str, Any] = {
        **named,
        "event_id": entry.id,
        "type": entry.type,
        "zh": entry.cls.zh,
        "en": entry.cls.en,
        "effective": entry.effective,
        "mood": entry.mood,
        "by": impact.by,
    }
    if impact.refusal is not None:
        told["refusal"] = impact.refusal.as_dict()
    return told


def _as_finding(impact: Impact) -> Finding:
    refusal = impact.refusal
    assert refusal is not None  # noqa: S101 - only what is refused is asked
    zh, en = "本批另一事项", "another act of the request"
    if impact.own is None:
        zh, en = f"第{impact.entry.position}号登记", f"entry {impact.entry.position}"
    return Finding(
        refusal.rule or refusal.code, refusal.article or "", "block", "in-force",
        f"{zh}将不成立:{refusal.detail_zh}", f"{en} would be refused: {refusal.detail}", None,
    )  # fmt: skip


def premise_of(entry: Entry) -> Iterator[Strand]:
    """The strands that the entry's decision read."""
    for read in entry.envelope["premise"]["reads"]:
        facet, _, subject = read.partition("@")
        if facet in FACETS:
            yield Strand(facet, subject)


def opened(vault: Vault, entry: Entry) -> tuple[Event | None, list[str]]:
    """The typed act, its private fields open, and those that are erased; None where it needs one
    of them.
    """
    fields, erased = {}, []
    for name, value in entry.fields.items():
        try:
            fields[name] = vault.open(name, value) if is_sealed(value) else value
        except Unreadable:
            erased.append(name)
    if any(entry.cls.model_fields[name].is_required() for name in erased):
        return None, erased
    return entry.cls.model_validate(fields), erased


def proposal_of(entry: Entry, event: Event) -> Proposal:
    """The proposal that an entry was, to decide it again."""
    occurred = entry.envelope.get("occurred")
    return Proposal(
        event,
        entry.effective,
        until=None if entry.until == OPEN else entry.until,
        seq=entry.seq,
        occurred=date.fromisoformat(occurred) if occurred else None,
        ends=UUID(entry.ended) if entry.ended else None,
    )
