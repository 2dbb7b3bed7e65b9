"""Reference pages made from what the code declares: `python -m gateway.reference` writes them, `--check` compares.

A page is a path and a function that renders it. Nothing in docs/reference is written by hand.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.reference import api, commands, events, mapping, metrics, payers, problems, settings

ROOT: Final = Path(__file__).parent.parent.parent
PAGES: Final[Sequence[tuple[str, Callable[[], str]]]] = (
    (api.PATH, api.render),
    (commands.PATH, commands.render),
    (events.PATH, events.render),
    (mapping.PATH, mapping.render),
    (metrics.PATH, metrics.render),
    (payers.PATH, payers.render),
    (problems.PATH, problems.render),
    (settings.PATH, settings.render),
)


def write(root: Path = ROOT) -> None:
    """Write every page."""
    for path, render in PAGES:
        page = root / path
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(), encoding="utf-8")


def stale(root: Path = ROOT) -> list[str]:
    """The pages that are not what the code says, or not there."""
    return [path for path, render in PAGES if _text(root / path) != render()]


def _text(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.exists() else None


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` say in one line which are stale."""
    if "--check" not in arguments:
        write()
        return 0
    if found := stale():
        sys.stderr.write(f"reference pages are stale: {', '.join(found)}; run `make docs`\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
