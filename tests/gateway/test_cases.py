"""A site's own cases: what is the same, what a pattern lets through, and what `--accept` writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cases import adopted, differences
from gateway.cli import main
from tests.gateway.test_cli import BOOKING, WRONG


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with one feed and one case that nobody has said the outcome of."""
    folder = tmp_path / "site"
    (folder / "peers").mkdir(parents=True)
    (folder / "cases" / "east").mkdir(parents=True)
    (folder / "isthmus.toml").write_text("")
    (folder / "peers" / "east.toml").write_text('zone = "America/New_York"\n[feed]\nmllp = "127.0.0.1:0"\n')
    (folder / "cases" / "east" / "booking.hl7").write_text(BOOKING)
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_what_was_accepted_is_good_and_a_change_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case has nothing expected, is accepted, is good, and then its message comes to something else."""
    assert main(["test", str(site)]) == 1
    assert "east/booking: booking.json is missing" in said(capsys)

    assert main(["test", str(site), "--accept"]) == 0
    assert main(["test", str(site)]) == 0
    assert said(capsys).endswith("1 cases: 1 good, 0 not\n")

    (site / "cases" / "east" / "booking.hl7").write_text(WRONG)
    assert main(["test", str(site)]) == 1
    out = said(capsys)
    assert 'records[0].birthDate: expected "1985-06-12", came nothing' in out
    assert "1 cases: 0 good, 1 not" in out


def test_the_cases_of_the_example_site_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    """What we show others holds."""
    assert main(["test", str(Path(__file__).parents[2] / "deploy" / "site")]) == 0
    assert "1 cases: 1 good" in said(capsys)


def test_several_messages_are_a_list(site: Path) -> None:
    """A file of two messages comes to two outcomes."""
    (site / "cases" / "east" / "booking.hl7").write_text(BOOKING + WRONG)

    assert main(["test", str(site), "--accept"]) == 0
    assert len(json.loads((site / "cases" / "east" / "booking.json").read_text())) == 2
    assert main(["test", str(site)]) == 0


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("east/orphan.json", "{}", "orphan.hl7 is missing"),
        ("west/booking.hl7", BOOKING, "there is no feed west"),
        ("east/empty.hl7", "hello", "empty.hl7 is not HL7 v2"),
        ("east/booking.json", "{", "booking.json is not JSON"),
    ],
)
def test_a_case_that_cannot_be_tried_is_a_finding(
    site: Path, name: str, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without its other, a folder without its peer, and what cannot be read."""
    (site / "cases" / name).parent.mkdir(exist_ok=True)
    (site / "cases" / name).write_text(text)

    assert main(["test", str(site)]) == 1
    assert sentence in said(capsys)


def test_one_case_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case can be tried by its name; one that is not there is said."""
    main(["test", str(site), "--accept"])
    (site / "cases" / "east" / "other.hl7").write_text(WRONG)

    assert main(["test", str(site), "east/booking"]) == 0
    assert main(["test", str(site), "east/nothing"]) == 1
    assert "there is no case east/nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expected", "actual", "places"),
    [
        ("*", {"any": 1}, []),
        ("pat_*", "pat_01", []),
        ("pat_*", "apt_01", [""]),
        (r"5\*", "5*", []),
        (r"5\*", "55", [""]),
        ({"a": 1}, {"a": 1, "b": 2}, ["b"]),
        ({"a": 1, "*": "*"}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": "*"}, {"a": 1}, ["b"]),
        ([1, 2], [1, 3], ["[1]"]),
        ([1], [1, 2], [""]),
        (1, True, [""]),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, ["a[0].b"]),
    ],
)
def test_differences(expected: Any, actual: Any, places: list[str]) -> None:
    """Patterns let through what they fit; everything else is named by its place."""
    assert [one.place for one in differences(expected, actual)] == places


def test_accepting_keeps_the_patterns_that_fit() -> None:
    """What a person wrote stays; what does not fit any more is replaced, ids become patterns, a star stays a star."""
    expected = {"status": "*", "start": "2026*", "*": "*"}
    actual = {"status": "booked", "start": "2027-01-01", "note": "5*", "id": "apt_" + "0" * 26}

    assert adopted(expected, actual) == {"status": "*", "start": "2027-01-01", "*": "*"}
    assert adopted(None, actual) == actual | {"note": r"5\*", "id": "apt_*"}
    assert not [*differences(adopted(None, actual), actual)]
