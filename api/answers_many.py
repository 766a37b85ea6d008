"""The answers about many persons at once: a payroll, and who answered for everybody of a unit.

Owns their shapes, beside those of `answers`. Invariant: what is told of a person here is what the
question about that person alone tells; the same pair gives the same bytes for ever, but for erased
values.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from api.answers import Answer, with_people
from api.asking import asks
from api.settings import Bureau
from api.shapes import plain
from api.times import NOW, When, as_of, months
from domain.acts.people import NUMBER
from domain.events import Id
from projections import accountability as _accountability
from projections import roster as _roster
from projections.questions import payroll as _payroll
from projections.questions import unfilled as _unfilled
from projections.questions.answering import everybody
from projections.questions.at_hand import AtHand
from projections.questions.law import Published, rules_of


@asks()
def payroll(
    bureau: Bureau,
    when: When = NOW,
    unit: Id | None = None,
    *,
    first_month: str | None = None,
    last_month: str | None = None,
) -> Answer:
    """What everybody on the payroll of a unit and those below it, or of the bureau, is due month by
    month (YYYY-MM, both included; that of `when.effective` where absent), in fen, and the sums by
    unit. The payroll is that of the home unit, during a secondment too.

    Raises UnknownSubject, ImpossibleDate, BadInput.
    """
    pair, stated = as_of(bureau, when)
    this = f"{pair.effective:%Y-%m}"
    start, end = months(first_month or last_month or this, last_month, pair.effective)
    found = list(
        _payroll.payroll(
            bureau.records, bureau.ledger, pair, (start, end), unit, bureau.progress
        )
    )  # fmt: skip
    subjects = sorted({f"person:{line.person}" for line in found})
    numbers = bureau.records.values(NUMBER, pair, subjects)
    data = {
        "unit": unit,
        "first_month": f"{start:%Y-%m}",
        "last_month": f"{end - timedelta(days=1):%Y-%m}",
        **_sums(found),
        "units": _by_unit(found, _roster.tree(bureau.records, pair).names),
        "lines": [
            {
                **line._asdict(), "month": f"{line.month:%Y-%m}",
                "number": (numbers.get(f"person:{line.person}") or {}).get("number"),
            }
            for line in found
        ],
    }  # fmt: skip
    return with_people(bureau, stated, pair, data)


def _sums(lines: Iterable[_payroll.Line]) -> Answer:
    """How many persons, what they are due, and the days for which that cannot be told."""
    lines = list(lines)
    return {
        "count": len({line.person for line in lines}),
        "amount": sum(line.amount for line in lines),
        "unpriced": sum(line.unpriced for line in lines),
    }


def _by_unit(lines: Iterable[_payroll.Line], names: dict[str, str]) -> list[Answer]:
    units: dict[str | None, list[_payroll.Line]] = {}
    for line in lines:
        units.setdefault(line.unit, []).append(line)
    return [
        {"unit": unit, "name": names.get(unit or ""), **_sums(units[unit])}
        for unit in sorted(units, key=lambda unit: (unit is None, unit or ""))
    ]


@asks(name="chains")
def accountability_of_many(bureau: Bureau, when: When = NOW, unit: Id | None = None) -> Answer:
    """Who answered on `when.effective` for each auxiliary in service whose using unit is the unit
    or one below it, or for everybody of the bureau; in order of unit and id.

    `units` says who headed each using unit, which all its persons share; `persons` who answered
    for one beside the heads, and what the law finds of that. Raises UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    hand = AtHand(bureau.records, pair.recorded)
    law = Published(bureau.ledger, pair.recorded).at(pair.recorded)
    names = _roster.tree(bureau.records, pair).names
    units: dict[str | None, Answer] = {}
    persons = []
    for answer in everybody(hand, bureau.records, pair, unit, bureau.progress):
        heads = [line for line in answer.lines if line.capacity == "head"]
        if answer.unit not in units:
            named = {"unit": answer.unit, "name": names.get(answer.unit or "")}
            units[answer.unit] = {**named, "persons": 0, "heads": plain(heads)}
        units[answer.unit]["persons"] += 1
        rules = rules_of(hand, law, answer.person, pair.recorded)(pair.effective)
        persons.append(_person(answer, plain(list(_unfilled.of_answer(answer, rules)))))
    persons.sort(key=lambda one: (one["unit"] is None, one["unit"] or "", one["person"]))
    data = {
        "unit": unit,
        "count": len(persons),
        "lacking": sum(_lacks(one, units[one["unit"]]) for one in persons),
        "units": [units[key] for key in sorted(units, key=lambda key: (key is None, key or ""))],
        "persons": persons,
    }
    return with_people(bureau, stated, pair, data)


def _person(answer: _accountability.Answer, findings: list[Any]) -> Answer:
    return {
        "person": answer.person,
        "unit": answer.unit,
        "seconded": answer.seconded,
        "entries": answer.entries,
        "lines": plain([line for line in answer.lines if line.capacity != "head"]),
        "outgoing": plain(list(answer.outgoing)),
        "findings": findings,
    }


def _lacks(person: Answer, unit: Answer) -> bool:
    """Whether nobody answered in some capacity."""
    return any(line["status"] == "vacant" for line in (*person["lines"], *unit["heads"]))
