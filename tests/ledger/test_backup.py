"""Backups of the vault: sealed, whole, and not for ever."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from api.settings import BadSetting, Bureau, Settings
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.ledger import Ledger, Request
from domain.ledger.backing import Age, Keeping
from domain.ledger.backup import backup, restore
from domain.ledger.wrapping import VaultUnfit
from domain.refusals import BackupOverdue
from tests.given import act

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.fixture
def bureau(tmp_path, database, other_database):
    with Bureau(Settings(tmp_path, database, other_database)) as opened:
        opened.ledger.enter(Request([act(PersonRegistered(person="p1", name="褚强飞"))]))
        yield opened


@pytest.fixture
def file(bureau, tmp_path):
    path = tmp_path / "vault.backup"
    assert backup(bureau.ledger.vault, bureau.kek, path, NOW) == 1
    return path


def emptied(bureau):
    bureau.close()
    with psycopg.connect(bureau.settings.vault, autocommit=True) as connection:
        tables = "data_keys, secrets, escrowed_keys, destroyed_keys, settled, backups"
        connection.execute(f"DROP TABLE {tables}")
    return bureau.settings


def name(bureau):
    [entry] = bureau.ledger.entries()
    return bureau.ledger.vault.reveal(entry.fields)["name"]


def test_a_lost_vault_comes_back_with_its_keys_and_secrets(bureau, file):
    blind = bureau.ledger.vault.blind("id-number", "1")
    settings = emptied(bureau)
    for _ in range(2):
        with pytest.raises(VaultUnfit, match="not its vault"):
            Bureau(settings)
    assert restore(settings.vault, bureau.kek, file) == (NOW, 1)
    with Bureau(settings) as again:
        assert name(again) == "褚强飞"
        assert again.ledger.vault.blind("id-number", "1") == blind


def test_a_backup_tells_nothing_and_is_closed_to_others(bureau, file):
    assert b"p1" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir() if "unfinished" in path.name] == []


@pytest.mark.parametrize("at", [0, 10, 40, -1])
def test_a_damaged_backup_is_refused_and_restores_nothing(bureau, file, at):
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)
    settings = emptied(bureau)
    with pytest.raises(VaultUnfit, match=r"vault\.backup is"):
        restore(settings.vault, bureau.kek, file)
    with pytest.raises(VaultUnfit, match="not its vault"):
        Bureau(settings)


def test_another_key_does_not_open_a_backup(bureau, file):
    with pytest.raises(VaultUnfit, match="another key-encryption key"):
        restore(bureau.settings.vault, bytes(32), file)


def test_a_vault_in_use_is_not_overwritten(bureau, file):
    with pytest.raises(VaultUnfit, match="not empty"):
        restore(bureau.settings.vault, bureau.kek, file)


def test_a_backup_is_late_when_there_is_none_or_it_is_too_old(bureau, file, tmp_path):
    now = datetime.now(UTC)
    assert bureau.vault_backup() == (NOW, now - NOW > timedelta(days=7))
    for days, late in ((8, True), (6, False)):
        bureau.ledger.vault.note_backup(now - timedelta(days=days))
        assert bureau.vault_backup() == (max(NOW, now - timedelta(days=days)), late)


def test_nothing_private_is_entered_while_the_newest_backup_is_too_old(bureau, file):
    """What a lost vault would take along, no backup holds."""
    ledger, now = bureau.ledger, datetime.now(UTC)
    ledger.enter(Request([act(PersonRegistered(person="p2", name="李四"))]))

    again = Ledger(ledger.log, ledger.vault, backup_age=timedelta(days=7))
    head = ledger.log.head()
    for private in (
        PersonRegistered(person="p3", name="王五"),
        PersonRegistered(person="p3", phone="1"),
    ):
        with pytest.raises(BackupOverdue):
            again.enter(Request([act(private)]))
        with pytest.raises(BackupOverdue):
            list(again.enter_many([Request([act(private)])]))
    assert ledger.log.head() == head
    again.enter(Request([act(PersonRegistered(person="p3"))]))

    ledger.vault.note_backup(now - timedelta(days=6))
    again.enter(Request([act(PersonDetailsChanged(person="p3", name="王五"), "2024-05-01")]))


def test_a_ledger_that_never_had_a_backup_is_as_old_as_its_first_entry(bureau, monkeypatch):
    began = bureau.ledger.log.recorded_at(1)
    for age, refused in ((timedelta(days=1), False), (timedelta(0), True)):
        limit = Age(bureau.ledger.vault, lambda: began, age)
        if refused:
            with pytest.raises(BackupOverdue):
                limit.require()
        else:
            limit.require()
    Age(bureau.ledger.vault, lambda: None, timedelta(0, 1)).require()


def test_backups_are_kept_up_and_none_for_longer_than_it_may_be(bureau, tmp_path):
    folder = tmp_path / "kept"
    (folder / "elsewhere").mkdir(parents=True)
    (folder / "vault-of-somebody.backup").write_text("not ours")
    keeping = Keeping(bureau.ledger.vault, bureau.kek, folder, timedelta(days=7))
    made = [keeping.turn(NOW + timedelta(hours=6 * n)) for n in range(50)]

    assert made == [n % 4 == 0 for n in range(50)]
    kept = sorted(path.name for path in folder.glob("vault-2*"))
    assert (kept[0], len(kept)) == ("vault-20261108T080000Z.backup", 7)
    assert (folder / "vault-of-somebody.backup").exists()
    settings = emptied(bureau)
    restore(settings.vault, bureau.kek, folder / kept[-1])
    with Bureau(settings) as again:
        assert name(again) == "褚强飞"


@pytest.mark.parametrize("days", ["0", "x", "-1", "99999"])
def test_a_maximum_age_that_is_none_is_refused_by_name(monkeypatch, days):
    monkeypatch.setenv("PERSONNEL_LEDGER_BACKUP_DAYS", days)
    with pytest.raises(BadSetting, match="BACKUP_DAYS"):
        Settings.of()
