"""Evidence bundles: what a third party needs to check a record, or the whole log, without us.

Owns what is in a bundle and its order. Invariant: the same as-of pair, head, scope and disclosure
give the same bytes, but for values whose keys were destroyed since and lines that witnesses added;
a bundle holds no entry after the position asked about, but for changes of the key and, with the
reads, what was ordered to go of them.
"""

import hashlib
import inspect
import re
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile, ZipInfo

import orjson

from domain.acts.seals import ReadsCut, SealKeyChanged
from domain.bitemporal import AsOf
from domain.events import FACETS, MERGES, REGISTRY, Entry
from domain.ledger import Ledger
from domain.ledger.reading import ever_joined
from domain.ledger.sealed import sealed_owners
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Sealed, Stamped
from domain.ledger.vault import Erased, Restricted, Unreadable, Vault
from domain.ledger.wrapping import VaultUnfit
from domain.merkle import inclusion, leaf_bytes
from domain.notes import Note, public, signer
from domain.record import FOLD
from projections.cases import hiding
from projections.questions import person as _person
from projections.records import Records
from projections.sight import Sight
from replay import (
    answered,
    axes,
    cells,
    check,
    comparable,
    earlier,
    facets,
    findings,
    lines,
    months,
    offline,
    proofs,
    refold,
    remarks,
    replayed,
    reports,
    seen,
    sheets,
    stamps,
    tokens,
)
from replay.looks import Looks, Packing, Unprovable

PAGE = 1 << 16
NO_WORDS: Mapping[str, Any] = {}
README = """证据包

内容是人事账本的登记原样(登记、封签、证明、档案),可在没有账本软件、数据库和网络的机器上核验。

核验方法一(浏览器,不需安装,不需网络):
    解出 check.html,双击打开,把整个证据包(zip)拖入页面,填入账本公钥,点"核验"。
核验方法二(需要 Python 3.11 以上和 cryptography 库):
    python check.py 本文件名.zip --key 账本公钥
两者结论相同。check.py 和 check.html 在本包内,也可取自账本软件:应逐字节相同。
公钥应另行取得,不应取自本包。
可加:--kept 上次所存封签  --receipt 回执  --witness-key 见证人公钥
     --report 档案.json 或花名册等文件(.xlsx .csv .jsonl,可加 --columns columns.toml)
     --stamps 时间戳机构证书  --list(更正等、查阅)
     --replay 人员 --effective 日期 --recorded 位置
退出码 0 为一致,其余各为一种问题,并以一句话说明。

Evidence bundle. Unpack check.html, open it in a browser, drop the bundle on it; or unpack check.py
and run, with Python 3.11 or newer and `cryptography`:
    python check.py BUNDLE.zip --key KEY
Get the key, and best the checker too, from elsewhere than this bundle. Exit code 0: all agrees.
"""


class Wanted(NamedTuple):
    """What a bundle is to hold.

    A case: `persons`, their records and entries; `entries` by position; `documents`, by their
    number. None of them is the log without a report. `complete`: every entry up to the position.
    `disclose`: classes of private fields that are opened. `head`: the size of the head that proves
    it, by default the last. `old`: heads that were kept, which it shall extend.
    `cases`: with what belongs to sealed cases, for inspectors; else those entries are withheld.
    `looks`: with the reads of the persons, or all of them. `words`: under which reports go out, so
    that a file of one can be compared.
    """

    as_of: AsOf
    persons: Sequence[str] = ()
    entries: Sequence[int] = ()
    documents: Sequence[str] = ()
    complete: bool = True
    disclose: frozenset[str] = frozenset()
    head: int | None = None
    old: Sequence[int] = ()
    cases: bool = False
    looks: Looks | None = None
    words: Mapping[str, Any] = {}


def export(ledger: Ledger, records: Records, sealer: Sealer, wanted: Wanted, path: Path) -> int:
    """Write a bundle; answers how many entries it holds. The records have reached the position.

    Raises Unprovable, UnknownSubject, KeyUnfit.
    """
    return _Export(*telling(ledger, records, wanted), sealer, wanted).write(path)


