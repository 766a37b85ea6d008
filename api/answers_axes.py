"""The answers along the axes: timelines, beliefs, rectangles, explanations, comparisons, retro.

Owns their shapes, beside those of `answers`. Invariant: the same pair gives the same bytes for
ever, but for erased values.

A subject is written `kind:id`; an id alone is a person's. Along the recorded axis an id that went
into another answers at each position with what the id kept there says, and says `same_as`.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from api.answers import Answer, of_person
from api.asking import asks
from api.settings import Bureau
from api.shapes import opened, people_in, plain
from api.times import NOW, When, as_of, months
from domain.bitemporal import AsOf, Fact
from domain.events import FACETS
from domain.refusals import BadInput, BeyondHead, MissingField, UnknownSubject
from projections import roster as _roster
from projections.journal import cited
from projections.questions import beliefs as _beliefs
from projections.questions import explain as _explain
from projections.questions import person as _person
from projections.questions import rectangles as _rectangles
from projections.questions import retro as _retro
from projections.questions import timeline as _timeline
from replay import compare as _compare

_SUBJECT = re.compile(r"(?:[a-z][a-z-]{0,31}:)?[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


def subject_of(said: str) -> str:
    """`kind:id` of a subject as written. Raises BadInput, UnknownSubject."""
    if not _SUBJECT.fullmatch(said):
        raise BadInput("a subject is written kind:id", field="subject", zh="对象写作 种类:标识")
    subject = said if ":" in said else f"person:{said}"
    if subject.partition(":")[0] not in {facet.of for facet in FACETS.values()}:
        raise UnknownSubject(field="subject")
    return subject


def _named(bureau: Bureau, subject: str, pair: AsOf) -> Answer:
    """The subject asked about; of a person what else an answer says of the ids."""
    kind, _, id_ = subject.partition(":")
    ids = of_person(bureau, id_, pair)[1] if kind == "person" else {}
    return {"subject": subject, **{name: v for name, v in ids.items() if name != "person"}}


@asks(one="subject")
def timeline(bureau: Bureau, subject: str, when: When = NOW, facet: str | None = None) -> Answer:
    """What held from when to when, past and future, as known at `when.recorded`, and the entries
    that made it so; of one facet or all. Raises BadInput, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    about = subject_of(subject)
    kind, _, id_ = about.partition(":")
    kept = f"person:{of_person(bureau, id_, pair)[0]}" if kind == "person" else about
    found = _timeline.timeline(bureau.records, bureau.ledger, kept, facet, pair)
    return opened(bureau, stated, {**_named(bureau, about, pair), "facet": facet, "facets": found})


@asks(one="subject")
def beliefs(bureau: Bureau, subject: str, when: When = NOW, facet: str | None = None) -> Answer:
    """What each position up to `when.recorded` said of the day `when.effective`, and which entry
    changed it; of one facet or all. Raises BadInput, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    about = subject_of(subject)
    found = _beliefs.beliefs(bureau.records, bureau.ledger, about, facet, pair)
    data = {
        **_named(bureau, about, pair), "facet": facet, "day": pair.effective, "beliefs": found,
    }  # fmt: skip
    return opened(bureau, stated, data)


@asks(one="subject")
def rectangles(bureau: Bureau, subject: str, when: When = NOW, facet: str | None = None) -> Answer:
    """Both axes of the facets of a subject, or of one, up to `when.recorded`; a many-valued facet
    tells each fact, and they may overlap. Raises BadInput, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    about = subject_of(subject)
    found = _rectangles.rectangles(bureau.records, bureau.ledger, about, facet, pair)
    return opened(bureau, stated, {**_named(bureau, about, pair), "facet": facet, "facets": found})


