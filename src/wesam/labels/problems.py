"""What is wrong with a set of labels, said so that its owner can find and mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from wesam.errors import WesamError
from wesam.labels.shapes import FractionsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_P = ParamSpec("_P")
_T = TypeVar("_T")

Severity = Literal["fatal", "skip", "note"]


@dataclass(frozen=True)
class Problem:
    """One mistake or oddity in the files a user gave.

    Attributes:
        severity: "fatal": nothing can be done with the set; "skip": the image or instance is left out;
            "note": reported, and nothing is left out because of it.
        file: the file it was found in.
        field: the place in that file, such as "annotations[12].bbox"; "" where it is the file as a whole.
        message: what was expected and what was found.
        objects: how many objects are left out because of it.
        fractions: whether a shape has no pixel because its coordinates lie within 0..1 (see `shapes.FractionsError`).
    """

    severity: Severity
    file: str
    field: str
    message: str
    objects: int = 0
    fractions: bool = False

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        # Messages about a file as a whole often begin with its path already.
        return self.message if self.message.startswith(f"{place}:") else f"{place}: {self.message}"


def count_images(ids: Sequence[str], what: str) -> str:
    """How many images that is true of, with the first three."""
    shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids)} image{'s' if len(ids) > 1 else ''} {what}: {shown}"


def remarks_as_notes(remarks: Iterable[tuple[str, str]], place: str) -> list[Problem]:
    """One note for each thing that was said of images, as `labels.images.verify_image` says it.

    Args:
        remarks: an image's id, and what was said of it.
        place: the folder of the images.
    """
    said: dict[str, list[str]] = {}
    for id_, remark in remarks:
        said.setdefault(remark, []).append(id_)
    return [Problem("note", place, "", count_images(ids, remark)) for remark, ids in said.items()]


class ProblemLog:
    """Collects what is wrong while a reader goes through its files.

    Attributes:
        file: the file that is being read now; set it before going on to the next.
        problems: what was found so far.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def tell(self, field: str, message: str, severity: Severity = "skip") -> None:
        self.problems.append(Problem(severity, self.file, field, message))

    def attempt(self, field: str, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """What `read` returns, or None and a problem reported if it raises a WesamError."""
        try:
            return read(*args, **kwargs)
        except WesamError as error:
            fractions = isinstance(error, FractionsError)
            self.problems.append(Problem("skip", self.file, field, str(error), fractions=fractions))
            return None

    def attempt_object(self, field: str, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """As `attempt`, where `read` reads one object, which the problem costs."""
        told = len(self.problems)
        found = self.attempt(field, read, *args, **kwargs)
        self.cost(1, told)
        return found

    def cost(self, objects: int, since: int) -> None:
        """Says how many objects are left out by the problems from the index `since` on, if there are any."""
        if len(self.problems) > since:
            self.problems[-1] = replace(self.problems[-1], objects=objects)