def telling(ledger: Ledger, records: Records, wanted: Wanted) -> tuple[Ledger, Records]:
    """What a bundle may tell of."""
    if wanted.cases:
        return ledger, records
    records = records.seen_by(Sight(ledger.today()))
    return ledger.seen_without(hiding(records)), records


def picked(ledger: Ledger, wanted: Wanted) -> dict[int, Entry]:
    """The entries that were asked for one by one, or by their document. Raises Unprovable."""
    recorded = wanted.as_of.recorded
    if any(not 1 <= position <= recorded for position in wanted.entries):
        raise Unprovable("该位置之前没有这条登记", "there is no such entry up to the position")
    found = {
        entry.position: entry
        for position in wanted.entries
        for entry in ledger.entries(after=position - 1, until=position)
    }
    numbers, missing = set(wanted.documents), set(wanted.documents)
    for entry in ledger.entries(until=recorded) if numbers else ():
        if (number := (entry.envelope.get("document") or {}).get("number")) in numbers:
            found[entry.position] = entry
            missing.discard(number)
    if missing:
        one = min(missing)
        raise Unprovable(f"没有文号为 {one} 的登记", f"no entry is under the document {one}")
    return found


def prove(
    ledger: Ledger, records: Records, sealer: Sealer, position: int, *, cases: bool, bare: bool
) -> str:
    """One entry's proof, with the entry unless `bare`. Raises Unprovable."""
    wanted = Wanted(AsOf(ledger.today(), ledger.log.head()), entries=[position], cases=cases)
    told = picked(telling(ledger, records, wanted)[0], wanted)
    found = sealer.seals.prove(position)
    if found is None:
        raise Unprovable("该登记尚未封签,请先封签", "the entry is not sealed yet; seal first")
    extra = b""
    if not bare:
        if position not in told:
            raise Unprovable("该登记属未公开案件", "the entry is of a sealed case")
        entry = told[position]
        extra = leaf_bytes(position, entry.recorded_at, entry.type, entry.tags, entry.data)
    note = str(sealer.seals.with_cosignatures(found.sealed))
    return proofs.proof_text(position - 1, found.path, note, extra)


