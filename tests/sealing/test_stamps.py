"""Heads are time-stamped by an authority outside; what contradicts its clock is named."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import structlog
from cryptography.hazmat.primitives.serialization import Encoding

from api.stamping import Stamping, StampingUnfit
from domain.notes import public
from replay.seals import Kind, Trust, verify
from replay.stamps import Authority, StampRefused
from replay.tokens import Certificate, Unknown, one, stamped
from tests.ledger.test_log_traps import eventually
from tests.sealing.authority import OPENSSL, LocalAuthority
from tests.sealing.test_tampering import tamper

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")


@pytest.fixture(scope="module", params=[False, True], ids=["rsa", "curve"])
def local(request, tmp_path_factory):
    return LocalAuthority(tmp_path_factory.mktemp("authority"), curve=request.param)


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    return LocalAuthority(tmp_path_factory.mktemp("another"))


@pytest.fixture
def trust(sealer, enter, local):
    enter(3)
    sealed = sealer.seal()
    key = public(sealed.head.origin, sealer.key())
    return Trust(key, authority=Authority.of(local.roots))


def found(database, trust):
    return [(f.kind, f.position) for f in verify(database, trust).findings]


def ders(*files):
    return [
        Certificate(c.public_bytes(Encoding.DER))
        for file in files
        for c in Authority.of(file).roots
    ]  # fmt: skip


def test_a_head_is_stamped_and_both_readers_agree(sealer, database, trust, local, another):
    with local.served() as url:
        asking = Stamping(sealer, url, local.roots)
        assert asking.overdue().entries == 3
        last = asking.ask()
        assert last == sealer.seals.last()
        assert asking.ask() is None
        assert asking.overdue() == (0, 0.0)
    [(sealed, response)] = sealer.seals.stamps(0, 10)
    note = str(sealed.note).encode()
    at = trust.authority.stamped(note, response)
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)
    stamp = stamped(response, note)
    assert stamp.at == round(at.timestamp() * 1_000_000)
    assert stamp.under(ders(local.roots))
    assert stamp.under(ders(local.own))
    assert not stamp.under(ders(another.roots))
    assert not stamp.under([])
    assert found(database, trust) == []


def test_another_stamp_is_due_an_hour_later(sealer, enter, trust, local, monkeypatch):
    with local.served() as url:
        asking = Stamping(sealer, url, local.roots)
        asking.ask()
        enter(1)
        sealer.seal()
        assert asking.ask() is None
        assert asking.overdue().entries == 1
        assert asking.overdue().seconds < 0
        monkeypatch.setattr("api.stamping.EVERY_SECONDS", 0)
        assert asking.ask().size == 4
    assert [one.sealed.size for one in sealer.seals.stamps(0, 10)] == [3, 4]


def test_no_head_is_stamped_while_the_seals_are_behind(sealer, enter, trust, local, monkeypatch):
    enter(1)
    monkeypatch.setattr("api.stamping.BEHIND_SECONDS", -1)
    with local.served() as url:
        asking = Stamping(sealer, url, local.roots)
        assert asking.ask() is None
    assert sealer.seals.stamped() is None


def flipped(answer):
    place = len(answer) - 9
    return answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]


@pytest.mark.parametrize("spoil", [flipped, lambda _: b"", lambda answer: answer[:80]])
def test_what_is_no_stamp_of_the_authority_is_not_kept(sealer, trust, local, spoil):
    with local.served(spoil) as url, pytest.raises(StampRefused):
        Stamping(sealer, url, local.roots).ask()
    assert sealer.seals.stamped() is None


def test_a_stamp_of_another_authority_is_not_kept(sealer, trust, local, another):
    with another.served() as url, pytest.raises(StampRefused):
        Stamping(sealer, url, local.roots).ask()
    kept = []

    def replay(answer):
        kept.append(answer)
        return kept[0]

    with local.served(replay) as url:
        asking = Stamping(sealer, url, local.roots)
        asking._authority.stamped(b"x", asking._send(asking._authority.request(b"x").as_bytes()))
        with pytest.raises(StampRefused):  # an earlier answer, over something else
            asking.ask()


def test_an_authority_that_is_away_stops_nothing_and_is_an_alarm(
    sealer, enter, trust, local, monkeypatch
):
    monkeypatch.setattr("api.stamping.SILENT_SECONDS", -1)
    asking = Stamping(sealer, "http://127.0.0.1:1", local.roots)
    with pytest.raises(OSError, match="refused"):
        asking.ask()
    stop = threading.Event()
    with structlog.testing.capture_logs() as said:
        threads = [threading.Thread(target=one.follow, args=(stop,)) for one in (asking, sealer)]
        for thread in threads:
            thread.start()
        enter(4)
        assert eventually(lambda: sealer.seals.last().size == 7)
        assert eventually(lambda: len(said) > 0)
        stop.set()
        for thread in threads:
            thread.join()
    assert (said[0]["event"], said[0]["log_level"]) == ("stamps-missing", "critical")


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "authority.example"])
def test_settings_that_name_no_authority_are_refused(sealer, local, url, tmp_path):
    with pytest.raises(StampingUnfit, match="address"):
        Stamping(sealer, url, local.roots)
    (tmp_path / "empty.pem").write_text("nothing")
    for file in (None, tmp_path / "absent", tmp_path / "empty.pem"):
        with pytest.raises(StampingUnfit, match="certificates"):
            Stamping(sealer, "http://127.0.0.1:1", file)


def test_what_was_stamped_before_a_certificate_expired_stays_stamped(
    sealer, database, trust, tmp_path
):
    """Each authority's expires some day; what it stamps from then on is no stamp."""
    lasting = timedelta(seconds=5)
    brief = LocalAuthority(tmp_path / "brief", lasts=lasting)
    expires = datetime.now(UTC) + lasting
    note = str(sealer.seals.last().note).encode()
    authority = Authority.of(brief.roots)
    response = brief.answer(authority.request(note).as_bytes())
    trust = trust._replace(authority=authority)
    sealer.seals.stamp(3, response)
    assert eventually(lambda: datetime.now(UTC) > expires + timedelta(seconds=1))
    assert found(database, trust) == []
    assert stamped(response, note).under(ders(brief.roots))
    late = brief.answer(authority.request(note).as_bytes())
    with pytest.raises(StampRefused):
        authority.stamped(note, late)
    with pytest.raises(ValueError, match="not then"):
        stamped(late, note)


