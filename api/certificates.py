"""Client certificates, as a proxy that ends TLS hands them on.

Owns what makes a handed-on certificate good. Invariant: a certificate is public, so the header
that carries one counts only beside the proxy's secret and from the proxy's address; chain, dates,
purpose and revocation are checked here, whatever the proxy has checked.

`Client-Cert` holds the certificate as RFC 9440 says (`:base64 of DER:`) or as percent-encoded PEM
(nginx's `$ssl_client_escaped_cert`), `Client-Cert-Chain` what lies between it and the authority
(RFC 9440), `Proxy-Secret` the secret.
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from starlette.datastructures import Headers

from api.access import Account
from api.problems import NotIdentified, RevocationUnknown
from api.tokens import AccessUnfit
from domain.events import Actor

HEADER, CHAIN, SECRET = "client-cert", "client-cert-chain", "proxy-secret"
SHORTEST_SECRET = 32
_MOST_HEADER = 16_384
_BINARY = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
_ONE_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")


_UNFIT = (
    ValueError, VerificationError, UnsupportedAlgorithm, x509.DuplicateExtension,
    x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip


class Files(NamedTuple):
    """The authorities' certificates, and their lists of what they have revoked."""

    authorities: list[x509.Certificate]
    lists: list[x509.CertificateRevocationList]


class Certificates:
    """The certificates that one proxy may hand on, from the authorities in a file.

    `proxy`: its addresses or networks, parted by commas; `issuer`: under which name accounts are
    granted rights, the authority's own where absent. Without `revoked` nothing is ever revoked
    here. Raises AccessUnfit.
    """

    def __init__(
        self,
        proxy: str | None,
        secret: Path | None,
        authorities: Path | None,
        revoked: Path | None = None,
        issuer: str | None = None,
    ) -> None:
        if not proxy or secret is None or authorities is None:
            raise AccessUnfit(
                "client certificates need a PROXY, its PROXY_SECRET_FILE and a CLIENT_CA"
            )
        try:
            self._proxy = [ip_network(one.strip()) for one in proxy.split(",")]
            told = secret.read_text().strip()
        except (ValueError, OSError):
            raise AccessUnfit("PROXY names addresses, PROXY_SECRET_FILE a file") from None
        if len(told) < SHORTEST_SECRET or not told.isascii() or not told.isprintable():
            raise AccessUnfit(f"the proxy's secret has at least {SHORTEST_SECRET} ASCII characters")
        self._secret = sha256(told.encode()).digest()
        self._where = (authorities, revoked)
        self._issuer = issuer
        self._stamps: tuple[tuple[int, int], ...] = ()
        self._files = Files([], [])
        try:
            for authority in self._read().authorities:
                Actor(issuer=self._name(authority))
        except (ValueError, OSError):
            raise AccessUnfit(
                "CLIENT_CA, or CLIENT_CRL, cannot be read, or an authority's name is too long:"
                " then give CLIENT_ISSUER"
            ) from None

    def trusts(self, source: str, headers: Headers) -> bool:
        """Whether a request comes from the proxy: by address and by secret."""
        given = headers.getlist(SECRET)
        try:
            address = ip_address(source)
        except ValueError:
            return False
        known = any(address in network for network in self._proxy)
        said = sha256(given[0].encode()).digest() if len(given) == 1 else b""
        return hmac.compare_digest(said, self._secret) and known

    def account(self, headers: Headers) -> Account:
        """Whose certificate it is. Raises NotIdentified, whatever is wrong with it;
        RevocationUnknown.
        """
        try:
            files = self._read()
            leaf, *between = list(_certificates(headers))
            chain = _verified(files.authorities, leaf, between)
            _require_unrevoked(files.lists, chain, asked=self._where[1] is not None)
            account = Account(self._name(chain[-1]), _subject(leaf))
            Actor(issuer=account.issuer, subject=account.subject)
        except OSError:
            raise RevocationUnknown from None
        except _UNFIT:
            raise NotIdentified from None
        return account

    def _name(self, authority: x509.Certificate) -> str:
        return self._issuer or authority.subject.rfc4514_string()

    def _read(self) -> Files:
        """What the files hold; read again whenever one of them changes."""
        paths = [path for path in self._where if path is not None]
        stamps = tuple((s.st_mtime_ns, s.st_size) for s in (path.stat() for path in paths))
        if stamps != self._stamps:
            authorities = x509.load_pem_x509_certificates(paths[0].read_bytes())
            lists = [x509.load_pem_x509_crl(pem) for path in paths[1:] for pem in _lists(path)]
            self._files, self._stamps = Files(authorities, lists), stamps
        return self._files


