"""Name resolution that a webhook cannot be led astray by: every address is judged before it is connected to.

The connection is made to the very addresses that were judged, so a name that answers differently a moment later
gains nothing; nothing is cached, so every new connection is judged anew.
"""

import socket
from collections.abc import Callable, Iterable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Judge = Callable[[str, Iterable[str]], str | None]  # host and its addresses -> why they are refused, as a code


class Refused(OSError):
    """The host may not be connected to; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class JudgedResolver(AbstractResolver):
    """The system's resolver behind a judge of what it finds."""

    def __init__(self, judge: Judge, resolver: AbstractResolver | None = None) -> None:
        self._judge = judge
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        code = self._judge(host, [one["host"] for one in found])
        if code is not None:
            raise Refused(code)
        return found

    async def close(self) -> None:
        await self._resolver.close()


async def resolve(host: str) -> list[str]:
    """The addresses of a host as the system finds them; OSError where it finds none."""
    return [one["host"] for one in await ThreadedResolver().resolve(host, family=socket.AF_UNSPEC)]
