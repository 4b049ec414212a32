"""The folder of a run: what is in it, and how it is written so that a kill never leaves half a file."""

from __future__ import annotations

import json
import platform
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from wesam.atomic import remove_leftovers, replaced_file
from wesam.errors import WesamError
from wesam.strict_json import dumps
from wesam.training.checkpoint import list_checkpoints
from wesam.training.config import RunConfig, read_yaml
from wesam.training.memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RECORDED_PACKAGES = ("wesam", "torch", "transformers", "peft", "accelerate", "kornia", "numpy")

# Where a run lives or how it is shown may change between its parts; what it computes may not.
_FREE_TO_CHANGE = {
    "out",
    "device",
    "workers",
    "log_every",
    "checkpoint_every",
    "previews",
}


class RunFolder:
    """Settings, metrics, checkpoints, candidates, the adapter, previews, summary and report of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.yaml"
        self.metrics = root / "metrics.jsonl"
        self.checkpoints = root / "checkpoints"
        self.candidates = root / "candidates"
        self.adapter = root / "adapter"
        self.inputs = root / "inputs.json"
        self.prompts = root / "prompts.json"
        self.automatic = root / "automatic"
        self.previews = root / "previews"
        self.summary = root / "summary.json"
        # Held by the operating system, so that a killed run leaves no lock behind.
        self._lock = FileLock(root / ".lock", timeout=0)

    def open(self, config: RunConfig, resume: bool) -> None:
        """Makes the folder for a new run, or checks that a resumed one is the same run.

        Raises:
            WesamError: if a new run would write over an old one, or a resumed run's settings differ.
        """
        self._refuse_others(resume)
        self._take_lock()
        try:
            # Again, as another run may have begun and ended before the lock was taken.
            self._refuse_others(resume)
            for place in (self.root, self.checkpoints, self.candidates):
                remove_leftovers(place)
            if self.config.exists():
                self._check_same_run(config)
            else:
                record = config.model_dump(mode="json")
                header = "# Settings of this run. The same again: wesam adapt --config config.yaml --out ANOTHER\n"
                header += "".join(f"# {line}\n" for line in _versions())
                _write(self.config, header + yaml.safe_dump(record, sort_keys=False))
        except BaseException:
            self.close()
            raise

    def _refuse_others(self, resume: bool) -> None:
        if self.config.exists():
            if not resume:
                raise WesamError(
                    f"{self.root}: expected a new folder, got one that already holds a run; "
                    f"go on with it by --resume, or choose another --out"
                )
        elif self.root.exists() and any(not _is_ours(path.name) for path in self.root.iterdir()):
            raise WesamError(f"{self.root}: expected a new or empty folder, got one that holds other files")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within it the folder is opened and written to; the lock ends with it.

        Raises:
            WesamError: where the disk is full, gone or read-only, or memory ends; it says what there still is.
        """
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise WesamError(
                f"{self.root}: expected a folder that can be written, got: {error}; {self._what_there_is()}"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            said = str(error).splitlines()[:1] or ["memory ended"]
            raise WesamError(f"{self.root}: expected more memory, got: {said[0]}; {self._what_there_is()}") from error
        finally:
            self.close()

    def _what_there_is(self) -> str:
        kept = list_checkpoints(self.checkpoints)
        return f"the last good checkpoint is {kept[-1]}; go on with --resume" if kept else "nothing was done"

    def close(self) -> None:
        """Lets another process go on with this run."""
        self._lock.release()

    def _take_lock(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise WesamError(f"{self.root}: expected a free run folder, got one that another run writes to") from error
        except OSError as error:
            raise WesamError(f"{self.root}: expected a folder that can be written, got: {error}") from error

    def _check_same_run(self, config: RunConfig) -> None:
        old = read_yaml(self.config)
        if "lora" in old:
            raise WesamError(
                f"{self.config}: expected a run of this version of wesam, got one that an older version began; begin "
                f"another in a new --out (an adapter that it has left can be used as it is)"
            )
        new = config.model_dump(mode="json")
        changed = [
            f"{key} was {old.get(key)!r}, now {new.get(key)!r}"
            for key in new
            if key not in _FREE_TO_CHANGE and old.get(key) != new.get(key)
        ]
        if changed:
            raise WesamError(
                f"{self.config}: expected the settings that this run began with, got: {'; '.join(changed)}"
            )

    def cut_metrics(self, step: int) -> None:
        """Drops rows after `step`: a resumed run writes them again."""
        if not self.metrics.exists():
            return
        kept = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                break  # the kill came in the middle of this last line
            if row["step"] <= step:
                kept.append(line + "\n")
        _write(self.metrics, "".join(kept))

    def append_metrics(self, row: dict[str, Any]) -> None:
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(dumps(row) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        if not self.metrics.exists():
            return []
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def write_summary(self, summary: dict[str, Any]) -> None:
        _write(self.summary, dumps(summary, indent=2) + "\n")


def _is_ours(name: str) -> bool:
    """What a run that was killed before it began leaves behind."""
    return name == ".lock" or (name.startswith(".config.yaml.") and name.endswith(".partial"))


def _write(path: Path, text: str) -> None:
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _versions() -> Iterable[str]:
    yield f"python {platform.python_version()} on {platform.platform()}"
    for package in _RECORDED_PACKAGES:
        yield f"{package} {metadata.version(package)}"
