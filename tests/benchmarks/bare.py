"""A bare Litestar handler on the same server, with the same size of answer and nothing else: what an API request costs
before anything of ours.    python -m tests.benchmarks.bare BYTES    prints its port
"""

import asyncio
import sys

import msgspec
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar import Litestar, get

from gateway.addresses import free_port


class Visit(msgspec.Struct):
    """An answer of the wanted size."""

    id: str
    text: str


async def serve(size: int) -> None:
    """Listen on a free port and print it."""

    @get("/v1/appointments/{identity:str}", sync_to_thread=False)
    def read(identity: str) -> Visit:
        return Visit(identity, "x" * max(0, size - 60))

    port = free_port("127.0.0.1")
    app = Litestar([read], openapi_config=None, logging_config=None)
    server = Server(
        app,  # the same server, the same settings
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        log_enabled=False,
    )
    print(port, flush=True)
    await server.serve()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(int(sys.argv[1])))
