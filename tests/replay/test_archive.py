"""A ledger goes into a file and comes back the same; a file that is not whole stores nothing."""

import gzip
import hashlib
import json
from datetime import date, datetime

import psycopg
import pytest

from api import answers
from api.settings import Bureau, Settings
from domain.acts.people import PersonRegistered
from domain.acts.privacy import EscrowHolderNamed, PrivateDataRestricted
from domain.ledger import Request
from domain.ledger.copying import NotTheSame, taking_over
from domain.ledger.escrow import new_holder
from domain.ledger.reads import HEAD_NOTED, RECORD_READ, Read
from domain.ledger.sealed import Owner
from domain.ledger.stored import StoredEntry
from domain.ledger.vault import Restricted
from domain.ledger.wrapping import VaultUnfit
from domain.merkle import leaf, root
from domain.notes import public
from domain.refusals import BadInput, KeyReused, RecordForbids, Taken
from replay import archive
from replay.reads import verify as reads_verify
from replay.seals import Trust
from replay.seals import verify as seals_verify
from replay.verify import verify
from tests.given import act
from tests.histories import History, sample_steps

DAY = date(2023, 1, 1)
ID = "320500199101010025"


@pytest.fixture(scope="module")
def source(common_bureau):
    """Two histories, a claimed ID number and an idempotency key."""
    for seed in (3, 4):
        History(common_bureau.ledger).play(sample_steps(seed))
    common_bureau.ledger.enter(request("known", key="k-1"))
    restrict(common_bureau.ledger, "held", "one", "two")
    list(common_bureau.runner.catch_up())
    answers.record(common_bureau, "known", answers.When(DAY))
    common_bureau.sealer.catch_up()
    common_bureau.reads.sealer.catch_up()
    common_bureau.pinning.pin()
    list(common_bureau.runner.catch_up())
    return common_bureau


HOLDERS = {name: new_holder() for name in ("one", "two")}


def restrict(ledger, person, *holders):
    """Their identity is in escrow."""
    named = [act(EscrowHolderNamed(holder=h, public_key=HOLDERS[h].public_key)) for h in holders]
    registered = act(PersonRegistered(person=person, name="王五"))
    ledger.enter(Request([registered, *named]))
    ground = "个人信息保护法 四十七"
    event = PrivateDataRestricted(
        person=person, classes=("identity",), ground=ground, holders=holders
    )
    ledger.enter(Request([act(event)]))


def request(person, key=None):
    return Request([act(PersonRegistered(person=person, name="张三", id_number=ID))], key=key)


@pytest.fixture(scope="module")
def dumped(source, tmp_path_factory):
    file = tmp_path_factory.mktemp("archive") / "ledger.gz"
    return file, archive.dump(source.ledger, source.reads.log, file, private=True)


@pytest.fixture
def copy(database, other_database, settings, tmp_path):
    """An empty bureau with a vault of its own, under the same key-encryption key."""
    with Bureau(Settings(tmp_path, database, other_database, settings.kek_file)) as opened:
        yield opened.read_by(opened.reader.stating("核对", None))


def everything(bureau):
    return list(bureau.ledger.log.entries())


def reads(bureau):
    return list(bureau.reads.log.entries())


def leaves(bureau):
    return [leaf(*stored) for stored in everything(bureau)]


def rewritten(file, tmp_path, change):
    """The archive with some of its lines changed, or left out where the change gives None."""
    with gzip.open(file) as packed:
        lines = [change(json.loads(line)) for line in packed]
    out = tmp_path / "changed.gz"
    texts = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines if line)
    out.write_bytes(gzip.compress("".join(f"{text}\n" for text in texts).encode()))
    return out


def test_rewriting_alone_changes_nothing(dumped, tmp_path):
    assert archive.check(rewritten(dumped[0], tmp_path, lambda line: line)) == dumped[1]


def test_a_loaded_ledger_is_the_ledger_and_answers_the_same(source, dumped, copy):
    file, summary = dumped
    seen = []

    loaded = archive.load(copy.ledger, copy.reads.log, file, seen.append)

    assert loaded == (summary, False)
    assert seen[-1] == summary.head == source.ledger.log.head()
    assert everything(copy) == everything(source)
    assert leaves(copy) == leaves(source)
    assert root(leaves(copy)).hex() == summary.root
    of_reads = reads(copy)
    assert of_reads == reads(source)[: summary.reads]
    assert {row.type for row in of_reads} == {RECORD_READ, HEAD_NOTED}
    assert root([leaf(*row) for row in of_reads]).hex() == summary.reads_root
    list(copy.runner.catch_up())
    assert verify(copy.runner, copy.database).green
    people = sorted({t[7:] for e in everything(source) for t in e.tags if t.startswith("person:")})
    for person in people:
        for ask in (answers.record, answers.history):
            mine, theirs = (
                answers.to_bytes(ask(b, person, answers.When(DAY))) for b in (copy, source)
            )
            assert mine == theirs
    assert any("张三".encode() in answers.to_bytes(answers.record(copy, p)) for p in people)


