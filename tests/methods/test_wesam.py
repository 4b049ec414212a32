from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from tests.losses import oracles
from tests.methods.scenes import GRID, adapted_segmenter, make_batch, only_image, only_rows
from wesam.batches.batch import Batch
from wesam.errors import WesamError
from wesam.methods.formulation import OURS, PAPER, Formulation
from wesam.methods.mask_choice import consistent_logits
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts
from wesam.updates.update import update_of

MASK_LOSSES = ("focal", "anchor")
# The paper's three losses and teacher, with our mending of what was wrong with them (METHOD section 6).
MENDED = replace(PAPER, mask_choice="single", ignore_padding=True, background=True, cross_image_negatives=True)
PAPER_SETTINGS = WesamSettings(
    as_published=True, teacher="shared", contrastive_weight=1, student_prompt_weight=0, box_projection_weight=0
)
SINGLE = replace(OURS, mask_choice="single")


def slow_losses(
    segmenter: Segmenter, teacher: dict[str, Tensor], batch: Batch, s: WesamSettings, f: Formulation
) -> dict[str, float]:
    """The formulas again, of single-mask outputs: image by image, prompt by prompt, in plain floats.

    Args:
        teacher: adapter weights whose masks are the pseudo-labels.
    """
    images = len(batch)
    index = batch.image_index.tolist()
    source = {name: torch.zeros_like(weight) for name, weight in teacher.items()}

    def ask(pixels: Tensor, row: int, weights: dict[str, Tensor]) -> tuple[Tensor, MaskPrediction]:
        image = index[row]
        with update_of(segmenter).using(weights):
            features = segmenter.encode(pixels[image : image + 1])
            return features.pooled[0], segmenter.decode(features, batch.prompts[row : row + 1], torch.tensor([0]))

    own = update_of(segmenter).state()
    names = ("focal", "dice", "iou", "anchor", "anchor_agreement", "teacher_area", "predicted_iou")
    names += ("box_projection", "points")
    losses: dict[str, list[list[float]]] = {name: [[] for _ in range(images)] for name in names}
    queries: list[list[float] | None] = []
    keys: list[list[float] | None] = []
    covered = {branch: torch.zeros(batch.valid.shape) for branch in ("teacher", "anchor")}
    features: dict[tuple[str, int], Tensor] = {}
    for row, image in enumerate(index):
        valid = batch.valid[image]
        w = valid if f.ignore_padding else None
        features["weak", image], weak = ask(batch.weak, row, own)
        features["anchor", image], anchor = ask(batch.weak, row, source)
        _, strong = ask(batch.strong, row, own)
        t = ask(batch.weak, row, teacher)[1].logits[0] > 0
        a = anchor.logits[0] > 0
        y = strong.logits[0]
        assert batch.prompts.boxes is not None
        box = [edge * segmenter.mask_grid / segmenter.input_size for edge in batch.prompts.boxes[row].tolist()]
        losses["box_projection"][image].append(oracles.projection(y, box))
        losses["points"][image].append(oracles.partial(y, clicked_cells(batch, row, segmenter.input_size)))
        losses["focal"][image].append(oracles.focal(y, t, w, f.focal_alpha))
        losses["dice"][image].append(oracles.dice(y, t, w))
        losses["iou"][image].append((strong.iou.item() - oracles.iou(y > 0, t, w)) ** 2)
        distances = [
            oracles.dice(logits, a, w)
            if f.anchor_distance == "dice"
            else 20 * oracles.focal(logits, a, w, f.focal_alpha)
            for logits in ((y, weak.logits[0]) if s.anchor_views == "both" else (y,))
        ]
        losses["anchor"][image].append(sum(distances) / 2)
        losses["anchor_agreement"][image].append(oracles.iou(t, a, w))
        losses["teacher_area"][image].append(float((t * valid).sum() / valid.sum()))
        losses["predicted_iou"][image].append(weak.iou.item())
        counted = torch.ones_like(valid) if w is None else w
        queries.append(oracles.pool(features["weak", image], t * counted))
        keys.append(oracles.pool(features["anchor", image], a * counted))
        covered["teacher"][image] += t
        covered["anchor"][image] += a
    entry_index = list(index)
    if f.background:
        for image in range(images):
            background = {name: (cover[image] == 0) * batch.valid[image] for name, cover in covered.items()}
            queries.append(oracles.pool(features["weak", image], background["teacher"]))
            keys.append(oracles.pool(features["anchor", image], background["anchor"]))
            entry_index.append(image)

    means = {
        name: sum(sum(values) / len(values) for values in per_image) / images for name, per_image in losses.items()
    }
    means["contrastive"] = oracles.contrastive(
        queries, keys, entry_index, images, "summed", f.cross_image_negatives, 0.3
    )
    weights = {
        "focal": 20 * s.self_training_weight,
        "dice": f.dice * s.self_training_weight,
        "iou": f.iou * s.self_training_weight,
        "anchor": s.anchor_weight,
        "contrastive": s.contrastive_weight,
        "box_projection": s.box_projection_weight,
        "points": s.point_weight,
    }
    total = sum(weight * means[name] for name, weight in weights.items())
    absent = {name for name, weight in weights.items() if weight == 0}
    if s.anchor_views == "strong" and s.teacher == "ema":
        absent.add("predicted_iou")  # nobody asked the student about the weak view
    return {"total": total, **{name: value for name, value in means.items() if name not in absent}}


