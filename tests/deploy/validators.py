"""The folder deploy/ as the tests read it, and the programs of others that judge it, where they are installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "isthmus"
SITE = DEPLOY / "cluster-site"
SITE_FILES = tuple(sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*") if path.is_file()))


def tool(name: str) -> str:
    """The path of a program beside this Python or on PATH; the test is skipped where there is none."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def judged(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """What a program said that must be content; else the test fails with its words."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a YAML stream."""
    return (one for one in yaml.safe_load_all(text) if one)


def read(*parts: str) -> Any:
    """A YAML file of deploy/."""
    return yaml.safe_load(DEPLOY.joinpath(*parts).read_text(encoding="utf-8"))
