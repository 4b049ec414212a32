"""Files and folders that appear whole or not at all, so that a kill never leaves half of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_SUFFIX = ".partial"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within it an error of the system that names no file, as that of a full disk does not, names this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder beside `path`; when the block ends well it becomes `path`, else it is removed.

    An older folder of that name gives way only after the new one is complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(mkdtemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent))
    try:
        new, old = workspace / "new", workspace / "old"
        new.mkdir()
        with naming(path):
            yield new
        if path.exists():
            path.replace(old)
        new.replace(path)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yields a path to write to beside `path`; it becomes `path` when the block ends well, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(mkdtemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent))
    try:
        with naming(path):
            yield workspace / path.name
        (workspace / path.name).replace(path)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Deletes what a kill left beside files and folders that were being written; nobody else may be writing."""
    for workspace in folder.glob(f".*{_SUFFIX}"):
        shutil.rmtree(workspace, ignore_errors=True)
