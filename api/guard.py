"""Every request passes here: who asks, what they may, which rows, which private fields.

Owns the turn from a request to the rights held now, at the log's head. Invariant: a route that is
not in the table, and an account without a right, get nothing; where no identity provider is named
this machine's user is the one account, and the server listens nowhere else.
"""

import hmac
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from typing import NamedTuple

from fastapi import Request

from api import access
from api.access import Account, Asked, Grant, Rows, Rule
from api.certificates import HEADER, Certificates
from api.covering import BELONGING, Reach
from api.edge import Metrics
from api.problems import NotAllowed, NotIdentified, TooOften
from api.reader import Question, Reader
from api.settings import Bureau, Settings
from api.slowing import Slowing
from api.times import NOW, When, as_of, last_told
from api.tokens import AccessUnfit, Tokens
from domain.acts.complaints import no_such_case
from domain.acts.people import SERVICE
from domain.acts.rights import API_KEY, ROLE
from domain.bitemporal import OPEN, AsOf, in_force, resolve
from domain.events import CASE, Actor, FactAnnulled, Proposal, cases_of
from domain.ledger import Ledger
from domain.ledger.requests import Request as Entering
from domain.refusals import UnknownFact
from projections import roster
from projections.sight import Sight

LOCAL = Actor(issuer="local", subject="api", role="clerk")
SECONDS = 6.0
"""One failure of a key from a source is forgotten after this long, one of a source in a tenth."""
_PERIODS = ("period", "months")


class Asking(NamedTuple):
    """Who asks and what for. `grants` None: this machine's own user, who may everything. `sight`:
    which cases may be seen; None is all of them. `used`: the rights that reach these rows. `own`:
    whose own record it is. `keyed`: by an API key, whose secret whoever issued it knew.
    """

    actor: Actor
    account: Account
    grants: tuple[Grant, ...] | None
    classes: frozenset[str] | None
    sight: Sight | None
    used: tuple[Grant, ...] | None = None
    own: str | None = None
    keyed: bool = False

    @property
    def tags(self) -> set[str]:
        """What an act about whoever asks names."""
        own = _of_persons(self.sight) if self.sight is not None else ()
        return {f"account:{self.account.id}", *own}


class _Act(NamedTuple):
    """What an act is: its type, what it is about, and its day."""

    type: str
    tags: list[str]
    day: date


_OWN = Asking(LOCAL, Account(LOCAL.issuer, LOCAL.subject), None, None, None)
_ANYBODY = Asking(LOCAL, Account("", ""), (), frozenset(), Sight(date.min))


def certificates(told: Settings) -> Certificates:
    if told.client_issuer is not None and told.client_issuer == told.issuer:
        raise AccessUnfit("CLIENT_ISSUER is not the ISSUER of tokens: theirs are other subjects")
    return Certificates(
        told.proxy, told.proxy_secret_file, told.client_ca, told.client_crl, told.client_issuer
    )


def _named(names: Mapping[str, str], rows: Rows) -> list[str]:
    """The subjects that a request names by its address."""
    if rows == "subject":
        return [names.get("subject", "")]
    kinds = [kind for kind in ("person", "unit") if rows in (kind, "either")]
    return [f"{kind}:{names[kind]}" for kind in kinds if names.get(kind)]


def _beyond(end: date) -> NotAllowed:
    last = end - timedelta(days=1)
    return NotAllowed(
        f"the right reaches to {last}: ask about no day after it",
        zh=f"权限只及于 {last} 以前(含当日),请勿问及此后的日期", field="last_day",
    )  # fmt: skip


def _of_persons(sight: Sight) -> set[str]:
    """Whoever holds the account, under each id."""
    return {f"person:{one}" for one in sight.own}


def _about(tags: set[str], acts: Iterable[_Act]) -> bool:
    return any(not tags.isdisjoint(act.tags) for act in acts)


