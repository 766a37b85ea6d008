import hashlib
from datetime import date
from importlib.resources import files

import pytest

from domain.law import Law, LawInvalid, Pack, chain, load_packs, parse_calendar
from domain.rules import exclusivity

HEAD = 'code = "341302"\nzh = "埇桥"\nen = "Yongqiao"\nversion = "1"\nstatus = "in-force"\n'
RULE = """
[[rule]]
id = "a-rule"
kind = "exclusivity"
since = {since}
article = "1"
source = "text [read]"
strength = "block"
zh = "规则"
en = "Rule"
values = {{ at_most = {most} }}
"""
LIST = """
[[list]]
id = "grounds"
extends = {extends}
since = 2020-01-01
article = "1"
source = "text [read]"
zh = "清单"
en = "List"
members = [{members}]
"""
ON, FREE = date(2021, 9, 28), date(2022, 1, 5)


def pack(code: str, *parts: str) -> Pack:
    return Pack.parse(HEAD.replace("341302", code) + "".join(parts))


def rule(since: str = "2020-01-01", most: int = 1, **more: str) -> str:
    return RULE.format(since=since, most=most) + "".join(f"{k} = {v}\n" for k, v in more.items())


def member(code: str, name: str = "x", **more: str) -> str:
    rest = "".join(f", {key} = {value}" for key, value in more.items())
    return f'{{ code = "{code}", zh = "{name}", en = "{name}"{rest} }},'


@pytest.mark.parametrize(
    ("code", "places"),
    [
        ("341302", ("341302", "341300", "340000", "000000")),
        ("330200", ("330200", "330000", "000000")),
        ("000000", ("000000",)),
        ("none", ("none",)),
    ],
)
def test_the_code_is_the_inheritance(code: str, places: tuple[str, ...]) -> None:
    assert chain(code) == places


@pytest.mark.parametrize("code", ["", "34130", "3413020", "宁波市公安局", "２３４５６７", "NONE"])
def test_a_place_that_is_no_code_is_refused(law: Law, code: str) -> None:
    with pytest.raises(LawInvalid, match="place: code"):
        law.at(code, ON)


def test_a_pack_or_a_calendar_takes_the_place_of_the_one_before(law: Law) -> None:
    other = law.with_pack(pack("330200", rule(most=7)))
    assert other.at("330203", ON).find("unified-recruitment") is None
    assert other.at("330203", ON).find("a-rule") is not None
    assert law.at("330203", ON).find("unified-recruitment") is not None

    year = 'year = 2022\nsource = "x"\nworkdays = []\nholidays = [2022-01-05]\n'
    amended = law.with_calendar(parse_calendar(year)).workdays
    assert (law.workdays.is_workday(FREE), amended.is_workday(FREE)) == (True, False)
    assert not amended.is_workday(date(2023, 1, 2))  # a holiday of a year that still stands


def test_the_nearest_pack_that_has_the_rule_on_that_day_answers() -> None:
    law = Law(
        [pack("000000", rule(most=3)), pack("341300", rule("2021-01-01", 2)), pack("341302")], []
    )

    def most(code: str, on: date) -> int:
        found = law.at(code, on).find("a-rule")
        assert found is not None
        return int(found.values["at_most"])

    assert most("341302", date(2020, 12, 31)) == 3
    assert most("341302", date(2021, 1, 1)) == 2
    assert most("341321", date(2021, 1, 1)) == 2
    assert most("320500", date(2021, 1, 1)) == 3
    assert law.at("341302", date(2019, 12, 31)).find("a-rule") is None
    assert law.at("none", ON).find("a-rule") is None


@pytest.mark.parametrize("order", [1, -1])
def test_until_is_the_first_day_without_the_rule(order: int) -> None:
    versions = [rule(until="2021-09-29"), rule("2021-09-29", 2)]
    rules = Law([pack("000000", *versions[::order])], [])
    first, second = (rules.at("000000", date(2021, 9, day)).find("a-rule") for day in (28, 29))
    assert first is not None
    assert second is not None
    assert (first.values, second.values) == ({"at_most": 1}, {"at_most": 2})


