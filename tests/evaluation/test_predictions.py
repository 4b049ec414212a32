import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from wesam.errors import WesamError
from wesam.evaluation.predict import predict
from wesam.evaluation.predictions import instance_map, prediction_folder
from wesam.evaluation.previews import write_label_pictures
from wesam.labels.images import list_images, read_image
from wesam.masks import encode_mask


def write(folder, samples, **kwargs):
    with prediction_folder(folder, samples, **kwargs) as predictions:
        for sample in samples:
            masks = [instance.rle for instance in sample.instances]
            predictions.add(sample, read_image(sample.path), masks, [0.5 + i / 8 for i in range(len(masks))])
    return predictions


def test_the_json_is_a_coco_set_that_pycocotools_opens(tmp_path, disc_samples):
    written = write(tmp_path / "out", disc_samples)
    coco = COCO(str(written.results))
    assert [image["file_name"] for image in coco.dataset["images"]] == ["0.png", "1.png", "sub/1.png"]
    assert [category["name"] for category in coco.dataset["categories"]] == ["disc"]
    instances = [instance for sample in disc_samples for instance in sample.instances]
    assert len(coco.anns) == len(instances)
    for annotation, instance in zip(coco.dataset["annotations"], instances, strict=True):
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width, y + height) == instance.box
        assert annotation["label_id"] == instance.id
        assert (coco.annToMask(annotation).astype(bool) == instance.mask()).all()
    assert [annotation["score"] for annotation in coco.dataset["annotations"][:2]] == [0.5, 0.625]
    # Its annotations alone are results in pycocotools' sense.
    assert len(coco.loadRes(json.loads(written.results.read_text())["annotations"]).anns) == len(instances)


def test_maps_are_16_bit_and_hold_the_masks(tmp_path, disc_samples):
    write(tmp_path, disc_samples)
    with Image.open(tmp_path / "instances" / "sub" / "1.png") as file:
        assert file.mode == "I;16"
        pixels = np.array(file)
    assert pixels.shape == (80, 50)
    assert set(np.unique(pixels)) == {0, 1, 2, 3}
    assert (pixels == 2).sum() > 200


def test_the_smaller_of_two_masks_is_on_top(disc_samples):
    sample = disc_samples[1]
    small = np.zeros((64, 64), bool)
    small[30:34, 20:24] = True
    large = np.ones((64, 64), bool)
    for masks, index in (([small, large], 1), ([large, small], 2)):
        pixels = instance_map(sample, [encode_mask(mask) for mask in masks])
        assert ((pixels == index) == small).all()


def test_more_instances_than_16_bits_hold_are_refused_before_all_work(tmp_path, disc_samples):
    crowd = replace(disc_samples[1], instances=disc_samples[1].instances * 65_536)
    with pytest.raises(WesamError, match=r"1\.png: expected at most 65535"):
        write(tmp_path / "out", [disc_samples[0], crowd])
    assert not (tmp_path / "out").exists()


def test_images_that_differ_only_in_suffix_keep_it(tmp_path, disc_samples):
    first = disc_samples[0]
    other = type(first)("0.jpg", first.path, first.width, first.height, first.instances)
    write(tmp_path, [first, other, disc_samples[1]])
    names = sorted(path.name for path in (tmp_path / "instances").glob("*.png"))
    assert names == ["0.jpg.png", "0.png.png", "1.png"]


def test_images_that_differ_in_case_keep_their_suffix(tmp_path, disc_samples):
    """On some file systems "a.png" and "A.png" are one file."""
    first = disc_samples[0]
    names = ("a.png", "A.jpg", "b.png")
    write(tmp_path, [type(first)(name, first.path, first.width, first.height, first.instances) for name in names])
    assert sorted(path.name for path in (tmp_path / "instances").glob("*.png")) == ["A.jpg.png", "a.png.png", "b.png"]


