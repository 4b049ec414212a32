"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys


def test_help_waits_for_no_heavy_import() -> None:
    code = "import sys, wesam.cli; print(sorted({'torch', 'transformers', 'cv2', 'pydantic'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
