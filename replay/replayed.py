"""Records replayed from a bundle, and reports held against the replay.

Owns the comparison; it travels inside the checker of an evidence bundle and needs Python alone.
Invariant: a report is right where the bundle's entries, folded anew, give every value of it.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from replay.answered import BEARING, Answering
from replay.findings import Kind, Told
from replay.offline import Bundle, Entry
from replay.refold import FOLD, Held, Refold, differing, opened_in

MERGES = "merges:person"
_ANSWER = {"as_of", "data"}
STATED = {"effective", "recorded", "recorded_at", "fold", "inside_batch"}
_LATER = {"ended", "lapsed", "reviews", "people"}
"""What an answer of an earlier software need not hold."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

_Said = tuple[int, str, bytes]
"""Position, type and data of an entry."""


def undeclared(told: Told, bundle: Bundle, declared: str, worded: str) -> None:
    """A finding where a bundle declares its types, or words its reports, otherwise than the
    checker's maker did: a replay reads by these, and they rest on the ledger's key alone.
    """
    if declared and bundle.digest("codebook.json") != declared:
        told.find(
            Kind.UNPROVED, "包内事项声明(codebook.json)不是本核验程序的:重放所得取决于制作本包者",
            "the declarations in the bundle are not those of this checker: what a replay says "
            "rests on whoever made the bundle",
        )  # fmt: skip
    words = bundle.json("words.json") if "words.json" in bundle.names else {}
    if worded and words and bundle.digest("words.json") != worded:
        told.find(
            Kind.UNPROVED, "包内报表用语(words.json)不是本核验程序的:代码称作什么取决于制作本包者",
            "the words of reports in the bundle are not those of this checker: what a code is "
            "called rests on whoever made the bundle",
        )  # fmt: skip


def instant_of(microseconds: int) -> datetime:
    """The time of an entry, counted from 1970."""
    return _BEGINNING + timedelta(microseconds=microseconds)


class Secret(NamedTuple):
    """A private value: disclosed, or not `known` here."""

    known: bool
    value: Any = None


