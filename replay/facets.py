"""The record of a person or a unit as its file has it: facets, what is over, spells, reviews.

Owns these lines; it travels inside the checker of an evidence bundle and needs Python
alone. Invariant: a line names the entry that it rests on, or says that nothing is recorded.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from replay.answered import ANSWERING
from replay.lines import AskedOf, Basis, Both, Line

_SPELLS = Both("历次任职", "spells of service")
_REVIEWS = Both("复核", "reviews")
_BELOW = Both("直接下级", "directly below")


def record(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    person, recorded = asked["person"], basis.recorded
    kept = basis.replays.family(person, recorded)[0]
    found = [*_of_facets(basis, "person", kept), *_spells_and_reviews(basis, kept)]
    cited = basis.cited(line["entry"] for line in found)
    for line in found:
        subjects = cited.get(line["entry"], {}).get("subjects")
        value = basis.replays.opened(line["value"])
        yield {**line, "subject": person, "value": value, "subjects": subjects}


def unit(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    subject = asked["unit"]
    for line in _of_facets(basis, "unit", subject):
        yield {**line, "subject": subject, "value": basis.replays.opened(line["value"])}
    for one in basis.every_unit():
        if one["parent"] == subject:
            yield {"subject": subject, "facet": "below", "what": _BELOW, "value": one["unit"]}


def _spells_and_reviews(basis: Basis, kept: str) -> Iterator[Line]:
    for one in basis.replays.spells(kept, basis.recorded):
        yield {
            "facet": "spells", "what": _SPELLS, "since": one["since"],
            "last_day": one["last_day"], "value": one["left"], "entry": one["entry"],
            "ended_by": one["left_by"],
        }  # fmt: skip
    for one in basis.replays.reviews(kept, basis.effective, basis.recorded) or ():
        yield {
            "facet": "reviews", "what": _REVIEWS, "state": one["state"], "since": one["opened"],
            "last_day": one["concluded"],
            "value": {n: one[n] for n in ("position", "reason", "outcome", "authority")},
            "entry": one["opened_by"], "ended_by": one["concluded_by"],
        }  # fmt: skip


def _of_facets(basis: Basis, kind: str, id_: str) -> Iterator[Line]:
    """What holds of each facet, and what is over; of one of which nothing is recorded, that."""
    facets, ended = basis.replays.facets(kind, id_, basis.effective, basis.recorded)
    over = {one["facet"]: [one] for one in ended}
    answering = basis.at(basis.recorded)
    for facet in facets:
        name, held = facet["facet"], facet["facts"]
        lapsed = answering.lapses(name, id_, basis.effective) if name in ANSWERING else {}
        nothing: list[Mapping[str, Any]] = [{}]
        for fact in facet.get("on_record") or held or over.get(name) or nothing:
            gone = lapsed.get(fact["slot"]) if fact in held else None
            state = facet["state"] if fact in held or not fact else "ended"
            yield {
                "facet": name, "what": Both(facet["zh"], facet["en"]),
                "state": state if gone is None else "lapsed", "lapsed_on": gone and gone.day,
                "cause": gone and gone.cause,
                **{n: fact.get(n) for n in ("slot", "value", "since", "last_day")},
                "entry": fact.get("entry"), "ended_by": fact.get("ended_by"),
            }  # fmt: skip
