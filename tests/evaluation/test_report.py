import os
from html.parser import HTMLParser

import pytest
from PIL import Image

from tests.evaluation.test_scores import FULL_LARGE, FULL_SMALL, HALF_SMALL, NONE_LARGE, make_evaluation
from wesam.evaluation.embedding_swap import EmbeddingSwap
from wesam.evaluation.report import headline, write_report

BETTER = {"source": [[HALF_SMALL]] * 12, "adapted": [[FULL_SMALL]] * 12}
WORSE = {"source": [[FULL_SMALL]] * 12, "adapted": [[HALF_SMALL]] * 12}
SAME = {"source": [[HALF_SMALL], [FULL_SMALL]] * 6, "adapted": [[FULL_SMALL], [HALF_SMALL]] * 6}


@pytest.mark.parametrize(
    ("methods", "verdict", "words", "warning"),
    [
        (BETTER, "better", "is better than the source model with a box (+66.7)", None),
        (WORSE, "worse", "is worse than the source model with a box (−66.7)", "Do not use this adapter"),
        (SAME, "no different", "show no difference", None),
        ({"source": [[FULL_SMALL]] * 12}, "scored", "source model scores 100.0 mIoU with a box", None),
        ({**BETTER, "grabcut": [[FULL_SMALL]] * 12}, "better", "is better", None),
        (
            {"source": [[NONE_LARGE]] * 12, "adapted": [[HALF_SMALL]] * 12, "box": [[FULL_SMALL]] * 12},
            "better",
            "is better",
            "beats the adapted model with a box (33.3) on these images: filled box (100.0)",
        ),
        ({"source": [[HALF_SMALL]], "adapted": [[FULL_SMALL]]}, "unknown", "One image cannot show", "Only 1 image"),
    ],
)
def test_the_headline_says_what_was_found(methods, verdict, words, warning):
    found = headline(make_evaluation(box=methods))
    assert found.verdict == verdict
    assert words in found.title
    assert [warning in text for text in found.warnings] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("prompts", "verdict", "words"),
    [
        ({"box": BETTER, "click": BETTER}, "better", "with a box (+66.7) and one click (+66.7)"),
        ({"box": SAME, "point": SAME, "click": BETTER}, "better", "than the source model with one click (+66.7)"),
        ({"box": WORSE, "click": BETTER}, "mixed", "with one click (+66.7), and worse with a box (−66.7)"),
        ({"box": WORSE, "click": SAME}, "worse", "is worse than the source model with a box (−66.7)"),
        ({"box": SAME, "click": SAME}, "no different", "show no difference"),
    ],
)
def test_the_headline_weighs_all_prompts(prompts, verdict, words):
    found = headline(make_evaluation(**prompts))
    assert (found.verdict, len(found.details)) == (verdict, len(prompts))
    assert words in found.title


def test_only_a_box_is_compared_with_masks_from_the_box():
    weak = {"source": [[HALF_SMALL]] * 12, "box": [[FULL_SMALL]] * 12}
    strong = {"source": [[FULL_SMALL]] * 12, "box": [[FULL_SMALL]] * 12}
    assert headline(make_evaluation(click=weak, box=strong)).warnings == []


def test_the_interval_is_in_the_details():
    assert headline(make_evaluation(box=BETTER)).details == [
        "With a box: mIoU 33.3 before and 100.0 after: +66.7 points, 95 % interval +66.7 to +66.7 "
        "(paired bootstrap over 12 images)."
    ]


@pytest.mark.parametrize(("other", "warns"), [(0.3, False), (0.69, True), (0.9, True)])
def test_a_blind_model_is_warned_of(other, warns):
    warnings = headline(make_evaluation(box=BETTER), EmbeddingSwap(own=0.7, other=other, zeros=0.2)).warnings
    assert ["hardly uses" in text for text in warnings] == ([True] if warns else [])


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_stands_alone_and_tells_all(tmp_path):
    preview = tmp_path / "01_cell.png"
    Image.new("RGB", (40, 20), "red").save(preview)
    methods = {
        "source": [[HALF_SMALL, FULL_LARGE]] * 12,
        "adapted": [[FULL_SMALL, FULL_LARGE]] * 12,
        "ellipse": [[HALF_SMALL, NONE_LARGE]] * 12,
    }
    evaluation = make_evaluation(box=methods, click=methods)
    write_report(
        tmp_path / "new" / "report.html",
        evaluation,
        selection="the last one <chosen by no label>",
        settings={"model": "tiny", "lora": {"rank": 4}},
        previews=[preview],
        swap=EmbeddingSwap(own=0.7, other=0.31, zeros=0.2),
    )
    page = Page((tmp_path / "new" / "report.html").read_text(encoding="utf-8"))
    assert all(source.startswith("data:") for source in page.sources)
    assert len(page.sources) == 1
    for words in (
        "adapted model is better",
        "inscribed ellipse",
        "IoU small",
        "IoU large",
        "12 small, 12 large.",
        "the last one <chosen by no label>",
        "lora.rank",
        "01_cell",
        "another image's 31.0",
        "12 with 24 objects",
        "with a box source model",
        "with one click source model",
    ):
        assert words in page.text
    assert page.text.count("inscribed ellipse") == 1
    assert "IoU medium" not in page.text


def test_a_page_without_pictures_or_settings_is_whole(tmp_path):
    write_report(tmp_path / "r.html", make_evaluation(box={"source": [[FULL_SMALL]]}), selection="none", settings={})
    text = Page((tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "Before and after" not in text
    assert "Settings" not in text


def test_names_that_are_no_text_are_written_with_escapes(tmp_path):
    settings = {"images": os.fsdecode(b"\xe9")}
    write_report(
        tmp_path / "r.html", make_evaluation(box={"source": [[FULL_SMALL]]}), selection="none", settings=settings
    )
    assert r"\udce9" in (tmp_path / "r.html").read_text(encoding="utf-8")