class Replays:
    """What a bundle can replay: of everybody where it is complete, else of those it is about.

    `times` are those of its entries, `opened` the disclosed values by their commitments.
    """

    def __init__(
        self, told: Told, bundle: Bundle, times: Mapping[int, int], opened: Mapping[str, Any]
    ) -> None:
        self._told, self._bundle, self._times, self._opened = told, bundle, times, opened
        self._recorded = int(bundle.manifest["recorded"])
        self._complete = bundle.manifest["complete"] is True
        self._tagged: dict[str, list[Entry]] | None = None

    def _opening(self, held: Mapping[str, str]) -> Any:
        known = held["c"] in self._opened
        return self._opened[held["c"]] if known else {"withheld": held["c"]}

    def opened(self, value: Any) -> Any:
        """What a fact says, its private fields wrapped."""
        return opened_in(value, self._secret)

    def _secret(self, held: Mapping[str, str]) -> Secret:
        known = held["c"] in self._opened
        return Secret(known, self._opened[held["c"]] if known else None)

    def record(self, person: str, effective: str, recorded: int) -> Any:
        """The record of a person; None where this bundle cannot tell or nothing is known."""
        if not self.tells_of(person, recorded):
            return None
        return self._folded(person, recorded).record(person, effective, self._opening)

    def facets(
        self, kind: str, id_: str, effective: str, recorded: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Every facet of a subject on a day, and the last fact of those that are over; sealed."""
        fold = self._folded(id_, recorded, kind)
        return fold.facets(kind, id_, effective), fold.ended(kind, id_, effective)

    def spells(self, kept: str, recorded: int) -> list[dict[str, Any]]:
        """Every stretch of service of a person, and what ended it; sealed."""
        return self._folded(kept, recorded).spells(kept)

    def tells_of(self, person: str, recorded: int) -> bool:
        """Whether this bundle holds what is about a person at a position; a finding where not."""
        scope = self._bundle.manifest["person"]
        good = recorded <= self._recorded and (self._complete or person in scope)
        if not good:
            self._told.find(
                Kind.UNPROVED, f"本包不能重放人员 {person} 于位置 {recorded} 的档案",
                f"the record of {person} at {recorded} cannot be replayed from this bundle",
            )  # fmt: skip
        return good

    def _folded(self, id_: str, recorded: int, kind: str = "person") -> Refold:
        """The entries about a subject, about a person under each id."""
        ids = self.family(id_, recorded) if kind == "person" else [id_]
        about = {MERGES, *(f"{kind}:{one}" for one in ids)}
        fold = Refold(self.codebook())
        for entry in self.until(recorded):
            if not about.isdisjoint(entry.tags):
                fold.apply(entry.position, entry.type, entry.data)
        return fold

    def family(self, person: str, recorded: int) -> list[str]:
        """Every id of a person, the kept one first."""
        merges = Refold(self.codebook())
        for entry in self.until(recorded):
            if MERGES in entry.tags:
                merges.apply(entry.position, entry.type, entry.data)
        return merges.family(person)

    def everyone(self, effective: str, recorded: int) -> Iterator[Any]:
        """The records of all persons, in order of id; none where this bundle cannot tell."""
        if self.reaches(recorded):
            for person, fold in self._folds(recorded):
                found = fold.record(person, effective, self._opening)
                if found is not None:
                    yield found

    def everybody(
        self, effective: str, recorded: int, facets: Collection[str]
    ) -> Iterator[tuple[str, dict[str, Held]]]:
        """What answers for these facets of all persons, in order of id; private fields wrapped."""
        for person, fold in self._folds(recorded):
            for one, held in fold.standing("person", facets, effective, self._secret):
                if one == person:
                    yield one, held

    def units(
        self, effective: str, recorded: int, facets: Collection[str]
    ) -> dict[str, dict[str, Held]]:
        """What answers for these facets of all units, by id."""
        fold = Refold(self.codebook())
        for entry in self.until(recorded):
            if any(tag.startswith("unit:") for tag in entry.tags):
                fold.apply(entry.position, entry.type, entry.data)
        return dict(fold.standing("unit", facets, effective, self._opening))

    def every(self, recorded: int, facets: Collection[str]) -> dict[tuple[str, str], list[Held]]:
        """All that stands of these facets, by facet and subject; private fields sealed."""
        fold = Refold(self.codebook())
        for entry in self.until(recorded):
            if fold.bears_on(entry.type, facets):
                fold.apply(entry.position, entry.type, entry.data)
        return fold.every(facets)

    def about(self, subject: str, recorded: int) -> Iterator[Entry]:
        """The entries about a subject, about a person under every id that ever was one with it, and
        all merges.
        """
        kind, _, id_ = subject.partition(":")
        if self._tagged is None:
            self._tagged = {}
            for entry in self._bundle.entries():
                for tag in entry.tags:
                    self._tagged.setdefault(tag, []).append(entry)
        merging = self._tagged.get(MERGES, [])
        ids, joined = set[str](), {id_}
        while ids != joined and kind == "person":
            ids = {*joined}
            for entry in merging:
                both = {tag[7:] for tag in entry.tags if tag.startswith("person:")}
                joined |= set() if both.isdisjoint(joined) else both
        own = (e for one in joined for e in self._tagged.get(f"{kind}:{one}", ()))
        found = {entry.position: entry for entry in (*merging, *own)}
        yield from (found[position] for position in sorted(found) if position <= recorded)

    def codebook(self) -> Any:
        """What the types and facets declare."""
        return self._bundle.json("codebook.json")

    def withholds(self, position: int) -> bool:
        """Whether an entry is in the bundle by its hash alone."""
        return position in self._bundle.withheld

    def using_units(self, asked: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Where persons served on days: the host unit, else the home unit. Of persons whom this
        bundle does not hold whole nothing is told.
        """
        scope = self._bundle.manifest["person"]
        days: dict[str, set[str]] = {}
        for person, day in asked:
            if self._complete or person in scope:
                days.setdefault(person, set()).add(day)
        found = {}
        for kept, fold in self._folds(self._recorded) if days else ():
            for person in fold.family(kept):
                for day in days.get(person, ()):
                    answers = dict(fold.standing("person", ("host", "unit"), day, self._opening))
                    held = answers.get(kept, {})
                    values = (held[name].value for name in ("host", "unit") if name in held)
                    if (unit := next((v["unit"] for v in values if v), None)) is not None:
                        found[person, day] = unit
        return found

    def reaches(self, recorded: int) -> bool:
        """Whether everybody at a position can be told from this bundle; a finding where not."""
        good = recorded <= self._recorded and self._complete
        if not good:
            self._told.find(
                Kind.UNPROVED, f"本包不能重放位置 {recorded} 的全体档案",
                f"the records of everybody at {recorded} cannot be replayed from this bundle",
            )  # fmt: skip
        return good

    def recorded_at(self, position: int) -> datetime | None:
        """When an entry of the bundle was recorded."""
        at = self._times.get(position)
        return None if at is None else instant_of(at)

    def _folds(self, recorded: int) -> Iterator[tuple[str, Refold]]:
        """Each person's own entries, folded; under the id that is kept, in order of id."""
        codebook = self.codebook()
        merges = Refold(codebook)
        of_all: dict[int, _Said] = {}
        own: dict[str, dict[int, _Said]] = {}
        for entry in self.until(recorded):
            said = entry.position, entry.type, entry.data
            if MERGES in entry.tags:
                merges.apply(*said)
                of_all[entry.position] = said
            for tag in entry.tags:
                if tag.startswith("person:"):
                    own.setdefault(tag[7:], {})[entry.position] = said
        together: dict[str, dict[int, _Said]] = {}
        for person, entries in own.items():
            together.setdefault(merges.kept(person), {}).update(entries)
        for person, entries in sorted(together.items()):
            fold = Refold(codebook)
            for _, said in sorted({**of_all, **entries}.items()):
                fold.apply(*said)
            yield person, fold

    def until(self, recorded: int) -> Iterator[Entry]:
        for entry in self._bundle.entries():
            if entry.position > recorded:
                return
            yield entry

    def compare(self, answer: Any, zh: str, en: str, *, whole: bool = False) -> None:
        """Hold the record of a person against the entries. `whole`: it is to be all that the ledger
        answers, not the part of it that a bundle carries.
        """
        stated, data = answer["as_of"], answer["data"]
        person, effective, recorded = data["person"], stated["effective"], stated["recorded"]
        if stated["fold"] != FOLD:
            self._told.find(
                Kind.UNPROVED, f"{zh}由另一版本的折算规则得出",
                f"{en} was made under another version of the fold",
            )  # fmt: skip
            return
        replayed = self.record(person, effective, recorded)
        if replayed is None:
            self._told.find(
                Kind.REPORT, f"{zh}所载人员无登记", f"of whom {en} speaks nothing is recorded"
            )
            return
        withheld: list[str] = []
        unseen: list[str] = []
        if whole:
            replayed |= self._beside(data, effective, recorded, unseen)
        place = self._misstated(answer, recorded) or next(
            (
                f"/{name}"
                for name in sorted(data.keys() ^ replayed.keys())
                if name not in unseen or "/" in name
            ),
            None,
        )
        told = {name: data[name] for name in replayed if name in data}
        place = place or differing(told, replayed, "", withheld)
        if place is not None:
            self._told.find(
                Kind.REPORT, f"{zh}与登记重放所得不符:{place}",
                f"{en} is not what the entries give, at {place}",
            )  # fmt: skip
            return
        more = ["", ""]
        if withheld:
            more[0] += f",未披露的 {len(withheld)} 项未能比对"
            more[1] += f", but for {len(withheld)} not disclosed"
        if unseen:
            more[0] += f",未比对:{'、'.join(unseen)}"
            more[1] += f"; not compared: {', '.join(unseen)}"
        self._told.say(
            f"{zh}(人员 {person},生效 {effective},位置 {recorded})与登记重放所得一致{more[0]}",
            f"{en} ({person}, effective {effective}, position {recorded}) is what the entries give"
            + more[1],
        )  # fmt: skip

    def _misstated(self, answer: Mapping[str, Any], recorded: int) -> str | None:
        """Where what an answer says of itself is wrong, or is nothing that an answer says."""
        stated, at = answer["as_of"], self.recorded_at(recorded)
        extra = [*(f"/{name}" for name in sorted(answer.keys() - _ANSWER))]
        extra += [f"/as_of/{name}" for name in sorted(stated.keys() - STATED)]
        if at is not None and datetime.fromisoformat(stated["recorded_at"]) - at:
            extra.append("/as_of/recorded_at")
        if stated.get("inside_batch", True) is not True:
            extra.append("/as_of/inside_batch")
        return extra[0] if extra else None

    def _beside(
        self, data: Mapping[str, Any], effective: str, recorded: int, unseen: list[str]
    ) -> dict[str, Any]:
        """What an answer is to say beside facets and spells; what cannot be told is noted."""
        person = data["person"]
        kept, *aliases = self.family(person, recorded)
        beside: dict[str, Any] = {} if kept == person else {"same_as": kept}
        if aliases:
            beside["aliases"] = aliases
        ended = self._folded(kept, recorded).ended("person", kept, effective)
        beside["ended"] = opened_in(ended, self._opening)
        beside["reviews"] = self.reviews(kept, effective, recorded)
        scope, names = self._bundle.manifest["person"], {}
        for one, said in data.get("people", {}).items():
            if self._complete or one in scope:
                fold = self._folded(one, recorded)
                answers = dict(fold.standing("person", ("name",), effective, self._opening))
                held = answers.get(fold.kept(one), {}).get("name")
                names[one] = {"name": held and (held.value or {}).get("name")}
            else:
                names[one] = said
                unseen.append(f"people/{one}")
        beside["people"] = names
        if self._complete:
            answering = Answering(self.every(recorded, BEARING))
            beside["lapsed"] = answering.lapsed(kept, effective)
        unseen += [name for name in beside if name not in data and name in _LATER]
        if not self._complete:
            unseen.append("lapsed")
        if beside["reviews"] is None:
            del beside["reviews"]
            unseen.append("reviews")
            self._told.find(
                Kind.UNPROVED, "本包不能重放此人各项登记的复核,请以 --all 导出",
                "the reviews of this person's acts cannot be replayed from this bundle; have it "
                "exported with --all",
            )  # fmt: skip
        return {name: value for name, value in beside.items() if name not in unseen}

    def reviews(self, kept: str, effective: str, recorded: int) -> list[dict[str, Any]] | None:
        """The reviews of acts about a person; None where there are some, and their conclusions may
        lie beyond this bundle.
        """
        fold = Refold(self.codebook())
        opened: dict[str, None] = {}
        for entry in self.until(recorded):
            if any(tag.startswith("review:") for tag in entry.tags):
                fold.apply(entry.position, entry.type, entry.data)
                if entry.type == "ReviewOpened" and f"person:{kept}" in entry.tags:
                    opened[json.loads(entry.data)["fields"]["review"]] = None
        if opened and not self._complete:
            return None
        rows = [row for review in opened for row in fold.reviews(review, effective)]
        return sorted(rows, key=lambda row: row["opened_by"])
