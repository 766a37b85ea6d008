"""The witness keeps one growing history of each log, and cosigns nothing else."""

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.witnessing import Cosigning, WitnessUnfit, create_witness
from domain.ledger.keyfile import KeyUnfit
from domain.notes import Head, Note, Verifier, cosigner, public, signer
from replay.witness import (
    Asked,
    NotARequest,
    NotSigned,
    OtherSize,
    Rewritten,
    StateUnfit,
    UnknownLog,
    Witness,
    WitnessRefuses,
    ask,
)
from tests.api.conftest import serving
from tests.ledger.test_log_traps import eventually

NAME = "auditor.example/witness"


@pytest.fixture
def sealed(sealer, enter):
    """Seals at 3, 300 and 310."""
    for count in (3, 297, 10):
        enter(count)
        sealer.seal()
    return sealer.seals


@pytest.fixture
def key(sealed, sealer):
    return public(sealed.origin(), sealer.key())


@pytest.fixture
def witness(tmp_path, key):
    return Witness(tmp_path / "witness", NAME, [key], lambda: 1_700_000_000)


def request(sealed, size, old=0):
    return str(ask(sealed, sealed.covering(size), old))


def test_what_extends_what_is_kept_is_cosigned_and_kept(witness, sealed, tmp_path, key):
    for old, size in ((0, 3), (3, 300), (300, 310), (310, 310)):
        note = witness.add(request(sealed, size, old))
        assert note.text == sealed.covering(size).note.text
        assert note.seen_at(witness.verifier) == 1_700_000_000
        assert note.seen_at(Verifier.of(str(witness.verifier))) is not None
        assert witness.kept(key.name) == note
    again = Witness(tmp_path / "witness", NAME, [key], lambda: 5)
    assert again.kept(key.name) == note
    assert again.verifier == witness.verifier


def test_a_request_that_starts_elsewhere_is_told_what_is_kept(witness, sealed):
    witness.add(request(sealed, 300))
    for text in (request(sealed, 310), request(sealed, 310, 3), request(sealed, 3)):
        with pytest.raises(OtherSize) as refused:
            witness.add(text)
        assert refused.value.size == 300


def test_a_smaller_head_is_refused(witness, sealed):
    witness.add(request(sealed, 310))
    smaller = Asked(310, [], sealed.covering(300).note)
    with pytest.raises(NotARequest):
        witness.add(str(smaller))


def test_a_rewritten_history_is_refused_and_its_head_is_kept_as_evidence(
    witness, sealed, sealer, key, tmp_path
):
    witness.add(request(sealed, 300))
    before = witness.kept(key.name)
    own = signer(key.name, sealer.key())
    for size in (300, 310):
        forged = Note(Head(key.name, size, bytes(32)).text()).signed([own])
        path = sealed.extension(300, size)
        with pytest.raises(Rewritten):
            witness.add(str(Asked(300, path, forged)))
        assert witness.kept(key.name) == before
        [evidence] = (tmp_path / "witness").glob("*.refused")
        assert Note.of(evidence.read_text()) == forged


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda _: "",
        lambda _: "garbage",
        lambda text: text[:60],
        lambda text: text.replace("\n3\n", "\n2\n"),
        lambda text: text.replace("personnel-ledger", "another"),
        lambda text: "\n".join(text.split("\n")[:-2]) + "\n",
    ],
)
def test_upon_a_spoilt_state_nothing_is_cosigned(witness, sealed, tmp_path, key, spoilt):
    """The sentence names the file, which stays as it is; over HTTP too it is refused."""
    witness.add(request(sealed, 3))
    [file] = (tmp_path / "witness").glob("*.head")
    file.write_text(text := spoilt(file.read_text()))
    for asked in (request(sealed, 3), request(sealed, 300, 3)):
        with pytest.raises(StateUnfit) as refused:
            witness.add(asked)
        assert file.name in str(refused.value)
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(witness.verifier))
        with pytest.raises(WitnessRefuses, match="500"):
            asking.ask()
    assert file.read_text() == text
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StateUnfit):
        witness.kept(key.name)


