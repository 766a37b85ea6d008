"""A server of an installed PostgreSQL, for the same tests: LEDGER_TEST_POSTGRES=<its bin folder>."""

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

PORT = "54329"


class InstalledServer:
    """A throw-away cluster on a socket of its own; under root it runs as the user postgres.

    With a `password`, its superuser's, everyone who connects gives one (SCRAM).
    """

    def __init__(
        self,
        binaries: Path,
        directory: Path,
        settings: Mapping[str, str],
        password: str | None = None,
    ) -> None:
        self._binaries = binaries
        self._data = directory / "data"
        self._directory = directory
        self._password = password
        self._settings = {**settings, "listen_addresses": "", "port": PORT}
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None

    def _run(self, program: str, *arguments: str) -> None:
        user = {"user": self._user.pw_uid, "group": self._user.pw_gid} if self._user else {}
        subprocess.run(
            [str(self._binaries / program), *arguments], check=True, cwd=self._directory,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user,
        )  # fmt: skip

    def __enter__(self) -> Self:
        if self._user:
            os.chown(self._directory, self._user.pw_uid, self._user.pw_gid)
        ways = ["--auth=trust"]
        if self._password is not None:
            file = self._directory / "password"
            file.write_text(self._password)
            ways = ["--auth=scram-sha-256", f"--pwfile={file}"]
        self._run(
            "initdb", "-D", str(self._data), "-U", "postgres", *ways, "-E", "UTF8", "--locale=C",
        )  # fmt: skip
        options = {**self._settings, "unix_socket_directories": str(self._directory)}
        said = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", said, "-w", "start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def conninfo(self, database: str = "postgres") -> str:
        """The connection string of a database, which is made where absent."""
        control = make_conninfo(
            host=str(self._directory), port=PORT, user="postgres", dbname="postgres",
            password=self._password,
        )  # fmt: skip
        with psycopg.connect(control, autocommit=True) as connection:
            row = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (database,)
            ).fetchone()
            if row is None:
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))
        return make_conninfo(control, dbname=database)


def newest() -> Path | None:
    """The programs of the newest PostgreSQL that is installed, or of the one that is named."""
    if named := os.environ.get("LEDGER_TEST_POSTGRES"):
        return Path(named)
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((p.parent for p in found), key=lambda p: int(p.parent.name), default=None)