def clicked_cells(batch: Batch, row: int, input_size: int) -> dict[tuple[int, int], bool]:
    """Cells that an object's points speak of, {(row, column): on it or not}, for points in the middle of a cell."""
    points = {}
    if batch.prompts.points is not None and batch.prompts.point_labels is not None:
        for (x, y), label in zip(
            batch.prompts.points[row].tolist(), batch.prompts.point_labels[row].tolist(), strict=True
        ):
            if label >= 0:
                cell = input_size / batch.valid.shape[1]
                points[int((y + 0.5) / cell), int((x + 0.5) / cell)] = label == 1
    return points


@pytest.mark.parametrize(
    ("settings", "formulation"),
    [
        (WesamSettings(student_prompt_weight=0), SINGLE),
        (PAPER_SETTINGS, PAPER),
        (PAPER_SETTINGS, MENDED),
        (WesamSettings(student_prompt_weight=0, contrastive_weight=1, anchor_views="strong"), SINGLE),
        (WesamSettings(student_prompt_weight=0, anchor_views="strong"), SINGLE),
        (
            WesamSettings(
                self_training_weight=0.5,
                anchor_weight=2,
                contrastive_weight=3,
                student_prompt_weight=0,
                box_projection_weight=0.5,
            ),
            replace(SINGLE, dice=0.5, iou=0.25, background=False, ignore_padding=False),
        ),
    ],
    ids=["default", "paper", "mended", "contrast", "strong view", "weights"],
)
def test_equals_the_slow_formulas(settings: WesamSettings, formulation: Formulation) -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter(seed=1)
    method = Wesam(segmenter, settings, formulation)
    teacher = update_of(segmenter).state()
    if settings.teacher == "ema":
        update_of(segmenter).load(update_of(adapted_segmenter(seed=2, drift=0.3)).state())
    losses = method(batch)
    expected = slow_losses(segmenter, teacher, batch, settings, formulation)
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, rel=2e-4, abs=1e-6)
    assert [name for name, loss in losses.items() if loss.requires_grad] == ["total"]


def test_as_published_is_one_switch() -> None:
    assert Wesam(adapted_segmenter(), PAPER_SETTINGS).formulation == PAPER
    assert Wesam(adapted_segmenter(), WesamSettings()).formulation == OURS


def test_points_equal_the_slow_formula() -> None:
    batch, segmenter = with_points_and_outlines(make_batch((3, 1))), adapted_segmenter(seed=1)
    settings = WesamSettings(point_weight=0.5, teacher="shared", student_prompt_weight=0)
    losses = Wesam(segmenter, settings, SINGLE)(batch)
    # The positive of the second object is inside the boxes of none of its neighbours here, but in its own row.
    assert losses["points"] > 0


