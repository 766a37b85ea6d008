"""The demonstration: its figures are the report's, and each of its pages is shown."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from api.demo import bureau as invented
from api.demo.bureau import Size
from domain.law import load_packs
from tests.api.desk import Said, run

PEOPLE = 100


def types_of(requests) -> list[tuple[str, str, int]]:
    """Type, kind and year of every act."""
    acts = (proposal for request in requests for proposal in request.proposals)
    return [(type(p.event).__name__, getattr(p.event, "kind", ""), p.effective.year) for p in acts]


def test_the_figures_are_those_of_the_report() -> None:
    rewards, sanctions = types_of(invented.rewards()), types_of(invented.sanctions())
    kinds = Counter(kind for _, kind, _ in rewards)

    assert len(invented.hiring_days()) == 42_000
    assert sum(year == 2016 for *_, year in rewards) == 4_055
    assert [year for *_, year in sanctions] == [2016] * 536
    assert (kinds["pacesetter"], kinds["expert"], kinds["most-beautiful"]) == (422, 775, 10)
    [ladder] = load_packs()["320500"].ladders
    assert (len({g.class_ for g in ladder.grades}), len(ladder.grades)) == (4, 10)


@pytest.mark.parametrize("people", [100, 2_100])
def test_a_smaller_bureau_has_fewer_stations_and_the_same_rewards(people: int) -> None:
    size = Size.of(people)
    requests = list(invented.requests(size))
    counts = Counter(name for name, *_ in types_of(requests))

    assert len(requests) == size.requests
    assert counts["AuxiliaryHired"] == people
    assert counts["RewardGranted"] == sum(1 for _ in invented.rewards())
    assert size.stations == max(1, people * 40 // 42_000)
    assert Size.of(42_000) == invented.WHOLE


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[Path, Said]]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-demo-"))
    folder.chmod(0o755)
    try:
        yield folder, run(folder, "demo", "--people", str(PEOPLE), purpose=None)
    finally:
        rmtree(folder, ignore_errors=True)


def test_every_page_is_shown_with_the_answers_of_the_ledger(shown: tuple[Path, Said]) -> None:
    _, said = shown
    pages = said.out.split("$ personnel-ledger --data ")
    entered, pyramid, history, chain, pay, verified = pages

    assert said.code == 0, said
    assert "项,每秒" in entered
    assert f"在职 {PEOPLE} 人,4 类 10 级" in pyramid
    assert all(grade.zh in pyramid for grade in load_packs()["320500"].ladders[0].grades)
    rows = [line.split() for line in pyramid.splitlines()]
    figures = {row[0]: (row[1], row[3]) for row in rows if len(row) == 4}
    assert figures["2016年表彰"] == ("4,055", "4,055")
    assert figures["2016年处理"] == ("536", "536")
    assert figures["历年岗位标兵"] == ("422", "422")
    assert figures["历年岗位能手"] == ("775", "775")
    assert "被更正" in history
    assert "(o0101s0)" in chain
    assert "(o0101s1)" in chain
    assert "▲ 事后变更" in chain
    assert "应补 1,050.00 元" in pay
    assert "✓ 一致" in verified


def test_shown_again_it_enters_nothing_and_in_english_it_says_the_same(
    shown: tuple[Path, Said],
) -> None:
    folder, first = shown
    again = run(folder, "--lang", "en", "demo", "--people", str(PEOPLE))
    other = run(folder, "demo", "--people", "200")

    assert (first.code, again.code) == (0, 0)
    assert "\n0 acts entered" in f"\n{again.out}"
    assert "1,050.00" in again.out
    assert "✓ Green" in again.out
    assert other.code == 1
    assert "already-recorded" in other.err
