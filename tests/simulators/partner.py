"""A partner: a process that receives webhooks, checks their signatures with the reference library, takes each id once.

    python tests/simulators/partner.py --secret whsec_... [--port 0] [--silent]

It prints one JSON line when it listens (`{"port": N}`) and one for each webhook (unless silent). Told to,
it misbehaves:

    POST   /behave     {"status": 503, "headers": {"retry-after": "2"}, "delay": 1.0, "times": 3, "types": [...],
                        "subjects": [...], "drop": false, "body": "..."}; without a body it behaves again
    GET    /received   what it took, in order: [{"id", "at", "headers", "event"}]; DELETE forgets all
    GET    /attempts   what was tried: [{"id", "at", "type", "subject", "path"}]
    GET    /counts     {"accepted", "duplicates", "refused", "misbehaved"}
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


def micros() -> int:
    return time.time_ns() // 1000


class Partner:
    """What it knows: its secrets, the ids it has seen, and how it was told to misbehave."""

    def __init__(self, secrets: list[str], silent: bool) -> None:
        self.checkers = [Webhook(secret) for secret in secrets]
        self.silent = silent
        self.seen: set[str] = set()
        self.received: list[dict[str, Any]] = []
        self.attempts: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self.rules: list[dict[str, Any]] = []

    async def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """The answer to one request; None drops the connection."""
        match method, path:
            case "POST", "/behave":
                self.rules = [json.loads(body)] if body else []
                return 204, {}, b""
            case "GET", "/received":
                return 200, {}, json.dumps(self.received).encode()
            case "GET", "/attempts":
                return 200, {}, json.dumps(self.attempts).encode()
            case "GET", "/counts":
                return 200, {}, json.dumps(self.counts).encode()
            case "DELETE", "/received":
                self.forget()
                return 204, {}, b""
            case "POST", _:
                return await self.receive(path, headers, body)
        return 404, {}, b""

    def forget(self) -> None:
        self.received.clear()
        self.attempts.clear()
        self.counts.clear()
        self.seen.clear()

    async def receive(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """A webhook: misbehave if told so, else verify, take it once, and say 2xx to a repeat too."""
        if not self.verifies(headers, body):
            self.counts["refused"] += 1
            return 401, {}, b"signature"
        event, identity = json.loads(body), headers["webhook-id"]
        rule = self.rule_for(event)
        self.attempts.append(
            {"id": identity, "type": event["type"], "subject": event["subject"], "path": path, "at": micros()}
        )
        if rule:
            self.counts["misbehaved"] += 1
            await asyncio.sleep(rule.get("delay", 0))
            if rule.get("drop"):
                return None
            if rule.get("status", 200) >= 300:
                return rule["status"], rule.get("headers", {}), rule.get("body", "told to").encode()
        self.take(identity, headers, event)
        return 204, {}, b""

    def verifies(self, headers: dict[str, str], body: bytes) -> bool:
        for checker in self.checkers:
            try:
                checker.verify(body, headers)
            except WebhookVerificationError:
                continue
            return True
        return False

    def rule_for(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The rule that this event meets, as often as it says."""
        for rule in self.rules:
            fits = event["type"] in rule.get("types", [event["type"]])
            if fits and event["subject"] in rule.get("subjects", [event["subject"]]) and rule.get("times", 1) > 0:
                rule["times"] = rule.get("times", 1 << 62) - 1
                return rule
        return None

    def take(self, identity: str, headers: dict[str, str], event: dict[str, Any]) -> None:
        if identity in self.seen:
            self.counts["duplicates"] += 1
            return
        self.seen.add(identity)
        self.counts["accepted"] += 1
        taken = {
            "id": identity,
            "at": micros(),
            "headers": {name: headers[name] for name in ("traceparent", "webhook-signature") if name in headers},
            "event": event,
        }
        self.received.append(taken)
        if not self.silent:
            print(json.dumps(taken), flush=True)


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a webhook needs it: one request after another, each with its content-length."""

    def __init__(self, partner: Partner) -> None:
        self.partner = partner
        self.buffer = b""
        self.requests: asyncio.Queue[tuple[str, str, dict[str, str], bytes]] = asyncio.Queue()
        self.working: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.working = asyncio.create_task(self.work())

    def connection_lost(self, reason: Exception | None) -> None:
        if self.working:
            self.working.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            first, *rest = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < stop:
                return
            method, path, _ = first.split(" ")
            self.requests.put_nowait((method, path, headers, self.buffer[end + 4 : stop]))
            self.buffer = self.buffer[stop:]

    async def work(self) -> None:
        while True:
            answer = await self.partner.answer(*await self.requests.get())
            if answer is None:
                self.transport.abort()
                return
            status, headers, body = answer
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if status != HTTPStatus.NO_CONTENT:
                lines.append(f"content-length: {len(body)}")
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)


async def serve(arguments: argparse.Namespace) -> None:
    partner = Partner(arguments.secret, arguments.silent)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(partner), arguments.host, arguments.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--secret", action="append", required=True, help="a secret it accepts; may be repeated")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--silent", action="store_true", help="print nothing for each webhook")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
