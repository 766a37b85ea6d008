"""Who may do what: the written table of routes, actions and roles, and what follows from it. Pure.

Owns the table. Invariant: what is not in it is refused; of several rights only those that cover a
row decide on that row and on its private fields.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from domain.acts.rights import PrivateClass, Role, account_of
from domain.events import REGISTRY, Actor

Action = Literal[
    "open", "describe", "read", "search", "examine", "oversee", "own", "follow", "prove", "measure",
    "propose", "enter", "administer", "approve", "inquire",
]  # fmt: skip
"""`open` asks nobody who they are. `examine`: entries and what was believed. `oversee`: who has
read. `own`: one's own record. `propose`: to send acts at all; each act then asks for what
`action_of` says. `inquire`: cases, while they are sealed.
"""
LOOKS = frozenset(("read", "search", "examine", "oversee", "own", "follow"))
"""Actions that look at records: what is denied of them is put on record too."""

_EVERYONE: frozenset[Role] = frozenset(
    ("clerk", "approver", "inspector", "auditor", "system", "administrator", "subject")
)
_READERS: frozenset[Role] = _EVERYONE - {"administrator", "subject"}

ROLES: dict[Action, frozenset[Role]] = {
    "open": _EVERYONE,
    "describe": _EVERYONE,
    "prove": _EVERYONE,
    "read": _READERS,
    "search": _READERS,
    "examine": frozenset(("clerk", "approver", "inspector", "auditor")),
    "oversee": frozenset(("inspector", "auditor")),
    "own": frozenset(("subject",)),
    "follow": frozenset(("auditor", "system")),
    "measure": frozenset(("auditor", "administrator")),
    "propose": frozenset(("clerk", "administrator", "inspector")),
    "inquire": frozenset(("inspector",)),
    "enter": frozenset(("clerk",)),
    "administer": frozenset(("administrator",)),
    "approve": frozenset(("approver",)),
}

Rows = Literal["none", "own", "person", "unit", "either", "subject", "acts", "whole"]
"""How a request names its rows: it has none; by the right itself, which names a person; by a
person, by a unit, by one or both, by `subject`; by the acts it sends; or it touches the whole
bureau.
"""


Days = Literal["day", "period", "months", "now", "all"]
"""Of which days an answer tells: of that of its pair; of that and those to the end of the period,
or of the months, asked for; of those up to now, whatever the request says; of all. What an answer
tells beside that, of all or of the ends of what holds, it tells of no day beyond the right.
"""


class Rule(NamedTuple):
    """What a route asks for. `cls`: a class of private fields without which it is no use."""

    action: Action
    rows: Rows = "whole"
    cls: PrivateClass | None = None
    days: Days = "all"


ROUTES: dict[str, Rule] = {
    "GET /livez": Rule("open", "none"),
    "GET /readyz": Rule("open", "none"),
    "GET /problems/{code}": Rule("open", "none"),
    "GET /metrics": Rule("measure"),
    "GET /v1/openapi.json": Rule("describe", "none"),
    "GET /v1/types": Rule("describe", "none"),
    "GET /v1/units": Rule("describe", "none"),
    "GET /v1/seals": Rule("prove", "none"),
    "GET /v1/seals/extension": Rule("prove", "none"),
    "GET /v1/proofs/{position}": Rule("prove", "none"),
    "GET /v1/auxiliaries/{person}": Rule("read", "person", days="day"),
    "GET /v1/auxiliaries/{person}/history": Rule("read", "person"),
    "GET /v1/auxiliaries/{person}/pay": Rule("read", "person", days="months"),
    "GET /v1/auxiliaries/{person}/accountability": Rule("read", "person", days="period"),
    "GET /v1/officers/{person}/responsibilities": Rule("read", "person", days="period"),
    "GET /v1/auxiliaries/{person}/reads": Rule("oversee", "person", days="now"),
    "GET /v1/own/record": Rule("own", "own"),
    "GET /v1/own/reads": Rule("own", "own"),
    "GET /v1/units/{unit}": Rule("read", "unit", days="day"),
    "GET /v1/roster": Rule("read", "unit", days="day"),
    "GET /v1/headcounts": Rule("read", "unit", days="day"),
    "GET /v1/payroll": Rule("read", "unit", days="months"),
    "GET /v1/accountability": Rule("read", "unit"),
    "GET /v1/findings": Rule("read", "either"),
    "GET /v1/due": Rule("read"),
    "GET /v1/series": Rule("read"),
    "POST /v1/lookup": Rule("search", cls="identity"),
    "GET /v1/approvals": Rule("approve", "none"),
    "GET /v1/approvals/{request_id}": Rule("approve", "none"),
    "POST /v1/approvals/{request_id}": Rule("approve", "none"),
    "GET /v1/journal": Rule("examine"),
    "GET /v1/entries/{position}": Rule("examine"),
    "GET /v1/timeline": Rule("read", "subject"),
    "GET /v1/beliefs": Rule("examine", "subject", days="day"),
    "GET /v1/rectangles": Rule("examine", "subject"),
    "GET /v1/explain": Rule("examine", "subject", days="day"),
    "GET /v1/compare": Rule("examine"),
    "GET /v1/retro": Rule("examine"),
    "GET /v1/changes": Rule("follow"),
    "GET /v1/cases": Rule("inquire"),
    "POST /v1/entries": Rule("propose", "acts"),
    "POST /v1/preview": Rule("propose", "acts"),
    "POST /v1/preview/pay": Rule("examine"),
    "POST /v1/mass": Rule("enter"),
    "POST /v1/mass/preview": Rule("enter"),
}

EVERY_CLASS: frozenset[str] = frozenset(get_args(PrivateClass))

ADMINISTERED = frozenset(
    ("ApiKeyIssued", "ApiKeyRevoked", "CalendarPublished", "EscrowHolderNamed", "LegalHoldLifted",
     "LegalHoldPlaced", "PackPublished", "PrivateDataDestroyed", "PrivateDataRestricted",
     "PrivateDataRestrictionLifted", "ReadsCut", "ReadsSealed", "RetentionHeld", "RoleGranted",
     "RoleWithdrawn", "SealKeyChanged")
)  # fmt: skip


CONSENTING = frozenset(("ApprovalUsed", "RequestApproved"))
"""Acts that nobody sends as acts: one approves, and enters what was approved."""


def action_of(type_: str) -> Action:
    """What entering an act of this type asks for."""
    if type_ in ADMINISTERED:
        return "administer"
    cls = REGISTRY.get(type_)
    return "inquire" if cls is not None and cls.case_sealed else "enter"


class Account(NamedTuple):
    """Whom an issuer knows under a subject."""

    issuer: str
    subject: str

    @property
    def id(self) -> str:
        return account_of(*self)


class Grant(NamedTuple):
    """One right as it is held now; `unit` with all that is below it, None the whole bureau."""

    role: Role
    unit: str | None = None
    classes: frozenset[str] = frozenset()
    attest: bool = False
    person: str | None = None


class Asked(NamedTuple):
    """The rows of a request: the units that each of its subjects belongs to, a set a subject;
    None is the whole bureau.
    """

    units: tuple[frozenset[str], ...] | None


NO_ROWS = Asked(())
WHOLE = Asked(None)


def account_named(named: str) -> Account:
    """The account that `issuer|subject` names."""
    issuer, _, subject = named.rpartition("|")
    return Account(issuer, subject)


def permitting(grants: Iterable[Grant], action: Action) -> list[Grant]:
    """The rights whose role may do this."""
    return [grant for grant in grants if grant.role in ROLES[action]]


def covers(grant: Grant, asked: Asked, below: Iterable[str] = ()) -> bool:
    """Whether a right reaches every row; `below` is its unit and all under it."""
    if grant.unit is None:
        return True
    return asked.units is not None and all(subject & {*below} for subject in asked.units)


def classes_of(grants: Iterable[Grant]) -> frozenset[str]:
    """The private fields that rights over the same rows open together."""
    return frozenset(cls for grant in grants for cls in grant.classes)


def told(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Rights as a read's row keeps them: role, unit they cover (None the whole bureau), classes."""
    return [{"role": g.role, "unit": g.unit, "classes": sorted(g.classes)} for g in grants]


def actor_of(account: Account, role: str) -> Actor:
    return Actor(issuer=account.issuer, subject=account.subject, role=role)
