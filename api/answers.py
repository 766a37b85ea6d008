"""The answer to each question, as a plain shape that the API and the command line both give.

Owns the shape {"as_of": {effective, recorded, recorded_at, fold}, "data": …}, in which private
values are open. Invariant: the same pair gives the same bytes for ever, but for erased values.

Every question takes the opened bureau and `When`, waits until the records have reached the position
asked about, and raises a typed Refusal or Lagging.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from api import cells
from api.asking import asks
from api.entries import finding_dict, receipt_dict, to_bytes, type_dict
from api.settings import Bureau
from api.shapes import opened as _answer
from api.shapes import people_in, plain
from api.times import NOW, When, as_of, moment, months, period
from domain.acts.people import ID_NUMBER
from domain.bitemporal import AsOf
from domain.case import Finding
from domain.events import FACETS, REGISTRY
from domain.law import Rules
from domain.ledger.requests import Receipt
from domain.refusals import (
    BadInput,
    BeyondHead,
    MissingField,
    UnknownFact,
    UnknownSubject,
    UnknownType,
)
from projections import accountability as _accountability
from projections import due as _due
from projections import findings as _findings
from projections import journal as _journal
from projections import pay as _pay
from projections import roster as _roster
from projections.questions import lookup as _lookup
from projections.questions import person as _person
from projections.questions import retro as _retro
from projections.questions import unfilled as _unfilled
from projections.questions.law import Published, rules_of
from projections.questions.reviews import reviews
from projections.undermined import Undermining

__all__ = ["NOW", "Answer", "When", "to_bytes"]

Answer = dict[str, Any]
MOST_ROWS = 1_000


@asks(one="person")
def record(bureau: Bureau, person: str, when: When = NOW) -> Answer:
    """Every facet of a person, every spell, the reviews, who is named. Raises UnknownSubject."""
    pair, stated = as_of(bureau, when)
    kept, ids = of_person(bureau, person, pair)
    data = {
        **ids,
        "facets": _person.facets(bureau.records, "person", kept, pair),
        **_person.over(bureau.records, "person", kept, pair),
        "spells": _person.spells(bureau.records, kept, pair.recorded),
        "reviews": reviews(bureau.ledger, f"person:{kept}", pair),
    }
    return with_people(bureau, stated, pair, data)


@asks(one="person")
def history(bureau: Bureau, person: str, when: When = NOW) -> Answer:
    """Every entry about a person as known, and what became of each. Raises UnknownSubject."""
    pair, stated = as_of(bureau, when)
    kept, ids = of_person(bureau, person, pair)
    tags = [f"person:{one}" for one in (kept, *ids.get("aliases", ()))]
    entries = _person.history(bureau.ledger, tags, pair)
    return _answer(bureau, stated, {**ids, "entries": entries})


@asks()
def entry(bureau: Bureau, position: int, when: When = NOW) -> Answer:
    """One entry, what became of it, what was found of it, whatever it undermined or was undermined
    by, and, where it was imported, what the
    cells said that it was made of; of one kept from whoever asks that it is there. Raises
    UnknownFact.
    """
    pair, stated = as_of(bureau, when)
    if not 1 <= position <= pair.recorded:
        raise UnknownFact(field="position")
    one = next(bureau.ledger.entries(after=position - 1, until=position), None)
    if one is None:
        return _answer(bureau, stated, _journal.bare(position))
    chain = _journal.chain_of(bureau.ledger, one, pair.recorded)
    became = _journal.standings(chain)[position]
    found = [f for each in _findings.of_entries(bureau.ledger, [one]) for f in each.findings]
    undermining = Undermining(bureau.ledger, pair.recorded)
    found += undermining.by(one)
    if became == _journal.STANDS:
        found += undermining.of([one]).get(position, ())
    data = {
        **_journal.shown(one),
        "standing": became.state,
        "standing_by": became.by,
        "chain": [e.position for e in chain],
        "reviews": reviews(bureau.ledger, f"review:{one.id}", pair),
        "read": cells.of(bureau, one, pair.recorded),
        "findings": [finding_dict(finding) for finding in found],
    }
    answer = _answer(bureau, stated, data)
    answer["data"]["read"] = cells.laid_out(answer["data"]["read"], one.type)
    return answer


@asks()
def roster(
    bureau: Bureau,
    when: When = NOW,
    unit: str | None = None,
    *,
    below: bool = True,
    grade: str | None = None,
    post: str | None = None,
    category: str | None = None,
    id_numbers: bool = False,
) -> Answer:
    """The auxiliaries in service, of a unit or of the bureau, with their ID numbers where those are
    asked for. Raises UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    lines = _roster.roster(
        bureau.records, pair, unit, below=below, grade=grade, post=post, category=category
    )
    rows = [dict(line._asdict()) for line in lines]
    if id_numbers:
        subjects = [f"person:{line.person}" for line in lines]
        held = bureau.records.values(ID_NUMBER, pair, subjects)
        for subject, row in zip(subjects, rows, strict=True):
            row["id_number"] = (held.get(subject) or {}).get("id_number")
    of = {"unit": unit, "below": below, "grade": grade, "post": post, "category": category}
    return _answer(bureau, stated, {**of, "count": len(rows), "lines": rows})


