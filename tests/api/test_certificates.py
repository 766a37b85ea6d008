"""Client certificates: from the proxy alone, and good in every way, or nobody asks."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.datastructures import Headers

from api.app import create_app
from api.certificates import Certificates
from api.settings import Bureau, Settings
from api.slowing import Slowing
from api.tokens import AccessUnfit
from domain.acts.rights import RoleGranted, account_of
from domain.events import Proposal
from domain.ledger.requests import Request
from tests.api.authorities import SERVER, Authority, binary, escaped, written, wrong
from tests.api.conftest import serving
from tests.api.identities import AUDIENCE, ISSUER, Provider

SECRET = "a secret that only the proxy knows"
NAME = "CN=根证书,O=某市公安局"


class Gate(NamedTuple):
    """A server behind a proxy, and the authority whose certificates it takes."""

    bureau: Bureau
    root: Authority
    folder: Path
    http: httpx.Client
    guard: Any
    provider: Provider
    port: int

    def ask(self, header: str | list[str] | None, **other: Any) -> httpx.Response:
        given = [header] if isinstance(header, str) else header or []
        secrets = other.pop("secret", SECRET)
        headers = [("Client-Cert", one) for one in given]
        headers += [
            ("Proxy-Secret", s) for s in ([secrets] if isinstance(secrets, str) else secrets)
        ]
        headers += [(name.replace("_", "-"), value) for name, value in other.items()]
        forget(self.guard)
        return self.http.get("/v1/journal", headers=headers)

    def status(self, header: str | list[str] | None, **other: Any) -> int:
        return self.ask(header, **other).status_code

    def grant(self, subject: str, issuer: str = NAME) -> None:
        event = RoleGranted(
            account=account_of(issuer, subject), issuer=issuer, subject=subject, role="auditor"
        )
        self.bureau.ledger.enter(Request([Proposal(event, self.bureau.ledger.today())]))


def forget(guard: Any) -> None:
    guard._by_source, guard._by_claim = Slowing(100, 1), Slowing(10, 6)


@contextmanager
def opened(bureau: Bureau, folder: Path, **settings: Any) -> Iterator[Gate]:
    root, provider = Authority(), Provider(folder / "jwks.json")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    told = {
        "proxy": "10.9.8.7, 127.0.0.0/8", "proxy_secret_file": secret,
        "client_ca": written(folder / "ca.pem", root), "issuer": ISSUER, "audience": AUDIENCE,
        "jwks": str(provider.file), **settings,
    }  # fmt: skip
    bureau.settings = bureau.settings._replace(**told)
    app = create_app(bureau)
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        yield Gate(bureau, root, folder, http, app.state.guard, provider, port)


@pytest.fixture(scope="module")
def gate(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with opened(common_bureau, tmp_path_factory.mktemp("gate")) as gate:
        gate.grant("email:li@example.cn")
        yield gate


def test_a_good_certificate_opens_what_its_account_may_however_the_proxy_writes_it(
    gate: Gate,
) -> None:
    for certificate in (gate.root.issued(), gate.root.issued(purposes=[SERVER, *CLIENTS])):
        assert gate.status(binary(certificate)) == 200
        assert gate.status(escaped(certificate)) == 200
    assert gate.status(binary(gate.root.issued("wang"))) == 403, "identified, and without a right"


def test_what_lies_between_may_be_handed_on_too(gate: Gate) -> None:
    middle = Authority("中间证书", gate.root)
    lower = Authority("下级", middle)
    chain = ", ".join(binary(one.certificate) for one in (lower, middle))
    assert gate.status(binary(lower.issued()), Client_Cert_Chain=chain) == 200
    assert gate.status(binary(lower.issued()), Client_Cert_Chain="junk") == 401
    assert gate.status(binary(lower.issued())) == 401


CLIENTS = [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_certificates_wrong_in_every_usual_way_are_refused(gate: Gate) -> None:
    bad = wrong(gate.root)
    codes = {}
    for name, (leaf, *between) in bad.items():
        chain = {"Client_Cert_Chain": ", ".join(map(binary, between))} if between else {}
        codes[name] = {gate.status(binary(leaf), **chain), gate.status(escaped(leaf), **chain)}
    assert codes == {name: {401} for name in bad}


def test_a_header_that_is_no_certificate_is_refused(gate: Gate) -> None:
    good = gate.root.issued()
    text, plain = binary(good), good.public_bytes(Encoding.PEM).decode()
    for said in (
        "", ":", "::", text[1:], text[:-1], text[:40] + ":", text.replace("M", "N", 1), f"{text}, {text}",
        escaped(good) + escaped(good), escaped(good)[:-30], plain[:60].replace("\n", ""), "li@example.cn",
        ":" + "A" * 20_000 + ":", [text, text], ["", text],
    ):  # fmt: skip
        assert gate.status(said) == 401, said


def test_from_anybody_but_the_proxy_the_header_is_refused(gate: Gate) -> None:
    good = binary(gate.root.issued())
    for secret in ("", "guessed", SECRET + "x", [], [SECRET, SECRET], [SECRET, "x"]):
        assert gate.status(good, secret=secret) == 401, secret
    checked = gate.guard._certificates
    assert not checked.trusts("10.9.8.8", Headers({"proxy-secret": SECRET})), (
        "the secret from elsewhere"
    )
    assert checked.trusts("10.9.8.7", Headers({"proxy-secret": SECRET}))
    assert not checked.trusts("", Headers({"proxy-secret": SECRET}))


def test_nor_does_it_go_with_another_word_of_who_asks(gate: Gate) -> None:
    gate.grant("li", ISSUER)
    token = f"Bearer {gate.provider.token('li')}"
    assert gate.status(None, Authorization=token) == 200
    assert gate.status(binary(gate.root.issued()), Authorization=token) == 401
    assert gate.status(None) == 401, "the proxy's secret alone is nobody"


def test_guessing_the_proxys_secret_is_slowed(gate: Gate) -> None:
    forget(gate.guard)
    good = binary(gate.root.issued())
    statuses = [
        gate.http.get("/v1/journal", headers={"Client-Cert": good, "Proxy-Secret": f"{n}"}).status_code
        for n in range(110)
    ]  # fmt: skip
    assert (statuses[0], statuses[-1]) == (401, 429)
    proxied = {"Client-Cert": good, "Proxy-Secret": SECRET}
    assert gate.http.get("/v1/journal", headers=proxied).status_code == 200, (
        "the proxy's users do not wait"
    )


def test_who_a_certificate_is_for(gate: Gate) -> None:
    mail, page, host = (
        x509.RFC822Name("a@b.cn"), x509.UniformResourceIdentifier("urn:uuid:1"), x509.DNSName("a.b"),
    )  # fmt: skip
    for names, account in (
        ([mail, page, host], "email:a@b.cn"), ([page, host], "uri:urn:uuid:1"), ([host], "dns:a.b"),
    ):  # fmt: skip
        asked = gate.status(binary(gate.root.issued(names=names)))
        assert asked == 403
        gate.grant(account)
        assert gate.status(binary(gate.root.issued(names=names))) == 200
    for names in ([], [mail, x509.RFC822Name("c@d.cn")]):
        certificate = gate.root.issued(names=names)
        assert gate.status(binary(certificate)) == 403
        gate.grant(f"sha256:{certificate.fingerprint(SHA256()).hex()}")
        assert gate.status(binary(certificate)) == 200


def test_a_revoked_certificate_is_refused_and_a_list_out_of_date_refuses_all(
    bureau: Bureau, tmp_path: Path
) -> None:
    crl = tmp_path / "crl.pem"
    crl.write_bytes(Authority().revoking())
    with opened(bureau, tmp_path, client_crl=crl) as gate:
        gate.grant("email:li@example.cn")
        good, gone, middle = (
            gate.root.issued(),
            gate.root.issued(),
            Authority("中间证书", gate.root),
        )
        below = {"Client_Cert_Chain": binary(middle.certificate)}

        def listed(*pems: bytes) -> dict[str, int]:
            crl.write_bytes(b"".join(pems))
            return {
                "good": gate.status(binary(good)), "gone": gate.status(binary(gone)),
                "below": gate.status(binary(middle.issued()), **below),
            }  # fmt: skip

        unknown = {"good": 503, "gone": 503, "below": 503}
        assert gate.ask(binary(good)).json()["code"] == "revocation-unknown"
        ours, theirs = gate.root.revoking(gone), middle.revoking()
        assert listed(ours, theirs) == {"good": 200, "gone": 401, "below": 200}
        assert listed(ours) == {"good": 200, "gone": 401, "below": 503}
        assert listed(gate.root.revoking(gone, middle.certificate), theirs) == {
            "good": 200, "gone": 401, "below": 401,
        }  # fmt: skip
        assert listed(gate.root.revoking(gone, until=-1), theirs)["good"] == 503
        assert listed(gate.root.revoking(gone, critical=True), theirs)["good"] == 503
        forged = gate.root.revoking(key=ec.generate_private_key(ec.SECP256R1()))
        assert listed(forged, theirs)["good"] == 503
        assert listed(Authority("另一机构").revoking(gone)) == unknown
        crl.write_text("nothing")
        assert gate.status(binary(good)) == 401
        crl.unlink()
        assert gate.status(binary(good)) == 503


def test_certificates_alone_identify_people_too(bureau: Bureau, tmp_path: Path) -> None:
    alone = {"issuer": None, "audience": None, "jwks": None, "client_issuer": "人员证书"}
    with opened(bureau, tmp_path, **alone) as gate:
        assert bureau.settings.guarded
        gate.grant("email:li@example.cn", "人员证书")
        assert gate.status(binary(gate.root.issued())) == 200
        assert gate.status(None) == 401
        token = f"Bearer {gate.provider.token('li')}"
        assert gate.status(None, Authorization=token) == 401


def test_settings_that_are_not_whole_or_not_safe_are_refused(tmp_path: Path) -> None:
    ca, secret, short = (
        written(tmp_path / "ca.pem", Authority()),
        tmp_path / "s",
        tmp_path / "short",
    )
    secret.write_text(SECRET)
    short.write_text("short")
    empty = tmp_path / "empty"
    empty.write_text("")
    long = written(tmp_path / "long.pem", Authority("ca" * 32, organization="o" * 64))
    for told in (
        (None, secret, ca), ("127.0.0.1", None, ca), ("127.0.0.1", secret, None), ("", secret, ca),
        ("proxy.example", secret, ca), ("127.0.0.1,", secret, ca), ("127.0.0.1", short, ca),
        ("127.0.0.1", empty, ca), ("127.0.0.1", tmp_path / "none", ca),
        ("127.0.0.1", secret, tmp_path / "none"), ("127.0.0.1", secret, empty),
        ("127.0.0.1", secret, ca, empty), ("127.0.0.1", secret, ca, tmp_path / "none"),
        ("127.0.0.1", secret, long),
    ):  # fmt: skip
        with pytest.raises(AccessUnfit):
            Certificates(*told)
    Certificates("::1", secret, long, None, "人员证书")


def test_a_certificate_is_no_token_of_the_same_issuer(bureau: Bureau, tmp_path: Path) -> None:
    with (
        pytest.raises(AccessUnfit, match="CLIENT_ISSUER"),
        opened(bureau, tmp_path, client_issuer=ISSUER),
    ):
        pass


def test_the_settings_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROXY", "PROXY_SECRET_FILE", "CLIENT_CA", "CLIENT_CRL", "CLIENT_ISSUER"):
        monkeypatch.setenv(f"PERSONNEL_LEDGER_{name}", name)
    told = Settings.of()
    assert told.guarded
    assert (told.proxy, told.client_issuer) == ("PROXY", "CLIENT_ISSUER")
    assert (told.proxy_secret_file, told.client_ca, told.client_crl) == (
        Path("PROXY_SECRET_FILE"), Path("CLIENT_CA"), Path("CLIENT_CRL"),
    )  # fmt: skip


def kept(path: Path, key: Any, *certificates: x509.Certificate) -> Path:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + b"".join(c.public_bytes(Encoding.PEM) for c in certificates))
    return path


@contextmanager
def proxied(gate: Gate) -> Iterator[str]:
    """A proxy that ends TLS, asks for a certificate, and hands it on."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            der = self.connection.getpeercert(binary_form=True)
            handed = binary(x509.load_der_x509_certificate(der))
            onward = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=30)
            onward.request(
                "GET", self.path, headers={"Client-Cert": handed, "Proxy-Secret": SECRET}
            )
            answer = onward.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            onward.close()

        def log_message(self, *_: Any) -> None:
            pass

    key = ec.generate_private_key(ec.SECP256R1())
    served = gate.root.issued(
        "proxy", purposes=[SERVER], names=[x509.DNSName("localhost")], key=key
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept(gate.folder / "proxy.pem", key, served))
    context.load_verify_locations(gate.folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer(("127.0.0.1", 0), Proxy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_through_a_proxy_that_ends_tls(gate: Gate) -> None:
    forget(gate.guard)
    key = ec.generate_private_key(ec.SECP256R1())
    ours = ssl.create_default_context(cafile=str(gate.folder / "ca.pem"))
    ours.load_cert_chain(kept(gate.folder / "li.pem", key, gate.root.issued(key=key)))
    with proxied(gate) as address:
        claimed = {"Client-Cert": binary(gate.root.issued("wang"))}
        answer = httpx.get(f"{address}/v1/journal", verify=ours, headers=claimed, trust_env=False)
    assert answer.status_code == 200, "by the certificate of the handshake, whatever is claimed"
