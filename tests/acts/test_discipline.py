from datetime import date
from functools import cache
from typing import Any

import pytest

from domain.acts.discipline import SANCTIONS, SanctionImposed, SanctionLifted
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import BadInput, LawForbids, NotInService, UnknownFact, UnknownSubject
from tests.given import Story, act

PACK = """
code = "370000"
zh = "某省"
en = "A province"
version = "1"
status = "in-force"

[[rule]]
id = "sanction-kind-list"
kind = "closed_list"
since = 2015-01-01
article = "办法 20"
source = "a text [read]"
strength = "block"
zh = "处理种类"
en = "Kinds of sanction"
values = { list = "sanction-kinds" }

[[rule]]
id = "sanction-procedure"
kind = "steps_in_order"
since = 2015-01-01
article = "办法 21"
source = "a text [read]"
strength = "block"
zh = "先告知、听取陈述申辩,后决定"
en = "Told and heard before the decision"
values = { steps = ["notified", "heard", "decided"] }

[[rule]]
id = "sanction-total"
kind = "ceiling"
since = 2015-01-01
article = "办法 22"
source = "a text [read]"
strength = "block"
zh = "合并处理期限"
en = "Periods together"
values = { unit = "months", limit = 24 }

[[list]]
id = "sanction-kinds"
since = 2015-01-01
article = "办法 20"
source = "a text [read]"
zh = "处理种类"
en = "Kinds of sanction"
members = [
    { code = "warning", zh = "警告", en = "Warning", months = 6 },
    { code = "dismissal", zh = "开除", en = "Dismissal" },
]
"""


@cache
def in_force() -> Law:
    return Law([Pack.parse(PACK)], load_calendars().values())


def hired(place: str | None = None, law: Law | None = None) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def sanction(kind: str = "warning", **fields: Any) -> SanctionImposed:
    return SanctionImposed(person="p1", kind=kind, **fields)


def heard(kind: str = "warning") -> SanctionImposed:
    return sanction(kind, notified_on="2021-08-01", heard_on="2021-08-10")


def kinds(story: Story, on: str) -> list[str]:
    return [value["kind"] for value in story.every(SANCTIONS, "p1", on)]


def test_the_term_is_the_kinds_and_its_end_needs_no_act() -> None:
    story = hired("370000", in_force()).when(act(heard(), "2021-08-31"))
    assert story.findings == []
    assert kinds(story, "2021-08-30") == []
    # six months from 31 August: the last day is 27 February
    assert kinds(story, "2022-02-27") == ["warning"]
    assert kinds(story, "2022-02-28") == []
    story.refused(
        act(SanctionLifted(person="p1"), "2022-02-28"), UnknownFact, "attested", field="ends"
    )


def test_a_kind_without_a_term_has_no_end() -> None:
    story = hired("370000", in_force()).when(act(heard("dismissal"), "2021-08-31"))
    assert kinds(story, "2051-01-01") == ["dismissal"]


def test_the_modelled_national_list_gives_the_term_and_refuses_nothing() -> None:
    story = hired("440000").when(act(sanction("demerit"), "2021-03-01"))
    assert story.findings == []
    assert kinds(story, "2022-02-28") == ["demerit"]
    assert kinds(story, "2022-03-01") == []
    story.when(act(sanction("fine"), "2021-03-01"))
    assert [(f.rule, f.status) for f in story.findings] == [("sanction-kind-list", "reported")]


def test_where_there_is_no_list_the_proposed_end_stands() -> None:
    story = hired("none").when(act(sanction("suspension"), "2021-03-01", until="2021-03-31"))
    assert story.findings == []
    assert kinds(story, "2021-03-30") == ["suspension"]
    assert kinds(story, "2021-03-31") == []


@pytest.mark.parametrize(
    ("event", "until", "rule", "article", "field"),
    [
        (heard("fine"), None, "sanction-kind-list", "办法 20", "kind"),
        (sanction(), None, "sanction-procedure", "办法 21", None),
        (sanction(notified_on="2021-08-01"), None, "sanction-procedure", "办法 21", None),
        (
            sanction(notified_on="2021-08-01", heard_on="2021-09-01"),
            None,
            "sanction-procedure",
            "办法 21",
            None,
        ),
        (heard(), "2021-12-31", "sanction-kind-list", "办法 20", "until"),
        (heard(), "2022-03-31", "sanction-kind-list", "办法 20", "until"),
        (heard("dismissal"), "2023-09-01", "sanction-total", "办法 22", "until"),
    ],
)
def test_a_rule_in_force_refuses_what_is_ordered_and_finds_what_is_attested(
    event: SanctionImposed, until: str | None, rule: str, article: str, field: str | None
) -> None:
    proposal = act(event, "2021-08-31", until=until)
    story = hired("370000", in_force())
    story.refused(proposal, LawForbids, rule=rule, article=article, field=field)
    story.when(proposal, "attested")
    assert rule in story.rules_found()
    assert hired("none").when(proposal).findings == []


def test_only_a_merger_makes_a_term_longer() -> None:
    story = hired("370000", in_force()).given(act(heard(), "2021-08-31"))
    story.when(act(heard(), "2021-10-01", until="2022-08-28"))
    assert story.findings == []
    assert kinds(story, "2022-08-27") == ["warning"]


def test_a_lifted_sanction_ends_early_and_stays_on_record() -> None:
    story = hired("370000", in_force()).when(act(heard(), "2021-08-31"))
    imposed = story.id_of(story.record.head)
    story.when(act(heard(), "2021-10-08"))
    lifted = SanctionLifted(person="p1", reason="表现突出")
    story.refused(act(lifted, "2021-12-01"), BadInput, field="ends")
    story.when(act(lifted, "2021-12-01", ends=imposed))
    assert kinds(story, "2021-11-30") == ["warning", "warning"]
    assert kinds(story, "2021-12-01") == ["warning"]
    ends = sorted(f.until for f in story.record.versions(SANCTIONS, "person:p1"))
    assert date(2021, 12, 1) in ends


def test_one_who_has_left_is_sanctioned_only_for_conduct_in_service() -> None:
    story = hired("370000", in_force()).given(
        act(AuxiliaryResigned(person="p1"), "2022-03-01"), mood="attested"
    )
    later = act(sanction(), "2022-04-01", occurred="2022-03-15")
    story.refused(later, NotInService, "attested", field="person")
    conduct = act(sanction(), "2022-04-01", occurred="2021-12-01")
    # the law of the unit that used the person then
    story.refused(conduct, LawForbids, rule="sanction-procedure")
    story.when(act(heard(), "2022-04-01", occurred="2021-12-01"))
    assert kinds(story, "2022-09-30") == ["warning"]


def test_a_sanction_is_for_a_registered_auxiliary() -> None:
    stranger = SanctionImposed(person="p9", kind="warning")
    story = hired()
    story.refused(act(stranger), UnknownSubject, "attested", field="person")
    story.refused(act(sanction(), "2020-01-05"), NotInService, "attested", field="person")


def test_conduct_is_private_to_the_person() -> None:
    assert SanctionImposed.private["conduct"].of == "person"
    story = hired().when(act(sanction(conduct="酒后驾车"), "2021-08-31"))
    assert "conduct" not in story.every(SANCTIONS, "p1", "2021-08-31")[0]
