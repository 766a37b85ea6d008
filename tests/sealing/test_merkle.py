"""The tree is RFC 9162's: the values published for it, and a tree drawn by its definition."""

import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.merkle import (
    EMPTY,
    WIDTH,
    Frontier,
    complete,
    consistency,
    consistent,
    included,
    inclusion,
    node,
    root,
)

# the eight leaves, roots and proofs of Certificate Transparency's reference implementation
INPUTS = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
PATHS = [
    (0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, ROOTS[3]]), (2, 3, [ROOTS[1]]),
    (1, 5, [ROOTS[0], B, D]),
]  # fmt: skip
EXTENSIONS = [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])]


def hashed(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def subtrees(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    return lambda height, index: complete(leaves[index << height : (index + 1) << height])


LEAVES = [hashed(bytes.fromhex(text)) for text in INPUTS]


def test_the_published_roots():
    assert root([]) == EMPTY == bytes.fromhex(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )  # fmt: skip
    assert [root(LEAVES[: n + 1]).hex() for n in range(8)] == ROOTS


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_the_published_inclusion_proofs(index, size, path):
    got = inclusion(index, size, subtrees(LEAVES))
    assert [one.hex() for one in got] == path
    assert included(LEAVES[index], index, size, got, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "path"), EXTENSIONS)
def test_the_published_consistency_proofs(old, new, path):
    got = consistency(old, new, subtrees(LEAVES))
    assert [one.hex() for one in got] == path
    roots = [bytes.fromhex(ROOTS[size - 1]) for size in (old, new)]
    assert consistent(old, roots[0], new, roots[1], got)


# a tree drawn by the definition of RFC 9162, 2.1


def naive(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    k = next(1 << p for p in range(64) if 1 << p < len(leaves) <= 2 << p)
    return node(naive(leaves[:k]), naive(leaves[k:]))


def forest(size: int) -> list[bytes]:
    return [hashed(n.to_bytes(4)) for n in range(size)]


@settings(max_examples=40)
@given(st.integers(0, 1100), st.data())
def test_a_tree_grown_in_steps_has_the_naive_root_and_yields_the_hashes_of_tiles(size, data):
    leaves = forest(size)
    tree, rows = Frontier(), [[], []]
    stops = sorted({*data.draw(st.lists(st.integers(0, size), max_size=4)), size})
    for stop in stops:
        for level, row in enumerate(tree.extend(leaves[tree.size : stop])):
            rows[level] += row
        assert tree.root() == naive(leaves[:stop])
    assert rows[0] == leaves
    wide = [leaves[n : n + WIDTH] for n in range(0, size - WIDTH + 1, WIDTH)]
    assert rows[1] == [complete(tile) for tile in wide]
    again = Frontier(size, subtrees(leaves))
    again.extend(forest(size + 3)[size:])
    assert again.root() == naive(forest(size + 3))


@given(st.integers(1, 300), st.data())
def test_a_leaf_is_proved_and_nothing_else_is(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = forest(size)
    path = inclusion(index, size, subtrees(leaves))
    top = naive(leaves)
    assert included(leaves[index], index, size, path, top)
    assert not included(hashed(b"other"), index, size, path, top)
    assert not included(leaves[index], index, size, [*path, top], top)
    assert not included(leaves[index], size, size, path, top)
    if size > 1:
        assert not included(leaves[index], (index + 1) % size, size, path, top)
        assert not included(leaves[index], index, size, path[:-1], top)


@given(st.integers(1, 300), st.data())
def test_growth_is_proved_and_nothing_else_is(new, data):
    old = data.draw(st.integers(0, new))
    leaves = forest(new)
    path = consistency(old, new, subtrees(leaves))
    was, now = naive(leaves[:old]), naive(leaves)
    assert consistent(old, was, new, now, path)
    assert not consistent(old, hashed(b"other"), new, now, path)
    assert not consistent(old, was, new, now, [*path, now])
    assert not consistent(new + 1, was, new, now, path)
    if 0 < old < new:
        assert not consistent(old, was, new, hashed(b"other"), path)
        forked = [*leaves[: old - 1], hashed(b"forked"), *leaves[old:]]
        assert not consistent(old, was, new, naive(forked), consistency(old, new, subtrees(forked)))


def test_there_is_no_proof_beyond_the_tree():
    for index, size in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ValueError, match="no such leaf"):
            inclusion(index, size, subtrees(LEAVES))
    with pytest.raises(ValueError, match="smaller"):
        consistency(5, 4, subtrees(LEAVES))
