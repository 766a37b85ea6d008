"""What questions answer with, as plain objects.

Owns the turn from named tuples to objects, and the opening of private values. Invariant: a
half-open end is given its last day too (至…止), and an open one is None; nothing is opened before
the read is on record.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from api.reader import Question
from api.settings import Bureau
from domain.acts.people import PERSON
from domain.bitemporal import OPEN, last_day
from domain.ledger.sealed import is_sealed, sealed_owners
from domain.refusals import Taken
from projections.cases import cases_in

COMPARED = "导入核对 / compared with a sheet"
"""What private fields are read for by a comparison, where nothing else is stated."""
_PERSONS = {"person", "officer", "same_as"}
"""Names under which an answer holds a person's id."""
_REPEATING = {"who", "named"}
"""Properties that only say again what the fields say."""


def opened(
    bureau: Bureau, stated: dict[str, Any], data: Any, cases: Iterable[str] = (), *,
    proposed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The answer with its pair, once the read is on record. Its private values are open, but for
    those of classes, or of persons, that the bureau is not seen with, and who complained of whoever
    asks: they read {"withheld": true}. `cases`: of which it tells without naming them. What is
    `proposed` may name anything; only whom the ledger knows is put on record. Raises
    PurposeMissing, ReadNotRecorded.
    """
    persons = {*everyone_in(data), *(owner.subject for owner in sealed_owners(data))}
    if proposed:
        persons = _known(bureau, persons)
    if bureau.classes is not None or bureau.only is not None:
        data = _veiled(data, bureau)
    owners = set(sealed_owners(data))
    sees = bureau.sight is None or bureau.sight.cases
    told = {*cases, *(cases_in(data) if sees else ())}
    bureau.read(stated, persons, {owner.cls for owner in owners}, told)
    bureau.ledger.hold(owners)
    return {"as_of": stated, "data": bureau.ledger.vault.reveal(data)}


@contextmanager
def noting_whom(bureau: Bureau) -> Iterator[None]:
    """A refusal that tells that somebody has a private value is a look at them, denied."""
    try:
        yield
    except Taken as taken:
        if taken.holder is not None:
            bureau.reader.denied(Question("taken"), met=[taken.holder])
        raise


def _known(bureau: Bureau, persons: Collection[str]) -> set[str]:
    """Those of these ids that somebody has."""
    forest = bureau.ledger.forest(bureau.ledger.log.head())
    filed = {person: f"person:{forest.kept(person)}" for person in persons}
    facts = bureau.records.strands([PERSON], sorted({*filed.values()}))
    registered = {fact.subject for fact in facts}
    return {person for person, subject in filed.items() if subject in registered}


def compared(bureau: Bureau, what: str, persons: Collection[str]) -> None:
    """Put on record that a sheet was held against what the ledger says of these persons, before it
    is told: what agrees and what does not tells of private values too. Raises ReadNotRecorded.
    """
    if persons:
        reader = bureau.reader._replace(purpose=bureau.reader.purpose or COMPARED)
        asked = bureau.read_by(reader).asked(Question(what))
        asked.read({"recorded": bureau.ledger.moment().position}, persons, ("identity",))


def _veiled(value: Any, bureau: Bureau) -> Any:
    if is_sealed(value):
        cls, whose = value["k"], value["o"]
        seen = (bureau.classes is None or cls in bureau.classes) and (
            bureau.only is None or whose in bureau.only
        )
        own = bureau.sight.own if bureau.sight is not None else ()
        told_of_him = cls == "complainant" and whose in own
        return value if seen and not told_of_him else {"withheld": True}
    if isinstance(value, dict):
        return {name: _veiled(inner, bureau) for name, inner in value.items()}
    return [_veiled(inner, bureau) for inner in value] if isinstance(value, list) else value


def everyone_in(value: Any) -> Iterator[str]:
    """The ids of every person of whom an answer tells anything, private values sealed or not."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _PERSONS and isinstance(inner, str):
                yield inner
            elif name == "aliases":
                yield from inner
            elif name == "subject" and isinstance(inner, str):
                yield from _persons((inner,))
            elif name == "tags" and isinstance(inner, list):
                yield from _persons(inner)
            else:
                yield from everyone_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from everyone_in(inner)


def _persons(subjects: Iterable[Any]) -> Iterator[str]:
    for subject in subjects:
        if isinstance(subject, str) and subject.startswith("person:"):
            yield subject[7:]


def plain(value: Any) -> Any:
    """Named tuples as objects, with what they tell beside their fields."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        told = {name: plain(getattr(value, name)) for name in value._fields}
        for name, what in vars(type(value)).items():
            if isinstance(what, property) and name not in _REPEATING:
                told[name] = plain(getattr(value, name))
        for name in ("until", "end"):
            if isinstance(day := getattr(value, name, None), date):
                told["last_day"] = last_day(day)
        return told
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if value == OPEN else value


def people_in(value: Any) -> Iterator[str]:
    """The ids of everyone who is named in an answer."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _PERSONS and isinstance(inner, str):
                yield inner
            else:
                yield from people_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from people_in(inner)
