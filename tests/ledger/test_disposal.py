"""Destroyed and restricted private data: nobody reads them, wherever and whenever one looks."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from uuid import UUID

import psycopg
import pytest

from api.settings import Bureau, Settings
from domain.acts.identity import PersonsMerged
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.privacy import (
    EscrowHolderNamed,
    LegalHoldPlaced,
    PrivateDataDestroyed,
    PrivateDataRestricted,
    PrivateDataRestrictionLifted,
)
from domain.acts.rewards import RewardGranted
from domain.events import Actor, FactAnnulled
from domain.ledger import Request
from domain.ledger.backup import refill
from domain.ledger.escrow import new_holder
from domain.ledger.log import ConditionFailed
from domain.ledger.sealed import Owner
from domain.ledger.splitting import BadPart
from domain.ledger.vault import Erased
from domain.ledger.wrapping import VaultUnfit
from domain.refusals import Conflict, DataErased, DataRestricted, Taken, WrongCorrection
from projections.questions.lookup import by_id_number
from replay.rebuild import rebuild
from replay.verify import verify
from tests.given import act

NUMBER = "11010519491231002X"
ERASED, RESTRICTED = {"erased": True}, {"restricted": True}
DAY = date(2024, 5, 1)
GROUND = "个人信息保护法 47"
IDENTITY = Owner("p1", "identity")


@pytest.fixture
def settings(tmp_path, database, other_database):
    return Settings(tmp_path, database, other_database)


@pytest.fixture
def bureau(settings):
    with Bureau(settings) as opened:
        enter(opened, act(PersonRegistered(person="p1", name="褚强飞", id_number=NUMBER)))
        enter(opened, act(RewardGranted(person="p1", kind="嘉奖", deed="救人")), mood="attested")
        yield opened


def enter(bureau, *proposals, **request):
    return bureau.ledger.enter(Request(proposals, **request)).entries


def destruction(*classes, person="p1"):
    classes = classes or ["identity"]
    event = PrivateDataDestroyed(person=person, classes=classes, ground=GROUND, approval="销1号")
    return act(event, DAY)


def fields(bureau, position=1):
    [entry] = bureau.ledger.entries(after=position - 1, until=position)
    return bureau.ledger.vault.reveal(entry.fields)


def stored_without_its_effect(bureau, *proposals):
    """As if the process had died between the entry and the vault."""
    bureau.ledger.log.enter(bureau.ledger.preview(Request(proposals)).append)


# destroyed


def test_what_is_destroyed_reads_erased_and_the_rest_stays(bureau):
    enter(bureau, destruction())
    assert fields(bureau)["name"] == fields(bureau)["id_number"] == ERASED
    assert fields(bureau, 2)["deed"] == "救人"


def test_records_and_log_are_what_they_were(bureau):
    list(bureau.runner.catch_up())
    before = list(bureau.ledger.log.entries())
    enter(bureau, destruction())
    assert list(bureau.ledger.log.entries(until=len(before))) == before
    list(bureau.runner.catch_up())
    assert verify(bureau.runner, bureau.database).green
    rebuild(bureau.runner, bureau.database, processes=1)
    assert verify(bureau.runner, bureau.database).green


def test_its_id_number_is_found_no_more_and_free_again(bureau):
    with pytest.raises(Taken):
        enter(bureau, act(PersonRegistered(person="p2", id_number=NUMBER)))
    enter(bureau, destruction("health"))
    assert by_id_number(bureau.ledger, NUMBER) == ["p1"]
    enter(bureau, destruction("identity"))
    assert by_id_number(bureau.ledger, NUMBER) == []
    enter(bureau, act(PersonRegistered(person="p2", id_number=NUMBER)))


def test_nothing_of_a_destroyed_class_is_entered_again(bureau):
    enter(bureau, destruction())
    with pytest.raises(DataErased) as refused:
        enter(bureau, act(PersonDetailsChanged(person="p1", name="褚强飞"), DAY))
    assert refused.value.as_dict()["field"] == "name"
    enter(bureau, act(PersonDetailsChanged(person="p1", education="本科"), DAY))
    many = [Request([act(PersonDetailsChanged(person="p1", phone="1"), DAY)])]
    [answer] = bureau.ledger.enter_many(many)
    assert isinstance(answer.refusal, DataErased)


def test_within_one_request_too(bureau):
    with pytest.raises(DataErased) as refused:
        enter(bureau, destruction(), act(PersonDetailsChanged(person="p1", phone="1"), DAY))
    assert refused.value.index == 1
    assert fields(bureau)["name"] == "褚强飞"


def test_of_many_entered_together_an_order_is_carried_out(bureau):
    requests = [
        Request([act(PersonRegistered(person="p3", name="甲"))]),
        Request([destruction(person="p3")]),
        Request([act(PersonDetailsChanged(person="p3", education="本科"), DAY)]),
    ]
    assert [a.position for a in bureau.ledger.enter_many(requests)] == [3, 4, 5]
    assert fields(bureau, 3)["name"] == ERASED


def test_what_was_decided_before_a_destruction_is_not_appended_after_it(bureau):
    decided = bureau.ledger.preview(
        Request([act(PersonDetailsChanged(person="p1", name="褚飞"), DAY)])
    )
    enter(bureau, destruction())
    with pytest.raises(ConditionFailed):
        bureau.ledger.log.enter(decided.append)


def test_a_hold_entered_first_keeps_a_decided_destruction_out(bureau):
    decided = bureau.ledger.preview(Request([destruction()]))
    enter(bureau, act(LegalHoldPlaced(person="p1", classes=["identity"], ground="刑诉 141"), DAY))
    with pytest.raises(ConditionFailed):
        bureau.ledger.log.enter(decided.append)


def test_names_entered_while_they_are_destroyed_are_refused_or_erased(bureau):
    def rename(n):
        try:
            return enter(bureau, act(PersonDetailsChanged(person="p1", name=f"n{n}"), DAY))
        except (DataErased, Conflict):
            return None

    def destroy():
        with suppress(Conflict):
            return enter(bureau, destruction())
        return destroy()

    with ThreadPoolExecutor(2) as pool:
        renamed = [pool.submit(rename, n) for n in range(8)]
        destroy()
        positions = [e.position for one in renamed for e in one.result() or ()]
    assert all(fields(bureau, position)["name"] == ERASED for position in positions)
    assert rename(9) is None


def test_an_erased_fact_may_be_annulled_but_is_not_reinstated(bureau):
    [renamed] = enter(bureau, act(PersonDetailsChanged(person="p1", name="褚飞"), DAY))
    enter(bureau, destruction())
    [annulled] = enter(bureau, act(FactAnnulled(), annuls=renamed.event_id))
    with pytest.raises(DataErased) as refused:
        enter(bureau, act(FactAnnulled(), annuls=annulled.event_id))
    assert refused.value.as_dict()["field"] == "name"


def test_annulling_a_later_number_leaves_the_erased_one_free(bureau):
    [later] = enter(bureau, act(PersonDetailsChanged(person="p1", id_number=NUMBER), DAY))
    enter(bureau, destruction())
    enter(bureau, act(FactAnnulled(), annuls=later.event_id))
    assert by_id_number(bureau.ledger, NUMBER) == []


def test_a_destruction_is_neither_annulled_nor_corrected(bureau):
    [entered] = enter(bureau, destruction())
    for proposal in (
        act(FactAnnulled(), annuls=entered.event_id),
        destruction("health")._replace(supersedes=entered.event_id),
    ):
        with pytest.raises(WrongCorrection):
            enter(bureau, proposal)


def test_it_reaches_every_id_that_the_person_has_then(bureau):
    enter(bureau, act(PersonRegistered(person="p2", name="褚飞")))
    enter(bureau, act(PersonsMerged(kept="p2", merged="p1")))
    enter(bureau, destruction(person="p1"))
    assert fields(bureau)["name"] == fields(bureau, 3)["name"] == ERASED
    assert by_id_number(bureau.ledger, NUMBER) == []
    for one in ("p1", "p2"):
        with pytest.raises(DataErased):
            enter(bureau, act(PersonDetailsChanged(person=one, name="褚飞"), DAY))


def test_an_id_merged_later_is_reached_by_ordering_it_again(bureau):
    enter(bureau, destruction())
    enter(bureau, act(PersonRegistered(person="p2", name="褚飞")))
    enter(bureau, act(PersonsMerged(kept="p1", merged="p2")))
    assert fields(bureau, 4)["name"] == "褚飞"
    enter(bureau, destruction())
    assert fields(bureau, 4)["name"] == ERASED


# carried out before anything is opened


def test_an_order_whose_process_died_is_carried_out_at_the_next_opening(bureau, settings):
    stored_without_its_effect(bureau, destruction())
    assert fields(bureau)["name"] == "褚强飞"
    with Bureau(settings) as again:
        assert fields(again)["name"] == ERASED


def test_another_process_that_held_the_key_drops_it_before_its_next_answer(bureau, settings):
    with Bureau(settings) as other:
        assert fields(other)["name"] == "褚强飞"
        enter(bureau, destruction())
        other.ledger.hold([IDENTITY])
        assert fields(other)["name"] == ERASED


@pytest.mark.parametrize("taken", ["before", "after"])
def test_a_restored_backup_of_the_vault_is_rid_of_what_was_destroyed_since(bureau, settings, taken):
    enter(
        bureau,
        act(PersonRegistered(person="p2", name="李四")),
        destruction("identity", person="p2"),
    )
    kept = bureau.ledger.vault.contents()
    enter(bureau, destruction())
    if taken == "after":
        kept = bureau.ledger.vault.contents()
    bureau.close()
    empty(settings.vault)
    refill(settings.vault, kept)
    with Bureau(settings) as again:
        assert fields(again)["name"] == fields(again, 3)["name"] == ERASED
        assert fields(again, 2)["deed"] == "救人"
        assert by_id_number(again.ledger, NUMBER) == []


def test_a_vault_ahead_of_a_restored_ledger_misses_no_later_order(bureau, settings, database):
    """The ledger lost its newest entries: the vault's bookmark is then another entry's place."""
    enter(bureau, act(PersonRegistered(person="p2", name="李四")))
    enter(bureau, destruction(person="p2"))
    bureau.ledger.vault.settle(10_000, "of an entry that is lost")
    stored_without_its_effect(bureau, destruction())
    with Bureau(settings) as again:
        assert fields(again)["name"] == ERASED


def test_a_backup_is_not_restored_over_a_vault_in_use(bureau, settings):
    with pytest.raises(VaultUnfit, match="not empty"):
        refill(settings.vault, bureau.ledger.vault.contents())


def in_files(vault, key):
    """Whether the bytes of a key lie in a file of the vault's tables."""
    with psycopg.connect(vault, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        rows = connection.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        ).fetchall()
    return any(key in raw for (raw,) in rows)


