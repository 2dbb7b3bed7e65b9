"""The link to Redis: one client of a process, and whether it may be asked now.

Nobody waits for a Redis that is away: who gets no answer in ANSWER_SECONDS goes on without, and so does everyone else,
at once, until a look finds it well again. It is looked for every second, and more and more rarely where it falls again
and again. A request that cannot go on without an answer waits REQUEST_SECONDS, and when one has waited in vain the next
ones of that second do not.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeout

from policies.metrics import Metrics
from policies.redact import log

Answer = TypeVar("Answer")
ANSWER_SECONDS: Final = 1.0  # a Redis that is near answers in a thousandth of that; the loop may be busy
REQUEST_SECONDS: Final = 0.005
LOOK_SECONDS: Final = 1.0
LONGEST_REST: Final = 30.0
STEADY_SECONDS: Final = 60.0
CONNECTIONS: Final = 32
CANCEL_SECONDS: Final = 0.2


class Script:
    """A script as Redis knows it: by its digest, and sent again after Redis has forgotten it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """One per process. Keys and channels begin with `prefix` and with what `site` stands for: its processes alone know
    it, so sites that share a Redis never meet, and no name can be guessed from a key."""

    def __init__(self, url: str, prefix: str, metrics: Metrics) -> None:
        self.is_up = False
        self._prefix, self._site = prefix, b""
        self._metrics = metrics
        pool = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=None, socket_connect_timeout=1)
        self._client: Redis = Redis.from_pool(pool)
        self.process = os.urandom(8).hex()  # how others tell this process from themselves
        self._channels: dict[str, Callable[[str], None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._beside: set[asyncio.Task[Any]] = set()
        self._is_told = False  # that it is away
        self._rose_at, self._rest = 0.0, LOOK_SECONDS
        self._late_at = float("-inf")
        self._up = metrics.redis_up.child(prefix)
        self._up.set(0)

    def start(self, site: bytes) -> None:
        """Begin to look after it, in the name of a site; nothing waits for the first answer."""
        self._site = site
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(self._listen())]

    async def stop(self) -> None:
        """Let go; what was asked and not yet answered is nobody's concern any more."""
        self.is_up, self._is_told = False, True
        left = {*self._tasks, *self._beside}
        while left:  # the driver may swallow a cancellation that comes while it connects
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
        with suppress(Exception):
            await self._client.aclose()

    def key(self, kind: str, *parts: str) -> str:
        """The key of something, which says of it no more than its kind."""
        return f"{self._begin()}{kind}:{self._digest(kind, *parts)}"

    def _begin(self) -> str:
        return f"{self._prefix}:{self._digest('site')[:16]}:"

    def _digest(self, *parts: str) -> str:
        return hashlib.blake2b("\0".join(parts).encode(), key=self._site, digest_size=16).hexdigest()

    # -- words

    def hear(self, channel: str, told: Callable[[str], None]) -> None:
        """Call this with every word that another process says on a channel. Before `start`."""
        self._channels[channel] = told

    async def tell(self, channel: str, word: str) -> None:
        """Say a word to all who listen; one that is lost is made up for by what they look up themselves."""
        await self.ask(lambda: self._client.publish(self._begin() + channel, f"{self.process} {word}"))

    def beside(self, work: Coroutine[Any, Any, Answer]) -> "asyncio.Task[Answer]":
        """Have something done that nobody has to wait for."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    # -- questions

    async def run(self, script: Script, key: str, *arguments: object) -> list[Any] | None:
        """The answer of a script about one key; None where Redis cannot be asked now."""
        return await self.ask(lambda: self._run(script, key, arguments))

    async def _run(self, script: Script, key: str, arguments: tuple[object, ...]) -> list[Any]:
        given = [str(one) for one in arguments]
        try:
            found = await self._client.evalsha(script.digest, 1, key, *given)
        except NoScriptError:
            found = await self._client.eval(script.text, 1, key, *given)
        return list(found)

    async def ask(self, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What Redis says; None, at once, where it cannot be asked, and after ANSWER_SECONDS where it says nothing."""
        if not self.is_up:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await work()
        except Exception as error:  # whatever the client says: no request fails on account of Redis
            self._fell(error)
            return None

    @property
    def patience(self) -> float:
        """Seconds that a request may wait for an answer now."""
        is_slow = asyncio.get_running_loop().time() - self._late_at < LOOK_SECONDS
        return 0.0 if is_slow else REQUEST_SECONDS

    def was_late(self) -> None:
        """A request waited in vain, and went on without."""
        if self.patience:
            self._late_at = asyncio.get_running_loop().time()
        self._metrics.redis_falls.child("late").inc()

    # -- up and down

    def _fell(self, error: BaseException) -> None:
        if self.is_up or not self._is_told:
            reason = "silent" if isinstance(error, TimeoutError | RedisTimeout) else "gone"
            self._metrics.redis_falls.child(reason).inc()
            log("redis.away", level="warning", error=error, why=reason)
        if self.is_up:
            was_steady = asyncio.get_running_loop().time() - self._rose_at > STEADY_SECONDS
            self._rest = LOOK_SECONDS if was_steady else min(self._rest * 2, LONGEST_REST)
        self.is_up, self._is_told = False, True
        self._up.set(0)

    def _rose(self) -> None:
        if self._is_told:
            log("redis.back")
        self.is_up, self._is_told = True, False
        self._rose_at = asyncio.get_running_loop().time()
        self._up.set(1)

    async def _watch(self) -> None:
        """Look again and again whether it is well."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._client.ping()
            except Exception as error:  # as above
                self._fell(error)
            else:
                if not self.is_up:
                    self._rose()
            await asyncio.sleep(LOOK_SECONDS if self.is_up else self._rest)

    async def _listen(self) -> None:
        """Listen on all channels, again and again."""
        while True:
            with suppress(Exception):  # the watch says that Redis is away
                await self._listen_once()
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen_once(self) -> None:
        """Listen for as long as the line holds: one that was cut without a word does not answer."""
        listening = self._client.pubsub()
        begin, is_asked = self._begin(), False
        try:
            await listening.subscribe(*[begin + channel for channel in self._channels])
            while (said := await listening.get_message(timeout=LOOK_SECONDS)) or not is_asked:
                is_asked = not said
                if not said:
                    await listening.ping()
                elif said["type"] == "message":
                    self._heard(said["channel"].decode().removeprefix(begin), said["data"].decode())
        finally:
            await listening.aclose()  # type: ignore[no-untyped-call]

    def _heard(self, channel: str, said: str) -> None:
        process, _, word = said.partition(" ")
        if process == self.process:
            return
        try:
            self._channels[channel](word)
        except Exception as error:  # a process of another release may say what this one does not understand
            log("redis.not_understood", level="warning", error=error, kind=channel)
