"""Whether the log is what was sealed: every row read again, every leaf and head computed again.

Owns the verdict. Invariant: it reads one snapshot and trusts nothing that is stored: hashes are
computed from the rows, heads from the hashes, and keys followed from the one that was given.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from domain.acts.seals import vouched
from domain.ledger.leaves import Leaf, leaf_of, leaves
from domain.ledger.sealer import key_changes
from domain.ledger.seals import Sealed, Seals, origin_of
from domain.ledger.statements import Statements
from domain.merkle import HEIGHT, Frontier
from domain.notes import Head, Note, NoteInvalid, Receipt, Verifier
from replay.guards import faults
from replay.stamps import SLACK, Authority, StampRefused, contradictions

STEP = 1 << 16
LOWEST = -(1 << 63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSEALED_SECONDS = 60
"""How long an entry may lie unsealed before that is a finding."""


class Kind(IntEnum):
    """What is wrong; the number is the exit code of `personnel-ledger verify`."""

    ENTRY = 10
    MISSING = 11
    TIME = 12
    TAGS = 13
    TREE = 14
    HEAD = 15
    SIGNATURE = 16
    WITNESS = 17
    GUARD = 18
    UNSEALED = 19
    RECEIPT = 20
    STAMP = 26
    DIGEST = 27
    KEY = 28


class Finding(NamedTuple):
    """What is wrong at a position (the first of `total` of its kind), in a sentence each."""

    kind: Kind
    position: int
    zh: str
    en: str
    total: int = 1


class Verdict(NamedTuple):
    """`position`: the log's head; `sealed`: how many entries are under the last head."""

    position: int
    sealed: int
    heads: int
    findings: list[Finding]

    @property
    def exit_code(self) -> int:
        """0, or the kind of the first finding."""
        return int(self.findings[0].kind) if self.findings else 0


class Trust(NamedTuple):
    """What the verifier brings along: a key of the ledger (any of its chain), what the witness
    keeps, the witness's key, receipts that the ledger has given, and whose time stamps to believe.
    """

    key: Verifier | None = None
    kept: Note | None = None
    witness: Verifier | None = None
    receipts: Sequence[Note] = ()
    authority: Authority | None = None


UNTRUSTING = Trust()


class Cut(NamedTuple):
    """The first `rows` rows were ordered to go, and what finds them; `gone` of them, from the first
    on, are not there any more, and that is no finding. With them went which key signed since when:
    a head over ordered rows bears one of `keys`.
    """

    rows: int = 0
    gone: int = 0
    keys: Sequence[Verifier] = ()


NOTHING_CUT = Cut()


