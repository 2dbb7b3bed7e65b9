"""Wake-ups between processes: who commits events tells all who listen, and a look at the feed every second is the net.

A wake-up says that there is something, never what: one that is lost costs a second, one too many costs a look.

The look is also how a link that hangs is noticed. A network that swallows what is sent closes no connection, and who
waits for an answer would wait for as long as the slowest statement may take: when a look gets none, all are cut.
"""

import asyncio
import os
from collections.abc import Callable

import asyncpg

from gateway.store.postgres.database import CONNECT_SECONDS, SESSION, SQL, USING, Connection, Database

CHANNEL = "isthmus"
LOOK_SECONDS = 1.0
ANSWER_SECONDS = (2.0, 1.0)  # then once more, for what came while this process itself was busy is read first


class Wakes(Database):
    """The listening side of the store."""

    def __init__(self, url: str, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(url, key, *retired)
        self.process = os.urandom(8).hex()  # how others tell this process from themselves
        self._hearing: list[Callable[[], None]] = []
        self._head = 0

    async def open(self) -> None:
        """Open, and listen."""
        await super().open()
        self._head = int((await self._all(SQL["head"], "events"))[0][0])
        self._keep_doing(self._listen, LOOK_SECONDS, "store.not_listening")

    def hear(self, woken: Callable[[], None]) -> None:
        """Call this whenever another process has committed events."""
        self._hearing.append(woken)

    async def _listen(self) -> None:
        """Listen for as long as the connection holds."""
        connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS, server_settings=SESSION)
        try:
            await connection.execute(SQL["use"], USING)
            await connection.add_listener(CHANNEL, self._told)
            while True:
                head = await self._look(connection)
                if head != self._head:
                    self._head = head
                    self._wake()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            connection.terminate()

    async def _look(self, connection: Connection) -> int:
        """Where the feed ends; a cut and TimeoutError where no answer comes."""
        asked = asyncio.ensure_future(connection.fetchval(SQL["head"], "events"))
        try:
            for seconds in ANSWER_SECONDS:
                if (await asyncio.wait((asked,), timeout=seconds))[0]:
                    return int(await asked)
        finally:
            asked.cancel()
        self._cut()
        raise TimeoutError

    def _told(self, connection: Connection, pid: int, channel: str, process: str) -> None:
        if process != self.process:
            self._wake()

    def _wake(self) -> None:
        for woken in self._hearing:
            woken()