def with_points_and_outlines(batch: Batch) -> Batch:
    """The second object also has clicks in the middle of a cell, which is 4 pixels wide, and the third an outline."""
    count = len(batch.prompts)
    points = torch.zeros(count, 2, 2)
    labels = torch.full((count, 2), -1)
    points[1] = torch.tensor([[9.5, 21.5], [41.5, 1.5]])
    labels[1] = torch.tensor([1, 0])
    outlines = torch.full((count, GRID, GRID), torch.nan)
    across = torch.arange(GRID) - 7.5
    outlines[2] = 4 - torch.maximum(across[:, None].abs(), across.abs())
    return replace(batch, prompts=Prompts(batch.prompts.boxes, points, labels), outlines=outlines)


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_teacher_and_anchor_answer_with_the_mask_that_fits_the_label(teacher: str) -> None:
    batch = with_points_and_outlines(make_batch((3, 2)))
    settings = WesamSettings.model_validate({"teacher": teacher})
    segmenter = adapted_segmenter(drift=0)
    method = Wesam(segmenter, settings)
    with torch.no_grad():
        features = segmenter.encode(batch.weak)
        asked = (features, batch.prompts, batch.image_index)
        single = segmenter.decode(*asked).logits
        expected = consistent_logits(segmenter, *asked, batch.outlines) > 0
    assert not torch.equal(expected[1:3], single[1:3] > 0)  # the random decoder's four answers differ
    assert torch.equal(method.anchor(segmenter, batch).masks, expected)
    losses = method(batch)
    assert losses["anchor_agreement"].item() == 1  # a fresh teacher's answers are the anchor's
    losses["total"].backward()
    assert any(p.grad is not None and p.grad.any() for p in update_of(segmenter).parameters())


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_gradients_reach_the_adapter_and_nothing_else(teacher: str) -> None:
    segmenter = adapted_segmenter()
    method = Wesam(segmenter, WesamSettings.model_validate({"teacher": teacher}))
    method(make_batch())["total"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in update_of(segmenter).parameters())
    assert sum(p.grad is not None for p in method.parameters()) == len(update_of(segmenter).parameters())


def test_a_fresh_adapter_agrees_with_the_anchor_and_already_learns() -> None:
    segmenter = adapted_segmenter(drift=0)
    losses = Wesam(segmenter, WesamSettings())(make_batch())
    losses["total"].backward()
    assert losses["anchor_agreement"].item() == 1
    grads = {name: p.grad for name, p in update_of(segmenter).tensors().items()}
    assert all(grad is not None and grad.abs().sum() > 0 for name, grad in grads.items() if "lora_B" in name)


def test_an_image_weighs_the_same_in_a_batch() -> None:
    batch, method = make_batch((4, 1)), Wesam(adapted_segmenter(), WesamSettings())
    together = method(batch)
    alone = [method(only_image(batch, image)) for image in range(2)]
    for name in MASK_LOSSES:
        torch.testing.assert_close(together[name], (alone[0][name] + alone[1][name]) / 2, rtol=1e-4, atol=1e-6)


def test_duplicated_instances_weigh_nothing() -> None:
    batch, method = make_batch((3, 2)), Wesam(adapted_segmenter(), WesamSettings())
    once, twice = method(batch), method(only_rows(batch, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))
    for name in MASK_LOSSES:
        torch.testing.assert_close(twice[name], once[name], rtol=1e-4, atol=1e-6)


def contrastive_gradient(formulation: Formulation, batch: Batch) -> float:
    segmenter = adapted_segmenter()
    alone = PAPER_SETTINGS.model_copy(update={"self_training_weight": 0.0, "anchor_weight": 0.0})
    Wesam(segmenter, alone, formulation)(batch)["total"].backward()
    return sum(float(p.grad.abs().sum()) for p in update_of(segmenter).parameters() if p.grad is not None)


def test_an_image_with_one_instance_learns_from_its_background_or_from_other_images() -> None:
    one, two = make_batch((1,)), make_batch((1, 1))
    assert contrastive_gradient(PAPER, one) == 0
    assert contrastive_gradient(replace(PAPER, background=True), one) > 0
    assert contrastive_gradient(PAPER, two) == 0
    assert contrastive_gradient(replace(PAPER, cross_image_negatives=True), two) > 0


def run(method: Wesam, batches: list[Batch]) -> list[Tensor]:
    """Every loss of some steps, as one vector a step."""
    optimiser = torch.optim.Adam(update_of(method.segmenter).parameters(), lr=1e-2)
    history = []
    for batch in batches:
        losses = method(batch)
        losses["total"].backward()
        optimiser.step()
        optimiser.zero_grad()
        method.after_step()
        history.append(torch.stack([loss.detach() for loss in losses.values()]))
    return history


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_the_cache_changes_no_bit(teacher: str) -> None:
    batches = [make_batch((3, 1)), make_batch((2, 4), seed=1)] * 2 + [only_image(make_batch((3, 1)), 0)]
    histories = []
    for kept in (2**20, 0):
        method = Wesam(adapted_segmenter(), WesamSettings.model_validate({"teacher": teacher}))
        method.anchor.cache.max_bytes = kept
        torch.manual_seed(0)
        histories.append(run(method, batches))
    with_cache, without = histories
    assert all(torch.equal(a, b) for a, b in zip(with_cache, without, strict=True))
    assert not torch.equal(with_cache[0], with_cache[2])