@asks(one="subject")
def explain(bureau: Bureau, subject: str, facet: str, when: When = NOW) -> Answer:
    """The entries that an answer rests on: without one of them it would be another.

    Raises BadInput, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    about = subject_of(subject)
    found = _explain.explain(bureau.ledger, about, facet, pair)
    return opened(bureau, stated, {**_named(bureau, about, pair), **found})


@asks(pair="after", one="subject")
def compare(bureau: Bureau, subject: str, before: When, after: When) -> Answer:
    """Where two pairs differ about a person or a unit, facet by facet, and the entries that made
    it so; of a unit also who came onto its roster (with those below it) and who went off it.

    `as_of` is the second pair, `data.before` the first. Raises BadInput, UnknownSubject.
    """
    first, first_stated = as_of(bureau, before)
    second, stated = as_of(bureau, after)
    about = subject_of(subject)
    kind, _, id_ = about.partition(":")
    last = max(first.recorded, second.recorded)
    facts = _beliefs.followed(bureau.records, bureau.ledger, about, last)
    if not any(fact.known_from <= last for fact in facts):
        raise UnknownSubject(field=kind)
    found = _compare.differing(facts, first, second)
    ids = of_person(bureau, id_, second)[1] if kind == "person" else {kind: id_}
    data: Answer = {**ids, "before": first_stated, "differences": _differences(found)}
    if kind == "unit":
        data["roster"] = _moves(bureau, id_, first, second)
    return opened(bureau, stated, data)


def _differences(found: Sequence[_compare.Difference]) -> list[Answer]:
    return [
        {
            "facet": one.facet, "zh": FACETS[one.facet].zh, "en": FACETS[one.facet].en,
            "slot": one.slot or None,
            **_side("before", one.before, one.before_ended),
            **_side("after", one.after, one.after_ended),
            "entries": one.entries,
        }
        for one in found
    ]  # fmt: skip


def _side(name: str, facts: Sequence[Fact], ended: Fact | None) -> Answer:
    """What one pair answers. State: held, none (entered as empty), ended (and what was the last) or
    not-recorded.
    """
    told = [_person.told(fact) for fact in facts]
    state = _person.state_of(told) if ended is None else "ended"
    over = None if ended is None else _person.told(ended)
    return {name: told, f"{name}_state": state, f"{name}_ended": over}


def _moves(bureau: Bureau, unit: str, first: AsOf, second: AsOf) -> dict[str, Any]:
    came, went = _compare.rosters(bureau.records, unit, first, second)
    return {
        name: [{**one.line._asdict(), "entries": one.entries} for one in moved]
        for name, moved in (("came", came), ("went", went))
    }


@asks()
def retro(
    bureau: Bureau,
    before: str | int | None,
    when: When = NOW,
    *,
    first_month: str | None = None,
    last_month: str | None = None,
    everyone: bool = False,
) -> Answer:
    """Who is owed what, since when and because of which entries, and who stands elsewhere on the
    roster of `when.effective`, now that `when.recorded` is known and not only `before`; in fen.

    Months are YYYY-MM, both included: all up to that of `when.effective` where absent. `everyone`
    reckons also the persons of whom nothing was entered between, which takes long: their pay can
    be another where `law` is not empty; the first month must then be given.
    Raises MissingField, ImpossibleDate, BadInput, BeyondHead.
    """
    pair, stated = as_of(bureau, when)
    if before is None:
        raise MissingField(field="from_recorded")
    earlier, earlier_stated = as_of(bureau, When(pair.effective, before))
    if earlier.recorded > pair.recorded:
        raise BeyondHead(field="from_recorded")
    if everyone and first_month is None:
        raise MissingField(field="first_month")
    start, end = months(first_month or _FIRST_MONTH, last_month, pair.effective)
    span = _retro.Span(earlier.recorded, pair.recorded, pair.effective, start, end)
    found = _retro.retro(bureau.records, bureau.ledger, span, everyone=everyone)
    owed = [one.owed for one in found.owed]
    data = {
        "before": earlier_stated,
        "day": pair.effective,
        "first_month": f"{start:%Y-%m}" if first_month else None,
        "last_month": f"{end - timedelta(days=1):%Y-%m}",
        "everyone": everyone,
        "law": found.law,
        "reckoned": found.persons,
        "to_pay": sum(fen for fen in owed if fen > 0),
        "to_recover": sum(fen for fen in owed if fen < 0),
        "owed": plain(found.owed),
        "roster": [_placed(one) for one in found.roster],
        "entries": list(cited(bureau.ledger, _cited(found)).values()),
    }
    names = _roster.names_of(bureau.records, sorted(set(people_in(data))), pair)
    data["people"] = {person: {"name": name} for person, name in names.items()}
    return opened(bureau, stated, data)


_FIRST_MONTH = "1900-01"


def _cited(found: _retro.Retro) -> set[int]:
    owed = {p for one in found.owed for p in one.entries}
    return owed | {p for one in found.roster for p in one.entries} | set(found.law)


def _placed(one: _retro.Placed) -> Answer:
    return {
        "person": one.person, "facet": one.facet.name, "zh": one.facet.zh, "en": one.facet.en,
        "before": [_person.told(one.before)] if one.before else [],
        "after": [_person.told(one.after)] if one.after else [],
        "entries": one.entries,
    }  # fmt: skip
