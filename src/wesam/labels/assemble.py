"""From the marks that a person drew on an image to its objects, alike for every format."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.labels.box_numbers import BoxNumbers, doubtful_reading
from wesam.labels.files import label_files
from wesam.labels.folder import ImageFolder
from wesam.labels.label_set import LabelSet
from wesam.labels.problems import ProblemLog
from wesam.types import Instance, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wesam.labels.folder import ImageFile

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Mark:
    """One box, polygon, click, ... as it stands in a label file; fields as in `Instance`.

    Attributes:
        field: where in the file.
        category: name of its class, "" if it names none.
        group: what marks of one object share, None if the file does not say.
    """

    field: str
    category: str = ""
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    rle: dict[str, Any] | None = None
    group: str | None = None

    @property
    def only_negative(self) -> bool:
        """Whether it is nothing but points off an object, so that it cannot be an object itself."""
        return bool(self.points) and not any((self.box, self.rle, *(label for _, _, label in self.points)))


class LabelBuilder(ProblemLog):
    """The label set that a reader makes, image by image.

    Raises:
        WesamError: if the image folder does not exist.
    """

    def __init__(self, file: str, images: Path) -> None:
        super().__init__(file)
        self.folder = ImageFolder(images)
        # By image, and by the folder that the labels were made in: labels of one name may be for several images.
        self._samples: dict[str, dict[str, Sample]] = {}
        self._labelled_in: dict[tuple[str, str], tuple[str, str]] = {}
        self._sized: set[str] = set()
        self._again: dict[str, list[str]] = {}
        self.label_stems: frozenset[str] = frozenset()
        self._labels = file
        self._boxes: dict[str, list[BoxNumbers]] = {}

    def box_as_written(self, reading: str, numbers: Sequence[float], file: ImageFile, area: float = 0.0) -> None:
        """Notes the four numbers of a box before they are fitted, in pixels: all together they may mean others.

        Args:
            reading: what they are in this format (see `box_numbers`).
            numbers: of a box that is not turned.
            file: its image.
            area: as the labels state it; 0 if they do not.
        """
        a, b, c, d = numbers
        self._boxes.setdefault(reading, []).append(BoxNumbers((a, b, c, d), (file.width, file.height), file.id, area))

    def claim(
        self, field: str, find: Callable[_P, ImageFile | None], *args: _P.args, **kwargs: _P.kwargs
    ) -> ImageFile | None:
        """The image that `find` returns; None and a problem if it raises. Labels that it had before are kept, too."""
        file = self.attempt(field, find, *args, **kwargs)
        if file is not None:
            place = (self.file, field)
            first = self._labelled_in.setdefault((file.id, file.elsewhere), place)
            if first != place:
                self._again.setdefault(file.id, []).append(": ".join(place))
        return file

    def find_stated(self, field: str, stated: str, name: Path) -> ImageFile:
        """The image that a label file names; or that of its own name, where the one it names is another label file's.

        Files that were copied or renamed keep the name of the image that they were first made for.

        Args:
            field: where the image is named.
            stated: its path, as from the folder of the labels.
            name: path of the label file, relative to the labels.
        """
        own = name.with_suffix("").as_posix()
        file: ImageFile | None = None
        with suppress(WesamError):
            file = self.folder.find_tail(stated)
        other = (name.parent / PurePosixPath(stated.replace("\\", "/")).name).with_suffix("").as_posix()
        if other != own and (other in self.label_stems or (file is not None and self.is_claimed(file))):
            with suppress(WesamError):
                better = self.folder.find_stem(own)
                if file is None or better.id != file.id:
                    self.tell(field, f"{stated!r} has other labels; these are taken for {better.id!r}", "note")
                    return better
        return self.folder.find_tail(stated) if file is None else file

    def is_claimed(self, file: ImageFile) -> bool:
        return (file.id, file.elsewhere) in self._labelled_in

    def found(self, file: ImageFile) -> None:
        """Notes that the labels name an image, of which perhaps nothing can be used."""
        self._labelled_in.setdefault((file.id, file.elsewhere), (self.file, ""))

    def add(self, file: ImageFile, marks: Sequence[Mark]) -> None:
        """Takes a claimed image and its objects, of which there may be none, into the set."""
        objects = _objects(marks, self)
        instances = [instance for marks in objects if (instance := self._instance(marks)) is not None]
        rivals = self._samples.setdefault(file.id, {})
        before = rivals[file.elsewhere].instances if file.elsewhere in rivals else ()
        rivals[file.elsewhere] = Sample(file.id, file.path, file.width, file.height, with_new(before, instances))
        if file.sized:
            self._sized.add(file.id)

    def build(self) -> LabelSet:
        self.file = self._labels
        for reading, boxes in self._boxes.items():
            if doubt := doubtful_reading(boxes, reading):
                self.tell("", doubt, "note")
        for image_id, places in self._again.items():
            shown = ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")
            self.tell(shown, f"{image_id!r} is labelled again; all its labels are used, equal ones once", "note")
        chosen = [self._chosen(image_id, rivals) for image_id, rivals in self._samples.items()]
        samples = tuple(sample for sample in chosen if sample is not None)
        left_out = {image_id for image_id, _ in self._labelled_in} - {sample.id for sample in samples}
        return LabelSet(samples, tuple(self.problems), frozenset(left_out), frozenset(self._sized))

    def _chosen(self, image_id: str, rivals: dict[str, Sample]) -> Sample | None:
        """Of labels for images of one name in several folders those that are most surely of ours; None if none are."""
        surest = max(map(self.folder.certainty, rivals))
        best = [elsewhere for elsewhere in rivals if self.folder.certainty(elsewhere) == surest]
        used = f"those of {best[0]!r}" if len(best) == 1 else f"none of {' and '.join(map(repr, best))}"
        for elsewhere in rivals:
            if [elsewhere] != best:
                self.file, field = self._labelled_in[image_id, elsewhere]
                self.tell(
                    field, f"expected labels of one image {image_id!r}, got some of {elsewhere!r} too; {used} count"
                )
                self.cost(len(rivals[elsewhere].instances), len(self.problems) - 1)
        return rivals[best[0]] if len(best) == 1 else None

    def _instance(self, marks: Sequence[Mark]) -> Instance | None:
        """One object from its marks: all their points, the union of their masks, one box."""
        boxes = [mark for mark in marks if mark.box is not None]
        if len(boxes) > 1:
            self.tell(boxes[1].field, f"expected one box an object, got that of {boxes[0].field} in the same group")
            self.cost(1, len(self.problems) - 1)
            return None
        masks = [mark.rle for mark in marks if mark.rle is not None]
        return Instance(
            # The place in the labels: unique, and whoever meets it later finds the label again.
            f"{self.file}:{marks[0].field}",
            boxes[0].box if boxes else None,
            tuple(point for mark in marks for point in mark.points),
            coco_mask.merge(masks) if len(masks) > 1 else masks[0] if masks else None,
            next((mark.category for mark in marks if mark.category), ""),
        )


def read_file_by_file(
    labels: Path,
    images: Path,
    suffix: str,
    what: str,
    parse: Callable[[Path], _T],
    take: Callable[[_T, Path, LabelBuilder], None],
) -> LabelSet:
    """Reads a format that has one file for each image, and says in the file which image that is.

    Args:
        labels: the folder of such files, or one of them.
        images: the folder of the images.
        suffix: of the files, lower case, with dot.
        what: the format's name in messages.
        parse: the content of a file; its WesamError costs only that file.
        take: puts what a content labels into the builder; the path is that of its file relative to `labels`.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    try:
        builder = LabelBuilder(labels.name, images)
        files = label_files(labels, {suffix}, f"{what} files")
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    builder.label_stems = frozenset(name.with_suffix("").as_posix() for _, name in files)
    for path, name in files:
        builder.file = name.as_posix()
        content = builder.attempt("", parse, path)
        if content is not None:
            take(content, name, builder)
    return builder.build()


