"""The door for old workbooks and histories: plan, then enter.

Owns the entering of a plan. Invariant: what a row stands for is entered once, whatever is repeated
or broken off: its event ids are derived from its system, key and edition.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

import structlog

from api.intake.batches import (
    OWN,
    all_batches,
    begin,
    begun_id,
    finish,
    read_sheets,
    undone_roots,
)
from api.intake.checking import KNOWN_PERSON, Fault, Reason, noted, refused
from api.intake.known import note_known, reject_repeated
from api.intake.mapping import Mapping, load_mapping
from api.intake.matching import People
from api.intake.monthly import UNTOLD, Comparison, Ways, opens_records
from api.intake.numbering import NUMBER_GONE, Numbers
from api.intake.originals import row_id, row_read
from api.intake.plan import OF_NO_ROW, FileCount, Plan, count_rows
from api.intake.planning import Planner, locks_in, sources
from api.intake.rows import Draft
from api.intake.shelf import Told
from api.intake.units_named import unit_names
from domain.acts.imports import ImportBegun
from domain.events import Actor, Document, Proposal, Source
from domain.ledger import Ledger, Receipt, Refused, Request
from domain.refusals import AlreadyRecorded, BadInput, Refusal
from projections.questions.law import Published
from projections.records import Records

Progress = Callable[[int, int], None]
"""(requests done, requests in all); a row with acts is one request."""

_TOGETHER = 1_000
_logger = structlog.get_logger(__name__)


class Report(NamedTuple):
    """What entering a plan did. `events`: acts entered, by type; `position`: the head after."""

    batch: UUID
    files: list[FileCount]
    events: Counter[str]
    already: int
    rejected: Told[Fault]
    position: int
    seconds: float


class Importer:
    """Imports into one ledger. A mapping says whether what is imported is attested (it happened,
    and is not judged now) or ordered; `records` are needed where a sheet names persons.
    """

    def __init__(self, ledger: Ledger, records: Records | None = None) -> None:
        self._ledger = ledger
        self._records = records

    def plan(
        self, files: Iterable[Path], mapping: Mapping | str | Path, dated: date | None = None,
        ways: Ways = UNTOLD, approved_by: str | None = None, tab: str | None = None,
    ) -> Plan:  # fmt: skip
        """What the files (or folders of files) would enter. Nothing is entered.

        A sheet without numbers needs `records`. With them, a roster's persons whom the ledger has
        are compared with it; `ways` are the kinds of change that a roster does not tell.

        `dated` is the date of the sheets where no title gives it; `tab`: the sheet to read.
        Raises BadInput, MissingField, TooLarge for a file or a mapping that cannot be used; a
        faulty row is in the plan.
        """
        if not isinstance(mapping, Mapping):
            mapping = load_mapping(mapping)
        files = [*files]
        self._check_ladders(mapping)
        found = sources(files, mapping)
        people = People(self._ledger, self._records)
        numbers = self._numbers(mapping)
        plan = Planner(mapping, found, self.known_units(), people, dated, tab, numbers).run()
        plan.locks = locks_in(files)
        plan.met |= people.met
        reject_repeated(plan)
        undone = self._renew(plan)
        note_known(self._ledger, plan)
        if numbers is not None:
            numbers.give(plan)
        if self._records is not None and opens_records(plan):
            Comparison(self._ledger, self._records, plan, ways).run(undone)
            note_known(self._ledger, plan)
        if self._records is None or not opens_records(plan) or None in plan.dates:
            self._reject_known_persons(plan)  # of those compared, nobody is known by such a number
        if mapping.judged:
            self._reject_refused(plan, approved_by)
        return plan

    def _numbers(self, mapping: Mapping) -> Numbers | None:
        if not any(sheet.numbering for sheet in mapping.sheet):
            return None
        if self._records is None:
            raise ValueError("numbers are given by what the records say")
        return Numbers(self._ledger, self._records, mapping.system)

    def _check_ladders(self, mapping: Mapping) -> None:
        """An opening is judged by no rule, so a grade that its ladder has not would go in unseen.

        Raises BadInput.
        """
        head = self._ledger.log.head()
        law = Published(self._ledger, head).at(head)
        for ladder, named in mapping.grades().items():
            if (known := law.grades(ladder)) and (strange := sorted(named - known)):
                raise BadInput(
                    f"the ladder {ladder} has no grade {', '.join(strange)}", field="mapping",
                    zh=f"对应表有误:层级序列 {ladder} 中没有层级 {'、'.join(strange)}",
                )  # fmt: skip

    def _reject_refused(self, plan: Plan, approved_by: str | None) -> None:
        """A row that the ledger would refuse is rejected before anything is entered; of one that it
        would take with a finding that is said.
        """
        drafts = list(plan.drafts.read(fresh=True))
        today = self._ledger.today()
        requests = [_request(plan, draft, today, Actor(), None) for draft in drafts]
        if not requests:
            return
        whose = [draft for draft, one in zip(drafts, requests, strict=True) for _ in one.proposals]
        together = requests[0]._replace(
            proposals=[p for one in requests for p in one.proposals],
            approved_by=approved_by,
        )
        refusals: dict[int, Refusal] = {}
        for draft, answer in zip(whose, self._ledger.preview_each(together), strict=True):
            if isinstance(answer, Refusal):
                refusals.setdefault(draft.id, answer)
                continue
            for finding in answer:
                for fault in _faults(plan, draft, noted(finding)):
                    plan.warnings.add(fault, 2)
        for draft in drafts:
            if (refusal := refusals.get(draft.id)) is not None:
                _reject(plan, draft, refused(refusal))
        plan.drafts.drop(refusals)

    def _renew(self, plan: Plan) -> set[UUID]:
        """What an undone batch had entered may be entered again, under new event ids."""
        undone = {UUID(root) for root in undone_roots(self._ledger)}
        gone = {UUID(batch.id) for batch in all_batches(self._ledger) if batch.undone is not None}
        while plan.batch in gone:
            plan.batch = uuid5(plan.batch, "again")
        if undone:
            for draft in plan.drafts:
                if draft.renew(undone):
                    plan.drafts.replace(draft)
        return undone

    def known_units(self) -> dict[str, str]:
        """Folded name → unit, for names that one unit alone has had."""
        names = unit_names(self._ledger)
        return {name: units[0] for name, units in names.items() if len(units) == 1}

    def _reject_known_persons(self, plan: Plan) -> None:
        """A new row with an ID number that the ledger holds is not entered: which of the two is
        right, and what has changed since, is for the clerk to say.
        """
        log, vault = self._ledger.log, self._ledger.vault
        for drafts in _chunks(plan.drafts.read(fresh=True, claiming=True)):
            known: set[int] = set()
            holding: defaultdict[str, dict[bytes, Draft]] = defaultdict(dict)
            for draft in drafts:
                for kind, value in draft.unique():
                    holding[kind][vault.blind(kind, value)] = draft
            for kind, blinds in holding.items():
                claimed = log.claimed(kind, list(blinds))
                plan.met |= {*claimed.values()}
                known |= {blinds[blind].id for blind in claimed}
            for draft in drafts:
                if draft.id in known:
                    _reject(plan, draft, KNOWN_PERSON)
            plan.drafts.drop(known)

    def enter(
        self, plan: Plan, progress: Progress | None = None, actor: Actor | None = None,
        approved_by: str | None = None, document: Document | None = None,
    ) -> Report:  # fmt: skip
        """Enter a plan; a row that the ledger refuses is rejected and the others go on.
        `approved_by` lets the rows change closed periods.

        `document` is what all of it rests on, where that is one paper.

        May be broken off and run again: nothing is entered twice. Raises a Refusal only where the
        ledger can take nothing (ClockBehind).
        """
        started = time.monotonic()
        actor = actor or Actor()
        today = self._ledger.today()
        tally = _Tally(plan)
        waiting: deque[Draft] = deque()

        def requests() -> Iterator[Request]:
            for draft in plan.drafts.read(fresh=True):
                waiting.append(draft)
                one = _request(plan, draft, today, actor, document)
                yield one._replace(approved_by=approved_by)

        self._begin(plan, actor)
        total, known = len(plan.drafts), tally.already
        for done, answer in enumerate(self._ledger.enter_many(requests()), known + 1):
            tally.take(waiting.popleft(), answer)
            if progress is not None and (done % 1_000 == 0 or done == total):
                progress(done, total)
        self._finish(plan, tally.rejected.rows().total(), actor)
        report = Report(
            plan.batch, count_rows(plan, tally.rows, tally.rejected), tally.events,
            tally.already, tally.rejected, self._ledger.log.head(), time.monotonic() - started,
        )  # fmt: skip
        _logger.info("imported", batch=str(plan.batch), entries=tally.events.total(),
                     already=report.already, rejected=len(tally.rejected))  # fmt: skip
        return report

    def _begin(self, plan: Plan, actor: Actor) -> None:
        """Enter that this batch begins, where it has anything to enter."""
        if not plan.drafts.fresh():
            return
        mapping = plan.mapping
        begun = ImportBegun(
            batch=str(plan.batch), mapping=mapping.name, version=mapping.version,
            files=plan.files, digests=plan.digests,
        )  # fmt: skip
        begin(self._ledger, begun, actor)
        sheets = [
            originals.sheet_read(str(plan.batch), place, plan.sheets[place])
            for place, originals in enumerate(plan.originals)
        ]
        read_sheets(self._ledger, sheets, str(plan.batch), actor)

    def _finish(self, plan: Plan, rejected: int, actor: Actor) -> None:
        batch = str(plan.batch)
        if self._ledger.log.by_event_id([begun_id(batch)]):
            finish(self._ledger, batch, rejected, actor)


class _Tally:
    """What became of a plan's drafts, those that the ledger has already among them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.rows = plan.drafts.tally(entered=True)
        self.already = self.rows.known.total()
        self.events: Counter[str] = Counter()
        plan.refused.clear()
        self.rejected = plan.unentered

    def take(self, draft: Draft, answer: Receipt | Refused) -> None:
        """Raises the Refusal of a ledger that can take nothing."""
        if isinstance(answer, Refused):
            if answer.refusal.category == "unavailable":
                raise answer.refusal
            if not _stands(draft, answer):
                reason = self._reason(draft, answer.refusal)
                for fault in _faults(self._plan, draft, reason):
                    self._plan.refused.add(fault)
                return
        elif answer.replayed:
            self.rows.known[draft.sheet] += 1
            self.already += 1
        else:
            self.events.update(e.type for e in answer.entries if e.type not in OWN)
        self.rows.acts[draft.sheet] += 1
        self.rows.same[draft.sheet] += len(draft.same)

    def _reason(self, draft: Draft, refusal: Refusal) -> Reason:
        numbered = draft.sheet != OF_NO_ROW and self._plan.files[draft.sheet] in self._plan.given
        return NUMBER_GONE if numbered and refusal.field == "number" else refused(refusal)


