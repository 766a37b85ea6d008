"""Where a bureau's ledger lies, and how its parts are opened.

Owns the few settings there are. Invariant: with nothing set, everything lies in one folder and
nothing listens beyond this machine.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from copy import copy
from datetime import UTC, date, datetime, timedelta
from getpass import getuser
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from psycopg_pool import ConnectionPool

from api.reader import UNNAMED, PutAgain, Question, Reader
from domain.bitemporal import OPEN
from domain.events import Actor
from domain.ledger import Ledger
from domain.ledger.keyfile import KeyUnfit
from domain.ledger.log import EventLog
from domain.ledger.pinning import Pinning
from domain.ledger.reads import PREFIX as READS
from domain.ledger.reads import ReadLog
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Seals
from domain.ledger.server import EmbeddedServer
from domain.ledger.vault import Vault
from domain.ledger.wrapping import VaultUnfit, key_encryption_key
from projections.cases import cases_in, hiding, sealed_cases
from projections.runner import Runner
from projections.sight import Sight

PREFIX = "PERSONNEL_LEDGER_"
MOST_DAYS = 3650


class BadSetting(ValueError):
    """A setting has a value it cannot have; its name."""


class Settings(NamedTuple):
    """`data`: the folder of the embedded server and of the keys. `database`, `vault`: libpq
    connection strings; where absent the embedded server is used. `sealer`: that of the sealer's own
    role; `owner`: of one that may act as the log's owner, for the few commands that take it.
    `witness`: where heads are sent to be cosigned, and under which key (vkey). `backup_days`:
    how old the newest backup of the vault may be; `backup_dir`: where `serve` makes them. `issuer`,
    `audience`, `jwks` (file or address): the identity provider whose tokens are believed. `proxy`,
    `proxy_secret_file`: whom the server believes which client certificate came; `client_ca`,
    `client_crl`, `client_issuer`: whose. `stamps`, `stamp_roots`: where heads are sent to be
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
    backup_dir: Path | None = None
    issuer: str | None = None
    audience: str | None = None
    jwks: str | None = None
    proxy: str | None = None
    proxy_secret_file: Path | None = None
    client_ca: Path | None = None
    client_crl: Path | None = None
    client_issuer: str | None = None
    stamps: str | None = None
    stamp_roots: Path | None = None
    owner: str | None = None

    @property
    def kek_path(self) -> Path:
        return self.kek_file or self.data / "kek"

    @property
    def guarded(self) -> bool:
        """Whether it is said who identifies people, if only in part: then everybody is asked."""
        return self.by_token or self.by_certificate

    @property
    def by_token(self) -> bool:
        return any((self.issuer, self.audience, self.jwks))

    @property
    def by_certificate(self) -> bool:
        return any((self.proxy, self.proxy_secret_file, self.client_ca, self.client_crl))

    @classmethod
    def of(cls, data: Path | None = None) -> Self:
        """From PERSONNEL_LEDGER_DATA, _DATABASE, _VAULT, _KEK_FILE, _SEALER, _SEAL_KEY_FILE,
        _WITNESS, _WITNESS_KEY, _BACKUP_DAYS, _BACKUP_DIR, _ISSUER, _AUDIENCE, _JWKS, _PROXY,
        _PROXY_SECRET_FILE, _CLIENT_CA, _CLIENT_CRL, _CLIENT_ISSUER, _STAMPS, _STAMP_ROOTS and
        _OWNER. Raises BadSetting.
        """

        def get(name: str) -> str | None:
            return os.environ.get(PREFIX + name)

        def file(name: str) -> Path | None:
            return Path(path) if (path := get(name)) else None

        days = get("BACKUP_DAYS") or "7"
        if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= MOST_DAYS:
            raise BadSetting(PREFIX + "BACKUP_DAYS")
        return cls(
            data or file("DATA") or Path("var/ledger"),
            get("DATABASE"), get("VAULT"), file("KEK_FILE"),
            get("SEALER"), file("SEAL_KEY_FILE"), get("WITNESS"), get("WITNESS_KEY"),
            int(days), file("BACKUP_DIR"), get("ISSUER"), get("AUDIENCE"), get("JWKS"),
            get("PROXY"), file("PROXY_SECRET_FILE"), file("CLIENT_CA"), file("CLIENT_CRL"),
            get("CLIENT_ISSUER"),
            get("STAMPS"), file("STAMP_ROOTS"), get("OWNER"),
        )  # fmt: skip


