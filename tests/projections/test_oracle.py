"""Random lives through a real ledger: table, fold and oracle give one answer, every day and position.

The oracle also foretells each decision: what the record refuses, and which fact an ending ends.
"""

import itertools
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from api.publishing import publish_law
from domain.acts.discipline import SANCTIONS, SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeConverted
from domain.acts.identity import PersonsMerged
from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.openings import RecordOpened
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.bitemporal import OPEN, AsOf
from domain.bitemporal import on_record as fold_on_record
from domain.events import FACETS, Event, FactAnnulled, Proposal
from domain.ledger import Request
from domain.record import Record
from domain.refusals import LawForbids, Refusal
from tests.oracle import Held, Line, Oracle, Says, in_force, on_record, prevailing

FIRST, STRIDE, DAYS = date(2024, 1, 1), timedelta(days=20), 7
PEOPLE = 3
MANY = {REWARDS.name: REWARDS, SANCTIONS.name: SANCTIONS}
SINGLE = [f for f in FACETS.values() if f.of == "person" and not f.many]
FORETOLD = {
    "unknown-subject", "not-in-service", "already-recorded", "unknown-fact", "superseded",
    "wrong-correction",
}  # fmt: skip

_scopes = itertools.count(1)


class Act(NamedTuple):
    """A drawn act; every number is taken modulo what there is to choose from."""

    kind: str
    person: int
    day: int
    seq: int
    term: int
    pick: int
    names: bool  # an ending names its fact
    near: bool  # on the day of the last entry, about the same person


class Correction(NamedTuple):
    pick: int
    day: int
    seq: int
    term: int
    stale: bool


class Annulment(NamedTuple):
    pick: int
    stale: bool


class Deed(NamedTuple):
    """What an act of a kind is: its event, what it says, and what its decision asks for."""

    event: Event
    says: tuple[Says, ...]
    asks: str | None  # "person" is registered, is in "service" or is "free" to enter it
    anew: str | None = None  # a facet whose content the act must change
    ends: str | None = None
    leaves: bool = False
    spells: bool | None = None  # whether an earlier spell must be on record, or none
    merges: tuple[str, str] | None = None

    @property
    def about(self) -> str:
        field = "merged" if self.merges else "person"
        return f"person:{getattr(self.event, field)}"


def hired(cls: type[Event]) -> Any:
    def deed(person: str, unit: str, pick: int) -> Deed:
        serves = Says("service", "", {"state": "in", "form": "direct"}, outlasts=True)
        category = Says("category", "", {"category": "field"})
        event = cls(person=person, unit=unit, category="field")  # type: ignore[call-arg]
        says = (serves, category, Says("unit", "", {"unit": unit}))
        return Deed(event, says, "free", spells=cls is AuxiliaryRehired)

    return deed


def opened(person: str, unit: str, pick: int) -> Deed:
    since = FIRST - STRIDE * (pick % 3)
    event = RecordOpened(person=person, hired_on=since, unit=unit, post="patrol")
    says = (
        Says("service", "", {"state": "in", "opened": True}, since, outlasts=True),
        Says("unit", "", {"unit": unit}),
        Says("post", "", {"post": "patrol"}),
    )
    return Deed(event, says, "free")


def resigned(person: str, unit: str, pick: int) -> Deed:
    left = {"state": "left", "kind": "resigned", "ground": "resignation"}
    says = (Says("service", "", left, outlasts=True),)
    return Deed(AuxiliaryResigned(person=person), says, "service", leaves=True)


def merged(person: str, kept: str, pick: int) -> Deed:
    says = (Says("same-as", "", {"kept": kept}, outlasts=True),)
    event = PersonsMerged(merged=person, kept=kept)
    return Deed(event, says, None, merges=(f"person:{person}", f"person:{kept}"))


def stating(
    cls: type[Event], facet: str, asks: str, field: str, *, outlasts: bool = False, **fixed: str
) -> Any:
    def deed(person: str, unit: str, pick: int) -> Deed:
        content = {field: unit if field == "unit" else f"v{pick % 3}", **fixed}
        says = Says(facet, "", content, outlasts=outlasts)
        anew = None if facet in MANY else facet
        return Deed(cls(person=person, **content), (says,), asks, anew)

    return deed


def ending(cls: type[Event], facet: str, asks: str | None, *, vacates: bool = False) -> Any:
    def deed(person: str, unit: str, pick: int) -> Deed:
        says = (Says(facet, "", None),) if vacates else ()
        return Deed(cls(person=person), says, asks, ends=facet)  # type: ignore[call-arg]

    return deed


