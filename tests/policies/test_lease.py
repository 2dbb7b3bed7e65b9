"""Quota in blocks: however many processes take of it, and in whatever order, the sum is kept, and a client that keeps
to its rate is let in.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.lease import AHEAD, KEPT, LIFE, SHARE, Lease, Lent, Wish
from policies.throttle import CLOCK_GRAIN, Limit, Throttle

LIMIT = Limit(name="client", quota=20, window=10, burst=40)


class Count:
    """The shared count, as Redis keeps it."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.tat = 0.0

    def lend(self, wish: Wish, now: float) -> Lent:
        spacing, tolerance = self.limit.spacing, self.limit.tolerance
        most = now + tolerance + KEPT
        tat = min(min(max(self.tat, now), most) - wish.back, most)
        tat = max(tat, now + min(wish.owed, tolerance))
        calls = max(0, min(wish.calls, int((now + tolerance - tat + CLOCK_GRAIN) / spacing)))
        self.tat = tat + calls * spacing
        return Lent(calls, self.tat - now)


class Process:
    """One that takes calls as the gateway does: of its lease, and of its own count beside it."""

    def __init__(self, count: Count) -> None:
        self.count, self.lease, self.own = count, Lease(count.limit), Throttle([count.limit])
        self.questions = 0

    def call(self, now: float) -> bool:
        """Whether a call is let in."""
        self.give_back(now)
        if not self.lease.take(now):
            if not self.lease.is_used_up(now):
                self._ask(now, 1)
            if not self.lease.take(now):
                return False
        if self.lease.is_low(now):
            self._ask(now, 0)
        if not self.own.admit("c", "t", now).allowed:
            self.lease.untake()
            return False
        return True

    def give_back(self, now: float) -> None:
        """What is done when the time of a block is over; here, whenever one looks."""
        if wish := self.lease.give_back(now, 0.0):
            self.lease.receive(wish, self.count.lend(wish, now), now)

    def _ask(self, now: float, waiting: int) -> None:
        self.questions += 1
        wish = self.lease.wish(now, 0.0, waiting)
        self.lease.receive(wish, self.count.lend(wish, now), now)


def most(admitted: list[float], limit: Limit, slack: float) -> bool:
    """Whether every stretch of time holds at most the burst and what the rate gives in it, and in the slack."""
    burst = limit.tolerance / limit.spacing
    return all(
        upto - since + 1 <= burst + (admitted[upto] - admitted[since] + slack) / limit.spacing + CLOCK_GRAIN
        for since in range(len(admitted))
        for upto in range(since, len(admitted))
    )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.3, LIFE, 0.7, 2.0]))),
    st.sampled_from([LIMIT, Limit(name="fast", quota=50, window=1), Limit(name="daily", quota=60, window=86400)]),
)
def test_the_sum_is_kept_over_all_processes(calls: list[tuple[int, float]], limit: Limit) -> None:
    """Four processes together, in any order: the burst, and what the rate gives in the time and in KEPT."""
    count = Count(limit)
    processes, now = [Process(count) for _ in range(4)], 1000.0
    admitted: list[float] = []
    for process, pause in calls:
        now += pause
        if processes[process].call(now):
            admitted.append(now)

    assert most(admitted, limit, KEPT)


def test_blocks_that_nobody_needs_cannot_make_calls() -> None:
    """Where many processes borrow all there is, without end, and give back all of it, no more comes together than the
    bound: what is out escapes the limit of the burst, and therefore comes back worth less."""
    limit = Limit(name="client", quota=200, window=1, burst=40)
    count, leases, now = Count(limit), [Lease(limit) for _ in range(64)], 1000.0
    for number in range(64 * 100):
        now += 0.01
        lease = leases[number % 64]
        for wish in (lease.give_back(now, 0.0), Wish(1000, 0.0, 0.0)):
            if wish:
                lease.receive(wish, count.lend(wish, now), now)
    spent = sum(lease.take(now) for lease in leases for _ in range(1000))
    left = count.lend(Wish(1000, 0.0, 0.0), now).calls

    assert spent + left <= 40 + KEPT / limit.spacing


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("limit", [LIMIT, Limit(name="slow", quota=1, window=1, burst=400)])
def test_a_client_that_keeps_to_its_rate_is_never_refused(processes: int, limit: Limit) -> None:
    """Ten minutes of calls as far apart as the limit says, by whichever process."""
    count = Count(limit)
    several = [Process(count) for _ in range(processes)]
    admitted = [several[n % processes].call(1000.0 + n * limit.spacing) for n in range(int(600 / limit.spacing))]

    assert all(admitted)


def test_what_comes_in_bursts_costs_little_more_than_its_calls() -> None:
    """Twenty at once each twenty seconds, at one a second: the rest of a block comes back, less a second's worth."""
    limit = Limit(name="bursts", quota=1, window=1, burst=200)
    process = Process(Count(limit))
    for n in range(60):
        assert all(process.call(1000.0 + 22 * n + k / 1000) for k in range(20))
        process.give_back(1000.0 + 22 * n + 0.02 + LIFE)