def test_a_state_is_the_witnesss_whatever_name_it_had(witness, sealed, tmp_path, key):
    witness.add(request(sealed, 3))
    renamed = Witness(tmp_path / "witness", "auditor/2", [key], lambda: 1)
    assert renamed.add(request(sealed, 300, 3)).seen_at(renamed.verifier) == 1


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "x" * 201])
def test_a_name_that_no_line_can_bear_is_refused(tmp_path, name):
    with pytest.raises(KeyUnfit, match="name"):
        Witness(tmp_path / "other", name, [], lambda: 0)
    assert not (tmp_path / "other").exists()


def test_what_the_log_did_not_sign_is_refused(witness, sealed, key):
    note = sealed.covering(3).note
    other = Note(note.text).signed([signer(key.name, Ed25519PrivateKey.generate())])
    with pytest.raises(NotSigned):
        witness.add(str(Asked(0, [], other)))
    unknown = other._replace(text=note.text.replace("personnel-ledger", "other", 1))
    with pytest.raises(UnknownLog):
        witness.add(str(Asked(0, [], unknown)))


@pytest.mark.parametrize(
    "text", ["", "old\n\n", "old x\n\no\n1\n\n", "old 0\n????\n\no\n1\nAA==\n\n", "old -1\n\na\n\n"]
)
def test_what_is_no_request_is_refused(witness, text):
    with pytest.raises(NotARequest):
        witness.add(text)
    assert issubclass(NotARequest, WitnessRefuses)


def test_a_served_witness_is_asked_and_its_lines_are_kept(witness, sealed, sealer, enter, key):
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(witness.verifier))
        assert asking.silence().entries == 310
        assert asking.ask().size == 310
        assert asking.silence() == (0, 0.0)
        assert asking.ask() is None
        enter(5)
        last = sealer.seal()
        assert asking.ask() == last
        assert sealed.with_cosignatures(last).seen_at(witness.verifier) == 1_700_000_000
        assert witness.kept(key.name).text == last.note.text


def test_a_line_lost_on_its_way_back_is_asked_for_again(witness, sealed):
    witness.add(request(sealed, 300))
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(witness.verifier))
        assert asking.ask().size == 310


def test_a_witness_that_keeps_more_than_there_is_refuses(witness, sealed, sealer, key):
    ahead = Note(Head(key.name, 900, bytes(32)).text()).signed([signer(key.name, sealer.key())])
    witness.add(str(Asked(0, [], ahead)))
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(witness.verifier))
        with pytest.raises(OtherSize):
            asking.ask()
    assert sealed.cosigned() is None


def test_a_line_of_another_key_is_not_kept(witness, sealed):
    stranger = public(NAME, Ed25519PrivateKey.generate(), kind=4)
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(stranger))
        with pytest.raises(NotSigned):
            asking.ask()
    assert sealed.cosigned() is None


def test_a_witness_that_is_away_stops_nothing_and_its_silence_is_told(sealed, sealer, enter):
    stranger = public(NAME, Ed25519PrivateKey.generate(), kind=4)
    asking = Cosigning(sealed, "http://127.0.0.1:1", str(stranger))
    with pytest.raises(OSError, match="refused"):
        asking.ask()
    stop = threading.Event()
    threads = [threading.Thread(target=one.follow, args=(stop,)) for one in (asking, sealer)]
    for thread in threads:
        thread.start()
    enter(4)
    assert eventually(lambda: sealed.last().size == 314)
    stop.set()
    for thread in threads:
        thread.join()
    assert asking.silence().entries == 314
    assert asking.silence().seconds > 0


def test_a_line_that_others_put_there_does_not_speak_for_the_witness(
    sealed, witness, sealer, enter
):
    """Else who owns the database could see to it that the witness is never asked again."""
    with serving(create_witness(witness)) as port:
        asking = Cosigning(sealed, f"http://127.0.0.1:{port}", str(witness.verifier))
        asking.ask()
        enter(3)
        last = sealer.seal()
        forged = last.note.signed(
            [cosigner(NAME, Ed25519PrivateKey.generate(), lambda: 2_000_000_000)]
        )
        sealed.cosign(last.size, forged.lines[-1])
        assert asking.silence().entries > 0
        assert asking.ask() == last
        assert asking.silence() == (0, 0.0)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ledger.example"])
def test_an_address_that_is_none_of_the_webs_is_refused(sealed, witness, url):
    with pytest.raises(WitnessUnfit, match="address"):
        Cosigning(sealed, url, str(witness.verifier))
    with pytest.raises(WitnessUnfit, match="key"):
        Cosigning(sealed, "http://127.0.0.1:1", "")
