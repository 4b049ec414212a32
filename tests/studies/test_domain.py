from __future__ import annotations

from pathlib import Path

import pytest

from studies.domain import Domain
from studies.pack import Pack
from wesam.errors import WesamError


def test_domains_are_read_from_text() -> None:
    assert Domain.parse("nuclei: /a/b tile=176") == Domain("nuclei", Path("/a/b"), tile=176)
    fog = Domain.parse("natural fog: '/a b' corruption=fog severity=3")
    assert fog == Domain("natural fog", Path("/a b"), "fog", 3)
    assert Domain.parse(r"fog: C:\packs\fog tile=9").pack == Path(r"C:\packs\fog")
    for wrong in ("nuclei", ": /a", "nuclei: /a size=3", "nuclei: /a tile=x", "nuclei: '/a"):
        with pytest.raises(WesamError, match="--domain"):
            Domain.parse(wrong)


def test_images_are_corrupted_once_below_the_folder_of_runs(pack_folder: Path, tmp_path: Path) -> None:
    assert Domain("plain", pack_folder).images_and_labels(tmp_path / "runs") == Pack.at(pack_folder)
    assert not (tmp_path / "runs").exists()
    fog = Domain("fog", pack_folder, "fog", 3).images_and_labels(tmp_path / "runs")
    assert fog.images == tmp_path / "runs" / "images-fog-3"
    assert {path.name for path in fog.images.iterdir()} == {path.name for path in (pack_folder / "images").iterdir()}
