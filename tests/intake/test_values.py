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
    number_of,
    year_of,
)


@pytest.mark.parametrize(
    "cell",
    [
        "2021-08-03", "2021.8.3", "2021/8/3", "2021年8月3日", "20210803", " 2021-8-3 ",
        "２０２１年８月３日", "2021-08-03 00:00:00", "2021年8月3号", "2021、8、3",
        "2021.08.03.", "2021。8。3", "2021—8—3", "2021·8·3", "2021年8月3", "2021 年 8 月 3 日",
        "二〇二一年八月三日", "二○二一年八月三号", 20210803.0, 44411.0, "44411",
        "2021-08-03 08:30:00", "2021/8/3 8:30", "二O二一年八月三日", "二Ｏ二一年八月三日", "44411.0",
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
        "1066-10-14",
        7.0,
    ],
)
def test_what_is_no_date_is_refused(cell):
    with pytest.raises(UnreadableError) as caught:
        day_of(cell)
    assert caught.value.rule == "impossible-date"


@pytest.mark.parametrize("cell", ["很早", "无", "/", "—", "-", "同上", "〃", "待定"])
def test_what_holds_no_date_at_all_is_refused_as_such(cell):
    """Whether it means none, or the same as above, only the clerk or the mapping can say."""
    with pytest.raises(UnreadableError) as caught:
        day_of(cell)
    assert caught.value.rule == "no-date"


def test_a_month_may_be_called_so():
    assert day_of("2021年3月份") == Day(date(2021, 3, 1), exact=False)


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        (1990.1, "ambiguous-date"), ("1990.1", "ambiguous-date"), ("２０１８．１", "ambiguous-date"),
        (20183.0, "ambiguous-serial"), ("20243", "ambiguous-serial"), ("19903", "ambiguous-serial"),
        ("20183.0", "ambiguous-serial"), ("190301", "ambiguous-short-day"),
        (191231.0, "ambiguous-short-day"),
    ],
)  # fmt: skip
def test_what_may_be_two_dates_is_neither(cell, rule):
    with pytest.raises(UnreadableError) as caught:
        day_of(cell)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("cell", "day"),
    [(1990.2, date(1990, 2, 1)), ("1990.9", date(1990, 9, 1)), ("1990.10", date(1990, 10, 1)),
     ("1990-1", date(1990, 1, 1)), ("1990年1月", date(1990, 1, 1)), (1990.12, date(1990, 12, 1))],
)  # fmt: skip
def test_a_month_that_can_be_no_other_is_read(cell, day):
    assert day_of(cell) == Day(day, exact=False)


def test_a_month_of_a_year_of_two_digits_is_both():
    assert day_of("18年3月") == Day(date(2018, 3, 1), exact=False, whole=False)
    assert day_of("18年2月", last=True) == Day(date(2018, 2, 28), exact=False, whole=False)


@pytest.mark.parametrize(
    "cell", [320500202400100001.0, 3.2e17, "3.205E+17", "3E+17", "3.20500202400100E+17", 10**15]
)
def test_an_identifier_that_a_spreadsheet_made_a_number_of_is_refused(cell):
    with pytest.raises(UnreadableError) as caught:
        number_of(cell)
    assert caught.value.rule == "digits-lost"


@pytest.mark.parametrize(
    ("cell", "number"),
    [(999999999999999.0, "999999999999999"), (7.0, "7"), ("320500202400100001", "320500202400100001"),
     ("3E05", "3E05"), ("fj 0001", "FJ0001")],
)  # fmt: skip
def test_an_identifier_that_lost_nothing_is_taken(cell, number):
    assert number_of(cell) == number


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
