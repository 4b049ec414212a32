import torch
from hypothesis import given
from hypothesis import strategies as st

from wesam.methods.anchor_cache import Anchor, AnchorCache

CPU = torch.device("cpu")


def random_anchor(instances: int, side: int, seed: int) -> Anchor:
    generator = torch.Generator().manual_seed(seed)
    return Anchor(
        torch.rand(instances, side, side, generator=generator) > 0.5,
        torch.randn(instances + 1, 5, generator=generator),
        torch.rand(instances + 1, generator=generator) > 0.3,
    )


@given(instances=st.integers(1, 4), side=st.integers(1, 6).map(lambda g: 4 * g), seed=st.integers(0, 100))
def test_gives_back_the_same_bits(instances: int, side: int, seed: int) -> None:
    cache, anchor = AnchorCache(2**20), random_anchor(instances, side, seed)
    cache.put("a", anchor)
    kept = cache.get("a", CPU)
    assert kept is not None
    assert kept.masks.dtype == torch.bool
    assert torch.equal(kept.masks, anchor.masks)
    assert torch.equal(kept.z, anchor.z)
    assert torch.equal(kept.present, anchor.present)


def test_holds_one_bit_a_cell() -> None:
    cache = AnchorCache(2**20)
    cache.put("a", random_anchor(3, 16, 0))
    assert cache.used_bytes == 3 * 16 * 16 // 8 + 4 * 5 * 4 + 4


def test_does_not_follow_later_changes_of_what_it_was_given() -> None:
    cache, anchor = AnchorCache(2**20), random_anchor(1, 4, 0)
    cache.put("a", anchor)
    before = anchor.z.clone()
    anchor.z.zero_()
    kept = cache.get("a", CPU)
    assert kept is not None
    assert torch.equal(kept.z, before)


def test_the_least_recently_used_goes_first() -> None:
    cache = AnchorCache(2**20)
    cache.put("size", random_anchor(2, 8, 0))
    cache = AnchorCache(2 * cache.used_bytes)
    for key in ("a", "b"):
        cache.put(key, random_anchor(2, 8, 0))
    cache.get("a", CPU)
    cache.put("c", random_anchor(2, 8, 0))
    assert [key for key in "abc" if cache.get(key, CPU) is not None] == ["a", "c"]
    assert cache.used_bytes == cache.max_bytes


def test_keeps_nothing_that_exceeds_its_limit_alone_or_where_the_limit_is_0() -> None:
    for limit in (0, 10):
        cache = AnchorCache(limit)
        cache.put("a", random_anchor(2, 8, 0))
        assert cache.get("a", CPU) is None
        assert (len(cache), cache.used_bytes) == (0, 0)
