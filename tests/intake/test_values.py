from datetime import date, datetime

import pytest

from api.intake.values import (
    EPOCH_1904,
    Day,
    UnreadableError,
    code_of,
    day_of,
    heading_of,
    identifier_of,
    name_of,
    year_of,
)


@pytest.mark.parametrize(
    "cell",
    [
        "2021-08-03", "2021.8.3", "2021/8/3", "2021年8月3日", "20210803", " 2021-8-3 ",
        "２０２１年８月３日", "2021-08-03 00:00:00", "2021年8月3号", "2021、8、3",
        "2021.08.03.", "2021。8。3", "2021—8—3", "2021·8·3", "2021年8月3", "2021 年 8 月 3 日",
        "二〇二一年八月三日", "二○二一年八月三号", 20210803.0, 44411.0, "44411",
        date(2021, 8, 3), datetime(2021, 8, 3),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_a_date_reads_the_same_in_every_style(cell):
    assert day_of(cell) == Day(date(2021, 8, 3))


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("19/3/1", date(2019, 3, 1)), ("19.03.01", date(2019, 3, 1)), ("85年3月1日", date(1985, 3, 1)),
        ("49-12-31", date(2049, 12, 31)), ("50-1-1", date(1950, 1, 1)), ("１９．３．１", date(2019, 3, 1)),
    ],
)  # fmt: skip
def test_a_year_of_two_digits_is_read_by_one_rule_and_pointed_out(cell, day):
    assert day_of(cell) == Day(day, whole=False)


def test_a_serial_number_counts_from_the_day_its_workbook_counts_from():
    assert day_of(42949.0, epoch=EPOCH_1904) == day_of(44411.0) == Day(date(2021, 8, 3))
    assert day_of("42949", epoch=EPOCH_1904) == Day(date(2021, 8, 3))


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("二零一九年十月十日", date(2019, 10, 10)), ("一九九九年十二月三十一日", date(1999, 12, 31)),
        ("二〇二〇年二月二十九日", date(2020, 2, 29)), ("二〇二〇年十一月二十日", date(2020, 11, 20)),
    ],
)  # fmt: skip
def test_a_date_may_be_written_in_words(words, day):
    assert day_of(words) == Day(day)


@pytest.mark.parametrize(
    "cell", ["2024.2", "二〇二四年二月", "2024年2月", "2024-02", "202402", 2024.02]
)
def test_a_month_is_its_first_day_and_a_term_its_last(cell):
    assert day_of(cell) == Day(date(2024, 2, 1), exact=False)
    assert day_of(cell, last=True) == Day(date(2024, 2, 29), exact=False)


@pytest.mark.parametrize(
    "cell",
    [
        "2019.2.30",
        "二〇一九年二月三十日",
        "二〇一九年三三月一日",
        "二〇一九年",
        "一九年二月一日",
        "21.8",
        "1.8.3",
        "2021-13-01",
        "很早",
        "1066-10-14",
        7.0,
    ],
)
def test_what_is_no_date_is_refused(cell):
    with pytest.raises(UnreadableError) as caught:
        day_of(cell)
    assert caught.value.rule == "impossible-date"


def test_a_number_that_lost_its_zero_is_ambiguous_and_the_same_text_is_not():
    with pytest.raises(UnreadableError) as caught:
        day_of(1990.1)
    assert caught.value.rule == "ambiguous-date"
    assert day_of("1990.1") == Day(date(1990, 1, 1), exact=False)


@pytest.mark.parametrize("cell", ["", "  ", "\u3000", None])
def test_a_blank_cell_is_no_date(cell):
    assert day_of(cell) is None
    assert year_of(cell) is None


def test_a_year_is_its_first_day():
    assert year_of("2002") == year_of(2002.0) == year_of("2002年") == Day(date(2002, 1, 1))


def test_padding_and_width_go_but_rare_characters_of_a_name_stay():
    assert name_of("张　三 ") == "张三"
    assert name_of("买买提 · Ali") == "买买提 · Ali"
    assert name_of("\uf9d3") == name_of("陸")  # one character in Unicode's own normal form
    assert name_of("㐂") == "㐂"
    assert identifier_of("ＦＪ３２０５０００ ０４x") == "FJ320500004X"
    assert heading_of("姓\u3000名*") == "姓名"
    assert (code_of("44.0"), code_of(44.0), code_of("4.5")) == ("44", "44", "4.5")
