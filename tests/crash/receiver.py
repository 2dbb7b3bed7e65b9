"""A webhook receiver that only counts: which ids came for which event, and how often."""

import asyncio
import json
from collections import Counter, defaultdict


class Receiver:
    """Answers 200 to everything and remembers `webhook-id` and the event of each request."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = defaultdict(set)  # event id -> webhook-ids
        self.times: Counter[str] = Counter()  # webhook-id -> deliveries
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, and let everyone go."""
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(
                    line.decode("latin-1").lower().split(": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
                )
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                self.times[fields["webhook-id"]] += 1
                self.ids[body["id"]].add(fields["webhook-id"])
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