def test_what_is_in_escrow_comes_along_and_its_holders_open_it(source, dumped, copy):
    archive.load(copy.ledger, copy.reads.log, dumped[0])
    owner = Owner("held", "identity")
    with pytest.raises(Restricted):
        copy.ledger.vault.seal(*owner, "name", b"x")
    assert copy.ledger.vault.lift(owner, [h.code for h in HOLDERS.values()], store=True)
    assert copy.ledger.vault.seal(*owner, "name", b"x")


def test_what_stands_beside_the_entries_comes_along(dumped, copy):
    archive.load(copy.ledger, copy.reads.log, dumped[0])
    head = copy.ledger.log.head()

    with pytest.raises(Taken):
        copy.ledger.enter(request("another"))
    assert copy.ledger.enter(request("known", key="k-1")).replayed
    with pytest.raises(KeyReused):
        copy.ledger.enter(request("other", key="k-1"))
    assert copy.ledger.log.head() == head
    copy.ledger.enter(Request([act(PersonRegistered(person="new", name="李四"))]))
    assert copy.ledger.log.head() == head + 1


def test_loading_again_changes_nothing_and_another_ledger_is_refused(
    dumped, copy, source, tmp_path
):
    archive.load(copy.ledger, copy.reads.log, dumped[0])
    before = leaves(copy)
    assert archive.load(copy.ledger, copy.reads.log, dumped[0]).already
    assert leaves(copy) == before

    copy.ledger.enter(Request([act(PersonRegistered(person="new"))]))
    later = tmp_path / "later.gz"
    archive.dump(copy.ledger, copy.reads.log, later, private=False)
    with pytest.raises(RecordForbids) as caught:
        archive.load(source.ledger, source.reads.log, later)
    assert caught.value.position == len(before) + 1


def test_a_dump_of_an_unchanged_ledger_has_the_same_bytes(source, dumped, tmp_path):
    one, again = tmp_path / "one.gz", tmp_path / "again.gz"
    for file in (one, again):
        archive.dump(source.ledger, source.reads.log, file, private=True)
    assert again.read_bytes() == one.read_bytes()
    assert again.stat().st_mode & 0o077 == 0


def test_without_keys_nobody_reads_a_private_value(source, copy, tmp_path):
    file = tmp_path / "bare.gz"
    archive.dump(source.ledger, source.reads.log, file, private=False)
    archive.load(copy.ledger, copy.reads.log, file)

    list(copy.runner.catch_up())
    assert leaves(copy) == leaves(source)
    said = answers.to_bytes(answers.record(copy, "known", answers.When(DAY)))
    assert "张三".encode() not in said
    assert b'"erased":true' in said
    assert archive.secrets_of(file) == []


def test_another_key_encryption_key_is_refused_and_nothing_is_stored(
    dumped, database, other_database, tmp_path
):
    with Bureau(Settings(tmp_path, database, other_database)) as stranger:
        with pytest.raises(VaultUnfit):
            archive.load(stranger.ledger, stranger.reads.log, dumped[0])
        assert stranger.ledger.log.head() == 0
        with psycopg.connect(other_database) as vault:
            assert vault.execute("SELECT count(*) FROM data_keys").fetchone() == (0,)
    with Bureau(Settings(tmp_path, database, other_database)):  # its own vault still opens
        pass


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_refused_by_its_first_missing_entry(dumped, copy, tmp_path, share):
    content = dumped[0].read_bytes()
    cut = tmp_path / "cut.gz"
    cut.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadInput, match=r"cut\.gz") as caught:
        archive.load(copy.ledger, copy.reads.log, cut)

    assert caught.value.field == "file"
    assert copy.ledger.log.head() == 0
    if 0.5 <= share < 0.99:
        assert 1 <= caught.value.position <= dumped[1].head
        assert f"entry {caught.value.position}:" in caught.value.detail


def changed_data(line):
    if line.get("entry") == 7:
        line["data"] = line["data"].replace('"effective":"2', '"effective":"1')
    return line


def restamped(line):
    if line.get("entry") == 7:
        line["recorded_at"] = line["recorded_at"].replace("+00:00", "+01:00")
    return line


def without_one(line):
    return None if line.get("entry") == 7 else line


def without_the_last(line):
    return None if "end" in line else line


def changed_read(line):
    if line.get("read") == 2:
        line["data"] = line["data"].replace('"size"', '"sise"')
    return line


def without_a_read(line):
    return None if line.get("read") == 1 else line


def without_the_last_read(line):
    return None if line.get("read") == 2 else line


def with_another_root_of_reads(line):
    return line | {"reads_root": "00" * 32} if "end" in line else line


def without_claims(line):
    return None if "claim" in line else line


