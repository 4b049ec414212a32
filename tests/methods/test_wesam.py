from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.losses import oracles
from tests.methods.scenes import GRID, adapted_segmenter, make_batch, only_image, only_rows
from wesam.batches.batch import Batch
from wesam.errors import WesamError
from wesam.methods.mask_choice import consistent_logits
from wesam.methods.wesam import WesamObjective, WesamSettings
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts
from wesam.updates.update import update_of

MASK_LOSSES = ("self_training", "focal", "dice", "iou", "anchor")
# The paper's three losses and teacher, with our mending of what was wrong with them (METHOD section 6).
MENDED = WesamSettings(
    teacher="shared",
    focal_alpha=0.8,
    dice_weight=1,
    anchor_form="dice",
    contrastive_weight=1,
    box_projection_weight=0,
    box_clip=False,
)
PAPER = MENDED.model_copy(
    update={"background_negative": False, "cross_image_negatives": False, "ignore_padding": False}
)


def slow_losses(segmenter: Segmenter, teacher: dict[str, Tensor], batch: Batch, s: WesamSettings) -> dict[str, float]:
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
    names += ("box_projection", "points", "coarse")
    losses: dict[str, list[list[float]]] = {name: [[] for _ in range(images)] for name in names}
    queries: list[list[float] | None] = []
    keys: list[list[float] | None] = []
    covered = {branch: torch.zeros(batch.valid.shape) for branch in ("teacher", "anchor")}
    features: dict[tuple[str, int], Tensor] = {}
    for row, image in enumerate(index):
        valid = batch.valid[image]
        w = valid if s.ignore_padding else None
        features["weak", image], weak = ask(batch.weak, row, own)
        features["anchor", image], anchor = ask(batch.weak, row, source)
        _, strong = ask(batch.strong, row, own)
        taught = ask(batch.weak, row, teacher)[1].logits[0]
        t = taught > 0
        a = anchor.logits[0] > 0
        y = strong.logits[0]
        assert batch.prompts.boxes is not None
        box = [edge * segmenter.mask_grid / segmenter.input_size for edge in batch.prompts.boxes[row].tolist()]
        if s.box_clip:
            t = t * touching(box, s.box_slack, len(t))
        losses["box_projection"][image].append(oracles.projection(y, box) if s.box_projection_weight else 0.0)
        points, outline = known_places(batch, row, segmenter.input_size)
        losses["points"][image].append(oracles.partial(y, points) if s.point_weight else 0.0)
        losses["coarse"][image].append(oracles.partial(y, outline) if s.coarse_weight else 0.0)
        soft = torch.where(t == (taught > 0), taught.sigmoid(), t.float())
        sure = (2 * soft - 1).abs() * (1 if w is None else w) if s.confidence_weighting else w
        target = soft if s.soft_targets else t
        trust = oracles.iou(t, a, w) if s.agreement_weighting else 1.0
        losses["focal"][image].append(trust * oracles.focal(y, target, sure, s.focal_alpha))
        losses["dice"][image].append(trust * oracles.dice(y, target, sure))
        losses["iou"][image].append(trust * (strong.iou.item() - oracles.iou(y > 0, t, w)) ** 2)
        distances = [
            oracles.dice(look, a, w)
            if s.anchor_form == "dice"
            else s.focal_weight * oracles.focal(look, a, w, s.focal_alpha)
            for look in (y, weak.logits[0])
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
    if s.background_negative:
        for image in range(images):
            background = {name: (cover[image] == 0) * batch.valid[image] for name, cover in covered.items()}
            queries.append(oracles.pool(features["weak", image], background["teacher"]))
            keys.append(oracles.pool(features["anchor", image], background["anchor"]))
            entry_index.append(image)

    means = {
        name: sum(sum(values) / len(values) for values in per_image) / images for name, per_image in losses.items()
    }
    means["self_training"] = (
        s.focal_weight * means["focal"] + s.dice_weight * means["dice"] + s.iou_weight * means["iou"]
    )
    means["contrastive"] = oracles.contrastive(
        queries, keys, entry_index, images, s.contrastive_form, s.cross_image_negatives, s.temperature
    )
    means["total"] = (
        s.self_training_weight * means["self_training"]
        + s.anchor_weight * means["anchor"]
        + s.contrastive_weight * means["contrastive"]
        + s.box_projection_weight * means["box_projection"]
        + s.point_weight * means["points"]
        + s.coarse_weight * means["coarse"]
    )
    return means


def known_places(batch: Batch, row: int, input_size: int) -> tuple[dict, dict]:
    """Cells that the points, and cells that the outline of an object speak of: {(row, column): on it or not}.

    For points in the middle of a cell, neighbours whose points do not count, and a band of one cell.
    """
    points, outline = {}, {}
    if batch.prompts.points is not None and batch.prompts.point_labels is not None:
        for (x, y), label in zip(
            batch.prompts.points[row].tolist(), batch.prompts.point_labels[row].tolist(), strict=True
        ):
            if label >= 0:
                cell = input_size / batch.valid.shape[1]
                points[int((y + 0.5) / cell), int((x + 0.5) / cell)] = label == 1
    if batch.outlines is not None:
        for place in np.ndindex(*batch.outlines.shape[1:]):
            distance = float(batch.outlines[row][place])
            if abs(distance) >= 1:
                outline[place] = distance > 0
    return points, outline


def touching(box: list[float], slack: float, size: int) -> Tensor:
    """(m, m) bool: the cells that the stretched box touches."""
    x0, y0, x1, y1 = box
    across, down = slack * (x1 - x0), slack * (y1 - y0)
    cells = [
        [x + 1 > x0 - across and x < x1 + across and y + 1 > y0 - down and y < y1 + down for x in range(size)]
        for y in range(size)
    ]
    return torch.tensor(cells)


@pytest.mark.parametrize(
    "settings",
    [
        WesamSettings(),
        MENDED,
        PAPER,
        WesamSettings(teacher="ema", contrastive_weight=1, contrastive_form="row-wise"),
        WesamSettings(teacher="shared", box_projection_weight=0.5, box_clip=True, box_slack=0.1),
        WesamSettings(
            self_training_weight=0.5,
            anchor_weight=2,
            contrastive_weight=3,
            focal_weight=10,
            iou_weight=0.25,
            temperature=0.1,
            background_negative=False,
        ),
        WesamSettings(soft_targets=True, box_clip=True),
        WesamSettings(confidence_weighting=True, agreement_weighting=True),
        WesamSettings(soft_targets=True, confidence_weighting=True, ignore_padding=False),
    ],
    ids=["default", "mended", "paper", "ema", "knowledge", "weights", "soft", "weighted", "soft and weighted"],
)
def test_equals_the_slow_formulas(settings: WesamSettings) -> None:
    settings = settings.model_copy(update={"granularity": "single"})
    batch, segmenter = make_batch((3, 1)), adapted_segmenter(seed=1)
    objective = WesamObjective(segmenter, settings)
    teacher = update_of(segmenter).state()
    if settings.teacher == "ema":
        update_of(segmenter).load(update_of(adapted_segmenter(seed=2, drift=0.3)).state())
    losses = objective(batch)
    expected = slow_losses(segmenter, teacher, batch, settings)
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, rel=2e-4, abs=1e-6)
    assert [name for name, loss in losses.items() if loss.requires_grad] == ["total"]