def wrapped_of(vault, owner):
    with psycopg.connect(vault) as connection:
        query = "SELECT wrapped FROM data_keys WHERE (subject, class) = (%s, %s)"
        [[wrapped]] = connection.execute(query, owner).fetchall()
    return wrapped


def test_whoever_is_writing_elsewhere_meanwhile_no_byte_of_a_key_stays(bureau, settings):
    """A transaction in the ledger's own database, on the same server, holds deleted rows back."""
    wrapped = wrapped_of(settings.vault, IDENTITY)
    assert in_files(settings.vault, wrapped)
    with psycopg.connect(settings.database) as writing, ThreadPoolExecutor(1) as pool:
        writing.execute("SELECT pg_current_xact_id()")
        destroying = pool.submit(enter, bureau, destruction())
        with pytest.raises(TimeoutError):
            destroying.result(0.5)
        writing.rollback()
        destroying.result(20)
    assert not in_files(settings.vault, wrapped)


def test_a_long_reader_of_the_vault_delays_private_answers_not_the_destruction(bureau, settings):
    wrapped = wrapped_of(settings.vault, IDENTITY)
    with psycopg.connect(settings.vault) as reading:
        reading.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reading.execute("SELECT count(*) FROM secrets")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            enter(bureau, destruction())
        with pytest.raises(psycopg.errors.LockNotAvailable):
            bureau.ledger.hold([IDENTITY])
    bureau.ledger.hold([IDENTITY])
    assert fields(bureau)["name"] == ERASED
    assert not in_files(settings.vault, wrapped)


