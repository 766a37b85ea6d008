"""The command line of the ledger: `personnel-ledger`.

Owns the list of commands and the options before them. Invariant: nothing heavy is imported before a
command is chosen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from api.cli import (
    access,
    archive,
    axes,
    cases,
    chain,
    entering,
    evidence,
    guess,
    importing,
    ledger,
    mass,
    overview,
    person,
    publish,
    reads,
    relaw,
    retro,
    seals,
    series,
    vault,
)
from api.cli.frame import Frame, Lang, run


def _stating(
    purpose: Annotated[
        str | None,
        typer.Option(
            "--purpose", envvar="PERSONNEL_LEDGER_PURPOSE", metavar="TEXT",
            help="查阅私密字段的用途 / what private fields are read for",
        ),
    ] = None,
    case: Annotated[
        str | None,
        typer.Option(
            "--case", envvar="PERSONNEL_LEDGER_CASE", metavar="ID",
            help="为哪一案件查阅 / the case it is read for",
        ),
    ] = None,
) -> None:  # fmt: skip
    """The options of every command that may show private fields."""


class Reading(TyperCommand):
    """A command that reads: its purpose and case are declared once, and reach it in its `Frame`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        form = typer.Typer(add_completion=False)
        form.command()(_stating)
        for option in typer.main.get_command(form).params:
            option.expose_value, option.callback = False, _stated
            self.params.append(option)


def _stated(context: Any, option: Any, value: str | None) -> None:
    told = context.find_object(Frame) or Frame(None, Lang.ZH)
    changed = {"purpose": told.purpose, "case": told.case, option.name: value}
    context.obj = Frame(told.data, told.lang, **changed)


app = typer.Typer(
    name="personnel-ledger",
    help="辅警人事账本 / The personnel ledger of auxiliary police.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="PERSONNEL_LEDGER_DATA", help="账本所在目录 / its folder"),
    ] = None,
    lang: Annotated[
        Lang, typer.Option("--lang", envvar="PERSONNEL_LEDGER_LANG", help="语言 / language")
    ] = Lang.ZH,
) -> None:
    context.obj = Frame(data, lang)


COMMANDS: dict[str, list[Callable[..., None]]] = {
    "账本 / The ledger": [ledger.init, ledger.demo, ledger.serve],
    "登记 / Entering": [
        entering.enter,
        entering.types,
        mass.mass,
        importing.template,
        publish.publish,
    ],
    "人员 / A person": [
        person.find,
        person.record,
        person.history,
        person.pay,
        chain.chain,
        chain.chains,
        reads.who_read,
    ],
    "全局 / The bureau": [
        overview.roster,
        overview.headcount,
        overview.payroll,
        series.series,
        overview.unit,
        overview.journal,
        overview.entry,
        overview.due,
        overview.findings,
        cases.cases,
    ],
    "两个时间 / Both times": [
        axes.timeline,
        axes.beliefs,
        axes.rectangles,
        axes.explain,
        retro.retro,
    ],
    "核验 / Proving": [seals.seal, seals.verify, ledger.bench],
}
READ = ("登记 / Entering", "人员 / A person", "全局 / The bureau", "两个时间 / Both times")
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel, cls=Reading if panel in READ else None)(command)
importing.app.command("guess")(guess.guess)
app.add_typer(importing.app, name="import", rich_help_panel="登记 / Entering")
ledger.replay.command(cls=Reading)(axes.compare)
ledger.replay.command()(relaw.relaw)
app.add_typer(ledger.replay, name="replay", rich_help_panel="核验 / Proving")
evidence.app.command("export", cls=Reading)(evidence.export)
app.add_typer(evidence.app, name="evidence", rich_help_panel="核验 / Proving")
app.add_typer(access.access, name="access", rich_help_panel="账本 / The ledger")
app.add_typer(seals.witness, name="witness", rich_help_panel="核验 / Proving")
app.add_typer(reads.reads, name="reads", rich_help_panel="账本 / The ledger")
app.add_typer(vault.vault, name="vault", rich_help_panel="账本 / The ledger")
app.add_typer(archive.app, name="archive", rich_help_panel="账本 / The ledger")


def main() -> None:
    """The console script."""
    run(lambda: app(prog_name="personnel-ledger", standalone_mode=False))


if __name__ == "__main__":
    main()