def test_scores_lie_within_0_and_1_and_are_numbers(tmp_path, disc_samples):
    sample = disc_samples[0].with_instances(disc_samples[0].instances[:1])
    masks = [sample.instances[0].rle]
    with prediction_folder(tmp_path / "a", [sample], False) as predictions:
        predictions.add(sample, read_image(sample.path), masks, [1.03])
    assert json.loads(predictions.results.read_text())["annotations"][0]["score"] == 1.0
    with (
        pytest.raises(WesamError, match="not a number"),
        prediction_folder(tmp_path / "b", [sample], False) as predictions,
    ):
        predictions.add(sample, read_image(sample.path), masks, [float("nan")])
    assert not predictions.results.exists()


def test_an_image_without_objects_gets_an_empty_map(tmp_path, disc_samples):
    write(tmp_path, [disc_samples[0].with_instances([])], overlays=False)
    assert not np.array(Image.open(tmp_path / "instances" / "0.png")).any()
    assert not (tmp_path / "overlays").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, disc_samples):
    (tmp_path / "file").write_text("")
    with pytest.raises(WesamError, match=r"file/out: expected a folder"):
        write(tmp_path / "file" / "out", disc_samples)


def test_an_earlier_prediction_is_kept_unless_it_may_go_and_then_it_goes_whole(tmp_path, disc_samples, brightness):
    predict(brightness, disc_samples, tmp_path / "out", prompt="box")
    with pytest.raises(WesamError, match=r"predictions\.json: expected a new folder"):
        predict(brightness, disc_samples[:1], tmp_path / "out", prompt="box")
    predict(brightness, disc_samples[:1], tmp_path / "out", prompt="box", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["0.png", "0.png"]


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_earlier_prediction_stays_until_the_new_one_is_whole(tmp_path, disc_samples, brightness):
    predict(brightness, disc_samples, tmp_path / "out", prompt="box")
    before = files(tmp_path / "out")
    with pytest.raises(WesamError, match="overlap: expected 0 <= overlap < tile = 32, got 64"):
        predict(brightness, disc_samples, tmp_path / "out", prompt="box", tile=32, overwrite=True)
    disc_samples[2].path.unlink()
    with pytest.raises(WesamError, match=r"1\.png: expected an image"):
        predict(brightness, disc_samples, tmp_path / "out", prompt="box", overwrite=True)
    assert files(tmp_path / "out") == before


def test_what_a_first_prediction_has_written_survives_an_error(tmp_path, disc_samples, brightness):
    def fail(sample):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(brightness, disc_samples, tmp_path, on_image=fail)
    assert len(list((tmp_path / "instances").glob("*.png"))) == 1
    with pytest.raises(WesamError, match="overwrite replaces"):
        predict(brightness, disc_samples, tmp_path)
    predict(brightness, disc_samples, tmp_path, overwrite=True)
    assert len(list((tmp_path / "instances").glob("*.png"))) == 2  # of three, one has no object


@pytest.mark.parametrize("kind", ["instances", "overlays"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_no_prediction_is_never_written_to(tmp_path, disc_samples, kind, overwrite):
    (tmp_path / "out" / kind).mkdir(parents=True)
    (tmp_path / "out" / kind / "0.png").write_text("precious")
    (tmp_path / "out" / "predictions.json").write_text("of a detector")
    with pytest.raises(WesamError, match=rf"{kind}: expected no such folder, or one of an earlier prediction"):
        write(tmp_path / "out", disc_samples, overwrite=overwrite)
    assert (tmp_path / "out" / kind / "0.png").read_text() == "precious"


def test_overlays_of_an_earlier_prediction_do_not_stay_beside_another(tmp_path, disc_samples):
    write(tmp_path / "out", disc_samples)
    write(tmp_path / "out", disc_samples, overlays=False, overwrite=True)
    assert not (tmp_path / "out" / "overlays").exists()


def test_masks_may_lie_beside_the_images(tmp_path, disc_samples, brightness):
    images = disc_samples[0].path.parent
    before = list_images(images)
    predict(brightness, disc_samples, images, prompt="box")
    assert list_images(images) == before
    assert list_images(images.parent) == before


def test_pictures_of_results_are_no_images(tmp_path, disc_samples, brightness):
    images = disc_samples[0].path.parent
    before = list_images(images)
    predict(brightness, disc_samples, images / "masks", prompt="box")
    write_label_pictures(disc_samples, images / "pictures")
    assert list_images(images) == before
    assert len(list_images(images / "masks" / "overlays")) == 3  # asked for by name, they are