def test_one_process_alone_admits_what_its_own_count_would() -> None:
    """The whole burst at once, no call more, and the next when it was told."""
    process = Process(Count(LIMIT))

    assert 40 == sum(process.call(1000.0) for _ in range(100))
    assert not process.call(1000.4)
    assert process.call(1000.5)


def test_who_is_busy_asks_rarely() -> None:
    """Blocks grow to what is spent in AHEAD, and a client that calls rarely is lent one call."""
    busy = Process(Count(Limit(name="busy", quota=10_000, window=1)))
    for n in range(2000):
        assert busy.call(1000.0 + n / 1000)
    rare = Process(Count(LIMIT))
    for n in range(20):
        assert rare.call(1000.0 + n)

    assert busy.questions < 2 / AHEAD * 2
    assert 20 == rare.questions


def test_no_block_is_large_where_little_may_come_at_once() -> None:
    """A burst of forty is lent in parts of two."""
    lease = Lease(LIMIT)
    wishes = [lease.wish(1000.0 + n / 1000, 0.0, 0).calls for n in range(8)]

    assert 40 // SHARE == max(wishes)


def test_a_refusal_is_remembered_until_there_is_room() -> None:
    """Who keeps knocking makes nobody ask again, and is told when to come back."""
    lease, wish = Lease(LIMIT), Wish(1, 0.0, 0.0)
    lease.receive(wish, Lent(0, LIMIT.tolerance), 1000.0)
    refused = lease.refused(1000.2)

    assert not lease.take(1000.2)
    assert lease.is_used_up(1000.2)
    assert (False, 0, ("client",)) == (refused.allowed, refused.remaining, refused.violated)
    assert refused.more_in == pytest.approx(0.3)
    assert not lease.is_used_up(1000.5)


def test_a_block_is_good_for_its_life_and_comes_back_worth_less() -> None:
    """Of twelve calls that were not spent six seconds are left, and five come back; much later nothing does."""
    prompt, late, wish = Lease(LIMIT), Lease(LIMIT), Wish(12, 0.0, 0.0)
    for lease in (prompt, late):
        lease.receive(wish, Lent(12, 6.0), 1000.0)
        assert lease.take(1000.0 + LIFE - 0.01)
        lease.untake()

    assert not prompt.take(1000.0 + LIFE)
    assert Wish(0, 0.5, 12 * LIMIT.spacing - KEPT) == prompt.give_back(1000.0 + LIFE, 0.5)
    assert prompt.give_back(1000.0 + LIFE, 0.5) is None
    assert late.give_back(1000.0 + KEPT, 0.5) is None


def test_what_was_let_in_without_asking_is_told_once() -> None:
    """Of four calls two seconds, as far as they are not yet forgotten; with a question or without."""
    lease = Lease(LIMIT)
    for _ in range(4):
        lease.let_in(1000.0)

    assert Wish(1, 1.5, -1.5) == lease.wish(1000.5, 1.5, 1)
    assert lease.give_back(1000.5, 1.5) is None
    lease.let_in(1001.0)
    assert Wish(0, 0.5, -0.5) == lease.give_back(1001.0, 0.5)


def test_nobody_is_let_in_alone_where_the_count_was_used_up() -> None:
    """By what was last known of it, and by what was let in since: one call when there is room for one."""
    lease = Lease(LIMIT)
    assert lease.may_let_in(1000.0)
    lease.receive(Wish(1, 0.0, 0.0), Lent(0, LIMIT.tolerance), 1000.0)

    assert [False, True] == [lease.may_let_in(1000.4), lease.may_let_in(1000.5)]
    lease.let_in(1000.5)
    assert not lease.may_let_in(1000.9)


def test_an_answer_that_was_under_way_does_not_hide_what_was_let_in_meanwhile() -> None:
    """The count knew nothing of it yet."""
    lease = Lease(LIMIT)
    wish = lease.wish(1000.0, 0.0, 1)
    for _ in range(3):
        lease.let_in(1000.0)
    lease.receive(wish, Lent(0, LIMIT.tolerance - 2 * LIMIT.spacing), 1000.0)

    assert not lease.may_let_in(1000.0)
    assert lease.may_let_in(1001.0)


def test_what_is_left_is_said_of_all_processes() -> None:
    """The headers of a call go by the shared count where that has less left than this process's own."""
    lease, own = Lease(LIMIT), Throttle([LIMIT])
    lease.receive(Wish(2, 0.0, 0.0), Lent(2, 10.0), 1000.0)
    assert lease.take(1000.0)
    shown = lease.verdict(own.admit("c", "t", 1000.0), 1000.0)

    assert (True, 20 + 1) == (shown.allowed, shown.remaining)
    assert 0 < shown.more_in <= LIMIT.spacing
