"""Whether the log of reads is what was sealed, and whether the two logs bear each other out.

Owns the verdict on the second log, in the sentences of the first. Invariant: what one log noted of
the other's heads must still be a head of it; so neither is cut short or rewritten alone, and of the
reads nothing may lack but what the ledger ordered to go.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg import Connection

from domain.acts.seals import ReadsCut, ReadsSealed
from domain.ledger.reads import HEAD_NOTED, PREFIX
from domain.ledger.sealer import KeyChange, fields_of, key_changes, texts_of
from domain.ledger.seals import Broken, Seals
from domain.ledger.statements import Statements
from domain.merkle import Frontier
from domain.notes import Head, Note, NoteInvalid, Verifier
from replay.seals import NOTHING_CUT, Cut, Finding, Kind, Trust, Verdict
from replay.seals import verify as _verify

LEDGER = "ledger_"


def verify(
    conninfo: str, trust: Trust, progress: Callable[[float], None] = lambda _: None
) -> Verdict:
    """Check the log of reads and what each log noted of the other. The key that is trusted is any
    of the ledger's chain, which is taken as `replay.seals` verified it; its last key signs for the
    reads too. What the witness keeps is its head of the reads. Changes nothing.
    """
    key = trust.key
    with psycopg.connect(conninfo) as connection:
        origin = Seals(lambda: nullcontext(connection), PREFIX).origin()
        changes = key_changes(connection, Statements(LEDGER))
        ordered = _ordered(connection, origin)
    own, ever = None, [key for change in changes for key in _keys(change)]
    if key is not None and origin is not None:
        ever = [one._replace(name=origin) for one in ever or [key]]
        own = ever[-1]
    cut = NOTHING_CUT
    if ordered is not None:
        cut = Cut(ordered.rows, ordered.rows - ordered.left, ever)
    trust = trust._replace(key=own, receipts=())
    found = _verify(conninfo, trust, progress, PREFIX, cut)
    told = [
        one._replace(zh=f"查阅日志:{one.zh}", en=f"log of reads: {one.en}")
        for one in found.findings
    ]
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        told += _noted(connection, PREFIX, _in_ledger(connection), "账本", "查阅日志")
        told += _noted(connection, LEDGER, _in_reads(connection), "查阅日志", "账本")
    return found._replace(findings=told)


class Gone(NamedTuple):
    """An entry of the ledger ordered the first so many reads to go; how many are still there."""

    position: int
    rows: int
    before: str
    ground: str
    left: int


def gone(conninfo: str) -> Gone | None:
    """What was ordered to go of the reads, as far as any order reaches."""
    with psycopg.connect(conninfo) as connection:
        return _ordered(connection, Seals(lambda: nullcontext(connection), PREFIX).origin())


def _ordered(connection: Connection[Any], origin: str | None) -> Gone | None:
    rows = connection.execute(Statements(LEDGER).data_of_type, (ReadsCut.__name__, 0)).fetchall()
    orders = [(position, fields_of(data)) for position, data in rows]
    [[first]] = connection.execute(Statements(PREFIX).first).fetchall()
    ours = [
        Gone(position, f["rows"], f["before"], f["ground"], max(0, f["rows"] - first + 1))
        for position, f in orders
        if {"ledger", "rows", "before", "ground"} <= f.keys()
        and origin == f"personnel-ledger/{f['ledger']}"
    ]
    return max(ours, key=lambda one: one.rows, default=None)


def by_log(conninfo: str, kept: Iterable[Note]) -> tuple[Note | None, Note | None]:
    """Of the heads that a witness keeps, the ledger's and the one of the reads, by their origins.
    One that is neither's takes the place that is left, where it will be found wrong. Raises
    ValueError where there are two for one log.
    """
    with psycopg.connect(conninfo) as connection:
        seals = [Seals(lambda: nullcontext(connection), prefix) for prefix in (LEDGER, PREFIX)]
        origins = [one.origin() for one in seals]
    places: list[Note | None] = [None, None]
    for note in sorted(kept, key=lambda note: note.text.split("\n")[0] not in origins):
        origin = note.text.split("\n")[0]
        place = origins.index(origin) if origin in origins else places.index(None)
        if places[place] is not None:
            raise ValueError(origin)
        places[place] = note
    return places[0], places[1]


def _keys(change: KeyChange) -> list[Verifier]:
    """Both keys; none where the entry, as it lies there now, does not name them."""
    try:
        return [Verifier.of(change.previous), Verifier.of(change.key)]
    except NoteInvalid:
        return []


def _in_ledger(connection: Connection[Any]) -> Iterator[tuple[int, str]]:
    """Where the ledger noted a head of the reads, and its text."""
    rows = connection.execute(Statements(LEDGER).data_of_type, (ReadsSealed.__name__, 0))
    return ((position, *texts_of(data, "note")) for position, data in rows)


def _in_reads(connection: Connection[Any]) -> Iterator[tuple[int, str]]:
    rows = connection.execute(Statements(PREFIX).data_of_type, (HEAD_NOTED, 0))
    for position, data in rows:
        try:
            yield position, str(orjson.loads(data)["note"])
        except (ValueError, KeyError, TypeError):
            yield position, ""


_EN = {"账本": "the ledger", "查阅日志": "the log of reads"}


def _noted(
    connection: Connection[Any], prefix: str, notes: Iterator[tuple[int, str]], by: str, of: str
) -> Iterator[Finding]:
    """The first head that `by` noted and `of`, under its prefix, does not bear out."""
    seals = Seals(lambda: nullcontext(connection), prefix)
    last, subtree = seals.last(), seals.subtree()
    sealed = 0 if last is None else last.size
    for position, text in notes:
        try:
            head = Head.of(Note.of(text).text)
            same = head.size <= sealed and Frontier(head.size, subtree).root() == head.root
        except (NoteInvalid, Broken):
            same = False
            head = None
        if same:
            continue
        cut = head is not None and head.size > sealed
        zh = f"末尾被截去,现只有 {sealed} 条已封签" if cut else "其历史被改写"
        en = f"only {sealed} are sealed: the end was cut off" if cut else "history was rewritten"
        yield Finding(
            Kind.WITNESS, position,
            f"{by}第 {position} 条所记{of}的封签与现存不符:{zh}",
            f"{_EN[by]} noted at {position} a head that {_EN[of]} does not bear out: {en}",
        )  # fmt: skip
        return
