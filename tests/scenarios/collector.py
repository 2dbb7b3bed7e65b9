"""Servers that swallow what leaves a gateway: an OpenTelemetry collector, a webhook receiver. Every byte is kept."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; Any, because tests reach into it."""
        return json.loads(self.body)


class Collector:
    """Answers 200 to any POST, or as it is told; keeps request lines, headers and bodies.

    `answer` is given each request and says the status, or the status with headers.
    """

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.requests: list[Request] = []
        self.answer: Callable[[Request], int | tuple[int, dict[str, str]]] = lambda request: 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                outer.got.append(self.requestline.encode() + b"\n" + bytes(self.headers) + body)
                outer.requests.append(request)
                answered = outer.answer(request)
                status, headers = (answered, dict[str, str]()) if isinstance(answered, int) else answered
                self.send_response(status)
                for name, value in {**headers, "content-length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bytes(self) -> bytes:
        """All that came."""
        return b"\n".join(self.got)

    def wait(self, count: int, within: float = 20.0) -> list[Request]:
        """The requests, once there are so many."""
        deadline = time.monotonic() + within
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} came"
            time.sleep(0.02)
        return list(self.requests)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
