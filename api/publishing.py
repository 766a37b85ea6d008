"""Publishing the packaged law: packs and calendar years become entries.

Owns what of the package is entered. Invariant: only a text that is not the one published last is
entered, so publishing twice enters nothing the second time.
"""

from collections.abc import Sequence
from importlib.resources import files

from domain.acts.packs import CalendarPublished, PackPublished
from domain.events import Actor, Document, Event, Proposal
from domain.law import chain, load_calendars, load_packs
from domain.ledger import Ledger, Request
from domain.ledger.deciding import LAW_TYPES


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
