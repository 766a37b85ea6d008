"""Which acts an account may enter, attest and approve.

Owns the turn from a request's acts to whether each is allowed. Invariant: one role reaches every
act on its day; nobody changes their own rights, approves what is about themselves, or goes on with
what is kept from them.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from api import access
from api.access import Asked, Grant
from api.covering import Reach
from api.problems import NotAllowed
from api.rights import Asking, Rights, of_persons
from api.settings import Bureau
from domain.acts.complaints import no_such_case
from domain.bitemporal import OPEN, AsOf
from domain.events import CASE, FactAnnulled, Proposal, cases_of
from domain.ledger import Ledger
from domain.ledger.requests import Request
from domain.refusals import UnknownFact
from projections.sight import Sight


class _Act(NamedTuple):
    """What an act is: its type, what it is about, and its day."""

    type: str
    tags: list[str]
    day: date


def _about(tags: set[str], acts: Iterable[_Act]) -> bool:
    return any(not tags.isdisjoint(act.tags) for act in acts)


class Acting:
    """Over the acts of requests to a bureau."""

    def __init__(self, bureau: Bureau, rights: Rights) -> None:
        self._bureau = bureau
        self._rights = rights

    def entering(self, asking: Asking, request: Request) -> Request:
        """The request in the name and role of whoever asks, once every act is allowed.

        One role must reach every act; attesting is a right of its own; nobody changes their own
        rights; the approver named is another account, which may approve all of it. Raises
        NotAllowed with the `index` of the act or the field.
        """
        if asking.grants is None:
            return request._replace(actor=asking.actor)
        roles = sorted({grant.role for grant in asking.grants})
        refused = NotAllowed()
        for role in roles:
            try:
                self._allow(asking, role, request)
            except NotAllowed as not_this:
                refused = not_this
                continue
            self._refuse_unseen(asking, request)
            self._approved(asking, request)
            return request._replace(actor=access.actor_of(asking.account, role))
        raise refused

    def told_before(self, asking: Asking, request: Request) -> date | None:
        """The first day of which whoever sends these acts, which `entering` has allowed, is told
        nothing: that on which the right no longer reaches somebody whom one of them names.
        """
        mine = [g for g in asking.grants or () if g.role == request.actor.role]
        recorded, ends = self._rights.now().recorded, [OPEN]
        for proposal in request.proposals if asking.grants is not None else ():
            acts = self._acts(asking, proposal)
            grants = self._entering(mine, acts)
            for act in acts:
                named = [s for s in act.tags if s.startswith("unit:") or self._rights.placed(s)]
                reach = Reach(self._bureau, named, recorded)
                ends.append(max(reach.end(grant, act.day) for grant in grants))
        return None if min(ends) == OPEN else min(ends)

    def _allow(self, asking: Asking, role: str, request: Request) -> None:
        mine = [grant for grant in asking.grants or () if grant.role == role]
        for index, proposal in enumerate(request.proposals):
            acts = self._acts(asking, proposal)
            if any(act.type in access.CONSENTING for act in acts):
                raise NotAllowed(index=index)
            grants = self._entering(mine, acts)
            administered = [act for act in acts if access.action_of(act.type) == "administer"]
            if not grants or (administered and asking.keyed) or _about(asking.tags, administered):
                raise NotAllowed(index=index)
            if request.mood == "attested" and not any(grant.attest for grant in grants):
                raise NotAllowed(index=index, field="mood")

    def _refuse_unseen(self, asking: Asking, request: Request) -> None:
        """What is kept from whoever asks is neither corrected nor gone on with: as if it were not
        there; and nobody inquires into himself. Raises UnknownFact, UnknownSubject, NotAllowed.
        """
        ledger, seen = self._bureau.ledger, self._seen(asking)
        for index, proposal in enumerate(request.proposals):
            tags = proposal.event.tags()
            for case in cases_of(tags):
                if seen.hides(tags) and any(ledger.entries([f"{CASE}:{case}"])):
                    refusal = no_such_case(case, proposal.effective)
                    refusal.index = index
                    raise refusal
                if not asking.tags.isdisjoint(tags):
                    raise NotAllowed(index=index)
            named = proposal.annuls or proposal.supersedes
            try:
                entry = None if named is None else ledger.entry(named)
            except UnknownFact:
                continue  # an act of this request, or none at all
            if entry is not None and seen.hides(entry.tags):
                raise UnknownFact(f"there is no entry {named}", zh=f"没有登记 {named}", index=index)

    def _approved(self, asking: Asking, request: Request) -> None:
        """The second person: `issuer|subject` of an account that may approve."""
        if request.approved_by is None:
            return
        account = access.account_named(request.approved_by).id
        held = access.permitting(self._rights.held(account), "approve")
        held = [g for g in held if f"person:{g.person}" not in asking.tags]
        if account == asking.account.id or not held:
            raise NotAllowed(field="approved_by")
        sight = self._rights.sight(self._rights.held(account))
        approver = of_persons(sight)
        for proposal in request.proposals:
            acts = self._acts(asking, proposal)
            about_approver = _about(approver, acts)
            if about_approver or not self._reaching(held, acts) or not self._inquires(sight, acts):
                raise NotAllowed(field="approved_by")

    def _seen(self, asking: Asking) -> Ledger:
        return self._bureau.seen_with(asking.classes, asking.sight).ledger

    def _inquires(self, sight: Sight | None, acts: Iterable[_Act]) -> bool:
        """Whether acts are of no case, or of one that is shown with this sight."""
        tags = [tag for act in acts for tag in act.tags]
        cases = cases_of(tags)
        if sight is None or not cases:
            return True
        if not of_persons(sight).isdisjoint(tags):
            return False
        ledger = self._bureau.seen_with(None, sight).ledger
        begun = any(any(self._bureau.ledger.entries([f"{CASE}:{case}"])) for case in cases)
        return not ledger.hides(tags) if begun else sight.cases

    def open_to(self, asking: Asking, proposal: Proposal) -> frozenset[str] | None:
        """The private fields that an approver may see in an act; None where none of their rights
        to approve reaches it, or it is about themselves.
        """
        if asking.grants is None:
            return access.EVERY_CLASS
        held, acts = access.permitting(asking.grants, "approve"), self._acts(asking, proposal)
        reaching = [] if _about(asking.tags, acts) else self._reaching(held, acts)
        if not reaching or not self._inquires(asking.sight, acts):
            return None
        return access.classes_of(reaching)

    def _acts(self, asking: Asking, proposal: Proposal) -> list[_Act]:
        """What an act is and what it corrects; an annulment is what it annuls."""
        event, named = proposal.event, proposal.annuls or proposal.supersedes
        acts = [_Act(type(event).__name__, event.tags(), proposal.effective)]
        if isinstance(event, FactAnnulled):
            acts = []
        if named is not None:
            with suppress(UnknownFact):  # an act of this request, or none at all
                entry = self._seen(asking).entry(named)
                acts.append(_Act(entry.type, entry.tags, entry.effective))
        return acts or [_Act("", [], proposal.effective)]

    def _entering(self, grants: list[Grant], acts: list[_Act]) -> list[Grant]:
        """The rights to enter an act of each of these types that reach each."""
        for act in acts:
            grants = access.permitting(grants, access.action_of(act.type))
        return self._reaching(grants, acts)

    def _reaching(self, grants: list[Grant], acts: list[_Act]) -> list[Grant]:
        """The rights that reach each of these acts."""
        for act in acts:
            grants = self._reaching_one(grants, act)
        return grants

    def _reaching_one(self, grants: list[Grant], act: _Act) -> list[Grant]:
        """The rights that reach every unit and person of an act, on its day, as known now.

        A person of whom no unit was ever recorded is anybody's; an act about neither a unit nor a
        person is the whole bureau's.
        """
        if all(grant.unit is None for grant in grants):
            return grants
        pair = AsOf(act.day, self._rights.now().recorded)
        about = [tag for tag in act.tags if not tag.startswith(("number:", "fact:"))]
        if not about or any(not tag.startswith(("unit:", "person:")) for tag in about):
            return [grant for grant in grants if grant.unit is None]
        subjects = [s for s in about if s.startswith("unit:") or self._rights.placed(s)]
        asked = Asked(tuple(self._rights.units_of(subject, pair) for subject in subjects))
        return self._rights.covering(grants, asked, pair)
