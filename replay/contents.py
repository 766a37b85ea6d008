"""Whether entries keep what they promise: a pack's digest, a private field under its owner's key.

Owns the verdict on what lies within sealed entries; a thief of the signing key can seal what is not
so. Invariant: it reads the log and the vault, opens a field only to hold it against its commitment,
and tells no value.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.acts.packs import PackPublished
from domain.events import Entry
from domain.ledger.log import EventLog
from domain.ledger.sealed import Owner
from domain.ledger.vault import Unreadable, Vault
from domain.ledger.wrapping import VaultUnfit
from replay.refold import sealed_in
from replay.seals import Finding, Kind

TOGETHER = 1_000

_Held = tuple[int, str, dict[str, str]]


def findings(log: EventLog, vault: Vault | None, until: int) -> list[Finding]:
    """The first entry of each kind that does not keep its promise; without the vault no key is
    looked at.
    """
    found: dict[Kind, Finding] = {}
    for one in (*_packs(log, until), *(_keys(log, vault, until) if vault else ())):
        first = found.get(one.kind)
        found[one.kind] = first._replace(total=first.total + 1) if first else one
    return [*found.values()]


def _packs(log: EventLog, until: int) -> Iterator[Finding]:
    published = DCBQuery(items=[DCBQueryItem(types=[PackPublished.__name__])])
    for entry in (Entry(*stored) for stored in log.entries(published, until=until)):
        fields = entry.fields
        if hashlib.sha256(fields["text"].encode()).hexdigest() != fields["digest"]:
            yield Finding(
                Kind.DIGEST, entry.position,
                f"第 {entry.position} 条登记所发布的规则包 {fields['code']} 与其摘要不符",
                f"the pack {fields['code']} that entry {entry.position} publishes is not what its "
                "digest says",
            )  # fmt: skip


def _keys(log: EventLog, vault: Vault, until: int) -> Iterator[Finding]:
    """One field of each person and class is opened: their key is theirs, or it is another's."""
    seen: set[Owner] = set()
    sealed_fields = _sealed(log, until, seen)
    while held := [*islice(sealed_fields, TOGETHER)]:
        for position, name, sealed in _unfit(vault, held):
            owner, cls = sealed["o"], sealed["k"]
            yield Finding(
                Kind.KEY, position,
                f"第 {position} 条登记的保密字段 {name} 不能以人员 {owner} 的密钥({cls})打开:"
                "密钥库中的密钥已被调换",
                f"the private field {name} of entry {position} does not open with the key of "
                f"{owner} ({cls}): the key in the vault is another",
            )  # fmt: skip


def _sealed(log: EventLog, until: int, seen: set[Owner]) -> Iterator[_Held]:
    for entry in (Entry(*stored) for stored in log.entries(until=until)):
        if b'"x":"' not in entry.data:
            continue
        for name, sealed in sealed_in(entry.envelope["fields"]):
            owner = Owner(sealed["o"], sealed["k"])
            if owner not in seen:
                seen.add(owner)
                yield entry.position, name, sealed


def _unfit(vault: Vault, held: Sequence[_Held]) -> Iterator[_Held]:
    with_keys = [Owner(sealed["o"], sealed["k"]) for _, _, sealed in held]
    with suppress(VaultUnfit):  # one of them, at least: each is looked at by itself
        vault.hold(with_keys)
    for one in held:
        _, name, sealed = one
        try:
            vault.disclose(name, sealed)
        except Unreadable:
            continue
        except (ValueError, VaultUnfit):
            yield one
