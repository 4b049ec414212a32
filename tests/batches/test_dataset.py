from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.utils.data import DataLoader

from tests.batches.scenes import boxed, with_mask, write_sample
from tests.tiny import tiny_segmenter
from wesam.batches import dataset as dataset_module
from wesam.batches.batch import Batch
from wesam.batches.dataset import TargetDataset, ViewItem, ViewSettings, collate, require_masks
from wesam.batches.photometric import Strength
from wesam.batches.sampler import StepSampler
from wesam.errors import WesamError
from wesam.labels import images as images_module
from wesam.labels.images import read_image
from wesam.masks import encode_mask
from wesam.models.segmenter import Segmenter
from wesam.types import Instance, Sample

CALM: Strength = "off"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """A wide image with two objects, one without any, and a tall one with a box, a click and both."""
    mixed = (
        boxed("c", 4, 8, 20, 40),
        Instance("d", points=((10.0, 30.0, 1), (2.0, 2.0, 0))),
        Instance("e", box=(1, 50, 30, 80), points=((15.0, 60.0, 1),)),
    )
    return [
        write_sample(tmp_path, "wide.png", 96, 48, (boxed("a", 8, 4, 40, 30), boxed("b", 60, 10, 90, 44)), seed=1),
        write_sample(tmp_path, "bare.png", 20, 20, (), seed=2),
        write_sample(tmp_path, "tall.png", 40, 90, mixed, seed=3),
    ]


def dataset(samples: list[Sample], segmenter: Segmenter, seed: int = 0, **settings: object) -> TargetDataset:
    return TargetDataset(samples, segmenter, ViewSettings.model_validate(settings), seed)


