"""Where a bureau's ledger lies, and how its parts are opened.

Owns the few settings there are. Invariant: with nothing set, everything lies in one folder and
nothing listens beyond this machine.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from psycopg_pool import ConnectionPool

from domain.ledger import Ledger
from domain.ledger.log import EventLog
from domain.ledger.server import EmbeddedServer
from domain.ledger.vault import Vault, key_encryption_key
from projections.runner import Runner

PREFIX = "PERSONNEL_LEDGER_"


class Settings(NamedTuple):
    """`data`: the folder of the embedded server and the key-encryption key. `database`, `vault`:
    libpq connection strings; where absent the embedded server is used.
    """

    data: Path
    database: str | None = None
    vault: str | None = None
    kek_file: Path | None = None

    @classmethod
    def of(cls, data: Path | None = None) -> Self:
        """From PERSONNEL_LEDGER_DATA, _DATABASE, _VAULT and _KEK_FILE."""
        get = os.environ.get
        kek = get(PREFIX + "KEK_FILE")
        return cls(
            data or Path(get(PREFIX + "DATA") or "var/ledger"),
            get(PREFIX + "DATABASE"),
            get(PREFIX + "VAULT"),
            Path(kek) if kek else None,
        )


class Bureau:
    """One bureau's ledger, opened: the door, the records and what keeps them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self._server: EmbeddedServer | None = None
        database, vault = settings.database, settings.vault
        if database is None or vault is None:
            self._server = EmbeddedServer(settings.data / "postgres")
            self._server.__enter__()
            database = database or self._server.conninfo("ledger")
            vault = vault or self._server.conninfo("vault")
        self.database = database
        kek = key_encryption_key(settings.kek_file or settings.data / "kek")
        self.ledger = Ledger(EventLog(database), Vault(vault, kek))
        self.pool = ConnectionPool(database, min_size=1, max_size=8, open=True)
        self.runner = Runner(self.ledger.log, self.pool)
        self.records = self.runner.records

    @property
    def embedded(self) -> bool:
        """Whether this is the single-user embedded server, where database roles bind nobody."""
        return self._server is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.pool.close()
        self.ledger.close()
        if self._server is not None:
            self._server.__exit__(None, None, None)
