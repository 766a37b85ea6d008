"""Heads before a bundle's own: kept from an earlier visit, or stamped by a time-stamp authority.

Owns whether the head extends them, and what a stamp says of when rows were recorded; it travels
inside the checker and needs Python alone. Invariant: an earlier head counts only where it is proved
that the head extends it; where the bundle cannot tell, that is said.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from replay.findings import Kind, Told
from replay.offline import b64, extends, head_of, roots_of
from replay.tokens import Certificate, Unknown, stamped

SLACK = 300_000_000
"""Microseconds by which the clocks of a ledger and of a time-stamp authority may differ."""


class Words(NamedTuple):
    """How a log is told of (zh, en): itself, its rows, the stamp over a head, a row's time; and the
    option under which a bundle proves that it extends an earlier head.
    """

    log: tuple[str, str]
    rows: str
    stamp: tuple[str, str]
    when: tuple[str, str]
    stamps: tuple[str, str]
    option: str


OF_ENTRIES = Words(
    ("账本", "the log"), "entries",
    ("前 {} 条登记的封签上的时间戳", "the time stamp over the head of {} entries"),
    ("第 {} 条登记的登记时间", "when entry {} was recorded"),
    ("时间戳", "time stamps"), "--old",
)  # fmt: skip
OF_READS = Words(
    ("查阅日志", "the log of reads"), "rows",
    ("查阅日志前 {} 条的封签上的时间戳", "the time stamp over the head of {} rows of reads"),
    ("查阅日志第 {} 条的登记时间", "when row {} of the log of reads was recorded"),
    ("查阅日志的时间戳", "time stamps of the log of reads"), "--old-reads",
)  # fmt: skip


class Earlier:
    """What leads to one head. `proofs`: that it extends a smaller one, by size; `leaf` gives the
    leaves of rows 1 to `until`, which lie in the bundle.
    """

    def __init__(
        self, told: Told, words: Words, head: tuple[str, int, bytes], proofs: Mapping[str, Any],
        leaf: Callable[[int], bytes], until: int,
    ) -> None:  # fmt: skip
        self._told, self._words, self._proofs = told, words, proofs
        self._origin, self._size, self._root = head
        self._leaf, self._until = leaf, until

    def kept(self, origin: str, size: int, root: bytes) -> None:
        """The head extends the one that was kept."""
        (zh, en), rows, option = self._words.log, self._words.rows, self._words.option
        good = self._leads(origin, size, root, self._roots({size}))
        if good is None:
            self._told.find(
                Kind.UNPROVED,
                f"本包不能证明{zh}是所存 {size} 条封签的延续,请以 {option} {size} 导出",
                f"that {en} extends the head kept over {size} {rows} cannot be proved with "
                f"this bundle; have it exported with {option} {size}",
            )  # fmt: skip
        elif good:
            self._told.say(
                f"{zh}是所存 {size} 条之封签的延续", f"{en} extends the head kept over {size}"
            )
        else:
            self._told.find(
                Kind.WITNESS, f"{zh}不是所存 {size} 条之封签的延续:历史被改写",
                f"{en} does not extend the head kept over {size} {rows}: it was rewritten",
            )  # fmt: skip

    def stamps(
        self,
        held: Sequence[Mapping[str, str]],
        trusted: list[Certificate],
        times: Mapping[int, int],
    ) -> None:
        """The heads that an authority stamped lead to this one; what lies under each was recorded
        before the stamp, the rest after it. `times`: of the rows in the bundle, in microseconds.
        """
        zh, en = self._words.stamps
        if trusted and not held:
            self._told.find(Kind.UNPROVED, f"包内没有{zh}", f"there are no {en} in this bundle")
        roots = self._roots({head_of(one["note"])[1] for one in held})
        order = sorted(times)
        good = [self._stamp(one, trusted, roots, times, order) for one in held]
        if any(good):
            more = "" if trusted else ";未给出时间戳机构证书,不能证明出自哪个机构"
            rest = "" if trusted else "; no certificate was given, whose they are is not proved"
            count = sum(good)
            self._told.say(f"{zh} {count} 枚有效{more}", f"{count} {en} are valid{rest}")

    def _stamp(
        self, held: Mapping[str, str], trusted: list[Certificate], roots: Mapping[int, bytes],
        times: Mapping[int, int], order: list[int],
    ) -> bool:  # fmt: skip
        origin, size, root = head_of(held["note"])
        zh, en = (words.format(size) for words in self._words.stamp)
        try:
            stamp = stamped(b64(held["response"]), held["note"].encode())
            good = not trusted or stamp.under(trusted)
        except Unknown:
            self._told.find(
                Kind.UNPROVED, f"{zh}所用算法不在可核验之列",
                f"{en} is made in a way that cannot be checked here",
            )  # fmt: skip
            return False
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no token
            good = False
        if not good or not self._leads(origin, size, root, roots):
            self._told.find(Kind.STAMP, f"{zh}无效", f"{en} is not valid")
            return False
        place = bisect_right(order, size)
        for position in order[max(place - 1, 0) : place + 1]:
            after = times[position] - stamp.at
            if after > SLACK if position <= size else after < -SLACK:
                when = [words.format(position) for words in self._words.when]
                self._told.find(Kind.TIME, f"{when[0]}与{zh}矛盾", f"{when[1]} contradicts {en}")
        return True

    def _leads(
        self, origin: str, size: int, root: bytes, roots: Mapping[int, bytes]
    ) -> bool | None:
        """Whether the head extends this one; None where the bundle cannot tell."""
        if origin != self._origin or size > self._size:
            return False
        if str(size) in self._proofs or size == self._size:
            path = [b64(step) for step in self._proofs.get(str(size), ())]
            return extends(size, root, self._size, self._root, path)
        if size > self._until:
            return None
        return roots[size] == root

    def _roots(self, sizes: set[int]) -> dict[int, bytes]:
        """The roots over the first so many rows, of those sizes that the leaves here give."""
        known = (size for size in sizes if size <= self._until and str(size) not in self._proofs)
        last = max(known, default=0)
        return roots_of([self._leaf(n) for n in range(1, last + 1)], sizes)
