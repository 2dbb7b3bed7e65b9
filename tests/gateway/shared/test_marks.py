"""Circuits of several processes over one real Redis: one finds out, one tries again, and all know."""

import asyncio

import pytest

from canonical.outcome import Outcome
from connectors.webhook.client import Post
from gateway.deliveries.circuits import Circuits, named
from gateway.deliveries.outbound import outbound
from gateway.shared.marks import Marks
from policies.circuit import CircuitConfig
from tests.gateway.shared.conftest import SITE, Process, until
from tests.servers.redis import RedisServer

CONFIG = CircuitConfig(minimum_calls=4, open_first=1.0, jitter=0.0, probes=3)
NAME = named("main", "partner.example")
POST = Post("https://partner.example/hook", {}, b"", "main")


class Receiver:
    """A partner that fails or not, and counts who reaches it."""

    def __init__(self) -> None:
        self.kind, self.calls = "transient", 0

    async def __call__(self, post: Post) -> Outcome:
        self.calls += 1
        await asyncio.sleep(0.05)
        return Outcome(kind=self.kind, code="told")  # type: ignore[arg-type]


class Worker:
    """What a worker has of circuits and of Redis."""

    def __init__(self, url: str, receiver: Receiver, longest: float = 20.0) -> None:
        clock = asyncio.get_running_loop().time
        self.process = Process(url)
        self.circuits = Circuits(CONFIG, clock, lambda: 0.0)
        self.marks = Marks(self.process.link, self.circuits, longest)
        self.call = outbound(receiver, self.circuits)

    async def start(self) -> "Worker":
        self.process.link.start(SITE)
        await until(lambda: self.process.link.is_up)
        return self

    @property
    def state(self) -> str:
        return self.circuits._known[NAME].circuit.state

    @property
    def stands(self) -> tuple[str, int]:
        """The state, and how often it has opened in a row."""
        return self.state, self.circuits._known[NAME].circuit.opened_times

    async def calls(self, times: int) -> list[Outcome]:
        """As many at once."""
        return list(await asyncio.gather(*[self.call(POST) for _ in range(times)]))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


async def two(server: RedisServer, receiver: Receiver, longest: float = 20.0) -> tuple[Worker, Worker]:
    """Two workers that know the receiver; the first has just found it failing, and both know."""
    one, other = [await Worker(server.url, receiver, longest).start() for _ in range(2)]
    receiver.kind = "delivered"
    await other.call(POST)
    receiver.kind = "transient"
    receiver.calls = 0
    for _ in range(100):  # the second may not yet be listening
        await one.calls(8)
        await asyncio.sleep(0.05)
        if other.state == "open":
            break
        one.circuits.hear_of(NAME, 0, 0)
    assert ["open", "open"] == [one.state, other.state]
    return one, other


async def stop(*workers: Worker) -> None:
    for one in workers:
        await one.process.link.stop()


async def test_what_opens_in_one_is_open_in_all(redis_server: RedisServer, receiver: Receiver) -> None:
    """The other makes no call, and who comes later neither."""
    one, other = await two(redis_server, receiver)
    receiver.calls = 0
    late = await Worker(redis_server.url, receiver).start()
    ends = [*await other.calls(5), *await late.calls(1), *await late.calls(5)]

    assert {"circuit_open"} == {end.code for end in ends}
    assert 0 == receiver.calls
    await stop(one, other, late)


async def test_one_tries_again_for_all(redis_server: RedisServer, receiver: Receiver) -> None:
    """Of all the calls in two processes three reach a receiver that is well again; then both know."""
    one, other = await two(redis_server, receiver)
    receiver.kind, receiver.calls = "delivered", 0
    while "closed" not in (one.state, other.state):
        await asyncio.gather(one.calls(10), other.calls(10))
        await asyncio.sleep(0.02)
    assert 3 <= receiver.calls <= 4  # the other may have a first one when the first has closed it

    await until(lambda: [one.stands, other.stands] == [("closed", 0)] * 2)
    assert ["delivered"] * 20 == [end.kind for end in await other.calls(20)]
    await stop(one, other)


async def test_one_fails_again_for_all(redis_server: RedisServer, receiver: Receiver) -> None:
    """Both leave it alone after the first probe, for the second time in a row."""
    one, other = await two(redis_server, receiver)
    receiver.calls = 0
    while 2 not in (one.stands[1], other.stands[1]):
        await asyncio.gather(one.calls(10), other.calls(10))
        await asyncio.sleep(0.02)

    assert receiver.calls <= 3
    await until(lambda: [one.stands, other.stands] == [("open", 2)] * 2)
    await stop(one, other)


async def test_who_dies_trying_holds_nobody_for_longer_than_a_call(
    redis_server: RedisServer, receiver: Receiver
) -> None:
    """The claim of one that is killed ends, and another tries."""
    one, other = await two(redis_server, receiver, longest=2.0)
    for _ in range(200):  # until its time is over
        seconds, _ = await one.marks.standing(NAME, claim=True)
        if not seconds:
            break
        await asyncio.sleep(seconds)
    receiver.calls = 0
    assert {"circuit_open"} == {end.code for end in await other.calls(5)}
    assert 0 == receiver.calls
    await stop(one)
    receiver.kind = "delivered"

    for _ in range(100):
        (end,) = await other.calls(1)
        if end.attempted:
            break
        await asyncio.sleep(0.05)
    assert end.attempted
    await stop(other)


@pytest.mark.parametrize("harm", ["flush", "stop"])
async def test_without_marks_each_goes_by_its_own_circuit(
    redis_server: RedisServer, receiver: Receiver, harm: str
) -> None:
    """Emptied or away: each tries with its own probes, and nobody waits for a word."""
    one, other = await two(redis_server, receiver)
    getattr(redis_server, harm)()
    receiver.calls = 0
    while not (one.stands[1] >= 2 and other.stands[1] >= 2):
        await asyncio.gather(one.calls(10), other.calls(10))
        await asyncio.sleep(0.02)

    assert 1 <= receiver.calls <= 6
    await stop(one, other)
