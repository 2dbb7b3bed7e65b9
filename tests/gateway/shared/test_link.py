"""The link to a real Redis that is stopped, silent, cut off or slow: said once, counted, and found again."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from gateway.shared import link as linked
from tests.gateway.shared.conftest import SITE, Join, Process, until
from tests.servers.proxy import Proxy, proxy
from tests.servers.redis import RedisServer


def said(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """The lines about Redis."""
    return Counter(record.getMessage() for record in caplog.records if record.getMessage().startswith("redis."))


@pytest.mark.parametrize(("harm", "reason"), [("stop", "gone"), ("hang", "silent")])
async def test_each_fall_is_said_once_and_so_is_its_end(
    join: Join, redis_server: RedisServer, harm: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped or silent, however many ask: one line and one count when it goes, one line when it is back."""
    caplog.set_level("INFO", logger="isthmus")
    one = await join()
    assert one.says_up()
    assert Counter() == said(caplog)
    getattr(redis_server, harm)()
    assert [64] * 3 == await asyncio.gather(*[one.admits(64, client) for client in ("a", "b", "c")])
    await until(lambda: not one.link.is_up)

    assert not one.says_up()
    assert 1 == one.falls(reason)
    assert Counter({"redis.away": 1}) == said(caplog)
    redis_server.wake() if harm == "hang" else redis_server.start()
    await until(lambda: one.link.is_up)
    assert one.says_up()
    assert Counter({"redis.away": 1, "redis.back": 1}) == said(caplog)


