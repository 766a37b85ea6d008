"""What the records cost: a full rebuild, and questions at 42,000 persons × 30 facts, 10 % corrected.

`python -m tests.benchmarks.records [--persons N] [--facts N]`. The log is loaded without deciding
(this measures folding and asking); absolute figures are of the machine at hand.

`--growth` asks about one person and one unit in a bureau of 42,000 and in one of ten times that,
whose units are as large and ten times as many: about 13 million facts, 20 GB of disk and a quarter
of an hour (`--quick`: a tenth of both). What grows twofold or more reads what it was not asked for.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID, uuid5

from api.settings import Bureau, Settings
from domain.acts.grades import GRADE, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.people import CATEGORY, HOST, NAME, NUMBER, UNIT, PersonRegistered
from domain.acts.posts import POST, PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import SupervisingOfficerAssigned
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import Event, Proposal, encode
from domain.ledger.log import Append, NewEntry
from projections import roster
from projections.accountability import over
from projections.questions.answering import everybody
from projections.questions.at_hand import AtHand
from projections.questions.payroll import payroll
from projections.questions.series import Asked, headcount, last_days, pyramid
from replay import compare
from replay.rebuild import rebuild

SPACE = UUID("0b0f2f6e-3f0e-4d55-9f0a-4c6a1e2f9f11")
OF_UNIT = 105
"""Auxiliaries of a unit."""
SHOWN = (NAME, NUMBER, CATEGORY, GRADE, POST, UNIT, HOST)
START = date(1990, 1, 1)
SHARED = {"mood": "attested", "actor": {"issuer": "bench", "subject": "bench", "role": "clerk"}}


def _sealed(owner: str, cls: str, field: str, plaintext: bytes) -> dict[str, str]:
    return {"o": owner, "k": cls, "c": "0" * 43, "x": plaintext.hex()}


def _entry(event: Event, day: date, name: str, corrects: UUID | None = None) -> NewEntry:
    id_ = uuid5(SPACE, name)
    proposal = Proposal(event, day, supersedes=corrects)
    tags = event.tags() + ([f"fact:{corrects}"] if corrects else [])
    data = encode(proposal, id_, corrects, SHARED, _sealed)
    return NewEntry(type(event).__name__, tags, data, id_)


def units_of(persons: int) -> int:
    return max(persons // OF_UNIT, 1)


def entries(persons: int, facts: int) -> Iterator[NewEntry]:
    units = units_of(persons)
    for u in range(units):
        event = UnitEstablished(
            unit=f"u{u}", name=f"第{u}派出所", parent=f"u{(u - 1) // 20}" if u else None,
            division="320500",
        )  # fmt: skip
        yield _entry(event, START, f"u{u}")
    rng = random.Random(7)
    for n in range(persons):
        person = f"p{n}"
        yield _entry(PersonRegistered(person=person, name="某某"), START, f"{n}/r")
        hired = AuxiliaryHired(person=person, unit=f"u{n % units}", category="field")
        yield _entry(hired, START, f"{n}/h")
        for k in range(facts - 4):  # a registration writes one fact, a hire three
            day = START + timedelta(days=rng.randrange(12_000))
            event: Event = (
                AuxiliaryTransferred(person=person, unit=f"u{rng.randrange(units)}"),
                GradeRated(person=person, grade=f"g{rng.randrange(10)}"),
                PostAssigned(person=person, post=f"post{rng.randrange(27)}"),
                SupervisingOfficerAssigned(person=person, officer=f"o{rng.randrange(4000)}"),
            )[k % 4]
            yield _entry(event, day, f"{n}/{k}")
            if rng.random() < 0.1:
                later = day + timedelta(days=rng.randrange(60))
                yield _entry(event, later, f"{n}/{k}/c", uuid5(SPACE, f"{n}/{k}"))


def appends(all_entries: Iterator[NewEntry]) -> Iterator[Append]:
    batch: list[NewEntry] = []
    for entry in all_entries:
        batch.append(entry)
        if len(batch) == 1000:
            yield Append(batch)
            batch = []
    if batch:
        yield Append(batch)


def timed(ask: Callable[[], object], times: int) -> float:
    """The median milliseconds of a question."""
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        spent.append((time.perf_counter() - started) * 1000)
    return median(spent)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--persons", type=int, default=42_000)
    options.add_argument("--facts", type=int, default=30)
    options.add_argument("--growth", action="store_true")
    options.add_argument("--quick", action="store_true")
    chosen = options.parse_args()
    persons = chosen.persons // 10 if chosen.quick else chosen.persons
    asked = measure(persons, chosen.facts, everyone=not chosen.growth)
    if chosen.growth:
        then = measure(persons * 10, chosen.facts, everyone=False)
        for name, small in asked.items():
            print(f"{name}: {then[name] / small:.2f} times at ten times the facts")


def measure(persons: int, facts: int, *, everyone: bool) -> dict[str, float]:
    """Load, rebuild, ask; the milliseconds of each question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded server's own user reads it where root runs this
        with Bureau(Settings(folder)) as bureau:
            started = time.perf_counter()
            for _ in bureau.ledger.log.load(appends(entries(persons, facts))):
                pass
            head = bureau.ledger.log.head()
            rate = head / (time.perf_counter() - started)
            print(f"{head:,} entries encoded and loaded, {rate:,.0f}/s")
            for processes in (1, 2) if everyone else (2,):
                started = time.perf_counter()
                built = rebuild(bureau.runner, bureau.database, processes=processes)
                rate = built.entries / (time.perf_counter() - started)
                print(
                    f"rebuild, {processes} processes: {built.facts:,} rows, {rate:,.0f} entries/s"
                )
            with bureau.pool.connection() as connection:
                connection.autocommit = True
                connection.execute("VACUUM records")  # what autovacuum does within a minute
                connection.autocommit = False
            return ask(bureau, persons, head, everyone=everyone)


