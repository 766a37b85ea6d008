"""The demonstration: enter the invented bureau, then ask it what its users would ask.

Owns the order of the showing. Invariant: every figure shown is an answer of the ledger, on the page
that the command above it gives; the figures of the news report stand beside, marked as such.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api import answers
from api.cli import chain_drawn, person
from api.cli.frame import Lang
from api.demo import bureau as invented
from api.demo.bureau import Size
from api.entries import to_bytes
from api.publishing import publish_law
from api.rendering import Column, footing, pick, table
from api.settings import Bureau
from api.words import Words
from domain.acts.discipline import SANCTIONS
from domain.acts.grades import AuxiliaryPromoted
from domain.acts.responsibility import SupervisingOfficerAssigned
from domain.acts.rewards import REWARDS
from domain.bitemporal import AsOf
from domain.events import Actor, Document, Proposal
from domain.ledger import Ledger, Refused, Request
from projections.questions.totals import totals
from projections.roster import headcount
from replay.rebuild import rebuild
from replay.verify import sentences, verify

YEAR = (date(2016, 1, 1), date(2017, 1, 1))
INCIDENT = date(2016, 9, 3)
CLERK = Actor(issuer="demo", subject="clerk", role="clerk")

Draw = Callable[[Mapping[str, Any], Lang], Iterator[RenderableType]]


class Stage(NamedTuple):
    """Where the demonstration is shown, in which language."""

    bureau: Bureau
    console: Console
    lang: Lang

    def say(self, words: Words, style: str = "") -> None:
        self.console.print(pick(words, self.lang), style=style, markup=False)

    def page(self, command: str, answer: Mapping[str, Any], draw: Draw) -> None:
        """The page that a command gives, under the command."""
        self._command(command)
        told = orjson.loads(to_bytes(answer))
        for part in (*draw(told["data"], self.lang), footing(told["as_of"], self.lang)):
            self.console.print(part)

    def beside_the_report(self, command: str, part: RenderableType) -> None:
        self._command(command)
        self.console.print(part)

    def _command(self, command: str) -> None:
        data = self.bureau.settings.data
        line = f"\n$ personnel-ledger --data {data} {command}"
        self.console.print(line, style="bold cyan", markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, words: Words, total: float) -> Iterator[Callable[[float], None]]:
        """A progress bar that is told how much is done; a total of 1 is a share."""
        count = [MofNCompleteColumn()] if total > 1 else []
        columns = (TextColumn(pick(words, self.lang)), BarColumn(), *count, TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)


def run(bureau: Bureau, console: Console, lang: Lang, size: Size = invented.WHOLE) -> bool:
    """Enter, show, rebuild and verify; whether the verification was green."""
    gc.set_threshold(200_000, 20, 100)
    stage, started = Stage(bureau, console, lang), time.monotonic()
    _enter(stage, size)
    _rebuild(stage)
    before = _correct(bureau.ledger, size) - 1
    for _ in bureau.runner.catch_up():
        pass
    after = bureau.runner.position()
    _pyramid(stage, after)
    _table_2016(stage, after)
    when, hero = answers.When(invented.REPORT, after), invented.HERO
    on = f"-e {invented.REPORT}"
    stage.page(f"history {hero} {on}", answers.history(bureau, hero, when), person.draw_history)
    asked = answers.When(INCIDENT, after)
    answered = answers.accountability(bureau, hero, asked, then=before)
    stage.page(f"chain {hero} {INCIDENT} --then {before}", answered, chain_drawn.draw_day)
    months = ("2013-11", "2014-02")
    paid = answers.pay(
        bureau, hero, when, first_month=months[0], last_month=months[1], before=before
    )
    command = f"pay {hero} {on} --from {months[0]} --to {months[1]} --compare-recorded {before}"
    stage.page(command, paid, person.draw_pay)
    stage.say(
        ("工资标准为示例,报道未载金额。", "The pay scale is invented: the report gives none.")
    )
    green = _verify(stage)
    stage.console.print(f"{time.monotonic() - started:.0f} s", style="dim")
    return green


def _enter(stage: Stage, size: Size) -> None:
    ledger = stage.bureau.ledger
    publish_law(ledger, actor=invented.LOAD)
    started, head = time.monotonic(), ledger.log.head()
    with stage.bar(("登记", "Entering"), size.requests) as done:
        for n, answer in enumerate(ledger.enter_many(invented.requests(size)), 1):
            if isinstance(answer, Refused):
                raise answer.refusal
            if n % 500 == 0:
                done(n)
    entered, seconds = ledger.log.head() - head, time.monotonic() - started
    rate = entered / seconds
    zh, en = f"登记 {entered:,} 项,每秒 {rate:,.0f} 项", f"{entered:,} acts entered, {rate:,.0f}/s"
    stage.say((zh, en))


def _rebuild(stage: Stage) -> None:
    with stage.bar(("重建查询表", "Rebuilding the records"), 1.0) as done:
        rebuilt = rebuild(stage.bureau.runner, stage.bureau.database, done)
    zh = f"由 {rebuilt.entries:,} 条登记重建 {rebuilt.facts:,} 行"
    stage.say((zh, f"{rebuilt.facts:,} rows rebuilt from {rebuilt.entries:,} entries"))


def _correct(ledger: Ledger, size: Size) -> int:
    """Two late discoveries about one auxiliary, entered as any clerk would; the first position."""
    station = invented.stations(size)[0]
    other = SupervisingOfficerAssigned(person=invented.HERO, officer=station.supervisors[1])
    found = ledger.enter(
        Request(
            [
                Proposal(
                    other, date(2016, 8, 15), event_id=invented.event_id("late", "officer"),
                    reason="2016-08-15 起已换带辅民警,当时漏登",
                )
            ],
            mood="attested", actor=CLERK, attested_by="演示分局政工室",
            document=Document(none_because="演示数据"),
        )
    )  # fmt: skip
    promoted = next(
        entry
        for entry in ledger.entries(tags=[f"person:{invented.HERO}"], types=["AuxiliaryPromoted"])
        if not entry.corrects
    )
    fields = {k: v for k, v in promoted.fields.items() if k != "person"}
    event = AuxiliaryPromoted(person=invented.HERO, **fields)
    earlier = date(promoted.effective.year - 1, 11, 16)
    ledger.enter(
        Request(
            [
                Proposal(
                    event, earlier, supersedes=UUID(promoted.id),
                    event_id=invented.event_id("late", "promotion"), reason="晋升日期登记有误",
                )
            ],
            actor=CLERK, document=Document(none_because="演示数据"),
        )
    )  # fmt: skip
    return found.position


def _pyramid(stage: Stage, recorded: int) -> None:
    bureau = stage.bureau
    counts = dict(headcount(bureau.records, AsOf(invented.REPORT, recorded), "grade"))
    ladder = bureau.ledger.law().at(invented.PLACE, invented.REPORT).ladder("suzhou")
    if ladder is None:
        raise LookupError("the demonstration's pack has no ladder")
    grid = Table.grid(padding=(0, 2))
    most = max(counts.values())
    for grade in reversed(ladder.grades):
        count = counts.get(grade.code, 0)
        name = pick((grade.zh, grade.en), stage.lang)
        grid.add_row(name, f"{count:>6,}", Bar(most, 0, count, width=40))
    classes, grades = len({grade.class_ for grade in ladder.grades}), len(ladder.grades)
    total = sum(counts.values())
    zh = f"在职 {total:,} 人,{classes} 类 {grades} 级(报道:4.2万人,四类共十级)"
    en = f"{total:,} in service, {classes} classes, {grades} grades (report: 42,000, four, ten)"
    title = pick((zh, en), stage.lang)
    stage.beside_the_report(f"headcount --by grade -e {invented.REPORT}", Group(title, grid))


def _table_2016(stage: Stage, recorded: int) -> None:
    records = stage.bureau.records
    columns = [
        Column(("", "")), Column(("人次", "times"), right=True),
        Column(("人数", "persons"), right=True), Column(("报道", "report"), right=True),
    ]  # fmt: skip
    rows = []
    for words, facet, reported in (
        (("2016年表彰", "commended in 2016"), REWARDS, invented.COMMENDED_2016),
        (("2016年处理", "sanctioned in 2016"), SANCTIONS, invented.SANCTIONED_2016),
    ):
        total, _ = totals(records, facet, *YEAR, recorded)
        counted = (f"{total.times:,}", f"{total.persons:,}", f"{reported:,}")
        rows.append((pick(words, stage.lang), *counted))
    _, kinds = totals(records, REWARDS, date(2012, 1, 1), invented.REPORT, recorded)
    names: dict[str, Words] = {
        "pacesetter": ("历年岗位标兵", "pacesetters, all years"),
        "expert": ("历年岗位能手", "experts, all years"),
    }
    for kind in kinds:
        if kind.kind in names:
            counted = (f"{kind.times:,}", f"{kind.persons:,}", f"{invented.TITLES[kind.kind]:,}")
            rows.append((pick(names[kind.kind], stage.lang), *counted))
    stage.say(("", ""))
    title = ("奖惩人次与报道对照", "Rewards and sanctions beside the report")
    stage.console.print(table(title, columns, rows, stage.lang))


def _verify(stage: Stage) -> bool:
    stage.beside_the_report("replay verify", "")
    with stage.bar(("重放核对", "Replaying and comparing"), 1.0) as done:
        verdict = verify(stage.bureau.runner, stage.bureau.database, done)
    for words in sentences(verdict):
        stage.say(words, style="bold green" if verdict.green else "bold red")
    return verdict.green