def _request(
    plan: Plan, draft: Draft, today: date, actor: Actor, document: Document | None
) -> Request:
    mapping = plan.mapping
    source = Source(system=mapping.system, key=draft.key, version=plan.edition(draft))
    proposals = [
        Proposal(
            made.event, made.effective, until=made.until, occurred=made.occurred, ends=made.ends,
            event_id=made.event_id, source=source,
        )
        for made in draft.made
    ]  # fmt: skip
    if draft.said is not None:
        row = row_read(draft.said, draft.person)
        event_id = row_id(draft.made[0].event_id)
        proposals.append(Proposal(row, today, event_id=event_id, source=source))
    digest = plan.digests[draft.sheet] if draft.sheet != OF_NO_ROW else None
    document = document or Document(none_because=f"补登:{mapping.zh}", sha256=digest)
    return Request(
        proposals, mood=mapping.mood, actor=actor, document=document,
        request_id=str(plan.batch), attested_by=mapping.attested_by,
    )  # fmt: skip


def _stands(draft: Draft, answer: Refused) -> bool:
    """Whether the ledger has this unit already, entered by other means."""
    unit = type(draft.made[0].event).__name__ == "UnitEstablished"
    return unit and isinstance(answer.refusal, AlreadyRecorded)


def _reject(plan: Plan, draft: Draft, reason: Reason) -> None:
    """After the faults that the rows have by themselves."""
    for fault in _faults(plan, draft, reason):
        plan.rejected.add(fault, 1)


def _faults(plan: Plan, draft: Draft, reason: Reason) -> list[Fault]:
    """The rows of a draft, rejected; none for a draft that no row stands for."""
    if draft.sheet == OF_NO_ROW:
        return [Fault(draft.key, 0, None, "", False, reason)]
    file = plan.files[draft.sheet]
    return [Fault(file, row, None, "", False, reason) for row in (draft.row, *draft.same)]


def _chunks(drafts: Iterator[Draft]) -> Iterator[list[Draft]]:
    while chunk := list(islice(drafts, _TOGETHER)):
        yield chunk
