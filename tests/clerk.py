"""A clerk at a desk of one person: enters acts about that person, and asks the table for answers."""

import itertools
from datetime import date

from domain.acts.exit import AuxiliaryResigned
from domain.acts.posts import PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.bitemporal import AsOf
from domain.ledger import Request
from tests.given import act

HIRED = "2020-01-01"
_numbers = itertools.count(1)


class Desk:
    """A clerk's view of one person: enters acts, asks the table."""

    def __init__(self, bureau):
        self.bureau = bureau
        self.person = f"hard{next(_numbers)}"
        self.positions = []

    def enter(self, *proposals, mood="ordered", approved_by=None):
        """Enter together; answers the event ids, or the one."""
        receipt = self.bureau.ledger.enter(Request(proposals, mood=mood, approved_by=approved_by))
        self.positions.append(receipt.position)
        ids = [entered.event_id for entered in receipt.entries]
        return ids[0] if len(ids) == 1 else ids

    def hired(self, on=HIRED, **envelope):
        return act(AuxiliaryHired(person=self.person, unit="hq", category="field"), on, **envelope)

    def posted(self, post, on, **envelope):
        return act(PostAssigned(person=self.person, post=post), on, **envelope)

    def relieved(self, on, **envelope):
        return act(PostRelieved(person=self.person), on, **envelope)

    def rewarded(self, on, kind="merit", **envelope):
        return act(RewardGranted(person=self.person, kind=kind), on, **envelope)

    def revoked(self, on, **envelope):
        return act(RewardRevoked(person=self.person), on, **envelope)

    def left(self, on, **envelope):
        return act(AuxiliaryResigned(person=self.person), on, **envelope)

    def at(self, facet, *days, recorded=None):
        """What a facet answers on each of these days."""
        position = self.bureau.ledger.moment(recorded).position
        list(self.bureau.runner.catch_up())
        return [self._at(facet, AsOf(date.fromisoformat(day), position)) for day in days]

    def _at(self, facet, as_of):
        subject = f"person:{self.person}"
        if facet.many:
            found = self.bureau.records.in_force(facet, as_of)
            return [f.ref for f in found if f.subject == subject]
        found = self.bureau.records.at([facet], [subject], as_of)
        if not found:
            return "not recorded"
        return "none" if found[0].value is None else found[0].value[facet.ref or "state"]
