"""What must hold for every kind of update, on every family that has it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from tests.updates.kinds import (
    FAMILIES,
    KINDS,
    close,
    network,
    optimiser_of,
    predicted,
    train,
    updated,
)
from wesam.methods.ema import EmaAdapter
from wesam.models.fingerprint import fingerprint
from wesam.models.segmenter import Segmenter
from wesam.updates.load import attach_adapter
from wesam.updates.update import merged_model

#: A family without what the kind changes.
NOT_THERE = {("lora-qv", "edgetam")}


def product() -> list[object]:
    """Every kind with one family and every family with one kind, and in `make test-all` all of them."""
    kinds, families = list(KINDS), list(FAMILIES)
    everyday = {(kind, families[number % len(families)]) for number, kind in enumerate(kinds)}
    everyday |= {(kinds[(3 * number) % len(kinds)], family) for number, family in enumerate(families)}
    everyday |= {(kind, "edgetam") for kind in ("lora", "renewed-norms")}  # the one with BatchNorms
    return [
        pytest.param(kind, family, id=f"{kind}-{family}", marks=[] if (kind, family) in everyday else pytest.mark.full)
        for family in families
        for kind in kinds
        if (kind, family) not in NOT_THERE
    ]


each = pytest.mark.parametrize(("kind", "family"), product())


@each
def test_the_life_of_an_update(kind: str, family: str, tmp_path: Path) -> None:
    source_model = network(family)
    source, source_weights = predicted(source_model), fingerprint(source_model)
    segmenter, update = updated(kind, family)
    assert torch.equal(predicted(segmenter)[0], source[0])  # fresh, it changes nothing
    start = update.state()
    assert {id(p) for p in segmenter.parameters() if p.requires_grad} == {id(p) for p in update.parameters()}

    average = EmaAdapter(segmenter, decay=0.5)
    train(segmenter, update, optimiser_of(update))
    average.update(segmenter)
    learned = predicted(segmenter)
    assert not torch.allclose(learned[0], source[0], atol=1e-4)
    assert any(not torch.equal(start[name], tensor) for name, tensor in update.tensors().items())

    # Off is the source bit for bit, in training too, and leaves no trace.
    state = update.state()
    segmenter.train()
    with segmenter.anchor():
        found = segmenter.encode(torch.zeros(1, 3, segmenter.input_size, segmenter.input_size))
        assert not found.pooled.requires_grad
        assert torch.equal(predicted(segmenter)[0], source[0])
        assert torch.equal(predicted(segmenter)[1], source[1])
    assert all(torch.equal(state[name], tensor) for name, tensor in update.tensors().items())
    assert torch.equal(predicted(segmenter)[0], learned[0])

    # The line between the two ends at both.
    for fraction, end in ((0.0, source), (1.0, learned)):
        with update.using(update.between(state, fraction)):
            assert torch.equal(predicted(segmenter)[0], end[0])
    with update.using(update.between(state, 0.5)):
        assert not torch.equal(predicted(segmenter)[0], learned[0])

    # The teacher lies between, and is another network than the student.
    for name, value in average.weights().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (start[name] + state[name]) / 2)
    with average.teaching(segmenter):
        taught = predicted(segmenter)
    assert not torch.equal(taught[0], learned[0])
    assert all(torch.equal(state[name], tensor) for name, tensor in update.tensors().items())

    # Merged it is a plain network that answers alike.
    merged = merged_model(segmenter)
    assert merged.state_dict().keys() == source_model.network.state_dict().keys()
    close(predicted(Segmenter(merged, name="merged")), learned)
    assert torch.equal(predicted(segmenter)[0], learned[0])

    # Saved it comes back, and the source with it.
    update.save(tmp_path / "adapter")
    loaded = network(family)
    attach_adapter(loaded, tmp_path / "adapter")
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(predicted(loaded)[0], learned[0])
    with loaded.anchor():
        assert torch.equal(predicted(loaded)[0], source[0])
    assert fingerprint(source_model) == source_weights


@each
def test_a_killed_run_goes_on_with_the_same_bits(kind: str, family: str) -> None:
    whole, update = updated(kind, family)
    optimiser = optimiser_of(update)
    train(whole, update, optimiser, steps=2)
    state = update.state()
    optimiser_state = copy.deepcopy(optimiser.state_dict())
    again, resumed = updated(kind, family)
    going_on = optimiser_of(resumed)
    going_on.load_state_dict(optimiser_state)
    resumed.load(state)
    for segmenter, one, by in ((whole, update, optimiser), (again, resumed, going_on)):
        train(segmenter, one, by, steps=2)
    assert all(torch.equal(tensor, resumed.tensors()[name]) for name, tensor in update.tensors().items())


@each
def test_decay_pulls_to_the_source(kind: str, family: str) -> None:
    """With no other gradient, what learned goes back to where the network was; a plain decay would go to zero."""
    segmenter, update = updated(kind, family)
    source = predicted(segmenter)
    generator = torch.Generator().manual_seed(0)
    for parameter in update.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    assert not torch.allclose(predicted(segmenter)[0], source[0], atol=1e-2)
    optimiser = torch.optim.SGD(update.parameters(), lr=0.5)
    for _ in range(30):
        for parameter in update.parameters():
            parameter.grad = torch.zeros_like(parameter)
        update.decay(1.0)
        optimiser.step()
    close(predicted(segmenter), source)
