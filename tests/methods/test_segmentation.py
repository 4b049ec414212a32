from unittest.mock import patch

import torch

from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.segmentation import pixel_weight, predict_both


def test_both_looks_are_one_pass_and_agree_with_two() -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter()
    with (
        torch.no_grad(),
        patch.object(segmenter, "encode", wraps=segmenter.encode) as encode,
        patch.object(segmenter, "decode", wraps=segmenter.decode) as decode,
    ):
        looks = predict_both(segmenter, batch)
        assert (encode.call_count, decode.call_count) == (1, 1)
        for pixels, prediction in ((batch.weak, looks.weak), (batch.strong, looks.strong)):
            features = segmenter.encode(pixels)
            expected = segmenter.decode(features, batch.prompts, batch.image_index)
            torch.testing.assert_close(prediction.logits, expected.logits, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(prediction.iou, expected.iou, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            looks.weak_features.pooled, segmenter.encode(batch.weak).pooled, rtol=1e-4, atol=1e-4
        )


def test_weights_are_those_of_each_prompts_image() -> None:
    batch = make_batch((3, 1))
    weight = pixel_weight(batch, ignore_padding=True)
    assert weight is not None
    assert weight.mean((1, 2)).tolist() == [1, 1, 1, 0.75]
    assert pixel_weight(batch, ignore_padding=False) is None
