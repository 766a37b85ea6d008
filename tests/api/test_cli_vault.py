"""Keys from the command line: lost and recovered, backed up and restored, restricted and back."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import psycopg
import pytest

from api.settings import Bureau, Settings
from tests.api.conftest import person
from tests.api.desk import Said, act, run

GROUND = "个人信息保护法 47"


class Home(NamedTuple):
    folder: Path
    bureau: Bureau
    parts: list[str]

    def run(self, *arguments: str, told: str = "") -> Said:
        return run(self.folder, *arguments, stdin=told.encode())

    def enter(self, *events: object) -> None:
        said = self.run("enter", "-", told=json.dumps({"events": events}))
        assert said.code == 0, said


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-vault-"))
    folder.chmod(0o755)
    try:
        made = run(folder, "init")
        assert made.code == 0, made
        parts = re.findall(r"^\d: ([A-Z2-7-]+)$", made.out, re.MULTILINE)
        assert len(parts) == 3
        with Bureau(Settings(folder)) as bureau:
            home = Home(folder, bureau, parts)
            home.enter(person("p1", name="褚强飞"))
            yield home
    finally:
        rmtree(folder, ignore_errors=True)


def test_a_lost_key_is_recovered_with_two_parts_of_three(home: Home) -> None:
    key = home.folder / "kek"
    kept = key.read_bytes()
    key.unlink()
    assert "vault recover" in home.run("record", "p1").err
    first, second, third = home.parts
    for told in (f"{first}\n{first}\n", f"{first}\n{second[:-1]}A\n", "\n\n"):
        refused = home.run("vault", "recover", told=told)
        assert (refused.code, key.exists()) == (1, False)
        assert first not in refused.err
    assert home.run("vault", "recover", told=f"{third}\n{first}\n").code == 0
    assert (key.read_bytes(), key.stat().st_mode & 0o777) == (kept, 0o600)
    assert "褚强飞" in home.run("record", "p1").out


def test_parts_of_another_ledgers_key_leave_no_file_in_the_way(home: Home, folder: Path) -> None:
    others = re.findall(r"^\d: ([A-Z2-7-]+)$", run(folder, "init").out, re.MULTILINE)
    key = home.folder / "kek"
    kept = key.read_bytes()
    key.unlink()
    for told in (others[:2], (home.parts[0], others[0]), (home.parts[0], others[1])):
        refused = home.run("--lang", "en", "vault", "recover", told="\n".join(told) + "\n")
        assert (refused.code, key.exists()) == (1, False)
        assert "another ledger's" in refused.err or "not of one secret" in refused.err
    numbered = f"1: {home.parts[0]}\n3:{home.parts[2]}\n"
    assert home.run("vault", "recover", told=numbered).code == 0
    assert key.read_bytes() == kept


def test_a_key_that_is_there_is_not_overwritten(home: Home) -> None:
    kept = (home.folder / "kek").read_bytes()
    refused = home.run("vault", "recover", told="\n".join(home.parts[:2]) + "\n")
    assert refused.code == 1
    assert "已存在" in refused.err
    assert (home.folder / "kek").read_bytes() == kept


def test_init_prints_the_parts_only_when_it_made_the_key(home: Home) -> None:
    assert home.run("init").out.count("-") < 3
    assert len(home.run("vault", "split").out.splitlines()) == 3


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ledger-vault-"))
    made.chmod(0o755)
    yield made
    rmtree(made, ignore_errors=True)


def test_the_parts_are_printed_whatever_comes_first(folder: Path) -> None:
    """A command before `init`, or an `init` that fails, makes the key too."""
    told = run(folder, "record", "p1")
    assert "vault split" in told.err
    failed = run(folder, "init", "--pack", "999999")
    assert failed.code == 1
    assert len(re.findall(r"^\d: ([A-Z2-7-]+)$", failed.out, re.MULTILINE)) == 3
    assert "vault split" not in run(folder, "due").err


def test_a_vault_restored_from_an_older_backup_gives_back_only_what_was_not_destroyed(
    home: Home,
) -> None:
    file = home.folder / "vault.backup"
    home.enter(person("p2", name="李四"))
    assert "从未备份" in home.run("due").err
    assert home.run("vault", "backup", str(file)).code == 0
    assert "备份" not in home.run("due").err
    home.enter(
        act("PrivateDataDestroyed", "2024-05-01", person="p2", classes=["identity"],
            ground=GROUND, approval="销1号"),
    )  # fmt: skip
    assert home.run("vault", "restore", str(file)).code == 1, "the vault is in use"
    vault = home.bureau.database.replace("dbname=ledger", "dbname=vault")
    with psycopg.connect(vault, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE data_keys, secrets, escrowed_keys, destroyed_keys, settled, backups"
        )
    assert "not its vault" in home.run("--lang", "en", "record", "p1").err
    restored = home.run("vault", "restore", str(file))
    assert restored.code == 0, restored
    assert "褚强飞" in home.run("record", "p1").out
    assert "李四" not in (told := home.run("record", "p2").out)
    assert "已销毁" in told


def test_what_is_restricted_comes_back_with_two_holders_codes(home: Home) -> None:
    codes = [home.run("vault", "holder", name).out.strip() for name in ("h1", "h2")]
    home.enter(
        act("PrivateDataRestricted", "2024-05-01", person="p1", classes=["identity"],
            ground=GROUND, holders=["h1", "h2"]),
    )  # fmt: skip
    assert "褚强飞" not in (told := home.run("record", "p1").out)
    assert "限制处理" in told
    lift = ("vault", "lift", "p1", "--ground", GROUND)
    assert home.run(*lift, told=f"{codes[0]}\n{codes[0]}\n").code == 1
    assert home.run(*lift, told=f"{codes[0]}\n{home.parts[1]}\n").code == 1
    assert "褚强飞" not in home.run("record", "p1").out
    lifted = home.run(*lift, told="\n".join(codes) + "\n")
    assert lifted.code == 0, lifted
    assert "褚强飞" in home.run("record", "p1").out
    assert home.run(*lift, told="\n".join(codes) + "\n").code == 1
