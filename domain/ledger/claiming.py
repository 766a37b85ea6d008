"""Values that one subject alone may hold: what an act takes and frees of them.

Owns which keyed lookups an act changes. Invariant: after an entry a subject holds the blind of what
its record states of a unique value, and of what is destroyed or stated no more it holds none.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.acts.privacy import PrivateDataDestroyed
from domain.events import REGISTRY, Event, Facet
from domain.ledger.log import Claim
from domain.ledger.vault import Erased, Restricted, Vault
from domain.record import Record
from domain.refusals import DataRestricted


class Unique(NamedTuple):
    """A field whose value one subject alone may hold; `facets` are those that have it."""

    field: str
    kind: str
    subject: str
    facets: Sequence[Facet]


def unique_values(event: Event, *, corrects: bool) -> Iterator[Unique]:
    """Those that an act has; of a correction also those it may take away."""
    cls = type(event)
    for name, mark in cls.private.items():
        if mark.unique is None or (not corrects and getattr(event, name) is None):
            continue
        facets = [w.facet for w in cls.writes if name in w.value]
        yield Unique(name, mark.unique, getattr(event, mark.of), facets)


def claims_of(
    vault: Vault, event: Event, record: Record, *, corrects: bool
) -> dict[tuple[str, str], Claim]:
    """What the subjects of an act hold of its unique values, now that it is in the record; by kind
    and subject.

    Each id of one person may hold a value of its own; one that several state, one id holds. Raises
    DataRestricted where the value cannot be told.
    """
    claims = {}
    if isinstance(event, PrivateDataDestroyed):
        for kind, cls in _kinds():
            if cls in event.classes:
                for alias in record.forest.family(event.person):
                    claims[kind, alias] = Claim(kind, alias, None)
    for unique in unique_values(event, corrects=corrects):
        held: set[bytes | None] = set()
        for alias in record.forest.family(unique.subject):
            blind = _stated(vault, unique, alias, record)
            claims[unique.kind, alias] = Claim(unique.kind, alias, None if blind in held else blind)
            held.add(blind)
    return claims


def _kinds() -> set[tuple[str, str]]:
    """(kind, class) of the values that only one subject may hold."""
    marks = (mark for cls in REGISTRY.values() for mark in cls.private.values())
    return {(mark.unique, mark.cls) for mark in marks if mark.unique is not None}


def _stated(vault: Vault, unique: Unique, person: str, record: Record) -> bytes | None:
    facts = [f for facet in unique.facets for f in record.stated(facet, person)]
    standing = [f for f in facts if f.value and unique.field in f.value]
    if not standing:
        return None
    newest = max(standing, key=lambda fact: fact.place)
    try:
        value = vault.open(unique.field, newest.value[unique.field])
    except Erased:
        return None
    except Restricted as restricted:
        raise DataRestricted(field=unique.field) from restricted
    return vault.blind(unique.kind, str(value))
