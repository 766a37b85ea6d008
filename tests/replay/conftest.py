"""A ledger that has something to prove."""

import pytest

from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import FactAnnulled
from replay.evidence import page
from tests.given import act
from tests.replay.browser import Browser
from tests.replay.bundles import DAY, LATER, MANY, NAME, ask, enter, settled


@pytest.fixture
def evident(bureau, tmp_path):
    """Two hired persons and what befell one of them; sealed once midway and once at the end."""
    bureau.sealer.key_file = tmp_path / "seal.key"
    enter(
        bureau,
        act(UnitEstablished(unit="u1", name="所"), DAY),
        act(PersonRegistered(person="a", name=NAME, id_number="11010519491231002X"), DAY),
        act(PersonRegistered(person="b", name="李四"), DAY),
        *(act(AuxiliaryHired(person=p, unit="u1", category="field"), DAY) for p in "ab"),
    )
    bureau.sealer.catch_up()
    one, _ = enter(bureau, *(act(RewardGranted(person="a", kind="merit"), DAY) for _ in range(2)))
    enter(bureau, act(FactAnnulled(), annuls=one.event_id))
    enter(bureau, act(PersonDetailsChanged(person="a", name="王明"), LATER))
    enter(bureau, act(RewardGranted(person="b", kind="merit"), LATER))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    return bureau


@pytest.fixture
def looked_at(evident):
    """a was read alone and in a list, b alone; a roster before a was hired named neither."""
    bureau = evident
    bureau.reads.sealer.key_file = bureau.sealer.key_file
    enter(
        bureau,
        *(act(PersonRegistered(person=one), DAY) for one in MANY),
        *(act(AuxiliaryHired(person=one, unit="u1", category="field"), DAY) for one in MANY),
    )
    settled(bureau)
    ask(bureau, "record", "a", purpose="年度考核")
    ask(bureau, "record", "b")
    ask(bureau, "roster")
    settled(bureau)
    return bureau


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The page as a file, away from everything."""
    path = tmp_path_factory.mktemp("page") / "check.html"
    path.write_bytes(page())
    return path
