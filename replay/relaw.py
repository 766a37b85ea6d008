"""Deciding the whole history again under another pack.

Owns the comparison of two laws over what was entered. Invariant: it only reads; an act is decided
under both laws on the same record, as it lay before the act, so the pack alone makes a difference.
Periods that a pack closes are not judged: they say who may change the past, not what may happen.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from itertools import islice
from multiprocessing import get_context
from typing import Any, Literal, NamedTuple, Protocol

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.acts.people import HOST, UNIT
from domain.bitemporal import AsOf
from domain.case import Finding
from domain.events import REGISTRY, Entry, FactAnnulled
from domain.law import Law, Pack
from domain.ledger import Ledger
from domain.ledger.deciding import LAW_TYPES
from domain.refusals import UnknownSubject
from projections.findings import Again, decided_again
from projections.questions.law import Published
from projections.records import Records
from projections.roster import tree

TOGETHER, ALONE_BELOW = 200, 2_000  # persons

Outcome = Literal["refused", "found"]


class Scope(NamedTuple):
    """Whose acts are decided again: of these persons, and those that name no person but one of
    `units` (None: every act that names no person), effective on `since` or later.
    """

    people: tuple[str, ...]
    units: frozenset[str] | None = None
    since: date = date.min


class Act(NamedTuple):
    """One act, with the person it is about and the rule's words; no value of the act is in it."""

    position: int
    type: str
    effective: date
    person: str | None
    zh: str
    en: str


class Change(NamedTuple):
    """Acts of which one law says so and the other does not, in order of position; `arises` under
    the other pack.
    """

    rule: str
    article: str
    outcome: Outcome
    arises: bool
    acts: list[Act]

    @property
    def total(self) -> int:
        return len(self.acts)


class Relawed(NamedTuple):
    """`decided` acts had to do with the pack and were decided twice; of those at the `undecidable`
    positions a value was erased, which may have counted.
    """

    decided: int = 0
    undecidable: tuple[int, ...] = ()
    changes: tuple[Change, ...] = ()


class Opened(Protocol):
    """A ledger of its own, for another process."""

    ledger: Ledger


def everyone(ledger: Ledger, since: date = date.min) -> Scope:
    """Every act there is."""
    return Scope(tuple(sorted(tag[7:] for tag in ledger.log.tags_from("person:"))), None, since)


def of_unit(records: Records, unit: str, as_of: AsOf, since: date = date.min) -> Scope:
    """The acts of a unit and those below it, and of everybody who was ever theirs or their guest.

    Raises UnknownSubject.
    """
    stands = tree(records, as_of)
    if unit not in stands.states:
        raise UnknownSubject(f"no unit {unit}", zh=f"没有单位 {unit}", field="unit")
    units = stands.below(unit)
    placed = [*records.referring(UNIT, *units), *records.referring(HOST, *units)]
    people = {f.subject[7:] for f in placed if f.known_from <= as_of.recorded}
    return Scope(tuple(sorted(people)), frozenset(units), since)


