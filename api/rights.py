"""What an account may now, and of which rows and days.

Owns the turn from an account to the rights that it holds at the log's head and to those of them
that reach what a request is about. Invariant: a right is what entries gave, folded from the log;
how far it reaches is read in the records, as known at the answer's position.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from api import access
from api.access import Account, Asked, Grant, Rows, Rule
from api.covering import BELONGING, Reach
from api.problems import NotAllowed
from api.settings import Bureau
from api.times import NOW, When, as_of, last_told
from domain.acts.people import SERVICE
from domain.acts.rights import ROLE
from domain.bitemporal import OPEN, AsOf, in_force
from domain.events import Actor
from projections import roster
from projections.sight import Sight

_PERIODS = ("period", "months")


class Asking(NamedTuple):
    """Who asks and what for. `grants` None: this machine's own user, who may everything. `sight`:
    which cases may be seen; None is all of them. `used`: the rights that reach these rows. `own`:
    whose own record it is. `keyed`: by an API key, whose secret whoever issued it knew.
    """

    actor: Actor
    account: Account
    grants: tuple[Grant, ...] | None
    classes: frozenset[str] | None
    sight: Sight | None
    used: tuple[Grant, ...] | None = None
    own: str | None = None
    keyed: bool = False

    @property
    def tags(self) -> set[str]:
        """What an act about whoever asks names."""
        own = of_persons(self.sight) if self.sight is not None else ()
        return {f"account:{self.account.id}", *own}


def of_persons(sight: Sight) -> set[str]:
    """Whoever holds the account, under each id."""
    return {f"person:{one}" for one in sight.own}


def named_by(names: Mapping[str, str], rows: Rows) -> list[str]:
    """The subjects that a request names by its address."""
    if rows == "subject":
        return [names.get("subject", "")]
    kinds = [kind for kind in ("person", "unit") if rows in (kind, "either")]
    return [f"{kind}:{names[kind]}" for kind in kinds if names.get(kind)]


def _beyond(end: date) -> NotAllowed:
    last = end - timedelta(days=1)
    return NotAllowed(
        f"the right reaches to {last}: ask about no day after it",
        zh=f"权限只及于 {last} 以前(含当日),请勿问及此后的日期", field="last_day",
    )  # fmt: skip


class Rights:
    """Of every account of a bureau."""

    def __init__(self, bureau: Bureau) -> None:
        self._bureau = bureau

    def now(self) -> AsOf:
        """Today, at the head: the records have taken in whatever gave or took a right."""
        head = self._bureau.ledger.log.head()
        self._bureau.runner.reach(head)
        return AsOf(self._bureau.ledger.today(), head)

    def held(self, account: str) -> list[Grant]:
        """Folded from the log: a right that no entry gave is none, whatever the records say."""
        now = self.now()
        facts = self._bureau.ledger.folded(ROLE, f"account:{account}", now.recorded)
        grants = [
            Grant(
                fact.value["role"], fact.value.get("unit"), frozenset(fact.value["classes"]),
                fact.value["attest"], fact.value.get("person"),
            )
            for fact in in_force(facts, now)
        ]  # fmt: skip
        return [g for g in grants if g.role != "approver" or not self._auxiliary(g.person, now)]

    def sight(self, held: list[Grant]) -> Sight:
        """Cases are the whole bureau's, so an inspector of the whole sees them, but not those
        about whoever holds the account, under whichever id.
        """
        own: frozenset[str] = frozenset()
        if people := {grant.person for grant in held if grant.person}:
            forest = self._bureau.ledger.forest(self.now().recorded)
            own = frozenset(one for person in people for one in forest.family(person))
        whole = any(grant.unit is None for grant in access.permitting(held, "inquire"))
        return Sight(self._bureau.ledger.today(), whole, own)

    def _auxiliary(self, person: str | None, now: AsOf) -> bool:
        """Whether the holder serves as an auxiliary, or nobody knows who it is."""
        if person is None:
            return True
        kept = self._bureau.ledger.forest(now.recorded).kept(person)
        facts = self._bureau.records.at([SERVICE], [f"person:{kept}"], now)
        return any(fact.value and fact.value["state"] == "in" for fact in facts)

    def over_rows(
        self, grants: list[Grant], rule: Rule, names: Mapping[str, str], subjects: list[str]
    ) -> tuple[list[Grant], date | None]:
        """The rights that reach every subject on the answer's day, and the first day that none of
        them reaches: of it and of later ones nothing is told. Who leaves takes the record along.

        Raises NotAllowed where a later day is asked for.
        """
        when = NOW if rule.days == "now" else When(names.get("effective"), names.get("recorded"))
        pair, _ = as_of(self._bureau, when)
        asked = Asked(tuple(self.units_of(subject, pair) for subject in subjects))
        grants = self.covering(grants, asked, pair)
        if rule.days == "now" or not grants:
            return grants, None
        if rule.rows in ("unit", "either") and rule.days != "day":
            subjects = self._with_all_below(rule, names.get("unit"), pair) or subjects
        start = min(pair.effective, self._bureau.ledger.today())
        reach = Reach(self._bureau, subjects, pair.recorded)
        ends = [reach.end(grant, start, anywhere=rule.days in _PERIODS) for grant in grants]
        end = max(ends)
        if end <= self._asked_for(rule, names, pair):
            raise _beyond(end) if start < end else NotAllowed
        if rule.days != "day":
            grants = [grant for grant, its in zip(grants, ends, strict=True) if its == end]
        if rule.days in _PERIODS:
            last = last_told(names, pair.effective, monthly=rule.days == "months")
            own = max(reach.end(grant, start) for grant in grants)
            end = min(end, max(own, last + timedelta(days=1)))
        return grants, None if end == OPEN else end

    def _asked_for(self, rule: Rule, names: Mapping[str, str], pair: AsOf) -> date:
        """The day that a right must reach: the last asked for, of months about one person the
        first of the last, within which the answer then ends.
        """
        if rule.days in _PERIODS:
            last = last_told(names, pair.effective, monthly=rule.days == "months")
            within = (rule.rows, rule.days) == ("person", "months")
            return max(pair.effective, last.replace(day=1)) if within else last
        if rule.rows == "either" and names.get("unit"):
            return max(pair.effective, self._bureau.ledger.today())
        return pair.effective

    def _with_all_below(self, rule: Rule, unit: str | None, pair: AsOf) -> list[str]:
        """What an answer about a unit is about: those below it, and where it follows the persons
        on its roster beyond the day, they too.
        """
        if unit is None:
            return []
        below = roster.units_below(self._bureau.records, unit, pair)
        lines = roster.roster(self._bureau.records, pair, unit) if rule.rows == "either" else []
        return [f"unit:{one}" for one in below] + [f"person:{line.person}" for line in lines]

    def units_of(self, subject: str, pair: AsOf) -> frozenset[str]:
        """The units that a unit or a person belongs to as of a pair: none for anything else."""
        kind, _, one = subject.partition(":")
        if kind == "unit":
            return frozenset((one,))
        if kind != "person" or "\0" in one:
            return frozenset()
        kept = self._bureau.ledger.forest(pair.recorded).kept(one)
        facts = self._bureau.records.at(BELONGING, [f"person:{kept}"], pair)
        return frozenset(fact.value["unit"] for fact in facts if fact.value)

    def covering(self, grants: list[Grant], asked: Asked, pair: AsOf) -> list[Grant]:
        tree = roster.tree(self._bureau.records, pair)
        return [
            grant
            for grant in grants
            if access.covers(grant, asked, tree.below(grant.unit) if grant.unit else ())
        ]

    def placed(self, subject: str) -> bool:
        return bool(self._bureau.records.strands(BELONGING, [subject]))
