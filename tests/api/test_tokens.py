"""The identity provider's keys: fetched, kept, changed, and not believed for ever."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from joserfc.jwk import ECKey

from api.problems import KeysUnavailable, NotIdentified
from api.tokens import FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, AccessUnfit, Keys, Tokens
from tests.api.identities import AUDIENCE, ISSUER, Provider


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "jwks.json")


def tokens(provider: Provider, clock: list[float] | None = None) -> Tokens:
    made = Tokens(ISSUER, AUDIENCE, str(provider.file))
    if clock is not None:
        made._keys = Keys(str(provider.file), lambda: clock[0])
    return made


def test_every_kind_of_key_of_the_set_is_believed(provider: Provider) -> None:
    checked, claims = tokens(provider), provider.claims("li", aud=["other", AUDIENCE])
    for key, alg in (
        (provider.key, "ES256"), (provider.other, "Ed25519"), (provider.rsa, "RS256"),
        (provider.rsa, "PS256"),
    ):  # fmt: skip
        assert checked.account(provider.signed(claims, key, alg)) == (ISSUER, "li")


def test_a_new_key_is_fetched_when_it_is_first_seen(provider: Provider) -> None:
    clock = [0.0]
    checked = tokens(provider, clock)
    checked.account(provider.token("li"))
    provider.key = ECKey.generate_key("P-256", {"kid": "next"})
    provider.publish()

    with pytest.raises(NotIdentified):  # nobody makes us ask the provider at every request
        checked.account(provider.token("li"))
    clock[0] = RETRY_SECONDS
    assert checked.account(provider.token("li")).subject == "li"


def test_a_key_that_is_no_longer_published_is_no_longer_believed(provider: Provider) -> None:
    clock, before = [0.0], provider.token("li")
    checked = tokens(provider, clock)
    checked.account(before)
    provider.key = ECKey.generate_key("P-256", {"kid": "next"})
    provider.publish()
    clock[0] = FRESH_SECONDS
    with pytest.raises(NotIdentified):
        checked.account(before)


@pytest.mark.parametrize("broken", [None, b"", b"[]", b'{"keys": [{"kty": "odd"}]}', b"\xff"])
def test_keys_out_of_reach_serve_until_they_are_stale(
    provider: Provider, broken: bytes | None
) -> None:
    clock = [0.0]
    checked = tokens(provider, clock)
    checked.account(provider.token("li"))
    if broken is None:
        provider.file.unlink()
    else:
        provider.file.write_bytes(broken)

    clock[0] = STALE_SECONDS - 1.0
    assert checked.account(provider.token("li")).subject == "li"
    clock[0] = float(STALE_SECONDS)
    with pytest.raises(KeysUnavailable):
        checked.account(provider.token("li"))
    provider.publish()
    clock[0] += RETRY_SECONDS
    assert checked.account(provider.token("li")).subject == "li"


@pytest.fixture
def address(provider: Provider) -> Iterator[str]:
    class Published(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/jwks")
            self.end_headers()
            self.wfile.write(provider.file.read_bytes())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Published)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_keys_come_from_an_address_and_from_nowhere_it_points_to(
    provider: Provider, address: str
) -> None:
    assert Tokens(ISSUER, AUDIENCE, f"{address}/jwks").account(provider.token("li"))
    with pytest.raises(KeysUnavailable):
        Tokens(ISSUER, AUDIENCE, f"{address}/moved").account(provider.token("li"))


@pytest.mark.parametrize(
    ("issuer", "audience", "keys"),
    [(None, "a", "f"), ("i", None, "f"), ("i", "a", None), ("i", "", "f"),
     ("i", "a", "http://id.example/jwks"), ("i", "a", "ftp://id.example/jwks"),
     ("i", "a", "http://127.0.0.1.example/jwks"), ("i", "a", "http://localhost@example/jwks")],
)  # fmt: skip
def test_settings_that_are_not_whole_or_not_safe_are_refused(
    issuer: str | None, audience: str | None, keys: str | None
) -> None:
    with pytest.raises(AccessUnfit):
        Tokens(issuer, audience, keys)
