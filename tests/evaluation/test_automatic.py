import math

import numpy as np

from wesam.evaluation.automatic import PromptScore, score_prompts
from wesam.masks import encode_mask


def bar(start: int, end: int) -> dict[str, object]:
    mask = np.zeros((4, 20), bool)
    mask[:, start:end] = True
    return encode_mask(mask)


def test_a_prompt_is_right_from_half_an_overlap_on() -> None:
    objects = [bar(0, 4), bar(10, 14)]
    assert score_prompts([bar(0, 8)], objects) == PromptScore(1, 1, 2, 1)  # IoU 0.5
    assert score_prompts([bar(0, 9)], objects) == PromptScore(1, 0, 2, 0)
    assert score_prompts([bar(0, 4), bar(0, 5), bar(17, 20)], objects) == PromptScore(3, 2, 2, 1)


def test_shares_are_of_all_images_together() -> None:
    total = PromptScore.total([PromptScore(3, 2, 1, 1), PromptScore(1, 1, 4, 1)])
    assert (total.precision, total.recall) == (0.75, 0.4)


def test_no_prompts_or_no_objects() -> None:
    none = score_prompts([], [bar(0, 4)])
    assert none.recall == 0
    assert math.isnan(none.precision)
    other = score_prompts([bar(0, 4)], [])
    assert other.precision == 0
    assert math.isnan(other.recall)
    assert PromptScore.total([]) == PromptScore(0, 0, 0, 0)
