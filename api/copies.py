"""Copies that leave the ledger: whom an archive and a bundle of evidence hold.

Owns how such a copy is put on record. Invariant: whoever's entries go out is named in its row, or
found by putting the question again; so nobody's record is copied without a trace.
"""

from collections.abc import Sequence

from api.asking import asks
from api.settings import Bureau
from api.times import NOW, When, as_of
from domain.events import CASE, cases_of
from domain.ledger import Ledger
from domain.record import FOLD


@asks()
def archive(bureau: Bureau, *, keys: bool, when: When = NOW) -> None:  # noqa: ARG001 - kept in the row
    """A dump of everything, with or without the wrapped keys. Raises ReadNotRecorded."""
    point = bureau.ledger.moment(when.recorded)
    stated = {
        "effective": when.effective or bureau.ledger.today(), "recorded": point.position,
        "recorded_at": point.recorded_at, "fold": FOLD,
    }  # fmt: skip
    bureau.read(stated, _everybody(bureau.ledger, point.position), ())


@asks()
def evidence(
    bureau: Bureau,
    persons: Sequence[str] = (),
    entries: Sequence[int] = (),
    documents: int = 0,  # noqa: ARG001 - with any, it cannot be put again
    all: bool = False,  # noqa: A002 - so it is called on record
    when: When = NOW,
) -> None:
    """A bundle of evidence, put again to learn whom it held."""
    pair, stated = as_of(bureau, when)
    held = in_bundle(bureau.ledger, pair.recorded, persons, entries, everything=all)
    bureau.read(stated, held, ())


def in_bundle(
    ledger: Ledger, recorded: int, persons: Sequence[str], picked: Sequence[int], *,
    everything: bool,
) -> set[str]:  # fmt: skip
    """Whom a bundle up to a position holds: everybody, or those asked for and those whom the
    picked entries are about.
    """
    if everything:
        return {*persons, *_everybody(ledger, recorded)}
    of_entries = (entry for one in picked for entry in ledger.entries(after=one - 1, until=one))
    tags = (tag for entry in of_entries for tag in entry.tags)
    return {*persons, *(tag[7:] for tag in tags if tag.startswith("person:"))}


def cases_in_bundle(
    ledger: Ledger, recorded: int, persons: Sequence[str], picked: Sequence[int], *,
    everything: bool,
) -> set[str]:  # fmt: skip
    """The cases of which such a bundle tells, as far as this ledger shows them."""
    if everything:
        named = ledger.log.tags_from(f"{CASE}:", recorded)
        return set(cases_of(tag for tag in named if not ledger.hides([tag])))
    forest = ledger.forest(recorded)
    about = [f"person:{one}" for person in persons for one in forest.family(person)]
    found = {case for entry in ledger.about(about, recorded) for case in cases_of(entry.tags)}
    of_entries = (entry for one in picked for entry in ledger.entries(after=one - 1, until=one))
    return found | {case for entry in of_entries for case in cases_of(entry.tags)}


def _everybody(ledger: Ledger, recorded: int) -> set[str]:
    return {tag[7:] for tag in ledger.log.tags_from("person:", recorded)}
