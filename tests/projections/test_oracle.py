"""Random lives through a real ledger: table, fold and oracle give one answer, every day and position.

Persons, officers and units are the subjects. The oracle also foretells each decision: what the
record refuses, and which fact an ending ends. Who answered for whom is told from its facts alone.
"""

import itertools
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from api.publishing import publish_law
from domain.acts.openings import RecordOpened
from domain.bitemporal import OPEN, AsOf
from domain.bitemporal import on_record as fold_on_record
from domain.case import Finding
from domain.events import FACETS, FactAnnulled, Proposal
from domain.ledger import Request
from domain.record import Record
from domain.refusals import LawForbids, Refusal
from tests.agreeing import answers_agree, findings_agree
from tests.deeds import (
    DEPUTIES,
    FIRST,
    KINDS,
    OF_PEOPLE,
    OF_UNITS,
    RECAST,
    STRIDE,
    TERMED,
    Cast,
    Deed,
    deed,
)
from tests.foretelling import MANY, Before, Foretold
from tests.grid import OURS, Answers, Grid, in_order
from tests.oracle import (
    Held,
    Line,
    Oracle,
    in_force,
    on_record,
    prevailing,
)
from tests.oracle import told as told_of
from tests.scenes import SCENES, Scene, Staged, staged

DAYS = 7
PEOPLE, OFFICERS, UNITS = 3, 3, 4
"""The last unit is not set up beforehand."""
BEYOND = {"law-forbids", "impact-refused"}
"""What may refuse an order that the record does not: the law, and what was decided since."""

# what is entered first: the act, who of everybody, in which unit; the last has a law of its own,
# the second stands beneath the first and is what a deputy of that one answers for
OPENING = [*(("registered", n, 0) for n in range(PEOPLE + OFFICERS)),
           *(("established", 0, n) for n in range(UNITS - 1))]  # fmt: skip
STAFFED = [
    ("hired", 0, 1), ("hired", 1, 2), ("appointed", 3, 1), ("appointed", 4, 2),
    ("unit-head", 3, 1), ("deputy-head", 4, 2), ("portfolio", 4, 2), ("led", 0, 1),
    ("posted", 1, 2), ("led", 1, 2), ("appointed", 5, 0), ("deputy-head", 5, 0), ("portfolio", 5, 0),
]  # fmt: skip

_scopes = itertools.count(1)


class Act(NamedTuple):
    """A drawn act; every number is taken modulo what there is to choose from."""

    kind: str
    person: int
    unit: int
    day: int
    seq: int
    term: int
    pick: int
    names: bool  # an ending names its fact
    near: bool  # on the day of the last entry, about the same subject

    @property
    def elsewhere(self) -> "Act":
        """The same of others, on another day: tried where this would be refused."""
        return self._replace(person=self.person + 1, unit=self.unit + 1, day=DAYS - self.day)


class Correction(NamedTuple):
    pick: int
    recast: int
    day: int
    seq: int
    term: int
    stale: bool


class Annulment(NamedTuple):
    pick: int
    stale: bool


OFTEN = ["rated", "rehired", "relieved", "returned", "revoked", "lifted", "converted", "posted",
         "merged"]  # fmt: skip
SEATS = ["unit-head", "no-unit-head", "deputy-head", "no-deputy-head", "portfolio", "appointed",
         "moved", "led", "acting-head", "suspended", "portfolio"]  # fmt: skip

_day, _pick = st.integers(1, DAYS), st.integers(0, 99)
# a none stands one place before its act, so the drawn places leave room for it
_seq, _term = st.sampled_from([0, 0, 2, -2]), st.sampled_from([0, 0, 1, 3])
ACTS = st.builds(
    Act, kind=st.sampled_from([*OFTEN, *SEATS, *OF_PEOPLE, *OF_PEOPLE, *OF_UNITS]), person=_pick, unit=_pick,
    day=_day, seq=_seq, term=_term, pick=_pick, names=st.sampled_from([True, True, False]), near=st.booleans(),
)  # fmt: skip
STALE = st.sampled_from([False] * 7 + [True])
CORRECTIONS = st.builds(
    Correction, pick=_pick, recast=_pick, day=_day, seq=_seq, term=_term, stale=STALE
)
ANNULMENTS = st.builds(Annulment, pick=_pick, stale=STALE)
SCENE = st.builds(Scene, name=st.sampled_from([*SCENES]), person=_pick, officer=_pick,
                  day=st.integers(1, 4), later=st.integers(1, 2))  # fmt: skip
