"""The arrows of the house: gateway -> {connectors, transforms, policies} -> canonical, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("canonical", "transforms", "connectors", "policies", "gateway")
MAY_IMPORT = {
    "canonical": {"canonical"},
    "transforms": {"transforms", "canonical"},
    "connectors": {"connectors", "canonical"},
    "policies": {"policies", "canonical"},
    "gateway": set(ROOMS),
}
PURE = ("canonical", "transforms")
EFFECTS = {"asyncio", "socket", "httpx", "redis", "os", "time", "random", "secrets", "logging"}


def imports(path: Path) -> Iterator[str]:
    """The top-level package of every absolute import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def sources() -> list[tuple[str, Path]]:
    return [(room, path) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(("room", "path"), sources(), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_arrows(room: str, path: Path) -> None:
    """No room imports a room it may not know, and the pure rooms import no effect."""
    found = set(imports(path))

    assert not (found & set(ROOMS)) - MAY_IMPORT[room]
    assert room not in PURE or not found & EFFECTS


def test_planted_violation_is_seen(tmp_path: Path) -> None:
    """The walk sees imports inside functions too."""
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    import time\n    from gateway.store import x\n")

    assert set(imports(planted)) == {"time", "gateway"}