def assert_equal(one: Batch, other: Batch) -> None:
    assert (one.keys, one.sample_ids, one.instance_ids) == (other.keys, other.sample_ids, other.instance_ids)
    for name in ("weak", "strong", "image_index", "valid"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    torch.testing.assert_close(one.prompts.boxes, other.prompts.boxes, rtol=0, atol=0, equal_nan=True)


def test_an_item_is_two_looks_at_one_geometry(samples: list[Sample], segmenter: Segmenter) -> None:
    data = dataset(samples, segmenter)
    assert len(data) == 2  # the image without objects has nothing to learn from
    item = data[0, 0]
    assert item.weak.shape == item.strong.shape == (3, 64, 64)
    assert item.sample_id == "wide.png"
    assert item.instance_ids == ("a", "b")
    assert len(item.prompts) == 2
    assert item.valid.shape == (16, 16)
    assert float(item.valid.sum()) == 16 * 8
    assert item.masks is None
    assert not item.weak[:, 32:].any()
    assert not item.strong[:, 32:].any()
    assert any(not torch.equal(data[epoch, 0].weak, data[epoch, 0].strong) for epoch in range(3))
    calm = dataset(samples, segmenter, photometric=CALM)[0, 0]
    assert torch.equal(calm.weak, calm.strong)


def test_flips_move_pixels_prompts_and_masks_together(samples: list[Sample], segmenter: Segmenter) -> None:
    masks = [sample.with_instances([boxed_mask(i, sample) for i in sample.instances if i.box]) for sample in samples]
    boxed_only = [sample.with_instances([i for i in sample.instances if i.box]) for sample in samples]
    data = TargetDataset(boxed_only, segmenter, ViewSettings(photometric=CALM), seed=0, masks=masks)
    seen = set()
    for epoch in range(12):
        item, reference = data[epoch, 0], data.upright(0)
        flip = item.key.rpartition("|")[2]
        seen.add(flip)
        sides = [side for name, side in (("h", 2), ("v", 1)) if name in flip]
        assert torch.equal(item.weak[:, :32], reference.weak[:, :32].flip(sides))
        assert item.prompts.boxes is not None
        assert item.masks is not None
        assert reference.masks is not None
        assert torch.equal(item.masks[:, :8], reference.masks[:, :8].flip(sides))
        for box, mask in zip(item.prompts.boxes / 4, item.masks, strict=True):
            rows, columns = mask.nonzero().unbind(1)
            x0, y0, x1, y1 = box.tolist()
            assert abs(float(columns.min()) - x0) <= 0.5 + 1e-4
            assert abs(float(rows.max()) + 1 - y1) <= 0.5 + 1e-4
            assert abs(float(columns.max()) + 1 - x1) <= 0.5 + 1e-4
            assert abs(float(rows.min()) - y0) <= 0.5 + 1e-4
    assert seen == {"", "h", "v", "hv"}
    assert data.upright(0).key == "wide.png|0,0,96,48|"


def boxed_mask(instance: Instance, sample: Sample) -> Instance:
    return with_mask(instance, sample.width, sample.height)


def test_equal_keys_mean_equal_weak_pixels(samples: list[Sample], segmenter: Segmenter) -> None:
    data = dataset(samples, segmenter)
    seen: dict[str, Tensor] = {}
    for epoch in range(10):
        for index in range(len(data)):
            item = data[epoch, index]
            assert torch.equal(seen.setdefault(item.key, item.weak), item.weak)
    assert len(seen) == 8


def test_draws_depend_on_seed_epoch_and_index_alone(samples: list[Sample], segmenter: Segmenter) -> None:
    torch.manual_seed(0)
    first = dataset(samples, segmenter)[3, 1]
    torch.manual_seed(1)
    data = dataset(samples, segmenter)
    data[0, 0], data[7, 1]
    again = data[3, 1]
    assert torch.equal(first.strong, again.strong)
    assert first.key == again.key

    def looks(seed: int) -> list[float]:
        data = dataset(samples, segmenter, seed)
        return [float(data[epoch, 1].strong.sum()) for epoch in range(4)]

    assert len(set(looks(0))) > 1
    assert looks(0) != looks(1)


def test_fixed_views_take_turns(samples: list[Sample], segmenter: Segmenter) -> None:
    free, fixed = (TargetDataset(samples, segmenter, ViewSettings(fixed=count), seed=0) for count in (None, 3))
    for epoch in range(7):
        for index in range(len(fixed)):
            item, expected = fixed[epoch, index], free[epoch % 3, index]
            assert torch.equal(item.strong, expected.strong)
            assert item.key == expected.key


@pytest.mark.parametrize("start", [0, 2])
def test_loader_processes_and_resumes_change_nothing(samples: list[Sample], segmenter: Segmenter, start: int) -> None:
    def batches(workers: int, start_step: int) -> list[Batch]:
        data = dataset(samples, segmenter)
        sampler = StepSampler(len(data), batch_size=2, steps=4, seed=0, start_step=start_step)
        return list(DataLoader(data, batch_sampler=sampler, num_workers=workers, collate_fn=collate))

    for expected, got in zip(batches(0, 0)[start:], batches(2, start), strict=True):
        assert_equal(expected, got)


def test_kept_pixels_give_the_same_items_within_their_bound(
    samples: list[Sample], segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def counted(path: Path, **chosen: Any) -> np.ndarray:
        reads.append(path)
        return read_image(path, **chosen)

    monkeypatch.setattr(images_module, "read_image", counted)
    keys = [(epoch, index) for epoch in range(4) for index in range(2)]

    def items(bytes_kept: int) -> list[ViewItem]:
        monkeypatch.setattr(dataset_module, "_BYTES_KEPT", bytes_kept)
        reads.clear()
        data = dataset(samples, segmenter)
        return [data[key] for key in keys]

    fresh = items(0)
    assert len(reads) == len(keys)
    for limit, expected_reads in ((2**20, 2), (3 * 64 * 32, 1 + 4)):
        for one, other in zip(fresh, items(limit), strict=True):
            assert torch.equal(one.weak, other.weak)
            assert torch.equal(one.strong, other.strong)
        assert len(reads) == expected_reads


def test_many_objects_are_asked_about_in_fixed_groups_that_take_turns(
    tmp_path: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wesam.batches.dataset.MAX_INSTANCES", 7)
    many = tuple(boxed(str(number), number, 0, number + 5, 20) for number in range(30))
    sample = write_sample(tmp_path, "many.png", 40, 40, many)

    def groups(seed: int, epochs: range) -> list[tuple[str, ...]]:
        data = dataset([sample], segmenter, seed)
        return [data[epoch, 0].instance_ids for epoch in epochs]

    seen = groups(0, range(10))
    assert {len(names) for names in seen} == {6}  # five groups, none nearly empty
    assert sorted(name for names in seen[:5] for name in names) == sorted(str(number) for number in range(30))
    assert seen[5:] == seen[:5]
    assert groups(0, range(3, 4)) == seen[3:4]
    assert groups(1, range(5)) != seen[:5]
    assert all(max(map(int, names)) - min(map(int, names)) > 7 for names in seen)  # no neighbourhoods
    monkeypatch.setattr("wesam.batches.dataset.MAX_INSTANCES", 30)
    assert dataset([sample], segmenter)[4, 0].instance_ids == tuple(map(str, range(30)))


def test_each_object_keeps_its_own_kind_of_label(tmp_path: Path, segmenter: Segmenter) -> None:
    outlined = with_mask(boxed("outlined", 40, 8, 60, 40), 96, 48)
    mixed = (boxed("boxed", 8, 4, 24, 30), Instance("clicked", points=((70.0, 20.0, 1), (2.0, 2.0, 0))), outlined)
    one = write_sample(tmp_path, "mixed.png", 96, 48, mixed)
    other = write_sample(tmp_path, "plain.png", 96, 48, (boxed("alone", 8, 4, 40, 30),), seed=1)
    data = dataset([one, other], segmenter)
    batch = collate([data.upright(0), data.upright(1)])
    prompts = batch.prompts
    assert batch.instance_ids == ("boxed", "clicked", "outlined", "alone")
    assert prompts.boxes is not None
    assert prompts.point_labels is not None
    assert prompts.masks is not None
    assert batch.outlines is not None
    assert prompts.boxes.isnan().all(1).tolist() == [False, True, False, False]  # an outline brings its box
    assert prompts.point_labels.tolist() == [[-1, -1], [1, 0], [-1, -1], [-1, -1]]
    assert prompts.masks.isnan().flatten(1).all(1).tolist() == [True, True, False, True]
    assert batch.outlines.isnan().flatten(1).all(1).tolist() == [True, True, False, True]
    # 96 pixels are 16 cells, so the outline covers rows 2 to 6 (in part) and columns 7 to 9.
    assert (batch.outlines[2] > 0).nonzero()[:, 1].unique().tolist() == [7, 8, 9]
    assert not batch.outlines[2, 10:].gt(0).any()
    assert collate([data[0, 1]]).outlines is None


def test_prompts_stay_with_their_names(tmp_path: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wesam.batches.dataset.MAX_INSTANCES", 5)
    many = tuple(boxed(str(number), 2 * number, 0, 2 * number + 2, 64) for number in range(32))
    sample = write_sample(tmp_path, "many.png", 64, 64, many)
    item = dataset([sample], segmenter).upright(0)
    assert item.prompts.boxes is not None
    assert [int(x0) for x0 in item.prompts.boxes[:, 0]] == [2 * int(name) for name in item.instance_ids]


def test_large_images_are_seen_in_tiles(tmp_path: Path, segmenter: Segmenter) -> None:
    small, far, large = boxed("small", 5, 5, 15, 15), boxed("far", 180, 80, 190, 90), boxed("large", 0, 0, 150, 90)
    sample = write_sample(tmp_path, "large.png", 200, 100, (small, far, large))
    data = dataset([sample], segmenter, tile=64, overlap=16)
    items = [data.upright(index) for index in range(len(data))]
    assert [item.key for item in items] == [
        "large.png|0,0,64,64|",
        "large.png|136,36,200,100|",
        "large.png|0,0,200,100|",
    ]
    assert [item.instance_ids for item in items] == [("small",), ("far",), ("large",)]
    assert items[1].prompts.boxes is not None
    assert items[1].prompts.boxes.tolist() == [[44, 44, 54, 54]]


def test_masks_are_those_of_the_chosen_objects(
    tmp_path: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wesam.batches.dataset.MAX_INSTANCES", 5)
    many = tuple(boxed(str(number), 4 * number, 0, 4 * number + 4, 64) for number in range(16))
    sample = write_sample(tmp_path, "many.png", 64, 64, many)
    truth = sample.with_instances([boxed_mask(instance, sample) for instance in reversed(many)])
    data = TargetDataset([sample], segmenter, ViewSettings(), seed=0, masks=[truth])
    item = data.upright(0)
    assert item.masks is not None
    for name, mask in zip(item.instance_ids, item.masks, strict=True):
        expected = torch.zeros(16, 16)
        expected[:, int(name)] = 1
        assert torch.equal(mask, expected)


def test_collate_keeps_images_and_their_prompts_together(samples: list[Sample], segmenter: Segmenter) -> None:
    data = dataset(samples, segmenter)
    items = [data[0, 1], data[0, 0]]
    batch = collate(items)
    assert len(batch) == 2
    assert batch.sample_ids == ("tall.png", "wide.png")
    assert batch.instance_ids == ("c", "d", "e", "a", "b")
    assert batch.image_index.tolist() == [0, 0, 0, 1, 1]
    assert batch.image_index.dtype == torch.int64
    assert batch.weak.shape == (2, 3, 64, 64)
    assert batch.valid.shape == (2, 16, 16)
    assert batch.masks is None
    assert batch.prompts.boxes is not None
    assert batch.prompts.boxes.isnan().all(1).tolist() == [False, True, False, False, False]
    assert batch.prompts.point_labels is not None
    assert batch.prompts.point_labels.tolist() == [[-1, -1], [1, 0], [1, -1], [-1, -1], [-1, -1]]
    masked: list[ViewItem] = [replace(item, masks=torch.ones(len(item.instance_ids), 16, 16)) for item in items]
    masks = collate(masked).masks
    assert masks is not None
    assert masks.shape == (5, 16, 16)


# --- mistakes --------------------------------------------------------------------------------------------


def test_refuses_images_without_any_object(samples: list[Sample], segmenter: Segmenter) -> None:
    with pytest.raises(WesamError, match=r"labelled object, got 1 images"):
        dataset(samples[1:2], segmenter)


def test_refuses_objects_without_a_mask_where_masks_are_needed(samples: list[Sample]) -> None:
    truth = [samples[0].with_instances([boxed_mask(samples[0].instances[0], samples[0])])]
    with pytest.raises(WesamError, match=r"wide\.png.*instance b"):
        require_masks(samples[:1], truth)


def test_objects_without_a_known_mask_have_nan_in_its_place(samples: list[Sample], segmenter: Segmenter) -> None:
    """An image without any has such rows too, so that all batches of a run have the same losses."""
    known = samples[0].with_instances([boxed_mask(samples[0].instances[0], samples[0])])
    data = TargetDataset(samples, segmenter, ViewSettings(photometric=CALM), seed=0, masks=[known])
    batch = collate([data[0, index] for index in range(len(data))])
    assert batch.masks is not None
    unknown = batch.masks.isnan()
    assert torch.equal(unknown.flatten(1).all(1), unknown.flatten(1).any(1))
    assert [name for name, row in zip(batch.instance_ids, unknown, strict=True) if not row.any()] == ["a"]


def test_names_an_image_that_cannot_be_read(samples: list[Sample], segmenter: Segmenter) -> None:
    data = dataset(samples, segmenter)
    samples[2].path.write_bytes(b"not an image")
    with pytest.raises(WesamError, match=r"tall\.png"):
        data[0, 1]


def test_names_an_image_whose_size_has_changed(samples: list[Sample], segmenter: Segmenter, tmp_path: Path) -> None:
    data = dataset(samples, segmenter)
    write_sample(tmp_path, "tall.png", 80, 90, ())
    with pytest.raises(WesamError, match=r"tall\.png: expected an image of 40 x 90 .* got 80 x 90"):
        data[0, 1]


@pytest.mark.parametrize("wrong", [{"zoom": 2}, {"tile": 32, "overlap": 32}, {"photometric": "wild"}])
def test_refuses_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ViewSettings.model_validate(wrong)


def test_the_upright_and_the_mirrored_item_never_change(
    samples: list[Sample], segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wesam.batches.dataset.MAX_INSTANCES", 2)
    made = dataset(samples, segmenter, photometric=CALM)
    upright, mirrored = made.upright(1), made.mirrored(1)
    assert (upright.geometry.flip_horizontal, upright.geometry.flip_vertical) == (False, False)
    assert (mirrored.geometry.flip_horizontal, mirrored.geometry.flip_vertical) == (True, False)
    assert len(upright.instance_ids) == 2
    assert upright.instance_ids == mirrored.instance_ids
    assert torch.equal(upright.strong, made.upright(1).strong)
    width = upright.geometry.resized[1]
    assert torch.equal(upright.weak[:, :, :width].flip(2), mirrored.weak[:, :, :width])
    assert mirrored.strong is mirrored.weak


def test_an_object_smaller_than_half_a_cell_is_no_empty_truth(samples: list[Sample], segmenter: Segmenter) -> None:
    sample = samples[0]
    speck = np.zeros((sample.height, sample.width), dtype=bool)
    speck[3:5, 6:9] = True
    labelled = sample.with_instances([Instance("speck", box=(6.0, 3.0, 9.0, 5.0))])
    truth = [sample.with_instances([Instance("speck", rle=encode_mask(speck))])]
    item = TargetDataset([labelled], segmenter, ViewSettings(photometric=CALM), seed=0, masks=truth)[0, 0]
    assert item.masks is not None
    assert item.masks.sum() >= 1
