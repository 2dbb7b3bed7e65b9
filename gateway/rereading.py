"""Kept messages read again: by the feed as it was when they were mapped, and beside the event loop.

Earlier site files are unpacked once for each feed that is asked for, and a bounded number of those feeds is remembered.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gateway.site.folder import unpacked
from gateway.site.settings import Feed
from gateway.site.standing import Standing
from gateway.store.protocol import Kept, Store

MOST_FEEDS = 16
Given = ParamSpec("Given")
Found = TypeVar("Found")


class Rereading:
    """One such piece of work at a time: what waits for it waits here, and nobody else does."""

    def __init__(self, store: Store, standing: Standing) -> None:
        self.store = store
        self.standing = standing
        self._turn = asyncio.Semaphore(1)
        self._feeds: dict[tuple[str, str], Feed | None] = {}

    async def beside(self, work: Callable[Given, Found], *given: Given.args, **more: Given.kwargs) -> Found:
        """What the work finds, in a thread."""
        async with self._turn:
            return await asyncio.to_thread(work, *given, **more)

    async def feed(self, kept: Kept) -> tuple[Feed | None, bool]:
        """The feed as it was when the message was mapped, else as it is now; and whether it is as it was."""
        site = self.standing.site
        now = site.feed(kept.feed, kept.tenant)
        if kept.site == (site.digest or None):
            return now, True
        then = await self._earlier(kept.site, kept.feed) if kept.site else None
        return then or now, then is not None

    async def _earlier(self, digest: str, name: str) -> Feed | None:
        key = digest, name
        if key not in self._feeds:
            files = await self.store.site(digest)
            if files is None:
                return None
            self._feeds[key] = await self.beside(unpacked, files, name)
        feed = self._feeds[key] = self._feeds.pop(key)  # the latest stands last
        while len(self._feeds) > MOST_FEEDS:
            del self._feeds[next(iter(self._feeds))]
        return feed
