"""The checker's own fold answers what the ledger answers, for every pair of times."""

import json

import orjson

from domain.bitemporal import AsOf
from domain.record import FOLD
from domain.refusals import UnknownSubject
from projections.questions import person as questions
from replay import refold
from replay.evidence import codebook
from tests.histories import History, sample_steps

SEEDS = range(4)


def answered(records, fold, person, as_of):
    try:
        facets = questions.facets(records, "person", fold.kept(person), as_of)
    except UnknownSubject:
        return None
    spells = questions.spells(records, fold.kept(person), as_of.recorded)
    return json.loads(orjson.dumps({"person": person, "facets": facets, "spells": spells}))


def test_it_repeats_the_version_of_the_ledgers_fold():
    assert refold.FOLD == FOLD


def test_random_histories_are_answered_alike_at_every_day_and_position(bureau):
    histories = [History(bureau.ledger).play(sample_steps(seed, 60)) for seed in SEEDS]
    list(bureau.runner.catch_up())
    entries = list(bureau.ledger.entries())
    declared = json.loads(orjson.dumps(codebook()))
    people = {tag[7:] for e in entries for tag in e.tags if tag.startswith("person:")}
    days = sorted({day for history in histories for day in history.days()})
    fold, seen = refold.Refold(declared), 0
    for entry in entries:
        fold.apply(entry.position, entry.type, entry.data)
        about = {tag[7:] for tag in entry.tags if tag.startswith("person:")}
        last = entry.position == len(entries)
        for person in people if last else {alias for one in about for alias in fold.family(one)}:
            for day in days if last else days[::3]:
                as_of = AsOf(day, entry.position)
                expected = answered(bureau.records, fold, person, as_of)
                told = fold.record(person, day.isoformat(), dict)
                assert refold.differing(expected, told, "", []) is None, (person, as_of)
                seen += told is not None
    assert seen > 100
