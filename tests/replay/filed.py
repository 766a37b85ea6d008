"""Reports as tests save them to files, alter them and hold them against bundles."""

import csv
import json
from datetime import date

import orjson

from api import answers, exports
from api.exports import vocabulary
from domain.bitemporal import AsOf
from replay.check import check
from replay.evidence import Wanted, export
from replay.findings import Asked, Kind

DAY = date(2021, 8, 1)
UNPACKS = 80
"""The first Chromium that unpacks workbooks."""


def exported(bureau, path, **wanted):
    pair = AsOf(DAY, bureau.ledger.log.head())
    wanted = {"disclose": frozenset({"identity"}), "words": vocabulary()} | wanted
    export(bureau.ledger, bureau.records, bureau.sealer, Wanted(pair, **wanted), path)
    return path


def filed(bureau, out, report, answer, lang="zh", layout=None, private=False):
    answer = orjson.loads(answers.to_bytes(answer))
    made = exports.made(
        bureau, report, answer, read=1, lang=lang, layout=layout, private=private
    )  # fmt: skip
    exports.save(made, out, lang=lang)
    return out


def agrees(bundle, path, **asked):
    verdict = check(bundle, Asked(report=path, **asked))
    assert verdict.findings == []
    [said] = [en for _, en in verdict.said if en.startswith("the report given")]
    return said


def wrong(bundle, path):
    findings = check(bundle, Asked(report=path)).findings
    assert {f.kind for f in findings} == {Kind.REPORT}, findings
    return [f.en.removeprefix("the report given: ") for f in findings]


def altered(path, change):
    """The rows of a CSV file or the lines of a .jsonl one, changed."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        change(rows)
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(rows)
    else:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        change(rows)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
