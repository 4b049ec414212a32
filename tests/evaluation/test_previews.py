import numpy as np
import pytest
from PIL import Image

from tests.evaluation.test_scores import FULL_SMALL, HALF_SMALL, NONE_LARGE, make_evaluation
from tests.tiny import tiny_segmenter
from wesam.evaluation.previews import pick_samples, write_label_pictures, write_previews, write_scored_previews
from wesam.prompts.weak_labels import weak_labels
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update


@pytest.mark.parametrize(
    ("count", "ids"),
    [(0, []), (1, ["1.png"]), (2, ["0.png", "sub/1.png"]), (9, ["0.png", "1.png", "sub/1.png"])],
)
def test_samples_are_spread_over_the_set(disc_samples, count, ids):
    assert [sample.id for sample in pick_samples(disc_samples, count)] == ids


def test_the_most_harmed_and_the_most_helped_image_are_shown(disc_samples):
    def moved(sample, name):
        return type(sample)(name, sample.path, sample.width, sample.height, sample.instances)

    samples = [moved(sample, f"{i}.png") for i, sample in enumerate(disc_samples)]
    box = {"source": [[HALF_SMALL], [HALF_SMALL], [FULL_SMALL]], "adapted": [[HALF_SMALL], [FULL_SMALL], [NONE_LARGE]]}
    click = {"source": [[NONE_LARGE], [FULL_SMALL], [FULL_SMALL]], "adapted": [[FULL_SMALL]] * 3}
    for prompts, expected in (({"box": box}, ["2.png", "1.png"]), ({"box": box, "click": click}, ["2.png", "0.png"])):
        assert [sample.id for sample in pick_samples(samples, 2, make_evaluation(**prompts))] == expected


def test_images_without_objects_are_not_shown(disc_samples):
    assert pick_samples([sample.with_instances([]) for sample in disc_samples], 4) == []


def test_one_picture_a_sample_with_source_and_adapted(tmp_path, disc_samples):
    segmenter = tiny_segmenter()
    alone = write_scored_previews(segmenter, disc_samples[:1], tmp_path / "alone", prompts=["box"])
    add_update(segmenter, LoraSettings(), seed=0)
    files = write_scored_previews(segmenter, disc_samples, tmp_path / "both", prompts=["box", "click"])
    assert [file.name for file in files] == ["01_0.png", "02_1.png", "03_1.png"]
    (_, one), (_, two) = ((file, np.array(Image.open(file))) for file in (alone[0], files[0]))
    assert two.shape[1] - one.shape[1] == 512 + 8  # one panel more
    assert two.shape[0] > 1.9 * one.shape[0]  # and one row more


def test_weak_labels_need_no_ground_truth(tmp_path, disc_samples):
    weak = [weak_labels(sample, "box") for sample in disc_samples]
    assert len(write_previews(tiny_segmenter(), weak, tmp_path)) == 3


def test_labels_are_drawn_beside_their_image(disc_samples, tmp_path):
    files = write_label_pictures(disc_samples[:2], tmp_path / "pictures", title="prompts")
    assert [file.name for file in files] == ["01_0.png", "02_1.png"]
    picture = np.asarray(Image.open(files[0]))
    plain, labelled = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
    assert np.ptp(plain[60:-60, 60:-60], axis=2).max() == 0  # grey discs
    assert np.ptp(labelled[60:-60, 60:-60], axis=2).max() > 50  # coloured masks


def test_pictures_of_an_earlier_call_go(tmp_path, disc_samples):
    (tmp_path / "07_mine.txt").touch()
    write_label_pictures(disc_samples, tmp_path)
    write_label_pictures(disc_samples[:1], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["01_0.png", "07_mine.txt", "images"]
