"""Entering many requests: the next run is decided while the one before it is being appended.

Owns the pipeline. Invariant: a run is stored only right behind the entries it was decided on; if
anything else was entered meanwhile, or the log refuses one of its requests, what follows is decided
anew.
"""

import gc
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from domain.law import Law
from domain.ledger.deciding import LAW_TYPES, Decided, Decider
from domain.ledger.disposal import TYPES as ORDERS
from domain.ledger.log import Append, Appended, EventLog, LogError
from domain.ledger.reading import Reading
from domain.ledger.requests import Entered, Receipt, Refused, Request
from domain.refusals import KeyReused, Refusal

WAITING = 4_000
LONGEST_RUN = 1_000
AHEAD = 250
MOST_TOGETHER = 500
RUN_BYTES, LEAST_BYTES = 24 << 20, 6_400  # a run is one transaction of the log
REMEMBERED = 20_000  # beyond it reading anew is cheaper than the memory
YOUNG = 200_000  # deciding makes many objects and hardly a cycle

Answer = Receipt | Refused


class _Flight(NamedTuple):
    """A decided run on its way into the log."""

    requests: list[Request]
    decided: list[Decided | Refused]
    stored: list[Appended]
    sent: Future[None]


class Bulk:
    """Enters many requests with the parts of one ledger; `enter_one` is its way for one."""

    def __init__(
        self,
        log: EventLog,
        decider: Decider,
        law: Callable[[], Law],
        enter_one: Callable[[Request], Receipt],
    ) -> None:
        self._log = log
        self._decider = decider
        self._law = law
        self._enter_one = enter_one
        self._queue: deque[Request] = deque()
        self._known: dict[UUID, Entered] = {}
        self._flight: _Flight | None = None
        self._reading: Reading | None = None
        self._longest = LONGEST_RUN

    def enter(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """One answer a request, in their order."""
        waiting = iter(requests)
        with ThreadPoolExecutor(1, "appending") as sender, _fewer_collections():
            while self._refill(waiting):
                run = self._next_run()
                if run:
                    yield from self._fly(run, sender)
                elif (yield from self._land()):
                    yield self._singly(self._queue.popleft())
                    self._reading = None
                if not self._queue:
                    yield from self._land()  # which may put some back

    def _refill(self, waiting: Iterator[Request]) -> bool:
        if not self._queue:
            self._queue.extend(islice(waiting, WAITING))
            self._known = entered_under(self._log, list(_ids(self._queue)))
        return bool(self._queue)

    def _next_run(self) -> list[Request]:
        """The next requests that one reading can serve, up to one that it cannot."""
        seen = set(self._known)
        if self._flight is not None:
            seen |= _ids(self._flight.requests)
        run: list[Request] = []
        for request in islice(self._queue, self._longest):
            ids = _ids([request])
            if not seen.isdisjoint(ids) or _alone(request):
                break
            seen |= ids
            run.append(request)
        return run

    def _fly(
        self, run: Sequence[Request], sender: ThreadPoolExecutor
    ) -> Generator[Answer, None, None]:
        """Decide a run while the one before it lands, and send it."""
        if self._reading is not None and self._reading.size > REMEMBERED:
            yield from self._land()
            self._reading = None
        reading = self._reading
        if reading is None:
            reading = self._reading = Reading(self._log, self._log.head(), ahead=True)
            if meanwhile := entered_under(self._log, list(_ids(run))):
                self._known.update(meanwhile)  # others entered it; the reading shows it already
                return
        decided, after = self._decide(run, reading)
        if not (yield from self._land()):
            return
        appends = [d.append for d in decided if isinstance(d, Decided)]
        stored: list[Appended] = []
        sent = sender.submit(self._send, appends, reading.head, stored)
        requests = [self._queue.popleft() for _ in decided]
        self._flight = _Flight(requests, decided, stored, sent)
        reading.head = after
        if reading.spoiled:
            yield from self._land()
            self._reading = None

    def _send(self, appends: Sequence[Append], after: int, stored: list[Appended]) -> None:
        for appended in self._log.load(appends, after=after):
            stored.append(appended)  # noqa: PERF402 - what came before a refusal counts

    def _decide(
        self, run: Sequence[Request], reading: Reading
    ) -> tuple[list[Decided | Refused], int]:
        """Decide requests in turn, as far as one append's size and the reading allow."""
        law = self._law()
        self._decider.prepare(run)
        after, size = reading.head, 0
        decided: list[Decided | Refused] = []
        for place, request in enumerate(run):
            if reading.spoiled or size > RUN_BYTES:
                break
            if place % AHEAD == 0:
                reading.extend(
                    strand
                    for r in run[place : place + AHEAD]
                    for p in r.proposals
                    for strand in self._decider.whole(p.event)
                )
            try:
                one = self._decider.decide(request, reading, law, after)
            except Refusal as refusal:
                decided.append(Refused(refusal))
                continue
            decided.append(one)
            after += len(one.ids)
            size += sum(max(len(e.data), LEAST_BYTES) for e in one.append.entries)
        return decided, after

    def _land(self) -> Generator[Answer, None, bool]:
        """Answer the run that is under way once it is stored; whether all of it was.

        Where it was not, the first request that was not is entered singly and the others are put
        back; runs grow shorter until they get through.
        """
        flight, self._flight = self._flight, None
        if flight is None:
            return True
        try:
            flight.sent.result()
            self._longest = min(self._longest * 2, LONGEST_RUN)
        except LogError:
            self._reading = None
            self._longest = max(len(flight.requests) // 2, 1)
        stored = iter(flight.stored)
        for place, one in enumerate(flight.decided):
            if isinstance(one, Refused):
                yield one
            elif (appended := next(stored, None)) is not None:
                yield self._noted(receipt(one, appended))
            else:
                self._queue.extendleft(reversed(flight.requests[place + 1 :]))
                yield self._singly(flight.requests[place])
                return False
        return self._reading is not None

    def _noted(self, answer: Receipt) -> Receipt:
        """Remembered, so that the same request further on in the queue is known."""
        self._known.update((entered.event_id, entered) for entered in answer.entries)
        return answer

    def _singly(self, request: Request) -> Answer:
        ids = [p.event_id for p in request.proposals if p.event_id in self._known]
        try:
            if ids and request.key is None:
                return first_answer(request, [i for i in ids if i is not None], self._known)
            return self._noted(self._enter_one(request))
        except Refusal as refusal:
            return Refused(refusal)


def entered_under(log: EventLog, ids: Sequence[UUID]) -> dict[UUID, Entered]:
    """What was entered under these event ids."""
    positions = log.by_event_id(ids)
    headings = log.headings(list(positions.values()))
    return {i: Entered(p, i, *headings[p]) for i, p in positions.items()}


def first_answer(request: Request, ids: Sequence[UUID], known: Mapping[UUID, Entered]) -> Receipt:
    """The receipt of a request whose event ids (`ids`) are in the log. Raises KeyReused."""
    entered = [known[i] for i in ids if i in known]
    types = [type(p.event).__name__ for p in request.proposals]
    in_turn = [entered[0].position + n for n in range(len(types))]
    if [(e.position, e.type) for e in entered] != list(zip(in_turn, types, strict=True)):
        raise KeyReused(
            "an event id was entered before, in another request",
            field="event_id",
            zh="事项标识已用于另一请求",
            position=entered[0].position,
        )
    return Receipt(entered, [], replayed=True)


def receipt(decided: Decided, appended: Appended) -> Receipt:
    entered = [
        Entered(appended.first + n, event_id, type_, appended.recorded_at)
        for n, (event_id, type_) in enumerate(zip(decided.ids, decided.types, strict=True))
    ]
    return Receipt(entered, decided.findings, appended.replayed, decided.undermined)


def _ids(requests: Iterable[Request]) -> set[UUID]:
    return {p.event_id for r in requests for p in r.proposals if p.event_id is not None}


def _alone(request: Request, types: Container[str] = frozenset({*LAW_TYPES, *ORDERS})) -> bool:
    """Corrections read the log, a key is asked of it first, new law holds for what follows; what is
    ordered about keys is carried out at once.
    """
    return (
        request.key is not None
        or len(request.proposals) > MOST_TOGETHER
        or any(
            p.supersedes or p.annuls or p.expect is not None or type(p.event).__name__ in types
            for p in request.proposals
        )
    )


@contextmanager
def _fewer_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
