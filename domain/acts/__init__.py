"""Personnel law, a chapter a file named by its subject.

Owns the list of chapters: every module of this package. Invariant: a chapter knows no database; to
add an event type is to add a class to one chapter, and a test.
"""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every chapter, so that the registry holds every event type."""
    for chapter in iter_modules(__path__):
        import_module(f"{__name__}.{chapter.name}")