KINDS = {
    "hired": hired(AuxiliaryHired),
    "rehired": hired(AuxiliaryRehired),
    "opened": opened,
    "resigned": resigned,
    "converted": stating(GradeConverted, "grade", "service", "grade", ladder="l"),
    "posted": stating(PostAssigned, "post", "service", "post"),
    "relieved": ending(PostRelieved, "post", "person", vacates=True),
    "transferred": stating(AuxiliaryTransferred, "unit", "service", "unit"),
    "seconded": stating(SecondmentStarted, "host", "service", "unit"),
    "returned": ending(SecondmentEnded, "host", None, vacates=True),
    "rewarded": stating(RewardGranted, "rewards", "person", "kind", outlasts=True),
    "revoked": ending(RewardRevoked, "rewards", "person"),
    "sanctioned": stating(SanctionImposed, "sanctions", "service", "kind", outlasts=True),
    "lifted": ending(SanctionLifted, "sanctions", "person"),
    "merged": merged,
}
TERMED = {"converted", "posted", "seconded"}
OFTEN = ["rehired", "relieved", "returned", "revoked", "lifted", "converted", "posted"]

_day, _pick = st.integers(1, DAYS), st.integers(0, 99)
# a none stands one place before its act, so the drawn places leave room for it
_seq, _term = st.sampled_from([0, 0, 2, -2]), st.sampled_from([0, 0, 1, 3])
ACTS = st.builds(
    Act, kind=st.sampled_from([*OFTEN, *KINDS]), person=st.integers(0, PEOPLE - 1), day=_day,
    seq=_seq, term=_term, pick=_pick, names=st.booleans(), near=st.booleans(),
)  # fmt: skip
STALE = st.sampled_from([False] * 7 + [True])
CORRECTIONS = st.builds(Correction, pick=_pick, day=_day, seq=_seq, term=_term, stale=STALE)
ANNULMENTS = st.builds(Annulment, pick=_pick, stale=STALE)
MOVES = st.sampled_from([*[ACTS] * 5, *[CORRECTIONS] * 2, ANNULMENTS]).flatmap(lambda move: move)


class Told(NamedTuple):
    """A move as it is entered, as the oracle takes it, and the refusal it foretells."""

    proposal: Proposal
    line: Line
    deed: Deed
    refusal: str | None


