"""What is wrong with how a command was called, in both languages.

Owns these sentences. Invariant: whatever the parser of the command line says is told, in its own
words where there are none of ours.
"""

import re
from typing import Any

import typer

UsageError: Any = typer.BadParameter.__mro__[1]
"""What the parser raises for a bad call; its own module is private."""
_HELP = "NoArgsIsHelpError"


def wants_help(fault: Exception) -> bool:
    """Whether nothing is wrong: a command without arguments shows what it takes."""
    return type(fault).__name__ == _HELP


def misused(fault: Any) -> list[str]:
    """The fault, Chinese first; how the command is used, and where more is said."""
    zh, en = _said(fault)
    lines = [f"✗ {zh}", f"  {en}"]
    if fault.ctx is not None:
        lines += [f"  {fault.ctx.get_usage().replace('Usage:', '用法 / usage:')}",
                  f"  说明 / help: {fault.ctx.command_path} -h"]  # fmt: skip
    return lines


def _said(fault: Any) -> tuple[str, str]:
    en = fault.format_message()
    match type(fault).__name__:
        case "NoSuchOption":
            alike = "、".join(sorted(fault.possibilities or ()))
            return f"没有选项 {fault.option_name}" + (f";是否为 {alike}?" if alike else ""), en
        case "MissingParameter":
            return f"缺少{_what(fault)}", en
        case "BadOptionUsage":
            return f"选项 {fault.option_name} 的写法有误(后面须有取值的,请写上)", en
        case "BadParameter" if not fault.message.isascii():  # said by a command, in both languages
            zh, _, own = fault.message.partition(" / ")
            return zh, own or en
        case "BadParameter":
            choices = re.findall("'([^']*)'", en.partition(" is not one of ")[2])
            may_be = f",可取 {'、'.join(choices)}" if choices else ""
            return f"{_what(fault)} 的取值不合要求{may_be}", en
    for begins, zh in _PLAIN.items():
        if en.startswith(begins):
            return zh + _named(en), en
    return "命令的写法有误", en


_PLAIN = {
    "No such command": "没有这个命令:",
    "Missing command": "缺少命令",
    "Got unexpected extra argument": "多出参数:",
}


def _named(en: str) -> str:
    """What stands first in brackets or quotation marks."""
    found = re.search(r" \((.*)\)| '(.*?)'", en)
    return (found[1] or found[2] or "") if found else ""


def _what(fault: Any) -> str:
    hint = fault.param_hint or (fault.param.get_error_hint() if fault.param else "")
    named = str(hint).partition(" (")[0].strip("'")
    return f"{'选项' if named.startswith('-') else '参数'} {named}".rstrip()