@asks()
def headcounts(
    bureau: Bureau,
    when: When = NOW,
    by: str = "unit",
    unit: str | None = None,
    *,
    below: bool = True,
) -> Answer:
    """Auxiliaries in service by unit, grade, post or category; None counts the not recorded."""
    pair, stated = as_of(bureau, when)
    if by not in ("unit", "grade", "post", "category"):
        raise BadInput("unit, grade, post or category", field="by",
                       zh="应为 unit、grade、post 或 category")  # fmt: skip
    counts = _roster.headcount(bureau.records, pair, by, unit, below=below)  # type: ignore[arg-type]
    names = _roster.tree(bureau.records, pair).names if by == "unit" else {}
    rows = [{by: key, "name": names.get(key or ""), "count": n} for key, n in counts]
    of = {"by": by, "unit": unit, "below": below}
    return _answer(bureau, stated, {**of, "count": sum(n for _, n in counts), "counts": rows})


def units(bureau: Bureau, when: When = NOW) -> Answer:
    """The unit tree: every unit recorded by that day, in order of id."""
    pair, stated = as_of(bureau, when)
    tree = _roster.tree(bureau.records, pair)
    rows = [
        {
            "unit": unit, "name": tree.names.get(unit), "state": state,
            "parent": tree.parents.get(unit),
        }
        for unit, state in sorted(tree.states.items())
    ]  # fmt: skip
    return _answer(bureau, stated, {"units": rows})


@asks()
def unit(bureau: Bureau, unit: str, when: When = NOW) -> Answer:
    """Every facet of a unit, the units just below it, who is named. Raises UnknownSubject."""
    pair, stated = as_of(bureau, when)
    tree = _roster.tree(bureau.records, pair)
    data = {
        "unit": unit,
        "facets": _person.facets(bureau.records, "unit", unit, pair),
        **_person.over(bureau.records, "unit", unit, pair),
        "below": sorted(child for child, parent in tree.parents.items() if parent == unit),
    }
    return with_people(bureau, stated, pair, data)


@asks()
def journal(
    bureau: Bureau,
    when: When = NOW,
    *,
    types: Sequence[str] = (),
    tags: Sequence[str] = (),
    after: int = 0,
    since: str | None = None,
    late: int | None = None,
    corrections: bool = False,
    limit: int = 200,
) -> Answer:
    """Entries as searched for, in order of position; `next` is the `after` to go on with.

    `since`: recorded later than this point of the recorded axis; `when.recorded` ends the search.
    """
    pair, stated = as_of(bureau, when)
    if not REGISTRY.keys() >= set(types):
        raise UnknownType(field="type")
    first = moment(bureau, since).position if since else 0
    wanted = _journal.Search(
        pair.recorded, max(after, first), types, tags, late, corrections, min(limit, MOST_ROWS)
    )
    entries, following = _journal.search(bureau.ledger, wanted)
    data = {
        "types": types, "tagged": tags, "after": wanted.after, "late": late,
        "corrections": corrections, "entries": [_journal.shown(e) for e in entries],
        "next": following,
    }  # fmt: skip
    return _answer(bureau, stated, data)


@asks(one="person")
def findings(
    bureau: Bureau, when: When = NOW, *, person: str | None = None, unit: str | None = None
) -> Answer:
    """The findings of the entries that stand about a person, or about a unit, those below it as the
    tree stood that day and the auxiliaries of all of them.

    Raises MissingField, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    forest = bureau.ledger.forest(pair.recorded)
    if person is not None and unit is not None:
        raise BadInput("a person or a unit, not both", field="unit", zh="人员与单位只能给一个")
    if person is not None:
        _require_known(bureau, forest.kept(person), pair)
        people, tags = [person], []
    elif unit is not None:
        people = [line.person for line in _roster.roster(bureau.records, pair, unit)]
        tags = [f"unit:{u}" for u in sorted(_roster.units_below(bureau.records, unit, pair))]
    else:
        raise MissingField(field="person")
    tags += [f"person:{alias}" for p in people for alias in forest.family(p)]
    found = _findings.of_subjects(bureau.ledger, tags, pair.recorded, bureau.progress)
    rows = [
        {
            "position": entry.position, "type": entry.type, "zh": entry.cls.zh,
            "en": entry.cls.en, "effective": entry.effective, "tags": entry.tags,
            "legible": legible, "findings": [finding_dict(finding) for finding in rules],
        }
        for entry, rules, legible in found
    ]  # fmt: skip
    return _answer(bureau, stated, {"person": person, "unit": unit, "entries": rows})


def receipt(bureau: Bureau, receipt: Receipt) -> Answer:
    """The answer to an accepted request; a repetition's findings are derived anew."""
    answer = receipt_dict(receipt)
    answer["receipt"] = bureau.sealer.vouch(receipt.entries[0].position, receipt.position)
    if receipt.replayed:
        index = {entered.position: n for n, entered in enumerate(receipt.entries)}
        first, last = min(index), max(index)
        stored = bureau.ledger.entries(after=first - 1, until=last)
        entries = [entry for entry in stored if entry.position in index]
        own = [
            (index[found.entry.position], finding)
            for found in _findings.of_entries(bureau.ledger, entries)
            for finding in found.findings
        ]
        found = Undermining(bureau.ledger, last).found(entries[0])
        answer["findings"] = _indexed(own + [(one.place, one.finding) for one in found])
    return answer


