"""What a network answered about an image, kept on disk: asking again takes seconds to minutes an image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from wesam.atomic import replaced_file
from wesam.automatic.candidates import Candidates, find_candidates
from wesam.errors import WesamError
from wesam.labels.images import read_sample
from wesam.models.fingerprint import adapter_switches, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.automatic.settings import GridSettings
    from wesam.models.segmenter import Segmenter
    from wesam.types import Sample

# Changes when the same question would be answered or written otherwise than before.
_VERSION = 2


class CandidateCache:
    """One file an image, whole or absent, so that a killed run goes on where it was.

    A file is found again by the content of the image, the weights of the network and the settings of the grid. Where
    one of them changed, the network is asked anew; what an image is called does not matter.

    Args:
        folder: made if absent.
        segmenter: asked about images that have no file yet. Its weights are read here, once; whether its adapter is on
            is read whenever it is asked.
        settings, tile, overlap: as for `find_candidates`.

    Raises:
        WesamError: if the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        segmenter: Segmenter,
        settings: GridSettings,
        tile: int | None = None,
        overlap: int = 0,
    ) -> None:
        self.folder = folder
        self._segmenter = segmenter
        self._settings = settings
        self._tile = tile
        self._overlap = overlap
        tiles = None if tile is None else [tile, overlap]
        question = {"version": _VERSION, "grid": settings.model_dump(), "tiles": tiles}
        self._question = hashlib.sha256(json.dumps(question, sort_keys=True).encode())
        self._question.update(fingerprint(segmenter))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WesamError(f"{folder}: expected a folder that can be written, got: {error}") from error

    def get(self, sample: Sample) -> Candidates:
        """The candidates of an image: from its file, else asked for and kept.

        Raises:
            WesamError: if the image cannot be read or its file cannot be written.
        """
        file = self._file(sample)
        kept = _load(file)
        if kept is not None:
            return kept
        image = read_sample(sample)
        found = find_candidates(self._segmenter, image, self._settings, self._tile, self._overlap)
        try:
            with replaced_file(file) as partial, partial.open("wb") as stream:
                np.savez_compressed(stream, **asdict(found))
        except OSError as error:
            raise WesamError(f"{file}: expected a file that can be written, got: {error}") from error
        return found

    def _file(self, sample: Sample) -> Path:
        key = self._question.copy()
        key.update(adapter_switches(self._segmenter))
        try:
            key.update(repr(sample.reading).encode())
            key.update(sample.path.read_bytes())
        except OSError as error:
            raise WesamError(f"{sample.path}: expected an image that can be read, got: {error}") from error
        return self.folder / f"{key.hexdigest()[:32]}.npz"


def _load(file: Path) -> Candidates | None:
    """None where there is no file, or one that a failing disk or another program left unreadable."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return Candidates(**arrays)
    except FileNotFoundError:
        return None
    except MemoryError:  # the file is whole
        raise
    except Exception:  # whatever the readers of zip, deflate and npy make of damage: the image is asked about anew
        file.unlink()
        return None
