"""Servers that swallow what leaves a gateway: an OpenTelemetry collector, a webhook receiver. Every byte is kept."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Collector:
    """Answers 200 to any POST, and keeps request lines, headers and bodies."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        collected = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                collected.append(self.requestline.encode() + b"\n" + bytes(self.headers) + body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bytes(self) -> bytes:
        """All that came."""
        return b"\n".join(self.got)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
