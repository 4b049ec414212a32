from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pydantic import ValidationError

from wesam.errors import WesamError
from wesam.prompts.simulated_set import SimulationSettings, simulate_set
from wesam.types import Instance, Sample

WIDTH, HEIGHT = 120, 80


def scene(count: int = 200, id_: str = "a.png") -> Sample:
    """Objects of 20 x 10 pixels all over the image."""
    instances = []
    for number in range(count):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
        x, y = 7 * number % (WIDTH - 20), 3 * number % (HEIGHT - 10)
        mask[y : y + 10, x : x + 20] = 1
        instances.append(Instance(str(number), rle=coco_mask.encode(mask), category="cell"))
    return Sample(id_, Path(id_), WIDTH, HEIGHT, tuple(instances))


def simulated(seed: int = 0, **settings: object) -> dict[str, Instance]:
    labels = simulate_set(scene(), SimulationSettings.model_validate(settings), seed).instances
    assert all(label.category == "cell" for label in labels)
    return {label.id: label for label in labels}


def boxes(**settings: object) -> dict[str, tuple[float, ...]]:
    return {name: label.box or () for name, label in simulated(**settings).items()}


def test_only_the_label_of_its_kind_is_left() -> None:
    for kind, held in (("box", "box"), ("point", "points"), ("mask", "rle")):
        label = simulated(kind=kind)["3"]
        assert [name for name in ("box", "points", "rle") if getattr(label, name)] == [held]


def test_without_sloppiness_boxes_are_tight() -> None:
    assert boxes()["1"] == (7, 3, 27, 13)
    assert len(boxes()) == 200


@pytest.mark.parametrize("jitter", [0.1, 0.2])
def test_jitter_moves_each_edge_within_its_share(jitter: float) -> None:
    tight, moved = (np.array(list(boxes(box_jitter=share).values())) for share in (0.0, jitter))
    shares = (moved - tight) / (20, 10, 20, 10)
    assert np.abs(shares).max() <= jitter + 1e-9
    inner = (tight[:, 0] > 5) & (tight[:, 1] > 5) & (tight[:, 2] < WIDTH - 5) & (tight[:, 3] < HEIGHT - 5)
    assert (np.abs(shares[inner]).max(0) > 0.9 * jitter).all()
    assert (np.abs(shares[inner].mean(0)) < 0.25 * jitter).all()
    assert (moved[:, :2] >= 0).all()
    assert (moved[:, 2:] <= (WIDTH, HEIGHT)).all()
    # A larger jitter goes the same way.
    half = np.array(list(boxes(box_jitter=jitter / 2).values()))
    np.testing.assert_allclose((half - tight)[inner], (moved - tight)[inner] / 2)


def test_more_missing_objects_are_the_same_and_more() -> None:
    whole, some, many = (simulated(missing=share) for share in (0, 0.1, 0.3))
    assert set(many) < set(some) < set(whole)
    assert 170 <= len(some) <= 190
    assert 120 <= len(many) <= 160
    assert all(some[name] == whole[name] for name in some)
    assert not simulated(missing=1)


def test_wrong_boxes_lie_elsewhere_and_keep_their_size() -> None:
    right, wrong = boxes(), boxes(wrong=0.3)
    moved = [name for name in right if right[name] != wrong[name]]
    assert 40 <= len(moved) <= 80
    for name in moved:
        (x0, y0, x1, y1), (a0, b0, a1, b1) = right[name], wrong[name]
        assert (a1 - a0, b1 - b0) == pytest.approx((x1 - x0, y1 - y0))
        assert a1 <= x0 or a0 >= x1 or b1 <= y0 or b0 >= y1
        assert min(a0, b0) >= 0
        assert a1 <= WIDTH
        assert b1 <= HEIGHT
    assert set(moved) > {name for name, box in boxes(wrong=0.1).items() if box != right[name]}


@pytest.mark.parametrize(("positives", "negatives"), [(1, 0), (3, 0), (5, 5)])
def test_as_many_clicks_as_asked_for(positives: int, negatives: int) -> None:
    label = simulated(kind="point", positives=positives, negatives=negatives)["5"]
    assert [on for _, _, on in label.points] == [1] * positives + [0] * negatives


def test_outlines_have_few_corners() -> None:
    assert simulated(kind="mask")["1"].mask().sum() == 200


def test_draws_belong_to_seed_image_and_instance() -> None:
    settings = {"box_jitter": 0.2, "missing": 0.1, "wrong": 0.1}
    assert boxes(**settings) == boxes(**settings)
    assert boxes(**settings) != boxes(seed=1, **settings)
    alone = scene().with_instances(scene().instances[3:4])
    (label,) = simulate_set(alone, SimulationSettings(box_jitter=0.2), 0).instances
    assert label.box == boxes(box_jitter=0.2)["3"]
    elsewhere = simulate_set(scene(id_="b.png"), SimulationSettings(box_jitter=0.2), 0)
    assert elsewhere.instances[3].box != label.box


def test_an_object_that_fills_the_image_has_nowhere_else_to_be() -> None:
    everything = Instance("1", rle=coco_mask.encode(np.ones((HEIGHT, WIDTH), np.uint8, order="F")))
    settings = SimulationSettings(wrong=1, box_jitter=0.2)
    (label,) = simulate_set(Sample("a", Path("a"), WIDTH, HEIGHT, (everything,)), settings, 0).instances
    assert label.box is not None
    assert (label.box[2] - label.box[0], label.box[3] - label.box[1]) <= (WIDTH, HEIGHT)


def test_empty_masks_are_left_out_and_labels_without_masks_refused() -> None:
    empty = Instance("1", rle=coco_mask.encode(np.zeros((HEIGHT, WIDTH), np.uint8, order="F")))
    assert not simulate_set(scene().with_instances([empty]), SimulationSettings(), 0).instances
    with pytest.raises(WesamError, match="expected a mask"):
        simulate_set(scene().with_instances([Instance("1", box=(0, 0, 2, 2))]), SimulationSettings(), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_jitter": 0.5},
        {"missing": 1.5},
        {"kind": "point", "positives": 0, "negatives": 0},
        {"kind": "mask", "wrong": 0.1},
        {"kind": "point", "box_jitter": 0.1},
        {"max_vertices": 2},
        {"colour": "red"},
    ],
)
def test_refuses_what_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SimulationSettings.model_validate(wrong)
