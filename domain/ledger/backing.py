"""How old the vault's newest backup may be, and keeping it younger.

Owns the age of backups. Invariant: no private data are entered under keys that a lost vault would
take along: where the newest backup is too old, nothing private is entered; and a backup this keeps
is removed once it is older than that, because keys destroyed since are still in it.
"""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from domain.ledger.backup import backup
from domain.ledger.vault import Vault
from domain.refusals import BackupOverdue

MOST_OFTEN = timedelta(days=1)
LOOK_SECONDS = 60.0
_NAME = re.compile(r"vault-(\d{8}T\d{6})Z\.backup")
_FORM = "vault-%Y%m%dT%H%M%SZ.backup"
_logger = structlog.get_logger(__name__)


class Age:
    """The longest that the newest backup may lie back; of a vault that never had one, the ledger's
    beginning.
    """

    def __init__(
        self, vault: Vault, began: Callable[[], datetime | None], longest: timedelta
    ) -> None:
        self._vault = vault
        self._began = began
        self._longest = longest
        self._known: datetime | None = None

    def require(self) -> None:
        """Raises BackupOverdue. Asks the vault only where what it knows is too old."""
        now = datetime.now(UTC)
        if self._known is None or now - self._known > self._longest:
            self._known = self._vault.backed_up() or self._began() or now
            if now - self._known > self._longest:
                raise BackupOverdue


class Keeping:
    """Backs a vault up into a folder, at least once a day, and keeps no backup for longer."""

    def __init__(self, vault: Vault, kek: bytes, folder: Path, longest: timedelta) -> None:
        self._vault = vault
        self._kek = kek
        self._folder = folder
        self._longest = longest

    def turn(self, now: datetime) -> bool:
        """Back up if it is time, and remove what is too old; whether it was time."""
        newest = self._vault.backed_up()
        due = newest is None or now - newest >= min(MOST_OFTEN, self._longest / 2)
        if due:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            backup(self._vault, self._kek, self._folder / now.strftime(_FORM), now)
        for path in self._folder.glob("vault-*.backup"):
            if (named := _NAME.fullmatch(path.name)) is not None:
                made_at = datetime.strptime(named[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
                if now - made_at > self._longest:
                    path.unlink(missing_ok=True)
        return due

    def follow(self, stop: threading.Event) -> None:
        """Keep at it until stopped; alarms when it cannot."""
        while not stop.is_set():
            try:
                self.turn(datetime.now(UTC))
            except Exception as fault:  # noqa: BLE001 - a keeper must outlive any fault of one turn
                _logger.critical("backup-failed", fault=type(fault).__name__)
            stop.wait(LOOK_SECONDS)
