"""What the reports of a ledger give, made of the entries of a bundle: a line a row.

Owns the lines of rosters, entries, time lines and who answered, and what other lines are made of;
it travels inside the checker of an evidence bundle and needs Python alone. Invariant: a line
follows from entries up to its position and runs no law; what is private in it is wrapped.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta, timezone
from itertools import pairwise
from typing import Any, NamedTuple

from replay.answered import ANSWERING, BEARING, Answering, Over, next_day
from replay.refold import OPEN, Held
from replay.replayed import Replays, instant_of

AT_BUREAU = timezone(timedelta(hours=8))
_OF_PERSONS = {
    "number": ("number", "number"), "name": ("name", "name"),
    "id_number": ("id-number", "id_number"), "category": ("category", "category"),
    "grade": ("grade", "grade"), "ladder": ("grade", "ladder"), "post": ("post", "post"),
    "unit": ("unit", "unit"), "host": ("host", "unit"), "service": ("service", "state"),
}  # fmt: skip
_OF_UNITS = {
    "name": ("unit-name", "name"), "state": ("unit-state", "state"),
    "parent": ("unit-parent", "parent"),
}  # fmt: skip
"""Column → the facet and the field of its value that say it."""

_SEAT = (
    "capacity", "unit", "seat", "above", "status", "officer", "name", "acting", "state",
    "holds_since", "holds_to", "vacant_since", "cause", "entries",
)  # fmt: skip

Line = dict[str, Any]
AskedOf = Mapping[str, Any]


class NoSuchUnit(ValueError):
    """A report is of a unit of which nothing is recorded on its day."""


class Both(NamedTuple):
    """What is said in the language of its reader."""

    zh: str
    en: str


class Basis:
    """What the entries give as of one pair."""

    def __init__(self, replays: Replays, effective: str, recorded: int) -> None:
        self.replays, self.effective, self.recorded = replays, effective, recorded
        self.declared = replays.codebook()
        self._answering: dict[int, Answering] = {}

    # rosters, headcounts, units

    def roster(self, asked: AskedOf) -> Iterator[Line]:
        units = {line["unit"]: line for line in self.every_unit()}
        within = self.within(units, asked)
        facets = _facets(_OF_PERSONS)
        everybody = self.replays.everybody(self.effective, self.recorded, facets)
        for person, held in everybody:
            line = {"person": person, **_values(held, _OF_PERSONS)}
            if line.pop("service") != "in":
                continue
            line["hired_on"] = held["service"].effective
            line["since"] = held["unit"].effective if line["unit"] else None
            line["unit_name"] = units.get(line["unit"] or "", {}).get("name")
            here = within is None or line["unit"] in within or line["host"] in within
            if here and all(asked.get(n) in (None, line[n]) for n in ("grade", "post", "category")):
                yield line

    def headcount(self, asked: AskedOf) -> Iterator[Line]:
        by = asked["by"]
        counts = Counter(line[by] for line in self.roster({**asked, "by": None}))
        names = {line["unit"]: line["name"] for line in self.every_unit()} if by == "unit" else {}
        for key, count in counts.items():
            yield {"by": by, "key": key, "name": names.get(key or ""), "count": count}

    def units(self, _: AskedOf) -> Iterator[Line]:
        yield from (line for line in self.every_unit() if line["state"] is not None)

    def every_unit(self) -> Iterator[Line]:
        facets = _facets(_OF_UNITS)
        held = self.replays.units(self.effective, self.recorded, facets)
        yield from ({"unit": unit, **_values(said, _OF_UNITS)} for unit, said in held.items())

    def within(self, units: Mapping[str, Line], asked: AskedOf) -> set[str] | None:
        unit = asked.get("unit")
        if unit is None:
            return None
        if units.get(unit, {}).get("state") is None:
            raise NoSuchUnit(unit)
        found, waiting = {unit}, [unit] if asked.get("below", True) else []
        while waiting:
            above = waiting.pop()
            new = {u for u, said in units.items() if said["parent"] == above} - found
            found |= new
            waiting += new
        return found

    # entries

    def journal(self, asked: AskedOf) -> Iterator[Line]:
        types, tags = _several(asked.get("types")), {*_several(asked.get("tags"))}
        after, late = int(asked.get("after") or 0), asked.get("late")
        until = int(asked.get("until") or self.recorded)
        for entry in self.replays.until(min(until, self.recorded)):
            if entry.position <= after or not tags <= {*entry.tags}:
                continue
            if types and entry.type not in types:
                continue
            line = self.entered(entry)
            corrects = "root" in json.loads(entry.data)
            if (corrects or not asked.get("corrections")) and (
                late is None or line["lag_days"] >= int(late)
            ):
                yield line

    def history(self, asked: AskedOf) -> Iterator[Line]:
        family = self.replays.family(asked["person"], self.recorded)
        about = {f"person:{one}" for one in family}
        entries = [e for e in self.replays.until(self.recorded) if not about.isdisjoint(e.tags)]
        became = _standings(entries)
        for entry in entries:
            standing, by = became[entry.position]
            yield {**self.entered(entry), "standing": standing, "standing_by": by}

    def entered(self, entry: Any) -> Line:
        """An entry as it was entered."""
        said, at = json.loads(entry.data), instant_of(entry.recorded_at)
        paper, declared = said.get("document") or {}, self.declared["types"][entry.type]
        day = date.fromisoformat(said["effective"])
        return {
            "position": entry.position, "recorded_at": at.isoformat(),
            "effective": said["effective"], "last_day": last_day(said.get("until") or OPEN),
            "lag_days": (at.astimezone(AT_BUREAU).date() - day).days, "type": entry.type,
            "event": Both(declared["zh"], declared["en"]), "subjects": " ".join(entry.tags),
            "mood": said["mood"], "paper": paper.get("number") or paper.get("none_because"),
            "reason": said.get("reason"), "by": said["actor"]["subject"], "event_id": said["id"],
        }  # fmt: skip

    def cited(self, positions: Iterable[int | None]) -> dict[int, Line]:
        """What rows say of the entries that made them so, by position; which subjects besides."""
        wanted = {*positions}
        made = (self.entered(e) for e in self.replays.until(self.recorded) if e.position in wanted)
        return {
            one["position"]: {
                "entry": one["position"],
                **{n: one[n] for n in ("recorded_at", "event", "by", "reason", "subjects")},
            }
            for one in made
        }

    def events(self, positions: Collection[int]) -> dict[int, Both]:
        """What entries are called, by position."""
        types = {e.position: e.type for e in self.replays.until(self.recorded)}
        said = {p: self.declared["types"][types[p]] for p in positions if p in types}
        return {position: Both(one["zh"], one["en"]) for position, one in said.items()}

    # time lines

    def timeline(self, asked: AskedOf) -> Iterator[Line]:
        subject = asked["subject"]
        kind, _, id_ = subject.partition(":")
        if kind == "person":
            id_ = self.replays.family(id_, self.recorded)[0]
        facets = {n for n, f in self.declared["facets"].items() if f["of"] == kind}
        if asked.get("facet") is not None:
            facets &= {asked["facet"]}
        parts = [*self._parts(id_, facets)]
        cited = self.cited(part.entry for *_, part in parts)
        for facet, slot, part in parts:
            said = self.declared["facets"][facet]
            line = {
                "subject": subject, "facet": facet, "what": Both(said["zh"], said["en"]),
                "slot": slot or None, "state": part.state, "value": self.replays.opened(part.value),
                "since": part.start, "last_day": last_day(part.end), "entry": None,
                "recorded_at": None, "event": None, "by": None, "reason": None,
            }  # fmt: skip
            yield line if part.entry is None else line | cited[part.entry]

    def _parts(self, id_: str, facets: Collection[str]) -> Iterator[tuple[str, str, "_Part"]]:
        standing = self.replays.every(self.recorded, {*facets, *BEARING})
        answering = Answering(standing)
        for facet in sorted(facets):
            facts = standing.get((facet, id_), [])
            many = self.declared["facets"][facet]["many"]
            for slot in sorted({"" if many else fact.slot for fact in facts}):
                own = facts if many else [fact for fact in facts if fact.slot == slot]
                for part in each_fact(own) if many else one_after_another(own):
                    lapses = facet in ANSWERING and part.value is not None
                    if lapses and part.fact is not None:
                        last = next_day(part.end, -1)
                        over = answering.lapse(id_, part.fact, last)
                        yield from ((facet, slot, one) for one in _lapsing(part, over))
                    else:
                        yield facet, slot, part

    # who answered

    def chain(self, asked: AskedOf) -> Iterator[Line]:
        person = self.replays.family(asked["person"], self.recorded)[0]
        day, then = self.effective, min(int(asked["then"]), self.recorded)
        for known, position in (("now", self.recorded), ("then", then)):
            of = {"known": known, "position": position, "start": day, "last_day": day}
            answer = self.at(position).answer(person, day)
            yield from ({**of, **seat} for seat in self._seats(answer))

    def chain_over(self, asked: AskedOf) -> Iterator[Line]:
        person = self.replays.family(asked["person"], self.recorded)[0]
        end = next_day(asked["last_day"])
        for part in self.at(self.recorded).over(person, asked["first_day"], end):
            of = {"start": part["start"], "last_day": next_day(part["end"], -1)}
            yield from ({**of, **seat} for seat in self._seats(part["answer"]))

    def chain_unit(self, asked: AskedOf) -> Iterator[Line]:
        within = self.within({line["unit"]: line for line in self.every_unit()}, asked)
        answering = self.at(self.recorded)
        for person in answering.persons():
            answer = answering.answer(person, self.effective)
            here = within is None or answer["unit"] in within
            if here and answer["service"] == "in":
                of = {"day": self.effective, "auxiliary": self._name(person)}
                yield from ({**of, **seat} for seat in self._seats(answer))

    def chain_officer(self, asked: AskedOf) -> Iterator[Line]:
        officer = self.replays.family(asked["officer"], self.recorded)[0]
        end = next_day(asked["last_day"])
        for one in self.at(self.recorded).held_by(officer, asked["first_day"], end):
            holder = one["holder"]
            yield {
                **{n: holder[n] for n in ("officer", "capacity", "unit", "seat", "acting")},
                "state": holder["state"], "entries": _listed(holder["entries"]),
                "person": one["person"], "name": self._name(one["person"]), "start": one["start"],
                "last_day": next_day(one["end"], -1),
            }  # fmt: skip

    def at(self, recorded: int) -> Answering:
        if recorded not in self._answering:
            self._answering[recorded] = Answering(self.replays.every(recorded, BEARING))
        return self._answering[recorded]

    def _seats(self, answer: Mapping[str, Any]) -> Iterator[Line]:
        """A row a holder, one for a seat that nobody holds, and the seats above an empty one."""
        of = {
            **dict.fromkeys(_SEAT), "person": answer["person"], "service": answer["service"],
            "using_unit": answer["unit"],
        }  # fmt: skip
        if not answer["lines"]:
            yield of
        for line in answer["lines"]:
            for above, seat in ((False, line), *((True, one) for one in line["beside"])):
                told = {
                    **of, **{n: seat[n] for n in ("capacity", "unit", "seat", "status", "cause")},
                    "above": above, "vacant_since": seat["since"],
                    "entries": _listed(seat["entries"]),
                }  # fmt: skip
                for holder in seat["holders"] or [None]:
                    yield told if holder is None else {**told, **self._holding(holder)}
        for holder in answer["outgoing"]:
            seat = {n: holder[n] for n in ("capacity", "unit", "seat")}
            yield {**of, **seat, "status": "outgoing", **self._holding(holder)}

    def _holding(self, holder: Mapping[str, Any]) -> Line:
        return {
            "officer": holder["officer"], "name": self._name(holder["officer"]),
            "acting": holder["acting"], "state": holder["state"],
            "holds_since": holder["place"][0], "holds_to": last_day(holder["until"]),
            "entries": _listed(holder["entries"]),
        }  # fmt: skip

    def _name(self, person: str) -> Any:
        if not hasattr(self, "_names"):
            held = self.replays.everybody(self.effective, self.recorded, {"name"})
            self._names = {one: (said["name"].value or {}).get("name") for one, said in held
                           if "name" in said}  # fmt: skip
        return self._names.get(person)


class _Part(NamedTuple):
    """Days [start, end) of a strand, and what answers on them."""

    start: str
    end: str
    state: str
    value: Any
    entry: int | None
    fact: Held | None = None


def each_fact(facts: Iterable[Held]) -> Iterator[_Part]:
    for fact in facts:
        if fact.effective < fact.until:
            yield _part(fact.effective, fact.until, fact, None)


def one_after_another(facts: Iterable[Held]) -> Iterator[_Part]:
    """What answers from the first fact on; a gap is told with what ended the fact before it."""
    held = [fact for fact in facts if fact.effective < fact.until]
    days = sorted({OPEN, *(day for fact in held for day in (fact.effective, fact.until))})
    runs: list[tuple[str, Held | None]] = []
    for day in days[:-1]:
        on = (fact for fact in held if fact.effective <= day < fact.until)
        best = max(on, key=lambda fact: fact.place, default=None)
        if not runs or runs[-1][1] != best:
            runs.append((day, best))
    before: Held | None = None
    for (start, fact), (end, _) in pairwise([*runs, (OPEN, None)]):
        yield _part(start, end, fact, before)
        before = fact


def _part(start: str, end: str, fact: Held | None, before: Held | None) -> _Part:
    if fact is None:
        return _Part(start, end, "ended", None, before and before.ended_by)
    state = "none" if fact.value is None else "held"
    return _Part(start, end, state, fact.value, fact.entry, fact)


def _lapsing(part: _Part, over: Over | None) -> Iterator[_Part]:
    if over is None or part.start < over.day:
        yield part if over is None else part._replace(end=over.day)
    if over is not None:
        last = max(over.entries, default=None)
        yield _Part(max(part.start, over.day), part.end, "lapsed", None, last)


def _standings(entries: Iterable[Any]) -> dict[int, tuple[str, int | None]]:
    """What became of each entry, and by which: told from the last of its chain backwards."""
    chains: dict[str, list[tuple[int, bool]]] = {}
    for entry in entries:
        said = json.loads(entry.data)
        root = said.get("root") or said["id"]
        chains.setdefault(root, []).append((entry.position, "annuls" in said))
    found: dict[int, tuple[str, int | None]] = {}
    for chain in chains.values():
        since = [n for n, (_, annuls) in enumerate(chain) if not annuls]
        for start, end in pairwise([*since, len(chain)]):
            content, *undone = (position for position, _ in chain[start:end])
            stands = len(undone) % 2 == 0
            found[content] = ("stands", None) if stands else ("annulled", undone[-1])
            for n, position in enumerate(undone):
                found[position] = ("stands", None)
                if n % 2 == 0 and n + 1 < len(undone):
                    found[position] = ("annulled", undone[n + 1])
                elif n % 2 and not stands:
                    found[position] = ("annulled", undone[-1])
            if end < len(chain):
                found[content] = ("superseded", chain[end][0])
    return found


def _several(said: Any) -> Sequence[str]:
    return said.split() if isinstance(said, str) else said or ()


def _listed(entries: Iterable[int]) -> str:
    return " ".join(map(str, entries))


def last_day(until: str) -> str | None:
    return None if until == OPEN else next_day(until, -1)


def _facets(columns: Mapping[str, tuple[str, str]]) -> set[str]:
    return {facet for facet, _ in columns.values()}


def _values(held: Mapping[str, Held], columns: Mapping[str, tuple[str, str]]) -> Line:
    return {
        column: (held[facet].value or {}).get(field) if facet in held else None
        for column, (facet, field) in columns.items()
    }
