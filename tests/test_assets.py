"""Bundled models: found by name, and, where one is there, in good health."""

import time

import pytest
import torch
from transformers import SamModel

from recipes.edge.network import EdgeNet
from recipes.edge.probe import encode_all, evaluate
from recipes.pretraining import probe
from wesam.assets import bundled_model_path, bundled_models
from wesam.errors import WesamError
from wesam.models.edgetam_network import load_edgetam


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WesamError, match="bundled model: expected one of .*, got 'wesam-huge'"):
        bundled_model_path("wesam-huge")


@pytest.mark.skipif("wesam-tiny" not in bundled_models(), reason="no weights in this checkout")
class TestWesamTiny:
    def test_it_is_small_and_loads_fast(self) -> None:
        folder = bundled_model_path("wesam-tiny")
        assert sum(path.stat().st_size for path in folder.iterdir()) < 16e6
        started = time.process_time()
        SamModel.from_pretrained(folder)
        assert time.process_time() - started < 5

    def test_it_looks_at_the_image(self) -> None:
        sam = SamModel.from_pretrained(bundled_model_path("wesam-tiny"), dtype=torch.float32)
        test = probe.scenes("source", 2_000_000, 12)
        right, other = (probe.evaluate(sam, test, "points", swap, most=8).miou for swap in ("right", "other"))
        assert right > other + 10


@pytest.mark.skipif("wesam-edge" not in bundled_models(), reason="no weights in this checkout")
class TestWesamEdge:
    def test_it_is_small_and_loads_fast(self) -> None:
        folder = bundled_model_path("wesam-edge")
        assert sum(path.stat().st_size for path in folder.iterdir()) < 16e6
        started = time.process_time()
        load_edgetam(folder)
        assert time.process_time() - started < 5

    def test_it_is_what_the_recipe_exports(self) -> None:
        """The weights fit the recipe's network, name by name, and nothing is left over."""
        net = EdgeNet()
        net.sam.load_state_dict(load_edgetam(bundled_model_path("wesam-edge")).state_dict(), strict=True)

    def test_it_looks_at_the_image(self) -> None:
        net = EdgeNet(bf16=False).eval()
        net.sam.load_state_dict(load_edgetam(bundled_model_path("wesam-edge")).state_dict())
        test = probe.scenes("source", 2_000_000, 8)
        encoded = encode_all(net, test)
        right, other = (evaluate(net, test, levels, "box").miou for levels in (encoded, encoded[1:] + encoded[:1]))
        assert right > other + 20
