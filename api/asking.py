"""Questions by name: what is put on record of each, and how it is put again.

Owns the list of questions. Invariant: a parameter that may hold a private value is named, never
kept; a question put again opens nothing and is answered nobody.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar

from api.reader import PutAgain, Question
from api.settings import Bureau
from api.times import When, as_of
from domain.refusals import BadInput

P = ParamSpec("P")
R = TypeVar("R")

_TOO_LARGE = 2**63
_ASKED: dict[str, tuple[Callable[..., Any], str]] = {}


def asks(
    *,
    name: str | None = None,
    hides: Collection[str] = (),
    again: bool = True,
    pair: str = "when",
    one: str | None = None,
) -> Callable[[Callable[Concatenate[Bureau, P], R]], Callable[Concatenate[Bureau, P], R]]:
    """A question over a bureau that is put on record when it is answered.

    `hides`: parameters of which only the names are kept. `again`: it can be put again. `pair`: the
    parameter that is the answer's own pair. `one`: the parameter that names whom it is about.
    """

    def asking(
        function: Callable[Concatenate[Bureau, P], R],
    ) -> Callable[Concatenate[Bureau, P], R]:
        form = signature(function)
        called = name or function.__name__
        if again:
            _ASKED[called] = (function, pair)

        @wraps(function)
        def asked(bureau: Bureau, /, *args: P.args, **kwargs: P.kwargs) -> R:
            given = form.bind(bureau, *args, **kwargs).arguments
            parameters = {
                key: None if key in hides else _plain(bureau, key, value)
                for key, value in given.items()
                if key not in ("bureau", pair) and value != form.parameters[key].default
            }
            kind, colon, id_ = str(given.get(one or "") or "").rpartition(":")
            alone = id_ if id_ and (not colon or kind == "person") else None
            about = Question(called, parameters, alone, again)
            return function(bureau.asked(about), *args, **kwargs)

        return asked

    return asking


def _plain(bureau: Bureau, name: str, value: Any) -> Any:
    """A parameter as the log keeps it; a pair is pinned, for "latest" will be another.

    Raises BadInput for a number that no log and no table can hold.
    """
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise BadInput("no number as large as that is known here", field=name,
                       zh="数值过大")  # fmt: skip
    if isinstance(value, When):
        found, _ = as_of(bureau, value)
        return {"effective": found.effective.isoformat(), "recorded": found.recorded}
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, list | tuple) else value


def put_again(bureau: Bureau, said: Mapping[str, Any]) -> set[str]:
    """Everyone in the answer to a question on record, put again as of its own pair.

    Raises Refusal, LookupError where it can be put no more.
    """
    function, pair = _ASKED[said["question"]]
    given = {
        name: When(**value) if isinstance(value, dict) else value
        for name, value in said.get("parameters", {}).items()
    }
    given[pair] = When(said.get("effective"), said["recorded"])
    unread = PutAgain()
    function(bureau.put_again_to(unread), **given)
    return unread.persons
