"""Histories, journals, time lines and who answered, as files, against the entries of a bundle."""

import json
from contextlib import suppress
from datetime import timedelta

import orjson
import pytest

from api import answers, answers_axes, answers_many, exports
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import FactAnnulled
from domain.ledger import Request
from replay.check import check
from domain.refusals import UnknownSubject
from replay.findings import Asked, Kind
from tests.given import act
from tests.histories import sample_steps
from tests.replay.bundles import kinds
from tests.replay.filed import UNPACKS, agrees, altered, exported, filed, wrong
from tests.replay.test_page import alike, needs_chromium
from tests.wider_histories import WiderHistory

KINDS = pytest.mark.parametrize("suffix", exports.SUFFIXES)
NASTY = "=1+1\t“a, b”\n某\r\x07"


@pytest.fixture(scope="module")
def told(common_bureau, tmp_path_factory):
    """Random histories of a bureau and its officers, and one person corrected and annulled."""
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path_factory.mktemp("key") / "seal.key"
    histories = [WiderHistory(bureau.ledger).play(sample_steps(n, 60)) for n in range(4)]
    day = histories[0].days()[2]
    founded = act(UnitEstablished(unit="odd", name="某所", kind="station"), day)
    hired = AuxiliaryHired(person="a", unit="odd", category="field")
    bureau.ledger.enter(
        Request(
            [founded, act(PersonRegistered(person="a", name="王小明"), day), act(hired, day)],
            mood="attested",
        )
    )
    [one] = bureau.ledger.enter(
        Request([act(RewardGranted(person="a", kind="merit"), day, reason=NASTY)], mood="attested")
    ).entries
    for _ in range(3):
        [one] = bureau.ledger.enter(
            Request([act(FactAnnulled(), annuls=one.event_id, reason="误")], mood="attested")
        ).entries
    changed = act(PersonDetailsChanged(person="a", name="王明"), day + timedelta(days=40))
    bureau.ledger.enter(Request([changed], mood="attested"))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    return bureau, histories


@pytest.fixture(scope="module")
def bureau(told):
    return told[0]


@pytest.fixture(scope="module")
def bundle(bureau, tmp_path_factory):
    return exported(bureau, tmp_path_factory.mktemp("bundle") / "b.zip")


def when(day=None, recorded=None):
    return answers.When(day, recorded)


def people_of(histories):
    return [p for h in histories for p in (*h.people, *h.officers)]


def every_report(bureau, history, day, recorded):
    """Each report about a history that can be compared, as of one pair; what it is asked of."""
    at = when(day, recorded)
    person, officer, unit = history.people[0], history.officers[0], history.units[1]
    last = day + timedelta(days=200)
    yield "history", answers.history(bureau, person, at)
    yield "journal", answers.journal(bureau, at, tags=[f"person:{person}"])
    yield "timeline", answers_axes.timeline(bureau, person, at)
    yield "timeline", answers_axes.timeline(bureau, f"unit:{unit}", at)
    yield "chain", answers.accountability(bureau, person, at, max(1, recorded // 2))
    yield "chain-over", answers.accountability_over(bureau, person, day, last, at)
    yield "chain-officer", answers.responsibilities(bureau, officer, at)
    yield "chain-officer", answers.responsibilities(bureau, officer, at, day, last)
    yield "chain-unit", answers_many.accountability_of_many(bureau, at)
    with suppress(UnknownSubject):  # one that was not, that day
        yield "chain-unit", answers_many.accountability_of_many(bureau, at, history.units[0])


def test_random_histories_agree_on_every_day(told, bundle, tmp_path):
    """The ledger's own answers and the second telling, of many persons, days and positions."""
    bureau, histories = told
    head, seen, said = bureau.ledger.log.head(), 0, set()
    for history in histories:
        for n, day in enumerate(history.days()[1::2]):
            recorded = head if n % 2 else history.first + (history.head - history.first) * 2 // 3
            for report, answer in every_report(bureau, history, day, recorded):
                out = filed(bureau, tmp_path / "a.jsonl", report, answer, private=bool(n % 3))
                seen += int(agrees(bundle, out).split(" rows")[0].rpartition("(")[2])
    assert seen > 2000


def test_everybody_s_answers_agree(told, bundle, tmp_path):
    bureau, histories = told
    for person in people_of(histories):
        for report, answer in (
            ("history", answers.history(bureau, person, when())),
            ("timeline", answers_axes.timeline(bureau, person, when())),
            ("chain-over", answers.accountability_over(bureau, person, histories[0].start, "2027-12-31", when())),
            ("chain-officer", answers.responsibilities(bureau, person, when(), histories[0].start, "2027-12-31")),
        ):
            agrees(bundle, filed(bureau, tmp_path / "a.jsonl", report, answer, private=True))


@KINDS
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_agrees_in_every_form(told, bundle, tmp_path, suffix, lang):
    bureau, histories = told
    out = tmp_path / f"a{suffix}"
    for private in (False, True):
        for history in histories[:2]:
            day = history.days()[4]
            for report, answer in every_report(bureau, history, day, bureau.ledger.log.head()):
                said = agrees(bundle, filed(bureau, out, report, answer, lang, private=private))
                assert "not compared:" not in said
        for report, answer in (
            ("history", answers.history(bureau, "a", when())),
            ("timeline", answers_axes.timeline(bureau, "a", when())),
            ("timeline", answers_axes.timeline(bureau, "a", when(), facet="name")),
            ("journal", answers.journal(bureau, when(), tags=["person:a"])),
        ):
            assert " (0 rows" not in agrees(
                bundle, filed(bureau, out, report, answer, lang, private=private)
            )
