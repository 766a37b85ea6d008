"""What is due: promises with a term, kept, late or still open.

Owns the question over the acts that start and keep promises; where their persons and units stood is
asked of the records. Invariant: a promise is asked for only where the law of the place has its
clock rule on the day the time starts, and its last day is the one the calendars given say.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple, Protocol

from domain.acts.dues import Due, declared
from domain.acts.people import HOST, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import OPEN, AsOf, Fact, Place, on_record, resolve
from domain.chains import standing
from domain.events import REGISTRY, Entry, Facet, FactAnnulled, kept_names, merged_by
from domain.forest import Forest
from domain.law import NOWHERE, Law, Rules
from domain.rules import deadline
from domain.workdays import Deadline, Workdays

_TELLING = 500
_READING = 0.5
"""Of a large bureau's time, what reading the acts takes."""

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


class Strands(Protocol):
    """Where every version of these facets of these subjects is read."""

    def strands(self, facets: Sequence[Facet], subjects: Sequence[str], /) -> list[Fact]: ...


class _Act(NamedTuple):
    """What stands: its type and place, the entry that gives its content and that entry's fields."""

    type: str
    place: Place
    entry: int
    fields: Mapping[str, Any]

    def day(self, field: str | None) -> date:
        """The day in a date field; the effective day where none is named or it is empty."""
        written = self.fields.get(field) if field else None
        return date.fromisoformat(written) if written else self.effective

    @property
    def effective(self) -> date:
        return self.place.effective


def types(law: Law) -> list[str]:
    """The event types whose entries `due` must be given, under this law."""
    found = {name for name, cls in REGISTRY.items() if cls.merges} | {FactAnnulled.__name__}
    for promise, keepers in _promises(law):
        found |= {*promise.after, *keepers}
    return sorted(found)


def _promises(law: Law) -> list[tuple[Due, tuple[str, ...]]]:
    return [each for each in declared().items() if law.names(each[0].rule)]


def due(
    entries: Iterable[Entry],
    law: Law,
    as_of: AsOf,
    records: Strands,
    progress: Callable[[float], None] = lambda _: None,
) -> list[DueItem]:
    """Every promise begun by `as_of.effective`, in order of last day.

    `entries` are those of `types(law)`, in order of position, as far as `as_of.recorded`. `law` is
    what was published by the moment asked about. `progress` is told the share that is done: first
    of the entries, then of the promises they began.
    """
    acts = _acts(_counted(entries, as_of.recorded, lambda read: progress(read * _READING)))
    question = _Question(records, law, as_of)
    started = [
        (promise, _by_subject(promise, promise.after, acts, promise.start), keepers)
        for promise, keepers in _promises(law)
    ]
    items: list[DueItem] = []
    done, of_all = 0, sum(len(starts) for _, starts, _ in started)
    for promise, starts, keepers in started:
        keeps = _by_subject(promise, keepers, acts)
        for of_subject in _items(promise, starts, keeps, question):
            items += of_subject
            done += 1
            if done % _TELLING == 0:
                progress(_READING + (1 - _READING) * done / of_all)
    return sorted(items, key=lambda item: (item.deadline.due, item.subject, item.start_entry))


def _counted(
    entries: Iterable[Entry], until: int, progress: Callable[[float], None]
) -> Iterator[Entry]:
    for n, entry in enumerate(entries):
        if entry.position > until:
            return
        if n % _TELLING == 0:
            progress(entry.position / until)
        yield entry


def _acts(entries: Iterable[Entry]) -> dict[str, list[_Act]]:
    """What stands, by type, about its persons under the ids that are kept."""
    told = standing(entries)
    merges = (content for _, content in told if content.cls.merges)
    forest = Forest(merged_by(entry.cls, entry.fields) for entry in merges)
    acts: dict[str, list[_Act]] = {}
    for root, content in told:
        now = kept_names(root.cls, content.fields, forest)
        fields = {**content.fields, **now} if now else content.fields
        place = Place(content.effective, content.seq, root.position)
        acts.setdefault(root.type, []).append(_Act(root.type, place, content.position, fields))
    return acts


