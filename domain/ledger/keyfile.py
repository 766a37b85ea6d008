"""A key in a file of its own.

Owns the making and reading of key files. Invariant: a file appears whole, readable by its owner
only, and is never written over; once made it is there after any failure of power.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident


class KeyUnfit(ValueError):
    """The file does not hold a key, or not the one that is needed."""


def key_in(path: Path) -> bytes:
    """The 32 bytes in this file; made at random where there is none. Raises KeyUnfit."""
    if not path.exists():
        with suppress(FileExistsError):  # another process, or thread, was first
            keep_key(path, os.urandom(32))
    key = path.read_bytes()
    if len(key) != 32:
        raise KeyUnfit(f"{path.name} does not hold a key of 32 bytes")
    return key


def keep_key(path: Path, key: bytes) -> None:
    """Write a key to a file of its own. Raises FileExistsError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()
    keep_names(path.parent)


def keep_names(folder: Path) -> None:
    """Have the folder itself on disk: a file whose name is lost is as good as never written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
