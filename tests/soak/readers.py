"""Who follows the feed of events through whichever API answers: by cursor, and as a stream."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from tests.isthmus import SECRET

FORM = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": SECRET}
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
PAUSE = 0.1


@dataclass
class Reader:
    """One that follows, and what it was given: seq and id of each event, in order."""

    apis: list[str]
    types: str = ""
    seen: list[tuple[int, str]] = field(default_factory=list)
    failures: int = 0
    gone: int = 0  # times that its place was not known, which a store that loses nothing never says
    _token: str | None = None

    async def follow(self, enough: asyncio.Event) -> None:
        """Go on, one API after the other, until it is enough."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for api in itertools.cycle(self.apis):
                try:
                    await self._turn(session, api)
                except FAILURES:
                    self.failures += 1
                    await asyncio.sleep(PAUSE)
                if enough.is_set():
                    return

    async def _turn(self, session: aiohttp.ClientSession, api: str) -> None:
        raise NotImplementedError

    async def _shown(self, session: aiohttp.ClientSession, api: str) -> dict[str, str]:
        if self._token is None:
            async with session.post(f"{api}/oauth/token", data=FORM) as answer:
                answer.raise_for_status()
                self._token = (await answer.json())["access_token"]
        return {"authorization": f"Bearer {self._token}"}

    def _judge(self, status: int) -> None:
        if status == 401:
            self._token = None
        self.gone += status == 410
        if status != 200:
            raise aiohttp.ClientError


@dataclass
class Poller(Reader):
    """Asks for page after page, each of the other API."""

    cursor: str = "0"

    async def _turn(self, session: aiohttp.ClientSession, api: str) -> None:
        wanted = {"after": self.cursor, "limit": "100", "wait": "2"} | ({"types": self.types} if self.types else {})
        async with session.get(f"{api}/v1/events", params=wanted, headers=await self._shown(session, api)) as answer:
            self._judge(answer.status)
            page: dict[str, Any] = msgspec.json.decode(await answer.read())
        self.seen += [(int(one["seq"]), one["id"]) for one in page["items"]]
        self.cursor = page["next"]


@dataclass
class Listener(Reader):
    """Listens to a stream until it ends, then goes on at the other API with the last id that it heard."""

    last: str = "0"

    async def _turn(self, session: aiohttp.ClientSession, api: str) -> None:
        headers = {**await self._shown(session, api), "last-event-id": self.last}
        async with session.get(f"{api}/v1/events/stream", headers=headers) as answer:
            self._judge(answer.status)
            number = ""
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = value
                elif name == "data":
                    self.seen.append((int(number), msgspec.json.decode(value)["id"]))
                    self.last = number