def ask(bureau: Bureau, persons: int, head: int, *, everyone: bool) -> dict[str, float]:
    rng = random.Random(8)
    records = bureau.records
    units = units_of(persons)

    def pair() -> AsOf:
        day = START + timedelta(days=rng.randrange(13_000))
        return AsOf(day, rng.randrange(head // 2, head + 1))

    def person() -> str:
        return f"p{rng.randrange(persons)}"

    def unit() -> str:
        return f"u{rng.randrange(units * 3 // 4, units)}"

    month = date(2010, 6, 1), date(2010, 7, 1)
    questions: dict[str, tuple[Callable[[], object], int]] = {
        "one record at any pair": (
            lambda: records.at(SHOWN, [f"person:{person()}"], pair()), 300),
        "a person's every version": (lambda: records.of(f"person:{person()}"), 300),
        "a unit's roster": (
            lambda: roster.roster(records, pair(), unit()), 50),
        "a unit's payroll of a month": (
            lambda: list(payroll(records, bureau.ledger, pair(), month, unit())), 20),
        "who answered for everybody of a unit": (
            lambda: list(everybody(AtHand(records, head), records, pair(), unit())), 20),
        "a year of accountability": (
            lambda: over(records, person(), date(2010, 1, 1), date(2011, 1, 1), head), 20),
    }  # fmt: skip
    if everyone:
        year = last_days(date(2010, 1, 1), date(2011, 1, 1))
        day = START + timedelta(days=8_000)
        before, after = AsOf(day, head * 98 // 100), AsOf(day, head)
        questions |= {
            "the whole roster": (lambda: roster.roster(records, pair()), 5),
            "headcount by grade": (lambda: roster.headcount(records, pair(), "grade"), 5),
            "the roster between two beliefs": (
                lambda: compare.rosters(records, "u0", before, after), 5),
            "twelve months of headcount": (lambda: headcount(records, Asked(year, head)), 3),
            "twelve months by grade": (lambda: pyramid(records, Asked(year, head)), 3),
        }  # fmt: skip
    found = {name: timed(question, times) for name, (question, times) in questions.items()}
    for name, spent in found.items():
        print(f"{name}: {spent:.1f} ms (median of {questions[name][1]})")
    return found


if __name__ == "__main__":
    main()
