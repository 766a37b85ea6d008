"""Changing the key that signs heads: an entry signed by both keys, then the file.

Owns the order of the steps. Invariant: the new key is in a file before the entry names it and takes
the old one's place after; a change that was cut short is finished by asking for it again.
"""

import os
from contextlib import suppress
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.acts.seals import SealKeyChanged
from domain.events import Actor, Proposal
from domain.ledger import Ledger
from domain.ledger.keyfile import key_in
from domain.ledger.requests import Receipt, Request
from domain.ledger.sealer import KeyNotInForce, Sealer
from domain.ledger.seals import Broken
from domain.notes import Note, key_text, public, signer


def change_key(ledger: Ledger, sealer: Sealer, actor: Actor) -> Receipt:
    """Put a new key in force. The old one stays beside the key file, named by its key id.

    Raises Refusal; Broken where nothing is sealed yet.
    """
    with suppress(KeyNotInForce):  # a change was cut short after its entry
        sealer.catch_up()
    origin = sealer.seals.origin()
    if origin is None:
        raise Broken("nothing is sealed yet: there is no key to change")
    file = sealer.key_file
    fresh = file.with_name(file.name + ".next")
    keys = [sealer.key(), Ed25519PrivateKey.from_private_bytes(key_in(fresh))]
    old, new = (public(origin, key) for key in keys)
    note = Note(key_text(old, new)).signed(signer(origin, key) for key in keys)
    change = SealKeyChanged(
        ledger=origin.rpartition("/")[2], previous=str(old), key=str(new), note=str(note)
    )
    proposal = Proposal(change, ledger.today(), event_id=uuid5(NAMESPACE_URL, str(new)))
    receipt = ledger.enter(Request([proposal], actor=actor))
    with suppress(FileExistsError):
        os.link(file, file.with_name(f"{file.name}.{old.key_id.hex()}"))
    fresh.replace(file)
    sealer.catch_up()
    return receipt
