"""A TCP proxy before a server: it cuts connections when it is told to, or when a client says a certain word; it is
slow, or swallows what is said without a word of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Forwards to a port of loopback. `cut_at` is what a client says last; `delivers` whether the server hears it."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.cut_at: bytes | None = None
        self.delivers = True
        self.cuts = 0
        self.delay = 0.0  # seconds by which an answer is late
        self.swallows = False  # nothing gets through, and nobody is told
        self._writers: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every connection now."""
        for writer in self._writers:
            writer.transport.abort()

    def strand(self) -> None:
        """Let every connection of now hear nothing more, for good; new ones are well."""
        self._stranded |= self._writers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, server_writer}
        for one in (self._up(reader, server_writer, writer), self._down(server_reader, writer)):
            task = asyncio.create_task(one)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _up(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.cut_at and self.cut_at in data:
                    self.cut_at = None
                    self.cuts += 1
                    back.transport.abort()
                    if self.delivers:
                        target.write(data)
                        await target.drain()
                        await asyncio.sleep(0.2)
                    break
                await self._pass(data, target)
        target.close()

    async def _down(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await asyncio.sleep(self.delay)
                await self._pass(data, target)
        target.close()

    async def _pass(self, data: bytes, target: asyncio.StreamWriter) -> None:
        if not self.swallows and target not in self._stranded:
            target.write(data)
            await target.drain()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """A running proxy before a port."""
    made = Proxy(target)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.gather(*made._pipes, return_exceptions=True)
