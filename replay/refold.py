"""The record of a person, folded a second time: by the declarations a bundle carries, alone.

Owns an implementation of the fold that shares no line with `domain.record`; it travels inside the
checker of an evidence bundle and needs Python alone. Invariant: for every pair of times it answers
what the ledger answers; where it does not, one of the two is wrong.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

FOLD = 2
"""The version of the fold that this one repeats."""
OPEN = "9999-12-31"
ANNULMENT = "FactAnnulled"

Opening = Callable[[Mapping[str, str]], Any]
"""The value of a sealed field, or what stands in its place."""


class Content(NamedTuple):
    """What a chain says: the entry that says it, its days, its order, its fields."""

    entry: int
    effective: str
    until: str
    seq: int
    ends: str | None
    fields: Mapping[str, Any]


class Held(NamedTuple):
    """A fact that stands. Days are ISO 8601 and half-open."""

    facet: str
    slot: str
    effective: str
    until: str
    place: tuple[str, int, int]
    entry: int
    ended_by: int | None
    value: Any


class Chain:
    """A root entry and its corrections."""

    def __init__(self, id_: str, type_: str, position: int, content: Content) -> None:
        self.id, self.type, self.root = id_, type_, position
        self.content: Content | None = content
        self.last = content


class Refold:
    """Entries folded in order. `codebook`: {"types": …, "facets": …} as a bundle carries it."""

    def __init__(self, codebook: Mapping[str, Any]) -> None:
        self._types, self._facets = codebook["types"], codebook["facets"]
        self._chains: dict[str, Chain] = {}
        self._enders: dict[str, dict[str, Chain]] = {}
        self._departures: dict[str, dict[str, Chain]] = {}
        self._into: dict[str, str] = {}

    def apply(self, position: int, type_: str, data: bytes) -> None:
        """Take in the next entry. Raises ValueError for a version the codebook does not hold."""
        said = json.loads(data)
        declared = self._types[type_]
        if said.get("version", 1) != declared["version"]:
            raise ValueError("a schema version that the codebook does not hold")
        root = said.get("root")
        chain = self._chains.get(root or said["id"])
        if root is not None and chain is None:
            return
        if "annuls" in said and chain is not None:
            chain.content = None if chain.content else chain.last
        else:
            content = Content(
                position, said["effective"], said.get("until") or OPEN, int(said.get("seq", 0)),
                said.get("ends"), said["fields"],
            )  # fmt: skip
            if chain is None:
                chain = self._chains[said["id"]] = Chain(said["id"], type_, position, content)
            chain.content = chain.last = content
        if chain.last.ends is not None:
            self._enders.setdefault(chain.last.ends, {})[chain.id] = chain
        leaves = self._types[chain.type]["leaves"]
        if leaves:
            self._departures.setdefault(chain.last.fields[leaves], {})[chain.id] = chain
        if self._types[chain.type]["merges"]:
            self._join()

    def _join(self) -> None:
        self._into = {}
        for chain in sorted(self._chains.values(), key=lambda c: c.root):
            merges = self._types[chain.type]["merges"]
            if merges and chain.content is not None:
                low, high = (self.kept(chain.content.fields[name]) for name in merges)
                if low != high:
                    self._into[low] = high

    def kept(self, person: str) -> str:
        """The id under which a person's facts are filed."""
        while person in self._into:
            person = self._into[person]
        return person

    def family(self, person: str) -> list[str]:
        """Every id of a person, the kept one first."""
        kept = self.kept(person)
        return [kept, *sorted(one for one in self._into if self.kept(one) == kept)]

    def record(self, person: str, effective: str, opening: Opening) -> dict[str, Any] | None:
        """Facets and spells of a person on a day, as an answer lays them out; None if unknown."""
        kept = self.kept(person)
        facets, spells = self.facets("person", kept, effective), self.spells(kept)
        if not facets:
            return None
        data = {"person": person, "facets": facets, "spells": spells}
        opened: dict[str, Any] = opened_in(data, opening)
        return opened

    def facets(self, kind: str, id_: str, effective: str) -> list[dict[str, Any]]:
        """Every facet of a subject on a day, private fields sealed; none where it is unknown."""
        held = self.of(kind, id_)
        return [
            self._facet(name, [f for f in held if f.facet == name], effective)
            for name in sorted(n for n, f in self._facets.items() if f["of"] == kind)
            if held
        ]

    def spells(self, kept: str) -> list[dict[str, Any]]:
        return _spells(self.of("person", kept))

    def ended(self, kind: str, id_: str, effective: str) -> list[dict[str, Any]]:
        """The last fact of each single-valued facet that had facts by a day and has none on it."""
        past: dict[str, list[Held]] = {}
        for fact in self.of(kind, id_):
            if fact.effective <= effective and not self._facets[fact.facet]["many"]:
                past.setdefault(fact.facet, []).append(fact)
        last = {
            name: max(facts, key=lambda f: f.place)
            for name, facts in sorted(past.items())
            if all(f.until <= effective for f in facts)
        }
        return [{"facet": name, **_told(fact)} for name, fact in last.items()]

    def of(self, kind: str, id_: str) -> list[Held]:
        """All that stands of a subject, private fields sealed."""
        return [f for chain in self._chains.values() for f in self._facts(chain, id_, kind)]

    def reviews(self, review: str, effective: str) -> list[dict[str, Any]]:
        """The reviews of one act that had begun by a day, and what came of each."""
        found = (f for chain in self._chains.values() for f in self._facts(chain, review, "review"))
        rows: list[dict[str, Any]] = []
        for fact in sorted((f for f in found if f.effective <= effective), key=lambda f: f.place):
            day, entry = fact.effective, fact.entry
            if fact.value["state"] == "open":
                named = {"review": review, "opened": day, "opened_by": entry}
                rows.append({**_OPENED, **fact.value, **named})
            elif rows:
                rows[-1] |= {**fact.value, "concluded": day, "concluded_by": entry}
        return rows

    def standing(
        self, kind: str, facets: Collection[str], effective: str, opening: Opening
    ) -> Iterator[tuple[str, dict[str, Held]]]:
        """Every subject of a kind, in order of id, with what answers for these single-valued facets
        on a day.
        """
        told: dict[str, dict[str, Chain]] = {}
        for chain in self._chains.values():
            for id_ in self._filed_under(chain, kind, facets):
                told.setdefault(id_, {})[chain.id] = chain
        for id_, chains in sorted(told.items()):
            held = [f for chain in chains.values() for f in self._facts(chain, id_, kind)]
            answers = {n: _resolved([f for f in held if f.facet == n], effective) for n in facets}
            opened = {
                name: fact._replace(value=opened_in(fact.value, opening))
                for name, fact in answers.items()
                if fact is not None
            }
            yield id_, opened

    def bears_on(self, type_: str, facets: Collection[str]) -> bool:
        """Whether an entry of a type can change what stands of these facets."""
        declared = self._types[type_]
        writes = (writes["facet"] for writes in declared["writes"])
        named = type_ == ANNULMENT or declared["leaves"] or declared["merges"]
        return bool(named) or any(name in facets for name in (*writes, *declared["ends"]))

    def every(self, facets: Collection[str]) -> dict[tuple[str, str], list[Held]]:
        """All that stands of these facets, by facet and subject; private fields sealed."""
        found: dict[tuple[str, str], list[Held]] = {}
        for chain in self._chains.values():
            for kind in {self._facets[name]["of"] for name in facets}:
                for id_ in dict.fromkeys(self._filed_under(chain, kind, facets)):
                    for fact in self._facts(chain, id_, kind):
                        if fact.facet in facets:
                            found.setdefault((fact.facet, id_), []).append(fact)
        return found

    def _filed_under(self, chain: Chain, kind: str, facets: Collection[str]) -> Iterator[str]:
        """The subjects of a kind under whose ids a chain says something of these facets."""
        declared = self._types[chain.type]
        if chain.content is None:
            return
        fields = self._renamed(declared, chain.content.fields)
        for writes in declared["writes"]:
            if writes["facet"] in facets and self._facets[writes["facet"]]["of"] == kind:
                keys = fields.get(writes["key"])
                yield from (keys,) if isinstance(keys, str) else keys or ()

    def _facet(self, name: str, facts: list[Held], day: str) -> dict[str, Any]:
        declared = self._facets[name]
        answer = {"facet": name, "zh": declared["zh"], "en": declared["en"]}
        answer["many"] = declared["many"]
        facts = sorted(facts, key=lambda f: f.place)
        if declared["many"]:
            answer["facts"] = [_told(f) for f in facts if f.effective <= day < f.until]
            answer["on_record"] = [_told(f) for f in facts if f.effective <= day]
        else:
            slots = (_resolved(facts, day, slot) for slot in sorted({f.slot for f in facts}))
            answer["facts"] = [_told(f) for f in slots if f is not None]
        said = answer["facts"]
        none = all(f["value"] is None for f in said)
        answer["state"] = "not-recorded" if not said else "none" if none else "held"
        return answer

    def _facts(self, chain: Chain, id_: str, kind: str = "person") -> Iterator[Held]:
        """What a chain says now of a subject, of a person under the kept id, capped."""
        content = chain.content
        if content is None:
            return
        declared = self._types[chain.type]
        fields = self._renamed(declared, content.fields)
        seen = set()
        for writes in declared["writes"]:
            facet = self._facets[writes["facet"]]
            keys = fields.get(writes["key"])
            mine = id_ in ((keys,) if isinstance(keys, str) else keys or ())
            if facet["of"] != kind or not mine:
                continue
            value = _value(writes, fields)
            if value is _NOTHING:
                continue
            slot = str(fields.get(writes["slot"]) or "") if writes["slot"] else ""
            if (writes["facet"], slot) in seen and fields is not content.fields:
                continue  # what named two persons may state the same of one
            seen.add((writes["facet"], slot))
            since = fields.get(writes["since"]) if writes["since"] else None
            effective = since or content.effective
            place = (effective, content.seq - bool(writes["none"]), chain.root)
            until, ended_by = content.until, None
            for day, entry in self._caps(chain, writes["facet"], id_, place):
                if day < until:
                    until, ended_by = day, entry
            yield Held(
                writes["facet"], slot, effective, until, place, content.entry, ended_by, value
            )

    def _renamed(self, declared: Mapping[str, Any], fields: Mapping[str, Any]) -> Mapping[str, Any]:
        now: dict[str, Any] = {}
        for name, kind in () if declared["merges"] else declared["subjects"]:
            value = fields.get(name)
            if kind == "person" and value is not None:
                if isinstance(value, str):
                    kept: Any = self.kept(value)
                else:
                    kept = list(dict.fromkeys(map(self.kept, value)))
                if kept != value:
                    now[name] = kept
        return {**fields, **now} if now else fields

    def _caps(
        self, chain: Chain, facet: str, id_: str, place: tuple[str, int, int]
    ) -> Iterator[tuple[str, int]]:
        """From which days what ends this fact, and by which entries."""
        for ender in self._enders.get(chain.id, {}).values():
            end = ender.content
            ends = end is not None and end.ends == chain.id
            if end is not None and ends and facet in self._types[ender.type]["ends"]:
                yield end.effective, end.entry
        if self._facets[facet]["stays"] or self._facets[facet]["of"] != "person":
            return
        for alias in self.family(id_):
            for departure in self._departures.get(alias, {}).values():
                left, name = departure.content, self._types[departure.type]["leaves"]
                if left is None or left.fields[name] != alias:
                    continue
                if (left.effective, left.seq, departure.root) > place:
                    yield left.effective, left.entry


