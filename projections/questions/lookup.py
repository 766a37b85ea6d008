"""Who is meant: persons by auxiliary number, ID number or name.

Owns the search. Invariant: an ID number is sought by its keyed lookup and a name by opening the
names of the day; neither is stored, logged or repeated.
"""

from collections.abc import Sequence
from typing import Any

from domain.acts.people import NAME, NUMBER, NUMBER_HOLDER, UNIT
from domain.bitemporal import AsOf
from domain.ledger import Ledger
from domain.ledger.sealed import sealed_owners
from projections.records import Records


def by_number(records: Records, number: str, as_of: AsOf) -> list[str]:
    """Who has ever held an auxiliary number, as known at the position."""
    holders = records.versions(NUMBER_HOLDER, f"number:{number}")
    return sorted({f.value["person"] for f in holders if f.known(as_of.recorded)})


def by_id_number(ledger: Ledger, id_number: str) -> list[str]:
    """Who holds an ID number now, under the id kept: the keyed lookup has no past."""
    blind = ledger.vault.blind("id-number", id_number.strip().upper())
    forest = ledger.forest(ledger.log.head())
    return sorted(forest.kept(p) for p in ledger.log.claimed("id-number", [blind]).values())


def by_name(ledger: Ledger, records: Records, name: str, as_of: AsOf) -> list[str]:
    """Whose whole name this was as of the pair."""
    sealed = {
        fact.subject.partition(":")[2]: {"name": fact.value.get("name")}
        for fact in records.everyone([NAME], as_of)
        if fact.value is not None
    }
    ledger.hold(sealed_owners(list(sealed.values())))
    names = ledger.vault.reveal(sealed)
    return sorted(person for person, told in names.items() if told["name"] == name.strip())


def cards(records: Records, people: Sequence[str], as_of: AsOf) -> list[dict[str, Any]]:
    """A few things on each person, enough to tell them apart; names still sealed."""
    found: dict[str, dict[str, Any]] = {
        person: {"person": person, "name": None, "number": None, "unit": None} for person in people
    }
    subjects = [f"person:{person}" for person in people]
    for fact in records.at([NAME, NUMBER, UNIT], subjects, as_of):
        if fact.value is not None:
            card = found[fact.subject.partition(":")[2]]
            card.update((name, value) for name, value in fact.value.items() if name in card)
    return list(found.values())