class _Question:
    """What is asked of the records about the acts: read for many at once, before it is asked."""

    def __init__(self, records: Strands, law: Law, as_of: AsOf) -> None:
        self.law = law
        self.as_of = as_of
        self._records = records
        self._facts: dict[tuple[str, str], list[Fact]] = {}
        self._read: set[tuple[str, str]] = set()
        self._rules: dict[tuple[str, date], Rules] = {}

    def read(self, facets: Sequence[Facet], subjects: Iterable[str]) -> None:
        named = set(subjects)
        for facet in facets:
            if wanted := sorted(s for s in named if (facet.name, s) not in self._read):
                self._read.update((facet.name, subject) for subject in wanted)
                for fact in self._records.strands([facet], wanted):
                    self._facts.setdefault((fact.facet, fact.subject), []).append(fact)

    def read_places(self, acts: Sequence[_Act]) -> None:
        """Where the persons of these acts stood, and under what law their units did."""
        placeless = [act for act in acts if act.fields.get("unit") is None]
        people = {f"person:{p}" for act in placeless for p in _people(act)}
        self.read((UNIT, HOST), people)
        stood = (f for p in people for facet in (UNIT, HOST) for f in self._of(facet, p))
        units = {str(act.fields["unit"]) for act in acts if act.fields.get("unit") is not None}
        units |= {str(unit) for act in placeless for unit in act.fields.get("units") or ()}
        units |= {str(fact.value["unit"]) for fact in stood if fact.value}
        above: set[str] = set()
        while units - above:
            above |= units
            self.read((UNIT_PLACE, UNIT_PARENT), {f"unit:{unit}" for unit in units})
            parents = (f for unit in units for f in self._of(UNIT_PARENT, f"unit:{unit}"))
            units = {str(fact.value["parent"]) for fact in parents if fact.value} - above

    def _of(self, facet: Facet, subject: str) -> list[Fact]:
        return self._facts.get((facet.name, subject), [])

    def unit_of(self, act: _Act) -> str | None:
        """The act's own unit, or the using unit of its person on its day."""
        if (unit := act.fields.get("unit")) is not None:
            return str(unit)
        at = AsOf(act.effective, self.as_of.recorded)
        for facet in (HOST, UNIT):
            fact = resolve(self._of(facet, f"person:{act.fields.get('person')}"), at)
            if fact is not None and fact.value is not None:
                return str(fact.value["unit"])
        for person in act.fields.get("persons") or ():  # under review, perhaps gone: the last unit
            past = on_record(self._of(UNIT, f"person:{person}"), at)
            if held := [fact for fact in past if fact.value is not None]:
                return str(held[-1].value["unit"])
        return next(iter(act.fields.get("units") or ()), None)

    def rules(self, unit: str | None, on: date) -> Rules:
        place = self._place(unit, on)
        if (place, on) not in self._rules:
            self._rules[place, on] = self.law.at(place, on)
        return self._rules[place, on]

    def _place(self, unit: str | None, on: date) -> str:
        at = AsOf(on, self.as_of.recorded)
        seen: set[str] = set()
        while unit is not None and unit not in seen:
            seen.add(unit)
            place = resolve(self._of(UNIT_PLACE, f"unit:{unit}"), at)
            if place is not None and place.value is not None:
                return str(place.value["division"])
            parent = resolve(self._of(UNIT_PARENT, f"unit:{unit}"), at)
            unit = parent.value["parent"] if parent is not None and parent.value else None
        return NOWHERE

    def ended(self, act: _Act, subject: str) -> date:
        """The day on which what a starting act said of its subject ended."""
        ends = (
            fact.until
            for facet in _lasting(act.type)
            for fact in self._of(facet, subject)
            if fact.root == act.place.root and fact.known(self.as_of.recorded)
        )
        return max(ends, default=OPEN)


def _people(act: _Act) -> list[str]:
    person = act.fields.get("person")
    return [person] if person is not None else list(act.fields.get("persons") or ())


def _lasting(type_: str) -> list[Facet]:
    """The facets of which an act of a type says what can end."""
    return [w.facet for w in REGISTRY[type_].writes if not w.facet.stays]


def _items(
    promise: Due,
    starts: Mapping[str, list[_Act]],
    keeps: Mapping[str, list[_Act]],
    question: _Question,
) -> Iterator[list[DueItem]]:
    """The promises of each subject in turn."""
    today = question.as_of.effective
    question.read_places([act for begun in starts.values() for act in begun])
    uncertain = [
        subject
        for subject, begun in starts.items()
        if len(begun) > 1 or all(k.day(promise.met) > today for k in keeps.get(subject, ()))
    ]
    lasting = {f.name: f for name in promise.after for f in _lasting(name) if f.of == promise.on}
    question.read(list(lasting.values()), uncertain)
    for subject, begun in starts.items():
        kept: defaultdict[int, list[tuple[date, int]]] = defaultdict(list)
        for keep in keeps.get(subject, []):
            owner = _owner(begun, subject, keep.effective, question)
            kept[owner].append((keep.day(promise.met), keep.entry))
        yield [
            item
            for n, act in enumerate(begun)
            if act.effective <= today
            for item in _item(promise, subject, act, kept[n], question)
        ]


def _owner(begun: list[_Act], subject: str, day: date, question: _Question) -> int:
    """Which start an act of that day keeps: the latest by then (or the first of all), but the next
    one where what the latest started had ended: a contract signed ahead of a rehire.
    """
    latest = max((n for n, act in enumerate(begun) if act.effective <= day), default=0)
    ended = latest + 1 < len(begun) and question.ended(begun[latest], subject) <= day
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
        several.sort(key=lambda act: act.place)
    return found


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
    elif question.ended(act, subject) <= min(end.due, today):
        state = "lapsed"
    else:
        state = "open" if today <= end.due else "overdue"
    in_workdays = rule.values["unit"] == "workdays"
    late = 0
    if state in ("late", "overdue"):
        late = _days(end.due, met_on or today, rules.workdays if in_workdays else None)
    yield DueItem(
        rule.id, rule.article, rule.zh, rule.en, subject, unit, started, act.entry, end,
        state, met_on, met_entry, late, in_workdays,
    )  # fmt: skip


def _days(after: date, until: date, workdays: Workdays | None) -> int:
    return (until - after).days if workdays is None else workdays.count(after, until).days
