"""The reference pages say what the code says."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from canonical.problems import CODES
from gateway import problems, refusals
from gateway.api import ROUTES
from gateway.reference import __main__ as reference
from gateway.reference import api as reference_api
from gateway.reference import mapping as reference_mapping
from gateway.reference import payers as reference_payers
from gateway.routes.rules import KINDS
from transforms.hl7v2.mapping import EVENTS
from transforms.hl7v2.rows import Table
from transforms.x12.rows import Table as X12Table

ROOT = reference.ROOT
HL7V2 = sorted((ROOT / "transforms" / "hl7v2").glob("*.py"))
CALLS = {"complain": 0, "BadField": 0, "remark": 1, "refused": 0}  # where the code stands among the arguments


@pytest.mark.parametrize(("path", "render"), reference.PAGES)
def test_what_is_committed_is_what_the_code_says(path: str, render: object) -> None:
    """`make docs` would change nothing."""
    assert callable(render)
    assert render() == (ROOT / path).read_text(encoding="utf-8")


def test_a_stale_page_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` says which pages are stale or missing, and how to mend that."""
    reference.write(tmp_path)
    assert reference.stale(tmp_path) == []
    (tmp_path / "docs" / "reference" / "events.md").write_text("old")
    (tmp_path / "docs" / "reference" / "problems.md").unlink()

    monkeypatch.setattr(reference, "stale", lambda root=tmp_path, find=reference.stale: find(root))

    assert reference.main(["--check"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("docs/reference/events.md, docs/reference/problems.md; run `make docs`")


def test_every_table_is_on_the_page() -> None:
    """No field is mapped that the page does not tell of."""
    declared = {
        id(value)
        for path in HL7V2
        for value in vars(import_module(f"transforms.hl7v2.{path.stem}".removesuffix(".__init__"))).values()
        if isinstance(value, Table)
    }

    assert declared == {id(table) for tables in reference_mapping.TABLES.values() for table in tables}


def test_every_x12_table_is_on_the_page() -> None:
    """Neither is any element."""
    declared = {
        id(value)
        for path in (ROOT / "transforms" / "x12").glob("*.py")
        for value in vars(import_module(f"transforms.x12.{path.stem}".removesuffix(".__init__"))).values()
        if isinstance(value, X12Table)
    }

    assert declared == {id(part.table) for parts in reference_payers.SECTIONS.values() for part in parts}


def test_every_line_has_a_place_and_a_sentence() -> None:
    """Whoever reads the page learns what happens to each field."""
    for kind, tables in reference_mapping.TABLES.items():
        for line in [
            *reference_mapping.FURTHER[kind],
            *(one for table in tables for one in reference_mapping.lines_of(table)),
        ]:
            assert line.paths, line.fields
            assert reference_mapping.sentence(line.reader).endswith("."), line.fields


def test_every_event_is_in_the_guide() -> None:
    """The guide says of each event what we do with it and why."""
    guide = (ROOT / "docs" / "guides" / "hl7v2-events.md").read_text(encoding="utf-8")
    told = set(re.findall(r"\b[AS]\d\d\b", guide))

    assert {code for _, code in EVENTS} <= told


def codes_in(path: Path) -> Iterator[str]:
    """The problem codes that a file writes down."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = CALLS.get(name)
        found = [one.value for one in node.keywords if one.arg == "code"] if name == "Problem" else []
        found += [node.args[place]] if place is not None and len(node.args) > place else []
        yield from (str(one.value) for one in found if isinstance(one, ast.Constant))


def test_every_problem_code_is_published() -> None:
    """A code that a sender can meet is in the list."""
    files = [path for room in ("canonical", "transforms", "gateway") for path in (ROOT / room).rglob("*.py")]
    written = {code for path in files for code in codes_in(path)}

    assert written
    assert written <= set(CODES)


def refusals_in(path: Path) -> Iterator[tuple[int, str]]:
    """The status and code of each refusal that a file writes down."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {one.arg: one.value for one in node.keywords}
        told = [named.get("status"), named.get("code")] if name == "Refusal" else node.args[:2]
        values = [one.value for one in told if isinstance(one, ast.Constant)]
        if name in {"stop", "_refusal", "Refusal"} and len(values) == 2:
            yield int(str(values[0])), str(values[1])


def test_every_refusal_is_published() -> None:
    """The page has each code that a caller can meet, with its status, and no other."""
    files = [path for room in ("gateway", "policies") for path in (ROOT / room).rglob("*.py")]
    written = {one for path in files for one in refusals_in(path)} | set(problems.CODES.items())

    assert written == {(status, code) for status, codes in refusals.CODES.items() for code in codes}


def test_every_call_is_on_the_page() -> None:
    """Nothing is served that the page does not tell of, and what it tells of is linked to its fields."""
    page = reference_api.render()
    rows = re.findall(r"^\| `([A-Z]+ /\S+)` \| (.*?)\. \| (.+?) \| (.+?) \|", page, re.MULTILINE)
    told = {kind.__name__ for kind in (*reference_api.sent(), *reference_api.given())}

    assert [f"{route.method} {route.template}" for route in ROUTES] == [row[0] for row in rows]
    assert {name.lower() for name in told} == set(re.findall(r"\]\(#(\w+)\)", page))


def test_every_search_key_is_in_the_guide() -> None:
    """The guide says of each kind of key what it finds messages by, and names no other."""
    guide = (ROOT / "docs" / "guides" / "api.md").read_text(encoding="utf-8")
    _, _, table = guide.partition("| kind of key |")

    assert list(KINDS) == re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)


def test_every_wrong_is_published() -> None:
    """The page has each code that stands in `errors`."""
    written = {code for path in (ROOT / "gateway").rglob("*.py") for code in wrongs_in(path)}

    assert {"unknown_key", "repeated", "url_scheme"} <= written | set(refusals.WRONGS)
    assert written <= set(refusals.WRONGS)


def wrongs_in(path: Path) -> Iterator[str]:
    """The codes of `Wrong` that a file writes down."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if name in {"Wrong", "_at"} and isinstance(node, ast.Call):
            told = [one.value for one in node.keywords if one.arg == "code"] + node.args[2:3]
            yield from (str(one.value) for one in told if isinstance(one, ast.Constant))
