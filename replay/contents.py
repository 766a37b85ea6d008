"""Whether entries keep what they promise: a pack's digest, a private field under its owner's key;
and whether the keyed lookup of unique values finds those who stated them.

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
from domain.events import REGISTRY, Entry
from domain.ledger.log import EventLog
from domain.ledger.sealed import Owner, is_sealed
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
    held = (*_keys(log, vault, until), *_claims(log, vault, until)) if vault else ()
    for one in (*_packs(log, until), *held):
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


def _claims(log: EventLog, vault: Vault, until: int) -> Iterator[Finding]:
    """Whom the lookup names has stated that very value; what cannot be opened is not looked at."""
    stated: dict[tuple[str, str], set[bytes]] = {}
    first: dict[tuple[str, str], int] = {}
    unread: set[tuple[str, str]] = set()
    values = _unique(log, until)
    while held := [*islice(values, TOGETHER)]:
        with suppress(VaultUnfit):
            vault.hold([Owner(sealed["o"], sealed["k"]) for _, _, _, sealed in held])
        for position, kind, name, sealed in held:
            place = kind, sealed["o"]
            first.setdefault(place, position)
            try:
                blind = vault.blind(kind, str(vault.open(name, sealed)))
                stated.setdefault(place, set()).add(blind)
            except (Unreadable, ValueError, VaultUnfit):
                unread.add(place)
    for claim in log.claims():
        place = claim.kind, claim.subject
        if claim.blind not in stated.get(place, ()) and place not in unread:
            yield Finding(
                Kind.TAGS, first.get(place, 0),
                f"查重索引({claim.kind})记在 {claim.subject} 名下的不是其登记的值",
                f"the lookup of the {claim.kind} names {claim.subject}, who never stated that "
                "value",
            )  # fmt: skip


def _unique(log: EventLog, until: int) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    """Position, kind, name and sealed form of every value that only one subject may hold."""
    kinds = {
        name: {field: mark.unique for field, mark in cls.private.items() if mark.unique}
        for name, cls in REGISTRY.items()
    }
    types = [name for name, of_type in kinds.items() if of_type]
    stating = DCBQuery(items=[DCBQueryItem(types=types)])
    for entry in (Entry(*stored) for stored in log.entries(stating, until=until)):
        for field, kind in kinds[entry.type].items():
            if is_sealed(sealed := entry.fields.get(field)):
                yield entry.position, kind, field, dict(sealed or {})


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
