"""`seal`, `verify` and `witness` as they are typed; and the key that is changed."""

import json
from datetime import date

import psycopg
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.settings import Bureau, Settings
from domain.acts.people import PersonRegistered
from domain.acts.seals import SealKeyChanged
from domain.events import Actor, Proposal
from domain.ledger import Request
from domain.ledger.keyfile import KeyUnfit
from domain.ledger.reads import Read
from domain.ledger.rotation import change_key
from domain.ledger.seals import Broken
from domain.notes import Head, Note, public
from domain.refusals import BadInput, Refusal
from replay.seals import Kind, Trust, verify
from replay.witness import Witness

DAY = date(2022, 1, 4)


@pytest.fixture
def chosen(tmp_path, settings, database, monkeypatch):
    """A bureau of one's own, and the command line over it."""
    own = settings._replace(data=tmp_path, database=database, seal_key_file=tmp_path / "seal.key")
    for name in ("database", "vault", "kek_file", "seal_key_file"):
        monkeypatch.setenv(f"PERSONNEL_LEDGER_{name.upper()}", str(getattr(own, name)))
    monkeypatch.setenv("PERSONNEL_LEDGER_LANG", "en")
    monkeypatch.setenv("PERSONNEL_LEDGER_PURPOSE", "a test")
    return own


def enter(bureau, *persons):
    for one in persons:
        bureau.ledger.enter(Request([Proposal(PersonRegistered(person=one), DAY)]))


def run(*arguments, code=0):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done


def test_seal_then_verify_then_altered(chosen, database):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1", "p2")
    note = Note.of(run("seal").stdout)
    assert Head.of(note.text).size == 2
    assert "2 entries, 2 under 1 heads" in run("verify").stdout
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entries_000000 DISABLE TRIGGER ALL")
        connection.execute("UPDATE ledger_entries_000000 SET type = 'X' WHERE position = 2")
        connection.execute("ALTER TABLE ledger_entries_000000 ENABLE ALWAYS TRIGGER deny_change")
    red = run("verify", code=int(Kind.ENTRY))
    assert "entry 2 is not what was sealed" in red.stdout


def test_a_witness_beyond_an_air_gap(chosen, tmp_path):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
        bureau.sealer.catch_up()
        key = str(public(bureau.sealer.seals.origin(), bureau.sealer.key()))
    out, back = tmp_path / "out", tmp_path / "back"
    at = ("--state", tmp_path / "w", "--name", "auditor/w", "--log", key)
    out.write_text(run("witness", "request").stdout)
    back.write_text(run("witness", "sign", out, *at).stdout)
    with pytest.raises(Exception, match="start from there"):
        CliRunner().invoke(
            app, ["witness", "sign", str(out), *map(str, at)], catch_exceptions=False
        )
    witness_key = "auditor/w+00000000+BAAA"
    bad = CliRunner().invoke(app, ["witness", "accept", str(back), "--witness-key", witness_key])
    assert bad.exit_code == 1
    own = Witness(tmp_path / "w", "auditor/w", [], lambda: 0).verifier
    run("witness", "accept", back, "--witness-key", own)
    run("verify", "--key", key, "--witness", back, "--witness-key", own)
    with Bureau(chosen) as bureau:
        assert bureau.sealer.seals.cosigned().size == 1


def test_a_witness_beyond_an_air_gap_has_both_logs(chosen, tmp_path):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
        bureau.reads.record(Read(Actor(), "test"))
    keys = [word for word in run("seal").stderr.split() if word.startswith("personnel-ledger/")]
    assert len(keys) == 2, "the ledger's, and that of the log of reads"
    witness = ("--state", tmp_path / "w", "--name", "auditor/w", "--log", keys[0], "--log", keys[1])
    own = Witness(tmp_path / "w", "auditor/w", [], lambda: 0).verifier
    kept = []
    for which in ((), ("--reads",)):
        out, back = tmp_path / f"out{which}", tmp_path / f"back{which}"
        asked = run("witness", "request", *which)
        assert keys[bool(which)].partition("+")[0] in asked.stderr
        out.write_text(asked.stdout)
        back.write_text(run("witness", "sign", out, *witness).stdout)
        run("witness", "accept", back, "--witness-key", own)
        kept += ["--witness", back]
    run("verify", "--key", keys[0], *kept, "--witness-key", own)
    with Bureau(chosen) as bureau:
        assert bureau.sealer.seals.cosigned() == bureau.sealer.seals.last()
        assert bureau.reads.sealer.seals.cosigned() == bureau.reads.sealer.seals.last()
    (tmp_path / "other").write_text(back.read_text().replace("personnel-ledger", "another", 1))
    kept[3] = tmp_path / "other"
    red = run("verify", "--key", keys[0], *kept, code=int(Kind.WITNESS))
    assert "log of reads: the witness keeps no head of this log" in " ".join(red.stdout.split())
    twice = CliRunner().invoke(app, ["verify", "--witness", str(back), "--witness", str(back)])
    assert "two heads for one log" in str(twice.exception)


