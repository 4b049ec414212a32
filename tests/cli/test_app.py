"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

from tests.cli.conftest import wesam


def test_help_waits_for_no_heavy_import() -> None:
    code = "import sys, wesam.cli; print(sorted({'torch', 'transformers', 'cv2', 'pydantic'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_version_is_told() -> None:
    result = wesam("--version")
    assert (result.exit_code, result.output) == (0, f"wesam {metadata.version('wesam')}\n")


def test_help_names_the_commands() -> None:
    result = wesam("--help")
    assert result.exit_code == 0
    assert "Adapt Segment Anything" in result.output
    assert {"adapt", "evaluate", "predict", "--version"} <= set(result.output.split())
