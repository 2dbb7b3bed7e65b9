"""The plainest MLLP client there can be, for tests that ask what a sender sees."""

import socket


class Line:
    """One connection; `say` sends a frame and waits for whatever comes back."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.rest = b""

    def say(self, message: bytes) -> bytes | None:
        """The answer's payload; None when the connection was closed without one. TimeoutError when nothing came."""
        self.socket.sendall(b"\x0b" + message + b"\x1c\r")
        while b"\x1c\r" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.rest += data
        answer, _, self.rest = self.rest.partition(b"\x1c\r")
        return answer.removeprefix(b"\x0b")

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def code(answer: bytes | None) -> str:
    """MSA-1 of an answer, or an empty string."""
    if not answer:
        return ""
    field = answer[3:4]
    for segment in answer.split(b"\r"):
        if segment.startswith(b"MSA"):
            return segment.split(field)[1].decode()
    return ""
