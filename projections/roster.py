"""Who serves where: rosters, headcounts and the unit tree, as of any pair.

Owns no table. Invariant: a person is on a unit's roster on a day exactly when the fact that answers
for home unit (or host unit) on that day names it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from domain.acts.grades import GRADE
from domain.acts.people import CATEGORY, HOST, NAME, NUMBER, SERVICE, UNIT
from domain.acts.posts import POST
from domain.acts.units import UNIT_NAME, UNIT_PARENT, UNIT_STATE
from domain.bitemporal import AsOf
from domain.events import Facet
from domain.refusals import UnknownSubject
from projections.records import Records, Row

PLACING = (SERVICE, UNIT, HOST)
"""What says on whose roster somebody is."""
_SHOWN = (SERVICE, NUMBER, CATEGORY, GRADE, POST, UNIT, HOST)
Dimension = Literal["unit", "grade", "post", "category"]
DIMENSIONS: dict[Dimension, Facet] = {
    "unit": UNIT, "grade": GRADE, "post": POST, "category": CATEGORY,
}  # fmt: skip


_NAMELESS: dict[str, Any] = {}
_FEW = 1_000
_FEW_UNITS = 30


class Line(NamedTuple):
    """One auxiliary on a roster; `name` is sealed until the caller opens it."""

    person: str
    name: Any
    number: str | None
    category: str | None
    grade: str | None
    post: str | None
    unit: str | None
    host: str | None
    since: str | None


class Tree(NamedTuple):
    """The unit tree as of a pair: names, states and parents by unit id."""

    names: dict[str, str]
    states: dict[str, str]
    parents: dict[str, str]

    def below(self, unit: str) -> list[str]:
        """The unit and everything under it, in order of id."""
        return sorted(below_in(self.parents, unit))


def below_in(parents: Mapping[str, str | None], unit: str) -> set[str]:
    """The unit and everything under it; of two that an attested act left above each other, both."""
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for child, parent in parents.items():
        children[parent].append(child)
    found, waiting = {unit}, [unit]
    while waiting:
        new = [child for child in children[waiting.pop()] if child not in found]
        found.update(new)
        waiting += new
    return found


def tree(records: Records, as_of: AsOf) -> Tree:
    names: dict[str, str] = {}
    states: dict[str, str] = {}
    parents: dict[str, str] = {}
    for fact in records.everyone([UNIT_NAME, UNIT_STATE, UNIT_PARENT], as_of):
        unit = _id(fact.subject)
        if fact.value is None:
            continue
        if fact.facet == UNIT_NAME.name:
            names[unit] = fact.value["name"]
        elif fact.facet == UNIT_STATE.name:
            states[unit] = fact.value["state"]
        else:
            parents[unit] = fact.value["parent"]
    return Tree(names, states, parents)


def roster(
    records: Records,
    as_of: AsOf,
    unit: str | None = None,
    *,
    below: bool = True,
    grade: str | None = None,
    post: str | None = None,
    category: str | None = None,
) -> list[Line]:
    """The auxiliaries in service, in order of unit and id; of one unit with or without those below
    it as the tree stood that day (seconded in and out both shown), or of the bureau.

    Raises UnknownSubject for a unit nothing is recorded of on that day.
    """
    rows = [
        row
        for row in _serving(records, as_of, _SHOWN, unit, below=below)
        if (grade is None or row[4] == grade)
        and (post is None or row[5] == post)
        and (category is None or row[3] == category)
    ]
    return _lines(records, as_of, rows, everyone=unit is None and len(rows) > _FEW)


def members(
    records: Records, as_of: AsOf, units: set[str], among: Sequence[str] | None = None
) -> set[str]:
    """The ids of those on the roster of one of these units: of all, or `among` these subjects."""
    if among is None:
        among = _placed_in(records, as_of, units)
    return {_id(row[0]) for row in _in_units(records, as_of, PLACING, units, among)}


def lines(records: Records, as_of: AsOf, people: Iterable[str]) -> list[Line]:
    """What a roster shows of these persons, in order of unit and id."""
    subjects = [f"person:{person}" for person in people]
    rows = records.refs(_SHOWN, as_of, subjects, dated=UNIT)
    return _lines(records, as_of, rows, everyone=False)


def _lines(records: Records, as_of: AsOf, rows: list[Row], *, everyone: bool) -> list[Line]:
    rows.sort(key=lambda row: row[6] or "")
    names = records.values(NAME, as_of, None if everyone else [row[0] for row in rows])
    return [
        Line(
            _id(subject), (names.get(subject) or _NAMELESS).get("name"), number, kind, rated,
            assigned, home, host, since.isoformat() if home else None,
        )
        for subject, _, number, kind, rated, assigned, home, host, since in rows
    ]  # fmt: skip


def headcount(
    records: Records, as_of: AsOf, by: Dimension, unit: str | None = None, *, below: bool = True
) -> list[tuple[str | None, int]]:
    """Auxiliaries in service by unit, grade, post or category; None counts the not recorded."""
    facet = DIMENSIONS[by]
    facets = (SERVICE, facet) if unit is None else (SERVICE, *{facet: None, UNIT: None, HOST: None})
    counts = Counter(row[2] for row in _serving(records, as_of, facets, unit, below=below))
    return sorted(counts.items(), key=lambda pair: (pair[0] is None, pair[0] or ""))


def _serving(
    records: Records, as_of: AsOf, facets: Sequence[Facet], unit: str | None, *, below: bool
) -> list[Row]:
    """To what these facets, the first of them SERVICE, refer for everybody in service, of a unit
    or of the bureau; after them since when the home unit is what it is.
    """
    dated = UNIT if UNIT in facets else None
    if unit is None:
        return [row for row in records.refs(facets, as_of, dated=dated) if row[1] == "in"]
    units = units_below(records, unit, as_of, below=below)
    return _in_units(records, as_of, facets, units, _placed_in(records, as_of, units), dated)


def _placed_in(records: Records, as_of: AsOf, units: set[str]) -> list[str] | None:
    """Those of whom one of these units is said; None for everybody, among whom the greater part of
    a bureau is found sooner.
    """
    if len(units) <= _FEW_UNITS or len(units) * 2 < len(tree(records, as_of).states):
        return records.subjects_referring((UNIT, HOST), sorted(units), as_of)
    return None


def _in_units(
    records: Records, as_of: AsOf, facets: Sequence[Facet], units: set[str],
    among: Sequence[str] | None, dated: Facet | None = None,
) -> list[Row]:  # fmt: skip
    home, host = facets.index(UNIT) + 1, facets.index(HOST) + 1
    return [
        row
        for row in records.refs(facets, as_of, among, dated=dated)
        if row[1] == "in" and (row[home] in units or row[host] in units)
    ]


def units_below(records: Records, unit: str, as_of: AsOf, *, below: bool = True) -> set[str]:
    """The unit and, unless not asked for, everything under it, read level by level: no unit beside
    it is. Raises UnknownSubject for a unit nothing is recorded of on that day.
    """
    if not any(fact.value for fact in records.at([UNIT_STATE], [f"unit:{unit}"], as_of)):
        raise UnknownSubject(
            f"no unit {unit} on {as_of.effective}",
            zh=f"{as_of.effective} 没有单位 {unit}",
            field="unit",
        )
    found, level = {unit}, [unit] if below else []
    while level:
        children = {_id(f.subject) for f in records.holding(UNIT_PARENT, level, as_of)}
        level = sorted(children - found)
        found.update(level)
    return found


def _id(subject: str) -> str:
    return subject.partition(":")[2]


def names_of(records: Records, people: Sequence[str], as_of: AsOf) -> dict[str, Any]:
    """Each person's (sealed) name as of the pair."""
    facts = records.at([NAME], [f"person:{p}" for p in people], as_of)
    return {_id(f.subject): f.value.get("name") for f in facts if f.value}
