from domain.acts.people import PersonRegistered
from domain.acts.posts import POST, PostAssigned, PostRelieved
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.refusals import AlreadyRecorded, NotInService, UnknownFact, UnknownSubject
from tests.given import Story, act


def hired(place: str | None = None) -> Story:
    return Story().given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def test_a_post_is_held_from_its_day_until_the_next() -> None:
    story = hired().when(act(PostAssigned(person="p1", post="巡逻"), "2020-02-01"))
    story.when(act(PostAssigned(person="p1", post="处突", danger_level="high"), "2021-02-01"))
    assert story.at(POST, "p1", "2020-01-31") is None
    assert story.value(POST, "p1", "2021-01-31") == {"post": "巡逻"}
    assert story.value(POST, "p1", "2021-02-01") == {"post": "处突", "danger_level": "high"}


def test_the_very_post_held_is_not_assigned_again_but_its_family_may_be_laid_down() -> None:
    story = hired().given(act(PostAssigned(person="p1", post="巡逻"), "2020-02-01"))
    again = act(PostAssigned(person="p1", post="巡逻"), "2020-03-01")
    story.refused(again, AlreadyRecorded, "attested", field="post")
    story.when(act(PostAssigned(person="p1", post="巡逻", family="duty"), "2020-03-01"))
    assert story.value(POST, "p1", "2020-03-01")["family"] == "duty"


def test_a_family_off_the_reported_list_is_found_in_suzhou_and_free_elsewhere() -> None:
    odd = act(PostAssigned(person="p1", post="巡逻", family="patrol"), "2020-02-01")
    assert hired("320500").when(odd).rules_found() == {"job-family-list"}
    assert hired("none").when(odd).findings == []
    listed = act(PostAssigned(person="p1", post="巡逻", family="duty"), "2020-02-01")
    assert hired("320500").when(listed).findings == []


def test_whoever_is_relieved_holds_no_post_not_even_the_one_before() -> None:
    story = hired().given(
        act(PostAssigned(person="p1", post="巡逻"), "2020-02-01"),
        act(PostAssigned(person="p1", post="户籍"), "2021-02-01"),
    )
    story.when(act(PostRelieved(person="p1"), "2022-01-01"))
    fact = story.at(POST, "p1", "2022-01-01")
    assert fact is not None
    assert fact.value is None
    assert story.value(POST, "p1", "2021-12-31") == {"post": "户籍"}


def test_there_is_no_relief_from_a_post_not_held() -> None:
    hired().refused(act(PostRelieved(person="p1")), UnknownFact, "attested", field="ends")


def test_there_is_no_relief_of_an_unknown_person() -> None:
    hired().refused(act(PostRelieved(person="p9")), UnknownSubject, "attested", field="person")


def test_a_post_is_for_someone_in_service() -> None:
    early = act(PostAssigned(person="p1", post="巡逻"), "2020-01-05")
    hired().refused(early, NotInService, "attested", field="person")