# what contradicts the authority


def test_a_time_that_contradicts_a_stamp_is_named(sealer, enter, database, trust, local):
    """With the stolen key a history is sealed anew under other times; the stamps stand."""
    with local.served() as url:
        Stamping(sealer, url, local.roots).ask()
    [(_, response)] = sealer.seals.stamps(0, 10)
    enter(2)
    sealer.seal()
    assert found(database, trust) == []
    tamper(
        database,
        "UPDATE ledger_seal_stamps SET response = set_byte(response, length(response) - 9,"
        " get_byte(response, length(response) - 9) # 1)",
    )
    assert found(database, trust) == [(Kind.STAMP, 3)]
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE ledger_seal_stamps DISABLE TRIGGER deny_change")
        connection.execute("DELETE FROM ledger_seal_stamps")
        connection.execute("ALTER TABLE ledger_seal_stamps ENABLE ALWAYS TRIGGER deny_change")
    sealer.seals.stamp(5, response)
    assert found(database, trust) == [(Kind.STAMP, 5)]


@pytest.mark.parametrize(
    ("position", "by", "said"),
    [(3, "10 minutes", "after it was time-stamped"), (4, "-10 minutes", "before the time stamp")],
)
def test_entries_lie_between_the_stamps_around_them(
    sealer, enter, database, trust, local, position, by, said
):
    moved = f"UPDATE ledger_entries SET recorded_at = recorded_at + interval '{by}'"
    tamper(database, f"{moved} WHERE position {'>=' if position == 3 else '<'} {position}",
           "DELETE FROM ledger_seal_tiles", "DELETE FROM ledger_seal_heads")  # fmt: skip
    sealer.seal()
    with local.served() as url:
        Stamping(sealer, url, local.roots).ask()
    if position == 4:
        enter(1)
        tamper(database, f"{moved} WHERE position = 4")
        sealer.seal()
    named = public(sealer.seals.origin(), sealer.key())
    [finding] = verify(database, trust._replace(key=named)).findings
    assert finding[:2] == (Kind.TIME, position)
    assert f"entry {position}" in finding.en
    assert said in finding.en


def test_whatever_byte_of_a_token_is_changed_it_is_refused_or_says_the_same(sealer, trust, local):
    with local.served() as url:
        Stamping(sealer, url, local.roots).ask()
    [(sealed, response)] = sealer.seals.stamps(0, 10)
    note = str(sealed.note).encode()
    before = stamped(response, note)
    roots = ders(local.roots)
    refused = 0
    for place in range(len(response)):
        spoilt = response[:place] + bytes([response[place] ^ 4]) + response[place + 1 :]
        try:
            after = stamped(spoilt, note)
            good = after.under(roots)
        except (ValueError, IndexError, KeyError, UnicodeDecodeError):
            good = False
        if good:
            assert after.at == before.at
        refused += not good
    assert refused > len(response) * 0.9
    assert issubclass(Unknown, ValueError)
    assert one(b"\x05\x00").tag == 5
