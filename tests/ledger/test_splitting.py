"""Secrets in parts."""

import os
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ledger.escrow import new_holder, open_with, seal_to
from domain.ledger.splitting import BadPart, join, read, split, whole, written

secrets = st.binary(min_size=1, max_size=64)
TOLD_BY_CHANCE = 8  # bytes: what is joined of too few parts of a shorter secret may happen to be it


@given(secrets, st.integers(1, 6), st.integers(0, 3), st.data())
@settings(deadline=None, max_examples=60)
def test_any_parts_that_are_enough_give_the_secret_and_fewer_do_not(secret, needed, more, data):
    parts = split(secret, needed + more, needed, os.urandom)
    chosen = data.draw(st.permutations(parts))
    assert join(chosen[:needed]) == join(chosen) == secret
    if needed > 1 and len(secret) >= TOLD_BY_CHANCE:
        with pytest.raises(BadPart):
            join(chosen[: needed - 1])


def test_one_part_alone_can_be_of_every_secret():
    """Over all random terms a part takes every value once, whatever the secret is."""
    for secret in (b"\x00", b"\x07"):
        parts = [split(secret, 2, 2, lambda _, r=r: bytes([r])) for r in range(256)]
        for place in (0, 1):
            assert len({pair[place].body for pair in parts}) == 256


@pytest.mark.parametrize("pair", list(combinations(range(3), 2)))
def test_two_of_three_written_parts_give_a_key_back(pair):
    key = os.urandom(32)
    told = [written(part) for part in split(key, 3, 2, os.urandom)]
    assert join([read(told[n]) for n in pair]) == key
    assert len({len(text) for text in told}) == 1


@given(st.binary(min_size=1, max_size=40), st.integers(0, 200), st.sampled_from("ABCXYZ234567"))
@settings(deadline=None)
def test_a_written_part_with_one_letter_wrong_is_refused(secret, place, letter):
    text = written(whole(secret))
    at = place % len(text)
    wrong = text[:at] + letter + text[at + 1 :]
    if text[at] in (letter, "-"):
        return
    try:
        read_back = read(wrong)
    except BadPart:
        return
    assert read_back == whole(secret), "only bits that carry nothing may differ"


def test_case_blanks_and_hyphens_do_not_matter():
    text = written(whole(b"secret"))
    assert read(f" {text.lower().replace('-', ' ')}\n") == whole(b"secret")


@pytest.mark.parametrize("text", ["", "-", "é", "A", "AAAA", "0189-!", "A" * 500])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(BadPart):
        read(text)


def test_parts_of_two_secrets_or_one_twice_are_refused():
    one, other = (split(os.urandom(32), 3, 2, os.urandom) for _ in range(2))
    for parts in ([one[0], other[1]], [one[0], one[0]], []):
        with pytest.raises(BadPart):
            join(parts)


def test_a_holder_opens_what_was_sealed_to_the_holder_and_there_only():
    holder, other = new_holder(), new_holder()
    sealed = seal_to(holder.public_key, b"part", b"here")
    assert open_with(holder.code, sealed, b"here") == b"part"
    assert open_with(holder.code, sealed, b"there") is None
    assert open_with(other.code, sealed, b"here") is None
    with pytest.raises(BadPart):
        open_with(written(split(os.urandom(32), 3, 2, os.urandom)[0]), sealed, b"here")
