import re

import pytest

from api.intake import load_mapping, names, parse_mapping, to_toml
from domain.refusals import BadInput

GOOD = """
format = 1
name = "small"
version = "1"
zh = "小"
en = "small"
system = "small"
edition = "1"
attested_by = "a list"

[[sheet]]
name = "people"
files = ["*.csv"]
person = "{who}"

[sheet.columns]
who = { heading = "who", blank = "reject" }
day = { heading = "day", kind = "date" }

[[sheet.act]]
event = "PersonRegistered"
effective = "{day}"
fields = { person = "{person}" }
"""


@pytest.mark.parametrize("name", names())
def test_every_mapping_that_comes_along_is_sound(name):
    assert load_mapping(name).name == name


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('files = ["*.csv"]', 'files = ["*.csv"]\nfolder = "x"', "Extra inputs"),
        ("PersonRegistered", "PersonBorn", "no event type PersonBorn"),
        ('person = "{person}" }', 'person = "{person}", height = "2" }', "has no field height"),
        ('fields = { person = "{person}" }', "fields = {}", "requires person"),
        ('effective = "{day}"', 'effective = "{night}"', "there is no column night"),
        ('kind = "date"', 'kind = "moon"', "Input should be"),
        ('heading = "who"', 'heading = "who", values = "moons"', "names no list"),
        ('fields = { person = "{person}" }', 'fields = { person = "{person}" }\nturn = "up"',
         "turns and tracking go together"),
        ('fields = { person = "{person}" }', 'fields = { person = "{person}" }\nends = "grant"',
         "no act labelled grant"),
        ('heading = "day"', 'heading = "day", private = true', "needs a key of others"),
        ('heading = "who"', 'heading = "who", private = true', "needs a key of others"),
        ('kind = "date"', 'kind = "date", known = { "长期" = "open" }', "cannot mean open"),
        ('kind = "date"', 'kind = "last-day", known = { "长期" = "2" }', "cannot mean 2"),
        ('kind = "date"', 'kind = "date", values = { "长期" = "" }', "a day has no list"),
        ('kind = "date"', 'kind = "unit", known = { "总局" = "1" }', "known is for text and days"),
        ('kind = "date"', 'values = { "甲 乙" = "1", "甲乙" = "2" }', "spaces do not count"),
        ('effective = "{day}"', 'effective = "2024-02-30"', "neither a column nor a day"),
        ('effective = "{day}"', 'effective = "on {day}"', "neither a column nor a day"),
        ('kind = "date"', 'kind = "date", fill = "above"', "fill is for units and listed words"),
        ("format = 1", "format = ", "not TOML"),
    ],
)  # fmt: skip
def test_a_mapping_that_names_what_is_not_there_is_refused(before, after, said):
    parse_mapping(GOOD)
    assert before in GOOD

    with pytest.raises(BadInput, match=said) as caught:
        parse_mapping(GOOD.replace(before, after))

    assert caught.value.field.startswith("mapping")
    assert said == "not TOML" or re.search("处有误:.*[\u4e00-\u9fff]{2}", caught.value.detail_zh)


def test_a_private_column_is_no_key():
    keyed = GOOD.replace('person = "{who}"', 'person = "{who}"\nkey = "{day}"')
    parse_mapping(keyed)

    with pytest.raises(BadInput, match="a private column is no key"):
        parse_mapping(keyed.replace('heading = "day"', 'heading = "day", private = true'))


@pytest.mark.parametrize("column", ["id-number", "name", "birth-date"])
def test_what_is_private_is_so_whatever_a_mapping_says(column):
    text = to_toml(load_mapping("roster-city"))
    [declared] = [line for line in text.splitlines() if line.startswith(f"{column} = {{")]
    assert "private = true" in declared
    open_to_all = text.replace(declared, declared.replace(", private = true", ""))

    assert parse_mapping(open_to_all).sheet[0].columns[column].private
    for before in ('person = "{number}"', '\nkey = "{number}"'):
        with pytest.raises(BadInput, match="a private column is no key") as caught:
            parse_mapping(open_to_all.replace(before, before.replace("number", column), 1))
        assert "本局编号" in caught.value.detail_zh


def test_a_mapping_unknown_by_name_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match="there are chicago, roster-city, roster-county"):
        load_mapping("nowhere")