@contextmanager
def ledger_database(settings: Settings) -> Iterator[str]:
    """The connection string of the ledger's database alone."""
    if settings.database is not None:
        yield settings.database
        return
    with EmbeddedServer(settings.data / "postgres") as server:
        yield server.conninfo("ledger")


class Bureau:
    """One bureau's ledger, opened: the door, the records and what keeps them.

    `embedded`: this is the single-user embedded server, where database roles bind nobody. Raises
    VaultUnfit where the key or the vault of this ledger is missing, KeyUnfit where the sealer's is.
    """

    classes: frozenset[str] | None = None
    """The private fields that answers may open; None is all of them."""
    sight: Sight | None = None
    """Of which cases answers may tell, and the ids of whoever asks: who complained of oneself stays
    closed, whatever the classes. None is all of them.
    """
    only: frozenset[str] | None = None
    """Whose private fields answers may open, by id; None is everybody's."""
    question: Question = UNNAMED
    reader: Reader
    unread: PutAgain | None = None
    """Where a question is put again, in place of the reader."""
    progress: Callable[[float], None] = staticmethod(lambda _: None)
    """Told by a long question which share of it is done."""

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
        age = timedelta(days=settings.backup_days)
        self.ledger = Ledger(log, opening.enter_context(closing(vault)), backup_age=age)
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
        reads_sealer = Sealer(sealing.connection, key_file, prefix=READS)
        self.reads = opening.enter_context(closing(ReadLog(database, reads_sealer)))
        Seals(self.pool.connection, READS, create=True)
        self.pinning = Pinning(self.ledger, self.sealer, self.reads)
        self.reader = Reader(self.reads, Actor(subject=getuser()), "here")

    def vault_backup(self) -> tuple[datetime | None, bool]:
        """When the newest backup of the vault was made, and whether that is too long ago."""
        made_at = self.ledger.vault.backed_up()
        longest = timedelta(days=self.settings.backup_days)
        return made_at, made_at is None or datetime.now(UTC) - made_at > longest

    def seen_with(
        self,
        classes: frozenset[str] | None,
        sight: Sight | None,
        only: frozenset[str] | None = None,
    ) -> Self:
        """The same bureau for one who may read these private fields, `only` of these persons, and
        of cases and days what `sight` says: other facts and entries are not there. None is
        everything.
        """
        seen = copy(self)
        seen.classes, seen.only = classes, only
        if sight is not None:
            seen.sight = sight
            seen.records = self.records.seen_by(sight)
            seen.ledger = self.ledger.seen_without(hiding(seen.records), sight.before)
        return seen

    @property
    def told_before(self) -> date:
        """The first day of which its answers do not tell; OPEN where they tell of all."""
        return OPEN if self.sight is None or self.sight.before is None else self.sight.before

    def read_by(self, reader: Reader) -> Self:
        """The same bureau for this reader."""
        seen = copy(self)
        seen.reader = reader
        return seen

    def telling(self, progress: Callable[[float], None]) -> Self:
        """The same bureau, which tells how far a long question has come."""
        seen = copy(self)
        seen.progress = progress
        return seen

    def noting(self, rows: list[int]) -> Self:
        """The same bureau, which adds to `rows` where each read lies in the log of reads."""
        reader = self.reader._replace(noted=lambda _, position: rows.append(position))
        return self.read_by(reader)

    def asked(self, question: Question) -> Self:
        """The same bureau while it is asked this."""
        asked = copy(self)
        asked.question = question
        return asked

    def put_again_to(self, unread: PutAgain) -> Self:
        """The same bureau, of which nothing private is seen and nothing is answered to anybody."""
        again = copy(self)
        again.classes, again.unread = frozenset(), unread
        return again

    def read(
        self,
        as_of: Mapping[str, Any],
        persons: Collection[str],
        classes: Collection[str],
        cases: Iterable[str] = (),
    ) -> int:
        """Put on record what the question is about to be answered with; the position of the row.
        Of the `cases` it tells of, or names, those that are sealed now make it a read for them.

        Raises PurposeMissing, ReadNotRecorded.
        """
        named = {*cases, *cases_in([*self.question.parameters.values()])}
        if named:
            named = sealed_cases(self.records.seen_by(Sight(self.ledger.today())), named)
        return (self.unread or self.reader).read(self.question, as_of, persons, classes, named)

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
