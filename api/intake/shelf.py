"""What an import holds of its rows, on disk: drafts in the order of entering, what is told of rows.

Owns the shelf's tables. Invariant: they lie in a file without a name that is gone with the process,
what a row says sealed under a key that this process alone has; memory does not grow with the rows.
"""

import pickle
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from hashlib import blake2b
from itertools import count, groupby
from operator import itemgetter
from secrets import token_bytes
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID
from weakref import finalize

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.intake.originals import Said
from api.intake.rows import Draft, Made
from domain.events import REGISTRY

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -8192;
CREATE TABLE drafts (
    id INTEGER PRIMARY KEY, person TEXT NOT NULL, day INTEGER NOT NULL, length INTEGER NOT NULL,
    sheet INTEGER NOT NULL, row INTEGER NOT NULL, key TEXT NOT NULL, words TEXT,
    event_id BLOB NOT NULL, types TEXT NOT NULL, earliest INTEGER NOT NULL,
    claims INTEGER NOT NULL, already INTEGER NOT NULL DEFAULT 0,
    agrees INTEGER NOT NULL DEFAULT 0);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE INDEX drafts_in_order ON drafts (person, day, length, sheet, id);
CREATE INDEX drafts_by_key ON drafts (sheet, key);
CREATE TABLE same (id INTEGER PRIMARY KEY, draft INTEGER NOT NULL, row INTEGER NOT NULL);
CREATE INDEX same_by_draft ON same (draft, id);
CREATE TABLE told (
    id INTEGER PRIMARY KEY, list TEXT NOT NULL, stage INTEGER NOT NULL, by_file TEXT NOT NULL,
    by_row INTEGER NOT NULL, file TEXT NOT NULL, row INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX told_in_order ON told (list, stage, by_file, by_row, id);
CREATE INDEX told_by_row ON told (file, row);
CREATE TABLE keys (space INTEGER NOT NULL, key BLOB NOT NULL, said NOT NULL);
CREATE INDEX keys_by_key ON keys (space, key);
CREATE TABLE grouped (
    id INTEGER PRIMARY KEY, space INTEGER NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX grouped_by_name ON grouped (space, name);
CREATE INDEX grouped_in_order ON grouped (space, first, id);
CREATE TABLE since (
    id INTEGER PRIMARY KEY, person TEXT NOT NULL, column TEXT NOT NULL, day INTEGER NOT NULL,
    body BLOB NOT NULL, UNIQUE (person, column));
CREATE TABLE spells (
    id INTEGER PRIMARY KEY, sheet INTEGER NOT NULL, person TEXT NOT NULL, type TEXT NOT NULL,
    day INTEGER NOT NULL, length INTEGER NOT NULL, start INTEGER NOT NULL, until INTEGER NOT NULL,
    row INTEGER NOT NULL);
CREATE INDEX spells_in_order ON spells (sheet, person, type, day, length, id);
BEGIN;
"""
ADD_DRAFT = """
INSERT INTO drafts
    (person, day, length, sheet, row, key, words, earliest, claims, event_id, types)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DRAFTS = """
SELECT person, day, length, sheet, id, row, key, already,
    (SELECT body FROM bodies WHERE bodies.id = drafts.id), (
    SELECT group_concat(row) FROM (SELECT row FROM same WHERE draft = drafts.id ORDER BY id))
FROM drafts
WHERE (person, day, length, sheet, id) > (?, ?, ?, ?, ?) AND agrees = 0
    AND (? IS NULL OR sheet = ?) AND (? OR already = 0) AND (? OR claims) AND (? OR already)
ORDER BY person, day, length, sheet, id LIMIT ?
"""
BY_ROW = """
SELECT sheet, drafts.id, row, key, already, body, NULL FROM drafts JOIN bodies USING (id)
WHERE agrees = 0 AND already = 0 ORDER BY sheet, row, drafts.id
"""
BY_KEY = "SELECT id, row, words FROM drafts WHERE sheet = ? AND key = ?"
FIRST_IDS = """
SELECT id, event_id FROM drafts WHERE id > ? AND agrees = 0 AND already = 0 ORDER BY id LIMIT ?
"""
REPLACE_DRAFT = "UPDATE drafts SET event_id = ?, types = ? WHERE id = ?"
PUT_BODY = "INSERT OR REPLACE INTO bodies (id, body) VALUES (?, ?)"
FIRST_DAYS = """
SELECT person, min(earliest) FROM drafts WHERE person > ? GROUP BY person
ORDER BY person LIMIT ?
"""
FRESH = """
SELECT count(*) FROM drafts WHERE agrees = 0 AND already = 0 AND (?1 IS NULL OR sheet = ?2)
"""
TYPES = """
SELECT types FROM drafts WHERE agrees = 0 AND already = 0 ORDER BY person, day, length, sheet, id
"""
TALLY = """
SELECT sheet, sum(agrees = 0), sum(already AND NOT agrees),
    sum((agrees = 1) + (SELECT count(*) FROM same WHERE draft = drafts.id)), sum(agrees = 2)
FROM drafts WHERE agrees OR already OR ? GROUP BY sheet
"""
TELL = "INSERT INTO told (list, stage, by_file, by_row, file, row, body) VALUES (?,?,?,?,?,?,?)"
TOLD = "SELECT body FROM told WHERE list = ? ORDER BY stage, by_file, by_row, id"
TOLD_OF = """
SELECT row, body FROM told WHERE file = ? AND instr(?, list || ' ')
ORDER BY row, stage, by_file, by_row, id
"""
HOW_MANY = "SELECT count(*) FROM told WHERE instr(?, list || ' ')"
ROWS_TOLD = """
SELECT file, count(DISTINCT row) FROM told WHERE instr(?, list || ' ') GROUP BY file
"""
FIND = "SELECT said FROM keys WHERE space = ? AND key = ? ORDER BY rowid"
REPEATED = """
SELECT said FROM keys WHERE space = ?1 AND key IN (
    SELECT key FROM keys WHERE space = ?1 GROUP BY key HAVING count(*) > 1)
"""
GROUP = """
INSERT INTO grouped (space, name, first, body) VALUES (?1, ?2, coalesce(
    (SELECT first FROM grouped WHERE space = ?1 AND name = ?2 LIMIT 1),
    (SELECT coalesce(max(id), 0) + 1 FROM grouped)), ?3)
"""
GROUPED = "SELECT first, body FROM grouped WHERE space = ? ORDER BY first, id"
KNOWN_SINCE = "SELECT day FROM since WHERE person = ? AND column = ?"
OFFER = """
INSERT INTO since (person, column, day, body) VALUES (?, ?, ?, ?)
ON CONFLICT (person, column) DO UPDATE SET day = excluded.day, body = excluded.body
"""
SINCE = "SELECT column, day, body FROM since WHERE person = ? ORDER BY id"
ADD_SPELL = """
INSERT INTO spells (sheet, person, type, day, length, start, until, row)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
SPELLS = """
SELECT sheet, person, type, start, until, row FROM spells
ORDER BY sheet, person, type, day, length, id
"""
_PAGE = 500
_BEFORE_ALL = ("", 0, 0, -2, 0)


class Placed(Protocol):
    """What is told of a row of a file."""

    @property
    def file(self) -> str: ...
    @property
    def row(self) -> int: ...


T = TypeVar("T")
P = TypeVar("P", bound=Placed)


class Shelf:
    """The file, and what seals the rows that lie in it."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.executescript(SCHEMA)
        finalize(self, self.database.close)
        self._cipher = AESGCM(AESGCM.generate_key(128))
        self._nonces = count(1)
        self._secret = token_bytes(32)
        self._spaces = count(1)

    def space(self) -> int:
        """A number for a list that no other has."""
        return next(self._spaces)

    def seal(self, said: Any) -> bytes:
        nonce = next(self._nonces).to_bytes(12, "big")
        return nonce + self._cipher.encrypt(nonce, pickle.dumps(said, 5), None)

    def open(self, sealed: bytes) -> Any:
        """What was sealed here; only this process could have."""
        return pickle.loads(self._cipher.decrypt(sealed[:12], sealed[12:], None))  # noqa: S301

    def blind(self, *said: object) -> bytes:
        """A name for something private: the same for the same, and nobody can tell for what."""
        return blake2b(repr(said).encode(), key=self._secret, digest_size=16).digest()


class Tally(NamedTuple):
    """Rows by sheet: that are acts, of which the ledger has some, that say what others say, and
    that say otherwise than the ledger and are no act.
    """

    acts: Counter[int]
    known: Counter[int]
    same: Counter[int]
    differing: Counter[int]


class Known(NamedTuple):
    """A draft found by its key; `words`: all that its row says."""

    id: int
    row: int
    words: str | None


class Drafts:
    """The drafts of a plan in the order of entering: units, then person by person, day by day.

    What is done to drafts while they are read through counts from the next reading on.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._database = shelf.database

    def add(self, draft: Draft, person: str | None, words: str | None = None) -> int:
        """Put a draft among those of its person (None: of nobody); its number here."""
        day, length, _ = draft.place
        return self._put(draft, (f"/{person or ''}", day.toordinal(), length), words)

    def add_unit(self, draft: Draft) -> int:
        """Put a draft before all others but the units there are."""
        return self._put(draft, _BEFORE_ALL[:3], None)

    def _put(self, draft: Draft, place: tuple[str, int, int], words: str | None) -> int:
        earliest = min(made.effective for made in draft.made).toordinal()
        claims = next(draft.unique(), None) is not None
        row = (*place, draft.sheet, draft.row, draft.key, words, earliest, claims)
        cursor = self._database.execute(ADD_DRAFT, (*row, *_types(draft)))
        draft.id = cursor.lastrowid or 0
        self._database.execute(PUT_BODY, (draft.id, self._sealed(draft)))
        return draft.id

    def _sealed(self, draft: Draft) -> bytes:
        made = [
            (type(m.event).__name__, m.event_id.bytes, m.event.__dict__,
             tuple(m.event.model_fields_set), m.effective, m.until, m.occurred,
             m.ends and m.ends.bytes)
            for m in draft.made
        ]  # fmt: skip
        said = draft.said and tuple(draft.said)
        return self._shelf.seal((made, said))

    def by_key(self, sheet: int, key: str) -> Known | None:
        row = self._database.execute(BY_KEY, (sheet, key)).fetchone()
        return None if row is None else Known(*row)

    def repeat(self, draft: int, row: int) -> None:
        """Note a row that says what this draft says."""
        self._database.execute("INSERT INTO same (draft, row) VALUES (?, ?)", (draft, row))

    def __len__(self) -> int:
        return self._count("SELECT count(*) FROM drafts WHERE agrees = 0")

    def fresh(self, sheet: int | None = None) -> int:
        """How many the ledger has not yet, of one sheet or of all."""
        return self._count(FRESH, (sheet, sheet))

    def _count(self, statement: str, bound: tuple[Any, ...] = ()) -> int:
        return int(self._database.execute(statement, bound).fetchone()[0])

    def __iter__(self) -> Iterator[Draft]:
        return self.read()

    def read(
        self,
        sheet: int | None = None,
        *,
        fresh: bool = False,
        claiming: bool = False,
        known: bool = False,
    ) -> Iterator[Draft]:
        """The drafts of one sheet or of all; `fresh`: without those that the ledger has; `known`:
        those that it has; `claiming`: those alone that give somebody what no two persons may hold
        alike.
        """
        last: tuple[Any, ...] = _BEFORE_ALL
        while True:
            bound = (*last, sheet, sheet, not fresh, not claiming, not known, _PAGE)
            rows = self._database.execute(DRAFTS, bound).fetchall()
            for row in rows:
                yield self._draft(*row[3:])
            if len(rows) < _PAGE:
                return
            last = rows[-1][:5]

    def by_row(self) -> Iterator[Draft]:
        """What the ledger has not, in the order of the files and their rows; without `same`."""
        for row in self._database.execute(BY_ROW):
            yield self._draft(*row)

    def _draft(self, sheet: int, id_: int, row: int, key: str, already: int, body: bytes,
               same: str | None) -> Draft:  # fmt: skip
        told, said = self._shelf.open(body)
        draft = Draft(sheet, row, key, tuple(map(_made, told)), said and Said(*said))
        draft.id, draft.already = id_, bool(already)
        draft.same = [int(one) for one in same.split(",")] if same else []
        return draft

    def replace(self, draft: Draft) -> None:
        """What this draft stands for now; it keeps its place."""
        self._database.execute(REPLACE_DRAFT, (*_types(draft), draft.id))
        self._database.execute(PUT_BODY, (draft.id, self._sealed(draft)))

    def drop(self, drafts: Iterable[int]) -> None:
        self._database.executemany("DELETE FROM drafts WHERE id = ?", ((one,) for one in drafts))

    def agree(self, draft: Draft, *, differs: bool = False) -> None:
        """The ledger says what this draft says, or `differs` in what no act is made of."""
        bound = (1 + differs, draft.id)
        self._database.execute("UPDATE drafts SET agrees = ? WHERE id = ?", bound)

    def first_ids(self, together: int) -> Iterator[dict[UUID, int]]:
        """The drafts that the ledger is not known to have, by the id of their first event."""
        last = 0
        while rows := self._database.execute(FIRST_IDS, (last, together)).fetchall():
            yield {UUID(bytes=event_id): id_ for id_, event_id in rows}
            last = rows[-1][0]

    def mark(self, drafts: Iterable[int]) -> None:
        """The ledger has these already."""
        marked = ((one,) for one in drafts)
        self._database.executemany("UPDATE drafts SET already = 1 WHERE id = ?", marked)

    def first_days(self) -> Iterator[tuple[str, date]]:
        """Each person with the first day of which a draft knows."""
        last = "/"
        while rows := self._database.execute(FIRST_DAYS, (last, _PAGE)).fetchall():
            yield from ((person[1:], date.fromordinal(day)) for person, day in rows)
            last = rows[-1][0]

    def types(self) -> Counter[str]:
        """How many events of each type the ledger would gain, in the order of entering."""
        together = Counter(types for (types,) in self._database.execute(TYPES))
        found: Counter[str] = Counter()
        for types, times in together.items():
            for type_ in types.split():
                found[type_] += times
        return found

    def tally(self, *, entered: bool = False) -> Tally:
        """What became of the rows; `entered`: without the drafts that the ledger has not."""
        tally = Tally(Counter(), Counter(), Counter(), Counter())
        for sheet, *numbers in self._database.execute(TALLY, (not entered,)):
            for counter, number in zip(tally, numbers, strict=True):
                counter[sheet] += number
        return tally


class Spells:
    """What each person's rows of a sheet give as going on from a day to another."""

    def __init__(self, shelf: Shelf) -> None:
        self._database = shelf.database

    def add(self, draft: Draft, types: Collection[str]) -> None:
        """The acts of these types; those of nobody are none."""
        if (person := draft.person) is None:
            return
        day, length, sheet = draft.place
        for made in draft.made:
            if (type_ := type(made.event).__name__) in types:
                days = (made.effective.toordinal(), (made.until or date.max).toordinal())
                row = (sheet, person, type_, day.toordinal(), length, *days, draft.row)
                self._database.execute(ADD_SPELL, row)

    def overlapping(self) -> Iterator[tuple[int, int, int]]:
        """Sheet, row and the row beneath it, of each that begins while another one of its person
        and type goes on: of these the one on top comes later in the order of entering.
        """
        found = self._database.execute(SPELLS)
        for _, spells in groupby(found, itemgetter(0, 1, 2)):
            below: list[tuple[int, int]] = []
            for sheet, _person, _type, start, until, row in spells:
                below = [one for one in below if one[0] > start]
                if below:
                    yield sheet, row, below[-1][1]
                below.append((until, row))


def _types(draft: Draft) -> tuple[bytes, str]:
    """The first event id of a draft, and the types of its events."""
    types = " ".join(type(made.event).__name__ for made in draft.made)
    return draft.made[0].event_id.bytes, types


def _made(told: tuple[Any, ...]) -> Made:
    type_, event_id, fields, given, effective, until, occurred, ends = told
    event = REGISTRY[type_].__new__(REGISTRY[type_])
    event.__setstate__({
        "__dict__": fields, "__pydantic_fields_set__": {*given}, "__pydantic_extra__": None,
        "__pydantic_private__": None,
    })  # fmt: skip
    ends = None if ends is None else UUID(bytes=ends)
    return Made(UUID(bytes=event_id), event, effective, until, occurred, ends)


class Told(Generic[P]):
    """What is told of rows: one list, or several, read one after the other."""

    def __init__(self, shelf: Shelf, *lists: str) -> None:
        self._shelf = shelf
        self._database = shelf.database
        self._lists = lists
        self._all = "".join(f"{name} " for name in lists)

    def add(self, told: P, stage: int = 0, *, by_row: bool = False) -> None:
        """Put it behind the earlier stages, within its own by file and row or as it came."""
        place = (told.file, told.row) if by_row else ("", 0)
        (name,) = self._lists
        row = (name, stage, *place, told.file, told.row, self._shelf.seal(told))
        self._database.execute(TELL, row)

    def clear(self) -> None:
        self._database.executemany("DELETE FROM told WHERE list = ?", ((n,) for n in self._lists))

    def __len__(self) -> int:
        return int(self._database.execute(HOW_MANY, (self._all,)).fetchone()[0])

    def __iter__(self) -> Iterator[P]:
        for name in self._lists:
            for (body,) in self._database.execute(TOLD, (name,)):
                yield self._shelf.open(body)

    def of(self, file: str) -> Iterator[tuple[int, list[P]]]:
        """The rows of a file in order, with all that is told of each."""
        found = self._database.execute(TOLD_OF, (file, self._all))
        for row, told in groupby(found, itemgetter(0)):
            yield row, [self._shelf.open(body) for _, body in told]

    def rows(self) -> Counter[str]:
        """How many rows of each file are told of."""
        return Counter(dict(self._database.execute(ROWS_TOLD, (self._all,)).fetchall()))


class Keys:
    """What is said under keys, which may be private: they lie here blinded."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._space = shelf.space()

    def add(self, said: Iterable[tuple[object, str | int]]) -> None:
        """Note pairs of (key, what is said under it)."""
        rows = ((self._space, self._shelf.blind(key), one) for key, one in said)
        self._shelf.database.executemany("INSERT INTO keys VALUES (?, ?, ?)", rows)

    def find(self, key: object) -> list[Any]:
        """All that was said under a key, in order."""
        found = self._shelf.database.execute(FIND, (self._space, self._shelf.blind(key)))
        return [said for (said,) in found]

    def repeated(self) -> set[Any]:
        """What is said under keys that were noted more than once."""
        return {said for (said,) in self._shelf.database.execute(REPEATED, (self._space,))}


class Groups(Generic[T]):
    """Things put into named groups, read group by group, the one that was begun first first."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._space = shelf.space()

    def add(self, name: str, one: T) -> None:
        self._shelf.database.execute(GROUP, (self._space, name, self._shelf.seal(one)))

    def __iter__(self) -> Iterator[list[T]]:
        found = self._shelf.database.execute(GROUPED, (self._space,))
        for _, group in groupby(found, itemgetter(0)):
            yield [self._shelf.open(body) for _, body in group]


class Earliest:
    """The earliest of the days that were offered for each column of a person, and its row."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def offer(self, person: str, column: str, day: date, said: Callable[[], Said]) -> None:
        """`said` is called where no earlier day is known."""
        database, asked = self._shelf.database, (person, column)
        known = database.execute(KNOWN_SINCE, asked).fetchone()
        if known is None or day.toordinal() < known[0]:
            database.execute(OFFER, (*asked, day.toordinal(), self._shelf.seal(tuple(said()))))

    def of(self, person: str) -> dict[str, tuple[date, Said]]:
        """By column, the one that was offered first first."""
        return {
            column: (date.fromordinal(day), Said(*self._shelf.open(body)))
            for column, day, body in self._shelf.database.execute(SINCE, (person,))
        }
