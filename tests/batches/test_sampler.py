from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wesam.batches.sampler import StepSampler

runs = st.fixed_dictionaries(
    {
        "length": st.integers(1, 12),
        "batch_size": st.integers(1, 5),
        "steps": st.integers(0, 8),
        "seed": st.integers(0, 5),
        "accumulation": st.integers(1, 3),
    }
)


@given(runs)
def test_every_epoch_shows_every_item_once(run: dict[str, int]) -> None:
    batches = list(StepSampler(**run))
    assert len(batches) == run["steps"] * run["accumulation"] == len(StepSampler(**run))
    assert all(len(batch) == run["batch_size"] for batch in batches)
    keys = list(chain.from_iterable(batches))
    for start in range(0, len(keys), run["length"]):
        epoch = keys[start : start + run["length"]]
        assert {number for number, _ in epoch} == {start // run["length"]}
        indices = [index for _, index in epoch]
        assert len(set(indices)) == len(indices)
        assert set(indices) <= set(range(run["length"]))


@given(runs, st.data())
def test_a_resumed_run_sees_exactly_the_tail(run: dict[str, int], data: st.DataObject) -> None:
    done = data.draw(st.integers(0, run["steps"]))
    assert list(StepSampler(**run, start_step=done)) == list(StepSampler(**run))[done * run["accumulation"] :]


@given(runs, st.integers(1, 4))
def test_many_processes_see_what_one_with_accumulation_sees(run: dict[str, int], world: int) -> None:
    alone = list(StepSampler(**{**run, "accumulation": run["accumulation"] * world}))
    processes = [list(StepSampler(**run, rank=rank, world=world)) for rank in range(world)]
    assert list(chain.from_iterable(zip(*processes, strict=True))) == alone


def test_the_seed_and_the_epoch_decide_the_order() -> None:
    def order(seed: int) -> list[int]:
        return [index for batch in StepSampler(50, 10, 10, seed) for _, index in batch]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0)[:50] != order(0)[50:]


def test_can_be_iterated_again() -> None:
    sampler = StepSampler(5, 2, 4, seed=0)
    assert list(sampler) == list(sampler)


@pytest.mark.parametrize(
    "wrong", [{"length": 0}, {"batch_size": 0}, {"rank": 2, "world": 2}, {"start_step": 5}, {"accumulation": 0}]
)
def test_refuses_numbers_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        StepSampler(**{"length": 3, "batch_size": 1, "steps": 4, "seed": 0, **wrong})