def empty(vault):
    with psycopg.connect(vault, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE data_keys, secrets, escrowed_keys, destroyed_keys, settled, backups"
        )


# restricted


@pytest.fixture
def holders(bureau):
    """The codes of three holders, by name."""
    made = {name: new_holder() for name in ("h1", "h2", "h3")}
    for name, one in made.items():
        enter(bureau, act(EscrowHolderNamed(holder=name, public_key=one.public_key)))
    return {name: one.code for name, one in made.items()}


def restriction(*holders, classes=("identity",)):
    event = PrivateDataRestricted(person="p1", classes=classes, ground=GROUND, holders=holders)
    return act(event, DAY)


LIFTED = act(PrivateDataRestrictionLifted(person="p1", ground=GROUND), DAY, seq=1)


def test_what_is_restricted_is_neither_read_nor_added_to(bureau, holders):
    enter(bureau, restriction("h1", "h2"))
    assert fields(bureau)["name"] == RESTRICTED
    assert fields(bureau, 2)["deed"] == "救人"
    with pytest.raises(DataRestricted):
        enter(bureau, act(PersonDetailsChanged(person="p1", name="褚飞"), DAY))
    assert by_id_number(bureau.ledger, NUMBER) == ["p1"]


def test_the_vault_alone_holds_no_key_of_it(bureau, holders, settings):
    with psycopg.connect(settings.vault, autocommit=True) as connection:
        query = "SELECT wrapped FROM data_keys WHERE subject = 'p1' AND class = 'identity'"
        [[wrapped]] = connection.execute(query).fetchall()
        enter(bureau, restriction("h1", "h2"))
        assert connection.execute(query).fetchall() == []
        rows = connection.execute("SELECT sealed FROM escrowed_keys").fetchall()
    assert len(rows) == 2
    assert not any(wrapped[:8] in sealed for (sealed,) in rows)