def _by_key(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("apikey ")


class Guard:
    """The dependency of every route. Raises AccessUnfit where the settings of whoever identifies
    people are not whole.
    """

    def __init__(self, bureau: Bureau, metrics: Metrics) -> None:
        told = bureau.settings
        self._bureau = bureau
        self._guarded = told.guarded
        self._tokens = Tokens(told.issuer, told.audience, told.jwks) if told.by_token else None
        self._certificates = certificates(told) if told.by_certificate else None
        self._metrics = metrics
        self._by_source = Slowing(100, SECONDS / 10)
        self._by_claim = Slowing(10, SECONDS)

    def __call__(self, request: Request) -> None:
        """Raises NotIdentified, NotAllowed, TooOften, KeysUnavailable."""
        route = getattr(request.scope.get("route"), "path", "")
        rule = access.ROUTES.get(f"{request.method} {route}")
        if rule is None:
            raise NotAllowed
        if not self._guarded:
            request.state.asking = _OWN
        elif rule.action == "open":
            request.state.asking = _ANYBODY
        else:
            account = self._identified(request)
            try:
                request.state.asking = self._allowed(request, rule, account)
            except NotAllowed:
                if rule.action in access.LOOKS:
                    self._note_denied(request, account, route)
                raise

    def _allowed(self, request: Request, rule: Rule, account: Account) -> Asking:
        held = self._held(account.id)
        if _by_key(request):  # whoever issues keys would look and act in the name of others
            held = [grant for grant in held if grant.role == "system"]
        grants, before = access.permitting(held, rule.action), None
        limited = any(grant.unit is not None for grant in grants)
        if limited and rule.rows not in ("acts", "none", "own"):
            names = {**request.query_params, **request.path_params}
            if subjects := _named(names, rule.rows):
                grants, before = self._over_rows(grants, rule, names, subjects)
            else:
                grants = [grant for grant in grants if grant.unit is None]
        classes = access.classes_of(grants) if rule.rows != "acts" else frozenset[str]()
        if not grants or (rule.cls is not None and rule.cls not in classes):
            raise NotAllowed
        actor = access.actor_of(account, grants[0].role)
        own = grants[0].person if rule.rows == "own" else None
        sight = self._sight(held)._replace(before=before)
        used, keyed = tuple(grants), _by_key(request)
        return Asking(actor, account, tuple(held), classes, sight, used, own, keyed)

    def _note_denied(self, request: Request, account: Account, route: str) -> None:
        """Who was refused which look; about whom, only where the ledger knows that person."""
        said = request.path_params.get("person", "")
        known = bool(said) and "\0" not in said and self._bureau.records.of(f"person:{said}")
        reader = self.reader(request, access.actor_of(account, "none"))
        reader.denied(Question(route, subject=said if known else None))

    def reader(self, request: Request, actor: Actor, used: Iterable[Grant] | None = None) -> Reader:
        """Whoever asks, as the log of reads knows them. What for is theirs to state."""
        route = getattr(request.scope.get("route"), "path", "")
        return Reader(
            self._bureau.reads, actor, f"{request.method} {route}",
            rights=None if used is None else access.told(used),
            request_id=request.state.request_id,
            noted=lambda outcome, _: self._metrics.reads.labels(outcome).inc(),
        )  # fmt: skip

    # who

    def _identified(self, request: Request) -> Account:
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        kind = scheme.lower()
        source = request.client.host if request.client else ""
        if HEADER in request.headers:
            return self._certified(request, source)
        key, _, secret = said.partition(".")
        claim = key if kind == "apikey" else said  # guesses of one key; one bad token, repeated
        claim = sha256(f"{source}|{claim}".encode()).hexdigest()
        if self._by_source.waits(source) or self._by_claim.waits(claim):
            raise TooOften
        try:
            if kind == "bearer" and self._tokens is not None:
                return self._tokens.account(said.strip())
            if kind == "apikey":
                return self._of_key(key, secret.strip())
        except NotIdentified:
            self._by_source.failed(source)
            self._by_claim.failed(claim)
            raise
        raise NotIdentified

    def _certified(self, request: Request, source: str) -> Account:
        """Whose certificate the proxy hands on. From anybody else, or beside another word of who
        asks, it is refused.
        """
        checked = self._certificates
        if checked is None or not checked.trusts(source, request.headers):
            if self._by_source.waits(source):
                raise TooOften
            self._by_source.failed(source)
            raise NotIdentified
        if "authorization" in request.headers:
            raise NotIdentified
        claim = sha256("|".join(request.headers.getlist(HEADER)).encode()).hexdigest()
        if self._by_claim.waits(claim):
            raise TooOften
        try:
            return checked.account(request.headers)
        except NotIdentified:
            self._by_claim.failed(claim)
            raise

    def _of_key(self, key: str, secret: str) -> Account:
        """Whose key it is. Raises NotIdentified: there is none, it is not in force, it is wrong."""
        now, ledger = self._now(), self._bureau.ledger
        facts = ledger.folded(API_KEY, f"key:{key}", now.recorded) if key else []
        fact = resolve(facts, now)
        value = fact.value if fact else None
        given = sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(given, value["hash"] if value else "") or value is None:
            raise NotIdentified
        return Account(value["issuer"], value["subject"])

    # what

    def _now(self) -> AsOf:
        """Today, at the head: the records have taken in whatever gave or took a right."""
        head = self._bureau.ledger.log.head()
        self._bureau.runner.reach(head)
        return AsOf(self._bureau.ledger.today(), head)

    def _held(self, account: str) -> list[Grant]:
        """Folded from the log: a right that no entry gave is none, whatever the records say."""
        now = self._now()
        facts = self._bureau.ledger.folded(ROLE, f"account:{account}", now.recorded)
        grants = [
            Grant(
                fact.value["role"], fact.value.get("unit"), frozenset(fact.value["classes"]),
                fact.value["attest"], fact.value.get("person"),
            )
            for fact in in_force(facts, now)
        ]  # fmt: skip
        return [g for g in grants if g.role != "approver" or not self._auxiliary(g.person, now)]

    def _sight(self, held: list[Grant]) -> Sight:
        """Cases are the whole bureau's, so an inspector of the whole sees them, but not those
        about whoever holds the account, under whichever id.
        """
        own: frozenset[str] = frozenset()
        if people := {grant.person for grant in held if grant.person}:
            forest = self._bureau.ledger.forest(self._now().recorded)
            own = frozenset(one for person in people for one in forest.family(person))
        whole = any(grant.unit is None for grant in access.permitting(held, "inquire"))
        return Sight(self._bureau.ledger.today(), whole, own)

    def _auxiliary(self, person: str | None, now: AsOf) -> bool:
        """Whether the holder serves as an auxiliary, or nobody knows who it is."""
        if person is None:
            return True
        kept = self._bureau.ledger.forest(now.recorded).kept(person)
        facts = self._bureau.records.at([SERVICE], [f"person:{kept}"], now)
        return any(fact.value and fact.value["state"] == "in" for fact in facts)

    # which rows

    def _over_rows(
        self, grants: list[Grant], rule: Rule, names: Mapping[str, str], subjects: list[str]
    ) -> tuple[list[Grant], date | None]:
        """The rights that reach every subject on the answer's day, and the first day that none of
        them reaches: of it and of later ones nothing is told. Who leaves takes the record along.

        Raises NotAllowed where a later day is asked for.
        """
        when = NOW if rule.days == "now" else When(names.get("effective"), names.get("recorded"))
        pair, _ = as_of(self._bureau, when)
        asked = Asked(tuple(self._units_of(subject, pair) for subject in subjects))
        grants = self._covering(grants, asked, pair)
        if rule.days == "now" or not grants:
            return grants, None
        if rule.rows in ("unit", "either") and rule.days != "day":
            subjects = self._with_all_below(rule, names.get("unit"), pair) or subjects
        start = min(pair.effective, self._bureau.ledger.today())
        reach = Reach(self._bureau, subjects, pair.recorded)
        ends = [reach.end(grant, start, anywhere=rule.days in _PERIODS) for grant in grants]
        end = max(ends)
        if end <= self._asked_for(rule, names, pair):
            raise _beyond(end) if start < end else NotAllowed
        if rule.days != "day":
            grants = [grant for grant, its in zip(grants, ends, strict=True) if its == end]
        if rule.days in _PERIODS:
            last = last_told(names, pair.effective, monthly=rule.days == "months")
            own = max(reach.end(grant, start) for grant in grants)
            end = min(end, max(own, last + timedelta(days=1)))
        return grants, None if end == OPEN else end

    def _asked_for(self, rule: Rule, names: Mapping[str, str], pair: AsOf) -> date:
        """The day that a right must reach: the last asked for, of months about one person the
        first of the last, within which the answer then ends.
        """
        if rule.days in _PERIODS:
            last = last_told(names, pair.effective, monthly=rule.days == "months")
            within = (rule.rows, rule.days) == ("person", "months")
            return max(pair.effective, last.replace(day=1)) if within else last
        if rule.rows == "either" and names.get("unit"):
            return max(pair.effective, self._bureau.ledger.today())
        return pair.effective

    def _with_all_below(self, rule: Rule, unit: str | None, pair: AsOf) -> list[str]:
        """What an answer about a unit is about: those below it, and where it follows the persons
        on its roster beyond the day, they too.
        """
        if unit is None:
            return []
        below = roster.units_below(self._bureau.records, unit, pair)
        lines = roster.roster(self._bureau.records, pair, unit) if rule.rows == "either" else []
        return [f"unit:{one}" for one in below] + [f"person:{line.person}" for line in lines]

    def _units_of(self, subject: str, pair: AsOf) -> frozenset[str]:
        """The units that a unit or a person belongs to as of a pair: none for anything else."""
        kind, _, one = subject.partition(":")
        if kind == "unit":
            return frozenset((one,))
        if kind != "person" or "\0" in one:
            return frozenset()
        kept = self._bureau.ledger.forest(pair.recorded).kept(one)
        facts = self._bureau.records.at(BELONGING, [f"person:{kept}"], pair)
        return frozenset(fact.value["unit"] for fact in facts if fact.value)

    def _covering(self, grants: list[Grant], asked: Asked, pair: AsOf) -> list[Grant]:
        tree = roster.tree(self._bureau.records, pair)
        return [
            grant
            for grant in grants
            if access.covers(grant, asked, tree.below(grant.unit) if grant.unit else ())
        ]

    # entering

    def entering(self, asking: Asking, request: Entering) -> Entering:
        """The request in the name and role of whoever asks, once every act is allowed.

        One role must reach every act; attesting is a right of its own; nobody changes their own
        rights; the approver named is another account, which may approve all of it. Raises
        NotAllowed with the `index` of the act or the field.
        """
        if asking.grants is None:
            return request._replace(actor=asking.actor)
        roles = sorted({grant.role for grant in asking.grants})
        refused = NotAllowed()
        for role in roles:
            try:
                self._allow(asking, role, request)
            except NotAllowed as not_this:
                refused = not_this
                continue
            self._refuse_unseen(asking, request)
            self._approved(asking, request)
            return request._replace(actor=access.actor_of(asking.account, role))
        raise refused

    def told_before(self, asking: Asking, request: Entering) -> date | None:
        """The first day of which whoever sends these acts, which `entering` has allowed, is told
        nothing: that on which the right no longer reaches somebody whom one of them names.
        """
        mine = [g for g in asking.grants or () if g.role == request.actor.role]
        recorded, ends = self._now().recorded, [OPEN]
        for proposal in request.proposals if asking.grants is not None else ():
            acts = self._acts(asking, proposal)
            grants = self._entering(mine, acts)
            for act in acts:
                named = [s for s in act.tags if s.startswith("unit:") or self._placed(s)]
                reach = Reach(self._bureau, named, recorded)
                ends.append(max(reach.end(grant, act.day) for grant in grants))
        return None if min(ends) == OPEN else min(ends)

    def _allow(self, asking: Asking, role: str, request: Entering) -> None:
        mine = [grant for grant in asking.grants or () if grant.role == role]
        for index, proposal in enumerate(request.proposals):
            acts = self._acts(asking, proposal)
            if any(act.type in access.CONSENTING for act in acts):
                raise NotAllowed(index=index)
            grants = self._entering(mine, acts)
            administered = [act for act in acts if access.action_of(act.type) == "administer"]
            if not grants or (administered and asking.keyed) or _about(asking.tags, administered):
                raise NotAllowed(index=index)
            if request.mood == "attested" and not any(grant.attest for grant in grants):
                raise NotAllowed(index=index, field="mood")

    def _refuse_unseen(self, asking: Asking, request: Entering) -> None:
        """What is kept from whoever asks is neither corrected nor gone on with: as if it were not
        there; and nobody inquires into himself. Raises UnknownFact, UnknownSubject, NotAllowed.
        """
        ledger, seen = self._bureau.ledger, self._seen(asking)
        for index, proposal in enumerate(request.proposals):
            tags = proposal.event.tags()
            for case in cases_of(tags):
                if seen.hides(tags) and any(ledger.entries([f"{CASE}:{case}"])):
                    refusal = no_such_case(case, proposal.effective)
                    refusal.index = index
                    raise refusal
                if not asking.tags.isdisjoint(tags):
                    raise NotAllowed(index=index)
            named = proposal.annuls or proposal.supersedes
            try:
                entry = None if named is None else ledger.entry(named)
            except UnknownFact:
                continue  # an act of this request, or none at all
            if entry is not None and seen.hides(entry.tags):
                raise UnknownFact(f"there is no entry {named}", zh=f"没有登记 {named}", index=index)

    def _approved(self, asking: Asking, request: Entering) -> None:
        """The second person: `issuer|subject` of an account that may approve."""
        if request.approved_by is None:
            return
        account = access.account_named(request.approved_by).id
        held = access.permitting(self._held(account), "approve")
        held = [g for g in held if f"person:{g.person}" not in asking.tags]
        if account == asking.account.id or not held:
            raise NotAllowed(field="approved_by")
        sight = self._sight(self._held(account))
        approver = _of_persons(sight)
        for proposal in request.proposals:
            acts = self._acts(asking, proposal)
            about_approver = _about(approver, acts)
            if about_approver or not self._reaching(held, acts) or not self._inquires(sight, acts):
                raise NotAllowed(field="approved_by")

    def _seen(self, asking: Asking) -> Ledger:
        return self._bureau.seen_with(asking.classes, asking.sight).ledger

    def _inquires(self, sight: Sight | None, acts: Iterable[_Act]) -> bool:
        """Whether acts are of no case, or of one that is shown with this sight."""
        tags = [tag for act in acts for tag in act.tags]
        cases = cases_of(tags)
        if sight is None or not cases:
            return True
        if not _of_persons(sight).isdisjoint(tags):
            return False
        ledger = self._bureau.seen_with(None, sight).ledger
        begun = any(any(self._bureau.ledger.entries([f"{CASE}:{case}"])) for case in cases)
        return not ledger.hides(tags) if begun else sight.cases

    def open_to(self, asking: Asking, proposal: Proposal) -> frozenset[str] | None:
        """The private fields that an approver may see in an act; None where none of their rights
        to approve reaches it, or it is about themselves.
        """
        if asking.grants is None:
            return access.EVERY_CLASS
        held, acts = access.permitting(asking.grants, "approve"), self._acts(asking, proposal)
        reaching = [] if _about(asking.tags, acts) else self._reaching(held, acts)
        if not reaching or not self._inquires(asking.sight, acts):
            return None
        return access.classes_of(reaching)

    def _acts(self, asking: Asking, proposal: Proposal) -> list[_Act]:
        """What an act is and what it corrects; an annulment is what it annuls."""
        event, named = proposal.event, proposal.annuls or proposal.supersedes
        acts = [_Act(type(event).__name__, event.tags(), proposal.effective)]
        if isinstance(event, FactAnnulled):
            acts = []
        if named is not None:
            with suppress(UnknownFact):  # an act of this request, or none at all
                entry = self._seen(asking).entry(named)
                acts.append(_Act(entry.type, entry.tags, entry.effective))
        return acts or [_Act("", [], proposal.effective)]

    def _entering(self, grants: list[Grant], acts: list[_Act]) -> list[Grant]:
        """The rights to enter an act of each of these types that reach each."""
        for act in acts:
            grants = access.permitting(grants, access.action_of(act.type))
        return self._reaching(grants, acts)

    def _reaching(self, grants: list[Grant], acts: list[_Act]) -> list[Grant]:
        """The rights that reach each of these acts."""
        for act in acts:
            grants = self._reaching_one(grants, act)
        return grants

    def _reaching_one(self, grants: list[Grant], act: _Act) -> list[Grant]:
        """The rights that reach every unit and person of an act, on its day, as known now.

        A person of whom no unit was ever recorded is anybody's; an act about neither a unit nor a
        person is the whole bureau's.
        """
        if all(grant.unit is None for grant in grants):
            return grants
        pair = AsOf(act.day, self._now().recorded)
        about = [tag for tag in act.tags if not tag.startswith(("number:", "fact:"))]
        if not about or any(not tag.startswith(("unit:", "person:")) for tag in about):
            return [grant for grant in grants if grant.unit is None]
        subjects = [s for s in about if s.startswith("unit:") or self._placed(s)]
        asked = Asked(tuple(self._units_of(subject, pair) for subject in subjects))
        return self._covering(grants, asked, pair)

    def _placed(self, subject: str) -> bool:
        return bool(self._bureau.records.strands(BELONGING, [subject]))
