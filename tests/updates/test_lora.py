from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from torch import Tensor
from transformers import SamModel

from tests.tiny import tiny_sam, tiny_segmenter
from wesam.errors import WesamError, WesamWarning
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.load import attach_adapter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, merged_model, update_of

TARGETS = ["qkv", "qv", "all-linear"]
PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def with_lora(target: str = "qkv", seed: int = 0, **settings: float | str) -> Segmenter:
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings.model_validate({"target": target} | settings), seed)
    return segmenter


def loss_of(segmenter: Segmenter) -> Tensor:
    """Arbitrary and smooth; not a mere norm, which the encoder's last layer norm holds constant."""
    return (segmenter.encode(PIXELS).pooled.tanh() - 0.5).square().mean()


def gradients_of(segmenter: Segmenter, loss: Tensor) -> list[Tensor]:
    parameters = update_of(segmenter).parameters()
    gradients = torch.autograd.grad(loss, parameters)
    assert any(gradient.abs().max() > 1e-5 for gradient in gradients)
    return list(gradients)


def train(segmenter: Segmenter, steps: int = 3) -> None:
    """Adam with weight decay."""
    optimiser = torch.optim.Adam(update_of(segmenter).parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        loss_of(segmenter).backward()
        optimiser.step()


def encoded(segmenter: Segmenter) -> Tensor:
    with torch.no_grad():
        return segmenter.encode(PIXELS).pooled


def test_defaults_are_the_documented_ones() -> None:
    assert LoraSettings().model_dump() == {
        "kind": "lora",
        "rate": 1.0,
        "rank": 4,
        "target": None,
        "last": 1.0,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": 0},
        {"target": "k"},
        {"last": 0},
        {"rnak": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LoraSettings.model_validate(wrong)


@pytest.mark.parametrize("target", TARGETS)
def test_a_fresh_adapter_changes_nothing_and_alone_learns(target: str) -> None:
    segmenter = with_lora(target)
    assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))
    learning = {id(p) for p in segmenter.parameters() if p.requires_grad}
    assert learning == {id(p) for p in update_of(segmenter).parameters()}
    layers = {name.split(".lora_")[0].split("vision_encoder.")[1] for name, _ in update_of(segmenter).tensors().items()}
    parts = ["attn.qkv"] + (["attn.proj", "mlp.lin1", "mlp.lin2"] if target == "all-linear" else [])
    assert layers == {f"layers.{i}.{part}" for i in range(2) for part in parts}


def test_seeded() -> None:
    before = torch.get_rng_state()
    first, again, other = (update_of(with_lora(seed=seed)).state() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_update_is_not_scaled() -> None:
    """theta + A B, as in the paper, whatever the rank."""
    segmenter = with_lora(rank=2)
    update = update_of(segmenter)
    update.load({name: torch.full_like(value, 0.1) for name, value in update.state().items()})
    base = tiny_sam().vision_encoder.layers[0].attn.qkv.weight
    delta = merged_model(segmenter).vision_encoder.layers[0].attn.qkv.weight - base
    torch.testing.assert_close(delta, torch.full_like(base, 2 * 0.1 * 0.1))


def test_the_last_blocks_alone_are_updated() -> None:
    layers = {name.split(".lora_")[0] for name in update_of(with_lora("all-linear", last=0.5)).tensors()}
    assert len(layers) == 4
    assert all("layers.1." in name for name in layers)


@pytest.mark.parametrize("target", TARGETS)
def test_training_moves_the_student_and_never_the_anchor(target: str) -> None:
    segmenter = with_lora(target)
    source = encoded(segmenter)
    train(segmenter)
    assert not torch.allclose(encoded(segmenter), source, atol=1e-3)
    with segmenter.anchor():
        assert torch.equal(encoded(segmenter), source)
    assert not torch.allclose(encoded(segmenter), source, atol=1e-3)


def test_anchor_in_the_midst_of_a_step_leaves_gradients_alone() -> None:
    def gradients(anchored: bool) -> list[Tensor]:
        segmenter = with_lora("qv")
        train(segmenter, 1)
        loss = loss_of(segmenter)
        if anchored:
            with segmenter.anchor(), torch.no_grad():
                segmenter.encode(PIXELS)
        return gradients_of(segmenter, loss)

    for with_anchor, without in zip(gradients(True), gradients(False), strict=True):
        assert torch.equal(with_anchor, without)


class QueryValueOracle:
    """The paper's update as it is written: theta + B_q A_q on queries, theta + B_v A_v on values."""

    def __init__(self, segmenter: Segmenter, rank: int) -> None:
        self.segmenter = tiny_segmenter()
        self.factors: list[Tensor] = []
        state = update_of(segmenter).state()
        layers = self.segmenter.network.vision_encoder.layers
        for i, layer in enumerate(layers):
            name = f"base_model.model.vision_encoder.layers.{i}.attn.qkv"
            a_query, a_value = state[f"{name}.lora_A.weight"].split(rank)
            factors = [a_query, torch.zeros(32, rank), a_value, torch.zeros(32, rank)]
            factors = [factor.clone().requires_grad_() for factor in factors]
            self.factors += factors
            layer.attn.qkv.register_forward_hook(self._hook(factors))

    @staticmethod
    def _hook(factors: list[Tensor]):
        a_query, b_query, a_value, b_value = factors

        def add(module: object, args: tuple[Tensor], output: Tensor) -> Tensor:
            query, key, value = output.chunk(3, dim=-1)
            query = query + args[0] @ a_query.T @ b_query.T
            value = value + args[0] @ a_value.T @ b_value.T
            return torch.cat([query, key, value], dim=-1)

        return add


def test_query_value_update_is_the_papers_two_updates() -> None:
    rank = 3
    segmenter = with_lora("qv", rank=rank)
    oracle = QueryValueOracle(segmenter, rank)
    parameters = update_of(segmenter).parameters()
    optimisers = [torch.optim.Adam(weights, lr=1e-2, weight_decay=0.1) for weights in (parameters, oracle.factors)]
    for step in range(4):
        answers = [segmenter.encode(PIXELS).pooled, oracle.segmenter.encode(PIXELS).pooled]
        torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-4, msg=f"step {step}")
        for answer, optimiser in zip(answers, optimisers, strict=True):
            optimiser.zero_grad()
            (answer.tanh() - 0.5).square().mean().backward()
            optimiser.step()
    assert not torch.allclose(encoded(segmenter), encoded(tiny_segmenter()), atol=1e-3)


def _assert_structure(segmenter: Segmenter, ranks: list[int]) -> None:
    """`ranks`: of each of the two updates, in the first and in the second block."""
    factors = [value for name, value in update_of(segmenter).state().items() if "lora_B" in name]
    for factor, rank in zip(factors, ranks, strict=True):
        query, key, value = factor.chunk(3)
        assert torch.equal(key, torch.zeros_like(key))
        assert torch.equal(query[:, rank:], torch.zeros_like(query[:, rank:]))
        assert torch.equal(value[:, :rank], torch.zeros_like(value[:, :rank]))
        assert query[:, :rank].abs().min() > 0
        assert value[:, rank:].abs().min() > 0


def test_query_value_update_leaves_keys_exactly_as_they_were(tmp_path: Path) -> None:
    segmenter = with_lora("qv")
    train(segmenter)
    _assert_structure(segmenter, [4, 4])
    before, after = (
        model.vision_encoder.layers[0].attn.qkv.weight.chunk(3)[1] for model in (tiny_sam(), merged_model(segmenter))
    )
    assert torch.equal(before, after)

    update_of(segmenter).save(tmp_path / "adapter")
    going_on = tiny_segmenter()
    attach_adapter(going_on, tmp_path / "adapter", trainable=True)
    train(going_on)
    _assert_structure(going_on, [4, 4])


@pytest.mark.parametrize("target", TARGETS)
def test_saved_adapter_comes_back(tmp_path: Path, target: str) -> None:
    segmenter = with_lora(target)
    train(segmenter)
    update_of(segmenter).save(tmp_path / "run" / "adapter")
    files = {path.name for path in (tmp_path / "run" / "adapter").iterdir()}
    assert files == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "update.json",
        "source_weights.sha256",
    }
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["adapter"]

    loaded = tiny_segmenter()
    attach_adapter(loaded, tmp_path / "run" / "adapter")
    assert torch.equal(encoded(loaded), encoded(segmenter))
    assert update_of(loaded).settings == update_of(segmenter).settings
    with loaded.anchor():
        assert torch.equal(encoded(loaded), encoded(tiny_segmenter()))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    update_of(loaded).save(tmp_path / "again")
    again = tiny_segmenter()
    attach_adapter(again, tmp_path / "again", trainable=True)
    assert torch.equal(encoded(again), encoded(segmenter))
    assert all(parameter.requires_grad for parameter in update_of(again).parameters())


