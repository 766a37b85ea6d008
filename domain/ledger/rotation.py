"""Changing the key that signs heads: an entry signed by both keys, then the file.

Owns the order of the steps. Invariant: the new key is in a file before the entry names it and takes
the old one's place after; a change that was cut short is finished by asking for it again.
"""

import os
from contextlib import suppress
from uuid import NAMESPACE_URL, UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.acts.seals import SealKeyChanged
from domain.events import Actor, Proposal
from domain.ledger import Ledger
from domain.ledger.keyfile import keep_names, key_in
from domain.ledger.reads import ReadLog
from domain.ledger.requests import Receipt, Request
from domain.ledger.sealer import KeyNotInForce, Sealer
from domain.ledger.seals import Broken
from domain.notes import Note, Verifier, key_text, public, signer

_NEXT = ".next"


def change_key(ledger: Ledger, sealer: Sealer, reads: ReadLog, actor: Actor) -> Receipt:
    """Put a new key in force, for the heads of both logs. The old one stays beside the key file,
    named by its key id.

    Raises Refusal; Broken where nothing is sealed yet.
    """
    for one in (sealer, reads.sealer):
        with suppress(KeyNotInForce):  # a change was cut short after its entry
            one.catch_up()
    change, old, id_ = _change(sealer)
    receipt = ledger.enter(Request([Proposal(change, ledger.today(), event_id=id_)], actor=actor))
    with suppress(Broken):  # nothing was read yet: the new key signs the first head
        change, _, id_ = _change(reads.sealer)
        reads.change_key(change, id_)
    file = sealer.key_file
    with suppress(FileExistsError):
        os.link(file, file.with_name(f"{file.name}.{old.key_id.hex()}"))
    file.with_name(file.name + _NEXT).replace(file)
    keep_names(file.parent)
    sealer.catch_up()
    reads.sealer.catch_up()
    return receipt


def _change(sealer: Sealer) -> tuple[SealKeyChanged, Verifier, UUID]:
    """What both keys sign for one log, the old key, and the id that a repetition has too."""
    origin = sealer.seals.origin()
    if origin is None:
        raise Broken("nothing is sealed yet: there is no key to change")
    fresh = sealer.key_file.with_name(sealer.key_file.name + _NEXT)
    keys = [sealer.key(), Ed25519PrivateKey.from_private_bytes(key_in(fresh))]
    old, new = (public(origin, key) for key in keys)
    note = Note(key_text(old, new)).signed(signer(origin, key) for key in keys)
    change = SealKeyChanged(
        ledger=origin.rpartition("/")[2], previous=str(old), key=str(new), note=str(note)
    )
    return change, old, uuid5(NAMESPACE_URL, str(new))
