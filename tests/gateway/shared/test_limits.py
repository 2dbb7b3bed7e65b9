"""A limit over several processes and one real Redis: the sum is kept, and a client is let in whatever Redis does."""

import asyncio

import pytest

from gateway.shared import link as linked
from gateway.shared.limits import LEND, MICROS, asked
from policies.lease import KEPT, Wish
from policies.throttle import Limit
from tests.gateway.shared.conftest import LIMIT, Join, Process
from tests.policies.test_lease import Count
from tests.servers.proxy import proxy
from tests.servers.redis import RedisServer


async def test_the_sum_is_kept_by_two_that_are_asked_in_turn(join: Join) -> None:
    """Together no call more than the burst, and all of it but what may be left in a block."""
    one, two = await join(), await join()
    admitted = sum([await process.admits() for _ in range(80) for process in (one, two)])

    assert 64 - 2 * 64 // 16 <= admitted <= 64


async def test_the_sum_is_kept_by_two_that_are_asked_at_once(join: Join) -> None:
    """Hundreds of calls that meet in both: the burst, and what the rate gives meanwhile and in KEPT."""
    limit = Limit(name="client", quota=100, window=1, burst=50)
    several = [await join(limit=limit) for _ in range(2)]
    loop = asyncio.get_running_loop()
    began, admitted = loop.time(), 0
    for _ in range(10):
        verdicts = await asyncio.gather(*[one.decide() for one in several for _ in range(40)])
        admitted += sum(verdict.allowed for verdict in verdicts)
        await asyncio.sleep(0.05)
    took = loop.time() - began

    assert 50 < admitted <= 50 + 100 * (took + KEPT)


async def test_one_process_alone_admits_all_of_it(join: Join) -> None:
    """Exactly, and what each client has is its own."""
    one, two = await join(), await join()

    assert 64 == await one.admits(100)
    assert 0 == await two.admits(10)
    assert 10 == await two.admits(10, "other")


async def test_what_is_left_is_told(join: Join) -> None:
    """The headers count down over both, and a refusal says when there is room."""
    one, two = await join(), await join()
    told = [(await process.decide()).remaining for process in (one, one, one, two, two, two)]
    while (refused := await two.decide()).allowed:
        pass

    assert sorted(told, reverse=True) == told
    assert 58 - 2 * 64 // 16 <= told[-1] <= 58
    assert 0 < refused.more_in <= 100


async def test_what_is_not_spent_is_there_for_others(join: Join) -> None:
    """The rest of a block goes back when its time is over, less what the rate gives in KEPT."""
    limit = Limit(name="client", quota=1, window=1, burst=160)
    one, two = await join(limit=limit), await join(limit=limit)
    assert 20 == await one.admits(20)
    await asyncio.sleep(0.8)
    left = (await two.decide()).remaining

    assert 160 - 20 - 1 - 2 * KEPT <= left


async def test_the_script_counts_as_the_model_does(join: Join) -> None:
    """Redis and the model of the tests of the arithmetic, side by side."""
    one, count = await join(), Count(LIMIT)
    told = [(5, 0.0, 0.0), (100, 0.0, 0.0), (3, 0, 1000.0), (3, 0, -500.0), (1, 6300.0, 0.0), (1, 9e9, 0), (0, 0, 9e9)]
    for wish in (*[Wish(*one) for one in told], Wish(0, 0.0, -9e9), Wish(2, 0.0, 0.0)):
        found = await one.link.run(LEND, one.link.key("limit", "model"), *asked(LIMIT, wish))
        expected = count.lend(wish, 1000.0)

        assert found
        assert expected.calls == int(found[0])
        assert expected.debt == pytest.approx(int(found[1]) / MICROS, abs=5)


@pytest.mark.parametrize("harm", ["flush", "stop"])
async def test_no_new_burst_when_redis_forgets(join: Join, redis_server: RedisServer, harm: str) -> None:
    """Who has used up its quota here is still refused when Redis was emptied or is away: this process counted too."""
    one = await join()
    assert 64 == await one.admits(64)
    getattr(redis_server, harm)()

    assert 0 == await one.admits(20)
    assert 64 == await one.admits(80, "fresh")


async def test_an_emptied_redis_learns_again_what_was_used(join: Join, redis_server: RedisServer) -> None:
    """With the next question it hears what a process has admitted, so that the others do not start anew either."""
    one, two = await join(), await join()
    assert 40 == await one.admits(40)
    redis_server.flush()
    await asyncio.sleep(0.6)
    admitted = await one.admits() + await two.admits(64)

    assert admitted <= 24


async def test_a_slow_redis_costs_a_request_a_moment_once(
    join: Join, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits some milliseconds in vain, the others not at all; Redis hears later what was let in."""
    monkeypatch.setattr(linked, "REQUEST_SECONDS", 0.005)
    monkeypatch.setattr(linked, "LOOK_SECONDS", 60.0)
    async with proxy(redis_server.port) as between:
        one, two = await join(f"redis://127.0.0.1:{between.port}/0"), await join()
        between.delay = 0.2
        assert 1 == await one.admits(1, "first")
        assert 0.0 == one.link.patience
        assert 50 == sum([await one.admits(1, f"client {number}") for number in range(50)])
        assert 51 == one.falls("late")
        assert 40 == await one.admits(40)
        between.delay = 0.0
        await asyncio.sleep(4.0)  # in which it has heard on any machine
        assert await two.admits(64) <= 64 - 40
        assert one.link.is_up
        await one.link.stop()


async def test_many_first_calls_at_once_ask_together(join: Join, redis_server: RedisServer) -> None:
    """A hundred requests of a client that is not known yet are not a hundred questions."""
    one = await join(limit=Limit(name="client", quota=1000, window=1))
    before = _commands(redis_server)
    verdicts = await asyncio.gather(*[one.decide() for _ in range(100)])

    assert all(verdict.allowed for verdict in verdicts)
    assert _commands(redis_server) - before < 10


def _commands(server: RedisServer) -> int:
    """How many scripts were run."""
    said = server.say("INFO commandstats").decode()
    lines = [line for line in said.splitlines() if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:"))]
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in lines)


async def test_sites_that_share_a_redis_never_meet(join: Join) -> None:
    """With one prefix even: their keys are made with what the site alone knows."""
    ours, theirs = await join(), await join(site=b"another site")
    assert 64 == await ours.admits(64)

    assert 64 == await theirs.admits(80)


async def test_a_key_says_nothing_of_a_client(join: Join, redis_server: RedisServer) -> None:
    """Neither its name nor anything that could be tried out without the site's own secret."""
    one = await join()
    await one.admits(1, "east-scheduler")
    keys = redis_server.say("KEYS *").decode()

    assert "test:" in keys
    assert "east" not in keys
    assert one.limit.limit.name not in keys
    assert Process(redis_server.url).link.key("limit", "x") != one.link.key("limit", "x")
