"""Which reports of a ledger can be compared with the entries of a bundle.

Owns of what each says it is, and by which columns a row is found; it travels inside the checker of
an evidence bundle and needs Python alone. Invariant: no report is here that runs law.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from replay.axes import beliefs, differences, rectangles
from replay.facets import record, unit
from replay.lines import AskedOf, Basis, Line
from replay.months import series


class Report(NamedTuple):
    """A report that can be compared. `keys`: the columns by which a row is found, or others for
    them; `of`: what it must say it is of, `maybe`: what it can say besides (where there is no more,
    some of that); `alone`: the entries about the person that it is of are enough for it.
    """

    lines: Callable[[Basis, AskedOf], Iterable[Line]]
    keys: Sequence[Sequence[str]]
    of: Sequence[str] = ()
    maybe: Sequence[str] = ()
    alone: bool = False


_UNIT = ("unit", "below")
_FILTERS = (*_UNIT, "grade", "post", "category")
_IN_SEAT = ("capacity", "unit", "seat")
_KNOWN = ("facet", "slot", "known_from", "since")
_PERIOD = ("first_day", "last_day")
COMPARED: Mapping[str, Report] = {
    "roster": Report(Basis.roster, (("person",), ("number",)), (), _FILTERS),
    "headcount": Report(Basis.headcount, (("key",),), ("by",), _UNIT),
    "units": Report(Basis.units, (("unit",),)),
    "history": Report(Basis.history, (("position",), ("event_id",)), ("person",), alone=True),
    "journal": Report(
        Basis.journal, (("position",), ("event_id",)), (),
        ("types", "tags", "after", "until", "late", "corrections"),
    ),
    "record": Report(record, (("facet", "slot", "since"),), ("person",)),
    "unit": Report(unit, (("facet", "slot", "since"),), ("unit",)),
    "series": Report(
        series, (("month", "key", "grade"),), ("of", "first_month", "last_month"), ("unit",)
    ),
    "timeline": Report(Basis.timeline, (("facet", "slot", "since"),), ("subject",), ("facet",)),
    "beliefs": Report(beliefs, (_KNOWN,), ("subject",), ("facet",)),
    "compare": Report(
        differences, (("how", "facet", "slot", "person"),),
        ("subject", "before", "before_recorded"),
    ),
    "rectangles": Report(rectangles, (_KNOWN,), ("subject",), ("facet",)),
    "chain": Report(Basis.chain, (("known", *_IN_SEAT),), ("person", "then")),
    "chain-unit": Report(Basis.chain_unit, (("person", *_IN_SEAT),), (), _UNIT),
    "chain-over": Report(Basis.chain_over, (("start", *_IN_SEAT),), ("person", *_PERIOD)),
    "chain-officer": Report(
        Basis.chain_officer, (("person", "start", *_IN_SEAT),), ("officer", *_PERIOD)
    ),
}  # fmt: skip
