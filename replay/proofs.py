"""One entry's proof as one small file (C2SP tlog-proof): written here, checked anywhere.

Owns its form and the verdict on it; it travels inside the checker and needs Python and
`cryptography` alone. Invariant: what is told of the entry is read from the very bytes that the
signed head covers; the file's extra data proves nothing by itself.

The extra data is the entry as it was hashed. Where it is left out, a receipt tells which leaf it
is.
"""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from replay.findings import Asked, Finding, Kind, Told, Verdict
from replay.offline import b64, entry_of, head_of, included, signed

PROOF = "c2sp.org/tlog-proof@v1"
_FORM = re.compile(
    re.escape(PROOF)
    + r"\n(?:extra (?P<extra>[A-Za-z0-9+/=]*)\n)?index (?P<index>0|[1-9][0-9]{0,18})\n"
    r"(?P<path>(?:[A-Za-z0-9+/=]+\n)*)\n(?P<note>.*)",
    re.DOTALL,
)
_GOOD = "证明核验一致", "The entry is what the ledger sealed"


def proof_text(index: int, path: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """That leaf `index` (from 0) is under a head, whose note ends the file."""
    more = [f"extra {b64encode(extra).decode()}"] if extra else []
    lines = [PROOF, *more, f"index {index}", *(b64encode(one).decode() for one in path)]
    return "".join(f"{line}\n" for line in lines) + "\n" + note


def is_proof(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PROOF) + 1) == f"{PROOF}\n".encode()
    except OSError:
        return False


def check_proof(path: Path, asked: Asked) -> Verdict:
    """The verdict on a proof; raises nothing for whatever the file holds."""
    told = Told()
    try:
        entry = _checked(told, path.read_text("utf-8"), asked)
    except Exception:  # noqa: BLE001 - whatever a hostile file does to a parser is a finding
        told.find(Kind.UNREADABLE, "不是可读取的证明", "this is no proof that can be read")
        entry = None
    found: list[Finding] = sorted(told.findings, key=lambda f: f.kind)
    return Verdict(found, told.said, entry, good=_GOOD)


def _checked(told: Told, text: str, asked: Asked) -> Any:
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError("no proof")
    note, position = form["note"], int(form["index"]) + 1
    _unanswerable(told, asked)
    origin, size, root = head_of(note)
    _signatures(told, origin, note, asked)
    raw = b64(form["extra"]) if form["extra"] else None
    leaf = None if raw is None else entry_of(raw).leaf
    acknowledged = _acknowledged(told, origin, position, asked)
    if leaf is not None and acknowledged not in (None, leaf):
        told.find(
            Kind.RECEIPT, f"账本签发过第 {position} 条登记的回执,证明中的登记与之不符",
            f"the ledger gave a receipt for entry {position}, which is another here",
        )  # fmt: skip
    leaf = leaf or acknowledged
    if leaf is None:
        told.find(
            Kind.UNPROVED, f"证明中没有第 {position} 条登记的内容,也未给出其回执:不知所证为何",
            f"the proof does not hold entry {position}, and no receipt for it was given: what it "
            "proves is not known",
        )  # fmt: skip
        return None
    path = [b64(line) for line in form["path"].split()]
    same = raw is None or entry_of(raw).position == position
    if not same or included(leaf, position - 1, size, path) != root:
        told.find(
            Kind.ENTRY, f"第 {position} 条登记不是封签时的原样",
            f"entry {position} is not what was sealed",
        )  # fmt: skip
        return None
    told.say(
        f"第 {position} 条登记在 {origin} 共 {size} 条之封签下",
        f"entry {position} lies under a head of {origin} over {size}",
    )  # fmt: skip
    return None if raw is None else _shown(raw)


def _unanswerable(told: Told, asked: Asked) -> None:
    """What one entry and a head cannot prove is said."""
    wanted = {
        "--kept": asked.kept, "--stamps": asked.stamps, "--report": asked.report,
        "--replay": asked.replay, "--everyone": asked.everyone, "--who-read": asked.who_read,
        "--by": asked.by,
    }  # fmt: skip
    for option, given in wanted.items():
        if given:
            told.find(
                Kind.UNPROVED, f"单条登记的证明不能回答 {option}:请导出证据包",
                f"one entry's proof cannot answer {option}: have a bundle exported",
            )  # fmt: skip


def _signatures(told: Told, origin: str, note: str, asked: Asked) -> None:
    if asked.key is None:
        told.find(
            Kind.UNPROVED, "未给出账本公钥:不能证明封签出自哪个账本",
            "no public key was given: which ledger made the head is not proved",
        )  # fmt: skip
    elif asked.key.strip().partition("+")[0] != origin or not signed(note, asked.key):
        told.find(
            Kind.SIGNATURE, "封签没有所给公钥的有效签名",
            "the head bears no valid signature of the key given",
        )  # fmt: skip
    for witness in asked.witness_keys:
        whose = witness.partition("+")[0]
        if signed(note, witness):
            told.say(f"封签有见证人 {whose} 的有效会签", f"the head bears a line of {whose}")
        else:
            told.find(
                Kind.WITNESS, f"封签没有见证人 {whose} 的有效会签",
                f"the head bears no valid line of the witness {whose}",
            )  # fmt: skip


def _acknowledged(told: Told, origin: str, position: int, asked: Asked) -> bytes | None:
    """The leaf of the entry as a receipt of this ledger names it."""
    leaf = None
    for path in asked.receipts:
        note = path.read_text()
        first, _, *rows = note.rpartition("\n\n")[0].split("\n")
        if asked.key is None or first != f"{origin} receipt" or not signed(note, asked.key):
            told.find(Kind.RECEIPT, "回执不是本账本所签", "a receipt was not signed by this ledger")
            continue
        named = dict(row.partition(" ")[::2] for row in rows)
        if str(position) in named:
            leaf = b64(named[str(position)])
    return leaf


def _shown(raw: bytes) -> dict[str, Any]:
    entry = entry_of(raw)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=entry.recorded_at)
    return {
        "position": entry.position, "recorded_at": at.isoformat(), "type": entry.type,
        "tags": entry.tags, "data": json.loads(entry.data),
    }  # fmt: skip
