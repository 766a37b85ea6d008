"""Who holds what only one subject may hold, asked before the acts that claim it are entered.

Owns that question. Invariant: what it refuses the append would refuse, were the acts entered now.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from domain.events import Proposal
from domain.ledger.appends import Claim, ClaimTaken
from domain.ledger.log import EventLog
from domain.ledger.vault import Vault


class Holders:
    """As the log has them, and as acts that are not entered change them, one after another."""

    def __init__(self, log: EventLog, vault: Vault) -> None:
        self._log, self._vault = log, vault
        self._held: dict[tuple[str, bytes], str | None] = {}
        self._claimed: dict[tuple[str, bytes], str] = {}
        self._claims: dict[tuple[str, str], bytes | None] = {}

    def foresee(self, proposals: Iterable[Proposal]) -> None:
        """Ask at once who holds what these acts state."""
        self._ask(
            (mark.unique, self._vault.blind(mark.unique, str(value)))
            for proposal in proposals
            for name, mark in type(proposal.event).private.items()
            if mark.unique is not None
            and (value := getattr(proposal.event, name, None)) is not None
        )

    def take(self, claims: Sequence[Claim]) -> None:
        """What the next acts claim, all of it together. Raises ClaimTaken."""
        self._ask((claim.kind, claim.blind) for claim in claims if claim.blind is not None)
        moving = {(claim.kind, claim.subject) for claim in claims}
        own: dict[tuple[str, bytes], str] = {}
        for kind, subject, blind in claims:
            if blind is None:
                continue
            holder = own.setdefault((kind, blind), subject)
            for other in self._holding(kind, blind):
                if (kind, other) not in moving:
                    holder = other
            if holder != subject:
                raise ClaimTaken(kind, holder)
        for kind, subject, blind in claims:
            before = self._claims.get((kind, subject))
            if before is not None and self._claimed.get((kind, before)) == subject:
                del self._claimed[kind, before]
            self._claims[kind, subject] = blind
            if blind is not None:
                self._claimed[kind, blind] = subject

    def _holding(self, kind: str, blind: bytes) -> Iterator[str]:
        if (now := self._claimed.get((kind, blind))) is not None:
            yield now
        entered = self._held[kind, blind]
        if entered is not None and (kind, entered) not in self._claims:
            yield entered

    def _ask(self, values: Iterable[tuple[str, bytes]]) -> None:
        wanted: defaultdict[str, set[bytes]] = defaultdict(set)
        for kind, blind in values:
            if (kind, blind) not in self._held:
                wanted[kind].add(blind)
        for kind, blinds in wanted.items():
            found = self._log.claimed(kind, sorted(blinds))
            self._held |= {(kind, blind): found.get(blind) for blind in blinds}
