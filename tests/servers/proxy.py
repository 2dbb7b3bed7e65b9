"""A TCP proxy before a server: a network that can be cut, can hang or be slow, and can lose its memory of who was
connected.

It cuts connections when it is told to, or when a client says a certain word.
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
        self.has_cut = asyncio.Event()
        self.delay = 0.0  # seconds by which an answer is late
        self.swallows = False  # nothing gets through, and nobody is told
        self._is_refusing = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every connection now."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def refuse(self) -> None:
        """Break every connection, and every new one, until it is healed."""
        self._is_refusing = True
        self.cut()

    def hang(self) -> None:
        """Let nothing through and close nothing, until it is healed: what was sent meanwhile arrives then."""
        self._flows.clear()

    def forget(self) -> None:
        """Let nothing through any more on the connections that there are, and close none until it is healed: new ones
        work, as after a firewall that has lost its table."""
        self._flows = asyncio.Event()
        self._flows.set()
        for pipe in self._pipes:
            pipe.cancel()
        self._forgotten, self._writers = self._writers, set()

    def heal(self) -> None:
        """All is as before. Who was forgotten hears so, as by a probe for signs of life."""
        for writer in self._forgotten:
            writer.transport.abort()
        self._forgotten = set()
        self._is_refusing = False
        self._flows.set()

    def close(self) -> None:
        """Let all go."""
        self.heal()
        self.cut()

    def strand(self) -> None:
        """Let every connection of now hear nothing more, for good; new ones are well."""
        self._stranded |= self._writers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        if self._is_refusing:
            return writer.transport.abort()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return writer.transport.abort()
        self._writers |= {writer, server_writer}
        for one in (self._up(reader, server_writer, writer), self._pipe(server_reader, writer)):
            task = asyncio.create_task(one)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)
        return None

    async def _up(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        async def is_cut(data: bytes) -> bool:
            if not (self.cut_at and self.cut_at in data):
                return False
            self.cut_at = None
            self.cuts += 1
            self.has_cut.set()
            back.transport.abort()
            if self.delivers:
                target.write(data)
                await target.drain()
                await asyncio.sleep(0.2)
            return True

        flows = self._flows
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await flows.wait()
                if await is_cut(data):
                    break
                await self._pass(data, target)
        target.close()

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        flows = self._flows
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await flows.wait()
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
        made.close()
        await asyncio.gather(*made._pipes, return_exceptions=True)