@pytest.mark.parametrize("target", TARGETS)
def test_saved_adapter_loads_with_peft_alone(tmp_path: Path, target: str) -> None:
    segmenter = with_lora(target)
    train(segmenter)
    update_of(segmenter).save(tmp_path / "adapter")
    tiny_sam().save_pretrained(tmp_path / "base")
    network = PeftModel.from_pretrained(SamModel.from_pretrained(tmp_path / "base"), tmp_path / "adapter")
    box = torch.tensor([[5.0, 6, 40, 50], [9, 9, 60, 30]])
    with torch.no_grad():
        features = network.vision_encoder(PIXELS).last_hidden_state
        expected = network(pixel_values=PIXELS, input_boxes=box[:, None], multimask_output=False)
        got = segmenter.decode(segmenter.encode(PIXELS), Prompts(boxes=box), torch.arange(2))
    torch.testing.assert_close(encoded(segmenter), features)
    torch.testing.assert_close(got.logits, expected.pred_masks[:, 0, 0])


@pytest.mark.slow
def test_saved_adapter_loads_in_a_process_without_this_package(tmp_path: Path) -> None:
    segmenter = with_lora("qv")
    train(segmenter)
    update_of(segmenter).save(tmp_path / "adapter")
    tiny_sam().save_pretrained(tmp_path / "base")
    torch.save((PIXELS, encoded(segmenter)), tmp_path / "expected.pt")
    script = """
import sys, torch
from peft import PeftModel
from transformers import SamModel
network = PeftModel.from_pretrained(SamModel.from_pretrained("base"), "adapter")
pixels, expected = torch.load("expected.pt", weights_only=True)
with torch.no_grad():
    torch.testing.assert_close(network.vision_encoder(pixels).last_hidden_state, expected)
assert not any(name.split(".")[0] == "wesam" for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)


def test_saving_replaces_an_older_adapter_whole(tmp_path: Path) -> None:
    segmenter = with_lora()
    update_of(segmenter).save(tmp_path / "adapter")
    train(segmenter)
    update_of(segmenter).save(tmp_path / "adapter")
    loaded = tiny_segmenter()
    attach_adapter(loaded, tmp_path / "adapter")
    assert torch.equal(encoded(loaded), encoded(segmenter))
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_save_that_fails_leaves_the_older_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = with_lora()
    update_of(segmenter).save(tmp_path / "adapter")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("wesam.updates.lora.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        update_of(segmenter).save(tmp_path / "adapter")
    attach_adapter(tiny_segmenter(), tmp_path / "adapter")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_state_goes_out_and_comes_back() -> None:
    segmenter = with_lora()
    train(segmenter)
    state, answer = update_of(segmenter).state(), encoded(segmenter)
    assert list(state) == [name for name, _ in update_of(segmenter).tensors().items()]
    train(segmenter)  # the state is a copy, not a view
    assert not torch.equal(encoded(segmenter), answer)
    update_of(segmenter).load(state)
    assert torch.equal(encoded(segmenter), answer)


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    segmenter = with_lora(rank=4)
    train(segmenter)
    answer = encoded(segmenter)
    for other in (update_of(with_lora(rank=2)).state(), update_of(with_lora("all-linear")).state(), {}):
        with pytest.raises(WesamError, match=r"does not fit tiny: tensor base_model.*expected .* got "):
            update_of(segmenter).load(other)
    assert torch.equal(encoded(segmenter), answer)


def test_other_weights_for_a_while() -> None:
    student, teacher = with_lora(seed=0), with_lora(seed=1)
    train(student, 1)
    train(teacher, 4)
    own, expected = encoded(student), encoded(teacher)
    addresses = [parameter.data_ptr() for parameter in update_of(student).parameters()]
    loss = loss_of(student)
    with update_of(student).using(update_of(teacher).state()):
        inside = student.encode(PIXELS).pooled
    assert torch.equal(inside, expected)
    assert not inside.requires_grad
    assert torch.equal(encoded(student), own)
    assert [parameter.data_ptr() for parameter in update_of(student).parameters()] == addresses
    # The graph made before the swap still holds the student's weights.
    for made_before, made_after in zip(
        gradients_of(student, loss), gradients_of(student, loss_of(student)), strict=True
    ):
        assert torch.equal(made_before, made_after)


def test_other_weights_under_the_callers_autocast() -> None:
    """Cast copies that autocast keeps would otherwise serve the student's weights to the teacher."""
    student, teacher = with_lora(seed=0), with_lora(seed=1)
    train(teacher, 4)
    for segmenter in (student, teacher):
        segmenter.precision = "bf16"
    expected = encoded(teacher)
    with torch.autocast("cpu", torch.bfloat16):
        student.encode(PIXELS)
        with update_of(student).using(update_of(teacher).state()):
            assert torch.equal(student.encode(PIXELS).pooled, expected)
        loss_of(student).backward()
    assert all(parameter.grad is not None for parameter in update_of(student).parameters())