def test_what_a_witness_cannot_use_is_named(chosen, tmp_path):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
        bureau.sealer.catch_up()
        key = str(public(bureau.sealer.seals.origin(), bureau.sealer.key()))
    ask, binary = tmp_path / "ask", tmp_path / "binary"
    ask.write_text(run("witness", "request").stdout)
    binary.write_bytes(b"\xff")

    def refused(file, state, name="auditor/w", log=key):
        given = ["witness", "sign", file, "--state", state, "--name", name, "--log", log]
        return str(CliRunner().invoke(app, [str(one) for one in given]).exception)

    state = tmp_path / "w"
    assert "binary cannot be read" in refused(binary, state)
    assert "nothing cannot be read" in refused(tmp_path / "nothing", state)
    assert "w cannot be read" in refused(state, state)
    assert "--log" in refused(ask, state, log="nonsense")
    assert "name" in refused(ask, state, name="a b")
    assert f"{ask}: " in refused(ask, ask)
    run("witness", "sign", ask, "--state", state, "--name", "auditor/w", "--log", key)
    [file] = state.glob("*.head")
    file.write_text("")
    assert f"{file.name} is not the head" in refused(ask, state)


def test_a_bundle_is_exported_and_checked(chosen, tmp_path):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1", "p2")
    bundle = tmp_path / "b.zip"
    export = ("evidence", "export", "-o", bundle, "--person", "p1")
    assert "seal first" in str(CliRunner().invoke(app, list(map(str, export))).exception)
    run("seal")
    run(*export)
    with Bureau(chosen) as bureau:
        key = str(public(bureau.sealer.seals.origin(), bureau.sealer.key()))
    done = run("evidence", "check", bundle, "--key", key, "--replay", "p1")
    assert '"person": "p1"' in done.stdout
    run("evidence", "check", bundle, "--replay", "p2", code=24)
    run(*export, "--all", "--disclose", "identity")
    run("evidence", "check", bundle, "--replay", "p2")
    assert "--disclose nothing" in run(*export, "--disclose", "nothing", code=2).output
    run("evidence", "export", "-o", bundle, "--entry", 2)
    listed = run("evidence", "check", bundle, "--list").stdout
    assert '"position": 2' in listed
    assert '"late"' in listed
    run("seal")
    run(*export, "--all", "--reads")
    told = run("evidence", "check", bundle, "--list").stdout.splitlines()
    reads = [json.loads(line) for line in told if line.startswith('{"read"')]
    assert reads
    assert {one["question"] for one in reads} == {"evidence"}, "those that named p1"
    bundle.write_bytes(bundle.read_bytes()[:-40])
    assert "no bundle of evidence" in run("evidence", "check", bundle, code=25).output


def test_what_cannot_be_written_is_named(chosen, tmp_path):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
    run("seal")
    for command in (["export", "--all"], ["proof", "1"]):
        for path in (tmp_path, tmp_path / "none" / "b"):
            given = ["evidence", *command, "-o", str(path)]
            assert str(path) in str(CliRunner().invoke(app, given).exception)


# the key


def test_a_changed_key_is_followed_from_either_end(chosen, database):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1", "p2")
        bureau.sealer.catch_up()
        origin = bureau.sealer.seals.origin()
        keys = [public(origin, bureau.sealer.key())]
        for _ in range(2):
            receipt = change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
            keys.append(public(origin, bureau.sealer.key()))
            enter(bureau, f"p{receipt.position}")
            bureau.sealer.catch_up()
        assert len(set(keys)) == 3
        assert bureau.sealer.seals.last().note.signed_by(keys[2])
        assert bureau.sealer.seals.covering(1).note.signed_by(keys[0])
        for key in keys:
            assert verify(database, Trust(key)) == (6, 6, 5, [])
    names = {p.name for p in chosen.data.glob("seal.key*")}
    assert names == {"seal.key"} | {f"seal.key.{k.key_id.hex()}" for k in keys[:2]}


def test_a_change_cut_short_after_its_entry_is_finished(chosen, database, monkeypatch):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
        bureau.sealer.catch_up()
        old = public(bureau.sealer.seals.origin(), bureau.sealer.key())
        with monkeypatch.context() as cut:
            cut.setattr("pathlib.Path.replace", _cut)
            with pytest.raises(KeyboardInterrupt):
                change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
        with pytest.raises(KeyUnfit):
            bureau.sealer.seal()
        change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
        assert [e.type for e in bureau.ledger.entries()].count("SealKeyChanged") == 1
        assert verify(database, Trust(old)).findings == []


def _cut(*_):
    raise KeyboardInterrupt


def test_a_change_that_one_key_did_not_sign_is_refused(chosen):
    with Bureau(chosen) as bureau:
        with pytest.raises(Broken):
            change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
        enter(bureau, "p1")
        bureau.sealer.catch_up()
        change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
        fields = next(bureau.ledger.entries(types=["SealKeyChanged"])).fields
        note = Note.of(fields["note"])

        def refusal(**other):
            event = SealKeyChanged(**{**fields, **other})
            with pytest.raises(Refusal) as refused:
                bureau.ledger.enter(Request([Proposal(event, bureau.ledger.today())]))
            return refused.value

        for lines in (note.lines[:1], note.lines[1:], []):
            swapped = {"previous": fields["key"], "key": fields["previous"]}
            assert isinstance(refusal(**swapped, note=str(note._replace(lines=lines))), BadInput)
        assert isinstance(refusal(previous=fields["key"], note="no note"), BadInput)
        assert refusal().field == "previous"


def test_a_lost_key_of_a_sealed_ledger_is_not_replaced(chosen):
    with Bureau(chosen) as bureau:
        enter(bureau, "p1")
        bureau.sealer.catch_up()
    chosen.seal_key_file.unlink()
    with pytest.raises(KeyUnfit, match="missing"):
        Bureau(chosen)
    assert isinstance(chosen, Settings)
    assert not chosen.seal_key_file.exists()
