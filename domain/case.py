"""What an act is decided on: the record at its day just before it, and the law of that day.

Owns what a chapter asks of the record and the law, and what comes of a rule not met. Invariant:
whatever an act read, strands and days, is noted: its premise is all that it rests on.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple, Self

from domain.bitemporal import FOREVER, OPEN, AsOf, Fact, Place, in_force, on_record, resolve
from domain.chains import Chain
from domain.events import Event, Facet, Mood, Proposal
from domain.law import Breach, Law, Rules
from domain.record import Record, Strand
from domain.refusals import BadInput, LawForbids, RecordForbids, UnknownFact


class Unread(Exception):
    """A decision asked for strands that were not read; the ledger reads them and decides again."""

    def __init__(self, strands: set[Strand]) -> None:
        self.strands = strands
        super().__init__(f"{len(strands)} strands")


class Finding(NamedTuple):
    """A rule not met, with its article; it refused nothing."""

    rule: str
    article: str
    strength: str
    status: str
    zh: str
    en: str
    field: str | None

    @classmethod
    def of(cls, breach: Breach) -> Self:
        rule = breach.rule
        said = (breach.zh, breach.en, breach.field)
        return cls(rule.id, rule.article, rule.strength, rule.status, *said)


class Case:
    """What an act is decided on: the record at its day just before it, and the law of that day.

    Every read is noted: the strands and the span of days become the act's premise. `until` and
    `ended` may be set by the decision and are stored with the act. A correction has its `chain`,
    whose root orders it among the acts of its day and seq; so has an act that is decided `again`.
    Such a one sees nothing of what was entered after it about days after its own: that was itself
    decided on this act, and answers for itself.
    """

    def __init__(
        self, proposal: Proposal, mood: Mood, record: Record, read: set[Strand], law: Law,
        today: date, chain: Chain | None = None, *, again: bool = False,
    ) -> None:  # fmt: skip
        self.proposal = proposal
        self.said: Any = proposal.event  # as it was said, before its persons are renamed
        self.effective = proposal.effective
        self.until = proposal.until
        self.seq = proposal.seq or 0
        self._chain = chain
        self._again = again
        root = FOREVER if chain is None else chain.root
        self._place = Place(proposal.effective, self.seq, root)
        self.occurred = proposal.occurred
        self.mood = mood
        self.law = law
        self.today = today
        self.ended: str | None = str(proposal.ends) if proposal.ends else None
        self.findings: list[Finding] = []
        self.reads: set[Strand] = set()
        self.first = self.last = proposal.effective
        self.digests: set[str] = set()
        self._record = record
        self._read = read

    def decide(self, event: Event) -> None:
        """Decide an act, about the persons under the ids that are kept. Raises Refusal, Unread."""
        self.said = event
        event.of_kept(self._record.forest).decide(self)

    def stated(self, facet: Facet, person: str) -> list[Fact]:
        """What stands that was stated of a person under this very id, whichever id is kept."""
        self._versions(facet, person)
        return self._record.stated(facet, person)

    def kept(self, person: str) -> str:
        """The id under which this person's facts are filed."""
        return self._record.forest.kept(person)

    def rules(self, code: str, on: date | None = None) -> Rules:
        """The law of a place (GB/T 2260 code, or "none"), by default on the day of this act."""
        rules = self.law.at(code, on or self.effective)
        self.digests.update(rules.digests)
        return rules

    def _versions(self, facet: Facet, key: str) -> list[Fact]:
        if facet.case_sealed and not type(self.said).case_sealed:
            raise TypeError(f"{type(self.said).__name__} would tell of {facet.name} by its refusal")
        aliases = self._record.forest.family(key) if facet.of == "person" else (key,)
        strands = [Strand(facet.name, f"{facet.of}:{alias}") for alias in aliases]
        read = self._read
        unread = {s for s in strands if s not in read and (None, s.subject) not in read}
        if unread:
            raise Unread(unread)
        self.reads.update(strands)
        facts = self._record.versions(facet, strands[0].subject)
        if not self._again:
            return facts
        return [f for f in facts if f.root < self._place.root or f.place <= self._place]

    def _standing(self, facet: Facet, key: str) -> list[Fact]:
        """The versions, free of what ends them later in this act's day."""
        facts, day = self._versions(facet, key), self.effective
        if not any(f.until == day and f.known_to == FOREVER for f in facts):
            return facts
        return [
            self._record.capped_by(f, self._place)
            if f.until == day and f.known_to == FOREVER
            else f
            for f in facts
        ]

    def _span(self, first: date, last: date) -> None:
        self.first = min(self.first, first)
        self.last = max(self.last, last)

    def _before(self, facet: Facet, key: str, on: date | None) -> tuple[list[Fact], AsOf]:
        if on is None:
            facts = [f for f in self._standing(facet, key) if f.place <= self._place]
        else:
            facts = self._versions(facet, key)
        day = on or self.effective
        self._span(day, day)
        return facts, AsOf(day, FOREVER - 1)

    def at(self, facet: Facet, key: str, on: date | None = None, slot: str = "") -> Fact | None:
        """The fact of `facet` for the subject with id `key`: by default just before this act."""
        if on is None:
            facts, as_of = self._standing(facet, key), AsOf(self.effective, FOREVER - 1)
            return resolve(facts, as_of, slot, self._place)
        self._span(on, on)
        return resolve(self._versions(facet, key), AsOf(on, FOREVER - 1), slot)

    def value(self, facet: Facet, key: str, on: date | None = None, slot: str = "") -> Any:
        """The content of that fact; None where nothing was recorded or none was entered."""
        fact = self.at(facet, key, on, slot)
        return None if fact is None else fact.value

    def every(self, facet: Facet, key: str, on: date | None = None) -> list[Fact]:
        """The facts of a many-valued facet in force."""
        facts, as_of = self._before(facet, key, on)
        return in_force(facts, as_of)

    def past(self, facet: Facet, key: str) -> list[Fact]:
        """All that had taken effect by this act, ended or not, in order of place."""
        facts, as_of = self._before(facet, key, None)
        self.first = min([self.first, *(f.effective for f in facts)])
        return on_record(facts, as_of)

    def ever(self, facet: Facet, key: str) -> list[Fact]:
        """All that stands recorded for any day, the future included, in order of place.

        Only of a facet that is declared so: what changes it on any day has the act decided again.
        """
        if not facet.ever:
            raise TypeError(f"facet {facet.name} is not declared to be asked of any day")
        return self.recorded(facet, key)

    def recorded(self, facet: Facet, key: str) -> list[Fact]:
        """The same of any facet, where what changes later is nothing to the act: it is carried out
        on entering, or only something is found of it.
        """
        facts = [f for f in self._versions(facet, key) if f.known_to == FOREVER]
        self.first = min([self.first, *(f.effective for f in facts)])
        self.last = max([self.last, *(f.effective for f in facts)])
        return sorted(facts, key=lambda f: f.place)

    def stands_over(self, fact: Fact) -> bool:
        """Whether this act prevails over a fact where both hold."""
        return self._place > fact.place

    @property
    def holds_until(self) -> date:
        """The day on which what this act says ends: its last day, or what has ended it since."""
        ends: Iterable[date] = self._record.endings(self._chain.id) if self._chain else ()
        until: date = self.until or OPEN
        return min(until, *ends, OPEN)

    def end(self, facet: Facet, key: str, slot: str = "") -> Fact:
        """The one fact that this act ends: the one it names, or the only one in force that day.

        Raises UnknownFact where there is none, BadInput where several could be meant.
        """
        if facet.many:
            candidates = self.every(facet, key)
        else:
            fact = self.at(facet, key, slot=slot)
            candidates = [] if fact is None or fact.value is None else [fact]
        if self.ended is not None:
            candidates = [f for f in candidates if self._record.chain_at(f.root).id == self.ended]
        if not candidates:
            raise UnknownFact(
                f"no {facet.en} in force on {self.effective} to end",
                zh=f"{self.effective} 没有可终止的{facet.zh}",
                field="ends",
            )
        if len(candidates) > 1:
            raise BadInput(
                f"several {facet.en} are in force; name the one that ends", field="ends",
                zh=f"有多项{facet.zh}有效,须指明终止哪一项",
            )  # fmt: skip
        self.ended = self._record.chain_at(candidates[0].root).id
        return candidates[0]

    def breach(self, breach: Breach | None) -> None:
        """A rule not met: refuses what is ordered where the rule blocks, else becomes a finding."""
        if breach is None:
            return
        rule = breach.rule
        if self.mood == "ordered" and breach.blocks:
            raise LawForbids(
                breach.en, zh=breach.zh, field=breach.field, rule=rule.id, article=rule.article
            )
        self.findings.append(Finding.of(breach))

    def forbid(self, zh: str, en: str, field: str | None = None) -> None:
        """What the record says makes this act impossible, ordered or attested."""
        raise RecordForbids(en, zh=zh, field=field)