def _lists(path: Path) -> list[bytes]:
    """Raises ValueError where there is none."""
    end = b"-----END X509 CRL-----"
    found = [part + end for part in path.read_bytes().split(end)[:-1]]
    if not found:
        raise ValueError("no list of what was revoked")
    return found


def _certificates(headers: Headers) -> Iterator[x509.Certificate]:
    """The certificate handed on, then what lies between it and the authority. Raises ValueError."""
    [given] = headers.getlist(HEADER)
    if len(given) > _MOST_HEADER:
        raise ValueError
    given = given.strip()
    if given.startswith(":"):
        yield _of_binary(given)
    else:
        pem = unquote(given)
        if not _ONE_PEM.fullmatch(pem):
            raise ValueError
        yield x509.load_pem_x509_certificate(pem.encode())
    for line in headers.getlist(CHAIN):
        if len(line) > _MOST_HEADER:
            raise ValueError
        for item in line.split(","):
            yield _of_binary(item.strip())


def _of_binary(item: str) -> x509.Certificate:
    if (found := _BINARY.fullmatch(item)) is None:
        raise ValueError
    return x509.load_der_x509_certificate(b64decode(found[1], validate=True))


# what is asked of a certificate


def _verified(
    authorities: Sequence[x509.Certificate], leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
) -> list[x509.Certificate]:  # fmt: skip
    """The chain from the leaf to an authority. Raises VerificationError."""
    if leaf in authorities:
        raise ValueError
    whom = (
        ExtensionPolicy.permit_all()
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs)
        .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_no_authority)
        .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    )
    verifier = (
        PolicyBuilder()
        .store(Store(list(authorities)))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=whom)
        .build_client_verifier()
    )
    chain = verifier.verify(leaf, list(between)).chain
    if not all(_is_strong(one.public_key()) for one in chain):
        raise ValueError
    return chain


def _is_strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        return key.key_size >= (2048 if isinstance(key, RSAPublicKey) else 256)
    return isinstance(key, Ed25519PublicKey)


def _for_clients(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError


def _signs(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError


def _is_no_authority(
    _: Policy, __: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError


def _require_unrevoked(
    lists: Sequence[x509.CertificateRevocationList], chain: Sequence[x509.Certificate], *,
    asked: bool,
) -> None:  # fmt: skip
    """Raises ValueError for a revoked certificate, RevocationUnknown where no list says so now."""
    if not asked:
        return
    now = datetime.now(UTC)
    for one, issuer in pairwise(chain):
        of_issuer = [found for found in lists if _is_of(found, issuer)]
        if any(
            found.get_revoked_certificate_by_serial_number(one.serial_number) for found in of_issuer
        ):
            raise ValueError
        if not any(f.next_update_utc is not None and f.next_update_utc > now for f in of_issuer):
            raise RevocationUnknown


def _is_of(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether a list is this authority's own, and says what it says of all of its certificates."""
    key = issuer.public_key()
    return (
        found.issuer == issuer.subject
        and not any(extension.critical for extension in found.extensions)
        and isinstance(key, RSAPublicKey | EllipticCurvePublicKey)
        and found.is_signature_valid(key)
    )


def _subject(leaf: x509.Certificate) -> str:
    """The one mail address, URI or host name a certificate is for, or its fingerprint."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    kinds: list[tuple[str, Callable[[], list[str]]]] = [
        ("email", lambda: names.get_values_for_type(x509.RFC822Name)),
        ("uri", lambda: names.get_values_for_type(x509.UniformResourceIdentifier)),
        ("dns", lambda: names.get_values_for_type(x509.DNSName)),
    ]
    for kind, found in kinds:
        if len(values := found()) == 1:
            return f"{kind}:{values[0]}"
    return f"sha256:{sha256(leaf.public_bytes(Encoding.DER)).hexdigest()}"