@pytest.mark.parametrize(
    ("change", "position"),
    [
        (changed_data, 7),
        (restamped, 7),
        (without_one, 7),
        (changed_read, 2),
        (without_a_read, 1),
        (without_the_last_read, 2),
        (with_another_root_of_reads, None),
        (without_the_last, None),
        (without_claims, None),
    ],
)
def test_an_altered_archive_is_refused_by_its_first_bad_entry(
    dumped, copy, tmp_path, change, position
):
    altered = rewritten(dumped[0], tmp_path, change)

    for refuse in (archive.check, lambda file: archive.load(copy.ledger, copy.reads.log, file)):
        with pytest.raises(BadInput) as caught:
            refuse(altered)
        assert caught.value.position == position
    assert copy.ledger.log.head() == 0


def as_it_was_before_reads(file, tmp_path):
    """The same ledger in the first format."""
    with gzip.open(file) as packed:
        lines = [json.loads(line) for line in packed]
    kept = [line for line in lines[:-1] if "read" not in line]
    kept[0] = {n: v for n, v in kept[0].items() if n != "reads"} | {"format": 1}
    texts = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in kept]
    counts = {k: n for k, n in lines[-1]["end"].items() if k != "read"}
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    end = {"end": counts, "root": lines[-1]["root"], "sha256": digest}
    out = tmp_path / "before.gz"
    out.write_bytes(gzip.compress(("".join(texts) + json.dumps(end) + "\n").encode()))
    return out


def test_an_archive_from_before_the_reads_were_in_it_loads(source, dumped, copy, tmp_path):
    before = as_it_was_before_reads(dumped[0], tmp_path)
    copy.reads.record(Read(copy.reader.actor, "test"))
    summary = archive.check(before)
    assert (summary.reads, summary.reads_root) == (None, None)
    assert archive.load(copy.ledger, copy.reads.log, before).summary == summary
    assert everything(copy) == everything(source)
    assert len(reads(copy)) == 1
    assert archive.load(copy.ledger, copy.reads.log, before).already
    with pytest.raises(RecordForbids, match="log of reads") as caught:
        archive.load(copy.ledger, copy.reads.log, dumped[0])
    assert caught.value.position == 1


def test_where_something_was_read_before_nothing_is_loaded(dumped, copy):
    copy.reads.record(Read(copy.reader.actor, "test"))
    with pytest.raises(RecordForbids, match="log of reads"):
        archive.load(copy.ledger, copy.reads.log, dumped[0])
    assert copy.ledger.log.head() == 0
    assert len(reads(copy)) == 1


def test_a_loaded_ledger_bears_its_reads_out(dumped, copy, tmp_path):
    archive.load(copy.ledger, copy.reads.log, dumped[0])
    copy.sealer.key_file = copy.reads.sealer.key_file = tmp_path / "its.key"
    copy.sealer.catch_up()
    copy.reads.sealer.catch_up()
    key = public(copy.sealer.seals.origin(), copy.sealer.key())
    assert seals_verify(copy.database, Trust(key)).findings == []
    assert reads_verify(copy.database, Trust(key)).findings == []


def test_what_no_log_can_hold_is_refused(dumped, copy, tmp_path):
    def unspeakable(line):
        return line | {"subject": "a\0b"} if "claim" in line else line

    def without_id(line):
        if line.get("entry") == 3:
            data = {**json.loads(line["data"]), "id": "none"}
            stored = StoredEntry(3, datetime.fromisoformat(line["recorded_at"]), line["type"],
                                 line["tags"], json.dumps(data).encode())  # fmt: skip
            line |= {"data": stored.data.decode(), "leaf": leaf(*stored).hex()}
        return line

    for change in (unspeakable, without_id):
        with pytest.raises(BadInput, match="cannot be stored"):
            archive.load(copy.ledger, copy.reads.log, rewritten(dumped[0], tmp_path, change))
    assert copy.ledger.log.head() == 0


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    for name, content in (
        ("a.gz", gzip.compress(b'{"a":1}\n')),
        ("b.gz", b"PK"),
        ("c.gz", gzip.compress(b"[]")),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=name):
            archive.check(tmp_path / name)


def test_only_an_empty_log_is_taken_over(source, log):
    [first, second] = list(source.ledger.log.entries(limit=2))
    with taking_over(log, log) as (taking, _):
        taking.entries([first])
        taking.entries([second])
    assert list(log.entries()) == [first, second]
    with pytest.raises(Exception, match="only an empty log"), taking_over(log, log) as (taking, _):
        taking.entries([first._replace(position=3)])
    assert log.head() == 2


def test_what_does_not_read_back_as_it_was_given_is_not_stored(source, log):
    [first] = list(source.ledger.log.entries(limit=1))
    with pytest.raises(NotTheSame), taking_over(log, log) as (taking, _):
        taking.entries([first._replace(tags=["a\x1fb"])])
    assert log.head() == 0
