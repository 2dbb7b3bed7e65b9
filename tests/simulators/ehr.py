"""A receiving EHR: a process that takes HL7v2 over MLLP, takes each control id once, and answers as it is told to.

    python tests/simulators/ehr.py [--port 0] [--http]

It prints one JSON line when it listens (`{"port": N, "control": M}`); `port` speaks MLLP, or HTTP with `--http`, and
`control` is HTTP, by which it is told to misbehave:

    POST   /behave     {"as": "AE", "times": 2, "errors": [207], "delay": 1.0}; without a body it behaves again
                       as: AA AE AR CA CE CR (what is in MSA-1), "foreign" (another MSA-2), "silent" (no answer),
                       "half" (half an answer, then it hangs up), "hang_up" (it hangs up without one), "huge" (an answer
                       without an end), "down" (it takes no connections until it behaves again)
    GET    /received   what it took, in order, each once: [{"id", "raw", "at"}] (raw is latin-1); DELETE forgets all
    GET    /attempts   the control ids of all that came, in order
    GET    /counts     {"accepted", "duplicates", "misbehaved", "connections"}
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

END = b"\x1c\r"
CODES = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})


class Ehr:
    """What it has taken, and how it was told to misbehave."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.attempts: list[str] = []
        self.seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.rule: dict[str, Any] = {}
        self.lines: set[asyncio.StreamWriter] = set()

    def tell(self, body: bytes) -> None:
        """Misbehave as told; a line that is open when it goes down is cut."""
        self.rule = json.loads(body) if body else {}
        if self.is_down:
            for line in self.lines:
                line.transport.abort()

    @property
    def is_down(self) -> bool:
        return self.rule.get("as") == "down"

    def forget(self) -> None:
        self.received.clear()
        self.attempts.clear()
        self.seen.clear()
        self.counts.clear()

    def how(self) -> dict[str, Any]:
        """The rule for the next message, as often as it says."""
        if self.rule.get("times", 1) <= 0:
            return {}
        if "times" in self.rule:
            self.rule["times"] -= 1
        return self.rule

    async def take(self, raw: bytes) -> tuple[str, bytes]:
        """How to answer a message (`whole`, `half`, `hang_up`, `silent`, `huge`), and with what."""
        identity, rule = control_id(raw), self.how()
        self.attempts.append(identity)
        await asyncio.sleep(rule.get("delay", 0))
        code = str(rule.get("as", "AA" if is_original(raw) else "CA"))
        self.counts["misbehaved"] += bool(rule)
        if code not in ("AE", "AR", "CE", "CR"):
            self.keep(identity, raw)
        if code == "foreign":
            return "whole", answer(raw, "AA", f"{identity}X")
        if code in CODES:
            return "whole", answer(raw, code, identity, rule.get("errors", ()))
        return code, answer(raw, "AA", identity)

    def keep(self, identity: str, raw: bytes) -> None:
        """Take it once."""
        if identity in self.seen:
            self.counts["duplicates"] += 1
            return
        self.seen.add(identity)
        self.counts["accepted"] += 1
        self.received.append({"id": identity, "raw": raw.decode("latin-1"), "at": time.time_ns() // 1000})

    # -- doors

    async def mllp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one frame after the other."""
        if self.is_down:
            writer.transport.abort()
            return
        self.counts["connections"] += 1
        self.lines.add(writer)
        try:
            while True:
                frame = await reader.readuntil(END)
                how, payload = await self.take(frame[1 : -len(END)])
                if not await self.say(writer, how, b"\x0b" + payload + END):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.lines.discard(writer)
            writer.close()

    async def say(self, writer: asyncio.StreamWriter, how: str, framed: bytes) -> bool:
        """Answer; whether the connection goes on."""
        if how == "hang_up" or self.is_down:
            return False
        if how == "half":
            writer.write(framed[: len(framed) // 2])
            await writer.drain()
            return False
        if how == "huge":
            writer.write(b"\x0bMSH|^~\\&|" + b"X" * 2_000_000)
            await writer.drain()
        elif how == "whole":
            writer.write(framed)
            await writer.drain()
        return True

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The same over HTTP: an acknowledgement in the answer."""
        try:
            while request := await read_request(reader):
                how, payload = await self.take(request[3])
                if how != "whole":
                    return
                respond(writer, 200, payload, "application/hl7-v2")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What the tests ask and tell."""
        if request := await read_request(reader):
            method, path, _, body = request
            if (method, path) == ("POST", "/behave"):
                self.tell(body)
            elif (method, path) == ("DELETE", "/received"):
                self.forget()
            told = {"/received": self.received, "/attempts": self.attempts, "/counts": self.counts}.get(path, {})
            respond(writer, 200, json.dumps(told).encode(), "application/json")
        writer.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes] | None:
    """Method, path, headers and body of an HTTP/1.1 request with a content-length; None at the end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    method, path, _ = first.split(" ")
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", 0)))


def respond(writer: asyncio.StreamWriter, status: int, body: bytes, kind: str) -> None:
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def fields_of(raw: bytes) -> list[str]:
    """The fields of MSH, from MSH-2 on."""
    line = raw.split(b"\r")[0].decode("latin-1")
    return line.split(line[3])[1:] + [""] * 20


def control_id(raw: bytes) -> str:
    return fields_of(raw)[8]


def is_original(raw: bytes) -> bool:
    fields = fields_of(raw)
    return not (fields[13] or fields[14])


def answer(raw: bytes, code: str, identity: str, errors: tuple[int, ...] = ()) -> bytes:
    """An acknowledgement, with an ERR for each error of table 0357."""
    lines = [f"MSH|^~\\&|EHR|HOUSE|||20261121090000||ACK|A{identity}|P|2.5.1", f"MSA|{code}|{identity}"]
    lines += [f"ERR|||{error}^^HL70357|E" for error in errors]
    return "".join(f"{line}\r" for line in lines).encode()


async def serve(arguments: argparse.Namespace) -> None:
    ehr = Ehr()
    door = await asyncio.start_server(
        ehr.http if arguments.http else ehr.mllp, "127.0.0.1", arguments.port, limit=64 * 1024 * 1024
    )
    told = await asyncio.start_server(ehr.control, "127.0.0.1", 0)
    ports = {"port": door.sockets[0].getsockname()[1], "control": told.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    await asyncio.gather(door.serve_forever(), told.serve_forever())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--http", action="store_true", help="take messages over HTTP instead of MLLP")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