def with_new(before: tuple[Instance, ...], more: Sequence[Instance]) -> tuple[Instance, ...]:
    """The objects of an image that is labelled again; of those that are equal but for their id the first is kept."""
    if not before:
        return tuple(more)
    known = {_content(one) for one in before}
    return (*before, *(one for one in more if _content(one) not in known))


def _content(one: Instance) -> tuple[object, ...]:
    return one.box, one.points, one.category, None if one.rle is None else bytes(one.rle["counts"])


def _objects(marks: Sequence[Mark], log: ProblemLog) -> list[list[Mark]]:
    """The marks of each object.

    * Marks of one group and class are one object, and others are an object each.
    * Clicks that name no class go to every object of their group.
    * Points off an object that are in no group go to every object of the image that points were put on, of their
      class if they name one.
    """
    objects: dict[tuple[str | None, str], list[Mark]] = {}
    clicks: list[Mark] = []
    for mark in marks:
        if mark.only_negative or (mark.group is not None and mark.points and not mark.category):
            clicks.append(mark)
        else:
            key = (mark.group, mark.field if mark.group is None else mark.category)
            objects.setdefault(key, []).append(mark)
    of_group: dict[str | None, list[tuple[str | None, str]]] = {}
    for key in objects:
        of_group.setdefault(key[0], []).append(key)
    clicked = [key for key, own in objects.items() if any(mark.points for mark in own)]
    # On the object first: such clicks may be all there is of it, and those off it need an object to be off.
    for click in sorted(clicks, key=lambda click: click.only_negative):
        if click.group is not None:
            keys = of_group.get(click.group, [])
        else:
            keys = [key for key in clicked if click.category in ("", objects[key][0].category)]
        if not keys and not click.only_negative:
            keys = of_group[click.group] = [(click.group, "")]
            clicked += keys
        for key in keys:
            objects.setdefault(key, []).append(click)
        if not keys:
            log.tell(click.field, "expected points on an object beside those off it, got none")
    return list(objects.values())
