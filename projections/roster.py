"""Who serves where: rosters, headcounts and the unit tree, as of any pair.

Owns no table. Invariant: a person is on a unit's roster on a day exactly when the fact that answers
for home unit (or host unit) on that day names it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from domain.acts.grades import GRADE
from domain.acts.people import CATEGORY, HOST, NAME, NUMBER, SERVICE, UNIT
from domain.acts.posts import POST
from domain.acts.units import UNIT_NAME, UNIT_PARENT, UNIT_STATE
from domain.bitemporal import AsOf, Fact
from domain.events import Facet
from domain.refusals import UnknownSubject
from projections.records import Records

SHOWN = (NAME, NUMBER, CATEGORY, GRADE, POST, UNIT, HOST)
Dimension = Literal["unit", "grade", "post", "category"]
DIMENSIONS: dict[Dimension, Facet] = {
    "unit": UNIT, "grade": GRADE, "post": POST, "category": CATEGORY,
}  # fmt: skip


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
        children: dict[str, list[str]] = {}
        for child, parent in self.parents.items():
            children.setdefault(parent, []).append(child)
        found, waiting = [], [unit]
        while waiting:
            one = waiting.pop()
            found.append(one)
            waiting += children.get(one, [])
        return sorted(found)


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
    shown: Sequence[Facet] = SHOWN,
) -> list[Line]:
    """The auxiliaries in service, in order of unit and id; of one unit with or without those below
    it as the tree stood that day (seconded in and out both shown), or of the bureau.

    What is not in `shown` stays empty. Raises UnknownSubject for a unit nothing is recorded of on
    that day.
    """
    if unit is None:
        facts = records.everyone([SERVICE, *shown], as_of)
    else:
        stands = tree(records, as_of)
        if unit not in stands.states:
            raise UnknownSubject(
                f"no unit {unit} on {as_of.effective}",
                zh=f"{as_of.effective} 没有单位 {unit}",
                field="unit",
            )
        units = stands.below(unit) if below else [unit]
        placed = records.holding(UNIT, units, as_of) + records.holding(HOST, units, as_of)
        facts = records.at([SERVICE, *shown], sorted({f.subject for f in placed}), as_of)
    serving = {f.subject for f in facts if f.facet == SERVICE.name and _state(f) == "in"}
    wanted = {"grade": grade, "post": post, "category": category}
    lines = [
        line
        for line in _lines(facts, serving)
        if all(v is None or getattr(line, k) == v for k, v in wanted.items())
    ]
    return sorted(lines, key=lambda line: (line.unit or "", line.person))


def headcount(
    records: Records, as_of: AsOf, by: Dimension, unit: str | None = None, *, below: bool = True
) -> list[tuple[str | None, int]]:
    """Auxiliaries in service by unit, grade, post or category; None counts the not recorded."""
    lines = roster(records, as_of, unit, below=below, shown=[DIMENSIONS[by]])
    counts = Counter(getattr(line, by) for line in lines)
    return sorted(counts.items(), key=lambda pair: (pair[0] is None, pair[0] or ""))


def _lines(facts: Iterable[Fact], serving: set[str]) -> Iterable[Line]:
    values: dict[str, dict[str, Fact]] = {subject: {} for subject in serving}
    for fact in facts:
        if fact.subject in values and fact.value is not None:
            values[fact.subject][fact.facet] = fact
    for subject, held in values.items():
        unit = held.get(UNIT.name)
        yield Line(
            person=_id(subject),
            name=_field(held, NAME.name, "name"),
            number=_field(held, NUMBER.name, "number"),
            category=_field(held, CATEGORY.name, "category"),
            grade=_field(held, GRADE.name, "grade"),
            post=_field(held, POST.name, "post"),
            unit=_field(held, UNIT.name, "unit"),
            host=_field(held, HOST.name, "unit"),
            since=unit.effective.isoformat() if unit else None,
        )


def _field(held: dict[str, Fact], facet: str, name: str) -> Any:
    fact = held.get(facet)
    return fact.value.get(name) if fact else None


def _state(fact: Fact) -> str | None:
    return fact.value["state"] if fact.value else None


def _id(subject: str) -> str:
    return subject.partition(":")[2]


def names_of(records: Records, people: Sequence[str], as_of: AsOf) -> dict[str, Any]:
    """Each person's (sealed) name as of the pair."""
    facts = records.at([NAME], [f"person:{p}" for p in people], as_of)
    return {_id(f.subject): f.value.get("name") for f in facts if f.value}
