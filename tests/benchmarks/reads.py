"""What it costs to put a read on record: the same answers with and without, interleaved."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from shutil import rmtree
from statistics import median

from api import answers, looked
from api.reader import PutAgain
from api.settings import Bureau, Settings
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.events import Proposal
from domain.ledger import Request

PEOPLE, ROUNDS, THREADS = 2_000, 60, 8
DAY = date(2022, 1, 4)


class Unrecorded(PutAgain):
    """Answers as if nobody kept count: what a read cost before."""

    def read(self, *_: object) -> int:
        return 0


def run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="ledger-reads-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as opened:
            _enter(opened)
            recorded = opened.read_by(opened.reader.stating("测量", None))
            unrecorded = recorded.put_again_to(Unrecorded())
            unrecorded.classes = None
            _compare("record", recorded, unrecorded, lambda b: answers.record(b, "p7"), ROUNDS)
            _compare("roster", recorded, unrecorded, answers.roster, 10)
            _together(recorded, unrecorded)
            started = time.perf_counter()
            found = looked.who_read(recorded, "p7")["data"]["count"]
            print(f"who-read: {found} reads in {(time.perf_counter() - started) * 1000:.0f} ms")
    finally:
        rmtree(folder, ignore_errors=True)


def _enter(bureau: Bureau) -> None:
    acts = [Proposal(UnitEstablished(unit="u", name="所", kind="station"), DAY)]
    for n in range(PEOPLE):
        who = f"p{n}"
        acts.append(Proposal(PersonRegistered(person=who, name=f"人{n}"), DAY))
        acts.append(Proposal(AuxiliaryHired(person=who, unit="u", category="field"), DAY))
    bureau.ledger.enter(Request(acts, mood="attested", attested_by="x"))
    for _ in bureau.runner.catch_up():
        pass


def _compare(
    name: str, recorded: Bureau, unrecorded: Bureau, ask: Callable[[Bureau], object], rounds: int
) -> None:
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for kept in (True, False):
            started = time.perf_counter()
            ask(recorded if kept else unrecorded)
            times[kept].append(time.perf_counter() - started)
    with_, without = median(times[True]), median(times[False])
    print(
        f"{name}: {with_ * 1000:.2f} ms on record, {without * 1000:.2f} ms without,"
        f" {with_ / without:.2f} times as long"
    )


def _together(recorded: Bureau, unrecorded: Bureau) -> None:
    """Eight at once: rows share commits."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(6):
            for kept, bureau in ((True, recorded), (False, unrecorded)):
                started = time.perf_counter()
                list(pool.map(partial(_ask, bureau), range(100)))
                rates[kept].append(100 / (time.perf_counter() - started))
    with_, without = median(rates[True]), median(rates[False])
    print(f"{THREADS} at once: {with_:.0f}/s on record, {without:.0f}/s without")


def _ask(bureau: Bureau, n: int) -> None:
    answers.record(bureau, f"p{n}")


if __name__ == "__main__":
    run()
