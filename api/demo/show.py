"""The demonstration: enter the invented bureau, then ask it what its users would ask.

Owns the order of the showing. Invariant: every figure shown is an answer of the ledger; the figures
of the news report stand beside, marked as such.
"""

import gc
import time
from collections.abc import Callable, Iterator
from datetime import date
from uuid import UUID

from rich.bar import Bar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.demo import bureau as invented
from api.publishing import publish_law
from api.settings import Bureau
from domain.acts.discipline import SANCTIONS
from domain.acts.grades import AuxiliaryPromoted
from domain.acts.responsibility import SupervisingOfficerAssigned
from domain.acts.rewards import REWARDS
from domain.bitemporal import AsOf
from domain.events import REGISTRY, Actor, Document, Proposal
from domain.ledger import Ledger, Refused, Request
from projections import accountability, pay
from projections.questions import law as laws
from projections.questions.person import history
from projections.questions.totals import totals
from projections.roster import headcount
from replay.rebuild import rebuild
from replay.verify import sentences, verify

YEAR = (date(2016, 1, 1), date(2017, 1, 1))
INCIDENT = date(2016, 9, 3)
CLERK = Actor(issuer="demo", subject="clerk", role="clerk")


def run(bureau: Bureau, console: Console) -> bool:
    """Enter, show, rebuild and verify; whether the verification was green."""
    gc.set_threshold(200_000, 20, 100)
    started = time.monotonic()
    _enter(bureau, console)
    with _bar(console, "重建投影 Rebuilding the records", 1.0) as done:
        rebuilt = rebuild(bureau.runner, bureau.database, done)
    console.print(f"{rebuilt.entries:,} entries → {rebuilt.facts:,} rows 行")
    before = _correct(bureau.ledger) - 1
    for _ in bureau.runner.catch_up():
        pass
    after = bureau.runner.position()
    _pyramid(bureau, console, after)
    _table_2016(bureau, console, after)
    _history(bureau, console, after)
    _chain(bureau, console, before, after)
    _pay(bureau, console, before, after)
    with _bar(console, "重放核对 Replaying and comparing", 1.0) as done:
        verdict = verify(bureau.runner, bureau.database, done)
    colour = "green" if verdict.green else "red"
    for sentence in sentences(verdict):
        console.print(sentence, style=colour)
    console.print(f"{time.monotonic() - started:.0f} s")
    return verdict.green