@pytest.mark.parametrize("pair", [("h1", "h2"), ("h3", "h1")])
def test_any_two_holders_bring_it_back(bureau, holders, pair):
    enter(bureau, restriction("h1", "h2", "h3"))
    codes = [holders[name] for name in pair]
    assert bureau.ledger.vault.lift(IDENTITY, codes, store=False)
    assert fields(bureau)["name"] == RESTRICTED
    enter(bureau, LIFTED)
    assert fields(bureau)["name"] == RESTRICTED, "the entry alone opens nothing"
    assert bureau.ledger.vault.lift(IDENTITY, codes, store=True)
    assert fields(bureau)["name"] == "褚强飞"
    assert not bureau.ledger.vault.lift(IDENTITY, codes, store=True)
    enter(bureau, act(PersonDetailsChanged(person="p1", name="褚飞"), DAY))


def test_one_holder_or_a_stranger_does_not(bureau, holders):
    enter(bureau, restriction("h1", "h2"))
    for codes in (
        [holders["h1"]],
        [holders["h1"], holders["h1"]],
        [holders["h1"], holders["h3"]],
        [holders["h1"], new_holder().code],
    ):
        with pytest.raises(BadPart):
            bureau.ledger.vault.lift(IDENTITY, codes, store=True)
    assert fields(bureau)["name"] == RESTRICTED


def lifted(bureau, *codes, person="p1"):
    return bureau.ledger.lift(person, codes, GROUND, Actor())


