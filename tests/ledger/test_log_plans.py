"""What a read or a condition costs: it follows the answer, not how common a tag or a type is."""

import re

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem
from psycopg.pq import ExecStatus

from domain.ledger import log as log_module
from domain.ledger import wire
from domain.ledger.appends import Append, NewEntry, Prepared, parameters, straight
from domain.ledger.log import EventLog

HOT = 30_000


@pytest.fixture(scope="module")
def hot(server):
    """A tag and a type carried by every entry; statistics of the time when little else was there."""
    log = EventLog(server.conninfo("plans"), partition_size=20_000)
    log.enter(Append([NewEntry("Common", ["hot"], b"") for _ in range(100)]))
    with psycopg.connect(log.conninfo, autocommit=True) as connection:
        connection.execute("ANALYZE ledger_tags; ANALYZE ledger_entries")
    entries = (NewEntry("Common", ["hot", "warm", f"rare:{i % 3_000}"], b"") for i in range(HOT))
    for _ in log.load(Append([e]) for e in entries):
        pass
    yield log
    log.close()


def condition(*items, after=None):
    return DCBAppendCondition(
        DCBQuery([DCBQueryItem(types=list(types), tags=list(tags)) for types, tags in items]), after
    )


def pages_touched(log, explained):
    """Buffers that a statement touched, all functions within it included; nothing is kept."""
    with psycopg.connect(log.conninfo) as connection:
        log_module._configure(connection)
        for _ in range(2):  # the second time every plan and catalogue row is at hand
            connection.execute("SELECT")  # begins
            plan = "\n".join(explained(connection, "EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) "))
            connection.rollback()
    return sum(map(int, re.search(r"Buffers: shared (?:hit=(\d+))?", plan).groups("0")))


def executed(statement, values):
    def explained(connection, explain):
        spelt = explain + re.sub("%[bt]", "%s", statement)
        return [line for (line,) in connection.execute(spelt, values)]

    return explained


def sent(statement, values):
    def explained(connection, explain):
        result = connection.pgconn.exec_params(
            (explain + statement).encode(), values, None, wire.FORMATS
        )
        assert result.status == ExecStatus.TUPLES_OK, result.error_message
        return [result.get_value(n, 0).decode() for n in range(result.ntuples)]

    return explained


def cost_of_append(log, append_condition):
    append = Append([NewEntry("New", ["new"], b"")], append_condition)
    group = [Prepared.of(append)]
    if (values := straight(group)) is not None:
        return pages_touched(log, sent(log._sql.append_straight, values))
    return pages_touched(log, executed(log._sql.append, parameters(group, halt=False)))


@pytest.mark.parametrize(
    ("items", "after"),
    [
        pytest.param([(["Rare"], ["hot"])], None, id="a type never seen on a hot tag"),
        pytest.param([(["Rare"], [])], None, id="a type never seen"),
        pytest.param([([], ["hot"])], HOT + 99, id="a hot tag, from near the head"),
        pytest.param([([], ["hot"])], None, id="a hot tag, from the beginning"),
        pytest.param([(["Common"], ["hot"])], None, id="a hot tag and type"),
        pytest.param([(["Common"], [])], HOT + 99, id="a hot type, from near the head"),
        pytest.param([([], ["hot", "never"])], None, id="a hot tag and one never seen"),
        pytest.param([([], ["hot", "rare:7"])], 21_000, id="a hot tag and a rare one"),
        pytest.param([([], ["hot", "warm"])], None, id="two hot tags that meet at once"),
        pytest.param([([], [])], None, id="everything"),
    ],
)
def test_b8_b9_b10_a_condition_costs_what_a_rare_tag_costs(hot, items, after):
    rare = cost_of_append(hot, condition(([], ["rare:5"]), after=HOT + 50))
    assert cost_of_append(hot, condition(*items, after=after)) < rare + 150


def test_a_condition_on_the_head_costs_nothing_whatever_its_size(hot):
    items = [(["A", "B"], [f"rare:{i}"]) for i in range(2_000)]
    plain = cost_of_append(hot, None)
    assert cost_of_append(hot, condition(*items, after=hot.head())) <= plain + 10


def test_a_large_condition_over_few_entries_reads_those_entries(hot):
    items = [(["A", "B"], [f"rare:{i}"]) for i in range(2_000)]
    plain = cost_of_append(hot, None)
    assert cost_of_append(hot, condition(*items, after=hot.head() - 100)) < plain + 200


@pytest.mark.parametrize(
    ("types", "tags"),
    [
        ([], ["hot"]),
        (["Common"], ["hot"]),
        (["Common"], []),
        (["Rare"], []),
        (["Rare"], ["hot"]),
        ([], ["hot", "warm"]),
        ([], ["hot", "rare:7"]),
    ],
)
def test_b8_b9_b10_a_page_of_a_hot_query_reads_that_page(hot, types, tags):
    conditions = Prepared.of(Append([NewEntry("T", [], b"")], condition((types, tags)))).conditions
    statement, values = hot._sql.entries.asking(conditions, HOT // 2, HOT, 100)
    assert pages_touched(hot, executed(statement, values)) < 2_500


@pytest.mark.parametrize(
    ("tag", "type_", "index"),
    [("hot", None, "tags_pkey"), ("hot", "Common", "tags_type"), ("", "Common", "type_position")],
)
def test_a_probe_walks_the_index_made_for_it_in_order(hot, tag, type_, index):
    with psycopg.connect(hot.conninfo) as connection:
        log_module._configure(connection)
        connection.execute("ANALYZE ledger_tags")
        connection.execute("PREPARE p(text, text) AS SELECT * FROM ledger_probe($1, $2, 0, 9, 9)")
        rows = connection.execute(
            f"EXPLAIN (ANALYZE) EXECUTE p('{tag}', {repr(type_) if type_ else 'NULL'})"
        ).fetchall()
    plan = "\n".join(line for (line,) in rows)
    ran = [line for line in plan.splitlines() if "never executed" not in line]
    assert any(index in line for line in ran), plan
    assert not any(word in plan for word in ("Seq Scan", "Bitmap", "Sort"))
