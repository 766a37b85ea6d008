"""A time-stamp authority of our own: `openssl ts` behind a socket, its clock where a test puts it."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
OPENSSL = shutil.which("openssl")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certified(
    name, key, issuer, issuer_key, *, stamps=False, authority=False, lasts=timedelta(days=3650)
):
    """A certificate (X.509), for time stamps or for issuing others."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + lasts)
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    if stamps:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(use, True)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class LocalAuthority:
    """Its root, and a signer under it, in a folder."""

    def __init__(
        self, folder: Path, *, curve: bool = False, lasts: timedelta = timedelta(days=3650)
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        made = (
            [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)] if curve
            else [rsa.generate_private_key(65537, 2048) for _ in range(2)]
        )  # fmt: skip
        root_key, key = made
        root = certified("root", root_key, "root", root_key, authority=True)
        own = certified("stamps", key, "root", root_key, stamps=True, lasts=lasts)
        self.roots, self.own = folder / "root.pem", folder / "own.pem"
        self.roots.write_bytes(_pem(root))
        self.own.write_bytes(_pem(own))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))

    def answer(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        command = [
            OPENSSL, "ts", "-reply", "-config", "openssl.cnf", "-section", "here",
            "-queryfile", "request", "-inkey", "key.pem", "-signer", "own.pem", "-out", "reply",
        ]  # fmt: skip
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "reply").read_bytes()

    @contextmanager
    def served(self, spoil=lambda answer: answer) -> Iterator[str]:
        """Its address, while it answers."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                answer = spoil(authority.answer(asked))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