MOVES = st.sampled_from([*[ACTS] * 6, *[CORRECTIONS] * 2, ANNULMENTS, SCENE]).flatmap(
    lambda move: move
)


class Told(NamedTuple):
    """A move as it is entered, as the oracle takes it, and the refusal it foretells."""

    proposal: Proposal
    line: Line
    deed: Deed
    refusal: str | None


class Lives(RuleBasedStateMachine):
    """Subjects of its own in a common ledger; all that is compared is compared at the end."""

    def __init__(self, bureau: Any) -> None:
        super().__init__()
        self.ledger, self.runner, self.records = bureau.ledger, bureau.runner, bureau.records
        scope = f"o{next(_scopes)}"
        self.people = [f"{scope}-p{n}" for n in range(PEOPLE)]
        self.officers = [f"{scope}-f{n}" for n in range(OFFICERS)]
        self.units = [f"{scope}-u{n}" for n in range(UNITS)]
        self.everyone = [*self.people, *self.officers]
        self.subjects = [
            *(f"person:{p}" for p in self.everyone),
            *(f"unit:{u}" for u in self.units),
        ]
        self.ids = (uuid5(UUID(int=0), f"{scope}.{n}") for n in itertools.count())
        self.deeds: dict[UUID, Deed] = {}
        self.found: dict[int, list[Finding]] = {}
        self.oracle = Oracle([])
        self.first = self.ledger.log.head() + 1
        self.mood = "attested"
        told: list[Told] = []
        for kind, nth, n in (*OPENING, *STAFFED):
            who = self.everyone[nth]
            cast = Cast(who, self.units[n], self.officers[n - 1], self.units[1 - n], "", 2 - n)
            told.append(
                self._told(deed(kind, cast), FIRST - STRIDE * (kind == "established"), told)
            )
        assert [t.refusal for t in told if t.refusal] == []
        self._enter(told)

    # making moves

    @rule(
        moves=st.lists(MOVES, min_size=1, max_size=6),
        mood=st.sampled_from(["attested", "attested", "ordered"]),
        daring=st.sampled_from([False, False, False, True]),
        short=st.sampled_from([None, None, 0, 1, 2]),
    )
    def enters(self, moves: list[Any], mood: str, daring: bool, short: int | None) -> None:
        """One request. Only the daring hand in what the oracle says will be refused.

        The table may then follow to its end or stop short of it, within the request.
        """
        told, refused = self._drawn(moves, mood, daring)
        if any(isinstance(t.deed.event, RecordOpened) for t in (*told, *refused)):
            told, refused = self._drawn(moves, "attested", daring)
        if refused:
            self._previewed(refused)
        if told:
            self._enter(told)
        if short is not None:
            list(self.runner.catch_up(until=self.ledger.log.head() - short))

    def _drawn(self, moves: list[Any], mood: str, daring: bool) -> tuple[list[Told], list[Told]]:
        """What is handed in; and, with what comes before it, the last that is not."""
        self.mood = mood
        told: list[Told] = []
        refused: list[Told] = []
        for move in itertools.chain.from_iterable(map(self._parts, moves)):
            one = self._moved(move, told)
            if one.refusal and not daring and isinstance(move, Act):
                one = self._moved(move.elsewhere, told)
            if daring or one.refusal is None:
                told.append(one)
            else:
                refused = [*told, one]
        return told, refused

    def _previewed(self, told: list[Told]) -> None:
        """What is not handed in is refused all the same, as foretold of the last of these."""
        try:
            self.ledger.preview(Request([t.proposal for t in told], mood=self.mood))
        except Refusal as refusal:
            self._judge(refusal, (len(told) - 1, told[-1].refusal), told)
        else:
            raise AssertionError(told)

    def _so_far(self, told: list[Told]) -> Oracle:
        return Oracle([*self.oracle.lines, *(t.line for t in told)])

    def _parts(self, move: Any) -> list[Any]:
        if not isinstance(move, Scene):
            return [move]
        person, day = _one(self.people, move.person), FIRST + STRIDE * move.day
        facts, subject = self.oracle.facts(), self.oracle.kept(f"person:{person}")
        used = [told_of(facts, facet, subject, day) for facet in ("host", "unit")]
        first = next((u["unit"] for u in used if u), self.units[1])
        units = [first, *(u for u in reversed(self.units[:-1]) if u != first)]
        return [*staged(move, person, units, self.officers)]

    def _moved(self, move: Any, told: list[Told]) -> Told:
        if isinstance(move, Staged):
            said, day = deed(move.kind, move.cast), FIRST + STRIDE * move.day
            return self._told(said, day, told, term=move.term, seq=move.seq)
        oracle = self._so_far(told)
        if isinstance(move, Act):
            return self._acted(move, oracle, told)
        roots = oracle.roots()
        roots = roots if move.pick % 9 == 0 else roots[len(OPENING) :]
        if isinstance(move, Correction) and move.recast % 3 == 0:
            endings = [r for r in roots if r.ends]
            roots = [r for r in endings if self._others(oracle, r)] or endings or roots
        chain = oracle.chain(_one(roots, move.pick).id)
        named = chain[0] if move.stale else chain[-1]
        content = next(x for x in reversed(chain) if x.undoes is None)
        said = self._deed(content, told)
        if isinstance(move, Annulment):
            return self._undone(oracle, content, said, named, told)
        if move.recast % 2 and (field := RECAST.get(said.kind)):
            drawn = {"pick": [move.recast], "unit": self.units, "other": self.units,
                     "officer": self.officers}[field]  # fmt: skip
            said = deed(said.kind, said.cast._replace(**{field: _one(drawn, move.recast // 2)}))
        day, ends = FIRST + STRIDE * move.day, content.ends
        if content.ends and move.recast % 3 == 0:
            ends = _one([*self._others(oracle, content), content.ends], move.recast // 3)
            day = oracle.line(ends).effective + STRIDE * (move.day - 1)
        term = 3 if said.kind == "sanctioned" else said.kind in TERMED and move.term
        return self._told(said, day, told, term=term, seq=move.seq, ends=ends, named=named)

    def _acted(self, move: Act, oracle: Oracle, told: list[Told]) -> Told:
        kind, day, ends = move.kind, FIRST + STRIDE * move.day, None
        last, cast = oracle.lines[-1], self._cast(move)
        if move.near:
            day = last.effective
            about = oracle.line(last.root).about.partition(":")[2]
            field = "unit" if about in self.units else "person"
            cast = cast._replace(**{"officer" if about in self.officers else field: about})
        if kind in SEATS and move.pick % 5:
            role = told_of(oracle.facts(), "officer", oracle.kept(f"person:{cast.officer}"), day)
            cast = cast._replace(unit=role["unit"] if role else cast.unit)
        if kind == "portfolio" and move.names:
            deputy = _one([r for r in oracle.roots() if self._says(r, *DEPUTIES)], move.pick)
            cast = cast._replace(unit=deputy.about[5:], officer=deputy.says[0].slot)
            day = max(day, deputy.effective)
        if (facet := deed(kind, cast).ends) is not None:
            known = [r for r in oracle.roots() if self._says(r, facet)]
            if not known:
                kind = next(k for k in KINDS if any(s.facet == facet for s in deed(k, cast).says))
            elif move.names:
                one = _one(known, move.pick)
                newest = [x for x in oracle.chain(one.id) if x.undoes is None][-1]
                ends, cast = one.id, self._deed(newest, told).cast
                day = last.effective if move.near else one.effective + STRIDE * (move.day - 1)
        term = 3 if kind == "sanctioned" else kind in TERMED and move.term
        return self._told(deed(kind, cast), day, told, term=term, seq=move.seq, ends=ends)

    def _others(self, oracle: Oracle, ending: Line) -> list[UUID]:
        """What else an ending could have ended."""
        return [
            r.id
            for r in oracle.roots()
            if r.about == ending.about and r.id != ending.ends
            and self._says(r, str(ending.ended_facet))
        ]  # fmt: skip

    @staticmethod
    def _says(line: Line, *facets: str) -> bool:
        return any(s.facet in facets and s.value for s in line.says)

    def _cast(self, move: Act) -> Cast:
        """Seldom an officer for an auxiliary or the other way round, or a unit not yet set up."""
        anybody, anywhere = move.pick % 9 == 0, move.kind == "established" or move.pick % 9 == 1
        return Cast(
            _one(self.everyone if anybody or move.kind == "merged" else self.people, move.person),
            _one(self.units if anywhere else self.units[:-1], move.unit),
            _one(self.everyone if move.pick % 9 == 2 else self.officers, move.person),
            _one(self.units, move.pick),
            _one(self.everyone, move.pick),
            move.pick,
        )

    def _deed(self, content: Line, told: list[Told]) -> Deed:
        known = {t.line.id: t.deed for t in told}
        return known.get(content.id) or self.deeds[content.id]

    def _told(
        self, deed: Deed, day: date, told: list[Told], *, term: int = 0, seq: int = 0,
        ends: UUID | None = None, named: Line | None = None,
    ) -> Told:  # fmt: skip
        oracle, new = self._so_far(told), next(self.ids)
        root = named.root if named else new
        until = day + STRIDE * term if term else None
        line = Line(self.ledger.log.head() + len(told) + 1, new, root, deed.about, day, until, seq,
                    deed.says, None, ends, deed.ends, deed.about if deed.leaves else None,
                    deed.merges)  # fmt: skip
        proposal = Proposal(deed.event, day, event_id=new, until=until, seq=seq, ends=ends,
                            supersedes=named and named.id)  # fmt: skip
        refusal = self._misnamed(oracle, named)
        if refusal is None and named and oracle.meaning(oracle.chain(root)[-1]) is None:
            refusal = "wrong-correction"
        if refusal is None:
            line, refusal = self._decided(oracle, line, deed)
        return Told(proposal, line, deed, refusal)

    def _undone(
        self, oracle: Oracle, content: Line, said: Deed, named: Line, told: list[Told]
    ) -> Told:
        line = Line(self.ledger.log.head() + len(told) + 1, next(self.ids), named.root, named.about,
                    content.effective, seq=content.seq, undoes=named.id)  # fmt: skip
        proposal = Proposal(FactAnnulled(), FIRST, event_id=line.id, annuls=named.id)
        refusal = self._misnamed(oracle, named)
        if refusal is None and oracle.meaning(named) is None:
            # what is reinstated is decided as the act itself would be
            _, refusal = self._decided(oracle, content, said)
        return Told(proposal, line, said, refusal)

    def _misnamed(self, oracle: Oracle, named: Line | None) -> str | None:
        if named is None:
            return None
        if named.position > self.ledger.log.head():
            return "unknown-fact"
        return None if named == oracle.chain(named.root)[-1] else "superseded"

    def _decided(self, oracle: Oracle, line: Line, deed: Deed) -> tuple[Line, str | None]:
        """What the record says to an act on the state at its day, just before its place."""
        before = Before(oracle, line, self.mood)
        try:
            deed.judged(before)
        except Foretold as foretold:
            return line, foretold.code
        return line._replace(ends=before.ends), None

    # entering

    def _enter(self, told: list[Told]) -> None:
        head = self.ledger.log.head()
        told = [t._replace(line=t.line._replace(position=head + n)) for n, t in enumerate(told, 1)]
        foretold = next(((n, t.refusal) for n, t in enumerate(told) if t.refusal), None)
        request = Request([t.proposal for t in told], mood=self.mood)
        try:
            receipt = self.ledger.enter(request)
        except Refusal as refusal:
            assert self.ledger.log.head() == head
            self._judge(refusal, foretold, told)
            if isinstance(refusal, LawForbids):
                self._attested_instead(request, refusal)
            return
        assert foretold is None, (foretold, told)
        stored = self.ledger.entries(after=head, until=receipt.position)
        for entry, one in zip(stored, told, strict=True):
            assert entry.position == one.line.position
            assert entry.until == (one.line.until or OPEN)
            assert entry.ended == (str(one.line.ends) if one.line.ends else None)
            self.deeds[one.line.id] = one.deed
        for index, finding in receipt.findings:
            self.found.setdefault(told[index].line.position, []).append(finding)
        self.oracle = self._so_far(told)

    def _judge(
        self, refusal: Refusal, foretold: tuple[int, str | None] | None, told: list[Told]
    ) -> None:
        """As the record was foretold to refuse it; before that only an order, by what is beyond."""
        if (refusal.index, refusal.code) != foretold:
            assert self.mood == "ordered", (refusal, foretold, told)
            assert refusal.code in BEYOND, (refusal, foretold, told)
            assert foretold is None or refusal.index < foretold[0]

    def _attested_instead(self, request: Request, refusal: LawForbids) -> None:
        """What the law refuses to be ordered it only finds where it is attested."""
        try:
            decided = self.ledger.preview(request._replace(mood="attested"))
        except LawForbids:
            raise
        except Refusal:
            return  # by the record, at a later act
        assert (refusal.index, refusal.rule) in [(n, f.rule) for n, f in decided.findings]

    # comparing

    def teardown(self) -> None:
        list(self.runner.catch_up())
        head = max(line.position for line in self.oracle.lines)
        fold = Record.fold(self.ledger.entries(after=self.first - 1, until=head))
        days = [FIRST - 4 * STRIDE, *(FIRST + STRIDE * n for n in range(-2, DAYS + 5))]
        versions = [f for f in fold.every_version() if f.subject in self.subjects]
        assert sorted(self.records.strands(OURS, self.subjects)) == sorted(versions)
        strands = {(f.facet, f.subject, f.slot) for f in versions}
        grid: dict[AsOf, Answers] = {}
        for known in range(self.first - 1, head + 1):
            facts = self.oracle.facts(known)
            for day in days:
                grid[AsOf(day, known)] = self._compare(fold, strands, facts, AsOf(day, known))
        Grid(self.records, grid, self.subjects).agrees()
        answers_agree(self, fold, days, head)
        findings_agree(self, head)

    def _compare(
        self, fold: Record, strands: set[tuple[str, str, str]], facts: list[Held], as_of: AsOf
    ) -> Answers:
        """What the oracle tells as of a pair; the fold has answered the same."""
        day = as_of.effective
        of_many = [f for f in facts if f.facet in MANY]
        told = Answers(
            facts,
            in_order(prevailing((f for f in facts if f.facet not in MANY), day)),
            in_order(in_force(of_many, day)),
        )
        found = (fold.at(FACETS[f], s, as_of, slot) for f, s, slot in strands if f not in MANY)
        assert in_order(f for f in found if f is not None) == told.single, as_of
        many = {(FACETS[f], s) for f, s, _ in strands if f in MANY}
        assert in_order(f for one in many for f in fold.every(*one, as_of)) == told.many, as_of
        ever = (f for one in many for f in fold_on_record(fold.versions(*one), as_of))
        assert in_order(ever) == in_order(on_record(of_many, day)), as_of
        return told


def _one(choices: Any, number: int) -> Any:
    return choices[number % len(choices)]


def test_whatever_is_entered_table_fold_and_oracle_give_one_answer(common_bureau):
    publish_law(common_bureau.ledger, ["330200"])
    soaking = settings.get_current_profile_name().endswith("soak")
    budget = settings(
        settings() if soaking else settings(max_examples=12, stateful_step_count=25),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Lives(common_bureau), settings=budget)
