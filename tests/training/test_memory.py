from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ImageSet
from tests.tiny import tiny_segmenter
from tests.training.setting import MeanLogit, SmallRun
from wesam.errors import WesamError
from wesam.methods.base import Method, MethodSettings
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.models.segmenter import Segmenter
from wesam.training.checkpoint import list_checkpoints
from wesam.training.memory import MemoryGuard, is_out_of_memory

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.5 GB)"),
        RuntimeError(f"{CPU} 400000000000 bytes. Error code 12 (Cannot allocate memory)"),
        RuntimeError("could not create a primitive"),
        MemoryError(),
    ],
)
def test_memory_errors_of_every_system_are_known(error: BaseException) -> None:
    assert is_out_of_memory(error)


def test_a_real_allocation_that_fails_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), OSError("disk full")])
def test_other_errors_are_not_taken_for_it(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_the_chunk_halves_first_then_the_batch() -> None:
    segmenter = tiny_segmenter()
    segmenter.decode_chunk = 5
    guard = MemoryGuard(segmenter)
    cuts = []
    for _ in range(8):
        guard.shrink(3)
        cuts.append((guard.parts, segmenter.decode_chunk))
    assert cuts == [(1, 2), (1, 1), (2, 5), (2, 2), (2, 1), (3, 5), (3, 2), (3, 1)]
    with pytest.raises(WesamError, match="expected memory for one image"):
        guard.shrink(3)


def test_work_that_fails_for_another_reason_is_not_tried_again() -> None:
    said: list[str] = []

    def work(parts: int) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        MemoryGuard(tiny_segmenter()).fit(4, work, said.append)
    assert said == []


def limited(monkeypatch: pytest.MonkeyPatch, method: str, fits: Callable[..., bool], error: Exception) -> None:
    """Lets a method of the segmenter fail as if memory ended, unless its arguments fit."""
    whole = getattr(Segmenter, method)

    def with_limit(self: Segmenter, *arguments: Any) -> Any:
        if not fits(*arguments):
            raise error
        return whole(self, *arguments)

    monkeypatch.setattr(Segmenter, method, with_limit)


class _Wesam(Wesam):
    def __init__(self, segmenter: Segmenter, settings: MethodSettings) -> None:
        super().__init__(segmenter, WesamSettings())


@pytest.mark.parametrize("learned", [MeanLogit, _Wesam])
@pytest.mark.parametrize(
    ("method", "fits", "said"),
    [
        ("_decode_chunk", lambda features, prompts, *_: len(prompts) <= 2, "takes 2 prompts at once"),
        ("encode", lambda pixels: len(pixels) <= 2, "each batch of 4 images goes in"),
    ],
)
def test_a_run_that_must_do_with_less_memory_ends_with_the_same_weights(
    image_set: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    learned: type[Method],
    method: str,
    fits: Callable[..., bool],
    said: str,
) -> None:
    settings = {"batch_size": 4, "accumulation": 2, "steps": 3}
    whole = SmallRun(image_set, tmp_path / "whole", settings, learned)
    whole.train()
    cut = SmallRun(image_set, tmp_path / "cut", settings, learned)
    cut.segmenter.decode_chunk = 16
    limited(monkeypatch, method, fits, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    cut.train()
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(cut.weights[name], tensor, rtol=1e-3, atol=1e-4)
    assert said in cut.messages[-1]
    assert {row["event"] for row in cut.events} == {"out of memory"}
    assert [row["message"] for row in cut.events] == cut.messages
    losses = [row["total"] for row in cut.folder.read_metrics() if "total" in row]
    assert losses == pytest.approx([row["total"] for row in whole.folder.read_metrics() if "total" in row], rel=1e-3)


def test_where_one_image_does_not_fit_the_checkpoint_stays(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SmallRun(image_set, tmp_path, {"checkpoint_every": 2, "health": {"every": 0}})
    run.segmenter.decode_chunk = 2
    calls = iter(range(10_000))
    limited(monkeypatch, "encode", lambda pixels: next(calls) < 5, RuntimeError(f"{CPU} 9 bytes"))
    with pytest.raises(WesamError, match="memory for one image"):
        run.train()
    assert list_checkpoints(run.folder.checkpoints)[-1].name == "step-0000004"


@pytest.mark.parametrize(
    ("method", "fits", "said"),
    [
        ("_decode_chunk", lambda features, prompts, *_: len(prompts) <= 2, "takes 2 prompts at once"),
        ("encode", lambda pixels: len(pixels) <= 1, "each batch of 3 views goes in 3 parts"),
    ],
)
def test_a_measurement_that_must_do_with_less_memory_says_the_same(
    image_set: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    fits: Callable[..., bool],
    said: str,
) -> None:
    settings = {"batch_size": 1, "steps": 4, "health": {"every": 2}}
    whole, cut = (SmallRun(image_set, tmp_path / name, settings) for name in ("whole", "cut"))
    expected = whole.train().selection
    cut.segmenter.decode_chunk = 16
    limited(monkeypatch, method, fits, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    got = cut.train().selection
    assert [one.name for one in got.candidates] == [one.name for one in expected.candidates]
    for mine, theirs in zip(got.candidates, expected.candidates, strict=True):
        assert mine.signals == pytest.approx(theirs.signals, rel=1e-2, abs=1e-3)
    assert any(message.startswith("measuring the source model: ") and said in message for message in cut.messages)
    assert [row["message"] for row in cut.events] == cut.messages


def test_where_one_view_cannot_be_measured_the_advice_is_the_same(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SmallRun(image_set, tmp_path)
    run.segmenter.decode_chunk = 2
    limited(monkeypatch, "encode", lambda pixels: False, MemoryError())
    with pytest.raises(WesamError, match="memory for one image"):
        run.train()
