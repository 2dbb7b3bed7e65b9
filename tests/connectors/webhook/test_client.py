"""The outbound call against real servers: what each kind of answer, and each way of not answering, comes to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
import trustme

from canonical.outcome import Outcome
from connectors.webhook.client import ANSWER_CHARACTERS, Answered, Post, WebhookClient
from connectors.webhook.failures import outcome_of
from policies.addresses import NOTHING, AllowList, refusal, url_refusal

LOCAL = AllowList(hosts=frozenset({"localhost"}), networks=("127.0.0.0/8", "::1/128"))
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Says the same to every request and counts them; one that stalls leaves it at that."""

    def __init__(self, answer: bytes, then: bytes = b"", stalls: bool = False) -> None:
        self.answer, self.then, self.stalls = answer, then, stalls
        self.over = asyncio.Event()
        self.requests: list[bytes] = []
        self.connections = 0

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        yield server.sockets[0].getsockname()[1]
        self.over.set()
        server.close()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r")[0]))
                self.requests.append(head)
                writer.write(self.answer + self.then)
                if self.stalls:
                    await self.over.wait()
                if not self.answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def client(
    allowed: AllowList = LOCAL, seconds: float = 5.0, trust: ssl.SSLContext | None = None
) -> AsyncIterator[WebhookClient]:
    def judge(host: str, addresses: Iterable[str]) -> str | None:
        return refusal(host, addresses, allowed)

    made = WebhookClient(
        lambda url: url_refusal(url, allowed) if allowed is not NOTHING else None,
        judge,
        lambda: 0.0,
        timeout=seconds,
        connect_timeout=seconds,
        trust=trust,
    )
    yield made
    await made.close()


def post(url: str) -> Post:
    return Post(url, {"content-type": "application/json", "accept-encoding": "identity"}, b'{"a":1}')


async def outcome(answer: bytes, then: bytes = b"", stalls: bool = False) -> Outcome:
    """How one POST to a server that answers so ends."""
    server = Server(answer, then, stalls)
    async with server.listening() as port, client(seconds=0.3 if stalls else 5.0) as call:
        return await call(post(f"http://127.0.0.1:{port}/hook"))


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "delivered", "http_204"),
        (b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n", "permanent", "http_400"),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", "gone", "http_410"),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "transient", "http_503"),
        (b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n", "ambiguous", "http_502"),
        (b"220 smtp ready\r\n\r\n", "ambiguous", "answer_garbled"),
        (b"", "ambiguous", "disconnected"),
    ],
)
async def test_answers(answer: bytes, kind: str, code: str) -> None:
    """The class comes from the status, and from how far the request got where there is none."""
    found = await outcome(answer)

    assert (kind, code) == (found.kind, found.code)


async def test_what_is_kept_of_an_answer() -> None:
    """The first characters of an answer are kept and no more, whatever bytes they are."""
    long = b"\xff" + b"x" * 100_000
    found = await outcome(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(long), long))

    assert isinstance(found, Answered)
    assert "\ufffd" + "x" * (ANSWER_CHARACTERS - 1) == found.answer


async def test_retry_after() -> None:
    """What the receiver asks for comes along."""
    found = await outcome(b"HTTP/1.1 429 Slow\r\nretry-after: 17\r\ncontent-length: 0\r\n\r\n")

    assert ("transient", 17.0) == (found.kind, found.retry_after)


async def test_no_answer_in_time() -> None:
    """A receiver that says nothing may have taken it."""
    found = await outcome(b"", stalls=True)

    assert ("ambiguous", "read_timeout") == (found.kind, found.code)


@pytest.mark.parametrize("then", [b"", b"never enough"])
async def test_a_body_that_stalls(then: bytes) -> None:
    """An answer whose body does not come was still an answer: its status decides."""
    found = await outcome(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", then, stalls=True)

    assert ("delivered", "http_200") == (found.kind, found.code)


async def test_no_redirect() -> None:
    """A redirect is an answer and is not followed."""
    target = Server(ANSWER)
    async with target.listening() as elsewhere:
        found = await outcome(
            b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % elsewhere
        )

    assert ("permanent", "http_307") == (found.kind, found.code)
    assert [] == target.requests


async def test_connections_are_kept_and_cookies_are_not() -> None:
    """A second POST goes over the same connection and brings nothing that the first answer left."""
    server = Server(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n")
    async with server.listening() as port, client() as call:
        for _ in range(2):
            await call(post(f"http://127.0.0.1:{port}/hook"))

    assert (1, 2) == (server.connections, len(server.requests))
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"])
async def test_internal_addresses_are_not_reached(host: str) -> None:
    """A name or number that leads inside is refused before a connection, however it is written."""
    server = Server(ANSWER)
    async with server.listening() as port, client(allowed=NOTHING) as call:
        found = await call(post(f"http://{host}:{port}/hook"))

    assert "permanent" == found.kind
    assert 0 == server.connections


async def test_an_allowed_name_is_reached() -> None:
    """A name on the allow-list may lead inside."""
    async with Server(ANSWER).listening() as port, client() as call:
        found = await call(post(f"http://localhost:{port}/hook"))

    assert "delivered" == found.kind


async def test_nobody_there() -> None:
    """Where nothing listens, nothing was sent."""
    async with Server(ANSWER).listening() as port:
        pass
    async with client() as call:
        found = await call(post(f"http://127.0.0.1:{port}/hook"))

    assert ("transient", "connect_failed") == (found.kind, found.code)


async def test_unknown_name() -> None:
    """A name that does not resolve now may later."""
    async with client(allowed=NOTHING) as call:
        found = await call(post("https://nothing.invalid/hook"))

    assert ("transient", "dns_failed") == (found.kind, found.code)


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_tls(is_trusted: bool) -> None:
    """Over TLS nothing is sent to whom no authority vouches for."""
    authority, server = trustme.CA(), Server(ANSWER)
    tls, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(tls)
    if is_trusted:
        authority.configure_trust(trust)
    async with server.listening(tls) as port, client(trust=trust) as call:
        found = await call(post(f"https://localhost:{port}/hook"))

    assert (("delivered", "http_200") if is_trusted else ("transient", "tls_failed")) == (found.kind, found.code)
    assert is_trusted == bool(server.requests)


def _failures(kind: type[Exception]) -> Iterable[type[Exception]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _failures(inner)


@pytest.mark.parametrize("kind", sorted(set(_failures(aiohttp.ClientError)), key=str))
def test_every_error_of_the_client_has_an_outcome(kind: type[Exception]) -> None:
    """Only what failed before a connection stood, or is no URL, is known not to have been sent."""
    before = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    failure, cause = httpx.ReadError("seam"), kind.__new__(kind)
    vars(cause)["_os_error"] = OSError()
    failure.__cause__ = cause

    assert issubclass(kind, before) == (outcome_of(failure).kind in ("transient", "permanent"))
