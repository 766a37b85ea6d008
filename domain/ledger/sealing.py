"""What an act's private fields ask of the record and the vault.

Owns which keys an act needs. Invariant: nothing is sealed for a person and class whose data the
record says are restricted or destroyed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from domain.acts import privacy
from domain.events import Event
from domain.ledger.reading import Reading
from domain.ledger.sealed import Owner
from domain.ledger.vault import Restricted, Unreadable
from domain.record import Strand
from domain.refusals import DataErased, DataRestricted, Refusal


def private_of(event: Event) -> Iterator[tuple[str, Owner]]:
    """(field, whose key) of each private field that an act has."""
    for name, mark in type(event).private.items():
        if getattr(event, name) is not None:
            yield name, Owner(getattr(event, mark.of), mark.cls)


def require_sealable(event: Event, reading: Reading) -> set[Strand]:
    """The strands that tell so. Raises DataErased, DataRestricted where private data of this act
    may not be entered.
    """
    reads: set[Strand] = set()
    for name, owner in private_of(event):
        strands = privacy.strands(owner.subject)
        reading.extend(strands)
        reads |= strands
        privacy.require_open(reading.record, owner.subject, owner.cls, name)
    return reads


def as_refusal(unreadable: Unreadable, field: str | None = None) -> Refusal:
    cls = DataRestricted if isinstance(unreadable, Restricted) else DataErased
    return cls(field=field)


@contextmanager
def in_words(index: int) -> Iterator[None]:
    """A value that cannot be opened or sealed refuses the act of this index."""
    try:
        yield
    except Unreadable as unreadable:
        refusal = as_refusal(unreadable)
        refusal.index = index
        raise refusal from unreadable
