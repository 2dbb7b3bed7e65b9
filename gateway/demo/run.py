"""`isthmus demo`: an Isthmus in this process, simulated peers in processes of their own, and a look at all of it."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

import httpx
import msgspec
import uvloop
from msgspec import Struct
from msgspec.structs import replace

from gateway.app import Gateway
from gateway.demo.child import Orders
from gateway.demo.ehr import Counters as Ehr
from gateway.demo.house import Credentials, Demo, announce, prepare, withdraw
from gateway.demo.partner import Counters as Partner
from gateway.demo.show import Tally, View
from gateway.site.folder import load
from gateway.site.settings import Site
from policies.redact import log, setup

PATIENCE = 3.0
READY_WITHIN = 30.0
HOW = """
Isthmus is up.

  API       {http}          the contract: {http}/schema/openapi.json
  MLLP      {mllp}
  files     {folder}          the site, the data, and demo.json with the secrets of both clients

Try:

  TOKEN=$(curl -s {http}/oauth/token -d grant_type=client_credentials \\
    -d client_id=admin -d client_secret={secret} \\
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

  curl -s -H "Authorization: Bearer $TOKEN" '{http}/v1/appointments?status=booked&limit=3'

That token lasts {minutes:.0f} minutes; the first command gets another. One that works now:

  curl -s -H 'Authorization: Bearer {token}' '{http}/v1/events?limit=3'

Ctrl-C ends the demo. The next one goes on with the same data.
"""


class Options(Struct, frozen=True, kw_only=True):
    """What the command line says."""

    http: str = "127.0.0.1:8080"
    mllp: str = "127.0.0.1:2575"
    data: Path = Path("demo-data")
    headless: bool = False
    quiet_peers: bool = False


class Peer:
    """A simulated peer as a process: it gets its orders on a pipe, and ends when that pipe does."""

    def __init__(self, name: str, log: TextIO) -> None:
        self.name = name
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, orders: Orders) -> None:
        """In a session of its own: Ctrl-C is for the demo, which then tells its peers."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"gateway.demo.{self.name}"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(msgspec.json.encode(orders) + b"\n")
        await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        """Its counters, line by line."""
        if self._process and self._process.stdout:
            async for line in self._process.stdout:
                yield line

    async def stop(self) -> None:
        """End it, and be sure that it has ended."""
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def site_of(options: Options) -> Site:
    """The demo's site, at the addresses of the command line."""
    site = load(options.data / "site")
    server = replace(site.main.server, http=options.http)
    feeds = tuple(replace(feed, settings=replace(feed.settings, mllp=options.mllp)) for feed in site.feeds[:1])
    return replace(site, main=replace(site.main, server=server), feeds=(*feeds, *site.feeds[1:]))


def run(options: Options) -> int:
    """Serve until told to stop."""
    folder = options.data
    folder.mkdir(parents=True, exist_ok=True)
    clients = prepare(folder)
    with ExitStack() as stack:
        lines = sys.stderr if options.headless else stack.enter_context((folder / "isthmus.log").open("a"))
        setup(lines)
        return uvloop.run(_demo(options, clients, lines))


async def _demo(options: Options, clients: dict[str, Credentials], lines: TextIO) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    gateway = Gateway(site_of(options))
    gateway.on_failure.append(told.set)
    tally = Tally()
    await gateway.open()
    withdraw(options.data)  # not before the data is ours: until then demo.json may be that of a running demo
    await gateway.start()
    gateway.pipeline.on_events.append(tally.hear)
    here = demo_of(gateway, clients)
    await ready(here.http)
    peers = [] if options.quiet_peers else [Peer("partner", lines), Peer("ehr", lines)]
    try:
        for peer in peers:
            await peer.start(_orders(here))
        watching = [asyncio.ensure_future(_listen(peer, tally)) for peer in peers]
        announce(options.data, here)
        if options.headless:
            await told.wait()
        else:
            await _show(options, here, tally, told)
        for task in watching:
            task.cancel()
    finally:
        await asyncio.gather(*(peer.stop() for peer in peers))
        await gateway.stop()
    return int(gateway.has_failed)


async def ready(url: str) -> None:
    """Wait until the API answers: the server listens a moment after it was told to."""
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        async with asyncio.timeout(READY_WITHIN):
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get("/health/ready")).is_success:
                        return
                await asyncio.sleep(0.02)


def demo_of(gateway: Gateway, clients: dict[str, Credentials]) -> Demo:
    """Where it can be reached: with the ports it really has, and an address that can be called."""
    door = gateway.doors.open[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(door.host, door.host)  # noqa: S104 - compared
    host = f"[{host}]" if ":" in host else host
    http = gateway.http.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    return Demo(http=http, mllp=f"{host}:{door.listener.port}", clients=clients)


def _orders(here: Demo) -> Orders:
    """The seed is of now, so that each demo has a hospital of its own in the data that stays."""
    partner = here.clients["partner"]
    seed = int(time.time()) % 1_000_000
    return Orders(
        mllp=here.mllp,
        http=here.http,
        client_id=partner.client_id,
        client_secret=partner.client_secret,
        seed=seed,
    )


async def _listen(peer: Peer, tally: Tally) -> None:
    """Take over a peer's counters as it tells them."""
    async for line in peer.lines():
        if peer.name == "ehr":
            tally.ehr = msgspec.json.decode(line, type=Ehr)
        else:
            tally.partner = msgspec.json.decode(line, type=Partner)
    log(f"demo.{peer.name}_ended", level="warning")


async def _show(options: Options, here: Demo, tally: Tally, told: asyncio.Event) -> None:
    """Say how to use it, then show what goes on."""
    out = sys.stdout
    admin = here.clients["admin"]
    token, seconds = await _token(here, admin)
    out.write(
        HOW.format(
            http=here.http,
            mllp=here.mllp,
            folder=options.data,
            secret=admin.client_secret,
            minutes=seconds / 60,
            token=token,
        )
    )
    out.write("\n")
    view = View(out, tally)
    while not told.is_set():
        view.draw()
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), view.every)
    out.write("\nending ...\n")


async def _token(here: Demo, who: Credentials) -> tuple[str, float]:
    """A token as anyone would get it: from the API."""
    form = {
        "grant_type": "client_credentials",
        "client_id": who.client_id,
        "client_secret": who.client_secret,
    }
    async with httpx.AsyncClient(base_url=here.http, timeout=10) as client:
        answer = await client.post("/oauth/token", data=form)
        answer.raise_for_status()
        found = answer.json()
        return found["access_token"], float(found["expires_in"])