_NOTHING = object()
_OPENED = dict.fromkeys(("outcome", "authority", "note", "concluded", "concluded_by"))


def _value(writes: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:
    names = writes["value"]
    if writes["none"]:
        return None
    if names and fields.get(names[0]) is None:
        return _NOTHING
    return {n: fields[n] for n in names if fields.get(n) is not None} | writes["fixed"]


def _resolved(facts: Iterable[Held], day: str, slot: str | None = None) -> Held | None:
    on = (f for f in facts if f.effective <= day < f.until and slot in (None, f.slot))
    return max(on, key=lambda f: f.place, default=None)


def _told(fact: Held) -> dict[str, Any]:
    return {
        "slot": fact.slot or None, "value": fact.value, "since": fact.effective,
        **_end(fact.until), "entry": fact.entry, "root": fact.place[2],
        "ended_by": fact.ended_by,
    }  # fmt: skip


def _end(until: str) -> dict[str, str | None]:
    if until == OPEN:
        return {"until": None, "last_day": None}
    last = date.fromisoformat(until) - timedelta(days=1)
    return {"until": until, "last_day": last.isoformat()}


def _spells(held: list[Held]) -> list[dict[str, Any]]:
    """Every stretch of service, and what ended it."""
    facts = [f for f in held if f.facet == "service"]
    if not facts:
        return []
    first = min(f.effective for f in facts)
    cuts = {first, OPEN, *(f.effective for f in facts), *(f.until for f in facts)}
    runs: list[tuple[str, str, Held | None]] = []
    for start, end in pairwise(sorted(day for day in cuts if first <= day <= OPEN)):
        fact = _resolved(facts, start)
        if runs and runs[-1][2] is fact:
            runs[-1] = (runs[-1][0], end, fact)
        else:
            runs.append((start, end, fact))
    spells = []
    for (start, end, fact), (*_, left) in zip(runs, [*runs[1:], (None, None, None)], strict=True):
        if fact is not None and fact.value and fact.value["state"] == "in":
            spells.append({
                "since": start, **_end(end), "entry": fact.entry,
                "left": left.value if left else None,
                "left_by": left.entry if left else fact.ended_by,
            })  # fmt: skip
    return spells


def opened_in(value: Any, opening: Opening) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"o", "k", "c", "x"}:
            return opening(value)
        return {name: opened_in(inner, opening) for name, inner in value.items()}
    return [opened_in(inner, opening) for inner in value] if isinstance(value, list) else value


def sealed_in(value: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """The sealed fields within a value, each after its name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict) and inner.keys() == {"o", "k", "c", "x"}:
                yield name, inner
            else:
                yield from sealed_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sealed_in(inner)


def differing(told: Any, replayed: Any, place: str, withheld: list[str]) -> str | None:
    """Where two answers differ; None where they do not. What is not disclosed is only noted."""
    if isinstance(replayed, dict) and replayed.keys() == {"withheld"}:
        withheld.append(replayed["withheld"])
        same = not isinstance(told, dict) or told in (
            {"erased": True},
            {"restricted": True},
            replayed,
        )
        return None if same else place
    if isinstance(replayed, dict) and isinstance(told, dict) and replayed.keys() == told.keys():
        pairs = [(told[name], replayed[name], f"{place}/{name}") for name in replayed]
    elif isinstance(replayed, list) and isinstance(told, list) and len(replayed) == len(told):
        pairs = [
            (a, b, f"{place}/{n}") for n, (a, b) in enumerate(zip(told, replayed, strict=True))
        ]
    else:
        return None if told == replayed and type(told) is type(replayed) else place
    found = (differing(a, b, where, withheld) for a, b, where in pairs)
    return next((where for where in found if where is not None), None)