def _indexed(findings: Iterable[tuple[int, Finding]]) -> list[Answer]:
    return [{"index": index, **finding_dict(finding)} for index, finding in findings]


@asks(hides=("number", "id_number", "name"), again=False)
def lookup(
    bureau: Bureau,
    when: When = NOW,
    *,
    number: str | None = None,
    id_number: str | None = None,
    name: str | None = None,
) -> Answer:
    """The persons with this auxiliary number (ever), ID number (now) or name (on that day).

    Raises MissingField where none of the three is given.
    """
    pair, stated = as_of(bureau, when)
    ledger, records = bureau.ledger, bureau.records
    if number is not None:
        people = _lookup.by_number(records, number, pair)
    elif id_number is not None:
        people = _lookup.by_id_number(ledger, id_number)
    elif name is not None:
        people = _lookup.by_name(ledger, records, name, pair)
    else:
        raise MissingField(field="number")
    return _answer(bureau, stated, {"persons": _lookup.cards(records, people, pair)})


@asks(one="person")
def accountability(
    bureau: Bureau, person: str, when: When = NOW, then: str | int | None = None
) -> Answer:
    """Who answered for a person on `when.effective`: as recorded `then`, and as known now.

    `then` is the end of that very day where absent. `entries` are the positions between the two
    that changed the answer. Raises UnknownSubject, BadInput, BeyondHead.
    """
    pair, stated = as_of(bureau, when)
    kept, ids = _known(bureau, person, pair)
    past = pair.effective < bureau.ledger.today()
    earlier = bureau.ledger.moment(then or (pair.effective if past else pair.recorded))
    known_then = min(earlier.position, pair.recorded)
    both = _accountability.then_and_now(
        bureau.records, kept, pair.effective, known_then, pair.recorded
    )
    rules = _rules_of(bureau, kept, pair)(pair.effective)
    data = {
        **ids,
        "then": {"recorded": known_then, "answer": plain(both.then)},
        "now": plain(both.now),
        "differ": both.differ,
        "entries": both.entries,
        "findings": plain(list(_unfilled.of_answer(both.now, rules))),
    }
    return with_people(bureau, stated, pair, data)


@asks(one="person")
def accountability_over(
    bureau: Bureau,
    person: str,
    first_day: str | date | None,
    last_day: str | date | None,
    when: When = NOW,
) -> Answer:
    """Who answered for a person over a period of days, both included, and every vacancy.

    Raises UnknownSubject, ImpossibleDate, BadInput.
    """
    pair, stated = as_of(bureau, when)
    kept, ids = _known(bureau, person, pair)
    start, end = period(first_day, last_day)
    found = _accountability.over(bureau.records, kept, start, end, pair.recorded)
    gaps = _accountability.gaps(found)
    rules = _rules_of(bureau, kept, pair)
    data = {
        **ids,
        "segments": plain(found),
        "gaps": [
            {**plain(gap), "finding": plain(_unfilled.of_gap(gap, rules(gap.start)))}
            for gap in gaps
        ],
        "vacant_days": sum(gap.days for gap in gaps),
    }
    return with_people(bureau, stated, pair, data)


@asks(one="officer")
def responsibilities(
    bureau: Bureau,
    officer: str,
    when: When = NOW,
    first_day: str | date | None = None,
    last_day: str | date | None = None,
) -> Answer:
    """Whom an officer answered for, in which capacity: on `when.effective`, or over a period.

    Raises UnknownSubject, ImpossibleDate, BadInput.
    """
    pair, stated = as_of(bureau, when)
    kept, ids = _known(bureau, officer, pair)
    start, end = period(first_day or pair.effective, last_day or first_day or pair.effective)
    last = end - timedelta(days=1)
    found = _accountability.of_officer_over(bureau.records, kept, start, end, pair.recorded)
    ids["officer"] = ids.pop("person")
    data = {**ids, "first_day": start, "last_day": last, "answered": plain(found)}
    return with_people(bureau, stated, pair, data)


