"""Who is whom: persons entered under several ids, as merges join them.

Owns the forest of merged ids. Invariant: every id leads to one kept id, whatever the order of the
merges, and ids are of one family exactly when merges join them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator


class Forest:
    """Made of (merged, kept) pairs in order of entry; an id in no pair is its own kept one."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        into: dict[str, str] = {}

        def top(person: str) -> str:
            while person in into:
                person = into[person]
            return person

        for merged, kept in pairs:
            low, high = top(merged), top(kept)
            if low != high:
                into[low] = high
        self._kept = {person: top(person) for person in into}
        families: defaultdict[str, list[str]] = defaultdict(list)
        for person in sorted(self._kept):
            families[self._kept[person]].append(person)
        self._families = {kept: (kept, *old) for kept, old in families.items()}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __iter__(self) -> Iterator[str]:
        """Every id of which a merge speaks."""
        yield from self._kept
        yield from self._families

    def differing(self, other: "Forest") -> set[str]:
        """Every id of the families of those whom the two forests file under different ids."""
        moved = {p for p in (*self, *other) if self.kept(p) != other.kept(p)}
        return {alias for p in moved for f in (self, other) for alias in f.family(p)}

    def kept(self, person: str) -> str:
        """The id under which this person's facts are filed."""
        return self._kept.get(person, person)

    def family(self, person: str) -> tuple[str, ...]:
        """Every id of this person, the kept one first."""
        kept = self.kept(person)
        return self._families.get(kept, (kept,))

    def subjects(self, subject: str) -> list[str]:
        """Every subject (`kind:id`) that is this one, the kept one first."""
        kind, _, id_ = subject.partition(":")
        if kind != "person" or not self:
            return [subject]
        return [f"person:{alias}" for alias in self.family(id_)]
