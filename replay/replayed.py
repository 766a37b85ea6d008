"""Records replayed from a bundle, and reports held against the replay.

Owns the comparison; it travels inside the checker of an evidence bundle and needs Python alone.
Invariant: a report is right where the bundle's entries, folded anew, give every value of it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from replay.findings import Kind, Told
from replay.offline import Bundle, Entry
from replay.refold import FOLD, Refold, differing

MERGES = "merges:person"

_Said = tuple[int, str, bytes]
"""Position, type and data of an entry."""


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

    def _opening(self, held: Mapping[str, str]) -> Any:
        known = held["c"] in self._opened
        return self._opened[held["c"]] if known else {"withheld": held["c"]}

    def record(self, person: str, effective: str, recorded: int) -> Any:
        """The record of a person; None where this bundle cannot tell or nothing is known."""
        scope = self._bundle.manifest["person"]
        if recorded > self._recorded or not (self._complete or person in scope):
            self._told.find(
                Kind.UNPROVED, f"本包不能重放人员 {person} 于位置 {recorded} 的档案",
                f"the record of {person} at {recorded} cannot be replayed from this bundle",
            )  # fmt: skip
            return None
        codebook = self._bundle.json("codebook.json")
        everyone = Refold(codebook)
        for entry in self.until(recorded):
            if MERGES in entry.tags:
                everyone.apply(entry.position, entry.type, entry.data)
        family = everyone.family(person)
        about = {MERGES, *(f"person:{one}" for one in family)}
        fold = Refold(codebook)
        for entry in self.until(recorded):
            if not about.isdisjoint(entry.tags):
                fold.apply(entry.position, entry.type, entry.data)
        return fold.record(person, effective, self._opening)

    def everyone(self, effective: str, recorded: int) -> Iterator[Any]:
        """The records of all persons, in order of id; none where this bundle cannot tell."""
        if recorded > self._recorded or not self._complete:
            self._told.find(
                Kind.UNPROVED, f"本包不能重放位置 {recorded} 的全体档案",
                f"the records of everybody at {recorded} cannot be replayed from this bundle",
            )  # fmt: skip
            return
        codebook = self._bundle.json("codebook.json")
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
            found = fold.record(person, effective, self._opening)
            if found is not None:
                yield found

    def until(self, recorded: int) -> Iterator[Entry]:
        for entry in self._bundle.entries():
            if entry.position > recorded:
                return
            yield entry

    def compare(self, answer: Any, zh: str, en: str) -> None:
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
        told = {name: data[name] for name in replayed}
        place = differing(told, replayed, "", withheld)
        since = datetime.fromisoformat(stated["recorded_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
        if self._times.get(recorded) not in (None, since // timedelta(microseconds=1)):
            place = "/as_of/recorded_at"
        if place is not None:
            self._told.find(
                Kind.REPORT, f"{zh}与登记重放所得不符:{place}",
                f"{en} is not what the entries give, at {place}",
            )  # fmt: skip
            return
        rest = (f",未披露的 {len(withheld)} 项未能比对", f", but for {len(withheld)} not disclosed")
        more = rest if withheld else ("", "")
        self._told.say(
            f"{zh}(人员 {person},生效 {effective},位置 {recorded})与登记重放所得一致{more[0]}",
            f"{en} ({person}, effective {effective}, position {recorded}) is what the entries give"
            + more[1],
        )  # fmt: skip