@asks(one="person")
def pay(
    bureau: Bureau,
    person: str,
    when: When = NOW,
    *,
    first_month: str | None = None,
    last_month: str | None = None,
    before: str | int | None = None,
) -> Answer:
    """Pay in fen, month by month (YYYY-MM, both included; the year so far where absent).

    `before`: another point of the recorded axis; `differences` are the months whose pay became
    another since, and what is owed. Raises UnknownSubject, ImpossibleDate, BadInput, BeyondHead.
    """
    pair, stated = as_of(bureau, when)
    kept, ids = _known(bureau, person, pair)
    records, ledger = bureau.records, bureau.ledger
    start, end = months(first_month, last_month, pair.effective)
    end = min(end, bureau.told_before)
    published, moved = Published(ledger, pair.recorded), _retro.tree_days(records, pair.recorded)
    facts = [f for facet in _pay.FACETS for f in records.versions(facet, f"person:{kept}")]

    def known(alias: str) -> Callable[[int], _pay.Known]:
        return _retro.known_of(records, published, moved, alias)

    paid = _pay.pay_months(_pay.pay_segments(facts, known(kept)(pair.recorded), start, end))
    data: Answer = {**ids, "unit": "fen", "months": plain(paid)}
    if before is not None:
        earlier = moment(bureau, before).position
        if earlier > pair.recorded:
            raise BeyondHead(field="before")
        filed = [
            _pay.Filed(records.strands(_pay.FACETS, [f"person:{alias}"]), known(alias))
            for alias in ledger.forest(pair.recorded).family(kept)
        ]
        differ = _pay.pay_difference(filed, earlier, pair.recorded, start, end)
        data |= {
            "before": earlier,
            "differences": plain(differ),
            "owed": sum(each.owed for each in differ),
        }
    return _answer(bureau, stated, data)


@asks()
def due(bureau: Bureau, when: When = NOW, states: Sequence[str] = ()) -> Answer:
    """Promises with a term begun by `when.effective`: open, overdue, kept, late or lapsed."""
    pair, stated = as_of(bureau, when)
    law = Published(bureau.ledger, pair.recorded).at(pair.recorded)
    until = pair.recorded
    entries = bureau.ledger.entries(types=_due.types(law), until=until) if until else ()
    items = _due.due(entries, law, pair, bureau.records, bureau.progress)
    shown = [item for item in items if not states or item.state in states]
    return _answer(bureau, stated, {"items": plain(shown)})


def of_person(bureau: Bureau, person: str, pair: AsOf) -> tuple[str, Answer]:
    """The id under which a person's facts are filed, and what an answer says of the ids: the one
    asked about, `same_as` where it went into another, `aliases` that went into the kept one.
    """
    kept, *aliases = bureau.ledger.forest(pair.recorded).family(person)
    ids: Answer = {"person": person}
    if kept != person:
        ids["same_as"] = kept
    if aliases:
        ids["aliases"] = aliases
    return kept, ids


def _rules_of(bureau: Bureau, person: str, pair: AsOf) -> Callable[[date], Rules]:
    law = Published(bureau.ledger, pair.recorded).at(pair.recorded)
    return rules_of(bureau.records, law, person, pair.recorded)


def _known(bureau: Bureau, person: str, pair: AsOf) -> tuple[str, Answer]:
    kept, ids = of_person(bureau, person, pair)
    _require_known(bureau, kept, pair)
    return kept, ids


def _require_known(bureau: Bureau, person: str, pair: AsOf) -> None:
    if not any(f.known_from <= pair.recorded for f in bureau.records.of(f"person:{person}")):
        raise UnknownSubject(field="person")


def with_people(bureau: Bureau, stated: Answer, pair: AsOf, data: Answer) -> Answer:
    """The answer with the names of everyone in it, by id; an id that went has the kept one's."""
    forest = bureau.ledger.forest(pair.recorded)
    kept = {person: forest.kept(person) for person in sorted(set(people_in(data)))}
    names = _roster.names_of(bureau.records, sorted(set(kept.values())), pair)
    data["people"] = {person: {"name": names.get(one)} for person, one in kept.items()}
    return _answer(bureau, stated, data)


def types() -> Answer:
    """What can be entered: every event type with its labels, facets and JSON Schema."""
    facets: Mapping[str, Any] = FACETS
    return {
        "types": [type_dict(REGISTRY[name]) for name in sorted(REGISTRY)],
        "facets": [
            {"facet": f.name, "of": f.of, "zh": f.zh, "en": f.en, "many": f.many}
            for f in sorted(facets.values())
        ],
    }