class _Export:
    def __init__(self, ledger: Ledger, records: Records, sealer: Sealer, wanted: Wanted) -> None:
        self._ledger, self._records, self._wanted = ledger, records, wanted
        self._seals = sealer.seals
        self._sealed = self._head()
        self._size, self._origin = self._sealed.size, self._sealed.head.origin
        key = sealer.key()
        self._key, self._signer = public(self._origin, key), signer(self._origin, key)
        if not self._sealed.note.signed_by(self._key):
            raise Unprovable(
                "该封签之后已更换密钥,请以较新的封签导出",
                "the key was changed after that head; export under a later one",
            )
        forest = ever_joined(ledger.log, wanted.as_of.recorded)
        self._family = sorted({one for person in wanted.persons for one in forest.family(person)})
        self._picked = picked(ledger, wanted)
        self._files: dict[str, dict[str, str]] = {}
        self._count = 0
        self._withheld: list[int] = []
        looks, whole = wanted.looks, wanted.complete
        self._reads = looks and Packing(looks, self._family, self._key, whole=whole)

    def _head(self) -> Sealed:
        wanted, recorded = self._wanted, self._wanted.as_of.recorded
        if recorded < 1:
            raise Unprovable("该位置尚无登记", "there is no entry at that position")
        size = wanted.head
        sealed = self._seals.last() if size is None else self._seals.covering(size)
        if sealed is None or sealed.size < recorded or size not in (None, sealed.size):
            raise Unprovable(
                f"没有这个覆盖第 {recorded} 条登记的封签,请先封签",
                f"there is no such head over entry {recorded}; seal first",
            )
        if any(not 0 < old <= sealed.size for old in wanted.old):
            raise Unprovable("所存封签大于所用封签", "a head kept is larger than the one used")
        return sealed

    def write(self, path: Path) -> int:
        wanted = self._wanted
        own = None if wanted.complete else self._own()
        disclosed = list(self._disclosed(self._own())) if wanted.disclose else []
        opened = {d["commitment"] for d in disclosed}
        records = [self._report(person, opened) for person in wanted.persons]
        head = self._seals.with_cosignatures(self._sealed)
        fresh = path.with_name(path.name + ".part")
        try:
            self._pack(fresh, own, disclosed, records, head)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        return self._count

    def _pack(
        self, path: Path, own: Iterable[Entry] | None, disclosed: list[dict[str, Any]],
        records: list[dict[str, Any]], head: Note,
    ) -> None:  # fmt: skip
        with ZipFile(path, "w") as bundle:
            self._add(bundle, "README.txt", [README.encode()])
            self._add(bundle, "check.py", [checker(self._wanted.words)])
            self._add(bundle, "check.html", [page(self._wanted.words)])
            self._add(bundle, "head.note", [str(head).encode()])
            self._add(bundle, "key.txt", [f"{self._key}\n".encode()])
            proved: list[int] = []
            self._add(bundle, "entries.bin", self._entries(own, proved))
            if self._wanted.complete:
                self._add(bundle, "leaves.bin", self._leaves())
            bounds = self._stamps(proved)
            self._add(bundle, "proofs.json", [_json(self._proofs(proved, bounds))])
            self._add(bundle, "stamps.json", [_json([stamps.told(one) for one in bounds])])
            self._add(bundle, "codebook.json", [_json(codebook())])
            self._add(bundle, "words.json", [_json(self._wanted.words)])
            self._add(bundle, "disclosed.json", [_json(disclosed)])
            for n, report in enumerate(records, 1):
                name = "report.json" if n == 1 else f"report-{n}.json"
                self._add(bundle, name, [_json(report)])
            for name, content in self._reads.files() if self._reads else ():
                self._add(bundle, name, content)
            manifest = _json(self._manifest())
            said = f"{self._origin} evidence\n{hashlib.sha256(manifest).hexdigest()}\n"
            self._add(bundle, "manifest.json", [manifest])
            self._add(bundle, "manifest.note", [str(Note(said).signed([self._signer])).encode()])

    def _add(self, bundle: ZipFile, name: str, blocks: Iterable[bytes]) -> None:
        """A file, neither compressed nor dated, and what the manifest says of it."""
        info = ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o644 << 16
        digests = {name: hashlib.new(name) for name in ("sha256", "sm3") if name in _HASHES}
        with bundle.open(info, "w", force_zip64=True) as file:
            for block in blocks:
                file.write(block)
                for digest in digests.values():
                    digest.update(block)
        self._files[name] = {kind: digest.hexdigest() for kind, digest in digests.items()}

    def _own(self) -> Iterator[Entry]:
        """The entries of the case: those that a replay of its persons reads, and those picked. All
        where there is no case.
        """
        recorded = self._wanted.as_of.recorded
        if not self._family and not self._picked:
            return self._ledger.entries(until=recorded)
        tags = [MERGES, *(f"person:{one}" for one in self._family)] if self._family else []
        about = self._ledger.about(tags, recorded) if tags else ()
        found = {entry.position: entry for entry in about} | self._picked
        return iter(sorted(found.values(), key=_position))

    def _entries(self, own: Iterable[Entry] | None, proved: list[int]) -> Iterator[bytes]:
        """Entries as they were hashed, each after its length; notes which need a path of their own:
        those that no list of all leaves covers.
        """
        recorded = self._wanted.as_of.recorded
        always = [SealKeyChanged.__name__, *([ReadsCut.__name__] if self._reads else [])]
        changes = self._ledger.entries(types=always, until=self._size)
        if own is None:
            for stored in self._ledger.log.entries(until=recorded):
                if self._ledger.hides(stored.tags):
                    self._withheld.append(stored.position)
                else:
                    yield self._one(*stored)
            later = [e for e in changes if e.position > recorded]
        else:
            later = sorted({e.position: e for e in (*own, *changes)}.values(), key=_position)
        for entry in later:
            proved.append(entry.position)
            yield self._one(entry.position, entry.recorded_at, entry.type, entry.tags, entry.data)

    def _one(self, *entry: Any) -> bytes:
        self._count += 1
        raw = leaf_bytes(*entry)
        return len(raw).to_bytes(4) + raw

    def _leaves(self) -> Iterator[bytes]:
        recorded = self._wanted.as_of.recorded
        for low in range(0, recorded, PAGE):
            yield b"".join(self._seals.hashes(0, low, min(low + PAGE, recorded)))

    def _stamps(self, proved: Sequence[int]) -> list[Stamped]:
        """The time stamps between which the entries lie: the last before each, the first after."""
        every = self._seals.stamps(0, self._size)
        sizes, recorded = [one.sealed.size for one in every], self._wanted.as_of.recorded
        if self._wanted.complete:
            return every[: bisect_left(sizes, recorded) + 1]
        return stamps.around(every, proved)

    def _proofs(self, proved: Iterable[int], bounds: Iterable[Stamped]) -> dict[str, Any]:
        subtree, recorded = self._seals.subtree(), self._wanted.as_of.recorded
        olds = {*self._wanted.old, *(one.sealed.size for one in bounds)} - {self._size}
        if self._wanted.complete:  # what lies in the bundle whole needs no proof
            olds = {*self._wanted.old, *(size for size in olds if size > recorded), recorded}
        return {
            "entries": {str(p): _b64(inclusion(p - 1, self._size, subtree)) for p in proved},
            "extensions": {
                str(o): _b64(self._seals.extension(o, self._size)) for o in sorted(olds)
            },
        }

    def _disclosed(self, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
        """What opens the private fields of the classes asked for: of the person's own alone where
        one is asked about.
        """
        wanted, vault = self._wanted, self._ledger.vault
        everybody = not self._family and not self._picked
        for entry in entries:
            for name, sealed in refold.sealed_in(entry.envelope["fields"]):
                mine = everybody or sealed["o"] in self._family or entry.position in self._picked
                if sealed["k"] not in wanted.disclose or not mine:
                    continue
                with suppress(Unreadable), _opening(entry.position):
                    salt, plaintext = vault.disclose(name, sealed)
                    yield {
                        "position": entry.position, "field": name, "class": sealed["k"],
                        "owner": sealed["o"], "commitment": sealed["c"],
                        "salt": b64encode(salt).decode(), "value": plaintext.decode(),
                    }  # fmt: skip

    def _report(self, person: str, disclosed: set[str]) -> dict[str, Any]:
        """The record as the ledger answers it, private values open where they are disclosed."""
        as_of = self._wanted.as_of
        kept = self._ledger.forest(as_of.recorded).kept(person)
        data = {
            "facets": _person.facets(self._records, "person", kept, as_of),
            "spells": _person.spells(self._records, kept, as_of.recorded),
        }
        vault = self._ledger.vault
        with _opening(as_of.recorded):
            vault.hold(sealed_owners(data))
            shown = _shown(vault, disclosed, data)
        stated = {
            "effective": as_of.effective, "recorded": as_of.recorded,
            "recorded_at": self._ledger.log.recorded_at(as_of.recorded), "fold": FOLD,
        }  # fmt: skip
        return {"as_of": stated, "data": {"person": person, **shown}}

    def _manifest(self) -> dict[str, Any]:
        wanted = self._wanted
        return {
            "format": offline.FORMAT, "origin": self._origin, "head": self._size,
            "effective": wanted.as_of.effective, "recorded": wanted.as_of.recorded,
            "person": self._family, "complete": wanted.complete, "withheld": self._withheld,
            "disclosed": sorted(wanted.disclose), "fold": FOLD, "files": self._files,
            **({"reads": self._reads.manifest()} if self._reads else {}),
        }  # fmt: skip


_HASHES = hashlib.algorithms_available


def checker(words: Mapping[str, Any] = NO_WORDS) -> bytes:
    """The checker as one file: each module stands where the first one imports it. `words`: those
    under which reports go out.
    """
    modules = (
        answered, axes, cells, check, comparable, earlier, facets, findings, lines, months,
        offline, proofs, refold, remarks, replayed, reports, seen, sheets, tokens,
    )  # fmt: skip
    sources = {m.__name__: inspect.getsource(m) for m in modules}
    imports = re.compile(r"^from (replay\.\w+) import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
    placed: set[str] = set()

    def whole(name: str) -> str:
        def inlined(found: re.Match[str]) -> str:
            if found[1] in placed:
                return ""
            placed.add(found[1])
            return whole(found[1])

        return imports.sub(inlined, sources[name])

    return _declaring(whole(check.__name__), words).encode()


def page(words: Mapping[str, Any] = NO_WORDS) -> bytes:
    """The checker for a browser as one file: its scripts put in their places."""
    folder = files("replay") / "page"
    place = re.compile(r'<script src="([a-z0-9.-]+)"></script>')

    def inlined(found: re.Match[str]) -> str:
        return f"<script>\n{(folder / found[1]).read_text('utf-8')}</script>"

    made = place.sub(inlined, (folder / "check.html").read_text("utf-8"))
    return _declaring(made, words).encode()


def declared() -> str:
    """The digest of the codebook."""
    return hashlib.sha256(_json(codebook())).hexdigest()


def worded(words: Mapping[str, Any]) -> str:
    """The digest of the words of reports; none where there are none."""
    return hashlib.sha256(_json(words)).hexdigest() if words else ""


def _declaring(checker: str, words: Mapping[str, Any]) -> str:
    made = checker.replace('DECLARED = ""', f'DECLARED = "{declared()}"', 1)
    return made.replace('WORDED = ""', f'WORDED = "{worded(words)}"', 1)


def codebook() -> dict[str, Any]:
    """What every type and facet declares, as far as a replay needs it."""
    types = {
        name: {
            "zh": cls.zh, "en": cls.en, "version": cls.schema_version,
            "subjects": cls.subjects, "ends": [facet.name for facet in cls.ends],
            "leaves": cls.leaves, "merges": cls.merges,
            "writes": [{**w._asdict(), "facet": w.facet.name} for w in cls.writes],
        }
        for name, cls in sorted(REGISTRY.items())
    }  # fmt: skip
    facets = {
        name: {"of": f.of, "zh": f.zh, "en": f.en, "many": f.many, "stays": f.stays}
        for name, f in sorted(FACETS.items())
    }
    return {"fold": FOLD, "types": types, "facets": facets}


@contextmanager
def _opening(position: int) -> Iterator[None]:
    """A field that its owner's key does not open is no evidence. Raises Unprovable."""
    try:
        yield
    except (ValueError, VaultUnfit) as unfit:
        raise Unprovable(
            f"第 {position} 条登记的保密字段不能以其所属人员的密钥打开,请先核验(verify)",
            f"a private field of entry {position} does not open with its owner's key; verify first",
        ) from unfit


def _shown(vault: Vault, disclosed: set[str], value: Any, name: str = "") -> Any:
    if isinstance(value, dict) and value.keys() == {"o", "k", "c", "x"}:
        try:
            opened = vault.open(name, value)
        except Erased:
            return {"erased": True}
        except Restricted:
            return {"restricted": True}
        return opened if value["c"] in disclosed else {"withheld": value["c"]}
    if isinstance(value, dict):
        return {inner: _shown(vault, disclosed, v, inner) for inner, v in value.items()}
    return [_shown(vault, disclosed, v) for v in value] if isinstance(value, list) else value


def _json(value: Any) -> bytes:
    return orjson.dumps(value)


def _b64(hashes: Iterable[bytes]) -> list[str]:
    return [b64encode(one).decode() for one in hashes]


def _position(entry: Entry) -> int:
    return entry.position
