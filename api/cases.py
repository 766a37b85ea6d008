"""The register of cases, for inspectors.

Owns its route and its shape. Invariant: whoever asks finds here the cases that the records show
him, and nobody else's refusals tell of them.
"""

from fastapi import APIRouter, Request, Response

from api.answers import Answer
from api.asking import asks
from api.queries import TheBureau, TheWhen, answered
from api.settings import Bureau
from api.shapes import opened, plain
from api.times import NOW, When, as_of
from projections.cases import register, undermined

router = APIRouter(prefix="/v1")


@asks(again=False)
def cases(bureau: Bureau, when: When = NOW) -> Answer:
    """Every person of every case begun by the day, and how each stands; `undermined` are the acts
    of cases that would now be refused, by what was entered since.
    """
    pair, stated = as_of(bureau, when)
    shaken = [
        {
            "position": entry.position, "type": entry.type, "zh": entry.cls.zh,
            "en": entry.cls.en, "effective": entry.effective, "tags": entry.tags,
            "refusal": refusal.as_dict(),
        }
        for entry, refusal in undermined(bureau.ledger, pair.recorded)
    ]  # fmt: skip
    rows = plain(register(bureau.records, pair))
    return opened(bureau, stated, {"matters": rows, "undermined": shaken})


@router.get("/cases", tags=["cases"])
def of_all(request: Request, bureau: TheBureau, when: TheWhen) -> Response:
    """The cases, whom each is about, when it came in, was concluded and told 案件."""
    return answered(request, cases(bureau, when))