def test_own_weights_return_after_an_error() -> None:
    student = with_lora()
    own = update_of(student).state()
    with pytest.raises(RuntimeError, match="boom"), update_of(student).using(update_of(with_lora()).state()):
        raise RuntimeError("boom")
    assert all(torch.equal(own[name], value) for name, value in update_of(student).state().items())


def test_merging_gives_a_plain_model_and_leaves_the_segmenter() -> None:
    segmenter = with_lora("all-linear")
    train(segmenter)
    answer = encoded(segmenter)
    model = merged_model(segmenter)
    assert type(model) is SamModel
    assert model.state_dict().keys() == tiny_sam().state_dict().keys()
    with torch.no_grad():
        merged = model.vision_encoder(PIXELS).last_hidden_state
    torch.testing.assert_close(merged, answer, rtol=1e-4, atol=1e-5)
    assert torch.equal(encoded(segmenter), answer)
    with segmenter.anchor():
        assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))


def _write(folder: Path, kind: str) -> None:
    update_of(with_lora()).save(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    if kind == "no config":
        (folder / "adapter_config.json").unlink()
    elif kind == "no weights":
        (folder / "adapter_model.safetensors").unlink()
    elif kind == "broken json":
        (folder / "adapter_config.json").write_text("{")
    elif kind == "another method":
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    elif kind == "unknown method":
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "NOPE"}))
    elif kind == "truncated weights":
        weights = folder / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    elif kind == "another network":
        config["target_modules"] = ["q_lin"]
        (folder / "adapter_config.json").write_text(json.dumps(config))
    elif kind == "other settings":
        (folder / "update.json").write_text('{"kind": "lora", "rank": -1}')


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no config", "expected a peft folder"),
        ("no weights", "expected a peft folder"),
        ("broken json", r"adapter_config\.json: expected a peft configuration"),
        ("another method", "expected peft_type LORA, got"),
        ("unknown method", r"adapter_config\.json: expected a peft configuration"),
        ("truncated weights", r"adapter_model\.safetensors: expected safetensors"),
        ("another network", r"adapter_config\.json: does not fit tiny"),
        ("other settings", r"update\.json: expected settings"),
    ],
)
def test_folders_that_are_not_adapters(tmp_path: Path, kind: str, message: str) -> None:
    _write(tmp_path / "adapter", kind)
    segmenter = tiny_segmenter()
    with pytest.raises(WesamError, match=message):
        attach_adapter(segmenter, tmp_path / "adapter")
    assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))


