"""A command that is called wrongly says so in the language of its clerks, and how it is called."""

from pathlib import Path

import pytest

from tests.api.desk import run


@pytest.mark.parametrize(
    ("called", "said"),
    [
        (["roster", "--recrded", "3"], "✗ 没有选项 --recrded"),
        (["import", "guess"], "✗ 缺少参数 FILE"),
        (["roster", "--effective"], "✗ 选项 --effective 的写法有误"),
        (["import", "a.csv", "--rows", "many"], "✗ 选项 --rows 的取值不合要求"),
        (["--lang", "fr", "roster"], "✗ 选项 --lang 的取值不合要求,可取 zh、en"),
        (["roster", "u1", "u2", "u3"], "✗ 多出参数:u2 u3"),
        (["rooster"], "✗ 没有这个命令:rooster"),
        (["chain"], "✗ 给出 PERSON、--officer、--list 之一\n  give exactly one of them"),
    ],
)
def test_a_bad_call_is_told_in_chinese_and_english_with_where_to_look(tmp_path, called, said):
    told = run(tmp_path, *called)

    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(said)
    assert told.err.isascii() is False
    if called[-1] != "--effective":
        assert "说明 / help: personnel-ledger" in told.err


def test_help_and_a_command_without_arguments_are_no_fault(tmp_path: Path) -> None:
    asked, bare = run(tmp_path, "import", "--help"), run(tmp_path, "import")

    assert (asked.code, bare.code) == (0, 2)
    assert "✗" not in asked.out + bare.out + bare.err
    for told in (asked.out, bare.out + bare.err):
        assert told.count("导入花名册和历史数据,列出和撤销批次") == 1