def test_of_several_restrictions_the_one_whose_holders_give_their_codes_is_lifted(bureau, holders):
    enter(bureau, restriction("h1", "h2"))
    enter(bureau, restriction("h2", "h3", classes=["political"]))
    head = bureau.ledger.log.head()
    with pytest.raises(BadPart):
        lifted(bureau, holders["h1"], holders["h3"])
    assert bureau.ledger.log.head() == head
    assert lifted(bureau, holders["h3"], holders["h2"]) == ["political"]
    assert (fields(bureau)["name"], fields(bureau, 2)["deed"]) == (RESTRICTED, "救人")
    enter(bureau, act(RewardGranted(person="p1", kind="嘉奖", deed="又救人"), DAY), mood="attested")
    with pytest.raises(DataRestricted):
        enter(bureau, act(PersonDetailsChanged(person="p1", name="褚飞"), DAY))
    assert lifted(bureau, holders["h1"], holders["h2"]) == ["identity"]
    assert fields(bureau)["name"] == "褚强飞"


@pytest.mark.parametrize("person", ["p1", "p2"])
def test_what_was_restricted_before_a_merge_is_lifted_under_either_id(bureau, holders, person):
    enter(bureau, restriction("h1", "h2"))
    enter(bureau, act(PersonRegistered(person="p2")), act(PersonsMerged(kept="p2", merged="p1")))
    assert lifted(bureau, holders["h1"], holders["h2"], person=person) == ["identity"]
    assert fields(bureau)["name"] == "褚强飞"
    enter(bureau, act(PersonDetailsChanged(person="p2", name="褚飞"), DAY))


def test_a_restriction_outlives_reopening_and_an_older_backup(bureau, settings, holders):
    kept = bureau.ledger.vault.contents()
    enter(bureau, restriction("h1", "h2"))
    bureau.close()
    with Bureau(settings) as again:
        assert fields(again)["name"] == RESTRICTED
    empty(settings.vault)
    refill(settings.vault, kept)
    with Bureau(settings) as again:
        assert fields(again)["name"] == RESTRICTED
        assert again.ledger.vault.lift(IDENTITY, [holders["h1"], holders["h2"]], store=True)


def test_a_lifted_restriction_is_not_put_back_by_an_older_backup(bureau, settings, holders):
    kept = bureau.ledger.vault.contents()
    enter(bureau, restriction("h1", "h2"))
    enter(bureau, LIFTED)
    bureau.close()
    empty(settings.vault)
    refill(settings.vault, kept)
    with Bureau(settings) as again:
        assert fields(again)["name"] == "褚强飞"


def test_what_is_restricted_can_be_destroyed_and_no_holder_brings_it_back(bureau, holders):
    enter(bureau, restriction("h1", "h2"))
    enter(bureau, destruction())
    assert fields(bureau)["name"] == ERASED
    assert not bureau.ledger.vault.lift(IDENTITY, [holders["h1"], holders["h2"]], store=True)
    assert by_id_number(bureau.ledger, NUMBER) == []


def test_a_restricted_fact_is_annulled_but_not_reinstated(bureau, holders):
    [*_, rewarded] = bureau.ledger.entries(until=2)
    enter(bureau, restriction("h1", "h2", classes=["political"]))
    [annulled] = enter(bureau, act(FactAnnulled(), annuls=UUID(rewarded.id)))
    with pytest.raises(DataRestricted):
        enter(bureau, act(FactAnnulled(), annuls=annulled.event_id))


def test_a_correction_that_leaves_a_restricted_id_number_standing_is_refused(bureau, holders):
    """Whether the claim on the number still holds, only its value could tell."""
    [changed] = enter(bureau, act(PersonDetailsChanged(person="p1", phone="1"), DAY))
    enter(bureau, restriction("h1", "h2"))
    enter(bureau, act(PersonDetailsChanged(person="p1", education="本科"), DAY))
    with pytest.raises(DataRestricted):
        enter(bureau, act(FactAnnulled(), annuls=changed.event_id))


def test_sealing_by_a_vault_that_is_ahead_of_the_record_is_refused(bureau):
    bureau.ledger.vault.destroy([IDENTITY])
    with pytest.raises(DataErased):
        enter(bureau, act(PersonDetailsChanged(person="p1", name="褚飞"), DAY))
    with pytest.raises(Erased):
        bureau.ledger.vault.seal("p1", "identity", "name", b'"a"')
