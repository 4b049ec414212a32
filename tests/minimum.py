"""Prints the lowest version of each requirement in pyproject.toml as a pip constraint (`make test-minimum`)."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from packaging.requirements import Requirement


def lowest(requirement: str) -> str:
    """ "name==version" for "name>=version"; ValueError without a lower bound."""
    parsed = Requirement(requirement)
    bounds = [one.version for one in parsed.specifier if one.operator in (">=", "==")]
    if len(bounds) != 1:
        raise ValueError(f"{requirement}: expected one lower bound")
    return f"{parsed.name}=={bounds[0]}"


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]
    print("\n".join(lowest(requirement) for requirement in project["dependencies"]))
