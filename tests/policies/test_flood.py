"""What is said again and again is said now and then."""

from policies.flood import MOST_KEYS, Flood


def test_so_many_in_a_while() -> None:
    """Two a while for each key; the first of the next while says how many went unsaid."""
    flood = Flood(2, 10.0)

    assert [0, 0, None, None] == [flood.unsaid("a", now) for now in (0.0, 1.0, 2.0, 9.9)]
    assert [2, 0, None] == [flood.unsaid("a", now) for now in (10.0, 11.0, 12.0)]


def test_keys_are_apart() -> None:
    """One that talks much silences no other."""
    flood = Flood(1, 10.0)

    assert [0, None, 0] == [flood.unsaid(key, 1.0) for key in "aab"]


def test_many_keys_are_forgotten() -> None:
    """What it remembers is bounded, whoever makes up keys."""
    flood = Flood(1, 10.0)
    for number in range(3 * MOST_KEYS):
        flood.unsaid(number, 1.0)

    assert len(flood._whiles) <= MOST_KEYS
