"""Checks an evidence bundle offline. One file: it travels in the bundle and runs there alone.

Owns the verdict on a bundle. Needs Python 3.11 and `cryptography`,
nothing of this product. Invariant: nothing in the bundle is believed that does not follow from a
signed head; what a bundle cannot prove is said, never passed over.

    python check.py BUNDLE.zip --key KEY
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from replay.earlier import OF_ENTRIES, Earlier
from replay.findings import Asked, Finding, Kind, Told, Verdict
from replay.offline import (
    Bundle,
    Entry,
    b64,
    extends,
    head_of,
    included,
    loaded,
    opens,
    root_of,
    signed,
)
from replay.proofs import check_proof, is_proof
from replay.refold import sealed_in
from replay.remarks import BY, counted, grouped, remarked
from replay.replayed import Replays, undeclared
from replay.reports import compare_file
from replay.seen import Looked, unborne
from replay.sheets import is_answer
from replay.tokens import Certificate, pem

KEY_CHANGED, PACK = "SealKeyChanged", "PackPublished"
READS_SEALED, READS_CUT = "ReadsSealed", "ReadsCut"


class _Check(Told):
    """One check of one bundle."""

    def __init__(self, path: Path, asked: Asked) -> None:
        super().__init__()
        self.bundle = Bundle(path)
        self.asked = asked
        self.replayed: Any = None
        self.everyone: list[Any] = []
        self.remarks: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.looks: list[dict[str, Any]] = []
        self.noted: list[tuple[int, str]] = []  # heads of the log of reads, and where
        self.cuts: list[tuple[int, dict[str, Any]]] = []  # what was ordered to go of the reads
        self.kept_reads: list[tuple[str, int, bytes]] = []
        manifest = self.bundle.manifest
        self.recorded: int = int(manifest["recorded"])
        self.complete: bool = manifest["complete"] is True
        self.note = self.bundle.text("head.note")
        self.origin, self.size, self.root = head_of(self.note)
        self.leaves: dict[int, bytes] = {}
        self.times: dict[int, int] = {}  # microseconds since 1970
        self.changes: list[tuple[int, dict[str, str]]] = []
        self._open: dict[str, Any] = {}

    def verdict(self) -> Verdict:
        stages: list[tuple[str, str, Callable[[], None]]] = [
            ("文件", "files", self.files),
            ("登记", "entries", self.entries),
            ("封签", "head", self.head),
            ("先前所存封签", "head kept", self.kept),
            ("时间戳", "time stamps", self.stamps),
            ("回执", "receipts", self.receipts),
            ("披露", "disclosed fields", self.disclosed),
            ("档案", "record", self.records),
            ("提示", "remarks", self.remark),
            ("查阅日志", "log of reads", self.reads),
        ]
        for zh, en, stage in stages:
            try:
                stage()
            except Exception:  # noqa: BLE001 - whatever a hostile file does to a parser is a finding
                self.find(Kind.UNREADABLE, f"{zh}部分不能读取", f"the part {en} cannot be read")
        order = sorted(self.findings, key=lambda f: f.kind)
        return Verdict(
            order, self.said, self.replayed, self.remarks, self.looks, self.everyone, self.groups
        )

    def files(self) -> None:
        """Every file is the one the manifest names, once; codebook and words are this checker's."""
        undeclared(self, self.bundle, self.asked.declared, self.asked.worded)
        named: dict[str, dict[str, str]] = self.bundle.manifest["files"]
        own = {"manifest.json", "manifest.note"}
        if len(set(self.bundle.names)) != len(self.bundle.names):
            self.find(Kind.FILE, "包内有同名文件", "a file is in the bundle twice")
        if not self.bundle.framed():
            en = "the zip holds more than its files, or a file's header is not what its list says"
            self.find(Kind.FILE, "压缩包内除文件外另有内容,或文件头与目录不符", en)
        for name in sorted(named.keys() ^ (set(self.bundle.names) - own)):
            self.find(Kind.FILE, f"文件 {name} 缺失或多出", f"the file {name} is missing or extra")
        for name in sorted(named.keys() & set(self.bundle.names)):
            if self.bundle.digest(name) != named[name]["sha256"]:
                self.find(
                    Kind.FILE, f"文件 {name} 与清单不符",
                    f"the file {name} is not what the manifest names",
                )  # fmt: skip

    def entries(self) -> None:
        """Every entry is under the head: by all leaves before it, or by its own path."""
        held = self.bundle.read("leaves.bin") if self.complete else b""
        sealed = [held[n : n + 32] for n in range(0, len(held), 32)]
        proofs = self.bundle.json("proofs.json")
        expected, last, count = 1, 0, 0
        for entry in self.bundle.entries():
            position, leaf, count = entry.position, entry.leaf, count + 1
            self.leaves[position] = leaf
            self.times[position] = entry.recorded_at
            expected = self.bundle.past_withheld(expected)
            if self.complete and expected <= self.recorded and position > expected:
                self._missing(expected)
            if position < expected:
                self.find(
                    Kind.ENTRY, f"第 {position} 条登记重复或次序颠倒",
                    f"entry {position} is there twice or out of order",
                )  # fmt: skip
            expected = position + 1
            if entry.recorded_at < last:
                self.find(
                    Kind.TIME, f"第 {position} 条登记的时间早于前一条",
                    f"entry {position} was recorded before the one ahead of it",
                )  # fmt: skip
            last = entry.recorded_at
            if self.complete and position <= self.recorded:
                good = sealed[position - 1 : position] == [leaf]
            else:
                path = [b64(step) for step in proofs["entries"].get(str(position), ())]
                good = included(leaf, position - 1, self.size, path) == self.root
            if not good:
                self.find(
                    Kind.ENTRY, f"第 {position} 条登记不是封签时的原样",
                    f"entry {position} is not what was sealed",
                )  # fmt: skip
            self._take(entry)
        if self.complete:
            self._all_leaves(sealed, expected, proofs)
        self._say_entries(count)

    def _take(self, entry: Entry) -> None:
        if entry.type == KEY_CHANGED:
            self.changes.append((entry.position, json.loads(entry.data)["fields"]))
        if entry.type == READS_SEALED:
            self.noted.append((entry.position, json.loads(entry.data)["fields"]["note"]))
        if entry.type == READS_CUT:
            self.cuts.append((entry.position, json.loads(entry.data)["fields"]))
        if entry.type == PACK:
            self._pack(entry.position, json.loads(entry.data)["fields"])

    def _pack(self, position: int, pack: Mapping[str, str]) -> None:
        if hashlib.sha256(pack["text"].encode()).hexdigest() != pack["digest"]:
            self.find(
                Kind.DIGEST, f"第 {position} 条登记所发布的规则包 {pack['code']} 与其摘要不符",
                f"the pack {pack['code']} that entry {position} publishes is not what its digest "
                "says",
            )  # fmt: skip

    def _missing(self, position: int) -> None:
        self.find(Kind.MISSING, f"缺第 {position} 条登记", f"entry {position} is missing")

    def _all_leaves(self, sealed: list[bytes], expected: int, proofs: Any) -> None:
        if (expected := self.bundle.past_withheld(expected)) <= self.recorded:
            self._missing(expected)
        if any(position > len(sealed) for position in self.bundle.withheld):
            raise ValueError("an entry beyond the last is withheld")
        self.leaves |= {p: sealed[p - 1] for p in self.bundle.withheld}
        path = [b64(step) for step in proofs["extensions"][str(self.recorded)]]
        grown = extends(self.recorded, root_of(sealed), self.size, self.root, path)
        if len(sealed) != self.recorded or not grown:
            self.find(
                Kind.HEAD, "全部登记算得的树根不是封签的树根:登记连同摘要被改动,或封签属另一账本",
                "the root over all entries is not that of the head: an entry was altered together "
                "with its hash, or the head is another log's",
            )  # fmt: skip

    def _say_entries(self, count: int) -> None:
        size, recorded, unseen = self.size, self.recorded, len(self.bundle.withheld)
        if self.complete and unseen:
            self.say(
                f"第 1 至 {recorded} 条登记中,{unseen} 条标为未公开案件、只有摘要:"
                "是否涉及何人,本包不能证明;其余全部在包内",
                f"of entries 1 to {recorded}, {unseen} are said to be of sealed cases and are "
                "here by their hash alone: whom they are about, this bundle cannot prove",
            )  # fmt: skip
        elif self.complete:
            self.say(
                f"第 1 至 {recorded} 条登记全部在包内,封签下共 {size} 条:任何人的登记无一遗漏",
                f"entries 1 to {recorded} are all here, under a head over {size}: "
                "no entry about anyone is left out",
            )  # fmt: skip
        else:
            self.say(
                f"包内 {count} 条登记各自在 {size} 条之封签下;是否另有涉及此人的登记,本包不能证明",
                f"each of the {count} entries lies under a head over {size}; that there are no "
                "others about this person, this bundle cannot prove",
            )  # fmt: skip

    def head(self) -> None:
        """The key given, followed through its changes, signed the head and the manifest."""
        chain = self._chain()
        given = self.asked.key
        if given is None:
            self.say(
                "未给出公钥,用的是包内所附:只能证明本包前后一致,不能证明出自哪个账本",
                "no public key was given and the bundle's own was used: it agrees with itself, "
                "which ledger made it is not proved",
            )  # fmt: skip
        elif given.strip() not in chain:
            self._unsigned("所给公钥不是本账本用过的密钥", "the key given never signed here")
        name = chain[-1].partition("+")[0]
        if name != self.origin or not signed(self.note, chain[-1]):
            self._unsigned("封签没有有效签名", "the head bears no valid signature")
        over = self.bundle.text("manifest.note")
        said = f"{self.origin} evidence\n{self.bundle.digest('manifest.json')}\n"
        if over.rpartition("\n\n")[0] + "\n" != said or not signed(over, chain[-1]):
            self._unsigned("清单没有有效签名", "the manifest bears no valid signature")
        for witness in self.asked.witness_keys:
            if not signed(self.note, witness):
                whose = witness.partition("+")[0]
                self.find(
                    Kind.WITNESS, f"封签没有见证人 {whose} 的有效会签",
                    f"the head bears no valid line of the witness {whose}",
                )  # fmt: skip

    def _unsigned(self, zh: str, en: str) -> None:
        self.find(Kind.SIGNATURE, zh, en)

    def _chain(self) -> list[str]:
        """The keys of this ledger in order, each put in force by an entry that it and the one
        before it signed; the first is the one that the bundle names where there is no change.
        """
        chain: list[str] = []
        for position, change in self.changes:
            old, new = change["previous"], change["key"]
            said = f"{old.partition('+')[0]} key\n{old}\n{new}\n"
            note = change["note"]
            good = note.rpartition("\n\n")[0] + "\n" == said and signed(note, old)
            renamed = new.partition("+")[0] != old.partition("+")[0]
            if not (good and signed(note, new)) or renamed or (chain and chain[-1] != old):
                self._unsigned(
                    f"第 {position} 条登记更换密钥,但未经新旧密钥共同签署",
                    f"entry {position} changes the key without the old key's signature",
                )
            chain = [*(chain or [old]), new]
        return chain or [self.bundle.text("key.txt").strip()]

    def kept(self) -> None:
        """The head extends those that were kept from earlier visits, of the log of reads too."""
        of_reads = {self._reads_origin(), *(head_of(note)[0] for _, note in self.noted)}
        of_reads.discard(self.origin)  # whatever the bundle says, such a head is the ledger's
        for path in self.asked.kept:
            origin, size, root = head_of(path.read_text())
            if origin not in of_reads:
                self._earlier().kept(origin, size, root)
            elif "reads" in self.bundle.manifest:
                self.kept_reads.append((origin, size, root))
            else:
                self._no_reads()

    def _no_reads(self) -> None:
        zh = "包内没有查阅日志,请以 --reads 导出"
        en = "the log of reads is not in this bundle; have it exported with --reads"
        self.find(Kind.UNPROVED, zh, en)

    def _reads_origin(self) -> str | None:
        reads = self.bundle.manifest.get("reads")
        return None if reads is None else str(reads["origin"])

    def _earlier(self) -> Earlier:
        proofs = self.bundle.json("proofs.json")["extensions"]
        until = self.recorded if self.complete else 0
        head = self.origin, self.size, self.root
        return Earlier(self, OF_ENTRIES, head, proofs, self.leaves.__getitem__, until)

    def _trusted(self) -> list[Certificate]:
        given = self.asked.stamps
        return [] if given is None else [Certificate(one) for one in pem(given.read_text())]

    def stamps(self) -> None:
        """What an authority stamped leads to this head; the times agree with it."""
        held = self.bundle.json("stamps.json") if "stamps.json" in self.bundle.names else []
        self._earlier().stamps(held, self._trusted(), self.times)

    def receipts(self) -> None:
        """What a receipt acknowledged lies in the log as it was acknowledged."""
        for path in self.asked.receipts:
            note = path.read_text()
            first, _, *rows = note.rpartition("\n\n")[0].split("\n")
            known = any(signed(note, key) for key in self._chain())
            if first != f"{self.origin} receipt" or not known or not rows:
                self.find(
                    Kind.RECEIPT, "回执不是本账本所签", "a receipt was not signed by this ledger"
                )
                continue
            for row in rows:
                position, _, leaf = row.partition(" ")
                self._acknowledged(int(position), b64(leaf))

    def _acknowledged(self, position: int, leaf: bytes) -> None:
        lies = self.leaves.get(position)
        if lies is None and not (self.complete and position <= self.recorded):
            self.find(
                Kind.UNPROVED, f"回执所载第 {position} 条登记不在本包内",
                f"entry {position}, which a receipt names, is not in this bundle",
            )  # fmt: skip
        elif lies != leaf:
            self.find(
                Kind.RECEIPT, f"账本签发过第 {position} 条登记的回执,包内登记与之不符",
                f"the ledger gave a receipt for entry {position}, which is another now",
            )  # fmt: skip

    # disclosed fields and the record

    def disclosed(self) -> None:
        """Each salt and value gives the commitment that stands in the entry it is said to be of."""
        fields: list[dict[str, Any]] = self.bundle.json("disclosed.json")
        wanted: dict[int, list[dict[str, Any]]] = {}
        for one in fields:
            wanted.setdefault(one["position"], []).append(one)
        for entry in self.bundle.entries() if wanted else ():
            for one in wanted.pop(entry.position, ()):
                stands = any(
                    (name, held["c"], held["o"]) == (one["field"], one["commitment"], one["owner"])
                    for name, held in sealed_in(json.loads(entry.data)["fields"])
                )
                if stands and opens(one["salt"], one["value"], one["commitment"]):
                    self._open[one["commitment"]] = json.loads(one["value"])
                else:
                    self._false(one)
        for one in (one for rest in wanted.values() for one in rest):
            self._false(one)
        if fields:
            zh, count = "与登记中的承诺值相符", len(self._open)
            en = "private fields are disclosed and match their commitments"
            self.say(f"披露字段 {count} 项{zh}", f"{count} {en}")

    def _false(self, one: Mapping[str, Any]) -> None:
        position, name = int(one["position"]), one["field"]
        self.find(
            Kind.DISCLOSED, f"第 {position} 条登记的披露字段 {name} 与承诺值不符",
            f"the field {name} disclosed of entry {position} is not what was committed to",
        )  # fmt: skip

    def records(self) -> None:
        """The report in the bundle, and the one brought along, are what the entries give."""
        replays = Replays(self, self.bundle, self.times, self._open)
        for name in sorted(n for n in self.bundle.names if n.startswith("report")):
            which = name.removeprefix("report").removesuffix(".json").removeprefix("-")
            zh, en = f"包内档案{which}", f"the report {which} in the bundle".replace("  ", " ")
            replays.compare(self.bundle.json(name), zh, en)
        if (given := self.asked.report) is not None and is_answer(given):
            told = loaded(given.read_bytes())
            replays.compare(told, "所给档案", "the report given", whole=True)
        elif given is not None:
            words = self.bundle.json("words.json") if "words.json" in self.bundle.names else {}
            compare_file(self, replays, words, given, self.asked.columns)
        recorded = self.recorded if self.asked.recorded is None else self.asked.recorded
        effective = self.asked.effective or self.bundle.manifest["effective"]
        if self.asked.everyone:
            self.everyone = [*replays.everyone(effective, recorded)]
        if self.asked.replay is not None:
            self.replayed = replays.record(self.asked.replay, effective, recorded)

    def remark(self) -> None:
        """What an auditor looks at first."""
        codebook = self.bundle.json("codebook.json")
        found = (
            remarked(entry, codebook)
            for entry in self.bundle.entries()
            if entry.position <= self.recorded
        )
        self.remarks = [one for one in found if one is not None]
        if (told := counted(self.remarks)) is not None:
            self.say(*told)
        if self.asked.by is not None:
            units = self._units() if self.asked.by == "unit" else {}
            self.groups = grouped(self.remarks, self.asked.by, units)

    def _units(self) -> dict[int, list[str]]:
        """The units that the entries remarked on are about: named, or where their persons served
        on the act's day.
        """
        about = {
            one["position"]: [(tag.partition(":")[2], one["effective"]) for tag in one["tags"]
                              if tag.startswith("person:")]
            for one in self.remarks
        }  # fmt: skip
        replays = Replays(self, self.bundle, self.times, self._open)
        served = replays.using_units({pair for pairs in about.values() for pair in pairs})
        return {
            one["position"]: sorted(
                {tag[5:] for tag in one["tags"] if tag.startswith("unit:")}
                | {served[pair] for pair in about[one["position"]] if pair in served}
            )
            for one in self.remarks
        }

    def reads(self) -> None:
        """Who looked at the persons of the bundle; the two logs bear each other out."""
        if "reads" not in self.bundle.manifest:
            if self.asked.who_read is not None:
                self._no_reads()
            return
        if self._reads_origin() == self.origin:
            en = "what is said to be the log of reads bears the ledger's name"
            self.find(Kind.HEAD, "所称查阅日志与账本同名", en)
            return
        looked = Looked(self, self.bundle, self.noted, self.cuts, self._looked_at())
        self.looks = looked.shown
        looked.check(self._chain()[-1], self.asked.witness_keys, self.kept_reads, self._trusted())
        heads = looked.heads if self.complete else []
        for position in unborne(heads, self.origin, self.leaves, self.recorded):
            self.find(
                Kind.WITNESS, f"查阅日志第 {position} 条所记账本的封签与包内登记不符",
                f"row {position} of the log of reads notes a head that the entries do not bear out",
            )  # fmt: skip

    def _looked_at(self) -> list[str]:
        """Every id of the person who was asked about, else the persons of the bundle."""
        scope: list[str] = self.bundle.manifest["person"]
        person, whole = self.asked.who_read, self.bundle.manifest["reads"]["complete"] is True
        if person is None or (person in scope and not whole):
            return scope
        if whole:
            return Replays(self, self.bundle, self.times, {}).family(person, self.recorded)
        self.find(
            Kind.UNPROVED, f"本包不能证明何人查阅过 {person}",
            f"who has looked at {person} cannot be told from this bundle",
        )  # fmt: skip
        return [person]