def test_a_resumed_ema_teacher_goes_on_unchanged() -> None:
    settings = WesamSettings(teacher="ema")
    first = Wesam(adapted_segmenter(), settings)
    run(first, [make_batch(), make_batch(seed=1)])
    state, weights = first.own_state(), update_of(first.segmenter).state()

    resumed = Wesam(adapted_segmenter(seed=3), settings)
    update_of(resumed.segmenter).load(weights)
    resumed.load_own_state(state)
    later = [make_batch(seed=2), make_batch(seed=1)]
    histories = []
    for method in (first, resumed):
        torch.manual_seed(0)
        histories.append(run(method, later))
    assert all(torch.equal(a, b) for a, b in zip(*histories, strict=True))
    assert any(not torch.equal(average, weights[name]) for name, average in first.result().items())


def test_the_state_of_one_teacher_is_refused_by_the_other() -> None:
    ema = Wesam(adapted_segmenter(), WesamSettings(teacher="ema"))
    shared = Wesam(adapted_segmenter(), WesamSettings(teacher="shared"))
    assert shared.own_state() == {}
    shared.load_own_state({})
    with pytest.raises(WesamError, match="expected no such tensor"):
        shared.load_own_state(ema.own_state())
    with pytest.raises(WesamError, match="no such tensor"):
        ema.load_own_state({})


@pytest.mark.parametrize("teacher", ["shared", "ema"])
@pytest.mark.parametrize(
    ("term", "views"),
    [
        ("self_training", {"strong"}),
        ("anchor", {"weak", "strong"}),
        ("contrastive", {"weak"}),
        ("box_projection", {"strong"}),
        ("point", {"strong"}),
        ("student_prompt", {"strong"}),
    ],
)
def test_each_loss_sends_gradients_through_its_own_views(teacher: str, term: str, views: set[str]) -> None:
    weights = {
        f"{name}_weight": float(name == term)
        for name in ("self_training", "anchor", "contrastive", "box_projection", "point", "student_prompt")
    }
    method = Wesam(adapted_segmenter(), WesamSettings.model_validate({"teacher": teacher, **weights}))
    batch = with_points_and_outlines(make_batch())
    batch.weak.requires_grad_()
    batch.strong.requires_grad_()
    method(batch)["total"].backward()
    pixels = {"weak": batch.weak, "strong": batch.strong}
    assert {view for view, p in pixels.items() if p.grad is not None and p.grad.abs().sum() > 0} == views


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_the_result_is_the_average_where_there_is_one(teacher: str) -> None:
    segmenter = adapted_segmenter()
    method = Wesam(segmenter, WesamSettings.model_validate({"teacher": teacher}))
    before = update_of(segmenter).state()
    update_of(segmenter).load({name: weight + 1 for name, weight in before.items()})
    method.after_step()
    moved = 0.01 if teacher == "ema" else 1.0
    for name, weight in method.result().items():
        torch.testing.assert_close(weight, before[name] + moved)


def test_weight_0_is_not_computed_and_a_branch_that_nobody_reads_never_runs() -> None:
    segmenter, batch = adapted_segmenter(), make_batch()
    method = Wesam(segmenter, WesamSettings(anchor_weight=0, anchor_views="strong", student_prompt_weight=0))
    with patch.object(segmenter, "encode", wraps=segmenter.encode) as encode:
        losses = method(batch)
    assert encode.call_count == 2  # the EMA teacher's weak view and the student's strong one
    assert losses.keys() == {"total", "focal", "box_projection", "teacher_area"}


def test_a_batch_whose_labels_say_nothing_to_the_losses_is_a_step_of_gradient_zero() -> None:
    segmenter = adapted_segmenter()
    settings = WesamSettings(
        self_training_weight=0, anchor_weight=0, box_projection_weight=0, student_prompt_weight=0, point_weight=1
    )
    Wesam(segmenter, settings)(make_batch())["total"].backward()
    assert all(p.grad is not None and not p.grad.any() for p in update_of(segmenter).parameters())
