from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from wesam.errors import WesamError
from wesam.labels.coco import read_coco
from wesam.labels.shapes import mask_to_rle
from wesam.labels.write_coco import write_coco
from wesam.types import Instance, Sample

WIDTH, HEIGHT = 60, 40

xs, ys = st.floats(0, WIDTH - 1), st.floats(0, HEIGHT - 1)
boxes = st.builds(
    lambda x, y, w, h: (x, y, min(x + w, WIDTH), min(y + h, HEIGHT)), xs, ys, st.floats(0.5, 60), st.floats(0.5, 40)
)
points = st.lists(st.tuples(xs, ys, st.sampled_from([0, 1])), max_size=5).map(tuple)


def rectangle(x: int, y: int) -> dict[str, object]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + 7, x : x + 9] = True
    return mask_to_rle(mask)


rles = st.builds(rectangle, st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))
labels = st.tuples(st.none() | boxes, points, st.none() | rles, st.sampled_from(["cell", "dot", "x -"]))
some_labels = st.lists(labels.filter(lambda own: any(own[:3])), max_size=6)


def sample(photos: Path, *instances: Instance) -> Sample:
    return Sample("a.png", photos / "a.png", WIDTH, HEIGHT, instances)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_labels)
def test_what_is_written_is_read_back(photos: Path, given_labels: list[tuple[object, ...]]) -> None:
    path = photos.parent / "out.json"
    instances = [Instance(f"x{i}", *own) for i, own in enumerate(given_labels)]  # type: ignore[arg-type]
    write_coco([sample(photos, *instances)], path)
    found = read_coco(path, photos)
    assert found.problems == ()
    for before, after in zip(instances, found.samples[0].instances, strict=True):
        assert after.box == (None if before.box is None else pytest.approx(before.box))
        assert sorted(after.points) == sorted(before.points)
        assert [label for _, _, label in after.points] == sorted((p[2] for p in before.points), reverse=True)
        assert after.rle == before.rle
        assert after.category == before.category


def test_other_tools_read_it_too(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = photos.parent / "new" / "out.json"
    instances = (
        Instance("a", box=(1, 2, 11, 22), category="cell"),
        Instance("b", points=((3, 4, 0), (5, 6, 1), (7, 8, 1)), category="cell"),
        Instance("c", rle=rectangle(0, 0)),
    )
    write_coco([sample(photos, *instances)], path)
    coco = COCO(str(path))
    first, second, third = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert (first["id"], first["bbox"], first["area"], first["label_id"]) == (1, [1, 2, 10, 20], 200, "a")
    assert second["keypoints"] == [5, 6, 2, 7, 8, 2, 3, 4, 2]
    assert (second["num_keypoints"], "bbox" in second) == (3, False)
    assert coco.annToMask(third).sum() == third["area"] == 63
    cell, unnamed = coco.loadCats([1, 2])
    assert cell["keypoints"] == ["positive 1", "positive 2", "negative 1"]
    assert unnamed == {"id": 2, "name": "object"}


def test_images_without_instances_are_kept(photos: Path) -> None:
    path = photos.parent / "out.json"
    write_coco([sample(photos)], str(path))
    assert json.loads(path.read_text())["annotations"] == []
    assert len(read_coco(path, photos).samples) == 1


def test_a_place_that_cannot_be_written(photos: Path) -> None:
    with pytest.raises(WesamError, match=r"a.png/out.json: expected a file that can be written"):
        write_coco([sample(photos)], photos / "a.png" / "out.json")


def test_a_whole_file_has_what_other_tools_ask_for(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = photos.parent / "out.json"
    mask, box = Instance("m", rle=rectangle(10, 20)), Instance("b", (1, 2, 31, 12))
    clicked = Instance("c", points=((3.0, 4.0, 1),))
    write_coco([sample(photos, mask, box, clicked)], path, whole=True)
    annotations = json.loads(path.read_text())["annotations"]
    assert (annotations[0]["bbox"], annotations[0]["area"]) == ([10, 20, 9, 7], 63)
    assert (annotations[1]["segmentation"], annotations[1]["area"]) == ([], 300)
    assert "bbox" not in annotations[2]
    read = read_coco(path, photos).samples[0].instances
    assert (read[0].rle, read[1].box, read[1].rle, read[2].box) == (mask.rle, box.box, None, None)
    COCO(str(path)).info()
    assert "written by wesam" in capsys.readouterr().out


@pytest.mark.parametrize(("score", "written"), [(0.5, 0.5), (1.02, 1.0), (-0.01, 0.0), (float("inf"), 1.0)])
def test_scores_lie_within_0_and_1(photos: Path, score: float, written: float) -> None:
    path = photos.parent / "out.json"
    write_coco([sample(photos, Instance("x", (0, 0, 5, 5)))], path, lambda _: {"score": score, "stability": 0.5})
    (annotation,) = json.loads(path.read_text())["annotations"]
    assert (annotation["score"], annotation["stability"]) == (written, 0.5)


def test_what_is_not_a_number_never_reaches_a_file(photos: Path) -> None:
    path = photos.parent / "out.json"
    samples = [sample(photos, Instance("x", (0, 0, 5, 5)))]
    with pytest.raises(WesamError, match="not a number"):
        write_coco(samples, path, lambda _: {"score": float("nan")})
    assert not path.exists()
    write_coco(samples, path, lambda _: {"stability": float("nan")})
    assert json.loads(path.read_text())["annotations"][0]["stability"] is None
