"""Reads whose term is over are cut off by whole partitions, on an order; the rest stays proved."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from api import answers, looked
from api.cutting import require_free
from api.settings import Bureau
from domain.acts.complaints import CaseDisclosed, InvestigationOpened
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.privacy import LegalHoldPlaced
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.seals import ReadsCut
from domain.acts.units import UnitEstablished
from domain.events import Actor, Proposal
from domain.law import NATION, load_packs
from domain.ledger import Request, cutting, reads
from domain.ledger.reads import FEW, Read
from domain.ledger.roles import owning
from domain.ledger.rotation import change_key
from domain.notes import public
from domain.refusals import AlreadyRecorded, HeldBack, RecordForbids, Refusal
from replay.reads import gone, verify
from replay.seals import Kind, Trust
from tests.given import act
from tests.sealing.test_reads import enter, read, seal

SIZE = 8
OLD = timedelta(days=500)


@pytest.fixture
def own(tmp_path, settings, empty_database, monkeypatch):
    """Two persons; 21 reads in partitions of eight, the first 17 of them more than a year old."""
    monkeypatch.setattr(reads, "PARTITION", SIZE)
    chosen = settings._replace(
        data=tmp_path, database=empty_database, seal_key_file=tmp_path / "seal.key"
    )
    with Bureau(chosen) as bureau:
        national = PackPublished.of(load_packs()[NATION])
        bureau.ledger.enter(Request([Proposal(national, date(2022, 1, 1))]))
        enter(bureau, "p1", "p2")
        read(bureau, *(["p1"] * 16), "p2")
        aged(bureau, "recorded_at - interval '400 days'")
        read(bureau, "p2", "p1", "p2", "p2")
        seal(bureau)
        list(bureau.runner.catch_up())
        yield bureau


def aged(bureau, to, where="true"):
    """As if a clock had stood there then."""
    parts = [f"_{n:06}" for n in range((bureau.reads.log.head() - 1) // SIZE + 1)]
    with psycopg.connect(bureau.database) as connection:
        for name in ("", *parts):
            connection.execute(f"ALTER TABLE reads_entries{name} DISABLE TRIGGER deny_change")
        connection.execute(f"UPDATE reads_entries SET recorded_at = {to} WHERE {where}")
        for name in ("", *parts):
            table = f"reads_entries{name}"
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")


def day(bureau, days=200):
    return bureau.ledger.today() - timedelta(days=days)


def ordered(bureau, rows=2 * SIZE, before=None, ground="本局〔2026〕9号"):
    what = cutting.act(bureau.reads, rows, before or day(bureau), ground)
    return cutting.order(bureau.ledger, what, Actor())


def cut(bureau, rows=2 * SIZE):
    order = ordered(bureau, rows)
    carried_out(bureau, order)
    return order


def carried_out(bureau, order):
    with owning(bureau.database, reads.PREFIX) as owner:
        cutting.carry_out(owner, bureau.reads, order, lambda _: None)


def trust(bureau):
    return Trust(public(bureau.sealer.seals.origin(), bureau.sealer.key()))


def found(bureau):
    return [(f.kind, f.position) for f in verify(bureau.database, trust(bureau)).findings]


def left_in(bureau, table, column="position"):
    with psycopg.connect(bureau.database) as connection:
        rows = connection.execute(f"SELECT DISTINCT {column} FROM reads_{table} ORDER BY 1")
        return [one for (one,) in rows]


def test_whole_partitions_older_than_the_day_go_and_nothing_else(own):
    assert cutting.reach(own.reads, day(own)) == 2 * SIZE
    proofs = [own.reads.sealer.seals.prove(n) for n in (3, 17, 20)]
    before = left_in(own, "tags", "tag")
    assert "person:p1" in before
    order = cut(own)
    last = own.reads.log.head()
    for table in ("entries", "tags", "event_ids"):
        assert left_in(own, table) == list(range(2 * SIZE + 1, last + 1)), table
    assert own.reads.log.first() == 2 * SIZE + 1
    assert cutting.left(own.reads, order) == 0
    assert [own.reads.sealer.seals.prove(n) for n in (3, 17, 20)] == proofs
    own.sealer.catch_up()
    assert found(own) == []
    assert gone(own.database) == (
        order.position, 2 * SIZE, day(own).isoformat(), "本局〔2026〕9号", 0,
    )  # fmt: skip
    read(own, "p1")
    own.reads.sealer.catch_up()
    assert found(own) == []


def test_what_is_left_is_found_by_day_and_by_person(own):
    instant = own.reads.log.recorded_at(18) - timedelta(microseconds=1)
    assert own.reads.log.position_at(instant) == 17
    cut(own)
    assert own.reads.log.position_at(instant) == 17
    assert own.reads.log.position_at(instant - OLD) == 2 * SIZE
    list(own.runner.catch_up())
    told = looked.who_read(own, "p1", day(own, 1), own.ledger.today())["data"]
    assert [one["position"] for one in told["reads"]] == [19]
    assert told["cut"]["rows"] == 2 * SIZE
    assert told["cut"]["entry"] == next(own.ledger.entries(types=["ReadsCut"])).position


def test_nothing_young_unsealed_or_twice_is_ordered(own):
    def refused(**other) -> type[Refusal]:
        with pytest.raises(Refusal) as refusal:
            ordered(own, **other)
        return refusal.type

    assert refused(before=own.ledger.today() - timedelta(days=170)) is HeldBack
    assert refused(rows=999) is RecordForbids
    event = ReadsCut(ledger="0123456789abcdef", rows=8, before=day(own), ground="x")
    with pytest.raises(RecordForbids):
        own.ledger.enter(Request([Proposal(event, own.ledger.today())]))
    young = event.model_copy(update={"ledger": origin(own), "before": own.ledger.today()})
    said = Request([Proposal(young, own.ledger.today())], mood="attested")
    with pytest.raises(HeldBack):  # nor where it is said to have happened
        own.ledger.enter(said)
    ordered(own)
    assert refused() is AlreadyRecorded
    assert refused(rows=SIZE) is AlreadyRecorded
    with pytest.raises(cutting.NothingToCut):
        cutting.reach(own.reads, date(2020, 1, 1))
    assert cutting.reach(own.reads, own.ledger.today() + timedelta(days=1)) == 2 * SIZE


def origin(bureau):
    return bureau.reads.sealer.seals.origin().rpartition("/")[2]


def test_the_database_carries_out_only_what_the_ledger_ordered(own):
    steps = ("SELECT reads_cut_index({}, 0, 8)", "SELECT reads_cut_partition({}, {})")
    index, partition = steps
    order = ordered(own, SIZE)
    young = ReadsCut(ledger=origin(own), rows=3 * SIZE, before=day(own), ground="x")
    seal(own)
    read(own, *(["p1"] * 9))
    seal(own)
    other = own.ledger.enter(Request([Proposal(young, own.ledger.today())])).position
    with psycopg.connect(own.database, autocommit=True) as connection:
        for statement in (
            index.format(1), partition.format(1, 0),  # no order
            partition.format(order.position, 1),  # beyond the order
            partition.format(other, 0),  # rows of today
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="of the ledger"):
                connection.execute(statement)
    assert own.reads.log.first() == 1


def test_a_partition_that_goes_without_an_order_is_missed(own):
    with psycopg.connect(own.database) as connection:
        connection.execute("DROP TABLE reads_entries_000000")
    assert (Kind.MISSING, 1) in found(own)


def test_rows_beyond_the_order_are_missed(own):
    order = ordered(own, SIZE)
    carried_out(own, order)
    with psycopg.connect(own.database) as connection:
        connection.execute("DROP TABLE reads_entries_000001")
    own.sealer.catch_up()
    assert (Kind.MISSING, SIZE + 1) in found(own)


def test_an_order_hides_no_single_read(own):
    """Under an order that was never carried out, rows go from the first on or are missed."""
    ordered(own)
    own.sealer.catch_up()
    tables = ("entries", "entries_000000", "tags", "event_ids")
    with psycopg.connect(own.database) as connection:
        for table in tables:
            connection.execute(f"ALTER TABLE reads_{table} DISABLE TRIGGER deny_change")
        for table in ("entries", "tags", "event_ids"):
            connection.execute(f"DELETE FROM reads_{table} WHERE position = 5")
        for table in tables:
            connection.execute(f"ALTER TABLE reads_{table} ENABLE ALWAYS TRIGGER deny_change")
    assert found(own) == [(Kind.MISSING, 5)]


def test_an_altered_hash_of_what_is_gone_is_named(own):
    cut(own)
    own.sealer.catch_up()
    assert found(own) == []
    flip = "UPDATE reads_seal_tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)"
    with psycopg.connect(own.database) as connection:
        connection.execute("ALTER TABLE reads_seal_tiles DISABLE TRIGGER deny_change")
        connection.execute(flip + " WHERE level = 0 AND first = 0")
        connection.execute("ALTER TABLE reads_seal_tiles ENABLE ALWAYS TRIGGER deny_change")
    assert Kind.HEAD in [kind for kind, _ in found(own)]


@pytest.mark.parametrize("broken_off", range(1, 5))
def test_a_cut_that_broke_off_is_told_and_finished(own, monkeypatch, broken_off):
    monkeypatch.setattr(cutting, "TOGETHER", 4)
    order = ordered(own)
    own.sealer.catch_up()
    assert gone(own.database).left == 2 * SIZE
    steps = 0

    class Killed(Exception):
        pass

    def step(_):
        nonlocal steps
        steps += 1
        if steps == broken_off:
            raise Killed

    with owning(own.database, reads.PREFIX) as owner, pytest.raises(Killed):
        cutting.carry_out(owner, own.reads, order, step)
    assert found(own) == []
    assert gone(own.database).left == (2 * SIZE if broken_off < 3 else SIZE)
    assert cutting.awaiting(own.ledger, own.reads, None) == (2 * SIZE, order)
    carried_out(own, cutting.ordered(own.ledger, own.reads))
    assert gone(own.database).left == 0
    assert cutting.awaiting(own.ledger, own.reads, None) == (0, None)
    assert left_in(own, "tags") == left_in(own, "entries") == left_in(own, "event_ids")
    assert found(own) == []


def test_the_triggers_are_on_again(own):
    cut(own)
    with psycopg.connect(own.database, autocommit=True) as connection:
        for table in ("tags", "event_ids", "entries", "entries_000002"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stays as it was"):
                connection.execute(f"DELETE FROM reads_{table}")
    assert found(own) == []


def test_heads_of_what_is_gone_bear_a_key_of_the_ledger(own):
    """Which key signed since when went with the rows."""
    change_key(own.ledger, own.sealer, own.reads, Actor())
    read(own, *(["p2"] * 9))
    seal(own)
    own.ledger._clock = lambda: datetime.now(UTC) + OLD
    assert any(row.type == "SealKeyChanged" for row in own.reads._rows([], 0, 32))
    order = ordered(own, 3 * SIZE, own.ledger.today() - OLD + timedelta(days=1))
    carried_out(own, order)
    seal(own)
    assert not any(row.type == "SealKeyChanged" for row in own.reads._rows([], 0, 99))
    assert found(own) == []


def test_reads_for_an_open_case_stay(own):
    entered(own, InvestigationOpened(case="c1", person="p1", grounds="x"))
    own.reads.record(Read(Actor(), "test", question="record", persons=["p1"], case="c1"))
    require_free(own, 2 * SIZE, day(own))
    last = own.reads.log.head()
    with pytest.raises(HeldBack, match="the case c1 is open"):
        require_free(own, last, day(own))
    entered(own, CaseDisclosed(case="c1"))
    require_free(own, last, day(own))


def test_an_order_that_was_never_decided_is_not_carried_out_too_soon(own):
    with pytest.raises(HeldBack, match="six months"):
        require_free(own, 2 * SIZE, day(own, 100))


def test_reads_of_a_person_under_a_legal_hold_stay(own):
    entered(own, LegalHoldPlaced(person="p1", classes=["identity"], ground="监察法 25"))
    with pytest.raises(HeldBack, match="whom these reads name"):
        require_free(own, 2 * SIZE, day(own))
    entered(own, LegalHoldPlaced(person="p2", classes=["identity"], ground="x"))
    require_free(own, 0, day(own))


@pytest.fixture
def listed(own):
    """A unit of so many that a list of them names nobody, read once, as the last of all reads."""
    many = [f"m{n:02}" for n in range(FEW + 1)]
    made = [act(UnitEstablished(unit="u1", name="所"), date(2022, 1, 4))]
    for one in many:
        made.append(act(PersonRegistered(person=one), date(2022, 1, 4)))
        hired = AuxiliaryHired(person=one, unit="u1", category="field")
        made.append(act(hired, date(2022, 1, 4)))
    own.ledger.enter(Request(made, mood="attested"))
    list(own.runner.catch_up())
    answers.roster(own, answers.When(date(2022, 2, 1)), "u1")
    return own


def test_a_list_that_somebody_under_a_legal_hold_was_in_stays(listed):
    last = listed.reads.log.head()
    row = next(listed.reads.lists(0, last))
    assert "person:m03" not in row.tags
    entered(listed, PersonRegistered(person="late"))
    entered(listed, AuxiliaryHired(person="late", unit="u1", category="field"))
    entered(listed, LegalHoldPlaced(person="late", classes=["identity"], ground="监察法 25"))
    require_free(listed, last, day(listed))  # the list is older than this record
    entered(listed, LegalHoldPlaced(person="m03", classes=["identity"], ground="监察法 25"))
    require_free(listed, last - 1, day(listed))
    with pytest.raises(HeldBack, match=f"who was in the list read at {last}") as caught:
        require_free(listed, last, day(listed))
    assert caught.value.article == "监察法 25"


def test_a_list_that_can_be_put_again_no_more_stays_while_anybody_is_held(listed):
    many = [f"x{n}" for n in range(FEW + 1)]
    listed.reads.record(Read(Actor(), "test", question="abolished", persons=many, again=True))
    last = listed.reads.log.head()
    require_free(listed, last, day(listed))
    entered(listed, PersonRegistered(person="p9"))
    entered(listed, LegalHoldPlaced(person="p9", classes=["identity"], ground="监察法 25"))
    require_free(listed, last - 1, day(listed))
    with pytest.raises(HeldBack, match=f"p9, who may have been in the list read at {last}"):
        require_free(listed, last, day(listed))


def entered(bureau, event):
    bureau.ledger.enter(Request([act(event, date(2022, 1, 4))], mood="attested"))
    list(bureau.runner.catch_up())
