"""The command line of the ledger: `personnel-ledger`.

Owns the list of commands and the options before them. Invariant: nothing heavy is imported before a
command is chosen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from api.cli import (
    access,
    archive,
    axes,
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
    relaw,
    retro,
    seals,
    series,
    vault,
)
from api.cli.frame import Frame, Lang, run

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
    "账本 / The ledger": [ledger.init, publish.publish, ledger.demo, ledger.serve],
    "登记 / Entering": [entering.enter, entering.types, mass.mass, importing.template],
    "人员 / A person": [
        person.find,
        person.record,
        person.history,
        person.pay,
        chain.chain,
    ],
    "全局 / The bureau": [
        overview.roster,
        overview.headcount,
        series.series,
        overview.unit,
        overview.journal,
        overview.entry,
        overview.due,
        overview.findings,
    ],
    "两个时间 / Both times": [
        axes.beliefs,
        axes.rectangles,
        axes.explain,
        retro.retro,
    ],
    "核验 / Proving": [seals.seal, seals.verify, ledger.bench],
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
importing.app.command("guess")(guess.guess)
app.add_typer(importing.app, name="import", rich_help_panel="登记 / Entering")
ledger.replay.command()(axes.compare)
ledger.replay.command()(relaw.relaw)
app.add_typer(ledger.replay, name="replay", rich_help_panel="核验 / Proving")
app.add_typer(evidence.app, name="evidence", rich_help_panel="核验 / Proving")
app.add_typer(access.access, name="access", rich_help_panel="账本 / The ledger")
app.add_typer(seals.witness, name="witness", rich_help_panel="核验 / Proving")
app.add_typer(vault.vault, name="vault", rich_help_panel="账本 / The ledger")
app.add_typer(archive.app, name="archive", rich_help_panel="账本 / The ledger")


def main() -> None:
    """The console script."""
    run(lambda: app(prog_name="personnel-ledger"))


if __name__ == "__main__":
    main()
