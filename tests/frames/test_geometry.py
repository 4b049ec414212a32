import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.batches.scenes import noise_image
from tests.input_formats import padded, stretched
from wesam.frames import geometry as geometry_module
from wesam.frames.geometry import Geometry

SIZE = 64
GRID = 16


@st.composite
def geometries(draw: st.DrawFn, least: int = 1, most: int = 200) -> Geometry:
    x0, y0 = draw(st.integers(0, 30)), draw(st.integers(0, 30))
    width, height = draw(st.integers(least, most)), draw(st.integers(least, most))
    form = draw(st.sampled_from([padded(SIZE), stretched(SIZE)]))
    return Geometry((x0, y0, x0 + width, y0 + height), form, draw(st.booleans()), draw(st.booleans()))


@st.composite
def boxes_on(draw: st.DrawFn, geometry: Geometry) -> tuple[int, int, int, int]:
    """A box of whole pixels, at least one each way, inside the crop."""
    x0, y0, x1, y1 = geometry.crop
    left, top = draw(st.integers(x0, x1 - 1)), draw(st.integers(y0, y1 - 1))
    return left, top, draw(st.integers(left + 1, x1)), draw(st.integers(top + 1, y1))


def box_mask(geometry: Geometry, box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((geometry.crop[3] + 3, geometry.crop[2] + 5), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


# --- prompts ---------------------------------------------------------------------------------------------


@given(st.data(), geometries())
def test_boxes_survive_view_and_back(data: st.DataObject, geometry: Geometry) -> None:
    boxes = torch.tensor([data.draw(boxes_on(geometry)) for _ in range(3)], dtype=torch.float32)
    torch.testing.assert_close(geometry.restore_boxes(geometry.boxes(boxes)), boxes, atol=1e-3, rtol=1e-5)


@given(st.data(), geometries())
def test_boxes_stay_boxes_on_the_image(data: st.DataObject, geometry: Geometry) -> None:
    box = geometry.boxes(torch.tensor([data.draw(boxes_on(geometry))], dtype=torch.float32))[0]
    height, width = geometry.resized
    assert -1e-3 <= box[0] < box[2] <= width + 1e-3
    assert -1e-3 <= box[1] < box[3] <= height + 1e-3


@given(st.data(), geometries())
def test_the_pixels_of_a_box_stay_the_pixels_of_the_box(data: st.DataObject, geometry: Geometry) -> None:
    box = data.draw(boxes_on(geometry))
    cover = geometry.mask_to_grid(box_mask(geometry, box), SIZE)
    x0, y0, x1, y1 = geometry.boxes(torch.tensor([box], dtype=torch.float32))[0].tolist()
    cells = torch.arange(SIZE)
    across = (torch.clamp(cells + 1, max=x1) - torch.clamp(cells, min=x0)).clamp(min=0)
    down = (torch.clamp(cells + 1, max=y1) - torch.clamp(cells, min=y0)).clamp(min=0)
    torch.testing.assert_close(cover, down[:, None] * across, atol=1e-3, rtol=0)


@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
def test_a_point_stays_on_its_pixel(horizontal: bool, vertical: bool) -> None:
    image = np.zeros((40, SIZE, 3), np.uint8)
    image[11, 50] = 255
    geometry = Geometry((0, 0, SIZE, 40), padded(SIZE), horizontal, vertical)
    x, y = geometry.points(torch.tensor([50.0, 11.0])).long().tolist()
    assert geometry.image(image)[:, y, x].tolist() == [1, 1, 1]


def test_coordinates_scale_as_in_sam() -> None:
    geometry = Geometry((10, 20, 310, 220), padded(64))  # 300 x 200 -> 64 x 43 (42.67 rounded)
    assert geometry.resized == (43, 64)
    expected = [[100 * 64 / 300, 50 * 43 / 200]]
    torch.testing.assert_close(geometry.points(torch.tensor([[110.0, 70.0]])), torch.tensor(expected))


def test_absent_boxes_stay_absent() -> None:
    geometry = Geometry((0, 0, 30, 20), padded(SIZE), True, True)
    boxes = torch.tensor([[1.0, 2, 3, 4], [float("nan")] * 4])
    for moved in (geometry.boxes(boxes), geometry.restore_boxes(boxes)):
        assert moved.isnan().all(1).tolist() == [False, True]
    assert geometry.boxes(torch.zeros(0, 4)).shape == (0, 4)


# --- masks -----------------------------------------------------------------------------------------------


def slow_cover(mask: np.ndarray, geometry: Geometry, grid: int) -> torch.Tensor:
    """Pixel by pixel and cell by cell: the area of their overlap in the input frame."""
    (height, width), (new_height, new_width) = geometry.cropped, geometry.resized
    cell = geometry.input.size / grid
    cover = torch.zeros(grid, grid, dtype=torch.float64)
    for row, column in np.argwhere(mask[geometry.crop[1] : geometry.crop[3], geometry.crop[0] : geometry.crop[2]]):
        left, top = column * new_width / width, row * new_height / height
        right, bottom = left + new_width / width, top + new_height / height
        if geometry.flip_horizontal:
            left, right = new_width - right, new_width - left
        if geometry.flip_vertical:
            top, bottom = new_height - bottom, new_height - top
        for j in range(grid):
            for i in range(grid):
                across = min(right, (i + 1) * cell) - max(left, i * cell)
                down = min(bottom, (j + 1) * cell) - max(top, j * cell)
                cover[j, i] += max(0, across) * max(0, down) / cell**2
    return cover.float()


@pytest.mark.parametrize("flips", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("crop", [(0, 0, 40, 32), (3, 5, 53, 26), (2, 1, 9, 7)])
def test_coverage_equals_the_oracle(crop: tuple[int, int, int, int], flips: tuple[bool, bool]) -> None:
    geometry = Geometry(crop, padded(24), *flips)
    mask = np.random.default_rng(0).random((60, 110)) > 0.4
    torch.testing.assert_close(geometry.mask_to_grid(mask, 5), slow_cover(mask, geometry, 5))


@given(st.data(), geometries())
def test_a_mask_keeps_its_area(data: st.DataObject, geometry: Geometry) -> None:
    box = data.draw(boxes_on(geometry))
    cover = geometry.mask_to_grid(box_mask(geometry, box), GRID)
    (height, width), (new_height, new_width) = geometry.cropped, geometry.resized
    area = (box[2] - box[0]) * (box[3] - box[1]) * new_width / width * new_height / height
    assert float(cover.sum()) * (SIZE / GRID) ** 2 == pytest.approx(area, rel=1e-3)
    assert 0 <= float(cover.min()) <= float(cover.max()) <= 1


def test_an_empty_mask_covers_nothing() -> None:
    assert not Geometry((0, 0, 9, 9), padded(SIZE)).mask_to_grid(np.zeros((9, 9), bool), GRID).any()


@given(st.data(), geometries(least=20))
def test_masks_survive_view_and_back(data: st.DataObject, geometry: Geometry) -> None:
    x0, y0, x1, y1 = geometry.crop
    # Both sides span four cells or more of the grid, so that what a cell rounds away stays a small part.
    least = math.ceil(4 * max(geometry.cropped) / GRID)
    assume(least <= min(geometry.cropped))
    left, top = data.draw(st.integers(x0, x1 - least)), data.draw(st.integers(y0, y1 - least))
    box = (left, top, data.draw(st.integers(left + least, x1)), data.draw(st.integers(top + least, y1)))
    mask = box_mask(geometry, box)
    logits = 20 * (geometry.mask_to_grid(mask, GRID) - 0.5)
    back = (geometry.restore_logits(logits[None])[0] > 0).numpy()
    truth = mask[y0:y1, x0:x1]
    # An edge moves by less than half a cell, so a side of four cells keeps more than three of them.
    assert (back & truth).sum() / (back | truth).sum() > (3 / 4) ** 2
    centre = ((box[1] + box[3]) // 2 - y0, (box[0] + box[2]) // 2 - x0)
    assert back[centre]


@given(geometries())
def test_padding_is_at_the_bottom_right(geometry: Geometry) -> None:
    valid = geometry.valid(GRID)
    height, width = int(valid[:, 0].sum()), int(valid[0].sum())
    assert height >= 1
    assert width >= 1
    assert valid[:height, :width].all()
    assert float(valid.sum()) == height * width
    new_height, new_width = geometry.resized
    cell = SIZE // GRID
    for cells, side in ((height, new_height), (width, new_width)):
        on_image = [max(0, min(cell, side - cell * number)) for number in range(GRID)]
        assert cells == max(1, sum(2 * pixels >= cell for pixels in on_image))


# --- pixels and logits, against the official code's arithmetic ---------------------------------------------


@pytest.mark.parametrize("size", [(40, 64), (64, 40), (333, 127), (20, 30), (64, 64)])
def test_pixels_equal_those_of_transformers(size: tuple[int, int]) -> None:
    processing = pytest.importorskip(
        "transformers.models.sam.image_processing_pil_sam", reason="this transformers has no Pillow SAM processor"
    )
    processor = processing.SamImageProcessorPil(
        size={"longest_edge": SIZE}, pad_size={"height": SIZE, "width": SIZE}, do_normalize=False
    )
    image = noise_image(*size)
    expected = processor(image, return_tensors="pt")
    geometry = Geometry((0, 0, size[1], size[0]), padded(SIZE))
    height, width = geometry.resized
    assert tuple(expected["reshaped_input_sizes"][0].tolist()) == (height, width)
    pixels = expected["pixel_values"][0].float()
    torch.testing.assert_close(geometry.image(image), pixels[:, :height, :width])
    assert not pixels[:, height:].any()
    assert not pixels[:, :, width:].any()


@pytest.mark.parametrize("size", [(40, 64), (64, 40), (333, 127), (20, 30)])
def test_logits_come_back_as_in_transformers(size: tuple[int, int]) -> None:
    processing = pytest.importorskip(
        "transformers.models.sam.image_processing_pil_sam", reason="this transformers has no Pillow SAM processor"
    )
    geometry = Geometry((0, 0, size[1], size[0]), padded(SIZE))
    logits = torch.randn(3, GRID, GRID, generator=torch.Generator().manual_seed(0))
    expected = processing.SamImageProcessorPil().post_process_masks(
        [logits[None]], [size], [geometry.resized], binarize=False, pad_size={"height": SIZE, "width": SIZE}
    )
    torch.testing.assert_close(geometry.restore_logits(logits), expected[0][0])


def test_logits_come_back_by_the_official_rule() -> None:
    geometry = Geometry((7, 3, 107, 63), padded(SIZE))
    logits = torch.randn(2, GRID, GRID, generator=torch.Generator().manual_seed(0))
    square = F.interpolate(logits[None], (SIZE, SIZE), mode="bilinear", align_corners=False)
    expected = F.interpolate(square[..., :38, :64], (60, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(geometry.restore_logits(logits), expected[0])


def test_mirrored_logits_come_back_upright() -> None:
    logits = torch.randn(2, GRID, GRID, generator=torch.Generator().manual_seed(0))
    upright = Geometry((0, 0, 50, 50), padded(SIZE)).restore_logits(logits)
    mirrored = Geometry((0, 0, 50, 50), padded(SIZE), True, True).restore_logits(logits.flip(1, 2))
    torch.testing.assert_close(mirrored, upright)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry((0, 0, 50, 40), padded(SIZE), True)
    logits = torch.randn(5, GRID, GRID)
    whole = geometry.restore_logits(logits)
    monkeypatch.setattr(geometry_module, "_PIXELS_AT_ONCE", 2 * SIZE**2)
    torch.testing.assert_close(geometry.restore_logits(logits), whole)
    assert geometry.restore_logits(logits[:0]).shape == (0, 40, 50)


@given(st.data(), geometries(least=3, most=60))
def test_a_mirrored_view_is_the_mirror_image(data: st.DataObject, geometry: Geometry) -> None:
    image = noise_image(100, 100)
    upright = Geometry(geometry.crop, geometry.input).image(image)
    sides = [dim for dim, on in ((2, geometry.flip_horizontal), (1, geometry.flip_vertical)) if on]
    assert torch.equal(geometry.image(image), upright.flip(sides))
    assert tuple(upright.shape[1:]) == geometry.resized


# --- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [(0, 0, 0, 5), (5, 0, 3, 4), (-1, 0, 4, 4), (0, 4, 4, 4)])
def test_refuses_an_impossible_crop(crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="crop"):
        Geometry(crop, padded(SIZE))


def test_refuses_an_image_smaller_than_the_crop() -> None:
    geometry = Geometry((0, 0, 30, 20), padded(SIZE))
    with pytest.raises(ValueError, match="holds the crop"):
        geometry.image(np.zeros((20, 29, 3), np.uint8))
    with pytest.raises(ValueError, match="holds the crop"):
        geometry.mask_to_grid(np.zeros((19, 30), bool), GRID)


def test_refuses_other_shapes() -> None:
    geometry = Geometry((0, 0, 30, 20), padded(SIZE))
    with pytest.raises(ValueError, match=r"\(N, m, m\)"):
        geometry.restore_logits(torch.zeros(4, 4))
    with pytest.raises(ValueError, match="boxes"):
        geometry.boxes(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="size and grid"):
        padded(0)


def test_a_hair_thin_image_keeps_one_pixel() -> None:
    assert Geometry((0, 0, 1, 3000), padded(SIZE)).resized == (SIZE, 1)
