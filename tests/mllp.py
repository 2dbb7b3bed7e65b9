"""The plainest MLLP client there can be, for tests that ask what a sender sees."""

import socket
import ssl
from types import TracebackType
from typing import Self

SILENCE = 0.7  # after so long nothing more is expected


class Line:
    """One connection; `say` sends a frame and waits for whatever comes back."""

    def __init__(self, port: int, timeout: float = 10.0, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.rest = b""

    def say(self, message: bytes) -> bytes | None:
        """The answer's payload; None when the connection was closed without one. TimeoutError when nothing came."""
        self.send(message)
        return self.hear()

    def send(self, message: bytes) -> None:
        """Send a frame and do not wait."""
        self.socket.sendall(b"\x0b" + message + b"\x1c\r")

    def hear(self) -> bytes | None:
        """The next payload; None when the connection was closed without one. TimeoutError when nothing came."""
        while b"\x1c\r" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.rest += data
        answer, _, self.rest = self.rest.partition(b"\x1c\r")
        return answer.removeprefix(b"\x0b")

    def is_silent(self, for_seconds: float = SILENCE) -> bool:
        """Whether nothing comes for a while, and the line stays open."""
        before = self.socket.gettimeout()
        self.socket.settimeout(for_seconds)
        try:
            self.hear()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)
        return False

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def code(answer: bytes | None) -> str:
    """MSA-1 of an answer, or an empty string."""
    if not answer:
        return ""
    field = answer[3:4]
    for segment in answer.split(b"\r"):
        if segment.startswith(b"MSA"):
            return segment.split(field)[1].decode()
    return ""
