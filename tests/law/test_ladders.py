from datetime import date
from itertools import pairwise

import pytest

from domain.law import Law, LawInvalid, Pack

LADDER = """
code = "370000"
zh = "某省"
en = "A province"
version = "1"
status = "reported"

[[ladder]]
id = "two-tracks"
version = "1"
since = 2020-01-01
article = "1"
source = "text [excerpt]"
zh = "层级"
en = "Ladder"
initial_by_education = { bachelor = "low" }
grades = [
    { code = "low", zh = "低", en = "Low", class = "member", track = "m", mode = "natural" },
    { code = "high", zh = "高", en = "High", class = "member", track = "m", mode = "natural" },
    { code = "head", zh = "长", en = "Head", class = "head", track = "h", mode = "selection" },
]
"""
SCALE = """
[[scale]]
id = "s"
version = "1"
ladder = "two-tracks"
since = 2020-01-01
source = "illustrative"
amounts = { low = 100, high = 200, head = 150 }
"""


def test_suzhou_has_four_classes_and_ten_grades(law: Law) -> None:
    ladder = law.at("320500", date(2017, 7, 5)).ladder()
    assert ladder is not None
    classes = [grade.class_ for grade in ladder.grades]
    assert [classes.count(each) for each in dict.fromkeys(classes)] == [1, 3, 3, 3]
    assert ladder.grades[0].zh == "实习辅警"
    assert ladder.grades[-1].zh == "一级辅督"
    assert all(ladder.steps(a.code, b.code) == 1 for a, b in pairwise(ladder.grades))
    assert ladder.steps("supervisor-1", "trainee") == -9
    assert ladder.steps("supervisor-1", "unheard-of") is None


def test_the_ladder_is_asked_by_place_and_day(law: Law) -> None:
    assert law.at("320508", date(2012, 7, 1)).ladder("suzhou") is not None
    assert law.at("320508", date(2012, 6, 30)).ladder("suzhou") is None
    assert law.at("341300", date(2017, 7, 5)).ladder() is None
    assert law.at("320500", date(2017, 7, 5)).ladder("henan") is None


def test_the_scale_of_the_day_answers(law: Law) -> None:
    old = law.at("320500", date(2015, 12, 31)).scale("suzhou")
    new = law.at("320500", date(2016, 1, 1)).scale("suzhou")
    assert old is not None
    assert new is not None
    assert (old.version, new.version) == ("illustrative-1", "illustrative-2")
    assert old.amounts["trainee"] < new.amounts["trainee"]
    assert law.at("320500", date(2012, 6, 30)).scale("suzhou") is None


def test_tracks_are_ladders_of_their_own() -> None:
    ladder = Pack.parse(LADDER + SCALE).ladders[0]
    assert ladder.steps("low", "high") == 1
    assert ladder.steps("low", "head") is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('code = "high"', 'code = "low"', "twice"),
        ('bachelor = "low"', 'bachelor = "middle"', "middle is not on the ladder"),
        ("high = 200", "high = 100", "do not rise"),
        ("high = 200, ", "", "not those of ladder"),
        ('ladder = "two-tracks"', 'ladder = "other"', "no ladder other"),
    ],
)
def test_a_ladder_or_scale_out_of_order_is_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(LawInvalid, match=why):
        Pack.parse((LADDER + SCALE).replace(old, new))
