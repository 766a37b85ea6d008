"""What a bundle of evidence says of reads: who looked at its persons, checked under their own head.

Owns the checks of the second log; it travels inside the checker and needs Python alone. Invariant:
whom a list held is believed only where it gives the list's digest; what cannot be told is counted;
rows may lack that an entry of the ledger ordered to go, and no others.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from replay.earlier import OF_READS, Earlier
from replay.findings import Kind, Told
from replay.offline import Bundle, Entry, b64, head_of, included, positions, roots_of, signed
from replay.tokens import Certificate

READS = ("RecordRead", "ReadDenied")
HEAD_NOTED = "HeadNoted"
TOLD = (
    "outcome", "actor", "via", "question", "parameters", "effective", "recorded", "classes",
    "count", "purpose", "case", "rights", "request_id",
)  # fmt: skip
_START = datetime(1970, 1, 1)  # noqa: DTZ001 - said in UTC


class Looked:
    """The reads of one bundle. `shown`: those in which one of the `family` was, or may have been;
    all where that is nobody.
    """

    def __init__(
        self, told: Told, bundle: Bundle, noted: Sequence[tuple[int, str]],
        cuts: Sequence[tuple[int, Mapping[str, Any]]], family: Collection[str],
    ) -> None:  # fmt: skip
        self._told, self._bundle = told, bundle
        self._noted = noted  # heads of this log that entries of the ledger hold
        self.shown: list[dict[str, Any]] = []
        self.heads: list[tuple[int, str]] = []  # of the ledger, which rows of this log hold
        said = bundle.manifest["reads"]
        self._whole: bool = said["complete"] is True
        self._stated: str = said["origin"]
        self._withheld = positions(said["withheld"])
        self._family = {*family}
        self._note = bundle.text("reads-head.note")
        self._origin, self._size, self._root = head_of(self._note)
        ours = [
            (int(f["rows"]), n)
            for n, f in cuts
            if self._origin == f"personnel-ledger/{f['ledger']}"
        ]
        self._gone, self._order = max(ours, default=(0, 0))
        self._first = 1  # the first row that is here
        self._persons: dict[str, set[str]] = {}  # by the digest of a list
        self._times: dict[int, int] = {}

    def check(
        self, key: str, witnesses: Sequence[str], kept: Sequence[tuple[str, int, bytes]],
        trusted: list[Certificate],
    ) -> None:  # fmt: skip
        """`key`: the ledger's that is in force; it signs for the reads under their origin. `kept`:
        heads of this log from earlier visits; `trusted`: certificates of a time-stamp authority.
        """
        ours = f"{self._origin}+{key.partition('+')[2]}"
        if self._origin != self._stated or not signed(self._note, ours):
            self._told.find(
                Kind.SIGNATURE, "查阅日志的封签没有有效签名",
                "the head of the log of reads bears no valid signature",
            )  # fmt: skip
        for witness in witnesses:
            if not signed(self._note, witness):
                whose = witness.partition("+")[0]
                self._told.find(
                    Kind.WITNESS, f"查阅日志的封签没有见证人 {whose} 的有效会签",
                    f"the head of the log of reads bears no valid line of the witness {whose}",
                )  # fmt: skip
        self._lists()
        held = self._bundle.read("reads-leaves.bin") if self._whole else b""
        sealed = [held[n : n + 32] for n in range(0, len(held), 32)]
        self._rows(sealed)
        if self._whole:
            self._leaves(sealed)
        self._lead(sealed, kept, trusted)
        self._say()

    def _lead(
        self, sealed: list[bytes], kept: Sequence[tuple[str, int, bytes]],
        trusted: list[Certificate],
    ) -> None:  # fmt: skip
        """The head extends those before it that were kept or time-stamped."""
        names = self._bundle.names
        proofs, held = (
            self._bundle.json(name) if name in names else empty
            for name, empty in (("reads-extensions.json", {}), ("reads-stamps.json", []))
        )
        head, until = (self._origin, self._size, self._root), self._size if self._whole else 0
        earlier = Earlier(self._told, OF_READS, head, proofs, lambda n: sealed[n - 1], until)
        for one in kept:
            earlier.kept(*one)
        earlier.stamps(held, trusted, self._times)

    def _lists(self) -> None:
        for one in self._bundle.json("reads-lists.json"):
            said = "".join(f"{person}\n" for person in one["persons"])
            if sha256(said.encode()).hexdigest() == one["digest"]:
                self._persons[one["digest"]] = {*one["persons"]}
            else:
                self._told.find(
                    Kind.DISCLOSED, "查阅名单所列人员与其摘要不符",
                    "the persons of a list that was read are not those of its digest",
                )  # fmt: skip

    def _rows(self, sealed: list[bytes]) -> None:
        """Every row is under the head, as entries are."""
        proofs = self._bundle.json("reads-proofs.json")
        expected, last = 1, 0
        for row in self._bundle.entries("reads.bin"):
            position = row.position
            if not self._times:
                expected = self._first = max(1, min(position, self._gone + 1))
            self._times[position] = row.recorded_at
            expected = self._past(expected)
            if self._whole and position > expected:
                self._missing(expected)
            if position < expected:
                self._told.find(
                    Kind.ENTRY, f"查阅日志第 {position} 条重复或次序颠倒",
                    f"row {position} of the log of reads is there twice or out of order",
                )  # fmt: skip
            expected = position + 1
            if row.recorded_at < last:
                self._told.find(
                    Kind.TIME, f"查阅日志第 {position} 条的时间早于前一条",
                    f"row {position} of the log of reads was recorded before the one ahead of it",
                )  # fmt: skip
            last = row.recorded_at
            if self._whole:
                good = sealed[position - 1 : position] == [row.leaf]
            else:
                path = [b64(step) for step in proofs.get(str(position), ())]
                good = included(row.leaf, position - 1, self._size, path) == self._root
            if not good:
                self._told.find(
                    Kind.ENTRY, f"查阅日志第 {position} 条不是封签时的原样",
                    f"row {position} of the log of reads is not what was sealed",
                )  # fmt: skip
            self._take(row)
        if self._whole and (expected := self._past(expected)) <= self._size:
            self._missing(expected)

    def _take(self, row: Entry) -> None:
        if row.type == HEAD_NOTED:
            self.heads.append((row.position, json.loads(row.data)["note"]))
        if row.type not in READS:
            return
        said = json.loads(row.data)
        listed = "list" in row.tags
        held: set[str] | None = {tag[7:] for tag in row.tags if tag.startswith("person:")}
        if listed:
            held = self._persons.get(said["digest"])
        if held is not None and self._family and held.isdisjoint(self._family):
            return
        at = (_START + timedelta(seconds=row.recorded_at // 1_000_000)).isoformat()
        told = {name: said[name] for name in TOLD if name in said}
        self.shown.append(
            {"read": row.position, "at": at + "Z", **told, "list": listed, "sure": held is not None}
        )

    def _past(self, position: int) -> int:
        while position in self._withheld:
            position += 1
        return position

    def _missing(self, position: int) -> None:
        self._told.find(
            Kind.MISSING, f"缺查阅日志第 {position} 条",
            f"row {position} of the log of reads is missing",
        )  # fmt: skip

    def _leaves(self, sealed: list[bytes]) -> None:
        """All leaves give the head, and every head of this log that the ledger noted."""
        if any(position > len(sealed) for position in self._withheld):
            raise ValueError("a row beyond the last is withheld")
        noted = [(position, *head_of(note)) for position, note in self._noted]
        roots = roots_of(sealed, {len(sealed), *(size for _, _, size, _ in noted)})
        if len(sealed) != self._size or roots[len(sealed)] != self._root:
            self._told.find(
                Kind.HEAD, "查阅日志全部记录算得的树根不是其封签的树根",
                "the root over all rows of the log of reads is not that of its head",
            )  # fmt: skip
        for position, origin, size, root in noted:
            if origin != self._origin or roots.get(size) != root:
                self._told.find(
                    Kind.WITNESS, f"第 {position} 条登记所记查阅日志的封签与包内查阅日志不符",
                    f"entry {position} notes a head that the log of reads does not bear out",
                )  # fmt: skip

    def _say(self) -> None:
        size, unseen, count = self._size, len(self._withheld), len(self._times)
        first, gone, order = self._first, self._gone, self._order
        if gone:
            self._told.say(
                f"查阅日志前 {gone} 条已由第 {order} 条登记下令到期销毁:其中查阅何人,不再可知",
                f"the first {gone} rows of the log of reads were ordered to go by entry {order}: "
                "whom they were about can be told no more",
            )  # fmt: skip
        if self._whole and unseen:
            self._told.say(
                f"查阅日志第 {first} 至 {size} 条中,{unseen} 条标为未公开案件之查阅、只有摘要:"
                "查阅何人,本包不能证明;其余全部在包内",
                f"of rows {first} to {size} of the log of reads, {unseen} are said to be for "
                "sealed cases and are here by their hash alone: whom they are about, this bundle "
                "cannot prove",
            )  # fmt: skip
        elif self._whole:
            self._told.say(
                f"查阅日志第 {first} 至 {size} 条全部在包内:任何人被查阅的记录无一遗漏",
                f"rows {first} to {size} of the log of reads are all here: no read of anyone is "
                "left out",
            )  # fmt: skip
        else:
            self._told.say(
                f"包内 {count} 条查阅记录各自在 {size} 条之封签下;是否另有查阅,本包不能证明",
                f"each of the {count} reads lies under a head over {size}; that there are no "
                "others, this bundle cannot prove",
            )  # fmt: skip
        sure = sum(one["sure"] for one in self.shown)
        unsure = len(self.shown) - sure
        zh, en = ("涉及本包人员的", " of the persons of this bundle") if self._family else ("", "")
        if self._family != {*self._bundle.manifest["person"]}:
            zh, en = "涉及所问人员的", " of the person asked about"
        self._told.say(
            f"{zh}查阅 {sure} 条;另有名单 {unsure} 份不能证明其中有谁",
            f"reads{en}: {sure}; lists of which it cannot be proved whom they held: {unsure}",
        )  # fmt: skip


def unborne(
    heads: Sequence[tuple[int, str]], origin: str, leaves: Mapping[int, bytes], last: int
) -> list[int]:
    """Where a row notes a head of the ledger up to its entry `last` that is none of its heads."""
    noted = [(position, *head_of(note)) for position, note in heads]
    sizes = {size for _, _, size, _ in noted if size <= last}
    roots = roots_of([leaves[n] for n in range(1, last + 1)] if sizes else [], sizes)
    return [
        p for p, o, size, root in noted if size <= last and (o, roots.get(size)) != (origin, root)
    ]
