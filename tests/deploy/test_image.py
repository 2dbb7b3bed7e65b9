"""The image holds what runs and nothing else, and runs as nobody in particular."""

import re
import tomllib
from pathlib import PurePath

from tests.deploy.validators import DEPLOY, ROOT, judged, tool

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STAGES = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_hadolint_is_content() -> None:
    """No warning, not even of style."""
    judged(tool("hadolint"), "--failure-threshold", "style", DEPLOY / "Dockerfile")


def test_the_last_stage_is_small_and_unprivileged() -> None:
    """A base with a whole version in its tag, no root, no pip, a health check."""
    last = STAGES[-1]
    assert re.match(r"FROM python:\d+\.\d+\.\d+-slim-\w+\n", last)
    assert "USER 10001:10001" in last
    assert "pip uninstall --yes pip" in last
    assert "HEALTHCHECK" in last
    assert not re.search(r"^(COPY|ADD) ", last, re.MULTILINE)


def test_the_image_has_every_extra_that_a_site_may_need() -> None:
    """Of the optional dependencies only those of developers stay outside."""
    (named,) = re.findall(r"'\.\[([a-z,]+)\]'", STAGES[0])
    assert set() == set(PROJECT["project"]["optional-dependencies"]) - {"dev"} - set(named.split(","))


def test_what_the_wheel_is_built_from_is_let_into_the_build() -> None:
    """Packages, readme and licence; tests, secrets and history stay outside."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    packages = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    files = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}

    assert packages | files == let_in
    assert lines.index("*") < lines.index("!pyproject.toml")
    assert {"**/*.key", "**/*.pem"} <= set(lines)
    assert all((ROOT / PurePath(name)).exists() for name in let_in)
