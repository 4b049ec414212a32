"""What the networks say to a batch, each branch asked when a loss first needs it and remembered for the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.methods.anchor_cache import Anchor
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction


@dataclass(frozen=True)
class Taught:
    """What a teacher says to a batch.

    Attributes:
        logits: (N, m, m) mask logits on the weak view, without a graph.
        trust: (N,) weight of each object's pseudo-label, in [0, 1]; None where all count alike.
        sure: (N, m, m) bool, cells of which the pseudo-label speaks; None where it does of all.
    """

    logits: Tensor
    trust: Tensor | None = None
    sure: Tensor | None = None


class Branches:
    """Anchor, teacher and student on the weak and the strong view of one batch.

    Nothing runs before it is read, and nothing runs twice; a branch that no loss reads never runs.

    Args:
        segmenter: the student: the network with the weights that learn.
        batch: of B images and N prompts.
        anchor: asks the source model.
        teacher: asks whoever gives the pseudo-labels.
        ignore_padding: whether mask losses leave out what lies beside the image.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        batch: Batch,
        anchor: Callable[[], Anchor] | None = None,
        teacher: Callable[[Branches], Taught] | None = None,
        ignore_padding: bool = True,
    ) -> None:
        self.segmenter = segmenter
        self._batch = batch
        self._anchor = anchor
        self._teacher = teacher
        self._ignore_padding = ignore_padding

    def ran(self, name: str) -> bool:
        """Whether a branch has been asked in this step."""
        return name in self.__dict__

    @cached_property
    def features_weak(self) -> Features:
        """The student's features of the weak view, with a graph."""
        return self.segmenter.encode(self._batch.weak)

    @cached_property
    def features_strong(self) -> Features:
        """The student's features of the strong view, with a graph."""
        return self.segmenter.encode(self._batch.strong)

    @cached_property
    def student_weak(self) -> MaskPrediction:
        """The student on the weak view, with the labels' prompts."""
        return self.segmenter.decode(self.features_weak, self._batch.prompts, self._batch.image_index)

    @cached_property
    def student_strong(self) -> MaskPrediction:
        """The student on the strong view, with the labels' prompts."""
        return self.segmenter.decode(self.features_strong, self._batch.prompts, self._batch.image_index)

    @cached_property
    def anchor(self) -> Anchor:
        """The source model on the weak view: masks, and features pooled under them.

        Raises:
            ValueError: if the method has none.
        """
        if self._anchor is None:
            raise ValueError("expected a method with an anchor, got one without")
        return self._anchor()

    @cached_property
    def teacher(self) -> Taught:
        """The teacher on the weak view.

        Raises:
            ValueError: if the method has none.
        """
        if self._teacher is None:
            raise ValueError("expected a method with a teacher, got one without")
        return self._teacher(self)

    @cached_property
    def pseudo_labels(self) -> Tensor:
        """(N, m, m) bool, the teacher's masks."""
        return self.teacher.logits > 0

    @cached_property
    def target(self) -> Tensor:
        """(N, m, m) bool, what the student is taught: the true mask where the label has one, else the pseudo-label."""
        if self._batch.masks is None:
            return self.pseudo_labels
        return torch.where(self.known[:, None, None], self._batch.masks > 0.5, self.pseudo_labels)

    @cached_property
    def known(self) -> Tensor:
        """(N,) bool: objects whose true mask is known."""
        masks = self._batch.masks
        if masks is None:
            return torch.zeros(len(self._batch.prompts), dtype=torch.bool, device=self._batch.weak.device)
        return ~masks[:, 0, 0].isnan()

    @cached_property
    def trust(self) -> Tensor:
        """(N,) how much each object's target counts: a true mask wholly, a pseudo-label as far as it is trusted."""
        given = self.teacher.trust
        if given is None:
            return torch.ones_like(self.known, dtype=torch.float32)
        return torch.where(self.known, 1.0, given)

    @cached_property
    def target_weight(self) -> Tensor | None:
        """`weight`, without the cells of which a pseudo-label does not speak."""
        sure = self.teacher.sure
        if sure is None:
            return self.weight
        counted = (sure | self.known[:, None, None]).float()
        return counted if self.weight is None else counted * self.weight

    @cached_property
    def weight(self) -> Tensor | None:
        """(N, m, m) weights that leave padding out of the mask losses; None where every cell counts."""
        return self._batch.valid[self._batch.image_index] if self._ignore_padding else None