def test_adapter_of_another_architecture_is_refused_by_name_and_shape(tmp_path: Path) -> None:
    from transformers import SamVisionConfig

    config = tiny_sam().config
    config.vision_config = SamVisionConfig(
        **(config.vision_config.to_dict() | {"hidden_size": 48, "num_hidden_layers": 2})
    )
    wider = Segmenter(SamModel(config), name="wider")
    add_update(wider, LoraSettings(), seed=0)
    update_of(wider).save(tmp_path / "adapter")
    segmenter = tiny_segmenter()
    with pytest.raises(WesamError, match=r"lora_A\.weight: expected \(4, 32\), got \(4, 48\)"):
        attach_adapter(segmenter, tmp_path / "adapter")
    assert isinstance(segmenter.network, SamModel)
    assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))
    add_update(segmenter, LoraSettings(), seed=0)  # and it is whole enough to be adapted


def test_one_adapter_at_a_time(tmp_path: Path) -> None:
    segmenter = with_lora()
    update_of(segmenter).save(tmp_path / "adapter")
    with pytest.raises(ValueError, match="without an adapter"):
        add_update(segmenter, LoraSettings(), seed=0)
    with pytest.raises(ValueError, match="without an adapter"):
        attach_adapter(segmenter, tmp_path / "adapter")
    with pytest.raises(ValueError, match="with an adapter"):
        update_of(tiny_segmenter()).save(tmp_path / "none")


@pytest.mark.parametrize("target", ["qkv", "all-linear"])
def test_an_adapter_on_other_weights_than_its_own_is_told(tmp_path: Path, target: str) -> None:
    segmenter = Segmenter(tiny_sam(), name="first")
    add_update(segmenter, LoraSettings.model_validate({"target": target}), seed=0)
    update_of(segmenter).save(tmp_path / "adapter")
    with warnings.catch_warnings():
        warnings.simplefilter("error", WesamWarning)
        attach_adapter(tiny_segmenter(), tmp_path / "adapter")
    with pytest.warns(WesamWarning, match=r"expected the weights of first, .* got others .* in tiny"):
        attach_adapter(tiny_segmenter(seed=1), tmp_path / "adapter")