class _bar:  # noqa: N801 - used as a function
    """A progress bar on standard error that is told how much is done."""

    def __init__(self, console: Console, label: str, total: float) -> None:
        whole = total > 1
        self._bar = Progress(
            TextColumn(label), BarColumn(),
            *([MofNCompleteColumn()] if whole else []), TimeRemainingColumn(),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(label, total=total)

    def __enter__(self) -> Callable[[float], None]:
        self._bar.start()
        return lambda done: self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _requests() -> Iterator[Request]:
    yield from invented.units()
    yield from invented.auxiliaries()
    yield from invented.rewards()
    yield from invented.sanctions()


def _enter(bureau: Bureau, console: Console) -> None:
    publish_law(bureau.ledger, actor=invented.LOAD)
    expected = invented.PEOPLE + 1 + len(invented.BRANCHES) * (1 + invented.STATIONS)
    expected += sum(1 for _ in invented.rewards()) + invented.SANCTIONED_2016
    started, head = time.monotonic(), bureau.ledger.log.head()
    with _bar(console, "登记 Entering", expected) as done:
        for n, answer in enumerate(bureau.ledger.enter_many(_requests()), 1):
            if isinstance(answer, Refused):
                raise answer.refusal
            if n % 500 == 0:
                done(n)
    entered, seconds = bureau.ledger.log.head() - head, time.monotonic() - started
    console.print(f"{entered:,} acts entered 条事项 ({entered / seconds:,.0f}/s)")


def _correct(ledger: Ledger) -> int:
    """Two late discoveries about one auxiliary, entered as any clerk would; the first position."""
    station = invented.stations()[0]
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


def _pyramid(bureau: Bureau, console: Console, recorded: int) -> None:
    as_of = AsOf(invented.REPORT, recorded)
    counts = dict(headcount(bureau.records, as_of, "grade"))
    ladder = bureau.ledger.law().at(invented.PLACE, invented.REPORT).ladder("suzhou")
    if ladder is None:
        raise LookupError("the demonstration's pack has no ladder")
    table = Table(title=f"层级结构 Grades on {invented.REPORT} (position {recorded})")
    for heading in ("层级 Grade", "人数 Persons", ""):
        table.add_column(heading, justify="right" if "Persons" in heading else "left")
    most = max(counts.values())
    for grade in reversed(ladder.grades):
        count = counts.get(grade.code, 0)
        table.add_row(grade.zh, f"{count:,}", Bar(most, 0, count, width=40))
    table.add_row("合计 Total", f"{sum(counts.values()):,}", "报道 report: 4.2万")
    console.print(table)


def _table_2016(bureau: Bureau, console: Console, recorded: int) -> None:
    table = Table(
        title="2016年奖惩与历年人才评选 Rewards and sanctions beside the report's figures"
    )
    for heading in ("", "人次 Times", "人 Persons", "报道 Report"):
        table.add_column(heading, justify="left" if not heading else "right")
    for label, facet, reported in (
        ("2016 表彰 commendations", REWARDS, invented.COMMENDED_2016),
        ("2016 处理 sanctions", SANCTIONS, invented.SANCTIONED_2016),
    ):
        total, _ = totals(bureau.records, facet, *YEAR, recorded)
        table.add_row(label, f"{total.times:,}", f"{total.persons:,}", f"{reported:,}")
    _, kinds = totals(bureau.records, REWARDS, date(2012, 1, 1), invented.REPORT, recorded)
    names = {"pacesetter": "岗位标兵 pacesetters", "expert": "岗位能手 experts"}
    for kind in kinds:
        if kind.kind in names:
            reported = invented.TITLES[kind.kind]
            table.add_row(names[kind.kind], f"{kind.times:,}", f"{kind.persons:,}", f"{reported:,}")
    console.print(table)


def _history(bureau: Bureau, console: Console, recorded: int) -> None:
    told = history(bureau.ledger, [f"person:{invented.HERO}"], AsOf(invented.REPORT, recorded))
    table = Table(title=f"履历 History of {invented.HERO}")
    for heading in ("位置 Pos.", "生效 Effective", "事项 Act", "迟录 Lag", "状态 Standing"):
        table.add_column(heading)
    for line in told:
        cls = REGISTRY[line["type"]]
        table.add_row(
            str(line["position"]), str(line["effective"]), cls.zh, f"{line['lag_days']} d",
            str(line["standing"]),
        )  # fmt: skip
    console.print(table)


def _chain(bureau: Bureau, console: Console, before: int, after: int) -> None:
    both = accountability.then_and_now(bureau.records, invented.HERO, INCIDENT, before, after)
    table = Table(title=f"{INCIDENT} 谁对 {invented.HERO} 负责 Who answered")
    for heading in ("", f"当时登记 As recorded at {before}", f"现在认定 As known at {after}"):
        table.add_column(heading)
    for then, now in zip(both.then.lines, both.now.lines, strict=True):
        label = accountability.CAPACITIES[then.capacity]
        seat = f" {then.seat}" if then.seat else ""
        table.add_row(label.zh + seat, _holders(then), _holders(now))
    console.print(table)
    console.print(f"差异由第 {', '.join(map(str, both.entries))} 条登记造成 made by these entries")


def _holders(line: accountability.Line) -> str:
    if not line.holders:
        return f"空缺 vacant since {line.since}" if line.since else "无记载 not recorded"
    return ", ".join(f"{h.officer} (自 {h.since})" for h in line.holders)


def _pay(bureau: Bureau, console: Console, before: int, after: int) -> None:
    facts = bureau.records.of(f"person:{invented.HERO}")
    published = laws.Published(bureau.ledger, after)
    known = [
        pay.Known(k, laws.rules_of(bureau.records, published.at(k), invented.HERO, k))
        for k in (before, after)
    ]
    filed = [pay.Filed(facts, *known)]
    months = pay.pay_difference(filed, date(2012, 7, 1), invented.REPORT)
    table = Table(
        title="追溯更正的补发 What the correction makes owed (illustrative scale 示例标准)"
    )
    for heading in ("月 Month", "原 Before", "现 After", "补发 Owed", "依据 Entries"):
        table.add_column(heading, justify="right")
    for month in months:
        table.add_row(
            f"{month.month:%Y-%m}", _yuan(month.before), _yuan(month.after), _yuan(month.owed),
            ", ".join(map(str, month.entries)),
        )  # fmt: skip
    table.add_row("合计", "", "", _yuan(sum(m.owed for m in months)), "")
    console.print(table)


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
