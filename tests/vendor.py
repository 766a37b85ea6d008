"""Takes the two libraries that check.html carries from their packages, anew: `make vendor`.

Owns their pins. Invariant: what is written is the package's file to the byte, below a header that
says where it is from; a package that is not the pinned one is refused.
"""

import hashlib
import io
import subprocess
import tarfile
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "replay" / "page"


class Library(NamedTuple):
    """`integrity`: SHA-512 of the package, in base64; `digest`: SHA-256 of the file taken from it."""

    package: str
    version: str
    integrity: str
    source: str
    target: str
    digest: str
    about: str

    def header(self) -> str:
        return (
            f"/* {self.package} {self.version}, {self.source}: {self.about}\n"
            " * Taken unaltered by `make vendor`; licence: the Unlicense (public domain):\n"
            " * This is free and unencumbered software released into the public domain.\n"
            f" * SHA-256 of what follows this comment: {self.digest} */\n"
        )


LIBRARIES = [
    Library(
        "tweetnacl", "1.0.3",
        "6rt+RN7aOi1nGMyC4Xa5DdYiukl2UWCbcJft7YhxReBGQD7OAM8Pbxw6YMo4r2diNEA8FEmu32YOn9rhaiE5yw==",
        "nacl-fast.js", "nacl.js", "6bcd37a3b20dce913f82d4b23e4e2b661058b4b953df8a3f8c45d56ac4f72447",
        "Ed25519 and more, by the TweetNaCl-js contributors, audited by Cure53.",
    ),
    Library(
        "fast-sha256", "1.3.0",
        "n11RGP/lrWEFI/bWdygLxhI+pVeo1ZYIVwvvPkW7azl/rOy+F3HYRZ2K5zeE9mmkhQppyv9sQFx0JM9UabnpPQ==",
        "sha256.js", "sha256.js", "08abbd6528bcc26760f49399b9064b87199b9245ad22eea283f30fcffd79c8b3",
        "SHA-256, by Dmitry Chestnykh.",
    ),
]  # fmt: skip


def fetched(library: Library, folder: Path) -> bytes:
    """The package's file. Raises SystemExit where the package is another than the pinned one."""
    command = ["npm", "pack", "--silent", f"{library.package}@{library.version}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    packed = (folder / f"{library.package}-{library.version}.tgz").read_bytes()
    if hashlib.sha512(packed).digest() != b64decode(library.integrity):
        raise SystemExit(f"{library.package} {library.version} is not the pinned package")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        held = archive.extractfile(f"package/{library.source}")
        assert held is not None
        return held.read()


def main() -> None:
    for library in LIBRARIES:
        with tempfile.TemporaryDirectory() as folder:
            content = fetched(library, Path(folder))
        (FOLDER / library.target).write_bytes(library.header().encode() + content)
        print(library.target, hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
