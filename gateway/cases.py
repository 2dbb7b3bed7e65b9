"""A site's own mapping tests: `cases/<peer>/<name>.hl7` beside `<name>.json`, what its messages must come to.

What is expected has the form that `isthmus translate` prints. A text with `*` in it stands for any text of that shape
(`\\*` is the character itself), and a bare `"*"` for any value at all; an object with the key `"*"` may have fields
that nobody wrote down. Everything else must be as it is written: a field that is new is a finding too.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.frames import messages
from gateway.site.settings import Feed, Site
from gateway.translate import translate

ANY: Final = "*"
RECEIVED_AT: Final = 4_102_444_800_000_000  # 2100: a case comes to the same whenever it is run
OURS: Final = frozenset({"createdAt", "updatedAt", "recordedAt"})  # our clock, which no case is about
ID: Final = re.compile(r"([a-z]{3})_[0-9A-HJKMNP-TV-Z]{26}")


class Case(NamedTuple):
    """One file of messages, the feed that reads them, and the file of what they must come to."""

    name: str
    feed: Feed | None
    messages: Path
    expected: Path


class Finding(NamedTuple):
    """One place where a case comes to something else, in words."""

    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}" if self.place else self.detail


def cases(folder: Path, site: Site) -> list[Case]:
    """Every case of a site, by name; a file of either kind makes one."""
    feeds = {feed.name: feed for feed in site.feeds}
    root = folder / "cases"
    stems = {path.with_suffix("") for path in root.glob("*/*") if path.suffix in (".hl7", ".json")}
    return [
        Case(str(stem.relative_to(root)), feeds.get(stem.parent.name), _with(stem, ".hl7"), _with(stem, ".json"))
        for stem in sorted(stems)
    ]


def tried(case: Case) -> list[Finding]:
    """What is wrong with a case; nothing if it comes to what is expected."""
    if wrong := _unusable(case):
        return [wrong]
    try:
        expected = msgspec.json.decode(case.expected.read_bytes())
    except FileNotFoundError:
        return [Finding("", f"{case.expected.name} is missing; --accept writes what it comes to now")]
    except msgspec.DecodeError as error:
        return [Finding("", f"{case.expected.name} is not JSON: {error}")]
    return list(differences(expected, found(case)))


def accept(case: Case) -> bool:
    """Write what a case comes to as what is expected, and keep the patterns that fit; whether anything changed."""
    if _unusable(case):
        return False
    before = case.expected.read_bytes() if case.expected.exists() else b""
    try:
        expected = msgspec.json.decode(before)
    except msgspec.DecodeError:
        expected = None
    after = msgspec.json.format(msgspec.json.encode(adopted(expected, found(case))), indent=2) + b"\n"
    if after != before:
        case.expected.write_bytes(after)
    return after != before


def found(case: Case) -> Any:
    """What the messages of a case come to: an object, or a list where there are several."""
    assert case.feed is not None
    every = [translate(one, case.feed, RECEIVED_AT) for one in messages(case.messages.read_bytes())]
    return msgspec.json.decode(msgspec.json.encode(every[0] if len(every) == 1 else every))


def differences(expected: Any, actual: Any, place: str = "") -> Iterator[Finding]:
    """Where something else came than is expected."""
    if expected == ANY:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _fields(expected, actual, place)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _entries(expected, actual, place)
    elif not _fits(expected, actual):
        yield Finding(place, f"expected {_shown(expected)}, came {_shown(actual)}")


def adopted(expected: Any, actual: Any, name: str = "") -> Any:
    """What came, with the patterns of what was expected where they fit; ids and our own clock become patterns."""
    if expected is not None and not [*differences(expected, actual)]:
        return expected
    if isinstance(actual, dict):
        known = expected if isinstance(expected, dict) else {}
        rest = {ANY: ANY} if ANY in known else {}
        return {
            key: adopted(known.get(key), one, key) for key, one in actual.items() if key in known or not rest
        } | rest
    if isinstance(actual, list):
        known_entries = expected if isinstance(expected, list) else []
        before = [*known_entries, *[None] * len(actual)]
        return [adopted(one, came, name) for one, came in zip(before, actual, strict=False)]
    if isinstance(actual, str):
        return ANY if name in OURS else ID.sub(r"\1_*", actual.replace("*", r"\*"))
    return actual


def _fields(expected: dict[str, Any], actual: dict[str, Any], place: str) -> Iterator[Finding]:
    for name in expected.keys() | actual.keys():
        at = f"{place}.{name}" if place else name
        if name == ANY:
            continue
        if name not in actual:
            yield Finding(at, f"expected {_shown(expected[name])}, came nothing")
        elif name in expected:
            yield from differences(expected[name], actual[name], at)
        elif ANY not in expected:
            yield Finding(at, f"came {_shown(actual[name])}, which is not expected")


def _entries(expected: list[Any], actual: list[Any], place: str) -> Iterator[Finding]:
    if len(expected) != len(actual):
        yield Finding(place, f"expected {len(expected)} entries, came {len(actual)}")
    for number, (one, other) in enumerate(zip(expected, actual, strict=False)):
        yield from differences(one, other, f"{place}[{number}]")


def _fits(expected: Any, actual: Any) -> bool:
    if isinstance(expected, str) and isinstance(actual, str) and ANY in expected:
        return _pattern(expected).fullmatch(actual) is not None
    return type(expected) is type(actual) and bool(expected == actual)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\\\*|\*)", text)
    meant = {ANY: ".*", r"\*": r"\*"}
    return re.compile("".join(meant.get(one) or re.escape(one) for one in parts), re.DOTALL)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else f"{text[:117]}..."


def _unusable(case: Case) -> Finding | None:
    if case.feed is None:
        return Finding("", f"there is no feed {case.messages.parent.name}; the folder is named for the peer")
    if not case.messages.exists():
        return Finding("", f"{case.messages.name} is missing: nothing comes to {case.expected.name}")
    if not messages(case.messages.read_bytes()):
        return Finding("", f"{case.messages.name} is not HL7 v2")
    return None


def _with(stem: Path, suffix: str) -> Path:
    return stem.parent / f"{stem.name}{suffix}"
