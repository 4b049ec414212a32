"""How a command ends when it cannot go on."""

from __future__ import annotations

import errno
import os
import warnings
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from wesam.cli.console import reported, say
from wesam.errors import WesamError, WesamWarning


def test_a_mistake_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, reported():
        raise WesamError("labels[0].json: expected a box")
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: labels[0].json: expected a box\n"  # brackets are no markup


def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, reported(lambda: "go on with: x"):
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err == "go on with: x\n"


def test_an_error_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ValueError, match="shape"), reported():
        raise ValueError("shape")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as end, reported():
        (tmp_path / "file" / "folder").mkdir()
    assert end.value.code == 1
    assert str(tmp_path / "file" / "folder") in capsys.readouterr().err
    with pytest.raises(SystemExit), reported():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert capsys.readouterr().err == "error: a file cannot be used: No space left on device\n"
    with pytest.raises(OSError, match="of no system"), reported():
        raise OSError("of no system")


def test_a_warning_of_ours_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with reported():
        warnings.warn("runs/[a]: expected other weights", WesamWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: runs/[a]: expected other weights\n"


def test_names_that_a_terminal_cannot_show_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = TextIOWrapper(BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", terminal)
    with reported():
        say(f"\u7ec6.png, {os.fsdecode(bytes([0xE9]))}.png")
    terminal.seek(0)
    assert terminal.read() == "\\u7ec6.png, \\udce9.png\n"
