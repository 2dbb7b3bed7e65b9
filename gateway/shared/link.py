"""The link to Redis: one client of a process, and whether it may be asked now.

Nobody waits for a Redis that is away or slow. What is asked of it has PATIENCE; who gets no answer in that time goes on
without, and so does everyone else until a look that is made every second finds it well again.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import NoScriptError, RedisError

from policies.metrics import Metrics
from policies.redact import log

Answer = TypeVar("Answer")
PATIENCE = 0.05  # seconds; a Redis that is near answers in a two-hundredth of that
LOOK_SECONDS = 1.0
CONNECTIONS = 32
ERRORS = (RedisError, OSError, TimeoutError)


class Script:
    """A script as Redis knows it: by its digest, and sent again after Redis has forgotten it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """One per process. `prefix` begins every key and channel: several sites may share one Redis."""

    def __init__(self, url: str, prefix: str, metrics: Metrics, patience: float = PATIENCE) -> None:
        self.prefix = prefix
        self.is_up = False
        self._patience = patience
        self._metrics = metrics
        pool = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=None, socket_connect_timeout=1)
        self._client: Redis = Redis.from_pool(pool)
        self._channels: dict[str, Callable[[str], None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._up = metrics.redis_up.child(prefix.rstrip(":"))
        self._up.set(0)

    def start(self) -> None:
        """Begin to look after it; nothing waits for the first answer."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(self._listen())]

    async def stop(self) -> None:
        """Let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(*ERRORS):
            await self._client.aclose()

    def hear(self, channel: str, told: Callable[[str], None]) -> None:
        """Call this with every word on a channel, one's own too. Before `start`."""
        self._channels[self.prefix + channel] = told

    async def tell(self, channel: str, word: str) -> None:
        """Say a word to all who listen; one that is lost is made up for by what they look up themselves."""
        await self.ask(lambda: self._client.publish(self.prefix + channel, word))

    async def run(self, script: Script, key: str, *arguments: object) -> list[Any] | None:
        """The answer of a script about one key; None where Redis cannot be asked now."""
        return await self.ask(lambda: self._run(script, self.prefix + key, arguments))

    async def _run(self, script: Script, key: str, arguments: tuple[object, ...]) -> list[Any]:
        given = [str(one) for one in arguments]
        try:
            found = await self._client.evalsha(script.digest, 1, key, *given)
        except NoScriptError:
            found = await self._client.eval(script.text, 1, key, *given)
        return list(found)

    async def ask(self, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What Redis says; None, at once, where it cannot be asked, and after PATIENCE where it does not answer."""
        if not self.is_up:
            return None
        try:
            async with asyncio.timeout(self._patience):
                return await work()
        except ERRORS as error:
            self._fell(error)
            return None

    def _fell(self, error: BaseException) -> None:
        if self.is_up:
            self.is_up = False
            self._up.set(0)
            self._metrics.redis_falls.inc()
            log("redis.away", level="warning", error=error)

    async def _watch(self) -> None:
        """Look every second whether it is well."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._client.ping()
            except ERRORS as error:
                self._fell(error)
            else:
                if not self.is_up:
                    self.is_up = True
                    self._up.set(1)
                    log("redis.back")
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen(self) -> None:
        """Listen on all channels, again and again."""
        while True:
            with suppress(*ERRORS):
                await self._listen_once()
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen_once(self) -> None:
        listening = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            await listening.subscribe(*self._channels)
            while True:
                said = await listening.get_message(timeout=LOOK_SECONDS)
                if said and said["type"] == "message":
                    self._channels[said["channel"].decode()](said["data"].decode())
                elif not said:
                    await listening.ping()  # a line that was cut without a word is noticed by this
        finally:
            await listening.aclose()  # type: ignore[no-untyped-call]
