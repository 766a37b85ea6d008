"""An identity provider: its published keys in a file, and tokens good and bad; routes to guard."""

import base64
import hmac
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from fastapi.routing import APIRoute
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

ISSUER, AUDIENCE = "https://id.example", "personnel-ledger"


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def shared(token: str, secret: bytes) -> str:
    """The same claims under the known key's id, signed with a secret instead (HS256)."""
    head = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{token.split('.')[1]}"
    signature = hmac.digest(secret, head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class Provider:
    def __init__(self, file: Path) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
        self.other = OKPKey.generate_key("Ed25519", {"kid": "two", "use": "sig"})
        self.rsa = RSAKey.generate_key(2048, {"kid": "three", "use": "sig"})
        self.file = file
        self.publish()

    def publish(self) -> None:
        keys = KeySet([self.key, self.other, self.rsa]).as_dict(private=False)
        self.file.write_bytes(orjson.dumps(keys))

    def claims(self, subject: Any, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600}
        return {k: v for k, v in {**said, **other}.items() if v is not None}

    def signed(
        self, claims: dict[str, Any], key: Any = None, alg: str = "ES256", **head: Any
    ) -> str:
        key = key or self.key
        return jwt.encode({"alg": alg, "kid": key.kid, **head}, claims, key, algorithms=[alg])

    def token(self, subject: str) -> str:
        return self.signed(self.claims(subject))

    def wrong(self, subject: str) -> dict[str, str]:
        """Tokens that must not be believed, by what is wrong with them."""
        good, now = self.token(subject), int(time.time())
        head, body, signature = good.split(".")
        forged = encoded({**self.claims(subject), "sub": "administrator-whole"})
        none = f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{body}."
        public = self.key.as_pem(private=False)
        stranger = ECKey.generate_key("P-256", {"kid": "one"})
        unknown = ECKey.generate_key("P-256", {"kid": "unknown"})
        confused = OctKey.import_key(base64.b64encode(public), {"kid": "one"})
        return {
            "empty": "",
            "no token": "anything",
            "none-alg": none,
            "none-alg with signature": none + signature,
            "none-alg with a kid": f"{encoded({'alg': 'none', 'kid': 'one'})}.{body}.",
            "the public key as a shared secret": shared(good, public),
            "the public key's bytes as a shared secret": shared(good, self.key.as_der(private=False)),
            "the published set as a shared secret": shared(good, self.file.read_bytes()),
            "no shared secret": shared(good, b""),
            "its own key in the header": self.signed(
                self.claims(subject), stranger, jwk=stranger.as_dict(private=False)
            ),
            "its own keys elsewhere": self.signed(
                self.claims(subject), stranger, jku="https://other.example/jwks"
            ),
            "shared-secret signature": self.signed(self.claims(subject), confused, "HS256"),
            "expired": self.signed(self.claims(subject, exp=now - 60)),
            "without expiry": self.signed(self.claims(subject, exp=None)),
            "expiry is no number": self.signed(self.claims(subject, exp="never")),
            "not yet valid": self.signed(self.claims(subject, nbf=now + 600)),
            "other issuer": self.signed(self.claims(subject, iss="https://other.example")),
            "without issuer": self.signed(self.claims(subject, iss=None)),
            "other audience": self.signed(self.claims(subject, aud="elsewhere")),
            "other audiences": self.signed(self.claims(subject, aud=["elsewhere", "there"])),
            "without audience": self.signed(self.claims(subject, aud=None)),
            "without subject": self.signed(self.claims(None)),
            "subject is no text": self.signed(self.claims(7)),
            "subject is a list": self.signed(self.claims([subject])),
            "subject with a line break": self.signed(self.claims(f"{subject}\n")),
            "tampered body": f"{head}.{forged}.{signature}",
            "tampered signature": f"{head}.{body}.{signature[:-4]}AAAA",
            "no signature": f"{head}.{body}.",
            "another's key under a known id": self.signed(self.claims(subject), stranger),
            "unknown key": self.signed(self.claims(subject), unknown),
            "key of another kind": good.replace(
                head, encoded({"alg": "RS256", "kid": "one"}), 1
            ),
            "unknown critical header": self.signed(self.claims(subject)).replace(
                head, encoded({"alg": "ES256", "kid": "one", "crit": ["x"], "x": 1}), 1
            ),
            "odd key id": good.replace(head, encoded({"alg": "ES256", "kid": {"a": [1]}}), 1),
            "five parts": f"{good}.a.b",
            "too long": good + "A" * 20_000,
        }  # fmt: skip


def routes_of(routes: Iterable[Any]) -> Iterator[str]:
    """Every route, those of included routers too; anything else than a guarded one fails."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from routes_of(router.routes)
        else:
            assert isinstance(route, APIRoute), route
            yield from (f"{method} {route.path}" for method in route.methods)
