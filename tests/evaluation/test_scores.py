import csv
import os

import pytest

from wesam.evaluation.metrics import Overlap
from wesam.evaluation.scores import Evaluation, PromptScores, image_score, method_score, source_difference

HALF_SMALL = Overlap(predicted=100, true=100, shared=50)  # IoU 1/3, Dice 1/2
FULL_SMALL = Overlap(predicted=100, true=100, shared=100)
FULL_LARGE = Overlap(predicted=10_000, true=10_000, shared=10_000)
NONE_LARGE = Overlap(predicted=0, true=10_000, shared=0)


def make_scores(names="{}.png", **methods):
    """Each method: for each image its overlaps."""
    count = len(next(iter(methods.values())))
    rows = [image_score(names.format(i), {m: images[i] for m, images in methods.items()}) for i in range(count)]
    return PromptScores(
        methods={m: method_score(images) for m, images in methods.items()},
        difference=source_difference(rows, seed=0),
        images=rows,
    )


def make_evaluation(**prompts):
    """Each prompt: its methods, as for `make_scores`."""
    return Evaluation(
        segmenter="tiny",
        seed=0,
        tile=None,
        overlap=0,
        prompts={prompt: make_scores(**methods) for prompt, methods in prompts.items()},
        skipped_images=0,
        skipped_instances=0,
    )


def test_images_weigh_alike_in_all_and_in_each_size():
    score = method_score([[HALF_SMALL, FULL_LARGE], [FULL_SMALL, FULL_SMALL], [NONE_LARGE]])
    assert score.miou == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert score.dice == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert set(score.by_size) == {"small", "large"}
    small, large = score.by_size["small"], score.by_size["large"]
    assert (small.iou, small.instances, small.images) == (pytest.approx(2 / 3), 3, 2)
    assert (large.iou, large.instances, large.images) == (0.5, 2, 2)


def test_difference_is_paired_over_images():
    found = make_scores(source=[[HALF_SMALL], [HALF_SMALL]], adapted=[[FULL_SMALL], [FULL_SMALL]])
    assert found.difference is not None
    assert found.difference.low == pytest.approx(2 / 3)
    assert found.difference.verdict == "better"
    assert make_scores(source=[[HALF_SMALL]]).difference is None


def test_trivial_answers_that_win_are_named_best_first():
    found = make_scores(source=[[FULL_SMALL]], adapted=[[HALF_SMALL]], box=[[NONE_LARGE]], grabcut=[[FULL_SMALL]])
    assert found.judged == "adapted"
    assert found.beaten_by == ["grabcut"]
    alone = make_scores(source=[[HALF_SMALL]], box=[[FULL_SMALL]])
    assert (alone.judged, alone.beaten_by) == ("source", ["box"])


def test_files_hold_what_was_found(tmp_path):
    found = make_evaluation(
        box={"source": [[HALF_SMALL], [FULL_SMALL]], "adapted": [[FULL_SMALL], [FULL_SMALL]]},
        click={"source": [[FULL_SMALL], [FULL_SMALL]], "adapted": [[HALF_SMALL], [HALF_SMALL]]},
    )
    found.write(tmp_path / "new" / "folder")
    text = (tmp_path / "new" / "folder" / "evaluation.json").read_text()
    assert Evaluation.model_validate_json(text) == found
    assert found.miou()["click"] == {"source": 1, "adapted": pytest.approx(1 / 3)}
    with (tmp_path / "new" / "folder" / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["prompt"]) for row in rows] == [
        (f"{image}.png", prompt) for prompt in ("box", "click") for image in (0, 1)
    ]
    assert float(rows[0]["source_iou"]) == pytest.approx(1 / 3, abs=1e-6)
    assert float(rows[0]["adapted_dice"]) == 1
    assert float(rows[2]["source_iou"]) == 1


def test_names_that_are_no_text_are_written_with_escapes(tmp_path):
    found = make_evaluation(box={"names": os.fsdecode(b"\xe9{}.png"), "source": [[HALF_SMALL]]})
    found.write(tmp_path)
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    assert Evaluation.model_validate_json(text).first.images[0].sample_id == r"\udce90.png"
    assert r"\udce90.png,box,1" in (tmp_path / "images.csv").read_text(encoding="utf-8")
