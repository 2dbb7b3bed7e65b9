"""Quota in blocks: however many processes take of it, and in whatever order, the sum is kept."""

from hypothesis import given
from hypothesis import strategies as st

from policies.lease import Block, Granted, size
from policies.throttle import CLOCK_GRAIN, Limit, arrival, room

LIMIT = Limit(name="client", quota=20, window=10, burst=40)


class Count:
    """The shared count, as Redis keeps it: GCRA by blocks, all or what there is."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.tat = 0.0

    def grant(self, wanted: int, now: float) -> Granted:
        left, _ = room(self.tat, now, self.limit.spacing, self.limit.tolerance)
        calls = max(0, min(left, wanted))
        for _ in range(calls):
            self.tat = arrival(self.tat, now, self.limit.spacing)
        left, more_in = room(self.tat, now, self.limit.spacing, self.limit.tolerance)
        return Granted(calls, max(0, left), max(0.0, more_in))


def ask(block: Block, count: Count, now: float) -> bool:
    """One call of one process."""
    verdict = block.take(LIMIT, now)
    if verdict is None:
        block.fill(count.grant(size(LIMIT), now), now)
        verdict = block.take(LIMIT, now)
    return verdict is not None and verdict.allowed


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.5)), min_size=50, max_size=400))
def test_no_call_more_than_the_limit_over_all_processes(calls: list[tuple[int, float]]) -> None:
    """In any stretch of time, four processes together admit what one would at most."""
    count, blocks, now = Count(LIMIT), [Block() for _ in range(4)], 1000.0
    admitted: list[float] = []
    for process, pause in calls:
        now += pause
        if ask(blocks[process], count, now):
            admitted.append(now)
    held = 4 * size(LIMIT)  # granted in the moment before, and spent within a second
    for place, since in enumerate(admitted):
        upto = len(admitted) - place
        span = admitted[-1] - since + 1.0
        assert upto <= LIMIT.burst + held + span / LIMIT.spacing + CLOCK_GRAIN  # type: ignore[operator]


def test_one_process_gets_all_of_it() -> None:
    """Whoever is alone is admitted exactly as by a count of its own."""
    count, block = Count(LIMIT), Block()

    assert 40 == sum(ask(block, count, 1000.0) for _ in range(100))
    assert not ask(block, count, 1000.4)
    assert ask(block, count, 1000.5)


def test_a_refusal_is_remembered_until_there_is_room() -> None:
    """Who keeps knocking does not make anyone ask again, and is told when to come back."""
    block = Block()
    block.fill(Granted(0, 0, 0.5), 1000.0)
    refused = block.take(LIMIT, 1000.2)

    assert refused is not None
    assert not refused.allowed
    assert 0.2 < refused.more_in <= 0.3 + CLOCK_GRAIN
    assert block.take(LIMIT, 1000.5) is None


def test_what_is_not_spent_is_lost() -> None:
    """A block is good for a second."""
    block = Block()
    block.fill(Granted(2, 38, 0.1), 1000.0)

    assert block.take(LIMIT, 1000.9) is not None
    assert block.take(LIMIT, 1001.0) is None
