"""From the image names in a label file, which nobody vouches for, to files in the user's image folder."""

from __future__ import annotations

import math
import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, takewhile
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import unquote

from wesam.errors import WesamError
from wesam.labels.containers import find_containers, refuse_container, stem_of
from wesam.labels.images import image_size, is_image_name, list_images
from wesam.untrusted import stay_inside

if TYPE_CHECKING:
    from collections.abc import Iterable

# Folders above an image that label files name; more would only be a way to make us search for long.
_LONGEST_END = 8

_UPLOAD_PREFIX = re.compile(r"(^|[/\\])[0-9a-f]{8}-(?=[^/\\]+$)")


@dataclass(frozen=True)
class ImageFile:
    """An image that was found.

    Attributes:
        id: its path relative to the image folder, with forward slashes (becomes `Sample.id`).
        path: the file.
        width, height: size in pixels after EXIF orientation.
        elsewhere: where the labels were made, the folder that stands for the image folder; "." if they do not say.
        sized: whether the labels state its size, which is that of the upright image.
    """

    id: str
    path: Path
    width: int
    height: int
    elsewhere: str = "."
    sized: bool = False

    def of_size(self, width: object, height: object) -> ImageFile:
        """This image, if the labels were made on one of its size, as far as their file states one.

        Args:
            width, height: as the file states them: numbers, or text of numbers.

        Raises:
            WesamError: if `width` and `height` are numbers above 0 and not those of the image.
        """
        # Some tools write 0 for a size they do not know.
        width, height = _number(width), _number(height)
        if not (_is_size(width) and _is_size(height)):
            return self
        if (width, height) == (self.width, self.height):
            return replace(self, sized=True)
        hint = " (labelled without its EXIF rotation?)" if (height, width) == (self.width, self.height) else ""
        stated = " x ".join(str(int(side) if side // 1 == side else side) for side in (width, height))
        raise WesamError(f"expected {self.width} x {self.height} px, the size of {self.id!r}, got {stated}{hint}")


class ImageFolder:
    """The folder that the file names of a label file are relative to.

    Raises:
        WesamError: if it does not exist.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise WesamError(f"{root}: expected a folder of images, found no such folder")
        self.root = root
        self._elsewhere: str | None = None
        self._named: frozenset[str] = frozenset()

    def expect(self, names: Iterable[str]) -> None:
        """Says which names the labels have: a file that has one of them is not looked for under one that is like it."""
        self._named = frozenset(names)

    def find(self, name: str) -> ImageFile:
        """The image a label file calls `name`: a relative path, with either kind of slash.

        Where no file has exactly that name, one that is the same text in another Unicode normal form will
        do: macOS writes decomposed names and labelling tools composed ones. So will the only one that is the same but
        for upper and lower case (``IMG_1.JPG``), or for characters that one has as in an address (``%20``), or, where
        `name` has no suffix of an image, but for that.

        Raises:
            WesamError: if the name leads out of the folder (absolute, with "..", or through a link), no such file
                exists, or it is not an image.
        """
        path = self._locate(name)
        if not _is_file(path):
            # `Path.is_dir` raises for a name that no file can have.
            if os.path.isdir(path):  # noqa: PTH112
                refuse_container(path)
            raise WesamError(f"expected an image file {str(path)!r}, found none")
        width, height = image_size(stay_inside(path, self.root))
        return ImageFile(path.relative_to(self.root).as_posix(), path, width, height)

    def _locate(self, name: str) -> Path:
        """Where the image of that name is, or would be.

        Raises:
            WesamError: if the name leads out of the folder.
        """
        forward = PurePosixPath(name.replace("\\", "/"))
        if ".." in forward.parts or forward.is_absolute() or PureWindowsPath(name).is_absolute():
            raise WesamError(f"expected a path inside the image folder, got {name!r}")
        path = self.root / name
        if not _is_file(path):
            path = self.root / forward
        if not _is_file(path):
            path = self._by_normal_form.get(_normal_form(forward), path)
        if not _is_file(path):
            alike = self._alike(_loose_form(forward))
            path = alike[0] if len(alike) == 1 else path
        if not _is_file(path) and not is_image_name(name):
            alike = self._by_stem.get(_normal_form(forward), [])
            path = alike[0] if len(alike) == 1 else path
        return path

    def _alike(self, loose_form: str, suffix: bool = True) -> list[Path]:
        """Images whose names are alike, with suffix or without, and that the labels do not mean by another name."""
        found = (self._by_loose_form if suffix else self._by_loose_stem).get(loose_form, [])
        names = ((path.relative_to(self.root), path) for path in found)
        return [
            path for name, path in names if (name if suffix else name.with_suffix("")).as_posix() not in self._named
        ]

    def find_tail(self, path: str) -> ImageFile:
        """The image that had `path` where the labels were made: the longest end of it that exists here.

        What comes before a ".." or a drive is dropped with it, so that nothing leads out of the folder. The eight
        digits that Label Studio puts before the name of an uploaded file may be there or not.

        Raises:
            WesamError: if no end of the path is an image here.
        """
        found = self._end(path)
        if found is None:
            raise WesamError(f"expected a path to an image, got {path!r}")
        elsewhere, end = found
        return replace(self.find(end), elsewhere=elsewhere)

    def _end(self, path: str) -> tuple[str, str] | None:
        """The longest end of a path that exists here, else its name, behind what comes before; None without a name."""
        ends = [*_ends(path), *_ends(_UPLOAD_PREFIX.sub(r"\1", path))]
        return next((one for one in ends if _is_file(self._locate(one[1]))), ends[-1] if ends else None)

    def certainty(self, elsewhere: str) -> int:
        """How surely labels that were made in `elsewhere` are of this folder: how many names agree, the last first.

        All of them do where the labels name no folder.
        """
        path = PurePosixPath(elsewhere)
        pairs = zip(self._folders, path.parts[::-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) if path.name else len(self._folders)

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        """The names of this folder and those above it."""
        return self.root.resolve().parts[::-1]

    def prefer_own(self, paths: Iterable[str]) -> None:
        """Has `find_moved` take, of labels for several folders, those for the one that is called most like this one."""
        ends = (self._end(path) for path in paths if self._folders[0] in path)
        elsewhere = dict.fromkeys(end[0] for end in ends if end is not None and end[0] != ".")
        best = max(elsewhere, key=self.certainty, default=None)
        if best is not None and self.certainty(best):
            self._elsewhere = best

    def find_moved(self, path: str) -> ImageFile:
        """The image of that name, or else of an end of it: labels may have been made where it lay elsewhere.

        Then all paths of a label file must lie in one folder, that of the first unless `prefer_own` found a better one:
        with ``train/1.png`` and ``val/1.png`` nobody could say which of them a single ``1.png`` is.

        Raises:
            WesamError: if there is neither, or the end is that of a path from another folder than before.
        """
        try:
            return self.find(path)
        except WesamError as error:
            try:
                file = self.find_tail(path)
            except WesamError:
                raise error from None
        if self._elsewhere is None:
            self._elsewhere = file.elsewhere
        if file.elsewhere != self._elsewhere:
            raise WesamError(
                f"expected a path inside the image folder, or in {self._elsewhere!r} as others, got {path!r}"
            )
        return file

    def find_uploaded(self, path: str) -> ImageFile:
        """The image that Django, and so Label Studio, calls `path` once it is uploaded: ``a b+.png`` is ``a_b.png``.

        Raises:
            WesamError: if there is none, or several.
        """
        name = PurePosixPath(_UPLOAD_PREFIX.sub(r"\1", path)).name
        paths = self._by_uploaded_name.get(name, [])
        if len(paths) == 1:
            file = self.find(paths[0].relative_to(self.root).as_posix())
            return replace(file, elsewhere=PurePosixPath(path).parent.as_posix())
        raise WesamError(f"expected one image that is called {name!r} once uploaded, found {len(paths)}")

    def find_stem(self, stem: str, but: Path | None = None) -> ImageFile:
        """The image at a relative path whose suffix is not known, as for labels that share its name.

        Args:
            stem: the path without suffix.
            but: a file that is not meant, such as the mask whose image is looked for.

        Raises:
            WesamError: if there is none, or several with different suffixes.
        """
        paths = self._by_stem.get(_normal_form(PurePosixPath(stem)), [])
        paths = [path for path in paths if but is None or not path.samefile(but)]
        if not paths:
            for name in dict.fromkeys((stem, _UPLOAD_PREFIX.sub(r"\1", stem))):
                alike = self._alike(_loose_form(PurePosixPath(name)), suffix=False)
                paths = paths or [path for path in alike if but is None or not path.samefile(but)]
        if len(paths) == 1:
            return self.find(paths[0].relative_to(self.root).as_posix())
        for path in [] if paths else self._containers.get(_normal_form(PurePosixPath(stem)), []):
            refuse_container(path)
        found = "none" if not paths else " and ".join(repr(path.name) for path in paths)
        raise WesamError(f"expected one image file {stem!r} with any suffix, found {found}")

    @cached_property
    def _containers(self) -> dict[str, list[Path]]:
        """Files and folders that hold images and are not read, by their path without ending."""
        found: dict[str, list[Path]] = {}
        for path in find_containers(self.root):
            found.setdefault(_normal_form((path.parent / stem_of(path)).relative_to(self.root)), []).append(path)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        def stem(path: Path) -> str:
            return _normal_form(path.relative_to(self.root).with_suffix(""))

        return {key: list(paths) for key, paths in groupby(sorted(list_images(self.root), key=stem), key=stem)}

    @cached_property
    def _by_loose_form(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in list_images(self.root):
            found.setdefault(_loose_form(path.relative_to(self.root)), []).append(path)
        return found

    @cached_property
    def _by_loose_stem(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in list_images(self.root):
            found.setdefault(_loose_form(path.relative_to(self.root).with_suffix("")), []).append(path)
        return found

    @cached_property
    def _by_uploaded_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in list_images(self.root):
            found.setdefault(re.sub(r"[^-\w.]", "", path.name.strip().replace(" ", "_")), []).append(path)
        return found

    @cached_property
    def _by_normal_form(self) -> dict[str, Path]:
        return {_normal_form(path.relative_to(self.root)): path for path in list_images(self.root)}


def _ends(path: str) -> list[tuple[str, str]]:
    """Ends of a path that lead out of nothing, the longest first, each behind what comes before it."""
    parts = PurePosixPath(posixpath.normpath(path.replace("\\", "/"))).parts
    inside = list(takewhile(lambda part: part != ".." and not PureWindowsPath(part).anchor, reversed(parts)))
    cuts = range(len(parts) - min(len(inside), _LONGEST_END), len(parts))
    return [(PurePosixPath(*parts[:cut]).as_posix(), "/".join(parts[cut:])) for cut in cuts]


def _normal_form(name: PurePath) -> str:
    return unicodedata.normalize("NFC", name.as_posix())


def _loose_form(name: PurePath) -> str:
    """Without what names lose on their way: upper case, and characters that addresses write as %20."""
    return unicodedata.normalize("NFC", unquote(name.as_posix())).casefold()


def _number(value: object) -> object:
    """What a text such as "640" says."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_size(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and 0 < value < math.inf


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL
        return False
