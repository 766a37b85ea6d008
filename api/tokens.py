"""Access tokens of an identity provider: signed JWTs (RFC 7519), checked with its published keys.

Owns what makes a token good. Invariant: only asymmetric signatures by a key of the provider's set
count; issuer, audience and expiry are always asked for.
"""

import http.client
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, KeySet

from api.access import Account
from api.problems import KeysUnavailable, NotIdentified
from domain.events import Actor

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519",
              "EdDSA"]  # fmt: skip
LEEWAY_SECONDS = 30
FRESH_SECONDS = 600
"""Age at which the keys are fetched again."""
STALE_SECONDS = 12 * 3600
"""Age at which keys that cannot be fetched again are no longer believed."""
RETRY_SECONDS = 30
_WAIT_SECONDS = 5
_MOST_BYTES = 1 << 20
_MOST_TOKEN = 16_384


class AccessUnfit(ValueError):
    """The settings of the identity provider are not usable; says which."""


class Keys:
    """The provider's public keys, from a file or an address (JWKS, RFC 7517); kept for a while."""

    def __init__(self, where: str, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(where)
        local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        if "://" in where and parts.scheme != "https" and not local:
            raise AccessUnfit("the keys of the identity provider come by https, or from a file")
        self._where = where
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")

    def now(self, kid: object = None) -> KeySet:
        """The keys; fetched again where they are old or lack this one. Raises KeysUnavailable."""
        with self._lock:
            now = self._clock()
            unknown = self._keys is not None and kid not in {key.kid for key in self._keys}
            old = now - self._fetched >= FRESH_SECONDS
            if (old or (unknown and kid is not None)) and now - self._tried >= RETRY_SECONDS:
                self._tried = now
                self._fetch(now)
            if self._keys is None or now - self._fetched >= STALE_SECONDS:
                raise KeysUnavailable
            return self._keys

    def _fetch(self, now: float) -> None:
        try:
            said = orjson.loads(self._read())
            self._keys = KeySet.import_key_set({"keys": said["keys"]})
            self._fetched = now
        except (OSError, http.client.HTTPException, JoseError, ValueError, KeyError, TypeError):
            return  # those at hand serve until they are stale

    def _read(self) -> bytes:
        if "://" not in self._where:
            return Path(self._where).read_bytes()
        with urllib.request.urlopen(self._where, timeout=_WAIT_SECONDS) as answer:  # noqa: S310
            if answer.url != self._where:
                raise OSError("the keys are elsewhere")
            return bytes(answer.read(_MOST_BYTES))


class Tokens:
    """The tokens that one issuer gives for one audience. Raises AccessUnfit."""

    def __init__(self, issuer: str | None, audience: str | None, keys: str | None) -> None:
        if not issuer or not audience or not keys:
            raise AccessUnfit("an identity provider is an ISSUER, an AUDIENCE and its JWKS")
        self._issuer = issuer
        self._keys = Keys(keys)
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def account(self, token: str) -> Account:
        """Whose token it is. Raises NotIdentified, whatever is wrong; KeysUnavailable."""
        if len(token) > _MOST_TOKEN:
            raise NotIdentified
        try:
            told = jwt.decode(token, self._key_set, algorithms=ALGORITHMS)
            self._claims.validate(told.claims)
            actor = Actor(issuer=self._issuer, subject=told.claims["sub"])
        except (JoseError, ValueError, KeyError, TypeError):
            raise NotIdentified from None
        return Account(actor.issuer, actor.subject)

    def _key_set(self, token: GuestProtocol) -> KeySet:
        return self._keys.now(token.headers().get("kid"))