async def test_a_flush_is_nothing_to_speak_of(
    join: Join, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Scripts are sent again; nobody falls."""
    caplog.set_level("INFO", logger="isthmus")
    one = await join()
    assert 5 == await one.admits(5)
    redis_server.flush()

    assert 64 == await one.admits(64, "fresh")
    assert one.link.is_up
    assert Counter() == said(caplog)


async def test_a_redis_that_is_not_there_at_the_start_is_said_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing waits for it, and it is found when it comes."""
    caplog.set_level("INFO", logger="isthmus")
    redis_server.stop()
    one = Process(redis_server.url)
    one.link.start(SITE)
    assert 64 == await one.admits(80)
    await until(lambda: one.falls("gone") == 1)
    redis_server.start()
    await until(lambda: one.link.is_up)

    assert Counter({"redis.away": 1, "redis.back": 1}) == said(caplog)
    await one.link.stop()


@pytest.mark.parametrize("how", ["cut", "strand"])
async def test_a_network_that_breaks_heals(join: Join, redis_server: RedisServer, how: str) -> None:
    """Connections that are cut, and those on which nobody is heard any more, are made anew: questions and words."""
    heard: list[str] = []
    async with proxy(redis_server.port) as between:
        one = await join(f"redis://127.0.0.1:{between.port}/0", news=heard.append)
        far = await join()
        await told(far, heard, "before")
        getattr(between, how)()
        assert 64 == await one.admits(64)
        await told(far, heard, "after")
        await until(lambda: one.link.is_up)
        assert 64 == await one.admits(80, "healed")
        await one.link.stop()


async def told(far: Process, heard: list[str], word: str) -> None:
    """Say a word until it is heard: one that is lost is lost."""
    async with asyncio.timeout(20):
        while word not in heard:
            await far.link.tell("news", word)
            await asyncio.sleep(0.05)


async def test_a_network_that_swallows(join: Join, redis_server: RedisServer) -> None:
    """Neither an answer nor an end: requests go on, and so does the process when it is over."""
    async with proxy(redis_server.port) as between:
        one = await join(f"redis://127.0.0.1:{between.port}/0")
        between.swallows = True
        assert 64 == await one.admits(64)
        await until(lambda: not one.link.is_up)
        assert 1 == one.falls("silent")
        between.swallows = False
        await until(lambda: one.link.is_up)
        assert 64 == await one.admits(80, "healed")
        await one.link.stop()


async def test_one_that_falls_again_and_again_is_looked_for_more_rarely(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Well when it is greeted and silent when it is asked: the log is not filled with that."""
    monkeypatch.setattr(linked, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(linked, "ANSWER_SECONDS", 0.05)
    async with proxy(redis_server.port) as between:
        one = Process(f"redis://127.0.0.1:{between.port}/0")
        one.link._rest = 0.01
        one.link.start(SITE)
        for fall in range(1, 6):
            await until(lambda: one.link.is_up)
            await swallow(between, one, fall)
        assert 0.01 * 2**4 <= one.link._rest  # one of the falls may have been before it was up
        await one.link.stop()


async def swallow(between: Proxy, one: Process, fall: int) -> None:
    """Be silent until it is noticed."""
    between.swallows = True
    await until(lambda: one.falls("silent") >= fall)
    between.swallows = False


async def test_a_process_that_is_told_to_leave_leaves(redis_server: RedisServer) -> None:
    """Whenever it is told so, also in the middle of a connection that is being made: the driver may miss that once."""

    async def came_and_left(after: float) -> None:
        one = Process(redis_server.url)
        one.link.hear("words", lambda word: None)
        one.link.start(SITE)
        await asyncio.sleep(after)
        await asyncio.wait_for(one.link.stop(), 10)

    for _ in range(2):
        await asyncio.gather(*(came_and_left(number / 60) for number in range(60)))


async def test_a_redis_that_does_not_let_us_costs_no_request(join: Join, redis_server: RedisServer) -> None:
    """One that answers, and refuses scripts: as good as away."""
    one = await join()
    assert redis_server.say("ACL SETUSER default -eval -evalsha").startswith(b"+OK")

    assert 64 == await one.admits(80)
    assert 1 <= one.falls("gone")


async def test_a_process_that_leaves_says_nothing_of_redis(
    join: Join, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever was on its way: it is not Redis that went."""
    caplog.set_level("INFO", logger="isthmus")
    async with proxy(redis_server.port) as between:
        one = await join(f"redis://127.0.0.1:{between.port}/0")
        between.swallows = True
        asking = asyncio.create_task(one.admits())
        await asyncio.sleep(0)
        await one.link.stop()
        assert 1 == await asking
        await asyncio.sleep(0)
    assert Counter() == said(caplog)


async def test_a_word_that_nobody_understands_stops_no_other(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    """Of a process of another release: it is said, and the next word is heard."""
    heard: list[int] = []
    await join(news=lambda word: heard.append(int(word)))
    far = await join()
    async with asyncio.timeout(20):
        while "redis.not_understood" not in said(caplog):
            await far.link.tell("news", "a number")
            await asyncio.sleep(0.05)
        while not heard:
            await far.link.tell("news", "7")
            await asyncio.sleep(0.05)

    assert 7 == heard[0]


async def test_a_user_with_the_rights_of_the_guide_may_do_all_that_is_needed(
    join: Join, redis_server: RedisServer
) -> None:
    """Limits and words, and nothing of the keys of others."""
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "deployment.md").read_text(encoding="utf-8")
    (rights,) = re.findall(r"`(~isthmus:\* [^`]+)`", guide)
    assert redis_server.say(f"ACL SETUSER us on >ours {rights.replace('isthmus:', 'test:')}").startswith(b"+OK")
    heard: list[str] = []
    one = await join(f"redis://us:ours@127.0.0.1:{redis_server.port}/0", news=heard.append)
    far = await join(f"redis://us:ours@127.0.0.1:{redis_server.port}/0")
    await told(far, heard, "word")

    assert 64 == await one.admits(80)
    assert 0 == await far.admits()
    assert (0, 0) == (one.falls("gone"), far.falls("gone"))
    with pytest.raises(NoPermissionError):
        await one.link._client.get("theirs:key")