def test_the_anchors_weight_moves_in_a_straight_line() -> None:
    batch, segmenter = make_batch(), adapted_segmenter()
    constant = WesamObjective(segmenter, WesamSettings(anchor_weight=2))(batch)
    objective = WesamObjective(segmenter, WesamSettings(anchor_weight=2, anchor_weight_end=0.5))
    for progress, weight in ((0.0, 2.0), (0.5, 1.25), (1.0, 0.5)):
        objective.progress = progress
        losses = objective(batch)
        torch.testing.assert_close(losses["total"], constant["total"] + (weight - 2) * losses["anchor"])


def test_points_and_outlines_equal_the_slow_formulas() -> None:
    batch, segmenter = with_points_and_outlines(make_batch((3, 1))), adapted_segmenter(seed=1)
    settings = WesamSettings(
        point_weight=0.5,
        points_of_others=False,
        coarse_weight=0.25,
        coarse_band=0,
        teacher="shared",
        granularity="single",
    )
    losses = WesamObjective(segmenter, settings)(batch)
    expected = slow_losses(segmenter, update_of(segmenter).state(), batch, settings)
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, rel=2e-4, abs=1e-6)
    assert losses["points"] > 0
    assert losses["coarse"] > 0


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
def test_teacher_and_anchor_answer_in_the_labels_granularity(teacher: str) -> None:
    batch = with_points_and_outlines(make_batch((3, 2)))
    settings = WesamSettings.model_validate({"teacher": teacher, "granularity": "label"})
    segmenter = adapted_segmenter(drift=0)
    objective = WesamObjective(segmenter, settings)
    with torch.no_grad():
        features = segmenter.encode(batch.weak)
        asked = (features, batch.prompts, batch.image_index)
        single = segmenter.decode(*asked).logits
        expected = consistent_logits(single, segmenter, *asked, batch.outlines) > 0
    assert not torch.equal(expected[1:3], single[1:3] > 0)  # the random decoder's four answers differ
    assert torch.equal(objective.anchor(segmenter, batch).masks, expected)
    losses = objective(batch)
    assert losses["anchor_agreement"].item() == 1  # a fresh teacher's answers are the anchor's
    losses["total"].backward()
    assert any(p.grad is not None and p.grad.any() for p in update_of(segmenter).parameters())


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_gradients_reach_the_adapter_and_nothing_else(teacher: str) -> None:
    segmenter = adapted_segmenter()
    objective = WesamObjective(segmenter, WesamSettings.model_validate({"teacher": teacher}))
    objective(make_batch())["total"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in update_of(segmenter).parameters())
    assert sum(p.grad is not None for p in objective.parameters()) == len(update_of(segmenter).parameters())