class Lives(RuleBasedStateMachine):
    """Persons of its own in a common ledger; all that is compared is compared at the end."""

    def __init__(self, bureau: Any) -> None:
        super().__init__()
        self.ledger, self.runner, self.records = bureau.ledger, bureau.runner, bureau.records
        scope = f"o{next(_scopes)}"
        self.people = [f"{scope}-p{n}" for n in range(PEOPLE)]
        self.units = [f"{scope}-u{n}" for n in range(3)]
        self.ids = (uuid5(UUID(int=0), f"{scope}.{n}") for n in itertools.count())
        self.deeds: dict[UUID, tuple[str, Deed]] = {}
        self.oracle = Oracle([])
        places = [None, None, "330200"]
        self.ledger.enter(
            Request([Proposal(UnitEstablished(unit=u, name="所", division=d), FIRST - 9 * STRIDE)
                     for u, d in zip(self.units, places, strict=True)])
        )  # fmt: skip
        self.first = self.ledger.log.head() + 1
        people = [Deed(PersonRegistered(person=p),
                       (Says("person", "", {"person": p, "sex": "9"}, outlasts=True),), None)
                  for p in self.people]  # fmt: skip
        hires = [
            KINDS["hired"](p, u, 0) for p, u in zip(self.people[:2], self.units[1:], strict=True)
        ]
        told: list[Told] = []
        for deed in (*people, *hires):
            told.append(self._told(deed, FIRST, None, told))
        self._enter(told, "attested")

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
        told: list[Told] = []
        for move in moves:
            one = self._moved(move, told)
            if daring or one.refusal is None:
                told.append(one)
        if any(isinstance(t.deed.event, RecordOpened) for t in told):
            mood = "attested"
        if told:
            self._enter(told, mood)
        if short is not None:
            list(self.runner.catch_up(until=self.ledger.log.head() - short))

    def _so_far(self, told: list[Told]) -> Oracle:
        return Oracle([*self.oracle.lines, *(t.line for t in told)])

    def _moved(self, move: Any, told: list[Told]) -> Told:
        oracle = self._so_far(told)
        if isinstance(move, Act):
            return self._acted(move, oracle, told)
        roots = oracle.roots()
        roots = roots if move.pick % 9 == 0 else roots[PEOPLE:]  # seldom a registration
        chain = oracle.chain(roots[move.pick % len(roots)].id)
        named = chain[0] if move.stale else chain[-1]
        if isinstance(move, Annulment):
            return self._undone(oracle, chain, named, told)
        deed = self._deed(chain[0].id, told)
        ends = next((x.ends for x in reversed(chain) if x.undoes is None), None)
        day = FIRST + STRIDE * move.day
        term = 3 if isinstance(deed.event, SanctionImposed) else chain[0].until and move.term
        until = day + STRIDE * term if term else None
        return self._told(deed, day, until, told, seq=move.seq, ends=ends, named=named)

    def _acted(self, move: Act, oracle: Oracle, told: list[Told]) -> Told:
        person, day, ends = self.people[move.person], FIRST + STRIDE * move.day, None
        last = oracle.lines[-1]
        if move.near:
            day = last.effective
            person = oracle.chain(last.root)[0].about.removeprefix("person:")
        others = self.people if move.kind == "merged" else self.units
        deed = KINDS[move.kind](person, others[move.pick % 3], move.pick)
        known = [r for r in oracle.roots() if any(s.facet == deed.ends for s in r.says)]
        if known and move.names:
            one = known[move.pick % len(known)]
            ends, person = one.id, one.about.removeprefix("person:")
            day = last.effective if move.near else one.effective + STRIDE * (move.day - 1)
            deed = KINDS[move.kind](person, "", 0)
        term = 3 if move.kind == "sanctioned" else move.kind in TERMED and move.term
        until = day + STRIDE * term if term else None
        return self._told(deed, day, until, told, seq=move.seq, ends=ends)

    def _deed(self, root: UUID, told: list[Told]) -> Deed:
        known = {t.line.id: t.deed for t in told}
        return known.get(root) or self.deeds[root]

    def _told(
        self, deed: Deed, day: date, until: date | None, told: list[Told], *, seq: int = 0,
        ends: UUID | None = None, named: Line | None = None,
    ) -> Told:  # fmt: skip
        oracle, new = self._so_far(told), next(self.ids)
        root = named.root if named else new
        says = tuple(s._replace(subject=deed.about) for s in deed.says)
        line = Line(0, new, root, deed.about, day, until, seq, says, None, ends, deed.ends,
                    deed.about if deed.leaves else None, deed.merges)  # fmt: skip
        line = line._replace(position=self.ledger.log.head() + len(told) + 1)
        proposal = Proposal(deed.event, day, event_id=new, until=until, seq=seq, ends=ends,
                            supersedes=named and named.id)  # fmt: skip
        refusal = self._misnamed(oracle, named)
        if refusal is None and named and oracle.meaning(oracle.chain(root)[-1]) is None:
            refusal = "wrong-correction"
        if refusal is None:
            line, refusal = self._decided(oracle, line, deed)
        return Told(proposal, line, deed, refusal)

    def _undone(self, oracle: Oracle, chain: list[Line], named: Line, told: list[Told]) -> Told:
        content = next(x for x in reversed(chain) if x.undoes is None)
        line = Line(self.ledger.log.head() + 1, next(self.ids), named.root, named.about, content.effective,
                    seq=content.seq, undoes=named.id)  # fmt: skip
        proposal = Proposal(FactAnnulled(), FIRST, event_id=line.id, annuls=named.id)
        refusal = self._misnamed(oracle, named)
        if refusal is None and oracle.meaning(named) is None:
            # what is reinstated is decided as the act itself would be
            deed = self._deed(named.root, told)
            _, refusal = self._decided(oracle, content, deed)
        return Told(proposal, line, Deed(proposal.event, (), None), refusal)

    def _misnamed(self, oracle: Oracle, named: Line | None) -> str | None:
        if named is None:
            return None
        if named.position > self.ledger.log.head():
            return "unknown-fact"
        return None if named == oracle.chain(named.root)[-1] else "superseded"

    def _decided(self, oracle: Oracle, line: Line, deed: Deed) -> tuple[Line, str | None]:
        """What the record says to an act on the state at its day, just before its place."""
        without = line.root  # an act new to the ledger has no chain yet
        if deed.merges:
            return line, self._refuses_merge(oracle, *deed.merges, without)
        person = oracle.kept(deed.about)
        standing = [f for f in oracle.facts(without=without) if f.subject == person]
        if deed.asks and not any(f.facet == "person" for f in standing):
            return line, "unknown-subject"
        before = oracle.facts(without=without, before=(line.effective, line.seq))
        now = {f.facet: f for f in prevailing(before, line.effective) if f.subject == person}
        serves = (now["service"].value or {}).get("state") if "service" in now else None
        if deed.asks == "service" and serves != "in":
            return line, "not-in-service"
        if deed.asks == "free" and serves == "in":
            return line, "already-recorded"
        spells = [f for f in on_record(before, line.effective)
                  if (f.facet, f.subject) == ("service", person)]  # fmt: skip
        if deed.spells is not None and deed.spells is not bool(spells):
            return line, "record-forbids"
        held = now[deed.anew].value if deed.anew in now else None
        if held is not None and (deed.anew == "host" or held == deed.says[0].value):
            return line, "already-recorded"
        if deed.ends is None:
            return line, None
        many = [f for f in in_force(before, line.effective)
                if (f.facet, f.subject) == (deed.ends, person)]  # fmt: skip
        one = now.get(deed.ends)
        held = many if deed.ends in MANY else [one] if one and one.value is not None else []
        roots = {r.position: r.id for r in oracle.roots()}
        held_ids = [roots[f.root] for f in held]
        if line.ends is not None:
            return line, None if line.ends in held_ids else "unknown-fact"
        if len(held_ids) > 1:
            return line, "bad-input"
        return (line._replace(ends=held_ids[0]), None) if held_ids else (line, "unknown-fact")

    def _refuses_merge(self, oracle: Oracle, merged: str, kept: str, without: UUID) -> str | None:
        if merged == kept:
            return "bad-input"
        went, leads = oracle.kept(merged, without), oracle.kept(kept, without)
        if went != merged:
            return "already-recorded" if went == leads else "record-forbids"
        if leads == merged:
            return "record-forbids"
        registered = {f.subject for f in oracle.facts(without=without) if f.facet == "person"}
        return None if {merged, leads} <= registered else "unknown-subject"

    # entering

    def _enter(self, told: list[Told], mood: str) -> None:
        head = self.ledger.log.head()
        told = [t._replace(line=t.line._replace(position=head + n)) for n, t in enumerate(told, 1)]
        foretold = next(((n, t.refusal) for n, t in enumerate(told) if t.refusal), None)
        request = Request([t.proposal for t in told], mood=mood)
        try:
            receipt = self.ledger.enter(request)
        except Refusal as refusal:
            assert self.ledger.log.head() == head
            self._judge(refusal, foretold)
            if isinstance(refusal, LawForbids):
                self._attested_instead(request, refusal)
            return
        assert foretold is None, (foretold, told)
        stored = self.ledger.entries(after=head, until=receipt.position)
        for entry, one in zip(stored, told, strict=True):
            assert entry.position == one.line.position
            assert entry.until == (one.line.until or OPEN)
            assert entry.ended == (str(one.line.ends) if one.line.ends else None)
            if one.line.id == one.line.root:
                self.deeds[one.line.id] = one.deed
        self.oracle = self._so_far(told)

    def _judge(self, refusal: Refusal, foretold: tuple[int, str] | None) -> None:
        refused = (refusal.index, refusal.code)
        if foretold is None or refusal.index < foretold[0]:
            assert refusal.code not in FORETOLD, refused
        else:
            assert refused == foretold

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
        for known in range(self.first - 1, head + 1):
            facts = self.oracle.facts(known)
            for day in days:
                self._compare(fold, facts, AsOf(day, known))

    def _compare(self, fold: Record, facts: list[Held], as_of: AsOf) -> None:
        day = as_of.effective
        subjects = [f"person:{p}" for p in self.people]
        expected = _told_of(f for f in prevailing(facts, day) if f.facet not in MANY)
        assert _found(self.records.at(SINGLE, subjects, as_of)) == expected, as_of
        found = (fold.at(f, s, as_of) for f in SINGLE for s in subjects)
        assert _found(f for f in found if f is not None) == expected, as_of
        for name, facet in MANY.items():
            ours = [f for f in facts if f.facet == name]
            expected = _told_of(in_force(ours, day))
            table = (f for f in self.records.in_force(facet, as_of) if f.subject in subjects)
            assert _found(table) == expected, as_of
            assert _found(f for s in subjects for f in fold.every(facet, s, as_of)) == expected
            ever = (f for s in subjects for f in fold_on_record(fold.versions(facet, s), as_of))
            assert _found(ever) == _told_of(on_record(ours, day)), as_of


def _told_of(facts: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(f) for f in facts), key=str)


def _found(facts: Any) -> list[tuple[Any, ...]]:
    return _told_of(
        Held(f.subject, f.facet, f.effective, f.until, f.seq, f.root, f.entry, f.value)
        for f in facts
    )


def test_whatever_is_entered_table_fold_and_oracle_give_one_answer(common_bureau):
    publish_law(common_bureau.ledger, ["330200"])
    soaking = settings.get_current_profile_name().endswith("soak")
    budget = settings(
        settings() if soaking else settings(max_examples=25, stateful_step_count=25),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Lives(common_bureau), settings=budget)
