"""Whether entries keep what they promise: a pack's digest, a private field under its owner's key;
whether the keys that entries order closed are closed, and no others; and whether the keyed lookup
of unique values finds those who stated them, all of them.

Owns the verdict on what lies within sealed entries; a thief of the signing key can seal what is not
so. Invariant: it reads the log and the vault, opens a field only to hold it against its commitment,
and tells no value.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import islice
from typing import NamedTuple

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from domain.acts.packs import PackPublished
from domain.acts.privacy import PrivateDataDestroyed, PrivateDataRestricted
from domain.events import REGISTRY, Entry, FactAnnulled
from domain.ledger.disposal import TYPES, Disposal
from domain.ledger.log import Claim, EventLog
from domain.ledger.reading import ever_joined
from domain.ledger.sealed import Owner, is_sealed, sealed_owners
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
    held = (_keys(log, vault, until), _claims(log, vault)) if vault else ()
    for part in (_packs(log, until), *held):
        for one in _readable(part, log, until):
            first = found.get(one.kind)
            found[one.kind] = first._replace(total=first.total + 1) if first else one
    return [*found.values()]


def _readable(part: Iterator[Finding], log: EventLog, until: int) -> Iterator[Finding]:
    """What a part finds; where it meets an entry that cannot be read, that is its last finding."""
    try:
        yield from part
    except (OperationalError, PoolTimeout):
        raise
    except Exception:  # noqa: BLE001 - whatever a hostile row does to a parser is a finding
        position = _unread(log, until)
        yield Finding(
            Kind.ENTRY, position,
            f"第 {position} 条登记不能读取:密钥、规则包或查重索引未能核验",
            f"entry {position} cannot be read: keys, packs or the lookup were not looked at",
        )  # fmt: skip


def _unread(log: EventLog, until: int) -> int:
    """The first entry that lacks what its type declares; it is looked for one by one where a page
    of them cannot be fetched.
    """
    position = 0
    for limit in (None, 1):
        with suppress(Exception):
            before = -1
            while before < position:
                before = position
                for stored in log.entries(after=position, until=until, limit=limit):
                    if not Entry(*stored).whole:
                        return stored.position
                    position = stored.position
    return position + 1


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
    seen: dict[Owner, int] = {}
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
    yield from _closed(log, vault, until, seen)


def _closed(
    log: EventLog, vault: Vault, until: int, seen: Mapping[Owner, int]
) -> Iterator[Finding]:
    """A key is gone, or in escrow, where an entry orders it and nowhere else: the entry comes
    first. What was ordered up to a position has been done.
    """
    due, orders = _ordered(log, vault, until), _ordered(log, vault)
    states: dict[Owner, set[str]] = {}
    owners = iter(seen)
    while some := [*islice(owners, TOGETHER)]:
        states |= vault.states(some)
    for owner, position in seen.items():
        said = _amiss(owner, states[owner], due, orders)
        if said is not None:
            subject, cls = owner
            yield Finding(
                Kind.KEY, position,
                f"人员 {subject} 的密钥({cls})自第 {position} 条登记起使用,{said[0]}",
                f"the key of {subject} ({cls}), in use since entry {position}, {said[1]}",
            )  # fmt: skip


def _amiss(
    owner: Owner, states: set[str], due: "_Orders", orders: "_Orders"
) -> tuple[str, str] | None:
    if (order := due.destroyed.get(owner)) is not None and not states <= {"destroyed"}:
        return (
            f"第 {order} 条登记已下令销毁,却仍在密钥库中",
            f"was ordered destroyed by entry {order} and is in the vault all the same",
        )
    if owner in orders.destroyed:
        return None
    if (order := due.closed.get(owner)) is not None and "active" in states:
        return (
            f"第 {order} 条登记已下令限制处理且未解除,却仍可使用",
            f"was ordered into escrow by entry {order}, which stands, and opens all the same",
        )
    if "destroyed" in states:
        zh, en = "在密钥库中记为已销毁", "is marked destroyed in the vault"
    elif not states:
        zh, en = "已不在密钥库中", "is gone from the vault"
    elif "restricted" in states and owner not in orders.restricted:
        zh, en = "在密钥库中记为限制处理", "is in escrow in the vault"
    else:
        return None
    return f"{zh},而没有登记下令如此", f"{en}, and no entry orders that"


class _Orders(NamedTuple):
    """Whose keys the log orders destroyed, whose it ever ordered into escrow (a lifted one comes
    back when its holders bring it), and whose are in escrow still; each with the ordering entry.
    """

    destroyed: dict[Owner, int]
    restricted: dict[Owner, int]
    closed: dict[Owner, int]


def _ordered(log: EventLog, vault: Vault, until: int | None = None) -> _Orders:
    disposal, found = Disposal(log, vault), _Orders({}, {}, {})
    query = DCBQuery(items=[DCBQueryItem(types=TYPES)])
    entries = [Entry(*stored) for stored in log.entries(query, until=until)]
    lifted = {entry.ended for stored in log.entries(query) if (entry := Entry(*stored)).ended}
    for entry in entries:
        if entry.type == PrivateDataDestroyed.__name__:
            found.destroyed.update(dict.fromkeys(disposal.owners(entry), entry.position))
        elif entry.type == PrivateDataRestricted.__name__:
            owners = dict.fromkeys(disposal.owners(entry), entry.position)
            found.restricted.update(owners)
            found.closed.update(owners if entry.id not in lifted else {})
    return found


class _Stated(NamedTuple):
    """A unique value that an entry states; no `blind` where it cannot be opened."""

    kind: str
    owner: Owner
    position: int
    place: tuple[date, int, int]
    blind: bytes | None


def _claims(log: EventLog, vault: Vault) -> Iterator[Finding]:
    """Whom the lookup names has stated that very value, and whoever states one is named, or one who
    was ever the same person; what cannot be opened is not compared.
    """
    head, held = log.claims()
    ever: defaultdict[tuple[str, str], set[bytes | None]] = defaultdict(set)
    first: dict[tuple[str, str], int] = {}
    newest: dict[tuple[str, str], _Stated] = {}
    for one, stands in _statements(log, vault, head):
        who = one.kind, one.owner.subject
        ever[who].add(one.blind)
        first[who] = min(one.position, first.get(who, one.position))
        if stands and (who not in newest or newest[who].place < one.place):
            newest[who] = one
    for claim in held:
        who = claim.kind, claim.subject
        if claim.blind not in ever[who] and None not in ever[who]:
            yield Finding(
                Kind.TAGS, first.get(who, 0),
                f"查重索引({claim.kind})记在 {claim.subject} 名下的不是其登记的值",
                f"the lookup of the {claim.kind} names {claim.subject}, who never stated that "
                "value",
            )  # fmt: skip
    yield from _lacking(log, vault, head, held, [*newest.values()])


def _lacking(
    log: EventLog, vault: Vault, head: int, held: Sequence[Claim], stated: Sequence[_Stated]
) -> Iterator[Finding]:
    by_blind = {(claim.kind, claim.blind): claim.subject for claim in held}
    holders = {(claim.kind, claim.subject) for claim in held}
    joined = ever_joined(log, head)
    destroyed = _ordered(log, vault).destroyed
    for one in sorted(stated, key=lambda one: one.position):
        family = joined.family(one.owner.subject)
        if one.owner in destroyed:
            continue
        if one.blind is None:
            there = any((one.kind, alias) in holders for alias in family)
        else:
            there = by_blind.get((one.kind, one.blind)) in family
        if not there:
            yield Finding(
                Kind.TAGS, one.position,
                f"查重索引({one.kind})缺少 {one.owner.subject} 在第 {one.position} 条登记中"
                "登记的值:他人可再以此值登记",
                f"the lookup of the {one.kind} lacks what {one.owner.subject} stated in entry "
                f"{one.position}: another could be entered with it",
            )  # fmt: skip


def _statements(log: EventLog, vault: Vault, until: int) -> Iterator[tuple[_Stated, bool]]:
    """Every value that only one subject may hold, and whether it stands: its chain is not annulled,
    and no correction says otherwise.
    """
    kinds = {
        name: {field: mark.unique for field, mark in cls.private.items() if mark.unique}
        for name, cls in REGISTRY.items()
    }
    types = [name for name, of_type in kinds.items() if of_type]
    chains: dict[str, tuple[int, list[_Stated]]] = {}
    annulled: set[str] = set()
    query = DCBQuery(items=[DCBQueryItem(types=[*types, FactAnnulled.__name__])])
    entries = (Entry(*stored) for stored in log.entries(query, until=until))
    while some := [*islice(entries, TOGETHER)]:
        with suppress(VaultUnfit):
            vault.hold({owner for entry in some for owner in sealed_owners(entry.fields)})
        for entry in some:
            if entry.type == FactAnnulled.__name__:
                annulled ^= {entry.root}
                continue
            root, before = chains.get(entry.root, (entry.position, []))
            yield from ((one, False) for one in before)
            place = entry.effective, entry.seq, root
            stated = _stated_in(entry, kinds[entry.type], place, vault)
            chains[entry.root] = root, stated
    for id_, (_, newest) in chains.items():
        yield from ((one, id_ not in annulled) for one in newest)


def _stated_in(
    entry: Entry, kinds: Mapping[str, str], place: tuple[date, int, int], vault: Vault
) -> list[_Stated]:
    found = []
    for field, kind in kinds.items():
        sealed = entry.fields.get(field)
        if sealed is None or not is_sealed(sealed):
            continue
        blind: bytes | None = None
        with suppress(Unreadable, ValueError, VaultUnfit):
            blind = vault.blind(kind, str(vault.open(field, sealed)))
        owner = Owner(sealed["o"], sealed["k"])
        found.append(_Stated(kind, owner, entry.position, place, blind))
    return found


def _sealed(log: EventLog, until: int, seen: dict[Owner, int]) -> Iterator[_Held]:
    for stored in log.entries(until=until):
        if b'"x":"' not in stored.data:
            continue
        entry = Entry(*stored)
        for name, sealed in sealed_in(entry.envelope["fields"]):
            owner = Owner(sealed["o"], sealed["k"])
            if owner not in seen:
                seen[owner] = entry.position
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
