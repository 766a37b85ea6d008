"""A certificate authority: certificates good and bad, as a proxy hands them on."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def named(name: str, organization: str = "某市公安局") -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ])  # fmt: skip


def usage(**on: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


class Authority:
    """One that signs; `parent` None: by itself."""

    def __init__(
        self,
        name: str = "根证书",
        parent: "Authority | None" = None,
        days: tuple[int, int] = (-30, 300),
        *,
        ca: bool = True,
        **names: str,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named(name, **names)
        by = parent or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0] * DAY)
            .not_valid_after(NOW + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage(key_cert_sign=ca, crl_sign=ca, digital_signature=not ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        )  # fmt: skip
        self.certificate = made.sign(by.key, SHA256())

    def issued(
        self,
        name: str = "li",
        days: tuple[int, int] = (-1, 30),
        purposes: Iterable[x509.ObjectIdentifier] = (CLIENT,),
        names: Iterable[x509.GeneralName] | None = None,
        key: Any = None,
        **other: Any,
    ) -> x509.Certificate:
        """A certificate of `name@example`, which may be used by clients."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        said = [x509.RFC822Name(f"{name}@example.cn")] if names is None else list(names)
        made = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0] * DAY)
            .not_valid_after(NOW + days[1] * DAY)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )  # fmt: skip
        if purposes := list(purposes):
            made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if said:
            made = made.add_extension(x509.SubjectAlternativeName(said), critical=False)
        for extension in other.get("extensions", ()):
            made = made.add_extension(extension, critical=True)
        return made.sign(other.get("signer", self.key), SHA256())

    def revoking(
        self, *revoked: x509.Certificate, until: int = 7, key: Any = None, critical: bool = False
    ) -> bytes:
        """A list of what this authority has revoked, as PEM."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(NOW - 30 * DAY)
            .next_update(NOW + until * DAY)
        )
        for one in revoked:
            gone = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            made = made.add_revoked_certificate(gone.revocation_date(NOW - DAY).build())
        if critical:
            parted = x509.IssuingDistributionPoint(
                None, None, only_contains_user_certs=False, only_contains_ca_certs=True,
                only_some_reasons=None, indirect_crl=False, only_contains_attribute_certs=False,
            )  # fmt: skip
            made = made.add_extension(parted, critical=True)
        return made.sign(key or self.key, SHA256()).public_bytes(Encoding.PEM)


def binary(certificate: x509.Certificate) -> str:
    """As RFC 9440 says."""
    return f":{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"


def escaped(certificate: x509.Certificate) -> str:
    """As nginx does."""
    return quote(certificate.public_bytes(Encoding.PEM).decode(), safe="")


def wrong(root: Authority) -> dict[str, list[x509.Certificate]]:
    """Certificates that must not be believed, by what is wrong, with what lies between."""
    stranger, impostor = Authority("另一根证书"), Authority()
    old = Authority("过期中间证书", root, days=(-20, -1))
    no_authority = Authority("不是机构", root, ca=False)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return {
        "expired": [root.issued(days=(-9, -1))],
        "not yet valid": [root.issued(days=(1, 9))],
        "of another authority": [stranger.issued()],
        "of another of the same name": [impostor.issued()],
        "signed by another": [root.issued(signer=stranger.key)],
        "for servers": [root.issued(purposes=[SERVER])],
        "for nothing in particular": [root.issued(purposes=[])],
        "not for signing": [root.issued(extensions=[usage(key_encipherment=True)])],
        "an authority": [root.issued(extensions=[x509.BasicConstraints(ca=True, path_length=None)])],
        "the authority itself": [root.certificate],
        "by itself": [stranger.certificate],
        "an unknown critical extension": [root.issued(extensions=[unknown])],
        "a weak key": [root.issued(key=rsa.generate_private_key(65537, 1024))],
        "between is expired": [old.issued(), old.certificate],
        "between is no authority": [no_authority.issued(), no_authority.certificate],
        "between is missing": [Authority("中间证书", root).issued()],
    }  # fmt: skip


def written(path: Path, *authorities: Authority) -> Path:
    pem = [one.certificate.public_bytes(Encoding.PEM) for one in authorities]
    path.write_bytes(b"".join(pem))
    return path