def test_a_list_stands_alone_or_extends_the_next_one_up() -> None:
    nation = LIST.format(extends="false", members=member("a") + member("b"))
    city = LIST.format(extends="true", members=member("b", "nearer") + member("c"))
    county = LIST.format(extends="false", members=member("d"))
    law = Law([pack("000000", nation), pack("341300", city), pack("341302", county)], [])
    in_city = law.at("341321", ON).members("grounds")
    assert in_city is not None
    assert {code: m.zh for code, m in in_city.items()} == {"a": "x", "b": "nearer", "c": "x"}
    assert set(law.at("341302", ON).members("grounds") or ()) == {"d"}
    assert law.at("341302", ON).members("kinds") is None


def test_a_member_counts_on_its_own_days() -> None:
    members = member("old", until="2021-01-01") + member("new", since="2021-01-01")
    law = Law([pack("000000", LIST.format(extends="false", members=members))], [])
    assert set(law.at("000000", date(2020, 12, 31)).members("grounds") or ()) == {"old"}
    assert set(law.at("000000", date(2021, 1, 1)).members("grounds") or ()) == {"new"}


@pytest.mark.parametrize("status", ["draft", "reported"])
def test_only_a_rule_in_force_blocks(status: str) -> None:
    law = Law([pack("000000", rule(status=f'"{status}"')), pack("341302", rule())], [])
    weak = exclusivity(law.at("000000", ON).find("a-rule"), 1)
    firm = exclusivity(law.at("341302", ON).find("a-rule"), 1)
    assert weak is not None
    assert firm is not None
    assert (weak.blocks, firm.blocks) == (False, True)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD + "colour = 1\n", "colour"),
        (HEAD + rule(colour="1"), "rule.0.colour"),
        (HEAD + rule().replace("at_most", "at_least"), "rule.0"),
        (HEAD + rule(most=-1), "rule.0"),
        (HEAD + rule().replace('article = "1"\n', ""), "rule.0.article"),
        (HEAD + rule().replace('"text [read]"', '""'), "rule.0.source"),
        (HEAD + rule().replace("exclusivity", "magic"), "rule.0.kind"),
        (HEAD + rule(status='"perhaps"'), "rule.0.status"),
        (HEAD + rule(until="2020-01-01"), "rule.0"),
        (HEAD + rule() + rule("2021-01-01"), "holds twice"),
        (HEAD + "rule = 3\n", "rule"),
        (HEAD.replace("341302", "suzhou"), "code"),
        (HEAD + LIST.format(extends="false", members=member("a", colour="1")), "list.0.members.0"),
        (HEAD + LIST.format(extends="false", members=member("a") * 2), "on the list twice"),
        ("code = ", "text"),
    ],
)
def test_a_faulty_pack_is_refused_by_the_place_of_the_fault(text: str, where: str) -> None:
    with pytest.raises(LawInvalid) as refused:
        Pack.parse(text)
    assert where in str(refused.value)


def test_a_code_given_twice_is_refused() -> None:
    with pytest.raises(LawInvalid, match="given twice"):
        Law([pack("341302"), pack("341302")], [])


def test_a_pack_keeps_its_bytes_and_their_digest() -> None:
    stored = (files("domain") / "packs" / "330200.toml").read_bytes()
    ningbo = load_packs()["330200"]
    assert ningbo.text.encode() == stored
    assert ningbo.digest == hashlib.sha256(stored).hexdigest()
    assert Pack.parse(ningbo.text) == ningbo


def test_the_law_of_a_day_names_its_packs(law: Law) -> None:
    packs = load_packs()
    assert law.at("330204", ON).digests == (packs["330200"].digest, packs["000000"].digest)
    assert law.at("none", ON).digests == (packs["none"].digest,)


def test_what_was_not_read_is_never_in_force() -> None:
    for each in load_packs().values():
        for cited in (*each.rules, *each.ladders, *each.lists):
            assert cited.article
            assert any(f"[{mark}]" in cited.source for mark in ("read", "excerpt", "weak", "model"))
            assert cited.status != "in-force" or "[read]" in cited.source, cited.id
        assert all(scale.status == "reported" for scale in each.scales)


def test_the_checks_of_a_hire_are_those_its_list_explains(law: Law) -> None:
    ningbo = law.at("330200", ON)
    disqualification = ningbo.find("hire-disqualification")
    assert disqualification is not None
    assert disqualification.values["conditions"] == list(ningbo.members("hire-checks") or ())


def test_every_closed_list_rule_has_its_list(law: Law) -> None:
    for code, each in load_packs().items():
        for found in (r for r in each.rules if r.kind == "closed_list"):
            assert law.at(code, found.since).members(found.values["list"])
