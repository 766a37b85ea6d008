import pytest

from domain.law import Law, load_calendars, load_packs


@pytest.fixture(scope="session")
def law() -> Law:
    return Law(load_packs().values(), load_calendars().values())
