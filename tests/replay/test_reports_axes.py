"""Records, both times and series as files: of an id that went, of private values, of odd scopes."""

import json
from datetime import date

import pytest

from api import answers, answers_axes, answers_series, exports
from domain.acts.identity import PersonsMerged
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished, UnitMoved
from domain.events import FactAnnulled
from replay.findings import Kind
from tests.given import act
from tests.replay.bundles import enter, kinds, settled
from tests.replay.filed import UNPACKS, agrees, altered, exported, filed, wrong
from tests.replay.test_page import alike, needs_chromium

DAY = date(2021, 8, 1)
NOW = answers.When(DAY)


@pytest.fixture(scope="module")
def bureau(common_bureau, tmp_path_factory):
    """a was entered twice, as b too: merged, parted, merged again; and a unit went under another."""
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path_factory.mktemp("key") / "seal.key"
    enter(
        bureau,
        *(act(UnitEstablished(unit=unit, name=unit), DAY) for unit in ("u1", "u2")),
        *(act(PersonRegistered(person=p, name="王小明"), DAY) for p in "ab"),
        act(AuxiliaryHired(person="a", unit="u1", category="field"), DAY),
    )
    [merged] = enter(bureau, act(PersonsMerged(merged="a", kept="b"), DAY))
    enter(bureau, act(PersonDetailsChanged(person="b", name="王明"), DAY))
    enter(bureau, act(FactAnnulled(), annuls=merged.event_id))
    enter(bureau, act(PersonDetailsChanged(person="a", name="王大明"), DAY))
    enter(bureau, act(PersonsMerged(merged="a", kept="b"), DAY))
    enter(bureau, act(UnitMoved(unit="u1", parent="u2"), DAY))
    settled(bureau)
    return bureau


@pytest.fixture(scope="module")
def bundle(bureau, tmp_path_factory):
    return exported(bureau, tmp_path_factory.mktemp("bundle") / "b.zip")


def every(bureau):
    for person in "ab":
        yield "record", answers.record(bureau, person, NOW)
        yield "beliefs", answers_axes.beliefs(bureau, person, NOW)
        yield "rectangles", answers_axes.rectangles(bureau, person, NOW)
        for earlier in (5, 6, 8, 9):
            before = answers.When(DAY, earlier)
            yield "compare", answers_axes.compare(bureau, person, before, NOW)
    yield "beliefs", answers_axes.beliefs(bureau, "a", NOW, "name")
    yield "rectangles", answers_axes.rectangles(bureau, "a", NOW, "name")
    yield "unit", answers.unit(bureau, "u2", NOW)
    yield "compare", answers_axes.compare(bureau, "unit:u2", answers.When(DAY, 9), NOW)
    for of in ("headcount", "gaps"):
        yield "series", answers_series.series(bureau, of, "2021-06", "2021-10", NOW, "u1")


@pytest.mark.parametrize("suffix", exports.SUFFIXES)
def test_an_id_that_went_is_followed(bureau, bundle, tmp_path, suffix):
    shut = exported(bureau, tmp_path / "shut.zip", disclose=frozenset())
    for report, answer in every(bureau):
        out = filed(bureau, tmp_path / f"a{suffix}", report, answer, private=True)
        assert "not disclosed" not in agrees(bundle, out)
        agrees(shut, out)
        agrees(bundle, filed(bureau, out, report, answer))
    name = answers_axes.beliefs(bureau, "a", NOW, "name")
    out = filed(bureau, tmp_path / f"a{suffix}", "beliefs", name, private=True)
    assert "but for 6 not disclosed" in agrees(shut, out)


def test_who_came_with_a_unit_is_compared(bureau, bundle, tmp_path):
    moved = answers_axes.compare(bureau, "unit:u2", answers.When(DAY, 10), NOW)
    out = filed(bureau, tmp_path / "a.jsonl", "compare", moved)
    [came] = [r for r in map(json.loads, out.read_text("utf-8").splitlines()[1:])
              if r["how"] == "came"]  # fmt: skip
    altered(out, lambda rows: rows[-1].update(entries="1"))
    [said] = wrong(bundle, out)
    assert f"it says “1”, the entries give “{came['entries']}”" in said


def scopes(rows):
    """Scopes that no ledger writes, by report."""
    asked = rows[0]["asked"]
    yield from ({k: v for k, v in asked.items() if k != name} for name in asked)
    for name, other in (("of", "x"), ("unit", "none"), ("before_recorded", 10**9),
                        ("first_month", "0001-01"), ("subject", "nobody")):  # fmt: skip
        if name in asked:
            yield {**asked, name: other}


@needs_chromium
def test_the_page_says_the_same_of_them(bureau, bundle, tmp_path, browser, opened):
    suffixes = exports.SUFFIXES if browser.version >= UNPACKS else (".csv", ".jsonl")
    reports = [*every(bureau)]
    for n, (report, answer) in enumerate(reports):
        out = tmp_path / f"a{suffixes[n % len(suffixes)]}"
        filed(bureau, out, report, answer, ("zh", "en")[n % 2], private=bool(n % 4))
        assert alike(browser, opened, bundle, report=out) == 0
    stated, tried = tmp_path / "a.jsonl", set()
    for report, answer in reports[::-1]:
        if report in tried:
            continue
        tried.add(report)
        filed(bureau, stated, report, answer)
        for one in scopes([json.loads(line) for line in stated.read_text("utf-8").splitlines()]):
            filed(bureau, stated, report, answer)
            altered(stated, lambda rows, one=one: rows[0].update(asked=one))
            assert alike(browser, opened, bundle, report=stated) > 0, (report, one)


def test_a_person_s_bundle_is_not_enough(bureau, tmp_path):
    case = exported(bureau, tmp_path / "case.zip", persons=["b"], complete=False)
    for report, answer in every(bureau):
        out = filed(bureau, tmp_path / "a.jsonl", report, answer)
        assert kinds(case, report=out) == [Kind.UNPROVED]