def test_a_fresh_adapter_agrees_with_the_anchor_and_already_learns() -> None:
    segmenter = adapted_segmenter(drift=0)
    losses = WesamObjective(segmenter, WesamSettings())(make_batch())
    losses["total"].backward()
    assert losses["anchor_agreement"].item() == 1
    grads = {name: p.grad for name, p in update_of(segmenter).tensors().items()}
    assert all(grad is not None and grad.abs().sum() > 0 for name, grad in grads.items() if "lora_B" in name)


def test_an_image_weighs_the_same_in_a_batch() -> None:
    batch, objective = make_batch((4, 1)), WesamObjective(adapted_segmenter(), WesamSettings())
    together = objective(batch)
    alone = [objective(only_image(batch, image)) for image in range(2)]
    for name in MASK_LOSSES:
        torch.testing.assert_close(together[name], (alone[0][name] + alone[1][name]) / 2, rtol=1e-4, atol=1e-6)


def test_duplicated_instances_weigh_nothing() -> None:
    batch, objective = make_batch((3, 2)), WesamObjective(adapted_segmenter(), WesamSettings())
    once, twice = objective(batch), objective(only_rows(batch, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))
    for name in MASK_LOSSES:
        torch.testing.assert_close(twice[name], once[name], rtol=1e-4, atol=1e-6)


def contrastive_gradient(settings: WesamSettings, batch: Batch) -> float:
    segmenter = adapted_segmenter()
    alone = settings.model_copy(update={"self_training_weight": 0.0, "anchor_weight": 0.0})
    WesamObjective(segmenter, alone)(batch)["total"].backward()
    return sum(float(p.grad.abs().sum()) for p in update_of(segmenter).parameters() if p.grad is not None)


def test_an_image_with_one_instance_learns_from_its_background_or_from_other_images() -> None:
    one, two = make_batch((1,)), make_batch((1, 1))
    assert contrastive_gradient(PAPER, one) == 0
    assert contrastive_gradient(PAPER.model_copy(update={"background_negative": True}), one) > 0
    assert contrastive_gradient(PAPER, two) == 0
    assert contrastive_gradient(PAPER.model_copy(update={"cross_image_negatives": True}), two) > 0


