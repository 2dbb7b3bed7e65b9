"""Cursors: sealed, bound, and gone after a day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cursors import LIFE, Cursors
from gateway.problems import Stop

KEY = b"k" * 32
NOW = 1_800_000_000.0


@given(st.integers(0, 2**62), st.text(max_size=60), st.binary(max_size=60))
def test_what_was_sealed_opens(value: int, identity: str, search: bytes) -> None:
    """A cursor gives back its position, with the search that it was made for."""
    cursors = Cursors(KEY)

    assert (value, identity) == cursors.open(cursors.seal((value, identity), search, NOW), search, NOW)


@given(st.integers(0, 200), st.integers(1, 127))
def test_a_changed_one_does_not(place: int, change: int) -> None:
    """Whatever byte is changed, it is refused as not ours."""
    cursors = Cursors(KEY)
    cursor = bytearray(cursors.seal((7, "apt_1"), b"search", NOW).encode())
    cursor[place % len(cursor)] = (cursor[place % len(cursor)] + change) % 128

    with pytest.raises(Stop) as stopped:
        cursors.open(bytes(cursor).decode(), b"search", NOW)

    assert 400 == stopped.value.refusal.status


@pytest.mark.parametrize("foreign", ["", "=", "AAAA", "é", "a" * 5000])
def test_what_is_none(foreign: str) -> None:
    """What was never a cursor is refused as one that is not ours."""
    with pytest.raises(Stop, match="invalid_request"):
        Cursors(KEY).open(foreign, b"", NOW)


def test_it_shows_nothing() -> None:
    """Neither the position nor what was searched for can be read from it, and the same page has the same cursor."""
    cursors = Cursors(KEY)
    cursor = cursors.seal((7, "Canarywharf"), b"Canarywharf", NOW)

    assert "Canary" not in cursor
    assert cursor == cursors.seal((7, "Canarywharf"), b"Canarywharf", NOW)
    with pytest.raises(Stop, match="invalid_request"):
        Cursors(b"l" * 32).open(cursor, b"Canarywharf", NOW)


def test_it_grows_old() -> None:
    """It lives a day, and the hour it was made in."""
    cursors = Cursors(KEY)
    cursor = cursors.seal((7, "x"), b"", NOW)

    assert (7, "x") == cursors.open(cursor, b"", NOW + LIFE)
    with pytest.raises(Stop, match="cursor_expired"):
        cursors.open(cursor, b"", NOW + LIFE + 3601)
