"""Every request passes here: who asks, by which rights, for which rows and private fields.

Owns the turn from a request to the account behind it, and the answer that it may pass. Invariant: a
route that is not in the table, and an account without a right, get nothing; where no identity
provider is named this machine's user is the one account, and the server listens nowhere else.
"""

import hmac
from collections.abc import Iterable
from datetime import date
from hashlib import sha256

from fastapi import Request

from api import access
from api.access import Account, Grant, Rule
from api.acting import Acting
from api.certificates import HEADER, Certificates
from api.edge import Metrics
from api.problems import NotAllowed, NotIdentified, TooOften
from api.reader import Question, Reader
from api.rights import Asking, Rights, named_by
from api.settings import Bureau, Settings
from api.slowing import Slowing
from api.tokens import AccessUnfit, Tokens
from domain.acts.rights import API_KEY
from domain.bitemporal import resolve
from domain.events import Actor
from projections.sight import Sight

LOCAL = Actor(issuer="local", subject="api", role="clerk")
SECONDS = 6.0
"""One failure of a key from a source is forgotten after this long, one of a source in a tenth."""
_OWN = Asking(LOCAL, Account(LOCAL.issuer, LOCAL.subject), None, None, None)
_ANYBODY = Asking(LOCAL, Account("", ""), (), frozenset(), Sight(date.min))


def certificates(told: Settings) -> Certificates:
    if told.client_issuer is not None and told.client_issuer == told.issuer:
        raise AccessUnfit("CLIENT_ISSUER is not the ISSUER of tokens: theirs are other subjects")
    return Certificates(
        told.proxy, told.proxy_secret_file, told.client_ca, told.client_crl, told.client_issuer
    )


def _by_key(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("apikey ")


class Guard:
    """The dependency of every route. Raises AccessUnfit where the settings of whoever identifies
    people are not whole. `acting` says which acts may be entered.
    """

    def __init__(self, bureau: Bureau, metrics: Metrics) -> None:
        told = bureau.settings
        self._bureau, self._rights = bureau, Rights(bureau)
        self.acting = Acting(bureau, self._rights)
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
        held = self._rights.held(account.id)
        if _by_key(request):  # whoever issues keys would look and act in the name of others
            held = [grant for grant in held if grant.role == "system"]
        grants, before = access.permitting(held, rule.action), None
        limited = any(grant.unit is not None for grant in grants)
        if limited and rule.rows not in ("acts", "none", "own"):
            names = {**request.query_params, **request.path_params}
            if subjects := named_by(names, rule.rows):
                grants, before = self._rights.over_rows(grants, rule, names, subjects)
            else:
                grants = [grant for grant in grants if grant.unit is None]
        classes = access.classes_of(grants) if rule.rows != "acts" else frozenset[str]()
        if not grants or (rule.cls is not None and rule.cls not in classes):
            raise NotAllowed
        actor = access.actor_of(account, grants[0].role)
        own = grants[0].person if rule.rows == "own" else None
        sight = self._rights.sight(held)._replace(before=before)
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
        now, ledger = self._rights.now(), self._bureau.ledger
        facts = ledger.folded(API_KEY, f"key:{key}", now.recorded) if key else []
        fact = resolve(facts, now)
        value = fact.value if fact else None
        given = sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(given, value["hash"] if value else "") or value is None:
            raise NotIdentified
        return Account(value["issuer"], value["subject"])

    # what