def check(path: Path, asked: Asked) -> Verdict:
    """The verdict on a bundle, or on one entry's proof; raises nothing for whatever it holds."""
    if is_proof(path):
        return check_proof(path, asked)
    try:
        one = _Check(path, asked)
    except Exception:  # noqa: BLE001 - whatever a hostile file does to a parser is a finding
        said = "不是可读取的证据包", "this is no bundle of evidence that can be read"
        return Verdict([Finding(Kind.UNREADABLE, *said)], [])
    return one.verdict()


def main() -> int:
    """The command line: prints the verdict, answers the exit code."""
    parser = argparse.ArgumentParser(description="核验证据包或单条证明 / Check a bundle or proof.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", help="账本公钥 / public key of the ledger")
    parser.add_argument("--witness-key", action="append", help="见证人公钥 / key of a witness")
    parser.add_argument("--stamps", type=Path, help="时间戳机构证书 / certificates, PEM")
    parser.add_argument(
        "--kept", type=Path, action="append", help="先前所存封签,可多次 / a head kept earlier"
    )
    parser.add_argument("--receipt", type=Path, action="append", help="回执 / a receipt")
    parser.add_argument(
        "--report", type=Path, help="record --json 的输出,或花名册等文件 / an answer, or a file"
    )
    parser.add_argument("--columns", type=Path, help="该文件所用的 columns.toml / its layout")
    parser.add_argument("--replay", metavar="PERSON", help="重放此人档案 / replay a record")
    everyone = "重放全体档案,一人一行 / replay everybody"
    parser.add_argument("--everyone", action="store_true", help=everyone)
    parser.add_argument("--effective", help="YYYY-MM-DD")
    parser.add_argument("--recorded", type=int, help="位置 / position")
    parser.add_argument(
        "--list", action="store_true", help="列出更正、迟录、查阅等 / list remarks, reads"
    )
    parser.add_argument("--who-read", metavar="PERSON", help="何人查阅过此人 / who looked")
    parser.add_argument("--by", choices=BY, help="按单位、经办、迟录天数计数 / count remarks")
    given = parser.parse_args()
    asked = Asked(
        given.key, given.witness_key or (), given.stamps, given.kept or (), given.receipt or (),
        given.report, given.columns, given.replay, given.everyone, given.effective, given.recorded,
        given.by, given.who_read,
    )  # fmt: skip
    verdict = check(given.bundle, asked)
    for line in verdict.shown(sys.stdout.encoding, listing=given.list, who=given.who_read):
        print(line)
    print("\n".join(verdict.lines()), file=sys.stderr)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
