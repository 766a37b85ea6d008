"""What is due: promises with a term, kept, late or still open.

Owns the question over entries. Invariant: a promise is asked for only where the law of the place
has its clock rule on the day the time starts, and its last day is the one the calendars given say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from domain.acts.dues import Due, declared
from domain.acts.people import HOST, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import OPEN, AsOf, on_record
from domain.chains import Chain, Content
from domain.events import FACETS, REGISTRY, Entry
from domain.law import NOWHERE, Law, Rules
from domain.record import Record, types_touching
from domain.rules import deadline
from domain.workdays import Deadline, Workdays

State = Literal["open", "overdue", "kept", "late", "lapsed"]
"""`lapsed`: the person left before the last day, so nothing more is due."""


class DueItem(NamedTuple):
    """One promise as of a pair.

    `late` is how many days past the last day it was kept or (while open) today is: working days
    where `workdays`, else calendar days. `start_entry`, `met_entry` are positions.
    """

    rule: str
    article: str
    zh: str
    en: str
    subject: str
    unit: str | None
    started_on: date
    start_entry: int
    deadline: Deadline
    state: State
    met_on: date | None
    met_entry: int | None
    late: int
    workdays: bool


class _Act(NamedTuple):
    """The newest content of a chain that stands, with its entry's fields."""

    chain: Chain
    content: Content
    fields: Mapping[str, Any]

    def day(self, field: str | None) -> date:
        """The day in a date field; the effective day where none is named or it is empty."""
        written = self.fields.get(field) if field else None
        return date.fromisoformat(written) if written else self.content.effective


def types() -> list[str]:
    """The event types whose entries `due` must be given."""
    found = {name for name, cls in REGISTRY.items() if cls.merges}
    found |= {name for facet in (UNIT, HOST, UNIT_PLACE, UNIT_PARENT) for name in
             types_touching(facet)}  # fmt: skip
    for promise, keepers in declared().items():
        found |= {*promise.after, *keepers}
    return sorted(found)


def due(entries: Iterable[Entry], law: Law, as_of: AsOf) -> list[DueItem]:
    """Every promise begun by `as_of.effective`, in order of last day.

    `entries` are those of `types()` in order of position; later ones than `as_of.recorded` are
    passed over. `law` is what was published by the moment asked about.
    """
    known = {e.position: e for e in entries if e.position <= as_of.recorded}
    record = Record.fold(known[position] for position in sorted(known))
    acts: dict[str, list[_Act]] = {}
    for chain in record.chains.values():
        if (content := chain.content) is not None:
            act = _Act(chain, content, record.fields_of(chain, content))
            acts.setdefault(chain.type, []).append(act)
    items = [
        item
        for promise, keepers in declared().items()
        for item in _items(promise, keepers, acts, _Question(record, law, as_of))
    ]
    return sorted(items, key=lambda item: (item.deadline.due, item.subject, item.start_entry))


class _Question(NamedTuple):
    record: Record
    law: Law
    as_of: AsOf

    def unit_of(self, act: _Act) -> str | None:
        """The act's own unit, or the using unit of its person on its day."""
        if (unit := act.fields.get("unit")) is not None:
            return str(unit)
        at = AsOf(act.content.effective, self.as_of.recorded)
        for facet in (HOST, UNIT):
            fact = self.record.at(facet, f"person:{act.fields.get('person')}", at)
            if fact is not None and fact.value is not None:
                return str(fact.value["unit"])
        for person in act.fields.get("persons") or ():  # under review, perhaps gone: the last unit
            past = on_record(self.record.versions(UNIT, f"person:{person}"), at)
            if held := [fact for fact in past if fact.value is not None]:
                return str(held[-1].value["unit"])
        return next(iter(act.fields.get("units") or ()), None)

    def rules(self, unit: str | None, on: date) -> Rules:
        at = AsOf(on, self.as_of.recorded)
        seen: set[str] = set()
        while unit is not None and unit not in seen:
            seen.add(unit)
            place = self.record.at(UNIT_PLACE, f"unit:{unit}", at)
            if place is not None and place.value is not None:
                return self.law.at(place.value["division"], on)
            parent = self.record.at(UNIT_PARENT, f"unit:{unit}", at)
            unit = parent.value["parent"] if parent is not None and parent.value else None
        return self.law.at(NOWHERE, on)


def _items(
    promise: Due, keepers: tuple[str, ...], acts: dict[str, list[_Act]], question: _Question
) -> Iterator[DueItem]:
    starts = _by_subject(promise, promise.after, acts, promise.start)
    keeps = _by_subject(promise, keepers, acts)
    for subject, begun in starts.items():
        kept: defaultdict[int, list[tuple[date, int]]] = defaultdict(list)
        for keep in keeps.get(subject, []):
            owner = _owner(begun, subject, keep.content.effective)
            kept[owner].append((keep.day(promise.met), keep.content.entry))
        for n, act in enumerate(begun):
            if act.content.effective <= question.as_of.effective:
                yield from _item(promise, subject, act, kept[n], question)


def _owner(begun: list[_Act], subject: str, day: date) -> int:
    """Which start an act of that day keeps: the latest by then (or the first of all), but the next
    one where what the latest started had ended: a contract signed ahead of a rehire.
    """
    latest = max((n for n, act in enumerate(begun) if act.content.effective <= day), default=0)
    ended = latest + 1 < len(begun) and _ended(begun[latest], subject) <= day
    return latest + ended


def _by_subject(
    promise: Due, names: tuple[str, ...], acts: dict[str, list[_Act]], having: str | None = None
) -> dict[str, list[_Act]]:
    found: dict[str, list[_Act]] = {}
    for name in names:
        for act in acts.get(name, []):
            if having is not None and act.fields.get(having) is None:
                continue
            found.setdefault(f"{promise.on}:{act.fields[promise.on]}", []).append(act)
    for several in found.values():
        several.sort(key=lambda act: act.chain.place)
    return found


def _ended(act: _Act, subject: str) -> date:
    """The day on which what a starting act said of its subject ended."""
    ends = (f.until for f in act.chain.facts if f.subject == subject and not FACETS[f.facet].stays)
    return max(ends, default=OPEN)


def _item(
    promise: Due, subject: str, act: _Act, kept: list[tuple[date, int]], question: _Question
) -> Iterator[DueItem]:
    started = act.day(promise.start)
    unit = question.unit_of(act)
    rules = question.rules(unit, started)
    rule = rules.find(promise.rule)
    if rule is None:
        return
    today = question.as_of.effective
    end = deadline(rule, started, rules.workdays)
    met_on, met_entry = min((k for k in kept if k[0] <= today), default=(None, None))
    if met_on is not None:
        state: State = "kept" if met_on <= end.due else "late"
    elif _ended(act, subject) <= min(end.due, today):
        state = "lapsed"
    else:
        state = "open" if today <= end.due else "overdue"
    in_workdays = rule.values["unit"] == "workdays"
    late = 0
    if state in ("late", "overdue"):
        late = _days(end.due, met_on or today, rules.workdays if in_workdays else None)
    yield DueItem(
        rule.id, rule.article, rule.zh, rule.en, subject, unit, started, act.content.entry, end,
        state, met_on, met_entry, late, in_workdays,
    )  # fmt: skip


def _days(after: date, until: date, workdays: Workdays | None) -> int:
    return (until - after).days if workdays is None else workdays.count(after, until).days
