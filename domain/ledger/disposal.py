"""What the log orders about keys, carried out in the vault.

Owns the way from entries to the vault. Invariant: before a private value is opened, every
restriction and destruction in the log has been carried out in this vault, also in one restored from
an older backup.
"""

import threading
from collections.abc import Iterable

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.acts.privacy import (
    EscrowHolderNamed,
    PrivateDataDestroyed,
    PrivateDataRestricted,
    PrivateDataRestrictionLifted,
)
from domain.events import Entry
from domain.ledger.log import EventLog
from domain.ledger.reading import forest_at
from domain.ledger.sealed import Owner
from domain.ledger.stored import StoredEntry
from domain.ledger.vault import Vault
from domain.ledger.wrapping import VaultUnfit

TYPES = [
    cls.__name__
    for cls in (PrivateDataDestroyed, PrivateDataRestricted, PrivateDataRestrictionLifted)
]
_ORDERS = DCBQuery(items=[DCBQueryItem(types=TYPES)])


class Disposal:
    """Carries out the orders of one log in one vault."""

    def __init__(self, log: EventLog, vault: Vault) -> None:
        self._log = log
        self._vault = vault
        self._done: int | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Carry out what the log holds by now. To be repeated until it raises nothing."""
        with self._lock:
            after = self._bookmark() if self._done is None else self._done
            entries = [_order(stored) for stored in self._log.entries(_ORDERS, after=after)]
            if entries:
                self._carry_out(entries)
                after = entries[-1].position
            self._done = after

    def _bookmark(self) -> int:
        """Where this vault stands in this log; 0 where it was another log's or has lost entries."""
        position, entry = self._vault.settled()
        if not 0 < position <= self._log.head():
            return 0
        stored = next(self._log.entries(after=position - 1, until=position))
        try:
            return position if _order(stored).id == entry else 0
        except VaultUnfit:
            return 0

    def _carry_out(self, entries: list[Entry]) -> None:
        """A restriction that was lifted since is left alone: only its holders undo it."""
        lifted = {entry.ended for entry in entries}
        gone: set[Owner] = set()
        for entry in entries:
            if entry.type == PrivateDataDestroyed.__name__:
                gone |= self.owners(entry)
            elif entry.type == PrivateDataRestricted.__name__ and entry.id not in lifted:
                self._vault.restrict(self.owners(entry), self._public_keys(entry))
        if gone:
            self._vault.destroy(gone)
        self._vault.rewrite()
        self._vault.settle(entries[-1].position, entries[-1].id)

    def owners(self, entry: Entry) -> set[Owner]:
        """Whose keys an order is about: every id that the person had then."""
        family = forest_at(self._log, entry.position).family(entry.fields["person"])
        return {Owner(alias, cls) for alias in family for cls in entry.fields["classes"]}

    def _public_keys(self, entry: Entry) -> list[str]:
        return [self._public_key(holder, entry.position) for holder in entry.fields["holders"]]

    def _public_key(self, holder: str, until: int) -> str:
        item = DCBQueryItem(types=[EscrowHolderNamed.__name__], tags=[f"holder:{holder}"])
        *_, newest = self._log.entries(DCBQuery(items=[item]), until=until)
        return str(Entry(*newest).fields["public_key"])


def _order(stored: StoredEntry) -> Entry:
    """An entry that orders something. Raises VaultUnfit where it has been altered so that nobody
    can say what: until that is mended nothing is opened.
    """
    try:
        entry = Entry(*stored)
        if entry.whole:
            return entry
    except (ValueError, KeyError, TypeError):
        pass
    raise VaultUnfit(
        f"entry {stored.position}, an order about keys, cannot be read; "
        "verify --key KEY says whether it is what was sealed"
    )


def orders(types: Iterable[str]) -> bool:
    """Whether acts of these types order anything about keys."""
    return not set(TYPES).isdisjoint(types)
