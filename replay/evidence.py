"""Evidence bundles: what a third party needs to check a record, or the whole log, without us.

Owns what is in a bundle and its order. Invariant: the same as-of pair, head, scope and disclosure
give the same bytes, but for values whose keys were destroyed since and lines that witnesses added;
a bundle holds no entry after the position asked about, but for changes of the key.
"""

import hashlib
import inspect
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile, ZipInfo

import orjson

from domain.acts.seals import SealKeyChanged
from domain.bitemporal import AsOf
from domain.events import FACETS, MERGES, REGISTRY, Entry
from domain.ledger import Ledger
from domain.ledger.reading import ever_joined
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Sealed
from domain.ledger.vault import Erased, Restricted, Unreadable, Vault, sealed_owners
from domain.merkle import inclusion, leaf_bytes
from domain.notes import Note, public, signer
from domain.record import FOLD
from projections.cases import hiding
from projections.questions import person as _person
from projections.records import Records, Sight
from replay import check, offline, refold

PAGE = 1 << 16
README = """证据包

内容是人事账本的登记原样(登记、封签、证明、档案),可在没有账本软件、数据库和网络的机器上核验。

核验方法(需要 Python 3.11 以上和 cryptography 库):
    python check.py 本文件名.zip --key 账本公钥
check.py 在本包内,也可取自账本软件:两者应逐字节相同。公钥应另行取得,不应取自本包。
可加:--kept 上次所存封签  --receipt 回执  --witness-key 见证人公钥  --report 档案.json
     --replay 人员 --effective 日期 --recorded 位置
退出码 0 为一致,其余各为一种问题,并以一句话说明。

Evidence bundle. Unpack check.py and run, with Python 3.11 or newer and `cryptography`:
    python check.py BUNDLE.zip --key KEY
Get the key, and best check.py too, from elsewhere than this bundle. Exit code 0: all agrees.
"""


class Unprovable(Exception):
    """No bundle can be made as asked; said in two languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        super().__init__(en)


class Wanted(NamedTuple):
    """What a bundle is to hold.

    `person`: their record and entries; None is the log without a report. `complete`: every entry up
    to the position. `disclose`: classes of private fields that are opened. `head`: the size of the
    head that proves it, by default the last. `old`: heads that were kept, which it shall extend.
    `cases`: with what belongs to sealed cases, for inspectors; else those entries are withheld.
    """

    as_of: AsOf
    person: str | None = None
    complete: bool = True
    disclose: frozenset[str] = frozenset()
    head: int | None = None
    old: Sequence[int] = ()
    cases: bool = False


def export(ledger: Ledger, records: Records, sealer: Sealer, wanted: Wanted, path: Path) -> int:
    """Write a bundle; answers how many entries it holds. The records have reached the position.

    Raises Unprovable, UnknownSubject, KeyUnfit.
    """
    if not wanted.cases:
        records = records.seen_by(Sight(ledger.today()))
        ledger = ledger.seen_without(hiding(records))
    return _Export(ledger, records, sealer, wanted).write(path)


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
        self._family = [] if wanted.person is None else sorted(forest.family(wanted.person))
        self._files: dict[str, dict[str, str]] = {}
        self._count = 0
        self._withheld: list[int] = []

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
        report = None if wanted.person is None else self._report(opened)
        head = self._seals.with_cosignatures(self._sealed)
        fresh = path.with_name(path.name + ".part")
        try:
            self._pack(fresh, own, disclosed, report, head)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        return self._count

    def _pack(
        self, path: Path, own: Iterable[Entry] | None, disclosed: list[dict[str, Any]],
        report: dict[str, Any] | None, head: Note,
    ) -> None:  # fmt: skip
        with ZipFile(path, "w") as bundle:
            self._add(bundle, "README.txt", [README.encode()])
            self._add(bundle, "check.py", [checker()])
            self._add(bundle, "head.note", [str(head).encode()])
            self._add(bundle, "key.txt", [f"{self._key}\n".encode()])
            proved: list[int] = []
            self._add(bundle, "entries.bin", self._entries(own, proved))
            if self._wanted.complete:
                self._add(bundle, "leaves.bin", self._leaves())
            self._add(bundle, "proofs.json", [_json(self._proofs(proved))])
            self._add(bundle, "codebook.json", [_json(codebook())])
            self._add(bundle, "disclosed.json", [_json(disclosed)])
            if report is not None:
                self._add(bundle, "report.json", [_json(report)])
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
        """The entries that a replay of the person reads, or all where no person is asked about."""
        recorded = self._wanted.as_of.recorded
        if self._wanted.person is None:
            return self._ledger.entries(until=recorded)
        tags = [MERGES, *(f"person:{one}" for one in self._family)]
        return self._ledger.about(tags, recorded)

    def _entries(self, own: Iterable[Entry] | None, proved: list[int]) -> Iterator[bytes]:
        """Entries as they were hashed, each after its length; notes which need a path of their own:
        those that no list of all leaves covers.
        """
        recorded = self._wanted.as_of.recorded
        changes = self._ledger.entries(types=[SealKeyChanged.__name__], until=self._size)
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

    def _proofs(self, proved: Iterable[int]) -> dict[str, Any]:
        subtree = self._seals.subtree()
        olds = {
            *self._wanted.old,
            *([self._wanted.as_of.recorded] if self._wanted.complete else ()),
        }
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
        for entry in entries:
            for name, sealed in refold.sealed_in(entry.envelope["fields"]):
                mine = wanted.person is None or sealed["o"] in self._family
                if sealed["k"] not in wanted.disclose or not mine:
                    continue
                with suppress(Unreadable):
                    salt, plaintext = vault.disclose(name, sealed)
                    yield {
                        "position": entry.position, "field": name, "class": sealed["k"],
                        "owner": sealed["o"], "commitment": sealed["c"],
                        "salt": b64encode(salt).decode(), "value": plaintext.decode(),
                    }  # fmt: skip

    def _report(self, disclosed: set[str]) -> dict[str, Any]:
        """The record as the ledger answers it, private values open where they are disclosed."""
        person, as_of = self._wanted.person or "", self._wanted.as_of
        kept = self._ledger.forest(as_of.recorded).kept(person)
        data = {
            "facets": _person.facets(self._records, "person", kept, as_of),
            "spells": _person.spells(self._records, kept, as_of.recorded),
        }
        vault = self._ledger.vault
        vault.hold(sealed_owners(data))
        stated = {
            "effective": as_of.effective, "recorded": as_of.recorded,
            "recorded_at": self._ledger.log.recorded_at(as_of.recorded), "fold": FOLD,
        }  # fmt: skip
        return {"as_of": stated, "data": {"person": person, **_shown(vault, disclosed, data)}}

    def _manifest(self) -> dict[str, Any]:
        wanted = self._wanted
        return {
            "format": offline.FORMAT, "origin": self._origin, "head": self._size,
            "effective": wanted.as_of.effective, "recorded": wanted.as_of.recorded,
            "person": self._family, "complete": wanted.complete, "withheld": self._withheld,
            "disclosed": sorted(wanted.disclose), "fold": FOLD, "files": self._files,
        }  # fmt: skip


_HASHES = hashlib.algorithms_available


def checker() -> bytes:
    """The checker as one file: its three modules, the two it imports in place of their imports."""
    sources = {m.__name__: inspect.getsource(m) for m in (check, offline, refold)}
    imports = re.compile(r"^from (replay\.\w+) import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
    return imports.sub(lambda found: sources[found[1]], sources[check.__name__]).encode()


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
