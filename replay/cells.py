"""What may stand in a cell where the entries give a value: as a sheet says it, and as JSON does.

Owns the second telling of how values are written; it travels inside the checker of an evidence
bundle and needs Python alone. Invariant: a private value may be withheld in a file, and one that is
not disclosed fits whatever stands there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from replay.lines import Both, Line
from replay.replayed import Secret

CLOSED = ({"erased": True}, {"restricted": True}, {"withheld": True})
_CONTROLS = dict.fromkeys((*range(10), *range(11, 32), *range(127, 160)), "\ufffd")


class Speech:
    """The words of one language: 0 Chinese, 1 English. `vocabulary`: words.json of a bundle."""

    def __init__(self, vocabulary: Mapping[str, Any], language: int) -> None:
        self._codes, self._language = vocabulary["codes"], language
        self._names, self._said = vocabulary.get("names", {}), vocabulary.get("said", {})

    def cells(self, column: str, lines: Iterable[Line], field: str) -> dict[str, str]:
        """Code → what stands for it; a word that two codes share stands for neither. `field`: the
        one whose codes the column holds.
        """
        codes = {one for line in lines if isinstance(one := bare(line.get(column)), str)}
        said = {code: self._coded(field, code) for code in codes}
        times = Counter(said.values())
        return {code: word if times[word] == 1 else code for code, word in said.items()}

    def texts(self, value: Any, cells: Mapping[str, str]) -> Collection[str]:
        """What may stand for a value whose private parts are known, the likeliest first."""
        if isinstance(value, Secret):
            return (*self.texts(value.value, cells), self._word("withheld"))
        if value is None:
            return ("",)
        if isinstance(value, Both):
            return (value[self._language],)
        if isinstance(value, str):
            return (cells.get(value, value), value)
        return (self._worded(value), self._worded(veiled(value)))

    def _word(self, name: str) -> str:
        return str(self._said[name][self._language])

    def _worded(self, value: Any) -> str:
        if value is None:
            return self._word("none")
        if isinstance(value, bool):
            return self._word("yes" if value else "no")
        if isinstance(value, Secret):
            return self._worded(value.value)
        if value == {"withheld": True}:
            return self._word("withheld")
        if isinstance(value, Mapping):
            names, held = self._names, {n: one for n, one in value.items() if one is not None}
            parts = ((names.get(n, (n, n))[self._language], n, one) for n, one in held.items())
            return " ".join(f"{name}={self._coded(n, one)}" for name, n, one in parts)
        if isinstance(value, list):
            return self._joined(self._worded(one) for one in value) or "—"
        return self._coded("", str(value))

    def _coded(self, field: str, value: Any) -> str:
        value = bare(value)
        if isinstance(value, list) and value:
            return self._joined(self._coded(field, one) for one in value)
        if not isinstance(value, str):
            return self._worded(value)
        words = self._codes.get(field, {}).get(value) or self._codes.get("", {}).get(value)
        return str(words[self._language]) if words else value.translate(_CONTROLS)

    def _joined(self, words: Iterable[str]) -> str:
        return ("、", ", ")[self._language].join(words)


def bare(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def veiled(value: Any) -> Any:
    """A value with its private parts withheld."""
    if isinstance(value, Secret):
        return {"withheld": True}
    if isinstance(value, dict):
        return {name: veiled(one) for name, one in value.items()}
    return [veiled(one) for one in value] if isinstance(value, list) else value


def secrets(value: Any) -> list[Secret]:
    """The private parts of a value."""
    if isinstance(value, Secret):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for part in inner for one in secrets(part)]


def fits(said: Any, value: Any, withheld: list[Secret]) -> bool:
    """Whether JSON says a value; what is withheld there, or not known here, is only noted."""
    if isinstance(value, Both):
        return isinstance(said, str) and said in value
    if isinstance(value, Secret):
        closed = said in CLOSED
        if closed or not value.known:
            withheld.append(value)
            return closed or not isinstance(said, dict)
        return fits(said, value.value, withheld)
    if isinstance(value, dict) and isinstance(said, dict) and value.keys() == said.keys():
        return all(fits(said[name], one, withheld) for name, one in value.items())
    if isinstance(value, list) and isinstance(said, list) and len(value) == len(said):
        return all(fits(a, b, withheld) for a, b in zip(said, value, strict=True))
    return type(said) is type(value) and bool(said == value)
