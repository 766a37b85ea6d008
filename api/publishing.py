"""Publishing law: packs and calendar years become entries; what a pack would do to everybody's pay.

Owns what of the package is entered, and the list of differences before a pack is. Invariant: only a
text that is not the one published last is entered, so publishing twice enters nothing the second
time.
"""

from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from api.asking import asks
from api.entries import checked_bytes
from api.settings import Bureau
from api.shapes import opened, plain
from api.times import NOW, When, as_of, day_of, months
from domain.acts.packs import CalendarPublished, PackPublished, read_pack
from domain.events import Actor, Document, Event, Proposal
from domain.law import Pack, chain, load_calendars, load_packs
from domain.ledger import Ledger, Request
from domain.ledger.deciding import LAW_TYPES
from projections import roster
from projections.questions import repriced as _repriced


class NotPackaged(LookupError):
    """There are no packs of these codes in the package; `packaged` are those there are."""

    def __init__(self, codes: Sequence[str], packaged: Sequence[str]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes
        self.packaged = packaged


def publish_law(
    ledger: Ledger, codes: Sequence[str] | None = None, actor: Actor | None = None
) -> list[str]:
    """Enter the packaged packs (those named, with the ones they inherit from; by default all) and
    every packaged calendar year. Answers the codes and years entered. Raises NotPackaged.
    """
    packs = load_packs()
    if unknown := sorted(set(codes or ()) - packs.keys()):
        raise NotPackaged(unknown, sorted(packs))
    wanted = {each for code in codes for each in chain(code)} if codes else packs.keys()
    stands = {
        (entry.type, str(entry.fields.get("code") or entry.fields["year"])): entry.fields["text"]
        for entry in ledger.entries(types=LAW_TYPES)
    }
    events: dict[str, Event] = {}
    for code, pack in sorted(packs.items()):
        if code in wanted and stands.get(("PackPublished", code)) != pack.text:
            events[code] = PackPublished.of(pack)
    for year, calendar in sorted(load_calendars().items()):
        text = (files("domain") / "packs" / f"calendar-{year}.toml").read_text("utf-8")
        if stands.get(("CalendarPublished", str(year))) != text:
            events[str(year)] = CalendarPublished(
                calendar=str(year), year=year, published_on=calendar.published_on, text=text
            )
    if events:
        today = ledger.today()
        acts = [Proposal(event, today) for event in events.values()]
        paper = Document(none_because="随软件发布的规则文本,出处见正文")
        ledger.enter(Request(acts, actor=actor or Actor(), document=paper))
    return list(events)


def publish(
    ledger: Ledger, pack: Pack, effective: date, document: Document | None, actor: Actor
) -> int | None:
    """The position of the entry that publishes this pack, None where this very one stands."""
    law = ledger.law().pack(pack.code)
    if law is not None and law.digest == pack.digest:
        return None
    paper = document or Document(none_because="规则文本的出处见正文")
    act = Proposal(PackPublished.of(pack), effective)
    return ledger.enter(Request([act], actor=actor, document=paper)).position


class PayBody(BaseModel):
    """A pack as it would be published, and the months up to which its pay is reckoned."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    text: str
    first_day: str | None = None
    last_month: str | None = None


def pay_asked(bureau: Bureau, body: bytes, when: When = NOW) -> dict[str, Any]:
    """`pay_of` a body. Raises BadInput and what `pay_of` does."""
    said = checked_bytes(PayBody, body)
    pack = read_pack(said.text)
    return pay_of(bureau, pack, when, first_day=said.first_day, last_month=said.last_month)


@asks(name="repriced", hides=("pack",), again=False)
def pay_of(
    bureau: Bureau, pack: Pack, when: When = NOW, *,
    first_day: str | None = None, last_month: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Who would get how much more or less from when, were this pack published; nothing is stored.

    In fen: `before`, `after`, `difference` a month; `owed` over the months to the last one asked
    about (that of `when.effective`, or of the first day that differs where that is later).
    `a_month` is what one more month costs then. Raises ImpossibleDate, BadInput, BeyondHead.
    """
    pair, stated = as_of(bureau, when)
    start = day_of(first_day, "first_day")
    law = bureau.ledger.law()
    first = max(filter(None, (_repriced.first_day(law, pack), start, pair.effective)))
    last_month = last_month or f"{first:%Y-%m}"
    _, end = months(last_month, last_month, pair.effective, ("last_month", "last_month"))
    found = _repriced.repriced(
        bureau.records, bureau.ledger, pack, pair, end, start, bureau.progress
    )
    data = {
        "pack": {"code": pack.code, "version": pack.version, "digest": pack.digest},
        "reckoned": found.reckoned,
        "since": found.since,
        "last_month": last_month,
        "persons": len({line.person for line in found.lines}),
        "to_pay": sum(line.owed for line in found.lines if line.owed > 0),
        "to_recover": sum(line.owed for line in found.lines if line.owed < 0),
        "a_month": sum(line.difference or 0 for line in found.lines if line.until == end),
        "lines": plain(found.lines),
    }
    names = roster.names_of(bureau.records, sorted({one.person for one in found.lines}), pair)
    data["people"] = {person: {"name": name} for person, name in names.items()}
    return opened(bureau, stated, data)
