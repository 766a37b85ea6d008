"""Who answered for everybody of a unit, or of the bureau, on a day.

Owns no table. Invariant: what is told of a person is what `accountability.answer` says of him; a
person belongs to the unit through which his chain runs, the host during a secondment.
"""

from collections.abc import Callable, Iterator

from domain.acts.people import SERVICE
from domain.bitemporal import AsOf
from projections import accountability
from projections import roster as _roster
from projections.accountability import Answer
from projections.questions.at_hand import AtHand
from projections.records import Records


def everybody(
    hand: AtHand,
    records: Records,
    as_of: AsOf,
    unit: str | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Answer]:
    """The answer for each auxiliary in service of whom the unit, or one below it as the tree stood
    that day, is the using unit; of the bureau without one. In order of id.

    A unit's takes a third of a millisecond a person. Raises UnknownSubject for a unit nothing is
    recorded of on that day.
    """
    units = None if unit is None else _roster.units_below(records, unit, as_of)
    if units is None:
        people = [row[0] for row in records.refs((SERVICE,), as_of) if row[1] == "in"]
    else:
        people = [f"person:{one}" for one in sorted(_roster.members(records, as_of, units))]
    for n, person in enumerate(hand.people(people)):
        found = accountability.answer(hand, person, as_of)
        if units is None or found.unit in units:
            yield found
        progress((n + 1) / len(people))