def run(objective: WesamObjective, batches: list[Batch]) -> list[Tensor]:
    """Every loss of some steps, as one vector a step."""
    optimiser = torch.optim.Adam(update_of(objective.segmenter).parameters(), lr=1e-2)
    history = []
    for batch in batches:
        losses = objective(batch)
        losses["total"].backward()
        optimiser.step()
        optimiser.zero_grad()
        objective.after_step()
        history.append(torch.stack([loss.detach() for loss in losses.values()]))
    return history


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_the_cache_changes_no_bit(teacher: str) -> None:
    batches = [make_batch((3, 1)), make_batch((2, 4), seed=1)] * 2 + [only_image(make_batch((3, 1)), 0)]
    with_cache, without = (
        run(
            WesamObjective(
                adapted_segmenter(),
                WesamSettings.model_validate({"teacher": teacher, "anchor_cache_mb": megabytes}),
            ),
            batches,
        )
        for megabytes in (1, 0)
    )
    assert all(torch.equal(a, b) for a, b in zip(with_cache, without, strict=True))
    assert not torch.equal(with_cache[0], with_cache[2])


def test_a_resumed_ema_teacher_goes_on_unchanged() -> None:
    settings = WesamSettings(teacher="ema", ema_decay=0.5)
    first = WesamObjective(adapted_segmenter(), settings)
    run(first, [make_batch(), make_batch(seed=1)])
    state, weights = first.extra_state(), update_of(first.segmenter).state()

    resumed = WesamObjective(adapted_segmenter(seed=3), settings)
    update_of(resumed.segmenter).load(weights)
    resumed.load_extra_state(state)
    later = [make_batch(seed=2), make_batch(seed=1)]
    assert all(torch.equal(a, b) for a, b in zip(run(first, later), run(resumed, later), strict=True))
    assert any(not torch.equal(state[name], weights[name]) for name in weights)


def test_the_state_of_one_teacher_is_refused_by_the_other() -> None:
    ema = WesamObjective(adapted_segmenter(), WesamSettings(teacher="ema"))
    shared = WesamObjective(adapted_segmenter(), WesamSettings(teacher="shared"))
    assert shared.extra_state() == {}
    shared.load_extra_state({})
    with pytest.raises(WesamError, match="expected none"):
        shared.load_extra_state(ema.extra_state())
    with pytest.raises(WesamError, match="no such tensor"):
        ema.load_extra_state({})


@pytest.mark.parametrize("teacher", ["shared", "ema"])
@pytest.mark.parametrize(
    ("term", "looks"),
    [
        ("self_training", {"strong"}),
        ("anchor", {"weak", "strong"}),
        ("contrastive", {"weak"}),
        ("box_projection", {"strong"}),
        ("point", {"strong"}),
        ("coarse", {"strong"}),
    ],
)
def test_each_loss_sends_gradients_through_its_own_looks(teacher: str, term: str, looks: set[str]) -> None:
    weights = {
        f"{name}_weight": float(name == term)
        for name in ("self_training", "anchor", "contrastive", "box_projection", "point", "coarse")
    }
    objective = WesamObjective(adapted_segmenter(), WesamSettings.model_validate({"teacher": teacher, **weights}))
    batch = with_points_and_outlines(make_batch())
    batch.weak.requires_grad_()
    batch.strong.requires_grad_()
    objective(batch)["total"].backward()
    pixels = {"weak": batch.weak, "strong": batch.strong}
    assert {look for look, p in pixels.items() if p.grad is not None and p.grad.abs().sum() > 0} == looks


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_the_result_is_the_average_where_there_is_one(teacher: str) -> None:
    segmenter = adapted_segmenter()
    objective = WesamObjective(segmenter, WesamSettings.model_validate({"teacher": teacher, "ema_decay": 0.75}))
    before = update_of(segmenter).state()
    update_of(segmenter).load({name: weight + 1 for name, weight in before.items()})
    objective.after_step()
    moved = 0.25 if teacher == "ema" else 1.0
    for name, weight in objective.result().items():
        torch.testing.assert_close(weight, before[name] + moved)