def verify(
    conninfo: str,
    trust: Trust = UNTRUSTING,
    progress: Callable[[float], None] = lambda _: None,
    prefix: str = "ledger_",
    cut: Cut = NOTHING_CUT,
) -> Verdict:
    """Check the whole log, its tag index, tiles, heads and signatures. Changes nothing."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL work_mem = '64MB'")
        return _Reading(connection, prefix, trust, cut).verdict(progress)


class _Reading:
    """One reading of one snapshot."""

    def __init__(self, connection: Connection[Any], prefix: str, trust: Trust, cut: Cut) -> None:
        self._connection = connection
        self._cut = cut
        self._log = Statements(prefix)
        self._seals = Seals(lambda: nullcontext(connection), prefix)
        self._trust = trust
        self._found: dict[Kind, Finding] = {}
        self._chain: list[tuple[int, Verifier]] = []  # which key signs since which entry
        self._good = 0  # the largest head that was right
        self._last_sealed_at = _EPOCH
        self._misdated: list[Sealed] = []
        self._origin = self._seals.origin()
        self._kept_head: Head | None = None
        if trust.kept is not None:
            with suppress(NoteInvalid):
                self._kept_head = Head.of(trust.kept.text)

    def verdict(self, progress: Callable[[float], None]) -> Verdict:
        [[head]] = self._connection.execute(self._log.head).fetchall()
        last = self._seals.last()
        sealed = last.size if last else 0
        self._guards()
        self._chain = self._keys()
        heads = self._sealed_part(sealed, progress) if sealed else 0
        self._unsealed_part(sealed, head)
        self._tags()
        self._kept(sealed)
        if self._trust.authority is not None:
            self._stamps(self._trust.authority, sealed)
        self._heads_themselves()
        for receipt in self._trust.receipts:
            self._receipt(receipt)
        findings = sorted(self._found.values(), key=_rank)
        return Verdict(head, sealed, heads, findings)

    def _find(self, kind: Kind, position: int, zh: str, en: str, total: int = 1) -> None:
        if (first := self._found.get(kind)) is not None:
            self._found[kind] = first._replace(total=first.total + total)
        else:
            self._found[kind] = Finding(kind, position, zh, en, total)

    # entries, tiles and heads

    def _sealed_part(self, sealed: int, progress: Callable[[float], None]) -> int:
        """Row by row against the sealed leaves, head by head against their tree."""
        tree, latest, count = Frontier(), 0, 0
        for low in range(0, sealed, STEP):
            high = min(low + STEP, sealed)
            hashes = self._seals.hashes(0, low, high)
            if (there := low + len(hashes)) < high:
                self._find(
                    Kind.TREE, there + 1,
                    f"第 {there + 1} 条登记的封签散列缺失",
                    f"the sealed hash of entry {there + 1} is gone",
                )  # fmt: skip
                break
            found = [*leaves(self._connection, self._log, low or LOWEST, high)]
            latest = self._rows(found, hashes, low, latest)
            heads = self._seals.heads(low, high)
            times = {leaf.position: leaf.recorded_at for leaf in found} if heads else {}
            self._grow(tree, hashes, heads, times)
            count += len(heads)
            progress(high / sealed)
        return count

    def _grow(
        self, tree: Frontier, hashes: list[bytes], heads: Sequence[Sealed], times: Mapping[int, int]
    ) -> None:
        """Extend the tree, stopping at every head and at what the witness keeps."""
        low, high = tree.size, tree.size + len(hashes)
        by_size = {one.size: one for one in heads}
        stops = {*by_size, high}
        if self._kept_head is not None and low < self._kept_head.size <= high:
            stops.add(self._kept_head.size)
        completed: dict[int, list[bytes]] = {}
        for stop in sorted(stops):
            for level, row in enumerate(tree.extend(hashes[tree.size - low : stop - low])):
                completed.setdefault(level, []).extend(row)
            if stop in by_size:
                self._head(by_size[stop], tree, times.get(stop))
            self._kept_root(tree)
        self._tiles(completed, low)

    def _rows(self, found: Sequence[Leaf], hashes: list[bytes], low: int, latest: int) -> int:
        """Compare the rows with the sealed leaves; answers when the last was recorded."""
        times = [latest, *(leaf.recorded_at for leaf in found)]
        if times != sorted(times):
            self._times(found, latest)
        same = len(found) == len(hashes) and [leaf.hash for leaf in found] == hashes
        if not same:
            rows: dict[int, bytes] = {}
            for leaf in found:  # where two stand, neither is what was sealed
                rows[leaf.position] = b"" if leaf.position in rows else leaf.hash
            if (lowest := min(rows, default=1)) < 1:
                self._find(
                    Kind.ENTRY, lowest,
                    f"位置 {lowest} 上有登记,账本从第 1 条开始",
                    f"an entry lies at {lowest}, before 1",
                )  # fmt: skip
            for position, hashed in enumerate(hashes, low + 1):
                if (row := rows.get(position)) is None:
                    if position > self._cut.gone:
                        self._missing(position)
                elif row != hashed:
                    self._find(
                        Kind.ENTRY, position,
                        f"第 {position} 条登记与封签时不符:内容、标签、种类或登记时间已被改动",
                        f"entry {position} is not what was sealed: its content, tags, type or "
                        "time was altered",
                    )  # fmt: skip
        return max(times)

    def _missing(self, position: int) -> None:
        self._find(
            Kind.MISSING, position,
            f"第 {position} 条登记缺失", f"entry {position} is missing",
        )  # fmt: skip

    def _times(self, found: Sequence[Leaf], latest: int) -> None:
        for leaf in found:
            if leaf.recorded_at < latest:
                self._find(
                    Kind.TIME, leaf.position,
                    f"第 {leaf.position} 条登记的登记时间早于其前一条",
                    f"entry {leaf.position} was recorded before the one ahead of it",
                )  # fmt: skip
            latest = max(latest, leaf.recorded_at)

    def _tiles(self, completed: Mapping[int, list[bytes]], low: int) -> None:
        for level, row in completed.items():
            first = low >> HEIGHT * level
            if self._seals.hashes(level, first, first + len(row)) != row:
                position = (first << HEIGHT * level) + 1
                self._find(
                    Kind.TREE, position,
                    f"第 {position} 条登记起的封签散列(第 {level} 层)互不相符",
                    f"the sealed hashes from entry {position} on do not agree (level {level})",
                )  # fmt: skip

    def _head(self, one: Sealed, tree: Frontier, lies: int | None) -> None:
        """One head against the tree, its last entry's time, and the key in force."""
        size, below = one.size, self._good + 1
        if one.note.text == Head(self._origin or "", size, tree.root()).text():
            self._good = size
        else:
            self._find(
                Kind.HEAD, below,
                f"前 {size} 条登记的封签与其散列不符:第 {below} 至 {size} 条中有登记连同散列被改",
                f"the head over {size} entries is not their root: an entry from {below} to {size} "
                "was altered together with its hash",
            )  # fmt: skip
        recorded_at = (one.recorded_at - _EPOCH) // timedelta(microseconds=1)
        if lies is not None and lies != recorded_at:
            self._find(
                Kind.TIME, size,
                f"第 {size} 条登记的登记时间与封签所记不符",
                f"entry {size} was not recorded when its head says",
            )  # fmt: skip
        self._sealed_at(one)
        keys: Sequence[Verifier] = [key for since, key in self._chain if since <= size][-1:]
        if self._chain and size <= self._cut.rows:
            keys = self._cut.keys
        if not any(map(one.note.signed_by, keys)):
            self._find(
                Kind.SIGNATURE, size,
                f"前 {size} 条登记的封签没有现用密钥的有效签名",
                f"the head over {size} entries bears no valid signature of the key in force",
            )  # fmt: skip

    def _sealed_at(self, one: Sealed) -> None:
        """A head was made after its last entry and the head ahead of it, and before now."""
        floor, at = max(one.recorded_at, self._last_sealed_at), one.sealed_at
        if at < floor - SLACK or at > datetime.now(UTC) + SLACK:
            self._misdated.append(one)
        self._last_sealed_at = max(self._last_sealed_at, at)

    # keys

    def _keys(self) -> list[tuple[int, Verifier]]:
        """Which key signs since which entry, followed from the one that is trusted."""
        changes = key_changes(self._connection, self._log)
        if self._trust.key is None:
            return []
        if not changes:
            return [(0, self._trust.key)]
        chain: list[tuple[int, Verifier]] = []
        for change in changes:
            try:
                keys = [Verifier.of(change.previous), Verifier.of(change.key)]
                good = vouched(change.ledger, keys, Note.of(change.note))
            except NoteInvalid:
                good = False
            if not good or (chain and chain[-1][1] != keys[0]):
                self._find(
                    Kind.SIGNATURE, change.position,
                    f"第 {change.position} 条登记更换封签密钥,但未经新旧密钥共同签署",
                    f"entry {change.position} changes the key without the old key's signature",
                )  # fmt: skip
                return []
            chain = [*(chain or [(0, keys[0])]), (change.position, keys[1])]
        if self._trust.key not in [key for _, key in chain]:
            self._find(
                Kind.SIGNATURE, 1,
                "所给密钥不是本账本用过的封签密钥", "the key given never signed for this ledger",
            )  # fmt: skip
            return []
        return chain

    # what is not sealed, the tag index, the guards, the witness

    def _unsealed_part(self, sealed: int, head: int) -> None:
        sealed = max(sealed, self._cut.gone)
        tail = leaves(self._connection, self._log, sealed, head)
        oldest: int | None = None
        missing: int | None = None
        for position, leaf in enumerate(tail, sealed + 1):  # to the end, as `leaf_of` does
            oldest = oldest or leaf.recorded_at
            if missing is None and leaf.position != position:
                missing = position
        if missing is not None:
            self._missing(missing)
        if oldest is not None and time.time() - oldest / 1e6 > UNSEALED_SECONDS:
            self._find(
                Kind.UNSEALED, sealed + 1,
                f"第 {sealed + 1} 至 {head} 条登记尚未封签",
                f"entries {sealed + 1} to {head} are not sealed yet",
            )  # fmt: skip

    def _tags(self) -> None:
        """Tags and event ids, by which entries are found, are what the entries say."""
        after = self._cut.rows or LOWEST
        for statement, least, zh, en in (
            (self._log.tags_lacking, after, "缺少", "lacks"),
            (self._log.tags_beyond, LOWEST, "多出", "has, beyond the entry,"),
        ):
            for position, tag, count in self._connection.execute(statement, (least,)).fetchall():
                self._find(
                    Kind.TAGS, position,
                    f"标签索引{zh}第 {position} 条登记的标签 {tag}",
                    f"the tag index {en} the tag {tag} of entry {position}", count,
                )  # fmt: skip
        for statement, least, zh, en in (
            (self._log.ids_lacking, after, "缺少第 {} 条登记", "lacks entry {}"),
            (self._log.ids_beyond, LOWEST, "所指第 {} 条登记不符", "names entry {} wrongly"),
        ):
            for position, count in self._connection.execute(statement, (least,)).fetchall():
                self._find(
                    Kind.TAGS, position, f"登记标识索引{zh.format(position)}",
                    f"the index of event ids {en.format(position)}", count,
                )  # fmt: skip

    def _guards(self) -> None:
        for zh, en in faults(self._connection, self._seals.prefix):
            self._find(Kind.GUARD, 0, zh, en)

    def _heads_themselves(self) -> None:
        for size, _, at, _ in self._misdated:
            self._find(
                Kind.TIME, size,
                f"前 {size} 条登记的封签时间({at:%F %T} UTC)早于其末条或前一封签,或晚于现在",
                f"the head over {size} entries says it was sealed at {at:%F %T} UTC: before its "
                "last entry or the head ahead of it, or after now",
            )  # fmt: skip
        for size in self._seals.unfit():
            self._witness(
                size,
                f"前 {size} 条登记的封签下存有不成会签的一行",
                f"what lies under the head over {size} entries is no line of a witness",
            )
        for size in self._seals.lost():
            self._find(
                Kind.HEAD, size,
                f"前 {size} 条登记的封签缺失,而其会签或时间戳仍在",
                f"the head over {size} entries is gone; what was added to it is still there",
            )  # fmt: skip

    def _kept(self, sealed: int) -> None:
        """What the witness keeps must be a signed head of this log, and not beyond its end."""
        kept = self._trust.kept
        if kept is None:
            return
        head = self._kept_head
        if head is None or (sealed and head.origin != self._origin):
            self._witness(1, "见证人所存不是本账本的封签", "the witness keeps no head of this log")
        elif self._trust.witness is not None and kept.seen_at(self._trust.witness) is None:
            self._witness(head.size, "见证人的签名无效", "the witness's signature is not valid")
        elif head.size > sealed:
            self._witness(
                sealed + 1,
                f"见证人见过 {head.size} 条登记,现只有 {sealed} 条已封签:末尾被截去",
                f"the witness has seen {head.size} entries, only {sealed} are sealed: the end was "
                "cut off",
            )

    def _kept_root(self, tree: Frontier) -> None:
        head = self._kept_head
        if head is not None and head.size == tree.size and head.root != tree.root():
            self._witness(
                1,
                f"见证人所见的前 {head.size} 条登记与现存的不同:历史被改写",
                f"the witness has seen other first {head.size} entries: history was rewritten",
            )

    def _stamps(self, authority: Authority, sealed: int) -> None:
        """What lies under a stamped head was recorded before the stamp, the rest after it."""
        for one, response in self._seals.stamps(0, sealed):
            try:
                at = authority.stamped(str(one.note).encode(), response)
            except StampRefused:
                self._find(
                    Kind.STAMP, one.size,
                    f"前 {one.size} 条登记的封签上的时间戳无效",
                    f"the time stamp over the head of {one.size} entries is not valid",
                )  # fmt: skip
                continue
            beside = leaves(self._connection, self._log, one.size - 1, one.size + 1)
            times = {leaf.position: leaf.recorded_at for leaf in beside}
            for position, zh, en in contradictions(one, at, times):
                self._find(Kind.TIME, position, zh, en)

    def _receipt(self, note: Note) -> None:
        """What was acknowledged must lie in the log as it was acknowledged."""
        try:
            receipt = Receipt.of(note.text)
        except NoteInvalid:
            receipt = None
        keys = [key for _, key in self._chain]
        if receipt is None or receipt.origin != self._name() or not any(map(note.signed_by, keys)):
            self._find(
                Kind.RECEIPT, 1,
                "回执不是本账本所签", "a receipt was not signed by this ledger",
            )  # fmt: skip
            return
        for position, hashed in receipt.leaves:
            lies = leaf_of(self._connection, self._log, position)
            if lies is None or lies.hash != hashed:
                self._find(
                    Kind.RECEIPT, position,
                    f"账本签发过第 {position} 条登记的回执,现存登记与之不符",
                    f"the ledger gave a receipt for entry {position} and now "
                    + ("has another" if lies else "has none"),
                )  # fmt: skip

    def _name(self) -> str | None:
        first = leaf_of(self._connection, self._log, 1)
        return self._origin or (origin_of(first.hash) if first else None)

    def _witness(self, position: int, zh: str, en: str) -> None:
        self._find(Kind.WITNESS, position, zh, en)


def merged(verdict: Verdict, more: Iterable[Finding]) -> Verdict:
    """With what else was found; of a kind that is named already, the first stays."""
    kinds = {one.kind for one in verdict.findings}
    findings = [*verdict.findings, *(one for one in more if one.kind not in kinds)]
    return verdict._replace(findings=sorted(findings, key=_rank))


def _rank(finding: Finding) -> tuple[bool, int, Kind]:
    """What was altered comes before what only could be."""
    return finding.kind in (Kind.GUARD, Kind.UNSEALED), finding.position, finding.kind