def relaw(
    ledger: Ledger,
    pack: Pack,
    scope: Scope,
    until: int,
    progress: Callable[[float], None] = lambda _: None,
    reopen: Callable[[], Opened] | None = None,
    processes: int = 1,
    together: int = TOGETHER,
    alone_below: int = ALONE_BELOW,
) -> Relawed:
    """What the entries up to a position would have been told, had the pack always stood in the
    place of the published one of its code. `progress` is told how many persons are done.

    `together` persons are decided on one reading. With `reopen` (each process opens the ledger so)
    and no fewer persons than `alone_below`, several processes share the work; the answer is the
    same.
    """
    judge = _Judge(ledger, pack, scope, until)
    found = [judge.nameless()]
    parts = [scope.people[n : n + together] for n in range(0, len(scope.people), together)]
    done = 0
    if reopen is None or processes == 1 or len(scope.people) < alone_below:
        for people in parts:
            found.append(judge.of(people))
            progress(done := done + len(people))
        return _sum(found)
    context = get_context("spawn")
    begin = (reopen, pack.text, scope, until)
    with ProcessPoolExecutor(processes, context, _begin, begin) as pool:
        try:
            for future in as_completed([pool.submit(_of, people) for people in parts]):
                part, size = future.result()
                found.append(part)
                progress(done := done + size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _sum(found)


_begun: list[Any] = []
"""In a process of its own: the opened ledger, which must live on, and the judge over it."""


def _begin(reopen: Callable[[], Opened], text: str, scope: Scope, until: int) -> None:
    opened = reopen()
    _begun[:] = [opened, _Judge(opened.ledger, Pack.parse(text), scope, until)]


def _of(people: tuple[str, ...]) -> tuple[Relawed, int]:
    judge: _Judge = _begun[1]
    return judge.of(people), len(people)


class _Judge:
    """Decides acts again under the published law and under the same with another pack."""

    def __init__(self, ledger: Ledger, pack: Pack, scope: Scope, until: int) -> None:
        self._ledger = ledger
        self._pack = pack
        self._scope = scope
        self._people = set(scope.people)
        self._until = until
        self._published = Published(ledger, until)
        self._was = Law([], [])
        self._would = self._was.with_pack(pack)

    def of(self, people: Sequence[str]) -> Relawed:
        """Of the acts whose first person in the scope is one of these."""
        tags, mine = [f"person:{person}" for person in people], set(people)
        about = list(self._entries([DCBQueryItem(tags=[tag]) for tag in tags]))
        acts = [e for e in about if self._first_person(e) in mine and self._concerned(e)]
        return self._judged(acts, tags, about)

    def nameless(self) -> Relawed:
        """Of the acts that name no person."""
        types = [
            name
            for name, cls in REGISTRY.items()
            if cls is not FactAnnulled
            and not any(
                k == "person" and cls.model_fields[f].is_required() for f, k in cls.subjects
            )
        ]
        entries = self._entries([DCBQueryItem(types=types)])
        acts = (e for e in entries if self._in_units(e) and self._concerned(e))
        found = []
        while some := list(islice(acts, TOGETHER)):
            found.append(self._judged(some))
        return _sum(found)

    def _entries(self, items: list[DCBQueryItem]) -> Iterator[Entry]:
        query = DCBQuery(items=items)
        return (Entry(*stored) for stored in self._ledger.log.entries(query, until=self._until))

    def _concerned(self, entry: Entry) -> bool:
        """Whether it is late enough and asked the published pack, or none was there to be asked."""
        if entry.effective < self._scope.since:
            return False
        premise = entry.envelope.get("premise")
        if premise is None or entry.cls is FactAnnulled or entry.type in LAW_TYPES:
            return False
        held = self._laws(entry)[0].pack(self._pack.code)
        return held is None or held.digest in premise["law"]

    def _laws(self, entry: Entry) -> tuple[Law, Law]:
        law = self._published.at(entry.position - 1)
        if law is not self._was:
            self._was, self._would = law, law.with_pack(self._pack)
        return self._was, self._would

    def _first_person(self, entry: Entry) -> str | None:
        named = (tag[7:] for tag in entry.tags if tag.startswith("person:"))
        return next((person for person in named if person in self._people), None)

    def _in_units(self, entry: Entry) -> bool:
        if any(tag.startswith("person:") for tag in entry.tags):
            return False
        units = self._scope.units
        return units is None or any(
            tag.startswith("unit:") and tag[5:] in units for tag in entry.tags
        )

    def _judged(
        self, entries: Sequence[Entry], whole: Sequence[str] = (), about: Sequence[Entry] = ()
    ) -> Relawed:
        decided = 0
        undecidable: list[int] = []
        changes: list[Change] = []
        for again in decided_again(self._ledger, entries, whole, about):
            if again.erased:
                undecidable.append(again.entry.position)
                continue
            decided += 1
            changes += self._differences(again)
        return Relawed(decided, tuple(undecidable), tuple(changes))

    def _differences(self, again: Again) -> Iterator[Change]:
        """Decided as attested, so that a first refusal hides nothing behind it."""
        entry = again.entry
        was, would = (
            {(f.rule, _outcome(entry, f), f.field): f for f in again.under(law, "attested")}
            for law in self._laws(entry)
        )
        for one, other, arises in ((was, would, False), (would, was, True)):
            by_rule = {key[:2]: one[key] for key in one.keys() - other.keys()}
            for (rule, outcome), finding in by_rule.items():
                act = Act(
                    entry.position, entry.type, entry.effective, _about(entry), finding.zh,
                    finding.en,
                )  # fmt: skip
                yield Change(rule, finding.article, outcome, arises, [act])


def _outcome(entry: Entry, finding: Finding) -> Outcome:
    blocks = finding.strength == "block" and finding.status == "in-force"
    return "refused" if blocks and entry.mood == "ordered" else "found"


def _about(entry: Entry) -> str | None:
    """The person an act is about: the first that it names."""
    for name, kind in entry.cls.subjects:
        if kind == "person" and (value := entry.fields.get(name)):
            return str(value) if isinstance(value, str) else str(value[0])
    return None


def _sum(parts: Sequence[Relawed]) -> Relawed:
    """One change a rule, article, outcome and direction."""
    found: defaultdict[tuple[str, str, Outcome, bool], list[Act]] = defaultdict(list)
    for part in parts:
        for change in part.changes:
            found[change[:4]] += change.acts
    return Relawed(
        sum(part.decided for part in parts),
        tuple(sorted(position for part in parts for position in part.undecidable)),
        tuple(Change(*key, sorted(found[key])) for key in sorted(found)),
    )
