import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.evaluation.conftest import disc_sample
from tests.tiny import tiny_segmenter
from wesam.batches.dataset import ViewSettings
from wesam.errors import WesamError
from wesam.evaluation import predict as module
from wesam.evaluation.metrics import mask_overlap
from wesam.evaluation.predict import DEFAULT_OVERLAP, predict, predict_image
from wesam.labels.images import read_image, read_sample
from wesam.models import inference as inference_module
from wesam.prompts.weak_labels import weak_labels
from wesam.types import FOREGROUND, Instance, MaskPrediction


def predicted(segmenter, sample, **tiles):
    return predict_image(segmenter, read_sample(sample), sample.instances, **tiles)


def ious(predictions, sample):
    assert [p.instance.id for p in predictions] == [i.id for i in sample.instances]
    return [mask_overlap(p.rle, i.rle).iou for p, i in zip(predictions, sample.instances, strict=True)]


def test_masks_lie_on_the_objects_of_images_of_any_shape(brightness, disc_samples):
    for sample in disc_samples:
        assert min(ious(predicted(brightness, weak_labels(sample, "box")), sample)) > 0.8


def test_a_prediction_has_the_size_of_the_image(brightness, disc_samples):
    prediction = predicted(brightness, weak_labels(disc_samples[0], "box"))[0]
    assert prediction.mask().shape == (64, 96)
    assert prediction.iou == 0.5


def test_tiles_keep_the_order_and_the_place_of_objects_and_sharpen_small_ones(brightness, tmp_path):
    places = [(400, 20, 5), (30, 30, 6), (250, 250, 120), (470, 460, 5), (200, 30, 6), (62, 100, 5)]
    sample = disc_sample(tmp_path, "large.png", (512, 480), places)
    weak = weak_labels(sample, "box")
    whole = ious(predicted(brightness, weak), sample)
    tiled = ious(predicted(brightness, weak, tile=64, overlap=20), sample)
    assert min(tiled) > 0.85
    assert min(whole) < 0.6
    assert tiled[2] == whole[2]  # too large for a tile: asked for on the whole image


@pytest.mark.parametrize(("logit", "covered"), [(0.25, 1), (1e-4, 1), (0.0, 0), (-1e-4, 0)])
def test_masks_are_cut_at_logit_0(brightness, disc_samples, monkeypatch, logit, covered):
    def constant(self, features, prompts, image_index):
        return MaskPrediction(torch.full((len(prompts), 64, 64), logit), torch.ones(len(prompts)))

    monkeypatch.setattr(type(brightness), "decode", constant)
    for prediction in predicted(brightness, weak_labels(disc_samples[0], "box")):
        assert prediction.mask().mean() == covered


def test_a_crowd_is_decoded_in_groups_and_gives_the_same(monkeypatch, disc_samples):
    segmenter = tiny_segmenter()
    sample = weak_labels(disc_samples[2], "box")
    image = read_image(sample.path)
    many = sample.instances * 5
    at_once = predict_image(segmenter, image, many)
    monkeypatch.setattr(module, "_PROMPTS_AT_ONCE", 4)
    monkeypatch.setattr(inference_module, "_PIXELS_AT_ONCE", 2 * 50 * 80)
    in_groups = predict_image(segmenter, image, many)
    assert [p.rle for p in in_groups] == [p.rle for p in at_once]
    assert [p.iou for p in in_groups] == pytest.approx([p.iou for p in at_once], abs=1e-5)


@pytest.mark.parametrize("kind", ["box", "point", "mask"])
@pytest.mark.parametrize("tile", [None, 48])
def test_every_kind_of_prompt_runs_through_a_sam(disc_samples, kind, tile):
    for sample in disc_samples:
        weak = weak_labels(sample, kind)
        assert len(predicted(tiny_segmenter(), weak, tile=tile, overlap=16)) == len(sample.instances)


def test_no_objects_no_predictions(brightness, disc_samples):
    assert predicted(brightness, disc_samples[0].with_instances([])) == []


def test_the_network_is_left_as_it_was(brightness, disc_samples):
    brightness.train()
    predicted(brightness, weak_labels(disc_samples[0], "box"))
    assert brightness.training
    assert torch.is_grad_enabled()


def test_an_image_that_changed_since_its_labels_were_read_is_named(brightness, disc_samples, tmp_path):
    Image.new("RGB", (10, 10)).save(disc_samples[0].path)
    with pytest.raises(WesamError, match=r"0\.png: expected an image of 96 x 64 px .* got 10 x 10"):
        predict(brightness, disc_samples, tmp_path / "out", prompt="box")


def test_predict_writes_what_it_predicts_and_tells_of_each_image(brightness, disc_samples, tmp_path):
    seen = []
    results = predict(brightness, disc_samples, tmp_path / "out", prompt="box", on_image=lambda s: seen.append(s.id))
    assert seen == ["0.png", "1.png", "sub/1.png"]
    annotations = json.loads(results.read_text())["annotations"]
    assert [a["label_id"] for a in annotations] == [i.id for s in disc_samples for i in s.instances]
    assert annotations[0]["score"] == 0.5
    for sample in disc_samples:
        name = sample.id.removesuffix(".png")
        pixels = np.array(Image.open(tmp_path / "out" / "instances" / f"{name}.png"))
        for number, instance in enumerate(sample.instances, start=1):
            shared = ((pixels == number) & instance.mask()).sum() / instance.mask().sum()
            assert shared > 0.8
        assert (tmp_path / "out" / "overlays" / f"{name}.png").is_file()


def test_tiles_overlap_as_in_adaptation():
    assert ViewSettings().overlap == DEFAULT_OVERLAP


def test_an_object_with_clicks_alone_that_its_tile_cuts_off_is_asked_about_on_the_whole_image(brightness, tmp_path):
    class Bright(type(brightness)):
        def decode(self, features, prompts, image_index):
            return MaskPrediction(features.pooled[image_index, 0], torch.ones(len(prompts)))

    sample = disc_sample(tmp_path, "large.png", (256, 256), [(100, 100, 60)])
    clicks = sample.with_instances([Instance("a", points=((100.0, 100.0, FOREGROUND),))])
    (answer,) = predicted(Bright(), clicks, tile=64, overlap=20)
    assert mask_overlap(answer.rle, sample.instances[0].rle).iou > 0.9
    boxed = sample.with_instances([Instance("a", box=(90.0, 90.0, 110.0, 110.0))])  # a box says how large it is
    (answer,) = predicted(Bright(), boxed, tile=64, overlap=20)
    assert mask_overlap(answer.rle, sample.instances[0].rle).iou < 0.5


def test_a_label_that_cannot_prompt_ends_it_before_anything_is_written(brightness, disc_samples, tmp_path):
    last = disc_samples[2].with_instances([Instance("lost", points=((1.0, 1.0, FOREGROUND),))])
    with pytest.raises(WesamError, match=r"sub/1\.png: instance lost"):
        predict(brightness, [*disc_samples[:2], last], tmp_path / "out", prompt="box")
    assert not (tmp_path / "out").exists()
