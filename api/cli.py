"""The command line of the ledger: `personnel-ledger`.

Owns the list of commands and the options before them. Invariant: nothing heavy is imported before a
command is chosen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from api import (
    cli_access,
    cli_archive,
    cli_axes,
    cli_chain,
    cli_entering,
    cli_evidence,
    cli_guess,
    cli_import,
    cli_ledger,
    cli_mass,
    cli_overview,
    cli_person,
    cli_relaw,
    cli_retro,
    cli_seals,
    cli_series,
    cli_vault,
)
from api.cli_frame import Frame, Lang, run

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
    "账本 / The ledger": [cli_ledger.init, cli_ledger.demo, cli_ledger.serve],
    "登记 / Entering": [cli_entering.enter, cli_entering.types, cli_mass.mass, cli_import.template],
    "人员 / A person": [
        cli_person.find,
        cli_person.record,
        cli_person.history,
        cli_person.pay,
        cli_chain.chain,
    ],
    "全局 / The bureau": [
        cli_overview.roster,
        cli_overview.headcount,
        cli_series.series,
        cli_overview.unit,
        cli_overview.journal,
        cli_overview.entry,
        cli_overview.due,
        cli_overview.findings,
    ],
    "两个时间 / Both times": [
        cli_axes.beliefs,
        cli_axes.rectangles,
        cli_axes.explain,
        cli_retro.retro,
    ],
    "核验 / Proving": [cli_seals.seal, cli_seals.verify, cli_ledger.bench],
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
cli_import.app.command("guess")(cli_guess.guess)
app.add_typer(cli_import.app, name="import", rich_help_panel="登记 / Entering")
cli_ledger.replay.command()(cli_axes.compare)
cli_ledger.replay.command()(cli_relaw.relaw)
app.add_typer(cli_ledger.replay, name="replay", rich_help_panel="核验 / Proving")
app.add_typer(cli_evidence.app, name="evidence", rich_help_panel="核验 / Proving")
app.add_typer(cli_access.access, name="access", rich_help_panel="账本 / The ledger")
app.add_typer(cli_seals.witness, name="witness", rich_help_panel="核验 / Proving")
app.add_typer(cli_vault.vault, name="vault", rich_help_panel="账本 / The ledger")
app.add_typer(cli_archive.app, name="archive", rich_help_panel="账本 / The ledger")


def main() -> None:
    """The console script."""
    run(lambda: app(prog_name="personnel-ledger"))


if __name__ == "__main__":
    main()
