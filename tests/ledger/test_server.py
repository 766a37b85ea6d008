import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from domain.ledger.server import EmbeddedServer, ServerFailed

USER = """
import sys, time
from domain.ledger.server import EmbeddedServer
with EmbeddedServer(sys.argv[1], settings={"shared_buffers": "16MB"}) as server:
    print(server.conninfo("ledger"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def directory():
    made = Path(tempfile.mkdtemp(prefix="ledger-server-"))
    made.chmod(0o755)
    yield made
    for process in _started:
        process.communicate()
    _started.clear()
    shutil.rmtree(made, ignore_errors=True)


_started = []


def start(directory):
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _started.append(process)
    return process, process.stdout.readline().strip()


def finish(process):
    _started.remove(process)
    process.communicate()
    assert process.returncode == 0


def kill(process):
    _started.remove(process)
    process.kill()
    process.communicate()


def ask(conninfo, statement):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return connection.execute(statement).fetchone()[0]


def postmaster(directory):
    return int((directory / "cluster" / "postmaster.pid").read_text().split()[0])


def test_the_last_user_to_leave_stops_the_server(directory):
    first, conninfo = start(directory)
    second, same = start(directory)
    assert conninfo == same
    finish(first)
    assert ask(conninfo, "SELECT 1") == 1
    finish(second)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_data_and_settings_survive_a_restart(directory):
    for expected in (0, 1):
        with EmbeddedServer(directory, settings={"shared_buffers": "16MB"}) as server:
            conninfo = server.conninfo("ledger")
            with psycopg.connect(conninfo) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
                rows = connection.execute("SELECT count(*) FROM kept").fetchone()[0]
                assert rows == expected
                connection.execute("INSERT INTO kept VALUES (1)")
            for setting in ("fsync", "synchronous_commit", "wal_compression", "data_checksums"):
                assert ask(conninfo, f"SHOW {setting}") in ("on", "pglz")
            assert ask(conninfo, "SHOW listen_addresses") == ""
            assert ask(conninfo, "SHOW server_encoding") == "UTF8"


def test_users_that_start_together_share_one_server(directory):
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: start(directory), range(4)))
    assert len({conninfo for _, conninfo in started}) == 1
    assert ask(started[0][1], "SELECT count(*) FROM pg_database WHERE datname = 'ledger'") == 1
    for process, _ in started:
        finish(process)


def test_a_killed_user_neither_stops_the_server_nor_keeps_it_running(directory):
    only, conninfo = start(directory)
    kill(only)
    killed, same = start(directory)
    other, _ = start(directory)
    assert same == conninfo
    kill(killed)
    assert ask(conninfo, "SELECT 1") == 1
    finish(other)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_the_next_start_recovers_after_the_server_itself_was_killed(directory):
    process, conninfo = start(directory)
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(postmaster(directory), signal.SIGKILL)
    kill(process)
    again, conninfo = start(directory)
    assert ask(conninfo, "SELECT n FROM kept") == 7
    finish(again)


def test_a_lock_file_that_names_another_process_is_forgotten(directory):
    with EmbeddedServer(directory, settings={"shared_buffers": "16MB"}):
        pass
    with subprocess.Popen(["sleep", "60"], user=(directory / "cluster").stat().st_uid) as other:
        lock = directory / "cluster" / "postmaster.pid"
        lock.write_text(
            f"{other.pid}\n{directory / 'cluster'}\n0\n5432\n{directory}\n\n0 0\nready\n"
        )
        with EmbeddedServer(directory, settings={"shared_buffers": "16MB"}) as server:
            assert ask(server.conninfo(), "SELECT 1") == 1
        other.kill()


def test_an_unfinished_cluster_is_made_anew(directory):
    (directory / "cluster.new").mkdir()
    (directory / "cluster.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(directory, settings={"shared_buffers": "16MB"}) as server:
        assert ask(server.conninfo(), "SELECT 1") == 1


def test_a_long_path_does_not_matter(directory):
    deep = directory / ("d" * 60) / ("e" * 60)
    with EmbeddedServer(deep, settings={"shared_buffers": "16MB"}) as server:
        assert ask(server.conninfo(), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a directory of another user's")
def test_nobody_else_may_answer_for_the_server_of_a_long_path(directory):
    server = EmbeddedServer(directory / ("x" * 100))
    with server:
        sockets = Path(psycopg.conninfo.conninfo_to_dict(server.conninfo())["host"])
    os.chown(sockets, 12_345, 12_345)
    with pytest.raises(ServerFailed, match="another user's"), server:
        pass
    sockets.rmdir()


def test_a_server_that_cannot_start_says_why(directory):
    with pytest.raises(ServerFailed, match="shared_buffers"):
        EmbeddedServer(directory, settings={"shared_buffers": "nonsense"}).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as someone else")
def test_under_root_its_own_closed_directories_are_opened_for_passing_only(directory):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedServer(closed / "pg"):
        assert closed.stat().st_mode & 0o777 == 0o701


@pytest.mark.skipif(os.geteuid() != 0, reason="root runs the server as another user")
def test_under_root_a_closed_directory_of_another_is_named(directory):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 65534, 65534)
    with pytest.raises(ServerFailed, match=f"{closed} is closed"):
        EmbeddedServer(closed / "pg").__enter__()
