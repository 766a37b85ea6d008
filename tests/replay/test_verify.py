"""Verification is green for what the log gives and names every row that it does not give."""

import threading
from datetime import date

import pytest

from domain.acts.people import PersonRegistered
from domain.acts.rewards import RewardGranted
from domain.ledger import Request
from replay.rebuild import rebuild
from replay.verify import sentences, verify
from tests.given import act
from tests.histories import History, sample_steps

DAY = date(2022, 3, 1)


@pytest.fixture(scope="module")
def kept(common_bureau):
    """Two histories, and the records up to date with them."""
    for seed in (3, 4):
        History(common_bureau.ledger).play(sample_steps(seed))
    list(common_bureau.runner.catch_up())
    return common_bureau


@pytest.fixture
def tamper(kept):
    """Changes rows by hand; afterwards they are what they were."""

    def run(statement):
        with kept.pool.connection() as connection:
            return connection.execute(statement).rowcount

    yield run
    rebuild(kept.runner, kept.database, processes=1)


def verified(bureau):
    return verify(bureau.runner, bureau.database)


def test_an_empty_ledger_verifies(bureau):
    assert verified(bureau) == (0, 0, [])


def test_what_was_entered_verifies(kept):
    verdict = verified(kept)
    assert verdict.green
    assert verdict.position == kept.ledger.log.head()
    assert verdict.rows == kept.records.count() > 50
    [(zh, en)] = sentences(verdict)
    assert zh == f"✓ 一致:位置 1 至 {verdict.position},共 {verdict.rows} 行。"
    assert en == f"✓ Green: entries 1 to {verdict.position}, {verdict.rows} rows."


def test_verifying_changes_nothing_and_leaves_nothing(kept):
    before = list(kept.records.every_version())
    verified(kept)
    assert list(kept.records.every_version()) == before
    with kept.pool.connection() as connection:
        left = connection.execute("SELECT to_regclass('records_verify')").fetchone()
    assert left == (None,)


ROW = "(SELECT ctid FROM records WHERE facet = 'service' AND subject = 'person:{}' LIMIT 1)"


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        ("DELETE FROM records WHERE ctid = " + ROW, ["missing"]),
        ('UPDATE records SET value = \'{{"state":"left"}}\' WHERE ctid = ' + ROW, None),
        ("UPDATE records SET effective = effective - 1 WHERE ctid = " + ROW, None),
        ("UPDATE records SET known_from = 0 WHERE ctid = " + ROW, None),
        ("UPDATE records SET ended_by = 1 WHERE ctid = " + ROW, None),
        ("INSERT INTO records SELECT * FROM records WHERE ctid = " + ROW, ["extra"]),
    ],
)
def test_a_row_deleted_changed_or_added_by_hand_is_named(kept, tamper, statement, kinds):
    person = next(f.subject for f in kept.records.every_version() if f.facet == "service")
    assert tamper(statement.format(person.removeprefix("person:"))) == 1
    verdict = verified(kept)
    assert not verdict.green
    assert [d.kind for d in verdict.differences] == (kinds or ["missing", "extra"])
    assert {(d.subject, d.facet) for d in verdict.differences} == {(person, "service")}
    red, *named = sentences(verdict)
    assert red[0].startswith("✗ 不一致")
    assert len(named) == len(verdict.differences)
    for zh, en in named:
        assert f"{person} 的在职状态" in zh
        assert f"service of {person}" in en


def test_a_row_of_a_subject_the_log_never_named_is_extra(kept, tamper):
    tamper(
        "INSERT INTO records (subject, facet, slot, effective, until, seq, root, entry, known_from,"
        " known_to, value) VALUES ('person:ghost', 'grade', '', '2020-01-01', '9999-12-31', 0, 1,"
        " 1, 1, 9223372036854775807, '{}')",
    )
    [difference] = verified(kept).differences
    assert difference[:3] == ("extra", "person:ghost", "grade")


def test_at_most_a_hundred_of_either_kind_are_named(kept, tamper):
    tamper("UPDATE records SET root = root + 1000")
    assert len(verified(kept).differences) <= 200


def test_records_that_lag_behind_are_verified_as_far_as_they_are(kept):
    reached = kept.runner.position()
    kept.ledger.enter(Request([act(PersonRegistered(person="late"))]))
    assert verified(kept).position == reached
    assert verified(kept).green
    list(kept.runner.catch_up())


def test_entries_that_arrive_while_verifying_turn_nothing_red(kept):
    kept.ledger.enter(Request([act(PersonRegistered(person="busy"))]))
    stop = threading.Event()
    follower = threading.Thread(target=kept.runner.follow, args=(stop,))

    def write():
        while not stop.is_set():
            kept.ledger.enter(Request([act(RewardGranted(person="busy", kind="merit"), DAY)]))

    writer = threading.Thread(target=write)
    for thread in (follower, writer):
        thread.start()
    try:
        verdicts = [verified(kept) for _ in range(4)]
    finally:
        stop.set()
        writer.join()
        follower.join()
    assert all(verdict.green for verdict in verdicts)
    assert verdicts[0].position < verdicts[-1].position
