"""Cases 案件: which of them whoever asks may see, and how each stands.

Owns no table. Invariant: a case is seen when its facts are, by the one rule of the records; of what
is not seen nothing is told but that an entry is there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from domain.acts.complaints import COMPLAINTS, DISCLOSURE, HANDLING, INVESTIGATION, PARTY
from domain.bitemporal import AsOf, Fact, on_record, resolve
from domain.case import Case
from domain.events import CASE, FACETS, REGISTRY, Entry, FactAnnulled, cases_of
from domain.ledger import Hides, Ledger
from domain.ledger.impact import opened, premise_of, proposal_of
from domain.ledger.reading import Reading, having_read
from domain.record import Strand
from domain.refusals import Refusal
from domain.workdays import SHANGHAI
from projections.journal import STANDS, standings
from projections.records import Records

_SEALED = frozenset(facet.name for facet in FACETS.values() if facet.case_sealed)


def sealed_cases(records: Records, cases: Iterable[str]) -> set[str]:
    """Of these cases the ones that are sealed to whom these records are shown to: neither
    disclosed nor closed, and not theirs to see. A case of which nothing is known yet is sealed.
    """
    wanted = set(cases)
    facts = records.strands([PARTY], [f"{CASE}:{case}" for case in sorted(wanted)])
    return wanted - {fact.slot for fact in facts}


def cases_in(value: Any, facet: str | None = None) -> Iterator[str]:
    """The cases that plain objects name: by a tag or a subject, by a field, by a fact's slot."""
    if isinstance(value, str):
        if value.startswith(f"{CASE}:"):
            yield value[len(CASE) + 1 :]
    elif isinstance(value, dict):
        facet = value.get("facet", facet)
        for name, inner in value.items():
            if isinstance(inner, str) and (name == CASE or (name == "slot" and facet in _SEALED)):
                yield inner
            else:
                yield from cases_in(inner, facet)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from cases_in(inner, facet)


def hiding(records: Records) -> Hides:
    """Which entries are kept from whom these records are shown to: those of sealed cases."""
    known: dict[str, bool] = {}

    def hides(tags: Sequence[str]) -> bool:
        cases = cases_of(tags)
        for case in cases:
            if case not in known:
                known[case] = bool(sealed_cases(records, [case]))
        return any(known[case] for case in cases)

    return hides


class Matter(NamedTuple):
    """One person in a case. `complaints` are the days on which they came in, `handling` is the last
    word to the complainant, `outcome` the conclusion; the days are those of the facts.
    """

    case: str
    person: str
    state: str
    since: date
    complaints: tuple[date, ...]
    investigated: date | None
    concluded: date | None
    outcome: str | None
    handling: str | None
    handled: date | None


def register(records: Records, as_of: AsOf) -> list[Matter]:
    """Every person of every case that began by the day, in order of case and person.

    `state` of the case: sealed, disclosed or closed.
    """
    parties = records.in_force(PARTY, as_of)
    people = sorted({str(fact.ref) for fact in parties})
    strands: defaultdict[tuple[str, str, str], list[Fact]] = defaultdict(list)
    facets = (COMPLAINTS, HANDLING, INVESTIGATION)
    for fact in records.strands(facets, [f"person:{person}" for person in people]):
        strands[fact.facet, fact.subject, fact.slot].append(fact)
    cases = sorted({fact.subject for fact in parties})
    states = {f.slot: f.value["state"] for f in records.at([DISCLOSURE], cases, as_of)}
    found: dict[tuple[str, str], Matter] = {}
    for party in parties:  # in order of day: the first that names the person
        case, person = party.slot, str(party.ref)
        if (case, person) in found:
            continue
        complaints, handling, investigation = (
            strands[facet.name, f"person:{person}", case] for facet in facets
        )
        held, word = resolve(investigation, as_of), resolve(handling, as_of)
        over = held if held is not None and held.value["state"] == "concluded" else None
        begun = [f for f in on_record(investigation, as_of) if f.value["state"] == "open"]
        found[case, person] = Matter(
            case, person, states.get(case, "sealed"), party.effective,
            tuple(fact.effective for fact in on_record(complaints, as_of)),
            begun[0].effective if begun else None,
            over.effective if over else None, over.value["outcome"] if over else None,
            word.value["state"] if word else None, word.effective if word else None,
        )  # fmt: skip
    return [found[key] for key in sorted(found)]


def undermined(ledger: Ledger, recorded: int) -> Iterator[tuple[Entry, Refusal]]:
    """The acts of cases that stand and would be refused on the record as known at a position.

    Nobody is refused anything on account of a sealed act, so this is where it shows.
    """
    types = [name for name, cls in REGISTRY.items() if cls.case_sealed]
    acts = ledger.entries(types=types, until=recorded)
    for case in sorted({case for entry in acts for case in cases_of(entry.tags)}):
        entries = list(ledger.entries([f"{CASE}:{case}"], until=recorded))
        became = standings(entries)
        for entry in entries:
            if became[entry.position] == STANDS and entry.cls is not FactAnnulled:
                refusal = _refused(ledger, entry, case, recorded)
                if refusal is not None:
                    yield entry, refusal


def _refused(ledger: Ledger, entry: Entry, case: str, recorded: int) -> Refusal | None:
    event, _ = opened(ledger.vault, entry)
    if event is None:
        return None
    reading = Reading(ledger.log, recorded)
    reading.extend({Strand(None, f"{CASE}:{case}"), *premise_of(entry)})
    today = entry.recorded_at.astimezone(SHANGHAI).date()
    chain = reading.record.chains[entry.root]
    law = ledger.law()
    proposal = proposal_of(entry, event)

    def refused() -> Refusal | None:
        record = reading.without(entry.root)
        case = Case(proposal, entry.mood, record, reading.read, law, today, chain, again=True)
        try:
            case.decide(event)
        except Refusal as refusal:
            return refusal
        return None

    return having_read(refused, reading.extend)
