"""Where a bureau's ledger lies, and how its parts are opened.

Owns the few settings there are. Invariant: with nothing set, everything lies in one folder and
nothing listens beyond this machine.
"""

import os
from contextlib import ExitStack, closing
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from psycopg_pool import ConnectionPool

from domain.ledger import Ledger
from domain.ledger.keyfile import KeyUnfit
from domain.ledger.log import EventLog
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Seals
from domain.ledger.server import EmbeddedServer
from domain.ledger.vault import Vault, VaultUnfit, key_encryption_key
from projections.runner import Runner

PREFIX = "PERSONNEL_LEDGER_"


class BadSetting(ValueError):
    """A setting has a value it cannot have; its name."""


class Settings(NamedTuple):
    """`data`: the folder of the embedded server and of the keys. `database`, `vault`: libpq
    connection strings; where absent the embedded server is used. `sealer`: that of the sealer's own
    role. `witness`: where heads are sent to be cosigned, and under which key (vkey). `backup_days`:
    how old the newest backup of the vault may be. `issuer`, `audience`, `jwks` (file or address):
    the identity provider whose tokens are believed. `stamps`: where heads are sent to be
    time-stamped, and the authority's certificates (PEM).
    """

    data: Path
    database: str | None = None
    vault: str | None = None
    kek_file: Path | None = None
    sealer: str | None = None
    seal_key_file: Path | None = None
    witness: str | None = None
    witness_key: str | None = None
    backup_days: int = 7
    issuer: str | None = None
    audience: str | None = None
    jwks: str | None = None
    stamps: str | None = None
    stamp_roots: Path | None = None

    @property
    def kek_path(self) -> Path:
        return self.kek_file or self.data / "kek"

    @property
    def guarded(self) -> bool:
        """Whether an identity provider is named, if only in part: then everybody is asked."""
        return any((self.issuer, self.audience, self.jwks))

    @classmethod
    def of(cls, data: Path | None = None) -> Self:
        """From PERSONNEL_LEDGER_DATA, _DATABASE, _VAULT, _KEK_FILE, _SEALER, _SEAL_KEY_FILE,
        _WITNESS, _WITNESS_KEY, _BACKUP_DAYS, _ISSUER, _AUDIENCE, _JWKS, _STAMPS and _STAMP_ROOTS.
        Raises BadSetting.
        """

        def get(name: str) -> str | None:
            return os.environ.get(PREFIX + name)

        def file(name: str) -> Path | None:
            return Path(path) if (path := get(name)) else None

        days = get("BACKUP_DAYS") or "7"
        if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= 3650:
            raise BadSetting(PREFIX + "BACKUP_DAYS")
        return cls(
            data or file("DATA") or Path("var/ledger"),
            get("DATABASE"), get("VAULT"), file("KEK_FILE"),
            get("SEALER"), file("SEAL_KEY_FILE"), get("WITNESS"), get("WITNESS_KEY"),
            int(days), get("ISSUER"), get("AUDIENCE"), get("JWKS"),
            get("STAMPS"), file("STAMP_ROOTS"),
        )  # fmt: skip


class Bureau:
    """One bureau's ledger, opened: the door, the records and what keeps them.

    `embedded`: this is the single-user embedded server, where database roles bind nobody. Raises
    VaultUnfit where the key or the vault of this ledger is missing, KeyUnfit where the sealer's is.
    """

    classes: frozenset[str] | None = None
    """The private fields that answers may open; None is all of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self._closing = ExitStack()
        with ExitStack() as opening:
            self._open(opening)
            self._closing = opening.pop_all()

    def _open(self, opening: ExitStack) -> None:
        settings = self.settings
        database, vault_database = settings.database, settings.vault
        self.embedded = database is None or vault_database is None
        if database is None or vault_database is None:
            server = opening.enter_context(EmbeddedServer(settings.data / "postgres"))
            database = database or server.conninfo("ledger")
            vault_database = vault_database or server.conninfo("vault")
        self.database = database
        log = opening.enter_context(closing(EventLog(database)))
        kek_file = settings.kek_path
        if log.head() and not kek_file.exists():
            raise VaultUnfit(
                f"{kek_file} is missing: without it no private field of this ledger can be read; "
                "bring it back from its backup, or with two recovery parts: vault recover"
            )
        self.kek_made = not kek_file.exists()
        self.kek = kek = key_encryption_key(kek_file)
        vault = Vault(vault_database, kek, may_be_new=not log.head())
        self.ledger = Ledger(log, opening.enter_context(closing(vault)))
        self.ledger.settle()
        self.pool = opening.enter_context(
            ConnectionPool(database, min_size=1, max_size=8, open=True)
        )
        seals = Seals(self.pool.connection, create=True)
        sealing = self.pool
        if settings.sealer is not None:
            sealing = opening.enter_context(
                ConnectionPool(settings.sealer, min_size=1, max_size=2, open=True)
            )
        key_file = settings.seal_key_file or settings.data / "seal.key"
        if not key_file.exists() and seals.last() is not None:
            raise KeyUnfit(
                f"{key_file} is missing: the ledger is sealed, and another key would not be "
                "believed; bring it back from its backup"
            )
        self.sealer = Sealer(sealing.connection, key_file)
        self.runner = Runner(log, self.pool)
        self.records = self.runner.records

    def vault_backup(self) -> tuple[datetime | None, bool]:
        """When the newest backup of the vault was made, and whether that is too long ago."""
        made_at = self.ledger.vault.backed_up()
        longest = timedelta(days=self.settings.backup_days)
        return made_at, made_at is None or datetime.now(UTC) - made_at > longest

    def seen_with(self, classes: frozenset[str] | None) -> Self:
        """The same bureau for one who may read these private fields."""
        seen = copy(self)
        seen.classes = classes
        return seen

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
        self._closing.close()
