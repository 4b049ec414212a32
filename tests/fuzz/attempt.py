"""One input: written, read, judged."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import ImageCms  # noqa: F401

from tests.fuzz.mutate import mutate
from tests.fuzz.seed import Seed
from tests.fuzz.seeds import make_images, seeds
from tests.labels.damage import assert_sound
from wesam.errors import WesamError
from wesam.labels.formats import read_labels
from wesam.labels.images import image_size, read_image, read_values, verify_image
from wesam.labels.whole_set import look_at_set
from wesam.training.config import RunConfig, make_config

_WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod"}
_FORBIDDEN = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
}
_FORBIDDEN |= {"socket.getaddrinfo", "exec", "compile", "ctypes.dlopen", "webbrowser.open", "urllib.Request"}


class Watch:
    """Notes what is written, run, connected to, or read outside the work folder, while it is on.

    The interpreter tells (PEP 578), so nothing is missed that goes through it.
    """

    def __init__(self, root: Path) -> None:
        self.on = False
        self.seen: list[str] = []
        self._readable = (os.path.realpath(root), os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix))
        sys.addaudithook(self._told)

    def _told(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _WRITES or event in _FORBIDDEN:
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self.seen.append(f"open to write {path!r:.200}")
            elif not os.path.realpath(os.fsdecode(path)).startswith(self._readable):
                self.seen.append(f"open to read {path!r:.200}")


class Fuzzer:
    """Makes and judges inputs in a work folder of its own; input `number` is always the same."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = make_images(root)
        self.seeds = seeds()
        self.targets = sorted({seed.target for seed in self.seeds})
        self._watch = Watch(root)
        warnings.simplefilter("ignore")  # Pillow warns of much that it then reads
        "".encode("cp1252")  # loaded by tifffile for odd texts, as ImageCms is by Pillow for odd colours
        for seed in self.seeds:  # whatever is imported or compiled late is so now
            self.judge(seed, seed.content, None)

    def input(self, target: str, number: int) -> tuple[Seed, bytes, str | None]:
        """The seed, the mutated file, and the format that the reader is told (None: it finds out)."""
        random = Random(f"{target} {number}")
        own = [seed for seed in self.seeds if seed.target == target]
        seed = own[number % len(own)]
        content = mutate(seed, random, self.seeds)
        return seed, content, None if random.random() < 0.3 else target

    def attempt(self, target: str, number: int) -> str:
        """What came of an input: "read", "refused", or a description of what must not happen."""
        return self.judge(*self.input(target, number))

    def judge(self, seed: Seed, content: bytes, format: str | None) -> str:
        path = self.root / seed.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for name, text in seed.beside.items():
            (self.root / name).write_text(text)
        self._watch.seen.clear()
        self._watch.on = True
        try:
            outcome = self._read(seed, path, format)
        except WesamError as error:
            str(error).encode()
            outcome = "refused"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error!s:.300}"
        finally:
            self._watch.on = False
            for name in (seed.name, *seed.beside):
                (self.root / name).unlink()
            for folder in path.parents[: len(Path(seed.name).parts) - 1]:
                folder.rmdir()
        return f"did {self._watch.seen[0]}" if self._watch.seen else outcome

    def _read(self, seed: Seed, path: Path, format: str | None) -> str:
        if seed.target == "config":
            config = make_config({"out": self.root / "run"}, file=path, overrides=_overrides(path.read_bytes()))
            assert isinstance(config, RunConfig)
            return "read"
        if seed.target == "image":
            image_size(path)
            for said in verify_image(path, reading=seed.reading):
                said.encode()
            pixels = read_image(path, reading=seed.reading)
            assert pixels.ndim == 3
            assert pixels.dtype == np.uint8
            with suppress(WesamError):  # most have colours, which are no numbers of objects
                read_values(path)
            return "read"
        labels = self.root / Path(seed.name).parts[0]
        found = read_labels(labels, self.images, format)
        assert_sound(found)
        look_at_set(found.samples, found, "labels")
        for problem in found.problems:
            str(problem).encode()  # it will be printed
        inside = os.path.realpath(self.images)
        assert all(os.path.realpath(sample.path).startswith(inside) for sample in found.samples)
        return "read" if any(sample.instances for sample in found.samples) else "refused"


def _overrides(content: bytes) -> list[str]:
    """Of every third file the last line, as if it had been typed after --set."""
    last = content.decode("utf-8", "replace").splitlines()[-1:] if len(content) % 3 == 0 else []
    return [line.replace(":", "=", 1) for line in last]
