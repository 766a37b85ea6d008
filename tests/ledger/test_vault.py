"""Private fields: sealed to one key, bound to their place, readable by nobody else."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.acts.people import PersonRegistered
from domain.ledger import Ledger, Request
from domain.ledger.sealed import Owner, commit, decoded, encoded, is_sealed, sealed_owners
from domain.ledger.vault import Erased, Vault
from domain.ledger.wrapping import key_encryption_key
from domain.refusals import Refusal
from tests.given import act

KEK = bytes(range(32))
OWNER = Owner("p1", "identity")


def counted():
    numbers = itertools.count()
    return lambda size: sha256(str(next(numbers)).encode()).digest()[:size]


@pytest.fixture
def vault(database):
    opened = Vault(database, KEK, counted())
    opened.prepare([OWNER, Owner("p2", "identity")])
    yield opened
    opened.close()


def sealed(vault, owner=OWNER, field="name", plaintext=b'"Zhang San"'):
    return vault.seal(owner.subject, owner.cls, field, plaintext)


def test_a_sealed_field_opens_and_says_nothing_by_itself(vault):
    form = sealed(vault)
    assert vault.open("name", form) == "Zhang San"
    assert is_sealed(form)
    assert b"Zhang" not in decoded(form["x"]) + decoded(form["c"])


def test_another_vault_over_the_same_keys_opens_it(vault, database):
    form = sealed(vault)
    second = Vault(database, KEK)
    assert second.open("name", form) == "Zhang San"
    assert second.blind("id-number", "1") == vault.blind("id-number", "1")
    assert second.request_hash(b"1") == vault.request_hash(b"1")
    second.close()


def test_the_wrong_key_encryption_key_is_refused_in_words(vault, database):
    with pytest.raises(ValueError, match="key-encryption key does not open this vault"):
        Vault(database, bytes(32))


def test_a_vault_that_does_not_open_leaves_no_connection_behind(vault, database):
    def connections():
        with psycopg.connect(database) as connection:
            [[count]] = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            ).fetchall()
        return count

    with pytest.raises(ValueError, match="does not open"):
        Vault(database, bytes(32))
    vault.close()
    for _ in range(200):  # a server process outlives its client for a moment
        if connections() == 1:
            return
        time.sleep(0.05)
    pytest.fail("a connection is still open")


@pytest.mark.parametrize("part", ["o", "k", "field", "c", "x"])
def test_a_field_moved_or_changed_does_not_open(vault, part):
    form, field = sealed(vault), "name"
    other = sealed(vault, field="phone")
    if part == "field":
        field = "phone"
    else:
        form[part] = {"o": "p2", "k": "identity", "c": other["c"], "x": other["x"]}[part]
        if part == "k":
            vault.prepare([Owner("p1", "health")])
            form["k"] = "health"
    with pytest.raises(ValueError, match="does not open") as refused:
        vault.open(field, form)
    assert "Zhang" not in str(refused.value)


def test_the_commitment_opens_one_field_to_one_who_has_salt_and_text_only(vault):
    form = sealed(vault)
    blob = decoded(form["x"])
    key = vault._keys[OWNER]
    opened = AESGCM(key).decrypt(blob[:12], blob[12:], f"p1|identity|name|{form['c']}".encode())
    salt, text = opened[:32], opened[32:]
    assert encoded(commit(salt, text)) == form["c"]
    assert encoded(commit(salt, b'"Li Si"')) != form["c"]
    assert encoded(commit(bytes(32), text)) != form["c"]


def test_the_same_value_sealed_twice_looks_different(vault):
    assert not set(sealed(vault).values()) & set(sealed(vault).values()) - {"p1", "identity"}


def test_injected_randomness_gives_the_same_bytes(database, other_database):
    forms = []
    for conninfo in (database, other_database):
        opened = Vault(conninfo, KEK, counted())
        opened.prepare([OWNER])
        forms.append(sealed(opened))
        opened.close()
    assert forms[0] == forms[1]


def test_a_destroyed_key_reads_as_erased_and_takes_no_other_with_it(vault, database):
    forms = [sealed(vault, owner) for owner in (OWNER, Owner("p2", "identity"))]
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM data_keys WHERE subject = 'p1'")
    after = Vault(database, KEK)
    with pytest.raises(Erased):
        after.open("name", forms[0])
    assert after.reveal({"name": forms[0], "sex": "1"}) == {"name": {"erased": True}, "sex": "1"}
    assert after.reveal([{"name": forms[1]}]) == [{"name": "Zhang San"}]
    after.close()


def test_a_key_destroyed_while_it_is_fetched_is_not_kept(vault, database):
    owners = [Owner(f"many{n:04}", "identity") for n in range(5_000)]
    vault.prepare(owners)
    gone = owners[-20:]
    forms = {owner: sealed(vault, owner) for owner in gone}
    for turn, owner in enumerate(gone):
        after = Vault(database, KEK)
        with ThreadPoolExecutor(1) as pool:
            fetching = pool.submit(after.hold, owners)
            time.sleep(0.005 * turn)
            after.destroy([owner])
            fetching.result()
        assert after.reveal({"name": forms[owner]}) == {"name": {"erased": True}}
        after.close()


def test_whose_keys_a_value_needs_is_told_by_its_form(vault):
    value = {"a": [sealed(vault), {"b": sealed(vault, Owner("p2", "identity"))}], "c": 1}
    assert set(sealed_owners(value)) == {OWNER, Owner("p2", "identity")}


def test_a_key_that_another_process_made_first_is_the_one_used(vault, database):
    second = Vault(database, KEK)
    for each in (vault, second):
        each.prepare([Owner("p3", "identity")])
    form = sealed(second, Owner("p3", "identity"))
    assert vault.open("name", form) == "Zhang San"
    second.close()


# with the ledger


def test_a_key_is_durable_before_anything_sealed_with_it_is_entered(log, other_database):
    """When the vault cannot keep the key, nothing is entered."""
    own = Vault(other_database, KEK)
    ledger = Ledger(log, own)
    request = Request([act(PersonRegistered(person="p9", name="Zhang San"))])
    with psycopg.connect(other_database) as connection:
        connection.execute("DROP TABLE data_keys")
    with pytest.raises(psycopg.errors.UndefinedTable):
        ledger.enter(request)
    assert log.head() == 0
    own.close()


def test_entries_are_readable_after_everything_is_opened_anew(bureau):
    entered = bureau.ledger.enter(Request([act(PersonRegistered(person="p9", name="Zhang San"))]))
    vault = Vault(bureau.settings.vault, key_encryption_key(bureau.settings.kek_file))
    again = Ledger(bureau.ledger.log, vault)
    entry = again.entry(entered.entries[0].event_id)
    assert vault.reveal(entry.fields)["name"] == "Zhang San"
    assert b"Zhang" not in entry.data
    vault.close()


def test_a_refused_request_may_make_keys_but_enters_nothing(bureau):
    with pytest.raises(Refusal):
        bureau.ledger.enter(Request([act(PersonRegistered(person="p9", name="A"), expect=7)]))
    assert bureau.ledger.log.head() == 0


# the key-encryption key


def test_the_key_encryption_key_is_made_once_and_closed_to_others(tmp_path):
    path = tmp_path / "kek"
    key = key_encryption_key(path)
    assert (len(key), path.stat().st_mode & 0o777) == (32, 0o600)
    assert key_encryption_key(path) == key


def test_a_file_that_holds_no_key_is_refused_by_name_and_kept(tmp_path):
    path = tmp_path / "kek"
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="kek does not hold a key of 32 bytes"):
        key_encryption_key(path)
    assert path.read_bytes() == b"short"
